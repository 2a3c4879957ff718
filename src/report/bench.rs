//! The text of `aofkit bench`.

use std::fmt::{self, Write};
use std::time::Duration;

use super::envelope::Report;
use super::lines::COLUMNS;
use super::style::{GOOD, QUIET, STRONG, Styled, WARNING, wrap};
use crate::base::escape::ShownPath;
use crate::base::units::{Bytes, Count, counted};
use crate::ops::bench::{
    BenchReport, Checks, ProcessOutcome, ProcessReport, Ratio, Reader, ScanReport, Temperature,
    Times,
};

/// Returns the report as text.
pub fn text(report: &BenchReport) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = write_text(&mut out, report);
    out
}

fn write_text(out: &mut String, report: &BenchReport) -> fmt::Result {
    writeln!(out, "{}  {}", Styled(STRONG, ShownPath(&report.opened)), Bytes(report.bytes))?;
    let what = format!(
        "{} in {} bytes; {}, in turn; {} threads where parallel",
        counted(report.commands, "command"),
        Count(report.command_bytes),
        counted(report.rounds as u64, "round"),
        report.threads
    );
    writeln!(out, "  {}", wrap(&what, COLUMNS - 2, 2))?;
    if report.rdb_bytes > 0 {
        let what = format!("{} bytes of RDB are left out of scans", Count(report.rdb_bytes));
        writeln!(out, "  {what}")?;
    }
    scans(out, report, Temperature::Warm, "warm: mapped and read before the clock starts")?;
    scans(
        out,
        report,
        Temperature::Cold,
        "cold: mapped anew in each round, page-table faults paid; the page cache \
         stays warm",
    )?;
    if !report.processes.is_empty() {
        processes(out, report)?;
    }
    Ok(())
}

fn scans(out: &mut String, report: &BenchReport, mapping: Temperature, title: &str) -> fmt::Result {
    writeln!(out, "\n  {}", wrap(title, COLUMNS - 2, 2))?;
    let head = format!(
        "  {:10}  {:8}  {:>21}  {:>13}  {:>16}",
        "scan", "checks", "GB/s: min median max", "M commands/s", "time / sequential"
    );
    writeln!(out, "{}", Styled(QUIET, head))?;
    for scan in report.scans.iter().filter(|scan| scan.mapping == mapping) {
        scan_row(out, report, scan)?;
    }
    Ok(())
}

fn scan_row(out: &mut String, report: &BenchReport, scan: &ScanReport) -> fmt::Result {
    let reader = match scan.reader {
        Reader::Sequential => "sequential",
        Reader::Parallel => "parallel",
        Reader::Grammar => "nom alone",
    };
    let checks = match scan.checks {
        Checks::None => "none",
        Checks::Commands => "commands",
    };
    #[allow(clippy::cast_precision_loss)] // Three digits are shown.
    let millions = scan.commands_per_second as f64 / 1e6;
    let ratio = match scan.reader {
        Reader::Sequential => String::new(),
        Reader::Parallel | Reader::Grammar => format!("{:.2}", scan.times_of_sequential.median),
    };
    let line = format!(
        "  {reader:10}  {checks:8}  {}  {:>13}  {ratio:>17}",
        rates(&scan.times, report.command_bytes),
        decimals(millions)
    );
    writeln!(out, "{}", line.trim_end())
}

/// Returns the rates of the slowest, median and fastest round in GB/s.
fn rates(times: &Times, bytes: u64) -> String {
    let rate = |time: Duration| {
        #[allow(clippy::cast_precision_loss)] // Three digits are shown.
        let bytes = bytes as f64;
        decimals(bytes / time.as_secs_f64().max(1e-9) / 1e9)
    };
    // The longest time is the lowest rate.
    format!("{:>6} {:>7} {:>6}", rate(times.max), rate(times.median), rate(times.min))
}

fn processes(out: &mut String, report: &BenchReport) -> fmt::Result {
    let title = "whole processes, from start to end: including start, open and map; aofkit also \
                 reports on each server";
    writeln!(out, "\n  {}", wrap(title, COLUMNS - 2, 2))?;
    let head = format!(
        "  {:18}  {:>21}  {:>24}  {:>8}",
        "program", "GB/s: min median max", "seconds: min median max", "time"
    );
    writeln!(out, "{}", Styled(QUIET, head))?;
    for process in &report.processes {
        match &process.outcome {
            ProcessOutcome::Measured { times, times_of_own, .. } => {
                let ratio =
                    times_of_own.map_or(String::new(), |ratio| format!("{:.2}x", ratio.median));
                let seconds = |time: Duration| decimals(time.as_secs_f64());
                let line = format!(
                    "  {:18}  {}  {:>7} {:>8} {:>7}  {ratio:>8}",
                    process.name,
                    rates(times, report.bytes),
                    seconds(times.min),
                    seconds(times.median),
                    seconds(times.max)
                );
                writeln!(out, "{}", line.trim_end())?;
            }
            ProcessOutcome::Failed { message } => {
                let what = format!("{:18}  not measured: {message}", process.name);
                writeln!(out, "  {}", Styled(WARNING, wrap(&what, COLUMNS - 2, 22)))?;
            }
        }
    }
    for process in &report.processes {
        if let ProcessOutcome::Measured { times_of_own: Some(ratio), .. } = &process.outcome {
            verdict(out, report, process, *ratio)?;
        }
    }
    Ok(())
}

