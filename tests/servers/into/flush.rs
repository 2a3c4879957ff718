//! From FLUSHALL to the last key, as the printed steps say, while customers go on writing.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use libtest_mimic::Trial;

use super::{keys, report};
use crate::support::{Binary, Client, FAMILIES, Random, Reply, Run, Setup, aofkit, on_each};

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = on_each(&FAMILIES, "into::flushed_keys_return_while_others_write", flushed);
    let name = "into::named_key_that_was_deleted_after_a_flush_returns";
    trials.extend(on_each(&FAMILIES, name, deleted_after_flush));
    trials.extend(on_each(
        &FAMILIES,
        "into::every_choice_of_recover_is_put_into_a_server",
        choices,
    ));
    trials
}

/// The number of keys before the flush, of which one in ten is written again after it.
const KEYS: u64 = 3000;

/// What a writer did: the values that it wrote, and the keys that it deleted.
#[derive(Default)]
struct Written {
    values: BTreeMap<String, String>,
    deleted: BTreeSet<String>,
}

/// Writes new keys, and rewrites and deletes some of those before the flush, until it is asked to stop.
fn write_on(socket: &Path, stop: &AtomicBool) -> Written {
    let mut client = Client::connect(socket).expect("a connection");
    let mut written = Written::default();
    let mut random = Random::new(7);
    for number in 0_u64.. {
        if stop.load(Ordering::SeqCst) {
            break;
        }
        let key = match number % 3 {
            0 => format!("new:{number}"),
            // Only keys that end with 0 are touched.
            _ => format!("old:{}", random.below(KEYS / 10) * 10),
        };
        if number % 7 == 6 {
            client.call(&["DEL", &key]);
            written.values.remove(&key);
            written.deleted.insert(key);
        } else {
            let value = format!("customer {number}");
            client.call(&["SET", &key, &value]);
            written.deleted.remove(&key);
            written.values.insert(key, value);
        }
        thread::sleep(Duration::from_micros(200));
    }
    written
}

struct StopOnDrop<'a>(&'a AtomicBool);

impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

fn flushed(binary: &Binary) {
    let mut setup = Setup::new(binary);
    for number in 0..KEYS {
        let (key, value) = (format!("old:{number}"), format!("value {number}"));
        if number % 4 == 0 {
            let time = (4_000_000_000_000 + number).to_string();
            setup.server.client.call(&["SET", &key, &value]);
            setup.server.client.call(&["PEXPIREAT", &key, &time]);
        } else {
            setup.server.client.call(&["SET", &key, &value]);
        }
    }
    setup.server.client.call(&["SET", "session:1", "ended before"]);
    setup.server.client.call(&["DEL", "session:1"]);
    setup.server.client.call(&["SELECT", "5"]);
    setup.server.client.call(&["HSET", "h", "f", "v"]);
    setup.server.client.call(&["FLUSHALL"]);
    setup.server.client.call(&["SELECT", "0"]);

    let (socket, stop) = (setup.server.socket(), AtomicBool::new(false));
    let written = thread::scope(|scope| {
        // The scope waits for the writer, also when an assertion fails.
        let _stops = StopOnDrop(&stop);
        let writer = scope.spawn(|| write_on(&socket, &stop));
        thread::sleep(Duration::from_millis(300));
        let hold = Run::of(aofkit().args(["recover", "--hold", "-s"]).arg(&socket));
        assert_eq!(hold.code, Some(1), "{hold:#?}");
        let printed = hold.stdout.lines().map(str::trim);
        // How to release it is said first, for the end.
        let step = printed
            .clone()
            .find(|line| line.starts_with("aofkit recover") && !line.contains("--release"));
        let step = step.unwrap_or_else(|| panic!("no step: {hold:#?}")).to_owned();
        assert!(step.contains("--into"), "the way that stops nothing comes first: {step}");
        let typed = type_in(&step);
        assert_eq!(typed.code, Some(0), "{step}: {typed:#?}");
        thread::sleep(Duration::from_millis(100));
        stop.store(true, Ordering::SeqCst);
        writer.join().expect("the writer ends")
    });

    let client = &mut setup.server.client;
    for (key, value) in &written.values {
        assert_eq!(&client.call(&["GET", key]).text(), value, "{key} was written by a customer");
    }
    for key in &written.deleted {
        assert_eq!(client.call(&["GET", key]), Reply::Nil, "{key} was deleted by a customer");
    }
    for number in 0..KEYS {
        let key = format!("old:{number}");
        if written.values.contains_key(&key) || written.deleted.contains(&key) {
            continue;
        }
        assert_eq!(client.call(&["GET", &key]).text(), format!("value {number}"), "{key}");
        let ttl = client.call(&["PTTL", &key]).int();
        assert_eq!(ttl > 1_000_000_000, number % 4 == 0, "{key}: {ttl}");
    }
    assert_eq!(client.call(&["GET", "session:1"]), Reply::Nil, "it ended before the flush");
    client.call(&["SELECT", "5"]);
    assert_eq!(client.call(&["HGET", "h", "f"]).text(), "v");
}

