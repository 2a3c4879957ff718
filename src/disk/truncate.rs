//! Shortening a file without losing what is cut off.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::access::Access;
use crate::base::error::{Error, ErrorKind, Result};

/// What a file was when somebody looked at it: enough to notice that it is another one now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stamp {
    device: u64,
    inode: u64,
    bytes: u64,
    modified: Option<SystemTime>,
}

impl Stamp {
    /// The stamp of an open file.
    ///
    /// # Errors
    ///
    /// When the system does not tell.
    pub fn of(file: &File) -> io::Result<Self> {
        file.metadata().map(|metadata| Self::from(&metadata))
    }

    /// The length in bytes.
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

/// Cuts the file at `path` to its first `keep` bytes, after the others have been copied to a new
/// file at `copy` (or `copy` with `-2`, `-3` and so on behind it, if that exists) and synced there.
///
/// Gives the path of the copy. Interrupted at any instant, the bytes are in the file, in the
/// copy, or in both. Nothing of the file may be mapped by the caller.
///
/// # Errors
///
/// [`ErrorKind::Changed`] when the file is no longer what `seen` says; otherwise what the system
/// says. The file is whole then, unless it says so of the very cut, after which the copy stays.
pub fn cut_tail(path: &Path, seen: &Stamp, keep: u64, copy: &Path) -> Result<PathBuf> {
    let failed = |doing: &'static str, path: &Path| {
        let path = path.to_path_buf();
        move |error: io::Error| Error::io(doing, path, error)
    };
    let unchanged = |file: &File| match Stamp::of(file) {
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
        // Nothing has been cut, so a copy that may be unfinished helps nobody.
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
    fn what_is_cut_is_beside_it_and_never_overwrites() {
        let directory = tempfile::tempdir().unwrap();
        let (path, copy) = (directory.path().join("a"), directory.path().join("a.cut"));
        for (expected, name) in [("6789", "a.cut"), ("45", "a.cut-2"), ("3", "a.cut-3")] {
            if name == "a.cut" {
                fs::write(&path, "123456789").unwrap();
            }
            let seen = Stamp::of(&File::open(&path).unwrap()).unwrap();
            let keep = seen.bytes() - expected.len() as u64;
            assert_eq!(cut_tail(&path, &seen, keep, &copy).unwrap(), directory.path().join(name));
            assert_eq!(fs::read_to_string(directory.path().join(name)).unwrap(), expected);
            assert_eq!(fs::metadata(&path).unwrap().len(), keep);
        }
    }

    #[test]
    fn a_file_that_has_changed_is_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        let (path, copy) = (directory.path().join("a"), directory.path().join("a.cut"));
        fs::write(&path, "12345").unwrap();
        let seen = Stamp::of(&File::open(&path).unwrap()).unwrap();
        fs::write(&path, "123456").unwrap();
        let error = cut_tail(&path, &seen, 3, &copy).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Changed);
        assert_eq!(fs::read_to_string(&path).unwrap(), "123456");
        assert!(!copy.exists());
    }

    #[test]
    fn without_a_place_for_the_copy_nothing_is_cut() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a");
        fs::write(&path, "12345").unwrap();
        let seen = Stamp::of(&File::open(&path).unwrap()).unwrap();
        let error = cut_tail(&path, &seen, 3, &directory.path().join("no/copy")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert_eq!(fs::read_to_string(&path).unwrap(), "12345");
    }
}
