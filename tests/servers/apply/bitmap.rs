//! Bitmaps.

use libtest_mimic::Trial;

use super::string::{bystander, list, run_if};
use crate::support::{Args, Binary, FAMILIES, Random, on_each};

pub(crate) fn trials() -> Vec<Trial> {
    on_each(&FAMILIES, "apply::bitmap::random_commands_agree_with_the_server", random_sequences)
}

const KEYS: [&str; 5] = ["a", "b", "c", "d", "e"];

fn random_sequences(binary: &Binary) {
    // The binary of Redis 6.2.5 does not detect the underflow of an i64: its source checks after the overflow, which is
    // undefined behaviour in C. Later 6.2 versions have the source of 7.0.
    let is_defined = binary.line.has_redis(7, 0);
    run_if(binary, 100, 20, command, |args| is_defined || !is_undefined(args));
}

fn is_undefined(args: &Args) -> bool {
    args[0] == b"BITFIELD" && args.iter().any(|arg| arg == b"i64")
}

fn command(random: &mut Random) -> Args {
    let key = random.pick(&KEYS).as_bytes();
    match random.below(12) {
        0 => bystander(random, key),
        1 => {
            let bytes: Vec<u8> =
                (0..random.below(80)).map(|_| random.next().to_le_bytes()[0]).collect();
            list(&[b"SET", key, &bytes])
        }
        2 => list(&[b"APPEND", key, &random.next().to_le_bytes()]),
        3 | 4 => {
            let bit = random.pick(&["0", "1", "0", "1", "2", "-1", "x"]).as_bytes();
            list(&[b"SETBIT", key, &offset(random), bit])
        }
        5..8 => bitop(random),
        _ => bitfield(random, key),
    }
}

fn offset(random: &mut Random) -> Vec<u8> {
    match random.below(12) {
        0 => random.pick(&["-1", "x", "", "01", "9223372036854775808"]).as_bytes().to_vec(),
        1 => random.below(5000).to_string().into_bytes(),
        _ => random.below(200).to_string().into_bytes(),
    }
}

fn bitop(random: &mut Random) -> Args {
    let name = random.pick(&["AND", "or", "XOR", "NOT", "DIFF", "diff1", "ANDOR", "ONE", "nope"]);
    let mut args = list(&[b"BITOP", name.as_bytes(), random.pick(&KEYS).as_bytes()]);
    let sources = if name == "NOT" && !random.once_in(10) { 1 } else { 1 + random.below(5) };
    for _ in 0..sources {
        args.push(random.pick(&KEYS).as_bytes().to_vec());
    }
    args
}

fn bitfield(random: &mut Random, key: &[u8]) -> Args {
    let mut args = list(&[b"BITFIELD", key]);
    for _ in 0..random.below(5) {
        if random.once_in(3) {
            args.push(b"overflow".to_vec());
            let option =
                if random.once_in(20) { "nope" } else { random.pick(&["WRAP", "sat", "FAIL"]) };
            args.push(option.as_bytes().to_vec());
        }
        let name = random.pick(&["GET", "SET", "SET", "incrby", "INCRBY"]);
        args.push(name.as_bytes().to_vec());
        let width = match random.below(4) {
            0 => *random.pick(&[&8_u64, &16, &32, &63, &64]),
            _ => 1 + random.below(64),
        };
        let sign = random.pick(&["i", "u"]);
        let width = if sign == "u" { width.min(63) } else { width };
        args.push(if random.once_in(40) {
            random.pick(&["u64", "i65", "i0", "x8", "u", "i-1", "I8", "i08"]).as_bytes().to_vec()
        } else {
            format!("{sign}{width}").into_bytes()
        });
        let offset = if random.once_in(4) {
            let count = random.pick(&["0", "1", "3", "7"]);
            // Multiplied by eight this is 2^64, whose lowest 64 bits are zero.
            let wraps = width == 8 && random.once_in(3);
            let count = if wraps { "2305843009213693952" } else { count };
            let bad = random.once_in(20);
            format!("#{}", if bad { random.pick(&["-1", "x", ""]) } else { count }).into_bytes()
        } else if random.once_in(20) {
            offset(random)
        } else {
            random.below(200).to_string().into_bytes()
        };
        args.push(offset);
        if name != "GET" {
            args.push(operand(random, width));
        }
    }
    if random.once_in(30) {
        args.push(b"GET".to_vec());
    }
    args
}

/// Returns an operand that is small or near a limit of a number of this width.
fn operand(random: &mut Random, bits: u64) -> Vec<u8> {
    let limit = 1_i128 << (bits - random.below(2).min(bits - 1));
    let near = i128::from(random.below(5)) - 2;
    let number = match random.below(6) {
        0 => limit + near,
        1 => -limit + near,
        2 => i128::from(random.next().cast_signed()),
        3 => i128::from(*random.pick(&[&i64::MAX, &i64::MIN])),
        _ => near,
    };
    let clamped = number.clamp(i128::from(i64::MIN), i128::from(i64::MAX));
    if random.once_in(40) { b"x".to_vec() } else { clamped.to_string().into_bytes() }
}
