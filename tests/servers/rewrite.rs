//! Compares the commands that aofkit writes for a data set with those of a server's BGREWRITEAOF, and loads both.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use aofkit::base::server::Server;
use aofkit::command::{self, Unapplied};
use aofkit::keyspace::{Bump, Keyspace};
use aofkit::rewrite::commands::CommandWriter;
use libtest_mimic::Trial;

use super::apply::stream;
use crate::support::{
    Args, Binary, FAMILIES, Random, Reply, Running, args, differential, lay_out, on_each,
};

pub(crate) fn trials() -> Vec<Trial> {
    on_each(&FAMILIES, "rewrite::commands_match_those_of_the_server", commands)
}

const LIBRARY: &str = "#!lua name=lib\nredis.register_function('f', function() return 1 end)";

fn commands(binary: &Binary) {
    let data = tempfile::tempdir().expect("a directory");
    let config = [
        ("appendonly", "yes"),
        ("aof-use-rdb-preamble", "no"),
        ("appendfsync", "no"),
        ("save", ""),
    ];
    let mut server = Running::start(binary, data.path(), &config).expect("the server starts");
    let has_functions = binary.line.has_redis(7, 0);
    if has_functions {
        server.client.call(&["FUNCTION", "LOAD", LIBRARY]);
    }
    for seed in 0..6 {
        server.client.call(&["FLUSHALL"]);
        let mut random = Random::new(seed);
        let arena = Bump::new();
        let is_acked = |arg: &Vec<u8>| arg.eq_ignore_ascii_case(b"ACKED");
        let commands = (0..500).map(|_| random_command(&mut random));
        // The effect of ACKED is undefined after a group has been deleted.
        let done: Vec<Args> = commands.filter(|args| !args.iter().any(is_acked)).collect();
        let keyspace = fill(&mut server, binary.line, &done, &arena);

        let mut writer = CommandWriter::new(binary.line);
        if has_functions {
            writer.function(LIBRARY.as_bytes()).expect("the server supports functions");
        }
        for db in keyspace.databases().filter(|db| !db.is_empty()) {
            writer.select(db.number());
            db.entries()
                .for_each(|entry| writer.key(entry).expect("the server supports the value"));
        }
        let ours = writer.take();
        let theirs = rewritten_log(&mut server, data.path());
        let (our_keys, their_keys) = (by_key(&ours), by_key(&theirs));
        for (key, commands) in &their_keys {
            assert_eq!(our_keys.get(key), Some(commands), "{key} on {}, seed {seed}", binary.line);
        }
        assert_eq!(our_keys.len(), their_keys.len(), "{}, seed {seed}", binary.line);

        // What commands cannot represent is missing from the server's own log, too.
        let digest = server.digest();
        let (ours, theirs) = (loaded(binary, &ours), loaded(binary, &theirs));
        assert_eq!(ours.0, digest, "{}, seed {seed}", binary.line);
        assert_eq!(ours, theirs, "{}, seed {seed}", binary.line);
    }
}

/// Returns a random command. The commands create values of all types, and small and large collections.
pub(crate) fn random_command(random: &mut Random) -> Args {
    let number = random.below(4);
    match random.below(20) {
        0..=8 => stream::command(random),
        9 => args(&format!("SELECT {}", random.below(3) * 5)),
        10 => args(&format!("SET string{number} {}", random.pick(&["text", "-12", "012", "1e3"]))),
        11 => args(&format!("INCRBY counter{number} {}", random.below(1 << 40))),
        12 => {
            let kind = random.pick(&["string", "counter", "list", "set", "zset", "hash"]);
            let later = 4_000_000_000_000 + random.below(1_000_000);
            args(&format!("PEXPIREAT {kind}{number} {later}"))
        }
        13 => many(random, &format!("RPUSH list{number}"), |random| format!("{}", random.next())),
        14 => many(random, &format!("SADD ints{number}"), |random| random.below(500).to_string()),
        15 => {
            many(random, &format!("SADD set{number}"), |random| format!("m{}", random.below(500)))
        }
        16 => many(random, &format!("ZADD zset{number}"), |random| {
            let score = match random.below(4) {
                0 => random.pick(&["inf", "-inf", "0.1", "1e100", "-7.25", "3"]).to_string(),
                1 => random.below(100).to_string(),
                _ => format!("{}", f64::from_bits(random.next() >> 2)),
            };
            format!("{score} m{}", random.below(400))
        }),
        17 => many(random, &format!("HSET hash{number}"), |random| {
            format!("f{} {}", random.below(300), random.next() >> random.below(64))
        }),
        18 => many(random, &format!("HSET expiring{number}"), |random| {
            format!("f{} v", random.below(100))
        }),
        _ => {
            let later = 4_000_000_000_000 + random.below(1_000_000);
            let field = random.below(100);
            args(&format!("HPEXPIREAT expiring{number} {later} FIELDS 1 f{field}"))
        }
    }
}

