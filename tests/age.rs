//! Encrypted archives: what the program age makes of them, what is read of those that it wrote, and what is noticed of
//! damage, with and without a key.
//!
//! Without the programs, the tests that need them are reported as ignored; with `AOFKIT_REQUIRE_SERVERS=1`, they fail.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

#[allow(dead_code)] // Some of it is for tests of running servers.
#[path = "support/program.rs"]
mod program;

use libtest_mimic::{Arguments, Failed, Trial};
use serde_json::Value;
use tempfile::TempDir;

use program::{Run, aofkit};

type Outcome = Result<(), Failed>;
type Test = fn() -> Outcome;

/// A pair of keys that age-keygen made for these tests, and another identity.
const RECIPIENT: &str = "age15a96fwuq7asdapmyamasl8sueqcr2lhmrstaj7jvzgg26kjdzv4qms7yar";
const IDENTITY: &str = "AGE-SECRET-KEY-1YKS9HXS4ZQ0KE8V84UF5V7TRQK9G4QDQ7RNUSGRWPSKN2ZYKV64S7JK4XR";
const OTHER: &str = "AGE-SECRET-KEY-1ZEEEC2F2883QL6YEY4Y0M3K7TAULELGE9MDMUUW5TR5MCV2KTEZQZEP24E";

/// A value in the log, which must not be readable in any file that is written.
const PLAIN: &str = "the-value-of-a-key-that-nobody-may-read";

/// The length of an encrypted chunk.
const CHUNK: usize = (64 << 10) + 16;

fn main() {
    let arguments = Arguments::from_args();
    let peers: &[(&str, Test)] = &[
        ("age_and_unzip_open_what_is_written", age_opens),
        ("what_age_encrypted_is_read", age_encrypted),
    ];
    let own: &[(&str, Test)] = &[
        ("each_operation_reads_with_an_identity", operations),
        ("damage_is_never_called_sound", damage),
        ("without_an_identity_nothing_is_claimed_of_the_contents", unread),
        ("other_identities_are_refused", wrong_identities),
        ("retention_needs_no_private_key", retention),
        ("private_keys_are_in_no_message", secrets),
        ("a_killed_run_leaves_no_archive_and_no_plaintext", killed),
    ];
    let required = env::var_os("AOFKIT_REQUIRE_SERVERS").is_some_and(|value| value == "1");
    let has = |program: &str| Command::new(program).arg("--help").output().is_ok();
    let missing = ["age", "unzip"].into_iter().find(|program| !has(program));
    let trial = |&(name, test): &(&'static str, Test), missing: Option<&str>| match missing {
        None => Trial::test(name, test),
        Some(program) if required => {
            let why = format!("needs {program}: not found");
            Trial::test(name, || Err(why.into()))
        }
        Some(_) => Trial::test(name, || Ok(()))
            .with_ignored_flag(true)
            .with_kind("needs age and unzip: not found"),
    };
    let mut trials: Vec<Trial> = peers.iter().map(|test| trial(test, missing)).collect();
    trials.extend(own.iter().map(|test| trial(test, None)));
    libtest_mimic::run(&arguments, trials).exit()
}

/// A directory with a log, an identity and another one.
struct Place(TempDir);

