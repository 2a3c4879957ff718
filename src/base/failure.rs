//! The failure of one of several paths, while the others continued.

use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::base::error::Error;

/// A path that failed.
#[derive(Debug, Serialize)]
pub struct Failure {
    /// The path as given.
    #[serde(serialize_with = "crate::base::escape::path")]
    pub path: PathBuf,
    /// The error message.
    pub message: String,
    /// The help text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
}

impl Failure {
    /// Creates the failure of `path` from an error.
    pub(crate) fn new(path: &Path, error: &Error) -> Self {
        Failure {
            path: path.to_path_buf(),
            message: error.to_string(),
            help: error.next_step().map(str::to_owned),
        }
    }
}
