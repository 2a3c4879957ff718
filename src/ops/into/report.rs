//! The report on sending a data set to a running server.

use std::path::PathBuf;

use serde::Serialize;

use super::options::ExistingKeys;
use super::tally::{NamedKey, OutcomeCounts, OutcomesOfType};
use crate::analysis::data_filter::LeftOut;
use crate::live::endpoint::Address;
use crate::ops::recover::Expired;

/// The result of sending a data set to a running server, or the prediction of it.
#[derive(Debug, Clone, Serialize)]
pub struct IntoReport {
    /// The log, RDB or archive that the keys come from.
    #[serde(serialize_with = "crate::base::escape::path")]
    pub path: PathBuf,
    /// The action of a recovery whose result was sent, such as `merge`; `None` for the whole data set.
    pub(crate) choice: Option<&'static str>,
    /// The address of the server.
    pub server: Address,
    /// Its version, such as `redis 7.0.15`.
    pub server_version: String,
    /// The addresses of the nodes, if it is a cluster.
    pub nodes: Vec<Address>,
    /// Whether the server was only asked what would be done.
    pub dry_run: bool,
    /// The treatment of keys that exist in the server.
    pub existing: ExistingKeys,
    /// The treatment of keys whose expiry has passed.
    pub(crate) expired_were: Expired,
    /// The numbers of keys by what became of them.
    pub keys: OutcomeCounts,
    /// The same by database and type.
    pub(crate) by_type: Vec<OutcomesOfType>,
    /// The number of keys that filters excluded.
    pub(crate) left_out: LeftOut,
    /// Keys that the server refused, with the reason; the first 100.
    pub(crate) failures: Vec<NamedKey>,
    /// Examples of keys that exist with other data.
    pub(crate) conflicts: Vec<NamedKey>,
    /// The number of keys that were read back and compared.
    pub checked: u64,
    /// The number of keys that were read back and could not be compared, such as values of modules.
    pub not_comparable: u64,
    /// The number of keys that had other data when they were read back.
    pub differing: u64,
    /// Some of these keys.
    pub(crate) differing_keys: Vec<NamedKey>,
    /// The numbers of function libraries; `None` if they were not sent.
    pub(crate) functions: Option<FunctionCounts>,
    /// The reason why not all keys were sent.
    pub stopped: Option<String>,
    /// The number of bytes of the names and values that were sent.
    pub bytes: u64,
    /// The run time in seconds.
    pub elapsed_s: f64,
}

/// The numbers of function libraries by what became of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) struct FunctionCounts {
    /// The number of libraries that were created or replaced.
    pub(crate) restored: u64,
    /// The number of libraries that existed and were not changed.
    pub(crate) already_there: u64,
    /// The number of libraries that the server refused.
    pub(crate) failed: u64,
}

impl IntoReport {
    /// Returns whether every key is in the server, or was left out as requested.
    pub fn is_complete(&self) -> bool {
        let functions_failed = self.functions.is_some_and(|functions| functions.failed > 0);
        self.keys.failed == 0
            && self.keys.unsent == 0
            && self.differing == 0
            && self.stopped.is_none()
            && !functions_failed
    }
}
