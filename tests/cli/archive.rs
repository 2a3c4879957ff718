//! Archives: what compress makes of a log, what others read of it, and what extract gives back.

use super::*;

/// A log of some size whose values do not all pack alike.
fn busy() -> Vec<u8> {
    let commands = (0..8000_usize).map(|n| {
        let value = format!("{:x}", n.wrapping_mul(0x9E37_79B9)).repeat(1 + n % 7);
        command(&["SET", &format!("key:{n}"), &value])
    });
    commands.collect::<Vec<_>>().concat()
}

fn busy_set(place: &Place, name: &str) {
    let parts: [(&str, &[u8]); 3] = [
        ("appendonly.aof.2.base.aof", &busy()),
        ("appendonly.aof.7.incr.aof", &sound()),
        ("appendonly.aof.8.incr.aof", b""),
    ];
    place.put_set(name, &parts);
}

/// Runs a tool of another maker here; `None`, and said, where it is not installed and need not be.
pub(crate) fn tool(place: &Place, args: &[&str]) -> Option<Output> {
    let run = Command::new(args[0]).args(&args[1..]).current_dir(place.0.path()).output();
    if run.is_err() {
        let required = std::env::var_os("AOFKIT_REQUIRE_SERVERS").is_some_and(|value| value == "1");
        assert!(!required, "there is no {}", args[0]);
        eprintln!("skipped: there is no {}", args[0]);
    }
    run.ok()
}

/// Files below a directory, with their bytes.
fn tree(directory: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files = Vec::new();
    let mut directories = vec![directory.to_path_buf()];
    while let Some(next) = directories.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                directories.push(path);
            } else {
                let name = path.strip_prefix(directory).unwrap().to_path_buf();
                files.push((name, fs::read(path).unwrap()));
            }
        }
    }
    files.sort();
    files
}

#[test]
fn a_single_file_comes_back_as_a_server_expects_it() {
    let place = Place::new();
    place.put("my.aof", busy());
    let run = place.run(&["compress", "my.aof", "-o", "a.zip"]);
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""), "{run:#?}");
    assert!(
        run.stdout.ends_with("\nCOMPRESSED: written to a.zip, read back and identical\n"),
        "{run:#?}"
    );
    let verified = place.run(&["verify", "a.zip"]);
    assert_eq!(verified.code, Some(0), "{verified:#?}");
    assert!(
        verified.stdout.contains("SOUND: every byte read, SHA-256 correct: 8,000 commands"),
        "{verified:#?}"
    );
    let run = place.run(&["extract", "a.zip", "-o", "data"]);
    assert_eq!(run.code, Some(0), "{run:#?}");
    assert_eq!(tree(&place.path("data")), [("appendonly.aof".into(), busy())]);
    assert_eq!(place.names(), ["a.zip", "data", "my.aof"]);
    if let Some(unzip) = tool(&place, &["unzip", "-p", "a.zip", "appendonly.aof"]) {
        assert_eq!(unzip.stdout, busy());
    }
}

#[test]
fn others_read_what_is_written() {
    let place = Place::new();
    busy_set(&place, "appendonlydir");
    for level in ["1", "6", "9"] {
        let args = ["compress", "appendonlydir", "-o", "a.zip", "--force", "--level", level];
        assert_eq!(place.run(&args).code, Some(0));
        for tester in [
            &["unzip", "-t", "a.zip"][..],
            &["7z", "t", "a.zip"],
            &[
                "python3",
                "-c",
                "import zipfile,sys; sys.exit(zipfile.ZipFile('a.zip').testzip() is not None)",
            ],
        ] {
            if let Some(output) = tool(&place, tester) {
                assert!(output.status.success(), "{tester:?}: {output:?}");
            }
        }
        for (unpacker, to) in [
            (&["unzip", "-q", "a.zip", "-d", "unzip"][..], "unzip"),
            (&["7z", "x", "a.zip", "-o7z"], "7z"),
            (&["python3", "-m", "zipfile", "-e", "a.zip", "python"], "python"),
        ] {
            if tool(&place, unpacker).is_some() {
                let found = tree(&place.path(to).join("appendonlydir"));
                assert!(found == tree(&place.path("appendonlydir")), "{unpacker:?}");
                fs::remove_dir_all(place.path(to)).unwrap();
            }
        }
    }
}

