//! The rows on findings other than flushes, on what could not be read, and on the scope of the inspection.

use std::fmt;

use crate::analysis::unknown_commands::UnknownCommand;
use crate::base::units::{Count, counted};
use crate::ops::recover::{EventKind, IN_NUMBER_KEYS, IN_NUMBER_RUN, RecoverReport, Verdict};
use crate::report::recover::phrases::row;

/// The number of names of commands that are listed; the rest is only counted.
const NAMES: usize = 8;

/// Writes what was found after the position at which reading stopped.
pub(super) fn unread(out: &mut String, report: &RecoverReport) -> fmt::Result {
    let Some(unread) = &report.unread else { return Ok(()) };
    if report.verdict == Verdict::Empty {
        return Ok(());
    }
    if let Some(looks_like) = unread.looks_like {
        row(out, "looks like", &looks_like.to_string())?;
    }
    let mut what = match unread.commands {
        0 => "no whole command was found after it".to_owned(),
        some => format!(
            "{} from {}:{} on, readable by skipping the damage",
            counted(some, "whole command"),
            unread.part,
            unread.offset
        ),
    };
    if unread.keys_deleted > 0 {
        what.push_str(&format!("; they delete {}", counted(unread.keys_deleted, "key")));
    }
    row(out, "not read", &what)?;
    for flush in &unread.flushes {
        let name = match flush.what {
            EventKind::Flushall => "FLUSHALL",
            EventKind::Flushdb => "FLUSHDB",
            EventKind::Swapdb { .. } => "SWAPDB",
            _ => "CLUSTER FLUSHSLOT",
        };
        row(out, "", &format!("{name} at {}:{}", flush.part, flush.offset))?;
    }
    match unread.more_flushes {
        0 => Ok(()),
        more => row(out, "", &format!("and {} more", Count(more))),
    }
}

/// Writes the commands whose effect is unknown.
pub(super) fn unknown(out: &mut String, report: &RecoverReport) -> fmt::Result {
    for flush in report.possible_flushes.iter().rev().take(NAMES).rev() {
        let times = match flush.commands {
            1 => String::new(),
            times => format!(" {} times", Count(times)),
        };
        let before = match flush.keys_before {
            Some(keys) => format!("; {} before it", counted(keys, "key")),
            None => String::new(),
        };
        let what = format!(
            "{}{times}, {}:{} (#{}): no known server has this command, and it has no key: possibly a renamed FLUSHALL or FLUSHDB{before}",
            flush.name, flush.part, flush.offset, flush.ordinal
        );
        row(out, "not known", &what)?;
    }
    let others: Vec<&UnknownCommand> =
        report.unknown.iter().filter(|command| !is_reported(report, command)).collect();
    for command in others.iter().take(NAMES) {
        let what = match command.script {
            true => "a script, which may have written or deleted anything",
            false => "no known server has this command; it may have deleted keys",
        };
        let what = format!(
            "{}, {}, first at {}:{}: {what}",
            command.name,
            times(command.count),
            command.part,
            command.offset
        );
        row(out, "not known", &what)?;
    }
    for command in report.unknown_forms.iter().take(NAMES) {
        let what = format!(
            "{}, {}, first at {}:{}: no known server has this form of it, and answers with an error; a server that logged it may have changed or removed keys",
            command.name,
            times(command.count),
            command.part,
            command.offset
        );
        row(out, "not known", &what)?;
    }
    let more = |found: usize| found.saturating_sub(NAMES);
    match more(others.len()) + more(report.unknown_forms.len()) {
        0 => Ok(()),
        more => row(out, "", &format!("and {} more names; --json lists them", Count(more as u64))),
    }
}

/// Returns whether the command is already reported as a possible flush.
pub(super) fn is_reported(report: &RecoverReport, command: &UnknownCommand) -> bool {
    let flushes = report.possible_flushes.iter();
    let same = flushes.filter(|flush| flush.name.eq_ignore_ascii_case(&command.name));
    !command.script && same.map(|flush| flush.commands).sum::<u64>() == command.count
}

fn times(count: u64) -> String {
    if count == 1 { "once".to_owned() } else { format!("{} times", Count(count)) }
}

/// Writes the keys that were deleted by other commands than flushes.
pub(super) fn deletions(out: &mut String, report: &RecoverReport) -> fmt::Result {
    let Some(deletions) = report.deletions.as_ref().filter(|it| !it.none()) else {
        return Ok(());
    };
    let is_flush =
        matches!(report.verdict, Verdict::EndsInFlush { .. } | Verdict::FlushWithin { .. });
    if is_flush && !deletions.in_number {
        return Ok(());
    }
    if deletions.removed > 0 {
        let mut what = format!(
            "{} by DEL, UNLINK or GETDEL; {} missing at the end",
            counted(deletions.removed, "key"),
            is_or_are(deletions.gone)
        );
        if deletions.expired > 0 {
            let expired = is_or_are(deletions.expired);
            what.push_str(&format!(", of which {expired} expired by now"));
        }
        if deletions.recoverable > 0 {
            what.push_str(&format!(
                "; --undelete '*' restores {}. The log had at most {} at once, and deletions reduced that by at most {}",
                Count(deletions.recoverable),
                counted(deletions.most_keys, "key"),
                Count(deletions.fall)
            ));
        }
        row(out, "deleted", &what)?;
    }
    if deletions.emptied > 0 {
        let what = format!(
            "{} removed by other commands, such as LPOP of the last element",
            counted(deletions.emptied, "key")
        );
        row(out, "emptied", &what)?;
    }
    if deletions.expired_at_end > 0 {
        let what = format!(
            "{} at the end expired by now; a server that loads the log deletes them",
            counted(deletions.expired_at_end, "key")
        );
        row(out, "expired", &what)?;
    }
    Ok(())
}

fn is_or_are(count: u64) -> String {
    format!("{} {}", Count(count), if count == 1 { "is" } else { "are" })
}

/// Writes what the inspection covers, if the answer depends on it.
pub(super) fn scope(out: &mut String, report: &RecoverReport) -> fmt::Result {
    match report.verdict {
        Verdict::EndsInFlush { .. } | Verdict::FlushWithin { .. } | Verdict::Empty => return Ok(()),
        _ => {}
    }
    row(
        out,
        "checked for",
        "FLUSHALL, FLUSHDB, SWAPDB, CLUSTER FLUSHSLOT, FUNCTION FLUSH; keys that any command removed, replaced by another type, or gave an expiry that passed",
    )?;
    row(
        out,
        "not covered",
        "values that commands overwrote with the same type or shortened (SET, LTRIM, HDEL ...)",
    )?;
    let what = format!(
        "a loss removes, within a short span, at least {} % of the keys of a database, and {} keys or half of them; or {} keys at {} times the log's own rate of deletion",
        report.loss_share,
        Count(IN_NUMBER_KEYS),
        Count(IN_NUMBER_RUN),
        report.loss_rate
    );
    row(out, "threshold", &what)
}