fn many(random: &mut Random, head: &str, item: fn(&mut Random) -> String) -> Args {
    let items = if random.once_in(3) { 200 } else { 1 + random.below(10) };
    let items: Vec<String> = (0..items).map(|_| item(random)).collect();
    args(&format!("{head} {}", items.join(" ")))
}

/// Runs the commands on the server, and those that succeed on a keyspace.
fn fill<'a>(
    server: &mut Running,
    line: Server,
    commands: &'a [Args],
    arena: &'a Bump,
) -> Keyspace<'a> {
    let mut keyspace = Keyspace::new(arena);
    let mut db = 0;
    server.client.call(&["SELECT", "0"]);
    for command in commands {
        let args: Vec<&[u8]> = command.iter().map(Vec::as_slice).collect();
        let row = command::lookup(args[0]).expect("a known command").row();
        if row.name == "SELECT" {
            server.client.call(&args);
            db = std::str::from_utf8(args[1]).expect("text").parse().expect("a number");
            continue;
        }
        if row.apply.is_none() || !row.known_by(line) {
            continue;
        }
        let reply = server.client.call(&args);
        if !row.arity.accepts_on(line, args.len()) {
            continue;
        }
        let applied = differential::apply(line, None, &args, db, &mut keyspace);
        assert!(!matches!(applied, Err(Unapplied::Refused(_))), "{applied:?}");
        assert_eq!(matches!(reply, Reply::Error(_)), applied.is_err(), "{reply:?}, {applied:?}");
    }
    keyspace
}

/// Returns the log that the server writes with BGREWRITEAOF, or the base if it is a set.
fn rewritten_log(server: &mut Running, data: &Path) -> Vec<u8> {
    server.rewrite();
    let parts = data.join("appendonlydir");
    if !parts.exists() {
        return fs::read(data.join("appendonly.aof")).expect("the log");
    }
    let manifest = fs::read_to_string(parts.join("appendonly.aof.manifest")).expect("a manifest");
    let base = manifest.lines().find(|line| line.ends_with("type b")).expect("a base");
    let name = base.split(' ').nth(1).expect("its name");
    fs::read(parts.join(name)).expect("the base")
}

/// Returns the data of a server that loads the log (see [`state`]).
fn loaded(binary: &Binary, log: &[u8]) -> (String, Vec<String>) {
    let data = tempfile::tempdir().expect("a directory");
    lay_out(binary.line, data.path(), log);
    let mut server =
        Running::start(binary, data.path(), &[("appendonly", "yes")]).expect("the log loads");
    state(&mut server, binary)
}

