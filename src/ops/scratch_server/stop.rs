//! Why something that a server of our own was started for did not succeed.

use crate::base::error::{Error, ErrorKind};

/// Why a step did not succeed.
#[derive(Debug)]
pub(in crate::ops) enum Stop {
    /// A fault of the data that were loaded.
    Failed(String),
    /// A reason that is not the data's.
    NotTried(String),
    /// The backup recorded nothing to compare with.
    NotRecorded,
    /// The caller cancelled.
    Interrupted(Error),
}

impl From<Error> for Stop {
    /// What the system refuses is not a fault of the archive.
    fn from(error: Error) -> Self {
        let message = error.without_path().to_string();
        match error.kind() {
            ErrorKind::Interrupted => Stop::Interrupted(error),
            ErrorKind::Io | ErrorKind::Permission | ErrorKind::Changed | ErrorKind::Locked => {
                Stop::NotTried(message)
            }
            _ => Stop::Failed(message),
        }
    }
}
