//! Entry ids as servers parse them.

use super::super::apply::Unapplied;
use super::super::number;
use crate::keyspace::stream::StreamId;

pub(super) const INVALID: Unapplied =
    Unapplied::Failed("ERR Invalid stream ID specified as stream command argument");

/// The highest possible id.
pub(super) const HIGHEST: StreamId = StreamId { ms: u64::MAX, seq: u64::MAX };

/// Maximum length in bytes of an id that is parsed.
const LONGEST: usize = 127;

/// Parses `<ms>` or `<ms>-<seq>`; a missing sequence number is 0.
#[inline]
pub(super) fn id(text: &[u8]) -> Result<StreamId, Unapplied> {
    let (ms, seq) = halves(text).ok_or(INVALID)?;
    let seq = seq.map_or(Some(0), unsigned).ok_or(INVALID)?;
    Ok(StreamId { ms, seq })
}

/// Like [`id`], or `-` for the lowest, or `+` for the highest.
pub(super) fn id_or_bound(text: &[u8]) -> Result<StreamId, Unapplied> {
    match up_to_nul(text) {
        b"-" => Ok(StreamId::default()),
        b"+" => Ok(HIGHEST),
        _ => id(text),
    }
}

/// The id with which an entry is to be added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NewId {
    /// `*`: from the time.
    Clock,
    /// `<ms>-*`: the next of this millisecond.
    Next(u64),
    /// This id.
    Given(StreamId),
}

/// Like [`id`], or `*`; or `<ms>-*` if the server supports it.
#[inline]
pub(super) fn new_id(text: &[u8], knows_next: bool) -> Result<NewId, Unapplied> {
    if text == b"*" {
        return Ok(NewId::Clock);
    }
    if knows_next && let Some((ms, Some(b"*"))) = halves(text) {
        return Ok(NewId::Next(ms));
    }
    id(text).map(NewId::Given)
}

/// Returns the number before the first minus, and the text after it.
#[inline]
fn halves(text: &[u8]) -> Option<(u64, Option<&[u8]>)> {
    if text.len() > LONGEST {
        return None;
    }
    let text = up_to_nul(text);
    let minus = text.iter().position(|byte| *byte == b'-');
    let (ms, seq) = match minus {
        Some(at) => (&text[..at], Some(&text[at + 1..])),
        None => (text, None),
    };
    Some((unsigned(ms)?, seq))
}

/// Servers parse ids as C strings.
#[inline]
fn up_to_nul(text: &[u8]) -> &[u8] {
    text.split(|byte| *byte == 0).next().unwrap_or_default()
}

/// Parses a 64-bit number as `string2ull` of `util.c` does: the form in which servers write
/// integers, or else anything that `strtoull` of C accepts: leading blanks, a sign, leading zeros,
/// and a negative number as its complement.
#[inline]
fn unsigned(text: &[u8]) -> Option<u64> {
    if let Some(number) = number::integer(text) {
        return u64::try_from(number).ok();
    }
    let is_blank = |byte: &u8| matches!(byte, b' ' | b'\t'..=b'\r');
    let start = text.iter().position(|byte| !is_blank(byte))?;
    let (negative, digits) = match &text[start..] {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        digits => (false, digits),
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let number = digits.iter().try_fold(0_u64, |number, digit| {
        number.checked_mul(10)?.checked_add(u64::from(digit - b'0'))
    })?;
    Some(if negative { number.wrapping_neg() } else { number })
}

/// Returns the id after this one, unless it is the highest.
pub(super) fn after(id: StreamId) -> Option<StreamId> {
    match id.seq.checked_add(1) {
        Some(seq) => Some(StreamId { ms: id.ms, seq }),
        None => Some(StreamId { ms: id.ms.checked_add(1)?, seq: 0 }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(ms: u64, seq: u64) -> Result<StreamId, Unapplied> {
        Ok(StreamId { ms, seq })
    }

    /// Observed on Redis 6.2, 7.0 and 8.2, and on Valkey 9.1.
    #[test]
    fn ids_are_parsed_as_c_parses_numbers() {
        assert_eq!(id(b"1526919030474-55"), given(1_526_919_030_474, 55));
        assert_eq!(id(b"5"), given(5, 0));
        assert_eq!(id(b"18446744073709551615-18446744073709551615"), Ok(HIGHEST));
        assert_eq!(id(b"7-00"), given(7, 0));
        assert_eq!(id(b"+8-1"), given(8, 1));
        assert_eq!(id(b" 8-\t1"), given(8, 1));
        assert_eq!(id(b"1--05"), given(1, u64::MAX - 4));
        assert_eq!(id(b"5\x00junk"), given(5, 0));
        let long = [b"1-".as_slice(), &[b'0'; 125]].concat();
        assert_eq!(id(&long), given(1, 0));
        assert_eq!(id(&[&long[..], b"0"].concat()), Err(INVALID));
        for text in [
            "",
            "-",
            "+",
            "-1",
            "1-",
            "1-2-3",
            "1--5",
            "x",
            "1-x",
            "1 ",
            "18446744073709551616",
            "1-*",
        ] {
            assert_eq!(id(text.as_bytes()), Err(INVALID), "{text}");
        }
    }

    #[test]
    fn bounds_and_new_ids_accept_more_forms() {
        assert_eq!(id_or_bound(b"-"), given(0, 0));
        assert_eq!(id_or_bound(b"+"), Ok(HIGHEST));
        assert_eq!(id_or_bound(b"3"), given(3, 0));
        assert_eq!(new_id(b"*", true), Ok(NewId::Clock));
        assert_eq!(new_id(b"3-*", true), Ok(NewId::Next(3)));
        assert_eq!(new_id(b"3-*", false), Err(INVALID));
        assert_eq!(new_id(b"3-1", false).ok(), given(3, 1).ok().map(NewId::Given));
    }

    #[test]
    fn the_next_id_may_be_in_the_next_millisecond() {
        assert_eq!(after(StreamId { ms: 1, seq: 2 }), Some(StreamId { ms: 1, seq: 3 }));
        assert_eq!(after(StreamId { ms: 1, seq: u64::MAX }), Some(StreamId { ms: 2, seq: 0 }));
        assert_eq!(after(HIGHEST), None);
    }
}
