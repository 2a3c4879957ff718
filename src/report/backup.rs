//! The text of `aofkit backup`.

use std::fmt::{self, Write};

use super::archive::left_out_after_rdb;
use super::envelope::Report;
use super::lines::{alternatives, error_word, rdb_and_commands, row, time, warning};
use super::retention::{problems, summary};
use super::style::{ERROR, GOOD, QUIET, STRONG, Styled, wrap};
use super::verify::finding_text;
use crate::base::escape::ShownPath;
use crate::base::units::{Bytes, Count, counted};
use crate::ops::backup::BackupReport;

/// Returns the report as text.
pub fn text(report: &BackupReport) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = write_text(&mut out, report);
    out
}

fn write_text(out: &mut String, report: &BackupReport) -> fmt::Result {
    writeln!(out, "{}", Styled(STRONG, ShownPath(&report.path)))?;
    row(out, "source", &report.plan.identity.to_string())?;
    row(out, "log", &Bytes(report.plan.log_bytes).to_string())?;
    compaction(out, report)?;
    if report.archive.is_some() {
        let held = rdb_and_commands(report.rdb_keys, report.commands);
        row(out, "contents", &format!("{held}, {}", Bytes(report.bytes)))?;
        if let Some(content) = &report.newer_rdb {
            let what = format!("{content}; its keys were not counted; it is valid by its checksum");
            row(out, "RDB", &wrap(&what, 66, 14))?;
        }
        let ratio = if report.ratio >= 1.0 {
            format!("{:.2} times smaller than the log", report.ratio)
        } else {
            format!("{:.2} times larger than the log", 1.0 / report.ratio.max(f64::MIN_POSITIVE))
        };
        row(out, "archive", &format!("{}, {ratio}", Bytes(report.archive_bytes)))?;
    }
    // A store has no limit that is known.
    if report.plan.needed_bytes > 0 && report.free_bytes > 0 {
        let (needed, free) = (Bytes(report.plan.needed_bytes), Bytes(report.free_bytes));
        row(out, "disk space", &format!("{needed} at most, of {free} free"))?;
    }
    if let Some(group) = &report.retention {
        row(
            out,
            "retention",
            &format!("{}, {}", report.plan.keep, summary(group, report.dry_run)),
        )?;
    }
    let steps = report.steps.iter().map(|step| (step.name, step.elapsed_s));
    row(out, "time", &wrap(&time(report.elapsed_s, steps), 64, 16))?;
    notes(out, report)?;
    writeln!(out)?;
    verdict(out, report)
}

fn compaction(out: &mut String, report: &BackupReport) -> fmt::Result {
    let Some(done) = &report.compaction else { return Ok(()) };
    let sizes = format!("{} to {}", Bytes(done.bytes_before), Bytes(done.bytes_after));
    row(out, "compacted", &format!("{sizes}, {} ({})", counted(done.keys, "key"), done.form))?;
    row(out, "fingerprint", &done.fingerprint)
}

fn notes(out: &mut String, report: &BackupReport) -> fmt::Result {
    let mut note = |text: String| warning(out, &text);
    if let Some(under_way) = &report.plan.under_way {
        note(format!(
            "process {} ({}) is writing the log: {} is backed up to byte {}; the {} after it, of an \
             unfinished command or transaction, are left out",
            under_way.writer.pid,
            under_way.writer.program,
            under_way.part,
            Count(under_way.end),
            counted(under_way.bytes, "byte"),
        ))?;
    }
    if report.plan.after_rdb > 0 {
        note(left_out_after_rdb(report.plan.after_rdb))?;
    }
    if let Some(done) = report.compaction.as_ref().filter(|done| done.failed_commands > 0) {
        let commands = counted(done.failed_commands, "command");
        note(format!(
            "{commands} of the log fail when a server loads it; `aofkit compact` lists them"
        ))?;
    }
    if report.others_may_write {
        note(
            "every user may write to the backup directory, and so replace archives: `chmod o-w` it"
                .to_owned(),
        )?;
    }
    if let Some(problem) = &report.retention_problem {
        note(format!("older archives were not removed: {problem}"))?;
    }
    if !report.cleared.is_empty() {
        let count = counted(report.cleared.len() as u64, "unfinished backup");
        note(format!("{count} of an earlier run removed; it was killed, or the machine stopped"))?;
    }
    match &report.retention {
        Some(group) => problems(out, group),
        None => Ok(()),
    }
}

/// Returns the warnings about files next to the log, which are printed even if nothing else is.
pub(crate) fn warnings(report: &BackupReport) -> String {
    let mut out = String::new();
    for finding in &report.plan.beside {
        // Writing to a string cannot fail.
        let _ = finding_text(&mut out, finding);
    }
    out
}

fn verdict(out: &mut String, report: &BackupReport) -> fmt::Result {
    for finding in &report.plan.beside {
        finding_text(out, finding)?;
        writeln!(out)?;
    }
    for finding in &report.plan.findings {
        finding_text(out, finding)?;
    }
    if !report.plan.findings.is_empty() {
        writeln!(out)?;
    }
    match &report.archive {
        Some(archive) => {
            let what = if report.plan.damaged { "the log, damaged as it is," } else { "the log" };
            let read_back = match (report.read_back, report.encrypted) {
                (true, false) => ", read back and identical",
                (true, true) => ", encrypted; the encrypted bytes were read back and are identical",
                (false, _) => "",
            };
            let word = Styled(GOOD, "BACKED UP");
            writeln!(out, "{word}: {what} is in {}{read_back}", ShownPath(archive))
        }
        None if report.plan.damaged => {
            alternatives(out, &report.next)?;
            let word = error_word(report.plan.findings.iter().map(|finding| finding.kind));
            writeln!(out, "{}: nothing was written", Styled(ERROR, word))
        }
        None => writeln!(out, "{}: nothing was written", Styled(QUIET, "DRY RUN")),
    }
}

impl Report for BackupReport {
    const NAME: &'static str = "backup";
}
