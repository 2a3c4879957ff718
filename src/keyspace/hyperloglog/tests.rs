//! Tests of `hyperloglog`.

use super::*;

const RULES: Rules = Rules { sparse_max_bytes: 3000, nothing_behind_the_last: true };

/// Builds a HyperLogLog with these sparse registers and an out-of-date count.
fn sparse(registers: &[u8]) -> Vec<u8> {
    let mut bytes = empty()[..HEADER].to_vec();
    forget_count(&mut bytes);
    bytes.extend_from_slice(registers);
    bytes
}

fn raised(registers: &[u8], register: usize, value: u8) -> Vec<u8> {
    let mut bytes = sparse(registers);
    assert_eq!(raise(&mut bytes, register, value, RULES), Ok(true));
    bytes[HEADER..].to_vec()
}

#[test]
fn an_opcode_is_split_around_the_register() {
    // All zeros: in the middle, at both ends.
    assert_eq!(raised(&[0x7f, 0xff], 64, 1), [0x3f, 0x80, 0x7f, 0xbe]);
    assert_eq!(raised(&[0x7f, 0xff], 65, 1), [0x40, 0x40, 0x80, 0x7f, 0xbd]);
    assert_eq!(raised(&[0x7f, 0xff], 0, 32), [0xfc, 0x7f, 0xfe]);
    assert_eq!(raised(&[0x7f, 0xff], 16383, 2), [0x7f, 0xfe, 0x84]);
    // One zero register becomes a value in place.
    assert_eq!(raised(&[0x00, 0x7f, 0xfe], 0, 3), [0x88, 0x7f, 0xfe]);
    // Four registers with 2: the third becomes 5.
    assert_eq!(raised(&[0x87, 0x7f, 0xfb], 2, 5), [0x85, 0x90, 0x84, 0x7f, 0xfb]);
}

#[test]
fn at_most_four_equal_values_are_joined() {
    // Register 1 becomes 1 between two ones.
    assert_eq!(raised(&[0x80, 0x00, 0x80, 0x7f, 0xfc], 1, 1), [0x82, 0x7f, 0xfc]);
    // Three and one are joined, and one more is not.
    assert_eq!(raised(&[0x82, 0x00, 0x80, 0x7f, 0xfa], 3, 1), [0x83, 0x80, 0x7f, 0xfa]);
}

#[test]
fn sparse_registers_become_dense_when_they_do_not_fit() {
    let mut bytes = sparse(&[0x7f, 0xff]);
    assert_eq!(raise(&mut bytes, 7, 33, RULES), Ok(true));
    assert_eq!((encoding(&bytes), bytes.len()), (Some(Encoding::Dense), 12304));
    assert_eq!(dense(&bytes[HEADER..], 7), 33);

    let tight = Rules { sparse_max_bytes: 20, ..RULES };
    let mut bytes = sparse(&[0x7f, 0xff]);
    assert_eq!(raise(&mut bytes, 0, 1, tight), Ok(true));
    assert_eq!(bytes.len(), 19, "one byte more fits");
    assert_eq!(raise(&mut bytes, 8000, 1, tight), Ok(true));
    assert_eq!(encoding(&bytes), Some(Encoding::Dense), "three more do not");
}

/// Each register next to its neighbours, both where its six bits span two bytes and where they do
/// not.
#[test]
fn dense_registers_do_not_affect_each_other() {
    let mut registers = vec![0; REGISTERS * 6 / 8];
    for (at, value) in [(0, 63), (1, 1), (2, 62), (3, 63), (16382, 51), (16383, 50)] {
        assert!(raise_dense(&mut registers, at, value));
        assert!(!raise_dense(&mut registers, at, value));
    }
    let read: Vec<u8> = (0..5).chain(16381..16384).map(|at| dense(&registers, at)).collect();
    assert_eq!(read, [63, 1, 62, 63, 0, 0, 51, 50]);
    // 63 | 1 << 6 | 62 << 12 | 63 << 18, lowest byte first.
    assert_eq!(registers[..3], [0x7f, 0xe0, 0xff]);
}