impl Place {
    fn new() -> Result<Place, Failed> {
        let place = Place(tempfile::tempdir()?);
        // Values that do not compress, so that the archive has several chunks.
        let (mut log, mut number) = (Vec::new(), 1_u64);
        for key in 0..6000 {
            number = number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(99);
            let value = format!("{PLAIN}{number:016x}{:016x}", number.rotate_left(17));
            let key = format!("key:{key}");
            let (a, b) = (key.len(), value.len());
            log.extend(format!("*3\r\n$3\r\nSET\r\n${a}\r\n{key}\r\n${b}\r\n{value}\r\n").bytes());
        }
        fs::write(place.path("a.aof"), log)?;
        fs::write(place.path("key.txt"), format!("# a comment\n\n{IDENTITY}\n"))?;
        fs::write(place.path("other.txt"), OTHER)?;
        fs::write(place.path("recipients.txt"), format!("# backups\n{RECIPIENT}\n"))?;
        Ok(place)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn command(&self, program: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(program);
        command.args(arguments).current_dir(self.0.path()).stdin(Stdio::null());
        command.env_remove("AOFKIT_IDENTITY");
        command
    }

    fn aofkit(&self, arguments: &[&str]) -> Command {
        let mut command = aofkit();
        command.args(arguments).current_dir(self.0.path());
        command
    }

    fn run(&self, arguments: &[&str]) -> Run {
        Run::of(&mut self.aofkit(arguments))
    }

    /// Runs the program, which has to end with this code.
    fn expect(&self, code: i32, arguments: &[&str]) -> Result<Run, Failed> {
        let run = self.run(arguments);
        match run.code == Some(code) {
            true => Ok(run),
            false => Err(format!("{arguments:?} should end with {code}: {run:#?}").into()),
        }
    }

    fn tool(&self, program: &str, arguments: &[&str]) -> Result<Vec<u8>, Failed> {
        let done = self.command(program, arguments).output()?;
        match done.status.success() {
            true => Ok(done.stdout),
            false => Err(format!("{program}: {}", String::from_utf8_lossy(&done.stderr)).into()),
        }
    }

    fn archive(&self, more: &[&str]) -> Result<Vec<u8>, Failed> {
        let compress =
            ["compress", "a.aof", "-o", "a.zip.age", "--recipients-file", "recipients.txt"];
        self.expect(0, &[&compress[..], more].concat())?;
        Ok(fs::read(self.path("a.zip.age"))?)
    }
}

fn check(holds: bool, what: impl FnOnce() -> String) -> Outcome {
    if holds { Ok(()) } else { Err(what().into()) }
}

fn has(bytes: &[u8], text: &[u8]) -> bool {
    bytes.windows(text.len()).any(|window| window == text)
}

fn age_opens() -> Outcome {
    for method in ["deflate", "zstd", "store"] {
        let place = Place::new()?;
        let log = fs::read(place.path("a.aof"))?;
        place.archive(&["--method", method])?;
        place.tool("age", &["-d", "-i", "key.txt", "-o", "plain.zip", "a.zip.age"])?;
        // unzip has no Zstandard.
        if method != "zstd" {
            place.tool("unzip", &["-t", "plain.zip"])?;
            let unzipped = place.tool("unzip", &["-p", "plain.zip", "appendonly.aof"])?;
            check(unzipped == log, || format!("{method}: unzip gives another log"))?;
        }
        let run = place.expect(0, &["verify", "plain.zip"])?;
        check(run.stdout.contains("SOUND"), || format!("{method}: {run:#?}"))?;
        // A changed data descriptor is noticed.
        let mut zip = fs::read(place.path("plain.zip"))?;
        let at =
            zip.windows(4).position(|window| window == b"PK\x07\x08").ok_or("no descriptor")?;
        zip[at + 5] ^= 1;
        fs::write(place.path("plain.zip"), zip)?;
        place.expect(1, &["verify", "plain.zip"])?;
    }
    Ok(())
}

fn age_encrypted() -> Outcome {
    let place = Place::new()?;
    place.expect(0, &["compress", "a.aof", "-o", "a.zip"])?;
    place.tool("age", &["-r", RECIPIENT, "-o", "b.zip.age", "a.zip"])?;
    let run = place.expect(0, &["verify", "b.zip.age", "--identity", "key.txt"])?;
    check(run.stdout.contains("SOUND"), || format!("{run:#?}"))?;
    place.expect(0, &["extract", "b.zip.age", "-o", "out", "--identity", "key.txt"])?;
    let same = fs::read(place.path("out/appendonly.aof"))? == fs::read(place.path("a.aof"))?;
    check(same, || "another log was extracted".to_owned())?;
    // What is in it is no zip.
    place.tool("age", &["-r", RECIPIENT, "-o", "c.zip.age", "a.aof"])?;
    place.expect(2, &["verify", "c.zip.age", "--identity", "key.txt"])?;
    Ok(())
}

fn operations() -> Outcome {
    let place = Place::new()?;
    fs::create_dir(place.path("to"))?;
    place.expect(0, &["backup", "a.aof", "--to", "to", "--encrypt-to", RECIPIENT])?;
    let name = fs::read_dir(place.path("to"))?
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .find(|name| name.ends_with(".zip.age"))
        .ok_or("no archive is named .zip.age")?;
    let archive = format!("to/{name}");
    let mode =
        std::os::unix::fs::PermissionsExt::mode(&fs::metadata(place.path(&archive))?.permissions());
    check(mode & 0o777 == 0o600, || format!("the mode is {mode:o}"))?;
    let key = ["--identity", "key.txt"];
    let with = |arguments: &[&str]| place.expect(0, &[arguments, &key[..]].concat());
    let digest =
        |run: Run| run.stdout.lines().find(|line| line.contains("digest")).map(str::to_owned);
    let plain = digest(place.expect(0, &["digest", "a.aof"])?);
    check(plain.is_some() && digest(with(&["digest", &archive])?) == plain, || {
        "digest".to_owned()
    })?;
    with(&["verify", &archive])?;
    with(&["list", "to", "--verify"])?;
    let found = with(&["find", "key:77", "to"])?;
    check(found.stdout.contains("key:77"), || format!("{found:#?}"))?;
    with(&["get", "key:5", &archive])?;
    with(&["log", &archive])?;
    with(&["drill", "to"])?;
    with(&["restore", &archive, "--to", "data"])
        .or_else(|_| with(&["restore", &archive, "-o", "data2"]))?;
    with(&["compact", &archive, "-o", "compacted.aof"])?;
    // No plaintext is next to the archive, and none of the operations left any.
    for entry in fs::read_dir(place.path("to"))? {
        let path = entry?.path();
        check(!has(&fs::read(&path)?, PLAIN.as_bytes()), || format!("{path:?} is readable"))?;
    }
    Ok(())
}

fn damage() -> Outcome {
    let place = Place::new()?;
    let whole = place.archive(&[])?;
    let header = whole.windows(5).position(|window| window == b"\n--- ").ok_or("no header")?;
    let payload = header + 5 + 43 + 1 + 16;
    let chunks = (whole.len() - payload).div_ceil(CHUNK);
    check(chunks > 2, || format!("{chunks} chunks are too few for this test"))?;
    let mut cases: Vec<(String, Vec<u8>)> = Vec::new();
    let flipped = |at: usize| {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        bytes
    };
    for chunk in 0..chunks {
        cases.push((format!("chunk {chunk}"), flipped(payload + chunk * CHUNK + 11)));
        cases
            .push((format!("cut before chunk {chunk}"), whole[..payload + chunk * CHUNK].to_vec()));
    }
    cases.push(("last tag".to_owned(), flipped(whole.len() - 1)));
    cases.push(("nonce".to_owned(), flipped(payload - 3)));
    cases.push(("checksum of the header".to_owned(), flipped(header + 9)));
    cases.push(("longer".to_owned(), [&whole[..], b"x"].concat()));
    let mut swapped = whole.clone();
    let (first, second) = (payload..payload + CHUNK, payload + CHUNK..payload + 2 * CHUNK);
    swapped[first.clone()].copy_from_slice(&whole[second.clone()]);
    swapped[second].copy_from_slice(&whole[first]);
    cases.push(("two chunks swapped".to_owned(), swapped));
    // "eyJ0" begins the description, which is JSON.
    let at = whole.windows(4).position(|window| window == b"eyJ0").ok_or("no description")?;
    cases.push(("description".to_owned(), flipped(at + 8)));
    for (what, bytes) in cases {
        fs::write(place.path("b.zip.age"), &bytes)?;
        let run = place.run(&["verify", "b.zip.age", "--identity", "key.txt"]);
        check(run.code == Some(1) && !run.stdout.contains("SOUND"), || {
            format!("{what}: {run:#?}")
        })?;
        let run = place.run(&["verify", "b.zip.age"]);
        check(run.code != Some(0) && !run.stdout.contains("SOUND"), || {
            format!("{what}: {run:#?}")
        })?;
        let run = place.run(&["extract", "b.zip.age", "-o", "out", "--identity", "key.txt"]);
        check(run.code == Some(2) && !place.path("out").exists(), || format!("{what}: {run:#?}"))?;
    }
    Ok(())
}

fn unread() -> Outcome {
    let place = Place::new()?;
    let whole = place.archive(&[])?;
    let run = place.expect(2, &["verify", "a.zip.age", "--json"])?;
    let report: Value = serde_json::from_str(&run.stdout)?;
    let log = &report["logs"][0];
    check(log["status"] == "encrypted" && log["recipients"][0] == "X25519", || format!("{log:#}"))?;
    let message = log["message"].as_str().unwrap_or_default();
    check(message.contains("not verified"), || format!("{log:#}"))?;
    let run = place.expect(3, &["list", ".", "--verify"])?;
    check(run.stdout.contains("not verified"), || format!("{run:#?}"))?;
    // One byte too few for the last chunk is noticed without a key.
    let header = whole.windows(5).position(|window| window == b"\n--- ").ok_or("no header")?;
    fs::write(place.path("a.zip.age"), &whole[..header + 5 + 43 + 1 + 16 + CHUNK + 5])?;
    place.expect(1, &["verify", "a.zip.age"])?;
    Ok(())
}

fn wrong_identities() -> Outcome {
    let place = Place::new()?;
    place.archive(&[])?;
    for command in [&["verify", "a.zip.age"][..], &["extract", "a.zip.age", "-o", "out"]] {
        let run = place.expect(2, &[command, &["--identity", "other.txt"]].concat())?;
        check(run.stderr.contains("does not open it"), || format!("{run:#?}"))?;
    }
    fs::write(place.path("locked.txt"), "age-encryption.org/v1\n-> scrypt x 18\n")?;
    let run = place.expect(2, &["verify", "a.zip.age", "--identity", "locked.txt"])?;
    check(run.stderr.contains("passphrase"), || format!("{run:#?}"))?;
    let mut verify = place.aofkit(&["verify", "a.zip.age"]);
    check(verify.env("AOFKIT_IDENTITY", "key.txt").output()?.status.success(), || "env".to_owned())
}

fn retention() -> Outcome {
    let place = Place::new()?;
    fs::create_dir(place.path("to"))?;
    let backup = ["backup", "a.aof", "--to", "to", "--encrypt-to", RECIPIENT];
    let archives = || -> Result<usize, Failed> {
        let all = fs::read_dir(place.path("to"))?.filter_map(Result::ok);
        Ok(all.filter(|entry| entry.path().extension().is_some_and(|end| end == "age")).count())
    };
    for created in ["1700000000", "1700086400"] {
        place.expect(0, &[&backup[..], &["--created", created]].concat())?;
    }
    // Nothing is removed as long as no archive that stays can be verified.
    let run = place.run(&["prune", "to", "--keep-last", "1"]);
    check(archives()? == 2 && run.stdout.contains("--identity"), || format!("{run:#?}"))?;
    place.expect(0, &[&backup[..], &["--keep-last", "2"]].concat())?;
    check(archives()? == 2, || "the backup kept another number".to_owned())?;
    place.expect(0, &["prune", "to", "--keep-last", "1", "--identity", "key.txt"])?;
    check(archives()? == 1, || "prune kept another number".to_owned())
}

fn secrets() -> Outcome {
    let place = Place::new()?;
    place.archive(&[])?;
    fs::write(place.path("broken.txt"), format!("{IDENTITY}x\n"))?;
    let runs = [
        place.run(&["compress", "a.aof", "-o", "x.zip.age", "--encrypt-to", IDENTITY, "--json"]),
        place.run(&["compress", "a.aof", "-o", "x.zip.age", "--recipients-file", "key.txt"]),
        place.run(&["verify", "a.zip.age", "--identity", "broken.txt", "--json"]),
        place.run(&["verify", "a.zip.age", "--identity", "broken.txt"]),
    ];
    for run in runs {
        let secret = &IDENTITY[20..40];
        let is_told = run.stdout.contains(secret) || run.stderr.contains(secret);
        check(run.code == Some(2) && !is_told, || format!("{run:#?}"))?;
    }
    check(!place.path("x.zip.age").exists(), || "an archive was written".to_owned())
}

fn killed() -> Outcome {
    let place = Place::new()?;
    let log = fs::read(place.path("a.aof"))?;
    fs::write(place.path("big.aof"), log.repeat(30))?;
    fs::create_dir(place.path("to"))?;
    let arguments = ["compress", "big.aof", "-o", "to", "--encrypt-to", RECIPIENT];
    let mut unfinished = 0;
    for wait in [50, 200, 400, 700] {
        let mut run = place.aofkit(&arguments);
        let mut run = run.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        sleep(Duration::from_millis(wait));
        run.kill()?;
        run.wait()?;
        for entry in fs::read_dir(place.path("to"))? {
            let path = entry?.path();
            let bytes = fs::read(&path)?;
            let is_sealed = bytes.is_empty() || bytes.starts_with(b"age-encryption.org/v1\n");
            let is_plain = has(&bytes, PLAIN.as_bytes()) || has(&bytes, b"PK\x03\x04");
            check(is_sealed && !is_plain, || format!("{path:?} is readable"))?;
            if is_temporary(&path) {
                unfinished += 1;
            } else {
                place.expect(0, &["verify", &path.to_string_lossy(), "--identity", "key.txt"])?;
            }
        }
    }
    check(unfinished > 0, || "no run was killed while it wrote".to_owned())
}

fn is_temporary(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."))
}
