//! The files that aofkit keeps for itself in directories that others may write to: locks, journals and notes.
//!
//! Whoever may write to the directory may put something else under their names. So no symbolic link is followed, only
//! regular files are opened, without waiting for the other end of a pipe, and their owner is checked.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::base::error::{Error, ErrorKind, Result};

/// The mode of a new one.
const MODE: u32 = 0o600;

/// How often a file is opened, or else created, that somebody removes and creates meanwhile.
const TRIES: u32 = 3;

/// A file of aofkit's own that was read.
#[derive(Debug)]
pub struct OwnFile {
    /// Its bytes, as far as they were asked for.
    pub bytes: Vec<u8>,
    path: PathBuf,
    metadata: Metadata,
}

impl OwnFile {
    /// Reads at most `longest` bytes of the file at `path`, whoever owns it; `None` where there is none.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Refused`] when it is a symbolic link, or no regular file; and what the system says.
    pub fn read(path: &Path, longest: u64) -> Result<Option<OwnFile>> {
        let file = match options().open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            opened => opened.map_err(|error| failed(path, error))?,
        };
        let metadata = regular(&file, path)?;
        let mut bytes = Vec::new();
        let read = file.take(longest).read_to_end(&mut bytes);
        read.map_err(|error| Error::io("read", path, error))?;
        Ok(Some(OwnFile { bytes, path: path.to_path_buf(), metadata }))
    }

    /// Refuses where it could be somebody else's: another user owns it, or may write to it.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Refused`].
    pub fn check(&self) -> Result<()> {
        check_owner(&self.metadata, &self.path)?;
        if self.metadata.mode() & 0o022 != 0 {
            let what =
                format!("other users may write to it (mode {:o})", self.metadata.mode() & 0o777);
            return Err(planted(&self.path, what));
        }
        Ok(())
    }

    /// The user that owns it.
    pub fn owner(&self) -> u32 {
        self.metadata.uid()
    }
}

/// Opens the file at `path` for reading and writing, and creates it where there is none, for its owner alone.
///
/// # Errors
///
/// [`ErrorKind::Refused`] when it is a symbolic link, no regular file, or another user's; and what the system says.
pub(super) fn open_or_create(path: &Path) -> Result<(File, Metadata)> {
    for _ in 0..TRIES {
        match options().write(true).open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            opened => {
                let file = opened.map_err(|error| failed(path, error))?;
                let metadata = regular(&file, path)?;
                check_owner(&metadata, path)?;
                return Ok((file, metadata));
            }
        }
        match options().write(true).create_new(true).mode(MODE).open(path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            created => {
                let file = created.map_err(|error| failed(path, error))?;
                let metadata = regular(&file, path)?;
                return Ok((file, metadata));
            }
        }
    }
    Err(Error::io("open", path, io::ErrorKind::AlreadyExists.into()))
}

fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK);
    options
}

fn regular(file: &File, path: &Path) -> Result<Metadata> {
    let metadata = file.metadata().map_err(|error| failed(path, error))?;
    if metadata.is_file() { Ok(metadata) } else { Err(planted(path, NOT_REGULAR)) }
}

fn check_owner(metadata: &Metadata, path: &Path) -> Result<()> {
    let (owner, user) = (metadata.uid(), rustix::process::geteuid());
    if owner == 0 || owner == user.as_raw() {
        return Ok(());
    }
    Err(planted(
        path,
        format!("it belongs to the user {owner}, and this runs as {}", user.as_raw()),
    ))
}

const NOT_REGULAR: &str = "this is not a regular file";

fn failed(path: &Path, error: io::Error) -> Error {
    match error.raw_os_error() {
        Some(libc::ELOOP) => planted(path, "this is a symbolic link, which is not followed"),
        Some(libc::ENXIO | libc::EISDIR) => planted(path, NOT_REGULAR),
        _ => Error::io("open", path, error),
    }
}

/// An error for what aofkit did not put there, as far as it can tell.
fn planted(path: &Path, what: impl Into<String>) -> Error {
    Error::new(ErrorKind::Refused, what)
        .at(path)
        .help("find out who put it there, and remove it; only users who are trusted should be able to write to this directory")
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::process::Command;

    use super::*;

    fn refused<T: std::fmt::Debug>(result: Result<T>, what: &str) {
        let error = result.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Refused);
        assert!(error.to_string().contains(what), "{error}");
    }

    #[test]
    fn only_regular_files_are_opened_and_no_link_is_followed() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        fs::write(path("victim"), "precious").unwrap();
        symlink(path("victim"), path("link")).unwrap();
        symlink(path("nothing"), path("dangling")).unwrap();
        fs::create_dir(path("directory")).unwrap();
        assert!(Command::new("mkfifo").arg(path("pipe")).status().unwrap().success());
        let _socket = std::os::unix::net::UnixListener::bind(path("socket")).unwrap();
        for (name, what) in [
            ("link", "a symbolic link"),
            ("dangling", "a symbolic link"),
            ("directory", NOT_REGULAR),
            ("pipe", NOT_REGULAR),
            ("socket", NOT_REGULAR),
        ] {
            refused(open_or_create(&path(name)), what);
            refused(OwnFile::read(&path(name), 10), what);
        }
        assert_eq!(fs::read(path("victim")).unwrap(), b"precious");
        assert!(!path("nothing").exists());
        assert!(OwnFile::read(&path("nothing"), 10).unwrap().is_none());
    }

    #[test]
    fn files_of_other_users_and_such_that_they_may_write_are_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("own");
        drop(open_or_create(&path).unwrap());
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        let read = || OwnFile::read(&path, 10).unwrap().unwrap();
        read().check().unwrap();
        for mode in [0o620, 0o602] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            refused(read().check(), "other users may write to it");
        }
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        // Only root can give a file away.
        if std::os::unix::fs::chown(&path, Some(4242), None).is_ok() {
            refused(read().check(), "belongs to the user 4242");
            refused(open_or_create(&path), "belongs to the user 4242");
        }
    }
}
