//! A running backup, and the time that its steps take.

use std::time::Instant;

use jiff::Timestamp;
use serde::Serialize;

use super::options::BackupOptions;
use crate::aof::log::Log;
use crate::base::error::Result;
use crate::base::progress::Progress;

/// A running backup.
pub(super) struct Job<'j> {
    pub(super) log: &'j Log,
    pub(super) options: &'j BackupOptions,
    pub(super) steps: Vec<Step>,
    pub(super) progress: &'j dyn Progress,
}

impl Job<'_> {
    /// Runs a step, and records its times if it succeeds.
    pub(super) fn step<T>(
        &mut self,
        name: &'static str,
        work: impl FnOnce(&Self) -> Result<T>,
    ) -> Result<T> {
        let (started, since) = (Timestamp::now(), Instant::now());
        let done = work(self)?;
        let elapsed_s = since.elapsed().as_secs_f64();
        self.steps.push(Step { name, started, ended: Timestamp::now(), elapsed_s });
        Ok(done)
    }
}

/// A step of the backup with its times.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Step {
    /// The name of the step.
    pub name: &'static str,
    /// The start time.
    pub started: Timestamp,
    /// The end time.
    pub ended: Timestamp,
    /// The duration in seconds, by the monotonic clock.
    pub elapsed_s: f64,
}
