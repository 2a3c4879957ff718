//! Directories that the disk does not list: an error, never a result without what is in them.

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

fn traced(place: &Place, inject: &str, line: &str) -> Run {
    let program = "exec strace -f -y -qq -o trace -e trace=getdents64";
    place.shell(&format!("{program} {inject} \"$0\" {line} -j 1"))
}

#[test]
fn a_directory_that_cannot_be_listed_is_an_error() {
    let place = Place::new();
    fs::create_dir_all(place.path("data/appendonlydir")).unwrap();
    fs::create_dir(place.path("backups")).unwrap();
    place.put("data/appendonlydir/appendonly.aof.1.incr.aof", command(&["SET", "key:1", "v"]));
    let manifest = "file appendonly.aof.1.incr.aof seq 1 type i\n";
    place.put("data/appendonlydir/appendonly.aof.manifest", manifest);
    let run = place.run(&["backup", "data", "--to", "backups", "-p", "6379", "--quiet"]);
    assert_eq!(run.code, Some(0), "{run:#?}");
    let mut failed = 0;
    for line in LINES {
        let whole = traced(&place, "", line);
        if whole.stderr.contains("not found") || whole.stderr.contains("strace:") {
            eprintln!("not checked, as strace is missing: {}", whole.stderr);
            return;
        }
        let top = place.path("").canonicalize().unwrap();
        let trace = String::from_utf8(place.read("trace")).unwrap();
        let own = |(_, call): &(usize, &str)| call.contains(top.to_str().unwrap());
        let calls = trace.lines().filter(|call| call.contains("getdents64(")).enumerate();
        for (index, _) in calls.filter(own).take(12) {
            let inject = format!("-e inject=getdents64:error=EIO:when={}", index + 1);
            let run = traced(&place, &inject, line);
            failed += 1;
            assert_ne!(run.code, whole.code, "{line}, call {index}: {run:#?}");
            let words: Vec<&str> = [&*run.stdout, &*run.stderr]
                .iter()
                .flat_map(|text| text.split_whitespace())
                .collect();
            let said = words.join(" ");
            assert!(said.contains("Input/output error"), "{line}, call {index}: {run:#?}");
        }
    }
    assert!(failed > LINES.len());
}
