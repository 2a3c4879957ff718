//! Progress of a run at a live server.

use std::time::Duration;

use crate::base::progress::{Progress, Silent};

/// Receives progress reports of a run at a live server. Nothing is printed here.
pub trait LiveProgress: Progress {
    /// Called when a step begins, with its number, the number of steps, and a description.
    fn step(&self, number: usize, count: usize, what: &str) {
        let _ = (number, count, what);
    }

    /// Called while waiting for a rewrite, with the elapsed time and the progress in percent as the server reports it.
    fn waiting(&self, elapsed: Duration, percent: Option<f64>) {
        let _ = (elapsed, percent);
    }

    /// Called with a warning, which should be displayed even if the run succeeds.
    fn warn(&self, text: &str) {
        let _ = text;
    }
}

impl LiveProgress for Silent {}
