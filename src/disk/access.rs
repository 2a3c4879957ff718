//! Who may read what is written: nobody who may not read what it is made from.
//!
//! A new file or directory belongs to its owner alone until it is finished. Then it gets the mode that [`Access`]
//! holds, less the umask.

use std::fs::{self, DirBuilder, File, Metadata, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{
    DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, fchown, lchown,
};
use std::path::Path;
use std::sync::OnceLock;

use rustix::fs::Mode;

/// The mode of a file while it is written, and of one that nobody else shall ever read.
pub(super) const PRIVATE_FILE: u32 = 0o600;
/// The same of a directory.
pub(super) const PRIVATE_DIRECTORY: u32 = 0o700;

/// Who may read and write a new file, or a new directory with the files in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Access {
    /// The mode of a file by itself.
    file: u32,
    /// The mode of a file in a directory of that mode.
    member: u32,
    directory: u32,
    /// The owner of the source; `None` where there is none, or several that differ.
    user: Option<u32>,
    /// The only group that the bits of the group are meant for.
    group: Option<u32>,
}

impl Access {
    /// The owner alone: archives, locks, journals, and what is secured in a hurry.
    pub const PRIVATE: Access = Access {
        file: PRIVATE_FILE,
        member: PRIVATE_FILE,
        directory: PRIVATE_DIRECTORY,
        user: None,
        group: None,
    };

    /// Whoever the umask allows, for what has no source.
    pub const NO_SOURCE: Access =
        Access { file: 0o666, member: 0o666, directory: 0o777, user: None, group: None };

    /// The access of a file, and the same for a directory that takes its place.
    pub fn of_file(metadata: &Metadata) -> Access {
        let file = (metadata.mode() & 0o666) | PRIVATE_FILE;
        // Whoever may read a file may enter and list a directory.
        let directory = file | ((file & 0o444) >> 2);
        let (user, group) = (Some(metadata.uid()), Some(metadata.gid()));
        Access { file, member: file, directory, user, group }
    }

    /// The access of the file at `path`; the owner's alone where the system does not tell.
    pub fn of_path(path: &Path) -> Access {
        fs::metadata(path).map_or(Access::PRIVATE, |metadata| Access::of_file(&metadata))
    }

    /// The access of files in a directory: those who may not enter it may not read a file by itself either.
    #[must_use]
    pub fn in_directory(self, directory: &Metadata) -> Access {
        let mut mode = directory.mode() & 0o777;
        if self.group != Some(directory.gid()) {
            mode = without_group(mode);
        }
        let may_read = ((mode & 0o111) * 0o6) | PRIVATE_FILE;
        Access { file: self.file & may_read, directory: mode | PRIVATE_DIRECTORY, ..self }
    }

    /// What both allow, for what is made of two sources.
    #[must_use]
    pub fn and(self, other: Access) -> Access {
        let (one, two) = if self.group == other.group {
            (self, other)
        } else {
            (self.without_group(), other.without_group())
        };
        Access {
            file: one.file & two.file,
            member: one.member & two.member,
            directory: one.directory & two.directory,
            user: one.user.filter(|_| one.user == two.user),
            group: one.group,
        }
    }

    /// For the owner alone, who stays the same.
    #[must_use]
    pub fn private(self) -> Access {
        Access { user: self.user, group: self.group, ..Access::PRIVATE }
    }

    /// The same modes, for whoever runs this: the owner and the group of the source are not preserved.
    #[must_use]
    pub fn for_runner(self) -> Access {
        Access { user: None, ..self }
    }

    fn without_group(self) -> Access {
        Access {
            file: without_group(self.file),
            member: without_group(self.member),
            directory: without_group(self.directory),
            group: None,
            ..self
        }
    }

    /// Creates a file in a directory of this access. What is at `path` already is never opened: not a file, not what
    /// a symbolic link leads to, and not the source of a copy.
    ///
    /// # Errors
    ///
    /// When something is at `path`, or the system refuses.
    pub fn create(&self, path: &Path) -> io::Result<File> {
        let mut options = OpenOptions::new();
        let file = options.read(true).write(true).create_new(true).mode(PRIVATE_FILE).open(path)?;
        self.settle(&file, self.member);
        Ok(file)
    }

