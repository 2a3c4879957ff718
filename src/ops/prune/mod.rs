//! Retention of archives, with the rules of restic's `forget`.
//!
//! [`decide()`] is a pure function of times and a policy. The rules, as restic documents them:
//!
//! - `last N` retains the N newest. `hourly N` retains the newest of each of the last N hours *that have one*; so do
//!   days, weeks (from Monday), months and years, in local time. An archive is retained if any rule retains it.
//! - A rule whose count is not used up at the oldest archive retains that too, so that the history is as long as
//!   possible.
//! - `within 2y5m7d3h` retains what is younger than that, counted back from the newest, not from now. An archive from
//!   the future, as after a wrong clock, does not count as the newest.
//! - An empty policy retains everything.

pub mod apply;
mod decide;
mod policy;
#[cfg(test)]
mod tests;

pub use decide::{Decision, Reason, decide};

pub use crate::ops::prune::apply::{Group, Judged, PruneOptions, PruneReport, prune};
pub(in crate::ops) use crate::ops::prune::apply::{JustMade, lock_unless, prune_source};
pub use policy::{Keep, KeepPolicy, Within};
