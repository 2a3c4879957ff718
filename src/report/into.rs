//! The text of keys that were put into a running server.

use std::fmt::{self, Write};
use std::time::Duration;

use super::envelope::Report;
use super::lines;
use super::style::{ERROR, GOOD, QUIET, STRONG, Styled, WARNING, wrap};
use crate::base::escape::ShownPath;
use crate::base::units::{Bytes, Count, Elapsed, counted};
use crate::ops::into::{ExistingKeys, IntoReport, NamedKey, OutcomeCounts, OutcomesOfType};
use crate::ops::recover::Expired;

/// Returns the report as text.
pub fn text(report: &IntoReport) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = write_text(&mut out, report);
    out
}

fn row(out: &mut String, name: &str, value: &str) -> fmt::Result {
    lines::row(out, name, &wrap(value, 64, 16))
}

fn write_text(out: &mut String, report: &IntoReport) -> fmt::Result {
    writeln!(out, "{}", Styled(STRONG, ShownPath(&report.path)))?;
    let cluster = match report.nodes.len() {
        0 => String::new(),
        nodes => format!(", cluster of {}", counted(nodes as u64, "primary node")),
    };
    row(out, "into", &format!("{} ({}{cluster})", report.server, report.server_version))?;
    if let Some(choice) = report.choice {
        row(out, "choice", choice)?;
    }
    row(out, "existing", existing(report.existing))?;
    table(out, report)?;
    outcomes(out, report)?;
    if report.left_out.unwanted > 0 {
        row(out, "left out", &format!("{} by filters", counted(report.left_out.unwanted, "key")))?;
    }
    if let Some(functions) = report.functions {
        let libraries = format!(
            "{} restored, {} already there, {} refused",
            Count(functions.restored),
            Count(functions.already_there),
            Count(functions.failed)
        );
        row(out, "functions", &libraries)?;
    }
    if !report.dry_run {
        let seconds = report.elapsed_s.max(1e-3);
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss
        )]
        let rate = (report.bytes as f64 / seconds) as u64;
        row(out, "sent", &format!("{}, {} a second", Bytes(report.bytes), Bytes(rate)))?;
        let not_comparable = match report.not_comparable {
            0 => String::new(),
            keys => format!(", {} of modules, which cannot be compared", Count(keys)),
        };
        let compared = counted(report.checked, "key");
        row(out, "read back", &format!("{compared} compared with what was sent{not_comparable}"))?;
    }
    row(out, "time", &Elapsed(Duration::from_secs_f64(report.elapsed_s)).to_string())?;
    named(out, "other data in the server, not changed, such as", &report.conflicts)?;
    named(out, "refused", &report.failures)?;
    named(out, "different when read back", &report.differing_keys)?;
    writeln!(out)?;
    verdict(out, report)
}

fn existing(existing: ExistingKeys) -> &'static str {
    match existing {
        ExistingKeys::Keep => "keys that the server has are never changed",
        ExistingKeys::Replace => "keys that the server has are replaced",
        ExistingKeys::Fail => "no key may exist in the server",
        ExistingKeys::Union => {
            "keys that the server has get the fields, members and entries that they lack"
        }
    }
}

