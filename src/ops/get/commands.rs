//! The commands that recreate a key.

use crate::base::server::Server;
use crate::keyspace::{Entry, Value};
use crate::rdb::Target;
use crate::rdb::write::{Options, PayloadWriter};
use crate::rewrite::commands::CommandWriter;
use crate::rewrite::rdb::payload;

/// Returns the commands that recreate a key of database `db` on `server`, replacing what is there: those of a rewrite,
/// after a SELECT, and where the value has no form as commands, RESTORE.
///
/// # Errors
///
/// The reason why no command can create it, for display.
pub(super) fn commands(server: Server, db: u32, entry: &Entry<'_>) -> Result<Vec<u8>, String> {
    let mut writer = CommandWriter::new(server);
    writer.select(db);
    // SET replaces a value; the commands of other types would add to one.
    if !matches!(entry.value, Value::String(_)) {
        writer.command(b"DEL", &[entry.key()]);
    }
    let start = writer.buffer().len();
    let Err(unwritable) = writer.key(entry) else { return Ok(writer.take()) };
    writer.buffer().truncate(start);
    let target = Target::for_server(server).ok_or_else(|| unwritable.to_string())?;
    let options = Options { drop_bookkeeping: true, ..Options::default() };
    let payload = payload(&mut PayloadWriter::new(target, &options), db, entry);
    let payload = payload.map_err(|error| format!("{unwritable}; {error}"))?;
    let ttl = entry.expires_ms().unwrap_or(0).to_string();
    writer.command(b"RESTORE", &[entry.key(), ttl.as_bytes(), &payload, b"REPLACE", b"ABSTTL"]);
    Ok(writer.take())
}
