//! The text of `aofkit digest`.

use std::fmt::{self, Write};

use super::envelope::Report;
use super::style::{QUIET, STRONG, Styled, WARNING, wrap};
use crate::base::escape::ShownPath;
use crate::base::units::counted;
use crate::ops::digest::DigestReport;

/// Returns the report as text.
pub fn text(report: &DigestReport) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = write_text(&mut out, report);
    out
}

fn write_text(out: &mut String, report: &DigestReport) -> fmt::Result {
    writeln!(out, "{}", Styled(STRONG, ShownPath(&report.path)))?;
    let origin = wrap(&report.origin.to_string(), 65, 15);
    let mut row = |name: &str, value: &str| {
        writeln!(out, "  {} {value}", Styled(QUIET, format_args!("{name:<12}")))
    };
    if let Some(digest) = &report.digest {
        row("digest", digest)?;
        row("", &format!("(DEBUG DIGEST of {})", report.server))?;
    }
    row("fingerprint", &report.fingerprint)?;
    row("written by", &origin)?;
    row("keys", &counted(report.keys, "key"))?;
    if report.failed > 0 {
        let failed = counted(report.failed, "command");
        writeln!(
            out,
            "  {} {failed} that a server answers with an error",
            Styled(WARNING, "failed:")
        )?;
    }
    for lost in &report.lost_expiries {
        let what = wrap(&super::lines::lost_expiry(lost), 84, 4);
        writeln!(out, "  {} {what}", Styled(WARNING, "expiries:"))?;
    }
    if report.undigested > 0 {
        let keys = counted(report.undigested, "key");
        let what = "with module values: the digest of a server may differ";
        writeln!(out, "  {} {keys} {what}", Styled(WARNING, "modules:"))?;
    }
    Ok(())
}

impl Report for DigestReport {
    const NAME: &'static str = "digest";
}
