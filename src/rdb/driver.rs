//! The records of an RDB, read one by one and counted.
//!
//! | byte | content | since version |
//! |---|---|---|
//! | 255 end | the checksum, since version 5 | 1 |
//! | 254 database | a length | 1 |
//! | 253 expiry | 4 bytes: Unix seconds, little endian; for the next key | 1 |
//! | 252 expiry | 8 bytes: Unix milliseconds, little endian; for the next key | 3 |
//! | 251 sizes | two lengths: number of keys in the database, and of keys that expire | 7 |
//! | 250 auxiliary field | two strings | 7 |
//! | 249 frequency | 1 byte; for the next key | 9 |
//! | 248 idle | a length: seconds; for the next key | 9 |
//! | 247 module data | see [`module`](super::module) | 9 |
//! | 246 function | name, engine, a length, description if that is not 0, source; by release candidates of Redis 7.0 | 10 |
//! | 245 functions | a string: the source of a library | 10 |
//! | 244 slot | three lengths: slot, keys, keys that expire; Redis in cluster mode | 12 |
//! | 243 metadata | a length n, n times 4 bytes (the class) and parts as in [`module`](super::module); for the next key; under `REDIS` | 13 |
//! | 243 slot import | a string of 40 bytes, a length n, n times two lengths; under `VALKEY` | 80 |
//! | 242 template | see [`template`](super::template); under `REDIS` | 15 |
//! | a type | a string (the key), the value | see [`format`](super::format()) |
//!
//! Checked against `rdbLoadRioWithLoadingCtx` in `rdb.c` of Redis 7.0 and Valkey 8.0, and files of
//! Redis 8.2 and 8.6 and Valkey 9.1. Metadata and templates were not observed: they are as reported
//! (redis #14445 and #15364).

use super::checksum::{Checksum, Running};
use super::cursor::Cursor;
use super::damage::Damage;
use super::deep::NotedFaults;
use super::fault::{DamageKind, Fault, Read};
use super::format::{Format, Kind, Layout, format_in, opcode};
use super::header::{HEADER_BYTES, Header, Magic};
use super::load_check::LoadCheck;
use super::reader::{Reader, Tools};
use super::skip;
use super::text::Text;
use super::visitor::{Key, KeyEnd, ModuleId, Visitor, Want};
use crate::base::progress::Progress;
use crate::rdb::duplicate_detection::KeyHashes;
use crate::rdb::summary::{Counts, RdbSummary};

/// Length of a slot import's job name in bytes. Jobs are named like cluster nodes, and Valkey loads
/// no other name.
const SLOT_IMPORT_NAME_BYTES: usize = 40;

/// The checks in addition to those of the values.
struct Checks<'p> {
    running: Running<'p>,
    keys: KeyHashes,
}

/// The opcodes that precede a key.
#[derive(Debug, Clone, Copy, Default)]
struct Prefix {
    /// Offset of the first of them.
    start: Option<usize>,
    expires_ms: Option<i64>,
    idle_s: Option<u64>,
    freq: Option<u8>,
}

pub(super) enum Step {
    Again,
    End,
}

/// A value that was skipped, to be read elsewhere.
#[derive(Debug, Clone, Copy)]
pub(super) struct LeftValue {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) layout: Layout,
}

/// Reads the file record by record.
pub(super) struct Driver<'a, 'v, 'p, V> {
    pub(super) reader: Reader<'a, 'v, V>,
    pub(super) header: Header,
    checks: Option<Checks<'p>>,
    counts: Counts,
    checksum: Checksum,
    /// The end of the last complete record.
    pub(super) whole: usize,
    pub(super) db: u64,
    /// Whether the visitor was notified of the current database.
    db_told: bool,
    prefix: Prefix,
    /// The first value that loaders of today do not let pass.
    pub(super) refused: Option<(LoadCheck, Box<Damage>)>,
    /// The faults of the value of the last record, if the visitor goes on at them.
    pub(super) failed: Vec<Fault>,
    /// The values that were skipped and count as read, because the caller reads them; `None` if they are read here.
    pub(super) left: Option<Vec<LeftValue>>,
    /// The type and the name of the current key.
    in_hand: Option<&'static Format>,
    name: Option<Text<'a, 'a>>,
}

