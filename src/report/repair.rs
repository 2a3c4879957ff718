//! The text of `aofkit repair`.

use std::fmt::{self, Write};

use super::envelope::Report;
use super::repair_rdb::{database_doubt, rdb_repair};
use super::repair_set::{missing, set};
use super::style::{ERROR, GOOD, QUIET, STRONG, Styled, WARNING, wrap};
use super::verify::finding_text;
use crate::aof::conversion::{Change, Undone};
use crate::aof::recognise::Content;
use crate::base::escape::ShownPath;
use crate::base::units::{Bytes, Count, counted};
use crate::ops::repair::RepairReport;
use crate::ops::repair::joined::{JoinedChoice, content};
use crate::ops::repair::plan::{RepairPlan, RestoredPart};
use crate::ops::repair::replayed::{FailingCommand, Replayed};
use crate::ops::repair::start::Start;
use crate::ops::repair::{DropReason, Dropped};

/// The number of removed ranges that are listed; the rest is only counted.
const LISTED: usize = 20;

/// Returns the report as text.
pub fn text(report: &RepairReport) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = write_text(&mut out, report);
    out
}

fn write_text(out: &mut String, report: &RepairReport) -> fmt::Result {
    writeln!(out, "{}", Styled(STRONG, ShownPath(&report.path)))?;
    if !report.present {
        return writeln!(out, "{}: nothing to repair", Styled(GOOD, "NO LOG YET"));
    }
    for finding in &report.beside {
        finding_text(out, finding)?;
        writeln!(out)?;
    }
    if !report.plan.damaged {
        if let Some(replay) =
            report.replay.as_ref().filter(|it| it.failing > 0 || it.keys.is_none())
        {
            replayed(out, replay)?;
        }
        return whole(out, report.start.as_ref());
    }
    writeln!(out)?;
    if let Some(proposal) = &report.plan.set {
        set(out, proposal)?;
    }
    missing(out, &report.plan.missing)?;
    if !report.plan.missing.is_empty() {
        writeln!(out)?;
    }
    for rdb in &report.plan.rdb {
        rdb_repair(out, rdb)?;
    }
    if let Some(joined) = &report.plan.joined {
        joined_logs(out, joined)?;
    }
    for restored in &report.plan.restored {
        restored_part(out, restored)?;
    }
    if !report.plan.restored.is_empty() {
        writeln!(out)?;
    }
    for dropped in report.plan.dropped.iter().take(LISTED) {
        dropped_range(out, dropped)?;
    }
    if let Some(more) = report.plan.dropped.len().checked_sub(LISTED).filter(|&more| more > 0) {
        writeln!(out, "  {more} more ranges; --json lists them all")?;
    }
    let is_missing =
        |name: &String| report.plan.missing.iter().any(|part| part.name.as_ref() == Some(name));
    for part in report.plan.parts_removed.iter().filter(|name| !is_missing(name)) {
        let what = format!(
            "{part} is removed from the set because it is after the damage; --salvage keeps it"
        );
        writeln!(out, "  {} {}", Styled(WARNING, "part:"), wrap(&what, 70, 8))?;
    }
    if !report.plan.dropped.is_empty()
        || report.plan.parts_removed.iter().any(|name| !is_missing(name))
    {
        writeln!(out)?;
    }
    let RepairPlan { kept_commands, kept_bytes, lost_commands, lost_bytes, .. } = report.plan;
    row(out, "kept", &counted(kept_commands, "command"), kept_bytes)?;
    let lost = match (report.plan.lost_more, lost_commands) {
        (false, _) => counted(lost_commands, "command"),
        (true, 0) => "unknown number".to_owned(),
        (true, _) => format!("at least {}", counted(lost_commands, "command")),
    };
    row(out, "lost", &lost, lost_bytes)?;
    writeln!(out)?;
    if report.plan.values_unchecked {
        let what = "an append-only file has no checksum: a wrong byte inside a value that is kept is not found";
        writeln!(out, "  {} {}", Styled(WARNING, "unchecked:"), wrap(what, 67, 13))?;
        writeln!(out)?;
    }
    if !report.failing.is_empty() {
        failing(out, "dropped, because they fail while a server loads them:", &report.failing)?;
    }
    if let Some(replay) = &report.replay {
        replayed(out, replay)?;
    }
    if let Some(backup) = &report.backup {
        writeln!(out, "  original saved as {}", Styled(STRONG, ShownPath(backup)))?;
    }
    if report.plan.refused.is_some() {
        return writeln!(out, "{}: nothing was written", Styled(ERROR, "NOT REPAIRED"));
    }
    if let Some(start) = report.start.as_ref().filter(|start| !start.proved) {
        let what = format!("not proved: {}", not_starting(start));
        writeln!(out, "  {} {}", Styled(WARNING, "start"), wrap(&what, 72, 8))?;
    }
    match &report.written {
        Some(written) => {
            writeln!(
                out,
                "{}: written to {}, read back and verified",
                Styled(GOOD, "REPAIRED"),
                ShownPath(written)
            )
        }
        None => writeln!(out, "{}: dry run, nothing was written", Styled(ERROR, "DAMAGED")),
    }
}

