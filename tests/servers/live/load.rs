//! Backups while clients write.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

use libtest_mimic::Trial;

use super::on_each;
use crate::support::{
    Binary, Client, FAMILIES, Reply, Run, Setup, wait_until, with_program_on_each,
};

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = on_each(&FAMILIES, "rewrite_under_load_loses_no_data", |binary| {
        loses_no_data(binary, "rewrite", None);
    });
    trials.extend(on_each(&FAMILIES, "links_under_load_lose_no_data", |binary| {
        loses_no_data(binary, "link", None);
    }));
    let name = "live::rewrite_under_redis_benchmark_loses_no_data";
    trials.extend(with_program_on_each(&FAMILIES, "redis-benchmark", name, |binary, program| {
        loses_no_data(binary, "rewrite", Some(program));
    }));
    let name = "live::links_under_redis_benchmark_lose_no_data";
    trials.extend(with_program_on_each(&FAMILIES, "redis-benchmark", name, |binary, program| {
        loses_no_data(binary, "link", Some(program));
    }));
    trials
}

/// The number of keys that each writer overwrites repeatedly with increasing values.
const KEYS: u64 = 200;
const WRITERS: u64 = 3;

/// A client that writes until it is stopped.
struct Writer {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<u64>,
}

impl Writer {
    fn start(socket: PathBuf, number: u64) -> Writer {
        let stop = Arc::new(AtomicBool::new(false));
        let is_stopped = Arc::clone(&stop);
        let thread = thread::spawn(move || {
            let mut client = Client::connect(&socket).expect("a connection");
            let mut value = 0;
            while !is_stopped.load(Ordering::Relaxed) {
                value += 1;
                let (key, text) = (key(number, value % KEYS), value.to_string());
                // Every tenth value is written to two keys in a transaction, which no backup may tear.
                if value % 10 == 0 {
                    client.call(&["MULTI"]);
                    client.call(&["SET", &key, &text]);
                    client.call(&["SET", &format!("{key}:copy"), &text]);
                    client.call(&["EXEC"]);
                } else {
                    client.call(&["SET", &key, &text]);
                }
            }
            value
        });
        Writer { stop, thread }
    }

    /// Stops the writer and returns the last value that it wrote.
    fn stop(self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().expect("the writer did not fail")
    }
}

fn key(writer: u64, number: u64) -> String {
    format!("w{writer}:{number}")
}

/// Returns the values of all keys of the writers.
fn values(client: &mut Client) -> HashMap<String, u64> {
    let mut values = HashMap::new();
    for writer in 0..WRITERS {
        for number in 0..KEYS {
            for key in [key(writer, number), format!("{}:copy", key(writer, number))] {
                if let Reply::Bulk(bytes) = client.call(&["GET", &key]) {
                    let text = String::from_utf8(bytes).expect("digits");
                    values.insert(key, text.parse().expect("a number"));
                }
            }
        }
    }
    values
}

/// redis-benchmark, which runs until this value is dropped. The keys that it writes only grow and keep their types.
struct Benchmark(Child);

