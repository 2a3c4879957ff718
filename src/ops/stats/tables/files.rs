//! The Parquet files: written to a new directory, which appears when all of them are complete.

use std::path::PathBuf;

use super::columns::{Column, Data, Of, Table, signed};
use super::options::TableOptions;
use super::rows::{CommandRow, KeyRow, printable};
use crate::base::error::{Error, Result};
use crate::disk::Access;
use crate::disk::publish::{Existing, NewDirectory};

/// The maximum number of rows of a group, and of bytes of names from which a group is written.
const GROUP_ROWS: usize = 1 << 16;
const GROUP_BYTES: usize = 32 << 20;

/// The largest time that engines can read, in milliseconds: they count microseconds in 64 bits.
const LATEST_MS: i64 = i64::MAX / 1000;

const KEYS: &str = "keys.parquet";
const COMMANDS: &str = "commands.parquet";

const KEY_COLUMNS: &[Column] = &[
    ("db", Of::Int32, false),
    ("key", Of::Bytes, false),
    ("key_text", Of::Text, false),
    ("type", Of::Text, false),
    ("encoding", Of::Text, true),
    ("items", Of::Int64, false),
    ("bytes", Of::Int64, false),
    ("largest_item", Of::Int64, false),
    ("memory_bytes", Of::Int64, true),
    ("expires_at", Of::Time, true),
    ("expires_ms", Of::Int64, true),
    ("ttl_ms", Of::Int64, true),
    ("slot", Of::Int32, false),
];

const COMMAND_COLUMNS: &[Column] = &[
    ("part", Of::Text, false),
    ("offset", Of::Int64, false),
    ("bytes", Of::Int64, false),
    ("time", Of::Time, true),
    ("db", Of::Int32, false),
    ("command", Of::Text, false),
    ("arguments", Of::Int32, false),
    ("key", Of::Bytes, true),
    ("key_text", Of::Text, true),
];

/// The files that are being written.
pub(in crate::ops::stats) struct Tables {
    directory: NewDirectory,
    keys: Option<Open<KeyRow>>,
    commands: Option<Open<CommandRow>>,
}

impl Tables {
    /// Begins the files in a new directory, for their owner alone.
    ///
    /// # Errors
    ///
    /// When something is at its path, or it cannot be created.
    pub(in crate::ops::stats) fn create(options: &TableOptions) -> Result<Tables> {
        let directory = NewDirectory::create(&options.directory, Existing::Keep, Access::PRIVATE)?;
        let keys =
            options.keys.then(|| Open::begin(&directory, KEYS, "keys", KEY_COLUMNS)).transpose()?;
        let commands = options
            .commands
            .then(|| Open::begin(&directory, COMMANDS, "commands", COMMAND_COLUMNS))
            .transpose()?;
        Ok(Tables { directory, keys, commands })
    }

    /// Adds the keys of a shard.
    pub(in crate::ops::stats) fn add_keys(&mut self, mut rows: Vec<KeyRow>) -> Result<()> {
        self.keys.as_mut().map_or(Ok(()), |keys| keys.add(&mut rows))
    }

    /// Takes the rows of commands.
    pub(super) fn add_commands(&mut self, rows: &mut Vec<CommandRow>) -> Result<()> {
        self.commands.as_mut().map_or(Ok(()), |commands| commands.add(rows))
    }

    /// Completes the files, and moves the directory to its path.
    pub(in crate::ops::stats) fn publish(self) -> Result<()> {
        let Tables { directory, keys, commands } = self;
        keys.map_or(Ok(()), Open::finish)?;
        commands.map_or(Ok(()), Open::finish)?;
        directory.publish()
    }
}

/// A row of a table.
trait Row: Sized {
    /// The size of its names in bytes.
    fn name_bytes(&self) -> usize;

    /// Returns the values of each column.
    fn columns(rows: &[Self]) -> Vec<Data>;
}

