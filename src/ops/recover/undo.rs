//! The commands that undo an event.

use super::event_kind::EventKind;
use super::report::RecoverReport;
use super::timeline::Event;
use crate::aof::log::Layout;
use crate::base::next_step::{Action, NextStep, path_arg};

/// Returns the choice of a recovery with these options to a new path.
pub(super) fn choice(report: &RecoverReport, why: impl Into<String>, options: &[&str]) -> NextStep {
    let mut args = vec!["recover".to_owned(), path_arg(&report.path)];
    if let Some(number) = report.candidate {
        args.extend(["--candidate".to_owned(), number.to_string()]);
    }
    args.extend(options.iter().map(|option| (*option).to_owned()));
    args.extend(["--output".to_owned(), new_name(report, "recovered")]);
    NextStep::alternative(why, [Action::aofkit(args)])
}

pub(super) fn new_name(report: &RecoverReport, name: &str) -> String {
    let is_snapshot = report.opened.extension().is_some_and(|extension| extension == "rdb");
    match report.layout {
        Layout::MultiPart { .. } => name.to_owned(),
        // The result is what the server loads, which the candidate does not decide.
        _ if report.candidate.is_some() || is_snapshot => name.to_owned(),
        _ => format!("{name}.aof"),
    }
}

/// Returns the commands to choose from that undo an event other than a flush.
pub(super) fn choices(report: &RecoverReport, event: &Event, is_damaged: bool) -> Vec<NextStep> {
    let before = before(report, event);
    if is_damaged {
        return vec![before];
    }
    match event.what {
        // The new value of a key is there, so that only the older side brings the old one back.
        EventKind::Overwritten | EventKind::Rename => vec![merge(report, event, "older"), before],
        _ => vec![merge(report, event, "newer"), before],
    }
}

/// Returns the command that undoes an event, for the list of events; `None` if the event removed no keys.
pub(super) fn undo(report: &RecoverReport, event: &Event) -> Option<NextStep> {
    let is_damaged = report.broken.is_some();
    let is_growing = report.hold_origin.is_some() && !is_damaged;
    if report.trailing.contains(&event.number) && event.keys_lost != Some(0) && !is_growing {
        return Some(choice(report, "Remove the FLUSHALL at the end:", &["--strip"]));
    }
    match event.what {
        EventKind::Swapdb { .. } | EventKind::FunctionFlush => None,
        _ if event.never_run || event.keys_lost == Some(0) => None,
        _ => choices(report, event, is_damaged).into_iter().next(),
    }
}

fn merge(report: &RecoverReport, event: &Event, winner: &str) -> NextStep {
    let why = match winner {
        "older" => "Restore what it replaced, and keep all other current data:",
        _ => "Restore what it removed, and keep all current data:",
    };
    choice(report, why, &["--merge", winner, "--excise", &event.number.to_string()])
}

fn before(report: &RecoverReport, event: &Event) -> NextStep {
    let why = "Everything before it, without the commands after it:";
    choice(report, why, &["--until", &format!("#{}", event.ordinal)])
}
