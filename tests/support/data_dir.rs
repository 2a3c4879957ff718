//! Data directories of servers.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{fs, io};

use aofkit::base::server::Server;

/// Writes `log` as the only part of a data directory, in the layout of the release line. Returns the path of the
/// part relative to `data`.
pub(crate) fn lay_out(line: Server, data: &Path, log: &[u8]) -> PathBuf {
    if !line.reads_multi_part() {
        let part = PathBuf::from("appendonly.aof");
        fs::write(data.join(&part), log).expect("a log");
        return part;
    }
    lay_out_set(data, "appendonly.aof.1.incr.aof", "i", log)
}

/// Writes `rdb` as the base of a data directory, in the layout of the release line.
pub(crate) fn lay_out_base(line: Server, data: &Path, rdb: &[u8]) {
    if !line.reads_multi_part() {
        return fs::write(data.join("appendonly.aof"), rdb).expect("a log");
    }
    lay_out_set(data, "appendonly.aof.1.base.rdb", "b", rdb);
}

fn lay_out_set(data: &Path, name: &str, kind: &str, bytes: &[u8]) -> PathBuf {
    let directory = data.join("appendonlydir");
    fs::create_dir(&directory).expect("a directory");
    fs::write(directory.join(name), bytes).expect("a part");
    let manifest = format!("file {name} seq 1 type {kind}\n");
    fs::write(directory.join("appendonly.aof.manifest"), manifest).expect("a manifest");
    Path::new("appendonlydir").join(name)
}

/// Copies the contents of a directory into an existing directory.
pub(crate) fn copy_dir(from: &Path, to: &Path) -> io::Result<()> {
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            fs::create_dir(&target)?;
            copy_dir(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

/// Returns the size of every file in a directory tree, by its path relative to `root`.
pub(super) fn sizes(root: &Path) -> BTreeMap<PathBuf, u64> {
    fn walk(root: &Path, below: &Path, sizes: &mut BTreeMap<PathBuf, u64>) -> io::Result<()> {
        for entry in fs::read_dir(root.join(below))? {
            let entry = entry?;
            let path = below.join(entry.file_name());
            if entry.file_type()?.is_dir() {
                walk(root, &path, sizes)?;
            } else if let Ok(meta) = entry.metadata() {
                // A file can disappear during the walk: servers remove history files in the background.
                sizes.insert(path, meta.len());
            }
        }
        Ok(())
    }
    let mut sizes = BTreeMap::new();
    walk(root, Path::new(""), &mut sizes).expect("a readable directory");
    sizes
}

/// Returns the logs that became shorter, with their new sizes. A log that the server moved, as Redis 7.0 moves the
/// single file of an older server into its directory, is recognized by its name.
pub(super) fn shortened(
    before: &BTreeMap<PathBuf, u64>,
    after: &BTreeMap<PathBuf, u64>,
) -> Vec<(PathBuf, u64)> {
    let is_log = |path: &Path| path.extension().is_some_and(|ext| ext == "aof");
    (before.iter())
        .filter(|(path, _)| is_log(path))
        .filter_map(|(path, bytes_before)| {
            let (path, bytes) = after.get_key_value(path).or_else(|| {
                after.iter().find(|(moved, _)| moved.file_name() == path.file_name())
            })?;
            (bytes < bytes_before).then(|| (path.clone(), *bytes))
        })
        .collect()
}
