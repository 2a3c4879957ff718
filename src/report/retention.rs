//! The text of `aofkit prune`, and of `aofkit backup` on older archives.

use std::fmt::{self, Write};

use jiff::Timestamp;

use super::envelope::Report;
use super::lines::warning;
use super::style::{ERROR, GOOD, QUIET, STRONG, Styled, WARNING};
use crate::base::escape::ShownPath;
use crate::base::units::{Bytes, counted};
use crate::ops::list::State;
use crate::ops::prune::{Group, Judged, PruneReport};

/// Returns the report as text.
pub fn text(report: &PruneReport) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = write_text(&mut out, report);
    out
}

fn write_text(out: &mut String, report: &PruneReport) -> fmt::Result {
    writeln!(out, "{}  {}", Styled(STRONG, ShownPath(&report.directory)), report.policy)?;
    for group in &report.groups {
        writeln!(out)?;
        writeln!(out, "{}", Styled(STRONG, &group.source))?;
        rows(out, group, report.dry_run)?;
        problems(out, group)?;
    }
    if !report.others.is_empty() {
        writeln!(out)?;
        let count = counted(report.others.len() as u64, "archive");
        writeln!(out, "{} {count} not made by `aofkit backup`: ignored", Styled(QUIET, "note:"))?;
        for other in report.others.iter().filter(|other| other.state == State::Unreadable) {
            let message = other.message.as_deref().unwrap_or("it cannot be read");
            let message = format!("{}: {message}", ShownPath(&other.path));
            warning(out, &message)?;
        }
    }
    writeln!(out)?;
    let count = counted(report.removed, "archive");
    let bytes = Bytes(report.freed_bytes);
    if report.dry_run {
        writeln!(out, "{}: {count} would be removed, {bytes}", Styled(QUIET, "DRY RUN"))
    } else {
        writeln!(out, "{}: {count} removed, {bytes} freed", Styled(GOOD, "PRUNED"))
    }
}

/// Writes a line for each backup of a source.
fn rows(out: &mut String, group: &Group, dry_run: bool) -> fmt::Result {
    for judged in &group.archives {
        let name = ShownPath(judged.plan.path.file_name().unwrap_or_default().as_ref()).to_string();
        let (word, style) = match (judged.plan.decision.keep, judged.removed || dry_run) {
            (true, _) => ("keep", QUIET),
            (false, true) => ("remove", WARNING),
            (false, false) => ("STAYS", ERROR),
        };
        let word = Styled(style, format_args!("{word:<6}"));
        let reasons: Vec<&str> =
            judged.plan.decision.reasons.iter().map(|reason| reason.shown()).collect();
        let reasons = reasons.join(", ");
        let line = format!("  {word} {} {name}  {reasons}", minute(judged.plan.created));
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}

fn minute(time: Timestamp) -> String {
    time.to_zoned(jiff::tz::TimeZone::system()).strftime("%Y-%m-%d %H:%M").to_string()
}

/// Writes the problems of a source as warnings.
pub(super) fn problems(out: &mut String, group: &Group) -> fmt::Result {
    let of_archive = |judged: &Judged| {
        let problems = [judged.plan.problem.clone(), judged.not_removed.clone()];
        let path = judged.plan.path.clone();
        let with_path = move |problem| format!("{}: {problem}", ShownPath(&path));
        problems.into_iter().flatten().map(with_path)
    };
    let all = group.archives.iter().flat_map(of_archive).chain(group.problem.clone());
    for problem in all {
        warning(out, &problem)?;
    }
    Ok(())
}

/// Returns a summary of the retained and removed archives of a source.
pub(super) fn summary(group: &Group, dry_run: bool) -> String {
    let (removed, bytes) = group.removed(dry_run);
    let kept = group.archives.iter().filter(|archive| archive.plan.decision.keep).count() as u64;
    let verb = if dry_run { "would be removed" } else { "removed" };
    let freed = if removed > 0 { format!(", {}", Bytes(bytes)) } else { String::new() };
    format!("{} kept, {removed} {verb}{freed}", counted(kept, "archive"))
}

impl Report for PruneReport {
    const NAME: &'static str = "prune";
}
