//! Compares logs with running servers, and running servers with each other.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use aofkit::base::server::{Server, redis, valkey};
use libtest_mimic::Trial;
use serde_json::Value;

use super::compact::{copy_log, run};
use crate::support::json_docs::Docs;
use crate::support::{
    Args, Binary, Client, Cluster, FAMILIES, Random, Reply, Run, Running, Setup, aofkit, args,
    command, copy_dir, lay_out, on_all, on_each, temp_dir,
};

/// The lines whose clusters differ for a client; those of Redis 8.0 and 8.2 and Valkey 8.1 crash if keys of a slot that
/// moves are read after CLIENT NO-TOUCH.
const CLUSTERS: [Server; 5] = [redis(7, 0), redis(8, 0), redis(8, 2), valkey(8, 1), valkey(9, 1)];

pub(crate) fn trials() -> Vec<Trial> {
    let name = |name: &str| format!("diff_live::{name}");
    let each = |body_name: &str, body| on_each(&FAMILIES, &name(body_name), body);
    let clusters = |body_name: &str, body| on_each(&CLUSTERS, &name(body_name), body);
    let mut trials = each("log_of_a_server_is_the_same_as_the_server", same);
    trials.extend(each("exactly_the_changed_keys_are_listed", changed));
    trials.extend(each("expired_keys_and_fields_of_a_log_are_missing", expired));
    trials.extend(clusters("cluster_is_the_same_as_its_log_while_a_slot_moves", cluster));
    trials.extend(clusters("nodes_load_the_part_of_a_log_with_their_slots", parts));
    trials.extend(each("rights_that_an_error_names_are_sufficient", rights));
    trials.extend(each("reading_a_server_ends_no_idle_time_since_7_2", idle));
    trials.extend(each("keys_that_nobody_writes_are_the_same_under_writes", under_writes));
    let lines = [redis(7, 0), redis(8, 2), valkey(9, 1)];
    trials.push(on_all(&lines, &name("servers_of_other_lines_are_compared"), other_lines));
    trials
}

fn uri(server: &Running) -> String {
    format!("unix://{}", server.socket().display())
}

/// Starts a server that writes its log before it replies. With `everysec` it waits for an fsync that is running.
fn started(binary: &Binary) -> Setup {
    Setup::with(binary, &[("appendfsync", "no")])
}

/// Runs `aofkit diff` of two sides; returns the exit code, the lines of the list, sorted, and the report.
fn diff(a: &str, b: &str, more: &[&str]) -> (Option<i32>, Vec<String>, Value) {
    let json = Run::of(aofkit().args(["diff", "--json", a, b]).args(more));
    assert!(json.code == Some(0) || json.code == Some(1), "{json:#?}");
    assert_eq!(Docs::read().check(&json.stdout), "diff");
    let report = serde_json::from_str(&json.stdout).expect("a report");
    let list = Run::of(aofkit().args(["diff", "--list", a, b]).args(more));
    assert_eq!(list.code, json.code, "{list:#?}");
    let lines = list.stdout.lines().take_while(|line| !line.is_empty()).map(str::to_owned);
    let mut lines: Vec<String> = lines.collect();
    lines.sort();
    (list.code, lines, report)
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a path of text")
}

/// The replay of the log of random commands is what a server has that has loaded it, by its own DUMP. The server that
/// wrote the log has more: some state of streams is not logged.
fn same(binary: &Binary) {
    for seed in 0..3 {
        let mut setup = started(binary);
        let mut random = Random::new(seed);
        for _ in 0..400 {
            run(&mut setup.server, &mut random);
        }
        setup.server.client.call(&["SELECT", "0"]);
        setup.fill(200);
        if binary.line.has_redis(7, 0) {
            let library = "#!lua name=lib\nredis.register_function('f', function() return 1 end)";
            setup.server.client.call(&["FUNCTION", "LOAD", library]);
        }
        let data = setup.data;
        assert!(setup.server.shut_down().success());
        let log = copy_log(data.path());
        let config = [("appendonly", "yes")];
        let mut loaded = Running::start(binary, data.path(), &config).expect("the log loads");
        let server = uri(&loaded);
        let (code, lines, report) = diff(text(log.path()), &server, &[]);
        assert_eq!((code, lines), (Some(0), vec![]), "{}, seed {seed}", binary.line);
        assert_eq!(report["keys"]["same"], loaded.keys(), "{}", binary.line);
        assert!(loaded.keys() > 200);
        assert_eq!(report["functions_differ"], false);
        let (code, lines, report) = diff(&server, text(log.path()), &[]);
        assert_eq!((code, lines), (Some(0), vec![]), "{}, seed {seed}", binary.line);
        assert_eq!(report["a"]["server"]["nodes"], serde_json::json!([]));
        let (code, lines, report) = diff(&server, &server, &[]);
        assert_eq!((code, lines), (Some(0), vec![]), "{}, seed {seed}", binary.line);
        assert_eq!(report["keys"]["same"], loaded.keys(), "{}", binary.line);
        if binary.line.has_redis(7, 0) {
            loaded.client.call(&["FUNCTION", "FLUSH"]);
            let (code, _, report) = diff(&server, text(log.path()), &[]);
            assert_eq!((code, &report["functions_differ"]), (Some(1), &true.into()));
        }
    }
}

