//! The first paragraph of the report: whether the data is still there.

use std::fmt;

use super::findings::is_reported;
use crate::aof::log::Layout;
use crate::base::units::{Count, counted};
use crate::ops::recover::{Answer, EventKind, RecoverReport, Verdict};
use crate::report::recover::phrases::{event_of, keys, name, paragraph};
use crate::report::style::{ERROR, GOOD, QUIET, WARNING};

/// Writes whether the data is still there.
pub(super) fn answer(out: &mut String, report: &RecoverReport) -> fmt::Result {
    let before = report.before.as_ref();
    let yes = if report.answer == Answer::Probably { "PROBABLY," } else { "YES," };
    match report.verdict {
        Verdict::EndsInFlush { .. } => paragraph(
            out,
            GOOD,
            &format!("{yes} your data is still there{}.", keys(before)),
            "The log ends in a FLUSHALL; everything before it is intact. Nothing was changed.",
        ),
        Verdict::FlushWithin { event } => {
            let event = event_of(report, event);
            let what = event.map(name).unwrap_or_default();
            let later = match event.and_then(|event| event.keys_since) {
                Some(0) => "",
                _ => "; more commands follow",
            };
            let rest = format!("It is in the log before a {what}{later}. Nothing was changed.");
            let head = format!("{yes} what was flushed is still there{}.", keys(before));
            paragraph(out, GOOD, &head, &rest)
        }
        Verdict::Deletions { event } => deleted(out, report, event),
        Verdict::Loss { event } => {
            let event = event_of(report, event);
            let lost = event.and_then(|event| event.keys_lost).unwrap_or(0);
            let what = event.map(name).unwrap_or_default();
            let head = format!("{yes} what was lost is still there: {}.", counted(lost, "key"));
            let rest = format!("It is in the log before {what}. Nothing was changed.");
            paragraph(out, GOOD, &head, &rest)
        }
        Verdict::FlushAfterDamage => {
            let before = match report.before_damage.as_ref().map_or(0, |held| held.total) {
                0 => String::new(),
                keys => format!("; before it there were {}", counted(keys, "key")),
            };
            let rest =
                format!("What follows the damage was not replayed{before}. Nothing was changed.");
            paragraph(
                out,
                WARNING,
                "PROBABLY: a flush is in the log, after a damaged place.",
                &rest,
            )
        }
        Verdict::Unclear => paragraph(
            out,
            WARNING,
            "CANNOT TELL whether data was destroyed in this log, because",
            &format!("{}. Nothing was changed.", why_unclear(report)),
        ),
        Verdict::FlushOfNothing { .. } if report.earlier_events > 0 => {
            let rest = format!(
                "There was nothing to flush before the last {}. The data from before earlier ones is still in the log. Nothing was changed.",
                Count(report.events.len() as u64)
            );
            paragraph(out, WARNING, "VERY MANY FLUSHES ARE IN THE LOG.", &rest)
        }
        Verdict::FlushOfNothing { .. }
            if !report.has_usable_candidate() || report.candidate.is_some() =>
        {
            paragraph(
                out,
                ERROR,
                "A FLUSH IS IN THE LOG, but there was nothing to flush before it.",
                &format!(
                    "{} {} If there is a backup, use it. Nothing was changed.",
                    match report.nothing_lost {
                        true => "Its data was never in this log, or a rewrite removed it.",
                        false => "If a rewrite ran before it, that removed its data.",
                    },
                    what_is_beside(report),
                ),
            )
        }
        Verdict::FlushOfNothing { .. } => paragraph(
            out,
            WARNING,
            "A FLUSH IS IN THE LOG, but there was nothing to flush before it.",
            "Another file here may have your data: see below. Nothing was changed.",
        ),
        Verdict::Nothing | Verdict::Empty
            if report.candidate.is_none() && report.has_usable_candidate() =>
        {
            let rest = "If there was one, a later rewrite removed it from the log. Another file here may have your data: see below. Nothing was changed.";
            paragraph(out, WARNING, "NO FLUSH IS IN THE LOG.", rest)
        }
        Verdict::Nothing if report.nothing_lost => paragraph(
            out,
            QUIET,
            "NOT IN THIS LOG: no command of it removed a key.",
            &format!(
                "Every command was read and replayed. If a key is missing, it was never in this log, {}or a rewrite removed it. {}",
                match report.deletions.as_ref().map_or(0, |deletions| deletions.renamed) {
                    0 => String::new(),
                    renamed => format!(
                        "it has another name or database ({} of RENAME or MOVE; `aofkit history KEY PATH` shows them), ",
                        counted(renamed, "command")
                    ),
                },
                what_is_beside(report)
            ),
        ),
        Verdict::Nothing => paragraph(
            out,
            QUIET,
            "NO FLUSH AND NO DELETION was found in what was read.",
            &format!(
                "{} If a rewrite ran, what was before it is no longer in the log. {}",
                what_is_missing(report),
                what_is_beside(report)
            ),
        ),
        Verdict::Ordinary => paragraph(
            out,
            QUIET,
            "NOT IN THIS LOG: only ordinary changes of keys were found.",
            "They are listed below, and are below both thresholds.",
        ),
        Verdict::Empty if report.broken.is_some() => {
            let looks_like = report.unread.as_ref().and_then(|unread| unread.looks_like);
            let rest = match looks_like {
                Some(looks_like) => format!("this looks like {looks_like}."),
                None => "either this is not a log, or it is damaged from the start.".to_owned(),
            };
            paragraph(out, ERROR, "NOT A SINGLE COMMAND CAN BE READ HERE:", &rest)
        }
        Verdict::Empty => paragraph(
            out,
            ERROR,
            "THE LOG IS EMPTY.",
            &format!("{} If there is a backup, use it.", what_is_beside(report)),
        ),
    }
}

