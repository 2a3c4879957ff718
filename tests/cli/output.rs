//! What is printed where: colours, quiet, JSON, closed pipes, names that would steer a terminal.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

use serde::Deserialize;
use serde_json::Value;

use super::*;

#[test]
fn colour_only_where_it_is_wanted() {
    let place = Place::new();
    place.put("a.aof", torn());
    let has_colour = |run: &Run| run.stdout.contains('\x1b');
    assert!(!has_colour(&place.run(&["verify", "a.aof"])));
    assert!(has_colour(&place.run(&["verify", "a.aof", "--color", "always"])));
    assert!(!has_colour(&place.run(&["verify", "a.aof", "--color", "never"])));
    let without =
        Run::of(&place.command().env("NO_COLOR", "1").args(["verify", "a.aof"]).output().unwrap());
    assert!(!has_colour(&without));
}

#[test]
fn quiet_says_nothing_of_a_sound_log_and_tells_problems_on_stderr() {
    let place = Place::new();
    place.put("sound.aof", sound());
    place.put("torn.aof", torn());
    place.run(&["verify", "--quiet", "sound.aof"]).ends(0, "", "");
    let run = place.run(&["verify", "--quiet", "sound.aof", "torn.aof"]);
    assert_eq!((run.code, run.stdout.as_str()), (Some(1), ""));
    assert!(run.stderr.starts_with("torn.aof  single file, 91 bytes\n"), "{run:#?}");
    place.run(&["repair", "--quiet", "--dry-run", "sound.aof"]).ends(0, "", "");
}

#[test]
fn a_reader_that_goes_away_ends_it_quietly() {
    let place = Place::new();
    place.put("a.aof", torn());
    let run = place.shell("\"$0\" verify a.aof | true; echo ${PIPESTATUS[0]}");
    assert!(["0\n", "1\n"].contains(&run.stdout.as_str()), "{run:#?}");
    assert_eq!(run.stderr, "");
    let run = place.shell("\"$0\" verify --json a.aof | head -1; echo ${PIPESTATUS[0]}");
    assert!(run.stdout.starts_with("{\n"), "{run:#?}");
    // Certainly closed before anything is written.
    let run = place.shell("{ sleep 0.3; \"$0\" verify a.aof; echo $? >code; } | true; cat code");
    assert_eq!((run.stdout.as_str(), run.stderr.as_str()), ("0\n", ""));
    let run = place.shell("\"$0\" verify a.aof >&-; echo $?");
    assert_eq!(run.code, Some(0), "{run:#?}");
    let run = place.shell("\"$0\" verify a.aof >/dev/full; echo $?");
    assert_eq!(run.stdout, "2\n");
    assert!(
        run.stderr.contains("cannot write the report to standard output: No space left"),
        "{run:#?}"
    );
}

#[test]
fn no_name_steers_the_terminal() {
    let place = Place::new();
    let name = OsString::from_vec(b"a\x1b[31m\r\n\xff\xe2\x80\xae.aof".to_vec());
    let hostile = "\x1b]0;owned\x07\x1b[2J";
    let log = [
        command(&["SET", hostile, hostile]),
        command(&[hostile, "k"]),
        command(&["XGROUP", hostile, "k"]),
        command(&["SELECT", hostile]),
        b"#TS:\x1b[2J\r\n".to_vec(),
        command(&["MULTI"]),
        command(&["SET", hostile, hostile]),
        format!("*2\r\n${}\r\n{hostile}\r\n$9\r\n\x1b[31m", hostile.len()).into_bytes(),
    ]
    .concat();
    place.put(&name, &log);
    let as_os = |text: &str| OsString::from(text);
    let (verify, repair) = (as_os("verify"), as_os("repair"));
    let (always, new) = (as_os("--color=always"), as_os("--output=new.aof"));
    let runs = [
        place.run(&[&verify, &always, &name]),
        place.run(&[&verify, &always, &as_os("--quiet"), &name]),
        place.run(&[&repair, &always, &as_os("--dry-run"), &name]),
        place.run(&[&repair, &always, &new, &name]),
        place.run(&[&repair, &always, &new, &name]),
        place.run(&[&verify, &always, &OsString::from_vec(b"\x1b[2J".to_vec())]),
    ];
    for run in &runs {
        assert_ne!(run.code, None);
        for text in [&run.stdout, &run.stderr] {
            let plain = without_styles(text);
            let steers = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
            assert!(!plain.contains(steers), "{plain:?}");
        }
    }
    assert!(runs[0].stdout.contains(r"a\u{1b}[31m\r\n\xff\u{202e}.aof"), "{:#?}", runs[0]);
    // In JSON the escapes are JSON's own, and a name that is no text does no harm.
    for args in [[&verify, &as_os("--json"), &name], [&as_os("repair"), &as_os("-n"), &name]] {
        let run = place.run(&args);
        assert_eq!(run.code, Some(1), "{run:#?}");
        assert!(!run.stdout.contains('\x1b'), "{run:#?}");
    }
}