/// The commands before the log is copied, and after that.
const BEFORE: [&str; 9] = [
    "SET changed 1",
    "SET deleted 12345",
    "SET expiring 1",
    "HSET hash f v g w",
    "XADD stream 1-1 f v",
    "SADD retyped m",
    "RPUSH same a b",
    "ZADD ranked 1 m",
    "SET {foo}slot 1",
];
const AFTER: [&str; 9] = [
    "SET changed 2",
    "DEL deleted",
    "PEXPIREAT expiring 4102444800000",
    "HSET hash f other",
    "XADD stream 2-1 f v",
    "SET retyped 1",
    "ZADD ranked 2 m",
    "SET added 1",
    "SET {foo}slot 2",
];
/// What is printed for these, by hand.
const EXPECTED: [&str; 9] = [
    "+ [0] string \"added\" 1 byte",
    "- [0] string \"deleted\" 5 bytes",
    "~ [0] hash \"hash\" value (2 fields)",
    "~ [0] set \"retyped\" type (set / string)",
    "~ [0] stream \"stream\" value (1 message / 2 messages)",
    "~ [0] string \"changed\" value (1 byte)",
    "~ [0] string \"expiring\" expiry (never / 2100-01-01 00:00:00 +00:00)",
    "~ [0] string \"{foo}slot\" value (1 byte)",
    "~ [0] zset \"ranked\" value (1 member)",
];

fn send(server: &mut Running, lines: &[&str]) {
    for line in lines {
        let reply = server.client.call(&args(line));
        assert!(!matches!(reply, crate::support::Reply::Error(_)), "{line}: {reply:?}");
    }
}

/// Redis 6.2 reports only the time that remains, so that the time of expiry is known to a second or so.
fn without_vague_times(lines: Vec<String>) -> Vec<String> {
    let vague = |line: String| match line.split_once("expiry (never / 2") {
        Some((before, _)) => format!("{before}expiry"),
        None => line,
    };
    lines.into_iter().map(vague).collect()
}

fn changed(binary: &Binary) {
    let mut setup = started(binary);
    send(&mut setup.server, &BEFORE);
    let log = copy_log(setup.data.path());
    send(&mut setup.server, &AFTER);
    send(&mut setup.server, &["SELECT 5", "SET other 1"]);
    let server = uri(&setup.server);
    let mut expected: Vec<String> = EXPECTED.iter().map(ToString::to_string).collect();
    expected.insert(1, "+ [5] string \"other\" 1 byte".to_owned());
    let expected = without_vague_times(expected);
    let (code, lines, report) = diff(text(log.path()), &server, &[]);
    assert_eq!(code, Some(1));
    assert_eq!(without_vague_times(lines), expected, "{}", binary.line);
    assert_eq!(report["running"]["asked_again"], 10, "{report:#}");
    assert_eq!(report["running"]["settled"], 0, "{report:#}");
    // The other way round, what is only in A is only in B.
    let (_, lines, report) = diff(&server, text(log.path()), &[]);
    assert!(lines.contains(&"- [0] string \"added\" 1 byte".to_owned()), "{lines:?}");
    assert!(lines.contains(&"+ [0] string \"deleted\" 5 bytes".to_owned()), "{lines:?}");
    assert!(
        lines.contains(&"~ [0] string \"retyped\" type (string / set)".to_owned()),
        "{lines:?}"
    );
    assert_eq!((&report["keys"]["only_a"], &report["keys"]["only_b"]), (&2.into(), &1.into()));
    // Filters apply to both sides. Redis 7.0 reports slot 12182 for foo.
    for (filter, count) in [
        (&["--slots", "12182"][..], 1),
        (&["--db", "5"], 1),
        (&["--pattern", "re*"], 1),
        (&["--exclude", "*e*"], 2),
    ] {
        let (code, lines, _) = diff(text(log.path()), &server, filter);
        assert_eq!((code, lines.len()), (Some(1), count), "{filter:?}: {lines:?}");
    }
    let (code, lines, _) = diff(text(log.path()), &server, &["--pattern", "same"]);
    assert_eq!((code, lines), (Some(0), vec![]));
}

