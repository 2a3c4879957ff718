//! The value of a key, at the end of a log or at any position in it.
//!
//! Only the shard of the key is replayed, up to the position. The value is copied out of the data set, and the commands that
//! recreate it are those of a rewrite.

mod commands;
mod content;

use std::path::{Path, PathBuf};

use serde::{Serialize, Serializer};

pub use content::{
    ArrayElement, Content, HashField, ModuleContent, ScoredMember, StreamConsumer, StreamContent,
    StreamEntry, StreamGroup, UnknownContent,
};

use crate::analysis::key_state::KeyState;
use crate::analysis::position::Position;
use crate::aof::log::Log;
use crate::base::error::Result;
use crate::base::escape::{Text, quote};
use crate::base::next_step::{Action, NextStep, path_arg};
use crate::base::progress::Progress;
use crate::base::server::Server;
use crate::input::archive::key_filter::lacks_key;
use crate::input::open_log;
use crate::keyspace::fingerprint::{Detail, Fingerprint};
use crate::keyspace::{Db, Keyspace};
use crate::ops::history::{Event, HistoryOptions, history_of};
use crate::ops::recover::{StateAt, state_at};
use crate::replay::pair::each_window;
use crate::replay::{Origin, ReplayOptions, RouteOptions, replay, route};

/// Options of [`get`].
#[derive(Debug, Clone, Default)]
pub struct GetOptions {
    /// The key name.
    pub key: Vec<u8>,
    /// The databases; empty for all.
    pub dbs: Vec<u32>,
    /// The position up to which commands are replayed; `None` for the end of the log.
    pub at: Option<Position>,
    /// The server that the commands are for; `None` for the one that wrote the log.
    pub server: Option<Server>,
    /// The time by which a key at the end of the log is judged as expired, in Unix milliseconds.
    pub now_ms: i64,
    /// Options for reading the log; only the shard of the key is read.
    pub route: RouteOptions,
    /// Options for replaying its commands.
    pub replay: ReplayOptions,
}

/// The value of a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GetReport {
    /// The path as given.
    #[serde(serialize_with = "crate::base::escape::path")]
    pub path: PathBuf,
    /// The key name: an object, `text` if it is UTF-8, otherwise `bytes` in base64.
    #[serde(serialize_with = "text")]
    pub key: Vec<u8>,
    /// The position of the state; `None` for the end of the log.
    pub at: Option<GetPoint>,
    /// The key in each database that has it, by database.
    pub found: Vec<FoundKey>,
    /// The other databases that have the key, if some were requested.
    pub other_dbs: Vec<u32>,
    /// The last command that wrote or deleted the key, if no database has it and a command did.
    pub last_event: Option<LastEvent>,
    /// Whether the key filter of the archive answered that the key was never written, so that the log was not read.
    pub by_filter: bool,
    /// The server that wrote the log, as far as the log says; `None` if it was not read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
    /// What to do next.
    pub next: Vec<NextStep>,
}

/// A position in a log that a state is taken at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GetPoint {
    /// The file name of the part.
    pub part: String,
    /// The number of the part in load order, from 1.
    pub number: usize,
    /// The byte offset; the state is that after everything before it.
    pub offset: u64,
    /// The number of commands before it.
    pub commands: u64,
    /// The time of the state: the requested one, or that of the last annotation before the position.
    #[serde(
        skip_serializing_if = "Option::is_none",
        serialize_with = "crate::base::rfc3339::milliseconds_if_any"
    )]
    pub time: Option<i64>,
    /// The reason for choosing this point, as a sentence, where it is not obvious.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// A key in a database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FoundKey {
    /// The database number.
    pub db: u32,
    /// The type, size and expiry.
    #[serde(flatten)]
    pub state: KeyState,
    /// The total length of its elements in bytes; `None` if its value is not understood.
    pub bytes: Option<u64>,
    /// Whether its expiry has passed at the time of the state, so that a server does not return it; `None` if that time is
    /// not known.
    pub expired: Option<bool>,
    /// The first 64 bits of the fingerprint of the database, name, type, expiry and value.
    pub fingerprint: String,
    /// The value.
    #[serde(flatten)]
    pub content: Content,
    /// The commands that recreate the key, or the reason why none can.
    #[serde(skip)]
    pub commands: std::result::Result<Vec<u8>, String>,
}

/// The last command that wrote or deleted a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LastEvent {
    /// The file name of the part.
    pub part: String,
    /// The number of the part in load order, from 1.
    pub number: usize,
    /// The byte offset of the command in the part.
    pub offset: u64,
    /// The time of the last annotation before it, in Unix seconds; a string as in RFC 3339 in JSON.
    #[serde(
        skip_serializing_if = "Option::is_none",
        serialize_with = "crate::base::rfc3339::seconds_if_any"
    )]
    pub time: Option<i64>,
    /// The name of the command; `None` for an RDB.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
}

fn text<S: Serializer>(key: &[u8], serializer: S) -> std::result::Result<S::Ok, S::Error> {
    Text(key).serialize(serializer)
}

/// Returns the value of a key in the log at `path`, or in the archive there.
///
/// # Errors
///
/// When the log cannot be opened, is damaged other than by a torn end, or cannot be replayed as far as the key is
/// concerned; and when the position is not in it. That the key is not there is part of the result.
pub fn get(path: &Path, options: &GetOptions, progress: &dyn Progress) -> Result<GetReport> {
    if lacks_key(path, &options.key) {
        return Ok(GetReport { by_filter: true, ..GetReport::empty(path, &options.key) });
    }
    let log = open_log(path, progress)?;
    log.name_archive(get_of(&log, options, progress))
}

