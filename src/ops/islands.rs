//! The intact stretches behind a damage.

use std::ops::Range;

use crate::aof::recognise::{LooksLike, recognise};
use crate::aof::salvage::{next_island, trusted_prefix};
use crate::aof::{Frame, Join, Stop, scan, scan_parallel};
use crate::command::transactions_seen::Transactions;
use crate::command::{Tally, lookup};
use crate::progress::Silent;

/// A stretch of whole commands behind a damage. There may be very many, so it holds no tally.
pub struct Island {
    /// Its bytes in the part.
    pub range: Range<u64>,
    /// How many commands it holds.
    pub commands: u64,
    /// How many of them stand before its first SELECT.
    pub before_first_select: u64,
    /// Its transactions. Whether one was open before it is not known.
    pub transactions: Transactions,
}

/// How far an island is read on one core before all others help: they begin far behind what is then found to
/// be its end, and a log with many damages has many islands.
const NEAR_BYTES: usize = 1 << 20;

/// All intact stretches of `bytes` behind the fault that `stop` tells of, in order.
pub fn islands(bytes: &[u8], stop: Stop) -> Vec<Island> {
    let mut found = Vec::new();
    let mut stop = stop;
    while stop.fault.is_some() {
        let from = stop.at + trusted_prefix(&bytes[stop.at..]).max(1);
        let Some(start) = next_island(bytes, from, &is_believable) else { break };
        let mut tally = Tally::default();
        stop = scan(bytes, start..start.saturating_add(NEAR_BYTES), &mut tally);
        if stop.fault.is_none() && stop.at < bytes.len() {
            let rest = scan_parallel(bytes, stop.at, Tally::default, |_| {}, &Silent);
            stop = rest.stop;
            tally.join(rest.sink);
        }
        found.push(Island {
            range: start as u64..stop.at as u64,
            commands: tally.commands,
            before_first_select: tally.databases.before_first_select(tally.commands),
            transactions: tally.transactions,
        });
    }
    found
}

/// Whether a frame found behind a damage is likely one: a known command with a possible number of arguments.
fn is_believable(frame: &Frame<'_>) -> bool {
    lookup(frame.name()).is_some_and(|id| id.row().accepts_arity(frame.argc() as usize))
}

/// What the bytes of a part look like from `offset` on, where a damage begins.
pub fn looks_like(bytes: &[u8], offset: u64) -> Option<LooksLike> {
    let from = usize::try_from(offset).ok()?;
    let is_command =
        |name: &[u8], argc: usize| lookup(name).is_some_and(|id| id.row().accepts_arity(argc));
    recognise(bytes.get(from..)?, &is_command)
}