/// Writes what a replay shows.
fn replayed(out: &mut String, replay: &Replayed) -> fmt::Result {
    if let Some(keys) = replay.keys {
        let what = format!("replayed: {} at the end", counted(keys, "key"));
        writeln!(out, "  {what}")?;
    }
    for name in &replay.not_proved {
        writeln!(out, "  {} {name}", Styled(WARNING, "not proved:"))?;
    }
    if let (Some(problem), true) = (&replay.problem, replay.not_proved.is_empty()) {
        writeln!(out, "  {} {}", Styled(WARNING, "not replayed:"), wrap(problem, 64, 16))?;
    }
    if replay.failing > 0 {
        let what = format!(
            "{} without effect, because they fail while a server loads them; --drop-failing removes them:",
            counted(replay.failing, "command")
        );
        failing(out, &what, &replay.examples)?;
    }
    Ok(())
}

fn failing(out: &mut String, what: &str, commands: &[FailingCommand]) -> fmt::Result {
    writeln!(out, "  {} {}", Styled(WARNING, "fails"), wrap(what, 72, 8))?;
    for FailingCommand { part, offset, command, error } in commands {
        let what = format!("{part}: byte {}: {command}: {error}", Count(*offset));
        writeln!(out, "        {}", wrap(&what, 72, 10))?;
    }
    Ok(())
}

/// Writes what a log without damage is.
fn whole(out: &mut String, start: Option<&Start>) -> fmt::Result {
    match start.filter(|start| !start.proved) {
        None => writeln!(out, "{}: nothing to repair; nothing was written", Styled(GOOD, "SOUND")),
        Some(start) if !start.unknown.is_empty() => {
            let what = format!("nothing to cut; start not proved: {}", not_starting(start));
            writeln!(out, "{}: {}", Styled(GOOD, "WHOLE"), wrap(&what, 73, 0))
        }
        Some(start) => {
            let what = format!(
                "there is nothing to cut, but {}; `aofkit verify` shows all that servers refuse",
                not_starting(start)
            );
            writeln!(out, "{}: {}", Styled(ERROR, "NOT SOUND"), wrap(&what, 69, 0))
        }
    }
}

/// Returns which server does not start, and why.
fn not_starting(start: &Start) -> String {
    let server = start.refused_by.map_or("a server".to_owned(), |server| server.to_string());
    let others = if start.servers.is_empty() && start.unknown.is_empty() {
        "no server starts with it; "
    } else {
        ""
    };
    let reason = start.reason.as_deref().unwrap_or("for an unknown reason");
    format!("{others}{server}: {reason}")
}

fn joined_logs(out: &mut String, joined: &JoinedChoice) -> fmt::Result {
    let what = format!("log {} of {} in this file is kept", joined.kept, joined.logs.len());
    writeln!(out, "  {} {}", Styled(GOOD, "joined"), wrap(&what, 71, 9))?;
    for (number, log) in joined.left_out().take(LISTED) {
        let what = format!("log {number} is not in the result: {}", content(log));
        writeln!(out, "         {}", wrap(&what, 71, 9))?;
    }
    writeln!(out)
}