/// A server hides expired keys and removes expired fields.
fn expired(binary: &Binary) {
    let has_field_expiry = binary.line.has_redis(7, 4) || binary.line.has_valkey(9, 0);
    let mut setup = started(binary);
    let past = "1000000000000";
    let mut log = [
        command(&["SET", "gone", "1"]),
        command(&["PEXPIREAT", "gone", past]),
        command(&["SET", "again", "1"]),
        command(&["PEXPIREAT", "again", past]),
        command(&["SET", "here", "1"]),
    ]
    .concat();
    send(&mut setup.server, &["SET again 1", "SET here 1"]);
    if has_field_expiry {
        log.extend(command(&["HSET", "h", "f", "v", "g", "w"]));
        log.extend(command(&["HPEXPIREAT", "h", "4102444800000", "FIELDS", "1", "g"]));
        send(&mut setup.server, &["HSET h f v g w", "HPEXPIREAT h 4102444800000 FIELDS 1 g"]);
    }
    let place = temp_dir();
    let path = place.path().join("a.aof");
    std::fs::write(&path, log).expect("written");
    let (code, lines, report) = diff(text(&path), &uri(&setup.server), &[]);
    assert_eq!((code, lines), (Some(1), vec!["+ [0] string \"again\" 1 byte".to_owned()]));
    assert_eq!(report["a"]["left_out"]["expired"], 2, "{report:#}");
    if has_field_expiry {
        send(&mut setup.server, &["HPEXPIREAT h 4102444800001 FIELDS 1 g", "DEL again"]);
        let (_, lines, _) = diff(text(&path), &uri(&setup.server), &[]);
        assert_eq!(lines, ["~ [0] hash \"h\" field expiry"]);
    }
}

/// The log is loaded by a server of each line.
fn other_lines(binaries: &[Binary]) {
    let log: Vec<u8> = BEFORE.iter().flat_map(|line| command(&args(line))).collect();
    let data: Vec<_> = binaries.iter().map(|_| temp_dir()).collect();
    let mut servers = Vec::new();
    for (binary, data) in binaries.iter().zip(&data) {
        lay_out(binary.line, data.path(), &log);
        let config = [("appendonly", "yes")];
        servers.push(Running::start(binary, data.path(), &config).expect("the log loads"));
    }
    let uris: Vec<String> = servers.iter().map(uri).collect();
    for (a, b) in [(0, 1), (1, 2), (2, 0)] {
        let (code, lines, report) = diff(&uris[a], &uris[b], &[]);
        assert_eq!((code, lines), (Some(0), vec![]), "{a} {b}");
        assert_eq!(report["keys"]["same"], 9);
    }
    send(&mut servers[1], &AFTER);
    let (code, lines, _) = diff(&uris[0], &uris[1], &[]);
    assert_eq!((code, lines), (Some(1), EXPECTED.map(str::to_owned).to_vec()));
    let (_, lines, _) = diff(&uris[2], &uris[1], &[]);
    assert_eq!(lines, EXPECTED.map(str::to_owned));
}

/// Commands that write keys of many slots, and of one slot, {foo}.
fn writes() -> Vec<Args> {
    let mut writes = Vec::new();
    for n in 0..400 {
        writes.push(args(&format!("SET s{n} {n}")));
        writes.push(args(&format!("HSET h{} f{n} {n}", n % 50)));
        writes.push(args(&format!("SADD {{foo}}{} m{n}", n % 20)));
    }
    writes
}

