//! Synthetic logs: of a wanted size, the same bytes for the same seed and options everywhere.
//!
//! All randomness is SplitMix64 in integers (`random.rs`); no clock, no thread and no platform has a
//! say in a log. Real servers load what is written here without an error: each key prefix holds one
//! type, counters are only counted, `SELECT` stands where the database changes and at the head of
//! each file.

mod mix;
mod random;
#[cfg(test)]
mod tests;
mod write;

use std::fs::{self, File};
use std::io::{self, Write};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Instant;

use serde::Serialize;

pub use mix::{Kind, Mix};

use crate::disk::Access;
use crate::disk::publish::{Existing, NewDirectory, NewFile};
use crate::error::{Error, ErrorKind, Result};
use crate::ops::overwrite::{Shape, check_output, check_shape};
use crate::progress::Progress;
use write::{BUFFER_BYTES, Log};

/// The name that the files of a multi-part log begin with, which is the servers' default.
const BASE_NAME: &str = "appendonly.aof";

/// Values longer than this are refused, as clients of a server are.
const LONGEST_VALUE: u64 = 512 << 20;

/// Keys of all databases together are counted in a bitmap; this bounds it to 1 GiB.
const MOST_KEYS: u64 = 1 << 33;

/// How much to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Amount {
    /// So many bytes, all parts together; passed by less than one command or transaction.
    Bytes(u64),
    /// So many write commands; `SELECT`, `MULTI` and `EXEC` come on top, and a transaction that has
    /// begun is finished.
    Commands(u64),
}

/// How often each key is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Skew {
    /// All alike.
    Uniform,
    /// The k-th key of a type with weight 1 / k.
    Zipf,
}

/// Which files to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Layout {
    /// One file of commands, as Redis up to 6.2 keeps it.
    SingleFile,
    /// A directory with a manifest, a base in the form that a rewrite has, and `incrs` files of
    /// commands, as Redis 7.0 and later keep it. The parts have equal shares of the amount; a base
    /// in which all keys stand is not made longer.
    MultiPart {
        /// Files of commands after the base, at least 1.
        incrs: u32,
    },
}

/// What log to write.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// How much to write.
    pub amount: Amount,
    /// The same seed and options give the same bytes.
    pub seed: u64,
    /// Which commands, and how often each.
    pub mix: Mix,
    /// Names to draw from in each database, shared out among the types that the mix writes; at least
    /// two for each.
    pub keys: u64,
    /// How often each key is drawn.
    pub skew: Skew,
    /// The length of values, uniform between the two.
    pub value_bytes: RangeInclusive<u64>,
    /// How many databases are written to, from database 0.
    pub databases: u32,
    /// The share of transactions, 0.0 to 1.0, among commands outside transactions and transactions.
    pub transactions: f64,
    /// The share of values, 0.0 to 1.0, whose text looks like commands.
    pub lookalikes: f64,
    /// The Unix second of the first `#TS` annotation; none: no annotations.
    pub timestamps: Option<u64>,
    /// After how many write commands the clock of the annotations is a second later.
    pub commands_per_second: u64,
    /// Which files to write.
    pub layout: Layout,
}

impl Default for Options {
    /// 64 MiB in a single file: some 800,000 commands of the default [`Mix`] on 100,000 keys.
    fn default() -> Self {
        Options {
            amount: Amount::Bytes(64 << 20),
            seed: 0,
            mix: Mix::default(),
            keys: 100_000,
            skew: Skew::Uniform,
            value_bytes: 16..=112,
            databases: 1,
            transactions: 0.0,
            lookalikes: 0.0,
            timestamps: None,
            commands_per_second: 10_000,
            layout: Layout::SingleFile,
        }
    }
}

impl Options {
    /// Says which option makes no sense, if one does not.
    fn check(&self) -> Result<()> {
        let wrong = |what: &str, help: &str| Err(Error::new(ErrorKind::Usage, what).help(help));
        let share = |share: f64| (0.0..=1.0).contains(&share);
        if self.value_bytes.is_empty() || *self.value_bytes.end() > LONGEST_VALUE {
            return wrong(
                "values cannot have such sizes",
                "give the smaller size first, and none above 512mb, which is the servers' limit",
            );
        }
        if self.databases == 0 || self.keys == 0 {
            return wrong(
                "a log without keys or databases cannot be drawn",
                "give at least 1 of each",
            );
        }
        if self.keys.saturating_mul(u64::from(self.databases)) > MOST_KEYS {
            return wrong(
                "these are too many keys to count",
                "keys times databases may be up to 8589934592",
            );
        }
        if !share(self.transactions) || !share(self.lookalikes) {
            return wrong("a share lies between 0 and 1", "0.05 is one in twenty");
        }
        if self.layout == (Layout::MultiPart { incrs: 0 }) {
            return wrong(
                "a multi-part log has at least one incr",
                "a server without one makes one when it starts",
            );
        }
        Ok(())
    }
}

