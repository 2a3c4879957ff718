//! The lookup of a command name in a log.
//!
//! A log of one gigabyte contains ten million names, so this lookup is critical for the speed of
//! reading a file. A name of up to 16 bytes is loaded as two little-endian 64-bit integers, padded
//! with zeros. They are multiplied by a constant to give a slot in a table, which contains the only
//! command that can match, and are compared with those of that command, ignoring case. One probe,
//! one comparison, no loop and no allocation. The constant is searched for at compile time: it is
//! the first that gives every command its own slot. The few names longer than 16 bytes are compared
//! one by one.

use crate::command::renamed::lookup_renamed;
use crate::command::table::{COUNT, CommandId, TABLE};

/// A name in the form in which it is compared: two little-endian 64-bit integers, padded with
/// zeros.
#[derive(Clone, Copy)]
struct Key {
    low: u64,
    high: u64,
    /// The bits of `low` and `high` that are compared: all except the case bit of bytes that are
    /// letters in the name.
    low_mask: u64,
    high_mask: u64,
    /// Distinguishes `SET` from `SET\0`.
    len: usize,
}

/// The longest name that fits a [`Key`].
const LONGEST: usize = 16;

/// log2 of the number of slots: enough that one constant in a few hundred gives each command its
/// own slot.
const SLOT_BITS: u32 = 14;
const SLOTS: usize = 1 << SLOT_BITS;

static KEYS: [Key; COUNT] = keys();
const MULTIPLIER: u64 = multiplier();
/// Empty slots contain command 0, which the comparison rejects.
static IDS: [u16; SLOTS] = ids();

/// Returns the command of this name, ignoring case: of a standard name, or of one that it was renamed to.
#[inline]
pub fn lookup(name: &[u8]) -> Option<CommandId> {
    standard(name).or_else(|| lookup_renamed(name))
}

#[inline]
fn standard(name: &[u8]) -> Option<CommandId> {
    let len = name.len();
    let (low, high) = match len {
        0 => return None,
        1..=3 => {
            // First, middle and last byte: for a name of one byte all the same, for two bytes the
            // last two.
            let [first, middle, last] = [name[0], name[len / 2], name[len - 1]].map(u64::from);
            let low = first | middle << (8 * (len / 2)) | last << (8 * (len - 1));
            (low, 0)
        }
        // Two overlapping loads, which agree where they overlap.
        4..=8 => (load32(name, 0) | load32(name, len - 4) << (8 * (len - 4)), 0),
        9..=LONGEST => (word64(name, 0), word64(name, len - 8) >> (8 * (16 - len))),
        _ => return long(name),
    };
    find(low, high, len)
}

/// Returns the command whose name is the first `len` bytes of `bytes`, ignoring case; `None` if
/// there are fewer bytes.
///
/// Equivalent to [`lookup`], but faster if more bytes follow the name, as in a log: with 16 bytes
/// to read, nothing depends on the length of the name.
#[inline]
pub fn lookup_prefix(bytes: &[u8], len: usize) -> Option<CommandId> {
    match bytes.first_chunk::<LONGEST>() {
        Some(chunk) if len <= LONGEST => {
            let whole = u128::from_le_bytes(*chunk);
            let [low_mask, high_mask] = MASKS[len];
            #[allow(clippy::cast_possible_truncation)] // The two halves.
            find(whole as u64 & low_mask, (whole >> 64) as u64 & high_mask, len)
                .or_else(|| lookup_renamed(&bytes[..len]))
        }
        _ => lookup(bytes.get(..len)?),
    }
}

#[inline]
fn find(low: u64, high: u64, len: usize) -> Option<CommandId> {
    let id = IDS[slot(low, high, MULTIPLIER)];
    let key = &KEYS[usize::from(id)];
    let differ = (low ^ key.low) & key.low_mask | (high ^ key.high) & key.high_mask;
    let same = differ == 0 && len == key.len;
    same.then_some(CommandId(id))
}

#[cold]
fn long(name: &[u8]) -> Option<CommandId> {
    (TABLE.iter())
        .position(|row| row.name.len() > LONGEST && row.name.as_bytes().eq_ignore_ascii_case(name))
        .and_then(|index| u16::try_from(index).ok())
        .map(CommandId)
}

#[inline]
fn load32(name: &[u8], at: usize) -> u64 {
    let mut bytes = [0; 4];
    bytes.copy_from_slice(&name[at..at + 4]);
    u64::from(u32::from_le_bytes(bytes))
}

#[inline]
fn word64(name: &[u8], at: usize) -> u64 {
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&name[at..at + 8]);
    u64::from_le_bytes(bytes)
}

/// The masks that select the first `len` bytes of the two integers.
static MASKS: [[u64; 2]; LONGEST + 1] = {
    let mut masks = [[0; 2]; LONGEST + 1];
    let mut len = 1;
    while len <= LONGEST {
        masks[len] = masks[len - 1];
        masks[len][(len - 1) / 8] |= 0xff << (8 * ((len - 1) % 8));
        len += 1;
    }
    masks
};

