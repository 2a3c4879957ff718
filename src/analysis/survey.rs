//! The survey of one part, read once from end to end: the starting point of every operation.

use std::sync::OnceLock;

use crate::analysis::rdb_inspection::RdbInspection;
use crate::aof::log::Part;
use crate::aof::{Stop, scan_parallel};
use crate::base::error::Result;
use crate::base::progress::Progress;
use crate::command::Tally;
use crate::command::intact_ranges::{IntactRange, intact_ranges, is_damage};
use crate::command::transaction_scan::Open;
use crate::rdb;

/// The kind of the finding for an intact RDB with content unknown to this version.
pub const NEWER_RDB: &str = "newer-rdb";

/// The content of one part.
pub struct Survey<'a> {
    /// The part.
    pub part: &'a Part,
    /// The RDB at its beginning, if any.
    pub preamble: Option<Preamble>,
    /// What a server may refuse or drop in that RDB.
    pub inspection: RdbInspection,
    /// The byte offset at which its commands begin, after the preamble.
    pub commands_start: u64,
    /// The statistics of its commands.
    pub tally: Tally,
    /// The position and the reason at which reading commands stopped.
    pub stop: Stop,
    /// The intact ranges after that, once they were asked for.
    intact: OnceLock<Vec<IntactRange>>,
}

/// The RDB at the beginning of a part.
pub enum Preamble {
    /// It was read completely, including the checksum.
    Whole(rdb::RdbSummary),
    /// It is intact by its checksum, and has content unknown to this version.
    Newer(Box<rdb::Newer>),
    /// It is broken. No loader reads anything after it.
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
/// When another process truncated the file while it was read, it could not be read, or the caller cancelled.
pub fn survey<'a>(part: &'a Part, progress: &dyn Progress) -> Result<Survey<'a>> {
    let bytes = part.mapping.bytes();
    let (mut start, mut end) = (0, bytes.len());
    let mut preamble = None;
    let mut inspection = RdbInspection::default();
    progress.check()?;
    if part.starts_with_rdb() {
        match part.read_rdb(&mut inspection, progress) {
            Ok(reading) => {
                start = usize::try_from(reading.len()).unwrap_or(bytes.len());
                end = part.read_end(bytes, start);
                preamble = Some(Preamble::from(reading));
            }
            Err(damage) => {
                part.mapping.check()?;
                return Ok(Survey {
                    part,
                    commands_start: damage.before.len,
                    preamble: Some(Preamble::Broken(damage)),
                    inspection,
                    tally: Tally::default(),
                    stop: Stop { at: bytes.len(), fault: None },
                    intact: OnceLock::new(),
                });
            }
        }
    }
    let touch = |range| part.mapping.prefault(range);
    let mut scanned = scan_parallel(&bytes[..end], start, Tally::default, touch, progress);
    progress.check()?;
    scanned.sink.transactions = scanned.sink.transactions.at_start_of_log();
    part.mapping.check()?;
    let (tally, stop) = (scanned.sink, scanned.stop);
    let (commands_start, intact) = (start as u64, OnceLock::new());
    Ok(Survey { part, preamble, inspection, commands_start, tally, stop, intact })
}

impl Survey<'_> {
    /// Returns whether every byte was read and no transaction is open at the end.
    pub fn is_whole(&self) -> bool {
        !self.is_preamble_broken() && self.stop.fault.is_none() && self.open().is_none()
    }

    /// Returns whether reading commands stopped at damage, as opposed to a torn end or the end of the part.
    pub fn is_damaged(&self) -> bool {
        is_damage(self.part.mapping.bytes(), self.stop)
    }

    /// Returns all intact ranges after the fault at which reading commands stopped, in order. They are searched for once.
    pub(crate) fn intact_ranges(&self) -> &[IntactRange] {
        self.intact.get_or_init(|| intact_ranges(self.part.mapping.bytes(), self.stop))
    }

    /// Returns whether the part begins with an RDB that cannot be read.
    pub fn is_preamble_broken(&self) -> bool {
        matches!(self.preamble, Some(Preamble::Broken(_)))
    }

    /// Returns whether the part begins with an intact RDB.
    pub fn has_whole_rdb(&self) -> bool {
        matches!(self.preamble, Some(Preamble::Whole(_) | Preamble::Newer(_)))
    }

    /// Returns the RDB at the beginning of the part, if it was read completely.
    pub fn rdb(&self) -> Option<&rdb::RdbSummary> {
        match &self.preamble {
            Some(Preamble::Whole(walk)) => Some(walk),
            Some(Preamble::Newer(_) | Preamble::Broken(_)) | None => None,
        }
    }

    /// Returns the values of the RDB that fail checks which loaders do not make with default settings.
    pub(crate) fn deep_faults(&self) -> impl Iterator<Item = &rdb::deep::DeepFault> {
        let walk = match &self.preamble {
            Some(Preamble::Whole(walk)) => Some(walk),
            Some(Preamble::Newer(newer)) => Some(&newer.before),
            Some(Preamble::Broken(damage)) => Some(&damage.before),
            None => None,
        };
        walk.into_iter().flat_map(|walk| walk.deep.iter())
    }

    /// Returns the RDB at the beginning of the part, if it is intact and has content unknown to this version.
    pub fn newer_rdb(&self) -> Option<&rdb::Newer> {
        match &self.preamble {
            Some(Preamble::Newer(newer)) => Some(newer),
            Some(Preamble::Whole(_) | Preamble::Broken(_)) | None => None,
        }
    }

    /// Returns the byte offset up to which all commands have the form in which servers write them: a server reads past the
    /// end of some values, and stops at what follows them.
    pub(crate) fn first_unusual(&self) -> usize {
        let unusual = self.tally.non_canonical;
        let first = usize::try_from(unusual.first).ok().filter(|_| unusual.count > 0);
        first.map_or(self.stop.at, |first| first.min(self.stop.at))
    }

    /// Returns the number of bytes after an RDB file, which its loader ignores.
    pub(crate) fn ignored_bytes(&self) -> u64 {
        match self.stop.fault {
            None => self.part.mapping.len().saturating_sub(self.stop.at as u64),
            Some(_) => 0,
        }
    }

    /// Returns the transaction that is open where reading stopped.
    pub fn open(&self) -> Option<Open> {
        self.tally.transactions.open()
    }

    /// Returns the byte offset of the last boundary between complete commands.
    pub fn last_boundary(&self) -> u64 {
        if self.is_preamble_broken() { 0 } else { self.stop.at as u64 }
    }

    /// Returns the byte offset of the last boundary outside a transaction: everything before it is safe.
    pub fn safe_end(&self) -> u64 {
        self.open().map_or(self.last_boundary(), |open| open.multi)
    }
}
