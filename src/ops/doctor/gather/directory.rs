//! The facts of a data directory: its files, and the file system that it is on.

use std::ffi::OsStr;
use std::fs::{self, File, Metadata};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::base::error::{Error, Result};
use crate::base::next_step::path_arg;
use crate::disk::free_bytes;
use crate::disk::names::leftover;
use crate::disk::open_writers::{Holder, servers_in};
use crate::disk::server_process::{Listening, ServerProcess};
use crate::input::files::PartName;
use crate::input::nearest::cannot_open;
use crate::ops::doctor::facts::{DirectoryFacts, FileFacts, FileKind, SetDirectory, User};
use crate::rdb::Header;

/// Returns the data directory that `path` is or is in: the parent of a file, and of the directory of a set.
pub(super) fn data_directory(path: &Path) -> Result<PathBuf> {
    let metadata = fs::metadata(path).map_err(|error| cannot_open(path, error))?;
    let above = |path: &Path| match path.parent() {
        Some(above) if !above.as_os_str().is_empty() => above.to_path_buf(),
        _ => PathBuf::from("."),
    };
    let directory = if metadata.is_dir() { path.to_path_buf() } else { above(path) };
    if has_manifest(&directory).map_err(|error| Error::io("list", &directory, error))? {
        // `..` of a path that ends in `.` or is a link is resolved by the system.
        let whole = fs::canonicalize(&directory).map_err(|error| Error::io("open", path, error))?;
        return Ok(above(&whole));
    }
    Ok(directory)
}