#[test]
fn nor_does_the_name_of_a_log_that_is_measured() {
    let place = Place::new();
    let name = OsString::from_vec(b"a\x1b[31m\xff\xe2\x80\xae.aof".to_vec());
    place.put(&name, command(&["SET", "k", "v"]));
    let (bench, once) = (OsString::from("bench"), OsString::from("--rounds=1"));
    let text = place.run(&[&bench, &once, &OsString::from("--color=always"), &name]);
    assert_eq!(text.code, Some(0), "{text:#?}");
    let plain = without_styles(&text.stdout);
    assert!(plain.starts_with(r"a\u{1b}[31m\xff\u{202e}.aof"), "{plain:?}");
    let json = place.run(&[&bench, &once, &OsString::from("--json"), &name]);
    assert_eq!(json.code, Some(0), "{json:#?}");
    assert!(!json.stdout.contains('\x1b'), "{json:#?}");
}

/// The text without the styles that this program puts in.
fn without_styles(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, following)) = rest.split_once("\x1b[") {
        plain.push_str(before);
        let end =
            following.find(|c: char| !c.is_ascii_digit() && c != ';').unwrap_or(following.len());
        assert_eq!(following.as_bytes().get(end), Some(&b'm'), "no style of ours: {following:?}");
        assert!(
            ["", "0", "1", "31", "33", "32", "36"].contains(&&following[..end]),
            "{following:?}"
        );
        rest = &following[end + 1..];
    }
    plain.push_str(rest);
    plain
}

// The schema of --json, stated again: a field that is added, removed or given twice fails.

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct VerifyReport {
    schema: u32,
    report: String,
    version: String,
    logs: Vec<LogOutcome>,
    #[allow(dead_code)]
    elapsed_s: f64,
}

#[allow(clippy::large_enum_variant)] // There are only a few of them.
#[derive(Debug, Deserialize)]
#[serde(tag = "status", rename_all = "kebab-case")]
enum LogOutcome {
    Read(Box<LogReport>),
    BrokenSet(Box<BrokenSet>),
    Failed(Failed),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code)]
struct LogReport {
    path: String,
    opened: String,
    chosen: Option<String>,
    layout: Value,
    sound: bool,
    bytes: u64,
    commands: u64,
    rdb_keys: u64,
    transactions: u64,
    first_time: Option<String>,
    last_time: Option<String>,
    databases: std::collections::BTreeMap<String, u64>,
    by_command: Vec<CommandCount>,
    parts: Vec<PartReport>,
    findings: Vec<Finding>,
    verdicts: Vec<Verdict>,
    history: Vec<Value>,
    others: Vec<OtherFile>,
    elapsed_s: f64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct CommandCount {
    #[allow(dead_code)]
    name: String,
    count: u64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code)]
struct PartReport {
    name: String,
    role: String,
    bytes: u64,
    rdb_bytes: u64,
    command_bytes: u64,
    tail_bytes: u64,
    commands: u64,
    annotations: u64,
    transactions: u64,
    rdb: Option<Value>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code)]
struct Finding {
    level: String,
    kind: String,
    part: Option<String>,
    offset: Option<u64>,
    count: u64,
    message: String,
    help: Option<String>,
    damage: Option<Value>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code)]
struct Verdict {
    servers: Vec<String>,
    outcome: String,
    keeps_bytes: Option<u64>,
    cuts_bytes: Option<u64>,
    leaves_dangling_multi: Option<bool>,
    part: Option<String>,
    offset: Option<u64>,
    reason: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code)]
