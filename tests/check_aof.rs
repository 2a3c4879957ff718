//! Compares `ops::check_aof` with the real redis-check-aof: the output, the exit code and the resulting files must be the
//! same.
//!
//! If redis-check-aof is not installed, the tests are reported as ignored. With `AOFKIT_REQUIRE_SERVERS=1` they fail
//! instead.

use std::collections::BTreeMap;
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::{fmt, fs};

use aofkit::base::progress::Silent;
use aofkit::ops::check_aof::{self, End, Mode};
use libtest_mimic::{Arguments, Failed, Trial};

type Test = fn() -> Result<(), Failed>;

fn main() {
    let arguments = Arguments::from_args();
    let tests: &[(&str, Test)] = &[
        ("syntax_is_judged_the_same", grammar),
        ("cuts_at_every_byte_are_judged_the_same", cut_at_every_byte),
        ("random_changes_are_judged_the_same", random_changes),
        ("transactions_are_judged_the_same", transactions),
        ("fix_has_the_same_result", fix),
        ("truncation_to_a_timestamp_has_the_same_result", timestamps),
        ("preambles_are_judged_the_same", preambles),
        ("sets_are_judged_the_same", sets),
        ("manifests_are_judged_the_same", manifests),
        ("paths_are_treated_the_same", paths),
        ("intended_differences_exist", departures),
    ];
    // redis-check-aof is the server's program under another name. It reports its version only under the server's name.
    let version = Command::new("redis-check-aof").arg0("redis-server").arg("--version").output();
    let version = version.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    let is_installed = Command::new("redis-check-aof").output().is_ok();
    let required = std::env::var_os("AOFKIT_REQUIRE_SERVERS").is_some_and(|value| value == "1");
    let reason = match (&version, is_installed) {
        (Ok(version), true) if version.contains("v=7.0.") => None,
        (_, true) => Some("the installed redis-check-aof is not that of redis 7.0"),
        (_, false) => Some("redis-check-aof is not installed"),
    };
    let trials = tests.iter().map(|&(name, test)| match reason {
        None => Trial::test(name, test),
        Some(reason) if required => Trial::test(name, move || Err(reason.into())),
        Some(reason) => Trial::test(name, test).with_ignored_flag(true).with_kind(reason),
    });
    libtest_mimic::run(&arguments, trials.collect()).exit()
}

type Files = BTreeMap<String, Vec<u8>>;

/// The result of one run.
#[derive(PartialEq, Eq)]
struct Outcome {
    lines: Vec<String>,
    exit_code: i32,
    files: Files,
}

impl fmt::Debug for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lengths: Vec<_> = self.files.iter().map(|(name, bytes)| (name, bytes.len())).collect();
        f.debug_struct("Outcome")
            .field("lines", &self.lines)
            .field("exit_code", &self.exit_code)
            .field("lengths", &lengths)
            .finish()
    }
}

struct Case {
    files: Files,
    path: String,
    mode: Mode,
    answer: &'static str,
}

fn single(bytes: impl Into<Vec<u8>>) -> Case {
    let files = BTreeMap::from([("a.aof".to_string(), bytes.into())]);
    Case { files, path: "a.aof".into(), mode: Mode::Check, answer: "" }
}

fn set(manifest: &str, files: &[(&str, &[u8])]) -> Case {
    let mut all: Files =
        files.iter().map(|(name, bytes)| (name.to_string(), bytes.to_vec())).collect();
    all.insert("x.manifest".into(), manifest.into());
    Case { files: all, path: "x.manifest".into(), mode: Mode::Check, answer: "" }
}

impl Case {
    fn mode(self, mode: Mode, answer: &'static str) -> Self {
        Case { mode, answer, ..self }
    }

    /// Runs both programs and compares the results. Also checks that aofkit saves the bytes that it cuts off.
    fn same(&self) -> Result<(), Failed> {
        let (theirs, ours) = (self.theirs()?, self.ours()?);
        if theirs == ours {
            return Ok(());
        }
        let files: Vec<_> = self
            .files
            .iter()
            .map(|(name, bytes)| {
                format!("{name}: {}", String::from_utf8_lossy(bytes).escape_debug())
            })
            .collect();
        Err(format!("{files:#?} {:?}\ntheirs {theirs:#?}\nours {ours:#?}", self.mode).into())
    }

