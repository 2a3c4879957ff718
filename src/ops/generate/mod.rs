//! Synthetic logs of a given size: the same seed and options give the same bytes everywhere.
//!
//! All randomness is SplitMix64 in integers (`random.rs`); a log does not depend on clocks, threads or platforms. Real
//! servers load these logs without an error: each key prefix has one type, counters are only incremented, and `SELECT`
//! is written where the database changes and at the start of each file.

mod mix;
mod options;
mod random;
#[cfg(test)]
mod tests;
mod write;

pub use options::{Amount, Counts, GenerateOptions, Layout, Skew};

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use serde::Serialize;

pub use mix::{Kind, Mix};

use crate::base::error::{Error, Result};
use crate::base::progress::Progress;
use crate::disk::Access;
use crate::disk::publish::{Existing, NewDirectory, NewFile};
use crate::input::overwrite::{Shape, check_output, check_shape};
use write::{BUFFER_BYTES, Log};

/// The name prefix of the files of a multi-part log, which is the servers' default.
const BASE_NAME: &str = "appendonly.aof";

/// The result of generating a log.
#[derive(Debug, Clone, Serialize)]
pub struct GenerateReport {
    /// The path of the generated file or directory.
    #[serde(serialize_with = "crate::base::escape::path")]
    pub destination: PathBuf,
    /// The files, in load order, with the manifest last.
    pub files: Vec<GeneratedFile>,
    /// The total counts; `bytes` does not include the manifest.
    #[serde(flatten)]
    pub counts: Counts,
    /// The seed, with which the log can be generated again.
    pub seed: u64,
    /// The run time in seconds.
    pub elapsed_s: f64,
}

/// A generated file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GeneratedFile {
    /// The name, without a directory.
    pub name: String,
    /// The size in bytes.
    pub bytes: u64,
}

/// Writes a log to `destination`: a file, or for [`Layout::MultiPart`] a directory.
///
/// It is published atomically. Of existing files only a log is ever replaced.
///
/// # Errors
///
/// When an option is invalid, when the destination exists and must not be replaced, and when the system fails.
pub fn generate(
    destination: &Path,
    options: &GenerateOptions,
    existing: Existing,
    progress: &dyn Progress,
) -> Result<GenerateReport> {
    let started = Instant::now();
    options.check()?;
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
        destination: destination.to_path_buf(),
        files,
        counts,
        seed: options.seed,
        elapsed_s: started.elapsed().as_secs_f64(),
    })
}

/// Writes a log as one stream, whatever the layout of `options`.
///
/// # Errors
///
/// Those of `out`, and [`io::ErrorKind::InvalidInput`] when an option is invalid.
pub fn write_log(
    out: &mut impl Write,
    options: &GenerateOptions,
    progress: &dyn Progress,
) -> io::Result<Counts> {
    options.check().map_err(|e| io::Error::new(io::ErrorKind::InvalidInput, e))?;
    let mut log = Log::new(options, progress, BUFFER_BYTES);
    log.commands(out, 1, 1)?;
    Ok(log.counts())
}

/// Writes the base, the incremental files and the manifest into `directory`.
fn write_parts(
    directory: &Path,
    incrs: u32,
    options: &GenerateOptions,
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
        let mut out = Access::NO_SOURCE.create(&directory.join(&name))?;
        match part {
            1 => log.rewrite(&mut out, part, parts)?,
            _ => log.commands(&mut out, part, parts)?,
        }
        manifest.push_str(&format!("file {name} seq {seq} type {letter}\n"));
        files.push(GeneratedFile { name, bytes: log.bytes() - before });
    }
    let name = format!("{BASE_NAME}.manifest");
    Access::NO_SOURCE.write(&directory.join(&name), manifest.as_bytes())?;
    files.push(GeneratedFile { name, bytes: u64::try_from(manifest.len()).unwrap_or(u64::MAX) });
    Ok((files, log.counts()))
}