/// What a log holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Bytes of commands and annotations.
    pub bytes: u64,
    /// Commands of all kinds, `SELECT`, `MULTI` and `EXEC` among them.
    pub commands: u64,
    /// Commands other than these three.
    pub writes: u64,
    /// Pairs of `MULTI` and `EXEC`.
    pub transactions: u64,
    /// `#TS` lines.
    pub annotations: u64,
    /// Keys that a command was to write at least once, whether or not they were deleted later.
    pub keys: u64,
}

/// What was generated.
#[derive(Debug, Clone, Serialize)]
pub struct GenerateReport {
    /// The version of this schema.
    pub schema: u32,
    /// `generate`.
    pub report: &'static str,
    /// What stands there now: the file, or the directory.
    #[serde(serialize_with = "crate::escape::path")]
    pub destination: PathBuf,
    /// The files, in the order in which a server loads them, the manifest last.
    pub files: Vec<GeneratedFile>,
    /// What they hold together; `bytes` leaves out the manifest.
    #[serde(flatten)]
    pub counts: Counts,
    /// The seed, to make it again.
    pub seed: u64,
    /// How long it took, in milliseconds.
    pub elapsed_ms: u64,
}

/// One of the files that were generated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GeneratedFile {
    /// The name, without a directory.
    pub name: String,
    /// The size.
    pub bytes: u64,
}

/// Writes a log to `destination`: a file, or for [`Layout::MultiPart`] a directory.
///
/// It appears there whole or not at all. What already stands there is replaced only with `force`, and
/// only as far as [`check_output`] allows.
///
/// # Errors
///
/// When an option makes no sense, when something stands at the destination (without `force`), and
/// when the system below fails.
pub fn generate(
    destination: &Path,
    options: &Options,
    force: bool,
    progress: &dyn Progress,
) -> Result<GenerateReport> {
    let started = Instant::now();
    options.check()?;
    let existing = if force { Existing::Replace } else { Existing::Keep };
    check_output(destination, existing, &[])?;
    let is_set = matches!(options.layout, Layout::MultiPart { .. });
    check_shape(destination, if is_set { Shape::Directory } else { Shape::File })?;
    progress.phase("generate", options.phase_bytes());
    let (files, counts) = match options.layout {
        Layout::SingleFile => {
            let mut new = NewFile::create(destination, existing, Access::NO_SOURCE)?;
            let counts = write_log(new.file(), options, progress)
                .map_err(|e| Error::io("write", destination, e))?;
            new.publish()?;
            let name = destination.file_name().unwrap_or_default().to_string_lossy().into_owned();
            (vec![GeneratedFile { name, bytes: counts.bytes }], counts)
        }
        Layout::MultiPart { incrs } => {
            let new = NewDirectory::create(destination, existing, Access::NO_SOURCE)?;
            let written = write_parts(new.path(), incrs, options, progress)
                .map_err(|e| Error::io("write", destination, e))?;
            new.publish()?;
            written
        }
    };
    Ok(GenerateReport {
        schema: 1,
        report: "generate",
        destination: destination.to_path_buf(),
        files,
        counts,
        seed: options.seed,
        elapsed_ms: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
    })
}

/// Writes a log as one stream, whatever the layout of `options`.
///
/// # Errors
///
/// Those of `out`, and [`io::ErrorKind::InvalidInput`] when an option makes no sense.
pub fn write_log(
    out: &mut impl Write,
    options: &Options,
    progress: &dyn Progress,
) -> io::Result<Counts> {
    options.check().map_err(|e| io::Error::new(io::ErrorKind::InvalidInput, e))?;
    let mut log = Log::new(options, progress, BUFFER_BYTES);
    log.commands(out, 1, 1)?;
    Ok(log.counts())
}

impl Options {
    fn phase_bytes(&self) -> u64 {
        match self.amount {
            Amount::Bytes(bytes) => bytes,
            Amount::Commands(_) => 0,
        }
    }
}

/// Writes base, incrs and manifest into `directory`.
fn write_parts(
    directory: &Path,
    incrs: u32,
    options: &Options,
    progress: &dyn Progress,
) -> io::Result<(Vec<GeneratedFile>, Counts)> {
    let mut log = Log::new(options, progress, BUFFER_BYTES);
    let parts = u64::from(incrs) + 1;
    let mut manifest = String::new();
    let mut files = Vec::new();
    for part in 1..=parts {
        let (seq, kind, letter) = match part {
            1 => (1, "base", 'b'),
            _ => (part - 1, "incr", 'i'),
        };
        let name = format!("{BASE_NAME}.{seq}.{kind}.aof");
        let before = log.bytes();
        let mut out = File::create_new(directory.join(&name))?;
        match part {
            1 => log.rewrite(&mut out, part, parts)?,
            _ => log.commands(&mut out, part, parts)?,
        }
        manifest.push_str(&format!("file {name} seq {seq} type {letter}\n"));
        files.push(GeneratedFile { name, bytes: log.bytes() - before });
    }
    let name = format!("{BASE_NAME}.manifest");
    fs::write(directory.join(&name), &manifest)?;
    files.push(GeneratedFile { name, bytes: u64::try_from(manifest.len()).unwrap_or(u64::MAX) });
    Ok((files, log.counts()))
}
