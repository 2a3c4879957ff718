//! Several logs in one file, as `cat a.aof b.aof > c.aof` makes them.
//!
//! Commands after commands are an ordinary log, and so is a base before its incremental file. But only at the beginning of
//! a file does a server read an RDB: it refuses a log in which another one follows, and ignores one after an RDB file.

use serde::Serialize;

use crate::analysis::survey::Survey;
use crate::aof::conversion::{BYTE_ORDER_MARK, begins_rdb, leading_text};
use crate::aof::scan_parallel;
use crate::base::progress::Silent;
use crate::base::units::{Count, counted};
use crate::command::Tally;
use crate::rdb;

/// One of several logs in a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct JoinedLog {
    /// The byte offset at which it begins.
    pub(crate) offset: u64,
    /// Its length in bytes.
    pub(crate) bytes: u64,
    /// The number of keys in the RDB that it begins with; absent if there is none, or it cannot be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) rdb_keys: Option<u64>,
    /// The number of complete commands after that, up to the first damage.
    pub(crate) commands: u64,
}

/// The most logs of one file that are distinguished. The last one has all bytes after it.
const MOST_LOGS: usize = 1000;

/// Returns the logs that are joined in a part; empty if it is only one.
pub(crate) fn joined_logs(survey: &Survey<'_>) -> Vec<JoinedLog> {
    if survey.part.compressed.is_some() || survey.is_preamble_broken() {
        return Vec::new();
    }
    let bytes = survey.part.mapping.bytes();
    if leading_text(bytes).is_some() {
        return Vec::new();
    }
    let first = JoinedLog {
        offset: 0,
        bytes: 0,
        rdb_keys: survey.rdb().map(|rdb| rdb.keys),
        commands: survey.tally.commands,
    };
    let mut logs = vec![first];
    if survey.stop.fault.is_none() && survey.ignored_bytes() == 0 {
        return Vec::new();
    }
    let mut end = survey.stop.at;
    let mut next = next_rdb(bytes, end).or_else(|| in_torn_value(survey));
    // An editor put it before an RDB.
    if next.is_some_and(|at| bytes.get(..at) == Some(BYTE_ORDER_MARK)) {
        return Vec::new();
    }
    while let Some(at) = next.filter(|_| logs.len() < MOST_LOGS) {
        end_last(&mut logs, at);
        let reading = rdb::read(&bytes[at..], &mut rdb::IgnoreDeep, &Silent);
        let start = match &reading {
            Ok(reading) => at.saturating_add(usize::try_from(reading.len()).unwrap_or(usize::MAX)),
            Err(_) => bytes.len(),
        };
        let scanned = scan_parallel(bytes, start.min(bytes.len()), Tally::default, |_| {}, &Silent);
        logs.push(JoinedLog {
            offset: at as u64,
            bytes: 0,
            rdb_keys: reading.ok().map(|reading| reading.walk().keys),
            commands: scanned.sink.commands,
        });
        end = scanned.stop.at;
        next = next_rdb(bytes, end);
    }
    if logs.len() == 1 {
        return Vec::new();
    }
    end_last(&mut logs, bytes.len());
    logs
}

fn end_last(logs: &mut [JoinedLog], end: usize) {
    if let Some(last) = logs.last_mut() {
        last.bytes = (end as u64).saturating_sub(last.offset);
    }
}

/// The number of bytes from the start of a torn command on in which an RDB is searched for.
const TORN_BYTES: usize = 1 << 20;

/// The number of places that are tried there.
const CANDIDATES: usize = 16;

/// Returns the offset of an RDB at `end`, where the commands before it end; or after it, if the last of these is torn: then
/// only one that is whole, as the bytes may be those of a value.
fn next_rdb(bytes: &[u8], end: usize) -> Option<usize> {
    if begins_rdb(bytes.get(end..)?) {
        return Some(end);
    }
    let torn = &bytes[end..bytes.len().min(end.saturating_add(TORN_BYTES))];
    memchr::memmem::find_iter(torn, b"REDIS").take(CANDIDATES).find_map(|at| {
        let rdb = &bytes[end + at..];
        let is_whole = begins_rdb(rdb) && rdb::read(rdb, &mut rdb::IgnoreDeep, &Silent).is_ok();
        is_whole.then_some(end + at)
    })
}

/// Returns the offset of an RDB that the last value before it runs into: servers do not check what follows a value.
fn in_torn_value(survey: &Survey<'_>) -> Option<usize> {
    let seen = survey.tally.non_canonical;
    let first = usize::try_from(seen.first).ok().filter(|_| seen.count > 0)?;
    next_rdb(survey.part.mapping.bytes(), first)
}

/// Returns a description of several logs in a file, in lower case and without a full stop.
pub(crate) fn describe(logs: &[JoinedLog]) -> String {
    let Some(second) = logs.get(1) else { return "one log".to_owned() };
    let keys =
        second.rdb_keys.map_or("which cannot be read".to_owned(), |keys| counted(keys, "key"));
    format!(
        "a second RDB begins at byte {} ({keys}): {} logs in one file, as cat joins them",
        Count(second.offset),
        logs.len()
    )
}