/// Returns the digest of a server, and the state of functions and keys that the digest does not cover, sorted.
pub(crate) fn state(server: &mut Running, binary: &Binary) -> (String, Vec<String>) {
    let digest = server.digest();
    let mut lines = Vec::new();
    for db in 0..16 {
        server.client.call(&["SELECT", &db.to_string()]);
        let keys = server.client.call(&["KEYS", "*"]);
        for key in keys.array() {
            let Reply::Bulk(key) = key else { panic!("{key:?}") };
            let shown = key.escape_ascii();
            let kind = server.client.call(&[&b"TYPE"[..], key]).text();
            // Redis 5.0 does not report the entries that are pending in groups.
            if kind == "stream" && binary.line.has_redis(6, 0) {
                lines.push(format!("{db} {shown} {}", differential::stream_state(server, key)));
            }
            if kind == "hash" && knows_field_expiry(binary) {
                for field in server.client.call(&[&b"HKEYS"[..], key]).array() {
                    let Reply::Bulk(field) = field else { panic!("{field:?}") };
                    let time =
                        server.client.call(&[&b"HPEXPIRETIME"[..], key, b"FIELDS", b"1", field]);
                    let field = field.escape_ascii();
                    lines.push(format!("{db} {shown} {field} {:?}", time.array()));
                }
            }
            if binary.line.has_redis(7, 0) {
                let expiry = server.client.call(&[&b"PEXPIRETIME"[..], key]).int();
                lines.push(format!("{db} {shown} expires {expiry}"));
            }
        }
    }
    if binary.line.has_redis(7, 0) {
        // In an order that differs between two runs of a server.
        let list = server.client.call(&["FUNCTION", "LIST", "WITHCODE"]);
        lines.extend(list.array().iter().map(|library| format!("function library {library:?}")));
    }
    lines.sort_unstable();
    server.client.call(&["SELECT", "0"]);
    (digest, lines)
}

fn knows_field_expiry(binary: &Binary) -> bool {
    command::lookup(b"HPEXPIRETIME").is_some_and(|id| id.row().known_by(binary.line))
}

/// Returns the commands of a log by key.
///
/// The commands keep their order, except for collections without an order: the items of sets, sorted sets and hashes are
/// listed separately from the commands that contain them, and sorted. The number of items per command is omitted for
/// hashes with fields that expire or once did: Redis then writes one command per field, even if none expires any longer.
fn by_key(log: &[u8]) -> BTreeMap<String, Vec<String>> {
    let mut keys: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut db = String::new();
    for mut args in frames(log) {
        let name = args[0].clone();
        if name == "SELECT" {
            db = args.swap_remove(1);
            continue;
        }
        let key = if name == "XGROUP" || name == "FUNCTION" { &args[2] } else { &args[1] };
        let lines = keys.entry(format!("{db} {key}")).or_default();
        let items = match name.as_str() {
            "SADD" => 1,
            "ZADD" | "HMSET" => 2,
            _ => {
                if let Some(at) =
                    args.iter().position(|arg| arg == "TIME").filter(|_| name == "XCLAIM")
                {
                    // Delivery times from the server's clock are 0 in the keyspace.
                    args[at + 1] = if args[at + 1].len() > 12 { "0" } else { &args[at + 1] }.into();
                }
                lines.push(args.join(" "));
                continue;
            }
        };
        if !key.starts_with("expiring") {
            lines.push(format!("{name} {}", args.len()));
        }
        lines.extend(args[2..].chunks(items).map(|item| format!("item {}", item.join(" "))));
    }
    for lines in keys.values_mut() {
        if lines.iter().any(|line| line.starts_with("item ")) {
            lines.sort_unstable();
        }
    }
    keys
}

/// Returns the commands of a log with their arguments as text.
fn frames(log: &[u8]) -> Vec<Vec<String>> {
    let mut rest = log;
    let mut frames = Vec::new();
    while !rest.is_empty() {
        let count = head(&mut rest, b'*');
        let mut args = Vec::new();
        for _ in 0..count {
            let len = head(&mut rest, b'$');
            args.push(rest[..len].escape_ascii().to_string());
            assert_eq!(&rest[len..len + 2], b"\r\n");
            rest = &rest[len + 2..];
        }
        frames.push(args);
    }
    frames
}

/// Removes `<mark><number>` and a line end from the front of `rest` and returns the number.
fn head(rest: &mut &[u8], mark: u8) -> usize {
    assert_eq!(rest[0], mark, "{}", rest[..rest.len().min(40)].escape_ascii());
    let end = rest.windows(2).position(|pair| pair == b"\r\n").expect("a line end");
    let number = std::str::from_utf8(&rest[1..end]).expect("text").parse().expect("a number");
    *rest = &rest[end + 2..];
    number
}
