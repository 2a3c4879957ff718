//! How much a finding matters.

use serde::Serialize;

/// How much a finding matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Good to know.
    Note,
    /// Loading may not give what was there.
    Warning,
    /// A server refuses the log, crashes on it or loses data.
    Error,
}
