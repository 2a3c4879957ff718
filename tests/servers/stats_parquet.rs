//! `aofkit stats --parquet`: an independent engine reads the tables, and the queries of docs/stats.md run in it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use libtest_mimic::Trial;
use serde_json::{Value, json};

use crate::support::{Run, aofkit, command, log, temp_dir, with_installed};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        with_installed(engine(), "stats_parquet::engine_reads_what_the_log_has", reads),
        with_installed(engine(), "stats_parquet::many_rows_are_in_bounded_groups", many),
    ]
}

/// Returns the Python in which DuckDB is installed, or why there is none.
fn engine() -> Result<PathBuf, String> {
    let place = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/servers/duckdb");
    match place.join("installed").is_file() {
        true => Ok(place.join("bin/python3")),
        false => Err("needs DuckDB: .ci/servers installs it".into()),
    }
}

/// Runs a query in `directory`, and returns its rows. Bytes are in hexadecimal.
fn query(python: &Path, directory: &Path, sql: &str) -> Value {
    const SCRIPT: &str = "
import duckdb, json, sys
shown = lambda it: it.hex() if isinstance(it, bytes) else it if isinstance(it, (int, str, type(None))) else str(it)
duckdb.execute(\"SET TimeZone = 'UTC'\")
rows = duckdb.execute(sys.argv[1]).fetchall()
print(json.dumps([[int(it) if type(it).__name__ == 'Decimal' else shown(it) for it in row] for row in rows]))
";
    let mut program = Command::new(python);
    program.current_dir(directory).args(["-c", SCRIPT, sql]);
    let run = Run::of(&mut program);
    assert_eq!(run.code, Some(0), "{sql}: {run:#?}");
    serde_json::from_str(&run.stdout).expect("rows")
}

fn tabulate(directory: &Path) {
    let mut program = aofkit();
    program.current_dir(directory).args(["stats", "--quiet", "--now", "1700000000"]);
    let run =
        Run::of(program.args(["--for", "redis-7.2", "--parquet", "tables", "--commands", "a.aof"]));
    assert_eq!(run.code, Some(0), "{run:#?}");
}

/// Returns the queries of the documentation.
fn documented() -> Vec<String> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/stats.md");
    let text = fs::read_to_string(path).expect("a page");
    let blocks = text.split("```sql\n").skip(1);
    blocks.map(|block| block.split("```").next().expect("a query").to_owned()).collect()
}

