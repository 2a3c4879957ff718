//! The report of `recover`, which is the schema of its JSON output.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::candidates::{Candidate, CandidateKind};
use super::join::Joined;
use super::losses::Deletions;
use super::missing::Missing;
use super::plan::RecoverPlan;
use super::snapshot_only::SnapshotOnly;
use super::timeline::{Broken, Event, NewerRdb, PossibleFlush, Tail};
use super::unread::Unread;
use super::verdict::Verdict;
use crate::analysis::key_course::KeysAt;
use crate::analysis::keyspace_summary::SummaryReport;
use crate::analysis::unknown_commands::UnknownCommand;
use crate::aof::log::Layout;
use crate::base::next_step::NextStep;
use crate::disk::open_writers::Holder;
use crate::input::OpenedLog;
use crate::input::hold_origin::HoldOrigin;
use crate::replay::Origin;

/// One in so many keys may be in a recovery candidate alone without a finding.
const MORE_ONE_IN: u64 = 10;

/// The events in a log that destroyed data, what can be recovered, and what was recovered.
#[derive(Debug, Serialize)]
pub struct RecoverReport {
    /// The path as given.
    #[serde(serialize_with = "crate::base::escape::path")]
    pub path: PathBuf,
    /// The path of the file or manifest that was opened.
    #[serde(serialize_with = "crate::base::escape::path")]
    pub opened: PathBuf,
    /// Whether the log is in an archive, so that no server runs on it.
    pub archived: bool,
    /// The layout of the log on disk.
    pub layout: Layout,
    /// The directory that contains the log: the server's `dir`.
    #[serde(serialize_with = "crate::base::escape::path")]
    pub data_directory: PathBuf,
    /// The parts of the log, in load order.
    pub parts: Vec<PartSummary>,
    /// The total size of all parts in bytes.
    pub bytes: u64,
    /// The number of commands in all parts.
    pub commands: u64,
    /// The server that wrote the log, as far as the log says; `None` if keys were not counted.
    pub(crate) origin: Option<Origin>,
    /// Whether lost data is in the log.
    pub(crate) answer: Answer,
    /// The overall verdict on the log.
    pub verdict: Verdict,
    /// The numbers of the FLUSHALLs that end the log.
    pub trailing: Vec<u64>,
    /// The numbers of the events to remove in order to restore the data that the verdict is about.
    pub excise: Vec<u64>,
    /// The events that destroyed data, in the order of the log.
    pub events: Vec<Event>,
    /// The number of events before the first listed one: only the last events are listed.
    pub earlier_events: u64,
    /// The first and the last time of the log's annotations, in Unix seconds.
    #[serde(serialize_with = "crate::base::rfc3339::first_and_last")]
    pub times: Option<(i64, i64)>,
    /// Whether the clock was set back between two annotations.
    pub clock_went_back: bool,
    /// The end of the log that no server loads.
    pub tail: Option<Tail>,
    /// The damage that prevents recovering the log as it is.
    pub broken: Option<Broken>,
    /// The RDBs in the log that are intact by their checksum, but whose keys are unknown to this version.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub newer_rdbs: Vec<NewerRdb>,
    /// The content that was not read, if it is more than an unfinished end.
    pub unread: Option<Unread>,
    /// The commands whose effect is unknown: scripts, and names that no known server has.
    pub unknown: Vec<UnknownCommand>,
    /// The commands that known servers answer with an error because of their form. A server logs no command that failed: the
    /// log is of a server that knows the form, and its effect is unknown.
    pub(crate) unknown_forms: Vec<UnknownCommand>,
    /// Those of the unknown commands that may be renamed flushes.
    pub possible_flushes: Vec<PossibleFlush>,
    /// The number of keys at evenly distributed points of the log and at its end; empty if keys were not counted.
    pub(crate) course: Vec<KeysAt>,
    /// The share of the keys of a database, in percent, from which removed keys count as a loss.
    pub(crate) loss_share: u64,
    /// The multiple of the log's own rate of deletion from which deleted keys count as a loss.
    pub(crate) loss_rate: u64,
    /// The keys that were deleted one by one; `None` if not counted.
    pub deletions: Option<Deletions>,
    /// The number of keys named by DEL, UNLINK and GETDEL.
    pub keys_deleted: u64,
    /// Whether the whole log was read and replayed, and no command removed a key.
    pub nothing_lost: bool,
    /// The keyspace of a server that loads the log as it is; `None` if not counted.
    pub now: Option<SummaryReport>,
    /// The keyspace before the damage, if the log is damaged.
    pub before_damage: Option<SummaryReport>,
    /// The keyspace before the event that the verdict is about; `None` if not counted.
    pub before: Option<SummaryReport>,
    /// The reason why keys could not be counted although requested: for example, a log with scripts cannot be replayed.
    pub uncounted: Option<String>,
    /// Other files that may contain the lost data.
    pub candidates: Vec<Candidate>,
    /// The number of the recovery candidate that this report is about, if one was chosen.
    pub candidate: Option<u64>,
    /// What is missing of the log; `None` if servers load all of it.
    pub(crate) missing: Option<Missing>,
    /// The RDB that is all the data there is; `None` if there is an append-only file.
    pub(crate) snapshot_only: Option<SnapshotOnly>,
    /// The path of the RDB snapshot next to the log, which a server could overwrite.
    #[serde(serialize_with = "crate::base::escape::path_if_any")]
    pub snapshot: Option<PathBuf>,
    /// The running server that this log was secured from, if any: the result belongs in that server's data directory.
    pub hold_origin: Option<HoldOrigin>,
    /// The processes that have a part of the log open for writing.
    pub writers: Vec<Holder>,
    /// What was done; `None` if only a report was requested.
    pub done: Option<Done>,
    /// The steps to take next: after a preview, first those for a running server, then the commands to choose from;
    /// after a recovery, those that put the result in place.
    pub next: Vec<NextStep>,
    /// Where else the data may be, in the order in which to look for it; empty if it is here.
    pub elsewhere: Vec<NextStep>,
    /// The run time in seconds.
    pub elapsed_s: f64,
}

