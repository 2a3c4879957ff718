//! Directories that the disk does not list: an error, never a result without what is in them.

use super::candidates::rdb;
use super::*;

/// The reading commands, and what they print on a disk that works.
const LINES: [&str; 11] = [
    "list backups",
    "list backups --verify",
    "prune backups --keep-last 1 --dry-run",
    "find key:1 backups",
    "recover data",
    "verify data",
    "digest data",
    "stats data",
    "clean data",
    "doctor data",
    "backup data --to backups -p 1 --dry-run",
];

/// Runs the program, and traces its listings of these directories. What it reads in `/proc` differs from run to run.
fn traced(place: &Place, inject: &str, line: &str) -> Run {
    let program = "exec strace -f -qq -o trace -P data -P data/appendonlydir -P backups";
    place.shell(&format!("{program} -e trace=getdents64 {inject} \"$0\" {line} -j 1"))
}

#[test]
fn a_directory_that_cannot_be_listed_is_an_error() {
    let place = Place::new();
    fs::create_dir_all(place.path("data/appendonlydir")).unwrap();
    fs::create_dir(place.path("backups")).unwrap();
    place.put("data/appendonlydir/appendonly.aof.1.incr.aof", command(&["SET", "key:1", "v"]));
    let manifest = "file appendonly.aof.1.incr.aof seq 1 type i\n";
    place.put("data/appendonlydir/appendonly.aof.manifest", manifest);
    // What is found beside the log.
    place.put("data/dump.rdb", rdb(&["lost"]));
    place.put("data/appendonlydir/appendonly.aof.2.incr.aof", command(&["SET", "later", "v"]));
    let run = place.run(&["backup", "data", "--to", "backups", "-p", "6379", "--quiet"]);
    assert_eq!(run.code, Some(0), "{run:#?}");
    let mut failed = 0;
    for line in LINES {
        let whole = traced(&place, "", line);
        if whole.stderr.contains("not found") || whole.stderr.contains("strace:") {
            eprintln!("not checked, as strace is missing: {}", whole.stderr);
            return;
        }
        let trace = String::from_utf8(place.read("trace")).unwrap();
        let calls = trace.lines().filter(|call| call.contains("getdents64(")).count();
        assert!(calls > 0, "{line}: {trace}");
        for call in 1..=calls {
            let run = traced(&place, &format!("-e inject=getdents64:error=EIO:when={call}"), line);
            failed += 1;
            let words: Vec<&str> = [&*run.stdout, &*run.stderr]
                .iter()
                .flat_map(|text| text.split_whitespace())
                .collect();
            let is_said = words.join(" ").contains("Input/output error");
            // Some listings only look for processes that use the files.
            assert!(is_said || run.stdout == whole.stdout, "{line}, call {call}: {run:#?}");
            assert!(!is_said || run.code > Some(0), "{line}, call {call}: {run:#?}");
        }
    }
    assert!(failed > LINES.len());
}
