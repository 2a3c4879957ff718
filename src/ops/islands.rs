//! The intact stretches behind a damage.

use std::ops::Range;

use crate::aof::salvage::{next_island, trusted_prefix};
use crate::aof::{Frame, Stop, scan_parallel};
use crate::command::{Tally, lookup};
use crate::progress::Silent;

/// A stretch of whole commands behind a damage.
pub struct Island {
    /// Its bytes in the part.
    pub range: Range<u64>,
    /// What it holds. Whether a transaction was open before it is not known.
    pub tally: Tally,
}

/// All intact stretches of `bytes` behind the fault that `stop` tells of, in order.
pub fn islands(bytes: &[u8], stop: Stop) -> Vec<Island> {
    let mut found = Vec::new();
    let mut stop = stop;
    while stop.fault.is_some() {
        let from = stop.at + trusted_prefix(&bytes[stop.at..]).max(1);
        let Some(start) = next_island(bytes, from, &is_believable) else { break };
        let scanned = scan_parallel(bytes, start, Tally::default, |_| {}, &Silent);
        stop = scanned.stop;
        found.push(Island { range: start as u64..stop.at as u64, tally: scanned.sink });
    }
    found
}

/// Whether a frame found behind a damage is likely one: a known command with a possible number of arguments.
fn is_believable(frame: &Frame<'_>) -> bool {
    lookup(frame.name()).is_some_and(|id| id.row().accepts_arity(frame.argc() as usize))
}