    /// Writes a file as [`Access::create`] creates it.
    ///
    /// # Errors
    ///
    /// As [`Access::create`].
    pub fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        self.create(path)?.write_all(bytes)
    }

    /// Copies a regular file to a new one, as [`Access::create`] creates it: it is never its own source.
    ///
    /// # Errors
    ///
    /// As [`Access::create`], and when `from` cannot be read or is not a regular file.
    pub fn copy(&self, from: &Path, to: &Path) -> io::Result<u64> {
        if !fs::metadata(from)?.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
        }
        let mut from = File::open(from)?;
        io::copy(&mut from, &mut self.create(to)?)
    }

    /// Creates the directory `path` and those between it and the existing `top`, as far as they are missing.
    ///
    /// `top` itself is never created: an interruption of the process removes unfinished output, and nothing that
    /// runs meanwhile may create it again.
    ///
    /// # Errors
    ///
    /// When the system refuses, `path` is not below `top`, or `top` does not exist.
    pub fn create_directories(&self, top: &Path, path: &Path) -> io::Result<()> {
        if path.is_dir() {
            return Ok(());
        }
        let above = path.parent().filter(|above| path != top && above.starts_with(top));
        self.create_directories(top, above.ok_or(io::ErrorKind::NotFound)?)?;
        match DirBuilder::new().mode(PRIVATE_DIRECTORY).create(path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
            created => {
                created?;
                self.settle_directory(path);
                Ok(())
            }
        }
    }

    /// Gives a finished file its mode, and its owner and group where that is allowed.
    pub(super) fn settle_file(&self, file: &File) {
        self.settle(file, self.file);
    }

    /// The same of a directory.
    pub(super) fn settle_directory(&self, path: &Path) {
        if let Ok(directory) = File::open(path) {
            self.settle(&directory, self.directory);
        }
    }

    /// What the system refuses here leaves less access than there could be, never more.
    fn settle(&self, file: &File, mode: u32) {
        let Ok(now) = file.metadata() else { return };
        let is_root = rustix::process::geteuid().is_root();
        let user = self.user.filter(|&user| is_root && user != now.uid());
        let group = self.group.filter(|&group| group != now.gid());
        let mut mode = mode & !umask();
        let is_given = self.user.is_some() && fchown(file, user, group).is_ok();
        if group.is_some() && !is_given {
            mode = without_group(mode);
        }
        // A directory may have inherited the bit that hands its group on.
        let inherited = if now.is_dir() { now.mode() & 0o7000 } else { 0 };
        let _ = file.set_permissions(Permissions::from_mode(inherited | mode));
    }
}

/// The mode with no more for the group than for everybody: for another group than the one that was meant.
fn without_group(mode: u32) -> u32 {
    mode & (0o7707 | ((mode & 0o7) << 3))
}

/// The umask of the process. It can only be read by setting it, which is done once: to the strictest, so that nothing
/// that is created meanwhile is more readable than it should be.
fn umask() -> u32 {
    static UMASK: OnceLock<u32> = OnceLock::new();
    *UMASK.get_or_init(|| {
        let umask = rustix::process::umask(Mode::RWXG | Mode::RWXO);
        rustix::process::umask(umask);
        umask.bits() & 0o777
    })
}

/// Gives a file exactly this mode, whatever the umask is: for a mode that somebody asked for.
///
/// # Errors
///
/// When the system refuses.
pub fn set_mode(file: &File, mode: u32) -> io::Result<()> {
    file.set_permissions(Permissions::from_mode(mode))
}

/// Gives the new file, or the new directory and the files in it, the mode and, where that is allowed, the owner of the
/// old. A new file that has no twin among the old ones is given those of one that has.
pub fn copy_access(old: Option<&Path>, new: &Path) {
    let Some(old) = old else { return };
    copy_access_of_file(old, new);
    let files = |directory| fs::read_dir(directory).into_iter().flatten().flatten();
    let any = files(old).map(|entry| entry.path()).find(|path| path.is_file());
    for entry in files(new) {
        let twin = Some(old.join(entry.file_name())).filter(|twin| twin.exists());
        if let Some(twin) = twin.or_else(|| any.clone()) {
            copy_access_of_file(&twin, &entry.path());
        }
    }
}

