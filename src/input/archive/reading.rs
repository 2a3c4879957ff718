//! Reading the log in an archive: extracted to a temporary directory and opened there like any directory.

use std::env;
use std::path::{Path, PathBuf};

use super::contained::{Contained, EntryDamage};
use super::plain::PlainArchive;
use super::verify::{Depth, Examined, Stage, access_of_archive, examine, open_archive};
use crate::archive::report::{ArchiveFinding, ArchiveReport};
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::escape::ShownPath;
use crate::base::level::Level;
use crate::base::progress::Progress;
use crate::disk::names::UNPACKED_SCRATCH;
use crate::disk::{Scratch, check_temporary_space};

/// The help for a temporary directory that cannot hold an extraction.
const TEMPORARY_DIRECTORY: &str =
    "an archive is extracted there while it is read; set TMPDIR to use another directory";

/// A temporary extraction of an archive, which is deleted on drop.
pub(crate) struct Extraction {
    archive: PathBuf,
    root: PathBuf,
    _scratch: Scratch,
}

impl Extraction {
    pub(crate) fn archive(&self) -> &Path {
        &self.archive
    }

    /// Returns the directory of the extracted files.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Returns a path as reports name it: that of an extracted file becomes one below the archive.
    pub(crate) fn shown(&self, path: &Path) -> PathBuf {
        match path.strip_prefix(&self.root) {
            Ok(rest) if rest.as_os_str().is_empty() => self.archive.clone(),
            Ok(rest) => self.archive.join(rest),
            Err(_) => path.to_owned(),
        }
    }

    /// Replaces the paths of extracted files in a text.
    pub(crate) fn shown_text(&self, text: &str) -> String {
        let [root, archive] = [&self.root, &self.archive].map(|path| ShownPath(path).to_string());
        text.replace(&root, &archive)
    }

    /// Replaces the path of an extracted file in an error.
    pub(crate) fn name_archive(&self, error: Error) -> Error {
        match error.path().map(|path| self.shown(path)) {
            Some(path) => error.at(path),
            None => error,
        }
    }
}

/// An archive that was read: its own findings, and the log in it.
pub(crate) struct ArchiveReading {
    /// The report on the archive, without the findings about the log in it.
    pub(crate) report: ArchiveReport,
    /// The damage to entries, if they were inspected.
    pub(crate) damage: Vec<EntryDamage>,
    /// The extraction and the log in it; `None` if the archive itself is damaged.
    pub(crate) log: Option<(Contained, Extraction)>,
}

/// Extracts the archive at `path` to a temporary directory and opens the log in it. `inspect`: the content of each entry
/// is summarised for the report.
///
/// # Errors
///
/// When it cannot be opened or changes while it is read, and when the temporary directory cannot hold its files.
pub(crate) fn read_archive(
    path: &Path,
    inspect: bool,
    progress: &dyn Progress,
) -> Result<ArchiveReading> {
    let mapping = PlainArchive::open(path, progress)?;
    let opened = open_archive(path, mapping.bytes())?;
    if opened.findings.iter().any(|finding| finding.level == Level::Error) {
        // Some of its files are missing, and those that it has are not extracted: it may be hostile.
        let Examined { mut report, damage } = examine(path, &opened, None, inspect, progress)?;
        mapping.check()?;
        let found = damage.iter().map(|damage| damage.finding.clone());
        report.add(found.collect());
        return Ok(ArchiveReading { report, damage, log: None });
    }
    let place = env::temp_dir();
    let needed = opened.entries.iter().fold(0, |sum: u64, entry| sum.saturating_add(entry.bytes));
    check_temporary_space(needed, TEMPORARY_DIRECTORY)?;
    let scratch = Scratch::create(&place, UNPACKED_SCRATCH)
        .map_err(|error| error.help(TEMPORARY_DIRECTORY))?;
    let root = scratch.path().join("log");
    let access = access_of_archive(mapping.file())?;
    access
        .create_directories(scratch.path(), &root)
        .map_err(|error| Error::io("create a directory in", &place, error))?;
    let stage = Stage { path: &root, access, depth: Depth::Whole };
    let Examined { mut report, damage } = examine(path, &opened, Some(&stage), inspect, progress)
        .map_err(|error| {
        let is_ours = error.path().is_some_and(|path| path.starts_with(scratch.path()));
        if is_ours { error.at(&place).help(TEMPORARY_DIRECTORY) } else { error }
    })?;
    mapping.check()?;
    if !report.sound {
        let found = damage.iter().map(|damage| damage.finding.clone());
        report.add(found.collect());
        return Ok(ArchiveReading { report, damage, log: None });
    }
    let extraction = Extraction { archive: path.to_owned(), root, _scratch: scratch };
    let contained = Contained::open(&extraction.root);
    Ok(ArchiveReading { report, damage, log: Some((contained, extraction)) })
}

/// Returns the error for an archive that is damaged itself.
pub(crate) fn damaged(path: &Path, finding: &ArchiveFinding) -> Error {
    let entry = finding.entry.as_deref().map_or(String::new(), |entry| format!("{entry}: "));
    Error::new(ErrorKind::Refused, format!("{entry}{}", finding.message)).at(path).help(
        "`aofkit verify` gives details, and `aofkit extract --damaged` extracts what can be read",
    )
}

/// Returns an error of opening the log in an archive, with the path of the archive.
pub(crate) fn unopened(error: Error, extraction: &Extraction) -> Error {
    let several = error.kind() == ErrorKind::Usage;
    let error = extraction.name_archive(error);
    match several {
        true => {
            error.help("extract the archive with `aofkit extract`, and give the one that is meant")
        }
        false => error,
    }
}
