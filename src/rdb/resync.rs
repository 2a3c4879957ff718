//! The records of a damaged RDB that are whole.
//!
//! Nothing in the format marks where a record begins. Records before damage are certain, because each begins where the
//! one before it ends. If the value of a key is broken and its length is known, the next record begins after it.
//! Otherwise the most likely sequence of records is searched (see [`chain`](super::chain)). What was invented by that
//! would be the first keys after the damage; they are reported as doubtful, and so are the last keys before damage
//! that breaks the format, because damage may be noticed late. Since version 12, a field of a hash without an expiry has the
//! same bytes as a string has with its name, so that keys after damage are doubtful until one has a name like those before
//! all damage.
//!
//! Records are not changed: the result is a list of byte ranges of the input.

use std::collections::{HashMap, HashSet, VecDeque};
use std::io::{self, Write};
use std::ops::Range;

use serde::Serialize;

use super::chain::{EXPIRIES_MS, Search, Way, has_name};
use super::checksum::Sum;
use super::damage::Damage;
use super::deep::NotedFaults;
use super::driver::{Driver, Step};
use super::fault::Fault;
use super::format::opcode;
use super::header::{HEADER_BYTES, Header, Magic};
use super::load_check::LoadCheck;
use super::name_model::NameModel;
use super::probe::{end_of_rdb, length_without_checks, name_at, selects_with_sizes};
use super::reader::Tools;
use super::text::Text;
use super::visitor::{AuxWhen, Key, KeyEnd, ModuleId, Visitor, Want};
use crate::base::progress::Progress;

/// What to retain of a damaged RDB.
pub(crate) struct Wanted<'w> {
    /// Whether the last record of a duplicate key is retained instead of the first.
    pub(crate) keeps_last: bool,
    /// Returns whether keys are dropped whose values fail a check that not all loaders make.
    pub(crate) drops: &'w dyn Fn(LoadCheck) -> bool,
    /// Returns why no server loads a function library with this text, if none does.
    pub(crate) refuses_library: &'w dyn Fn(&[u8]) -> Option<String>,
    /// Returns where commands begin after a byte, if the RDB precedes them.
    pub(crate) commands: &'w dyn Fn(usize) -> Option<usize>,
}

/// What is retained of a damaged RDB, and what is not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Salvaged {
    /// The byte ranges that are retained, in order, from the header on; without the end and the checksum.
    pub(crate) kept: Vec<Range<u64>>,
    /// The number of keys in them.
    pub(crate) keys: u64,
    /// The number of keys that the databases declare to have. It is 0 if none does.
    pub(crate) declared: u64,
    /// The byte ranges that are not retained, in order.
    pub(crate) dropped: Vec<Gone>,
    /// The keys that are retained and that may have been read from other bytes than a record.
    pub(crate) doubtful: Vec<Doubtful>,
    /// The number of keys that may belong to another database, because its number may have been lost.
    pub(crate) database_uncertain: u64,
    /// Where the RDB ends in the input. Commands may follow.
    pub(crate) len: u64,
    /// Whether only single records were dropped, whose lengths are known, and the end was found.
    pub(crate) is_framed: bool,
}

/// Bytes of an RDB that are not retained.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Gone {
    /// The byte offset at which they begin.
    pub(crate) offset: u64,
    /// Their number.
    pub(crate) bytes: u64,
    /// The reason.
    pub(crate) why: GoneReason,
    /// What was found, as a phrase in lower case.
    pub(crate) found: String,
    /// The database of the key that is lost.
    pub(crate) db: u64,
    /// The key that is lost, if its name can be read.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "escaped_if_any")]
    pub(crate) key: Option<Vec<u8>>,
}

/// The reason why bytes of an RDB are not retained.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum GoneReason {
    /// They are not records.
    Damage,
    /// They are a key whose value is broken.
    Value,
    /// They are a key that the database has already.
    Duplicate,
    /// They are a function library that no server loads.
    Library,
    /// The file ends in them.
    Torn,
}

