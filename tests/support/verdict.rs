//! What a server does with a data directory when it starts.

use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};

use super::binaries::Binary;
use super::data_dir::{copy_dir, lay_out, shortened, sizes};
use super::process::{Ended, Running, ended_in_a_crash};

/// What a server did with a data directory.
#[derive(Debug)]
#[allow(dead_code)] // Failed assertions print all fields.
pub(crate) enum Verdict {
    /// It loaded all of it.
    Loads {
        /// The DEBUG DIGEST.
        digest: String,
        /// The number of keys in all databases.
        keys: u64,
        /// The server's log.
        log: String,
    },
    /// It truncated a file and loaded the rest.
    LoadsAfterCut {
        /// The path of the file relative to the data directory.
        file: PathBuf,
        /// The size of the file after the truncation.
        bytes_after: u64,
        /// The DEBUG DIGEST.
        digest: String,
        /// The number of keys in all databases.
        keys: u64,
        /// The server's log.
        log: String,
    },
    /// It exited with an error message.
    Refuses {
        /// The files that it truncated nevertheless, with their new sizes.
        cut: Vec<(PathBuf, u64)>,
        /// The server's log.
        log: String,
    },
    /// It was killed by a signal, or reported a bug of its own.
    Crashes {
        /// The signal, if there was one.
        signal: Option<i32>,
        /// The server's log.
        log: String,
    },
}

impl Verdict {
    /// Returns the server's log.
    pub(crate) fn log(&self) -> &str {
        match self {
            Verdict::Loads { log, .. }
            | Verdict::LoadsAfterCut { log, .. }
            | Verdict::Refuses { log, .. }
            | Verdict::Crashes { log, .. } => log,
        }
    }

    /// Returns the number of keys that were loaded, or `None` if the server did not start.
    pub(crate) fn keys(&self) -> Option<u64> {
        match self {
            Verdict::Loads { keys, .. } | Verdict::LoadsAfterCut { keys, .. } => Some(*keys),
            Verdict::Refuses { .. } | Verdict::Crashes { .. } => None,
        }
    }
}

/// Starts a server with `appendonly yes` on a copy of the data directory `layout`.
///
/// Keys whose expiry has passed are removed as soon as the server runs, so the digest is only meaningful for data
/// without past expiries.
pub(crate) fn load_verdict(binary: &Binary, layout: &Path, config: &[(&str, &str)]) -> Verdict {
    let data = tempfile::Builder::new().prefix("aofkit-").tempdir().expect("a directory");
    copy_dir(layout, data.path()).expect("a copy of the layout");
    load_verdict_in_place(binary, data.path(), config)
}

/// Like [`load_verdict`], on the directory itself, for tests that inspect it afterwards.
pub(crate) fn load_verdict_in_place(
    binary: &Binary,
    data: &Path,
    config: &[(&str, &str)],
) -> Verdict {
    let before = sizes(data);
    let mut all = vec![("appendonly", "yes")];
    all.extend_from_slice(config);
    match Running::start(binary, data, &all) {
        Ok(mut server) => {
            let mut cut = shortened(&before, &sizes(data));
            let (digest, keys, log) = (server.digest(), server.keys(), server.log());
            match cut.pop() {
                None => Verdict::Loads { digest, keys, log },
                Some((file, bytes_after)) => {
                    assert!(cut.is_empty(), "more than one file was cut: {cut:?}, {file:?}");
                    Verdict::LoadsAfterCut { file, bytes_after, digest, keys, log }
                }
            }
        }
        Err(Ended { status, log }) => {
            if ended_in_a_crash(status, &log) {
                Verdict::Crashes { signal: status.signal(), log }
            } else {
                Verdict::Refuses { cut: shortened(&before, &sizes(data)), log }
            }
        }
    }
}

/// Starts a server on a data directory whose only part is `log`.
pub(crate) fn verdict_on(binary: &Binary, log: &[u8], config: &[(&str, &str)]) -> Verdict {
    let data = tempfile::Builder::new().prefix("aofkit-").tempdir().expect("a directory");
    lay_out(binary.line, data.path(), log);
    load_verdict_in_place(binary, data.path(), config)
}
