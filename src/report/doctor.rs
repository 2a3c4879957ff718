//! The text of `aofkit doctor`.

use std::fmt::{self, Write};

use anstyle::Style;

use super::envelope::Report;
use super::lines::{COLUMNS, actions};
use super::style::{ERROR, GOOD, QUIET, STRONG, Styled, WARNING, wrap};
use crate::base::escape::ShownPath;
use crate::base::units::counted;
use crate::ops::doctor::{DoctorReport, Finding, Level};

/// The column at which the text of a finding begins.
const TEXT: usize = 10;

/// Returns the report as text.
pub fn text(report: &DoctorReport) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = write_text(&mut out, report);
    out
}

fn write_text(out: &mut String, report: &DoctorReport) -> fmt::Result {
    let directory = report.directory.as_deref().map(|path| ShownPath(path).to_string());
    match (&report.server, directory) {
        (Some(server), directory) => {
            let line = report.line.as_deref().unwrap_or("version unknown");
            let data = directory.map(|it| format!(", data in {it}")).unwrap_or_default();
            writeln!(out, "{}  {line}{data}", Styled(STRONG, server))?;
        }
        (None, directory) => writeln!(out, "{}", Styled(STRONG, directory.unwrap_or_default()))?,
    }
    let ok = report.findings.len() - report.red - report.warnings - report.unknown;
    writeln!(
        out,
        "{} red, {}, {} unknown, {ok} ok\n",
        report.red,
        counted(report.warnings as u64, "warning"),
        report.unknown
    )?;
    let found = report.findings.iter().filter(|finding| finding.why.is_some());
    found.into_iter().try_for_each(|finding| write_finding(out, finding))?;
    unknown(out, report)?;
    let ok = report.findings.iter().filter(|finding| finding.level == Level::Ok);
    ok.into_iter().try_for_each(|finding| {
        write_line(out, Level::Ok, &format!("{}: {}", finding.check, finding.what))
    })
}

/// Writes the checks whose facts are unknown, those with the same reason in one line.
fn unknown(out: &mut String, report: &DoctorReport) -> fmt::Result {
    let mut reasons: Vec<(&str, Vec<String>)> = Vec::new();
    for finding in report.findings.iter().filter(|finding| finding.level == Level::Unknown) {
        let check = finding.check.to_string();
        match reasons.iter_mut().find(|(reason, _)| *reason == finding.what) {
            Some((_, checks)) => checks.push(check),
            None => reasons.push((&finding.what, vec![check])),
        }
    }
    reasons.into_iter().try_for_each(|(reason, checks)| {
        write_line(out, Level::Unknown, &format!("{}: {reason}", checks.join(", ")))
    })
}

fn write_line(out: &mut String, level: Level, text: &str) -> fmt::Result {
    let (style, label) = label(level);
    let text = wrap(text, COLUMNS - TEXT, TEXT);
    writeln!(out, "{}{text}", Styled(style, format_args!("{label:<TEXT$}")))
}

fn write_finding(out: &mut String, finding: &Finding) -> fmt::Result {
    write_line(out, finding.level, &finding.what)?;
    if let Some(why) = &finding.why {
        writeln!(out, "{:TEXT$}{}", "", wrap(why, COLUMNS - TEXT, TEXT))?;
    }
    for step in &finding.next {
        writeln!(out, "     - {}:", wrap(&step.why, COLUMNS - 8, 7))?;
        actions(out, step)?;
    }
    writeln!(out)
}

fn label(level: Level) -> (Style, &'static str) {
    match level {
        Level::Red => (ERROR, "red"),
        Level::Warning => (WARNING, "warning"),
        Level::Unknown => (QUIET, "unknown"),
        Level::Ok => (GOOD, "ok"),
    }
}

impl Report for DoctorReport {
    const NAME: &'static str = "doctor";
}