/// A key that is retained, and that may have been read from other bytes than a record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Doubtful {
    /// The byte offset of its record.
    pub(crate) offset: u64,
    /// The database.
    pub(crate) db: u64,
    /// Its name.
    #[serde(serialize_with = "escaped")]
    pub(crate) key: Vec<u8>,
}

fn escaped<S: serde::Serializer>(key: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&key.escape_ascii())
}

fn escaped_if_any<S: serde::Serializer>(
    key: &Option<Vec<u8>>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match key {
        Some(key) => escaped(key, serializer),
        None => serializer.serialize_none(),
    }
}

/// The number of keys next to damage that are doubtful.
const DOUBTFUL_KEYS: usize = 3;

/// The number of keys before damage that may have been read from other bytes than records.
const RECENT_KEYS: usize = 16;

/// The number of shapes of names that are remembered.
const SHAPES: usize = 4096;

/// The number of keys in a row that bytes inside a value may be read as.
const UNPROVED_KEYS: usize = 4096;

/// How far back in bytes a length that was damaged may have led into other records.
const LOOK_BACK_BYTES: u64 = 64 << 20;

/// The number of records, the longest ones, in which missing keys are searched.
const LONGEST_RECORDS: usize = 8;

/// Returns what is whole of the RDB that `bytes` begin with.
///
/// `progress` is advanced by the bytes that were read.
///
/// # Errors
///
/// Returns the damage if the header cannot be read: what follows depends on its version.
pub(crate) fn salvage(
    bytes: &[u8],
    wanted: &Wanted<'_>,
    progress: &dyn Progress,
) -> Result<Salvaged, Box<Damage>> {
    let mut too_long = Vec::new();
    loop {
        let mut salvager = salvage_once(bytes, wanted, &too_long, progress)?;
        // A damaged length may lead exactly to the beginning of a later record. Only the number of keys shows it.
        match salvager.too_long_record() {
            Some(start) if !too_long.contains(&start) => too_long.push(start),
            _ => return Ok(salvager.finish()),
        }
    }
}

/// Reads all records. Those that begin at bytes of `too_long` contain other ones.
fn salvage_once<'a, 'w>(
    bytes: &'a [u8],
    wanted: &'w Wanted<'w>,
    too_long: &[usize],
    progress: &dyn Progress,
) -> Result<Salvager<'a, 'w>, Box<Damage>> {
    let mut tools = Tools::new();
    tools.noted = Some(NotedFaults::default());
    let mut current = Current::default();
    let mut driver = Driver::new(bytes, &mut current, &mut tools);
    if let Err(fault) = driver.begin() {
        return Err(driver.damage(fault));
    }
    let mut salvager = Salvager::new(bytes, driver.header, wanted);
    let mut reported = 0;
    loop {
        let start = driver.whole;
        if start - reported > 1 << 20 {
            progress.advance((start - reported) as u64);
            reported = start;
        }
        let before = driver.db;
        let step = driver.step();
        let mut db = driver.db;
        let found = match step {
            Ok(Step::End) => match end_of_rdb(bytes, driver.header, driver.reader.cursor.pos()) {
                Some(len) => {
                    salvager.out.len = len as u64;
                    break;
                }
                None => Found { text: "an end in the middle of the RDB".to_owned(), short: false },
            },
            Ok(Step::Again) if driver.whole == start => continue,
            Ok(Step::Again) if begins_with_zeros(bytes, start) => {
                driver.reader.visitor.take();
                Found { text: "zero bytes, as a power loss leaves them".to_owned(), short: false }
            }
            Ok(Step::Again) => {
                let seen = driver.reader.visitor.take();
                if seen.selected && salvager.lacks_sizes(start) {
                    db = before;
                    let text = "the number of a database without its size".to_owned();
                    Found { text, short: false }
                } else if seen.has_no_module {
                    driver.reader.visitor.seen.name = seen.name;
                    Found { text: "a value of a module without a name".to_owned(), short: false }
                } else {
                    let is_dropped = |fault: &Fault| fault.check().is_some_and(wanted.drops);
                    let failed = driver.failed.drain(..).find(is_dropped);
                    let failed =
                        failed.map(|fault| format!("{}: {}", fault.0.reading, fault.0.kind));
                    let refused = driver.refused.take();
                    let refused =
                        refused.map(|(_, damage)| format!("{}: {}", damage.reading, damage.kind));
                    salvager.declared(seen.declared, seen.selected);
                    let record = start..driver.whole;
                    let library = seen.library.as_deref();
                    if let Some(found) = library.and_then(wanted.refuses_library) {
                        salvager.drop(record, GoneReason::Library, found, db, None);
                        continue;
                    }
                    let is_too_long = too_long.contains(&start);
                    let found = refused.or(failed);
                    let too_long = || is_too_long.then(|| "a length that is too high".to_owned());
                    match found.or_else(too_long) {
                        Some(found) => {
                            let next = salvager.after_value(record, db, seen.name, found);
                            if next != driver.whole {
                                driver.go_to(salvager.header, db, next);
                            }
                        }
                        None => salvager.keep(record, db, seen),
                    }
                    continue;
                }
            }
            Err(fault) => {
                let damage = driver.damage(fault);
                let short = damage.kind.is_short();
                Found { text: format!("{}: {}", damage.reading, damage.kind), short }
            }
        };
        let name = driver.reader.visitor.take().name;
        match salvager.next_record(start, db, name, found) {
            Some(next) => driver.go_to(salvager.header, db, next),
            None => break,
        }
    }
    progress.advance(salvager.out.len.saturating_sub(reported as u64));
    Ok(salvager)
}

