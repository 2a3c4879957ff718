//! The text of `aofkit drill`.

use std::fmt::{self, Write};
use std::time::Duration;

use super::envelope::Report;
use super::lines::{rdb_and_commands, row};
use super::style::{ERROR, GOOD, QUIET, STRONG, Styled, WARNING, wrap};
use super::time::local;
use crate::base::escape::ShownPath;
use crate::base::units::{Bytes, Elapsed, counted};
use crate::ops::drill::report::{DrillReport, Drilled, Step, StepName, StepVerdict, Verdict};

/// Returns the report as text.
pub fn text(report: &DrillReport) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = write_text(&mut out, report);
    out
}

fn write_text(out: &mut String, report: &DrillReport) -> fmt::Result {
    for archive in &report.archives {
        archive_text(out, archive, report)?;
        writeln!(out)?;
    }
    let count = |verdict| report.archives.iter().filter(|one| one.verdict == verdict).count();
    let (failed, not_tried) = (count(Verdict::Failed), count(Verdict::NotTried));
    let all = counted(report.archives.len() as u64, "archive");
    let elapsed = Elapsed(Duration::from_secs_f64(report.elapsed_s));
    match (failed, not_tried) {
        (0, 0) => writeln!(out, "{}: {all} in {elapsed}", Styled(GOOD, "PASSED")),
        (0, some) => {
            writeln!(out, "{}: {some} of {all} in {elapsed}", Styled(WARNING, "NOT TRIED"))
        }
        (some, _) => writeln!(out, "{}: {some} of {all} in {elapsed}", Styled(ERROR, "FAILED")),
    }
}

fn archive_text(out: &mut String, archive: &Drilled, report: &DrillReport) -> fmt::Result {
    writeln!(out, "{}", Styled(STRONG, ShownPath(&archive.path)))?;
    if let Some(source) = &archive.source {
        row(out, "source", &source.to_string())?;
    }
    if let Some(created) = archive.created {
        row(out, "time", &local(created.as_second()))?;
    }
    row(out, "archive", &Bytes(archive.archive_bytes).to_string())?;
    if let Some(sha256) = &archive.sha256 {
        row(out, "SHA-256", sha256)?;
    }
    if archive.log_bytes > 0 {
        let held = rdb_and_commands(archive.rdb_keys, archive.commands);
        row(out, "log", &format!("{held}, {}", Bytes(archive.log_bytes)))?;
    }
    if let Some(fingerprint) = &archive.fingerprint {
        let keys = counted(archive.keys.values().sum(), "key");
        row(out, "data set", &format!("{keys}, fingerprint {fingerprint}"))?;
    }
    archive.steps.iter().try_for_each(|step| step_text(out, step, archive, report))
}

fn step_text(
    out: &mut String,
    step: &Step,
    archive: &Drilled,
    report: &DrillReport,
) -> fmt::Result {
    let word = match step.verdict {
        StepVerdict::Passed => Styled(GOOD, "passed"),
        StepVerdict::Failed => Styled(ERROR, "FAILED"),
        StepVerdict::NotTried => Styled(WARNING, "NOT TRIED"),
        StepVerdict::NotRecorded => Styled(WARNING, "not recorded"),
    };
    let elapsed = Elapsed(Duration::from_secs_f64(step.elapsed_s));
    let name = Styled(QUIET, format_args!("{:<12}", step.name.shown()));
    write!(out, "  {name}{word} in {elapsed}")?;
    let note = note(step, archive, report);
    let message = step.message.as_ref().or(note.as_ref());
    match message {
        None => writeln!(out),
        Some(message) => writeln!(out, "\n{:14}{}", "", wrap(message, 64, 14)),
    }
}

/// Returns what a step found that is worth a note, if it did not fail.
pub(super) fn note(step: &Step, archive: &Drilled, report: &DrillReport) -> Option<String> {
    match (step.name, step.verdict) {
        (StepName::Compare, StepVerdict::NotRecorded) => Some(
            "the backup recorded no fingerprint, as `backup --compact` does; only the SHA-256 of \
             each file was compared"
                .to_owned(),
        ),
        (StepName::Load, StepVerdict::Passed) => {
            let server = report.server.as_deref().unwrap_or("the server");
            let loaded = archive.loaded.as_ref()?;
            let keys = counted(loaded.keys.values().sum(), "key");
            let digest = match (&loaded.expected_digest, &loaded.digest) {
                (Some(_), Some(digest)) => format!("digest {digest}"),
                (Some(_), None) => "it has no DEBUG DIGEST to compare".to_owned(),
                (None, _) => "its digest cannot be computed here".to_owned(),
            };
            let elapsed = Elapsed(Duration::from_secs_f64(loaded.load_s));
            Some(format!("{server} loaded {keys} in {elapsed}, {digest}"))
        }
        _ => None,
    }
}

impl Report for DrillReport {
    const NAME: &'static str = "drill";
}
