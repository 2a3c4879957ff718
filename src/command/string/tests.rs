//! Tests of `string`.

use super::testing::Trying;
use crate::base::server::{redis, valkey};
use crate::command::apply::Unapplied;
use crate::keyspace::{Bump, StringValue, Value};

const INVALID: Unapplied = Unapplied::Failed("ERR invalid expire time in 'set' command");

#[test]
fn relative_times_are_based_on_the_command_and_counted() {
    let arena = Bump::new();
    let mut trying = Trying::new(valkey(9, 1), &arena);
    trying.now_ms = 5_000;
    for (line, expires_ms) in [
        ("SET k v EX 10", 15_000),
        ("SET k v px 10", 5_010),
        ("SETEX k 10 v", 15_000),
        ("PSETEX k 10 v", 5_010),
        ("GETEX k EX 7", 12_000),
        ("GETEX k PX 7", 5_007),
        ("MSETEX 1 k v EX 3", 8_000),
    ] {
        let noted = trying.warnings.relative_times;
        assert_eq!(trying.run(line), Ok(()), "{line}");
        assert_eq!(trying.expires_ms("k"), Some(expires_ms), "{line}");
        assert_eq!(trying.warnings.relative_times, noted + 1, "{line}");
    }
    for (line, expires_ms) in [
        ("SET k v EXAT 10", Some(10_000)),
        ("SET k v PXAT 10", Some(10)),
        ("SET k v KEEPTTL", Some(10)),
        ("INCR n", None),
        ("SET k v", None),
    ] {
        assert_eq!(trying.run(line), Ok(()), "{line}");
        assert_eq!(
            trying.expires_ms(if line == "INCR n" { "n" } else { "k" }),
            expires_ms,
            "{line}"
        );
    }
    assert_eq!(trying.warnings.relative_times, 7);
}

#[test]
fn times_that_overflow_are_refused_since_redis_6_2() {
    let lines = [
        ("SET k v EX 9223372036854775807", false),
        ("SET k v EX 9223372036854775", false),
        ("SET k v PX 9223372036854775807", false),
        ("SET k v PX 9223372036854774807", true),
    ];
    let arena = Bump::new();
    for (line, fits) in lines {
        let mut trying = Trying::new(redis(6, 2), &arena);
        trying.now_ms = 1_000;
        assert_eq!(trying.run(line), if fits { Ok(()) } else { Err(INVALID) }, "{line}");
        assert_eq!(trying.bytes("k").is_some(), fits, "{line}");
        trying.server = redis(6, 0);
        assert_eq!(trying.run(line), Ok(()), "{line}");
        assert_eq!(trying.run("SET k v EX 0"), Err(INVALID));
    }
}

/// Nothing expires while a log is loaded.
#[test]
fn a_time_in_the_past_is_set_like_any_other() {
    let arena = Bump::new();
    let mut trying = Trying::new(redis(8, 2), &arena);
    trying.now_ms = 5_000;
    for line in ["SET n 1 PXAT 1", "INCR n", "APPEND n 0", "SETRANGE n 0 3", "SETBIT n 7 1"] {
        assert_eq!(trying.run(line), Ok(()), "{line}");
        assert_eq!(trying.expires_ms("n"), Some(1), "{line}");
    }
    assert_eq!(trying.bytes("n").as_deref(), Some(&b"30"[..]));
    assert_eq!(trying.run("GETEX n PXAT 2"), Ok(()));
    assert_eq!(trying.expires_ms("n"), Some(2));
    assert_eq!(trying.run("GETSET n x"), Ok(()));
    assert_eq!(trying.expires_ms("n"), None);
}

#[test]
fn options_are_known_since_their_version() {
    let arena = Bump::new();
    for (line, before, since) in [
        ("SET k v KEEPTTL", redis(5, 0), redis(6, 0)),
        ("SET k v GET", redis(6, 0), redis(6, 2)),
        ("SET k v PXAT 1", redis(6, 0), redis(6, 2)),
        ("SET k v EXAT 1", redis(6, 0), redis(6, 2)),
        ("SET k v NX GET", redis(6, 2), redis(7, 0)),
        ("SET k v GET NX", redis(6, 2), valkey(7, 2)),
        ("SET k v IFEQ v", valkey(8, 0), valkey(8, 1)),
        ("SET k v IFEQ v", redis(8, 2), redis(8, 4)),
        ("SET k v IFNE v", redis(8, 2), redis(8, 4)),
        ("SET k v IFDEQ 0123456789abcdef", redis(8, 2), redis(8, 4)),
        ("SET k v IFDNE 0123456789ABCDEF", redis(8, 2), redis(8, 4)),
    ] {
        assert_eq!(Trying::new(before, &arena).run(line), Err(Unapplied::SYNTAX), "{line}");
        assert_eq!(Trying::new(since, &arena).run(line), Ok(()), "{line}");
    }
    assert_eq!(Trying::new(valkey(9, 1), &arena).run("SET k v IFNE v"), Err(Unapplied::SYNTAX));
    assert_eq!(Trying::new(redis(8, 4), &arena).run("SET k v IF"), Err(Unapplied::SYNTAX));
}

