//! A log that may be in an archive, for what has to read it more than once.

use std::env;
use std::path::{Path, PathBuf};

use crate::base::error::Result;
use crate::base::progress::Progress;
use crate::disk::Scratch;
use crate::disk::publish::Existing;
use crate::input::archive::extract::{ExtractOptions, extract};
use crate::input::archive::verify::is_archive;

/// Where a log lies: where it was said to be or, if that is an archive, extracted from it into the system's
/// directory for temporary files, until this is dropped.
#[derive(Debug)]
pub struct Unpacked {
    path: PathBuf,
    _scratch: Option<Scratch>,
}

impl Unpacked {
    /// The log at `path`, verified and extracted if that is an archive.
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

    /// Where it lies.
    pub fn path(&self) -> &Path {
        &self.path
    }
}
