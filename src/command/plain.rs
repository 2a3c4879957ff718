//! A cache of plain commands, for which nothing but their occurrence is recorded.
//!
//! A log contains millions of commands of a few kinds. Whatever applies to one `*3 $3 SET` (it is
//! known, has a valid number of arguments and is not special) applies to every other. So each kind
//! is examined once and cached by the first sixteen bytes of its frame, without those after the
//! name: they contain the number of arguments and the name. Every further command of the kind costs
//! one multiplication and two comparisons.

use crate::aof::Frame;
use crate::command::table::CommandId;

/// log2 of the number of cached kinds; two kinds with the same slot evict each other.
const SLOT_BITS: u32 = 6;

/// The cached kinds.
#[derive(Debug, Clone)]
pub(super) struct Plain([Option<Kind>; 1 << SLOT_BITS]);

#[derive(Debug, Clone, Copy)]
struct Kind {
    key: Key,
    id: CommandId,
}

/// `*N\r\n$L\r\n`, and the name padded with zeros.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Key {
    head: u64,
    name: u64,
}

impl Default for Plain {
    fn default() -> Self {
        Plain([None; 1 << SLOT_BITS])
    }
}

impl Plain {
    /// Returns the command of the frame, if its kind is cached.
    #[inline(always)]
    pub(super) fn find(&self, frame: &Frame<'_>) -> Option<CommandId> {
        let key = Key::from_frame(frame)?;
        self.0[key.slot()].filter(|kind| kind.key == key).map(|kind| kind.id)
    }

    /// Caches that there is nothing to record about frames of this kind.
    pub(super) fn remember(&mut self, frame: &Frame<'_>, id: CommandId) {
        if let Some(key) = Key::from_frame(frame) {
            self.0[key.slot()] = Some(Kind { key, id });
        }
    }
}

impl Key {
    /// Returns the key of a canonical frame with at most nine arguments and a name of at most eight
    /// bytes; `None` for others.
    #[inline(always)]
    fn from_frame(frame: &Frame<'_>) -> Option<Key> {
        let (name_on, name_len) = frame.bytes_from_name();
        // A header of eight bytes has one digit for each number.
        if !frame.is_canonical() || frame.bytes().len() - name_on.len() != 8 || name_len > 8 {
            return None;
        }
        let whole = u128::from_le_bytes(*frame.bytes().first_chunk()?);
        #[allow(clippy::cast_possible_truncation)] // The two halves.
        let (head, name) = (whole as u64, (whole >> 64) as u64);
        // An empty name takes the slow path.
        let name = name & u64::MAX.checked_shr(64 - 8 * u32::try_from(name_len).ok()?)?;
        Some(Key { head, name })
    }

    #[inline(always)]
    #[allow(clippy::cast_possible_truncation)] // Six bits remain.
    fn slot(self) -> usize {
        let mixed = (self.head.rotate_left(32) ^ self.name).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        (mixed >> (64 - SLOT_BITS)) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(bytes: &[u8]) -> Frame<'_> {
        Frame::read(0, bytes).unwrap()
    }

    #[test]
    fn kinds_differ_by_name_case_and_number_of_arguments() {
        let mut plain = Plain::default();
        let set = b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\nv\r\n";
        assert_eq!(plain.find(&frame(set)), None);
        plain.remember(&frame(set), CommandId::SET);
        let alike = b"*3\r\n$3\r\nSET\r\n$5\r\nother\r\n$0\r\n\r\n";
        assert_eq!(plain.find(&frame(alike)), Some(CommandId::SET));
        for other in [
            &b"*3\r\n$3\r\nset\r\n$1\r\nk\r\n$1\r\nv\r\n"[..],
            b"*4\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\nv\r\n$2\r\nNX\r\n",
            b"*3\r\n$3\r\nGET\r\n$1\r\nk\r\n$1\r\nv\r\n",
            b"*3\r\n$4\r\nSET\r\r\n$1\r\nk\r\n$1\r\nv\r\n",
            b"*3\r\n$0\r\n\r\n$1\r\nk\r\n$1\r\nv\r\n",
            b"*3\n$03\nSET\r\n$1\r\nk\r\n$1\r\nv\r\n",
        ] {
            assert_eq!(plain.find(&frame(other)), None, "{:?}", other.escape_ascii().to_string());
        }
    }
}
