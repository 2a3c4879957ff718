//! The list of the events that destroyed data.

use std::fmt::{self, Write};

use super::super::lines::COLUMNS;
use super::super::style::{QUIET, STRONG, Styled, wrap};
use super::super::time::local;
use super::phrases::{LISTED, name};
use crate::base::units::{Count, counted};
use crate::ops::recover::{Event, EventKind, RecoverReport, TimeRange};

/// Writes the events in the order of the log, each with the command that undoes it.
pub(super) fn events(out: &mut String, report: &RecoverReport) -> fmt::Result {
    if report.events.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n  {}", Styled(QUIET, "what destroyed data, in the order of the log"))?;
    let hidden = report.events.len().saturating_sub(LISTED) as u64 + report.earlier_events;
    if hidden > 0 {
        writeln!(out, "     ... {} before these; see --json", counted(hidden, "event"))?;
    }
    for event in report.events.iter().skip(report.events.len().saturating_sub(LISTED)) {
        let number = format!("{:>4}", event.number);
        let what = wrap(&description(report, event), COLUMNS - 8, 8);
        writeln!(out, "  {}  {what}", Styled(STRONG, number))?;
        for action in event.undo.iter().flat_map(|step| &step.actions) {
            writeln!(out, "        undo: {action}")?;
        }
    }
    Ok(())
}

fn description(report: &RecoverReport, event: &Event) -> String {
    let run = if event.ordinal == event.last_ordinal {
        format!("#{}", event.ordinal)
    } else {
        format!("#{} to #{}", event.ordinal, event.last_ordinal)
    };
    let mut what = format!("{}, {}:{} ({run})", name(event), event.part, event.offset);
    if event.transaction.is_some() {
        what.push_str(", in a transaction");
    }
    if event.never_run {
        what.push_str(", in a transaction without EXEC: no server runs it");
    }
    if !matches!(event.what, EventKind::Flushall | EventKind::Flushdb) && event.db != 0 {
        what.push_str(&format!(", db {}", event.db));
    }
    if let Some(time) = when(event.time) {
        what.push_str(&format!(", {time}"));
    }
    if let Some(until) = event.until.filter(|until| event.time.from != Some(*until)) {
        what.push_str(&format!(" to {}", local(until)));
    }
    if let Some(lost) = event.keys_lost {
        what.push_str(&format!("; lost {}", counted(lost, "key")));
        if let Some(before) = event.keys_before.filter(|before| *before > lost) {
            what.push_str(&format!(" of {}", Count(before)));
        }
    } else if event.what.is_flush() && !report.newer_rdbs.is_empty() {
        what.push_str("; how many keys it lost is unknown");
    }
    let prefixes = event.prefixes.iter();
    let prefixes: Vec<String> =
        prefixes.map(|prefix| format!("{} {}", prefix.pattern, Count(prefix.keys))).collect();
    if !prefixes.is_empty() {
        what.push_str(&format!(" ({})", prefixes.join(", ")));
    }
    let ends_the_log = report.trailing.contains(&event.number);
    if let Some(since) = event.keys_since.filter(|_| !ends_the_log) {
        what.push_str(&format!(", {} written since", Count(since)));
    }
    if event.is_routine {
        what.push_str("; routine: the same command is run on this database regularly");
    }
    what
}

fn when(time: TimeRange) -> Option<String> {
    match (time.exact, time.from, time.until) {
        (true, Some(seconds), _) => Some(local(seconds)),
        (_, Some(from), Some(until)) => Some(format!("{} to {}", local(from), local(until))),
        _ => None,
    }
}
