//! The severity of a finding.

use serde::Serialize;

/// The severity of a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Informational.
    Note,
    /// Loading may not restore the original data.
    Warning,
    /// A server refuses the log, crashes on it or loses data.
    Error,
}
