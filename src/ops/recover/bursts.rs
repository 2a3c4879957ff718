//! Keys that commands removed one by one, grouped into events.
//!
//! Keys are counted in cells: one for each command, database and interval between two points of the log. So memory does
//! not depend on the number of keys, and the result not on the order in which shards are replayed. Neighbouring cells
//! become an event if they removed many keys within a short span.

use std::collections::BTreeMap;
use std::hash::Hash;
use std::ops::Range;
use std::sync::Arc;

use hashbrown::{HashMap, HashSet};

use super::event_kind::EventKind;
use super::key_prefix::{KeyPrefix, prefix};
use super::thresholds::{Loss, Thresholds};
use crate::analysis::key_course::{Course, KeyCounts};
use crate::command::{CommandId, Position};

/// The minimum number of points of the log at which keys are counted.
pub(super) const PLACES: u64 = 2048;

/// The maximum number of prefixes that are counted in a cell, and in an event.
const PREFIXES_OF_CELL: usize = 16;
const PREFIXES_OF_EVENT: usize = 64;

/// The maximum number of prefixes that are reported.
const REPORTED: usize = 3;

/// The maximum number of cells; the keys of others are only counted in the totals.
const CELLS: usize = 1 << 15;

/// The maximum number of events that are reported: the ones that removed most keys.
const EVENTS: usize = 256;

/// Up to one in this many of the keys of an event are few.
const FEW_ONE_IN: u64 = 20;

/// The minimum number of bytes between two removals of different events: about a dozen short commands.
const GAP: u64 = 512;

/// What removed a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Cause {
    pub(super) db: u32,
    pub(super) id: CommandId,
    pub(super) kind: Removal,
}

/// How a command removed a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Removal {
    /// By its name.
    Deleted,
    /// With its last element, or because the result of the command was empty.
    Emptied,
    /// By a value of another type.
    Overwritten,
    /// By an expiry that passed.
    Expired,
}

impl Removal {
    fn event_kind(self) -> EventKind {
        match self {
            Removal::Deleted => EventKind::Delete,
            Removal::Emptied => EventKind::Emptied,
            Removal::Overwritten => EventKind::Overwritten,
            Removal::Expired => EventKind::Expired,
        }
    }
}

/// A cell: what removed the keys, and the index of the interval.
pub(super) type CellId = (Cause, usize);

/// The keys that one kind of command removed in an interval.
#[derive(Debug, Clone, Default)]
pub(super) struct Cell {
    pub(super) commands: u64,
    pub(super) keys: u64,
    /// The number of these keys that are missing at the end.
    pub(super) gone: u64,
    pub(super) first: Position,
    /// The position of the last command, and the byte offset at which it ends.
    pub(super) last: Position,
    pub(super) end: u64,
    prefixes: Prefixes,
}

/// The number of keys of each prefix: so few that a list is the fastest map of them. Most cells of one shard have one.
#[derive(Debug, Clone, Default)]
struct Prefixes {
    first: Option<(Arc<[u8]>, u64)>,
    more: Vec<(Arc<[u8]>, u64)>,
}

impl Prefixes {
    fn len(&self) -> usize {
        usize::from(self.first.is_some()) + self.more.len()
    }

    fn iter(&self) -> impl Iterator<Item = &(Arc<[u8]>, u64)> {
        self.first.iter().chain(&self.more)
    }

    fn iter_mut(&mut self) -> impl Iterator<Item = &mut (Arc<[u8]>, u64)> {
        self.first.iter_mut().chain(&mut self.more)
    }

    fn push(&mut self, prefix: Arc<[u8]>, keys: u64) {
        match self.first {
            None => self.first = Some((prefix, keys)),
            Some(_) => self.more.push((prefix, keys)),
        }
    }
}

