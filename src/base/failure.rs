//! One of several paths that came to nothing, while the others went on.

use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::base::error::Error;

/// A path of which nothing came.
#[derive(Debug, Serialize)]
pub struct Failure {
    /// The path as given.
    #[serde(serialize_with = "crate::base::escape::path")]
    pub path: PathBuf,
    /// Why.
    pub message: String,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
}

impl Failure {
    /// What is told of an error.
    pub fn new(path: &Path, error: &Error) -> Self {
        Failure {
            path: path.to_path_buf(),
            message: error.to_string(),
            help: error.next_step().map(str::to_owned),
        }
    }
}
