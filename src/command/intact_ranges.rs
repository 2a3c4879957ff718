//! The intact ranges after damage. Whether there are any distinguishes damage from a torn end.

use std::ops::Range;

use super::lookup;
use crate::aof::recognise::{LooksLike, recognise};
use crate::aof::salvage::{find_next_frame, trusted_prefix};
use crate::aof::{Frame, Join, Stop, scan, scan_parallel};
use crate::base::progress::Silent;
use crate::base::units::Count;
use crate::command::tally::Tally;
use crate::command::transaction_scan::Transactions;

/// A range of whole commands after damage. There may be very many, so it holds no tally.
pub struct IntactRange {
    /// Its bytes in the part.
    pub range: Range<u64>,
    /// How many commands it holds.
    pub commands: u64,
    /// How many of them are before its first SELECT.
    pub before_first_select: u64,
    /// The databases that it selects.
    pub databases: Vec<u32>,
    /// The first command in it that has not the form in which servers write them.
    pub unusual: Option<u64>,
    /// Its transactions. Whether one was open before it is not known.
    pub transactions: Transactions,
}

/// How many bytes of an intact range one core reads before all others help: they begin far after what is then found to
/// be its end, and a log with many damaged places has many intact ranges.
const NEAR_BYTES: usize = 1 << 20;

/// Whether the reading of `bytes`, a whole file, stopped at damage rather than at a torn end or not at all.
///
/// The end is torn if the file ends inside its last command. A length that is broken in the middle of a file reaches
/// beyond the end as well, but whole commands follow it: that is damage, and whoever cut it would lose them. Every
/// operation that leaves out a torn end asks here.
pub fn is_damage(bytes: &[u8], stop: Stop) -> bool {
    match stop.fault {
        None => false,
        Some(fault) => !fault.is_short() || first(bytes, stop, true).is_some(),
    }
}

/// How many whole commands follow a damage: `12 whole commands follow`.
pub fn following(bytes: &[u8], stop: Stop) -> String {
    let commands: u64 = intact_ranges(bytes, stop).iter().map(|range| range.commands).sum();
    match commands {
        0 => "no whole command follows".to_owned(),
        1 => "1 whole command follows".to_owned(),
        _ => format!("{} whole commands follow", Count(commands)),
    }
}

/// Returns all intact ranges of `bytes`, a whole file, after the fault in `stop`, in order.
pub fn intact_ranges(bytes: &[u8], stop: Stop) -> Vec<IntactRange> {
    find(bytes, stop, true)
}

/// As [`intact_ranges`], of bytes that end before their file does.
pub fn intact_ranges_before_more(bytes: &[u8], stop: Stop) -> Vec<IntactRange> {
    find(bytes, stop, false)
}

/// The offset of the first intact range.
fn first(bytes: &[u8], stop: Stop, is_file_end: bool) -> Option<usize> {
    let from = stop.at + trusted_prefix(&bytes[stop.at..], is_file_end).max(1);
    find_next_frame(bytes, from, &is_believable)
}

fn find(bytes: &[u8], stop: Stop, is_file_end: bool) -> Vec<IntactRange> {
    let mut found = Vec::new();
    let mut stop = stop;
    while stop.fault.is_some() {
        let Some(start) = first(bytes, stop, is_file_end) else { break };
        let mut tally = Tally::default();
        stop = scan(bytes, start..start.saturating_add(NEAR_BYTES), &mut tally);
        if stop.fault.is_none() && stop.at < bytes.len() {
            let rest = scan_parallel(bytes, stop.at, Tally::default, |_| {}, &Silent);
            stop = rest.stop;
            tally.join(rest.sink);
        }
        found.push(IntactRange {
            range: start as u64..stop.at as u64,
            commands: tally.commands,
            before_first_select: tally.databases.before_first_select(tally.commands),
            unusual: (tally.non_canonical.count > 0).then_some(tally.non_canonical.first),
            databases: tally.databases.by_number.into_keys().collect(),
            transactions: tally.transactions,
        });
    }
    found
}

/// Whether a frame found after damage is likely one: a known command with a possible number of arguments. One that
/// no known server has, as those of modules, is believed if the next command or the end follows directly: an array in
/// a value, which looks the same, is followed by the end of the value.
fn is_believable(frame: &Frame<'_>, rest: &[u8]) -> bool {
    match lookup(frame.name()) {
        Some(id) => id.row().accepts_arity(frame.argc() as usize),
        None => is_a_name(frame.name()) && matches!(rest.first(), None | Some(b'*' | b'#')),
    }
}

/// Whether these bytes could be the name of a command, be it a module's or a renamed one.
fn is_a_name(bytes: &[u8]) -> bool {
    let is_plain = |&byte: &u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    (2..=64).contains(&bytes.len()) && bytes.iter().all(is_plain)
}

/// What the bytes of a part look like from `offset` on, where a damage begins.
pub fn looks_like(bytes: &[u8], offset: u64) -> Option<LooksLike> {
    let from = usize::try_from(offset).ok()?;
    let is_command =
        |name: &[u8], argc: usize| lookup(name).is_some_and(|id| id.row().accepts_arity(argc));
    recognise(bytes.get(from..)?, &is_command)
}