impl Cell {
    fn add(&mut self, other: Cell, prefixes: usize) {
        if self.keys == 0 {
            *self = other;
            return;
        }
        self.commands += other.commands;
        self.keys += other.keys;
        self.gone += other.gone;
        self.first = self.first.min(other.first);
        if other.last > self.last {
            (self.last, self.end) = (other.last, other.end);
        }
        for (prefix, keys) in other.prefixes.iter() {
            self.count_prefix(prefix, *keys, prefixes, || prefix.clone());
        }
    }

    /// Returns the most frequent prefixes, most frequent first.
    pub(super) fn prefixes(&self) -> Vec<KeyPrefix> {
        let mut prefixes: Vec<_> = self.prefixes.iter().cloned().collect();
        prefixes.sort_by_key(|(prefix, keys)| (std::cmp::Reverse(*keys), prefix.clone()));
        let reported = prefixes.iter().take(REPORTED);
        reported.map(|(prefix, keys)| KeyPrefix::new(prefix, *keys)).collect()
    }

    /// Counts the keys of a prefix, whose name is made by `name` if it is the first of the cell.
    fn count_prefix(
        &mut self,
        prefix: &[u8],
        keys: u64,
        most: usize,
        name: impl FnOnce() -> Arc<[u8]>,
    ) {
        let counted = self.prefixes.iter_mut().find(|(counted, _)| **counted == *prefix);
        if let Some((_, counted)) = counted {
            *counted += keys;
        } else if self.prefixes.len() < most {
            self.prefixes.push(name(), keys);
        }
    }
}

/// The cells of one shard or of all shards.
#[derive(Debug)]
pub(super) struct Cells<Id> {
    cells: HashMap<Id, Cell>,
    /// The prefixes that cells count, each allocated once.
    names: HashSet<Arc<[u8]>>,
}

impl<Id> Default for Cells<Id> {
    fn default() -> Self {
        Cells { cells: HashMap::new(), names: HashSet::new() }
    }
}

impl<Id: Ord + Hash> Cells<Id> {
    pub(super) fn get(&self, id: &Id) -> Option<&Cell> {
        self.cells.get(id)
    }

    /// Counts a key that a command removed.
    pub(super) fn count(&mut self, id: Id, at: Position, end: u64, key: &[u8]) {
        if self.cells.len() >= CELLS && !self.cells.contains_key(&id) {
            return;
        }
        let cell = self.cells.entry(id).or_default();
        if cell.keys == 0 {
            cell.first = at;
        }
        cell.first = cell.first.min(at);
        cell.commands += u64::from(cell.keys == 0 || cell.last != at);
        if at >= cell.last {
            (cell.last, cell.end) = (at, end);
        }
        cell.keys += 1;
        let prefix = prefix(key);
        let names = &mut self.names;
        let name = || names.get_or_insert_with(prefix, |prefix| prefix.into()).clone();
        cell.count_prefix(prefix, 1, PREFIXES_OF_CELL, name);
    }

    /// Records that a key of a cell is missing at the end.
    pub(super) fn is_gone(&mut self, id: Id) {
        if let Some(cell) = self.cells.get_mut(&id) {
            cell.gone += 1;
        }
    }

    pub(super) fn join(&mut self, other: Self) {
        if self.cells.len() + other.cells.len() <= CELLS {
            for (id, cell) in other.cells {
                self.cells.entry(id).or_default().add(cell, PREFIXES_OF_CELL);
            }
            return;
        }
        // The order decides which of them have no room.
        let mut cells: Vec<(Id, Cell)> = other.cells.into_iter().collect();
        cells.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        for (id, cell) in cells {
            if let Some(known) = self.cells.get_mut(&id) {
                known.add(cell, PREFIXES_OF_CELL);
            } else if self.cells.len() < CELLS {
                self.cells.insert(id, cell);
            }
        }
    }

