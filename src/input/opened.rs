//! The one way from a path to its log, whether it is in files or in an archive.
//!
//! [`open`] determines which of the two it is, and [`Input::into_log`] gives the log. That of an archive is extracted to a
//! temporary directory, which its [`OpenedLog`] owns.

use std::ops::{Deref, DerefMut};
use std::path::{Path, PathBuf};

use super::archive::contained::Contained;
use super::archive::reading::{ArchiveReading, Extraction, damaged, read_archive, unopened};
use super::archive::verify::is_archive;
use super::broken_set::BrokenSet;
use super::files::try_open_files;
use super::overwrite::inputs;
use crate::aof::log::Log;
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::level::Level;
use crate::base::progress::Progress;

/// What a path refers to.
pub enum Input {
    /// The files of a log, or an RDB: see [`Log::layout`].
    Log(Box<Log>),
    /// A set that no server loads.
    Broken(BrokenSet),
    /// A ZIP archive at this path, of which only the first bytes were read.
    Archive(PathBuf),
}

/// Opens what `path` refers to.
///
/// # Errors
///
/// As [`try_open_files`].
pub fn open(path: impl AsRef<Path>) -> Result<Input> {
    let path = path.as_ref();
    if is_archive(path) {
        return Ok(Input::Archive(path.to_owned()));
    }
    Ok(match try_open_files(path)? {
        Ok(log) => Input::Log(Box::new(log)),
        Err(broken) => Input::Broken(broken),
    })
}

/// Opens the log that `path` refers to, or that is in the archive there.
///
/// # Errors
///
/// As [`open`] and [`Input::into_log`].
pub fn open_log(path: impl AsRef<Path>, progress: &dyn Progress) -> Result<OpenedLog> {
    open(path)?.into_log(progress)
}

impl Input {
    /// Returns whether it is an archive.
    pub fn is_archive(&self) -> bool {
        matches!(self, Input::Archive(_))
    }

    /// Returns every path that is read: no output may replace one of them.
    pub fn paths(&self) -> Vec<PathBuf> {
        match self {
            Input::Log(log) => inputs(log),
            Input::Broken(broken) => vec![broken.path.clone()],
            Input::Archive(path) => vec![path.clone()],
        }
    }

    /// Returns the log. An archive is verified and extracted.
    ///
    /// # Errors
    ///
    /// - [`ErrorKind::Manifest`]: no server loads the set.
    /// - [`ErrorKind::Refused`]: an archive is damaged itself, or too little space is free for its files in the directory
    ///   for temporary files.
    /// - As [`open`], for the log in it.
    pub fn into_log(self, progress: &dyn Progress) -> Result<OpenedLog> {
        self.into_set(progress)?.map_err(|found| found.into_error())
    }

    /// Returns the log as [`Input::into_log`] does, or a set that no server loads, also one in an archive.
    ///
    /// # Errors
    ///
    /// As [`Input::into_log`], without [`ErrorKind::Manifest`].
    pub(crate) fn into_set(
        self,
        progress: &dyn Progress,
    ) -> Result<Result<OpenedLog, Box<FoundBroken>>> {
        match self {
            Input::Log(log) => Ok(Ok(OpenedLog { log: *log, extraction: None })),
            Input::Broken(broken) => Ok(Err(Box::new(FoundBroken { broken, extraction: None }))),
            Input::Archive(archive) => {
                let ArchiveReading { report, log, .. } = read_archive(&archive, false, progress)?;
                let worst = report.findings.iter().find(|finding| finding.level == Level::Error);
                match (log, worst) {
                    (Some((contained, extraction)), None) => {
                        OpenedLog::in_archive(contained, extraction)
                    }
                    (_, Some(finding)) => Err(damaged(&archive, finding)),
                    (None, None) => {
                        Err(Error::new(ErrorKind::Refused, "the archive cannot be read")
                            .at(archive))
                    }
                }
            }
        }
    }
}

/// A set that no server loads, and, if it is in an archive, its temporary extraction.
pub(crate) struct FoundBroken {
    pub(crate) broken: BrokenSet,
    extraction: Option<Extraction>,
}

impl FoundBroken {
    /// Returns what is left of the set as a log; `path` is where it was found, for reports.
    pub(crate) fn opened(self, log: Log, path: &Path) -> OpenedLog {
        OpenedLog { log: Log { path: path.to_owned(), ..log }, extraction: self.extraction }
    }

    /// Returns a path as reports name it.
    pub(crate) fn shown(&self, path: &Path) -> PathBuf {
        self.extraction.as_ref().map_or_else(|| path.to_owned(), |made| made.shown(path))
    }

    /// Replaces the path of an extracted file in an error.
    pub(crate) fn name_archive(&self, error: Error) -> Error {
        match &self.extraction {
            Some(extraction) => extraction.name_archive(error),
            None => error,
        }
    }

