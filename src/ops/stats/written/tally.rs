//! The counts of a segment of a log.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::cell::Cell;
use super::counting::Counting;
use super::keys::each_key;
use super::times::Times;
use super::transactions::{Boundary, Transactions};
use crate::aof::grammar::timestamp;
use crate::aof::{Frame, Join, Sink};
use crate::command::{COUNT, CommandId, Group, Role, database_index, lookup_prefix};
use crate::ops::stats::prefixes::{PATTERNS, PatternSums};
use crate::ops::stats::report::{WrittenBy, WrittenType};
use crate::ops::stats::top::{Top, reported_name};

/// The maximum number of distinct names of unknown commands, and the length that is kept of each.
const UNKNOWN: usize = 512;
const NAME_BYTES: usize = 64;
/// The group of unknown names that are not distinguished.
const MORE_UNKNOWN: &[u8] = b"(other)";

/// Where a segment is.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Place {
    /// The index of the part.
    pub(super) part: u32,
    /// The number of bytes of the parts before it.
    pub(super) bytes_before: u64,
}

/// A large command; ordered by size, and the earlier of two first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Large {
    pub(super) bytes: u64,
    /// The part and the offset.
    pub(super) place: Reverse<(u32, u64)>,
    pub(super) name: Vec<u8>,
    pub(super) key: Option<Vec<u8>>,
    pub(super) arguments: u32,
}

/// The counts of a segment of a log.
pub(super) struct WrittenTally<'c> {
    counting: &'c Counting<'c>,
    place: Place,
    pub(super) total: Cell,
    pub(super) annotation_bytes: u64,
    commands: Box<[Cell; COUNT]>,
    unknown: BTreeMap<Vec<u8>, Cell>,
    /// The commands before the first SELECT.
    before_select: Cell,
    databases: BTreeMap<u32, Cell>,
    /// The database that is selected at the end, and its commands since.
    selected: Option<(u32, Cell)>,
    pub(super) times: Times,
    /// By the number of the span.
    pub(super) spans: BTreeMap<u64, Cell>,
    span: (u64, Cell),
    pub(super) largest: Top<Large>,
    pub(super) transactions: Transactions,
    pub(super) script_calls: u64,
    pub(super) prefixes: PatternSums,
    pattern: Vec<u8>,
}

impl<'c> WrittenTally<'c> {
    pub(super) fn new(counting: &'c Counting<'c>, place: Place) -> Self {
        WrittenTally {
            counting,
            place,
            total: Cell::default(),
            annotation_bytes: 0,
            commands: Box::new([Cell::default(); COUNT]),
            unknown: BTreeMap::new(),
            before_select: Cell::default(),
            databases: BTreeMap::new(),
            selected: None,
            times: Times::default(),
            spans: BTreeMap::new(),
            span: (0, Cell::default()),
            largest: Top::default(),
            transactions: Transactions::default(),
            script_calls: 0,
            prefixes: PatternSums::new(counting.segment_patterns),
            pattern: Vec::with_capacity(256),
        }
    }

    /// Adds the counts of the next part, which begins in database 0.
    pub(super) fn join_part(&mut self, part: Self) {
        self.settle_db();
        self.selected = Some((0, Cell::default()));
        self.prefixes.raise_limit(PATTERNS);
        self.join(part);
    }

    fn settle_db(&mut self) {
        if let Some((db, cell)) = self.selected.take()
            && cell.commands > 0
        {
            *self.databases.entry(db).or_default() += cell;
        }
    }

    fn settle_span(&mut self) {
        let (span, cell) = std::mem::take(&mut self.span);
        if cell.commands > 0 {
            *self.spans.entry(span).or_default() += cell;
        }
    }

    #[inline(always)]
    fn count_span(&mut self, frame: &Frame<'_>, cell: Cell) {
        let span = (self.place.bytes_before + frame.offset()) / self.counting.span;
        if span != self.span.0 {
            self.settle_span();
            self.span.0 = span;
        }
        self.span.1 += cell;
    }

