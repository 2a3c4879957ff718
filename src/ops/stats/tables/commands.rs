//! The rows of the commands of a log, in its order.

use super::files::Tables;
use super::rows::CommandRow;
use crate::analysis::key_course::CoursePart;
use crate::aof::grammar::timestamp;
use crate::aof::log::Log;
use crate::aof::{Frame, Sink, scan};
use crate::base::error::Result;
use crate::base::progress::Progress;
use crate::command::{Role, database_index, lookup_prefix};
use crate::ops::stats::written::each_key;
use crate::replay::KeySpecs;

/// The number of bytes of the log after which rows are written.
const STEP: usize = 8 << 20;
/// The length that is kept of a name of a command.
const NAME_BYTES: usize = 64;

/// Adds all commands of a log up to a torn end, which was counted before. `counted`: where they are in each part.
///
/// # Errors
///
/// When the log was changed by another process, or the table cannot be written.
pub(in crate::ops::stats) fn add_commands(
    log: &Log,
    counted: &[CoursePart<'_>],
    key_specs: &KeySpecs,
    tables: &mut Tables,
    progress: &dyn Progress,
) -> Result<()> {
    progress.phase("tabulate", log.bytes());
    let mut rows = Rows {
        part: String::new(),
        db: 0,
        time: None,
        key_specs,
        rows: Vec::with_capacity(1 << 16),
    };
    for ((number, part), counted) in (0_u32..).zip(&log.parts).zip(counted) {
        let bytes = part.mapping.bytes();
        let index = |offset: u64| usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
        let (mut at, end) = (index(counted.start), index(counted.end));
        rows.part = log.part_name(number);
        rows.db = 0;
        while at < end {
            progress.check()?;
            let stop = scan(&bytes[..end], at..at.saturating_add(STEP).min(end), &mut rows);
            progress.advance((stop.at - at) as u64);
            part.mapping.check()?;
            tables.add_commands(&mut rows.rows)?;
            if stop.fault.is_some() || stop.at == at {
                break;
            }
            at = stop.at;
        }
    }
    Ok(())
}

struct Rows<'s> {
    part: String,
    db: u32,
    time: Option<i64>,
    key_specs: &'s KeySpecs,
    rows: Vec<CommandRow>,
}

impl Sink for Rows<'_> {
    fn command(&mut self, frame: Frame<'_>) {
        let (name_on, name_len) = frame.bytes_from_name();
        let id = lookup_prefix(name_on, name_len);
        // A SELECT belongs to the database that it selects.
        if id.is_some_and(|id| id.row().role == Role::Select)
            && let Some(db) = frame.args().nth(1).and_then(database_index)
        {
            self.db = db;
        }
        let mut key = None;
        each_key(&frame, id, self.key_specs, |name, _| {
            key.get_or_insert_with(|| name.to_vec());
        });
        let command = match id {
            Some(id) => id.row().name.to_owned(),
            None => {
                let name = frame.name();
                super::rows::printable(&name[..name.len().min(NAME_BYTES)]).to_uppercase()
            }
        };
        self.rows.push(CommandRow {
            part: self.part.clone(),
            offset: frame.offset(),
            bytes: frame.bytes().len() as u64,
            time: self.time,
            db: self.db,
            command,
            arguments: frame.argc(),
            key,
        });
    }

    fn annotation(&mut self, _: u64, line: &[u8]) {
        if let Some(time) = timestamp(line) {
            self.time = Some(time);
        }
    }
}
