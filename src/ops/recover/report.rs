//! The report of recover: the schema of its JSON.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::conflicts::Conflicts;
use super::cuts::{Found, Removed};
use super::join::Joined;
use super::losses::Deletions;
use super::survivors::Survivor;
use super::timeline::{Broken, Event, NewerRdb, PossibleFlush, Tail};
use super::unread::Unread;
use super::verdict::Verdict;
use crate::analysis::keyspace_summary::Held;
use crate::analysis::unknown_commands::UnknownCommand;
use crate::aof::log::Layout;
use crate::disk::open_writers::Holder;
use crate::live::hold_origin::HeldFrom;

/// What stands in a log of what destroyed its data, what can be brought back, and what was.
#[derive(Debug, Serialize)]
pub struct RecoverReport {
    /// The version of this schema.
    pub schema: u32,
    /// `recover`.
    pub report: &'static str,
    /// The path as given.
    #[serde(serialize_with = "crate::base::escape::path")]
    pub path: PathBuf,
    /// What was opened: the file, or the manifest.
    #[serde(serialize_with = "crate::base::escape::path")]
    pub opened: PathBuf,
    /// Whether it lies in an archive, so that no server runs on it.
    pub archived: bool,
    /// How the log lies on disk.
    pub layout: Layout,
    /// The directory above the log: the server's `dir`.
    #[serde(serialize_with = "crate::base::escape::path")]
    pub data_directory: PathBuf,
    /// Its parts, in load order.
    pub parts: Vec<PartTold>,
    /// Bytes of all parts.
    pub bytes: u64,
    /// Commands in all parts.
    pub commands: u64,
    /// The answer to the first question.
    pub verdict: Verdict,
    /// The numbers of the FLUSHALLs that end the log.
    pub trailing: Vec<u64>,
    /// The events that have to be taken out so that what the verdict is about is there again.
    pub excise: Vec<u64>,
    /// What destroyed data, in the order of the log.
    pub events: Vec<Event>,
    /// Events before the first that is listed: only the last ones are kept.
    pub earlier_events: u64,
    /// The first time and the last that annotations tell, in Unix seconds.
    pub times: Option<(i64, i64)>,
    /// Whether the clock was set back between two annotations.
    pub clock_went_back: bool,
    /// The end of the log that no server reads.
    pub tail: Option<Tail>,
    /// Damage that keeps the log from being recovered as it is.
    pub broken: Option<Broken>,
    /// RDBs in the log that are whole by their checksum, and whose keys are unknown to this version.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub newer_rdbs: Vec<NewerRdb>,
    /// What was not read, where that is more than an unfinished end, and what was found in it.
    pub unread: Option<Unread>,
    /// Commands whose effect is not known: scripts, and names that no known server has.
    pub unknown: Vec<UnknownCommand>,
    /// Those of them that may be flushes under another name.
    pub possible_flushes: Vec<PossibleFlush>,
    /// Keys that were deleted one by one; `None` where that was not counted.
    pub deletions: Option<Deletions>,
    /// Keys that DEL, UNLINK and GETDEL name.
    pub keys_deleted: u64,
    /// Whether the whole log was read and replayed, and no key was removed by any command.
    pub nothing_lost: bool,
    /// What a server has that loads the log as it is; `None` where that was not counted.
    pub now: Option<Held>,
    /// What there is before the damage, where the log is damaged.
    pub before_damage: Option<Held>,
    /// What stood before the event that the verdict is about; `None` where that was not counted.
    pub before: Option<Held>,
    /// Why keys could not be counted, where that was wanted: a log with scripts in it cannot be replayed.
    pub uncounted: Option<String>,
    /// What else is there that could bring data back.
    pub survivors: Vec<Survivor>,
    /// Which of them this report is about, when one was chosen.
    pub survivor: Option<u64>,
    /// A snapshot beside the log, which a server could overwrite.
    #[serde(serialize_with = "crate::base::escape::path_if_any")]
    pub snapshot: Option<PathBuf>,
    /// The running server that this log was secured from, where it was: the result goes to that server's place.
    pub held_from: Option<HeldFrom>,
    /// Processes that have a part of the log open for writing.
    pub writers: Vec<Holder>,
    /// What was done; `None` for a look.
    pub done: Option<Done>,
    /// How long it took, in seconds.
    pub elapsed_s: f64,
}

impl RecoverReport {
    /// Tells of a log that was extracted from this archive, and of no place where it lay meanwhile.
    pub fn tell_of_archive(&mut self, archive: &Path) {
        self.archived = true;
        self.path = archive.to_owned();
        self.opened = archive.to_owned();
        self.data_directory = archive.parent().unwrap_or(Path::new("")).to_owned();
        if let Layout::MultiPart { directory, .. } = &mut self.layout {
            *directory = archive.to_owned();
        }
    }
}

/// One part of the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PartTold {
    /// Its file name.
    pub name: String,
    /// Its length in bytes.
    pub bytes: u64,
}

/// What was written, or would be.
#[derive(Debug, Default, Serialize)]
pub struct Done {
    /// What was asked for: `strip`, `until`, `excise`, `merge`, `undelete`, `whole`.
    pub choice: &'static str,
    /// The database that it was limited to.
    pub db: Option<u32>,
    /// Whether only the plan was asked for.
    pub dry_run: bool,
    /// The stretches that go.
    pub removed: Vec<Removed>,
    /// Stretches beyond those that are listed.
    pub removed_more: u64,
    /// Parts that are no longer in the set.
    pub parts_removed: Vec<String>,
    /// Where the position lies that was asked for.
    pub found: Option<Found>,
    /// Bytes that stay as they are; `None` where the data set was written anew.
    pub kept_bytes: Option<u64>,
    /// Where later commands come out otherwise than they did.
    pub conflicts: Option<Conflicts>,
    /// How two data sets were joined.
    pub joined: Option<Joined>,
    /// What the result holds; `None` where that was not counted.
    pub holds: Option<Held>,
    /// Where the result is.
    #[serde(serialize_with = "crate::base::escape::path_if_any")]
    pub written: Option<PathBuf>,
    /// Where the complete original is now, when it was replaced.
    #[serde(serialize_with = "crate::base::escape::path_if_any")]
    pub backup: Option<PathBuf>,
}
