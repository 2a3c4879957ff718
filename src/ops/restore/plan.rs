//! The plan of a restore: what is written, replaced and retained.
//!
//! What a restore writes is only known once the archive has been extracted, verified and, if needed, converted. Planning
//! therefore does all that in a hidden directory: next to where the log goes or, for a dry run, among the temporary
//! files, so that nothing changes in the data directory. A plan that can be made is one that can be applied.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::options::RestoreOptions;
use super::prepare::{APPENDDIRNAME, Change, Ready, Shape, ready};
use crate::archive::contents::Contents;
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::escape::ShownPath;
use crate::base::progress::Progress;
use crate::base::units::Bytes;
use crate::disk::publish::{Existing, NewDirectory, check_writable};
use crate::disk::unseen_servers::refuse_unless_idle;
use crate::disk::{Access, Lock, Owner, Scratch, free_bytes};

/// The prefix of the names of unfinished restores.
const PREFIX: &str = ".aofkit-restore.";

/// What a restore writes, replaces and retains in the data directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RestorePlan {
    /// The server's data directory, as an absolute path.
    #[serde(serialize_with = "crate::base::escape::path")]
    pub output: PathBuf,
    /// Whether the data directory does not exist yet and is created.
    pub creates_output: bool,
    /// The layout of the restored log.
    pub shape: Shape,
    /// The name of the file or of the set's directory in the data directory.
    pub placed: String,
    /// The files of the restored log, sorted by path.
    pub(crate) files: Vec<PlannedFile>,
    /// The conversion of the log, if it differs from the archive.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub change: Option<Change>,
    /// The names of files and directories in the data directory that are moved aside.
    pub replaces: Vec<String>,
    /// The names of other files and directories in the data directory, which are not changed.
    pub retains: Vec<String>,
    /// The owner that the files are given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<Owner>,
    /// The size of the restored log in bytes.
    pub bytes: u64,
    /// The number of complete commands in it.
    pub commands: u64,
    /// The number of keys in its RDBs.
    pub rdb_keys: u64,
    /// The settings with which a server loads it.
    pub settings: Vec<Setting>,
}

/// A setting of a server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Setting {
    /// The name of the setting.
    pub name: &'static str,
    /// The value of the setting.
    pub value: String,
}

/// A file of a restored log.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct PlannedFile {
    /// The path in the data directory.
    #[serde(serialize_with = "crate::base::escape::path")]
    pub path: PathBuf,
    /// The size in bytes.
    pub bytes: u64,
}

/// The plan of a restore, and the log that is ready to be published.
pub(super) struct PlannedRestore {
    pub(super) plan: RestorePlan,
    pub(super) ready: Ready,
    pub(super) stage: Stage,
}

/// The directory in which a log is made ready. It is removed on drop.
pub(super) enum Stage {
    /// In the new data directory, under a temporary name.
    New { directory: NewDirectory, scratch: Scratch },
    /// In the existing data directory, which is locked.
    Existing { scratch: Scratch, _lock: Lock },
    /// Among the temporary files: nothing is published.
    DryRun { scratch: Scratch },
}

impl Stage {
    fn scratch(&self) -> &Path {
        match self {
            Stage::New { scratch, .. }
            | Stage::Existing { scratch, .. }
            | Stage::DryRun { scratch } => scratch.path(),
        }
    }
}

/// Plans the restore of the archive at `archive`, and makes the log ready.
///
/// # Errors
///
/// As [`restore`](super::restore()).
pub(super) fn plan(
    archive: &Path,
    contents: Option<&Contents>,
    options: &RestoreOptions,
    progress: &dyn Progress,
) -> Result<PlannedRestore> {
    let target = Target::find(&options.output)?;
    let stage = target.stage(archive, contents, options)?;
    let present = if target.exists { names_in(&options.output)? } else { Vec::new() };
    let ready = ready(archive, options, stage.scratch(), progress)?;
    let owner = match target.exists {
        true => options.owner.or_else(|| Owner::of_directory(&options.output)),
        false => options.owner,
    };
    if let Some(owner) = owner {
        owner.take(&ready.path)?;
    }
    let (replaces, retains) = present.into_iter().partition(|name| is_replaced(name, &ready));
    let plan = RestorePlan {
        creates_output: !target.exists,
        shape: ready.shape,
        placed: ready.name.clone(),
        files: files(&ready)?,
        change: ready.change.clone(),
        replaces,
        retains,
        owner,
        bytes: ready.bytes,
        commands: ready.commands,
        rdb_keys: ready.rdb_keys,
        settings: settings(&ready, &target.path),
        output: target.path,
    };
    Ok(PlannedRestore { plan, ready, stage })
}

/// Returns whether a file or directory in the data directory is moved aside: what has the name of the log, and what a
/// server would load instead of it.
fn is_replaced(name: &str, ready: &Ready) -> bool {
    // A server since 7.0 that finds a set ignores the single file.
    name == ready.name || (ready.shape == Shape::SingleFile && name == APPENDDIRNAME)
}

/// The data directory.
struct Target {
    /// Its absolute path.
    path: PathBuf,
    exists: bool,
}

