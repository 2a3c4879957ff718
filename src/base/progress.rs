//! How far a long operation has come: told to whoever asked for it, shown by nobody here.
//!
//! Operations take a `&dyn Progress`; the command line gives one that draws a bar, a library user
//! may give [`Silent`].

/// What a long operation tells about itself while it runs. Called from many threads.
pub trait Progress: Sync {
    /// A new phase begins, which will process `bytes` bytes (0: not known).
    fn phase(&self, name: &str, bytes: u64) {
        let _ = (name, bytes);
    }

    /// `bytes` more have been processed. Called about once a megabyte, not for each command.
    fn advance(&self, bytes: u64) {
        let _ = bytes;
    }
}

/// Tells nobody.
pub struct Silent;

impl Progress for Silent {}
