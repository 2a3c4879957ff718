//! Options of `prune`.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::policy::KeepPolicy;

/// Options of [`prune`](super::prune()).
#[derive(Debug, Clone)]
#[cfg_attr(not(feature = "internals"), non_exhaustive)]
pub struct PruneOptions {
    /// The retention policy.
    pub policy: KeepPolicy,
    /// Whether this is a dry run.
    pub dry_run: bool,
    /// The current time.
    pub now: Timestamp,
    /// The time zone that determines where hours and days begin.
    pub zone: TimeZone,
}

impl Default for PruneOptions {
    /// No policy, which [`prune`](super::prune()) refuses, at the current time in the time zone of the system.
    fn default() -> Self {
        PruneOptions {
            policy: KeepPolicy::default(),
            dry_run: false,
            now: Timestamp::now(),
            zone: TimeZone::system(),
        }
    }
}
