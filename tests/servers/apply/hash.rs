//! Hashes, and the expiry of their fields.

use std::collections::HashSet;

use aofkit::base::server::{Product, redis, valkey};
use aofkit::command::lookup;
use libtest_mimic::Trial;

use crate::support::{Args, Binary, FAMILIES, Random, args, differential, on_each};

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials =
        on_each(&FAMILIES, "apply::hash::random_commands_agree_with_the_server", random_sequences);
    let lines = [redis(8, 2), valkey(9, 1)];
    trials.extend(on_each(
        &lines,
        "apply::hash::expired_fields_are_loaded_as_by_the_server",
        passed_fields,
    ));
    trials
}

fn random_sequences(binary: &Binary) {
    let data = tempfile::tempdir().expect("a directory");
    let mut server = differential::start(binary, data.path());
    for seed in 0..200 {
        let mut random = Random::new(seed);
        let commands = std::iter::repeat_with(|| command(&mut random, &FUTURE));
        let runs = |args: &Args| differential::is_supported(binary, args) && !crashes(binary, args);
        let commands: Vec<Args> = commands.filter(runs).take(150).collect();
        differential::compare(&mut server, binary, &commands, 50);
    }
}

/// Returns whether a server of this line may crash on the command: Redis 8.6.3 fails an assertion if HSETEX names a field
/// twice, gives it an expiry, and the hash is a hash table.
fn crashes(binary: &Binary, args: &Args) -> bool {
    // The key may have this name too.
    let names = |(at, arg): &(usize, &Vec<u8>)| *at > 1 && arg.eq_ignore_ascii_case(b"FIELDS");
    let Some((at, _)) = args.iter().enumerate().find(names) else { return false };
    let mut seen = HashSet::new();
    binary.line == redis(8, 6)
        && args[0].eq_ignore_ascii_case(b"HSETEX")
        && !args.iter().skip(at + 2).step_by(2).all(|field| seen.insert(field))
}

/// Uses expiry times of which some are in the past. The server must load the commands from a log: from a client, it
/// would delete the fields at once.
fn passed_fields(binary: &Binary) {
    let redis = binary.line.product == Product::Redis;
    for seed in 0..6 {
        let mut random = Random::new(seed);
        let mut commands: Vec<Args> = Vec::new();
        for db in 0..16 {
            commands.push(args(&format!("SELECT {db}")));
            let random = std::iter::repeat_with(|| command(&mut random, &SOME_PAST));
            let loads = |args: &Args| {
                differential::is_supported(binary, args)
                    && lookup(&args[0])
                        .is_some_and(|id| id.row().arity.accepts_on(binary.line, args.len()))
            };
            commands.extend(random.filter(loads).take(150));
            // Valkey reports only fields that have not expired, so all expiry times are moved to the future.
            if !redis {
                commands.extend(["a", "b", "c", "fields"].map(later));
            }
        }
        differential::compare_loaded(binary, &commands, redis.then(differential::now_ms));
    }
}

/// Returns a command that moves the expiry of every expiring field to the future.
fn later(key: &str) -> Args {
    let numbers = (0..40).map(|number| number.to_string());
    let names: Args =
        NAMES.into_iter().map(str::to_string).chain(numbers).map(Into::into).collect();
    let count = names.len();
    let mut command = args(&format!("HPEXPIREAT {key} 4102444800000 XX FIELDS {count}"));
    command.extend(names);
    command
}

const SOME_PAST: [&str; 6] =
    ["1000000000", "1000000001", "1000000002", "4102444800", "4102444801", "4102444900"];

/// Unix times in seconds, in the year 2100.
const FUTURE: [&str; 3] = ["4102444800", "4102444801", "4102444900"];

