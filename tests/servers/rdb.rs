//! Lets the servers load the RDBs that `aofkit::rdb` writes.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use aofkit::base::progress::Silent;
use aofkit::base::server::{Product, Server};
use aofkit::rdb::write::{ConvertError, Options, WriteError};
use aofkit::rdb::{Target, convert};
use libtest_mimic::Trial;

use crate::support::{Binary, FAMILIES, Reply, Running, find, lay_out_base, on_each};

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials =
        on_each(&FAMILIES, "rdb::converted_rdb_has_the_bytes_of_the_server", same_bytes);
    trials.extend(on_each(
        &FAMILIES,
        "rdb::common_values_load_in_every_version_on_every_server",
        |binary| {
            round_trip(binary, &[], fill_common, &Target::ALL);
        },
    ));
    trials.extend(on_each(
        &FAMILIES,
        "rdb::version_specific_values_load_in_the_versions_that_support_them",
        |binary| {
            // With this policy, the RDB contains the access frequency of each key.
            let config = [("maxmemory-policy", "allkeys-lfu")];
            let fill = |server: &mut Running, line| {
                fill_common(server, line);
                fill_scores(server);
                fill_special(server, line);
            };
            let supported: &[Target] = if has_field_expiry(binary.line) {
                &[Target::REDIS_12, Target::REDIS_13, Target::VALKEY_80]
            } else if binary.line.has_redis(7, 0) {
                &Target::ALL[1..]
            } else {
                &Target::ALL
            };
            round_trip(binary, &config, fill, supported);
        },
    ));
    trials
}

/// The year 2100, in Unix milliseconds.
const FAR_MS: u64 = 4_102_444_800_000;

pub(crate) fn has_field_expiry(line: Server) -> bool {
    line.has_redis(7, 4) || line.has_valkey(9, 0)
}

#[track_caller]
pub(crate) fn call<A: AsRef<[u8]>>(server: &mut Running, args: &[A]) -> Reply {
    let reply = server.client.call(args);
    if let Reply::Error(error) = &reply {
        let args: Vec<_> = args.iter().map(|arg| arg.as_ref().escape_ascii().to_string()).collect();
        panic!("{args:?}: {error}");
    }
    reply
}

/// Runs a command given as whitespace-separated arguments.
#[track_caller]
pub(crate) fn run(server: &mut Running, command: &str) -> Reply {
    call(server, &command.split_whitespace().collect::<Vec<_>>())
}

/// Runs a command given as whitespace-separated arguments, followed by the arguments `more`.
#[track_caller]
pub(crate) fn run_with(
    server: &mut Running,
    command: &str,
    more: impl IntoIterator<Item = String>,
) {
    let mut args: Vec<String> = command.split_whitespace().map(str::to_owned).collect();
    args.extend(more);
    call(server, &args);
}

