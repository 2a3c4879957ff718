//! An opened log: its parts, mapped, in the order in which a server loads them, and the files beside it.

use std::path::PathBuf;

use serde::Serialize;

use super::manifest::Manifest;
use crate::disk::Mapping;

/// A log, opened: what a server would load, in the order in which it would.
pub struct Log {
    /// The path as it was pointed at.
    pub path: PathBuf,
    /// What was opened: the file, or the manifest of the set. Another path than [`Log::path`] where
    /// a directory was pointed at.
    pub opened: PathBuf,
    /// Why just that was opened, where there was a choice: a sentence for a person, without a stop.
    pub chosen: Option<String>,
    /// How the log lies on disk.
    pub layout: Layout,
    /// The files that a server loads, in its order. None for a manifest that lists no file.
    pub parts: Vec<Part>,
    /// The files that the manifest lists as replaced by a rewrite; never loaded.
    pub history: Vec<HistoryFile>,
    /// The manifest, of a multi-part log.
    pub manifest: Option<ManifestFile>,
    /// Files of a server found beside the log that are no part of it. Of a log in a single file
    /// only when a directory was pointed at.
    pub others: Vec<OtherFile>,
}

impl Log {
    /// The length of all parts together, in bytes.
    pub fn bytes(&self) -> u64 {
        self.parts.iter().map(|part| part.mapping.len()).sum()
    }

    /// The file name of a part by its number; empty where there is none.
    pub fn part_name(&self, number: u32) -> String {
        self.parts.get(number as usize).map(|part| part.name.clone()).unwrap_or_default()
    }
}

/// How a log lies on disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Layout {
    /// A file with no bytes: a server starts with nothing from it.
    Empty,
    /// One file of commands. Nothing in it has been looked at but that it does not begin as an RDB.
    SingleFile,
    /// One file that begins with the magic of an RDB: an RDB and nothing else, or an AOF with an
    /// RDB preamble. Which, shows only where the RDB ends.
    RdbFile,
    /// A directory with a manifest.
    MultiPart {
        /// The directory that the parts are in.
        #[serde(serialize_with = "crate::base::escape::path")]
        directory: PathBuf,
        /// Its name: the server's `appenddirname`. Empty where the path does not tell it.
        appenddirname: String,
        /// The manifest's name without `.manifest`: the server's `appendfilename`.
        appendfilename: String,
    },
    /// One base or incremental file of a set, without the others.
    OnePart {
        /// The manifest beside it, if there is one that lists it among what is loaded.
        #[serde(serialize_with = "crate::base::escape::path_if_any")]
        manifest: Option<PathBuf>,
    },
}

/// What a part is to the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum PartRole {
    /// The whole log.
    Single,
    /// The base file of a set.
    Base,
    /// An incremental file of a set.
    Incr,
}

/// One file that a server loads.
pub struct Part {
    /// The file's name, made printable.
    pub name: String,
    /// Where it is.
    pub path: PathBuf,
    /// What it is to the log.
    pub role: PartRole,
    /// Its place in [`Log::parts`], from 0.
    pub index: usize,
    /// Its bytes.
    pub mapping: Mapping,
    /// Whether a server loads it last, and so forgives a torn end. Of one part by itself: whether
    /// it is the last of its set, and true where nothing tells.
    pub is_last: bool,
}

impl Part {
    /// Whether a server reads the beginning of this part as an RDB.
    pub fn starts_with_rdb(&self) -> bool {
        starts_with_rdb(self.mapping.bytes())
    }
}

/// A file that a rewrite has replaced.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HistoryFile {
    /// Its name, made printable.
    pub name: String,
    /// Where it is or was.
    #[serde(serialize_with = "crate::base::escape::path")]
    pub path: PathBuf,
    /// Its length in bytes, if it is still there.
    pub bytes: Option<u64>,
    /// Its line in the manifest, from 1.
    pub line: u64,
}

/// A manifest, with the path it was read from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManifestFile {
    /// Where it is.
    pub path: PathBuf,
    /// What it says.
    pub manifest: Manifest,
}

/// A file beside the log that is no part of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OtherFile {
    /// Where it is.
    #[serde(serialize_with = "crate::base::escape::path")]
    pub path: PathBuf,
    /// Its length in bytes.
    pub bytes: u64,
    /// What it probably is.
    pub kind: OtherKind,
}

/// What a file beside a log probably is. Names follow `aof.c` and `rdb.c`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum OtherKind {
    /// Named as a base file, and not in the manifest.
    OrphanBase,
    /// Named as an incremental file, and not in the manifest.
    OrphanIncr,
    /// A second manifest.
    OtherManifest,
    /// `temp-NAME.manifest`: a manifest that was being written.
    TempManifest,
    /// `temp-NAME.incr`: what was written while the AOF was being switched on.
    TempIncr,
    /// `temp-rewriteaof-*.aof`: the output of a rewrite.
    TempRewrite,
    /// `temp-*.rdb`: the output of a snapshot.
    TempRdb,
    /// The single file from before the upgrade to a set; no longer loaded.
    OldSingleFile,
    /// A single-file AOF, or what looks like one, that belongs to no set.
    SingleFile,
    /// A snapshot.
    Rdb,
    /// `NAME.bak-<time>` and such, a file or a directory: this program replaced or cut something, and kept it.
    OwnCopy,
    /// `.NAME.<random>.tmp`, a file or a directory: output of this program that is not finished.
    OwnUnfinished,
    /// Nothing that a server makes.
    Unknown,
}

impl OtherKind {
    /// What that means, in a few words for a person.
    pub fn meaning(self) -> &'static str {
        match self {
            OtherKind::OrphanBase => {
                "a base file that the manifest does not list: left by a rewrite that was interrupted"
            }
            OtherKind::OrphanIncr => {
                "an incremental file that the manifest does not list: a server does not load it"
            }
            OtherKind::OtherManifest => "another manifest",
            OtherKind::TempManifest => "a manifest that was never finished",
            OtherKind::TempIncr => "writes from while the AOF was being switched on",
            OtherKind::TempRewrite => "the output of a rewrite that runs or was interrupted",
            OtherKind::TempRdb => "the output of a snapshot that runs or was interrupted",
            OtherKind::OldSingleFile => {
                "the single file from before the upgrade to a set: a server no longer loads it"
            }
            OtherKind::SingleFile => "an append-only file that belongs to no set",
            OtherKind::Rdb => "a snapshot: a server with an append-only file does not load it",
            OtherKind::OwnCopy => {
                "a copy that aofkit kept of what it replaced or cut off: not read"
            }
            OtherKind::OwnUnfinished => {
                "output of an aofkit that is at work or was killed: not read"
            }
            OtherKind::Unknown => "nothing that a server makes",
        }
    }
}

/// Whether the loader takes `bytes` for an RDB. Redis and Valkey up to 8 know only the first magic.
pub fn starts_with_rdb(bytes: &[u8]) -> bool {
    bytes.starts_with(b"REDIS") || bytes.starts_with(b"VALKEY")
}
