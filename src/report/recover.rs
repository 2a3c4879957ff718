//! The text of `aofkit recover`: the answer first, then the next steps as commands to copy.

mod answer;
mod candidates;
mod course;
mod events;
mod findings;
mod phrases;

use phrases::NAME;

use phrases::{LISTED, keys, paragraph, row};

use std::fmt::{self, Write};
use std::path::Path;

use self::answer::answer;
use self::candidates::{answer_without_a_log, candidates};
use self::course::course;
use self::events::events;
use self::findings::{deletions, scope, unknown, unread};
use super::envelope::Report;
use super::lines::{self, COLUMNS, actions, numbered, problem};
use super::style::{ERROR, GOOD, QUIET, STRONG, Styled, WARNING, wrap};
use crate::analysis::keyspace_summary::SummaryReport;
use crate::aof::log::Layout;
use crate::base::escape::{ShownPath, typed};
use crate::base::next_step::NextStep;
use crate::base::units::{Bytes, Count, counted};
use crate::ops::recover::{
    Conflicts, Done, Expired, Joined, LowerNumber, RecoverReport, RemovalReason, Winner,
};

/// Returns the report as text.
pub fn text(report: &RecoverReport) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = match &report.done {
        None => inspection(&mut out, report),
        Some(done) => recovered(&mut out, report, done),
    };
    out
}

fn inspection(out: &mut String, report: &RecoverReport) -> fmt::Result {
    if !answer_without_a_log(out, report)? {
        answer(out, report)?;
    }
    log(out, report)?;
    unread(out, report)?;
    unknown(out, report)?;
    comes_back(out, report)?;
    deletions(out, report)?;
    if report.snapshot_only.is_none() {
        scope(out, report)?;
    }
    course(out, report)?;
    events(out, report)?;
    right_now(out, report)?;
    candidates(out, report)?;
    get_it_back(out, report)?;
    elsewhere(out, report)
}

fn log(out: &mut String, report: &RecoverReport) -> fmt::Result {
    let parts = counted(report.parts.len() as u64, "part");
    writeln!(out)?;
    let what = format!(
        "{}: {parts}, {}, {}",
        ShownPath(&report.path),
        Bytes(report.bytes),
        counted(report.commands, "command")
    );
    row(out, "log", &what)?;
    if let Some(origin) = report.origin.as_ref().filter(|origin| origin.is_inferred()) {
        row(out, "written by", &origin.to_string())?;
    }
    if let Layout::OnePart { manifest: Some(manifest) } = &report.layout {
        let what = format!(
            "one part of the set {}: its other parts were not read; give the path of the set to read them",
            ShownPath(manifest)
        );
        row(out, "part", &what)?;
    }
    if let Some(number) = report.candidate {
        row(out, "candidate", &format!("this report is on candidate {number}, not on the log"))?;
    }
    if let Some(tail) = report.tail {
        let what =
            if tail.transaction { "a transaction without its EXEC" } else { "a torn command" };
        let what = format!(
            "{what} at byte {} of the last part, {}; left out, as by servers",
            Count(tail.offset),
            Bytes(tail.bytes)
        );
        row(out, "torn end", &what)?;
    }
    if let Some(broken) = &report.broken {
        let label = if broken.unproven { "NOT READ" } else { "DAMAGED" };
        let what = format!(
            "{}: byte {}: {}; what follows was not read as part of the log",
            broken.part,
            Count(broken.offset),
            broken.what
        );
        row(out, label, &what)?;
    }
    for newer in &report.newer_rdbs {
        row(out, "keys", &format!("unknown in {}: {}", newer.part, newer.content))?;
    }
    if let Some(why) = report.uncounted.as_ref().filter(|_| report.newer_rdbs.is_empty()) {
        row(out, "not counted", &format!("the log cannot be replayed here: {why}"))?;
    }
    if report.clock_went_back {
        row(out, "times", "the clock was set back somewhere in the log")?;
    }
    Ok(())
}

fn comes_back(out: &mut String, report: &RecoverReport) -> fmt::Result {
    let before_damage = report.before_damage.as_ref();
    let before_damage = before_damage.filter(|held| held.total > 0 || report.before.is_some());
    if report.before.is_some() || before_damage.is_some() {
        writeln!(out)?;
    }
    if let Some(before) = &report.before {
        holds(out, "before it", before)?;
    }
    if let Some(before_damage) = before_damage {
        holds(out, "undamaged", before_damage)?;
    }
    match &report.now {
        Some(now) if report.before.is_some() => holds(out, "now", now),
        _ => Ok(()),
    }
}

/// Writes the number of keys by database and type.
fn holds(out: &mut String, name: &str, held: &SummaryReport) -> fmt::Result {
    let each = held.keys.iter().map(|keys| (keys.db, keys.kind, keys.keys));
    lines::keys(out, name, (held.total, held.with_expiry), each, row)
}

