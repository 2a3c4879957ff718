//! The text of `aofkit repair` about an RDB.

use std::fmt::{self, Write};

use super::style::{GOOD, Styled, WARNING, wrap};
use crate::base::escape::Shown;
use crate::base::units::{Bytes, Count, counted};
use crate::ops::repair::rdb::RdbRepair;
use crate::rdb::resync::{Doubtful, Gone, GoneReason};

/// The number of ranges and keys that are listed; the rest is only counted.
const LISTED: usize = 20;

/// Writes what is changed in an RDB, and an empty line.
pub(super) fn rdb_repair(out: &mut String, rdb: &RdbRepair) -> fmt::Result {
    if let Some(correction) = &rdb.corrected {
        let what = format!(
            "{}: {}; its checksum and a full read prove that all of it is then as it was written",
            rdb.part, correction
        );
        writeln!(out, "  {} {}", Styled(GOOD, "set back"), wrap(&what, 69, 11))?;
        return writeln!(out);
    }
    for gone in rdb.dropped.iter().take(LISTED) {
        let what = format!("{}: {}", rdb.part, dropped(gone));
        let label = if gone.bytes == 0 { "end " } else { "drop" };
        writeln!(out, "  {} {}", Styled(WARNING, label), wrap(&what, 73, 7))?;
    }
    more(out, rdb.dropped.len(), "ranges")?;
    for key in rdb.doubtful.iter().take(LISTED) {
        writeln!(out, "  {} {}", Styled(WARNING, "doubtful"), wrap(&doubt(key), 69, 11))?;
    }
    more(out, rdb.doubtful.len(), "doubtful keys")?;
    if rdb.database_uncertain > 0 {
        let what = format!(
            "if the damage destroyed the number of a database, {} after it belong to another one",
            counted(rdb.database_uncertain, "key")
        );
        writeln!(out, "  {} {}", Styled(WARNING, "database:"), wrap(&what, 68, 12))?;
    }
    if rdb.commands_uncertain > 0 {
        let what = database_doubt(rdb.commands_uncertain, &rdb.databases);
        writeln!(out, "  {} {}", Styled(WARNING, "database:"), wrap(&what, 68, 12))?;
    }
    if rdb.values_uncertain {
        let all = if rdb.dropped.is_empty() { "all keys are there, but " } else { "" };
        let what = format!(
            "{all}the checksum is wrong or missing, and which bytes are wrong is unknown: any key and any value may be wrong"
        );
        writeln!(out, "  {} {}", Styled(WARNING, "uncertain:"), wrap(&what, 67, 13))?;
    }
    let of = match rdb.declared_keys.filter(|&declared| declared >= rdb.keys) {
        Some(declared) => format!(" of {}", Count(declared)),
        None => String::new(),
    };
    let what = format!("{}: {}{of} kept, with a new checksum", rdb.part, counted(rdb.keys, "key"));
    writeln!(out, "  {} {}", Styled(GOOD, "RDB"), wrap(&what, 74, 6))?;
    writeln!(out)
}

fn more(out: &mut String, found: usize, what: &str) -> fmt::Result {
    match found.checked_sub(LISTED).filter(|&more| more > 0) {
        Some(more) => writeln!(out, "  {more} more {what}; --json lists them all"),
        None => Ok(()),
    }
}

fn dropped(gone: &Gone) -> String {
    let key = gone.key.as_deref().map(|key| format!("key {} of db {}", Shown(key), gone.db));
    let why = match gone.why {
        GoneReason::Damage => "not readable",
        GoneReason::Value => "its value is broken",
        GoneReason::Duplicate => "a duplicate key",
        GoneReason::Library => "no server loads it",
        GoneReason::Torn => "the file ends in it",
    };
    if gone.bytes == 0 {
        return format!("byte {}: the end of the RDB is missing", Count(gone.offset));
    }
    let key = key.map(|key| format!(", {key}")).unwrap_or_default();
    format!("byte {}, {}{key}: {why}: {}", Count(gone.offset), Bytes(gone.bytes), gone.found)
}

fn doubt(key: &Doubtful) -> String {
    let name = Shown(&key.key);
    format!("key {name} of db {}, byte {}: next to damage", key.db, Count(key.offset))
}

/// Returns the doubt about the database of `commands` after removed bytes.
pub(super) fn database_doubt(commands: u64, databases: &[u32]) -> String {
    let numbers: Vec<String> = databases.iter().map(ToString::to_string).collect();
    let (kept, they_belong) = match commands {
        1 => ("the command after it is".to_owned(), "it belongs"),
        _ => {
            let kept =
                format!("the {} commands after it, up to the next SELECT, are", Count(commands));
            (kept, "they belong")
        }
    };
    format!(
        "{kept} kept; if the damage destroyed a SELECT, {they_belong} to another database (in use: {})",
        numbers.join(", ")
    )
}
