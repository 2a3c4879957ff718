//! The value reader: a cursor, a visitor and buffers, with the functions that several kinds of
//! values share.
//!
//! The module of each kind adds its own methods.

use super::cursor::{Blob, Cursor, Item};
use super::fault::{DamageKind, Fault, Read};
use super::template_index::Templates;
use super::text::Text;
use super::visitor::{KeyEnd, StreamId, Visitor};
use crate::rdb::duplicate_detection::{Seed, Unique};

/// The latest expiry of a field in Redis, in Unix milliseconds: Redis stores 48 bits.
pub(crate) const HIGHEST_FIELD_EXPIRY: i64 = (1 << 48) - 1;

/// Reads values and reports them to a visitor.
pub(super) struct Reader<'a, 'v, V> {
    pub(super) cursor: Cursor<'a>,
    pub(super) visitor: &'v mut V,
    pub(super) tools: &'v mut Tools,
}

/// Buffers and tables that are reused from value to value.
pub(super) struct Tools {
    pub(super) seed: Seed,
    pub(super) unique: Unique,
    /// The buffers for streams.
    pub(super) streams: Streams,
    /// The templates of hashes that were read so far.
    pub(super) templates: Templates,
    /// Buffer for packed encodings that are stored compressed.
    pub(super) buffer: Vec<u8>,
    /// The current member, and an earlier one to compare it with.
    pub(super) scratch: Vec<u8>,
    pub(super) other: Vec<u8>,
}

impl Tools {
    pub(super) fn new() -> Self {
        let seed = Seed::random();
        Tools {
            seed,
            unique: Unique::new(seed),
            streams: Streams::new(seed),
            templates: Templates::default(),
            buffer: Vec::new(),
            scratch: Vec::new(),
            other: Vec::new(),
        }
    }
}

/// Buffers that are reused from stream to stream.
pub(super) struct Streams {
    /// The ids of the nodes, for the detection of duplicates.
    pub(super) nodes: Vec<StreamId>,
    /// The fields that the entries of a node share.
    pub(super) fields: Vec<Item>,
    /// The pending entries of a group, and the consumer that owns each.
    pub(super) pending: Vec<StreamId>,
    pub(super) owners: Vec<u64>,
    pub(super) groups: Unique,
    pub(super) consumers: Unique,
}

impl Streams {
    fn new(seed: Seed) -> Self {
        Streams {
            nodes: Vec::new(),
            fields: Vec::new(),
            pending: Vec::new(),
            owners: Vec::new(),
            groups: Unique::new(seed),
            consumers: Unique::new(seed),
        }
    }
}

impl<'a, V: Visitor<'a>> Reader<'a, '_, V> {
    /// Reads a string and passes its content to `read`.
    #[inline]
    pub(super) fn unpack<T>(
        &mut self,
        reading: &'static str,
        read: impl FnOnce(&mut Self, Blob<'a, '_>) -> Read<T>,
    ) -> Read<T> {
        // Taken out of the reader while it is lent, so that the reader can be borrowed. It is lost
        // in case of damage, after which the reader is not used again.
        let mut buffer = std::mem::take(&mut self.tools.buffer);
        let blob = self.cursor.blob(&mut buffer, reading)?;
        let result = read(self, blob)?;
        self.tools.buffer = buffer;
        Ok(result)
    }

    /// Checks that no earlier member of this value has the text of the string that was read at byte
    /// `at`.
    #[inline]
    pub(super) fn remember(
        &mut self,
        at: usize,
        text: Text<'a, '_>,
        reading: &'static str,
    ) -> Read<()> {
        let file = self.cursor.bytes();
        let member = text.bytes(&mut self.tools.scratch);
        let other = &mut self.tools.other;
        let new = self.tools.unique.insert(member, at as u64, |place| {
            usize::try_from(place)
                .ok()
                .and_then(|at| Cursor::at(file, at).text(reading).ok())
                .is_some_and(|text| text.bytes(other) == member)
        });
        if new {
            return Ok(());
        }
        Err(Fault::new(at, reading, DamageKind::Duplicate))
    }

    /// Reads the metadata that modules attached to the next key.
    pub(super) fn key_metadata(&mut self) -> Read<()> {
        let classes = self.cursor.length("the number of a key's metadata")?;
        for _ in 0..classes {
            let class = u32::from_le_bytes(self.cursor.fixed("the class of a key's metadata")?);
            let payload = super::module::metadata(&mut self.cursor)?;
            self.visitor.key_meta(class, payload);
        }
        Ok(())
    }

    /// Reads the lowest expiry of a hash's fields. If no field expires, it is one more than the
    /// highest possible expiry.
    pub(super) fn lowest_expiry(&mut self) -> Read<i64> {
        const READING: &str = "the lowest expiry of a hash's fields";
        let at = self.cursor.pos();
        let lowest = self.cursor.millis(READING)?;
        if !(0..=HIGHEST_FIELD_EXPIRY + 1).contains(&lowest) {
            let rule = "it is not a valid expiry of a field";
            return Err(Fault::broken(at, READING, rule));
        }
        Ok(lowest)
    }
}

/// Parses the text of a score.
pub(super) fn score(text: &[u8]) -> Option<f64> {
    short_decimal(text).or_else(|| std::str::from_utf8(text).ok()?.parse().ok())
}

/// Parses a decimal of few digits; returns `None` for any other text, which may still be a number.
///
/// A whole number below 10^15 and a power of ten up to 10^15 are exact, so their quotient is
/// rounded once and is the number nearest to the text.
fn short_decimal(text: &[u8]) -> Option<f64> {
    const LONGEST: usize = 15;
    const POWERS: [f64; LONGEST + 1] =
        [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15];
    let (sign, digits) = match text {
        [b'-', digits @ ..] => (-1.0, digits),
        digits => (1.0, digits),
    };
    if digits.len() > LONGEST || !digits.first()?.is_ascii_digit() {
        return None;
    }
    let mut whole = 0_u64;
    let mut point = None;
    for (at, &byte) in digits.iter().enumerate() {
        match byte {
            b'0'..=b'9' => whole = whole * 10 + u64::from(byte - b'0'),
            b'.' if point.is_none() => point = Some(at),
            _ => return None,
        }
    }
    let decimals = point.map_or(0, |at| digits.len() - at - 1);
    #[allow(clippy::cast_precision_loss)] // It is below 2^53.
    Some(sign * (whole as f64 / POWERS[decimals]))
}

/// Returns how a key with this number of elements ends.
pub(super) fn end(elements: u64) -> KeyEnd {
    match elements {
        0 => KeyEnd::Empty,
        _ => KeyEnd::Whole,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn short_decimals_parse_as_in_the_standard_library(text in "-?[0-9]{1,9}(\\.[0-9]{0,8})?") {
            let read: f64 = text.parse().unwrap();
            prop_assert_eq!(score(text.as_bytes()).map(f64::to_bits), Some(read.to_bits()));
        }

        #[test]
        fn other_texts_parse_or_fail_as_in_the_standard_library(text in "[-+0-9.ein]{0,17}") {
            let read: Option<f64> = text.parse().ok();
            prop_assert_eq!(score(text.as_bytes()).map(f64::to_bits), read.map(f64::to_bits));
        }
    }
}
