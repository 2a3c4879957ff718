//! Converting an RDB from one version to another.

use std::fmt;
use std::io::Write;

use super::super::damage::Damage;
use super::super::walk::walk;
use super::gather::{Gather, Takes};
use super::target::{Feature, Needs, Target, Unfit};
use super::view::Value;
use crate::base::progress::{Progress, Silent};
use crate::base::server::Product;
use crate::rdb::summary::{Database, RdbSummary};
use crate::rdb::write::writer::{KeyNotes, Notes, Options, WriteError, Writer, base_name};

/// The result of a conversion.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Converted {
    /// Summary of the original.
    pub walk: RdbSummary,
    /// The features that its data requires.
    pub needs: Needs,
    /// The version that was written.
    pub target: Target,
    /// Number of bytes written.
    pub len: u64,
}

/// The reason why a conversion failed.
#[derive(Debug)]
pub enum ConvertError {
    /// The original is damaged.
    Damage(Box<Damage>),
    /// The target version does not support the data, or writing failed.
    Write(WriteError),
}

impl fmt::Display for ConvertError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ConvertError::Damage(damage) => damage.fmt(f),
            ConvertError::Write(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for ConvertError {}

impl From<WriteError> for ConvertError {
    fn from(error: WriteError) -> Self {
        ConvertError::Write(error)
    }
}

impl From<Unfit> for ConvertError {
    fn from(unfit: Unfit) -> Self {
        ConvertError::Write(WriteError::Unfit(Box::new(unfit)))
    }
}

/// Writes the RDB that `bytes` begins with to `out`: in the version `target`, or by default in the
/// lowest version that servers of `product` load and that supports all its data.
///
/// The server version in the auxiliary fields becomes that of the first server that wrote the new
/// version; everything else is retained. `progress` is advanced by the length of the original once.
///
/// # Errors
///
/// Damage of the original, or data that the version does not support, is reported before any output
/// is written. If `target` was specified, support is checked key by key, so part of the output may
/// have been written by then.
pub fn convert<W: Write>(
    bytes: &[u8],
    out: W,
    product: Product,
    target: Option<Target>,
    options: &Options,
    progress: &dyn Progress,
) -> Result<Converted, ConvertError> {
    let mut first = Gather::new(Needs::NONE);
    let found = walk(bytes, &mut first, progress).map_err(ConvertError::Damage)?;
    first.end_import();
    let needs = first.takes;
    let target = match target {
        Some(target) => target,
        None => needs.lowest(product)?,
    };
    let writer = Writer::new(out, target, options);
    let copy = Copy { writer, databases: &found.databases, failed: None, metadata: false };
    let mut second = Gather::new(copy);
    walk(bytes, &mut second, &Silent).map_err(ConvertError::Damage)?;
    second.end_import();
    let Copy { writer, failed, .. } = second.takes;
    if let Some(error) = failed {
        return Err(error.into());
    }
    let len = writer.finish()?;
    Ok(Converted { walk: found, needs, target, len })
}

impl Takes for Needs {
    fn note(&mut self, _: &[u8], _: &[u8]) {}
    fn select_db(&mut self, _: u64) {}
    fn slot(&mut self, _: u64, _: u64, _: u64) {}

    fn slot_import(&mut self, _: &[u8], _: &[(u64, u64)]) {
        self.add(Feature::SlotImport);
    }

    fn function(&mut self, _: &[u8]) {
        self.add(Feature::Functions);
    }

    fn module_aux(&mut self, _: &[u8]) {}

    fn key_meta(&mut self) {
        self.add(Feature::KeyMetadata);
    }

    fn key(&mut self, _: &[u8], _: &KeyNotes, value: &Value<'_>) {
        self.merge(Needs::of_value(value));
    }
}

/// Writes everything that the walk reports.
struct Copy<'w, W> {
    writer: Writer<W>,
    /// The counts of the first walk.
    databases: &'w [Database],
    failed: Option<WriteError>,
    /// Whether modules attached metadata to the next key.
    metadata: bool,
}

impl<W: Write> Copy<'_, W> {
    fn write(&mut self, write: impl FnOnce(&mut Writer<W>) -> Result<(), WriteError>) {
        if self.failed.is_none() {
            self.failed = write(&mut self.writer).err();
        }
    }
}

impl<W: Write> Takes for Copy<'_, W> {
    fn note(&mut self, name: &[u8], value: &[u8]) {
        self.write(|writer| match name {
            b"redis-ver" | b"valkey-ver" => {
                let notes = Notes::new(writer.target(), false);
                writer.note(notes.version_name(), &notes.version)
            }
            b"aof-preamble" | b"aof-base" => writer.note(base_name(writer.target()), value),
            // Also reported as a slot.
            b"slot-info" => Ok(()),
            name => writer.note(name, value),
        });
    }

    fn select_db(&mut self, db: u64) {
        // Like a server, omit databases without keys.
        if let Some(found) = self.databases.iter().find(|found| found.db == db && found.keys > 0) {
            self.write(|writer| writer.select_db(db, found.keys, found.with_expiry));
        }
    }

    fn slot(&mut self, slot: u64, keys: u64, with_expiry: u64) {
        self.write(|writer| writer.slot(slot, keys, with_expiry));
    }

    fn slot_import(&mut self, job: &[u8], ranges: &[(u64, u64)]) {
        self.write(|writer| writer.slot_import(job, ranges));
    }

    fn function(&mut self, library: &[u8]) {
        self.write(|writer| writer.function(library));
    }

    fn module_aux(&mut self, payload: &[u8]) {
        self.write(|writer| writer.module_aux(payload));
    }

    fn key_meta(&mut self) {
        self.metadata = true;
    }

    fn key(&mut self, name: &[u8], notes: &KeyNotes, value: &Value<'_>) {
        if std::mem::take(&mut self.metadata) {
            let mut needs = Needs::NONE;
            needs.add(Feature::KeyMetadata);
            self.write(|writer| writer.unfit(needs, Some(name)));
        }
        self.write(|writer| writer.key(name, notes, value));
    }
}
