//! The text of what `aofkit recover --hold` has secured.

use std::fmt::Write;

use serde::Serialize;

use super::envelope::Report;
use super::style::{GOOD, Styled, WARNING, wrap};
use crate::base::escape::ShownPath;
use crate::base::units::{Bytes, counted};
use crate::live::snapshot::How;
use crate::ops::recover::RecoverReport;
use crate::ops::recover::hold::HoldReport;

/// Returns what was secured, where, and which setting to restore later.
pub fn text(report: &HoldReport) -> String {
    let mut text = String::new();
    let server = &report.server;
    let _ = writeln!(
        text,
        "{}: the log of {}, {}",
        Styled(GOOD, "HELD"),
        server.address,
        server.version
    );
    for kept in &report.kept {
        let how = match kept.held {
            How::Links => "linked: takes no disk space; the last file keeps growing",
            How::Open | How::Copy => "copied",
        };
        let files = counted(kept.files as u64, "file");
        let _ = writeln!(
            text,
            "  {}\n    {files}, {}, {how}",
            ShownPath(&kept.path),
            Bytes(kept.bytes)
        );
    }
    if report.rewrite_was_running {
        let what = "a rewrite was running: the first copy is the log from before it ended, the second the log \
                    after it. Data destroyed by a flush is in the first copy, if the rewrite began before the flush";
        let _ = writeln!(text, "  {} {}", Styled(WARNING, "warning:"), wrap(what, 69, 11));
    }
    let _ = writeln!(
        text,
        "  the server's own log is unchanged; the recovered log has to replace it:\n    {}",
        ShownPath(&report.log)
    );
    if report.next.is_empty() {
        text.push_str("  automatic rewrites were off already\n");
    } else {
        text.push_str("  automatic rewrites are off; to turn them on again:\n");
    }
    for command in report.next.iter().flat_map(|step| &step.actions) {
        let _ = writeln!(text, "    {command}");
    }
    text.push('\n');
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