/// The owner first: until then, the bits of the group would be another group's.
fn copy_access_of_file(old: &Path, new: &Path) {
    let Ok(old) = fs::metadata(old) else { return };
    let mut mode = old.mode() & 0o7777;
    let group = Some(old.gid());
    if lchown(new, Some(old.uid()), group).is_err() && lchown(new, None, group).is_err() {
        mode = without_group(mode);
    }
    let _ = fs::set_permissions(new, Permissions::from_mode(mode));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn access(path: &Path, mode: u32) -> Access {
        fs::write(path, b"x").unwrap();
        fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
        Access::of_path(path)
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().mode() & 0o7777
    }

    #[test]
    fn new_files_and_directories_are_no_more_readable_than_the_source() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        for (source, file, below) in
            [(0o600, 0o600, 0o700), (0o400, 0o600, 0o700), (0o640, 0o640, 0o750)]
        {
            let access = access(&path(&format!("{source:o}")), source);
            let set = path(&format!("set {source:o}"));
            access.create_directories(directory.path(), &set).unwrap();
            access.write(&set.join("part"), b"").unwrap();
            let expected = (below & !umask(), file & !umask());
            assert_eq!((mode(&set), mode(&set.join("part"))), expected, "{source:o}");
        }
    }

    #[test]
    fn directories_are_created_below_an_existing_one_only() {
        let directory = tempfile::tempdir().unwrap();
        let top = directory.path().join("removed");
        let create = |path: &Path| Access::PRIVATE.create_directories(&top, path);
        for path in [top.join("set"), top.join("deep/set"), top.clone()] {
            assert_eq!(create(&path).unwrap_err().kind(), io::ErrorKind::NotFound);
            assert!(!top.exists());
        }
        fs::create_dir(&top).unwrap();
        create(&top.join("deep/set")).unwrap();
        create(&top.join("deep/set")).unwrap();
        assert!(top.join("deep/set").is_dir());
        assert!(create(&directory.path().join("beside")).is_err());
    }

    #[test]
    fn two_sources_allow_what_both_allow() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a");
        let (group, all) = (access(&path, 0o640), access(&path, 0o644));
        assert_eq!((group.and(all).file, group.and(Access::PRIVATE).file), (0o640, 0o600));
        let other_group = Access { group: Some(all.group.unwrap() + 1), ..all };
        assert_eq!(other_group.and(all).file, 0o644);
        assert_eq!(other_group.and(group).file, 0o600);
        let other_user = Access { user: Some(all.user.unwrap() + 1), ..all };
        assert_eq!((other_user.and(all).user, all.and(all).user), (None, all.user));
    }

    #[test]
    fn a_file_of_a_closed_directory_stays_closed_by_itself() {
        let directory = tempfile::tempdir().unwrap();
        let all = access(&directory.path().join("a"), 0o644);
        for (mode, file) in [(0o700, 0o600), (0o750, 0o640), (0o755, 0o644), (0o744, 0o600)] {
            fs::set_permissions(directory.path(), Permissions::from_mode(mode)).unwrap();
            let inside = all.in_directory(&fs::metadata(directory.path()).unwrap());
            assert_eq!((inside.file, inside.member, inside.directory), (file, 0o644, mode));
        }
    }

    #[test]
    fn a_copy_never_writes_to_what_is_there() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        fs::write(path("a"), b"precious").unwrap();
        fs::hard_link(path("a"), path("b")).unwrap();
        std::os::unix::fs::symlink("a", path("c")).unwrap();
        for to in ["a", "b", "c"] {
            let error = Access::PRIVATE.copy(&path("a"), &path(to)).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::AlreadyExists, "{to}");
        }
        assert!(Access::PRIVATE.copy(directory.path(), &path("d")).is_err());
        assert_eq!(fs::read(path("a")).unwrap(), b"precious");
        Access::PRIVATE.copy(&path("a"), &path("e")).unwrap();
        assert_eq!((fs::read(path("e")).unwrap(), mode(&path("e"))), (b"precious".to_vec(), 0o600));
    }
}
