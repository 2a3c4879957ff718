//! Who may read what is made from a log: nobody who may not read all of it.

use std::fs;

use crate::aof::log::{Layout, Log};
use crate::disk::Access;

/// The access of what is made from `logs`: what all of their files allow.
pub fn access_of<'l>(logs: impl IntoIterator<Item = &'l Log>) -> Access {
    let accesses = logs.into_iter().map(access_of_one);
    accesses.reduce(Access::and).unwrap_or(Access::PRIVATE)
}

fn access_of_one(log: &Log) -> Access {
    // Of the open files: by their names, others could have come meanwhile.
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
