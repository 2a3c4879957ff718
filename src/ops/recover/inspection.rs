//! What was found out about a log, and the report on it.

use std::path::PathBuf;

use super::candidates::{Candidate, CandidateKind};
use super::places::data_directory;
use super::preview::Counted;
use super::report::{Answer, Done, PartSummary, RecoverReport};
use super::snapshot_only::SnapshotOnly;
use super::subject::Subject;
use super::timeline::Timeline;
use super::verdict::{Facts, Verdict, to_excise};
use crate::analysis::keyspace_summary::SummaryReport;
use crate::aof::log::{Log, OtherKind};
use crate::disk::open_writers::{Holder, writers};
use crate::input::hold_origin::HoldOrigin;

/// What was found out about a log.
pub(super) struct Inspection<'i> {
    pub(super) subject: Subject<'i>,
    pub(super) counted: Option<Counted>,
    /// The reason why keys could not be counted.
    pub(super) uncounted: Option<String>,
}

impl Inspection<'_> {
    /// Returns a summary of the keyspace just before an event.
    fn before(&self, event: u64) -> Option<SummaryReport> {
        let before = self.counted.as_ref()?.before(event)?;
        let whole = self.subject.timeline.trailing.first() == Some(&event);
        Some(if whole { before.to_report() } else { before.to_counted_report() })
    }

    /// Returns the report, without the next steps and the run time.
    pub(super) fn report(
        &self,
        verdict: Verdict,
        candidates: Vec<Candidate>,
        done: Option<Done>,
    ) -> RecoverReport {
        let Subject { whole, log, timeline, options, .. } = self.subject;
        let data_directory = data_directory(whole);
        let writers = writers_of(whole);
        let counted = self.counted.as_ref().map(|counted| counted.now.to_report());
        let (now, before_damage) = match &timeline.broken {
            None => (counted, None),
            // The keys of a damaged RDB are not counted.
            Some(broken) if broken.in_rdb => (None, None),
            Some(_) => (None, counted),
        };
        let (before, excise) = match verdict {
            Verdict::EndsInFlush { event } => (self.before(event), timeline.trailing.clone()),
            Verdict::FlushWithin { event } => (self.before(event), to_excise(timeline, event)),
            Verdict::Deletions { event } => {
                (None, event.map_or(Vec::new(), |event| to_excise(timeline, event)))
            }
            Verdict::Loss { event } => (None, to_excise(timeline, event)),
            _ => (None, Vec::new()),
        };
        let deletions = self.counted.as_ref().map(|counted| counted.deletions.clone());
        RecoverReport {
            path: whole.path.clone(),
            opened: log.opened.clone(),
            archived: false,
            layout: log.layout.clone(),
            hold_origin: hold_origin(whole),
            data_directory,
            parts: (log.parts.iter())
                .map(|part| PartSummary { name: part.name.clone(), bytes: part.mapping.len() })
                .collect(),
            bytes: log.bytes(),
            commands: timeline.commands,
            origin: self.counted.as_ref().map(|counted| counted.origin.clone()),
            answer: answer(verdict, timeline, deletions.is_some()),
            verdict,
            trailing: timeline.trailing.clone(),
            excise,
            events: timeline.events.clone(),
            earlier_events: timeline.earlier,
            times: timeline.times,
            clock_went_back: timeline.clock_went_back,
            tail: timeline.tail,
            broken: timeline.broken.clone(),
            newer_rdbs: timeline.newer_rdbs.clone(),
            unread: timeline.unread.clone(),
            unknown: timeline.unknown.clone(),
            unknown_forms: timeline.unknown_forms.clone(),
            possible_flushes: timeline.possible_flushes.clone(),
            course: self.counted.as_ref().map_or(Vec::new(), |counted| counted.course.clone()),
            loss_share: options.loss_share,
            loss_rate: options.loss_rate,
            nothing_lost: Facts { log, timeline, deletions: deletions.as_ref() }.nothing_lost(),
            deletions,
            keys_deleted: timeline.keys_deleted,
            now,
            before_damage,
            before,
            uncounted: self.uncounted.clone(),
            snapshot: snapshot(&candidates),
            candidates,
            candidate: options.candidate,
            missing: None,
            snapshot_only: SnapshotOnly::of_log(log, timeline),
            writers,
            done,
            next: Vec::new(),
            elsewhere: Vec::new(),
            elapsed_s: 0.0,
        }
    }
}

/// Returns the server that the log was secured from, unless another one runs on the secured log, which matters more.
pub(super) fn hold_origin(log: &Log) -> Option<HoldOrigin> {
    HoldOrigin::read(&data_directory(log)).filter(|_| writers_of(log).is_empty())
}

/// Returns how certain it is that lost data is in the log.
fn answer(verdict: Verdict, timeline: &Timeline, is_counted: bool) -> Answer {
    match verdict {
        Verdict::EndsInFlush { .. }
        | Verdict::FlushWithin { .. }
        | Verdict::Deletions { .. }
        | Verdict::Loss { .. } => match is_counted && timeline.newer_rdbs.is_empty() {
            true => Answer::Yes,
            false => Answer::Probably,
        },
        Verdict::FlushAfterDamage => Answer::Probably,
        Verdict::Unclear => Answer::CannotTell,
        Verdict::FlushOfNothing { .. } | Verdict::Ordinary | Verdict::Nothing | Verdict::Empty => {
            match is_counted && timeline.earlier == 0 {
                true => Answer::No,
                false => Answer::CannotTell,
            }
        }
    }
}

fn snapshot(candidates: &[Candidate]) -> Option<PathBuf> {
    let is_snapshot =
        |candidate: &&Candidate| candidate.kind == CandidateKind::File(OtherKind::Rdb);
    candidates.iter().find(is_snapshot).map(|candidate| candidate.files[0].path.clone())
}

/// Returns every process that has a part of the log open for writing.
fn writers_of(log: &Log) -> Vec<Holder> {
    let mut found: Vec<Holder> = Vec::new();
    for holder in log.parts.iter().flat_map(|part| writers(&part.path)) {
        if !found.contains(&holder) {
            found.push(holder);
        }
    }
    found
}
