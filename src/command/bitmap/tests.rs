//! Tests of `bitmap`.

use super::super::string::testing::Trying;
use crate::base::server::{redis, valkey};
use crate::command::apply::Unapplied;
use crate::keyspace::Bump;

/// Sources of 0011, 0101 and, one byte longer, 1111; the expected results were computed by hand.
#[test]
fn bit_operations_combine_corresponding_bits() {
    let arena = Bump::new();
    let mut trying = Trying::new(redis(8, 2), &arena);
    for (key, bytes) in [(&b"x"[..], &[0x03_u8][..]), (b"y", &[0x05]), (b"z", &[0x0f, 0xf0])] {
        assert_eq!(trying.apply(&[b"SET", key, bytes]), Ok(()));
    }
    for (line, bytes) in [
        ("BITOP AND d x y", vec![0x01]),
        ("BITOP AND d z x", vec![0x03, 0]),
        ("BITOP AND d x none", vec![0]),
        ("BITOP OR d x y z", vec![0x0f, 0xf0]),
        ("BITOP XOR d x y z", vec![0x09, 0xf0]),
        ("BITOP NOT d z", vec![0xf0, 0x0f]),
        ("BITOP DIFF d z x y", vec![0x08, 0xf0]),
        ("BITOP DIFF d x z", vec![0, 0]),
        ("BITOP DIFF1 d x y z", vec![0x0c, 0xf0]),
        ("BITOP ANDOR d z x y", vec![0x07, 0]),
        ("BITOP ONE d x y z", vec![0x08, 0xf0]),
        ("BITOP ONE d x x", vec![0]),
        ("bitop one d x", vec![0x03]),
    ] {
        assert_eq!(trying.run(line), Ok(()), "{line}");
        assert_eq!(trying.bytes("d"), Some(bytes), "{line}");
    }
    assert_eq!(trying.run("BITOP OR d none none"), Ok(()));
    assert_eq!(trying.bytes("d"), None, "an empty result removes the key");
    for line in ["BITOP NOT d x y", "BITOP DIFF d x", "BITOP DIFF1 d x", "BITOP ANDOR d x"] {
        assert!(matches!(trying.run(line), Err(Unapplied::Failed(_))), "{line}");
    }
    trying.server = valkey(9, 1);
    assert_eq!(trying.run("BITOP ONE d x y"), Err(Unapplied::SYNTAX));
}

#[test]
fn clearing_a_bit_extends_the_string_too() {
    let arena = Bump::new();
    let mut trying = Trying::new(redis(7, 0), &arena);
    assert_eq!(trying.run("SETBIT b 16 0"), Ok(()));
    assert_eq!(trying.bytes("b"), Some(vec![0, 0, 0]));
    assert_eq!(trying.run("SETBIT b 8 1"), Ok(()));
    assert_eq!(trying.run("SETBIT b 15 1"), Ok(()));
    assert_eq!(trying.run("SETBIT b 8 0"), Ok(()));
    assert_eq!(trying.bytes("b"), Some(vec![0, 1, 0]));
}

#[test]
fn numbers_span_bytes() {
    let arena = Bump::new();
    let mut trying = Trying::new(redis(7, 0), &arena);
    // -2 in four bits is 1110; 5 in three is 101; 64 bits from the seventh on touch nine bytes.
    assert_eq!(trying.run("BITFIELD b SET i4 6 -2 SET u3 #0 5"), Ok(()));
    assert_eq!(trying.bytes("b"), Some(vec![0b1010_0011, 0b1000_0000]));
    assert_eq!(trying.run("BITFIELD c SET i64 7 -1"), Ok(()));
    assert_eq!(trying.bytes("c"), Some(vec![1, 255, 255, 255, 255, 255, 255, 255, 254]));
}

#[test]
fn overflow_wraps_saturates_or_fails() {
    let arena = Bump::new();
    let mut trying = Trying::new(redis(7, 0), &arena);
    for (line, byte) in [
        ("BITFIELD b SET u8 0 250 INCRBY u8 0 10", 4),
        ("BITFIELD b SET u8 0 250 OVERFLOW SAT INCRBY u8 0 10", 255),
        ("BITFIELD b SET u8 0 250 OVERFLOW FAIL INCRBY u8 0 10", 250),
        ("BITFIELD b SET u8 0 250 OVERFLOW SAT INCRBY u8 0 -300", 0),
        ("BITFIELD b SET i8 0 127 INCRBY i8 0 1", 0x80),
        ("BITFIELD b SET i8 0 -100 OVERFLOW SAT INCRBY i8 0 -100", 0x80),
        ("BITFIELD b OVERFLOW FAIL SET i8 0 1 SET i8 0 128", 1),
        ("BITFIELD b OVERFLOW SAT SET u8 0 -1", 255),
        ("BITFIELD b OVERFLOW SAT SET i8 0 -1000", 0x80),
        // As on servers, the distance from the highest number overflows.
        ("BITFIELD b OVERFLOW SAT SET i8 0 -9223372036854775808", 0x7f),
    ] {
        assert_eq!(trying.run(line), Ok(()), "{line}");
        assert_eq!(trying.bytes("b"), Some(vec![byte]), "{line}");
    }
}

/// If the last operation is invalid in any way, the first is not executed.
#[test]
fn nothing_is_executed_unless_all_operations_are_valid() {
    let arena = Bump::new();
    let mut trying = Trying::new(redis(7, 0), &arena);
    for end in [
        "SET u8 0",
        "GET u8",
        "SET u64 0 1",
        "SET i65 0 1",
        "SET u0 0 1",
        "SET x8 0 1",
        "SET u8 -1 1",
        "SET u8 x 1",
        "SET u8 0 x",
        "OVERFLOW NONE",
        "OVERFLOW",
        "TURN u8 0 1",
        "SET u8 #-1 1",
        "SET u8 # 1",
        "SET u256 0 1",
    ] {
        let line = format!("BITFIELD b SET u8 0 1 {end}");
        let args: Vec<&[u8]> =
            line.split(' ').map(|arg| &*arena.alloc_slice_copy(arg.as_bytes())).collect();
        assert!(matches!(trying.apply(&args), Err(Unapplied::Failed(_))), "{line}");
        assert_eq!(trying.bytes("b"), None, "{line}");
    }
    for line in ["BITFIELD b", "BITFIELD b GET u8 100", "BITFIELD b OVERFLOW SAT"] {
        assert_eq!(trying.run(line), Ok(()), "{line}");
        assert_eq!(trying.bytes("b"), None, "{line}");
    }
}