/// Writes the retained ranges of `bytes`, the end and the checksum.
///
/// # Errors
///
/// As `out`.
pub(crate) fn write(
    bytes: &[u8],
    kept: &[Range<u64>],
    out: &mut dyn Write,
    progress: &dyn Progress,
) -> io::Result<()> {
    let index = |offset: u64| usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
    let mut sum = Sum::default();
    for range in kept {
        for chunk in bytes[index(range.start)..index(range.end)].chunks(1 << 20) {
            progress.check_io()?;
            sum.add(chunk);
            out.write_all(chunk)?;
        }
    }
    sum.add(&[opcode::END]);
    out.write_all(&[opcode::END])?;
    let has_checksum = Header::read(bytes).is_ok_and(Header::has_checksum);
    if has_checksum { out.write_all(&sum.value().to_le_bytes()) } else { Ok(()) }
}

/// Returns whether the bytes would be two records of strings without name and content, of which no database has two.
fn begins_with_zeros(bytes: &[u8], at: usize) -> bool {
    bytes.get(at..).and_then(<[u8]>::first_chunk) == Some(&[0; 6])
}

/// What was found in place of a record.
struct Found {
    text: String,
    /// Whether the bytes end in it.
    short: bool,
}

/// The content of the record that is being read.
#[derive(Default)]
struct Current {
    seen: Seen,
}

#[derive(Default)]
struct Seen {
    name: Option<Vec<u8>>,
    is_empty: bool,
    declared: u64,
    selected: bool,
    /// The text of a function library.
    library: Option<Vec<u8>>,
    /// Whether it has a value of a module that cannot be one.
    has_no_module: bool,
    /// Whether bytes inside a value are unlikely to be read as the record: it has a value whose encoding is checked, or an
    /// expiry.
    is_certain: bool,
}

impl Current {
    fn take(&mut self) -> Seen {
        std::mem::take(&mut self.seen)
    }
}

impl<'a> Visitor<'a> for Current {
    fn goes_on_at_broken_values(&self) -> bool {
        true
    }

    fn select_db(&mut self, _: u64) {
        self.seen.selected = true;
    }

    fn resize_db(&mut self, keys: u64, _: u64) {
        self.seen.declared = keys;
    }

    fn key(&mut self, key: &Key<'a>) -> Want {
        self.seen.name = Some(key.name.to_vec());
        let has_expiry = key.expires_ms.is_some_and(|at| EXPIRIES_MS.contains(&at));
        self.seen.is_certain = key.format.is_checked() || has_expiry;
        Want::Value
    }

