//! Strings.

use libtest_mimic::Trial;

use crate::support::{Args, Binary, FAMILIES, Random, differential, on_each};

pub(crate) fn trials() -> Vec<Trial> {
    let trials = [
        on_each(
            &FAMILIES,
            "apply::string::random_commands_agree_with_the_server",
            random_sequences,
        ),
        on_each(&FAMILIES, "apply::string::random_floats_agree_with_the_server", random_floats),
    ];
    trials.into_iter().flatten().collect()
}

const KEYS: [&str; 5] = ["a", "b", "c", "d", "e"];

/// A Unix time in milliseconds in the year 2100. A server would remove keys that have expired.
const LATER_MS: i64 = 4_102_444_800_000;

/// Returns the number of sequences: `AOFKIT_SEQUENCES`, or `default`.
pub(super) fn sequences(default: u64) -> u64 {
    let number = std::env::var("AOFKIT_SEQUENCES").ok();
    number.map_or(default, |number| number.parse().expect("a number"))
}

/// Compares sequences of 200 supported commands, with the data after every `interval` commands.
pub(super) fn run(
    binary: &Binary,
    default: u64,
    interval: usize,
    command: fn(&mut Random) -> Args,
) {
    run_if(binary, default, interval, command, |_| true);
}

/// Like [`run`], without the commands for which `wanted` is false.
pub(super) fn run_if(
    binary: &Binary,
    default: u64,
    interval: usize,
    command: fn(&mut Random) -> Args,
    wanted: impl Fn(&Args) -> bool,
) {
    let data = tempfile::tempdir().expect("a directory");
    let mut server = differential::start(binary, data.path());
    for seed in 0..sequences(default) {
        let mut random = Random::new(seed);
        let commands = std::iter::repeat_with(|| command(&mut random));
        let commands: Vec<Args> = (commands
            .filter(|args| differential::is_supported(binary, args)))
        .filter(&wanted)
        .take(200)
        .collect();
        differential::compare(&mut server, binary, &commands, interval);
    }
}

fn random_sequences(binary: &Binary) {
    run(binary, 150, 20, command);
}

/// Returns a command of these arguments.
pub(super) fn list(parts: &[&[u8]]) -> Args {
    parts.iter().map(|part| part.to_vec()).collect()
}

/// Returns a value: a short text from a small selection, a number near a limit, bytes, or an empty value.
pub(super) fn value(random: &mut Random) -> Vec<u8> {
    const NUMBERS: [&str; 15] = [
        "0",
        "1",
        "-1",
        "10",
        "007",
        "-0",
        "+1",
        " 1",
        "1.5",
        "9223372036854775807",
        "9223372036854775806",
        "-9223372036854775808",
        "-9223372036854775807",
        "9223372036854775808",
        "1e3",
    ];
    match random.below(8) {
        0 => Vec::new(),
        1 => vec![0, 255, b'\r', b'\n', b'x'],
        2 => vec![b'y'; 40 + usize::try_from(random.below(1000)).expect("small")],
        3 | 4 => random.pick(&NUMBERS).as_bytes().to_vec(),
        5 => random.pick(&["x", "y"]).as_bytes().to_vec(),
        _ => (random.below(200).cast_signed() - 100).to_string().into_bytes(),
    }
}

fn number(random: &mut Random) -> Vec<u8> {
    const NUMBERS: [&str; 9] = [
        "9223372036854775807",
        "-9223372036854775808",
        "9223372036854775808",
        "-9223372036854775807",
        "0",
        "-0",
        "01",
        "x",
        "",
    ];
    if random.once_in(3) {
        random.pick(&NUMBERS).as_bytes().to_vec()
    } else {
        (random.below(20).cast_signed() - 10).to_string().into_bytes()
    }
}

/// Appends an option that sets or retains an expiry, and its time if it has one. Relative times are always invalid,
/// because the result would depend on the clock.
fn expiry(random: &mut Random, into: &mut Args) {
    let bad = ["0", "-1", "x", "", "9223372036854775808", "01"];
    let option = random.pick(&["EX", "px", "EXAT", "PXAT", "PXAT", "pxat", "KEEPTTL", "PERSIST"]);
    into.push(option.as_bytes().to_vec());
    let later = LATER_MS + random.below(1000).cast_signed() * 1000;
    let time = match option.to_ascii_uppercase().as_str() {
        "KEEPTTL" | "PERSIST" => return,
        "EX" | "PX" => random.pick(&bad).to_string(),
        _ if random.once_in(6) => random.pick(&bad[..4]).to_string(),
        "EXAT" => (later / 1000).to_string(),
        _ => later.to_string(),
    };
    into.push(time.into_bytes());
}

fn options(random: &mut Random, into: &mut Args) {
    for _ in 0..random.below(4) {
        match random.below(6) {
            0..3 => expiry(random, into),
            3 | 4 => into
                .push(random.pick(&["NX", "xx", "GET", "get", "XX", "nope"]).as_bytes().to_vec()),
            _ => {
                into.push(b"IFEQ".to_vec());
                into.push(value(random));
            }
        }
    }
    if random.once_in(40) {
        into.push(b"PXAT".to_vec());
    }
}

fn pairs(random: &mut Random, into: &mut Args) {
    for _ in 0..=random.below(3) {
        into.push(random.pick(&KEYS).as_bytes().to_vec());
        into.push(value(random));
    }
}