    /// Checks that the outputs differ and contain these lines.
    fn differs(&self, their_line: &str, our_line: &str) -> Result<(), Failed> {
        let (theirs, ours) = (self.theirs()?, self.ours()?);
        let has = |outcome: &Outcome, wanted: &str| {
            outcome.lines.iter().any(|line| line.contains(wanted))
        };
        if has(&theirs, their_line) && has(&ours, our_line) && theirs.lines != ours.lines {
            return Ok(());
        }
        Err(format!("theirs {theirs:#?}\nours {ours:#?}").into())
    }

    fn write(&self) -> Result<tempfile::TempDir, Failed> {
        let directory = tempfile::tempdir()?;
        for (name, bytes) in &self.files {
            fs::write(directory.path().join(name), bytes)?;
        }
        Ok(directory)
    }

    fn theirs(&self) -> Result<Outcome, Failed> {
        let directory = self.write()?;
        let mut command = Command::new("redis-check-aof");
        match self.mode {
            Mode::Check => {}
            Mode::Fix => {
                command.arg("--fix");
            }
            Mode::TruncateTo(time) => {
                command.arg("--truncate-to-timestamp").arg(time.to_string());
            }
        }
        let mut child = command
            .arg(directory.path().join(&self.path))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        // It may exit without reading the answer.
        let _ = child.stdin.take().map(|mut stdin| stdin.write_all(self.answer.as_bytes()));
        let output = child.wait_with_output()?;
        Ok(Outcome {
            lines: lines(&output.stdout, directory.path()),
            exit_code: output.status.code().unwrap_or(-1),
            files: read(directory.path())?,
        })
    }

    fn ours(&self) -> Result<Outcome, Failed> {
        let directory = self.write()?;
        let path = directory.path().join(&self.path);
        let report = check_aof::check(&path, self.mode, rdb_end, &Silent)?;
        let mut events = report.events;
        let exit_code = match report.end {
            End::Done(code) => i32::from(code),
            End::Cut(cut) if cut.asks() && !self.answer.starts_with(['y', 'Y']) => {
                events.extend(cut.decline());
                1
            }
            End::Cut(cut) => {
                events.extend(cut.make("2026-11-22T03:04:05".parse()?)?);
                0
            }
        };
        let mut files = read(directory.path())?;
        let cuts: Vec<_> = files.keys().filter(|name| name.contains(".cut-")).cloned().collect();
        for cut in cuts {
            let (name, time) = cut.split_once(".cut-").ok_or("no time")?;
            let saved = files.remove(&cut).unwrap_or_default();
            let rest = files.get(name).cloned().unwrap_or_default();
            if time != "20261122030405" || [rest, saved].concat() != self.files[name] {
                return Err(format!("{cut} does not contain the bytes cut off {name}").into());
            }
        }
        let changed = files != self.files;
        let reported = events.iter().any(|event| matches!(event, check_aof::Event::Kept { .. }));
        if changed != reported {
            return Err("a cut without a reported copy, or a reported copy without a cut".into());
        }
        let text: Vec<u8> = events.iter().flat_map(check_aof::render).collect();
        Ok(Outcome { lines: lines(&text, directory.path()), exit_code, files })
    }
}

fn read(directory: &Path) -> Result<Files, Failed> {
    let mut files = Files::new();
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            let name = entry.file_name().to_string_lossy().into_owned();
            files.insert(name, fs::read(entry.path())?);
        }
    }
    Ok(files)
}

/// Returns the lines of an output without the intended differences: the process ID and time before the lines about an
/// invalid manifest, the details of an RDB, and aofkit's line about the copy.
fn lines(text: &[u8], directory: &Path) -> Vec<String> {
    let text = String::from_utf8_lossy(text);
    let text = text.replace(&directory.display().to_string(), "DIR");
    text.lines()
        .map(|line| match line.split_once(" # ") {
            Some((log, rest)) if log.contains(":C ") => rest,
            _ => line,
        })
        .map(|line| match line.find("Kept the ") {
            Some(at) => &line[..at],
            None => line,
        })
        .filter(|line| !line.is_empty() && !line.starts_with('[') && !line.starts_with("---"))
        // The question does not end with a newline, so the next message continues its line.
        .flat_map(|line| match line.strip_prefix("Continue? [y/N]: ") {
            Some(rest) => vec!["Continue? [y/N]:".to_string(), rest.to_string()],
            // aofkit escapes control characters when it quotes a manifest.
            None if line.starts_with(">>> ") => vec![
                line.chars()
                    .map(|c| if c.is_control() { c.escape_default().to_string() } else { c.into() })
                    .collect(),
            ],
            None => vec![line.to_string()],
        })
        .filter(|line| !line.is_empty())
        .collect()
}