fn verdict(
    out: &mut String,
    report: &BenchReport,
    process: &ProcessReport,
    ratio: Ratio,
) -> fmt::Result {
    let what = format!(
        "{} takes {:.2} times as long as aofkit verify (median of {} pairs, {:.2} to {:.2})",
        process.name, ratio.median, report.rounds, ratio.min, ratio.max
    );
    writeln!(out, "\n  {}", Styled(GOOD, wrap(&what, COLUMNS - 2, 2)))
}

/// Returns the number with about three significant digits.
fn decimals(value: f64) -> String {
    let decimals = if value < 0.9995 {
        3
    } else if value < 99.95 {
        2
    } else {
        0
    };
    format!("{value:.decimals$}")
}

impl Report for BenchReport {
    const NAME: &'static str = "bench";
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aof::log::Layout;
    use crate::base::progress::Silent;
    use crate::ops::bench::{BenchOptions, bench};
    use std::path::PathBuf;

    fn times(seconds: [f64; 3]) -> Times {
        let rounds: Vec<Duration> = seconds.into_iter().map(Duration::from_secs_f64).collect();
        Times { min: rounds[0], median: rounds[1], max: rounds[2], rounds }
    }

    fn scan(reader: Reader, seconds: [f64; 3], ratio: f64) -> ScanReport {
        ScanReport {
            reader,
            checks: Checks::None,
            mapping: Temperature::Warm,
            times: times(seconds),
            bytes_per_second: 0,
            commands_per_second: 19_300_000,
            times_of_sequential: Ratio { min: ratio, median: ratio, max: ratio },
        }
    }

    fn report() -> BenchReport {
        let process = |name: &str, outcome| ProcessReport {
            name: name.to_string(),
            command: Vec::new(),
            outcome,
        };
        let measured = |seconds, times_of_own| ProcessOutcome::Measured {
            times: times(seconds),
            bytes_per_second: 0,
            times_of_own,
        };
        let ratio = Ratio { min: 8.2, median: 8.5, max: 8.75 };
        BenchReport {
            path: PathBuf::from("a.aof"),
            opened: PathBuf::from("a.aof"),
            layout: Layout::SingleFile,
            bytes: 1_000_000_100,
            rdb_bytes: 100,
            command_bytes: 1_000_000_000,
            commands: 13_200_000,
            threads: 2,
            rounds: 3,
            page_cache: "warm",
            scans: vec![
                scan(Reader::Sequential, [0.5, 0.6, 0.8], 1.0),
                scan(Reader::Parallel, [0.3, 0.35, 0.4], 0.58),
                scan(Reader::Grammar, [1.1, 1.2, 1.3], 2.0),
            ],
            processes: vec![
                process("aofkit verify", measured([0.4, 0.5, 0.6], None)),
                process("redis-check-aof", measured([4.0, 4.25, 5.0], Some(ratio))),
                process(
                    "valkey-check-aof",
                    ProcessOutcome::Failed { message: "exit status: 1: no output".into() },
                ),
            ],
        }
    }

    #[test]
    fn text_lists_measurements_and_conditions() {
        let text = anstream::adapter::strip_str(&text(&report())).to_string();
        let expected = "\
a.aof  954 MiB
  13,200,000 commands in 1,000,000,000 bytes; 3 rounds, in turn; 2 threads where
  parallel
  100 bytes of RDB are left out of scans

  warm: mapped and read before the clock starts
  scan        checks     GB/s: min median max   M commands/s  time / sequential
  sequential  none        1.25    1.67   2.00          19.30
  parallel    none        2.50    2.86   3.33          19.30               0.58
  nom alone   none       0.769   0.833  0.909          19.30               2.00

  cold: mapped anew in each round, page-table faults paid; the page cache stays
  warm
  scan        checks     GB/s: min median max   M commands/s  time / sequential

  whole processes, from start to end: including start, open and map; aofkit also
  reports on each server
  program              GB/s: min median max   seconds: min median max      time
  aofkit verify         1.67    2.00   2.50    0.400    0.500   0.600
  redis-check-aof      0.200   0.235  0.250     4.00     4.25    5.00     8.50x
  valkey-check-aof    not measured: exit status: 1: no output

  redis-check-aof takes 8.50 times as long as aofkit verify (median of 3 pairs,
  8.20 to 8.75)
";
        assert_eq!(text, expected);
        assert!(text.lines().all(|line| line.chars().count() <= COLUMNS));
    }

    #[test]
    fn json_times_are_seconds() {
        let json = serde_json::to_value(report()).unwrap();
        assert_eq!(json["scans"][0]["reader"], "sequential");
        assert_eq!(json["scans"][0]["median_s"], 0.6);
        assert_eq!(json["scans"][0]["rounds_s"][2], 0.8);
        assert_eq!(json["processes"][1]["status"], "measured");
        assert_eq!(json["processes"][1]["times_of_own"]["median"], 8.5);
        assert_eq!(json["processes"][2]["status"], "failed");
        assert_eq!(json["page_cache"], "warm");
    }

    #[test]
    fn report_on_a_tiny_log_fits_the_columns() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "*1\r\n$4\r\nPING\r\n").unwrap();
        let options = BenchOptions { rounds: 1, own_program: None, checkers: Vec::new() };
        let report = bench(file.path(), &options, &Silent).unwrap();
        let text = anstream::adapter::strip_str(&text(&report)).to_string();
        assert!(text.lines().skip(1).all(|line| line.chars().count() <= COLUMNS), "{text}");
    }
}
