//! Phrases and rows that the parts of the report share.

use super::super::lines::{self, COLUMNS};
use super::super::style::{Styled, wrap};
use crate::analysis::keyspace_summary::SummaryReport;
use crate::base::units::{Count, counted};
use crate::ops::recover::{Event, EventKind, RecoverReport};
use std::fmt::{self, Write};

/// The number of events, recovery candidates and removed ranges that are listed; the rest is only counted.
pub(super) const LISTED: usize = 20;

/// Writes a paragraph whose `head` is in a style.
pub(super) fn paragraph(
    out: &mut String,
    style: anstyle::Style,
    head: &str,
    rest: &str,
) -> fmt::Result {
    let whole = wrap(&format!("{head} {rest}"), COLUMNS, 0);
    match whole.strip_prefix(head) {
        Some(rest) => writeln!(out, "{}{rest}", Styled(style, head)),
        None => writeln!(out, "{whole}"),
    }
}

/// Returns the command of an event as text.
pub(super) fn name(event: &Event) -> String {
    let times = match event.commands {
        1 => String::new(),
        times => format!(" {} times", Count(times)),
    };
    match event.what {
        EventKind::Flushall => format!("FLUSHALL{times}"),
        EventKind::Flushdb => format!("FLUSHDB of db {}{times}", event.db),
        EventKind::Swapdb { one, other } => format!("SWAPDB {one} {other}"),
        EventKind::Flushslot => "CLUSTER FLUSHSLOT".to_owned(),
        EventKind::FunctionFlush => "FUNCTION FLUSH".to_owned(),
        EventKind::Delete => {
            let command = event.command.as_deref().unwrap_or("DEL");
            format!("{command} of {}", counted(event.keys_named, "key"))
        }
        EventKind::Overwritten => {
            format!("{}{times} over values of another type", command(event))
        }
        EventKind::Expired => {
            format!("{}{times} of keys that have expired since", command(event))
        }
        EventKind::Emptied => format!("{}{times} that left keys empty", command(event)),
        EventKind::Rename if event.commands == 1 => "RENAME".to_owned(),
        EventKind::Rename => format!("{} renames", Count(event.commands)),
    }
}

fn command(event: &Event) -> &str {
    event.command.as_deref().unwrap_or("a command")
}

pub(super) fn event_of(report: &RecoverReport, number: u64) -> Option<&Event> {
    report.events.iter().find(|event| event.number == number)
}

pub(super) fn keys(held: Option<&SummaryReport>) -> String {
    held.map_or(String::new(), |held| format!(": {}", counted(held.total, "key")))
}

pub(super) fn row(out: &mut String, name: &str, value: &str) -> fmt::Result {
    lines::row(out, name, &wrap(value, COLUMNS - NAME - 2, NAME + 2))
}

pub(super) const NAME: usize = 12;
