//! An opened log: its mapped parts, in the order in which a server loads them, and related files.

use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use serde::Serialize;

use super::manifest::Manifest;
use super::rdb_file::read_end;
use crate::base::progress::Progress;
use crate::disk::Mapping;
use crate::rdb::envelope::{Envelope, Unwrapped};
use crate::rdb::{self, Damage, Reading, Visitor};

/// An opened log: the files that a server would load, in its order.
pub struct Log {
    /// The path that was given.
    pub path: PathBuf,
    /// The file that was opened: the log itself, or the manifest of the set. It differs from
    /// [`Log::path`] if a directory was given.
    pub opened: PathBuf,
    /// The reason why this file was opened, if there was a choice: a sentence for display, without
    /// a full stop.
    pub chosen: Option<String>,
    /// The layout of the log on disk.
    pub layout: Layout,
    /// The files that a server loads, in its order. Empty for a manifest that lists no file.
    pub parts: Vec<Part>,
    /// The files that the manifest lists as replaced by a rewrite; they are never loaded.
    pub history: Vec<HistoryFile>,
    /// The manifest, for a multi-part log.
    pub manifest: Option<ManifestFile>,
    /// Files of a server next to the log that do not belong to it. For a log in a single file, they
    /// are only listed if a directory was given.
    pub others: Vec<OtherFile>,
}

impl Log {
    /// Returns the total length of all parts, in bytes.
    pub fn bytes(&self) -> u64 {
        self.parts.iter().map(|part| part.mapping.len()).sum()
    }

    /// Returns the file name of a part by its number; empty if there is none.
    pub fn part_name(&self, number: u32) -> String {
        self.parts.get(number as usize).map(|part| part.name.clone()).unwrap_or_default()
    }
}

/// The layout of a log on disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Layout {
    /// An empty file: a server starts with an empty data set.
    Empty,
    /// One file of commands. Nothing was checked except that it does not begin like an RDB.
    SingleFile,
    /// One file that begins with the magic of an RDB: either an RDB only, or an AOF with an RDB
    /// preamble. Which one is only known at the end of the RDB.
    RdbFile,
    /// A directory with a manifest.
    MultiPart {
        /// The directory of the parts.
        #[serde(serialize_with = "crate::base::escape::path")]
        directory: PathBuf,
        /// Its name: the server's `appenddirname`. Empty if the path does not contain it.
        appenddirname: String,
        /// The name of the manifest without `.manifest`: the server's `appendfilename`.
        appendfilename: String,
    },
    /// One base or incremental file of a set, without the others.
    OnePart {
        /// The manifest in the same directory, if it lists the file among those that are loaded.
        #[serde(serialize_with = "crate::base::escape::path_if_any")]
        manifest: Option<PathBuf>,
    },
}

/// The role of a part in the log.
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
    /// The name of the file, escaped for display.
    pub name: String,
    /// The path of the file.
    pub path: PathBuf,
    /// The role of the file in the log.
    pub role: PartRole,
    /// The index in [`Log::parts`], from 0.
    pub index: usize,
    /// The bytes of the file. Of a compressed RDB, what it decompresses to, and what follows it.
    pub mapping: Mapping,
    /// The envelope, if the file begins with a compressed RDB.
    pub compressed: Option<Box<Compressed>>,
    /// Whether a server loads it last, and therefore tolerates a torn end. For a single part:
    /// whether it is the last of its set, or true if that is unknown.
    pub is_last: bool,
}

impl Part {
    /// Returns whether a server reads the beginning of this part as an RDB.
    pub fn starts_with_rdb(&self) -> bool {
        self.compressed.is_some() || starts_with_rdb(self.mapping.bytes())
    }

    /// Returns whether it is an RDB by its name, and has no bytes: every server writes at least a header, so its keys are
    /// gone. Servers load the rest of a set without an error.
    pub(crate) fn is_empty_rdb(&self) -> bool {
        is_empty_rdb(self.path.as_os_str().as_bytes(), self.mapping.len())
    }

    /// Reads the RDB that this part begins with.
    ///
    /// # Errors
    ///
    /// As [`rdb::read`]; and the fault of the envelope of a compressed RDB.
    pub fn read_rdb<'a, V: Visitor<'a>>(
        &'a self,
        visitor: &mut V,
        progress: &dyn Progress,
    ) -> Result<Reading, Box<Damage>> {
        self.read_rdb_in(self.mapping.bytes(), visitor, progress)
    }

    /// Reads the RDB as [`Part::read_rdb`] does, from `bytes`: those of the mapping, up to where they are used.
    ///
    /// # Errors
    ///
    /// As [`Part::read_rdb`].
    pub fn read_rdb_in<'a, V: Visitor<'a>>(
        &self,
        bytes: &'a [u8],
        visitor: &mut V,
        progress: &dyn Progress,
    ) -> Result<Reading, Box<Damage>> {
        match self.compressed.as_deref() {
            None => rdb::read(bytes, visitor, progress),
            Some(Compressed::Read { unwrapped, .. }) => unwrapped.read(bytes, visitor, progress),
            Some(Compressed::Unknown(envelope)) => Err(envelope.as_damage()),
        }
    }