#[test]
fn a_set_comes_back_whole_by_each_method_and_the_bytes_depend_on_no_thread() {
    let place = Place::new();
    busy_set(&place, "set");
    for method in ["deflate", "zstd", "store"] {
        let mut made = Vec::new();
        for threads in ["1", "2", "7"] {
            let args = ["compress", "set", "-o", "a.zip", "--force", "--created", "1700000000"];
            let run = place.run(&[&args[..], &["--method", method, "-j", threads]].concat());
            assert_eq!(run.code, Some(0), "{run:#?}");
            made.push(place.read("a.zip"));
        }
        assert!(made.iter().all(|bytes| *bytes == made[0]), "{method}");
        let to = format!("data-{method}");
        assert_eq!(place.run(&["extract", "a.zip", "-o", &to]).code, Some(0));
        assert!(
            tree(&place.path(&to).join("appendonlydir")) == tree(&place.path("set")),
            "{method}"
        );
        assert_eq!(place.run(&["verify", &to]).code, Some(0));
    }
}

#[test]
fn in_a_directory_an_archive_has_the_time_and_the_port_in_its_name() {
    let place = Place::new();
    place.put("a.aof", sound());
    fs::create_dir(place.path("archives")).unwrap();
    let args = ["compress", "a.aof", "-o", "archives", "--created", "1700000000"];
    assert_eq!(place.run(&args).code, Some(0));
    assert_eq!(place.run(&[&args[..], &["--port", "6380"]].concat()).code, Some(0));
    let named = [&args[..], &["--name-template", "daily-%F-{port}.zip"]].concat();
    assert_eq!(place.run(&named).code, Some(0));
    let names: Vec<PathBuf> =
        tree(&place.path("archives")).into_iter().map(|(name, _)| name).collect();
    let expected =
        ["aof_20231114221320-6379.zip", "aof_20231114221320-6380.zip", "daily-2023-11-14-6379.zip"];
    assert_eq!(names, expected.map(PathBuf::from));
    let run = place.run(&args);
    assert_eq!(run.code, Some(2), "{run:#?}");
    assert!(run.stderr.contains("already exists"), "{run:#?}");
    for template in ["../%F.zip", "%"] {
        let run = place.run(&[&args[..], &["--name-template", template]].concat());
        assert_eq!(run.code, Some(2), "{run:#?}");
    }
}

#[test]
fn several_logs_get_an_archive_each_and_the_files_of_a_set_one() {
    let place = Place::new();
    busy_set(&place, "set");
    place.put("a.aof", sound());
    place.put("b.aof", torn());
    fs::create_dir(place.path("archives")).unwrap();
    let run = place.shell("\"$0\" compress set/* -o set.zip");
    assert_eq!(run.code, Some(0), "{run:#?}");
    assert!(run.stdout.contains("appendonlydir/appendonly.aof.manifest"), "{run:#?}");
    let args = ["compress", "a.aof", "b.aof", "-o", "archives"];
    let run = place.run(&args);
    assert_eq!(run.code, Some(2), "{run:#?}");
    assert!(run.stderr.contains("{name}"), "{run:#?}");
    let run = place.run(&[&args[..], &["--name-template", "{name}.zip"]].concat());
    assert_eq!(run.code, Some(3), "{run:#?}");
    assert!(run.stderr.starts_with("error: b.aof: "), "{run:#?}");
    assert_eq!(tree(&place.path("archives")).len(), 1);
}

#[test]
fn a_damaged_log_is_compressed_only_on_request() {
    let place = Place::new();
    place.put("a.aof", torn());
    let run = place.run(&["compress", "a.aof", "-o", "a.zip"]);
    assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""), "{run:#?}");
    assert!(run.stderr.contains("is damaged") && run.stderr.contains("--damaged"), "{run:#?}");
    assert_eq!(place.names(), ["a.aof"]);
    let run = place.run(&["compress", "a.aof", "-o", "a.zip", "--damaged"]);
    assert_eq!(run.code, Some(0), "{run:#?}");
    let run = place.run(&["verify", "a.zip"]);
    assert_eq!(run.code, Some(1), "{run:#?}");
    assert!(run.stdout.contains("appendonly.aof: the log is damaged: expected"), "{run:#?}");
    let run = place.run(&["extract", "a.zip", "-o", "data"]);
    assert_eq!(run.code, Some(2), "{run:#?}");
    assert_eq!(place.names(), ["a.aof", "a.zip"]);
    let run = place.run(&["extract", "a.zip", "-o", "data", "--damaged"]);
    assert_eq!(run.code, Some(1), "{run:#?}");
    assert_eq!(place.read("data/appendonly.aof"), torn());
}

