//! The progress of a long operation, reported to the caller; this module does not display it.
//!
//! Operations take a `&dyn Progress`; the command line passes one that draws a bar, and a user of
//! the library may pass [`Silent`].

use super::cancel::Cancellation;

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

    /// Returns the request by which the caller cancels the operation; `None` if it never does. Operations that change
    /// something outside of their process register with it how that is undone.
    fn cancellation(&self) -> Option<&Cancellation> {
        None
    }
}

/// Ignores progress.
pub struct Silent;

impl Progress for Silent {}
