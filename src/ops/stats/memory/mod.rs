//! The encoding of a key in a server, and its memory there, as `OBJECT ENCODING` and `MEMORY USAGE key SAMPLES 0` report
//! them.
//!
//! What depends on more than the value is estimated: the levels of sorted sets and the chains of hash tables by their
//! expected number, hash tables as if nothing was removed from them. Room that APPEND or SETRANGE leaves after a string is
//! not counted, nor are deleted entries of streams that are still in a node.

mod allocator;
mod line;
mod packed;
mod radix;
mod sorted;
mod stream;
mod table;
mod value;

pub(crate) use self::allocator::Allocator;
use self::allocator::Heap;
use self::line::{Counted, Embedding, KeyForm, Line};
use crate::base::server::{Server, redis};
use crate::keyspace::score::ScoreText;
use crate::keyspace::{Entry, StringValue, Value};
use crate::rdb::write::canonical as integer;

/// Whose memory is estimated.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct MemoryOptions {
    /// The server; `None` for the one that wrote the log.
    pub(crate) server: Option<Server>,
    /// Its allocator.
    pub(crate) allocator: Allocator,
}

/// The largest error of a total in percent, as measured: see `line`.
const ERROR_PERCENT: u32 = 10;

/// The memory of one key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct KeyMemory {
    /// The encoding, as the server names it.
    pub(super) encoding: &'static str,
    /// The number of bytes.
    pub(super) bytes: u64,
}

/// What keys take in a server.
#[derive(Debug, Clone, Copy)]
pub(super) struct Model {
    pub(super) server: Server,
    line: Line,
    is_measured: bool,
    heap: Heap,
    scores: ScoreText,
    /// Whether the server reads the keys from an RDB, so that it knows the size of each beforehand.
    at_once: bool,
}

impl Model {
    pub(super) fn new(server: Server, allocator: Allocator, at_once: bool) -> Model {
        let (line, is_measured) = line::line(server);
        let is_requested = !server.has_redis(6, 2);
        Model {
            server,
            line,
            is_measured,
            heap: Heap { allocator, is_requested },
            scores: ScoreText::of_server(server),
            at_once,
        }
    }

    pub(super) fn allocator(&self) -> Allocator {
        self.heap.allocator
    }

    /// Returns the largest error of a total in percent, if the line was measured.
    pub(super) fn error_percent(&self) -> Option<u32> {
        self.is_measured.then_some(ERROR_PERCENT)
    }

    /// Returns the memory of a key; `None` of a module's value, an array, and a value that unknown commands changed.
    pub(super) fn key(&self, entry: &Entry<'_>) -> Option<KeyMemory> {
        let name = self.name_bytes(entry.key().len() as u64);
        let expires = entry.expires_ms().is_some();
        if let Value::String(string) = &entry.value {
            return Some(self.string(name, expires, string));
        }
        let value = self.value(&entry.value)?;
        Some(KeyMemory { bytes: value.bytes + self.object(name, expires), ..value })
    }

    /// Returns the bytes of a name, without what its allocation adds.
    fn name_bytes(&self, len: u64) -> u64 {
        string_header(len) + len + 1
    }

    /// Returns what a key with a name of these bytes takes besides its value.
    fn object(&self, name: u64, expires: bool) -> u64 {
        match self.line.key {
            KeyForm::Entry if self.line.strings == Counted::Content => OBJECT + name + ENTRY,
            KeyForm::Entry => OBJECT + self.heap.size(name) + ENTRY,
            KeyForm::EntryWithName => OBJECT + self.heap.size(19 + name),
            KeyForm::ObjectWithName => self.heap.size(self.object_bytes(name, expires)),
            KeyForm::NameNotCounted => OBJECT,
        }
    }

    /// Returns the bytes of an object that has the name in it.
    fn object_bytes(&self, name: u64, expires: bool) -> u64 {
        OBJECT + if expires { 8 } else { 0 } + 1 + name
    }

    fn string(&self, name: u64, expires: bool, string: &StringValue<'_>) -> KeyMemory {
        let is_number = match string {
            StringValue::Int(_) => true,
            other => other.with(integer).is_some(),
        };
        let object = self.object(name, expires);
        if is_number {
            return KeyMemory { encoding: "int", bytes: object };
        }
        let len = string.len() as u64;
        // The value in an object has a header of three bytes, whatever its length.
        let whole = self.object_bytes(name, expires) + 3 + len + 1;
        let embedded = match self.line.embedding {
            Embedding::Length { .. } if len > 44 => None,
            Embedding::Length { is_allocation: false } => Some(object + len + 2),
            Embedding::Length { is_allocation: true } => {
                Some(object - OBJECT + self.heap.size(OBJECT + 3 + len + 1))
            }
            Embedding::Whole64 { with_expiry } => {
                let limited = self.object_bytes(name, expires && with_expiry) + 3 + len + 1;
                (limited <= 64).then(|| self.heap.size(whole))
            }
            Embedding::Whole128 => {
                // The value has the place of the pointer to it, at least.
                let whole = self.object_bytes(name, expires) - 8 + (3 + len + 1).max(8);
                (whole <= 128).then(|| self.heap.size(whole))
            }
        };
        match embedded {
            Some(bytes) => KeyMemory { encoding: "embstr", bytes },
            None => KeyMemory { encoding: "raw", bytes: object + self.string_bytes(len) },
        }
    }

    /// Returns what a string of bytes takes.
    #[inline]
    fn string_bytes(&self, len: u64) -> u64 {
        let bytes = string_header(len) + len + 1;
        match self.line.strings {
            Counted::Content => bytes,
            Counted::ContentIfShort if len < 32 => bytes,
            Counted::Allocation | Counted::ContentIfShort => self.heap.size(bytes),
        }
    }

    /// Returns what a packed encoding takes.
    fn packed_bytes(&self, bytes: u64) -> u64 {
        if self.line.packed_is_allocation { self.heap.size(bytes) } else { bytes }
    }

    fn packed_name(&self) -> &'static str {
        if self.line.has_ziplists { "ziplist" } else { "listpack" }
    }
}

/// The bytes of an object.
const OBJECT: u64 = 16;
/// The bytes of an entry of a table.
const ENTRY: u64 = 24;

/// Returns the size of the header of a string of bytes (SDS).
#[inline]
fn string_header(len: u64) -> u64 {
    match len {
        0..=31 => 1,
        32..=255 => 3,
        256..=65_535 => 5,
        65_536..=4_294_967_295 => 9,
        _ => 17,
    }
}

/// Returns the line that is assumed if nothing in a log tells which server wrote it.
pub(super) fn assumed(reading: Server) -> Server {
    reading.max(redis(5, 0))
}