    /// Returns the number of keys in the cells that `wanted` is true for.
    fn keys(&self, wanted: impl Fn(&Id) -> bool) -> u64 {
        let cells = self.cells.iter().filter(|(id, _)| wanted(id));
        cells.map(|(_, cell)| cell.keys).sum()
    }
}

/// Returns the number of keys that commands removed by their names.
pub(super) fn deleted(cells: &Cells<CellId>) -> u64 {
    cells.keys(|(cause, _)| cause.kind == Removal::Deleted)
}

/// Keys that the same kind of command removed within a short span.
#[derive(Debug, Clone)]
pub(super) struct Burst {
    pub(super) cause: Cause,
    pub(super) cell: Cell,
    /// The number of keys of the database before it.
    pub(super) keys_before: u64,
    /// The times of the first and the last command, in Unix seconds, if annotations give them.
    pub(super) times: Option<(i64, i64)>,
    /// The number by which the keys of the database decreased.
    fall: u64,
}

impl Burst {
    fn is_concentrated(&self) -> bool {
        is_concentrated(self.cell.keys, self.fall)
    }

    pub(super) fn event_kind(&self) -> EventKind {
        self.cause.kind.event_kind()
    }
}

/// Returns whether removed keys are more than the ordinary changes of a log whose keys become fewer at the same time.
pub(super) fn is_concentrated(keys: u64, fall: u64) -> bool {
    fall.saturating_mul(2) >= keys
}

/// Groups cells into the events that count as losses, in the order of the log.
pub(super) fn bursts(
    cells: &Cells<CellId>,
    course: &Course,
    counts: &KeyCounts,
    thresholds: Thresholds,
) -> Vec<Burst> {
    let mut by_cause: BTreeMap<Cause, Vec<(usize, &Cell)>> = BTreeMap::new();
    for ((cause, at), cell) in &cells.cells {
        by_cause.entry(*cause).or_default().push((*at, cell));
    }
    let mut found = Vec::new();
    for (cause, mut cells) in by_cause {
        cells.sort_unstable_by_key(|(at, _)| *at);
        let grouping = Grouping { cause, course, counts, thresholds };
        grouping.events(&cells, &mut found);
    }
    found.sort_by_key(|burst| std::cmp::Reverse(burst.cell.keys));
    found.truncate(EVENTS);
    found.sort_by_key(|burst| burst.cell.first);
    found
}

/// Extends a range of cells by those that follow each other without a command between them, and by a few keys at the ends
/// of a chain: a key that is created in the same interval hides the removal of another one.
fn rounded(chain: &[Numbered<'_>], range: Range<usize>) -> (usize, usize) {
    let keys = |cells: &[Numbered<'_>]| cells.iter().map(|(_, cell)| cell.keys).sum::<u64>();
    let follows = |at: usize| match (chain.get(at.wrapping_sub(1)), chain.get(at)) {
        (Some((_, one)), Some((_, other))) => {
            one.last.part == other.first.part && one.end == other.first.offset
        }
        _ => false,
    };
    let (mut from, mut to) = (range.start, range.end);
    while follows(from) {
        from -= 1;
    }
    while follows(to) {
        to += 1;
    }
    let few = (keys(&chain[from..to]) / FEW_ONE_IN).max(1);
    if keys(&chain[..from]) <= few {
        from = 0;
    }
    if keys(&chain[to..]) <= few {
        to = chain.len();
    }
    (from, to)
}

struct Grouping<'g> {
    cause: Cause,
    course: &'g Course,
    counts: &'g KeyCounts,
    thresholds: Thresholds,
}

type Numbered<'c> = (usize, &'c Cell);

