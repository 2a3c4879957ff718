//! The text of `aofkit verify`.

use std::fmt::{self, Write};
use std::time::Duration;

use super::archive;
use super::envelope::Report;
use super::lines::{
    self, COLUMNS, error_word, finding_help, labelled, problem, took, wide_row as row,
};
use super::repair_set;
use super::style::{ERROR, GOOD, QUIET, STRONG, Styled, WARNING, wrap};
use super::time::local;
use crate::analysis::damage::DamageReport;
use crate::aof::log::Layout;
use crate::base::escape::ShownPath;
use crate::base::units::{Bytes, Count, counted};
use crate::input::broken_set::BrokenSet;
use crate::ops::verify::findings::{Finding, Level};
use crate::ops::verify::judge::{Outcome, Verdict};
use crate::ops::verify::report::{ArchiveOutcome, LogOutcome, LogReport, PartReport, VerifyReport};
use crate::rdb;

/// What the text includes.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    /// The number of commands in the list by frequency.
    pub top: usize,
    /// Whether to show only errors and warnings, and nothing for a log without any.
    pub quiet: bool,
}

/// Returns the report as text.
pub fn text(report: &VerifyReport, shape: Shape) -> String {
    let mut out = String::new();
    for (index, outcome) in report.logs.iter().enumerate() {
        if index > 0 && !out.is_empty() {
            out.push('\n');
        }
        // Writing to a string cannot fail.
        let _ = match outcome {
            LogOutcome::Read(log) if shape.quiet && log.sound => Ok(()),
            LogOutcome::Read(log) => log_text(&mut out, log, shape),
            LogOutcome::Archive(outcome) if shape.quiet && outcome.archive.sound => Ok(()),
            LogOutcome::Archive(outcome) => archive_text(&mut out, outcome, shape),
            LogOutcome::BrokenSet { message, help, .. } if shape.quiet => {
                problem(&mut out, message, Some(help))
            }
            LogOutcome::BrokenSet { message, help, broken, verdicts, .. } => {
                broken_set_text(&mut out, (message, help), broken, verdicts)
            }
            LogOutcome::Encrypted { .. } => encrypted_text(&mut out, outcome, shape),
            LogOutcome::Failed(_) => Ok(()),
        };
    }
    if report.logs.len() > 1 && !shape.quiet {
        out.push('\n');
        let _ = summary(&mut out, report);
    }
    out
}

/// Returns the error messages for the paths that could not be read.
pub fn failures(report: &VerifyReport) -> String {
    lines::failures(report.logs.iter().filter_map(|outcome| match outcome {
        LogOutcome::Failed(failure) => Some(failure),
        _ => None,
    }))
}

/// Writes what was verified of an encrypted archive without a key, and what was not.
fn encrypted_text(out: &mut String, outcome: &LogOutcome, shape: Shape) -> fmt::Result {
    let LogOutcome::Encrypted { path, archive_bytes, recipients, message, help, .. } = outcome
    else {
        return Ok(());
    };
    if !shape.quiet {
        writeln!(out, "{}  encrypted with age", Styled(STRONG, ShownPath(path)))?;
        let to = counted(recipients.len() as u64, "recipient");
        writeln!(
            out,
            "  {}, to {to}; header and lengths of all chunks are valid\n",
            Bytes(*archive_bytes)
        )?;
    }
    labelled(out, 0, (WARNING, "NOT VERIFIED:"), &format!("{}: {message}", ShownPath(path)))?;
    finding_help(out, Some(help))
}

fn archive_text(out: &mut String, outcome: &ArchiveOutcome, shape: Shape) -> fmt::Result {
    let mut loads = String::new();
    match outcome.log.as_deref() {
        Some(LogOutcome::Read(log)) if !shape.quiet => verdicts(&mut loads, &log.verdicts)?,
        Some(LogOutcome::BrokenSet { verdicts: servers, .. }) if !shape.quiet => {
            verdicts(&mut loads, servers)?;
        }
        _ => {}
    }
    archive::verified(out, &outcome.archive, &loads, shape.quiet)
}

/// Writes what is there of a set that no server loads, and what servers do with it.
fn broken_set_text(
    out: &mut String,
    (message, help): (&str, &str),
    broken: &BrokenSet,
    servers: &[Verdict],
) -> fmt::Result {
    problem(out, message, Some(help))?;
    writeln!(out)?;
    if let Some(proposal) = &broken.left {
        repair_set::files(out, proposal)?;
        repair_set::missing(out, &proposal.missing)?;
        writeln!(out)?;
    }
    verdicts(out, servers)
}

