//! The progress of a long operation, reported to the caller; this module does not display it.
//!
//! Operations take a `&dyn Progress`; the command line passes one that draws a bar, and a user of
//! the library may pass [`Silent`].

use std::io;

use super::cancel::Cancellation;
use super::error::{Error, Result};

/// Receives the progress of a long operation. Called from many threads.
pub trait Progress: Sync {
    /// A new phase begins, which will process `bytes` bytes (0: unknown).
    fn phase(&self, name: &str, bytes: u64) {
        let _ = (name, bytes);
    }

    /// `bytes` more bytes were processed. Called about once per megabyte, not for each command.
    fn advance(&self, bytes: u64) {
        let _ = bytes;
    }

    /// Returns the request by which the caller cancels the operation; `None` if it never does. Operations poll it about
    /// once per megabyte, and then fail with [`ErrorKind::Interrupted`](super::error::ErrorKind::Interrupted), without
    /// output. Operations that change something outside of their process register with it how that is undone.
    fn cancellation(&self) -> Option<&Cancellation> {
        None
    }
}

impl dyn Progress + '_ {
    /// Returns whether the caller has cancelled the operation.
    pub(crate) fn is_cancelled(&self) -> bool {
        self.cancellation().is_some_and(Cancellation::is_cancelled)
    }

    /// Fails if the caller has cancelled the operation.
    pub(crate) fn check(&self) -> Result<()> {
        if self.is_cancelled() { Err(Error::interrupted()) } else { Ok(()) }
    }

    /// As `check`, where only system errors are passed on. [`Error::io`] recognises this one.
    pub(crate) fn check_io(&self) -> io::Result<()> {
        if self.is_cancelled() { Err(Error::interrupted_io()) } else { Ok(()) }
    }
}

/// Ignores progress.
pub struct Silent;

impl Progress for Silent {}