impl Grouping<'_> {
    fn events(&self, cells: &[Numbered<'_>], found: &mut Vec<Burst>) {
        let total = cells.iter().map(|(_, cell)| cell.keys).sum();
        let mut chains: Vec<&[Numbered<'_>]> = self.chains(cells).collect();
        while let Some(chain) = chains.pop() {
            let (from, to) = self.fall(chain);
            if let Some(burst) = self.burst(&chain[from..to], false).filter(Burst::is_concentrated)
            {
                found.push(burst);
                chains
                    .extend([&chain[..from], &chain[to..]].into_iter().filter(|it| !it.is_empty()));
            } else if self.is_above_rate(chain, total) {
                found.extend(self.burst(chain, true));
            } else {
                let hot = chain.chunk_by(|one, other| {
                    self.is_above_rate(&[*one], total) == self.is_above_rate(&[*other], total)
                });
                let hot = hot.filter(|cells| self.is_above_rate(&cells[..1], total));
                found.extend(hot.filter_map(|cells| self.burst(cells, true)));
            }
        }
    }

    /// Returns whether keys were removed at a multiple of the rate of the whole log.
    fn is_above_rate(&self, cells: &[Numbered<'_>], total: u64) -> bool {
        let (Some((first, _)), Some((last, _))) = (cells.first(), cells.last()) else {
            return false;
        };
        let keys: u64 = cells.iter().map(|(_, cell)| cell.keys).sum();
        let intervals = (last - first + 1) as u64;
        keys.saturating_mul(PLACES)
            >= total.saturating_mul(self.thresholds.rate).saturating_mul(intervals)
    }

    /// Splits cells where no key was removed for long.
    fn chains<'s, 'c>(
        &self,
        cells: &'s [Numbered<'c>],
    ) -> impl Iterator<Item = &'s [Numbered<'c>]> {
        let gap = GAP.max(2 * self.course.each);
        cells.chunk_by(move |(_, one), (_, other)| {
            one.last.part == other.first.part && other.first.offset.saturating_sub(one.end) <= gap
                || one.last.part + 1 == other.first.part && other.first.offset <= gap
        })
    }

    /// Returns the range of the cells between the highest number of keys and the lowest one after it.
    fn fall(&self, chain: &[Numbered<'_>]) -> (usize, usize) {
        if !matches!(self.cause.kind, Removal::Deleted | Removal::Emptied) {
            return (0, chain.len());
        }
        let keys = self.counts.of_db(self.cause.db);
        // The number of keys before each cell, and after it.
        let before = |index: usize| keys(chain[index].0.saturating_sub(1));
        let after = |index: usize| keys(self.after(chain[index].1));
        // Of several falls of the same size, the shortest one.
        let (mut largest, mut range, mut top) = (0, 0..1, 0);
        for index in 0..chain.len() {
            if before(index) >= before(top) {
                top = index;
            }
            let fall = before(top).saturating_sub(after(index));
            if fall > largest || fall == largest && top > range.start {
                (largest, range) = (fall, top..index + 1);
            }
        }
        rounded(chain, range)
    }

    /// Returns the first point after a cell.
    fn after(&self, cell: &Cell) -> usize {
        self.course.reached(cell.last)
    }

    /// Returns the event of a chain of cells, if it counts as a loss.
    fn burst(&self, chain: &[Numbered<'_>], is_above_rate: bool) -> Option<Burst> {
        let mut cell = Cell::default();
        chain.iter().for_each(|(_, other)| cell.add((*other).clone(), PREFIXES_OF_EVENT));
        let keys = self.counts.of_db(self.cause.db);
        let keys_before = keys(chain.first()?.0.saturating_sub(1));
        let fall = match self.cause.kind {
            Removal::Deleted | Removal::Emptied => {
                keys_before.saturating_sub(keys(self.after(&cell)))
            }
            Removal::Overwritten | Removal::Expired => cell.keys,
        };
        let loss = Loss {
            keys: cell.gone.min(cell.keys),
            fall,
            keys_before,
            is_above_rate,
            is_routine: self.cause.kind == Removal::Emptied,
        };
        self.thresholds.is_loss(loss).then_some(Burst {
            cause: self.cause,
            cell,
            keys_before,
            times: None,
            fall,
        })
    }
}
