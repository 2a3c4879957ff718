//! docs/json.md has every field that is printed with `--json`, and no others.

#[allow(dead_code)] // One of its functions is only for tests with servers.
#[path = "../support/json_docs.rs"]
mod docs;

use std::path::PathBuf;

use super::*;
use docs::Docs;

const SERVER: &str = "needs a running server: checked in tests/servers/live";
const INTO: &str = "needs a running server: checked in tests/servers/into";
const WRITER: &str = "needs a process that is writing the log: tests/cli/under_way.rs";
const ENCRYPTED: &str = "needs the feature age: tests/age.rs";
const FAILING_DISK: &str = "needs a file system that fails during retention";

/// The documented fields that no run of this test prints, or all fields of a table, and why.
const EXCEPTIONS: &[(&str, &str)] = &[
    ("Function outcomes", INTO),
    ("Key outcomes", INTO),
    ("Key outcomes by type", INTO),
    ("Named key", INTO),
    ("into", INTO),
    ("Key place.carried", "of a key at the end that an unknown command changed"),
    ("Key place.expires_at", "as in `Key value state`"),
    ("Key state.carried", "as in `Key value state`"),
    ("Listed archive.encrypted", ENCRYPTED),
    ("Verify result.created", ENCRYPTED),
    ("Verify result.recipients", ENCRYPTED),
    ("Verify result.zip_bytes", ENCRYPTED),
    ("backup.encrypted", ENCRYPTED),
    ("prune.cleared", "of object storage: tests/s3"),
    ("Compress result.help", "of errors that have a help: tests/cli/archive.rs"),
    ("Judged archive.not_removed", FAILING_DISK),
    ("Leftover.not_removed", FAILING_DISK),
    ("Judged archive.problem", "of a damaged archive: tests/cli/plan.rs"),
    ("Source backups.problem", FAILING_DISK),
    ("Unread flush.one", "of a SWAPDB after damage"),
    ("Unread flush.other", "of a SWAPDB after damage"),
    ("Compared server", SERVER),
    ("Diff side.server", SERVER),
    ("Key not compared", SERVER),
    ("Load estimate", "needs a server: checked in tests/servers/stats_load"),
    ("Stats of a log.load", "needs a server: checked in tests/servers/stats_load"),
    ("Stats of a log.load_problem", "needs a server: checked in tests/servers/stats_load"),
    ("Loaded data", "needs a server: checked in tests/servers/drill"),
    ("Live backup", SERVER),
    ("Live backup preview", SERVER),
    ("Live backup step", SERVER),
    ("Lost expiry", "needs a log of Redis 6.2: tests/cli/compact.rs"),
    ("Process.message", "needs redis-check-aof on the PATH"),
    ("Process.times_of_own", "needs redis-check-aof on the PATH"),
    ("Replication", SERVER),
    ("Restored setting", SERVER),
    ("Restored settings", SERVER),
    ("Rewrite", SERVER),
    ("Running comparison", SERVER),
    ("Secured from", SERVER),
    ("Secured log", SERVER),
    ("Secured server", SERVER),
    ("Server", SERVER),
    ("Setting change", SERVER),
    ("Snapshot", SERVER),
    ("Source.lag_bytes", SERVER),
    ("Source.replication_offset", SERVER),
    ("Source.role", SERVER),
    ("Source.run_id", SERVER),
    ("Source.server", SERVER),
    ("Source.socket", SERVER),
    ("Unfinished end", WRITER),
    ("Writing process", WRITER),
    ("compact.writer", WRITER),
    ("doctor.line", SERVER),
    ("doctor.server", SERVER),
    ("backup.retention_problem", FAILING_DISK),
    ("backup.under_way", WRITER),
    ("diff.running", SERVER),
    ("recover-release", SERVER),
    ("recover.hold", SERVER),
];

/// Whether an exception, which is a field or a table, is about this field.
fn is_about(exception: &str, field: &str) -> bool {
    let rest = field.strip_prefix(exception);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// The files and directories in testdata.
fn items() -> Vec<PathBuf> {
    let testdata = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata");
    let mut items: Vec<PathBuf> = ["damaged", "real", "rdb"]
        .iter()
        .flat_map(|name| fs::read_dir(testdata.join(name)).unwrap())
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_none_or(|extension| extension != "md"))
        .collect();
    items.sort();
    items
}

struct Printed {
    place: Place,
    docs: Docs,
}

