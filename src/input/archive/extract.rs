//! Extracting an archive to files.
//!
//! The files are written to a hidden directory and verified at the same time. They are published when all of them are
//! valid.

use std::path::{Path, PathBuf};
use std::time::Instant;

use super::contained::Contained;
use super::plain::PlainArchive;
use super::verify::{
    Depth, Examined, Stage, access_of_archive, examine, open_archive, tell_layout,
};
use crate::archive::contents::is_metadata;
use crate::archive::read::Located;
use crate::archive::report::{ArchiveFinding, ArchiveReport, ExtractReport};
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::level::Level;
use crate::base::progress::Progress;
use crate::disk::publish::{Existing, NewDirectory, check_free};
use crate::disk::{Access, Scratch, rename};
use crate::input::overwrite::{Shape, check_output, check_shape};

/// Options of [`extract`].
#[derive(Debug, Clone, Default)]
#[cfg_attr(not(feature = "internals"), non_exhaustive)]
pub struct ExtractOptions {
    /// The output directory. It is created if it does not exist.
    pub output: PathBuf,
    /// The treatment of existing files and directories in the output directory.
    pub existing: Existing,
    /// Whether to extract a damaged archive as far as possible.
    pub damaged: bool,
}

impl ExtractOptions {
    /// Returns the options to extract into the directory `output`.
    pub fn new(output: impl Into<PathBuf>) -> Self {
        ExtractOptions { output: output.into(), ..ExtractOptions::default() }
    }
}

/// Extracts the archive at `path`, except its metadata. In an existing directory, each file and each top-level
/// directory is published separately and atomically; otherwise the directory is published with all its contents.
///
/// # Errors
///
/// - [`ErrorKind::Refused`]: the archive is damaged, or files exist at the destination; nothing was written.
/// - When it cannot be opened, or the files cannot be written.
pub fn extract(
    path: &Path,
    options: &ExtractOptions,
    progress: &dyn Progress,
) -> Result<ExtractReport> {
    let started = Instant::now();
    let mapping = PlainArchive::open(path, progress)?;
    let opened = open_archive(path, mapping.bytes())?;
    if let Some(finding) = opened.findings.iter().find(|finding| finding.level == Level::Error) {
        refuse(path, finding, options)?;
    }
    let access = access_of_archive(mapping.file())?;
    let mut written = Vec::new();
    let is_file = |entry: &&Located| !entry.is_directory && !is_metadata(&entry.raw);
    for entry in opened.entries.iter().filter(is_file) {
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
        let to = Stage { path: stage, access, depth: Depth::Durable };
        let Examined { report: mut archive, damage } =
            examine(path, &opened, Some(&to), true, progress)?;
        mapping.check()?;
        let contained = Contained::open(stage);
        tell_layout(&mut archive, &contained);
        archive.add(contained.findings(stage, damage));
        refuse_damage(&archive, options)?;
        progress.check()?;
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
        path: path.to_owned(),
        output: options.output.clone(),
        written,
        archive,
        elapsed_s: started.elapsed().as_secs_f64(),
    })
}

/// Returns whether an entry is in the directory `top` of the archive.
fn is_below(entry: &str, top: &str) -> bool {
    entry.strip_prefix(top).is_some_and(|rest| rest.starts_with('/'))
}

/// Moves a finished file or directory to its place; the one that is overwritten is deleted with the stage.
fn put(from: &Path, to: &Path, existing: Existing, stage: &Path) -> Result<()> {
    if from.is_dir() {
        crate::disk::sync::sync_directory(from)?;
    }
    if rename::put_new(from, to)? {
        return Ok(());
    }
    match existing {
        Existing::Keep => check_free(to, existing),
        Existing::Replace => rename::put_instead(from, to, &rename::name_aside(to)),
        Existing::Overwrite => {
            let old = stage.join("old");
            Access::PRIVATE
                .create_directories(stage, &old)
                .map_err(|error| Error::io("create", &old, error))?;
            rename::put_instead(from, to, &old.join(from.file_name().unwrap_or_default()))
        }
    }
}

fn refuse_damage(archive: &ArchiveReport, options: &ExtractOptions) -> Result<()> {
    let wrong = archive.findings.iter().find(|finding| finding.level == Level::Error);
    wrong.map_or(Ok(()), |finding| refuse(&archive.path, finding, options))
}

fn refuse(path: &Path, finding: &ArchiveFinding, options: &ExtractOptions) -> Result<()> {
    if options.damaged {
        return Ok(());
    }
    let entry = finding.entry.as_deref().map_or(String::new(), |entry| format!("{entry}: "));
    Err(Error::new(ErrorKind::Refused, format!("{entry}{}", finding.message)).at(path).help(
        "nothing was written; `aofkit verify` says more, and --damaged extracts what there is",
    ))
}
