//! Lines that several reports are made of.

use std::collections::BTreeMap;
use std::fmt::{self, Write};
use std::time::Duration;

use anstyle::Style;

use super::style::{ERROR, QUIET, Styled, WARNING, wrap};
use crate::base::failure::Failure;
use crate::base::level::Level;
use crate::base::units::{Count, Elapsed, Rate, counted};
use crate::rdb::{Header, Kind, Magic};

/// Columns that text keeps to, where no name or path is longer.
pub(super) const COLUMNS: usize = 80;

/// A name of up to 12 characters, and what it has.
pub(super) fn row(out: &mut String, name: &str, value: &str) -> fmt::Result {
    writeln!(out, "  {}{value}", Styled(QUIET, format_args!("{name:<12}")))
}

/// The same of up to 14, broken into lines.
pub(super) fn wide_row(out: &mut String, name: &str, value: &str) -> fmt::Result {
    const NAME: usize = 14;
    let value = wrap(value, COLUMNS - NAME - 2, NAME + 2);
    writeln!(out, "  {}{value}", Styled(QUIET, format_args!("{name:<NAME$}")))
}

/// Keys, in all and by database and type.
pub(super) fn keys(
    out: &mut String,
    name: &str,
    (total, with_expiry): (u64, u64),
    keys: impl Iterator<Item = (u32, Kind, u64)>,
    row: impl Fn(&mut String, &str, &str) -> fmt::Result,
) -> fmt::Result {
    let expiring = match with_expiry {
        0 => String::new(),
        some => format!(", {} of them with an expiry", Count(some)),
    };
    row(out, name, &format!("{}{expiring}", counted(total, "key")))?;
    let mut databases: BTreeMap<u32, Vec<String>> = BTreeMap::new();
    for (db, kind, keys) in keys {
        databases.entry(db).or_default().push(format!("{} {kind}", Count(keys)));
    }
    for (db, kinds) in databases {
        row(out, "", &format!("db {db}: {}", kinds.join(", ")))?;
    }
    Ok(())
}

/// What was read of a log: keys of its RDBs, if it has any, and commands.
pub(super) fn rdb_and_commands(rdb_keys: u64, commands: u64) -> String {
    let keys = match rdb_keys {
        0 => String::new(),
        keys => format!("{} in an RDB, ", counted(keys, "key")),
    };
    format!("{keys}{}", counted(commands, "command"))
}

/// The version of an RDB: `RDB 12`.
pub(super) fn rdb_version(Header { magic, version }: Header) -> String {
    match magic {
        Magic::Redis => format!("RDB {version}"),
        Magic::Valkey => format!("Valkey RDB {version}"),
    }
}

/// An RDB whose keys this version cannot read.
pub(super) fn newer_rdb(header: Header) -> String {
    format!("{}, keys unknown", rdb_version(header))
}

/// How long it took, and what each part of the work did.
pub(super) fn time<'t>(elapsed_s: f64, parts: impl Iterator<Item = (&'t str, f64)>) -> String {
    let parts: Vec<String> =
        parts.map(|(name, elapsed_s)| format!("{name} {elapsed_s:.2}")).collect();
    format!("{} ({})", Elapsed(Duration::from_secs_f64(elapsed_s)), parts.join(", "))
}

/// A word in a style, indented, and a text behind it that is broken into lines.
pub(super) fn told(
    out: &mut String,
    indent: usize,
    (style, word): (Style, &str),
    text: &str,
) -> fmt::Result {
    let before = indent + word.len() + 1;
    let text = wrap(text, COLUMNS.saturating_sub(before), before);
    writeln!(out, "{:indent$}{} {text}", "", Styled(style, word))
}

/// Something that is worth a look.
pub(super) fn warning(out: &mut String, text: &str) -> fmt::Result {
    told(out, 0, (WARNING, "warning:"), text)
}

/// What to do about a finding.
pub(super) fn finding_help(out: &mut String, help: Option<&str>) -> fmt::Result {
    help.map_or(Ok(()), |help| told(out, 2, (QUIET, "help:"), help))
}

/// What is wrong and what to do, as messages have it.
pub(super) fn problem(out: &mut String, message: &str, help: Option<&str>) -> fmt::Result {
    writeln!(out, "{} {message}", Styled(ERROR, "error:"))?;
    help.map_or(Ok(()), |help| told(out, 0, (QUIET, "help:"), help))
}

/// The paths of which nothing came, and why: messages, not results.
pub(super) fn failures<'f>(failed: impl Iterator<Item = &'f Failure>) -> String {
    let mut out = String::new();
    for Failure { message, help, .. } in failed {
        // Writing to a string cannot fail.
        let _ = problem(&mut out, message, help.as_deref());
    }
    out
}

/// What a finding begins with.
pub(super) fn level(level: Level) -> (Style, &'static str) {
    match level {
        Level::Error => (ERROR, "error:"),
        Level::Warning => (WARNING, "warning:"),
        Level::Note => (QUIET, "note:"),
    }
}

/// How long reading took. A rate says nothing of what is read at once.
pub(super) fn took(bytes: u64, elapsed: Duration) -> String {
    if bytes < 1 << 20 {
        return String::new();
    }
    format!(" in {} ({})", Elapsed(elapsed), Rate { bytes, elapsed })
}
