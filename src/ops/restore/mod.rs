//! Restoring an archive into the data directory of a server.
//!
//! The archive is verified while it is extracted into a hidden directory; the extracted files are verified again and
//! converted to what the server loads. Only then are they published, in a single step: a set appears at once with its
//! manifest, and the files that it replaces get another name at the same instant. Nothing is deleted.

mod next;
mod options;
pub mod prepare;
pub mod report;

pub use options::RestoreOptions;

use std::fs;
use std::path::Path;
use std::time::Instant;

pub use crate::disk::Owner;
pub use report::{Change, Moved, RestoreReport, Setting, Shape};

use crate::archive::contents::Contents;
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::escape::ShownPath;
use crate::base::progress::Progress;
use crate::base::units::Bytes;
use crate::disk::open_writers::refuse_in_use;
use crate::disk::publish::{Existing, NewDirectory};
use crate::disk::{Access, Lock, Scratch, free_bytes, rename, sync};
use crate::input::archive::verify::read_contents;
use crate::ops::restore::next::next_steps;
use crate::ops::restore::prepare::{APPENDDIRNAME, Ready, ready};

/// The prefix of the names of unfinished restores.
const PREFIX: &str = ".aofkit-restore.";

/// Restores the archive at `archive`.
///
/// # Errors
///
/// - [`ErrorKind::Refused`]: a server uses the directory, it is not empty, too little space is free, or the archive is
///   damaged.
/// - [`ErrorKind::Locked`]: another restore into the directory is running.
/// - When something cannot be read or written. The directory is then unchanged.
pub fn restore(
    archive: &Path,
    options: &RestoreOptions,
    progress: &dyn Progress,
) -> Result<RestoreReport> {
    let started = Instant::now();
    let contents = read_contents(archive)?;
    let output = &options.output;
    let (ready, moved_aside, owner) = match fs::metadata(output) {
        Ok(metadata) if metadata.is_dir() => {
            into_existing(archive, contents.as_ref(), options, progress)?
        }
        Ok(_) => {
            return Err(Error::new(ErrorKind::Usage, "not a directory").at(output).help(
                "a log is restored into the data directory of a server: `dir` in its configuration",
            ));
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let (ready, owner) = into_new(archive, contents.as_ref(), options, progress)?;
            (ready, Vec::new(), owner)
        }
        Err(error) => return Err(Error::io("open", output, error)),
    };
    let directory = fs::canonicalize(output).map_err(|error| Error::io("find", output, error))?;
    let settings = settings(&ready, &directory);
    let next = next_steps(&ready, options.server, owner, &directory);
    Ok(RestoreReport {
        archive: archive.to_owned(),
        output: directory,
        source: contents.map(|contents| contents.source),
        server: options.server,
        shape: ready.shape,
        placed: ready.name,
        change: ready.change,
        moved_aside,
        owner,
        bytes: ready.bytes,
        commands: ready.commands,
        rdb_keys: ready.rdb_keys,
        settings,
        next,
        elapsed_s: started.elapsed().as_secs_f64(),
    })
}

fn into_new(
    archive: &Path,
    contents: Option<&Contents>,
    options: &RestoreOptions,
    progress: &dyn Progress,
) -> Result<(Ready, Option<Owner>)> {
    let new = NewDirectory::create(
        &options.output,
        Existing::Keep,
        Access::of_path(archive).for_runner(),
    )?;
    check_room(new.path(), contents)?;
    let ready = {
        let scratch = Scratch::create(new.path(), PREFIX)?;
        let ready = ready(archive, options, scratch.path(), progress)?;
        let place = new.path().join(&ready.name);
        rename::move_unpublished(&ready.path, &place)?;
        ready
    };
    if let Some(owner) = options.owner {
        owner.take(new.path())?;
    }
    sync::sync_tree(new.path())?;
    new.publish()?;
    Ok((ready, options.owner))
}

fn into_existing(
    archive: &Path,
    contents: Option<&Contents>,
    options: &RestoreOptions,
    progress: &dyn Progress,
) -> Result<(Ready, Vec<Moved>, Option<Owner>)> {
    let root = &options.output;
    let _lock = Lock::take_directory(root)?;
    refuse_in_use(root)?;
    Scratch::clear_left_over(root, PREFIX)?;
    if !options.force {
        refuse_not_empty(root)?;
    }
    check_room(root, contents)?;
    let scratch = Scratch::create(root, PREFIX)?;
    let ready = ready(archive, options, scratch.path(), progress)?;
    let owner = options.owner.or_else(|| Owner::of_directory(root));
    if let Some(owner) = owner {
        owner.take(&ready.path)?;
    }
    sync::sync_tree(&ready.path)?;
    // A server that was started meanwhile would continue with files that have other names by then.
    refuse_in_use(root)?;
    let moved = put_in_place(&ready, root)?;
    Ok((ready, moved, owner))
}

/// Moves the log to where the server expects it, and moves aside what a server would load instead.
fn put_in_place(ready: &Ready, root: &Path) -> Result<Vec<Moved>> {
    let mut moved = Vec::new();
    let to = root.join(&ready.name);
    let aside = rename::name_aside(&to);
    let is_taken = to.symlink_metadata().is_ok();
    rename::put_instead(&ready.path, &to, &aside)?;
    if is_taken {
        moved.push(Moved { from: to, to: aside });
    }
    // A server since 7.0 that finds a set ignores the single file.
    let set = root.join(APPENDDIRNAME);
    if ready.shape == Shape::SingleFile && set.symlink_metadata().is_ok() {
        let aside = rename::put_aside(&set)?;
        moved.push(Moved { from: set, to: aside });
    }
    Ok(moved)
}

fn refuse_not_empty(root: &Path) -> Result<()> {
    let failed = |error| Error::io("list", root, error);
    for entry in fs::read_dir(root).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name();
        // A newly created file system contains it.
        if name != "lost+found" {
            return Err(Error::new(
                ErrorKind::Refused,
                format!("the directory is not empty: {} is in it", ShownPath(name.as_ref())),
            )
            .at(root)
            .help("give a new directory; --force restores into this one, and moves a log that is there aside"));
        }
    }
    Ok(())
}

/// Checks the free space for the extracted files. The space for a conversion is unknown in advance, as is that for a
/// ZIP archive without metadata.
fn check_room(directory: &Path, contents: Option<&Contents>) -> Result<()> {
    let Some(needed) = contents.map(Contents::bytes) else { return Ok(()) };
    let free = free_bytes(directory)?;
    if free < needed {
        return Err(Error::new(
            ErrorKind::Refused,
            format!("{} are free, and {} are needed", Bytes(free), Bytes(needed)),
        )
        .at(directory)
        .help("free space there, or restore to another file system"));
    }
    Ok(())
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
