//! The form of a compacted log, and the server that it is written for.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

use crate::aof::log::{Layout, Log};
use crate::base::server::Server;
use crate::rdb::{self, Target, Text, Visitor, Want};

/// The form of a log on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Form {
    /// A single file of commands.
    Aof,
    /// A single file that consists of an RDB preamble only.
    Preamble,
    /// A directory with an RDB base file, an empty incremental file and the manifest.
    Multipart,
    /// A directory with a base file of commands.
    MultipartAof,
    /// A plain RDB file, not part of a log.
    Rdb,
}

impl Form {
    /// All forms, with the names by which they are selected.
    pub const ALL: [(&'static str, Form); 5] = [
        ("aof", Form::Aof),
        ("preamble", Form::Preamble),
        ("multipart", Form::Multipart),
        ("multipart-aof", Form::MultipartAof),
        ("rdb", Form::Rdb),
    ];

    /// Returns the form of a log as its server would write it. A plain RDB becomes a directory, with which a server can
    /// start and continue logging.
    pub(crate) fn matching(log: &Log, commands: u64) -> Form {
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

    /// Returns the form of a log that is converted for a server: the one that it has, or the nearest that the server
    /// reads.
    pub(crate) fn for_server(log: &Log, commands: u64, server: Server) -> Form {
        let own = match &log.layout {
            Layout::RdbFile if commands == 0 && !is_preamble(log) => Form::Rdb,
            _ => Form::matching(log, commands),
        };
        let is_rdb = own.is_rdb() && Target::for_server(server).is_some();
        match own {
            Form::Rdb | Form::Preamble if is_rdb => own,
            Form::Multipart if is_rdb && server.reads_multi_part() => own,
            Form::Multipart if is_rdb => Form::Preamble,
            Form::MultipartAof if server.reads_multi_part() => own,
            _ => Form::Aof,
        }
    }

    /// Returns the form of the same shape with the other encoding of keys: commands instead of an RDB, or the reverse.
    pub(crate) fn with_other_encoding(self) -> Form {
        match self {
            Form::Aof => Form::Preamble,
            Form::Preamble | Form::Rdb => Form::Aof,
            Form::Multipart => Form::MultipartAof,
            Form::MultipartAof => Form::Multipart,
        }
    }

    /// Returns whether the keys are stored in an RDB.
    pub fn is_rdb(self) -> bool {
        matches!(self, Form::Preamble | Form::Multipart | Form::Rdb)
    }

    /// Returns whether the form is a directory.
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

/// The auxiliary fields at the beginning of an RDB.
#[derive(Default)]
struct Notes {
    base: bool,
    over: bool,
}

impl<'a> Visitor<'a> for Notes {
    fn aux(&mut self, name: Text<'a, '_>, value: Text<'a, '_>) {
        let value = String::from_utf8_lossy(&value.to_vec()).into_owned();
        if matches!(&name.to_vec()[..], b"aof-base" | b"aof-preamble") {
            self.base = value == "1";
        }
    }

    fn key(&mut self, _: &rdb::Key<'a>) -> Want {
        self.over = true;
        Want::Skip
    }
}

/// The number of bytes at the beginning of an RDB that contain its auxiliary fields.
const NOTES_BYTES: usize = 4096;

fn notes(log: &Log) -> Notes {
    let mut notes = Notes::default();
    if let Some(part) = log.parts.first()
        && part.starts_with_rdb()
    {
        let bytes = part.mapping.bytes();
        let head = &bytes[..bytes.len().min(NOTES_BYTES)];
        // The input is cut off on purpose, so that this always fails at the end.
        let _ = rdb::walk(head, &mut notes, &crate::base::progress::Silent);
    }
    notes
}

fn is_preamble(log: &Log) -> bool {
    notes(log).base
}
