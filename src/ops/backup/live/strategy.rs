//! The methods of taking the log from a running server.

use serde::Serialize;

use crate::live::changed_settings::{NO_FSYNC, NO_REWRITES, Setting};

/// The method of taking the log from a running server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Strategy {
    /// The server rewrites its log first, which makes it small.
    #[default]
    Rewrite,
    /// The log is linked as it is, without a rewrite and without a fork.
    Link,
}

impl Strategy {
    /// Returns the settings that a run changes while it is active.
    pub(super) fn settings(self) -> &'static [Setting] {
        match self {
            Strategy::Rewrite => &[NO_FSYNC, NO_REWRITES],
            Strategy::Link => &[NO_REWRITES],
        }
    }
}