fn restored_part(out: &mut String, restored: &RestoredPart) -> fmt::Result {
    let Undone { change, places, first, left_out, assumed, encoding } = restored.undone;
    let commands = counted(places, "command");
    let what = match change {
        Change::ByteOrderMark => "a byte order mark (BOM) before the log: removed".to_owned(),
        Change::Utf16 => {
            "UTF-16, as PowerShell and some editors save text: read back as bytes".to_owned()
        }
        Change::LfLineEnds => format!(
            "LF line ends, as from git autocrlf, dos2unix or an editor: CR LF again in {commands}"
        ),
        Change::CrLineEnds => format!("CR line ends: CR LF again in {commands}"),
        Change::DoubledCr => {
            format!("doubled CR, as from unix2dos or text mode: CR LF again in {commands}")
        }
        Change::CharacterLengths => {
            format!("lengths in characters: in bytes again in {commands}")
        }
        Change::TextEncoding => {
            let encoding = encoding.map(|it| it.to_string()).unwrap_or_default();
            format!(
                "bytes that a program read as text in {encoding}: restored in {}",
                counted(places, "place")
            )
        }
        Change::LeadingText => format!(
            "text that a program wrote before the RDB: {} left out",
            counted(left_out, "line")
        ),
        Change::ExtraLineEnd => {
            format!("line ends between commands: removed in {}", counted(places, "place"))
        }
        Change::LeftoverHeader => format!(
            "the header of a command that was deleted by hand: removed in {}",
            counted(places, "place")
        ),
        Change::InlineCommands => {
            format!("inline commands, as typed: {commands} written as a server logs them")
        }
        Change::Gzip => "gzip: decompressed".to_owned(),
        Change::Zstd => "Zstandard: decompressed".to_owned(),
        Change::ConflictMarkers => format!(
            "conflict markers of git: removed, and the version kept that --assume names, in {}",
            counted(places, "place")
        ),
        Change::RdbCrAdded => format!(
            "CR before each LF of the RDB, as from git, unix2dos or FTP in text mode: removed in {}{}",
            counted(places, "place"),
            proof_of_line_ends(assumed)
        ),
        Change::RdbCrRemoved => format!(
            "CR LF in the RDB had become LF, as by git, dos2unix or FTP in text mode: CR LF again in {}{}",
            counted(places, "place"),
            proof_of_line_ends(assumed)
        ),
        Change::Monitor => format!(
            "MONITOR output: {commands} made of the writes in it, {} left out; what a server chose at random is not in it",
            counted(left_out, "other line")
        ),
    };
    let assumed = match assumed {
        _ if matches!(change, Change::RdbCrAdded | Change::RdbCrRemoved) => String::new(),
        0 => String::new(),
        n if change == Change::CharacterLengths => format!(
            "; the text is assumed to be as it was in {} (if it was bytes that a program read as Latin-1: --assume latin-1)",
            counted(n, "value")
        ),
        _ if change == Change::TextEncoding => "; the encoding is assumed".to_owned(),
        n => format!(
            "; line ends are assumed, and the length is changed, in {}",
            counted(n, "value")
        ),
    };
    let what = format!("{}, byte {}: {what}{assumed}", restored.part, Count(first));
    writeln!(out, "  {} {}", Styled(GOOD, "undone"), wrap(&what, 71, 9))
}

/// Returns what is known about the line ends of an RDB that were restored in so many places without a proof.
fn proof_of_line_ends(assumed: u64) -> &'static str {
    match assumed {
        0 => "; its checksum and a full read prove that it is then as it was written",
        _ => ", with which most of it can be read; its checksum does not prove it",
    }
}

fn row(out: &mut String, name: &str, commands: &str, bytes: u64) -> fmt::Result {
    let exact = if bytes < 1024 { String::new() } else { format!(" ({} bytes)", Count(bytes)) };
    writeln!(out, "  {}  {:>20}  {}{exact}", Styled(QUIET, name), commands, Bytes(bytes))
}

fn dropped_range(out: &mut String, dropped: &Dropped) -> fmt::Result {
    let why = match dropped.why {
        DropReason::Damage => "no commands",
        DropReason::TornEnd => "torn end",
        DropReason::TornTransaction => "incomplete transaction",
        DropReason::AfterDamage => "after the damage",
        DropReason::Failing => "fails while it is loaded",
    };
    let commands = match dropped.commands {
        0 => String::new(),
        n => format!(", {} in it", counted(n, "whole command")),
    };
    let what = format!(
        "{}: byte {}, {}: {why}{commands}",
        dropped.part,
        Count(dropped.offset),
        Bytes(dropped.bytes)
    );
    writeln!(out, "  {} {}", Styled(WARNING, "drop"), wrap(&what, 73, 7))?;
    writeln!(out, "       {}", dropped.preview)?;
    if let Some(looks_like) = &dropped.looks_like {
        // Their number is not known.
        let uncounted = match looks_like.content {
            Some(Content::Zeros) => "",
            _ => "; commands in it are not counted",
        };
        let what = format!("looks like {looks_like}{uncounted}");
        writeln!(out, "       {}", wrap(&what, 73, 7))?;
    }
    if dropped.database_uncertain > 0 {
        let what = database_doubt(dropped.database_uncertain, &dropped.databases);
        writeln!(out, "       {} {}", Styled(WARNING, "database:"), wrap(&what, 62, 7))?;
    }
    Ok(())
}

impl Report for RepairReport {
    const NAME: &'static str = "repair";
}
