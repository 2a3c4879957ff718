//! The unfinished end of a log that a server is writing.

use serde::Serialize;

use crate::analysis::survey::Survey;
use crate::disk::open_writers::{Holder, writers};

/// The end of a log that a server was writing while it was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UnderWay {
    /// The file name of the part.
    pub part: String,
    /// The byte offset of the end of the last complete command or transaction.
    pub end: u64,
    /// The number of bytes after it.
    pub bytes: u64,
    /// The process that has the part open for writing.
    pub writer: Holder,
}

/// Returns the unfinished end of the last part if it is torn and a process has it open for writing. Without a writer, a
/// torn end is damage. Damage elsewhere is damage even with a writer.
pub(super) fn under_way(last: &Survey<'_>) -> Option<UnderWay> {
    let is_torn = !last.is_whole() && !last.is_preamble_broken() && !last.is_damaged();
    if !is_torn {
        return None;
    }
    let writer = writers(&last.part.path).into_iter().next()?;
    let end = last.safe_end();
    let bytes = last.part.mapping.len() - end;
    Some(UnderWay { part: last.part.name.clone(), end, bytes, writer })
}
