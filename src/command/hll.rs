//! HyperLogLogs, which are stored as strings.

use super::apply::{Applied, Call, Unapplied};
use super::row::{Command, KEY, KEYS, NO_KEYS, SECOND, plain, since, write};
use crate::keyspace::hyperloglog::{self, Corrupt, Encoding, Rules, Union};
use crate::keyspace::{StringValue, Value};

#[rustfmt::skip]
pub(super) const ROWS: &[Command] = &[
    write("PFADD",      -2, since(2, 8), KEY).by(pfadd),
    // It has no write flag, yet it stores the computed count in the key, and is logged in that
    // case.
    write("PFCOUNT",    -2, since(2, 8), KEYS).by(pfcount),
    // GETREG converts the key to the dense encoding, too.
    write("PFDEBUG",     3, since(2, 8), SECOND).until(since(7, 0), -3).by(pfdebug),
    write("PFMERGE",    -2, since(2, 8), KEYS).by(pfmerge),
    plain("PFSELFTEST",  1, since(2, 8), NO_KEYS),
];

const NO_HYPERLOGLOG: Unapplied =
    Unapplied::Failed("WRONGTYPE Key is not a valid HyperLogLog string value.");

impl From<Corrupt> for Unapplied {
    fn from(corrupt: Corrupt) -> Self {
        match corrupt {
            Corrupt::Told => Unapplied::Failed("INVALIDOBJ Corrupted HLL object detected"),
            Corrupt::BehindTheEnd => Unapplied::Refused("a corrupt HyperLogLog"),
        }
    }
}

fn rules(call: &Call<'_, '_>) -> Rules {
    Rules {
        sparse_max_bytes: call.context.hll_sparse_max_bytes,
        nothing_behind_the_last: call.context.server.has_redis(7, 0),
    }
}

/// Returns the string if a server accepts it as a HyperLogLog.
fn checked<'v, 'a>(value: &'v mut Value<'a>) -> Result<&'v mut StringValue<'a>, Unapplied> {
    let Value::String(value) = value else {
        return Err(Unapplied::WRONG_TYPE);
    };
    if value.with(hyperloglog::encoding).is_none() {
        return Err(NO_HYPERLOGLOG);
    }
    Ok(value)
}

fn new<'a>() -> Value<'a> {
    Value::String(StringValue::Owned(hyperloglog::empty()))
}

fn pfadd(call: &mut Call<'_, '_>) -> Applied {
    let (key, rules, elements) = (call.key(), rules(call), &call.args[2..]);
    let (entry, new) = call.db().entry(key, new);
    let bytes = checked(&mut entry.value)?.to_mut();
    if new {
        hyperloglog::forget_count(bytes);
    }
    for element in elements {
        hyperloglog::add(bytes, element, rules)?;
    }
    Ok(())
}

fn pfcount(call: &mut Call<'_, '_>) -> Applied {
    let (rules, keys) = (rules(call), &call.args[1..]);
    let db = call.db();
    if let [key] = keys {
        let Some(entry) = db.get_mut(key) else {
            return Ok(());
        };
        let value = checked(&mut entry.value)?;
        if !value.with(hyperloglog::is_counted) {
            hyperloglog::store_count(value.to_mut())?;
        }
        return Ok(());
    }
    // Several keys are counted together, which stores nothing but fails if one of them is not a
    // HyperLogLog.
    let mut union = Union::default();
    for key in keys {
        if let Some(entry) = db.get_mut(key) {
            checked(&mut entry.value)?.with(|bytes| union.add(bytes, rules))?;
        }
    }
    Ok(())
}

fn pfmerge(call: &mut Call<'_, '_>) -> Applied {
    let (key, rules, keys) = (call.key(), rules(call), &call.args[1..]);
    let db = call.db();
    // The destination is one of the sources.
    let mut union = Union::default();
    for key in keys {
        if let Some(entry) = db.get_mut(key) {
            checked(&mut entry.value)?.with(|bytes| union.add(bytes, rules))?;
        }
    }
    let (entry, _) = db.entry(key, new);
    union.store(checked(&mut entry.value)?.to_mut(), rules)?;
    Ok(())
}