/// An RDB without keys and without a checksum, of a version that Redis 7.0 reads.
const RDB: &[u8] = b"REDIS0010\xff\0\0\0\0\0\0\0\0";

fn rdb_end(bytes: &[u8]) -> Result<u64, String> {
    if bytes.starts_with(RDB) { Ok(RDB.len() as u64) } else { Err("[offset 0] broken".into()) }
}

fn command(arguments: &[&str]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", arguments.len()).into_bytes();
    for argument in arguments {
        bytes.extend(format!("${}\r\n{argument}\r\n", argument.len()).bytes());
    }
    bytes
}

fn commands(list: &[&[&str]]) -> Vec<u8> {
    list.iter().flat_map(|arguments| command(arguments)).collect()
}

/// Returns a log with annotations, a transaction, and values of several kinds.
fn log() -> Vec<u8> {
    let mut log = b"#TS:1700000000\r\n".to_vec();
    log.extend(commands(&[&["SELECT", "0"], &["SET", "key", "a value\r\nof two lines"]]));
    log.extend(commands(&[&["MULTI"], &["INCR", "n"]]));
    log.extend(b"#TS:1700000005\r\n");
    log.extend(commands(&[&["set", "k", ""], &["EXEC"], &["DEL", "key"]]));
    log.extend(b"#TS:1700000009\r\n");
    log.extend(command(&["HSET", "h", "field", "123456789012"]));
    log
}

fn grammar() -> Result<(), Failed> {
    let long = |len: usize| format!("*{}1\r\n$4\r\nPING\r\n", "0".repeat(len - 1)).into_bytes();
    let note = |len: usize, after: &str| format!("#{}\r\n{after}", "n".repeat(len)).into_bytes();
    let cases: Vec<Vec<u8>> = vec![
        b"".to_vec(),
        log(),
        b"*0\r\n".to_vec(),
        b"*-5\r\n*1\r\n$4\r\nPING\r\n".to_vec(),
        b"*\r\n".to_vec(),
        b"*  1\r\n$ 4\r\nPING\r\n".to_vec(),
        b"*+1\r\n$+4\r\nPING\r\n".to_vec(),
        b"*01\r\n$004\r\nPING\r\n".to_vec(),
        b"*1\n$4\r\nPING\r\n".to_vec(),
        b"*1\r\n$4\nPING\r\n".to_vec(),
        b"*1\r\n$4\r\nPING\n\n".to_vec(),
        b"*1\r\n$4\r\nPINGxx".to_vec(),
        b"*1\r\n$4\r\nPING\xff\xfe".to_vec(),
        b"*1x\r\n$4\r\nPING\r\n".to_vec(),
        b"*1\r\n$4x\r\nPING\r\n".to_vec(),
        b"*1\xff\r\n$4\r\nPING\r\n".to_vec(),
        b"*1\r\n$-1\r\n".to_vec(),
        b"*1\r\n$0\r\n\r\n".to_vec(),
        b"*1\r\n$\r\n\r\n".to_vec(),
        b"*1\r\n$9223372036854775807\r\n".to_vec(),
        b"*1\r\n$9223372036854775806\r\n".to_vec(),
        b"*1\r\n$99999999999999999999\r\n".to_vec(),
        b"*1\r\n$-99999999999999999999\r\n".to_vec(),
        b"*1\r\n$1000000\r\nx".to_vec(),
        b"*2147483647\r\n$1\r\nx\r\n".to_vec(),
        b"*9999999999\r\n$1\r\nx\r\n".to_vec(),
        b"*1\r\n:4\r\nPING\r\n".to_vec(),
        b"*1\r\n\0\r\n".to_vec(),
        b"*1\r\n\xe9\r\n".to_vec(),
        b"*2\r\n$4\r\nECHO\r\n#TS:1\r\n$1\r\nx\r\n".to_vec(),
        b"*1\0\r\n$4\r\nPING\r\n".to_vec(),
        b"PING\r\n".to_vec(),
        b"\0\0\0\0".to_vec(),
        b"\r\n".to_vec(),
        b"hello".to_vec(),
        b"#".to_vec(),
        b"# no end".to_vec(),
        b"#\n#\r\n*1\r\n$4\r\nPING\r\n#".to_vec(),
        long(100),
        long(124),
        note(1019, "*1\r\n$4\r\nPING\r\n"),
        note(1020, "*1\r\n$4\r\nPING\r\n"),
        note(1021, "*1\r\n$4\r\nPING\r\n"),
        note(1022, "#*1\r\n$4\r\nPING\r\n"),
        note(1030, ""),
        format!("#{}*1\r\n$4\r\nPING\r\n", "n".repeat(1022)).into_bytes(),
        command(&["MULTI\0x"]),
        commands(&[&["MULTI\0x"], &["EXECUTE"], &["exec\0"]]),
        [log(), b"\0".repeat(4096)].concat(),
    ];
    cases.into_iter().try_for_each(|case| single(case).same())
}

