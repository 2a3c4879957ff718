//! The text of `aofkit compress`, of `aofkit extract`, and of `aofkit verify` for an archive.

use std::fmt::{self, Write};
use std::time::Duration;

use super::envelope::Report;
use super::lines::{self, error_word, finding_help, labelled, took, warning, wide_row as row};
use super::style::{ERROR, GOOD, QUIET, STRONG, Styled};
use super::time::local;
use crate::archive::contents::{Arrangement, Contents};
use crate::archive::report::{
    ArchiveFinding, ArchiveReport, CompressReport, EntryKind, EntryReport, ExtractReport, ReadBack,
};
use crate::base::escape::{ShownPath, steers};
use crate::base::level::Level;
use crate::base::units::{Bytes, Count, counted};
use crate::ops::compress::batch::{CompressAllReport, CompressOutcome};

/// The number of findings that are listed; the rest is only counted.
const LISTED: usize = 20;

/// Returns the report of `compress` on the logs that were compressed.
pub fn compressed(report: &CompressAllReport) -> String {
    let mut out = String::new();
    for outcome in &report.archives {
        if let CompressOutcome::Packed(report) = outcome {
            if !out.is_empty() {
                out.push('\n');
            }
            // Writing to a string cannot fail.
            let _ = compressed_to(&mut out, report);
        }
    }
    out
}

/// Returns the error messages for the logs that were not compressed.
pub fn not_compressed(report: &CompressAllReport) -> String {
    lines::failures(report.archives.iter().filter_map(|outcome| match outcome {
        CompressOutcome::Failed(failure) => Some(failure),
        CompressOutcome::Packed(_) => None,
    }))
}

/// Returns the findings of the logs that were compressed, for `--quiet`.
pub fn compressed_findings(report: &CompressAllReport) -> String {
    let mut out = String::new();
    for outcome in &report.archives {
        if let CompressOutcome::Packed(report) = outcome {
            // Writing to a string cannot fail.
            let _ = findings(&mut out, &report.findings, true);
        }
    }
    out.trim_start().to_owned()
}

/// Returns the note on bytes after an RDB file.
pub(super) fn left_out_after_rdb(bytes: u64) -> String {
    let bytes = counted(bytes, "byte");
    format!("{bytes} after the end of the RDB, which servers ignore, are left out")
}

fn compressed_to(out: &mut String, report: &CompressReport) -> fmt::Result {
    writeln!(out, "{}", Styled(STRONG, ShownPath(&report.path)))?;
    writeln!(out)?;
    let files = report.contents.files.iter();
    let lines = files.map(|file| {
        let holds = holds(file.rdb_keys, file.commands);
        (plain(&file.name), file.bytes, file.packed_bytes, holds)
    });
    table(out, &lines.collect::<Vec<_>>())?;
    writeln!(out)?;
    let level = report.level.map_or(String::new(), |level| format!(" at level {level}"));
    let how = format!("{}{level}", report.method);
    let ratio = match report.bytes {
        0 => String::new(),
        _ if report.ratio < 1.0 => format!(", {:.2} times larger", 1.0 / report.ratio),
        _ => format!(", {:.2} times smaller", report.ratio),
    };
    row(
        out,
        "compressed",
        &format!("{} to {}{ratio} ({how})", Bytes(report.bytes), Bytes(report.archive_bytes)),
    )?;
    let phases = report.phases.iter().map(|phase| (phase.name, phase.elapsed_s));
    row(out, "time", &lines::time(report.elapsed_s, phases))?;
    if report.after_rdb > 0 {
        warning(out, &left_out_after_rdb(report.after_rdb))?;
    }
    for file in &report.contents.files {
        if let Some(content) = &file.newer_rdb {
            let rest = "its keys were not counted; it is valid by its checksum";
            warning(out, &format!("{}: {}; {rest}", plain(&file.name), plain(content)))?;
        }
        if let Some(damage) = &file.damage {
            warning(out, &format!("{}: {}", plain(&file.name), plain(damage)))?;
        }
    }
    findings(out, &report.findings, false)?;
    writeln!(out)?;
    let checked = match report.read_back {
        Some(ReadBack::Contents) => ", read back and identical",
        Some(ReadBack::Ciphertext) => {
            ", encrypted; the encrypted bytes were read back and are identical"
        }
        None if report.encrypted => ", encrypted, not read back",
        None => ", not read back",
    };
    writeln!(
        out,
        "{}: written to {}{checked}",
        Styled(GOOD, "COMPRESSED"),
        ShownPath(&report.output)
    )
}

