//! Compares what `verify` predicts for multi-part sets with what the server does.

use std::fs;
use std::path::Path;

use aofkit::base::server::Server;
use libtest_mimic::Trial;

use super::verdicts::{observed, predicted};
use crate::support::{Binary, LINES, log, on_each, temp_dir};

pub(crate) fn trials() -> Vec<Trial> {
    let lines: Vec<Server> = LINES.into_iter().filter(|line| line.reads_multi_part()).collect();
    let mut trials = on_each(&lines, "sets::verify_predicts_how_the_server_loads_the_parts", parts);
    trials.extend(on_each(
        &lines,
        "sets::verify_predicts_which_manifests_the_server_refuses",
        manifests,
    ));
    trials
}

/// A part: its name and its bytes.
type Part = (&'static str, Vec<u8>);

const BASE: &str = "appendonly.aof.1.base.rdb";
const FIRST: &str = "appendonly.aof.1.incr.aof";
const SECOND: &str = "appendonly.aof.2.incr.aof";

/// An RDB that all lines load, without keys and without a checksum.
const RDB: &[u8] = b"REDIS0009\xff\0\0\0\0\0\0\0\0";

fn parts(binary: &Binary) {
    let (set, torn) = (log("SET a 1"), [&log("SET b 2")[..], b"*3\r\n$3\r\nSE"].concat());
    let open = log("SET b 2\nMULTI\nSET c 3");
    let join = |parts: &[&[u8]]| parts.concat();
    let wrong_sum = b"REDIS0009\xff\x01\0\0\0\0\0\0\0";
    let cases: Vec<(&str, Vec<Part>)> = vec![
        ("whole", vec![(BASE, RDB.to_vec()), (FIRST, set.clone()), (SECOND, set.clone())]),
        ("all empty", vec![(BASE, vec![]), (FIRST, vec![]), (SECOND, vec![])]),
        ("an empty base", vec![(BASE, vec![]), (FIRST, set.clone())]),
        (
            "an empty part between others",
            vec![(BASE, set.clone()), (FIRST, vec![]), (SECOND, set.clone())],
        ),
        (
            "the last part torn",
            vec![(BASE, RDB.to_vec()), (FIRST, set.clone()), (SECOND, torn.clone())],
        ),
        (
            "the last part torn in its first command",
            vec![(BASE, RDB.to_vec()), (FIRST, b"*3\r\n$3".to_vec())],
        ),
        ("a part torn before the last", vec![(FIRST, torn.clone()), (SECOND, set.clone())]),
        ("a part torn before an empty one", vec![(FIRST, torn.clone()), (SECOND, vec![])]),
        ("a transaction open before the last", vec![(FIRST, open.clone()), (SECOND, log("EXEC"))]),
        ("a transaction open in the last", vec![(FIRST, set.clone()), (SECOND, open.clone())]),
        ("a torn base only", vec![(BASE, torn.clone())]),
        ("a torn base before the others", vec![(BASE, torn.clone()), (FIRST, set.clone())]),
        ("zeros before the last", vec![(FIRST, join(&[&set, &[0; 9]])), (SECOND, set.clone())]),
        ("an RDB as an incremental part", vec![(FIRST, set.clone()), (SECOND, RDB.to_vec())]),
        (
            "commands after the RDB of a base",
            vec![(BASE, join(&[RDB, &set])), (FIRST, set.clone())],
        ),
        (
            "a torn command after the RDB of a base",
            vec![(BASE, join(&[RDB, &torn])), (FIRST, set.clone())],
        ),
        (
            "a torn command after the RDB of a base, no other part",
            vec![(BASE, join(&[RDB, b"*3\r\n$3"]))],
        ),
        ("a wrong checksum", vec![(BASE, wrong_sum.to_vec()), (FIRST, set.clone())]),
        (
            "a wrong checksum in the last part",
            vec![(FIRST, set.clone()), (SECOND, wrong_sum.to_vec())],
        ),
        ("a truncated RDB", vec![(BASE, RDB[..12].to_vec()), (FIRST, set.clone())]),
        ("a truncated RDB only", vec![(BASE, RDB[..12].to_vec())]),
        (
            "an RDB of the newest Redis",
            vec![(BASE, b"REDIS0012\xff\0\0\0\0\0\0\0\0".to_vec()), (FIRST, set.clone())],
        ),
        (
            "an RDB of Valkey",
            vec![(BASE, b"VALKEY080\xff\0\0\0\0\0\0\0\0".to_vec()), (FIRST, set.clone())],
        ),
        (
            "an unknown command before a torn part",
            vec![(FIRST, log("NOSUCH")), (SECOND, torn.clone())],
        ),
        (
            "an unknown command after a torn part",
            vec![(FIRST, torn.clone()), (SECOND, log("NOSUCH"))],
        ),
    ];
    let mut differences = Vec::new();
    for (what, parts) in cases {
        let manifest: String = (parts.iter())
            .map(|(name, _)| {
                let sequence = name.split('.').nth(2).expect("a sequence number");
                format!(
                    "file {name} seq {sequence} type {}\n",
                    if *name == BASE { "b" } else { "i" }
                )
            })
            .collect();
        compare(binary, what, manifest.as_bytes(), &parts, None, &mut differences);
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

fn compare(
    binary: &Binary,
    what: &str,
    manifest: &[u8],
    parts: &[Part],
    old_file: Option<&[u8]>,
    differences: &mut Vec<String>,
) {
    let data = temp_dir();
    lay_out_set(data.path(), manifest, parts, old_file);
    let predicted = predicted(binary.line, data.path());
    let observed = observed(binary, data.path());
    if !predicted.agrees_with(observed.outcome) {
        differences.push(format!(
            "{what}: {}\n    predicted: {predicted}\n    observed: {observed}",
            binary.line
        ));
    }
}

fn lay_out_set(data: &Path, manifest: &[u8], parts: &[Part], old_file: Option<&[u8]>) {
    let directory = data.join("appendonlydir");
    fs::create_dir(&directory).expect("a directory");
    for (name, bytes) in parts {
        fs::write(directory.join(name), bytes).expect("a part");
    }
    fs::write(directory.join("appendonly.aof.manifest"), manifest).expect("a manifest");
    if let Some(bytes) = old_file {
        fs::write(data.join("appendonly.aof"), bytes).expect("a log");
    }
}

fn manifests(binary: &Binary) {
    let long = "x".repeat(1100);
    let first = format!("file {FIRST} seq 1 type i");
    let base = format!("file {BASE} seq 1 type b");
    let second = format!("file {SECOND} seq 2 type i");
    let line = |text: &str| format!("{text}\n");
    let cases = [
        ("one part", line(&first)),
        ("an empty manifest", String::new()),
        ("only a comment", "# nothing yet\n".into()),
        ("a comment before the entry", format!("# by hand\n{first}\n")),
        ("a comment after the entry", format!("{first}\n# by hand\n")),
        ("a comment after the entry, without newline", format!("{first}\n# by hand")),
        ("a comment of 1024 bytes", format!("#{}\n{first}\n", "x".repeat(1022))),
        ("a comment of 1025 bytes", format!("#{}\n{first}\n", "x".repeat(1023))),
        ("a long comment", format!("#{long}\n{first}\n")),
        (
            "a long comment that continues with a comment",
            format!("#{}# more\n{first}\n", "x".repeat(1023)),
        ),
        ("a long line", format!("{first} note {long}\n")),
        ("no newline at the end", first.clone()),
        ("a blank line", format!("{first}\n\n")),
        ("a line of blanks", format!("{first}\n  \t\n")),
        ("CR LF", format!("{first}\r\n")),
        ("blanks around the entry", format!(" \t{first} \t\n")),
        ("several blanks between tokens", line(&first.replace(' ', " \t "))),
        ("a zero byte", format!("{first} note x\0y\n")),
        ("a zero byte in a comment", format!("# x\0y\n{first}\n")),
        ("another order", format!("type i seq 1 file {FIRST}\n")),
        ("upper case", format!("FILE {FIRST} SEQ 1 TYPE i\n")),
        ("a type in upper case", format!("file {FIRST} seq 1 type I\n")),
        ("a type in full", format!("file {FIRST} seq 1 type incr\n")),
        ("an unknown type", format!("file {FIRST} seq 1 type x\n")),
        ("an empty type", format!("file {FIRST} seq 1 type \"\"\n")),
        ("too few tokens", format!("file {FIRST} seq 1\n")),
        ("a key without a value", format!("{first} note\n")),
        ("unknown keys", format!("{first} note x startoffset 7\n")),
        ("no name", "fil x seq 1 type i\n".into()),
        ("no number", format!("file {FIRST} sequence 1 type i\n")),
        ("no type", format!("file {FIRST} seq 1 kind i\n")),
        ("a key twice", format!("file x seq 1 type i file {FIRST}\n")),
        ("number 0", format!("file {FIRST} seq 0 type i\n")),
        ("a number without digits", format!("file {FIRST} seq x type i\n")),
        ("a number and text", format!("file {FIRST} seq 1x type i\n")),
        ("a negative number of an incremental part", format!("file {FIRST} seq -1 type i\n")),
        ("a negative number of a base", format!("file {BASE} seq -1 type b\n{first}\n")),
        ("descending numbers", format!("file {SECOND} seq 2 type i\n{first}\n")),
        ("equal numbers", format!("{first}\nfile {SECOND} seq 1 type i\n")),
        ("numbers with a gap", format!("{first}\nfile {SECOND} seq 9 type i\n")),
        ("the base between the incremental parts", format!("{first}\n{base}\n{second}\n")),
        ("two bases", format!("{base}\nfile {SECOND} seq 2 type b\n")),
        ("a missing history file", format!("file gone seq 1 type h\n{first}\n")),
        ("only a history file", format!("file {FIRST} seq 1 type h\n")),
        ("a missing part", format!("{first}\nfile gone seq 2 type i\n")),
        ("a missing base", format!("file gone seq 1 type b\n{first}\n")),
        ("a file twice", format!("{first}\nfile {FIRST} seq 2 type i\n")),
        ("a path", format!("file ./{FIRST} seq 1 type i\n")),
        ("a path with a backslash", format!("file .\\{FIRST} seq 1 type i\n")),
        ("a name in double quotes", format!("file \"{FIRST}\" seq 1 type i\n")),
        ("a name in single quotes", format!("file '{FIRST}' seq 1 type i\n")),
        ("escapes", format!("file \"\\x61{}\" seq 1 type i\n", &FIRST[1..])),
        (
            "a quote that opens inside a token",
            format!("file append\"{}\" seq 1 type i\n", &FIRST[6..]),
        ),
        ("a quote that is not closed", format!("file \"{FIRST} seq 1 type i\n")),
        ("text after a closing quote", format!("file \"{FIRST}\"x seq 1 type i\n")),
        ("an empty name", "file \"\" seq 1 type i\n".into()),
    ];
    let mut differences = Vec::new();
    let parts = [(BASE, RDB.to_vec()), (FIRST, log("SET a 1")), (SECOND, log("SET b 2"))];
    for (what, manifest) in &cases {
        compare(binary, what, manifest.as_bytes(), &parts, None, &mut differences);
    }
    let old = log("SET old 1");
    let upgrade = "file appendonly.aof seq 1 type b\n";
    for (what, manifest, old_file) in [
        ("an old file next to a set", line(&first), &old[..]),
        ("an old file that the manifest names as the base", upgrade.into(), &old),
        ("a torn old file that the manifest names as the base", upgrade.into(), &old[..9]),
        ("an old file and a manifest without entries", "# nothing yet\n".into(), &old),
        (
            "an old file that the manifest names as the base, and another part",
            format!("{upgrade}{first}\n"),
            &old,
        ),
    ] {
        compare(binary, what, manifest.as_bytes(), &parts, Some(old_file), &mut differences);
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}