impl Printed {
    /// Runs the program with `--json` and checks what it prints.
    #[track_caller]
    fn run<A: AsRef<OsStr>>(&self, args: &[A]) -> String {
        let json = [OsStr::new("--json")];
        let args: Vec<&OsStr> = args.iter().map(AsRef::as_ref).chain(json).collect();
        let run = self.place.run(&args);
        assert!(!run.stdout.is_empty(), "{args:?}: {run:#?}");
        match self.docs.find_undocumented(&run.stdout) {
            Ok(report) => report,
            Err(problem) => panic!("{args:?}: {problem}\n{}", run.stdout),
        }
    }

    #[track_caller]
    fn line(&self, line: &str) {
        let expected = line.strip_prefix("! ").map(|_| "error");
        let args: Vec<&str> = line.trim_start_matches("! ").split(' ').collect();
        let report = self.run(&args);
        assert_eq!(report == "error", expected.is_some(), "{line}");
    }
}

/// A log of all that commands do: times, transactions, expiries, failures, unknown commands, deletions, flushes.
fn story() -> Vec<u8> {
    let lines = [
        "SELECT 0",
        "SET a 1",
        "SET gone 1",
        "HSET h f 1",
        "HPEXPIREAT h 4102444800000 FIELDS 1 f",
        "RPUSH l a b",
        "PEXPIREAT a 4102444800000",
        "SET k 1",
        "PEXPIREAT k 4102444800000",
        "INCR l",
        "JSON.SET a $ 1",
        "MULTI",
        "SET t 1",
        "EXEC",
        "RENAME t u",
        "XADD s 1-1 f v",
        "FLUSHDB",
        "SET b 1",
        "SWAPDB 0 1",
        "LPUSH b x",
        "DEL b",
        "SET c 1",
        "EXPIRE c 100",
    ];
    let mut log = b"#TS:1700000000\r\n".to_vec();
    for line in lines {
        log.extend(command(&line.split(' ').collect::<Vec<_>>()));
    }
    log.extend(b"#TS:1700000060\r\n");
    for key in 0..200 {
        log.extend(command(&["SET", &format!("key:{key}"), "1"]));
    }
    for key in 0..200 {
        log.extend(command(&["DEL", &format!("key:{key}")]));
    }
    log
}

