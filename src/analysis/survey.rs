//! One part, read once from end to end: what every operation starts from.

use crate::aof::log::Part;
use crate::aof::{Stop, scan_parallel};
use crate::base::error::Result;
use crate::base::progress::Progress;
use crate::command::Tally;
use crate::command::intact_ranges::is_damage;
use crate::command::transaction_scan::Open;
use crate::rdb;

/// The kind of the finding for an RDB that is whole, with content that this version does not know.
pub const NEWER_RDB: &str = "newer-rdb";

/// What one part holds.
pub struct Survey<'a> {
    /// The part.
    pub part: &'a Part,
    /// The RDB that it begins with, if it does.
    pub preamble: Option<Preamble>,
    /// Where its commands begin: behind the preamble.
    pub commands_start: u64,
    /// What the commands are.
    pub tally: Tally,
    /// Where and why the reading of commands stopped.
    pub stop: Stop,
}

/// The RDB at the start of a part.
pub enum Preamble {
    /// Read whole, checksum included.
    Whole(rdb::Walk),
    /// Whole by its checksum, with content that this version does not know.
    Newer(Box<rdb::Newer>),
    /// Broken. No loader reads anything behind it.
    Broken(Box<rdb::Damage>),
}

impl From<rdb::Reading> for Preamble {
    fn from(reading: rdb::Reading) -> Self {
        match reading {
            rdb::Reading::Known(walk) => Preamble::Whole(walk),
            rdb::Reading::Newer(newer) => Preamble::Newer(newer),
        }
    }
}

/// Reads a part from end to end.
///
/// # Errors
///
/// When the file was cut by another process while it was read, or could not be read.
pub fn survey<'a>(part: &'a Part, progress: &dyn Progress) -> Result<Survey<'a>> {
    let bytes = part.mapping.bytes();
    let mut start = 0;
    let mut preamble = None;
    if part.starts_with_rdb() {
        match rdb::read(bytes, &mut rdb::Ignore, progress) {
            Ok(reading) => {
                start = usize::try_from(reading.len()).unwrap_or(bytes.len());
                preamble = Some(Preamble::from(reading));
            }
            Err(damage) => {
                part.mapping.check()?;
                return Ok(Survey {
                    part,
                    commands_start: damage.before.len,
                    preamble: Some(Preamble::Broken(damage)),
                    tally: Tally::default(),
                    stop: Stop { at: bytes.len(), fault: None },
                });
            }
        }
    }
    let touch = |range| part.mapping.prefault(range);
    let mut scanned = scan_parallel(bytes, start, Tally::default, touch, progress);
    scanned.sink.transactions = scanned.sink.transactions.from_start();
    part.mapping.check()?;
    let (tally, stop) = (scanned.sink, scanned.stop);
    Ok(Survey { part, preamble, commands_start: start as u64, tally, stop })
}

impl Survey<'_> {
    /// Whether every byte was read, and no transaction is open at the end.
    pub fn is_whole(&self) -> bool {
        !self.is_preamble_broken() && self.stop.fault.is_none() && self.open().is_none()
    }

    /// Whether the reading of commands stopped at damage, rather than at a torn end or not at all.
    pub fn is_damaged(&self) -> bool {
        is_damage(self.part.mapping.bytes(), self.stop)
    }

    /// Whether the part begins with an RDB that cannot be read.
    pub fn is_preamble_broken(&self) -> bool {
        matches!(self.preamble, Some(Preamble::Broken(_)))
    }

    /// Whether the part begins with an RDB that is whole.
    pub fn has_whole_rdb(&self) -> bool {
        matches!(self.preamble, Some(Preamble::Whole(_) | Preamble::Newer(_)))
    }

    /// The RDB that the part begins with, where all of it was read.
    pub fn rdb(&self) -> Option<&rdb::Walk> {
        match &self.preamble {
            Some(Preamble::Whole(walk)) => Some(walk),
            Some(Preamble::Newer(_) | Preamble::Broken(_)) | None => None,
        }
    }

    /// The RDB that the part begins with, where it is whole and has content that this version does not know.
    pub fn newer_rdb(&self) -> Option<&rdb::Newer> {
        match &self.preamble {
            Some(Preamble::Newer(newer)) => Some(newer),
            Some(Preamble::Whole(_) | Preamble::Broken(_)) | None => None,
        }
    }

    /// The transaction that is open where the reading stopped.
    pub fn open(&self) -> Option<Open> {
        self.tally.transactions.open()
    }

    /// The last boundary between whole commands.
    pub fn last_boundary(&self) -> u64 {
        if self.is_preamble_broken() { 0 } else { self.stop.at as u64 }
    }

    /// The last boundary that is not inside a transaction: everything before it is safe.
    pub fn safe_end(&self) -> u64 {
        self.open().map_or(self.last_boundary(), |open| open.multi)
    }
}