    fn function(&mut self, library: Text<'a, '_>) {
        self.seen.library = Some(library.to_vec());
    }

    fn module_aux(&mut self, module: ModuleId, _: AuxWhen, _: &'a [u8]) {
        self.seen.has_no_module = !has_name(module);
    }

    fn module(&mut self, module: ModuleId, _: &'a [u8]) {
        self.seen.has_no_module = !has_name(module);
    }

    fn key_end(&mut self, end: KeyEnd) {
        self.seen.is_empty = end == KeyEnd::Empty;
    }
}

/// A key that was retained.
struct Retained {
    record: Range<usize>,
    db: u64,
    name: Vec<u8>,
}

struct Salvager<'a, 'w> {
    bytes: &'a [u8],
    header: Header,
    wanted: &'w Wanted<'w>,
    out: Salvaged,
    /// The record of each key that was retained, by a hash of its database and name.
    records: HashMap<u64, Range<usize>>,
    tools: Tools,
    names: NameModel,
    /// The last keys that were retained.
    recent: VecDeque<Retained>,
    /// The number of keys to come that are doubtful.
    doubtful_next: usize,
    /// Whether the strings to come may be fields of a damaged hash.
    may_be_fields: bool,
    /// The offset and the database of each key since damage, until one is known to be no part of a damaged value. More
    /// damage after them shows that they were read from inside of one.
    unproved: Option<Vec<(u64, u64)>>,
    /// The offsets of the doubtful keys that are retained.
    marked: HashSet<u64>,
    /// What the names of certain keys look like.
    shapes: HashSet<Vec<u8>>,
    /// Where the bytes of the RDB end at the latest, once damage was found.
    limit: Option<usize>,
    /// The keys since a database may have been lost.
    since_lost_db: Option<u64>,
    databases: u64,
    removed: Vec<Range<u64>>,
}

impl<'a, 'w> Salvager<'a, 'w> {
    fn new(bytes: &'a [u8], header: Header, wanted: &'w Wanted<'w>) -> Self {
        Salvager {
            bytes,
            header,
            wanted,
            out: Salvaged {
                kept: std::iter::once(0..HEADER_BYTES as u64).collect(),
                keys: 0,
                declared: 0,
                dropped: Vec::new(),
                doubtful: Vec::new(),
                database_uncertain: 0,
                len: bytes.len() as u64,
                is_framed: true,
            },
            records: HashMap::new(),
            tools: Tools::new(),
            names: NameModel::new(),
            recent: VecDeque::new(),
            doubtful_next: 0,
            may_be_fields: false,
            unproved: None,
            marked: HashSet::new(),
            shapes: HashSet::new(),
            limit: None,
            since_lost_db: None,
            databases: 0,
            removed: Vec::new(),
        }
    }

    fn declared(&mut self, keys: u64, selected: bool) {
        self.out.declared = self.out.declared.saturating_add(keys);
        if selected {
            self.databases += 1;
            self.out.database_uncertain += self.since_lost_db.take().unwrap_or(0);
        }
    }

    /// Returns whether a database is selected at `start` without its sizes, although the file has them.
    fn lacks_sizes(&self, start: usize) -> bool {
        self.out.declared > 0 && !selects_with_sizes(self.bytes, start)
    }

