//! From an archive to files.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Instant;

use super::contents::CONTENTS;
use super::report::{ExtractReport, Level};
use super::unpack::unpack;
use super::verify::{VerifyOptions, open_archive, verify_archive};
use crate::disk::Mapping;
use crate::disk::publish::{Existing, NewDirectory};
use crate::error::{Error, ErrorKind, Result};
use crate::progress::Progress;

/// How an archive is extracted.
#[derive(Debug, Clone)]
pub struct ExtractOptions {
    /// The directory that its files go to.
    pub output: PathBuf,
    /// What becomes of what stands there.
    pub existing: Existing,
    /// Whether an archive that is not sound is extracted as far as it can be.
    pub damaged: bool,
}

/// Extracts the archive at `path`.
///
/// # Errors
///
/// When it cannot be opened or is not sound, or the files cannot be written.
pub fn extract(
    path: &Path,
    options: &ExtractOptions,
    progress: &dyn Progress,
) -> Result<ExtractReport> {
    let started = Instant::now();
    let archive = verify_archive(path, &VerifyOptions::default(), progress)?;
    if let Some(wrong) = archive.findings.iter().find(|finding| finding.level == Level::Error) {
        return Err(Error::new(
            ErrorKind::Refused,
            format!("the archive is damaged: {}", wrong.message),
        )
        .at(path));
    }
    let mapping = Mapping::open(path)?;
    let opened = open_archive(path, &mapping)?;
    let directory = NewDirectory::create(&options.output, options.existing)?;
    let mut written = Vec::new();
    for entry in opened.entries.iter().filter(|entry| !entry.is_directory && entry.name != CONTENTS)
    {
        let target = directory.path().join(&entry.name);
        let failed = |error| Error::io("write", &target, error);
        if let Some(parent) = target.parent() {
            fs::create_dir_all(parent).map_err(failed)?;
        }
        let mut file = File::create_new(&target).map_err(failed)?;
        unpack(entry, opened.packed(entry), |piece| file.write_all(piece)).map_err(failed)?;
        file.sync_all().map_err(failed)?;
        let top = entry.name.split('/').next().unwrap_or_default().to_owned();
        if !written.contains(&top) {
            written.push(top);
        }
    }
    mapping.check()?;
    directory.publish()?;
    Ok(ExtractReport {
        schema: 1,
        report: "extract",
        path: path.to_owned(),
        output: options.output.clone(),
        written,
        archive,
        elapsed_s: started.elapsed().as_secs_f64(),
    })
}
