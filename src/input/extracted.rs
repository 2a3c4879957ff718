//! A log that may be in an archive, for operations that read it more than once.

use std::env;
use std::path::{Path, PathBuf};

use crate::base::error::Result;
use crate::base::progress::Progress;
use crate::disk::Scratch;
use crate::disk::publish::Existing;
use crate::input::archive::extract::{ExtractOptions, extract};
use crate::input::archive::verify::is_archive;

/// The path of a log: the given path or, if that is an archive, a temporary extraction of it, which is deleted on drop.
#[derive(Debug)]
pub struct Unpacked {
    path: PathBuf,
    _scratch: Option<Scratch>,
}

impl Unpacked {
    /// Opens the log at `path`; an archive is verified and extracted.
    ///
    /// # Errors
    ///
    /// As [`extract`].
    pub fn of(path: &Path, progress: &dyn Progress) -> Result<Unpacked> {
        if !is_archive(path) {
            return Ok(Unpacked { path: path.to_owned(), _scratch: None });
        }
        let scratch = Scratch::create(&env::temp_dir(), "aofkit-unpacked.")?;
        let output = scratch.path().join("log");
        let options =
            ExtractOptions { output: output.clone(), existing: Existing::Keep, damaged: false };
        extract(path, &options, progress)?;
        Ok(Unpacked { path: output, _scratch: Some(scratch) })
    }

    /// Returns the path of the log.
    pub fn path(&self) -> &Path {
        &self.path
    }
}