struct OtherFile {
    path: String,
    bytes: u64,
    kind: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code)]
struct BrokenSet {
    path: String,
    broken_path: String,
    message: String,
    help: String,
    // What the rule is about.
    kind: Option<String>,
    line: Option<u64>,
    offset: Option<u64>,
    found: Option<Value>,
    text: Option<String>,
    rest_of_comment: Option<bool>,
    name: Option<String>,
    role: Option<String>,
    parts: Option<Vec<String>>,
    set: Option<Value>,
    verdicts: Vec<Value>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code)]
struct Failed {
    path: String,
    message: String,
    help: Option<String>,
}

const EMPTY_RDB: &[u8] = b"REDIS0009\xff\0\0\0\0\0\0\0\0";

#[test]
fn json_has_the_shape_that_is_promised_and_every_byte_is_accounted_for() {
    let place = Place::new();
    place.put("sound.aof", sound());
    place.put("torn.aof", torn());
    place.put("damaged.aof", [&sound()[..], b"\0\0\0", &sound()].concat());
    place.put("dated.aof", [b"#TS:1700000000\r\n", &sound()[..], b"#TS:1600000000\r\n"].concat());
    place.put("preamble.aof", [EMPTY_RDB, &torn()].concat());
    place.put("broken.rdb", b"REDIS0009\xfe\x00\x00\x01k\x01");
    place.put("empty.aof", "");
    place.put_set(
        "set",
        &[
            ("appendonly.aof.1.base.rdb", EMPTY_RDB),
            ("appendonly.aof.1.incr.aof", &torn()),
            ("appendonly.aof.2.incr.aof", &sound()),
        ],
    );
    place.put("set/appendonly.aof.9.incr.aof", "");
    for name in ["no-part", "no-manifest", "no-line"] {
        place.put_set(name, &[("appendonly.aof.1.incr.aof", &sound())]);
    }
    fs::remove_file(place.path("no-part/appendonly.aof.1.incr.aof")).unwrap();
    fs::remove_file(place.path("no-manifest/appendonly.aof.manifest")).unwrap();
    place.put("no-line/appendonly.aof.manifest", "");
    let paths = [
        "sound.aof",
        "torn.aof",
        "damaged.aof",
        "dated.aof",
        "preamble.aof",
        "broken.rdb",
        "empty.aof",
        "set",
        "no-part",
        "no-manifest",
        "no-line",
        "missing",
    ];
    let run = place.run(&[&["verify", "--json"], &paths[..]].concat());
    assert_eq!(run.code, Some(3), "{run:#?}");
    let report: VerifyReport = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(
        (report.schema, report.report.as_str(), report.version.as_str(), report.logs.len()),
        (1, "verify", env!("CARGO_PKG_VERSION"), paths.len())
    );
    let mut read = 0;
    for (outcome, path) in report.logs.iter().zip(paths) {
        let log = match outcome {
            LogOutcome::Read(log) => log,
            LogOutcome::BrokenSet(set) => {
                assert_eq!(set.path, path);
                continue;
            }
            LogOutcome::Failed(failed) => {
                assert_eq!((path, failed.path.as_str()), ("missing", "missing"));
                continue;
            }
        };
        read += 1;
        assert_eq!(log.path, path);
        for part in &log.parts {
            let tiles = part.rdb_bytes + part.command_bytes + part.tail_bytes;
            assert_eq!(tiles, part.bytes, "{path}: {part:#?}");
            if path != "set" {
                assert_eq!(part.bytes, fs::metadata(place.path(path)).unwrap().len());
            }
        }
        assert_eq!(log.parts.iter().map(|part| part.bytes).sum::<u64>(), log.bytes);
        assert_eq!(log.by_command.iter().map(|command| command.count).sum::<u64>(), log.commands);
        assert_eq!(log.databases.values().sum::<u64>(), log.commands);
        let judged: usize = log.verdicts.iter().map(|verdict| verdict.servers.len()).sum();
        assert_eq!(judged, aofkit::base::server::KNOWN.len());
        let errors = log.findings.iter().filter(|finding| finding.level == "error").count();
        assert_eq!(log.sound, errors == 0, "{path}");
    }
    assert_eq!(read, 8);
}
