//! Recovery candidates: other data that may contain what the log has lost, as a report lists it.

use std::path::PathBuf;

use serde::Serialize;

use crate::analysis::keyspace_summary::SummaryReport;
use crate::aof::log::OtherKind;
use crate::rdb::UnknownContent;

/// A recovery candidate: files next to the log that may contain data which the log no longer has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Candidate {
    /// The number of the candidate, from 1, as `--candidate` takes it.
    pub number: u64,
    /// The kind of the candidate.
    pub kind: CandidateKind,
    /// The files of the candidate, in load order.
    pub files: Vec<CandidateFile>,
    /// The modification time of its most recently written file, in Unix seconds.
    #[serde(serialize_with = "crate::base::rfc3339::seconds_if_any")]
    pub modified: Option<i64>,
    /// The keyspace that it would restore, without a FLUSHALL at its end; `None` if not counted.
    pub holds: Option<SummaryReport>,
    /// What it would add to the data at the end of the log; `None` if the two were not compared.
    pub(crate) adds: Option<Added>,
    /// The content of its RDB that is unknown to this version, if the checksum proves the RDB intact: its keys are not
    /// counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unread: Option<UnknownContent>,
    /// Whether it ends in a FLUSHALL, which would have to be removed.
    pub ends_in_flush: bool,
    /// What is incomplete or uncertain about it, if anything.
    pub(crate) note: Option<String>,
    /// The reason why it cannot be read, if any.
    pub problem: Option<String>,
}

/// What a recovery candidate would add to the data at the end of the log.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Added {
    /// The number of its keys that do not exist at the end of the log.
    pub(crate) keys: u64,
    /// The number of its keys that exist at the end of the log with another value or expiry.
    pub(crate) different: u64,
}

/// A file of a recovery candidate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CandidateFile {
    /// The path of the file.
    #[serde(serialize_with = "crate::base::escape::path")]
    pub path: PathBuf,
    /// The length in bytes.
    pub bytes: u64,
}

/// The kind of a recovery candidate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum CandidateKind {
    /// The set before a rewrite, whose files the manifest still lists as history.
    History,
    /// Files named like those of a set that the manifest does not list, or that have no manifest.
    Unlisted,
    /// A whole multi-part set in another directory.
    Set,
    /// A ZIP archive.
    Archive,
    /// A directory that cannot be listed: what is in it is not known.
    Directory,
    /// A single file that belongs to no set, or no longer to one.
    File(OtherKind),
}

impl CandidateKind {
    /// Returns a short description for display.
    pub fn meaning(self) -> &'static str {
        match self {
            CandidateKind::History => {
                "the log from before a rewrite; a server deletes it when it starts"
            }
            CandidateKind::Unlisted => "parts that no manifest lists: a server does not load them",
            CandidateKind::Set => "another multi-part set",
            CandidateKind::Archive => "an archive",
            CandidateKind::Directory => "a directory of which the content is not known",
            CandidateKind::File(OtherKind::OwnCopy) => {
                "a copy that aofkit kept of what it replaced"
            }
            CandidateKind::File(OtherKind::OldSingleFile) => {
                "a single file next to a set: Redis 7.0 and later load the set and not this file; earlier versions load this file"
            }
            CandidateKind::File(kind) => kind.meaning(),
        }
    }
}
