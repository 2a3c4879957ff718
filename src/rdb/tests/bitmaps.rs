//! Bitmaps: each kind of container, and what breaks the format of Roaring sets.

use super::*;

/// A set of 64-bit numbers: the high half of each part, and the set of its low halves.
fn of_parts(parts: &[(u32, Vec<u8>)]) -> Vec<u8> {
    let sets = parts.iter().map(|(high, set)| [&high.to_le_bytes()[..], set].concat());
    [&(parts.len() as u64).to_le_bytes()[..], &sets.collect::<Vec<_>>().concat()].concat()
}

fn heads<T>(containers: &[(u16, usize, T)]) -> Vec<u8> {
    let head = |(high, numbers, _): &(u16, usize, T)| {
        let more = u16::try_from(numbers - 1).unwrap();
        [high.to_le_bytes(), more.to_le_bytes()].concat()
    };
    containers.iter().flat_map(head).collect()
}

/// A set without runs: the high half of each container, its declared numbers, and its bytes.
fn without_runs(containers: &[(u16, usize, Vec<u8>)]) -> Vec<u8> {
    let count = u32::try_from(containers.len()).unwrap().to_le_bytes();
    let offsets = vec![0; containers.len() * 4];
    let bytes: Vec<u8> = containers.iter().flat_map(|(.., bytes)| bytes.clone()).collect();
    [&12346_u32.to_le_bytes()[..], &count, &heads(containers), &offsets, &bytes].concat()
}

/// A set of at most 8 containers, each of one run: the high half, the declared numbers, and the first and the number of
/// those after it.
fn of_runs(containers: &[(u16, usize, [u16; 2])]) -> Vec<u8> {
    let count = u32::try_from(containers.len()).unwrap();
    let flags = u8::try_from((1_u32 << count) - 1).unwrap();
    let offsets = vec![0; if count >= 4 { containers.len() * 4 } else { 0 }];
    let runs = containers.iter().flat_map(|(.., [first, more])| numbers(&[1, *first, *more]));
    let runs: Vec<u8> = runs.collect();
    let cookie = (12347 | (count - 1) << 16).to_le_bytes();
    [&cookie[..], &[flags], &heads(containers), &offsets, &runs].concat()
}

fn numbers(numbers: &[u16]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_le_bytes()).collect()
}

fn bitmap(len: u64, set: &[u8]) -> Vec<u8> {
    [length(len), string(set)].concat()
}

/// The bytes of a string of `len` bytes with these bits, as the visitor shows them.
fn expected(len: usize, bits: impl IntoIterator<Item = usize>) -> [String; 1] {
    let mut bytes = vec![0_u8; len];
    for bit in bits {
        bytes[bit / 8] |= 0x80 >> (bit % 8);
    }
    [bytes.escape_ascii().to_string()]
}

fn read(len: u64, set: &[u8]) -> Vec<String> {
    value("REDIS0017", 33, bitmap(len, set))
}

fn refused(set: &[u8]) {
    value_damage("REDIS0017", 33, bitmap(65536, set));
}

#[test]
fn lists_hold_up_to_4096_numbers() {
    let every_second: Vec<u16> = (0..4096).map(|number| number * 2 + 1).collect();
    let set = without_runs(&[(0, 4096, numbers(&every_second))]);
    let bits = every_second.iter().map(|bit| usize::from(*bit));
    assert_eq!(read(1024, &of_parts(&[(0, set)])), expected(1024, bits));
}

#[test]
fn larger_containers_hold_the_lowest_bit_first() {
    let mut bits = vec![0; 8192];
    bits[..1000].fill(0b0110_1101);
    let set = without_runs(&[(0, 5000, bits)]);
    let of_byte = |byte: usize| [0, 2, 3, 5, 6].map(|bit| byte * 8 + bit);
    assert_eq!(read(1000, &of_parts(&[(0, set)])), expected(1000, (0..1000).flat_map(of_byte)));
}

#[test]
fn sets_with_runs_have_offsets_from_four_containers_on() {
    for count in [1, 3, 4, 5] {
        let containers: Vec<_> = (0..count).map(|high| (high, 3, [8 + high, 2])).collect();
        let bits = (0..usize::from(count)).flat_map(|high| {
            let first = (high << 16) + 8 + high;
            first..first + 3
        });
        let read = read(65536, &of_parts(&[(0, of_runs(&containers))]));
        assert_eq!(read, expected(65536, bits), "{count} containers");
    }
}

#[test]
fn sets_that_break_an_order_or_a_count_are_reported() {
    let list = |list: &[u16]| without_runs(&[(0, list.len(), numbers(list))]);
    read(65536, &of_parts(&[(0, list(&[7, 9]))]));
    refused(&of_parts(&[(0, list(&[9, 7]))]));
    refused(&of_parts(&[(0, list(&[7, 7]))]));
    refused(&of_parts(&[(0, list(&[7])), (0, list(&[9]))]));
    let containers = |second| without_runs(&[(1, 1, numbers(&[7])), (second, 1, numbers(&[9]))]);
    read(65536, &of_parts(&[(0, containers(2))]));
    refused(&of_parts(&[(0, containers(1))]));
    refused(&of_parts(&[(0, containers(0))]));
    refused(&of_parts(&[(0, of_runs(&[(0, 4, [8, 2])]))]));
    refused(&of_parts(&[(0, of_runs(&[(0, 3, [65534, 2])]))]));
}

#[test]
fn bits_beyond_the_longest_string_are_reported() {
    // Bit 2^32 + 3 is in the byte after 512 MiB.
    refused(&of_parts(&[(1, without_runs(&[(0, 1, numbers(&[3]))]))]));
    value_damage("REDIS0017", 33, bitmap((512 << 20) + 1, &of_parts(&[])));
}