/// Splits the choices into those that need no other step before them, and the others.
fn choices(report: &RecoverReport) -> (&[NextStep], impl Iterator<Item = &NextStep>) {
    let first = report.next.iter().position(|step| !step.alternative).unwrap_or(0);
    let (leading, rest) = report.next.split_at(first);
    (leading, rest.iter().filter(|step| step.alternative))
}

/// Writes the steps to take first if a server is running.
fn right_now(out: &mut String, report: &RecoverReport) -> fmt::Result {
    let (leading, _) = choices(report);
    if !leading.is_empty() {
        writeln!(out)?;
    }
    for choice in leading {
        writeln!(out, "{}", Styled(GOOD, wrap(&choice.why, COLUMNS, 0)))?;
        actions(out, choice)?;
    }
    let mut steps = report.next.iter().filter(|step| !step.alternative).peekable();
    if steps.peek().is_none() {
        return Ok(());
    }
    writeln!(out)?;
    if let Some(from) = &report.hold_origin {
        let head = format!(
            "This log was secured from the server at {}; the log of that server is {}. {}, in this order:",
            ShownPath(from.address.as_ref()),
            ShownPath(&from.log),
            if leading.is_empty() { "Next" } else { "Or, with a stop of the server" },
        );
        writeln!(out, "{}", Styled(WARNING, wrap(&head, COLUMNS, 0)))?;
        return numbered(out, steps);
    }
    if report.writers.is_empty() {
        let head = "If a server still runs on this log, first, in this order:";
        writeln!(out, "{}", Styled(WARNING, head))?;
    }
    for writer in &report.writers {
        let head = format!(
            "A SERVER IS RUNNING ON THIS LOG: process {} ({}). First, in this order:",
            writer.pid, writer.program
        );
        writeln!(out, "{}", Styled(ERROR, head))?;
    }
    numbered(out, steps)
}

/// Writes the commands that recover the data.
fn get_it_back(out: &mut String, report: &RecoverReport) -> fmt::Result {
    let (_, choices) = choices(report);
    let mut choices = choices.peekable();
    if choices.peek().is_some() {
        writeln!(out)?;
    }
    choices.try_for_each(|choice| {
        writeln!(out, "{}", wrap(&choice.why, COLUMNS, 0))?;
        actions(out, choice)
    })
}

/// Writes where else the data may be.
fn elsewhere(out: &mut String, report: &RecoverReport) -> fmt::Result {
    if report.elsewhere.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n{}", Styled(STRONG, "If data is missing, look for it in this order:"))?;
    numbered(out, report.elsewhere.iter())
}

/// Writes which function libraries and commands of the result servers refuse.
fn unloadable(out: &mut String, done: &Done, written: &Path) -> fmt::Result {
    let (libraries, commands): (Vec<_>, Vec<_>) = done.unloadable.iter().partition(|at| at.library);
    for at in libraries {
        let help =
            format!("`aofkit verify {}` shows which servers do not start with it", typed(written));
        problem(out, &format!("{}: {}", at.part, at.what), Some(&help))?;
    }
    for at in commands {
        let at = format!("{}: byte {}: {}", at.part, Count(at.offset), at.what);
        let help =
            format!("`aofkit repair {} --drop-failing --output NEW` leaves it out", typed(written));
        problem(out, &format!("{at}; servers refuse it or crash on it"), Some(&help))?;
    }
    Ok(())
}

fn recovered(out: &mut String, report: &RecoverReport, done: &Done) -> fmt::Result {
    let holds_keys = keys(done.holds.as_ref());
    match &done.written {
        Some(written) => {
            let counted = if done.holds.is_some() { "replayed" } else { "not replayed" };
            let rest =
                format!("Written to {}, read back and verified, {counted}.", ShownPath(written));
            paragraph(out, GOOD, &format!("RECOVERED{holds_keys}."), &rest)?;
            unloadable(out, done, written)?;
        }
        None => {
            let head = format!("DRY RUN{holds_keys}.");
            paragraph(out, QUIET, &head, "Nothing was written.")?;
        }
    }
    log(out, report)?;
    if let Some(held) = &done.holds {
        holds(out, "holds", held)?;
        row(out, "fingerprint", held.fingerprint.as_deref().unwrap_or("not computed"))?;
    }
    if let Some(bytes) = done.plan.kept_bytes {
        let whole = format!("{} of {}, unchanged", Count(bytes), counted(report.bytes, "byte"));
        row(out, "retained", &whole)?;
    }
    if let Some(found) = &done.plan.found {
        let mut what = format!(
            "{} before {}:{}",
            counted(found.commands, "command"),
            found.part,
            found.offset
        );
        if let Some(why) = &found.why {
            what.push_str(&format!(": {why}"));
        }
        row(out, "up to", &what)?;
    }
    if let Some(db) = done.plan.db {
        row(out, "database", &format!("only {db}; the others are unchanged"))?;
    }
    removed(out, done)?;
    if let Some(joined) = &done.joined {
        joined_sides(out, joined)?;
    }
    if let Some(conflicts) = &done.plan.conflicts {
        write_conflicts(out, conflicts)?;
    }
    if let Some(backup) = &done.backup {
        row(out, "original", &format!("saved as {}", ShownPath(backup)))?;
    }
    if report.next.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n{}", Styled(STRONG, "To put it in place:"))?;
    numbered(out, report.next.iter())
}