    fn special(&mut self, id: CommandId, frame: &Frame<'_>) {
        let row = id.row();
        match row.role {
            Role::Select => {
                if let Some(db) = frame.args().nth(1).and_then(database_index) {
                    self.settle_db();
                    self.selected = Some((db, Cell::default()));
                }
                self.transactions.command();
            }
            Role::Multi => self.transactions.boundary(Boundary::Multi),
            Role::Exec => self.transactions.boundary(Boundary::Exec),
            Role::Plain => {
                self.script_calls += u64::from(is_script_call(row.name));
                self.transactions.command();
            }
        }
    }

    #[cold]
    fn unknown(&mut self, name: &[u8], cell: Cell) {
        let name = name[..name.len().min(NAME_BYTES)].to_ascii_uppercase();
        self.count_unknown(name, cell);
    }

    fn count_unknown(&mut self, name: Vec<u8>, cell: Cell) {
        let is_full = self.unknown.len() >= UNKNOWN && !self.unknown.contains_key(&name);
        let name = if is_full { MORE_UNKNOWN.to_vec() } else { name };
        *self.unknown.entry(name).or_default() += cell;
    }

    #[cold]
    fn offer(&mut self, frame: &Frame<'_>, id: Option<CommandId>, bytes: u64) {
        let mut key = None;
        each_key(frame, id, self.counting.key_specs, |name, _| {
            key.get_or_insert_with(|| reported_name(name));
        });
        let name = frame.name();
        self.largest.offer(Large {
            bytes,
            place: Reverse((self.place.part, frame.offset())),
            name: name[..name.len().min(NAME_BYTES)].to_vec(),
            key,
            arguments: frame.argc(),
        });
    }

    pub(super) fn by_command(&self) -> Vec<WrittenBy<String>> {
        let known = CommandId::all().zip(self.commands.iter());
        let known = known.map(|(id, cell)| (id.row().name.to_owned(), *cell));
        let unknown = self.unknown.iter();
        let unknown =
            unknown.map(|(name, cell)| (crate::base::escape::Shown(name).to_string(), *cell));
        groups(known.chain(unknown))
    }

    pub(super) fn by_type(&self) -> Vec<WrittenBy<WrittenType>> {
        let mut types: BTreeMap<WrittenType, Cell> = BTreeMap::new();
        for (id, cell) in CommandId::all().zip(self.commands.iter()) {
            *types.entry(type_of(id.row().group)).or_default() += *cell;
        }
        for cell in self.unknown.values() {
            *types.entry(WrittenType::Unknown).or_default() += *cell;
        }
        groups(types)
    }

    pub(super) fn by_db(&mut self) -> Vec<WrittenBy<u32>> {
        self.settle_db();
        let mut databases = groups(self.databases.iter().map(|(db, cell)| (*db, *cell)));
        databases.sort_by_key(|database| database.name);
        databases
    }
}

fn groups<T: Ord>(cells: impl IntoIterator<Item = (T, Cell)>) -> Vec<WrittenBy<T>> {
    let cells = cells.into_iter().filter(|(_, cell)| cell.commands > 0);
    let mut groups: Vec<_> = cells
        .map(|(name, cell)| WrittenBy { name, commands: cell.commands, bytes: cell.bytes })
        .collect();
    by_size(&mut groups);
    groups
}

/// Orders groups by size, the largest first.
fn by_size<T: Ord>(groups: &mut [WrittenBy<T>]) {
    groups.sort_by(|a, b| b.bytes.cmp(&a.bytes).then_with(|| a.name.cmp(&b.name)));
}

fn is_script_call(name: &str) -> bool {
    matches!(name, "EVAL" | "EVALSHA" | "EVAL_RO" | "EVALSHA_RO" | "FCALL" | "FCALL_RO")
}

