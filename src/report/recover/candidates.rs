//! The recovery candidates, and the answer where there is no whole log.

use std::fmt::{self, Write};

use super::super::lines::COLUMNS;
use super::super::style::{ERROR, GOOD, QUIET, STRONG, Styled, WARNING, wrap};
use super::super::time::local;
use super::phrases::{LISTED, paragraph};
use crate::base::escape::ShownPath;
use crate::base::units::{Bytes, Count, counted};
use crate::ops::recover::{Candidate, RecoverReport};

/// Writes the first paragraph of the report if a file of the log is missing, or if there is only a snapshot. Returns
/// whether it did.
pub(super) fn answer_without_a_log(
    out: &mut String,
    report: &RecoverReport,
) -> Result<bool, fmt::Error> {
    if let Some(missing) = &report.missing {
        let elsewhere = match best(report) {
            Some((candidate, keys)) => format!(
                "Candidate {} below has {}{}.",
                candidate.number,
                counted(keys, "key"),
                if report.parts.is_empty() {
                    ""
                } else {
                    " that the rest of the log does not have"
                }
            ),
            None if report.has_usable_candidate() => {
                "Another file here may have your data: see below.".to_owned()
            }
            None => "No other file with more keys was found; restore it from a backup.".to_owned(),
        };
        let head =
            if missing.kind == "no-log" { "NO LOG IS HERE:" } else { "THE LOG IS INCOMPLETE:" };
        let rest =
            format!("{}; {}. {elsewhere} Nothing was changed.", missing.what, missing.servers);
        let style = if best(report).is_some() { WARNING } else { ERROR };
        paragraph(out, style, head, &rest)?;
        return Ok(true);
    }
    let Some(snapshot) = report.snapshot_only.as_ref().filter(|_| report.candidate.is_none())
    else {
        return Ok(false);
    };
    let name = snapshot.path.file_name().unwrap_or_default();
    let time = snapshot.modified.map_or(String::new(), |time| format!(" OF {}", local(time)));
    let holds = match &report.now {
        Some(now) => {
            format!("HOLDS {} {}", Count(now.total), if now.total == 1 { "KEY" } else { "KEYS" })
        }
        None => "HOLDS KEYS THAT WERE NOT COUNTED".to_owned(),
    };
    let head = format!("{}{time} {holds}.", ShownPath(name.as_ref()));
    let is_empty = report.now.as_ref().is_some_and(|now| now.total == 0);
    let (style, rest) = if is_empty {
        (
            ERROR,
            "There is no append-only file here. A server with save points writes an empty snapshot at a FLUSHALL. If there is a backup, use it.",
        )
    } else {
        (
            GOOD,
            "There is no append-only file here. A snapshot has the data of one time, and not what happened to it since.",
        )
    };
    paragraph(out, style, &head, &format!("{rest} Nothing was changed."))?;
    Ok(true)
}

/// Returns the candidate with the most keys that the log does not have, and their number.
fn best(report: &RecoverReport) -> Option<(&Candidate, u64)> {
    let with_keys = report.candidates.iter().filter_map(|it| Some((it, it.adds?.keys)));
    with_keys.filter(|(_, keys)| *keys > 0).max_by_key(|(candidate, keys)| {
        // Of several, the first.
        (*keys, std::cmp::Reverse(candidate.number))
    })
}

/// Writes the recovery candidates.
pub(super) fn candidates(out: &mut String, report: &RecoverReport) -> fmt::Result {
    if report.candidates.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n  {}", Styled(QUIET, "recovery candidates"))?;
    for candidate in report.candidates.iter().take(LISTED) {
        write_candidate(out, candidate)?;
    }
    match report.candidates.len().saturating_sub(LISTED) {
        0 => Ok(()),
        more => writeln!(out, "     ... and {more} more; --json lists them all"),
    }
}

fn write_candidate(out: &mut String, candidate: &Candidate) -> fmt::Result {
    let names: Vec<String> =
        candidate.files.iter().map(|file| ShownPath(&file.path).to_string()).collect();
    let bytes = candidate.files.iter().map(|file| file.bytes).sum();
    let mut what = format!("{}: {}", names.join(", "), Bytes(bytes));
    if let Some(modified) = candidate.modified {
        what.push_str(&format!(", last written {}", local(modified)));
    }
    what.push_str(&format!(": {}", candidate.kind.meaning()));
    if let Some(held) = &candidate.holds {
        what.push_str(&format!("; would restore {}", counted(held.total, "key")));
        what.push_str(&added(candidate, held.total));
        if candidate.ends_in_flush {
            what.push_str(", without the FLUSHALL at its end");
        }
    }
    if let Some(content) = &candidate.unread {
        what.push_str(&format!("; number of keys unknown: {content}"));
    }
    if let Some(note) = &candidate.note {
        what.push_str(&format!("; {note}"));
    }
    if let Some(problem) = &candidate.problem {
        what.push_str(&format!("; cannot be used: {problem}"));
    }
    let number = format!("{:>4}", candidate.number);
    writeln!(out, "  {}  {}", Styled(STRONG, number), wrap(&what, COLUMNS - 8, 8))
}

/// Returns what a candidate would add to the data at the end of the log.
fn added(candidate: &Candidate, total: u64) -> String {
    let Some(adds) = candidate.adds.filter(|_| total > 0) else { return String::new() };
    let mut text = match adds.keys {
        0 => ", all of which the log has at its end".to_owned(),
        keys if keys == total => ", none of which the log has at its end".to_owned(),
        keys => format!(", {} of which the log does not have at its end", Count(keys)),
    };
    if adds.different > 0 {
        text.push_str(&format!(", {} with another value there", Count(adds.different)));
    }
    text
}
