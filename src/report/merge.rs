//! The text of `aofkit merge`.

use std::fmt::{self, Write};

use super::compact;
use super::envelope::Report;
use super::lines::row;
use super::style::{GOOD, QUIET, STRONG, Styled, WARNING, wrap};
use crate::base::escape::ShownPath;
use crate::base::units::{Count, counted};
use crate::ops::merge::MergeReport;
use crate::ops::recover::Winner;
use crate::report::lines::COLUMNS;

/// Returns the report as text.
pub fn text(report: &MergeReport) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = write_text(&mut out, report);
    out
}

fn write_text(out: &mut String, report: &MergeReport) -> fmt::Result {
    let (old, new) = (ShownPath(&report.old), ShownPath(&report.new));
    writeln!(out, "{}", Styled(STRONG, format!("{old} and {new}")))?;
    row(out, "old only", &counted(report.keys.from_old, "key"))?;
    row(out, "new only", &counted(report.keys.from_new, "key"))?;
    row(out, "both", &format!("{} equal", counted(report.keys.equal, "key")))?;
    let taken = match report.winner {
        Winner::Newer => "new",
        Winner::Older => "old",
    };
    if report.keys.different > 0 {
        let different = counted(report.keys.different, "key");
        row(out, "", &format!("{different} different; the {taken} one was taken"))?;
    }
    functions(out, report, taken)?;
    compact::keys(out, &report.result)?;
    compact::findings(out, &report.result, ": use --for redis-8.2 for that")?;
    compact::end(out, &report.result)?;
    writeln!(out)?;
    match &report.result.output {
        Some(output) => {
            let checked =
                if report.result.checked { ", read back and identical" } else { ", not read back" };
            writeln!(out, "{}: written to {}{checked}", Styled(GOOD, "MERGED"), ShownPath(output))
        }
        None => writeln!(out, "{}: nothing was written", Styled(QUIET, "DRY RUN")),
    }
}

/// Writes the numbers of function libraries, if there are any, and those of which one version was given up.
fn functions(out: &mut String, report: &MergeReport, taken: &str) -> fmt::Result {
    let functions = &report.functions;
    let libraries = functions.from_old + functions.from_new + functions.equal;
    if libraries > 0 {
        let (old, new) = (Count(functions.from_old), Count(functions.from_new));
        let both = Count(functions.equal);
        let what = format!("{old} only in the old one, {new} only in the new one, {both} equal");
        row(out, "libraries", &what)?;
    }
    if functions.different.is_empty() {
        return Ok(());
    }
    let what = format!(
        "both have different code under the same name; that of the {taken} one was taken: {}",
        functions.different.join(", ")
    );
    let name = "libraries:";
    writeln!(out, "  {} {}", Styled(WARNING, name), wrap(&what, COLUMNS - 3 - name.len(), 4))
}

impl Report for MergeReport {
    const NAME: &'static str = "merge";
}