/// Servers refuse such a log or crash on it: `verify` says the same of the log and of its archive.
#[test]
fn a_log_that_servers_refuse_is_compressed_and_reported() {
    let unloadable: [&[&str]; 2] = [&["SET", "k"], &["XGROUP", "NOSUCH", "k"]];
    for bad in unloadable {
        let place = Place::new();
        place.put("a.aof", [sound(), command(bad), sound()].concat());
        let of_log = place.run(&["verify", "a.aof"]);
        assert_eq!(of_log.code, Some(1), "{of_log:#?}");
        for quiet in [false, true] {
            let args: &[&str] = if quiet { &["--quiet"] } else { &[] };
            let run = place.run(&[&["compress", "a.aof", "--force", "-o", "a.zip"], args].concat());
            let said = if quiet { &run.stderr } else { &run.stdout };
            assert!(run.code == Some(1) && said.contains("error: appendonly.aof: "), "{run:#?}");
            assert!(said.contains(&format!("--> byte {}", sound().len())), "{run:#?}");
        }
        let of_archive = place.run(&["verify", "a.zip"]);
        assert_eq!(of_archive.code, Some(1), "{of_archive:#?}");
        let verdicts = |run: &Run| {
            let lines = run.stdout.lines().skip_while(|line| !line.contains("redis 4.0"));
            lines.map(str::to_owned).collect::<Vec<_>>()
        };
        assert!(!verdicts(&of_log).is_empty(), "{of_log:#?}");
        assert_eq!(verdicts(&of_archive), verdicts(&of_log));
        let extracted = place.run(&["extract", "a.zip", "-o", "extracted"]);
        assert_eq!(extracted.code, Some(0), "the archive itself is sound: {extracted:#?}");
    }
}

#[test]
fn extract_overwrites_nothing_without_force() {
    let place = Place::new();
    busy_set(&place, "set");
    place.run(&["compress", "set", "-o", "a.zip"]);
    fs::create_dir_all(place.path("data/appendonlydir")).unwrap();
    place.put("data/appendonlydir/mine", "precious");
    place.put("data/redis.conf", "port 6379\n");
    let run = place.run(&["extract", "a.zip", "-o", "data"]);
    assert_eq!(run.code, Some(2), "{run:#?}");
    assert!(run.stderr.contains("data/appendonlydir: already exists"), "{run:#?}");
    assert_eq!(tree(&place.path("data")).len(), 2);
    let run = place.run(&["extract", "a.zip", "-o", "data", "--force"]);
    assert!(run.code == Some(2) && run.stderr.contains("more than a log"), "{run:#?}");
    assert_eq!(place.read("data/appendonlydir/mine"), b"precious");
    fs::remove_file(place.path("data/appendonlydir/mine")).unwrap();
    place.put_set("data/appendonlydir", &[("appendonly.aof.1.incr.aof", &sound())]);
    assert_eq!(place.run(&["extract", "a.zip", "-o", "data", "--force"]).code, Some(0));
    assert!(tree(&place.path("data/appendonlydir")) == tree(&place.path("set")));
    assert_eq!(place.read("data/redis.conf"), b"port 6379\n");
    let names: Vec<_> =
        fs::read_dir(place.path("data")).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(names.len(), 3, "with what was replaced: {names:?}");
    assert_eq!(place.run(&["extract", "a.zip", "-o", "a.zip"]).code, Some(2));
}

#[test]
fn a_flipped_bit_is_reported_and_nothing_is_extracted() {
    let place = Place::new();
    place.put("a.aof", busy());
    place.run(&["compress", "a.aof", "-o", "a.zip"]);
    let mut bytes = place.read("a.zip");
    bytes[1000] ^= 4;
    place.put("a.zip", bytes);
    let run = place.run(&["verify", "a.zip"]);
    assert_eq!(run.code, Some(1), "{run:#?}");
    assert!(
        run.stdout.contains("error: appendonly.aof: ") && run.stdout.contains("\nDAMAGED: "),
        "{run:#?}"
    );
    let run = place.run(&["extract", "a.zip", "-o", "data"]);
    assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""), "{run:#?}");
    assert_eq!(place.names(), ["a.aof", "a.zip"]);
    let run = place.run(&["verify", "--json", "a.zip"]);
    let json: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(json["logs"][0]["status"], "archive");
    assert_eq!(json["logs"][0]["sound"], false);
    assert_eq!(json["logs"][0]["findings"][0]["entry"], "appendonly.aof");
}

#[test]
fn what_is_no_archive_is_said_to_be_none() {
    let place = Place::new();
    place.put("a.aof", sound());
    for (path, what) in
        [("a.aof", "not a zip archive"), (".", "a directory"), ("gone.zip", "No such file")]
    {
        let run = place.run(&["extract", path, "-o", "data"]);
        assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""), "{run:#?}");
        assert!(run.stderr.contains(what), "{run:#?}");
    }
    let run = place.run(&["compress", "a.aof", "-o", "a.zip", "--level", "12"]);
    assert_eq!(run.code, Some(2), "{run:#?}");
    assert!(run.stderr.contains("it has 1 to 9"), "{run:#?}");
    let run = place.run(&["compress", "a.aof", "-o", "./a.aof", "--force"]);
    assert_eq!(run.code, Some(2), "{run:#?}");
    assert_eq!(place.read("a.aof"), sound());
    assert_eq!(place.names(), ["a.aof"]);
}

