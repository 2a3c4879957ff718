//! The writer of an RDB file.

use super::super::format::opcode;
use super::super::header::Magic;
use super::out::{Out, Put};
use super::target::{Feature, Needs, Target, Unfit};
use super::value::Encoder;
use super::view::Value;
use crate::base::error::Error;
use crate::base::server::Product;
use std::io::{self, Write};
use std::path::Path;

/// Options of the writer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Compress strings of more than 20 bytes if that saves at least 4, as servers do by default
    /// (`rdbcompression yes`).
    pub compress: bool,
    /// End with the checksum. Otherwise the field is zero, as with `rdbchecksum no`.
    pub checksum: bool,
    /// Omit bookkeeping ([`Feature::is_bookkeeping`]) that the version does not support, instead of
    /// refusing to write it.
    pub drop_bookkeeping: bool,
}

impl Default for Options {
    fn default() -> Self {
        Options { compress: true, checksum: true, drop_bookkeeping: false }
    }
}

/// The auxiliary fields that a server writes at the beginning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notes {
    /// The product that `version` refers to.
    pub product: Product,
    /// The version of the server that writes it.
    pub version: String,
    /// The time of writing, in Unix seconds.
    pub ctime: u64,
    /// The memory used by the data set, in bytes.
    pub used_mem: u64,
    /// Whether it is the base of an append-only file.
    pub base: bool,
}

impl Notes {
    /// Returns the fields of the first server that wrote this version, with time 0 and memory 0.
    pub fn new(target: Target, base: bool) -> Self {
        let (product, version) = match (target.magic(), target.version()) {
            (Magic::Valkey, _) => (Product::Valkey, "9.0.0"),
            (Magic::Redis, ..=9) => (Product::Redis, "6.2.0"),
            (Magic::Redis, 10) => (Product::Redis, "7.0.0"),
            (Magic::Redis, 11) => (Product::Redis, "7.2.0"),
            (Magic::Redis, 12) => (Product::Redis, "7.4.0"),
            (Magic::Redis, _) => (Product::Redis, "8.6.0"),
        };
        Notes { product, version: version.to_owned(), ctime: 0, used_mem: 0, base }
    }

    pub(super) fn version_name(&self) -> &'static str {
        match self.product {
            Product::Redis => "redis-ver",
            Product::Valkey => "valkey-ver",
        }
    }
}

/// Returns the name of the auxiliary field that indicates whether an append-only file continues
/// after the RDB.
pub(super) fn base_name(target: Target) -> &'static str {
    if target.since(10) { "aof-base" } else { "aof-preamble" }
}

/// The attributes of a key that precede its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct KeyNotes {
    /// The time at which it expires, in Unix milliseconds.
    pub expires_ms: Option<i64>,
    /// Seconds since it was last used.
    pub idle_s: Option<u64>,
    /// The logarithmic access counter.
    pub freq: Option<u8>,
}

/// The reason why writing failed.
#[derive(Debug)]
pub enum WriteError {
    /// The underlying I/O operation failed.
    Io(io::Error),
    /// The version does not support the value. Nothing of it was written.
    Unfit(Box<Unfit>),
}

impl WriteError {
    /// Converts to an error of writing the file at `path`.
    pub fn at(self, path: impl AsRef<Path>) -> Error {
        match self {
            WriteError::Io(error) => Error::io("write", path, error),
            WriteError::Unfit(unfit) => unfit.into_error().at(path),
        }
    }
}

impl std::fmt::Display for WriteError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            WriteError::Io(error) => error.fmt(f),
            WriteError::Unfit(unfit) => unfit.fmt(f),
        }
    }
}

impl std::error::Error for WriteError {}

impl From<io::Error> for WriteError {
    fn from(error: io::Error) -> Self {
        WriteError::Io(error)
    }
}

/// A piece of an RDB that another writer wrote, to be joined to an RDB.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// Number of bytes.
    pub len: u64,
    /// CRC-64 of the bytes.
    pub sum: u64,
}

/// Writes an RDB. The caller must make the calls in the order of the file.
///
/// It collects a block of a quarter of a megabyte before it writes, so `out` needs no buffer.
pub struct Writer<W> {
    pub(super) out: Out<W>,
    pub(super) encoder: Encoder,
    pub(super) options: Options,
    pub(super) db: u64,
}

impl<W: Write> Writer<W> {
    /// Begins an RDB.
    pub fn new(out: W, target: Target, options: &Options) -> Self {
        let mut writer = Writer::part(out, target, options);
        writer.out.put(target.to_string().as_bytes());
        writer
    }

    /// Begins a piece of an RDB, without header and end: databases and keys that are
    /// [joined](Self::join) to others.
    pub fn part(out: W, target: Target, options: &Options) -> Self {
        let encoder = Encoder::new(target, options.compress);
        Writer { out: Out::new(out), encoder, options: *options, db: 0 }
    }