/// Writes values of every type below, at and above the size limits of its encodings.
pub(crate) fn fill_common(server: &mut Running, line: Server) {
    let fill = |len: usize| "abcdefgh".repeat(len / 8 + 1)[..len].to_owned();
    for number in [
        "0",
        "-1",
        "127",
        "-128",
        "128",
        "32767",
        "-32769",
        "2147483647",
        "-2147483648",
        "2147483648",
        "9223372036854775807",
        "007",
        "-0",
        "12345678901",
    ] {
        run_with(server, "SET", [format!("n:{number}"), number.to_owned()]);
    }
    call(server, &[&b"SET"[..], b"", b""]);
    call(server, &[&b"SET"[..], b"bin\r\n\0\xff", &(0..=255).collect::<Vec<u8>>()]);
    for len in [1, 20, 21, 63, 64, 16383, 16384, 300_000] {
        run_with(server, "SET", [format!("s:{len}"), fill(len)]);
    }
    run(server, &format!("SET expires v PXAT {FAR_MS}"));
    for n in [1, 10, 2000i32] {
        run_with(server, &format!("RPUSH l:{n}"), (0..n).map(|i| format!("e{i}")));
        run_with(
            server,
            &format!("RPUSH l:int:{n}"),
            (0..n).map(|i| (i * i * 77 - 40_000).to_string()),
        );
        run_with(
            server,
            &format!("LPUSH l:long:{n}"),
            (0..n).map(|i| fill(i.unsigned_abs() as usize % 400)),
        );
    }
    run_with(server, "RPUSH l:huge", [8000, 8192, 8193, 3, 20_000, 0].map(fill));
    run(server, &format!("PEXPIREAT l:10 {}", FAR_MS + 1));
    for n in [1, 128, 129, 512, 513] {
        run_with(server, &format!("SADD set:int:{n}"), (0..n).map(|i| (i * 7 - 100).to_string()));
        run_with(server, &format!("SADD set:wide:{n}"), (0..n).map(|i| (i64::MIN + i).to_string()));
        run_with(server, &format!("SADD set:{n}"), (0..n).map(|i| format!("m{i}")));
        let scored = |i: i64| [(i - 60).to_string() + ".25", format!("m{i}")];
        run_with(server, &format!("ZADD z:{n}"), (0..n).flat_map(scored));
        let field = |i: i64| [format!("f{i}"), (i * 1000).to_string()];
        run_with(server, &format!("HSET h:{n}"), (0..n).flat_map(field));
    }
    for len in [64, 65] {
        run_with(server, &format!("SADD set:len:{len} a"), [fill(len)]);
        run_with(server, &format!("ZADD z:len:{len} 1 a 2"), [fill(len)]);
        run_with(server, &format!("HSET h:len:{len} a"), [fill(len), fill(len), "v".into()]);
    }
    run(server, "ZADD z:scores inf i -inf j -0 k 0 l 1e100 m 4503599627370497 o 2.5 p 2.5 q");
    run(server, "SELECT 9");
    run(server, "HSET h f v 1 2");
    fill_streams(server, line);
    run(server, "SELECT 0");
}

fn fill_streams(server: &mut Running, line: Server) {
    for i in 1..=350 {
        run(server, &format!("XADD x:same {}-{} temp {i} place p{}", 1000 + i / 3, i, i % 5));
        run(server, &format!("XADD x:mixed {}-1 f{} {i}", 1000 + i, i % 3));
        run(server, &format!("XADD x:wide {i}-1 f {}", "y".repeat(i * 7 % 500 + 1)));
    }
    run(server, "XADD x:highest 18446744073709551615-18446744073709551615 f v");
    run(server, "XADD x:deleted 1-1 f v");
    run(server, "XADD x:deleted 1-2 f v");
    run(server, "XADD x:deleted 1-3 f v");
    run(server, "XDEL x:deleted 1-2");
    run(server, "XADD x:emptied 7-7 f v");
    run(server, "XDEL x:emptied 7-7");
    run(server, "XGROUP CREATE x:made g $ MKSTREAM");
    for entry in [3, 50, 51, 340, 350] {
        run(server, &format!("XDEL x:mixed {}-1", 1000 + entry));
    }
    run(server, "XGROUP CREATE x:same all 0");
    run(server, "XGROUP CREATE x:same late 1100-300");
    run(server, "XGROUP CREATE x:mixed 7 0");
    if line.has_redis(7, 0) {
        run(server, "XGROUP CREATE x:wide counted 5-1 ENTRIESREAD 5");
    }
    run(server, "XGROUP CREATECONSUMER x:same all idle");
    run(server, "XREADGROUP GROUP all one COUNT 120 STREAMS x:same >");
    run(server, "XREADGROUP GROUP all two COUNT 20 STREAMS x:same >");
    run(server, "XREADGROUP GROUP late 12 COUNT 3 STREAMS x:same >");
    run(server, "XREADGROUP GROUP 7 c COUNT 9 STREAMS x:mixed >");
    run(server, "XACK x:same all 1000-1 1000-2");
    run(server, "XDEL x:same 1001-3 1040-121");
    run(server, "XCLAIM x:same all idle 0 1002-6 TIME 1700000000000 RETRYCOUNT 77");
}

/// Writes scores whose text differs in versions before Redis 7.2.
pub(crate) fn fill_scores(server: &mut Running) {
    run(server, "ZADD z:special 1.5e-9 a 0.1 b -3.0000000000000004 c 72057594037927936 d 5e-324 e");
}