#[test]
fn a_plain_zip_as_scripts_make_it_is_verified_and_extracted() {
    let place = Place::new();
    busy_set(&place, "appendonlydir");
    if tool(&place, &["zip", "-r", "-q", "plain.zip", "appendonlydir"]).is_none() {
        return;
    }
    let run = place.run(&["verify", "plain.zip"]);
    assert_eq!(run.code, Some(0), "{run:#?}");
    assert!(
        run.stdout.contains("SOUND: every byte read, CRC-32 correct: 8,003 commands"),
        "{run:#?}"
    );
    assert_eq!(place.run(&["extract", "plain.zip", "-o", "data"]).code, Some(0));
    assert!(tree(&place.path("data/appendonlydir")) == tree(&place.path("appendonlydir")));
    // Written to a pipe, with descriptors after the bytes.
    let run = place.shell("cat appendonlydir/appendonly.aof.2.base.aof | zip -q - - > piped.zip; \"$0\" verify piped.zip");
    assert_eq!(run.code, Some(0), "{run:#?}");
    assert!(run.stdout.contains("8,000 commands"), "{run:#?}");
}

#[test]
fn a_bomb_is_verified_in_little_memory() {
    let place = Place::new();
    // One value of zeros, which packs a thousand times smaller.
    let bytes: u64 = std::env::var("AOFKIT_BOMB_MIB").map_or(96, |mib| mib.parse().unwrap()) << 20;
    let header = format!("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n${bytes}\r\n");
    place.put("a.aof", &header);
    let file = fs::OpenOptions::new().append(true).open(place.path("a.aof")).unwrap();
    file.set_len(header.len() as u64 + bytes).unwrap();
    std::io::Write::write_all(&mut &file, b"\r\n").unwrap();
    let run = place.run(&["compress", "a.aof", "-o", "a.zip", "--level", "1", "--no-check"]);
    assert_eq!(run.code, Some(0), "{run:#?}");
    assert!(fs::metadata(place.path("a.zip")).unwrap().len() < 2 << 20);
    // Far less memory than the value has bytes; what is extracted is mapped from the disk, and not counted.
    let run =
        place.shell("export MALLOC_ARENA_MAX=1; ulimit -d 64000; exec \"$0\" verify -j 1 a.zip");
    assert_eq!(run.code, Some(0), "{run:#?}");
}

#[test]
fn nothing_is_left_where_the_output_does_not_fit() {
    let place = Place::new();
    place.put("a.aof", busy());
    place.run(&["compress", "a.aof", "-o", "a.zip"]);
    for work in ["compress a.aof -o b.zip", "extract a.zip -o data"] {
        let run = place.shell(&format!("trap '' XFSZ; ulimit -f 20; exec \"$0\" {work}"));
        assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""), "{run:#?}");
        assert!(run.stderr.contains("File too large"), "{run:#?}");
        assert_eq!(place.names(), ["a.aof", "a.zip"], "{work}");
    }
}

#[test]
fn killed_at_any_time_compress_and_extract_leave_the_old_or_the_new() {
    let place = Place::new();
    place.put("a.aof", busy());
    place.run(&["compress", "a.aof", "-o", "whole.zip", "--created", "0"]);
    let whole = place.read("whole.zip");
    let rounds: u64 = std::env::var("AOFKIT_KILLS").map_or(24, |rounds| rounds.parse().unwrap());
    let mut seen = [0, 0];
    for round in 0..rounds {
        let compress = ["compress", "a.aof", "-o", "b.zip", "--force", "--quiet", "--created", "0"];
        let extract = ["extract", "whole.zip", "-o", "data", "--quiet"];
        let args = if round % 2 == 0 { &compress[..] } else { &extract[..] };
        let mut child = place.command().args(args).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(std::time::Duration::from_millis(round % 40 * 6));
        let _ = child.kill();
        child.wait().unwrap();
        let made = place.path("b.zip").exists() || place.path("data").exists();
        seen[usize::from(made)] += 1;
        if place.path("b.zip").exists() {
            assert!(place.read("b.zip") == whole, "half an archive");
            fs::remove_file(place.path("b.zip")).unwrap();
        }
        if place.path("data").exists() {
            assert!(
                tree(&place.path("data")) == [("appendonly.aof".into(), busy())],
                "half a file"
            );
            fs::remove_dir_all(place.path("data")).unwrap();
        }
    }
    assert!(seen[0] > 0, "no kill came early enough: {seen:?}");
}
