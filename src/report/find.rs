//! The text and the lines of `aofkit find`.

use std::fmt::{self, Write};

use super::diff::{size, time_ms};
use super::envelope::{JsonLines, Report};
use super::get::quoted;
use super::lines::failures;
use super::style::{QUIET, STRONG, Styled, WARNING};
use super::time::local;
use crate::base::escape::ShownPath;
use crate::base::units::counted;
use crate::ops::find::{Change, FindReport, FoundBackup, Hit};

/// The number of bytes of a key that are shown.
const SHOWN_KEY: usize = 256;

/// Returns the report as text.
pub fn text(report: &FindReport) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = report.backups.iter().try_for_each(|backup| backup_text(&mut out, backup));
    out
}

/// Returns the messages on what could not be read, and that nothing was found.
pub fn messages(report: &FindReport, quiet: bool) -> String {
    let mut out = failures(report.failed.iter());
    let searched = report.inputs.saturating_sub(report.failed.len() as u64);
    if report.backups.is_empty() && searched > 0 && !quiet {
        let note = Styled(QUIET, "note:");
        // Writing to a string cannot fail.
        let _ = writeln!(out, "{note} none of {} has such a key", counted(searched, "backup"));
    }
    out
}

fn backup_text(out: &mut String, backup: &FoundBackup) -> fmt::Result {
    let time = backup.time.map_or("time unknown".to_owned(), |time| local(time.as_second()));
    write!(out, "{time} {}", Styled(STRONG, ShownPath(&backup.path)))?;
    match &backup.source {
        Some(source) => writeln!(out, " ({source})")?,
        None => writeln!(out)?,
    }
    backup.hits.iter().try_for_each(|hit| writeln!(out, "  {}", hit_text(hit)))?;
    let more = backup.matches.saturating_sub(backup.hits.len() as u64);
    if more > 0 {
        writeln!(out, "  ... {}; --limit shows more", counted(more, "more key"))?;
    }
    Ok(())
}

fn hit_text(hit: &Hit) -> String {
    let state = &hit.state;
    let kind = if state.carried { "not understood".to_owned() } else { state.kind.to_string() };
    let expires = state.expires_ms.map_or(String::new(), |ms| format!(", expires {}", time_ms(ms)));
    let change = match hit.change {
        Some(Change::Oldest) | None => String::new(),
        Some(Change::New) => format!(", {}", Styled(WARNING, "new")),
        Some(Change::Changed) => format!(", {}", Styled(WARNING, "changed")),
        Some(Change::Same) => ", same".to_owned(),
    };
    let gone = match hit.gone_after {
        Some(true) => format!(", {}", Styled(WARNING, "gone in the next backup")),
        _ => String::new(),
    };
    let key = quoted(&hit.key, Some(SHOWN_KEY));
    format!(
        "[{}] {key}: {kind}, {}{expires}, {}{change}{gone}",
        hit.db,
        size(state),
        hit.fingerprint
    )
}

/// A line of a key, which also has the path of its backup.
#[derive(serde::Serialize)]
struct KeyLine<'r> {
    #[serde(serialize_with = "crate::base::escape::path")]
    path: &'r std::path::Path,
    #[serde(flatten)]
    hit: &'r Hit,
}

/// Returns the report as lines of JSON: for each backup a line, and one for each of its keys.
pub fn lines(report: &FindReport) -> Vec<u8> {
    let (mut lines, mut out) = (JsonLines::<FindReport>::default(), Vec::new());
    for backup in &report.backups {
        lines.line("backup", backup, &mut out);
        for hit in &backup.hits {
            lines.line("key", KeyLine { path: &backup.path, hit }, &mut out);
        }
    }
    lines.summary(report, &mut out);
    out
}

impl Report for FindReport {
    const NAME: &'static str = "find";
}