    /// Retains a record that was read whole.
    fn keep(&mut self, record: Range<usize>, db: u64, seen: Seen) {
        let range = record.start as u64..record.end as u64;
        if let Some(name) = &seen.name {
            self.compare_with_fields(name);
            self.note_unproved(record.start, db, name, seen.is_certain);
        }
        if let Some(name) = seen.name.as_ref().filter(|_| seen.is_empty) {
            // Loaders leave it out.
            self.mark(&record, db, name);
        } else if let Some(name) = seen.name {
            let hash = self.tools.seed.hash_in(db, &name);
            if let Some(first) = self.records.get(&hash).cloned()
                && name_at(self.bytes, self.header, first.start).is_some_and(|it| it == name)
            {
                // What was read from inside a damaged value can have the name of a key.
                let keeps_last = self.wanted.keeps_last
                    || !self.may_be_invented() && self.marked.contains(&(first.start as u64));
                let gone = if keeps_last { first.clone() } else { record.clone() };
                let found = format!("the database has the key at byte {} already", first.start);
                self.drop(gone.clone(), GoneReason::Duplicate, found, db, Some(name));
                if !keeps_last {
                    return;
                }
                self.marked.remove(&(first.start as u64));
                self.removed.push(gone.start as u64..gone.end as u64);
                self.out.keys -= 1;
                self.records.insert(hash, record);
            } else {
                self.names.learn(&name);
                self.records.insert(hash, record.clone());
                self.mark(&record, db, &name);
                self.recent.push_back(Retained { record, db, name });
                if self.recent.len() > RECENT_KEYS {
                    self.recent.pop_front();
                }
            }
            self.out.keys += 1;
            if let Some(keys) = &mut self.since_lost_db {
                *keys += 1;
            }
        }
        match self.out.kept.last_mut() {
            Some(last) if last.end == range.start => last.end = range.end,
            _ => self.out.kept.push(range),
        }
    }

    /// Returns whether the next key may have been read from other bytes than a record.
    fn may_be_invented(&self) -> bool {
        self.doubtful_next > 0 || self.may_be_fields || self.unproved.is_some()
    }

    /// Decides whether a key may be a field of a damaged hash, and remembers what the names before all damage look like.
    fn compare_with_fields(&mut self, name: &[u8]) {
        if self.may_be_fields {
            self.may_be_fields = !self.shapes.contains(&shape(name));
        } else if self.doubtful_next == 0
            && self.out.doubtful.is_empty()
            && self.shapes.len() < SHAPES
        {
            self.shapes.insert(shape(name));
        }
    }

    /// Remembers a key that may have been read from inside a damaged value.
    fn note_unproved(&mut self, start: usize, db: u64, name: &[u8], is_certain: bool) {
        let Some(unproved) = &mut self.unproved else { return };
        let shape = shape(name);
        // A number or a letter has the shape of many other bytes.
        let is_like_others = shape.len() > 2 && self.shapes.contains(&shape);
        if is_certain || is_like_others || unproved.len() >= UNPROVED_KEYS {
            self.unproved = None;
        } else {
            unproved.push((start as u64, db));
        }
    }

    fn mark(&mut self, record: &Range<usize>, db: u64, name: &[u8]) {
        if self.doubtful_next > 0 || self.may_be_fields {
            self.doubtful_next = self.doubtful_next.saturating_sub(1);
            self.doubt(record.start as u64, db, name.to_vec());
        }
    }

    fn drop(
        &mut self,
        range: Range<usize>,
        why: GoneReason,
        found: String,
        db: u64,
        key: Option<Vec<u8>>,
    ) {
        let (offset, bytes) = (range.start as u64, range.len() as u64);
        self.out.dropped.push(Gone { offset, bytes, why, found, db, key });
    }

    /// Decides where reading goes on after a record whose value is broken. Its length may be what is wrong.
    fn after_value(
        &mut self,
        record: Range<usize>,
        db: u64,
        name: Option<Vec<u8>>,
        found: String,
    ) -> usize {
        let limit = self.limit.unwrap_or(self.bytes.len());
        let way = self.search(record.start, limit, true).unwrap_or(Way::Framed(record.end));
        self.go(way, record.start, db, name, found)
    }

    /// Leaves out what is not read after the record at `start` could not be read, and returns where reading goes on.
    fn go(
        &mut self,
        way: Way,
        start: usize,
        db: u64,
        name: Option<Vec<u8>>,
        found: String,
    ) -> usize {
        match way {
            Way::Framed(next) => {
                self.drop(start..next, GoneReason::Value, found, db, name);
                next
            }
            Way::Gap { from, to } => {
                self.out.is_framed = false;
                self.take_back(from);
                self.cut_kept(from as u64);
                self.mark_recent();
                self.drop(from..to, GoneReason::Damage, found, db, name);
                self.doubtful_next = DOUBTFUL_KEYS;
                self.may_be_fields = has_string_like_fields(self.header);
                self.unproved = Some(Vec::new());
                self.recent.clear();
                self.since_lost_db.get_or_insert(0);
                to
            }
        }
    }

