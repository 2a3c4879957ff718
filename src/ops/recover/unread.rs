//! What is after a place at which the reading of a log stopped: found by stepping over the damage, and never replayed.

use std::ops::Range;

use serde::Serialize;

use super::event_kind::What;
use crate::analysis::destruction_scan::{Deed, Scout};
use crate::aof::log::{Log, Part};
use crate::aof::recognise::LooksLike;
use crate::aof::{Fault, Stop, scan_parallel};
use crate::base::progress::Silent;
use crate::command::intact_ranges::{islands, looks_like};
use crate::rdb;

/// Flushes that are listed.
const LISTED: usize = 16;

/// Bytes of a log that were not read, and what was found in them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Unread {
    /// The part, by file name.
    pub part: String,
    /// Where the bytes begin that were not read. Later parts were not read either.
    pub offset: u64,
    /// What they look like there, where that is recognised.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub looks_like: Option<LooksLike>,
    /// Whole commands in them.
    pub commands: u64,
    /// Keys that DEL, UNLINK and GETDEL among these name.
    pub keys_deleted: u64,
    /// FLUSHALL, FLUSHDB and the like among these, the first ones.
    pub flushes: Vec<UnreadFlush>,
    /// Flushes beyond those that are listed.
    pub more_flushes: u64,
}

/// A flush that was not replayed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UnreadFlush {
    /// What it did.
    #[serde(flatten)]
    pub what: What,
    /// The part that it is in, by file name.
    pub part: String,
    /// Where it begins there, in bytes.
    pub offset: u64,
}

/// What is in the bytes of `part` after `stop`, and in all later parts. Commands between `from` and `stop` are whole and
/// were not read either.
pub(super) fn unread(log: &Log, part: &Part, from: u64, stop: Stop) -> Unread {
    let bytes = part.mapping.bytes();
    let looks_like = looks_like(bytes, from);
    let mut found =
        Unread { part: part.name.clone(), offset: from, looks_like, ..Unread::default() };
    found.commands_of(part, index(from)..stop.at);
    found.after(part, stop);
    for later in log.parts.iter().skip(part.index + 1) {
        found.later_part(later);
    }
    found
}

/// The place at which the reading of an RDB ended.
pub(super) fn stop_in_rdb(part: &Part, offset: u64) -> Stop {
    let at = index(offset).min(part.mapping.bytes().len());
    Stop { at, fault: Some(Fault::NotACommand { at, found: 0 }) }
}

fn index(offset: u64) -> usize {
    usize::try_from(offset).unwrap_or(usize::MAX)
}

impl Unread {
    fn later_part(&mut self, part: &Part) {
        let bytes = part.mapping.bytes();
        let mut start = 0;
        if part.starts_with_rdb() {
            match rdb::read(bytes, &mut rdb::Ignore, &Silent) {
                Ok(reading) => start = index(reading.len()).min(bytes.len()),
                Err(damage) => return self.after(part, stop_in_rdb(part, damage.offset)),
            }
        }
        let stop = self.commands_of(part, start..bytes.len());
        self.after(part, stop);
    }

    /// What is intact after a fault.
    fn after(&mut self, part: &Part, stop: Stop) {
        if stop.fault.is_none() || stop.at >= part.mapping.bytes().len() {
            return;
        }
        for island in islands(part.mapping.bytes(), stop) {
            self.commands_of(part, index(island.range.start)..index(island.range.end));
        }
    }

    fn commands_of(&mut self, part: &Part, range: Range<usize>) -> Stop {
        let bytes = part.mapping.bytes();
        let Some(bytes) = bytes.get(..range.end).filter(|_| range.start < range.end) else {
            return Stop { at: range.start, fault: None };
        };
        let scanned = scan_parallel(bytes, range.start, Scout::new, |_| {}, &Silent);
        let scout = scanned.sink;
        self.commands += scout.commands;
        self.keys_deleted += scout.keys_deleted;
        self.more_flushes += scout.flushes.more;
        for event in scout.flushes.events {
            if event.deed == Deed::FunctionFlush {
                continue;
            }
            if self.flushes.len() < LISTED {
                let (what, part) = (What::of(event.deed), part.name.clone());
                self.flushes.push(UnreadFlush { what, part, offset: event.offset });
            } else {
                self.more_flushes += 1;
            }
        }
        scanned.stop
    }
}