/// Returns a command that makes the key a string or a list, or removes it.
pub(super) fn bystander(random: &mut Random, key: &[u8]) -> Args {
    match random.below(5) {
        0 => list(&[b"SET", key, &value(random)]),
        1 => list(&[b"SET", key, b"w", b"PXAT", b"4102444800000"]),
        2 => list(&[b"DEL", key]),
        3 => list(&[b"GETDEL", key]),
        _ => list(&[b"RPUSH", key, b"x"]),
    }
}

pub(super) fn command(random: &mut Random) -> Args {
    let name = random.pick(&[
        "SET",
        "SET",
        "SET",
        "SETNX",
        "SETEX",
        "PSETEX",
        "GETSET",
        "GETDEL",
        "GETEX",
        "GETEX",
        "MSET",
        "MSETNX",
        "MSETEX",
        "MSETEX",
        "DELIFEQ",
        "APPEND",
        "APPEND",
        "SETRANGE",
        "SETRANGE",
        "INCR",
        "INCR",
        "DECR",
        "INCRBY",
        "INCRBY",
        "DECRBY",
        "DECRBY",
        "incr",
        "INCRBYFLOAT",
    ]);
    let key = random.pick(&KEYS).as_bytes();
    if random.once_in(30) {
        return bystander(random, key);
    }
    let mut args = list(&[name.as_bytes()]);
    match name {
        "MSET" | "MSETNX" => {
            pairs(random, &mut args);
            if random.once_in(20) {
                args.push(b"odd".to_vec());
            }
            return args;
        }
        "MSETEX" => {
            args.push(Vec::new());
            pairs(random, &mut args);
            let count = ((args.len() - 2) / 2).to_string();
            let count = if random.once_in(15) {
                random.pick(&["0", "-1", "1", "3", "x", "99999999999"]).to_string()
            } else {
                count
            };
            args[1] = count.into_bytes();
            options(random, &mut args);
            return args;
        }
        _ => args.push(key.to_vec()),
    }
    match name {
        "SET" => {
            args.push(value(random));
            if !random.once_in(4) {
                options(random, &mut args);
            }
        }
        "GETEX" => {
            if random.once_in(8) {
                options(random, &mut args);
            } else if !random.once_in(8) {
                expiry(random, &mut args);
            }
        }
        "SETEX" | "PSETEX" => {
            args.push(
                random.pick(&["0", "-1", "x", "", "9223372036854775808"]).as_bytes().to_vec(),
            );
            args.push(value(random));
        }
        "SETNX" | "GETSET" | "DELIFEQ" | "APPEND" => args.push(value(random)),
        "INCRBY" | "DECRBY" => args.push(number(random)),
        "INCRBYFLOAT" => args.push(float(random)),
        "SETRANGE" => {
            let start = random.pick(&["0", "1", "5", "30", "2000", "-1", "x"]).as_bytes();
            args.push(start.to_vec());
            args.push(value(random));
        }
        _ => {}
    }
    args
}

fn random_floats(binary: &Binary) {
    run(binary, 10, 1, |random| {
        let key = random.pick(&["a", "b"]).as_bytes();
        match random.below(4) {
            0 => list(&[b"SET", key, &float(random)]),
            1 => list(&[b"GETDEL", key]),
            _ => list(&[b"INCRBYFLOAT", key, &float(random)]),
        }
    });
}

/// Returns a text that is a floating-point number or resembles one.
fn float(random: &mut Random) -> Vec<u8> {
    let digits = |random: &mut Random, most: u64, radix: u64| -> String {
        let count = random.below(most + 1);
        let digit = |random: &mut Random| {
            let digit = u32::try_from(random.below(radix)).expect("a digit");
            std::char::from_digit(digit, 16).expect("a digit")
        };
        (0..count).map(|_| digit(random)).collect()
    };
    let sign = random.pick(&["", "", "-", "+"]);
    let text = match random.below(12) {
        0 => random
            .pick(&[
                "",
                " 1",
                "1 ",
                "inf",
                "-Infinity",
                "nan",
                ".",
                "1e",
                "0x",
                "0x1p",
                "--1",
                "-0",
            ])
            .to_string(),
        1 => format!(
            "{sign}0x{}.{}p{}{}",
            digits(random, 20, 16),
            digits(random, 20, 16),
            random.pick(&["", "-", "+"]),
            random.below(120)
        ),
        2 => format!(
            "{sign}{}e{}{}",
            digits(random, 30, 10),
            random.pick(&["", "-", "+"]),
            random.below(5000)
        ),
        3 => format!("{sign}{}.{}", digits(random, 40, 10), digits(random, 40, 10)),
        // Half-way between two numbers, or close to it.
        4 if random.once_in(2) => {
            let off = 1 + random.below(50);
            let half = u128::from(random.next() | 1 << 63) << off | 1 << (off - 1);
            format!("{sign}{}", half + u128::from(random.below(2)) - u128::from(random.below(2)))
        }
        4 => (1_u128 << (60 + random.below(60)))
            .wrapping_add(u128::from(random.below(1 << 20)))
            .to_string(),
        5 => format!("{sign}0x1p-{}", 16_300 + random.below(160)),
        6 => format!("{sign}0x{}p{}", digits(random, 17, 16), 16_200 + random.below(190)),
        7 => format!("{sign}{}", random.next()),
        8 => format!("{sign}{}", random.below(100)),
        _ => format!("{sign}{}.{}", random.below(1000), digits(random, 4, 10)),
    };
    text.into_bytes()
}
