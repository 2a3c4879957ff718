//! Backups while clients write.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

use libtest_mimic::Trial;

use super::on_each;
use super::place::{Place, Run, wait_until};
use crate::support::client::{Client, Reply};
use crate::support::server::Binary;
use crate::support::{LINES, with_program_on_each};

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = on_each(&LINES, "under load, a rewrite loses nothing that was there", |b| {
        keeps_what_was_there(b, "rewrite", None);
    });
    trials.extend(on_each(&LINES, "under load, links lose nothing that was there", |b| {
        keeps_what_was_there(b, "link", None);
    }));
    let name = "live: under redis-benchmark, a rewrite loses nothing that was there";
    trials.extend(with_program_on_each(&LINES, "redis-benchmark", name, |binary, program| {
        keeps_what_was_there(binary, "rewrite", Some(program));
    }));
    let name = "live: under redis-benchmark, links lose nothing that was there";
    trials.extend(with_program_on_each(&LINES, "redis-benchmark", name, |binary, program| {
        keeps_what_was_there(binary, "link", Some(program));
    }));
    trials
}

/// Keys that each writer writes, over and over, with values that only grow.
const KEYS: u64 = 200;
const WRITERS: u64 = 3;

/// A client that writes until it is stopped; gives the last value of each of its keys.
struct Writer {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<u64>,
}

impl Writer {
    fn start(socket: PathBuf, number: u64) -> Writer {
        let stop = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&stop);
        let thread = thread::spawn(move || {
            let mut client = Client::connect(&socket).expect("a connection");
            let mut value = 0;
            while !told.load(Ordering::Relaxed) {
                value += 1;
                let (key, text) = (key(number, value % KEYS), value.to_string());
                // Now and then in a transaction, which no backup may tear.
                if value % 10 == 0 {
                    client.call(&["MULTI"]);
                    client.call(&["SET", &key, &text]);
                    client.call(&["SET", &format!("{key}:twin"), &text]);
                    client.call(&["EXEC"]);
                } else {
                    client.call(&["SET", &key, &text]);
                }
            }
            value
        });
        Writer { stop, thread }
    }

    fn stop(self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().expect("it ended well")
    }
}

fn key(writer: u64, number: u64) -> String {
    format!("w{writer}:{number}")
}

/// All keys of the writers, with their values.
fn values(client: &mut Client) -> HashMap<String, u64> {
    let mut values = HashMap::new();
    for writer in 0..WRITERS {
        for number in 0..KEYS {
            for key in [key(writer, number), format!("{}:twin", key(writer, number))] {
                if let Reply::Bulk(bytes) = client.call(&["GET", &key]) {
                    let text = String::from_utf8(bytes).expect("digits");
                    values.insert(key, text.parse().expect("a number"));
                }
            }
        }
    }
    values
}

/// The load that everybody measures servers with, until it is dropped: what it writes only grows, and keeps its kind.
struct Benchmark(Child);

