//! The text of `aofkit backup --live`.

use std::fmt::Write;
use std::path::Path;
use std::time::Duration;

use serde::Serialize;

use super::envelope::Report;
use super::error::ErrorReport;
use super::lines;
use super::style::{GOOD, STRONG, Styled, WARNING, wrap};
use super::time::local;
use crate::base::escape::ShownPath;
use crate::base::units::{Bytes, Count, Elapsed, counted};
use crate::live::changed_settings::Change;
use crate::live::replication::Replication;
use crate::live::settings::{Outcome, Restored};
use crate::live::snapshot::How;
use crate::ops::backup::live::{LiveReport, PreviewReport, RestoreReport, Step, Strategy};

/// Returns the report of a backup; `backup` is the text on the archive.
pub fn text<T>(report: &LiveReport<T>, backup: &str) -> String {
    let mut text = String::new();
    let server = &report.server;
    let _ = writeln!(
        text,
        "{}  {}, {}",
        Styled(STRONG, &server.address),
        server.version,
        role(&report.replication)
    );
    let _ = writeln!(text, "  {}", ShownPath(&server.dir));
    text.push('\n');
    for step in &report.steps {
        text.push_str(&line(step));
    }
    text.push('\n');
    let _ = writeln!(text, "  snapshot  {}", snapshot(report));
    for setting in report.left_by_earlier_run.iter().chain(&report.settings) {
        let _ = writeln!(text, "  {}", setting_text(setting));
    }
    for warning in &report.warnings {
        let _ = lines::labelled(&mut text, 2, (WARNING, "warning:"), warning);
    }
    if !backup.is_empty() {
        let _ = write!(text, "\n{backup}");
    }
    let _ = writeln!(
        text,
        "\n{}: {} to {}, {}",
        Styled(GOOD, "DONE"),
        local(report.start.as_second()),
        local(report.end.as_second()),
        elapsed(report.elapsed_s)
    );
    text
}

/// Returns the report on what a backup to `to` would do.
pub fn preview(report: &PreviewReport, to: &Path) -> String {
    let mut text = String::new();
    let server = &report.server;
    let role = role(&report.replication);
    let _ = writeln!(text, "{}  {}, {role}", Styled(STRONG, &server.address), server.version);
    let files = counted(report.files, "file");
    let _ = writeln!(text, "\n  log        {}", ShownPath(&report.log));
    let _ = writeln!(text, "             {files}, {}", Bytes(report.bytes));
    if report.rewriting {
        let _ = writeln!(text, "  wait       for the rewrite in progress");
    }
    for Change { name, was, set } in &report.would_set {
        let _ = writeln!(text, "  set        {name} {set}, then back to {was}");
    }
    let what = match report.strategy {
        Strategy::Rewrite => "after BGREWRITEAOF: link the set and back it up",
        Strategy::Link => "link the set as it is and back it up",
    };
    let _ = writeln!(text, "  then       {what}");
    if let Some(free) = report.free_bytes {
        let _ = writeln!(text, "  into       {}, with {} free", ShownPath(to), Bytes(free));
    }
    let _ =
        writeln!(text, "\n{}: nothing was changed; it can be backed up", Styled(GOOD, "DRY RUN"));
    text
}

fn role(replication: &Replication) -> String {
    if replication.is_replica() {
        let lag = replication.lag_bytes.map(|lag| format!(", {} behind", Bytes(lag)));
        return format!("replica{}", lag.unwrap_or_default());
    }
    match replication.replicas {
        Some(replicas) if replicas > 0 => format!("primary of {}", counted(replicas, "replica")),
        _ => "primary".into(),
    }
}

fn line(step: &Step) -> String {
    let start = local(step.start.as_second());
    let head = format!("  {} {start}  {:>12}  ", step.number, elapsed(step.elapsed_s));
    let indent = head.chars().count();
    format!("{head}{}\n", wrap(&step.what, 80_usize.saturating_sub(indent), indent))
}

fn snapshot<T>(report: &LiveReport<T>) -> String {
    let snapshot = &report.snapshot;
    let held = match snapshot.held {
        How::Links => "linked",
        How::Open => "kept open, because links are not possible",
        How::Copy => "copied",
    };
    let files = counted(snapshot.files as u64, "file");
    let mut text =
        format!("{files}, {} ({} bytes), {held}", Bytes(snapshot.bytes), Count(snapshot.bytes));
    if snapshot.cut_bytes > 0 {
        let _ = write!(
            text,
            "\n            {} at the end were incomplete and are left out",
            counted(snapshot.cut_bytes, "byte")
        );
    }
    if snapshot.retries > 0 {
        let _ =
            write!(text, "\n            retried {}", counted(u64::from(snapshot.retries), "time"));
    }
    text
}

pub(super) fn setting_text(setting: &Restored) -> String {
    let Restored { change, outcome, now } = setting;
    let head = format!("setting   {}", change.name);
    match outcome {
        Outcome::Restored => {
            format!("{head}: {}, was {} meanwhile", value(&change.was), value(&change.set))
        }
        Outcome::AsBefore => format!("{head}: {}, as before", value(&change.was)),
        Outcome::LeftAlone => {
            format!(
                "{head}: {}, changed by another client meanwhile; it was {} before",
                value(now),
                value(&change.was)
            )
        }
    }
}

/// Returns the value of a setting for display.
fn value(value: &str) -> String {
    if value.is_empty() { "\"\"".to_owned() } else { ShownPath(value.as_ref()).to_string() }
}

/// Returns the report of `--restore-config`.
pub fn restored(report: &RestoreReport) -> String {
    let mut text =
        format!("{}  {}\n", Styled(STRONG, &report.server.address), report.server.version);
    match &report.settings {
        None => text.push_str("  nothing to restore: no earlier run was interrupted\n"),
        Some(settings) => {
            for setting in settings {
                let _ = writeln!(text, "  {}", setting_text(setting));
            }
        }
    }
    text
}

fn elapsed(seconds: f64) -> String {
    Elapsed(Duration::try_from_secs_f64(seconds).unwrap_or_default()).to_string()
}

impl<T: Serialize> Report for LiveReport<T> {
    const NAME: &'static str = "backup-live";
}

impl Report for PreviewReport {
    const NAME: &'static str = "backup-live-dry-run";
}

impl Report for RestoreReport {
    const NAME: &'static str = "backup-restore-config";
}

/// The reports on several servers, as they are printed with `--json`.
#[derive(Debug, Serialize)]
pub struct Servers<R> {
    /// The servers, in the order given.
    pub servers: Vec<Server<R>>,
}

/// The report or the error of one server.
#[derive(Debug, Serialize)]
pub struct Server<R> {
    /// The address of the server.
    pub address: String,
    /// The report; `None` if it failed.
    pub report: Option<R>,
    /// The error, if it failed.
    pub error: Option<ErrorReport>,
}

impl<R: Report> Report for Servers<R> {
    const NAME: &'static str = R::NAME;
}