/// Writes functions and fields that expire, if the server supports them.
pub(crate) fn fill_special(server: &mut Running, line: Server) {
    if line.has_redis(7, 0) {
        for name in ["one", "two"] {
            let code = format!(
                "#!lua name={name}\nredis.register_function('{name}', function() return 1 end)"
            );
            call(server, &["FUNCTION", "LOAD", &code]);
        }
    }
    if has_field_expiry(line) {
        for n in [1, 5, 512, 513] {
            for (name, value) in [("short", 5), ("long", 65)] {
                let key = format!("hx:{name}:{n}");
                let field = |i| [format!("f{i}"), "v".repeat(value)];
                run_with(server, &format!("HSET {key}"), (0..n).flat_map(field));
                for i in (0..n).step_by(4) {
                    run(server, &format!("HPEXPIREAT {key} {} FIELDS 1 f{i}", FAR_MS - i * 1000));
                }
            }
        }
    }
}

/// Returns the state that DEBUG DIGEST does not cover: of every key, by database and key, and of the functions. The
/// counters and times of streams are included only with `bookkeeping`.
pub(crate) fn details(
    server: &mut Running,
    line: Server,
    bookkeeping: bool,
) -> BTreeMap<String, String> {
    let mut left_out = vec!["radix-tree-keys", "radix-tree-nodes"];
    if !bookkeeping {
        left_out.extend([
            "entries-added",
            "entries-read",
            "lag",
            "max-deleted-entry-id",
            "recorded-first-entry-id",
            "active-time",
        ]);
    }
    let mut found = BTreeMap::new();
    for db in 0..16 {
        run(server, &format!("SELECT {db}"));
        for key in run(server, "KEYS *").array().to_vec() {
            let Reply::Bulk(key) = key else { panic!("{key:?}") };
            let mut query = |args: &[&[u8]]| call(server, args);
            let kind = query(&[b"TYPE", &key]).text();
            let mut state = format!("{kind} {}", expiry(&mut query, line, &key));
            if kind == "stream" {
                let full = query(&[b"XINFO", b"STREAM", &key, b"FULL", b"COUNT", b"0"]);
                state += &format!("{:?}", without(&full, &left_out));
            }
            if kind == "hash" && has_field_expiry(line) {
                let mut fields: Vec<_> = query(&[b"HKEYS", &key]).array().to_vec();
                fields.sort_by_key(|field| format!("{field:?}"));
                let count = fields.len().to_string();
                let mut args = vec![&b"HPEXPIRETIME"[..], &key, b"FIELDS", count.as_bytes()];
                for field in &fields {
                    let Reply::Bulk(field) = field else { panic!("{field:?}") };
                    args.push(field);
                }
                state += &format!("{:?}", query(&args));
            }
            found.insert(format!("{db} {}", key.escape_ascii()), state);
        }
    }
    if line.has_redis(7, 0) {
        let list = run(server, "FUNCTION LIST WITHCODE");
        let mut list: Vec<_> = list.array().iter().map(|library| format!("{library:?}")).collect();
        list.sort();
        found.insert("functions".into(), list.concat());
    }
    found
}

/// Returns the expiry time of a key: in milliseconds or, before Redis 7.0, which only reports the remaining time, in
/// minutes.
fn expiry(query: &mut impl FnMut(&[&[u8]]) -> Reply, line: Server, key: &[u8]) -> i64 {
    if line.has_redis(7, 0) {
        return query(&[b"PEXPIRETIME", key]).int();
    }
    let left = query(&[b"PTTL", key]).int();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a time").as_millis();
    if left < 0 { left } else { (left + i64::try_from(now).expect("a time") + 30_000) / 60_000 }
}

/// Returns a reply without the names in `left_out` and their values.
fn without(reply: &Reply, left_out: &[&str]) -> Reply {
    let Reply::Array(elements) = reply else { return reply.clone() };
    let mut remaining = Vec::new();
    let mut elements = elements.iter();
    while let Some(element) = elements.next() {
        match element {
            Reply::Bulk(name) if left_out.iter().any(|out| out.as_bytes() == name) => {
                elements.next();
            }
            element => remaining.push(without(element, left_out)),
        }
    }
    Reply::Array(remaining)
}

/// The role of an RDB file in a data directory.
#[derive(Debug, Clone, Copy)]
pub(crate) enum As {
    /// The snapshot `dump.rdb`.
    Dump,
    /// The base of the log.
    Base,
}

