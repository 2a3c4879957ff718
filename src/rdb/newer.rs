//! An RDB with content that this version does not know, and the proof that it is whole.
//!
//! The checksum covers every byte before it, whatever the bytes mean, so the end of an RDB can be found without
//! reading its content: it is where the opcode of the end, 255, is followed by the CRC-64 of all bytes up to and
//! with that opcode. The end is searched only where reading stopped at a version, a type or an opcode that is
//! unknown. What breaks the format of a known version is damage, whatever the checksum says.

use std::sync::atomic::{AtomicU64, Ordering};

use memchr::{memchr, memmem};
use serde::Serialize;

use super::checksum::Sum;
use super::damage::Damage;
use super::fault::DamageKind;
use super::format::{opcode, reported};
use super::header::{Header, Magic};
use super::unknown::{Uncheckable, UnknownContent, Unproven};
use super::visitor::Visitor;
use super::walk::walk;
use crate::base::progress::Progress;
use crate::rdb::summary::RdbSummary;

/// What an RDB is that is whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reading {
    /// Read from the first byte to the last.
    Known(RdbSummary),
    /// Whole by its checksum, with content that this version does not know.
    Newer(Box<Newer>),
}

impl Reading {
    /// Its length in bytes with the checksum. What follows is not of the RDB.
    pub fn len(&self) -> u64 {
        match self {
            Reading::Known(walk) => walk.len,
            Reading::Newer(newer) => newer.len,
        }
    }

    /// Never: it has at least a header.
    pub fn is_empty(&self) -> bool {
        false
    }

    /// What was read: all of it, or what precedes the content that is unknown.
    pub fn walk(&self) -> &RdbSummary {
        match self {
            Reading::Known(walk) => walk,
            Reading::Newer(newer) => &newer.before,
        }
    }

    /// The RDB where it has content that this version does not know.
    pub(crate) fn newer(&self) -> Option<&Newer> {
        match self {
            Reading::Known(_) => None,
            Reading::Newer(newer) => Some(newer),
        }
    }
}

/// An RDB whose checksum proves that it is whole, with content that this version does not know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Newer {
    /// What is unknown.
    #[serde(flatten)]
    pub content: UnknownContent,
    /// Its length in bytes with the checksum. What follows is not of the RDB.
    pub len: u64,
    /// What was read before the unknown content: notes, and, of a known version, keys.
    pub before: RdbSummary,
}

/// Reads the RDB that `bytes` begin with as [`walk`] does. Where that stops at content which this version does not
/// know, the end is found by the checksum.
///
/// # Errors
///
/// As [`walk`]; also unknown content where no checksum proves that the RDB is whole, with
/// [`Damage::unproven`] saying why.
pub fn read<'a, V: Visitor<'a>>(
    bytes: &'a [u8],
    visitor: &mut V,
    progress: &dyn Progress,
) -> Result<Reading, Box<Damage>> {
    let counted = Counted { progress, done: AtomicU64::new(0) };
    let mut damage = match walk(bytes, visitor, &counted) {
        Ok(walk) => return Ok(Reading::Known(walk)),
        Err(damage) => damage,
    };
    let Some(content) = unknown_content(bytes, &damage) else { return Err(damage) };
    let from = usize::try_from(content.offset).unwrap_or(bytes.len());
    match find_end(bytes, content.header, from, &counted) {
        Ok(len) => Ok(Reading::Newer(Box::new(Newer { content, len, before: damage.before }))),
        // The format of the version is known, and the checksum says that bytes were changed.
        Err(Uncheckable::Wrong) if content.code.is_some() => Err(damage),
        Err(reason) => {
            damage.unproven = Some(Unproven { content, reason });
            Err(damage)
        }
    }
}

