//! The cluster slot of a key.

use std::ops::RangeInclusive;

/// The number of slots of a cluster.
pub(crate) const SLOTS: u16 = 16384;

/// Returns the slot of a key: CRC-16 (XMODEM) modulo 16384 of the hash tag, or of the whole key if it has none.
///
/// The hash tag is what is between the first `{` and the first `}` after it, if that is not empty (cluster
/// specification of both servers).
pub(crate) fn slot_of(key: &[u8]) -> u16 {
    crc16(hash_tag(key).unwrap_or(key)) % SLOTS
}

/// Parses a slot, or a range of slots: `0-5460`.
///
/// # Errors
///
/// Returns a sentence for display if the text has another form, the range is empty, or no cluster has such a slot.
pub(crate) fn parse_slots(text: &str) -> Result<RangeInclusive<u16>, String> {
    let number = |text: &str| {
        let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let slot = is_number.then(|| text.parse::<u64>().unwrap_or(u64::MAX));
        slot.ok_or_else(|| format!("`{text}` is not a slot; use 0-5460 or 12182"))
    };
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (number(first)?, number(last)?);
    if last >= u64::from(SLOTS) {
        return Err(format!("slot {last} does not exist; the last one is {}", SLOTS - 1));
    }
    match (u16::try_from(first), u16::try_from(last)) {
        (Ok(first), Ok(last)) if first <= last => Ok(first..=last),
        _ => Err(format!("{text} is an empty range; use {last}-{first}")),
    }
}

fn hash_tag(key: &[u8]) -> Option<&[u8]> {
    let open = key.iter().position(|byte| *byte == b'{')?;
    let rest = &key[open + 1..];
    let close = rest.iter().position(|byte| *byte == b'}')?;
    (close > 0).then(|| &rest[..close])
}

const TABLE: [u16; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < table.len() {
        #[allow(clippy::cast_possible_truncation)] // Below 256.
        let mut crc = (byte as u16) << 8;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 0x8000 == 0 { crc << 1 } else { (crc << 1) ^ 0x1021 };
            bit += 1;
        }
        table[byte] = crc;
        byte += 1;
    }
    table
};

fn crc16(bytes: &[u8]) -> u16 {
    crc16_from(0, bytes)
}

fn crc16_from(start: u16, bytes: &[u8]) -> u16 {
    bytes.iter().fold(start, |crc, byte| (crc << 8) ^ TABLE[usize::from((crc >> 8) as u8 ^ byte)])
}

const LETTERS: &[u8; 32] = b"0123456789abcdefghijklmnopqrstuv";

/// Returns a name that begins with `key` and `mark` and is in the slot of `key`. `mark` must not contain braces.
pub(crate) fn name_in_slot_of(key: &[u8], mark: &[u8]) -> Vec<u8> {
    let mut name = [key, mark].concat();
    if hash_tag(key).is_some() {
        return name;
    }
    let (wanted, before) = (slot_of(key), crc16(&name));
    let suffix =
        |number: u32| [20, 15, 10, 5, 0].map(|shift| LETTERS[(number >> shift) as usize % 32]);
    // The suffixes are spread over the slots, so that about 16384 of them are tried.
    let fits = |number: &u32| crc16_from(before, &suffix(*number)) % SLOTS == wanted;
    if let Some(number) = (0..1 << 25).find(fits) {
        name.extend_from_slice(&suffix(number));
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The check value is that of the cluster specification.
    #[test]
    fn checksum_is_that_of_the_specification() {
        assert_eq!(crc16(b"123456789"), 0x31c3);
    }

    /// The replies of Redis 7.0 to CLUSTER KEYSLOT.
    #[test]
    fn slots_are_those_of_a_server() {
        for (key, slot) in [
            (&b""[..], 0),
            (b"foo", 12182),
            (b"bar", 5061),
            (b"{foo}bar", 12182),
            (b"a{foo}{bar}", 12182),
            (b"123456789", 12739),
        ] {
            assert_eq!(slot_of(key), slot, "{}", key.escape_ascii());
        }
        assert_eq!(slot_of(b"{}foo"), crc16(b"{}foo") % SLOTS);
        assert_eq!(slot_of(b"a{b"), crc16(b"a{b") % SLOTS);
    }

    #[test]
    fn ranges_are_parsed_and_checked() {
        assert_eq!(parse_slots("0-5460"), Ok(0..=5460));
        assert_eq!(parse_slots("16383"), Ok(16383..=16383));
        for (text, problem) in [
            ("", "is not a slot"),
            ("a-5", "`a` is not a slot"),
            ("-5", "is not a slot"),
            ("+5", "is not a slot"),
            ("1-2-3", "`2-3` is not a slot"),
            ("0-16384", "slot 16384 does not exist"),
            ("99999999999999999999999", "does not exist"),
            ("7-5", "7-5 is an empty range; use 5-7"),
        ] {
            let error = parse_slots(text).expect_err(text);
            assert!(error.contains(problem), "{text}: {error}");
        }
    }

    #[test]
    fn names_are_found_in_the_slot_of_every_key() {
        let keys = (0..2000).map(|number| format!("user:{number}").into_bytes());
        let special = [&b""[..], b"a{b", b"{}x", b"{a}b", b"a}b{", b"\xff\0"].map(<[u8]>::to_vec);
        for key in keys.chain(special) {
            let name = name_in_slot_of(&key, b":tmp-");
            assert_eq!(slot_of(&name), slot_of(&key), "{}", key.escape_ascii());
            assert!(name.starts_with(&key) && name.len() > key.len());
        }
    }
}