fn cut_at_every_byte() -> Result<(), Failed> {
    let log = log();
    (0..=log.len()).try_for_each(|len| single(&log[..len]).same())
}

/// Returns a generator of pseudo-random numbers, which are the same in every run.
fn random() -> impl FnMut() -> usize {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state >> 33).unwrap_or_default()
    }
}

fn random_changes() -> Result<(), Failed> {
    let log = log();
    let mut random = random();
    for round in 0..300 {
        let mut bytes = log.clone();
        for _ in 0..=round % 3 {
            let at = random() % bytes.len();
            match random() % 4 {
                0 => bytes[at] ^= 1 << (random() % 8),
                1 => bytes[at] = b"\r\n*$#0123456789-+ \0"[random() % 19],
                2 => drop(bytes.remove(at)),
                _ => bytes.insert(at, b"\r\n*$#0123456789-+ \0"[random() % 19]),
            }
        }
        single(bytes).same()?;
    }
    Ok(())
}

fn transactions() -> Result<(), Failed> {
    let names = ["MULTI", "EXEC", "PING", "multi", "Exec"];
    for first in names {
        for second in names {
            for third in names {
                let bytes = commands(&[&["SET", "a", "b"], &[first], &[second], &[third]]);
                single(bytes.clone()).same()?;
                single([&bytes[..], b"*1\r\n"].concat()).same()?;
                single([&bytes[..], b"x"].concat()).same()?;
            }
        }
    }
    // Only the first argument is significant.
    single(commands(&[&["ECHO", "MULTI"], &["MULTI", "x"], &["EXEC", "y"]])).same()
}

fn fix() -> Result<(), Failed> {
    let log = log();
    for len in 0..=log.len() {
        let answer = ["y\n", "Y", "yes\n", "n\n", "", "\n"][len % 6];
        single(&log[..len]).mode(Mode::Fix, answer).same()?;
    }
    let damaged = [&log[..], b"*1\r\n$x", &log[..]].concat();
    single(damaged).mode(Mode::Fix, "y").same()?;
    single(commands(&[&["SET", "a", "b"], &["MULTI"], &["PING"]])).mode(Mode::Fix, "y").same()
}

fn timestamps() -> Result<(), Failed> {
    let log = log();
    let times = [
        -1,
        0,
        1,
        1_699_999_999,
        1_700_000_000,
        1_700_000_004,
        1_700_000_005,
        1_700_000_008,
        1_700_000_009,
        i64::MAX,
    ];
    for time in times {
        let mode = Mode::TruncateTo(time);
        single(log.clone()).mode(mode, "").same()?;
        single(&log[..log.len() - 5]).mode(mode, "").same()?;
        single([&command(&["PING"])[..], &log].concat()).mode(mode, "").same()?;
    }
    let notes = [
        "#TS:5",
        "#TS:5\r",
        "#TS:5\r\n",
        "#TS:5\n",
        "#TS: 5\r\n",
        "#TS:-5\r\n",
        "#TS:\r\n",
        "#TS:x\r\n",
        "#TS:5x\r\n",
        "#TS:99999999999999999999\r\n",
        "#ts:5\r\n",
        "# TS:5\r\n",
        "#TS:\x005\r\n",
    ];
    for note in notes {
        for time in [-9, 4, 5] {
            let bytes = [&command(&["PING"])[..], note.as_bytes()].concat();
            single(bytes).mode(Mode::TruncateTo(time), "").same()?;
            single(note).mode(Mode::TruncateTo(time), "").same()?;
        }
    }
    Ok(())
}

