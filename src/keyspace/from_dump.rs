//! Loading the payloads of DUMP.

use super::databases::Keyspace;
use super::db::Entry;
use super::from_rdb::Loader;
use super::functions::Functions;
use crate::base::server::Server;
use crate::rdb::{Dump, DumpFault, Text, Visitor};
use bumpalo::Bump;

/// Reads payloads of one server, one after another, in an arena that is reused.
pub(crate) struct PayloadReader {
    server: Server,
    arena: Bump,
}

/// The reason why a payload cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unreadable {
    /// Its RDB version is unknown for the server that sent it.
    Version(u16),
    /// The checksum does not match, or the content is invalid.
    Damaged,
}

impl std::fmt::Display for Unreadable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Unreadable::Version(version) => {
                write!(f, "its payload has RDB version {version}, which is unknown")
            }
            Unreadable::Damaged => write!(f, "its payload is damaged or of an unknown form"),
        }
    }
}

impl PayloadReader {
    /// Returns a reader for the payloads of a server.
    pub(crate) fn new(server: Server) -> Self {
        PayloadReader { server, arena: Bump::new() }
    }

    /// Calls `visit` with the entry of a key whose value is the payload.
    ///
    /// # Errors
    ///
    /// When the payload cannot be read.
    pub(crate) fn with_entry<T>(
        &mut self,
        (db, key): (u32, &[u8]),
        payload: &[u8],
        expires_ms: Option<i64>,
        visit: impl FnOnce(&mut Entry<'_>) -> T,
    ) -> Result<T, Unreadable> {
        self.arena.reset();
        let mut keyspace = Keyspace::new(&self.arena);
        let dump = open(payload, self.server)?;
        let owns = |_: &[u8]| true;
        let mut loader = Loader::new(&mut keyspace, self.server, &owns);
        let read = dump.read_key(u64::from(db), key, expires_ms, &mut loader);
        read.map_err(|_| Unreadable::Damaged)?;
        loader.finish().map_err(|_| Unreadable::Damaged)?;
        keyspace.db(db).get_mut(key).map(visit).ok_or(Unreadable::Damaged)
    }
}

/// Reads the libraries of a payload of FUNCTION DUMP.
///
/// # Errors
///
/// When the payload cannot be read.
pub(crate) fn functions_of(payload: &[u8], server: Server) -> Result<Functions, Unreadable> {
    let mut libraries = Libraries::default();
    let read = open(payload, server)?.read_functions(&mut libraries);
    read.map_err(|_| Unreadable::Damaged)?;
    let mut functions = Functions::default();
    for code in libraries.0 {
        functions.load(&code, true).map_err(|_| Unreadable::Damaged)?;
    }
    Ok(functions)
}

fn open(payload: &[u8], server: Server) -> Result<Dump<'_>, Unreadable> {
    Dump::open(payload, server).map_err(|fault| match version_of(payload) {
        Some(version) if fault == DumpFault::Refused && !knows(server, version) => {
            Unreadable::Version(version)
        }
        _ => Unreadable::Damaged,
    })
}

/// Returns the RDB version, which is in the two bytes before the checksum.
fn version_of(payload: &[u8]) -> Option<u16> {
    let (_, footer) = payload.split_last_chunk::<10>()?;
    Some(u16::from_le_bytes([footer[0], footer[1]]))
}

fn knows(server: Server, version: u16) -> bool {
    let version = u32::from(version);
    version <= server.highest_redis_rdb() || server.highest_valkey_rdb() == Some(version)
}

#[derive(Default)]
struct Libraries(Vec<Vec<u8>>);

impl<'a> Visitor<'a> for Libraries {
    fn function(&mut self, library: Text<'a, '_>) {
        self.0.push(library.to_vec());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::server::redis;
    use crate::keyspace::Value;
    use crate::rdb::crc64;

    /// The payload of a string: type 0, a length and the bytes, the version, and CRC-64.
    fn payload(version: u16) -> Vec<u8> {
        let mut bytes = b"\0\x05value".to_vec();
        bytes.extend_from_slice(&version.to_le_bytes());
        bytes.extend_from_slice(&crc64(&bytes).to_le_bytes());
        bytes
    }

    #[test]
    fn payload_is_read_or_named_unreadable() {
        let mut reader = PayloadReader::new(redis(7, 0));
        let mut read = |payload: &[u8]| {
            reader.with_entry((3, b"k"), payload, Some(7), |entry| {
                assert_eq!((entry.key(), entry.expires_ms()), (&b"k"[..], Some(7)));
                matches!(&entry.value, Value::String(value) if value.with(|v| v == b"value"))
            })
        };
        assert_eq!(read(&payload(10)), Ok(true));
        assert_eq!(read(&payload(99)), Err(Unreadable::Version(99)));
        let mut damaged = payload(10);
        damaged[3] ^= 1;
        assert_eq!(read(&damaged), Err(Unreadable::Damaged));
        assert_eq!(read(b"short"), Err(Unreadable::Damaged));
        assert_eq!(read(&payload(10)), Ok(true));
    }
}