fn cluster(binary: &Binary) {
    let mut cluster = Cluster::start(binary, 3);
    let place = temp_dir();
    let path = place.path().join("a.aof");
    let writes = writes();
    std::fs::write(&path, writes.iter().flat_map(|write| command(write)).collect::<Vec<u8>>())
        .expect("written");
    for write in &writes {
        let reply = cluster.call(write);
        assert!(!matches!(reply, crate::support::Reply::Error(_)), "{reply:?}");
    }
    let is_same = |cluster: &mut Cluster, when: &str| {
        let uri = format!("redis://{}", cluster.address(1));
        let (code, lines, report) = diff(text(&path), &uri, &[]);
        assert_eq!((code, lines), (Some(0), vec![]), "{when}");
        assert_eq!(report["keys"]["same"], 470, "{when}");
        assert_eq!(report["b"]["server"]["nodes"].as_array().map(Vec::len), Some(3));
        let other = format!("redis://{}", cluster.address(2));
        let (code, lines, report) = diff(&uri, &other, &[]);
        assert_eq!((code, lines), (Some(0), vec![]), "{when}");
        assert_eq!(report["keys"]["same"], 470, "{when}");
    };
    is_same(&mut cluster, "at rest");
    // Slot 12182 is that of foo.
    let from = cluster.owner(b"foo");
    let to = (from + 1) % 3;
    cluster.begin_move(12182, to);
    assert_eq!(cluster.move_keys(12182, to, 7), 7);
    is_same(&mut cluster, "while a slot moves");
    while cluster.move_keys(12182, to, 100) > 0 {}
    cluster.finish_move(12182, to);
    is_same(&mut cluster, "after a slot has moved");
    cluster.call(&["SET", "s1", "other"]);
    cluster.call(&["DEL", "{foo}3"]);
    cluster.call(&["SET", "added", "1"]);
    let uri = format!("redis://{}", cluster.address(0));
    let (code, lines, _) = diff(text(&path), &uri, &[]);
    let expected = [
        "+ [0] string \"added\" 1 byte",
        "- [0] set \"{foo}3\" 20 members",
        "~ [0] string \"s1\" value (1 byte / 5 bytes)",
    ];
    assert_eq!((code, lines), (Some(1), expected.map(str::to_owned).to_vec()));
}

/// The parts of a log by slot are the data of the nodes of a cluster.
fn parts(binary: &Binary) {
    let place = temp_dir();
    let whole = place.path().join("whole");
    let writes: Vec<u8> = writes().iter().flat_map(|write| command(write)).collect();
    std::fs::create_dir(&whole).expect("a directory");
    lay_out(binary.line, &whole, &writes);
    let expected = {
        let copy = temp_dir();
        copy_dir(&whole, copy.path()).expect("a copy");
        let config = [("appendonly", "yes")];
        Running::start(binary, copy.path(), &config).expect("the log loads").digest()
    };
    let mut data = Vec::new();
    for node in 0..3 {
        let directory = temp_dir();
        let output = directory.path().join("appendonlydir");
        let slots = Cluster::slots_of(node, 3);
        let mut compact = aofkit();
        compact.arg("compact").arg(&whole).args(["--slots", &slots, "--format", "multipart"]);
        let run = Run::of(compact.arg("--output").arg(&output));
        assert_eq!(run.code, Some(0), "{run:#?}");
        data.push(directory);
    }
    let mut cluster = Cluster::on(binary, data);
    assert_eq!(cluster.keys(), 470);
    assert_eq!(cluster.digest(), expected);
    for node in 0..3 {
        assert!(cluster.nodes[node].keys() > 100);
        let info = cluster.nodes[node].client.call(&["CLUSTER", "INFO"]).text();
        assert!(info.contains("cluster_slots_assigned:16384"), "{info}");
    }
    assert_eq!(cluster.call(&["GET", "s17"]).text(), "17");
    assert_eq!(cluster.call(&["SCARD", "{foo}3"]).int(), 20);
}