fn type_of(group: Group) -> WrittenType {
    match group {
        Group::String | Group::Bitmap | Group::Hll => WrittenType::String,
        Group::List => WrittenType::List,
        Group::Set => WrittenType::Set,
        Group::Zset | Group::Geo => WrittenType::Zset,
        Group::Hash => WrittenType::Hash,
        Group::Stream => WrittenType::Stream,
        Group::Array => WrittenType::Array,
        Group::Vector => WrittenType::VectorSet,
        Group::Generic => WrittenType::Generic,
        Group::Scripting => WrittenType::Script,
        Group::Transactions => WrittenType::Transaction,
        Group::Cluster | Group::Connection | Group::Pubsub | Group::Server => WrittenType::Server,
    }
}

/// Whether more is to be recorded of a command than its occurrence. Indexed by command number.
static SPECIAL: [bool; COUNT] = {
    let mut special = [false; COUNT];
    let mut id = 0;
    while id < COUNT {
        let row = crate::command::TABLE[id];
        special[id] = !matches!(row.role, Role::Plain) || matches!(row.group, Group::Scripting);
        id += 1;
    }
    special
};

impl Sink for WrittenTally<'_> {
    #[inline(always)]
    fn command(&mut self, frame: Frame<'_>) {
        let bytes = frame.bytes().len() as u64;
        let cell = Cell::of(bytes);
        let (name_on, name_len) = frame.bytes_from_name();
        let id = lookup_prefix(name_on, name_len);
        self.total += cell;
        *self.times.current() += cell;
        self.count_span(&frame, cell);
        match id {
            Some(id) if SPECIAL[id.index()] => {
                self.commands[id.index()] += cell;
                self.special(id, &frame);
            }
            Some(id) => {
                self.commands[id.index()] += cell;
                self.transactions.command();
            }
            None => {
                self.unknown(frame.name(), cell);
                self.transactions.command();
            }
        }
        // A SELECT belongs to the database that it selects.
        match &mut self.selected {
            Some((_, of_db)) => *of_db += cell,
            None => self.before_select += cell,
        }
        if self.largest.least().is_none_or(|least| least.bytes < bytes) {
            self.offer(&frame, id, bytes);
        }
        let (prefixes, pattern) = (&mut self.prefixes, &mut self.pattern);
        let patterns = self.counting.patterns;
        let has_keys = each_key(&frame, id, self.counting.key_specs, |key, bytes| {
            prefixes.add_command((key, bytes), patterns, pattern);
        });
        if !has_keys {
            self.prefixes.add_keyless(1, bytes);
        }
    }

    fn annotation(&mut self, _: u64, line: &[u8]) {
        self.annotation_bytes += line.len() as u64;
        if let Some(time) = timestamp(line) {
            self.times.annotated(time);
        }
    }
}

impl Join for WrittenTally<'_> {
    fn join(&mut self, later: Self) {
        let mut later = later;
        self.settle_span();
        later.settle_span();
        self.total += later.total;
        self.annotation_bytes += later.annotation_bytes;
        for (cell, more) in self.commands.iter_mut().zip(later.commands.iter()) {
            *cell += *more;
        }
        for (name, cell) in later.unknown {
            self.count_unknown(name, cell);
        }
        match &mut self.selected {
            Some((_, cell)) => *cell += later.before_select,
            None => self.before_select += later.before_select,
        }
        for (db, cell) in later.databases {
            *self.databases.entry(db).or_default() += cell;
        }
        if later.selected.is_some() {
            self.settle_db();
            self.selected = later.selected;
        }
        self.times.join(later.times);
        for (span, cell) in later.spans {
            *self.spans.entry(span).or_default() += cell;
        }
        self.largest.join(later.largest);
        self.transactions.join(later.transactions);
        self.script_calls += later.script_calls;
        self.prefixes.join(later.prefixes);
    }
}
