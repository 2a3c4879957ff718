//! Whether a process uses a log, so that it is not replaced while it does.

use std::path::{Path, PathBuf};

use crate::disk::holders::{Holder, servers_in, writers};

/// A process that has one of `files` open for writing, or a server whose working directory is one of `directories`. Within
/// the limits of [`holders`](crate::disk::holders).
pub fn user_of<'d>(
    directories: impl IntoIterator<Item = &'d Path>,
    files: impl IntoIterator<Item = PathBuf>,
) -> Option<Holder> {
    let server =
        directories.into_iter().find_map(|directory| servers_in(directory).into_iter().next());
    server.or_else(|| files.into_iter().find_map(|path| writers(&path).into_iter().next()))
}
