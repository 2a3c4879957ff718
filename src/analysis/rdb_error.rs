//! The wrong bytes of a damaged RDB: found from its checksum, and proved by reading what it would be without them.

use std::fmt;

use serde::Serialize;

use super::survey::{Preamble, Survey};
use crate::aof::salvage::find_next_frame;
use crate::base::error::Result;
use crate::base::escape::Shown;
use crate::base::progress::{Progress, Silent};
use crate::base::units::Count;
use crate::disk::Mapping;
use crate::rdb::error_location::{WrongBits, wrong_bits};
use crate::rdb::{
    self, Checksum, Damage, DamageKind, Ignore, Key, Reading, Records, Visitor, Want,
};

/// The bytes of an RDB that are wrong, one or two adjacent ones, with the bytes that belong there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Correction {
    /// The wrong bytes.
    pub(crate) bytes: Vec<WrongByte>,
    /// Whether they are in the checksum at the end, so that all else is right.
    pub(crate) in_checksum: bool,
    /// The database of the key that they are in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) db: Option<u64>,
    /// The key that they are in.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "escaped")]
    pub(crate) key: Option<Vec<u8>>,
}

/// A byte that is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) struct WrongByte {
    /// Its offset in the part.
    pub(crate) offset: u64,
    /// What is there.
    pub(crate) found: u8,
    /// What belongs there.
    pub(crate) right: u8,
}

fn escaped<S: serde::Serializer>(
    key: &Option<Vec<u8>>,
    serializer: S,
) -> std::result::Result<S::Ok, S::Error> {
    match key {
        Some(key) => serializer.collect_str(&key.escape_ascii()),
        None => serializer.serialize_none(),
    }
}

impl Correction {
    /// Returns the file with the right bytes, in a mapping of its own.
    ///
    /// # Errors
    ///
    /// When the system refuses the mapping.
    pub(crate) fn apply(&self, mapping: &Mapping) -> Result<Mapping> {
        let bytes: Vec<(u64, u8)> =
            self.bytes.iter().map(|byte| (byte.offset, byte.right)).collect();
        mapping.with_bytes(&bytes)
    }
}

impl fmt::Display for Correction {
    /// Formats what is wrong as a phrase: `byte 5, 0x41 should be 0x51, in key "k" of db 0`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, byte) in self.bytes.iter().enumerate() {
            let separator = if index == 0 { "" } else { "; " };
            let WrongByte { offset, found, right } = byte;
            write!(f, "{separator}byte {}, {found:#04x} should be {right:#04x}", Count(*offset))?;
        }
        match (&self.key, self.db) {
            (Some(key), Some(db)) => write!(f, ", in key {} of db {db}", Shown(key)),
            _ if self.in_checksum => f.write_str(", in the checksum itself"),
            _ => Ok(()),
        }
    }
}

/// Returns whether an RDB was read to its end and only its checksum is wrong.
pub(crate) fn has_sound_structure(damage: &Damage) -> bool {
    matches!(damage.kind, DamageKind::Checksum { .. })
}

/// The number of places at which the RDB may end that are tried.
const ENDS: usize = 6;

/// The number of frames that are searched for such places.
const FRAMES: usize = 1000;

/// The bytes from the opcode of the end to the end of the checksum.
const END_BYTES: usize = 9;

/// Finds the only one or two adjacent bytes by which a broken RDB at the beginning of a part differs from one that is
/// read to its end with all checks and has a right checksum. `None` if the RDB is not broken, or there are no such
/// bytes, or several places.
///
/// # Errors
///
/// When the file cannot be mapped once more, or the caller cancels.
pub(crate) fn find_correction(
    survey: &Survey<'_>,
    progress: &dyn Progress,
) -> Result<Option<Correction>> {
    let part = survey.part;
    let bytes = part.mapping.bytes();
    let damage = match &survey.preamble {
        Some(Preamble::Broken(damage)) => Some(damage.as_ref()),
        _ if has_broken_header(survey) => None,
        _ => return Ok(None),
    };
    if part.compressed.is_some() {
        return Ok(None);
    }
    let mut only = None;
    for end in possible_ends(bytes, damage) {
        let Some((content, stored)) = bytes.get(..end).and_then(<[u8]>::split_last_chunk) else {
            continue;
        };
        let stored = u64::from_le_bytes(*stored);
        // Without a checksum there is nothing to find an error by.
        if stored == 0 {
            continue;
        }
        for place in wrong_bits(content.len() as u64, stored, rdb::crc64(content), progress)? {
            let Some(correction) = proved(&part.mapping, place, end, progress)? else { continue };
            if only.is_some() {
                return Ok(None);
            }
            only = Some(correction);
        }
    }
    part.mapping.check()?;
    Ok(only)
}