/// How certain it is that lost data is in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Answer {
    /// A replay has found it.
    Yes,
    /// A command that removes data was found, but what it removed could not be counted.
    Probably,
    /// No larger loss is in the log.
    No,
    /// Unread or unknown content may have removed data.
    CannotTell,
}

impl RecoverReport {
    /// Returns whether there is a recovery candidate that can be read.
    pub fn has_usable_candidate(&self) -> bool {
        let is_worthless = |candidate: &Candidate| {
            candidate.adds.is_some_and(|adds| adds.keys == 0 && adds.different == 0)
        };
        self.candidates
            .iter()
            .any(|candidate| candidate.problem.is_none() && !is_worthless(candidate))
    }

    /// Returns whether the data may be in a directory that cannot be listed.
    pub(crate) fn has_unlisted_directory(&self) -> bool {
        self.candidates.iter().any(|candidate| candidate.kind == CandidateKind::Directory)
    }

    /// Returns whether a recovery candidate has so many keys that do not exist at the end of the log that data may have
    /// been lost: a tenth of the keys of the log. Fewer are to be expected in any older state.
    pub(crate) fn candidates_have_more(&self) -> bool {
        let expected = self.now.as_ref().map_or(0, |now| now.total / MORE_ONE_IN);
        let more = |candidate: &Candidate| candidate.adds.is_some_and(|adds| adds.keys > expected);
        self.candidate.is_none() && self.candidates.iter().any(more)
    }

    /// Replaces the paths of a temporary extraction, if `log` is one, by those of the archive and in it.
    pub(super) fn name_archive(&mut self, log: &OpenedLog) {
        let Some(archive) = log.archive() else { return };
        self.archived = true;
        self.snapshot = self.snapshot.as_ref().map(|path| log.shown(path));
        self.uncounted = self.uncounted.as_deref().map(|why| log.shown_text(why));
        if let Some(snapshot) = &mut self.snapshot_only {
            // The time is that of the extraction.
            (snapshot.path, snapshot.modified) = (log.shown(&snapshot.path), None);
        }
        for candidate in &mut self.candidates {
            candidate.problem = candidate.problem.as_deref().map(|why| log.shown_text(why));
        }
        for file in self.candidates.iter_mut().flat_map(|candidate| &mut candidate.files) {
            file.path = log.shown(&file.path);
        }
        self.opened = archive.to_owned();
        self.data_directory = archive.parent().unwrap_or(Path::new("")).to_owned();
        if let Layout::MultiPart { directory, .. } = &mut self.layout {
            *directory = archive.to_owned();
        }
    }
}

/// A part of the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PartSummary {
    /// The file name.
    pub name: String,
    /// The length in bytes.
    pub bytes: u64,
}

/// A function library that servers refuse, or a whole command that they refuse or crash on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Unloadable {
    /// The file name of the part.
    pub(crate) part: String,
    /// Whether it is a function library.
    pub(crate) library: bool,
    /// The byte offset of the command; 0 for a function library.
    pub(crate) offset: u64,
    /// What is wrong with it.
    pub(crate) what: String,
}

/// The result that was written, or that a dry run would write.
#[derive(Debug, Serialize)]
pub struct Done {
    /// What was planned, and, unless this is a dry run, applied.
    #[serde(flatten)]
    pub plan: RecoverPlan,
    /// Whether this is a dry run.
    pub dry_run: bool,
    /// The result of joining two data sets.
    pub joined: Option<Joined>,
    /// The keyspace of the result; `None` if not counted.
    pub holds: Option<SummaryReport>,
    /// The first command of each file of the result that servers refuse or crash on: the original has it as well.
    pub(crate) unloadable: Vec<Unloadable>,
    /// The path of the result.
    #[serde(serialize_with = "crate::base::escape::path_if_any")]
    pub written: Option<PathBuf>,
    /// The path of the complete backup of the original, if it was replaced.
    #[serde(serialize_with = "crate::base::escape::path_if_any")]
    pub backup: Option<PathBuf>,
}