fn preambles() -> Result<(), Failed> {
    let log = log();
    for tail in [&b""[..], &log, &log[..log.len() - 3], b"x", b"REDIS"] {
        for mode in [Mode::Check, Mode::Fix, Mode::TruncateTo(1_700_000_005)] {
            single([RDB, tail].concat()).mode(mode, "y").same()?;
        }
    }
    for len in 0..RDB.len() {
        single(&RDB[..len]).same()?;
    }
    single(&b"REDISgarbage"[..]).same()
}

fn sets() -> Result<(), Failed> {
    let good = log();
    let torn = &good[..good.len() - 3];
    let ping = command(&["PING"]);
    let both = "file b seq 1 type b\nfile i seq 1 type i\n";
    let three =
        "file i seq 1 type i\nfile j seq 2 type i\nfile b seq 1 type b\nfile h seq 1 type h\n";
    let open = commands(&[&["PING"], &["MULTI"], &["PING"]]);
    let modes = [
        Mode::Check,
        Mode::Fix,
        Mode::TruncateTo(1_700_000_000),
        Mode::TruncateTo(1_700_000_005),
        Mode::TruncateTo(1_800_000_000),
    ];
    for mode in modes {
        for base in [&good[..], torn, RDB, b"", &open, &[RDB, &good[..]].concat()] {
            for incr in [&good[..], torn, RDB, b"", &open, &ping] {
                set(both, &[("b", base), ("i", incr)]).mode(mode, "y").same()?;
            }
        }
        set(three, &[("b", RDB), ("i", &ping), ("j", &good)]).mode(mode, "n").same()?;
        set(three, &[("b", RDB), ("i", torn), ("j", &good)]).mode(mode, "y").same()?;
        set(three, &[("b", RDB), ("i", &ping)]).mode(mode, "y").same()?;
        set(three, &[("i", &ping), ("j", &ping)]).mode(mode, "y").same()?;
        set("file b seq 1 type b\n", &[("b", torn)]).mode(mode, "y").same()?;
        set("file i seq 1 type i\n", &[("i", &ping)]).mode(mode, "y").same()?;
        set("file h seq 1 type h\n", &[]).mode(mode, "y").same()?;
    }
    for manifest in [
        "file b seq 0 type b\n",
        "file b seq 1 type b",
        "file b seq 1 type b\n\n",
        "file ../b seq 1 type b\n",
        "file b seq 1 type b\nfile b seq 1 type b\n",
        "file b seq 1 type x\n",
        "file i seq 2 type i\nfile i seq 1 type i\n",
        "file b seq 1\n",
        "file \"b seq 1 type b\n",
        "file b\t\"seq\" 1 'type' b\n",
        "# only a comment\n",
        "# a comment\nfile b seq 1 type b\n",
        "seq 1 type b fil b\n",
        " file b seq 1 type b\n",
        "FILE b seq 1 type b\n",
        "filet",
    ] {
        set(manifest, &[("b", &good), ("i", &good)]).same()?;
    }
    Ok(())
}

