//! Truncating a file without losing the removed bytes.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::access::Access;
use crate::base::error::{Error, ErrorKind, Result};

/// The state of a file when it was inspected, sufficient to detect that it has changed or was
/// replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stamp {
    device: u64,
    inode: u64,
    bytes: u64,
    modified: Option<SystemTime>,
}

impl Stamp {
    /// Returns the stamp of an open file.
    ///
    /// # Errors
    ///
    /// Fails if the system does not report it.
    pub fn from_file(file: &File) -> io::Result<Self> {
        file.metadata().map(|metadata| Self::from(&metadata))
    }

    /// Returns the length in bytes.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }
}

impl From<&Metadata> for Stamp {
    fn from(metadata: &Metadata) -> Self {
        Stamp {
            device: metadata.dev(),
            inode: metadata.ino(),
            bytes: metadata.len(),
            modified: metadata.modified().ok(),
        }
    }
}

/// Checks whether this process may write to the file at `path`; the file is not changed.
///
/// # Errors
///
/// When the system refuses to open it for writing.
pub fn check_writable(path: &Path) -> io::Result<()> {
    OpenOptions::new().read(true).write(true).open(path).map(drop)
}

/// Truncates the file at `path` to its first `keep` bytes, after copying the rest to a new file at
/// `copy` (or `copy` with the suffix `-2`, `-3` and so on, if that exists) and syncing it.
///
/// Returns the path of the copy. After an interruption at any time, the bytes are in the file, in
/// the copy, or in both. The caller must not have mapped any part of the file.
///
/// # Errors
///
/// Returns [`ErrorKind::Changed`] if the file no longer matches `seen`; otherwise system errors.
/// The file is intact in that case, unless the truncation itself failed, after which the copy
/// remains.
pub fn cut_tail(path: &Path, seen: &Stamp, keep: u64, copy: &Path) -> Result<PathBuf> {
    let failed = |doing: &'static str, path: &Path| {
        let path = path.to_path_buf();
        move |error: io::Error| Error::io(doing, path, error)
    };
    let unchanged = |file: &File| match Stamp::from_file(file) {
        Err(error) => Err(Error::io("read the size of", path, error)),
        Ok(now) if now == *seen => Ok(()),
        Ok(_) => Err(Error::new(ErrorKind::Changed, "the file was changed since it was checked")
            .at(path)
            .help("nothing was cut; stop the server that writes it, and check again")),
    };
    let mut file =
        OpenOptions::new().read(true).write(true).open(path).map_err(failed("open", path))?;
    unchanged(&file)?;
    let metadata = file.metadata().map_err(failed("read the mode of", path))?;
    let (mut new, copy) = create_new(copy, Access::of_file(&metadata))?;
    let copied = (|| {
        file.seek(SeekFrom::Start(keep)).map_err(failed("read", path))?;
        let rest = seen.bytes.saturating_sub(keep);
        let written =
            io::copy(&mut (&mut file).take(rest), &mut new).map_err(failed("write", &copy))?;
        if written != rest {
            return Err(
                Error::new(ErrorKind::Changed, "the file was cut while it was read").at(path)
            );
        }
        new.sync_all().map_err(failed("sync", &copy))?;
        let directory = copy.parent().filter(|parent| !parent.as_os_str().is_empty());
        let directory = directory.unwrap_or(Path::new("."));
        File::open(directory)
            .and_then(|directory| directory.sync_all())
            .map_err(failed("sync", directory))?;
        unchanged(&file)
    })();
    if let Err(error) = copied {
        // Nothing has been removed, so a possibly incomplete copy is useless.
        let _ = std::fs::remove_file(&copy);
        return Err(error);
    }
    file.set_len(keep).map_err(failed("shorten", path))?;
    file.sync_all().map_err(failed("sync", path))?;
    Ok(copy)
}

fn create_new(path: &Path, access: Access) -> Result<(File, PathBuf)> {
    const ATTEMPTS: u32 = 100;
    let mut tried = path.to_path_buf();
    for attempt in 2..ATTEMPTS {
        match access.create(&tried) {
            Ok(file) => return Ok((file, tried)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                let mut name = path.as_os_str().to_os_string();
                name.push(format!("-{attempt}"));
                tried = PathBuf::from(name);
            }
            Err(error) => return Err(Error::io("create", tried, error)),
        }
    }
    Err(Error::io("create", tried, io::ErrorKind::AlreadyExists.into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn removed_bytes_are_saved_without_overwriting() {
        let directory = tempfile::tempdir().unwrap();
        let (path, copy) = (directory.path().join("a"), directory.path().join("a.cut"));
        for (expected, name) in [("6789", "a.cut"), ("45", "a.cut-2"), ("3", "a.cut-3")] {
            if name == "a.cut" {
                fs::write(&path, "123456789").unwrap();
            }
            let seen = Stamp::from_file(&File::open(&path).unwrap()).unwrap();
            let keep = seen.bytes() - expected.len() as u64;
            assert_eq!(cut_tail(&path, &seen, keep, &copy).unwrap(), directory.path().join(name));
            assert_eq!(fs::read_to_string(directory.path().join(name)).unwrap(), expected);
            assert_eq!(fs::metadata(&path).unwrap().len(), keep);
        }
    }

    #[test]
    fn a_changed_file_is_not_truncated() {
        let directory = tempfile::tempdir().unwrap();
        let (path, copy) = (directory.path().join("a"), directory.path().join("a.cut"));
        fs::write(&path, "12345").unwrap();
        let seen = Stamp::from_file(&File::open(&path).unwrap()).unwrap();
        fs::write(&path, "123456").unwrap();
        let error = cut_tail(&path, &seen, 3, &copy).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Changed);
        assert_eq!(fs::read_to_string(&path).unwrap(), "123456");
        assert!(!copy.exists());
    }

    #[test]
    fn nothing_is_truncated_if_the_copy_cannot_be_written() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a");
        fs::write(&path, "12345").unwrap();
        let seen = Stamp::from_file(&File::open(&path).unwrap()).unwrap();
        let error = cut_tail(&path, &seen, 3, &directory.path().join("no/copy")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert_eq!(fs::read_to_string(&path).unwrap(), "12345");
    }
}