    /// Decides where reading goes on after the record at `start` could not be read. `None`: nowhere; the RDB ends.
    fn next_record(
        &mut self,
        start: usize,
        db: u64,
        name: Option<Vec<u8>>,
        found: Found,
    ) -> Option<usize> {
        let commands = self.wanted.commands;
        let limit = *self.limit.get_or_insert_with(|| commands(start).unwrap_or(self.bytes.len()));
        if let Some(way) = self.search(start, limit, name.is_some()) {
            return Some(self.go(way, start, db, name, found.text));
        }
        self.out.is_framed = false;
        let end = limit.max(start);
        self.out.len = end as u64;
        if begins_with_zeros(self.bytes, start)
            && self.bytes[start..end].iter().all(|byte| *byte == 0)
        {
            // Zeros at its end may be of the lost bytes.
            let is_in_zeros = start.checked_sub(1).is_some_and(|at| self.bytes[at] == 0);
            let last = self.recent.back().filter(|_| is_in_zeros);
            let (db, name) = last.map_or((db, None), |it| (it.db, Some(it.name.clone())));
            let from = if is_in_zeros { self.take_back(start - 1) } else { None };
            self.drop(from.unwrap_or(start)..end, GoneReason::Torn, found.text, db, name);
            return None;
        }
        let is_cut = found.short && limit == self.bytes.len();
        if !is_cut {
            self.mark_recent();
        }
        let why = if is_cut { GoneReason::Torn } else { GoneReason::Damage };
        self.drop(start..end, why, found.text, db, name);
        None
    }

    /// Marks the last keys before damage, and those between damage and damage that look like no other.
    fn mark_recent(&mut self) {
        let recent = self.recent.iter().rev().take(DOUBTFUL_KEYS);
        let recent: Vec<_> =
            recent.map(|it| (it.record.start as u64, it.db, it.name.clone())).collect();
        for (offset, db, key) in recent {
            self.doubt(offset, db, key);
        }
        for (offset, db) in self.unproved.take().into_iter().flatten() {
            let start = usize::try_from(offset).unwrap_or(usize::MAX);
            if self.out.kept.iter().rev().any(|kept| kept.contains(&offset))
                && let Some(key) = name_at(self.bytes, self.header, start)
            {
                self.doubt(offset, db, key);
            }
        }
    }

    /// Marks a key, once.
    fn doubt(&mut self, offset: u64, db: u64, key: Vec<u8>) {
        if self.marked.insert(offset) {
            self.out.doubtful.push(Doubtful { offset, db, key });
        }
    }

    /// Returns how reading most likely goes on after the record at `start` could not be read.
    fn search(&mut self, start: usize, limit: usize, has_name: bool) -> Option<Way> {
        self.names.settle();
        let look_back = start.saturating_sub(usize::try_from(LOOK_BACK_BYTES).unwrap_or(0));
        let records = self.recent.iter().map(|it| it.record.start);
        let is_known = |name: &[u8]| self.recent.iter().any(|it| it.name.as_slice() == name);
        let framed = || length_without_checks(self.bytes, self.header, start);
        let search = Search {
            bytes: self.bytes,
            header: self.header,
            limit,
            names: &self.names,
            from: records.filter(|at| *at >= look_back).min().unwrap_or(start),
            failed: Some(start),
            past: start,
            framed: has_name.then(framed).flatten(),
            has_sizes: self.out.declared > 0,
            is_known: &is_known,
        };
        search.best()
    }