/// What an LRU policy would evict does not depend on who has read it for a comparison.
fn idle(binary: &Binary) {
    let mut setup = Setup::with(binary, &[("maxmemory-policy", "allkeys-lru")]);
    let client = &mut setup.server.client;
    client.call(&["SET", "made", "1"]);
    let Reply::Bulk(payload) = client.call(&["DUMP", "made"]) else { panic!("a payload") };
    let command = [b"RESTORE".as_slice(), b"old", b"0", &payload, b"IDLETIME", b"5000"];
    assert_eq!(client.call(&command), Reply::Simple("OK".into()));
    let log = copy_log(setup.data.path());
    let (code, ..) = diff(text(log.path()), &uri(&setup.server), &[]);
    assert_eq!(code, Some(0));
    let idle = setup.server.client.call(&["OBJECT", "IDLETIME", "old"]).int();
    assert_eq!((5000..5100).contains(&idle), binary.line.has_redis(7, 2), "{idle}");
}

fn rights(binary: &Binary) {
    let mut setup = started(binary);
    send(&mut setup.server, &BEFORE);
    let log = copy_log(setup.data.path());
    let uri = format!("{}?user=reader&pass=geheim", uri(&setup.server));
    let refused = || {
        let run = Run::of(aofkit().args(["diff", text(log.path()), &uri]));
        assert_eq!(run.code, Some(2), "{run:#?}");
        assert!(run.stderr.contains("NOPERM") && !run.stderr.contains("geheim"), "{run:#?}");
        let (_, rules) = run.stderr.split_once("ACL SETUSER reader ").expect("the rules");
        rules.trim().to_owned()
    };
    send(&mut setup.server, &["ACL SETUSER reader on >geheim ~* +@all -scan"]);
    let rules = refused();
    send(&mut setup.server, &["ACL SETUSER reader resetkeys -@all"]);
    send(&mut setup.server, &[&format!("ACL SETUSER reader {rules}")]);
    let (code, lines, report) = diff(text(log.path()), &uri, &[]);
    assert_eq!((code, lines, &report["functions_differ"]), (Some(0), vec![], &false.into()));
    for name in ["scan", "dump", "info"] {
        send(&mut setup.server, &[&format!("ACL SETUSER reader -{name}")]);
        assert!(refused().contains(&format!("+{name} ")), "{name}");
        send(&mut setup.server, &[&format!("ACL SETUSER reader +{name}")]);
    }
    // Without these, less is known, or more slowly.
    send(&mut setup.server, &["ACL SETUSER reader -memory -time"]);
    if binary.line.has_redis(7, 0) {
        send(&mut setup.server, &["ACL SETUSER reader -function"]);
    }
    let (code, lines, report) = diff(text(log.path()), &uri, &[]);
    assert_eq!((code, lines), (Some(0), vec![]));
    assert_eq!(report["functions_differ"].is_null(), binary.line.has_redis(7, 0));
}

/// Ends a thread, also if an assertion fails.
struct EndsOnDrop<'a>(&'a AtomicBool);

impl Drop for EndsOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Keys are written, created and deleted while servers are compared.
fn under_writes(binary: &Binary) {
    let mut setup = started(binary);
    setup.fill(2000);
    let log = copy_log(setup.data.path());
    let count = setup.server.keys();
    let server = uri(&setup.server);
    let socket = setup.server.socket();
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let ends = EndsOnDrop(&is_over);
        scope.spawn(|| {
            let mut client = Client::connect(&socket).expect("a connection");
            for n in 0.. {
                if is_over.load(Ordering::Relaxed) {
                    return;
                }
                client.call(&["SET", &format!("hot:{}", n % 500), &n.to_string()]);
                client.call(&["DEL", &format!("hot:{}", (n * 7) % 500)]);
                client.call(&["SADD", &format!("hot:set:{}", n % 3), &n.to_string()]);
            }
        });
        for sides in [[text(log.path()), &server], [&server, text(log.path())], [&server, &server]]
        {
            let run = Run::of(aofkit().args(["diff", "--list"]).args(sides));
            let lines = run.stdout.lines().take_while(|line| !line.is_empty());
            for line in lines {
                assert!(line.contains("\"hot:"), "{line}");
            }
            let run = Run::of(aofkit().args(["diff", "--json", "--exclude", "hot:*"]).args(sides));
            assert_eq!(run.code, Some(0), "{run:#?}");
            let report: Value = serde_json::from_str(&run.stdout).expect("a report");
            assert_eq!(report["keys"]["same"], count, "{report:#}");
        }
        drop(ends);
    });
}