impl Benchmark {
    fn start(program: &Path, socket: &Path) -> Benchmark {
        let mut command = Command::new(program);
        command.arg("-s").arg(socket);
        // All tests in a loop, pipelined, with random keys and members out of 200.
        command.args(["-l", "-q", "-n", "1000", "-c", "10", "-P", "4", "-r", "200"]);
        command.args(["-t", "set,incr,lpush,sadd,hset,zadd"]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        Benchmark(command.spawn().expect("redis-benchmark runs"))
    }

    fn is_running(&mut self) -> bool {
        self.0.try_wait().expect("redis-benchmark can be waited for").is_none()
    }
}

impl Drop for Benchmark {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The keys of the tests of redis-benchmark, or their prefixes.
const KINDS: [&str; 6] = ["key:", "counter:", "mylist", "myset", "myhash", "myzset"];

/// The state of a key of redis-benchmark, of which both values only grow: its members and a count.
type Grown = (BTreeSet<Vec<u8>>, u64);

/// Returns the state of all keys of redis-benchmark.
fn grown(client: &mut Client) -> BTreeMap<String, Grown> {
    let keys = client.call(&["KEYS", "*"]);
    let keys = keys.array().iter().map(Reply::text);
    let keys = keys.filter(|key| KINDS.iter().any(|kind| key.starts_with(kind)));
    let keys: Vec<_> = keys.collect();
    let members = |reply: Reply| -> Grown {
        let bytes = |reply: &Reply| match reply {
            Reply::Bulk(bytes) => bytes.clone(),
            other => panic!("expected a member, got {other:?}"),
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
        // The value is three random bytes, so only its length is stable.
        key => (BTreeSet::new(), client.call(&["STRLEN", key]).int().unsigned_abs()),
    };
    keys.into_iter().map(|key| (key.clone(), of(&key))).collect()
}

fn loses_no_data(binary: &Binary, strategy: &str, benchmark: Option<&Path>) {
    // The server rewrites automatically, except with redis-benchmark, so that its last writes are not in a base.
    let min_size = if benchmark.is_some() { "1gb" } else { "1" };
    let mut setup = Setup::with(binary, &[("auto-aof-rewrite-min-size", min_size)]);
    setup.fill(20);
    let writers: Vec<_> =
        (0..WRITERS).map(|number| Writer::start(setup.server.socket(), number)).collect();
    wait_until("every key", || setup.server.keys() > WRITERS * KEYS);
    let mut benchmark = benchmark.map(|program| Benchmark::start(program, &setup.server.socket()));
    if benchmark.is_some() {
        wait_until("every test of the benchmark", || {
            let client = &mut setup.server.client;
            KINDS.iter().all(|kind| !client.call(&["KEYS", &format!("{kind}*")]).array().is_empty())
        });
    }
    let before = values(&mut setup.server.client);
    let grown_before = grown(&mut setup.server.client);
    let run = Run::of(setup.live().args(["--strategy", strategy]));
    assert_eq!(run.code, Some(0), "{run:#?}");
    assert!(benchmark.as_mut().is_none_or(Benchmark::is_running), "redis-benchmark still runs");
    drop(benchmark);
    let last: Vec<_> = writers.into_iter().map(Writer::stop).collect();
    let after = values(&mut setup.server.client);
    let grown_after = grown(&mut setup.server.client);
    assert!(last.iter().all(|&last| last > KEYS), "the writers wrote: {last:?}");

    let (mut restored, _data) = setup.restored(&setup.archive());
    let grown_restored = grown(&mut restored.client);
    for (key, (members, count)) in &grown_before {
        let (now, after) = (grown_restored.get(key), &grown_after[key]);
        let (now, now_count) = now.unwrap_or_else(|| panic!("{key} is lost"));
        assert!(members.is_subset(now) && now.is_subset(&after.0), "{key}: its members");
        assert!((*count..=after.1).contains(now_count), "{key}: {count}, {now_count}, {}", after.1);
    }
    let sum = |grown: &BTreeMap<String, Grown>| grown.values().map(|(_, count)| count).sum::<u64>();
    let (sums, is_loaded) = ([&grown_before, &grown_after].map(sum), !grown_before.is_empty());
    assert_eq!(sums[1] > sums[0], is_loaded, "redis-benchmark wrote during the backup: {sums:?}");
    let restored = values(&mut restored.client);
    for (key, value) in &before {
        let now = restored.get(key).unwrap_or_else(|| panic!("{key} is lost"));
        // The values of a key increase in steps of KEYS, so a value in between is one that the key had.
        assert!((*value..=after[key]).contains(now), "{key}: {value}, {now}, {}", after[key]);
        assert_eq!((now - value) % KEYS, 0, "{key}: {value}, {now}");
        if let Some(copy) = restored.get(&format!("{key}:copy")) {
            assert!(copy <= now, "{key}: a transaction was torn: {copy}, {now}");
        }
    }
    assert_eq!(setup.settings(), ["everysec", "100"]);
}
