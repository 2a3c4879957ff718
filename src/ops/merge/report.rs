//! The report of `merge`, which is the schema of its JSON output.

use std::path::PathBuf;

use serde::Serialize;

use crate::ops::compact::CompactReport;
use crate::ops::recover::{Tally, UnitedFunctions, Winner};

/// Two data sets that were merged, and the result.
#[derive(Debug, Clone, Serialize)]
pub struct MergeReport {
    /// The path of the older data set, as given.
    #[serde(serialize_with = "crate::base::escape::path")]
    pub old: PathBuf,
    /// The path of the newer data set, as given.
    #[serde(serialize_with = "crate::base::escape::path")]
    pub new: PathBuf,
    /// The side from which a key is taken if both have it with different values.
    pub winner: Winner,
    /// The keys of both, by where they are.
    pub keys: MergedKeys,
    /// The function libraries of both.
    pub functions: UnitedFunctions,
    /// The merged data set and its output.
    pub result: CompactReport,
    /// The run time in seconds.
    pub elapsed_s: f64,
}

/// The keys of two data sets, without those that a filter left out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct MergedKeys {
    /// The number of keys that only the older data set has.
    pub from_old: u64,
    /// The number of keys that only the newer data set has.
    pub from_new: u64,
    /// The number of keys that are equal in both.
    pub equal: u64,
    /// The number of keys that both have, with different values or expiries.
    pub different: u64,
}

impl MergedKeys {
    pub(super) fn of(tally: &Tally) -> MergedKeys {
        MergedKeys {
            from_old: tally.brought_back,
            from_new: tally.only_newer,
            equal: tally.equal,
            different: tally.on_both_sides.saturating_sub(tally.equal),
        }
    }
}