/// Linear counting: with one register in use, 16384 ln(16384 / 16383) is 1.00003.
#[test]
fn few_elements_are_counted_exactly() {
    let mut bytes = empty();
    store_count(&mut bytes).expect("it is sound");
    assert_eq!(bytes[8..], [0, 0, 0, 0, 0, 0, 0, 0, 0x7f, 0xff]);
    for (number, element) in (1..).zip([b"a", b"b", b"c"]) {
        assert_eq!(add(&mut bytes, element, RULES), Ok(true));
        assert_eq!(add(&mut bytes, element, RULES), Ok(false));
        assert!(!is_counted(&bytes));
        store_count(&mut bytes).expect("it is sound");
        assert!(is_counted(&bytes));
        assert_eq!(bytes[8..16], u64::to_le_bytes(number));
    }
}

/// No hash produces registers of 52 and more. If all are such, the estimate is infinite, and the
/// servers' conversion sets the bit that marks the count as out of date (observed on all four).
#[test]
fn impossible_registers_are_counted_as_servers_do() {
    let mut bytes = vec![0xff; DENSE_SIZE];
    bytes[..HEADER].copy_from_slice(&empty()[..HEADER]);
    bytes[4] = 0;
    store_count(&mut bytes).expect("dense registers are never corrupt");
    assert_eq!(bytes[8..16], [0, 0, 0, 0, 0, 0, 0, 0x80]);
}

#[test]
fn corrupt_registers_are_reported_and_not_changed() {
    let cases: [(&[u8], &str); 6] = [
        (&[], "nothing"),
        (&[0x7f, 0xfe], "one too few"),
        (&[0x7f, 0xff, 0x00], "one too many"),
        (&[0x7f, 0xff, 0x80], "a value too many"),
        (&[0x7f, 0xfe, 0x83], "a value that reaches too far"),
        (&[0x40; 3], "cut off, and too few"),
    ];
    for (registers, name) in cases {
        let before = sparse(registers);
        let mut bytes = before.clone();
        assert_eq!(store_count(&mut bytes), Err(Corrupt::Told), "{name}");
        assert_eq!(make_dense(&mut bytes, RULES), Err(Corrupt::Told), "{name}");
        assert_eq!(Union::default().add(&bytes, RULES), Err(Corrupt::Told), "{name}");
        assert_eq!(bytes, before, "{name}");
    }
    let mut bytes = sparse(&[0x40]);
    assert_eq!(raise(&mut bytes, 1, 1, RULES), Err(Corrupt::Told), "no opcode covers it");
    assert_eq!(raise(&mut bytes, 0, 1, RULES), Err(Corrupt::BehindTheEnd));
    assert_eq!(bytes, sparse(&[0x40]));
}

/// Redis 6.2 ignores a value after the last register, except when counting.
#[test]
fn old_rules_ignore_values_after_the_last_register() {
    let old = Rules { nothing_behind_the_last: false, ..RULES };
    let mut bytes = sparse(&[0x7f, 0xff, 0x80]);
    assert_eq!(store_count(&mut bytes), Err(Corrupt::Told));
    assert_eq!(make_dense(&mut bytes, old), Ok(true));
    assert_eq!(make_dense(&mut sparse(&[0x7f, 0xff, 0x00]), old), Err(Corrupt::Told));
    assert_eq!(make_dense(&mut sparse(&[0x7f, 0xfe, 0x83]), old), Err(Corrupt::Told));
}

#[test]
fn only_strings_with_a_valid_header_are_accepted() {
    let dense = |len: usize| {
        let mut bytes = empty()[..HEADER].to_vec();
        bytes[4] = 0;
        bytes.resize(len, 0);
        bytes
    };
    assert_eq!(encoding(&dense(12304)), Some(Encoding::Dense));
    assert_eq!(encoding(&dense(12305)), None);
    assert_eq!(encoding(&dense(16)), None);
    assert_eq!(encoding(&empty()[..HEADER]), Some(Encoding::Sparse));
    assert_eq!(encoding(&empty()[..HEADER - 1]), None);
    assert_eq!(encoding(b"HYLX\x01\0\0\0\0\0\0\0\0\0\0\0"), None);
    assert_eq!(encoding(b"HYLL\x02\0\0\0\0\0\0\0\0\0\0\0"), None);
}
