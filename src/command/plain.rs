//! Commands of which there is nothing to note but that they were seen.
//!
//! A log holds millions of commands of a few kinds. What is true of one `*3 $3 SET`, that it is known, has a
//! possible number of arguments and nothing special about it, is true of every other. So each kind is
//! looked at closely once and remembered by the first sixteen bytes of its frame, less what lies behind the
//! name: they tell the number of arguments and the name. The next one costs a multiplication and two compares.

use crate::aof::Frame;
use crate::command::table::CommandId;

/// 2 to this many kinds are remembered; two that meet in a slot take turns.
const SLOT_BITS: u32 = 6;

/// The kinds that were seen.
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
    /// The command that the frame is, if its kind is remembered.
    #[inline(always)]
    pub(super) fn find(&self, frame: &Frame<'_>) -> Option<CommandId> {
        let key = Key::of(frame)?;
        self.0[key.slot()].filter(|kind| kind.key == key).map(|kind| kind.id)
    }

    /// Remembers that there is nothing to note of frames like this one.
    pub(super) fn remember(&mut self, frame: &Frame<'_>, id: CommandId) {
        if let Some(key) = Key::of(frame) {
            self.0[key.slot()] = Some(Kind { key, id });
        }
    }
}

impl Key {
    /// Only canonical frames of at most nine arguments, with names of at most eight bytes, have one.
    #[inline(always)]
    fn of(frame: &Frame<'_>) -> Option<Key> {
        let (name_on, name_len) = frame.name_and_on();
        // A header of eight bytes has one digit for each number.
        if !frame.is_canonical() || frame.bytes().len() - name_on.len() != 8 || name_len > 8 {
            return None;
        }
        let whole = u128::from_le_bytes(*frame.bytes().first_chunk()?);
        #[allow(clippy::cast_possible_truncation)] // The two halves.
        let (head, name) = (whole as u64, (whole >> 64) as u64);
        // An empty name is looked at closely.
        let name = name & u64::MAX.checked_shr(64 - 8 * u32::try_from(name_len).ok()?)?;
        Some(Key { head, name })
    }

    #[inline(always)]
    #[allow(clippy::cast_possible_truncation)] // Six bits are left.
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
    fn a_kind_is_its_name_its_case_and_its_number_of_arguments() {
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