/// Tests the syntax of manifests, which redis-check-aof parses with the code of the server.
fn manifests() -> Result<(), Failed> {
    let ping = command(&["PING"]);
    let names: Vec<String> =
        ["b", "i", "x y", "it's", "a\"b", "\u{1}", "b\u{b}", "A"].map(String::from).into();
    let files: Vec<_> = names.iter().map(|name| (name.as_str(), &ping[..])).collect();
    let mut random = random();
    let names = [
        "b",
        "i",
        "\"x y\"",
        "'x y'",
        "x\" y\"",
        "it's",
        "\"it's\"",
        "'it\\'s'",
        "\"a\\\"b\"",
        "\"\\x01\"",
        "\"\\x41\\x00b\"",
        "b\u{b}",
        "../b",
        "\"a\\\\b\"",
        "\"\\x4g\"",
        "\"b\"i",
        "\"b",
        "'b",
        "none",
    ];
    let seqs =
        ["1", "2", "3", "7x", "\" +4\"", "-1", "0", "0x1", "99999999999999999999", "x", "''"];
    let types = ["b", "i", "h", "i", "i", "base", "incr", "B", "x", "\"\"", "\"i\\x00\""];
    let keys = ["file", "seq", "type", "FILE", "Seq", "\"type\"", "other", "fil"];
    let blanks = [" ", " ", " ", "\t", "  ", "\u{b}", " \u{c} "];
    let ends =
        ["\n", "\n", "\n", "\r\n", " \t\n", "\n#c\n", "\n\n", "", "\0\n", " odd\n", " more b\n"];
    // First one variation at a time.
    for name in names {
        set(&format!("file {name} seq 1 type i\n"), &files).same()?;
    }
    for seq in seqs {
        set(&format!("file b seq {seq} type b\n"), &files).same()?;
        set(&format!("file i seq {seq} type i\nfile b seq 2 type i\n"), &files).same()?;
    }
    for kind in types {
        set(&format!("file b seq 1 type {kind}\nfile i seq 2 type i\n"), &files).same()?;
    }
    for (key, end) in keys.into_iter().zip(ends) {
        set(&format!("file b {key} 1 type b {key} i\n"), &files).same()?;
        set(&format!("file b seq 1 type b{end}"), &files).same()?;
    }
    // Then random combinations.
    for round in 0..200 {
        // With this first line, both programs treat the file as a manifest.
        let mut text = String::from("file h seq 1 type h\n");
        for _ in 0..1 + round % 3 {
            let mut pick = |list: &[&'static str]| {
                // Usually valid values, because otherwise hardly any manifest would be valid.
                let most = if round % 4 == 0 { list.len() } else { list.len().min(4) };
                list[random() % most]
            };
            let odd = round % 8 == 0;
            for (key, values) in [("file", &names[..]), ("seq", &seqs), ("type", &types)] {
                text += if odd { pick(&keys) } else { key };
                text += pick(&blanks);
                text += pick(values);
                text += pick(&blanks);
            }
            text += pick(&ends);
        }
        set(&text, &files).same()?;
    }
    for len in [1000, 1023, 1024, 1025, 1040, 2100] {
        let line = "file b seq 1 type b";
        let pad = " ".repeat(len - line.len() - 1);
        set(&format!("{line}{pad}\n"), &files).same()?;
        set(&format!("{line}{pad}"), &files).same()?;
        let comment = format!("#{}", "c".repeat(len - 1));
        set(&format!("{comment}\n"), &files).same()?;
        set(&format!("file i seq 1 type i\n{comment}"), &files).same()?;
    }
    Ok(())
}

fn paths() -> Result<(), Failed> {
    for path in [".", "no.aof", "no/no.aof"] {
        for mode in [Mode::Check, Mode::Fix, Mode::TruncateTo(7)] {
            Case { path: path.into(), ..single(log()) }.mode(mode, "y").same()?;
        }
    }
    let names = ["with space.aof", "per%cent%s.aof", "é.aof"];
    for name in names {
        let files = BTreeMap::from([(name.to_string(), commands(&[&["PING"], &["EXEC"]]))]);
        Case { files, path: name.into(), ..single("") }.same()?;
    }
    Ok(())
}

/// Tests the intended differences. If redis-check-aof changes, this fails.
fn departures() -> Result<(), Failed> {
    // A value with a line that begins with `file` makes an AOF a manifest for 7.0.
    single(command(&["SET", "k", "x\nfile y"]))
        .differs("FATAL AOF MANIFEST FILE ERROR", "a.aof is valid")?;
    // A length that exceeds the available memory.
    single("*1\r\n$99999999999999\r\n").differs("Out Of Memory", "got 0 bytes")?;
    // The magic string of Valkey.
    single([b"VALKEY080".as_slice(), &[0; 9]].concat())
        .differs("format error", "preamble of AOF file is not sane")?;
    // The line number of an error after a comment so long that the reader splits it into two lines.
    let comment = format!("#{}#\nfile b seq 0 type b\n", "c".repeat(1023));
    set(&comment, &[]).differs("at line 3", "at line 2")
}
