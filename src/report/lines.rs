//! Lines that several reports share.

use crate::analysis::lost_expiry::{LostExpiry, Owner};
use std::collections::BTreeMap;
use std::fmt::{self, Write};
use std::time::Duration;

use anstyle::Style;

use super::style::{ERROR, QUIET, STRONG, Styled, WARNING, wrap};
use crate::base::error::Error;
use crate::base::failure::Failure;
use crate::base::level::Level;
use crate::base::next_step::NextStep;
use crate::base::units::{Count, Elapsed, Rate, counted};
use crate::ops::verify::findings;
use crate::rdb::{Header, Kind, Magic};

/// The width of text in columns, unless a name or path is longer.
pub(crate) const COLUMNS: usize = 80;

/// Writes a row with a name of up to 12 characters.
pub(super) fn row(out: &mut String, name: &str, value: &str) -> fmt::Result {
    writeln!(out, "  {}{value}", Styled(QUIET, format_args!("{name:<12}")))
}

/// Writes a row with a name of up to 14 characters, wrapped.
pub(super) fn wide_row(out: &mut String, name: &str, value: &str) -> fmt::Result {
    const NAME: usize = 14;
    let value = wrap(value, COLUMNS - NAME - 2, NAME + 2);
    writeln!(out, "  {}{value}", Styled(QUIET, format_args!("{name:<NAME$}")))
}

/// Writes the number of keys in total and by database and type.
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

/// Returns the content of a log: the keys of its RDBs, if any, and its commands.
pub(super) fn rdb_and_commands(rdb_keys: u64, commands: u64) -> String {
    let keys = match rdb_keys {
        0 => String::new(),
        keys => format!("{} in an RDB, ", counted(keys, "key")),
    };
    format!("{keys}{}", counted(commands, "command"))
}

/// Returns the version of an RDB: `RDB 12`.
pub(super) fn rdb_version(Header { magic, version }: Header) -> String {
    match magic {
        Magic::Redis => format!("RDB {version}"),
        Magic::Valkey => format!("Valkey RDB {version}"),
    }
}

/// Returns the description of an RDB whose keys this version cannot read.
pub(super) fn newer_rdb(header: Header) -> String {
    format!("{}, keys unknown", rdb_version(header))
}

/// Returns the elapsed time in total and of each step.
pub(super) fn time<'t>(elapsed_s: f64, parts: impl Iterator<Item = (&'t str, f64)>) -> String {
    let parts: Vec<String> =
        parts.map(|(name, elapsed_s)| format!("{name} {elapsed_s:.2}")).collect();
    format!("{} ({})", Elapsed(Duration::from_secs_f64(elapsed_s)), parts.join(", "))
}

/// Writes an indented label in a style, followed by a wrapped text.
pub(super) fn labelled(
    out: &mut String,
    indent: usize,
    (style, word): (Style, &str),
    text: &str,
) -> fmt::Result {
    let before = indent + word.len() + 1;
    let text = wrap(text, COLUMNS.saturating_sub(before), before);
    writeln!(out, "{:indent$}{} {text}", "", Styled(style, word))
}

/// Writes a warning.
pub(super) fn warning(out: &mut String, text: &str) -> fmt::Result {
    labelled(out, 0, (WARNING, "warning:"), text)
}

/// Writes the help of a finding, if any.
pub(super) fn finding_help(out: &mut String, help: Option<&str>) -> fmt::Result {
    help.map_or(Ok(()), |help| labelled(out, 2, (QUIET, "help:"), help))
}

/// Writes an error and its help, if any, in the form of messages.
pub(super) fn problem(out: &mut String, message: &str, help: Option<&str>) -> fmt::Result {
    writeln!(out, "{} {message}", Styled(ERROR, "error:"))?;
    help.map_or(Ok(()), |help| labelled(out, 0, (QUIET, "help:"), help))
}

/// Returns the error messages for the paths that failed.
pub(super) fn failures<'f>(failed: impl Iterator<Item = &'f Failure>) -> String {
    let mut out = String::new();
    for Failure { message, help, .. } in failed {
        // Writing to a string cannot fail.
        let _ = problem(&mut out, message, help.as_deref());
    }
    out
}

/// Writes the actions of a step, one a line, so that they can be copied.
pub(super) fn actions(out: &mut String, step: &NextStep) -> fmt::Result {
    step.actions.iter().try_for_each(|action| writeln!(out, "       {}", Styled(STRONG, action)))
}

/// Writes steps to choose from with their actions, and an empty line after them.
pub(super) fn alternatives(out: &mut String, steps: &[NextStep]) -> fmt::Result {
    for step in steps {
        writeln!(out, "- {}:", wrap(&step.why, COLUMNS - 3, 2))?;
        actions(out, step)?;
    }
    if steps.is_empty() { Ok(()) } else { writeln!(out) }
}

/// Returns steps to choose from with their actions, for a message.
pub(crate) fn steps_of_error(error: &Error) -> String {
    let mut out = String::new();
    for step in error.steps() {
        // Writing to a string cannot fail.
        let _ = writeln!(out, "- {}:", wrap(&step.why, COLUMNS - 3, 2));
        let _ = actions(&mut out, step);
    }
    out
}

/// Writes numbered steps with their actions.
pub(super) fn numbered<'s>(
    out: &mut String,
    steps: impl Iterator<Item = &'s NextStep>,
) -> fmt::Result {
    for (step, number) in steps.zip(1..) {
        writeln!(out, "  {number}. {}", wrap(&step.why, COLUMNS - 5, 5))?;
        actions(out, step)?;
    }
    Ok(())
}

/// Returns the label of a level and its style.
pub(super) fn level(level: Level) -> (Style, &'static str) {
    match level {
        Level::Error => (ERROR, "error:"),
        Level::Warning => (WARNING, "warning:"),
        Level::Note => (QUIET, "note:"),
    }
}

/// Returns the elapsed time and the rate, or nothing below 1 MiB, for which a rate is not meaningful.
pub(super) fn took(bytes: u64, elapsed: Duration) -> String {
    if bytes < 1 << 20 {
        return String::new();
    }
    format!(" in {} ({})", Elapsed(elapsed), Rate { bytes, elapsed })
}
/// Returns the word for a log with errors of these kinds: an intact log that a server does not load is not damaged.
pub(super) fn error_word<'k>(mut kinds: impl Iterator<Item = &'k str> + Clone) -> &'static str {
    let refused = [findings::NOT_LOADABLE, findings::FUNCTION_LIBRARY];
    if kinds.clone().all(|kind| refused.contains(&kind)) {
        "REFUSED"
    } else if kinds.all(|kind| kind == findings::UNCHECKED_RDB) {
        "NOT CHECKED"
    } else {
        "DAMAGED"
    }
}

/// Returns the sentence on one kind of lost expiry.
pub(super) fn lost_expiry(lost: &LostExpiry) -> String {
    let (thing, increment, set, servers) = match lost.of {
        Owner::Key => ("key", "INCRBYFLOAT", "SET", "Redis 2.6 to 5.0"),
        Owner::Field => ("field", "HINCRBYFLOAT", "HSET", "Redis 7.4 to 8.0"),
    };
    let have = if lost.count == 1 { "has" } else { "have" };
    format!(
        "{} {have} no expiry here but may have one on the server that wrote the log: {servers} log \
         {increment} as {set}, which removes the expiry on loading. The log does not record whether a client did so \
         (the first in {} at byte {})",
        counted(lost.count, thing),
        lost.part,
        Count(lost.offset)
    )
}