impl Target {
    fn find(output: &Path) -> Result<Target> {
        match fs::metadata(output) {
            Ok(metadata) if metadata.is_dir() => {
                let path =
                    fs::canonicalize(output).map_err(|error| Error::io("find", output, error))?;
                Ok(Target { path, exists: true })
            }
            Ok(_) => Err(Error::new(ErrorKind::Usage, "not a directory").at(output).help(
                "a log is restored into the data directory of a server: `dir` in its configuration",
            )),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let parent = parent(output);
                let parent =
                    fs::canonicalize(parent).map_err(|error| Error::io("find", parent, error))?;
                let path = parent.join(output.file_name().unwrap_or_default());
                Ok(Target { path, exists: false })
            }
            Err(error) => Err(Error::io("open", output, error)),
        }
    }

    /// Checks that the log can be restored here, and creates the directory in which it is made ready.
    fn stage(
        &self,
        archive: &Path,
        contents: Option<&Contents>,
        options: &RestoreOptions,
    ) -> Result<Stage> {
        let output = &options.output;
        if options.dry_run {
            if self.exists {
                self.check_existing(options)?;
            }
            check_writable(output)?;
            check_space(if self.exists { output } else { parent(output) }, contents)?;
            let place = env::temp_dir();
            check_space(&place, contents).map_err(|error| {
                error.help(
                    "a dry run extracts the archive there; set TMPDIR to use another directory",
                )
            })?;
            return Ok(Stage::DryRun { scratch: Scratch::create(&place, PREFIX)? });
        }
        if self.exists {
            let lock = Lock::take_directory(output)?;
            self.check_existing(options)?;
            Scratch::clear_left_over(output, PREFIX)?;
            check_space(output, contents)?;
            return Ok(Stage::Existing { scratch: Scratch::create(output, PREFIX)?, _lock: lock });
        }
        let access = Access::of_path(archive).for_runner();
        let directory = NewDirectory::create(output, Existing::Keep, access)?;
        check_space(directory.path(), contents)?;
        let scratch = Scratch::create(directory.path(), PREFIX)?;
        Ok(Stage::New { directory, scratch })
    }

    fn check_existing(&self, options: &RestoreOptions) -> Result<()> {
        let output = &options.output;
        refuse_unless_idle(output, options.offline)?;
        if options.force { Ok(()) } else { refuse_not_empty(output) }
    }
}

fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Returns the sorted names of what is in a data directory, except for unfinished restores.
fn names_in(directory: &Path) -> Result<Vec<String>> {
    let failed = |error| Error::io("list", directory, error);
    let mut names = Vec::new();
    for entry in fs::read_dir(directory).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name();
        let name = ShownPath(name.as_ref()).to_string();
        if !name.starts_with(PREFIX) {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

fn refuse_not_empty(directory: &Path) -> Result<()> {
    // A newly created file system contains `lost+found`.
    match names_in(directory)?.into_iter().find(|name| name != "lost+found") {
        None => Ok(()),
        Some(name) => Err(Error::new(
            ErrorKind::Refused,
            format!("the directory is not empty: {name} is in it"),
        )
        .at(directory)
        .help("give a new directory; --force restores into this one, and moves a log that is there aside")),
    }
}

/// Checks the free space for the extracted files. The space for a conversion is unknown in advance, as is that for a
/// ZIP archive without metadata.
fn check_space(directory: &Path, contents: Option<&Contents>) -> Result<()> {
    let Some(needed) = contents.map(Contents::bytes) else { return Ok(()) };
    let free = free_bytes(directory)?;
    if free < needed {
        return Err(Error::new(
            ErrorKind::Refused,
            format!("{} are free, and {} are needed", Bytes(free), Bytes(needed)),
        )
        .at(directory)
        .help("free space there, or use another file system"));
    }
    Ok(())
}

/// Returns the files of a log, with their paths in the data directory.
fn files(ready: &Ready) -> Result<Vec<PlannedFile>> {
    let name = Path::new(&ready.name);
    let size = |path: &Path| {
        fs::metadata(path).map(|found| found.len()).map_err(|error| Error::io("read", path, error))
    };
    if ready.shape == Shape::SingleFile {
        return Ok(vec![PlannedFile { path: name.to_owned(), bytes: size(&ready.path)? }]);
    }
    let failed = |error| Error::io("list", &ready.path, error);
    let mut files = Vec::new();
    for entry in fs::read_dir(&ready.path).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        files.push(PlannedFile { path: name.join(entry.file_name()), bytes: size(&entry.path())? });
    }
    files.sort();
    Ok(files)
}

fn settings(ready: &Ready, directory: &Path) -> Vec<Setting> {
    let setting = |name, value: String| Setting { name, value };
    let mut settings = vec![
        setting("dir", ShownPath(directory).to_string()),
        setting("appendonly", "yes".to_owned()),
        setting("appendfilename", ready.appendfilename.clone()),
    ];
    if ready.shape == Shape::MultiPart {
        settings.push(setting("appenddirname", ready.name.clone()));
    }
    settings
}
