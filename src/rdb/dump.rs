//! The payload of DUMP and FUNCTION DUMP, as RESTORE and FUNCTION RESTORE take it.
//!
//! | bytes | content |
//! |---|---|
//! | | for a key: a type and a value, as in a file; for functions: n times 245 and a string |
//! | 2 | the RDB version, little endian |
//! | 8 | CRC-64 of everything before it, little endian; no number means "none" |
//!
//! A payload has no magic: the meaning of types from 22 up and of opcode 243 depends on the server. For
//! Redis 8.6 and later, metadata of the key (opcode 243, see [`driver`](super::driver)) may precede the
//! type. Checked against
//! `verifyDumpPayload` and `restoreCommand` in `cluster.c` and `functionRestoreCommand` in
//! `functions.c` of Valkey 8.0, and by experiment on Redis 6.2, 7.0, 8.2 and
//! 8.6 and Valkey 9.1.

use super::checksum::crc64;
use super::cursor::Cursor;
use super::format::{Layout, Names, format, opcode};
use super::header::Magic;
use super::reader::{Reader, Tools};
use super::text::Text;
use super::visitor::{Key, KeyEnd, Visitor};
use crate::base::server::Server;

/// Length of the version and the checksum in bytes.
const FOOTER_BYTES: usize = 10;

/// A payload whose version and checksum a server accepts.
#[derive(Debug, Clone, Copy)]
pub struct Dump<'a> {
    bytes: &'a [u8],
    server: Server,
}

/// The reason why a payload is invalid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DumpFault {
    /// The server does not accept this version, or the checksum does not match.
    Refused,
    /// The payload does not contain what it should, or it is damaged.
    Damaged,
}

impl<'a> Dump<'a> {
    /// Checks version and checksum as a server of this release line does.
    ///
    /// # Errors
    ///
    /// Returns [`DumpFault::Refused`] if the server would refuse the payload.
    pub fn open(payload: &'a [u8], server: Server) -> Result<Self, DumpFault> {
        let (_, footer) = payload.split_last_chunk::<FOOTER_BYTES>().ok_or(DumpFault::Refused)?;
        let [low, high, stored @ ..] = *footer;
        let version = u32::from(u16::from_le_bytes([low, high]));
        let known = version <= server.highest_redis_rdb()
            // Versions between the highest that Valkey shares with Redis and its own are foreign to
            // it.
            || server.highest_valkey_rdb() == Some(version);
        let summed = &payload[..payload.len() - stored.len()];
        if known && crc64(summed) == u64::from_le_bytes(stored) {
            Ok(Dump { bytes: payload, server })
        } else {
            Err(DumpFault::Refused)
        }
    }