/// Returns the slot of a name, ignoring case: the case bit is cleared in every byte, letter or not.
/// (The rotation is by whole bytes, so that those bits keep their position.)
#[inline]
#[allow(clippy::cast_possible_truncation)] // 14 bits remain.
const fn slot(low: u64, high: u64, multiplier: u64) -> usize {
    const UPPER: u64 = 0xdfdf_dfdf_dfdf_dfdf;
    let mixed = ((low ^ high.rotate_left(24)) & UPPER).wrapping_mul(multiplier);
    (mixed >> (64 - SLOT_BITS)) as usize
}

const fn keys() -> [Key; COUNT] {
    let mut keys =
        [Key { low: 0, high: 0, low_mask: u64::MAX, high_mask: u64::MAX, len: 0 }; COUNT];
    let mut id = 0;
    while id < COUNT {
        let name = TABLE[id].name.as_bytes();
        let key = &mut keys[id];
        // A long name has zeros here, and its length, which no lookup in this table uses.
        key.len = name.len();
        let mut at = 0;
        while at < name.len() && name.len() <= LONGEST {
            let byte = (name[at] as u64) << (8 * (at % 8));
            let case = (name[at].is_ascii_alphabetic() as u64) << (8 * (at % 8) + 5);
            if at < 8 {
                key.low |= byte;
                key.low_mask &= !case;
            } else {
                key.high |= byte;
                key.high_mask &= !case;
            }
            at += 1;
        }
        id += 1;
    }
    keys
}

/// Returns the first odd multiplier of a fixed series that maps no two commands to the same slot.
const fn multiplier() -> u64 {
    let keys = keys();
    let mut state: u64 = 0;
    loop {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let candidate = (state ^ (state >> 31)) | 1;
        let mut taken = [0u64; SLOTS / 64];
        let mut id = 0;
        while id < COUNT {
            if keys[id].len <= LONGEST {
                let slot = slot(keys[id].low, keys[id].high, candidate);
                let bit = 1 << (slot % 64);
                if taken[slot / 64] & bit != 0 {
                    break;
                }
                taken[slot / 64] |= bit;
            }
            id += 1;
        }
        if id == COUNT {
            return candidate;
        }
    }
}

#[allow(clippy::cast_possible_truncation)] // COUNT fits, as asserted next to its definition.
const fn ids() -> [u16; SLOTS] {
    let keys = keys();
    let mut ids = [0; SLOTS];
    let mut id = 0;
    while id < COUNT {
        if keys[id].len <= LONGEST {
            ids[slot(keys[id].low, keys[id].high, MULTIPLIER)] = id as u16;
        }
        id += 1;
    }
    ids
}

#[cfg(test)]
mod tests {
    use super::*;

    fn both(name: &[u8]) -> Option<CommandId> {
        let found = lookup(name);
        for tail in [&b""[..], b"\r\n$3\r\nkey\r\n$5\r\nvalue\r\n", &[b'A'; 64]] {
            let followed = [name, tail].concat();
            assert_eq!(lookup_prefix(&followed, name.len()), found, "{name:?}");
        }
        found
    }

    #[test]
    fn every_name_is_found_ignoring_case() {
        for (index, row) in TABLE.iter().enumerate() {
            let lower = row.name.to_ascii_lowercase();
            let mixed: String = (row.name.chars().enumerate())
                .map(|(at, c)| if at % 2 == 0 { c.to_ascii_lowercase() } else { c })
                .collect();
            for name in [row.name, &lower, &mixed] {
                let id = both(name.as_bytes()).unwrap_or_else(|| panic!("{name} is not found"));
                assert_eq!(id.index(), index, "{name}");
                assert_eq!(id.row().name, row.name);
            }
        }
    }

    #[test]
    fn other_texts_are_not_found() {
        let names: std::collections::HashSet<_> =
            TABLE.iter().map(|row| row.name.as_bytes()).collect();
        let known = |name: &[u8]| names.contains(name);
        for row in TABLE {
            let name = row.name.as_bytes();
            for end in 0..name.len() {
                if !known(&name[..end]) {
                    assert_eq!(both(&name[..end]), None, "a prefix of {}", row.name);
                }
            }
            for extra in [b'\0', b' ', b'\r', b'X', 0xff] {
                let longer = [name, &[extra]].concat();
                if !known(&longer) {
                    assert_eq!(both(&longer), None, "{longer:?}");
                }
            }
            // Each byte is changed to each other value, including the one that differs in the case
            // bit.
            for at in 0..name.len() {
                for byte in 0..=255 {
                    let mut other = name.to_vec();
                    other[at] = byte;
                    let upper = other.to_ascii_uppercase();
                    assert_eq!(both(&other).is_some(), known(&upper), "{other:?}");
                }
            }
        }
        for name in [
            &b""[..],
            b"\0",
            b"\0\0\0",
            b"*3\r\n",
            b"{\"a\":1}",
            b"\xff\xfe\xfd\xfc\xfb\xfa\xf9\xf8\xf7",
            b"GEORADIUSBYMEMBERS",
            b"ABCDEFGHIJKLMNOP",
            b"ABCDEFGHIJKLMNOPQ",
            &[b'A'; 4096],
        ] {
            assert_eq!(both(name), None, "{name:?}");
        }
        assert_eq!(lookup_prefix(b"SET", 4), None);
    }
}
