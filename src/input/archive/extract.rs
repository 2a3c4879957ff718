//! From an archive to files.
//!
//! They are written out of sight and verified meanwhile, and appear when all of them are what they should be.

use std::path::{Path, PathBuf};
use std::time::Instant;

use super::verify::{Stage, examine, open_archive};
use crate::archive::contents::CONTENTS;
use crate::archive::report::{ArchiveReport, ExtractReport};
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::level::Level;
use crate::base::progress::Progress;
use crate::disk::publish::{Existing, NewDirectory, check_free};
use crate::disk::{Access, Mapping, Scratch, rename};
use crate::input::overwrite::{Shape, check_output, check_shape};

/// How an archive is extracted.
#[derive(Debug, Clone)]
pub struct ExtractOptions {
    /// The directory that its files go to. It is made if it is not there.
    pub output: PathBuf,
    /// What becomes of files and directories of the archive that stand in it already.
    pub existing: Existing,
    /// Whether an archive that is not sound is extracted as far as it can be.
    pub damaged: bool,
}

/// Extracts the archive at `path`: all of it but what it says of itself. Into a directory that is there, each file and
/// each directory at its top goes by itself, whole or not at all; else the directory appears with all that is in it.
///
/// # Errors
///
/// - [`ErrorKind::Refused`]: it is not sound, or something stands where its files go; nothing was written.
/// - When it cannot be opened, or the files cannot be written.
pub fn extract(
    path: &Path,
    options: &ExtractOptions,
    progress: &dyn Progress,
) -> Result<ExtractReport> {
    let started = Instant::now();
    let mapping = Mapping::open(path)?;
    let opened = open_archive(path, mapping.bytes())?;
    let access = access_of_archive(&mapping)?;
    let mut written = Vec::new();
    for entry in opened.entries.iter().filter(|entry| !entry.is_directory && entry.raw != CONTENTS)
    {
        let top = entry.raw.split('/').next().unwrap_or_default();
        if written.iter().all(|other| other != top) {
            written.push(top.to_owned());
        }
    }
    let is_there = options.output.symlink_metadata().is_ok();
    if is_there && !options.output.is_dir() {
        return Err(Error::new(ErrorKind::Usage, "this is not a directory").at(&options.output));
    }
    for top in &written {
        let place = options.output.join(top);
        check_output(&place, options.existing, &[path.to_owned()])?;
        let is_directory = opened.entries.iter().any(|entry| is_below(&entry.raw, top));
        check_shape(&place, if is_directory { Shape::Directory } else { Shape::File })?;
    }
    let examined = |stage: &Path| {
        let archive = examine(path, &opened, Some(&Stage { path: stage, access }), progress)?;
        mapping.check()?;
        refuse_damage(&archive, options)?;
        Ok::<_, Error>(archive)
    };
    let archive = if is_there {
        let stage = Scratch::create(&options.output, ".aofkit-extract.")?;
        let archive = examined(stage.path())?;
        for top in &written {
            put(
                &stage.path().join(top),
                &options.output.join(top),
                options.existing,
                stage.path(),
            )?;
        }
        archive
    } else {
        let directory = NewDirectory::create(&options.output, Existing::Keep, access)?;
        let archive = examined(directory.path())?;
        directory.publish()?;
        archive
    };
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

/// The access of what comes out of an archive. It belongs to whoever runs this, and not to the archive's owner.
fn access_of_archive(archive: &Mapping) -> Result<Access> {
    let metadata = archive.file().metadata();
    let metadata =
        metadata.map_err(|error| Error::io("read the mode of", archive.path(), error))?;
    Ok(Access::of_file(&metadata).for_runner())
}

/// Whether an entry is in the directory `top` of the archive.
fn is_below(entry: &str, top: &str) -> bool {
    entry.strip_prefix(top).is_some_and(|rest| rest.starts_with('/'))
}

/// Puts what is finished in its place; what stood there goes with the stage.
fn put(from: &Path, to: &Path, existing: Existing, stage: &Path) -> Result<()> {
    if from.is_dir() {
        crate::disk::publish::sync_directory(from)?;
    }
    if rename::put_new(from, to)? {
        return Ok(());
    }
    match existing {
        Existing::Keep => check_free(to, existing),
        Existing::Replace => {
            let old = stage.join("old");
            Access::PRIVATE
                .create_directories(&old)
                .map_err(|error| Error::io("create", &old, error))?;
            rename::put_instead(from, to, &old.join(from.file_name().unwrap_or_default()))
        }
    }
}

fn refuse_damage(archive: &ArchiveReport, options: &ExtractOptions) -> Result<()> {
    let wrong = archive.findings.iter().find(|finding| finding.level == Level::Error);
    match wrong {
        Some(finding) if !options.damaged => {
            let entry =
                finding.entry.as_deref().map_or(String::new(), |entry| format!("{entry}: "));
            Err(Error::new(ErrorKind::Refused, format!("{entry}{}", finding.message))
                .at(&archive.path)
                .help("nothing was written; `aofkit verify` says more, and --damaged extracts what there is"))
        }
        _ => Ok(()),
    }
}
