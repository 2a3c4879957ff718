//! The text of `aofkit compress`, of `aofkit extract`, and of what `aofkit verify` says of an archive.

use std::fmt::{self, Write};
use std::time::Duration;

use super::style::{GOOD, QUIET, STRONG, Styled};
use crate::escape::ShownPath;
use crate::ops::archive::{CompressReport, ExtractReport};
use crate::units::{Bytes, Elapsed};

/// The report of `compress`.
pub fn compressed(report: &CompressReport) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = compressed_to(&mut out, report);
    out
}

fn compressed_to(out: &mut String, report: &CompressReport) -> fmt::Result {
    writeln!(out, "{}", Styled(STRONG, ShownPath(&report.path)))?;
    let row = |out: &mut String, name: &str, value: &str| {
        writeln!(out, "  {:<14}{value}", Styled(QUIET, format_args!("{name:<12}")))
    };
    for file in &report.contents.files {
        row(out, "file", &format!("{} {}", file.name, Bytes(file.bytes)))?;
    }
    let sizes = format!("{}, {:.2} times smaller", Bytes(report.archive_bytes), report.ratio);
    row(out, "archive", &sizes)?;
    row(out, "time", &Elapsed(Duration::from_secs_f64(report.elapsed_s)).to_string())?;
    writeln!(out)?;
    let checked = if report.checked { ", read back and the same" } else { ", not read back" };
    writeln!(
        out,
        "{}: written to {}{checked}",
        Styled(GOOD, "COMPRESSED"),
        ShownPath(&report.output)
    )
}

/// The report of `extract`.
pub fn extracted(report: &ExtractReport) -> String {
    format!("{}: written to {}\n", Styled(GOOD, "EXTRACTED"), ShownPath(&report.output))
}
