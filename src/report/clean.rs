//! The text of `aofkit clean`.

use std::fmt::{self, Write};
use std::time::Duration;

use super::envelope::Report;
use super::lines::labelled;
use super::style::{ERROR, GOOD, QUIET, STRONG, Styled};
use crate::base::escape::ShownPath;
use crate::base::units::{Bytes, Elapsed, counted};
use crate::ops::clean::{CleanReport, FoundLeftover, Kind, Reason};

/// Returns the report as text.
pub fn text(report: &CleanReport) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = write_text(&mut out, report);
    out
}

fn write_text(out: &mut String, report: &CleanReport) -> fmt::Result {
    let directory = ShownPath(&report.directory);
    if report.leftovers.is_empty() {
        return writeln!(out, "{directory}: aofkit has left nothing here");
    }
    report.leftovers.iter().try_for_each(|leftover| one(out, leftover))?;
    let removable: Vec<&FoundLeftover> = report.removable().collect();
    let bytes: u64 = removable.iter().map(|leftover| leftover.bytes).sum();
    let count = counted(removable.len() as u64, "leftover");
    writeln!(out)?;
    match report.dry_run {
        true if removable.is_empty() => {
            writeln!(out, "{}: nothing is to be removed", Styled(STRONG, directory))
        }
        true => {
            writeln!(out, "{}: {count} to remove, {}", Styled(STRONG, directory), Bytes(bytes))?;
            writeln!(out, "{} --yes removes them", Styled(QUIET, "help:"))
        }
        false => {
            let removed = removable.iter().filter(|leftover| leftover.removed);
            let (count, bytes) = removed
                .fold((0, 0), |(count, bytes), leftover| (count + 1, bytes + leftover.bytes));
            let what = counted(count, "leftover");
            writeln!(out, "{}: {what}, {} from {directory}", Styled(GOOD, "REMOVED"), Bytes(bytes))
        }
    }
}

fn one(out: &mut String, leftover: &FoundLeftover) -> fmt::Result {
    let age = leftover.age_s.map_or_else(
        || "from the future".to_owned(),
        |age| format!("{} old", Elapsed(Duration::from_secs(age))),
    );
    let files = match leftover.files {
        1 => String::new(),
        files => format!("{}, ", counted(files, "file")),
    };
    writeln!(out, "{}", Styled(STRONG, ShownPath(&leftover.path)))?;
    let fate = match (leftover.keep, leftover.removed) {
        (Some(reason), _) => format!("kept: {}", because(reason)),
        (None, true) => "removed".to_owned(),
        (None, false) => "can be removed".to_owned(),
    };
    let what = kind(leftover.kind);
    writeln!(out, "  {what}; {age}; {files}{}; {fate}", Bytes(leftover.bytes))?;
    match &leftover.not_removed {
        Some(why) => labelled(out, 2, (ERROR, "error:"), &format!("not removed: {why}")),
        None => Ok(()),
    }
}

fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Original => "original of what was replaced",
        Kind::CutOff => "bytes that were cut off",
        Kind::Flushed => "log that a recovered one replaced",
        Kind::Hold => "secured log of a running server",
        Kind::Unfinished => "unfinished output",
        Kind::Journal => "journal of changed settings",
        Kind::Lock => "lock",
    }
}

fn because(reason: Reason) -> &'static str {
    match reason {
        Reason::Young => "younger than --older-than",
        Reason::OnlyCopy => "what it is a copy of is not here",
        Reason::AtWork => "the run that makes it may be at work",
        Reason::InUse => "a process is writing it",
        Reason::Unreadable => "not all of it can be listed",
        Reason::Listed => "a manifest lists it",
        Reason::InEffect => "the hold is in effect; `aofkit recover --release` ends it",
        Reason::NotProved => "it has no note that aofkit made it",
        Reason::Journal => "settings of a server are set back by it",
        Reason::Lock => "another run may be about to take it",
        Reason::Special => "it is neither a file nor a directory",
    }
}

impl Report for CleanReport {
    const NAME: &'static str = "clean";
}
