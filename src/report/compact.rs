//! The text of `aofkit compact`.

use std::fmt::{self, Write};
use std::time::Duration;

use super::envelope::Report;
use super::lines::{self, COLUMNS, row};
use super::style::{GOOD, QUIET, STRONG, Styled, WARNING, wrap};
use crate::base::escape::ShownPath;
use crate::base::units::{Bytes, Count, Elapsed, counted};
use crate::ops::compact::{CompactReport, Form};

/// The number of kinds of failed commands that are listed; the rest is only counted.
const LISTED: usize = 10;

/// Returns the report as text.
pub fn text(report: &CompactReport) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = write_text(&mut out, report);
    out
}

fn write_text(out: &mut String, report: &CompactReport) -> fmt::Result {
    writeln!(out, "{}", Styled(STRONG, ShownPath(&report.path)))?;
    before_and_after(out, report)?;
    keys(out, report)?;
    reclaimed(out, report)?;
    findings(out, report, ": use --for redis-8.2 for that")?;
    end(out, report)?;
    writeln!(out)?;
    match &report.output {
        Some(output) => {
            let checked =
                if report.checked { ", read back and identical" } else { ", not read back" };
            writeln!(
                out,
                "{}: written to {}{checked}",
                Styled(GOOD, "COMPACTED"),
                ShownPath(output)
            )
        }
        None => writeln!(out, "{}: nothing was written", Styled(QUIET, "DRY RUN")),
    }
}

/// Writes the fingerprint and the time.
pub(super) fn end(out: &mut String, report: &CompactReport) -> fmt::Result {
    row(out, "fingerprint", &report.fingerprint)?;
    let elapsed = Elapsed(Duration::from_secs_f64(report.elapsed_s));
    let memory = report.memory_bytes.map_or(String::new(), |m| format!(", {} of memory", Bytes(m)));
    let phases: Vec<String> = (report.phases.iter())
        .map(|phase| format!("{} {:.2}", phase.name, phase.elapsed_s))
        .collect();
    row(out, "time", &format!("{elapsed}{memory} ({})", phases.join(", ")))
}

pub(super) fn before_and_after(out: &mut String, report: &CompactReport) -> fmt::Result {
    let mut held = counted(report.commands_before, "command");
    if report.rdb_keys_before > 0 {
        let keys = counted(report.rdb_keys_before, "key");
        held = format!("an RDB with {keys}, then {held}");
    }
    row(out, "before", &format!("{}, {held}", Bytes(report.bytes_before)))?;
    if report.commands_flushed > 0 {
        let commands = counted(report.commands_flushed, "command");
        row(out, "", &format!("{commands} of them before the last FLUSHALL"))?;
    }
    #[allow(clippy::cast_precision_loss)] // Three digits are shown.
    let ratio = match (report.bytes_before, report.bytes_after) {
        (_, 0) | (0, _) => String::new(),
        (before, after) if before >= after => {
            format!(", {:.2} times smaller", before as f64 / after as f64)
        }
        (before, after) => format!(", {:.2} times larger", after as f64 / before as f64),
    };
    let origin = report.origin.to_string();
    row(out, "written by", &wrap(&origin, COLUMNS - 14, 14))?;
    let form = format!("{} for {}", report.form, report.encoding);
    row(out, "after", &format!("{}{ratio} ({form})", Bytes(report.bytes_after)))
}

pub(super) fn keys(out: &mut String, report: &CompactReport) -> fmt::Result {
    let total = report.keys.iter().map(|keys| keys.keys).sum();
    let each = report.keys.iter().map(|keys| (keys.db, keys.kind, keys.keys));
    lines::keys(out, "keys", (total, report.keys_with_expiry), each, row)?;
    if report.functions > 0 {
        row(out, "functions", &format!("{}", Count(report.functions)))?;
    }
    if report.left_out.unwanted > 0 {
        row(
            out,
            "left out",
            &format!("{} excluded by filters", counted(report.left_out.unwanted, "key")),
        )?;
    }
    if report.left_out.expired > 0 {
        row(out, "left out", &format!("{} expired", counted(report.left_out.expired, "key")))?;
    }
    if report.persisted > 0 {
        let what = format!("{} expired, kept without an expiry", counted(report.persisted, "key"));
        row(out, "persisted", &what)?;
    }
    Ok(())
}