impl Printed {
    fn made_logs(&self) {
        let place = &self.place;
        place.put("a.aof", story());
        place.put("b.aof", [story(), command(&["SET", "later", "1"])].concat());
        place.put("flush.aof", [sound(), command(&["FLUSHALL"]), sound()].concat());
        place.put("ends.aof", [sound(), command(&["FLUSHALL"])].concat());
        place.put("torn.aof", torn());
        place.put("unknown.aof", [sound(), command(&["NOSUCH"]), sound()].concat());
        let dated = [b"#TS:1700000000\r\n", &sound()[..], b"#TS:1700000060\r\n", &sound()].concat();
        place.put("dated.aof", dated);
        place.put("untimed.aof", [&sound()[..], b"#TS:1700000000\r\n"].concat());
        place.put("torn-too.aof", torn());
        let later = [command(&["INCR", "a"]), command(&["LPUSH", "b", "x"])].concat();
        place.put("conflicts.aof", [sound(), command(&["FLUSHALL"]), later].concat());
        let counter =
            [command(&["SET", "n", "9"]), command(&["FLUSHALL"]), command(&["INCR", "n"])];
        place.put("counter.aof", counter.concat());
        place.put("utf16.aof", b"\xff\xfe*\x003\0\r\0\n\0");
        place.put_set("set", &[("appendonly.aof.1.incr.aof", &sound())]);
        place.put(
            "damaged.aof",
            [&sound()[..], b"rubbish", &command(&["FLUSHALL"]), &sound()].concat(),
        );
        place.put("fails.aof", [sound(), command(&["INCRBY", "x", "y"])].concat());
        place.put("scripted.aof", [sound(), command(&["EVAL", "return 1", "0"])].concat());
        place.put("html.aof", "<html></html>\n");
        place.put("noise.rdb", super::repair_rdb::with_noise());
        place.put("text.aof", super::repair_text::read_as_latin_1());
        let preamble = super::joined::rdb(0, &[("k", "v")]);
        place.put("joined.aof", [&preamble[..], &preamble].concat());
        place.put("keydb.rdb", super::convert::of_keydb(&[("a", "4102444800000")]));
        let code = "#!lua name=lib\nredis.register_function('f', function() return 1 end)";
        place.put(
            "stale.aof",
            [command(&["FUNCTION", "LOAD", code]), command(&["ARSET", "a", "0", "x"])].concat(),
        );
        place.put("open.aof", [sound(), command(&["MULTI"]), command(&["SET", "d", "4"])].concat());
        let lines = [
            "XADD s 1-1 f v",
            "XGROUP CREATE s g 0",
            "XREADGROUP GROUP g c STREAMS s >",
            "ZADD z 1 m",
            "SADD set m",
            "RPUSH list x",
            "HSET hash f v",
            "ARSET array 0 x",
            "HPEXPIREAT hash 4102444800000 FIELDS 1 f",
            "SET string v PXAT 4102444800000",
            "JSON.SET unknown $ 1",
            "MULTI",
            "SET last 1",
            "EXEC",
        ];
        let every: Vec<Vec<u8>> =
            lines.iter().map(|line| command(&line.split(' ').collect::<Vec<_>>())).collect();
        place.put("every-type.aof", every.concat());
        place.put(
            "module.rdb",
            super::content::rdb("REDIS0012", &[super::content::key("graphdata")]),
        );
        for line in [
            "verify a.aof torn.aof damaged.aof html.aof open.aof missing",
            "stats damaged.aof a.aof",
            "stats untimed.aof",
            "recover a.aof",
            "recover flush.aof",
            "recover damaged.aof",
            "recover torn.aof",
            "recover flush.aof --excise 1 -n",
            "recover flush.aof --until #2 -n",
            "recover flush.aof --merge newer -n",
            "recover counter.aof --merge newer -n",
            "recover a.aof --undelete * -o undeleted",
            "strip-flushall ends.aof --in-place",
            "repair html.aof -n",
            "repair joined.aof -n --joined 2",
            "repair noise.rdb -n --salvage",
            "repair text.aof -n",
            "repair damaged.aof -n --salvage",
            "repair torn.aof --in-place",
            "repair fails.aof -n --drop-failing",
            "repair scripted.aof -n",
            "log a.aof --limit 9",
            "log damaged.aof",
            "history a a.aof",
            "history key:1 a.aof",
            "history l a.aof",
            "get a a.aof",
            "get absent a.aof",
            "get key:1 a.aof --at #5",
            "get s every-type.aof --at #4",
            "get z every-type.aof",
            "get set every-type.aof",
            "get list every-type.aof",
            "get hash every-type.aof",
            "get array every-type.aof",
            "get string every-type.aof --at #13",
            "get unknown every-type.aof",
            "get m module.rdb",
            "get u b.aof --db 7",
            "find * every-type.aof damaged.aof",
            "find * every-type.aof b.aof",
            "diff a.aof b.aof --list",
            "diff a.aof flush.aof --list",
            "diff a.aof flush.aof",
            "diff a.aof a.aof --db 0",
            "digest a.aof",
            "digest open.aof",
            "compact a.aof -o small.aof",
            "compact open.aof -o compacted --format multipart --for redis-7.0",
            "compact a.aof -n --db 0 --pattern a* --drop-expired",
            "merge a.aof b.aof -n",
            "convert a.aof -n --for redis-7.0",
            "convert keydb.rdb -n --for redis-7.0",
            "convert stale.aof -n --for redis-6.2",
            "! digest missing",
            "! verify",
            "recover unknown.aof",
            "diff a.aof b.aof",
            "history b b.aof",
            "verify utf16.aof",
            "recover set/appendonly.aof.1.incr.aof",
            "generate -o made --layout multi-part --incrs 2 --size 64kb",
            "bench a.aof --rounds 1",
            "check-aof dated.aof --truncate-to-timestamp 1700000030",
            "check-aof dated.aof --truncate-to-timestamp 1700000090",
            "check-aof dated.aof --truncate-to-timestamp 1500000000",
            "check-aof torn-too.aof --fix --yes",
            "recover conflicts.aof --excise 1 -n",
        ] {
            self.line(line);
        }
        let damaged = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/damaged");
        for path in fs::read_dir(damaged).unwrap().map(|entry| entry.unwrap().path()) {
            for name in ["appendonly.aof", "appendonlydir/appendonly.aof.manifest"] {
                if path.join(name).exists() {
                    self.run(&["check-aof".as_ref(), path.join(name).as_os_str()]);
                }
            }
        }
    }

