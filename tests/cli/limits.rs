//! The limits of the system (`ulimit`): an error that names the cause, or the same result with fewer threads; never a panic,
//! and no unfinished output.

use super::*;

/// The user that the tests of the number of processes run as: the limit does not hold for root.
const USER: &str = "54321";

/// Long enough for several threads.
fn put_log(place: &Place) {
    let log: Vec<u8> =
        (0..40_000).flat_map(|n| command(&["SET", &format!("key:{n}"), "value"])).collect();
    place.put("log.aof", log);
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(place.path(""), fs::Permissions::from_mode(0o777)).unwrap();
    // The other user may not be allowed to read the directory of the build.
    fs::copy(env!("CARGO_BIN_EXE_aofkit"), place.path(PROGRAM)).unwrap();
}

/// The copy of the program in the directory of the log.
const PROGRAM: &str = "./aofkit";

/// The program with this limit of `prlimit`, as a user that limits hold for.
fn limited(place: &Place, limit: &str, line: &str) -> Run {
    let is_root = rustix::process::geteuid().is_root();
    let mut command = Command::new("prlimit");
    command.arg(limit);
    if is_root && limit.contains("nproc") {
        command.args(["setpriv", "--reuid", USER, "--clear-groups"]);
    }
    command.arg(PROGRAM).args(line.split(' '));
    command.current_dir(place.path("")).env_clear().env("TZ", "UTC").env("PATH", "/usr/bin:/bin");
    Run::of(&command.stdin(Stdio::null()).output().unwrap())
}

/// Commands that work with several threads.
const PARALLEL: [&str; 10] = [
    "verify log.aof",
    "digest log.aof",
    "log log.aof --limit 3",
    "recover log.aof",
    "compact log.aof -o new.aof --force --no-backup",
    "compress log.aof -o new.zip --force --no-backup",
    "compress log.aof -o zstd.zip --method zstd --force --no-backup",
    "verify new.zip",
    "digest new.zip",
    "history key:7 log.aof",
];

#[test]
fn without_further_threads_every_result_is_the_same() {
    let place = Place::new();
    put_log(&place);
    let plain: Vec<Run> =
        PARALLEL.iter().map(|line| limited(&place, "--nproc=4096", line)).collect();
    let compacted = place.read("new.aof");
    for limit in ["--nproc=1", "--nproc=2", "--nproc=3"] {
        for (line, plain) in PARALLEL.iter().zip(&plain) {
            let run = limited(&place, limit, line);
            assert_eq!(run.code, plain.code, "{limit} {line}: {run:#?}");
            assert_eq!(run.stderr, plain.stderr, "{limit} {line}");
        }
        assert_eq!(place.read("new.aof"), compacted, "{limit}");
    }
}

#[test]
fn one_thread_is_the_main_one() {
    let place = Place::new();
    put_log(&place);
    let expected = place.run(&["digest", "log.aof"]).stdout;
    // Of the calls that start a thread or process, only that of the signal thread.
    for line in PARALLEL.iter().filter(|line| !line.contains("zstd")) {
        let script =
            format!("exec strace -f -qq -e trace=clone,clone3,fork,vfork \"$0\" {line} -j 1");
        let run = place.shell(&script);
        if run.stderr.contains("strace:") || run.stderr.contains("not found") {
            eprintln!("not checked, as strace is missing: {}", run.stderr);
            return;
        }
        let calls =
            run.stderr.lines().filter(|line| line.contains("clone") && !line.contains("resumed"));
        assert_eq!(calls.count(), 1, "{line}: {run:#?}");
    }
    assert_eq!(place.run(&["digest", "log.aof", "-j", "1"]).stdout, expected);
}

#[test]
fn a_file_larger_than_the_limit_is_an_error_and_leaves_nothing() {
    let place = Place::new();
    put_log(&place);
    let before = place.names();
    for line in [
        "compact log.aof -o new",
        "compress log.aof -o new",
        "convert log.aof --for redis-6.2 -o new",
        "generate -o new --commands 90000",
    ] {
        let run = limited(&place, "--fsize=65536", line);
        assert_eq!(run.code, Some(2), "{line}: {run:#?}");
        assert!(run.stderr.contains("File too large"), "{line}: {run:#?}");
        assert_eq!(place.names(), before, "{line}");
    }
}