    /// Returns the beginning of a record that other records are inside of, if keys are missing.
    fn too_long_record(&mut self) -> Option<usize> {
        let is_key = |gone: &&Gone| matches!(gone.why, GoneReason::Value | GoneReason::Duplicate);
        let known = self.out.keys + self.out.dropped.iter().filter(is_key).count() as u64;
        if known >= self.out.declared {
            return None;
        }
        let mut longest: Vec<Range<usize>> = self.records.values().cloned().collect();
        longest.sort_unstable_by_key(|record| (std::cmp::Reverse(record.len()), record.start));
        longest.truncate(LONGEST_RECORDS);
        self.names.settle();
        let is_too_long = |record: &&Range<usize>| {
            let search = Search {
                bytes: self.bytes,
                header: self.header,
                limit: self.limit.unwrap_or(self.bytes.len()),
                names: &self.names,
                from: record.start,
                failed: None,
                past: record.end,
                framed: None,
                has_sizes: self.out.declared > 0,
                is_known: &|_| false,
            };
            matches!(search.best(), Some(Way::Gap { to, .. }) if to < record.end)
        };
        longest.iter().find(is_too_long).map(|record| record.start)
    }

    /// Gives up the records from the one on that contains byte `at`, and returns its offset.
    fn take_back(&mut self, at: usize) -> Option<usize> {
        let mut from = None;
        while let Some(last) = self.recent.pop_back() {
            if last.record.end <= at {
                self.recent.push_back(last);
                break;
            }
            let hash = self.tools.seed.hash_in(last.db, &last.name);
            self.records.remove(&hash);
            self.out.keys -= 1;
            from = Some(last.record.start as u64);
        }
        // So may be values that were stepped over.
        let is_taken = |gone: &Gone| {
            matches!(gone.why, GoneReason::Value | GoneReason::Duplicate)
                && gone.offset + gone.bytes > at as u64
        };
        let stepped_over = self.out.dropped.iter().filter(|gone| is_taken(gone));
        let from = stepped_over.map(|gone| gone.offset).chain(from).min()?;
        self.out.dropped.retain(|gone| !is_taken(gone));
        self.out.doubtful.retain(|doubtful| doubtful.offset < from);
        self.cut_kept(from);
        usize::try_from(from).ok()
    }

    /// Retains nothing from this byte on.
    fn cut_kept(&mut self, from: u64) {
        while self.out.kept.last().is_some_and(|kept| kept.start >= from) {
            self.out.kept.pop();
        }
        if let Some(kept) = self.out.kept.last_mut() {
            kept.end = kept.end.min(from);
        }
    }

    fn finish(mut self) -> Salvaged {
        self.out.database_uncertain += self.since_lost_db.unwrap_or(0);
        let more_than_declared = self.out.declared > 0 && self.out.keys > self.out.declared;
        if self.databases <= 1 && !more_than_declared {
            self.out.database_uncertain = 0;
        }
        self.removed.sort_unstable_by_key(|range| range.start);
        for gone in &self.removed {
            self.out.kept = self.out.kept.iter().flat_map(|kept| without(kept, gone)).collect();
        }
        self.out.dropped.sort_by_key(|gone| gone.offset);
        self.out.doubtful.retain(|doubtful| self.marked.contains(&doubtful.offset));
        self.out.doubtful.sort_by_key(|doubtful| doubtful.offset);
        self.out
    }
}

/// Returns whether hashes of the version can have fields with the bytes of a string.
fn has_string_like_fields(header: Header) -> bool {
    header.magic == Magic::Redis && header.version >= 12
}

/// Returns a name with each number in it as one sign.
fn shape(name: &[u8]) -> Vec<u8> {
    let mut shape: Vec<u8> = Vec::with_capacity(name.len());
    for &byte in name {
        let sign = if byte.is_ascii_digit() { b'0' } else { byte };
        if sign != b'0' || shape.last() != Some(&b'0') {
            shape.push(sign);
        }
    }
    shape
}

/// Returns what is left of a range without another.
fn without(kept: &Range<u64>, gone: &Range<u64>) -> impl Iterator<Item = Range<u64>> + use<> {
    let before = kept.start..kept.end.min(gone.start);
    let after = kept.start.max(gone.end)..kept.end;
    [before, after].into_iter().filter(|range| range.start < range.end)
}
