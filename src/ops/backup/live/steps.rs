//! The steps of a run, measured and announced.

use std::time::Instant;

use jiff::Timestamp;

use super::report::Step;
use crate::live::progress::LiveProgress;

/// The name of the step that is always run.
pub(super) const LAST: &str = "restore";

/// Measures and announces the steps.
pub(super) struct Steps<'p> {
    progress: &'p dyn LiveProgress,
    count: usize,
    pub(super) done: Vec<Step>,
}

impl<'p> Steps<'p> {
    pub(super) fn new(progress: &'p dyn LiveProgress, count: usize) -> Self {
        Steps { progress, count, done: Vec::new() }
    }

    /// Announces and runs a step, and records its times even if it fails.
    pub(super) fn take<T>(
        &mut self,
        name: &'static str,
        what: &str,
        work: impl FnOnce() -> T,
    ) -> T {
        // After a failure, the run continues with the last step, whose number is fixed.
        let number = if name == LAST { self.count } else { self.done.len() + 1 };
        self.progress.step(number, self.count, what);
        let (start, clock) = (Timestamp::now(), Instant::now());
        let result = work();
        let elapsed_s = clock.elapsed().as_secs_f64();
        let what = what.to_string();
        self.done.push(Step { number, name, what, start, end: Timestamp::now(), elapsed_s });
        result
    }
}