fn reads(python: &Path) {
    let place = temp_dir();
    let mut bytes = log("SELECT 0\nHSET user:1 name ana mail a@b\nSET user:2 x\nDEL gone:1\n");
    bytes.extend(b"#TS:1699999999\r\n");
    bytes.extend(log("SET gone:1 xx\nDEL gone:1\nPEXPIREAT user:2 4102444800000\n"));
    bytes.extend(command(&[&b"SET"[..], b"\xff\xfe:bin\x00", b"v"]));
    bytes.extend(log("SELECT 1\nRPUSH user:1 a b ccc\n"));
    fs::write(place.path().join("a.aof"), &bytes).expect("a log");
    tabulate(place.path());
    for (name, mode) in [("", 0o700), ("keys.parquet", 0o600), ("commands.parquet", 0o600)] {
        let path = place.path().join("tables").join(name);
        let found = fs::metadata(&path).expect("it is there").permissions().mode() & 0o777;
        assert_eq!(found, mode, "{}", path.display());
    }
    let ask = |sql: &str| query(python, place.path(), sql);

    let keys = ask("SELECT db, key, key_text, type, encoding, items, largest_item, expires_at, expires_ms, ttl_ms, slot
         FROM 'tables/keys.parquet' ORDER BY db, key");
    // CRC-16 (XMODEM) modulo 16384, computed with another program.
    let (user_1, user_2) = (10778, 6777);
    let expected = json!([
        [0, hex("user:1"), "user:1", "hash", "listpack", 2, 7, null, null, null, user_1],
        [
            0,
            hex("user:2"),
            "user:2",
            "string",
            "embstr",
            1,
            1,
            "2100-01-01 00:00:00+00:00",
            4_102_444_800_000_i64,
            2_402_444_800_000_i64,
            user_2
        ],
        [
            0,
            "fffe3a62696e00",
            "\\xff\\xfe:bin\\u{0}",
            "string",
            "embstr",
            1,
            1,
            null,
            null,
            null,
            10059
        ],
        [1, hex("user:1"), "user:1", "list", "listpack", 3, 3, null, null, null, user_1],
    ]);
    assert_eq!(keys, expected);

    let commands = ask("SELECT \"offset\", bytes, time, db, command, arguments, key
         FROM 'tables/commands.parquet' ORDER BY \"offset\"");
    let time = "2023-11-14 22:13:19+00:00";
    let rows: Vec<Value> = [
        (None, 0, "SELECT", 2, None),
        (None, 0, "HSET", 6, Some(hex("user:1"))),
        (None, 0, "SET", 3, Some(hex("user:2"))),
        (None, 0, "DEL", 2, Some(hex("gone:1"))),
        (Some(time), 0, "SET", 3, Some(hex("gone:1"))),
        (Some(time), 0, "DEL", 2, Some(hex("gone:1"))),
        (Some(time), 0, "PEXPIREAT", 3, Some(hex("user:2"))),
        (Some(time), 0, "SET", 3, Some("fffe3a62696e00".to_owned())),
        (Some(time), 1, "SELECT", 2, None),
        (Some(time), 1, "RPUSH", 5, Some(hex("user:1"))),
    ]
    .into_iter()
    .map(|(time, db, name, count, key)| json!([time, db, name, count, key]))
    .collect();
    let found: Vec<Value> = (commands.as_array().expect("rows").iter())
        .map(|row| json!(row.as_array().expect("a row")[2..]))
        .collect();
    assert_eq!(found, rows);
    // The commands and the annotation are all of the log.
    let sum = ask("SELECT sum(bytes), max(\"offset\" + bytes) FROM 'tables/commands.parquet'");
    assert_eq!(sum, json!([[bytes.len() - "#TS:1699999999\r\n".len(), bytes.len()]]));

    let queries = documented();
    assert_eq!(queries.len(), 3);
    let prefixes = ask(&queries[0]);
    let names: Vec<&Value> = prefixes.as_array().expect("rows").iter().map(|row| &row[0]).collect();
    assert_eq!(names, ["user", "\\xff\\xfe"]);
    assert_eq!(prefixes[0][1], 3);
    let gone = ask(&queries[1]);
    // DEL of 25 bytes twice, and SET of 33.
    assert_eq!(gone, json!([[0, "gone:1", 3, 2 * 25 + 33]]));
    let nodes = ask(&queries[2]);
    let count: u64 =
        nodes.as_array().expect("rows").iter().map(|row| row[1].as_u64().expect("keys")).sum();
    assert_eq!(count, 4);
}

fn many(python: &Path) {
    let place = temp_dir();
    let mut bytes = Vec::new();
    for n in 0..150_000 {
        bytes.extend(format!("*3\r\n$3\r\nSET\r\n$10\r\nkey:{n:06}\r\n$1\r\nx\r\n").bytes());
    }
    fs::write(place.path().join("a.aof"), &bytes).expect("a log");
    tabulate(place.path());
    let ask = |sql: &str| query(python, place.path(), sql);
    for name in ["keys", "commands"] {
        let file = format!("'tables/{name}.parquet'");
        let rows = ask(&format!("SELECT count(*), count(DISTINCT key), min(key_text) FROM {file}"));
        assert_eq!(rows, json!([[150_000, 150_000, "key:000000"]]), "{name}");
        let groups = ask(&format!(
            "SELECT DISTINCT row_group_id, row_group_num_rows FROM parquet_metadata({file}) ORDER BY 1"
        ));
        assert_eq!(groups, json!([[0, 65536], [1, 65536], [2, 18928]]), "{name}");
    }
}

fn hex(text: &str) -> String {
    text.bytes().map(|byte| format!("{byte:02x}")).collect()
}
