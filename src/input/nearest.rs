//! The nearest existing path to one that does not exist, for errors.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::usual_places::PLACES;
use crate::base::error::Error;
use crate::base::escape::ShownPath;
use crate::disk::names::leftover;
use crate::disk::open_writers::server_directories;

/// Returns the error of a path that cannot be opened. If it does not exist, the error names the nearest path that does.
pub(crate) fn cannot_open(path: &Path, error: io::Error) -> Error {
    let is_absent = error.kind() == io::ErrorKind::NotFound;
    let error = Error::io("open", path, error);
    if !is_absent {
        return error;
    }
    if let Some(near) = nearest(path) {
        return error.help(format!("did you mean {}?", ShownPath(&near)));
    }
    match in_usual_places(path) {
        Some(found) => error.help(format!("there is one at {}", ShownPath(&found))),
        None => error,
    }
}

/// The largest number of names in a directory that are compared.
const NAMES: usize = 10_000;

/// Returns the path with the nearest name in place of the first one that does not exist.
fn nearest(path: &Path) -> Option<PathBuf> {
    let above = |path: &Path| match path.parent()? {
        empty if empty.as_os_str().is_empty() => Some(PathBuf::from(".")),
        above => Some(above.to_path_buf()),
    };
    let missing = path.ancestors().find(|path| above(path).is_some_and(|above| above.is_dir()))?;
    let rest = path.strip_prefix(missing).ok()?;
    let name = missing.file_name()?;
    let entries = fs::read_dir(above(missing)?).ok()?.take(NAMES).flatten();
    let names = entries.map(|entry| entry.file_name()).filter(|name| leftover(name).is_none());
    let near = names.filter_map(|found| Some((distance_if_near(name, &found)?, found)));
    let best = missing.with_file_name(near.min()?.1);
    let whole = best.join(rest);
    Some(if whole.exists() && rest != Path::new("") { whole } else { best })
}

/// Returns the number of edits between two names, unless it is more than a third of their length.
fn distance_if_near(wanted: &OsStr, found: &OsStr) -> Option<usize> {
    let [wanted, found] = [wanted, found].map(|name| name.to_string_lossy().to_lowercase());
    let [length, other] = [&wanted, &found].map(|name| name.chars().count());
    let limit = length.max(other) / 3;
    let distance = strsim::levenshtein(&wanted, &found);
    (distance <= limit.max(1) && distance < length).then_some(distance)
}

/// Returns a file or directory of this name where servers have their data.
fn in_usual_places(path: &Path) -> Option<PathBuf> {
    let name = path.file_name()?;
    let of_servers = server_directories().into_iter().map(|(_, directory)| directory);
    let places = of_servers.chain(PLACES.iter().map(PathBuf::from));
    places.map(|place| place.join(name)).find(|found| found.exists())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(wanted: &str, found: &str) -> Option<usize> {
        distance_if_near(OsStr::new(wanted), OsStr::new(found))
    }

    #[test]
    fn distance_is_the_number_of_edits() {
        // `.aof` to `dir`: three replacements and a removal.
        assert_eq!(near("appendonly.aof", "appendonlydir"), Some(4));
        assert_eq!(near("dump.rbd", "dump.rdb"), Some(2));
        assert_eq!(near("Dump.RDB", "dump.rdb"), Some(0));
        assert_eq!(near("apendonlydir", "appendonlydir"), Some(1));
        for other in ["log.txt", "redis.conf", "d"] {
            assert_eq!(near("dump.rdb", other), None, "{other}");
        }
    }

    #[test]
    fn nearest_name_replaces_the_first_missing_one() {
        let place = tempfile::tempdir().unwrap();
        let path = |name: &str| place.path().join(name);
        fs::create_dir_all(path("data/appendonlydir")).unwrap();
        fs::write(path("data/dump.rdb"), "").unwrap();
        fs::write(path("data/dump.rdb.bak-20260101000000"), "").unwrap();
        let nearest = |name: &str| nearest(&path(name));
        assert_eq!(nearest("data/appendonly.aof"), Some(path("data/appendonlydir")));
        assert_eq!(nearest("dat/dump.rdb"), Some(path("data/dump.rdb")));
        assert_eq!(nearest("dat/else"), Some(path("data")));
        assert_eq!(nearest("data/dump.rdb.bak-20260101000001"), None);
        assert_eq!(nearest("elsewhere"), None);
    }
}
