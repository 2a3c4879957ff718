//! The data directories of servers on this machine, for a command without a path.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::disk::open_writers::{Holder, server_directories};

/// Where packages and images of servers have their data.
pub(crate) const PLACES: [&str; 5] =
    ["/var/lib/redis", "/var/lib/valkey", "/data", "/bitnami/redis/data", "/bitnami/valkey/data"];

/// A directory with a log or a snapshot.
#[derive(Debug, Clone)]
pub(crate) struct DataDirectory {
    /// The path.
    pub(crate) path: PathBuf,
    /// The size of its logs and snapshots in bytes.
    pub(crate) bytes: u64,
    /// The time at which the newest of them was modified.
    pub(crate) modified: Option<SystemTime>,
    /// A server that uses it.
    pub(crate) server: Option<Holder>,
}

/// Finds data directories: of running servers, in the usual places, and the current directory.
pub(crate) fn data_directories() -> Vec<DataDirectory> {
    let of_servers = server_directories().into_iter().map(|(server, path)| (Some(server), path));
    let usual = PLACES.iter().map(|place| (None, PathBuf::from(place)));
    let current = std::env::current_dir().ok().map(|path| (None, path));
    let mut found: Vec<DataDirectory> = Vec::new();
    for (server, path) in of_servers.chain(usual).chain(current) {
        let is_same = |known: &DataDirectory| {
            fs::canonicalize(&known.path).ok() == fs::canonicalize(&path).ok()
        };
        if !found.iter().any(is_same) {
            found.extend(inspect(path, server));
        }
    }
    found
}

/// Returns what is in a directory; `None` if there is no log and no snapshot, or it cannot be read.
fn inspect(path: PathBuf, server: Option<Holder>) -> Option<DataDirectory> {
    let mut files = files_in(&path);
    for directory in fs::read_dir(&path).ok()?.flatten().map(|entry| entry.path()) {
        let is_set = |(path, _): &(PathBuf, _)| path.extension().is_some_and(|it| it == "manifest");
        let inner = files_in(&directory);
        if inner.iter().any(is_set) {
            files.extend(inner);
        }
    }
    if files.is_empty() {
        return None;
    }
    let bytes = files.iter().fold(0_u64, |sum, (_, file)| sum.saturating_add(file.len()));
    let modified = files.iter().filter_map(|(_, file)| file.modified().ok()).max();
    Some(DataDirectory { path, bytes, modified, server })
}

/// Returns the files of logs and snapshots in a directory; none if it is no directory.
fn files_in(directory: &Path) -> Vec<(PathBuf, fs::Metadata)> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let is_data = |entry: &fs::DirEntry| {
        let name = entry.file_name();
        [".aof", ".rdb", ".manifest"].iter().any(|it| name.as_bytes().ends_with(it.as_bytes()))
    };
    let files = entries.filter(is_data).map(|entry| entry.path());
    let files = files.filter_map(|path| fs::metadata(&path).ok().map(|metadata| (path, metadata)));
    files.filter(|(_, metadata)| metadata.is_file()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directory_with_data_is_found_with_its_size() {
        let place = tempfile::tempdir().unwrap();
        let path = |name: &str| place.path().join(name);
        let inspect = || inspect(place.path().to_path_buf(), None);
        fs::write(path("redis.conf"), "12345").unwrap();
        fs::create_dir(path("appendonlydir")).unwrap();
        fs::write(path("appendonlydir/a.aof.1.incr.aof"), "123").unwrap();
        // A directory without a manifest can be anything.
        assert!(inspect().is_none());
        fs::write(path("appendonlydir/a.aof.manifest"), "1").unwrap();
        assert_eq!(inspect().unwrap().bytes, 4);
        fs::write(path("dump.rdb"), "12").unwrap();
        fs::write(path("dump.rdb.bak-20260101000000"), "12").unwrap();
        let found = inspect().unwrap();
        assert_eq!(found.bytes, 6);
        assert!(found.modified.is_some() && found.server.is_none());
    }
}