fn get_of(log: &Log, options: &GetOptions, progress: &dyn Progress) -> Result<GetReport> {
    let at = options.at.as_ref().map(|at| state_at(log, at, progress)).transpose()?;
    let cut = at.as_ref().map(|at| at.cut.clone()).unwrap_or_default();
    let state_ms = at.as_ref().map_or(Some(options.now_ms), |at| at.time_ms);
    let read = RouteOptions { cut, ..options.route.clone() };
    let only = RouteOptions { only: Some(options.key.clone()), ..read.clone() };
    let routing = route(log, &only, progress)?;
    let origin = routing.whole().origin().clone();
    let server = options.server.unwrap_or_else(|| origin.writing());
    let mut all = Vec::new();
    each_window(&routing, "replay", progress, |routed| {
        let make = |_, keyspace: &mut Keyspace<'_>| {
            let found = keyspace.databases().filter_map(|db| found_in(db, &options.key, server));
            Ok(found.collect::<Vec<_>>())
        };
        let take = |_, found: Vec<FoundKey>| {
            all.extend(found);
            Ok(())
        };
        replay(routed, &options.replay, progress, make, take)
    })?;
    all.sort_by_key(|found| found.db);
    for found in &mut all {
        found.expired = match found.state.expires_ms {
            Some(expires_ms) => state_ms.map(|now_ms| expires_ms <= now_ms),
            None => Some(false),
        };
    }
    let is_wanted = |found: &FoundKey| options.dbs.is_empty() || options.dbs.contains(&found.db);
    let (found, others): (Vec<_>, Vec<_>) = all.into_iter().partition(is_wanted);
    let mut report = GetReport {
        at: at.map(GetPoint::from_state),
        found,
        other_dbs: others.iter().map(|found| found.db).collect(),
        origin: Some(origin),
        ..GetReport::empty(&log.path, &options.key)
    };
    if report.found.is_empty() {
        report.last_event = last_event(log, &read, options, progress)?;
        report.next = report.steps();
    }
    Ok(report)
}

fn found_in(db: &Db<'_>, key: &[u8], server: Server) -> Option<FoundKey> {
    let entry = db.get(key)?;
    let state = KeyState::from_entry(entry)?;
    let content = Content::from_value(&entry.value, server);
    Some(FoundKey {
        db: db.number(),
        state,
        bytes: content.bytes(),
        expired: None,
        fingerprint: short(Fingerprint::default().of_entry(db.number(), entry, Detail::All)),
        content,
        commands: commands::commands(server, db.number(), entry),
    })
}

/// Returns the first 64 bits of a fingerprint in hexadecimal digits.
pub(crate) fn short(fingerprint: u128) -> String {
    format!("{:016x}", fingerprint >> 64)
}

/// Returns the last command up to the position that wrote or deleted the key.
fn last_event(
    log: &Log,
    read: &RouteOptions,
    options: &GetOptions,
    progress: &dyn Progress,
) -> Result<Option<LastEvent>> {
    let history = HistoryOptions {
        key: options.key.clone(),
        dbs: options.dbs.clone(),
        route: read.clone(),
        replay: options.replay.clone(),
    };
    let mut last = None;
    let mut tell = |event: &Event<'_>| {
        // A history also has the events of other names that the value had.
        if event.touched.iter().all(|touched| touched.key != options.key) {
            return Ok(());
        }
        last = Some(LastEvent {
            part: event.part.to_owned(),
            number: event.number,
            offset: event.offset,
            time: event.time,
            command: event.args.first().map(|name| name.escape_ascii().to_string()),
        });
        Ok(())
    };
    history_of(log, &history, &mut tell, progress)?;
    Ok(last)
}

impl GetPoint {
    fn from_state(at: StateAt) -> GetPoint {
        GetPoint {
            part: at.point.part,
            number: at.number,
            offset: at.point.offset,
            commands: at.point.commands,
            time: at.time_ms,
            why: at.point.why,
        }
    }
}

impl GetReport {
    fn empty(path: &Path, key: &[u8]) -> GetReport {
        GetReport {
            path: path.to_owned(),
            key: key.to_owned(),
            at: None,
            found: Vec::new(),
            other_dbs: Vec::new(),
            last_event: None,
            by_filter: false,
            origin: None,
            next: Vec::new(),
        }
    }

    /// Returns the steps for a key that is not there.
    fn steps(&self) -> Vec<NextStep> {
        if self.last_event.is_none() {
            return Vec::new();
        }
        let args = ["history".to_owned(), key_arg(&self.key), path_arg(&self.path)];
        vec![NextStep::new("show every write to the key", [Action::aofkit(args)])]
    }
}

/// Returns a key as an argument that is read as this key: quoted as by redis-cli where it is not plain text.
pub(crate) fn key_arg(key: &[u8]) -> String {
    match std::str::from_utf8(key) {
        Ok(text) if !text.starts_with(['"', '-']) && !text.contains(|c: char| c.is_control()) => {
            text.to_owned()
        }
        _ => {
            let mut quoted = Vec::new();
            quote(key, &mut quoted);
            String::from_utf8_lossy(&quoted).into_owned()
        }
    }
}