/// Returns the report of `extract`.
pub fn extracted(report: &ExtractReport) -> String {
    let mut out = String::new();
    let _ = extracted_to(&mut out, report);
    out
}

fn extracted_to(out: &mut String, report: &ExtractReport) -> fmt::Result {
    writeln!(out, "{}", Styled(STRONG, ShownPath(&report.path)))?;
    writeln!(out)?;
    entries(out, &report.archive)?;
    findings(out, &report.archive.findings, false)?;
    writeln!(out)?;
    let elapsed = Duration::from_secs_f64(report.elapsed_s);
    let (style, word, how) = match report.archive.sound {
        true => (GOOD, "EXTRACTED", "verified"),
        false => (ERROR, "EXTRACTED WITH DAMAGE", "as far as it can be read"),
    };
    writeln!(
        out,
        "{}: {} written to {}, {how}{}",
        Styled(style, word),
        Bytes(report.archive.bytes),
        ShownPath(&report.output),
        took(report.archive.bytes, elapsed)
    )
}

/// Writes the report of `verify` on an archive. `loads`: how servers load the log in it.
pub(super) fn verified(
    out: &mut String,
    archive: &ArchiveReport,
    loads: &str,
    quiet: bool,
) -> fmt::Result {
    let what = match (archive.own, archive.layout) {
        (_, Some(Arrangement::SingleFile)) => "zip of a single file",
        (_, Some(Arrangement::RdbFile)) => "zip of an RDB",
        (_, Some(Arrangement::MultiPart)) => "zip of a multi-part log",
        (_, None) => "zip",
    };
    writeln!(
        out,
        "{}  {what}, {}",
        Styled(STRONG, ShownPath(&archive.path)),
        Bytes(archive.archive_bytes)
    )?;
    if !quiet && !archive.entries.is_empty() {
        writeln!(out)?;
        entries(out, archive)?;
        writeln!(out)?;
        match &archive.contents {
            Some(contents) => origin(out, contents)?,
            None => row(out, "made by", "another program: only its checksums can be verified")?,
        }
    }
    findings(out, &archive.findings, quiet)?;
    if !loads.is_empty() {
        write!(out, "\n{loads}")?;
    }
    writeln!(out)?;
    last_line(out, archive)
}

fn entries(out: &mut String, archive: &ArchiveReport) -> fmt::Result {
    let shown = archive
        .entries
        .iter()
        .filter(|entry| !matches!(entry.kind, EntryKind::Directory | EntryKind::Contents));
    let lines = shown
        .map(|entry| (entry.name.clone(), entry.bytes, entry.packed_bytes, entry_holds(entry)));
    table(out, &lines.collect::<Vec<_>>())
}

fn entry_holds(entry: &EntryReport) -> String {
    match entry.kind {
        EntryKind::Manifest => "manifest".to_owned(),
        EntryKind::Other => "not a log".to_owned(),
        _ => match &entry.newer_rdb {
            None => holds(entry.rdb_keys, entry.commands),
            Some(content) => {
                let rdb = lines::newer_rdb(content.header);
                let commands = holds(0, entry.commands);
                if commands.is_empty() { rdb } else { format!("{rdb} + {commands}") }
            }
        },
    }
}

fn holds(rdb_keys: u64, commands: u64) -> String {
    let mut holds = Vec::new();
    if rdb_keys > 0 {
        holds.push(counted(rdb_keys, "RDB key"));
    }
    if commands > 0 {
        holds.push(counted(commands, "command"));
    }
    holds.join(" + ")
}

