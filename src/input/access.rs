//! Access to files made from a log: only for users who may read the whole log.

use std::fs;

use crate::aof::log::{Layout, Log};
use crate::disk::Access;

/// Returns the access mode of files made from `logs`: what all of their files permit.
pub fn access_of<'l>(logs: impl IntoIterator<Item = &'l Log>) -> Access {
    let accesses = logs.into_iter().map(access_of_one);
    accesses.reduce(Access::and).unwrap_or(Access::PRIVATE)
}

fn access_of_one(log: &Log) -> Access {
    // The open files are queried, because other files could have taken their names meanwhile.
    let parts = log.parts.iter().map(|part| {
        let metadata = part.mapping.file().metadata();
        metadata.map_or(Access::PRIVATE, |metadata| Access::of_file(&metadata))
    });
    let manifest = log.manifest.iter().map(|file| Access::of_path(&file.path));
    let files = parts.chain(manifest).reduce(Access::and).unwrap_or(Access::PRIVATE);
    match &log.layout {
        Layout::MultiPart { directory, .. } => match fs::metadata(directory) {
            Ok(metadata) => files.in_directory(&metadata),
            Err(_) => files.private(),
        },
        _ => files,
    }
}