/// What stopped the walk, if that is unknown rather than wrong.
fn unknown_content(bytes: &[u8], damage: &Damage) -> Option<UnknownContent> {
    let (header, code) = match damage.kind {
        DamageKind::Version { .. } => (Header::read_newer(bytes)?, None),
        DamageKind::UnknownCode { code } => {
            let RdbSummary { magic, version, .. } = damage.before;
            (Header { magic, version }, Some(code))
        }
        DamageKind::DuplicateKey { .. } => return None,
        _ => return reported_content(bytes, damage),
    };
    let dragonfly = damage.before.note("df-ver");
    let dragonfly = dragonfly.map(|version| String::from_utf8_lossy(version).into_owned());
    Some(UnknownContent { header, offset: damage.offset, code, dragonfly })
}

/// The content at which the walk stopped, if its layout is known from reports alone: what does not fit the reports may
/// be right.
fn reported_content(bytes: &[u8], damage: &Damage) -> Option<UnknownContent> {
    let RdbSummary { magic, version, len, .. } = damage.before;
    let first = usize::try_from(len).ok().and_then(|at| bytes.get(at).copied());
    let opcode = first.filter(|code| matches!(*code, opcode::HASH_TEMPLATE | opcode::KEY_META));
    let code = match damage.stored_as {
        Some(name) => reported(name)?.code,
        None => opcode.filter(|_| magic == Magic::Redis)?,
    };
    Some(UnknownContent {
        header: Header { magic, version },
        offset: len,
        code: Some(code),
        dragonfly: None,
    })
}

/// How much is read between two reports of progress.
const STEP_BYTES: usize = 1 << 20;

/// Where the RDB that `bytes` begin with ends, after byte `from`: the length with its checksum.
fn find_end(
    bytes: &[u8],
    header: Header,
    from: usize,
    progress: &Counted<'_>,
) -> Result<u64, Uncheckable> {
    if !header.has_checksum() {
        return Err(Uncheckable::Absent);
    }
    let mut sum = Sum::default();
    sum.add(bytes.get(..from).unwrap_or(bytes));
    let mut at = from.min(bytes.len());
    let mut reported = at;
    progress.reached(at);
    while let Some(gap) = memchr(opcode::END, &bytes[at..]) {
        let end = at + gap + 1;
        sum.add(&bytes[at..end]);
        at = end;
        let Some(stored) = bytes[at..].first_chunk() else { break };
        let stored = u64::from_le_bytes(*stored);
        if stored != 0 && stored == sum.value() {
            let len = at + size_of_val(&stored);
            progress.reached(len);
            return Ok(len as u64);
        }
        if at - reported >= STEP_BYTES {
            reported = at;
            progress.reached(at);
        }
    }
    progress.reached(bytes.len());
    Err(if ends_without_checksum(&bytes[from.min(bytes.len())..]) {
        Uncheckable::Off
    } else {
        Uncheckable::Wrong
    })
}

/// Whether the end of an RDB without checksum seems to be here: the opcode, zeros in the place of the checksum, and
/// then the end of the file or a command.
fn ends_without_checksum(bytes: &[u8]) -> bool {
    const END: [u8; 9] = [opcode::END, 0, 0, 0, 0, 0, 0, 0, 0];
    memmem::find_iter(bytes, &END).any(|at| {
        let after = &bytes[at + END.len()..];
        matches!(after, [] | [b'*', b'1'..=b'9', ..] | [b'#', ..])
    })
}

/// A progress that is advanced to a place rather than by a number of bytes: the search for the end begins again where
/// the walk began.
struct Counted<'p> {
    progress: &'p dyn Progress,
    done: AtomicU64,
}

impl Counted<'_> {
    fn reached(&self, place: usize) {
        let ahead = (place as u64).saturating_sub(self.done.load(Ordering::Relaxed));
        self.advance(ahead);
    }
}

impl Progress for Counted<'_> {
    fn advance(&self, bytes: u64) {
        self.done.fetch_add(bytes, Ordering::Relaxed);
        self.progress.advance(bytes);
    }
}
