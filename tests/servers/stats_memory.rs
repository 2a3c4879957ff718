//! `aofkit stats`: the encodings of keys are those of OBJECT ENCODING, and the memory of each type is within the stated error
//! of the sum of MEMORY USAGE, for keys that the server loaded from commands and from an RDB.

use std::collections::BTreeMap;
use std::path::Path;

use libtest_mimic::Trial;
use serde_json::Value;

use crate::support::{
    Args, Binary, LINES, Random, Reply, Run, Running, aofkit, args, on_each, temp_dir,
};

pub(crate) fn trials() -> Vec<Trial> {
    on_each(&LINES, "stats_memory::memory_and_encodings_are_those_of_the_server", compared)
}

const LATER: u64 = 4_102_444_800_000;

fn text(len: u64, number: u64) -> String {
    let number = number.to_string();
    let len = usize::try_from(len).expect("a length");
    format!("{}{number}", "x".repeat(len.saturating_sub(number.len())))
}

/// Returns the commands that make keys of all encodings, of sizes around and far from the limits.
fn commands(binary: &Binary) -> Vec<Args> {
    let mut random = Random::new(21);
    let mut all: Vec<Args> = Vec::new();
    let mut add = |line: String| all.push(args(&line));
    for n in 0..400 {
        let key = text(3 + random.below(60), n);
        let value = match n % 4 {
            0 => random.below(1_000_000).to_string(),
            1 => text(1 + random.below(70), 7),
            2 => text(1 + random.below(300), 7),
            _ => text(1 + random.below(20_000), 7),
        };
        add(format!("SET string:{key} {value}"));
        if random.once_in(3) {
            add(format!("PEXPIREAT string:{key} {LATER}"));
        }
    }
    for n in (0..40).step_by(2) {
        for (count, len) in [(1 + n, 4 + n), (1 + n, 100), (90 + n * 4, 30), (600, 3 + n)] {
            add(format!("SELECT {}", n / 2 % 2));
            let members: Vec<String> =
                (0..count).map(|member| text(len, member + 10_000)).collect();
            let joined = members.join(" ");
            // One by one, because a list leaves the packed encoding by the size of a whole command.
            for member in &members {
                add(format!("RPUSH list:{n}:{count}:{len} {member}"));
            }
            add(format!("SADD set:{n}:{count}:{len} {joined}"));
            let numbers: Vec<String> =
                (0..count).map(|it| (it * 7 * (1 << n)).to_string()).collect();
            add(format!("SADD numbers:{n}:{count}:{len} {}", numbers.join(" ")));
            for number in &numbers {
                add(format!("RPUSH counts:{n}:{count}:{len} {number}"));
            }
            let mut fields = String::new();
            let mut scores = String::new();
            for member in &members {
                let value = text(1 + random.below(len * 2), 3);
                fields.push_str(&format!(" {member} {value}"));
                let score = random.below(100_000);
                let part = if n % 3 == 0 { ".25" } else { "" };
                scores.push_str(&format!(" {score}{part} {member}"));
            }
            add(format!("HSET hash:{n}:{count}:{len}{fields}"));
            add(format!("ZADD zset:{n}:{count}:{len}{scores}"));
            if n % 5 == 0 {
                for key in ["list", "set", "hash", "zset"] {
                    add(format!("PEXPIREAT {key}:{n}:{count}:{len} {LATER}"));
                }
            }
        }
    }
    let has_expiring_fields = binary.line.has_redis(7, 4) || binary.line.has_valkey(9, 0);
    for n in (0..20).filter(|_| has_expiring_fields) {
        let fields: Vec<String> = (0..3 + n * 10).map(|field| text(12, field)).collect();
        add(format!(
            "HSET expiring:{n} {}",
            fields.iter().map(|it| format!("{it} v{it} ")).collect::<String>()
        ));
        for (field, name) in
            fields.iter().enumerate().filter(|(field, _)| (*field as u64).is_multiple_of(1 + n % 3))
        {
            add(format!("HPEXPIREAT expiring:{n} {} FIELDS 1 {name}", LATER + field as u64 * 1000));
        }
    }
    for n in 0..12_u64 {
        let len = 5 + n * n * 4;
        for entry in 0..1 + n * 60 {
            let (id, value) = (1_700_000_000_000 + entry / 2 * 13, text(len, entry));
            let field = if n % 4 == 0 { text(9, entry) } else { "field".to_owned() };
            add(format!("XADD stream:{n} {id}-{} name {value} {field} {entry}", entry % 2 + 1));
        }
        for group in 0..n % 4 {
            add(format!("XGROUP CREATE stream:{n} group:{group} 0"));
            for consumer in 0..3 {
                add(format!(
                    "XREADGROUP GROUP group:{group} consumer:{consumer} COUNT {} STREAMS stream:{n} >",
                    n * 3
                ));
            }
        }
    }
    all
}

/// Keys by type, their memory, and keys by encoding, as the server reports them.
#[derive(Debug, Default)]
struct Found {
    by_type: BTreeMap<String, (u64, u64)>,
    by_encoding: BTreeMap<String, u64>,
}