impl Benchmark {
    fn start(program: &Path, socket: &Path) -> Benchmark {
        let mut command = Command::new(program);
        command.arg("-s").arg(socket);
        // Each test in its turn, over and over, with pipelines; random keys and members out of a few.
        command.args(["-l", "-q", "-n", "1000", "-c", "10", "-P", "4", "-r", "200"]);
        command.args(["-t", "set,incr,lpush,sadd,hset,zadd"]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        Benchmark(command.spawn().expect("redis-benchmark runs"))
    }

    fn is_at_work(&mut self) -> bool {
        self.0.try_wait().expect("it can be waited for").is_none()
    }
}

impl Drop for Benchmark {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The keys of all its tests, as it names them.
const KINDS: [&str; 6] = ["key:", "counter:", "mylist", "myset", "myhash", "myzset"];

/// What a key of the benchmark holds, as far as it only grows: its members, and a count.
type Grown = (BTreeSet<Vec<u8>>, u64);

fn grown(client: &mut Client) -> BTreeMap<String, Grown> {
    let keys = client.call(&["KEYS", "*"]);
    let keys = keys.array().iter().map(Reply::text);
    let keys = keys.filter(|key| KINDS.iter().any(|kind| key.starts_with(kind)));
    let keys: Vec<_> = keys.collect();
    let members = |reply: Reply| -> Grown {
        let bytes = |reply: &Reply| match reply {
            Reply::Bulk(bytes) => bytes.clone(),
            other => panic!("a member was expected, got {other:?}"),
        };
        (reply.array().iter().map(bytes).collect(), 0)
    };
    let mut of = |key: &str| match key {
        "mylist" => (BTreeSet::new(), client.call(&["LLEN", key]).int().unsigned_abs()),
        "myset" => members(client.call(&["SMEMBERS", key])),
        "myhash" => members(client.call(&["HKEYS", key])),
        "myzset" => members(client.call(&["ZRANGE", key, "0", "-1"])),
        key if key.starts_with("counter:") => {
            (BTreeSet::new(), client.call(&["GET", key]).text().parse().expect("a number"))
        }
        // Three bytes, drawn anew for each round.
        key => (BTreeSet::new(), client.call(&["STRLEN", key]).int().unsigned_abs()),
    };
    keys.into_iter().map(|key| (key.clone(), of(&key))).collect()
}

fn keeps_what_was_there(binary: &Binary, strategy: &str, benchmark: Option<&Path>) {
    // Rewrites that come by themselves; with the benchmark none, so that its last writes are in no base.
    let min_size = if benchmark.is_some() { "1gb" } else { "1" };
    let mut place = Place::with(binary, &[("auto-aof-rewrite-min-size", min_size)]);
    place.fill(20);
    let writers: Vec<_> =
        (0..WRITERS).map(|number| Writer::start(place.server.socket(), number)).collect();
    wait_until("every key", || place.server.keys() > WRITERS * KEYS);
    let mut benchmark = benchmark.map(|program| Benchmark::start(program, &place.server.socket()));
    if benchmark.is_some() {
        wait_until("every test of the benchmark", || {
            let client = &mut place.server.client;
            KINDS.iter().all(|kind| !client.call(&["KEYS", &format!("{kind}*")]).array().is_empty())
        });
    }
    let before = values(&mut place.server.client);
    let grown_before = grown(&mut place.server.client);
    let run = Run::of(place.live().args(["--strategy", strategy]));
    assert_eq!(run.code, Some(0), "{run:#?}");
    assert!(benchmark.as_mut().is_none_or(Benchmark::is_at_work), "it was there to the end");
    drop(benchmark);
    let last: Vec<_> = writers.into_iter().map(Writer::stop).collect();
    let after = values(&mut place.server.client);
    let grown_after = grown(&mut place.server.client);
    assert!(last.iter().all(|&last| last > KEYS), "they wrote: {last:?}");

    let (mut restored, _data) = place.restored(&place.archive());
    let grown_restored = grown(&mut restored.client);
    for (key, (members, count)) in &grown_before {
        let (now, after) = (grown_restored.get(key), &grown_after[key]);
        let (now, now_count) = now.unwrap_or_else(|| panic!("{key} is lost"));
        assert!(members.is_subset(now) && now.is_subset(&after.0), "{key}: its members");
        assert!((*count..=after.1).contains(now_count), "{key}: {count}, {now_count}, {}", after.1);
    }
    let sum = |grown: &BTreeMap<String, Grown>| grown.values().map(|(_, count)| count).sum::<u64>();
    let (sums, is_loaded) = ([&grown_before, &grown_after].map(sum), !grown_before.is_empty());
    assert_eq!(sums[1] > sums[0], is_loaded, "the benchmark wrote meanwhile: {sums:?}");
    let restored = values(&mut restored.client);
    for (key, value) in &before {
        let now = restored.get(key).unwrap_or_else(|| panic!("{key} is lost"));
        // Values grow by the number of keys each time, so that one in between is one that it had.
        assert!((*value..=after[key]).contains(now), "{key}: {value}, {now}, {}", after[key]);
        assert_eq!((now - value) % KEYS, 0, "{key}: {value}, {now}");
        if let Some(twin) = restored.get(&format!("{key}:twin")) {
            assert!(twin <= now, "{key}: a transaction was torn: {twin}, {now}");
        }
    }
    assert_eq!(place.settings(), ["everysec", "100"]);
}