/// Writes how two sides were merged.
fn joined_sides(out: &mut String, joined: &Joined) -> fmt::Result {
    row(out, "restored", &counted(joined.brought_back, "key"))?;
    let both = counted(joined.on_both_sides, "key");
    match joined.winner {
        Some(winner) if joined.on_both_sides > 0 => {
            let winner = match winner {
                Winner::Newer => "the data written after the flush",
                Winner::Older => "the data from before the flush",
            };
            row(out, "both sides", &format!("{both} on both; taken from {winner}"))?;
        }
        None if joined.on_both_sides > 0 => {
            row(
                out,
                "skipped",
                &format!("{both} already restored by later commands, not changed"),
            )?;
        }
        _ => {}
    }
    if joined.expired > 0 {
        let were = match joined.expired_were {
            Expired::Drop => "left out; --expired persist restores them without an expiry",
            Expired::Persist => "restored without an expiry",
        };
        let some = joined.expired_keys.join(", ");
        let what =
            format!("{} expired in the meantime, {were}: {some}", counted(joined.expired, "key"));
        row(out, "expired", &what)?;
    }
    if joined.lower > 0 {
        let named = |it: &LowerNumber| format!("{} {} (not {})", it.key, it.result, it.other);
        let some: Vec<String> = joined.lower_keys.iter().map(named).collect();
        let keys = counted(joined.lower, "key");
        let what =
            format!("{keys} with a lower number than on the other side: {}", some.join(", "));
        row(out, "lower", &what)?;
    }
    Ok(())
}

/// Writes the differences that an excision causes.
fn write_conflicts(out: &mut String, conflicts: &Conflicts) -> fmt::Result {
    row(out, "restored", &counted(conflicts.brought_back, "key"))?;
    let same = format!("{} with the same result", counted(conflicts.unchanged, "later key"));
    row(out, "unchanged", &same)?;
    if !conflicts.any() {
        return row(out, "conflicts", "none: every later command has the same result");
    }
    let kinds = [
        (conflicts.mixed, "with old and new data mixed"),
        (conflicts.other_type, "of the old type, on which later commands failed"),
        (conflicts.other_expiry, "with another expiry, usually that of the old key"),
        (conflicts.missing, "created by later commands are missing"),
    ];
    for (count, what) in kinds.into_iter().filter(|(count, _)| *count > 0) {
        let what = format!("{} {what}", counted(count, "key"));
        writeln!(
            out,
            "  {}{}",
            Styled(WARNING, format_args!("{:<NAME$}", "conflict")),
            wrap(&what, COLUMNS - NAME - 2, NAME + 2)
        )?;
    }
    let shown = conflicts.examples.iter().take(5);
    let examples: Vec<String> = shown
        .map(|example| format!("{} in db {}: {}", example.key, example.db, example.how))
        .collect();
    row(out, "", &examples.join(", "))?;
    for turned in conflicts.commands.iter().take(5) {
        let what = format!(
            "{}: {} now, {} before, fail with {} (the first in {} at byte {})",
            turned.command,
            Count(turned.fail_now),
            Count(turned.failed_before),
            turned.error,
            turned.part,
            Count(turned.offset)
        );
        row(out, "", &what)?;
    }
    row(
        out,
        "",
        "--merge newer avoids conflicts: it keeps the two sides apart and merges them key by key",
    )
}

fn removed(out: &mut String, done: &Done) -> fmt::Result {
    for removed in done.plan.removed.iter().take(LISTED) {
        let why = match removed.why {
            RemovalReason::Chosen | RemovalReason::After => counted(removed.commands, "command"),
            RemovalReason::TornEnd => "the torn end, which no server reads".to_owned(),
        };
        let what = format!(
            "{}: byte {}, {}: {why}",
            removed.part,
            Count(removed.offset),
            Bytes(removed.bytes)
        );
        row(out, "removed", &what)?;
    }
    let more = done.plan.removed.len().saturating_sub(LISTED) as u64 + done.plan.removed_more;
    if more > 0 {
        row(out, "", &format!("and {} more ranges", Count(more)))?;
    }
    for part in &done.plan.parts_removed {
        row(out, "", &format!("{part} is no longer in the set"))?;
    }
    Ok(())
}

impl Report for RecoverReport {
    const NAME: &'static str = "recover";
}
