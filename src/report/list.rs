//! The text of `aofkit list`.

use std::fmt::{self, Write};
use std::time::Duration;

use super::envelope::Report;
use super::lines::labelled;
use super::style::{ERROR, GOOD, QUIET, STRONG, Styled, WARNING};
use crate::base::escape::ShownPath;
use crate::base::units::{Bytes, Count, age, counted};
use crate::ops::list::report::{AgeReport, SourceAge};
use crate::ops::list::{Identity, ListReport, Listed, Made, State};

/// Returns the report as text.
pub fn text(report: &ListReport) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = write_text(&mut out, report);
    out
}

/// Returns the problems of archives, one line each.
pub fn problems(report: &ListReport) -> String {
    let mut out = String::new();
    for archive in &report.archives {
        let _ = problem(&mut out, archive);
    }
    if let Some(age) = report.age.as_ref().filter(|age| !age.recent) {
        let _ = ages(&mut out, report, age);
    }
    out
}

fn write_text(out: &mut String, report: &ListReport) -> fmt::Result {
    let archives = &report.archives;
    if archives.is_empty() {
        writeln!(out, "{}: no archives", ShownPath(&report.directory))?;
        return report.age.as_ref().map_or(Ok(()), |age| ages(out, report, age));
    }
    let identity = |archive: &Listed| archive.made.as_ref().map(|made| made.identity.clone());
    for group in archives.chunk_by(|a, b| identity(a) == identity(b)) {
        group_text(out, identity(&group[0]).as_ref(), group)?;
    }
    let bytes = archives.iter().map(|archive| archive.archive_bytes).sum();
    let count = counted(archives.len() as u64, "archive");
    writeln!(out, "{}: {count}, {}", Styled(STRONG, ShownPath(&report.directory)), Bytes(bytes))?;
    if archives.iter().any(|archive| archive.state == State::ReadBack) {
        let what = "verified when they were created; use --verify to verify them now";
        writeln!(out, "{} {what}", Styled(QUIET, "made:"))?;
    }
    archives.iter().try_for_each(|archive| problem(out, archive))?;
    report.age.as_ref().map_or(Ok(()), |age| ages(out, report, age))
}

/// Writes the age of the newest good backup of each source, as an error if it is too old.
fn ages(out: &mut String, report: &ListReport, limit: &AgeReport) -> fmt::Result {
    if limit.sources.is_empty() {
        let text = format!("{}: there is no backup", ShownPath(&report.directory));
        return labelled(out, 0, (ERROR, "error:"), &text);
    }
    for SourceAge { source, archive, age_s, recent, .. } in &limit.sources {
        let newest = archive
            .as_deref()
            .zip(*age_s)
            .map(|(path, age_s)| (ShownPath(path), age(Duration::from_secs(age_s))));
        match (newest, recent) {
            (Some((path, age)), true) => {
                let text = format!("{source}: the newest good backup is {age} old: {path}");
                labelled(out, 0, (GOOD, "recent:"), &text)?;
            }
            (Some((path, age)), false) => {
                let limit = &limit.max_age;
                let text = format!(
                    "{source}: the newest good backup is {age} old, and at most {limit} is allowed: {path}"
                );
                labelled(out, 0, (ERROR, "error:"), &text)?;
            }
            (None, _) => {
                let text = format!("{source}: there is no good backup");
                labelled(out, 0, (ERROR, "error:"), &text)?;
            }
        }
    }
    Ok(())
}

fn problem(out: &mut String, archive: &Listed) -> fmt::Result {
    let Some(message) = &archive.message else { return Ok(()) };
    let text = format!("{}: {message}", ShownPath(&archive.path));
    match archive.state {
        State::Encrypted => labelled(out, 0, (WARNING, "warning:"), &text),
        _ => labelled(out, 0, (ERROR, "error:"), &text),
    }
}

fn group_text(out: &mut String, source: Option<&Identity>, group: &[Listed]) -> fmt::Result {
    match source {
        Some(source) => writeln!(out, "{}", Styled(STRONG, source))?,
        None => writeln!(out, "{}", Styled(STRONG, "not made by aofkit, or unreadable"))?,
    }
    let rows: Vec<[String; 6]> = group.iter().map(row).collect();
    let head = ["time", "size", "ratio", "holds", "whole", "archive"].map(str::to_owned);
    let width = |column: usize| {
        let all = rows.iter().chain([&head]).map(|row| row[column].chars().count());
        all.max().unwrap_or(0)
    };
    let widths: [usize; 6] = std::array::from_fn(width);
    let line = |row: &[String; 6]| {
        let [time, size, ratio, commands, _, name] = row;
        let [a, b, c, d, e, _] = widths;
        let whole = format!("{:<e$}", row[4]);
        format!("  {time:<a$} {size:>b$} {ratio:>c$} {commands:>d$} {whole} {name}")
    };
    writeln!(out, "{}", Styled(QUIET, line(&head)))?;
    for (row, archive) in rows.iter().zip(group) {
        let style = match archive.state {
            State::Sound => GOOD,
            State::Damaged | State::Unreadable => ERROR,
            State::Unverified | State::Encrypted => WARNING,
            State::ReadBack => {
                writeln!(out, "{}", line(row))?;
                continue;
            }
        };
        let [a, b, c, d, e, _] = widths;
        let [time, size, ratio, commands, whole, name] = row;
        let whole = Styled(style, format_args!("{whole:<e$}"));
        writeln!(out, "  {time:<a$} {size:>b$} {ratio:>c$} {commands:>d$} {whole} {name}")?;
    }
    writeln!(out)
}

fn row(archive: &Listed) -> [String; 6] {
    let made = archive.made.as_ref();
    let time = made.map(|made| made.created).or(archive.modified);
    let time = time.map_or("?".to_owned(), |time| {
        let zone = jiff::tz::TimeZone::system();
        time.to_zoned(zone).strftime("%Y-%m-%d %H:%M").to_string()
    });
    let whole = match archive.state {
        State::Sound => "now",
        State::Damaged => "DAMAGED",
        State::ReadBack => "made",
        State::Unverified => "?",
        State::Encrypted => "encrypted",
        State::Unreadable => "UNREADABLE",
    };
    let unknown = || "-".to_owned();
    [
        time,
        Bytes(archive.archive_bytes).to_string(),
        made.map_or_else(unknown, |made| format!("{:.1}", made.ratio)),
        made.map_or_else(unknown, held),
        whole.to_owned(),
        ShownPath(archive.path.file_name().unwrap_or_default().as_ref()).to_string(),
    ]
}

/// Returns the number of commands, and the number of RDB keys if the log begins with an RDB.
fn held(made: &Made) -> String {
    match (made.rdb_keys, made.commands) {
        (0, commands) => format!("{} cmd", Count(commands)),
        (keys, 0) => format!("{} keys", Count(keys)),
        (keys, commands) => format!("{}+{} cmd", Count(keys), Count(commands)),
    }
}

impl Report for ListReport {
    const NAME: &'static str = "list";
}
