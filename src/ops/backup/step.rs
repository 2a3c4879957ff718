//! The steps of a backup.

use jiff::Timestamp;
use serde::Serialize;

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