#[test]
fn a_key_of_another_type_is_unchanged() {
    let arena = Bump::new();
    let mut trying = Trying::new(valkey(9, 1), &arena);
    trying.make_list("l");
    for line in [
        "APPEND l x",
        "INCR l",
        "DECR l",
        "INCRBY l 2",
        "DECRBY l 2",
        "INCRBYFLOAT l 1",
        "GETDEL l",
        "GETEX l",
        "GETEX l PERSIST",
        "GETEX l PXAT 1",
        "GETSET l x",
        "SETRANGE l 0 x",
        "DELIFEQ l x",
        "SETRANGE l 536870912 x",
        "SET l x GET",
        "SET l x NX GET",
        "SET l x XX GET",
        "SET l x IFEQ x",
        "SETBIT l 0 1",
        "BITFIELD l",
        "BITFIELD l GET u8 0",
        "BITFIELD l SET u8 0 1",
        "BITOP NOT d l",
        "PFADD l",
        "PFADD l x",
        "PFCOUNT l",
        "PFCOUNT l n",
        "PFMERGE l",
        "PFMERGE d l",
        "PFDEBUG GETREG l",
    ] {
        assert_eq!(trying.run(line), Err(Unapplied::WRONG_TYPE), "{line}");
        assert!(matches!(trying.value("l"), Some(Value::List(_))), "{line}");
        assert!(trying.value("d").is_none(), "{line}");
    }
    for line in ["SET l x NX", "SETNX l x", "MSETNX a 1 l 2", "MSETEX 2 a 1 l 2 NX"] {
        assert_eq!(trying.run(line), Ok(()), "{line}");
        assert!(matches!(trying.value("l"), Some(Value::List(_))), "{line}");
        assert_eq!(trying.bytes("a"), None, "{line}");
    }
    for line in ["SET l x", "SETEX l 1 x", "MSET l x", "BITOP OR l s", "MSETEX 1 l x", "SET l x XX"]
    {
        trying.make_list("l");
        assert_eq!(trying.run("SET s x"), Ok(()));
        assert_eq!(trying.run(line), Ok(()), "{line}");
        assert_eq!(trying.bytes("l").as_deref(), Some(&b"x"[..]), "{line}");
    }
}

#[test]
fn only_the_keys_of_the_shard_are_set() {
    let arena = Bump::new();
    let mut trying = Trying::new(redis(7, 0), &arena);
    trying.owned = vec![b"b", b"c"];
    assert_eq!(trying.run("MSET a 1 b 2 c 3 a 4 b 5"), Ok(()));
    assert_eq!(
        ["a", "b", "c"].map(|key| trying.bytes(key)),
        [None, Some(b"5".to_vec()), Some(b"3".to_vec())]
    );
}

/// A counter allocates no memory of its own.
#[test]
fn counters_are_stored_as_numbers() {
    let arena = Bump::new();
    let mut trying = Trying::new(redis(7, 0), &arena);
    assert_eq!(trying.run("SET n 9223372036854775806"), Ok(()));
    assert_eq!(trying.run("INCR n"), Ok(()));
    assert!(matches!(trying.value("n"), Some(Value::String(StringValue::Int(i64::MAX)))));
    assert_eq!(trying.run("INCR n"), Err(Unapplied::OVERFLOW));
    assert!(matches!(trying.value("n"), Some(Value::String(StringValue::Int(i64::MAX)))));
    assert_eq!(trying.run("DECRBY m 5"), Ok(()));
    assert!(matches!(trying.value("m"), Some(Value::String(StringValue::Int(-5)))));
    assert_eq!(trying.run("APPEND m 0"), Ok(()));
    assert_eq!(trying.run("INCR m"), Ok(()));
    assert_eq!(trying.bytes("m").as_deref(), Some(&b"-49"[..]));
}

#[test]
fn negating_the_lowest_number_wraps_up_to_redis_6_2() {
    let arena = Bump::new();
    let mut trying = Trying::new(redis(6, 2), &arena);
    assert_eq!(trying.run("DECRBY n -9223372036854775808"), Ok(()));
    assert_eq!(trying.bytes("n").as_deref(), Some(&b"-9223372036854775808"[..]));
    trying.server = redis(7, 0);
    assert!(trying.run("DECRBY m -9223372036854775808").is_err());
    assert_eq!(trying.bytes("m"), None);
}

/// A few bytes of log must not allocate half a gigabyte or more of memory.
#[test]
fn strings_longer_than_the_limit_are_not_created_from_few_bytes() {
    let arena = Bump::new();
    for line in [
        "SETRANGE k 536870912 x",
        "SETRANGE k 536870911 xy",
        "SETRANGE k 9223372036854775807 x",
        "SETBIT k 4294967296 1",
        "SETBIT k 9223372036854775807 0",
        "BITFIELD k SET u8 4294967296 1",
        "BITFIELD k SET u8 #536870912 1",
        "BITFIELD k SET u8 0 1 INCRBY i64 #9223372036854775 1",
    ] {
        for (server, fails) in [(redis(6, 2), true), (redis(7, 0), false), (valkey(9, 1), false)] {
            let mut trying = Trying::new(server, &arena);
            let applied = trying.run(line);
            match applied {
                Err(Unapplied::Failed(_)) => assert!(fails, "{line}"),
                Err(Unapplied::Refused(_)) => assert!(!fails, "{line}"),
                Ok(()) => panic!("{line}"),
            }
            assert_eq!(trying.bytes("k"), None, "{line}");
        }
    }
    let mut trying = Trying::new(redis(7, 0), &arena);
    assert_eq!(trying.run("SETRANGE k 536870911 x"), Ok(()));
    let Some(Value::String(value)) = trying.value("k") else { panic!("a string") };
    assert_eq!(value.len(), 536_870_912);
}