impl<'a, 'v, 'p, V: Visitor<'a>> Driver<'a, 'v, 'p, V> {
    pub(super) fn new(bytes: &'a [u8], visitor: &'v mut V, tools: &'v mut Tools) -> Self {
        Driver {
            reader: Reader { cursor: Cursor::at(bytes, 0), visitor, tools },
            header: Header { magic: Magic::Redis, version: 0 },
            checks: None,
            counts: Counts::default(),
            checksum: Checksum::Absent,
            whole: 0,
            db: 0,
            db_told: false,
            prefix: Prefix::default(),
            refused: None,
            failed: Vec::new(),
            left: None,
            in_hand: None,
            name: None,
        }
    }

    /// Enables the checks of keys and checksum, and progress reports.
    pub(super) fn check(&mut self, progress: &'p dyn Progress) {
        self.checks = Some(Checks { running: Running::new(progress), keys: KeyHashes::new() });
    }

    /// Ends the checks, and returns the hashes that occur for more than one key: candidates for
    /// duplicate keys.
    pub(super) fn repeated(&mut self) -> Vec<u64> {
        self.checks.take().map_or_else(Vec::new, |checks| checks.keys.repeated())
    }

    /// Continues at byte `pos`, where a record of database `db` begins.
    pub(super) fn go_to(&mut self, header: Header, db: u64, pos: usize) {
        self.header = header;
        self.db = db;
        self.reader.cursor = Cursor::at(self.reader.cursor.bytes(), pos);
        self.whole = self.reader.cursor.pos();
        // What precedes a record elsewhere is not of the record here.
        self.prefix = Prefix::default();
        self.in_hand = None;
        self.name = None;
        // Nor are the faults of a value that was not read to its end.
        self.refused = None;
        self.failed.clear();
        if let Some(noted) = &mut self.reader.tools.noted {
            noted.take();
        }
    }

    pub(super) fn begin(&mut self) -> Read<()> {
        self.reader.tools.templates.clear();
        let bytes = self.reader.cursor.bytes();
        let header = Header::read(bytes);
        if let (Err(_), Some(newer)) = (&header, Header::read_newer(bytes)) {
            self.read_notes(newer);
        }
        self.header = header?;
        self.reader.cursor = Cursor::at(bytes, HEADER_BYTES);
        self.whole = HEADER_BYTES;
        Ok(())
    }

    /// Reads the notes that follow the header of a version that is not known here, as far as they are: they have
    /// had the same form in every version, and say who wrote the RDB, and when.
    #[cold]
    fn read_notes(&mut self, header: Header) {
        let bytes = self.reader.cursor.bytes();
        self.header = header;
        self.reader.cursor = Cursor::at(bytes, HEADER_BYTES);
        while bytes.get(self.reader.cursor.pos()) == Some(&opcode::AUX) && self.step().is_ok() {}
        // Reading stops at the version all the same.
        self.whole = 0;
    }

    /// Reads all of it.
    pub(super) fn run(&mut self) -> Read<()> {
        self.begin()?;
        while self.checked_step()? {}
        Ok(())
    }

    /// Reads one type or opcode and its content, and checks what was read. Returns whether more follows.
    #[inline(always)]
    pub(super) fn checked_step(&mut self) -> Read<bool> {
        match self.step()? {
            Step::Again => {
                if let Some(checks) = &mut self.checks {
                    let cursor = &self.reader.cursor;
                    checks.running.reached(cursor.bytes(), cursor.pos());
                }
                Ok(true)
            }
            Step::End => self.finish().map(|()| false),
        }
    }

    /// Reads one key with the opcodes that precede it and its value.
    pub(super) fn one_record(&mut self) -> Read<()> {
        while self.counts.keys + self.counts.empty_keys == 0 {
            let at = self.reader.cursor.pos();
            let end = matches!(self.step()?, Step::End);
            let none = self.counts.keys + self.counts.empty_keys == 0;
            if end || none && self.prefix.start.is_none() {
                return Err(Fault::broken(at, "a record", "none begins here"));
            }
        }
        Ok(())
    }

    /// Reads one type or opcode and its content.
    pub(super) fn step(&mut self) -> Read<Step> {
        let at = self.reader.cursor.pos();
        let code = self.reader.cursor.byte("a type or an opcode")?;
        if let Some(format) = format_in(self.header, code) {
            self.record(at, format)?;
            return Ok(Step::Again);
        }
        let (has_metadata, has_templates) = (self.has_redis(13), self.has_redis(15));
        let Reader { cursor, visitor, .. } = &mut self.reader;
        match code {
            opcode::END => return Ok(Step::End),
            opcode::EXPIRE => {
                let seconds = i32::from_le_bytes(cursor.fixed("an expiry in seconds")?);
                self.prefix.expires_ms = Some(i64::from(seconds) * 1000);
            }
            opcode::EXPIRE_MS => {
                let millis = cursor.millis("an expiry in milliseconds")?;
                // The servers' loaders use -1 for keys that do not expire.
                self.prefix.expires_ms = Some(millis).filter(|millis| *millis != -1);
                self.counts.needs(3);
            }
            opcode::FREQ => {
                self.prefix.freq = Some(cursor.byte("a frequency")?);
                self.counts.needs(9);
            }
            opcode::IDLE => {
                self.prefix.idle_s = Some(cursor.length("an idle time")?);
                self.counts.needs(9);
            }
            opcode::SELECT_DB => {
                self.db = cursor.length("the number of a database")?;
                self.db_told = true;
                visitor.select_db(self.db);
                self.counts.database(self.db);
            }
            opcode::RESIZE_DB => {
                let keys = cursor.length("the size of a database")?;
                let with_expiry = cursor.length("the expiring keys of a database")?;
                visitor.resize_db(keys, with_expiry);
                self.counts.needs(7);
            }
            opcode::AUX => {
                let name = cursor.text("the name of a note")?;
                let value = cursor.text("the value of a note")?;
                visitor.aux(name, value);
                if let Some([slot, keys, with_expiry]) = slot_note(name, value) {
                    visitor.slot(slot, keys, with_expiry);
                }
                self.counts.note(name, value);
                self.counts.needs(7);
            }
            opcode::MODULE_AUX => {
                let (module, when, payload) = super::module::aux(cursor)?;
                visitor.module_aux(module, when, payload);
                self.counts.module(module).aux += 1;
                self.counts.needs(9);
            }
            opcode::FUNCTION => {
                let library = cursor.text("the source of functions")?;
                visitor.function(library);
                self.counts.functions += 1;
                self.counts.needs(10);
            }
            opcode::FUNCTION_PRE_RELEASE => {
                return Err(Fault::new(at, "a function", DamageKind::PreRelease));
            }
            opcode::SLOT_INFO => {
                let mut number = || cursor.length("the sizes of a cluster slot");
                let (slot, keys, with_expiry) = (number()?, number()?, number()?);
                visitor.slot(slot, keys, with_expiry);
                self.counts.needs(12);
            }
            opcode::KEY_META if has_metadata => {
                self.reader.key_metadata()?;
                self.counts.needs(13);
            }
            opcode::HASH_TEMPLATE if has_templates => {
                self.reader.template()?;
                self.counts.needs(15);
            }
            opcode::SLOT_IMPORT if self.header.magic == Magic::Valkey => {
                let job = cursor.text("the name of a slot import")?;
                if job.len() != SLOT_IMPORT_NAME_BYTES {
                    let rule = "it is not 40 bytes long";
                    return Err(Fault::broken(at + 1, "the name of a slot import", rule));
                }
                let ranges = cursor.length("the number of a slot import's ranges")?;
                for _ in 0..ranges {
                    let first = cursor.length("the range of a slot import")?;
                    let last = cursor.length("the range of a slot import")?;
                    visitor.slot_import(job, first, last);
                }
                self.counts.needs(80);
            }
            code => {
                let kind = DamageKind::UnknownCode { code };
                return Err(Fault::new(at, "a type or an opcode", kind));
            }
        }
        let of_key =
            matches!(code, opcode::EXPIRE | opcode::EXPIRE_MS | opcode::FREQ | opcode::IDLE);
        if of_key || code == opcode::KEY_META && self.header.magic == Magic::Redis {
            self.prefix.start.get_or_insert(at);
        } else if self.prefix.start.is_none() {
            self.whole = self.reader.cursor.pos();
        }
        Ok(Step::Again)
    }

    /// Whether this is an RDB of Redis of this version or a later one.
    pub(super) fn has_redis(&self, version: u32) -> bool {
        self.header.magic == Magic::Redis && self.header.version >= version
    }

    /// Reads what precedes the keys, so that keys can be read at their offsets.
    pub(super) fn read_head(&mut self) -> Read<()> {
        self.begin()?;
        let bytes = self.reader.cursor.bytes();
        if !self.has_redis(15) {
            return Ok(());
        }
        while let Some(&code) = bytes.get(self.reader.cursor.pos()) {
            let precedes_keys = matches!(
                code,
                opcode::SELECT_DB
                    | opcode::RESIZE_DB
                    | opcode::AUX
                    | opcode::MODULE_AUX
                    | opcode::FUNCTION
                    | opcode::SLOT_INFO
                    | opcode::HASH_TEMPLATE
            );
            if !precedes_keys {
                break;
            }
            self.step()?;
        }
        Ok(())
    }

    /// Reads a key and its value; `at` is the offset of its type.
    fn record(&mut self, at: usize, format: &'static Format) -> Read<()> {
        self.in_hand = Some(format);
        if !self.db_told {
            self.reader.visitor.select_db(self.db);
            self.counts.database(self.db);
            self.db_told = true;
        }
        let prefix = self.prefix;
        let key = Key {
            db: self.db,
            name: self.reader.cursor.text("a key")?,
            format,
            expires_ms: prefix.expires_ms,
            idle_s: prefix.idle_s,
            freq: prefix.freq,
            offset: prefix.start.unwrap_or(at) as u64,
        };
        self.name = Some(key.name);
        let value_at = self.reader.cursor.pos();
        let end = match self.reader.visitor.key(&key) {
            Want::Value if self.left.is_none() => self.reader.value(format.layout)?,
            want => {
                let Reader { cursor, tools, .. } = &mut self.reader;
                skip::value(cursor, format.layout, &tools.templates)?;
                match (want, &mut self.left) {
                    (Want::Value, Some(left)) => {
                        let end = cursor.pos();
                        left.push(LeftValue { start: value_at, end, layout: format.layout });
                        KeyEnd::Whole
                    }
                    _ => KeyEnd::Skipped,
                }
            }
        };
        self.reader.visitor.key_end(end);
        self.take_noted(format);
        if end == KeyEnd::Empty {
            self.counts.empty_keys += 1;
        } else {
            if let Some(checks) = self.checks.as_mut().filter(|_| end != KeyEnd::Skipped) {
                let name = key.name.bytes(&mut self.reader.tools.scratch);
                let hash = self.reader.tools.seed.hash_in(self.db, name);
                checks.keys.push(hash);
            }
            self.counts.key(&key);
            if format.kind == Kind::Module {
                let mut value = Cursor::at(self.reader.cursor.bytes(), value_at);
                let id = value.length("the id of a module")?;
                self.counts.module(ModuleId(id)).keys += 1;
            }
        }
        self.prefix = Prefix::default();
        self.in_hand = None;
        self.name = None;
        self.whole = self.reader.cursor.pos();
        Ok(())
    }

    /// Takes the faults of the current value, after which reading went on.
    #[inline]
    fn take_noted(&mut self, format: &Format) {
        if self.reader.tools.noted.as_ref().is_some_and(|noted| !noted.is_empty()) {
            self.take_faults(format);
        }
    }

    #[cold]
    fn take_faults(&mut self, format: &Format) {
        // Those of an earlier value that nobody asked for.
        self.failed.clear();
        let faults = self.reader.tools.noted.as_mut().map(NotedFaults::take);
        for fault in faults.into_iter().flatten() {
            let Some(check) = fault.check() else { continue };
            self.failed.push(fault.clone());
            if check.is_deep() {
                let key = self.name.map(|name| name.to_vec()).unwrap_or_default();
                self.counts.deep.add(&fault, check, self.db, key, format);
            } else if self.refused.is_none() {
                self.refused = Some((check, self.damage(fault)));
            }
        }
    }

    fn finish(&mut self) -> Read<()> {
        let cursor = &mut self.reader.cursor;
        let end = cursor.pos();
        if self.header.has_checksum() {
            let stored = u64::from_le_bytes(cursor.fixed("the checksum")?);
            self.checksum = match &mut self.checks {
                _ if stored == 0 => Checksum::Off,
                None => Checksum::Verified(stored),
                Some(checks) => {
                    let computed = checks.running.finish(cursor.bytes(), end);
                    if stored != computed {
                        let kind = DamageKind::Checksum { stored, computed };
                        return Err(Fault::new(end, "the checksum", kind));
                    }
                    Checksum::Verified(stored)
                }
            };
        }
        self.whole = cursor.pos();
        if let Some(checks) = &mut self.checks {
            checks.running.tell_rest(cursor.pos());
        }
        Ok(())
    }

    /// Returns the summary of what was read so far.
    pub(super) fn walk(&self) -> RdbSummary {
        self.counts.walk(self.header, self.whole, self.checksum)
    }

    #[cold]
    pub(super) fn damage(&self, fault: Fault) -> Box<Damage> {
        let can_go_on = fault.check().is_some();
        let fault = *fault.0;
        Box::new(Damage {
            offset: fault.offset,
            inside: fault.inside,
            kind: fault.kind,
            reading: fault.reading,
            db: self.db,
            key: self.name.map(|name| name.to_vec()),
            stored_as: self.in_hand.map(|format| format.name),
            before: self.walk(),
            unproven: None,
            can_go_on,
            value: None,
        })
    }
}

/// Parses the slot numbers that Valkey in cluster mode stores as an auxiliary field: slot, keys,
/// keys that expire.
fn slot_note(name: Text<'_, '_>, value: Text<'_, '_>) -> Option<[u64; 3]> {
    let (Text::Mapped(b"slot-info"), Text::Mapped(value)) = (name, value) else {
        return None;
    };
    let mut numbers = std::str::from_utf8(value).ok()?.split(',');
    let mut number = || numbers.next()?.parse().ok();
    Some([number()?, number()?, number()?])
}
