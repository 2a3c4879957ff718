//! The text of `aofkit generate`.

use std::fmt::{self, Write};
use std::time::Duration;

use super::envelope::Report;
use super::style::{GOOD, STRONG, Styled};
use crate::base::escape::ShownPath;
use crate::base::units::{Bytes, Count, Elapsed, Rate};
use crate::ops::generate::GenerateReport;

/// Returns the report as text.
pub fn text(report: &GenerateReport) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = write_text(&mut out, report);
    out
}

fn write_text(out: &mut String, report: &GenerateReport) -> fmt::Result {
    let counts = &report.counts;
    let elapsed = Duration::try_from_secs_f64(report.elapsed_s).unwrap_or_default();
    writeln!(out, "{}", Styled(STRONG, ShownPath(&report.destination)))?;
    if report.files.len() > 1 {
        for file in &report.files {
            writeln!(out, "  {:>10}  {}", Bytes(file.bytes), file.name)?;
        }
    }
    writeln!(
        out,
        "{}: {}, {} commands on {} keys, seed {}, in {} ({})",
        Styled(GOOD, "GENERATED"),
        Bytes(counts.bytes),
        Count(counts.commands),
        Count(counts.keys),
        report.seed,
        Elapsed(elapsed),
        Rate { bytes: counts.bytes, elapsed }
    )
}

impl Report for GenerateReport {
    const NAME: &'static str = "generate";
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::generate::{Counts, GeneratedFile};

    #[test]
    fn text_has_the_seed_and_the_counts() {
        let file = |name: &str, bytes| GeneratedFile { name: name.to_owned(), bytes };
        let mut report = GenerateReport {
            destination: "x.aof".into(),
            files: vec![file("x.aof", 2 << 20)],
            counts: Counts { bytes: 2 << 20, commands: 26_000, keys: 1000, ..Counts::default() },
            seed: 7,
            elapsed_s: 0.01,
        };
        let plain =
            |report: &GenerateReport| anstream::adapter::strip_str(&text(report)).to_string();
        assert_eq!(
            plain(&report),
            "x.aof\nGENERATED: 2.00 MiB, 26,000 commands on 1,000 keys, seed 7, in 0.01 s (210 MB/s)\n"
        );
        report.files.push(file("x.manifest", 90));
        assert!(plain(&report).contains("    2.00 MiB  x.aof\n    90 bytes  x.manifest\n"));
    }
}
