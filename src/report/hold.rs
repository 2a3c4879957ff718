//! The text of what `aofkit recover --hold` has secured.

use std::fmt::Write;

use super::style::{GOOD, Styled, WARNING, wrap};
use crate::base::escape::ShownPath;
use crate::base::units::{Bytes, counted};
use crate::live::snapshot::How;
use crate::ops::recover::hold::HoldReport;

/// What was secured, where, and what has to be set back one day.
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
            How::Links => "linked: it costs no room, and its last file goes on growing",
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
        let told = "a rewrite was running: the first is the log from before it ended, the second what \
                    it left. What a flush destroyed is in the first, if it began before the flush";
        let _ = writeln!(text, "  {} {}", Styled(WARNING, "warning:"), wrap(told, 69, 11));
    }
    let _ = writeln!(
        text,
        "  the server's own log stays where it is; what is recovered goes there:\n    {}",
        ShownPath(&report.log)
    );
    match &report.turn_on {
        Some(command) => {
            let _ = writeln!(
                text,
                "  automatic rewrites are off; when all is well again:\n    {command}"
            );
        }
        None => text.push_str("  automatic rewrites were off already\n"),
    }
    text.push('\n');
    text
}