fn log_text(out: &mut String, log: &LogReport, shape: Shape) -> fmt::Result {
    writeln!(out, "{}  {}", Styled(STRONG, ShownPath(&log.opened)), layout(log))?;
    if let Some(chosen) = &log.chosen {
        writeln!(out, "  {}", wrap(chosen, COLUMNS - 2, 2))?;
    }
    if !shape.quiet {
        writeln!(out)?;
        parts(out, &log.parts)?;
        content(out, log, shape.top)?;
    }
    let least = if shape.quiet { Level::Warning } else { Level::Note };
    let mut short = false;
    for finding in log.findings.iter().filter(|finding| finding.level >= least) {
        // One-line findings are not separated by empty lines.
        let was_short = std::mem::replace(&mut short, finding.help.is_none());
        if !(was_short && short) {
            writeln!(out)?;
        }
        finding_text(out, finding)?;
    }
    if !shape.quiet {
        writeln!(out)?;
        verdicts(out, &log.verdicts)?;
    }
    writeln!(out)?;
    last_line(out, log)
}

fn layout(log: &LogReport) -> String {
    let size = Bytes(log.bytes);
    match &log.layout {
        Layout::Empty => "empty".to_string(),
        Layout::SingleFile => format!("single file, {size}"),
        Layout::RdbFile if log.commands == 0 => format!("RDB, {size}"),
        Layout::RdbFile => format!("single file with RDB preamble, {size}"),
        Layout::MultiPart { .. } => {
            let plural = if log.parts.len() == 1 { "" } else { "s" };
            format!("multi-part, {} file{plural}, {size}", log.parts.len())
        }
        Layout::OnePart { .. } => format!("one part of a set, {size}"),
    }
}

fn parts(out: &mut String, parts: &[PartReport]) -> fmt::Result {
    let width = parts.iter().map(|part| part.name.chars().count()).max().unwrap_or(0).max(4);
    for part in parts {
        write!(out, "  {:width$}  {:>15} bytes", part.name, Count(part.bytes))?;
        let mut holds = Vec::new();
        if let Some(walk) = &part.rdb {
            holds.push(rdb_text(walk));
        }
        if let Some(newer) = &part.newer_rdb {
            holds.push(lines::newer_rdb(newer.content.header));
        }
        if part.commands > 0 || holds.is_empty() {
            holds.push(counted(part.commands, "command"));
        }
        writeln!(out, "  {}", holds.join(" + "))?;
    }
    Ok(())
}

fn rdb_text(walk: &rdb::RdbSummary) -> String {
    let header = rdb::Header { magic: walk.magic, version: walk.version };
    format!("{}, {}", lines::rdb_version(header), counted(walk.keys, "key"))
}

fn content(out: &mut String, log: &LogReport, top: usize) -> fmt::Result {
    if log.commands > 0 {
        writeln!(out)?;
        let databases: Vec<String> = (log.databases.iter().take(16))
            .map(|(number, count)| format!("db {number}: {}", Count(*count)))
            .collect();
        row(out, "databases", &databases.join(" · "))?;
        let commands: Vec<String> = (log.by_command.iter().take(top))
            .map(|command| format!("{} {}", command.name, Count(command.count)))
            .collect();
        let more = log.by_command.len().saturating_sub(top);
        let more = if more > 0 { format!(" · {more} more names") } else { String::new() };
        row(out, "commands", &format!("{}{more}", commands.join(" · ")))?;
        if log.transactions > 0 {
            row(out, "transactions", &Count(log.transactions).to_string())?;
        }
    }
    if let (Some(first), Some(last)) = (log.first_time, log.last_time) {
        row(out, "written", &format!("{} to {}", local(first), local(last)))?;
    }
    Ok(())
}

pub(super) fn finding_text(out: &mut String, finding: &Finding) -> fmt::Result {
    labelled(out, 0, lines::level(finding.level), &finding.message)?;
    if let (Some(part), Some(offset)) = (&finding.part, finding.offset) {
        write!(out, "  {} {part}: byte {}", Styled(QUIET, "-->"), Count(offset))?;
        if let Some(damage) = &finding.damage {
            write!(out, ", line {}, command {}", Count(damage.line), Count(damage.command))?;
            if let Some(name) = &damage.name {
                write!(out, " ({name})")?;
            }
        }
        if finding.count > 1 {
            write!(out, ", and {} more", Count(finding.count - 1))?;
        }
        writeln!(out)?;
    }
    if let Some(damage) = &finding.damage {
        damage_text(out, damage)?;
    }
    finding_help(out, finding.help.as_deref())
}