/// Returns a command on a small or a large hash, with times from `seconds`.
fn command(random: &mut Random, seconds: &[&str]) -> Args {
    let mut command = args(match random.below(40) {
        0..=4 => "HSET K P*",
        5 => "HMSET K P*",
        6..=7 => "HSETNX K F V",
        8..=10 => "HDEL K F*",
        11..=13 => "HINCRBY K F N",
        14 => "HINCRBYFLOAT K F D",
        15..=20 => "HPEXPIREAT K T C FIELDS F#",
        21 => "HEXPIREAT K S C FIELDS F#",
        22..=24 => "HPERSIST K FIELDS F#",
        25..=30 => "HSETEX K O FIELDS P#",
        31..=33 => "HGETEX K G FIELDS F#",
        34 => "HGETDEL K FIELDS F#",
        35 => "PEXPIREAT K 4102444800000",
        36 if random.once_in(3) => "SET K V",
        37 if random.once_in(3) => "RPUSH K V",
        38 => "DEL K",
        _ => "HSET K P*",
    });
    let most = if random.once_in(10) { 40 } else { 4 };
    let count = 1 + random.below(most);
    if let Some(last) = command.pop() {
        let given = match random.below(60) {
            0 => random.pick(&["0", "-1", "x", "01", "9223372036854775807"]).to_string(),
            1 => (count + 1).to_string(),
            _ => count.to_string(),
        };
        match &last[..] {
            b"F*" => command.extend((0..count).map(|_| b"F".to_vec())),
            b"P*" => command.extend((0..count).flat_map(|_| [b"F".to_vec(), b"V".to_vec()])),
            b"F#" => {
                command.push(given.into_bytes());
                command.extend((0..count).map(|_| b"F".to_vec()));
            }
            b"P#" => {
                command.push(given.into_bytes());
                command.extend((0..count).flat_map(|_| [b"F".to_vec(), b"V".to_vec()]));
            }
            _ => command.push(last),
        }
    }
    let mut filled: Args = Vec::new();
    for arg in command {
        match &arg[..] {
            b"K" => filled.push(random.pick(&["a", "b", "c", "fields"]).into()),
            b"F" => filled.push(field(random)),
            b"V" => filled.push(value(random)),
            b"N" => filled.push(number(random)),
            b"D" => filled.push(random.pick(&DECIMALS).into()),
            b"T" => filled.push(time(random, seconds, true)),
            b"S" => filled.push(time(random, seconds, false)),
            b"C" => conditions(random, &["NX", "XX", "GT", "LT", "gt"], &mut filled),
            b"O" => {
                let before = random.once_in(2);
                let options = ["FNX", "FXX", "fxx", "NX", "XX"];
                if before {
                    conditions(random, &options, &mut filled);
                }
                expiry(random, seconds, "KEEPTTL", &mut filled);
                if !before {
                    conditions(random, &options, &mut filled);
                }
            }
            b"G" => {
                expiry(random, seconds, "PERSIST", &mut filled);
                if random.once_in(20) {
                    expiry(random, seconds, "PERSIST", &mut filled);
                }
            }
            b"FIELDS" if random.once_in(60) => {}
            _ => filled.push(arg),
        }
    }
    // Sometimes there are too many arguments.
    if random.once_in(60) {
        filled.push(field(random));
    }
    filled
}

/// Appends usually none or one of the options, rarely two.
fn conditions(random: &mut Random, options: &[&str], command: &mut Args) {
    if random.once_in(2) {
        command.push(random.pick(options).into());
        if random.once_in(6) {
            command.push(random.pick(options).into());
        }
    } else if random.once_in(60) {
        command.push(b"what".to_vec());
    }
}

/// Appends usually an expiry time, sometimes the option `single` in its place.
fn expiry(random: &mut Random, seconds: &[&str], single: &str, command: &mut Args) {
    match random.below(8) {
        0..=2 => command.extend([b"PXAT".to_vec(), time(random, seconds, true)]),
        3 => command.extend([b"exat".to_vec(), time(random, seconds, false)]),
        4 | 5 => command.push(single.into()),
        6 if random.once_in(6) => command.push(b"PXAT".to_vec()),
        _ => {}
    }
    if random.once_in(20) {
        command.push(single.into());
    }
}

/// Returns a time in seconds or milliseconds, sometimes near the maximum of Redis or of 64 bits.
fn time(random: &mut Random, seconds: &[&str], milli: bool) -> Vec<u8> {
    let limits = if milli {
        ["70368744177663", "70368744177664", "9223372036854775807"]
    } else {
        ["70368744177", "70368744178", "9223372036854775"]
    };
    match random.below(60) {
        0..=2 => random.pick(&limits).into(),
        3 => random.pick(&["9223372036854775808", "9223372036854776000", "-1", "x", ""]).into(),
        _ => format!("{}{}", random.pick(seconds), if milli { "000" } else { "" }).into_bytes(),
    }
}

const DECIMALS: [&str; 12] =
    ["0.1", "-0.5", "3", "1e3", "3.0e-5", "1e4932", "-1e4932", "inf", "nan", "x", "", " 1"];

/// Names of fields, starting with the unusual ones.
const NAMES: [&str; 9] = ["", "\0\r\n", "FIELDS", "PXAT", "f", "g", "h", "i", "j"];

fn field(random: &mut Random) -> Vec<u8> {
    match random.below(8) {
        0 => random.pick(&NAMES).into(),
        1..=6 => random.pick(&NAMES[4..]).into(),
        _ => random.below(40).to_string().into_bytes(),
    }
}

fn value(random: &mut Random) -> Vec<u8> {
    match random.below(6) {
        0 => random.pick(&["", "a\0b", " 1", "01", "-0", "1.5"]).into(),
        1 => vec![b'v'; 100],
        _ => number(random),
    }
}

fn number(random: &mut Random) -> Vec<u8> {
    match random.below(12) {
        0 => i64::MAX.to_string().into_bytes(),
        1 => i64::MIN.to_string().into_bytes(),
        2 => random.pick(&["x", "", "+1", "1.0", "9223372036854775808"]).into(),
        _ => (random.below(21).cast_signed() - 10).to_string().into_bytes(),
    }
}