/// Lets the server load an RDB. Returns its digest and the state that the digest does not cover (see [`details`]).
pub(crate) fn load(
    binary: &Binary,
    rdb: &[u8],
    how: As,
    bookkeeping: bool,
) -> (String, BTreeMap<String, String>) {
    let data = tempfile::tempdir().expect("a directory");
    let appendonly = match how {
        As::Dump => {
            fs::write(data.path().join("dump.rdb"), rdb).expect("a file");
            "no"
        }
        As::Base => {
            lay_out_base(binary.line, data.path(), rdb);
            "yes"
        }
    };
    let config = [("appendonly", appendonly)];
    let mut server = Running::start(binary, data.path(), &config)
        .unwrap_or_else(|ended| panic!("{} does not load the RDB: {}", binary.line, ended.log));
    let details = details(&mut server, binary.line, bookkeeping);
    (server.digest(), details)
}

/// Checks an RDB file with redis-check-rdb or valkey-check-rdb, which is the server's program under another name.
pub(crate) fn check(binary: &Binary, file: &Path) {
    let name = match binary.line.product {
        Product::Redis => "redis-check-rdb",
        Product::Valkey => "valkey-check-rdb",
    };
    let output =
        Command::new(&binary.path).arg0(name).arg(file).output().expect("the checker runs");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("RDB looks OK"), "{name}: {text}");
}

/// The data of a server, and the RDB that it saved.
pub(crate) struct Saved {
    pub(crate) digest: String,
    pub(crate) details: BTreeMap<String, String>,
    pub(crate) rdb: Vec<u8>,
}

/// Starts a server, fills it with data, and lets it save an RDB.
pub(crate) fn saved(
    binary: &Binary,
    config: &[(&str, &str)],
    bookkeeping: bool,
    fill: impl Fn(&mut Running, Server),
) -> Saved {
    let data = tempfile::tempdir().expect("a directory");
    let mut server = Running::start(binary, data.path(), config).expect("the server starts");
    fill(&mut server, binary.line);
    run(&mut server, "SAVE");
    let rdb = fs::read(data.path().join("dump.rdb")).expect("a file");
    let digest = server.digest();
    Saved { digest, details: details(&mut server, binary.line, bookkeeping), rdb }
}

/// Converts the RDB of a server to every version and lets every server load the results that it supports. The
/// conversion must succeed for exactly the versions in `supported`.
fn round_trip(
    binary: &Binary,
    config: &[(&str, &str)],
    fill: impl Fn(&mut Running, Server),
    supported: &[Target],
) {
    let original = saved(binary, config, false, fill);
    let own = Target::for_server(binary.line).expect("the version of the server");
    let options = Options { drop_bookkeeping: true, ..Options::default() };
    let product = binary.line.product;
    let loaders: Vec<Binary> = FAMILIES.into_iter().filter_map(|line| find(line).ok()).collect();
    for target in Target::ALL {
        let mut rdb = Vec::new();
        let result = convert(&original.rdb, &mut rdb, product, Some(target), &options, &Silent);
        let converted = match result {
            Ok(converted) => converted,
            Err(ConvertError::Write(WriteError::Unfit(unfit))) if !supported.contains(&target) => {
                assert_eq!(unfit.target, target);
                continue;
            }
            Err(error) => panic!("{target}: {error}"),
        };
        assert!(supported.contains(&target), "{target}");
        assert_eq!(converted.len, rdb.len() as u64);
        let bookkeeping = converted.needs.missing(target).is_none();
        let file = tempfile::NamedTempFile::new().expect("a file");
        fs::write(file.path(), &rdb).expect("a file");
        for loader in loaders.iter().filter(|loader| target.loads_on(loader.line)) {
            let what = format!("{target} of {}, on {}", binary.line, loader.line);
            check(loader, file.path());
            let as_dump = load(loader, &rdb, As::Dump, bookkeeping);
            assert_eq!(load(loader, &rdb, As::Base, bookkeeping), as_dump, "{what}, as a base");
            if own.loads_on(loader.line) {
                let (digest, details) = load(loader, &original.rdb, As::Dump, bookkeeping);
                assert_eq!(as_dump.0, digest, "{what}");
                same(&as_dump.1, &details, |_| true, &what);
                continue;
            }
            if target.version() < 12 {
                // Without expiring fields and scores whose text differs, all servers compute the same digest.
                assert_eq!(as_dump.0, original.digest, "{what}");
            }
            // Servers describe streams differently, and before 7.0 report expiry in other units.
            let alike = has_field_expiry(binary.line) == has_field_expiry(loader.line)
                && binary.line.has_redis(7, 0) == loader.line.has_redis(7, 0);
            same(
                &as_dump.1,
                &original.details,
                |state| alike && !state.starts_with("stream"),
                &what,
            );
        }
    }
}