    /// Returns the version that is written.
    pub fn target(&self) -> Target {
        self.encoder.target
    }

    /// Returns the number of bytes written so far, including those in the buffer.
    pub fn written(&self) -> u64 {
        self.out.len()
    }

    /// Writes the auxiliary fields that a server begins with, in its order.
    ///
    /// # Errors
    ///
    /// Returns [`WriteError::Io`] if writing fails.
    pub fn notes(&mut self, notes: &Notes) -> Result<(), WriteError> {
        let bits = "64";
        let base = if notes.base { "1" } else { "0" };
        self.note(notes.version_name(), &notes.version)?;
        self.note("redis-bits", bits)?;
        self.note("ctime", notes.ctime.to_string())?;
        self.note("used-mem", notes.used_mem.to_string())?;
        self.note(base_name(self.target()), base)
    }

    /// Writes an auxiliary field. Servers ignore most of them.
    ///
    /// # Errors
    ///
    /// Returns [`WriteError::Io`] if writing fails.
    pub fn note(
        &mut self,
        name: impl AsRef<[u8]>,
        value: impl AsRef<[u8]>,
    ) -> Result<(), WriteError> {
        self.out.byte(opcode::AUX);
        self.string(name.as_ref());
        self.string(value.as_ref());
        self.done()
    }

    /// Writes data of a module that belongs to no key, from the module's id to its end mark: see
    /// [`Visitor::module_aux`](crate::rdb::visitor::Visitor::module_aux).
    ///
    /// # Errors
    ///
    /// Returns [`WriteError::Io`] if writing fails.
    pub fn module_aux(&mut self, payload: &[u8]) -> Result<(), WriteError> {
        self.out.byte(opcode::MODULE_AUX);
        self.out.put(payload);
        self.done()
    }

    /// Writes the source of a function library.
    ///
    /// # Errors
    ///
    /// Returns [`WriteError::Unfit`] before version 10.
    pub fn function(&mut self, library: &[u8]) -> Result<(), WriteError> {
        self.fits(Feature::Functions)?;
        self.out.byte(opcode::FUNCTION);
        self.string(library);
        self.done()
    }

    /// Writes the slots that `job`, whose name has 40 bytes, was importing.
    ///
    /// # Errors
    ///
    /// Returns [`WriteError::Unfit`] under `REDIS`.
    pub fn slot_import(&mut self, job: &[u8], ranges: &[(u64, u64)]) -> Result<(), WriteError> {
        self.fits(Feature::SlotImport)?;
        self.out.byte(opcode::SLOT_IMPORT);
        self.string(job);
        self.out.length(ranges.len() as u64);
        for &(first, last) in ranges {
            self.out.length(first);
            self.out.length(last);
        }
        self.done()
    }

    /// Selects database `db` for the keys that follow. It has approximately `keys` keys, of which
    /// `with_expiry` expire.
    ///
    /// # Errors
    ///
    /// Returns [`WriteError::Io`] if writing fails.
    pub fn select_db(&mut self, db: u64, keys: u64, with_expiry: u64) -> Result<(), WriteError> {
        self.db = db;
        self.out.byte(opcode::SELECT_DB);
        self.out.length(db);
        self.out.byte(opcode::RESIZE_DB);
        self.out.length(keys);
        self.out.length(with_expiry);
        self.done()
    }

    /// Like [`select_db`](Self::select_db), in a number of bytes that does not depend on the number
    /// of keys: the space can be reserved, and filled in once they are known.
    ///
    /// # Errors
    ///
    /// Returns [`WriteError::Io`] if writing fails.
    pub fn select_db_wide(
        &mut self,
        db: u64,
        keys: u64,
        with_expiry: u64,
    ) -> Result<(), WriteError> {
        self.db = db;
        self.out.byte(opcode::SELECT_DB);
        self.out.length(db);
        self.out.byte(opcode::RESIZE_DB);
        self.out.length_wide(keys);
        self.out.length_wide(with_expiry);
        self.done()
    }

    /// Selects cluster slot `slot` for the keys that follow. It has approximately `keys` keys, of
    /// which `with_expiry` expire. This is only a hint, and is omitted if the version does not
    /// support it.
    ///
    /// # Errors
    ///
    /// Returns [`WriteError::Io`] if writing fails.
    pub fn slot(&mut self, slot: u64, keys: u64, with_expiry: u64) -> Result<(), WriteError> {
        let target = self.target();
        match target.magic() {
            Magic::Valkey => {
                // The fourth number, keys with fields that expire, came with Valkey 9.1.
                self.note("slot-info", format!("{slot},{keys},{with_expiry},0"))
            }
            Magic::Redis if target.since(12) => {
                self.out.byte(opcode::SLOT_INFO);
                for number in [slot, keys, with_expiry] {
                    self.out.length(number);
                }
                self.done()
            }
            Magic::Redis => Ok(()),
        }
    }