fn has_manifest(directory: &Path) -> io::Result<bool> {
    for entry in fs::read_dir(directory)? {
        let name = entry?.file_name();
        let is_manifest = name.as_bytes().ends_with(b".manifest")
            && !name.as_bytes().starts_with(b"temp-")
            && leftover(&name).is_none();
        if is_manifest {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Returns whether a directory is that of a set. One that this user may not list is none, unless the server has named it.
fn is_set(directory: &Path, names: &Names) -> io::Result<bool> {
    match has_manifest(directory) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied && names.set.is_none() => {
            Ok(false)
        }
        found => found,
    }
}

/// The names of the log, of the directory of its set and of the snapshot, if the server reports them. Otherwise they are known
/// by their extensions, and every directory with a manifest counts.
#[derive(Default)]
pub(super) struct Names {
    pub(super) log: Option<Vec<u8>>,
    pub(super) set: Option<Vec<u8>>,
    pub(super) snapshot: Option<Vec<u8>>,
}

impl Names {
    /// Returns whether a directory of this name can be that of the set.
    fn is_set(&self, name: &OsStr) -> bool {
        self.set.as_deref().is_none_or(|set| set == name.as_bytes())
    }
}

/// Reads the files of a data directory, and those in the directories of sets below it.
pub(super) fn read_directory(path: &Path, names: &Names) -> io::Result<DirectoryFacts> {
    let metadata = fs::metadata(path)?;
    let (mut files, mut sets) = (Vec::new(), Vec::new());
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        // A file that was removed since it was listed, or a dangling link.
        let Ok(metadata) = fs::metadata(entry.path()) else { continue };
        if leftover(&entry.file_name()).is_some() {
            continue;
        }
        if metadata.is_file() {
            files.extend(file_facts(entry.path(), &metadata, names));
        } else if metadata.is_dir()
            && names.is_set(&entry.file_name())
            && is_set(&entry.path(), names)?
        {
            let (mode, uid) = (metadata.mode() & 0o7777, metadata.uid());
            sets.push(SetDirectory { path: entry.path(), mode, uid });
            for inner in fs::read_dir(entry.path())? {
                let inner = inner?;
                let of_file = fs::metadata(inner.path()).ok().filter(Metadata::is_file);
                files.extend(
                    of_file.and_then(|metadata| file_facts(inner.path(), &metadata, names)),
                );
            }
        }
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    let used_by = servers_in(path).into_iter().next();
    Ok(DirectoryFacts {
        path: path.to_path_buf(),
        mode: metadata.mode() & 0o7777,
        uid: metadata.uid(),
        last_annotation: last_annotation(&files),
        sets,
        files,
        free_bytes: free_bytes(path).map_err(|error| error.to_string()),
        used_by: used_by.as_ref().map(user),
    })
}

fn user(holder: &Holder) -> User {
    let process = ServerProcess::of(holder);
    let options = match process.address.filter(|_| !process.own_network) {
        Some(Listening::Tcp { host, port }) => {
            let host = host.map(|host| ["-h".to_owned(), host.to_string()]);
            Some(host.into_iter().flatten().chain(["-p".to_owned(), port.to_string()]).collect())
        }
        Some(Listening::Socket(path)) => Some(vec!["-s".to_owned(), path_arg(&path)]),
        None => None,
    };
    User { process: format!("{} of process {}", holder.program, holder.pid), options }
}

fn file_facts(path: PathBuf, metadata: &Metadata, names: &Names) -> Option<FileFacts> {
    let kind = kind_of(&path, names)?;
    Some(FileFacts {
        kind,
        bytes: metadata.len(),
        mode: metadata.mode() & 0o7777,
        uid: metadata.uid(),
        modified: metadata.modified().ok()?,
        newer_rdb: newer_rdb(&path),
        path,
    })
}

/// Returns the kind of a file by its name, else by its first bytes; `None` for one that is no data.
fn kind_of(path: &Path, names: &Names) -> Option<FileKind> {
    let name = path.file_name()?;
    let bytes = name.as_bytes();
    let ends = |endings: &[&str]| endings.iter().any(|ending| bytes.ends_with(ending.as_bytes()));
    if bytes.starts_with(b"temp-") && ends(&[".rdb", ".aof", ".manifest"]) {
        Some(FileKind::Temporary)
    } else if ends(&[".manifest"]) || PartName::parse(name).is_some() {
        Some(FileKind::Part)
    } else if names.log.as_deref() == Some(bytes) || ends(&[".aof"]) {
        Some(FileKind::Log)
    } else if names.snapshot.as_deref() == Some(bytes) || ends(&[".rdb"]) {
        Some(FileKind::Snapshot)
    } else if path.extension().is_none() {
        kind_by_content(path)
    } else {
        // Such as `appendonly.aof.old`, which no server loads.
        None
    }
}

/// Returns the kind of a file by its first bytes: Redis 5.0 does not report the name of its log.
fn kind_by_content(path: &Path) -> Option<FileKind> {
    let bytes = first_bytes(path)?;
    let is_command = bytes.starts_with(b"*") && bytes.get(1).is_some_and(u8::is_ascii_digit);
    let is_rdb = bytes.starts_with(b"REDIS0") || bytes.starts_with(b"VALKEY");
    is_command.then_some(FileKind::Log).or(is_rdb.then_some(FileKind::Snapshot))
}

fn first_bytes(path: &Path) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path).ok()?.take(16).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

/// Returns the header of an RDB of a version that is unknown here.
fn newer_rdb(path: &Path) -> Option<Header> {
    Header::read_newer(&first_bytes(path)?)
}

/// The number of bytes at the end of a log in which its last annotation is searched.
const TAIL: u64 = 64 << 10;

/// Returns the last time in the file of the log that was written last.
fn last_annotation(files: &[FileFacts]) -> Option<i64> {
    let is_log = |file: &&FileFacts| {
        matches!(file.kind, FileKind::Log | FileKind::Part)
            && file.path.extension().is_some_and(|it| it == "aof")
    };
    let last = files.iter().filter(is_log).max_by_key(|file| file.modified)?;
    let mut file = File::open(&last.path).ok()?;
    file.seek(SeekFrom::Start(last.bytes.saturating_sub(TAIL))).ok()?;
    let mut tail = Vec::new();
    file.take(TAIL).read_to_end(&mut tail).ok()?;
    let at = memchr::memmem::rfind(&tail, b"\n#TS:").map(|at| at + 1);
    let at = at.or_else(|| tail.starts_with(b"#TS:").then_some(0))?;
    let line = tail.get(at + 4..)?.split(|byte| *byte == b'\r').next()?;
    std::str::from_utf8(line).ok()?.parse().ok()
}