/// Asserts that the keys are the same, and that the states are the same for which `counts` is true.
#[track_caller]
pub(crate) fn same(
    ours: &BTreeMap<String, String>,
    theirs: &BTreeMap<String, String>,
    counts: impl Fn(&str) -> bool,
    what: &str,
) {
    let keys = |details: &BTreeMap<String, String>| -> Vec<String> {
        details.keys().filter(|key| *key != "functions").cloned().collect()
    };
    assert_eq!(keys(ours), keys(theirs), "{what}");
    for (key, state) in theirs.iter().filter(|(_, state)| counts(state)) {
        assert_eq!(ours.get(key), Some(state), "{what}: {key}");
    }
}

/// Writes values in every encoding whose form does not depend on the history of the key.
fn fill_plainly(server: &mut Running, line: Server) {
    run(server, "SET k v");
    run(server, "SET n -70000");
    run(server, &format!("SET expires v PXAT {FAR_MS}"));
    run_with(server, "RPUSH list a 1 -300", ["y".repeat(70)]);
    run_with(server, "RPUSH list:nodes", (0..3000).map(|i| format!("element {i}")));
    run_with(server, "RPUSH list:long a", [8191, 8192, 8193, 5].map(|len| "z".repeat(len)));
    run(server, "SADD set:int 1 -2 70000");
    run(server, "SADD set:text a b 3");
    run_with(server, "SADD set:table", (0..200).map(|i| format!("m{i}")));
    run(server, "ZADD zset 2.5 b 1 a -inf c inf d 17 17 1 0");
    run_with(server, "ZADD zset:skip", (0..200).flat_map(|i| [i.to_string(), format!("m{i}")]));
    run(server, "HSET hash f v 17 18");
    run_with(server, "HSET hash:table f", ["v".repeat(65)]);
    // Redis 6.2.5 lets a node exceed its size limit by one entry, later versions do not. The entries for 6.2.5 are so
    // short that only their number limits a node.
    let longest = if line.has_redis(7, 0) { 90 } else { 20 };
    for i in 1..=250 {
        run(server, &format!("XADD stream {i}-1 temp {i} place {}", "p".repeat(i % longest + 1)));
    }
    run(server, "XADD stream 300-1 other field");
    run(server, "XGROUP CREATE stream g 0");
    run(server, "XREADGROUP GROUP g c COUNT 5 STREAMS stream >");
    run(server, "SELECT 3");
    run(server, "SET other db");
    if line.has_redis(7, 2) {
        fill_scores(server);
    }
    fill_special(server, line);
}

/// Returns the RDB from the second auxiliary field to the checksum. The first field is the server's version.
fn after_version(rdb: &[u8]) -> &[u8] {
    let name = b"redis-bits";
    let at = rdb.windows(name.len()).position(|window| window == name).expect("an auxiliary field");
    &rdb[at..rdb.len() - 8]
}

fn same_bytes(binary: &Binary) {
    let config = [("rdbcompression", "no")];
    let original = saved(binary, &config, false, fill_plainly).rdb;
    let options = Options { compress: false, ..Options::default() };
    let mut rdb = Vec::new();
    let target = Target::for_server(binary.line);
    let product = binary.line.product;
    convert(&original, &mut rdb, product, target, &options, &Silent)
        .expect("the RDB can be converted");
    let (ours, theirs) = (after_version(&rdb), after_version(&original));
    if ours != theirs {
        let at = ours.iter().zip(theirs).take_while(|(a, b)| a == b).count();
        let context = |bytes: &[u8]| {
            bytes[at.saturating_sub(60)..bytes.len().min(at + 60)].escape_ascii().to_string()
        };
        panic!("byte {at}:\nours   {}\ntheirs {}", context(ours), context(theirs));
    }
}