/// A file, and the rows of the group that is not complete.
struct Open<R> {
    path: PathBuf,
    table: Table,
    rows: Vec<R>,
    name_bytes: usize,
}

impl<R: Row> Open<R> {
    fn begin(
        directory: &NewDirectory,
        file: &str,
        name: &str,
        columns: &[Column],
    ) -> Result<Open<R>> {
        let path = directory.path().join(file);
        let table = directory.access().create(&path);
        let table = table.and_then(|file| Table::begin(file, name, columns));
        let table = table.map_err(|error| Error::io("create", &path, error))?;
        Ok(Open { path, table, rows: Vec::new(), name_bytes: 0 })
    }

    fn add(&mut self, rows: &mut Vec<R>) -> Result<()> {
        for row in rows.drain(..) {
            self.name_bytes += row.name_bytes();
            self.rows.push(row);
            if self.rows.len() >= GROUP_ROWS || self.name_bytes >= GROUP_BYTES {
                self.write()?;
            }
        }
        Ok(())
    }

    fn write(&mut self) -> Result<()> {
        if self.rows.is_empty() {
            return Ok(());
        }
        let written = self.table.write(R::columns(&self.rows));
        self.rows.clear();
        self.name_bytes = 0;
        written.map_err(|error| Error::io("write", &self.path, error))
    }

    fn finish(mut self) -> Result<()> {
        self.write()?;
        self.table.finish().map_err(|error| Error::io("write", &self.path, error))
    }
}

fn int32(number: u32) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

impl Row for KeyRow {
    fn name_bytes(&self) -> usize {
        self.key.len()
    }

    fn columns(rows: &[KeyRow]) -> Vec<Data> {
        let all = || rows.iter();
        let time = |ms: &i64| (-LATEST_MS..=LATEST_MS).contains(ms);
        vec![
            Data::int32(all().map(|row| int32(row.db))),
            Data::bytes(all().map(|row| row.key.clone())),
            Data::bytes(all().map(|row| printable(&row.key).into_bytes())),
            Data::bytes(all().map(|row| row.kind.to_string().into_bytes())),
            Data::bytes_if_any(all().map(|row| row.encoding.map(|it| it.as_bytes().to_vec()))),
            Data::int64(all().map(|row| row.items)),
            Data::int64(all().map(|row| row.bytes)),
            Data::int64(all().map(|row| row.largest_item)),
            Data::int64_if_any(all().map(|row| row.memory_bytes.map(signed))),
            Data::int64_if_any(all().map(|row| row.expires_ms.filter(time))),
            Data::int64_if_any(all().map(|row| row.expires_ms)),
            Data::int64_if_any(all().map(|row| row.ttl_ms)),
            Data::int32(all().map(|row| i32::from(row.slot))),
        ]
    }
}

impl Row for CommandRow {
    fn name_bytes(&self) -> usize {
        self.key.as_ref().map_or(0, Vec::len) + self.part.len() + self.command.len()
    }

    fn columns(rows: &[CommandRow]) -> Vec<Data> {
        let all = || rows.iter();
        let ms = |row: &CommandRow| {
            let ms = row.time?.checked_mul(1000)?;
            (-LATEST_MS..=LATEST_MS).contains(&ms).then_some(ms)
        };
        vec![
            Data::bytes(all().map(|row| row.part.clone().into_bytes())),
            Data::int64(all().map(|row| row.offset)),
            Data::int64(all().map(|row| row.bytes)),
            Data::int64_if_any(all().map(ms)),
            Data::int32(all().map(|row| int32(row.db))),
            Data::bytes(all().map(|row| row.command.clone().into_bytes())),
            Data::int32(all().map(|row| int32(row.arguments))),
            Data::bytes_if_any(all().map(|row| row.key.clone())),
            Data::bytes_if_any(
                all().map(|row| row.key.as_ref().map(|key| printable(key).into_bytes())),
            ),
        ]
    }
}