    /// Writes a key and its value. Empty collections are omitted.
    ///
    /// # Errors
    ///
    /// Returns [`WriteError::Unfit`] if the version does not support the value; the writer can
    /// continue without it.
    pub fn key(
        &mut self,
        name: &[u8],
        notes: &KeyNotes,
        value: &Value<'_>,
    ) -> Result<(), WriteError> {
        if value.is_empty() {
            return Ok(());
        }
        self.carries(name, value)?;
        if let Some(expires_ms) = notes.expires_ms {
            self.out.byte(opcode::EXPIRE_MS);
            self.out.put(&expires_ms.to_le_bytes());
        }
        if let Some(idle_s) = notes.idle_s {
            self.out.byte(opcode::IDLE);
            self.out.length(idle_s);
        }
        if let Some(freq) = notes.freq {
            self.out.put(&[opcode::FREQ, freq]);
        }
        self.encoder.record(&mut self.out, name, value);
        self.done()
    }

    /// Ends the RDB, and returns its length in bytes.
    ///
    /// # Errors
    ///
    /// Returns [`WriteError::Io`] if writing fails.
    pub fn finish(mut self) -> Result<u64, WriteError> {
        self.out.byte(opcode::END);
        let sum = if self.options.checksum { self.out.sum() } else { 0 };
        self.out.put(&sum.to_le_bytes());
        let len = self.out.len();
        self.out.into_inner()?;
        Ok(len)
    }

    /// Ends a piece that was begun by [`part`](Self::part).
    ///
    /// # Errors
    ///
    /// Returns [`WriteError::Io`] if writing fails.
    pub fn finish_part(mut self) -> Result<Part, WriteError> {
        let part = Part { sum: self.out.sum(), len: self.out.len() };
        self.out.into_inner()?;
        Ok(part)
    }

    /// Joins a piece: `copy` writes its bytes, which are not checked, in whatever way is fastest,
    /// or leaves them if they are already in place. The piece must begin with
    /// [`select_db`](Self::select_db), or contain keys of the current database.
    ///
    /// # Errors
    ///
    /// Returns [`WriteError::Io`] if writing fails, including errors of `copy`.
    pub fn join(
        &mut self,
        part: &Part,
        copy: impl FnOnce(&mut W) -> io::Result<()>,
    ) -> Result<(), WriteError> {
        Ok(self.out.splice(part.len, part.sum, copy)?)
    }

    pub(super) fn string(&mut self, text: &[u8]) {
        self.encoder.strings.write(&mut self.out, text);
    }

    pub(super) fn done(&mut self) -> Result<(), WriteError> {
        Ok(self.out.check()?)
    }

    pub(super) fn fits(&self, feature: Feature) -> Result<(), WriteError> {
        let mut needs = Needs::NONE;
        needs.add(feature);
        self.unfit(needs, None)
    }

    /// Checks that nothing of the value would be omitted.
    pub(super) fn carries(&self, name: &[u8], value: &Value<'_>) -> Result<(), WriteError> {
        carries(self.target(), &self.options, (self.db, name), value)
    }

    pub(super) fn unfit(&self, needs: Needs, key: Option<&[u8]>) -> Result<(), WriteError> {
        unfit(self.target(), &self.options, needs, key.map(|name| (self.db, name)))
    }
}

/// Checks that nothing of the value would be omitted.
pub(super) fn carries(
    target: Target,
    options: &Options,
    key: (u64, &[u8]),
    value: &Value<'_>,
) -> Result<(), WriteError> {
    match value {
        Value::Hash(_) | Value::Stream(_) | Value::Array => {
            let needs = match value {
                // Since version 11 every counter of a stream is supported, so its entries need not be scanned.
                Value::Stream(stream) if target.since(11) => Needs::of_later(*stream),
                value => Needs::of_value(value),
            };
            unfit(target, options, needs, Some(key))
        }
        _ => Ok(()),
    }
}

fn unfit(
    target: Target,
    options: &Options,
    needs: Needs,
    key: Option<(u64, &[u8])>,
) -> Result<(), WriteError> {
    let mut missing = needs.missing_all(target);
    let refused = |f: &Feature| !(options.drop_bookkeeping && f.is_bookkeeping());
    match missing.find(refused) {
        None => Ok(()),
        Some(feature) => {
            let key = key.map(|(db, name)| (db, name.to_vec()));
            Err(WriteError::Unfit(Box::new(Unfit { target, feature, key })))
        }
    }
}
