//! In which form a compacted log is written, and for which server.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

use crate::aof::log::{Layout, Log};
use crate::base::server::{Server, redis};
use crate::rdb::{self, Text, Visitor, Want};

/// The form of a log on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Form {
    /// One file of commands.
    Aof,
    /// One file that begins with an RDB, and has nothing behind it.
    Preamble,
    /// A directory: an RDB as base, an empty incremental file, the manifest.
    Multipart,
    /// A directory whose base is a file of commands.
    MultipartAof,
    /// An RDB that is no part of a log.
    Rdb,
}

impl Form {
    /// All of them, with the names by which they are asked for.
    pub const ALL: [(&'static str, Form); 5] = [
        ("aof", Form::Aof),
        ("preamble", Form::Preamble),
        ("multipart", Form::Multipart),
        ("multipart-aof", Form::MultipartAof),
        ("rdb", Form::Rdb),
    ];

    /// That of a log, as its server would write it. An RDB alone becomes the directory that lets a server
    /// start with it and keep a log from then on.
    pub fn of(log: &Log, commands: u64) -> Form {
        match &log.layout {
            Layout::MultiPart { .. } => match log.parts.first() {
                Some(base) if !base.starts_with_rdb() && !base.mapping.is_empty() => {
                    Form::MultipartAof
                }
                _ => Form::Multipart,
            },
            Layout::RdbFile if commands == 0 && !is_preamble(log) => Form::Multipart,
            Layout::RdbFile => Form::Preamble,
            Layout::Empty | Layout::SingleFile => Form::Aof,
            Layout::OnePart { .. } => match log.parts.first() {
                Some(part) if part.starts_with_rdb() => Form::Preamble,
                _ => Form::Aof,
            },
        }
    }

    /// Whether the keys are in an RDB.
    pub fn is_rdb(self) -> bool {
        matches!(self, Form::Preamble | Form::Multipart | Form::Rdb)
    }

    /// Whether it is a directory.
    pub fn is_directory(self) -> bool {
        matches!(self, Form::Multipart | Form::MultipartAof)
    }
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = Form::ALL.iter().find(|(_, form)| form == self).map_or("", |(name, _)| name);
        f.write_str(name)
    }
}

impl FromStr for Form {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Form::ALL.iter().find(|(name, _)| *name == text);
        found.map(|(_, form)| *form).ok_or_else(|| {
            let names: Vec<&str> = Form::ALL.iter().map(|(name, _)| *name).collect();
            format!("a form is one of {}", names.join(", "))
        })
    }
}

/// What the notes at the beginning of an RDB say.
#[derive(Default)]
struct Notes {
    server: Option<Server>,
    base: bool,
    over: bool,
}

impl<'a> Visitor<'a> for Notes {
    fn aux(&mut self, name: Text<'a, '_>, value: Text<'a, '_>) {
        let value = String::from_utf8_lossy(&value.to_vec()).into_owned();
        let version = |product: &str| format!("{product}-{value}").parse().ok();
        match &name.to_vec()[..] {
            b"redis-ver" if self.server.is_none() => self.server = version("redis"),
            b"valkey-ver" => self.server = version("valkey"),
            b"aof-base" | b"aof-preamble" => self.base = value == "1",
            _ => {}
        }
    }

    fn key(&mut self, _: &rdb::Key<'a>) -> Want {
        self.over = true;
        Want::Skip
    }
}

/// The first kilobytes of an RDB hold its notes.
const NOTES_BYTES: usize = 4096;

fn notes(log: &Log) -> Notes {
    let mut notes = Notes::default();
    if let Some(part) = log.parts.first()
        && part.starts_with_rdb()
    {
        let bytes = part.mapping.bytes();
        let head = &bytes[..bytes.len().min(NOTES_BYTES)];
        // It ends in the middle, which is no matter here.
        let _ = rdb::walk(head, &mut notes, &crate::base::progress::Silent);
    }
    notes
}

fn is_preamble(log: &Log) -> bool {
    notes(log).base
}

/// The server that wrote a log, as far as it shows: by the notes of an RDB in it, else by its layout.
pub(super) fn written_by(log: &Log) -> Server {
    notes(log).server.unwrap_or(match log.layout {
        Layout::MultiPart { .. } | Layout::OnePart { .. } => redis(7, 0),
        Layout::Empty | Layout::SingleFile | Layout::RdbFile => redis(6, 2),
    })
}
