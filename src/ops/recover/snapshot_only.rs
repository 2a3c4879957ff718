//! An RDB without an append-only file: the data of a server with `appendonly no`.

use std::path::PathBuf;

use serde::Serialize;

use super::timeline::Timeline;
use crate::aof::log::{Layout, Log};
use crate::input::set_proposal::modified;

/// An RDB that is all the data there is. It shows the state at one time, and not what destroyed data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct SnapshotOnly {
    /// The path of the RDB.
    #[serde(serialize_with = "crate::base::escape::path")]
    pub(crate) path: PathBuf,
    /// The modification time of the RDB, in Unix seconds: that at which the server finished writing it.
    #[serde(serialize_with = "crate::base::rfc3339::seconds_if_any")]
    pub(crate) modified: Option<i64>,
}

impl SnapshotOnly {
    /// Returns the RDB if `log` is one, and not an append-only file with an RDB preamble.
    pub(super) fn of_log(log: &Log, timeline: &Timeline) -> Option<Self> {
        let is_whole = log.layout == Layout::RdbFile
            && timeline.commands == 0
            && timeline.broken.is_none()
            && timeline.tail.is_none();
        // A base file of an append-only log without commands after it is an RDB too.
        let is_rdb = is_whole && log.opened.extension().is_none_or(|end| end != "aof");
        is_rdb.then(|| SnapshotOnly { modified: modified(&log.opened), path: log.opened.clone() })
    }
}
