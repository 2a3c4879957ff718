//! Commands that came with Redis 8.4 and 8.6.

use std::collections::BTreeMap;

use aofkit::base::server::redis;
use aofkit::keyspace::{Bump, Keyspace, Value};
use libtest_mimic::Trial;

use crate::support::{
    Args, Binary, Random, Running, args, command, differential, lay_out, on_each,
};

pub(crate) fn trials() -> Vec<Trial> {
    let lines = [redis(8, 6)];
    let name = "apply::newer::conditions_on_strings_agree_with_the_server";
    let mut trials = on_each(&lines, name, |binary| {
        differential::random_sequences(binary, conditional);
    });
    let name = "apply::newer::loaded_entries_of_producers_agree_with_the_server";
    trials.extend(on_each(&lines, name, producers));
    trials
}

fn conditional(random: &mut Random) -> Args {
    let (key, value) = (random.pick(&["a", "b", "c", "set"]), random.pick(&["x", "y", "", "12"]));
    let comparison = match random.below(5) {
        0 => format!("IFEQ {value}"),
        1 => format!("ifne {value}"),
        // The digests of x and y, as DIGEST of Redis 8.6.3 prints them, and an invalid one.
        2 => format!("IFDEQ {}", random.pick(&["eaf06c6480b2cd11", "272B57E6D7C0A9E5", "5c80"])),
        3 => format!("IFDNE {}", random.pick(&["eaf06c6480b2cd11", "g123456789abcdef", "5c80"])),
        _ => random.pick(&["NX", "XX", "IFEQ", "GET", "IFNE"]).to_string(),
    };
    let more = random.pick(&[
        "",
        "",
        " KEEPTTL",
        " PXAT 4102444800000",
        " GET",
        " XX",
        " IFEQ x",
        " EX 0",
    ]);
    // With GET, Redis 8.6.3 replies the value before it refuses a digest of another length.
    let more = if comparison.ends_with("5c80") { "" } else { more };
    let line = match random.below(10) {
        0..=4 => format!("SET {key} {value} {comparison}{more}"),
        5 => format!("SET {key} {value}{more}"),
        6 => format!("DELEX {key} {comparison}"),
        7 => format!("DELEX {key}{}", random.pick(&["", "", " FOO x", " IFEQ x y"])),
        8 => {
            let option =
                random.pick(&["NX", "XX", "KEEPTTL", "PXAT 4102444800000", "GET", "IFEQ x"]);
            format!("MSETEX {} a {value} b y {option}", random.pick(&["2", "2", "1", "3", "0"]))
        }
        _ => "SADD set m".to_string(),
    };
    args(&line)
}

/// Loads the same commands on both sides, and compares what XINFO reports about producers.
fn producers(binary: &Binary) {
    for seed in 0..6 {
        let mut random = Random::new(seed);
        let now_ms = u64::try_from(differential::now_ms()).expect("after 1970");
        let commands: Vec<Args> =
            (1..400).map(|number| produced(&mut random, now_ms, number)).collect();
        let arena = Bump::new();
        let mut keyspace = Keyspace::new(&arena);
        let mut log = Vec::new();
        for arguments in &commands {
            log.extend(command(arguments));
            let arguments: Vec<&[u8]> = arguments.iter().map(Vec::as_slice).collect();
            let _ = differential::apply(binary.line, None, &arguments, 0, &mut keyspace);
        }
        let data = tempfile::tempdir().expect("a directory");
        lay_out(binary.line, data.path(), &log);
        let mut server =
            Running::start(binary, data.path(), &[("appendonly", "yes")]).expect("it loads");
        let mut compared = 0;
        for entry in keyspace.db(0).entries() {
            let Value::Stream(stream) = &entry.value else { continue };
            let theirs = server.client.call(&[&b"XINFO"[..], b"STREAM", entry.key()]);
            let theirs: BTreeMap<String, String> = (theirs.array().chunks(2).take(13))
                .filter(|pair| !pair[0].text().contains("entry"))
                .map(|pair| (pair[0].text(), format!("{:?}", pair[1])))
                .collect();
            let number = |name: &str| {
                let text = theirs.get(name).unwrap_or_else(|| panic!("{name} of {theirs:?}"));
                text.chars().filter(char::is_ascii_digit).collect::<String>()
            };
            let default = aofkit::keyspace::stream::Idmp::default();
            let idmp = stream.idmp().unwrap_or(&default);
            let config = idmp.config();
            let ids: usize = idmp.producers().map(|(_, producer)| producer.ids().len()).sum();
            for (name, ours) in [
                ("length", stream.len() as u64),
                ("entries-added", stream.entries_added()),
                ("idmp-duration", config.duration),
                ("idmp-maxsize", config.max_entries),
                ("pids-tracked", idmp.producers().len() as u64),
                ("iids-tracked", ids as u64),
                ("iids-added", config.iids_added),
                ("iids-duplicates", config.duplicates),
            ] {
                assert_eq!(
                    ours.to_string(),
                    number(name),
                    "{name} of {:?}, seed {seed}",
                    entry.key()
                );
            }
            compared += 1;
        }
        assert!(compared > 0, "there are streams");
    }
}

/// Times are recent, so that the server forgets nothing after loading.
fn produced(random: &mut Random, now_ms: u64, number: u64) -> Args {
    let key = random.pick(&["s", "t", "u"]);
    let (pid, iid) = (random.pick(&["p", "q", "\u{e9}"]), random.below(20));
    let id = if random.once_in(20) { "1-1".to_string() } else { format!("{now_ms}-{number}") };
    let producer = match random.below(8) {
        0..=3 => format!("IDMP {pid} i{iid}"),
        4..=5 => format!("idmpauto {pid}"),
        6 => format!("MAXLEN 30 IDMP {pid} i{iid}"),
        _ => format!("NOMKSTREAM IDMP {pid} i{iid} KEEPREF"),
    };
    let fields = match random.below(3) {
        0 => format!("f {iid}"),
        1 => format!("f {iid} g x"),
        _ => format!("g x f {iid}"),
    };
    let size = 1 + random.below(12);
    args(&match random.below(40) {
        0..=27 => format!("XADD {key} {producer} {id} {fields}"),
        28..=29 => format!("XADD {key} {id} {fields}"),
        30 => format!("XCFGSET {key} IDMP-MAXSIZE {size}"),
        31 => format!("XCFGSET {key} IDMP-DURATION {} IDMP-MAXSIZE 8", 86_000 + size),
        32 => format!("XCFGSET {key} IDMP-MAXSIZE {}", random.pick(&["0", "x", "10001", "8 8"])),
        33..=34 => {
            format!("XIDMPRECORD {key} {pid} i{iid} {now_ms}-{}", number.saturating_sub(size))
        }
        35 => format!("XDEL {key} {now_ms}-{}", number.saturating_sub(size)),
        36 => format!("COPY {key} {} REPLACE", random.pick(&["s", "u"])),
        37 => format!("RENAME {key} t"),
        38 => format!("XTRIM {key} MAXLEN {}", 20 + size),
        _ => format!("XADD {key} IDMP {pid} i{iid} IDMPAUTO {pid} {id} f v"),
    })
}
