//! The text of what `aofkit recover --hold` has secured.

use std::fmt::Write;
use std::time::Duration;

use serde::Serialize;

use super::envelope::Report;
use super::live::setting_text;
use super::style::{GOOD, STRONG, Styled, WARNING, wrap};
use crate::base::escape::ShownPath;
use crate::base::units::{Bytes, Elapsed, counted};
use crate::live::snapshot::How;
use crate::ops::recover::RecoverReport;
use crate::ops::recover::hold::{HoldReport, HoldsReport, Kept, ReleaseReport};

/// Returns what was secured, where, and how to set the settings back later.
pub fn text(report: &HoldReport) -> String {
    let mut text = String::new();
    let server = &report.server;
    let what = if report.snapshot_only { "the snapshot" } else { "the log" };
    let _ = writeln!(
        text,
        "{}: {what} of {}, {}",
        Styled(GOOD, "HELD"),
        server.address,
        server.version
    );
    for kept in &report.kept {
        let _ = writeln!(text, "  {}\n    {}", ShownPath(&kept.path), retained(kept));
    }
    if report.rewrite_was_running {
        let what = "a rewrite was running: the first copy is the log from before it ended, the second the log \
                    after it. Data destroyed by a flush is in the first copy, if the rewrite began before the flush";
        warning(&mut text, what);
    }
    report.warnings.iter().for_each(|what| warning(&mut text, what));
    let _ = writeln!(
        text,
        "  the server's own {} is unchanged; what is recovered has to replace it:\n    {}",
        if report.snapshot_only { "snapshot" } else { "log" },
        ShownPath(&report.log)
    );
    match (report.next.is_empty(), report.snapshot_only) {
        // That it could not be changed is one of the warnings.
        (true, _) if report.is_refused => {}
        (true, false) => text.push_str("  automatic rewrites were off already\n"),
        (true, true) => text.push_str("  no save points were set\n"),
        (false, false) => {
            text.push_str("  automatic rewrites are off; at the end, to set this back:\n");
        }
        (false, true) => {
            text.push_str("  save points are held off; at the end, to set them back:\n");
        }
    }
    for command in report.next.iter().flat_map(|step| &step.actions) {
        let _ = writeln!(text, "    {command}");
    }
    text.push('\n');
    text
}

fn warning(text: &mut String, what: &str) {
    let _ = writeln!(text, "  {} {}", Styled(WARNING, "warning:"), wrap(what, 69, 11));
}

/// Returns what was retained, and how.
fn retained(kept: &Kept) -> String {
    let how = match (kept.held, kept.files) {
        (How::Links, 0) => "linked: takes no disk space",
        (How::Links, _) => "linked: takes no disk space; the last file keeps growing",
        (How::Open | How::Copy, _) => "copied",
    };
    let log = (kept.files > 0)
        .then(|| format!("{}, {}", counted(kept.files as u64, "file"), Bytes(kept.bytes)));
    let rdb = kept.snapshot_bytes.map(|bytes| format!("an RDB of {}", Bytes(bytes)));
    let what: Vec<String> = log.into_iter().chain(rdb).collect();
    format!("{}, {how}", what.join(", and "))
}

/// Returns the settings that were set back.
pub(crate) fn released(report: &ReleaseReport) -> String {
    let mut text =
        format!("{}  {}\n", Styled(STRONG, &report.server.address), report.server.version);
    if report.journal.is_none() {
        text.push_str(
            "  nothing was set back: no record of a setting that a hold changed is in its data directory on this machine\n  \
             (--dir), in --hold-to DIR or in the state directory of the user\n",
        );
    }
    for setting in &report.unrecorded {
        warning(
            &mut text,
            &format!(
                "{setting} is 0, so that the server never rewrites its log by itself. If a hold set it, as one of another user, set it back to the value in redis.conf; the default is 100"
            ),
        );
    }
    for setting in &report.settings {
        let _ = writeln!(text, "  {}", setting_text(setting));
    }
    text
}

/// Returns the list of secured logs.
pub(crate) fn listed(report: &HoldsReport) -> String {
    let mut text = String::new();
    if report.holds.is_empty() {
        let _ = writeln!(text, "no secured log is in {}", ShownPath(&report.directory));
    }
    for hold in &report.holds {
        let age = hold.age_s.map_or_else(
            || "of unknown age".to_owned(),
            |age| format!("{} old", Elapsed(Duration::from_secs(age))),
        );
        let server = match &hold.server {
            Some(origin) => format!(
                "{}, {}",
                ShownPath(origin.address.as_ref()),
                ShownPath(origin.version.as_ref())
            ),
            None => "of an unknown server".to_owned(),
        };
        let files = counted(hold.files, "file");
        let _ = writeln!(text, "{}", Styled(STRONG, ShownPath(&hold.path)));
        let _ = writeln!(text, "  {age}; {files}, {}; {server}", Bytes(hold.bytes));
    }
    text
}

/// The report of `recover --hold`: that of `recover`, and what was secured first.
#[derive(Debug, Serialize)]
pub struct HeldAndRecovered<'r> {
    /// What was secured, and how.
    pub hold: &'r HoldReport,
    /// The report on the secured log.
    #[serde(flatten)]
    pub recover: &'r RecoverReport,
}

impl Report for HeldAndRecovered<'_> {
    const NAME: &'static str = RecoverReport::NAME;
}

impl Report for ReleaseReport {
    const NAME: &'static str = "recover-release";
}

impl Report for HoldsReport {
    const NAME: &'static str = "recover-holds";
}
