//! Progress of a run at a live server.

use std::time::Duration;

use crate::base::progress::Progress;

/// Is told how a run goes on. Nothing is printed here.
pub trait Watch: Progress {
    /// A step begins: its number, how many there are, and what it does.
    fn step(&self, number: usize, count: usize, what: &str) {
        let _ = (number, count, what);
    }

    /// A rewrite is being waited for: for how long so far, and its own account of how far it is, in percent.
    fn waiting(&self, elapsed: Duration, percent: Option<f64>) {
        let _ = (elapsed, percent);
    }

    /// Something that a person should hear also when all goes well.
    fn warn(&self, text: &str) {
        let _ = text;
    }
}

impl Watch for crate::base::progress::Silent {}
