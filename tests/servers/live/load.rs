//! Backups while clients write.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

use libtest_mimic::Trial;

use super::on_each;
use super::place::{Place, Run, wait_until};
use crate::support::LINES;
use crate::support::client::{Client, Reply};
use crate::support::server::Binary;

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = on_each(&LINES, "under load, a rewrite loses nothing that was there", |b| {
        keeps_what_was_there(b, "rewrite");
    });
    trials.extend(on_each(&LINES, "under load, links lose nothing that was there", |b| {
        keeps_what_was_there(b, "link");
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

fn keeps_what_was_there(binary: &Binary, strategy: &str) {
    let mut place = Place::with(binary, &[("auto-aof-rewrite-min-size", "1")]);
    place.fill(20);
    let writers: Vec<_> =
        (0..WRITERS).map(|number| Writer::start(place.server.socket(), number)).collect();
    wait_until("every key", || place.server.keys() > WRITERS * KEYS);
    let before = values(&mut place.server.client);
    let run = Run::of(place.live().args(["--strategy", strategy]));
    assert_eq!(run.code, Some(0), "{run:#?}");
    let last: Vec<_> = writers.into_iter().map(Writer::stop).collect();
    let after = values(&mut place.server.client);
    assert!(last.iter().all(|&last| last > KEYS), "they wrote: {last:?}");

    let (mut restored, _data) = place.restored(&place.archive());
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