    /// Returns the end of what a server reads of `bytes`, which are those of the mapping up to where they are used, and
    /// begin with an RDB of `rdb_len` bytes: of an RDB file, the end of the RDB.
    pub(crate) fn read_end(&self, bytes: &[u8], rdb_len: usize) -> usize {
        match self.role {
            PartRole::Single => read_end(self.name.as_bytes(), bytes, rdb_len),
            PartRole::Base | PartRole::Incr => bytes.len(),
        }
    }

    /// Returns the bytes of the file from its start to `end`, which counts decompressed bytes. A compressed RDB is
    /// included whole, however small `end` is.
    pub fn stored_bytes(&self, end: u64) -> &[u8] {
        let index = |offset: u64| usize::try_from(offset).unwrap_or(usize::MAX);
        let (bytes, end) = match self.compressed.as_deref() {
            Some(Compressed::Read { file, unwrapped }) => {
                let after = end.saturating_sub(unwrapped.content);
                (file.bytes(), unwrapped.stored.saturating_add(after))
            }
            Some(Compressed::Unknown(_)) => (self.mapping.bytes(), u64::MAX),
            None => (self.mapping.bytes(), end),
        };
        bytes.get(..index(end)).unwrap_or(bytes)
    }

    /// Returns the mapping of the file as it is on disk.
    pub fn file(&self) -> &Mapping {
        match self.compressed.as_deref() {
            Some(Compressed::Read { file, .. }) => file,
            Some(Compressed::Unknown(_)) | None => &self.mapping,
        }
    }

    /// Returns what the compressed RDB at the beginning of this part holds, if there is one that can be decompressed.
    pub fn unwrapped(&self) -> Option<&Unwrapped> {
        match self.compressed.as_deref() {
            Some(Compressed::Read { unwrapped, .. }) => Some(unwrapped),
            Some(Compressed::Unknown(_)) | None => None,
        }
    }
}

/// The envelope of a compressed RDB at the beginning of a part.
pub enum Compressed {
    /// It was decompressed to a temporary file.
    Read {
        /// The file as it is on disk.
        file: Mapping,
        /// What its envelope holds.
        unwrapped: Unwrapped,
    },
    /// It is unknown to this version. The mapping of the part has its bytes as they are.
    Unknown(Envelope),
}

/// A file that was replaced by a rewrite.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HistoryFile {
    /// The name, escaped for display.
    pub name: String,
    /// The path at which it is or was.
    #[serde(serialize_with = "crate::base::escape::path")]
    pub path: PathBuf,
    /// The length in bytes, if it still exists.
    pub bytes: Option<u64>,
    /// Its line in the manifest, from 1.
    pub line: u64,
}

/// A manifest, with the path from which it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManifestFile {
    /// The path.
    pub path: PathBuf,
    /// The content.
    pub manifest: Manifest,
}

/// A file next to the log that does not belong to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OtherFile {
    /// The path.
    #[serde(serialize_with = "crate::base::escape::path")]
    pub path: PathBuf,
    /// The length in bytes.
    pub bytes: u64,
    /// The probable kind of the file.
    pub kind: OtherKind,
}

/// The probable kind of a file next to a log. Names follow `aof.c` and `rdb.c`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum OtherKind {
    /// Named like a base file, but not in the manifest.
    OrphanBase,
    /// Named like an incremental file, but not in the manifest.
    OrphanIncr,
    /// A second manifest.
    OtherManifest,
    /// `temp-NAME.manifest`: a manifest that was being written.
    TempManifest,
    /// `temp-NAME.incr`: commands written while the AOF was being enabled.
    TempIncr,
    /// `temp-rewriteaof-*.aof`: the output of a rewrite.
    TempRewrite,
    /// `temp-*.rdb`: the output of a snapshot.
    TempRdb,
    /// The single file from before the upgrade to a set; no longer loaded.
    OldSingleFile,
    /// A single-file AOF, or a file that looks like one, that belongs to no set.
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
    /// Returns the meaning of the kind as a short text for display.
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

/// Returns whether a file of this name and length has no bytes, although it is named as an RDB.
pub(crate) fn is_empty_rdb(name: &[u8], bytes: u64) -> bool {
    bytes == 0 && name.ends_with(b".rdb")
}

/// Returns whether the loader treats `bytes` as an RDB. Redis and Valkey up to 8 know only the
/// first magic, and only Valkey 9.2 knows compressed RDBs.
pub fn starts_with_rdb(bytes: &[u8]) -> bool {
    rdb::is_rdb(bytes) || Envelope::read(bytes).is_some()
}