/// What a run prints, and the highest amount of memory that is not of a file, in MB: what /proc says while it works.
fn measured(place: &Place, line: &str) -> (String, u64) {
    let mut command = place.command();
    let mut child = command.args(line.split(' ')).stdout(Stdio::piped()).spawn().unwrap();
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    while child.try_wait().unwrap().is_none() {
        let text = fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("RssAnon:"));
        let now = line.and_then(|line| line.trim().strip_suffix(" kB")?.trim().parse().ok());
        peak = peak.max(now.unwrap_or(0_u64));
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{line}");
    (String::from_utf8(output.stdout).unwrap(), peak / 1024)
}

#[test]
fn strings_of_zeros_that_short_commands_make_take_little_memory() {
    // An allocator keeps less than 32 MB that was given back, and clears it when it gives it out again. Of more than that,
    // only what is written takes memory.
    const LENGTH: u64 = 34 << 20;
    let place = Place::new();
    let (at, bits) = (LENGTH.to_string(), (8 * LENGTH).to_string());
    let made = [
        command(&["SETRANGE", "range", &at, "x"]),
        command(&["SET", "grown", "abc"]),
        command(&["SETRANGE", "grown", &at, "x"]),
        command(&["SETBIT", "bit", &bits, "1"]),
        command(&["BITFIELD", "field", "SET", "u8", &bits, "7"]),
    ];
    let copies = [
        command(&["SETRANGE", "k", &at, "x"]),
        command(&["COPY", "k", "copy"]),
        command(&["APPEND", "copy", "y"]),
        command(&["BITOP", "OR", "bits", "k", "copy"]),
    ];
    for commands in [made.concat(), copies.concat()] {
        place.put("log.aof", commands);
        let mut fingerprints = Vec::new();
        for line in [
            "digest --fingerprint --memory 6mb log.aof",
            "compact --memory 6mb log.aof -o new.rdb --format rdb --force --no-backup",
            "digest --fingerprint --memory 6mb new.rdb",
            "compact --memory 6mb log.aof -o new.aof --format aof --force --no-backup",
            "digest --fingerprint --memory 6mb new.aof",
        ] {
            // new.aof has every zero as a byte.
            let (output, peak) = measured(&place, line);
            assert!(peak <= 9, "{line}: {peak} MB");
            let fingerprint = output.lines().find(|line| line.contains("fingerprint")).unwrap();
            fingerprints.push(fingerprint.split_whitespace().last().unwrap().to_owned());
        }
        assert!(fingerprints.iter().all(|one| *one == fingerprints[0]), "{fingerprints:?}");
    }
}

#[test]
fn memory_that_the_system_refuses_is_an_error_with_its_cause() {
    let place = Place::new();
    put_log(&place);
    let value = "v".repeat(200);
    let log: Vec<u8> =
        (0..200_000).flat_map(|n| command(&["SET", &format!("key:{n}"), &value])).collect();
    let len = log.len() as u64;
    place.put("log.aof", log);
    for line in ["digest log.aof -j 1 --memory 4gb", "compact log.aof -o new -j 1 --memory 4gb"] {
        let mut refused = 0;
        // From too little for the file up to enough for the work.
        for more in (8..1000).step_by(8) {
            let run = limited(&place, &format!("--as={}", len + (more << 20)), line);
            if run.stderr.contains("no more memory") {
                refused += 1;
                assert!(run.stderr.contains("memory allocation of"), "{run:#?}");
            }
            // Before there is room for the program itself, the system ends it.
            let is_started = matches!(run.code, Some(0 | 2));
            assert!(is_started || run.stdout.is_empty(), "{more} {line}: {run:#?}");
            let is_explained = run.code != Some(2)
                || ["ulimit -v", "Cannot allocate memory"]
                    .iter()
                    .any(|cause| run.stderr.contains(cause));
            assert!(is_explained, "{more} {line}: {run:#?}");
            assert_eq!(place.path("new").exists(), run.code == Some(0) && line.contains("new"));
            if run.code == Some(0) {
                let _ = fs::remove_file(place.path("new"));
                break;
            }
        }
        assert!(refused > 0, "{line}");
    }
    // Nothing of the runs disturbs the next one.
    let run = place.run(&["compact", "log.aof", "-o", "new"]);
    assert_eq!(run.code, Some(0), "{run:#?}");
}

#[test]
fn abort_by_another_process_is_not_taken_for_a_lack_of_memory() {
    use std::os::unix::process::ExitStatusExt;
    let place = Place::new();
    put_log(&place);
    let mut command = place.command();
    // It waits until what it prints is read.
    command.args(["log", "log.aof"]).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().unwrap();
    std::thread::sleep(std::time::Duration::from_millis(500));
    let pid = child.id().to_string();
    assert!(Command::new("kill").args(["-ABRT", &pid]).status().unwrap().success());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.signal(), output.stderr.len()), (Some(6), 0), "{output:?}");
}