fn damage_text(out: &mut String, damage: &DamageReport) -> fmt::Result {
    hex_rows(out, damage)?;
    let bar = Styled(QUIET, "=");
    if let Some(looks_like) = damage.looks_like.filter(|_| !damage.tail_is_zero) {
        let what = format!("looks like {looks_like}");
        writeln!(out, "   {bar} {}", wrap(&what, COLUMNS - 5, 5))?;
    }
    if let Some(multi) = damage.open_multi {
        writeln!(
            out,
            "   {bar} the transaction that begins at byte {} is incomplete",
            Count(multi)
        )?;
    }
    writeln!(
        out,
        "   {bar} intact up to byte {}; {} bytes follow",
        Count(damage.safe_end),
        Count(damage.tail_bytes + damage.last_boundary - damage.safe_end)
    )?;
    let intact = damage.intact;
    match intact.first {
        None => writeln!(out, "   {bar} no whole command was found in them"),
        Some(first) => writeln!(
            out,
            "   {bar} {} of them look like {}, from byte {}",
            Count(intact.bytes),
            counted(intact.commands, "whole command"),
            Count(first)
        ),
    }
}

/// The number of bytes in a row of a hex window.
const HEX_BYTES: usize = 16;
/// The columns of such a row without its offset: the indent, the bar, the bytes in hexadecimal digits and as text.
const HEX_COLUMNS: usize = 2 + 3 + (3 * HEX_BYTES - 1) + 2 + HEX_BYTES;

/// Writes the bytes around a damage in rows of 16, and marks the damaged byte below its row.
fn hex_rows(out: &mut String, damage: &DamageReport) -> fmt::Result {
    let window = &damage.window;
    let bar = Styled(QUIET, "|");
    // Every row has offsets of the same width. Where they are long, it has half as many bytes to fit the columns.
    let last = window.start.saturating_add(window.text.len() as u64);
    let width = Count(last).to_string().len();
    let bytes = if width + HEX_COLUMNS <= COLUMNS { HEX_BYTES } else { HEX_BYTES / 2 };
    let hex_width = 3 * bytes - 1;
    for (index, text) in window.text.as_bytes().chunks(bytes).enumerate() {
        let at = bytes * index;
        let start = window.start.saturating_add(at as u64);
        let hex = &window.hex[2 * at..2 * (at + text.len())];
        let pairs: Vec<&str> = (0..text.len()).map(|at| &hex[2 * at..2 * at + 2]).collect();
        let text = String::from_utf8_lossy(text);
        writeln!(out, "  {:>width$} {bar} {:<hex_width$}  {text}", Count(start), pairs.join(" "))?;
        let column = damage.offset.checked_sub(start).and_then(|at| usize::try_from(at).ok());
        if let Some(column) = column.filter(|&column| column < bytes) {
            let (before, between) = (3 * column, hex_width - 3 * column + column);
            let mark = Styled(ERROR, format!("{:before$}^^{:between$}^", "", ""));
            writeln!(out, "  {:>width$} {bar} {mark}", "")?;
        }
    }
    Ok(())
}

fn verdicts(out: &mut String, verdicts: &[Verdict]) -> fmt::Result {
    for verdict in verdicts {
        let (style, what) = match &verdict.outcome {
            Outcome::Loads => (GOOD, "loads".to_string()),
            Outcome::LoadsAfterCut { cuts_bytes, .. } => {
                (WARNING, format!("cuts {}", Bytes(*cuts_bytes)))
            }
            Outcome::Refuses => (ERROR, "refuses".to_string()),
            Outcome::Undefined => (ERROR, "crash, garbage".to_string()),
            Outcome::Crashes => (ERROR, "crashes".to_string()),
            Outcome::StartsEmpty => (ERROR, "starts empty".to_string()),
            Outcome::DoesNotRead => (QUIET, "does not read".to_string()),
            Outcome::Unknown => (QUIET, "unknown".to_string()),
        };
        let mut line = servers(verdict);
        if let Some(reason) = &verdict.reason {
            let _ = write!(line, ": {reason}");
        }
        if let Some(offset) = verdict.offset.filter(|_| verdict.outcome == Outcome::Refuses) {
            let _ = write!(line, " (byte {})", Count(offset));
        }
        if let Outcome::LoadsAfterCut { leaves_dangling_multi: true, .. } = verdict.outcome {
            line.push_str("; leaves the MULTI open, so the restart after that loses later writes");
        }
        let what = format!("{what:16}");
        writeln!(out, "  {}{}", Styled(style, what), wrap(&line, COLUMNS - 18, 18))?;
    }
    Ok(())
}

/// Returns the servers of a verdict grouped by product: `redis 4.0, 5.0, valkey 9.1`.
fn servers(verdict: &Verdict) -> String {
    let mut text = String::new();
    let mut last = None;
    for server in &verdict.servers {
        if !text.is_empty() {
            text.push_str(", ");
        }
        if last != Some(server.product) {
            let name = server.to_string();
            text.push_str(name.split('-').next().unwrap_or_default());
            text.push(' ');
        }
        let _ = write!(text, "{}.{}", server.major, server.minor);
        last = Some(server.product);
    }
    text
}