/// The number of prefixes that are listed.
const PREFIXES: usize = 5;

fn reclaimed(out: &mut String, report: &CompactReport) -> fmt::Result {
    let mut name = "reclaimed";
    for one in report.reclaimed.iter().take(PREFIXES) {
        let (before, after) = (one.bytes_before, one.bytes_after);
        if before <= after {
            break;
        }
        let prefix = match &*one.prefix {
            "" => "other keys".to_owned(),
            prefix => format!("{prefix}*"),
        };
        let sizes = format!("{} to {}", Bytes(before), Bytes(after));
        row(out, name, &format!("{:<20} from {sizes}", prefix))?;
        name = "";
    }
    Ok(())
}

/// Writes the findings; `hint` ends that about expired fields.
pub(super) fn findings(out: &mut String, report: &CompactReport, hint: &str) -> fmt::Result {
    let mut finding = |name: &str, what: &str| {
        writeln!(
            out,
            "  {} {}",
            Styled(WARNING, format_args!("{name}:")),
            wrap(what, COLUMNS - 4 - name.len(), 4)
        )
    };
    if let Some(torn) = &report.torn {
        let what =
            if torn.transaction { "a transaction without its EXEC" } else { "a torn command" };
        finding(
            "torn end",
            &format!(
                "{what} at byte {} of the last part; its {} are left out, as by a server",
                Count(torn.offset),
                counted(torn.bytes, "byte")
            ),
        )?;
    }
    for failed in report.failed.iter().take(LISTED) {
        finding(
            "failed",
            &format!(
                "{} {}, as on a server: {} (the first in {} at byte {})",
                counted(failed.count, failed.command),
                if failed.count == 1 { "fails" } else { "fail" },
                failed.error,
                failed.part,
                Count(failed.offset)
            ),
        )?;
    }
    if let Some(more) = report.failed.len().checked_sub(LISTED).filter(|more| *more > 0) {
        finding("failed", &format!("{more} more kinds; --json lists them all"))?;
    }
    for carried in &report.carried {
        finding(
            "carried",
            &format!(
                "{} of {}, which no known server has, copied with all other commands on {} (the first in {} at byte {})",
                counted(carried.count, "command"),
                carried.command,
                if carried.count == 1 { "its key" } else { "their keys" },
                carried.part,
                Count(carried.offset)
            ),
        )?;
    }
    if let Some(writer) = &report.writer {
        finding(
            "written",
            &format!(
                "{} (process {}) has the log open for writing: what it writes from now on is not in the result; stop it before the result takes the place of the log",
                writer.program, writer.pid
            ),
        )?;
    }
    if report.relative_times > 0 {
        finding(
            "times",
            &format!(
                "{} with a relative time, counted from the last annotation or the time \
                 of the file",
                counted(report.relative_times, "command")
            ),
        )?;
    }
    if let Some(needed) = report.databases_needed {
        let what = if report.form == Form::Aof || report.form == Form::MultipartAof {
            "with the default of 16, SELECT fails and these keys go to the previous database"
        } else {
            "with the default of 16, it does not start"
        };
        let highest = needed - 1;
        finding(
            "databases",
            &format!("database {highest} has keys: the server needs `databases {needed}`; {what}"),
        )?;
    }
    for lost in &report.lost_expiries {
        finding("expiries", &super::lines::lost_expiry(lost))?;
    }
    if report.passed_fields > 0 {
        let commands = counted(report.passed_fields, "command");
        let what = if report.fields_expire {
            "accessed expired hash fields, which this server ignores".to_owned()
        } else {
            format!(
                "accessed hash fields with an expiry; expired ones were used, as by Valkey. Redis ignores them{hint}"
            )
        };
        finding("fields", &format!("{commands} {what}"))?;
    }
    Ok(())
}

impl Report for CompactReport {
    const NAME: &'static str = "compact";
}
