//! The report of `clean`, which is the schema of its JSON output.

use std::path::PathBuf;

use serde::Serialize;

use super::kind::Kind;

/// The leftovers in a directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CleanReport {
    /// The directory, as given.
    #[serde(serialize_with = "crate::base::escape::path")]
    pub directory: PathBuf,
    /// Whether nothing was removed.
    pub dry_run: bool,
    /// The age from which copies and holds are removed, in seconds.
    pub older_than_s: u64,
    /// The leftovers, the oldest first.
    pub leftovers: Vec<FoundLeftover>,
}

/// A file or directory that aofkit left.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FoundLeftover {
    /// The path.
    #[serde(serialize_with = "crate::base::escape::path")]
    pub path: PathBuf,
    /// What it is.
    pub kind: Kind,
    /// Its age in seconds, by the time in its name, or else by its last change; absent if that is in the future.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub age_s: Option<u64>,
    /// The number of bytes of the files in it.
    pub bytes: u64,
    /// The number of files.
    pub files: u64,
    /// Whether the run that made it has ended. Copies and holds are made whole; of unfinished output, its lock tells.
    pub maker_gone: bool,
    /// The reason why it is not removed; absent if it is old and not needed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keep: Option<Reason>,
    /// Whether it was removed.
    pub removed: bool,
    /// The reason why it could not be removed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_removed: Option<String>,
}

/// The reason why a leftover is not removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// It is younger than the age given.
    Young,
    /// What it was made of, or what has replaced it, is not beside it: it may be all there is.
    OnlyCopy,
    /// The run that makes it may be at work.
    AtWork,
    /// A process has a file of it open for writing.
    InUse,
    /// A manifest lists it.
    Listed,
    /// The hold that made it is in effect: its journal is here.
    InEffect,
    /// It has no note that aofkit made it.
    NotProved,
    /// Settings of a server are set back by it.
    Journal,
    /// Another run may be about to lock it. It has a few bytes.
    Lock,
    /// It is neither a file nor a directory.
    Special,
    /// Not all of it can be listed, so that it is not known whether a process writes to it.
    Unreadable,
}

impl CleanReport {
    /// Returns the leftovers that a run removes, or has tried to.
    pub fn removable(&self) -> impl Iterator<Item = &FoundLeftover> {
        self.leftovers.iter().filter(|leftover| leftover.keep.is_none())
    }

    /// Returns whether something could not be removed.
    pub fn has_failed(&self) -> bool {
        self.leftovers.iter().any(|leftover| leftover.not_removed.is_some())
    }
}