fn last_line(out: &mut String, log: &LogReport) -> fmt::Result {
    let errors = log.findings.iter().filter(|finding| finding.level == Level::Error).count();
    let warnings = log.findings.iter().filter(|finding| finding.level == Level::Warning).count();
    let took = took(log.bytes, Duration::try_from_secs_f64(log.elapsed_s).unwrap_or_default());
    let warned = match warnings {
        0 => String::new(),
        1 => ", 1 warning".to_string(),
        n => format!(", {n} warnings"),
    };
    if log.sound {
        let newer = log.parts.iter().filter(|part| part.newer_rdb.is_some()).count();
        let keys = if log.rdb_keys > 0 {
            format!("{}, ", counted(log.rdb_keys, "RDB key"))
        } else {
            String::new()
        };
        let read =
            format!("{keys}{}, {} bytes", counted(log.commands, "command"), Count(log.bytes));
        if newer > 0 {
            let of = counted(newer as u64, "RDB");
            return writeln!(
                out,
                "{}{warned}: {of} valid by checksum, keys unknown: {read}{took}",
                Styled(GOOD, "WHOLE")
            );
        }
        writeln!(out, "{}{warned}: every byte read: {read}{took}", Styled(GOOD, "SOUND"))
    } else {
        let plural = if errors == 1 { "" } else { "s" };
        let errors_of = log.findings.iter().filter(|finding| finding.level == Level::Error);
        let word = error_word(errors_of.map(|finding| finding.kind));
        writeln!(out, "{}: {errors} error{plural}{warned}{took}", Styled(ERROR, word))
    }
}

fn summary(out: &mut String, report: &VerifyReport) -> fmt::Result {
    let of = |wanted: fn(&LogOutcome) -> bool| report.logs.iter().filter(|log| wanted(log)).count();
    let sound = of(|log| match log {
        LogOutcome::Read(log) => log.sound,
        LogOutcome::Archive(outcome) => outcome.archive.sound,
        LogOutcome::BrokenSet { .. } | LogOutcome::Encrypted { .. } | LogOutcome::Failed(_) => {
            false
        }
    });
    let failed = of(|log| matches!(log, LogOutcome::Failed(_) | LogOutcome::Encrypted { .. }));
    let damaged = report.logs.len() - sound - failed;
    writeln!(out, "{} logs: {sound} sound, {damaged} damaged, {failed} not read", report.logs.len())
}

impl Report for VerifyReport {
    const NAME: &'static str = "verify";
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::damage::{Intact, Window};

    /// A damage at this offset, whose byte is the only `X` among dots.
    fn damage_at(offset: u64) -> DamageReport {
        let start = offset.saturating_sub(32) / 16 * 16;
        let bytes: Vec<u8> =
            (start..offset + 32).map(|at| if at == offset { b'X' } else { 0 }).collect();
        DamageReport {
            part: "a.aof".to_owned(),
            offset,
            line: 1,
            kind: "malformed",
            expected: "`*`".to_owned(),
            found: "`X`".to_owned(),
            command: 1,
            name: None,
            last_boundary: offset,
            safe_end: offset,
            open_multi: None,
            tail_bytes: 32,
            tail_is_zero: false,
            intact: Intact { commands: 0, bytes: 0, ranges: 0, first: None },
            looks_like: None,
            window: Window {
                start,
                hex: bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
                text: bytes.iter().map(|&byte| if byte == 0 { '.' } else { 'X' }).collect(),
            },
        }
    }

    #[test]
    fn carets_are_below_the_damaged_byte_at_every_offset() {
        for offset in [5, 40, 7_654_321, 7_654_335, 9_876_543_210, 1_234_567_890_123] {
            let mut out = String::new();
            hex_rows(&mut out, &damage_at(offset)).unwrap();
            let out = anstream::adapter::strip_str(&out).to_string();
            let lines: Vec<&str> = out.lines().collect();
            let row = lines.iter().position(|line| line.contains('X')).unwrap();
            let columns = (lines[row].find("58").unwrap(), lines[row].find('X').unwrap());
            let mark = lines[row + 1];
            let expected = format!("{:1$}^^", "", columns.0);
            let expected = format!("{expected:0$}^", columns.1);
            let bar = lines[row].find('|').unwrap();
            assert_eq!(mark.replacen('|', " ", 1), expected, "{offset}:\n{out}");
            for line in lines {
                assert!(line.len() <= COLUMNS && line.find('|') == Some(bar), "{offset}:\n{out}");
            }
        }
    }
}
