//! Large keys, which are created in pieces, and runs that are killed meanwhile.

use std::thread;
use std::time::Duration;

use libtest_mimic::Trial;

use super::{empty, into, keys, report};
use crate::support::{
    Binary, FAMILIES, Random, Running, Setup, UnderWay, on_each, send_signal, temp_dir,
};

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = on_each(&FAMILIES, "into::large_keys_appear_whole", large);
    trials.extend(on_each(
        &FAMILIES,
        "into::killed_runs_leave_whole_keys_and_can_be_repeated",
        killed,
    ));
    trials
}

/// Returns a server with one large key of each type, and a large string.
pub(super) fn source(binary: &Binary, elements: u32) -> Setup {
    let mut setup = Setup::with(binary, &[("appendfsync", "no")]);
    let client = &mut setup.server.client;
    for first in (0..elements).step_by(500) {
        let numbers = first..elements.min(first + 500);
        let item = |number: u32| format!("{number}:{}", "x".repeat(20 + number as usize % 7));
        let mut commands: Vec<Vec<String>> =
            ["RPUSH list", "SADD set{tag}", "ZADD zset", "HSET hash"]
                .map(|command| command.split(' ').map(str::to_owned).collect())
                .into();
        for number in numbers {
            commands[0].push(item(number));
            commands[1].push(item(number));
            commands[2].extend([number.to_string(), item(number)]);
            commands[3].extend([number.to_string(), item(number)]);
        }
        for command in commands {
            client.call(&command);
        }
    }
    client.call(&["SETRANGE", "string", "3000000", "end"]);
    client.call(&["PEXPIREAT", "hash", "4000000000123"]);
    setup
}

fn large(binary: &Binary) {
    let mut setup = source(binary, 30_000);
    let data = temp_dir();
    let mut server = empty(binary, data.path());
    let options = ["--check", "all", "--rate", "unlimited"];
    let run = report(&mut into("compact", setup.data.path(), &server, &options), 0);
    assert_eq!((keys(&run, "restored"), run["checked"].as_u64()), (5, Some(5)), "{run}");
    assert_eq!(server.keys(), 5, "no temporary key is left");
    assert_eq!(server.digest(), setup.server.digest());
    let ttl = server.client.call(&["PTTL", "hash"]).int();
    assert!(ttl > 1_000_000_000, "{ttl}");
    assert_eq!(server.client.call(&["PTTL", "list"]).int(), -1);
}

fn killed(binary: &Binary) {
    let kills = std::env::var("AOFKIT_KILLS").map_or(8, |n| n.parse().expect("a number"));
    let mut setup = source(binary, 10_000);
    setup.fill(3000);
    let expected = setup.server.digest();
    let data = temp_dir();
    let mut server = empty(binary, data.path());
    let mut random = Random::new(3);
    for _ in 0..kills {
        server.client.call(&["FLUSHALL"]);
        let run =
            UnderWay::start(&mut into("compact", setup.data.path(), &server, &["--rate", "2mb"]));
        thread::sleep(Duration::from_millis(random.below(900)));
        send_signal(run.child.id(), "-KILL");
        let mut run = run;
        let _ = run.child.wait();
        whole(&mut server, &mut setup.server);
        let again =
            report(&mut into("compact", setup.data.path(), &server, &["--rate", "unlimited"]), 0);
        assert_eq!(keys(&again, "conflicting"), 0, "{again}");
        assert_eq!(server.digest(), expected);
    }
}

/// Checks that every key of `server` is that of `original`, or a temporary one that expires.
fn whole(server: &mut Running, original: &mut Running) {
    let names = server.client.call(&["KEYS", "*"]);
    for name in names.array().iter().map(|name| name.text()) {
        if name.contains("aofkit-tmp") {
            let ttl = server.client.call(&["PTTL", &name]).int();
            assert!((0..=3_600_000).contains(&ttl), "{name}: {ttl}");
            continue;
        }
        let digest = |server: &mut Running| {
            server.client.call(&["DEBUG", "DIGEST-VALUE", &name]).array()[0].text()
        };
        assert_eq!(digest(server), digest(original), "{name}");
    }
}
