//! Which archives are kept: restic's `forget`, as its users know it.
//!
//! [`decide`] is a pure function of times and a policy. The rules, as restic documents them:
//!
//! - `last N` keeps the N newest. `hourly N` keeps the newest of each of the last N hours *that have one*; so do days,
//!   weeks (from Monday), months and years, in local time. What one rule keeps is kept, whatever the others say.
//! - A rule that has not used up its count when it comes to the oldest keeps that too: history is as long as it can be.
//! - `within 2y5m7d3h` keeps what is younger than that, counted back from the newest, not from now. The newest
//!   that lies in the future, as after a clock that was wrong, does not count as such.
//! - Nothing asked for keeps everything.

pub mod apply;
mod decide;
mod policy;
#[cfg(test)]
mod tests;

pub use decide::{Decision, Reason, decide};

pub use crate::ops::prune::apply::{Group, Judged, PruneOptions, PruneReport, prune};
pub(in crate::ops) use crate::ops::prune::apply::{JustMade, lock_unless, prune_source};
pub use policy::{Keep, KeepPolicy, Within};