fn pfdebug(call: &mut Call<'_, '_>) -> Applied {
    let rules = rules(call);
    let server = call.context.server;
    // It switches an implementation on or off, and has no key.
    if call.is(1, "SIMD") && (server.has_valkey(8, 1) || server.has_redis(8, 0)) {
        return Ok(());
    }
    let key = call.args[2];
    let named = |name: &str| call.is(1, name);
    let (dense, decode) = (named("GETREG") || named("TODENSE"), named("DECODE"));
    let known = dense || decode || named("ENCODING");
    let surplus = call.args.len() != 3;
    let Some(entry) = call.db().get_mut(key) else {
        return Err(Unapplied::Failed("ERR The specified key does not exist"));
    };
    let value = checked(&mut entry.value)?;
    let sparse = value.with(hyperloglog::encoding) == Some(Encoding::Sparse);
    if !known {
        return Err(Unapplied::Failed("ERR Unknown PFDEBUG subcommand"));
    }
    if surplus {
        return Err(Unapplied::Failed("ERR Wrong number of arguments for the subcommand"));
    }
    if decode && !sparse {
        return Err(Unapplied::Failed("ERR HLL encoding is not sparse"));
    }
    if dense && sparse {
        hyperloglog::make_dense(value.to_mut(), rules)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::string::testing::Trying;
    use super::*;
    use crate::base::server::{redis, valkey};
    use crate::keyspace::Bump;

    #[test]
    fn counting_one_key_stores_the_count_until_it_changes() {
        let arena = Bump::new();
        let mut trying = Trying::new(redis(7, 0), &arena);
        assert_eq!(trying.run("PFADD h a b c"), Ok(()));
        assert_eq!(trying.bytes("h").unwrap()[15], 0x80);
        assert_eq!(trying.run("PFCOUNT h h"), Ok(()));
        assert_eq!(trying.bytes("h").unwrap()[15], 0x80, "several are not stored");
        assert_eq!(trying.run("PFCOUNT h"), Ok(()));
        assert_eq!(trying.bytes("h").unwrap()[8..16], [3, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(trying.run("PFADD h a"), Ok(()));
        assert_eq!(trying.bytes("h").unwrap()[15], 0, "nothing changed");
        assert_eq!(trying.run("PFMERGE h"), Ok(()));
        assert_eq!(trying.bytes("h").unwrap()[15], 0x80, "a merge always forgets it");
        assert_eq!(trying.run("PFCOUNT none"), Ok(()));
        assert_eq!(trying.bytes("none"), None);
    }

    #[test]
    fn pfadd_without_elements_creates_the_key() {
        let arena = Bump::new();
        let mut trying = Trying::new(redis(7, 0), &arena);
        assert_eq!(trying.run("PFADD h"), Ok(()));
        let empty = b"HYLL\x01\0\0\0\0\0\0\0\0\0\0\x80\x7f\xff";
        assert_eq!(trying.bytes("h").as_deref(), Some(&empty[..]));
        assert_eq!(trying.run("PFMERGE m none"), Ok(()));
        assert_eq!(trying.bytes("m").as_deref(), Some(&empty[..]));
    }

    #[test]
    fn reading_registers_converts_to_dense() {
        let arena = Bump::new();
        let mut trying = Trying::new(valkey(9, 1), &arena);
        for name in ["GETREG", "todense"] {
            assert_eq!(trying.run("SET h x"), Ok(()));
            assert_eq!(trying.apply(&[b"PFDEBUG", name.as_bytes(), b"h"]), Err(NO_HYPERLOGLOG));
            assert_eq!(trying.run("GETDEL h"), Ok(()));
            assert_eq!(trying.run("PFADD h x"), Ok(()));
            assert_eq!(trying.run("PFDEBUG DECODE h"), Ok(()));
            assert_eq!(trying.apply(&[b"PFDEBUG", name.as_bytes(), b"h"]), Ok(()));
            assert_eq!(trying.bytes("h").unwrap().len(), 12304);
            assert!(trying.run("PFDEBUG DECODE h").is_err());
        }
        for line in ["PFDEBUG GETREG none", "PFDEBUG NOPE h", "PFDEBUG ENCODING h x"] {
            assert!(matches!(trying.run(line), Err(Unapplied::Failed(_))), "{line}");
        }
        assert_eq!(trying.run("PFDEBUG SIMD off"), Ok(()));
    }

    /// Any string can be set, and then be used as a HyperLogLog.
    #[test]
    fn no_string_causes_a_panic() {
        let arena = Bump::new();
        // Any sequence of bytes that are not all equal.
        let mut state = 1_u64;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            state.to_be_bytes()[0]
        };
        for round in 0..2_000_usize {
            let mut bytes = b"HYLL\x01\0\0\0\0\0\0\0\0\0\0\x80".to_vec();
            bytes.extend((0..round % 40).map(|_| next() >> (round % 3)));
            if round % 5 == 0 {
                bytes.push(0x40 | next() >> 2);
            }
            let bytes = arena.alloc_slice_copy(&bytes);
            let server = if round % 2 == 0 { redis(6, 2) } else { valkey(9, 1) };
            let mut trying = Trying::new(server, &arena);
            for line in [
                "PFADD h a b c d e f g",
                "PFCOUNT h",
                "PFMERGE d h",
                "PFMERGE h d",
                "PFDEBUG TODENSE h",
            ] {
                assert_eq!(trying.apply(&[b"SET", b"h", bytes]), Ok(()));
                let _ = trying.run(line);
            }
        }
    }
}