fn ask(server: &mut Running) -> Found {
    let mut found = Found::default();
    for db in ["0", "1"] {
        server.client.call(&["SELECT", db]);
        for key in server.client.call(&["KEYS", "*"]).array() {
            let Reply::Bulk(key) = key else { panic!("{key:?}") };
            let kind = server.client.call(&[&b"TYPE"[..], key]).text();
            let memory =
                server.client.call(&[&b"MEMORY"[..], b"USAGE", key, b"SAMPLES", b"0"]).int();
            let encoding = match server.client.call(&[&b"OBJECT"[..], b"ENCODING", key]).text() {
                // Redis 5.0 has no name for it.
                unknown if unknown == "unknown" && kind == "stream" => "stream".to_owned(),
                encoding => encoding,
            };
            let sums = found.by_type.entry(kind).or_default();
            *sums = (sums.0 + 1, sums.1 + u64::try_from(memory).expect("a size"));
            *found.by_encoding.entry(encoding).or_default() += 1;
        }
    }
    found
}

/// Returns the allocator of a server as docs/stats.md explains it.
fn allocator(server: &mut Running) -> &'static str {
    let info = server.client.call(&["INFO", "memory"]).text();
    if info.contains("mem_allocator:libc") {
        return "libc";
    }
    let stats = server.client.call(&["MEMORY", "MALLOC-STATS"]).text();
    let line = stats.lines().find(|line| line.contains("Quantum size:")).expect("a quantum");
    if line.trim().ends_with(" 8") { "jemalloc" } else { "system-jemalloc" }
}

#[allow(clippy::print_stdout)] // The figures, with --nocapture.
fn compare(binary: &Binary, log: &Path, server: &mut Running, loaded: &str) {
    let line = binary.line.to_string();
    let allocator = allocator(server);
    let found = ask(server);
    let mut program = aofkit();
    program.args(["stats", "--json", "--for", &line, "--allocator", allocator]).arg(log);
    let run = Run::of(&mut program);
    assert_eq!(run.code, Some(0), "{run:#?}");
    let report: Value = serde_json::from_str(&run.stdout).expect("JSON");
    let report = &report["logs"][0];
    let present = &report["present"];
    assert_eq!(present["memory"]["error_percent"], 10);
    for (kind, (keys, memory)) in &found.by_type {
        let of_type = present["by_type"]
            .as_array()
            .expect("types")
            .iter()
            .find(|of| of["name"] == kind.as_str());
        let of_type = of_type.unwrap_or_else(|| panic!("{line}: no {kind}"));
        assert_eq!(of_type["keys"], *keys, "{line} {loaded} {kind}");
        let estimate = of_type["memory_bytes"].as_u64().expect("bytes");
        let percent = (estimate as f64 / *memory as f64 - 1.0) * 100.0;
        println!(
            "{line} {loaded} {kind}: {keys} keys, {memory} bytes, estimated {estimate}: {percent:+.2} %"
        );
        assert!(
            percent.abs() <= 10.0,
            "{line} {loaded} {kind}: {memory} bytes, estimated {estimate}"
        );
    }
    let encodings: BTreeMap<String, u64> = (present["by_encoding"]
        .as_array()
        .expect("encodings")
        .iter())
    .map(|of| (of["name"].as_str().expect("text").to_owned(), of["keys"].as_u64().expect("keys")))
    .collect();
    assert_eq!(encodings, found.by_encoding, "{line} {loaded}");
    // Each part has the same sum.
    let total = present["memory"]["bytes"].as_u64();
    let sum = |of: &str| {
        present[of]
            .as_array()
            .expect("groups")
            .iter()
            .map(|of| of["memory_bytes"].as_u64().expect("bytes"))
            .sum::<u64>()
    };
    assert_eq!([sum("by_type"), sum("by_encoding"), sum("by_db")].map(Some), [total; 3]);
    let tree = if report["written"].is_null() {
        &present["prefixes"]
    } else {
        &report["written"]["prefixes"]
    };
    assert_eq!(tree["memory_bytes"].as_u64(), total);
}

fn compared(binary: &Binary) {
    let data = temp_dir();
    let config = [
        ("appendonly", "yes"),
        ("appendfsync", "no"),
        ("aof-use-rdb-preamble", "yes"),
        ("auto-aof-rewrite-percentage", "0"),
    ];
    let mut server = Running::start(binary, data.path(), &config).expect("the server starts");
    for command in commands(binary) {
        let reply = server.client.call(&command);
        let command = String::from_utf8_lossy(&command[0]);
        assert!(!matches!(reply, Reply::Error(_)), "{command}: {reply:?}");
    }
    assert!(server.shut_down().success());
    let log = match binary.line.reads_multi_part() {
        true => data.path().join("appendonlydir"),
        false => data.path().join("appendonly.aof"),
    };
    let mut server = Running::start(binary, data.path(), &config).expect("the server starts again");
    compare(binary, &log, &mut server, "from commands");
    server.rewrite();
    assert!(server.shut_down().success());
    let mut server = Running::start(binary, data.path(), &config).expect("the server starts again");
    compare(binary, &log, &mut server, "from an RDB");
}