/// Returns whether the part may begin with an RDB whose magic is wrong, or whose version is, so that it says that there is
/// no checksum.
fn has_broken_header(survey: &Survey<'_>) -> bool {
    let bytes = survey.part.mapping.bytes();
    match &survey.preamble {
        None => survey.stop.at == 0 && survey.stop.fault.is_some() && is_nearly_rdb(bytes),
        Some(Preamble::Whole(walk)) => {
            walk.checksum == Checksum::Absent && survey.stop.fault.is_some()
        }
        Some(Preamble::Newer(_) | Preamble::Broken(_)) => false,
    }
}

/// Returns whether one byte, or two adjacent ones, keep `bytes` from beginning as an RDB does.
fn is_nearly_rdb(bytes: &[u8]) -> bool {
    [&b"REDIS00"[..], b"VALKEY0"].iter().any(|magic| {
        let Some(start) = bytes.get(..magic.len()) else { return false };
        let wrong: Vec<usize> = (0..magic.len()).filter(|&at| start[at] != magic[at]).collect();
        matches!(wrong.as_slice(), [_]) || matches!(wrong.as_slice(), [a, b] if a + 1 == *b)
    })
}

/// Returns the lengths that the RDB may have: up to the end of the file, or up to commands.
fn possible_ends(bytes: &[u8], damage: Option<&Damage>) -> Vec<usize> {
    let mut ends = Vec::new();
    let begins_commands = |at: usize| matches!(bytes.get(at), None | Some(b'*' | b'#'));
    if let Some(damage) = damage.filter(|damage| has_sound_structure(damage)) {
        let end = usize::try_from(damage.offset).unwrap_or(bytes.len()).saturating_add(8);
        ends.push(end);
        if begins_commands(end) {
            return ends;
        }
    }
    ends.push(bytes.len());
    let mut from = END_BYTES;
    for frame in 0..FRAMES {
        let Some(start) = find_next_frame(bytes, from, &|_, _| true) else { break };
        let has_end = start.checked_sub(END_BYTES).and_then(|at| bytes.get(at)) == Some(&0xff);
        // The opcode of the end may be the byte that is wrong.
        if (has_end || frame == 0) && ends.len() < ENDS {
            ends.push(start);
        }
        from = start + 1;
    }
    ends.sort_unstable();
    ends.dedup();
    ends
}

/// Returns the correction if the RDB is read with it to its end, and with all checks.
fn proved(
    mapping: &Mapping,
    place: WrongBits,
    end: usize,
    progress: &dyn Progress,
) -> Result<Option<Correction>> {
    let bytes = mapping.bytes();
    let mut wrong = Vec::new();
    for (offset, bits) in (place.offset..).zip(place.bits).filter(|(_, bits)| *bits != 0) {
        let at = usize::try_from(offset).ok().and_then(|offset| bytes.get(offset));
        let Some(&found) = at else { return Ok(None) };
        wrong.push(WrongByte { offset, found, right: found ^ bits });
    }
    let in_checksum = place.offset + 8 >= end as u64;
    let correction = Correction { bytes: wrong, in_checksum, db: None, key: None };
    let changed = correction.apply(mapping)?;
    let mut key = KeyAt { offset: place.offset, last: None };
    // Reading it is not a part of the reading that is announced.
    let read = rdb::read(changed.bytes(), &mut key, &Silent);
    progress.check()?;
    let Ok(Reading::Known(walk)) = read else { return Ok(None) };
    if walk.len != end as u64 || !matches!(walk.checksum, Checksum::Verified(_)) {
        return Ok(None);
    }
    let (db, key) = key.containing(changed.bytes()).unzip();
    Ok(Some(Correction { db, key, ..correction }))
}

/// Finds the key whose record contains a byte.
struct KeyAt<'a> {
    offset: u64,
    /// The last key that begins before the byte or at it.
    last: Option<Key<'a>>,
}

impl KeyAt<'_> {
    fn containing(self, bytes: &[u8]) -> Option<(u64, Vec<u8>)> {
        let key = self.last?;
        let end = Records::new(bytes).ok()?.read(key.db, key.offset, &mut Ignore).ok()?;
        (end > self.offset).then(|| (key.db, key.name.to_vec()))
    }
}

impl<'a> Visitor<'a> for KeyAt<'a> {
    fn key(&mut self, key: &Key<'a>) -> Want {
        if key.offset <= self.offset {
            self.last = Some(*key);
        }
        Want::Value
    }
}