/// The columns of the table: name, and number.
type Column = (&'static str, fn(&OutcomeCounts) -> u64);

fn table(out: &mut String, report: &IntoReport) -> fmt::Result {
    let columns: [Column; 7] = [
        ("restored", |keys| keys.restored),
        ("replaced", |keys| keys.replaced),
        ("united", |keys| keys.united),
        ("same", |keys| keys.already_there),
        ("other data", |keys| keys.conflicting),
        ("failed", |keys| keys.failed),
        ("not sent", |keys| keys.unsent),
    ];
    let shown: Vec<Column> = columns
        .into_iter()
        .enumerate()
        .filter(|(at, (_, number))| *at == 0 || number(&report.keys) > 0)
        .map(|(_, column)| column)
        .collect();
    if report.by_type.is_empty() {
        return Ok(());
    }
    let head: String = shown.iter().map(|(name, _)| format!("{name:>12}")).collect();
    writeln!(out, "\n{}", Styled(QUIET, format_args!("  {:>4}  {:<8}{head}", "db", "type")))?;
    let line = |keys: &OutcomeCounts| -> String {
        shown.iter().map(|(_, number)| format!("{:>12}", Count(number(keys)))).collect()
    };
    for OutcomesOfType { db, kind, keys } in &report.by_type {
        writeln!(out, "  {db:>4}  {:<8}{}", kind.to_string(), line(keys))?;
    }
    if report.by_type.len() > 1 {
        writeln!(out, "  {:>4}  {:<8}{}", "all", "", line(&report.keys))?;
    }
    writeln!(out)
}

fn outcomes(out: &mut String, report: &IntoReport) -> fmt::Result {
    let keys = &report.keys;
    if keys.touched_since > 0 {
        let text = format!(
            "{} that the log shows written or deleted since the event (--also-deleted sends them)",
            counted(keys.touched_since, "key")
        );
        row(out, "not sent", &text)?;
    }
    if keys.expired > 0 {
        let text = match report.expired_were {
            Expired::Drop => "--expired persist sends them without an expiry",
            Expired::Persist => "they expired meanwhile",
        };
        row(out, "expired", &format!("{} ({text})", counted(keys.expired, "key")))?;
    }
    Ok(())
}

fn named(out: &mut String, title: &str, keys: &[NamedKey]) -> fmt::Result {
    const SHOWN: usize = 10;
    if keys.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n  {}", Styled(QUIET, title))?;
    for NamedKey { db, key, reason } in keys.iter().take(SHOWN) {
        writeln!(out, "    [{db}] {key}: {reason}")?;
    }
    let more = keys.len().saturating_sub(SHOWN) as u64;
    if more > 0 {
        writeln!(out, "    and {} more (--json lists them)", Count(more))?;
    }
    Ok(())
}

fn verdict(out: &mut String, report: &IntoReport) -> fmt::Result {
    let keys = &report.keys;
    let done = keys.restored + keys.replaced + keys.united;
    if report.is_complete()
        && report.choice.is_some()
        && done + keys.already_there == 0
        && keys.touched_since > 0
    {
        let written = match keys.touched_since {
            1 => "the key was".to_owned(),
            several => format!("all {} keys were", Count(several)),
        };
        return writeln!(
            out,
            "{}: {written} written or deleted after the flush; --also-deleted sends such keys as well, and `--undelete NAME` one of them",
            Styled(WARNING, "NOTHING to put back")
        );
    }
    if report.dry_run {
        let would = Styled(GOOD, "DRY RUN");
        return writeln!(
            out,
            "{would}: {} would be put into {}",
            counted(done, "key"),
            report.server
        );
    }
    if let Some(reason) = &report.stopped {
        return writeln!(
            out,
            "{}: {}, {} of {} keys were sent. The same command again goes on.",
            Styled(ERROR, "STOPPED"),
            reason.trim_end_matches('.'),
            Count(done),
            Count(done + keys.unsent + keys.failed)
        );
    }
    if !report.is_complete() {
        return writeln!(
            out,
            "{}: {} put into {}, {} refused, {} different when read back",
            Styled(WARNING, "IN PART"),
            counted(done, "key"),
            report.server,
            Count(keys.failed),
            Count(report.differing)
        );
    }
    let there = match keys.already_there {
        0 => String::new(),
        there => format!(", {} there already", Count(there)),
    };
    writeln!(
        out,
        "{}: {} put into {}{there}",
        Styled(GOOD, "DONE"),
        counted(done, "key"),
        report.server
    )
}

impl Report for IntoReport {
    const NAME: &'static str = "into";
}