    fn archives(&self) {
        let place = &self.place;
        fs::create_dir(place.path("to")).unwrap();
        fs::create_dir(place.path("pruned")).unwrap();
        fs::create_dir(place.path("compacted-to")).unwrap();
        let set: &[(&str, &[u8])] = &[("appendonly.aof.1.incr.aof", &sound())];
        place.put_set("appendonlydir", set);
        for (number, (_, rdb)) in super::newer::newer().iter().enumerate() {
            let (set, zip) = (format!("newer-{number}"), format!("newer-{number}.zip"));
            super::newer::put_flushed_set(place, &set, rdb);
            for line in [
                "verify SET",
                "recover SET",
                "compress SET -o ZIP",
                "verify ZIP",
                "backup SET --to to",
            ] {
                self.line(&line.replace("SET", &set).replace("ZIP", &zip));
            }
        }
        place.put("unloadable.aof", [command(&["SET", "k"]), command(&["FLUSHALL"])].concat());
        place.put("compressed.rdb", super::envelope::compressed());
        self.line("verify compressed.rdb");
        let mut bytes = place.read("newer-0.zip");
        let middle = bytes.len() / 2;
        bytes[middle] ^= 0xff;
        place.put("damaged.zip", bytes);
        fs::create_dir(place.path("candidates")).unwrap();
        place.put("candidates/appendonly.aof", sound());
        place.put("candidates/dump.rdb", &super::newer::newer()[0].1);
        fs::create_dir_all(place.path("without-manifest")).unwrap();
        place.put("without-manifest/appendonly.aof.1.incr.aof", sound());
        fs::create_dir_all(place.path("aofkit-hold-20261128010203")).unwrap();
        fs::create_dir_all(place.path("left")).unwrap();
        place.put("left/.aofkit-x.lock", "");
        for line in [
            "compress a.aof -o a.zip",
            "compress a.aof -o port.zip --port 6380",
            "compress unloadable.aof -o unloadable.zip",
            "recover unloadable.aof --strip -o recovered-unloadable.aof",
            "verify port.zip",
            "backup flush.aof --to compacted-to --compact",
            "compress damaged.aof torn.aof missing -o to --damaged --name-template {name}.zip",
            "find * a.zip",
            "verify a.zip",
            "extract a.zip -o extracted",
            "restore a.zip -o restored --for redis-6.2",
            "restore a.zip -o restored --for redis-6.2 --force",
            "restore a.zip -o restored-7 --for redis-7.0",
            "restore a.zip -o restored --for redis-6.2 --force --dry-run",
            "backup a.aof --to to",
            "backup flush.aof --to to --compact --keep-last 1",
            "backup damaged.aof --to to",
            "backup a.aof --to to --dry-run",
            "verify damaged.zip",
            "recover candidates",
            "recover candidates/dump.rdb",
            "recover without-manifest",
            "recover --holds .",
            "compress appendonlydir -o set.zip",
            "restore a.zip -o restored-6 --for redis-6.2 --owner 0",
            "restore set.zip -o restored-old --for redis-6.2",
            "backup flush.aof --to pruned --compact",
            "backup flush.aof --to pruned",
            "prune pruned --keep-last 1",
            "backup --live --to to -p 1",
            "backup --live --dry-run --to to -p 1",
            "backup --restore-config --to to -p 1",
            "doctor .",
            "list to --verify",
            "list to --max-age 1h",
            "drill to --each",
            "drill compacted-to",
            "prune to --keep-last 1 --keep-within 1d --dry-run",
            "prune to --keep-last 1",
            "clean left",
        ] {
            self.line(line);
        }
        for entry in fs::read_dir(place.path("compacted-to")).unwrap() {
            self.run(&["verify".into(), entry.unwrap().path()]);
        }
    }
}

#[test]
fn every_printed_field_is_documented_and_every_documented_field_is_printed() {
    let printed = Printed { place: Place::new(), docs: Docs::read() };
    let items = items();
    let mut all: Vec<&OsStr> = vec!["verify".as_ref()];
    all.extend(items.iter().map(|path| path.as_os_str()));
    printed.run(&all);
    for path in &items {
        let path = path.to_str().unwrap();
        for line in [
            "recover",
            "repair -n",
            "repair -n --salvage",
            "log",
            "digest",
            "stats",
            "compact -n",
            "convert -n --for redis-6.2 --format aof",
        ] {
            printed.run(&line.split(' ').chain([path]).collect::<Vec<_>>());
        }
    }
    printed.made_logs();
    printed.archives();
    let never_found = printed.docs.never_found();
    let is_exception = |field: &&String| EXCEPTIONS.iter().any(|(name, _)| is_about(name, field));
    let undocumented: Vec<&String> =
        never_found.iter().filter(|field| !is_exception(field)).collect();
    assert!(undocumented.is_empty(), "documented, but never printed: {undocumented:#?}");
    let printed: Vec<_> = EXCEPTIONS
        .iter()
        .filter(|(name, _)| !never_found.iter().any(|field| is_about(name, field)))
        .collect();
    assert!(printed.is_empty(), "printed, so no exceptions: {printed:#?}");
}