fn table(out: &mut String, lines: &[(String, u64, u64, String)]) -> fmt::Result {
    let width = lines.iter().map(|(name, ..)| name.chars().count()).max().unwrap_or(0).max(4);
    for (name, bytes, packed, holds) in lines {
        let line = format!(
            "  {name:width$}  {:>15} bytes in {:>10}  {holds}",
            Count(*bytes),
            Bytes(*packed)
        );
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}

fn origin(out: &mut String, contents: &Contents) -> fmt::Result {
    let created = local(contents.created.as_second());
    row(out, "made by", &format!("{}, {created}", plain(&contents.tool)))?;
    let source = &contents.source;
    let address = match (&source.host, source.port, &source.socket) {
        (Some(host), Some(port), _) => Some(format!("{host}:{port}")),
        (None, Some(port), _) => Some(format!("port {port}")),
        (Some(host), None, _) => Some(host.clone()),
        (None, None, socket) => socket.as_ref().map(|socket| socket.display().to_string()),
    };
    let path = source.path.as_ref().map(|path| path.display().to_string());
    let parts: Vec<String> = [source.server.clone(), address, path].into_iter().flatten().collect();
    if !parts.is_empty() {
        row(out, "source", &plain(&parts.join(", ")))?;
    }
    if let (Some(first), Some(last)) = (contents.first_time(), contents.last_time()) {
        row(out, "written", &format!("{} to {}", local(first), local(last)))?;
    }
    Ok(())
}

fn findings(out: &mut String, findings: &[ArchiveFinding], quiet: bool) -> fmt::Result {
    let least = if quiet { Level::Warning } else { Level::Note };
    let shown = findings.iter().filter(|finding| finding.level >= least);
    let count = shown.clone().count();
    for finding in shown.take(LISTED) {
        writeln!(out)?;
        let message = match &finding.entry {
            Some(entry) => format!("{entry}: {}", finding.message),
            None => finding.message.clone(),
        };
        labelled(out, 0, lines::level(finding.level), &message)?;
        if let Some(offset) = finding.offset {
            writeln!(out, "  {} byte {}", Styled(QUIET, "-->"), Count(offset))?;
        }
        finding_help(out, finding.help.as_deref())?;
    }
    if count > LISTED {
        writeln!(out, "\n{} more findings; --json lists them all", count - LISTED)?;
    }
    Ok(())
}

fn last_line(out: &mut String, archive: &ArchiveReport) -> fmt::Result {
    let of =
        |level| archive.findings.iter().filter(|finding| finding.level == level).count() as u64;
    let warned = match of(Level::Warning) {
        0 => String::new(),
        n => format!(", {}", counted(n, "warning")),
    };
    let took = took(archive.bytes, Duration::from_secs_f64(archive.elapsed_s));
    if archive.sound && archive.entries.iter().any(|entry| entry.newer_rdb.is_some()) {
        let by = if archive.own { "SHA-256" } else { "CRC-32" };
        writeln!(
            out,
            "{}{warned}: {by} correct, an RDB valid by its checksum, keys unknown: {}, {} bytes{took}",
            Styled(GOOD, "WHOLE"),
            counted(archive.commands, "command"),
            Count(archive.bytes)
        )
    } else if archive.sound {
        let holds = match holds(archive.rdb_keys, archive.commands) {
            holds if holds.is_empty() => String::new(),
            holds => format!("{holds}, "),
        };
        let by = if archive.own { "SHA-256" } else { "CRC-32" };
        writeln!(
            out,
            "{}{warned}: every byte read, {by} correct: {holds}{} bytes{took}",
            Styled(GOOD, "SOUND"),
            Count(archive.bytes)
        )
    } else {
        let errors = counted(of(Level::Error), "error");
        let errors_of = archive.findings.iter().filter(|finding| finding.level == Level::Error);
        let word = error_word(errors_of.map(|finding| finding.kind));
        writeln!(out, "{}: {errors}{warned}{took}", Styled(ERROR, word))
    }
}

/// Returns text from an archive with control characters escaped.
fn plain(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        if steers(c) { out.extend(c.escape_default()) } else { out.push(c) }
    }
    out
}

impl Report for CompressAllReport {
    const NAME: &'static str = "compress";
}

impl Report for ExtractReport {
    const NAME: &'static str = "extract";
}