    fn cursor(&self, pos: usize) -> Cursor<'a> {
        // A value that is longer than the payload extends into version and checksum before a server
        // notices.
        Cursor::at(self.bytes, pos)
    }

    /// Reports the key of database `db` whose value this is to `visitor`. Bytes after the value are
    /// ignored.
    ///
    /// # Errors
    ///
    /// Returns [`DumpFault::Damaged`], possibly after parts of the value were reported.
    pub fn read_key<V: Visitor<'a>>(
        &self,
        db: u64,
        name: &'a [u8],
        expires_ms: Option<i64>,
        visitor: &mut V,
    ) -> Result<KeyEnd, DumpFault> {
        let own = self.server.highest_valkey_rdb();
        let magic = if own.is_some() { Magic::Valkey } else { Magic::Redis };
        let highest = own.unwrap_or(self.server.highest_redis_rdb());
        let mut tools = Tools::new();
        let mut reader = Reader { cursor: self.cursor(0), visitor, tools: &mut tools };
        if magic == Magic::Redis && highest >= 13 && self.bytes.first() == Some(&opcode::KEY_META) {
            reader.cursor = self.cursor(1);
            reader.key_metadata().map_err(|_| DumpFault::Damaged)?;
        }
        let code = reader.cursor.byte("a type").map_err(|_| DumpFault::Damaged)?;
        let format = format(magic, code)
            .filter(|format| format.since <= highest)
            // Templates are in files only.
            .filter(|f| !matches!(f.layout, Layout::HashTemplate { names: Names::Referred, .. }))
            .ok_or(DumpFault::Damaged)?;
        let name = Text::Mapped(name);
        reader.visitor.key(&Key {
            db,
            name,
            format,
            expires_ms,
            idle_s: None,
            freq: None,
            offset: 0,
        });
        let end = reader.value(format.layout).map_err(|_| DumpFault::Damaged)?;
        reader.visitor.key_end(end);
        Ok(end)
    }

    /// Reports the function libraries of the payload to `visitor`.
    ///
    /// # Errors
    ///
    /// Returns [`DumpFault::Damaged`], possibly after some libraries were reported.
    pub fn read_functions<V: Visitor<'a>>(&self, visitor: &mut V) -> Result<(), DumpFault> {
        let mut cursor = self.cursor(0);
        let end = self.bytes.len() - FOOTER_BYTES;
        while cursor.pos() < end {
            let code = cursor.byte("an opcode").map_err(|_| DumpFault::Damaged)?;
            if code != opcode::FUNCTION {
                return Err(DumpFault::Damaged);
            }
            let library = cursor.text("the source of functions").map_err(|_| DumpFault::Damaged)?;
            visitor.function(library);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::server::{redis, valkey};
    use crate::rdb::visitor::Ignore;

    fn payload(body: &[u8], version: u16) -> Vec<u8> {
        let mut bytes = [body, &version.to_le_bytes()].concat();
        bytes.extend(crc64(&bytes).to_le_bytes());
        bytes
    }

    /// The replies of servers to `DUMP k` after `SET k v`.
    const DUMPED: [(Server, &[u8]); 4] = [
        (redis(6, 2), b"\0\x01v\x09\0A\xfa\x9f~M\xbe\xe9\x7f"),
        (redis(7, 0), b"\0\x01v\x0a\0\x91\x08\xce\xb2\x198\x8a\xce"),
        (redis(8, 2), b"\0\x01v\x0c\0Z~\xfar\xe3\x12\x14\x87"),
        (valkey(9, 1), b"\0\x01vP\0^\"\x07#\x87j\xed:"),
    ];

    #[test]
    fn each_server_accepts_its_own_versions() {
        let opens = |version, server| Dump::open(&payload(b"\0\x01v", version), server).is_ok();
        assert!(opens(9, redis(6, 2)) && !opens(10, redis(6, 2)));
        assert!(opens(10, redis(7, 0)) && opens(12, redis(8, 2)) && !opens(13, redis(8, 2)));
        assert!(opens(11, valkey(8, 1)) && !opens(12, valkey(8, 1)));
        assert!(opens(11, valkey(9, 1)) && opens(80, valkey(9, 1)));
        assert!(!opens(12, valkey(9, 1)) && !opens(79, valkey(9, 1)) && !opens(81, valkey(9, 1)));
        assert!(!opens(80, redis(8, 2)));
    }

    #[test]
    fn the_checksum_is_always_verified() {
        let mut bytes = payload(b"\0\x01v", 9);
        assert!(Dump::open(&bytes, redis(7, 0)).is_ok());
        let end = bytes.len();
        bytes[end - 8..].fill(0);
        assert_eq!(Dump::open(&bytes, redis(7, 0)).err(), Some(DumpFault::Refused));
        assert_eq!(Dump::open(&bytes[..9], redis(7, 0)).err(), Some(DumpFault::Refused));
    }

    #[test]
    fn a_value_must_be_complete_and_of_a_type_known_to_the_server() {
        let read = |body: &[u8], server| {
            let payload = payload(body, 9);
            let dump = Dump::open(&payload, server).expect("a sound footer");
            dump.read_key(0, b"k", None, &mut Ignore)
        };
        assert_eq!(read(b"\0\x01v", redis(6, 2)), Ok(KeyEnd::Whole));
        assert_eq!(read(b"\x01\0", redis(6, 2)), Ok(KeyEnd::Empty));
        assert_eq!(read(b"\0\x01vbehind", redis(6, 2)), Ok(KeyEnd::Whole));
        // The low byte of the version is then read as a zipmap, and the high one as its length.
        assert_eq!(read(b"", redis(6, 2)), Err(DumpFault::Damaged));
        assert_eq!(read(b"\0\x3fv", redis(6, 2)), Err(DumpFault::Damaged));
        // A set in a listpack, which Redis supports since 7.2.
        let set = b"\x14\x0a\x0a\0\0\0\x01\0\x81a\x02\xff";
        assert_eq!(read(set, redis(7, 2)), Ok(KeyEnd::Whole));
        assert_eq!(read(set, redis(7, 0)), Err(DumpFault::Damaged));
    }

    /// The reply of Redis 8.6.3 to `DUMP s` after `XADD s 1-1 f v`.
    const STREAM_OF_8_6: &[u8] = b"\x1a\x01\x10\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\x01\x1d\x1d\0\0\0\n\0\
        \x01\x01\0\x01\x01\x01\x81f\x02\0\x01\x02\x01\0\x01\0\x01\x81v\x02\x04\x01\xff\x01\x01\x01\x01\x01\0\0\x01\0\
        @d@d\0\0\0\r\0}8V`\xa1\x11\x9es";

    #[test]
    fn payloads_of_redis_8_6_and_later_are_read() {
        let dump = Dump::open(STREAM_OF_8_6, redis(8, 6)).expect("its own");
        assert_eq!(dump.read_key(0, b"s", None, &mut Ignore), Ok(KeyEnd::Whole));
        assert_eq!(Dump::open(STREAM_OF_8_6, redis(8, 4)).err(), Some(DumpFault::Refused));
        for (minor, highest) in [(6, 13), (8, 14), (10, 15), (12, 17)] {
            let opens =
                |version| Dump::open(&payload(b"\0\x01v", version), redis(8, minor)).is_ok();
            assert!(opens(highest) && !opens(highest + 1), "8.{minor}");
        }
    }

    #[test]
    fn metadata_may_precede_the_type_since_redis_8_6() {
        let read = |body: &[u8], version, server| {
            let payload = payload(body, version);
            let dump = Dump::open(&payload, server).expect("a sound footer");
            dump.read_key(0, b"k", None, &mut Ignore)
        };
        let with_metadata = b"\xf3\x01\x01\0\0\0\x02\x07\0\0\x01v";
        assert_eq!(read(with_metadata, 13, redis(8, 6)), Ok(KeyEnd::Whole));
        assert_eq!(read(with_metadata, 12, redis(8, 4)), Err(DumpFault::Damaged));
        assert_eq!(read(with_metadata, 80, valkey(9, 1)), Err(DumpFault::Damaged));
        // The form with names, and the one that refers to a template of a file.
        let own = b"\x1f\0\x01\x01f\x01v";
        assert_eq!(read(own, 15, redis(8, 10)), Ok(KeyEnd::Whole));
        assert_eq!(read(own, 14, redis(8, 8)), Err(DumpFault::Damaged));
        assert_eq!(read(b"\x20\0\x01v", 15, redis(8, 10)), Err(DumpFault::Damaged));
    }

    #[test]
    fn libraries_of_a_payload_are_read_up_to_its_footer() {
        #[derive(Default)]
        struct Libraries(Vec<Vec<u8>>);
        impl<'a> Visitor<'a> for Libraries {
            fn function(&mut self, library: Text<'a, '_>) {
                self.0.push(library.to_vec());
            }
        }
        let read = |body: &[u8]| {
            let payload = payload(body, 10);
            let mut libraries = Libraries::default();
            let dump = Dump::open(&payload, redis(7, 0)).expect("a sound footer");
            dump.read_functions(&mut libraries).map(|()| libraries.0)
        };
        assert_eq!(read(b"\xf5\x02aa\xf5\x01b"), Ok(vec![b"aa".to_vec(), b"b".to_vec()]));
        assert_eq!(read(b""), Ok(vec![]));
        assert_eq!(read(b"\xf5\x02aa\xf6\x01b"), Err(DumpFault::Damaged));
    }

    #[test]
    fn payloads_dumped_by_servers_are_read() {
        for (server, payload) in DUMPED {
            let dump = Dump::open(payload, server).expect("its own");
            assert_eq!(dump.read_key(0, b"k", None, &mut Ignore), Ok(KeyEnd::Whole), "{server}");
        }
    }
}