/// Returns what the search next to the log has found, where that is of no use.
fn what_is_beside(report: &RecoverReport) -> &'static str {
    if report.candidate.is_some() {
        "The other files next to the log are listed without --candidate."
    } else if report.candidates.is_empty() {
        "No other file of a server was found next to it."
    } else if report.candidates.iter().any(|candidate| candidate.problem.is_some()) {
        "What was found next to it is listed below; not all of that can be read."
    } else {
        "The files that were found next to it, listed below, have no key that it lacks."
    }
}

/// Writes the answer for a mass deletion.
fn deleted(out: &mut String, report: &RecoverReport, event: Option<u64>) -> fmt::Result {
    let event = event.and_then(|event| event_of(report, event));
    let is_slot = event.is_some_and(|event| event.what == EventKind::Flushslot);
    let keys = match (event, &report.deletions) {
        (Some(event), Some(_)) if is_slot => event.keys_lost,
        (_, deletions) => deletions.as_ref().map(|deletions| deletions.recoverable),
    };
    let head = match keys {
        Some(keys) => format!("YES, deleted keys are still there: {}.", counted(keys, "key")),
        None => "PROBABLY: keys were deleted; they were not counted.".to_owned(),
    };
    let which = match event {
        Some(event) if is_slot => format!("They were deleted by a {}. ", name(event)),
        Some(event) => {
            let name = name(event);
            let article = if name.starts_with('U') { "an" } else { "a" };
            format!("The largest run is {article} {name}. ")
        }
        None => "They were deleted over a long span of the log. ".to_owned(),
    };
    let rest = format!("{which}Nothing was changed.");
    paragraph(out, if keys.is_some() { GOOD } else { WARNING }, &head, &rest)
}

/// Whether reading stopped at an RDB with unknown content whose checksum does not prove that it is whole.
fn is_unproven(report: &RecoverReport) -> bool {
    report.broken.as_ref().is_some_and(|broken| broken.unproven)
}

/// Returns the reasons why a loss cannot be ruled out.
fn why_unclear(report: &RecoverReport) -> String {
    let mut reasons = Vec::new();
    if !report.possible_flushes.is_empty() {
        reasons.push("a command may be a renamed FLUSHALL");
    }
    if report.unknown.iter().any(|command| command.script) {
        reasons.push("the effect of scripts is unknown");
    }
    if report.unknown.iter().any(|command| !command.script && !is_reported(report, command)) {
        reasons.push("some of its commands are unknown to all known servers");
    }
    if !report.unknown_forms.is_empty() {
        reasons.push("some of its commands have a form that no known server has");
    }
    if !report.newer_rdbs.is_empty() {
        reasons.push("the keys of an RDB are unknown to this version");
    }
    if is_unproven(report) {
        reasons.push("the RDB cannot be read, and what follows it was not replayed");
    } else if report.broken.is_some() || report.unread.is_some() {
        reasons.push("not all of it could be read");
    }
    if report.deletions.is_none() && report.keys_deleted > 0 {
        reasons.push("keys were deleted but not counted");
    }
    reasons.join("; ")
}

/// Returns what the answer does not cover.
fn what_is_missing(report: &RecoverReport) -> &'static str {
    if report.deletions.is_none() {
        "The log was not replayed, so keys removed by other commands are unknown."
    } else if matches!(report.layout, Layout::OnePart { .. }) {
        "The other parts of the set were not read."
    } else {
        "The unfinished end of the log was left out, as by servers."
    }
}
