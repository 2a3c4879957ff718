//! The content after the point at which reading a log stopped, found by skipping the damage and never replayed.

use std::ops::Range;

use serde::Serialize;

use super::event_kind::EventKind;
use crate::analysis::destruction_scan::{DestructionScan, DestructiveOp};
use crate::aof::log::{Log, Part};
use crate::aof::recognise::LooksLike;
use crate::aof::{Fault, Stop, scan_parallel};
use crate::base::progress::Silent;
use crate::command::intact_ranges::{intact_ranges, looks_like};
use crate::rdb;

/// The maximum number of flushes that are listed.
const LISTED: usize = 16;

/// The bytes of a log that were not read, and the commands found in them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Unread {
    /// The file name of the part.
    pub part: String,
    /// The byte offset at which the unread bytes begin. Later parts were not read either.
    pub offset: u64,
    /// The data format that the bytes resemble, if recognised.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub looks_like: Option<LooksLike>,
    /// The number of complete commands in them.
    pub commands: u64,
    /// The number of keys named by DEL, UNLINK and GETDEL among them.
    pub keys_deleted: u64,
    /// The first flushes among them, such as FLUSHALL and FLUSHDB.
    pub flushes: Vec<UnreadFlush>,
    /// The number of flushes that are not listed.
    pub more_flushes: u64,
}

/// A flush that was not replayed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UnreadFlush {
    /// The kind of the flush.
    #[serde(flatten)]
    pub what: EventKind,
    /// The file name of the part that contains it.
    pub part: String,
    /// The byte offset at which it begins in the part.
    pub offset: u64,
}

/// Returns the content of `part` after `stop` and of all later parts. Commands between `from` and `stop` are complete
/// but were not read either.
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

/// Returns the point at which reading an RDB stopped.
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
            match part.read_rdb(&mut rdb::IgnoreDeep, &Silent) {
                Ok(reading) => start = index(reading.len()).min(bytes.len()),
                Err(damage) => return self.after(part, stop_in_rdb(part, damage.offset)),
            }
        }
        let stop = self.commands_of(part, start..bytes.len());
        self.after(part, stop);
    }

    /// Scans the intact commands after a fault.
    fn after(&mut self, part: &Part, stop: Stop) {
        if stop.fault.is_none() || stop.at >= part.mapping.bytes().len() {
            return;
        }
        for range in intact_ranges(part.mapping.bytes(), stop) {
            self.commands_of(part, index(range.range.start)..index(range.range.end));
        }
    }

    fn commands_of(&mut self, part: &Part, range: Range<usize>) -> Stop {
        let bytes = part.mapping.bytes();
        let Some(bytes) = bytes.get(..range.end).filter(|_| range.start < range.end) else {
            return Stop { at: range.start, fault: None };
        };
        let scanned = scan_parallel(bytes, range.start, DestructionScan::new, |_| {}, &Silent);
        let scout = scanned.sink;
        self.commands += scout.commands;
        self.keys_deleted += scout.keys_deleted;
        self.more_flushes += scout.flushes.more;
        for event in scout.flushes.events {
            if event.op == DestructiveOp::FunctionFlush {
                continue;
            }
            if self.flushes.len() < LISTED {
                let (what, part) = (EventKind::from_op(event.op), part.name.clone());
                self.flushes.push(UnreadFlush { what, part, offset: event.offset });
            } else {
                self.more_flushes += 1;
            }
        }
        scanned.stop
    }
}