    /// Returns the error for work that needs the whole set.
    pub(crate) fn into_error(self) -> Error {
        self.name_archive(self.broken.clone().into())
    }
}

/// A log and, if it is in an archive, its temporary extraction, which is deleted on drop.
pub struct OpenedLog {
    log: Log,
    extraction: Option<Extraction>,
}

impl Deref for OpenedLog {
    type Target = Log;

    fn deref(&self) -> &Log {
        &self.log
    }
}

impl DerefMut for OpenedLog {
    fn deref_mut(&mut self) -> &mut Log {
        &mut self.log
    }
}

impl OpenedLog {
    /// Returns the log in an archive that was extracted.
    fn in_archive(
        contained: Contained,
        extraction: Extraction,
    ) -> Result<Result<OpenedLog, Box<FoundBroken>>> {
        match contained {
            Contained::Log(log) => {
                let log = Log { path: extraction.archive().to_owned(), ..*log };
                Ok(Ok(OpenedLog { log, extraction: Some(extraction) }))
            }
            Contained::Broken(broken) => {
                Ok(Err(Box::new(FoundBroken { broken, extraction: Some(extraction) })))
            }
            Contained::Unopened(error) => Err(unopened(error, &extraction)),
        }
    }

    /// Returns the path of the archive that the log is in.
    pub fn archive(&self) -> Option<&Path> {
        self.extraction.as_ref().map(Extraction::archive)
    }

    /// Returns a path as reports name it: that of an extracted file becomes one below the archive.
    pub fn shown(&self, path: &Path) -> PathBuf {
        self.extraction.as_ref().map_or_else(|| path.to_owned(), |made| made.shown(path))
    }

    /// Replaces the paths of extracted files in a text by paths as [`OpenedLog::shown`] returns them.
    pub fn shown_text(&self, text: &str) -> String {
        self.extraction.as_ref().map_or_else(|| text.to_owned(), |made| made.shown_text(text))
    }

    /// Replaces the path of an extracted file in an error, because the file is gone when the error is read.
    ///
    /// # Errors
    ///
    /// The error of `result`.
    pub fn name_archive<T>(&self, result: Result<T>) -> Result<T> {
        match &self.extraction {
            Some(extraction) => result.map_err(|error| extraction.name_archive(error)),
            None => result,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::io::Write;

    use zip::ZipWriter;
    use zip::write::SimpleFileOptions;

    use super::*;
    use crate::base::progress::Silent;

    const LOG: &[u8] = b"*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n";

    fn archive_in(directory: &Path, name: &str, bytes: &[u8]) -> PathBuf {
        let path = directory.join("a.zip");
        let mut zip = ZipWriter::new(File::create(&path).unwrap());
        zip.start_file(name, SimpleFileOptions::default()).unwrap();
        zip.write_all(bytes).unwrap();
        zip.finish().unwrap();
        path
    }

    #[test]
    fn an_extraction_is_named_by_its_archive_and_deleted_on_drop() {
        let directory = tempfile::tempdir().unwrap();
        let archive = archive_in(directory.path(), "appendonly.aof", LOG);
        let input = open(&archive).unwrap();
        assert!(input.is_archive());
        assert_eq!(input.paths(), std::slice::from_ref(&archive));
        let log = input.into_log(&Silent).unwrap();
        assert_eq!((log.archive(), &log.path), (Some(archive.as_path()), &archive));
        assert_eq!(log.parts[0].mapping.bytes(), LOG);
        let extracted = log.parts[0].path.clone();
        assert!(extracted.exists());
        assert_eq!(log.shown(&extracted), archive.join("appendonly.aof"));
        let failed: Result<()> =
            Err(Error::new(crate::base::error::ErrorKind::Io, "x").at(&extracted).byte(7));
        let error = log.name_archive(failed).unwrap_err();
        assert_eq!(
            (error.path(), error.offset()),
            (Some(&*archive.join("appendonly.aof")), Some(7))
        );
        drop(log);
        assert!(!extracted.exists() && !extracted.parent().unwrap().parent().unwrap().exists());
    }

    #[test]
    fn files_and_broken_sets_are_distinguished_from_archives() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("a.aof");
        fs::write(&file, LOG).unwrap();
        let Input::Log(log) = open(&file).unwrap() else { panic!("a log") };
        assert_eq!((&log.path, log.bytes()), (&file, LOG.len() as u64));
        let log = open_log(&file, &Silent).unwrap();
        assert_eq!((log.archive(), log.shown(&file)), (None, file));
        let manifest = directory.path().join("b.manifest");
        fs::write(&manifest, b"file b.1.incr.aof seq 1 type i\n").unwrap();
        assert!(matches!(open(&manifest), Ok(Input::Broken(_))));
        let error = open_log(&manifest, &Silent).err().unwrap();
        assert_eq!(error.kind(), crate::base::error::ErrorKind::Manifest);
    }
}