/// Types a line into a shell in which `aofkit` is found.
fn type_in(line: &str) -> Run {
    let program = aofkit().get_program().to_owned();
    let directory = Path::new(&program).parent().expect("a directory").to_owned();
    let path = std::env::join_paths([directory, "/usr/bin".into(), "/bin".into()]).expect("a PATH");
    Run::of(Command::new("sh").args(["-c", line]).env_clear().env("PATH", path))
}

/// The flush is an older one: a named key that a command deleted after it is restored, a pattern leaves such keys out.
fn deleted_after_flush(binary: &Binary) {
    let mut setup = Setup::with(binary, &[("appendfsync", "no")]);
    for line in
        [&["SET", "old", "1"][..], &["FLUSHALL"], &["SET", "user:42", "5"], &["DEL", "user:42"]]
    {
        setup.server.client.call(line);
    }
    let (data, socket) = (setup.data.path().to_owned(), setup.server.socket());
    let undelete = |glob: &str| {
        let mut command = aofkit();
        command.arg("recover").arg(&data).args(["--undelete", glob]).arg("--into").arg(&socket);
        command
    };
    let nothing = Run::of(&mut undelete("user:*"));
    assert_eq!(nothing.code, Some(1), "{nothing:#?}");
    assert!(nothing.stderr.contains("--also-deleted takes them"), "{nothing:#?}");
    let named = report(&mut undelete("user:42"), 0);
    assert_eq!(keys(&named, "restored"), 1, "{named}");
    assert_eq!(setup.server.client.call(&["GET", "user:42"]).text(), "5");
    setup.server.client.call(&["DEL", "user:42"]);
    let all = report(undelete("user:*").arg("--also-deleted"), 0);
    assert_eq!(keys(&all, "restored"), 1, "{all}");
}

fn choices(binary: &Binary) {
    for (options, expected) in [
        (&["--strip"][..], ["a 1", "b 1", "c 1"].as_slice()),
        (&["--until", "#4"], &["a 1", "b 1"]),
        (&["--excise", "1"], &["a 1", "b 1", "c 1"]),
        (&["--merge", "newer"], &["a 1", "b 1", "c 1"]),
        (&["--merge", "older", "--existing", "replace"], &["a 1", "b 1", "c 1"]),
        (&["--undelete", "*"], &["a 1", "b 1", "c 1"]),
        (&["--undelete", "gone"], &["gone 1"]),
        (&["--undelete", "*", "--also-deleted"], &["a 1", "b 1", "c 1", "gone 1"]),
    ] {
        let mut setup = Setup::with(binary, &[("appendfsync", "no")]);
        // With SELECT, these are commands 1 to 7.
        for key in ["a", "b", "c", "gone"] {
            setup.server.client.call(&["SET", key, "1"]);
        }
        setup.server.client.call(&["DEL", "gone"]);
        setup.server.client.call(&["FLUSHALL"]);
        let mut command = aofkit();
        command.arg("recover").arg(setup.data.path()).args(options);
        command.arg("--into").arg(setup.server.socket());
        let run = report(&mut command, 0);
        assert_eq!(keys(&run, "failed"), 0, "{run}");
        let names = setup.server.client.call(&["KEYS", "*"]);
        let mut found: Vec<String> = (names.array().iter())
            .map(|name| {
                let value = setup.server.client.call(&["GET", &name.text()]).text();
                format!("{} {value}", name.text())
            })
            .collect();
        found.sort();
        assert_eq!(found, expected, "{options:?}: {run}");
    }
}
