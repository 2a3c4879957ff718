//! librdb as a second reader: keys and values of RDB 13 and 14, of real files and of mutations of
//! them whose checksum is right.
//!
//! Only what both readers accept is compared: aofkit checks more.

// The interface of a C library.
#![allow(unsafe_code)]

use std::ffi::c_void;

use aofkit::base::progress::Silent;
use aofkit::rdb::{ArrayItem, Key, StreamId, StreamIdmp, Text, Visitor, Want, crc64, walk};
use librdb_sys as sys;

type Lines = Vec<String>;

fn show(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string()
}

fn text(text: Text<'_, '_>) -> String {
    show(&text.to_vec())
}

#[derive(Default)]
struct Ours(Lines);

impl<'a> Visitor<'a> for Ours {
    fn key(&mut self, key: &Key<'a>) -> Want {
        self.0.push(format!("key {} {}", text(key.name), key.expires_ms.unwrap_or(-1)));
        Want::Value
    }
    fn string(&mut self, value: Text<'a, '_>) {
        self.0.push(text(value));
    }
    fn element(&mut self, element: Text<'a, '_>) {
        self.0.push(text(element));
    }
    fn member(&mut self, member: Text<'a, '_>) {
        self.0.push(text(member));
    }
    fn scored(&mut self, member: Text<'a, '_>, score: f64) {
        self.0.push(format!("{} {score:?}", text(member)));
    }
    fn field(&mut self, field: Text<'a, '_>, value: Text<'a, '_>, expires_ms: Option<i64>) {
        let expires_ms = expires_ms.unwrap_or(-1);
        self.0.push(format!("{}={} {expires_ms}", text(field), text(value)));
    }
    fn stream_field(&mut self, field: Text<'a, '_>, value: Text<'a, '_>) {
        self.0.push(format!("field {}={}", text(field), text(value)));
    }
    fn group_nacked(&mut self, id: StreamId) {
        self.0.push(format!("nacked {id}"));
    }
    fn stream_producer(&mut self, pid: Text<'a, '_>, entries: u64) {
        self.0.push(format!("producer {} {entries}", text(pid)));
    }
    fn stream_iid(&mut self, iid: Text<'a, '_>, id: StreamId) {
        self.0.push(format!("iid {} {id}", text(iid)));
    }
    fn stream_idmp(&mut self, config: &StreamIdmp) {
        // librdb reports the settings before the producers.
        let settings = format!("settings {} {}", config.duration, config.max_entries);
        let at = self
            .0
            .iter()
            .rposition(|line| !line.starts_with("producer ") && !line.starts_with("iid "));
        self.0.insert(at.map_or(0, |at| at + 1), settings);
    }
    fn array(&mut self, count: u64, insert_index: Option<u64>) {
        self.0.push(format!("array {count} {}", insert_index.unwrap_or(u64::MAX)));
    }
    fn array_item(&mut self, index: u64, value: ArrayItem<'a, '_>) {
        let value = match value {
            ArrayItem::Str(value) => text(value),
            ArrayItem::Int(number) => number.to_string(),
            // The text of a double is the server's choice.
            ArrayItem::Double(_) => return,
        };
        self.0.push(format!("{index}: {value}"));
    }
}

fn ours(bytes: &[u8]) -> Option<Lines> {
    let mut lines = Ours::default();
    walk(bytes, &mut lines, &Silent).ok()?;
    Some(lines.0)
}

/// The lines that librdb's callbacks add, and its parser.
unsafe fn push(user: *mut c_void, line: String) -> sys::RdbRes {
    // SAFETY: `theirs` passes a pointer to its own lines, which live until the parser is deleted.
    unsafe { (*user.cast::<Lines>()).push(line) };
    sys::RdbRes_RDB_OK
}

unsafe fn bulk(parser: *mut sys::RdbParser, bulk: sys::RdbBulk) -> String {
    // SAFETY: `bulk` is what the parser passed to the callback that calls this.
    let len = unsafe { sys::RDB_bulkLen(parser, bulk) };
    // SAFETY: it has that many bytes.
    show(unsafe { std::slice::from_raw_parts(bulk.cast::<u8>(), len) })
}

macro_rules! callback {
    ($name:ident, ($p:ident $(, $arg:ident: $type:ty)*), $line:expr) => {
        unsafe extern "C" fn $name(
            $p: *mut sys::RdbParser,
            user: *mut c_void
            $(, $arg: $type)*
        ) -> sys::RdbRes {
            // SAFETY: the pointers are those that librdb documents for this callback.
            unsafe { push(user, $line) }
        }
    };
}

callback!(key, (p, key: sys::RdbBulk, info: *mut sys::RdbKeyInfo),
    format!("key {} {}", bulk(p, key), (*info).expiretime));
callback!(value, (p, value: sys::RdbBulk), bulk(p, value));
callback!(scored, (p, member: sys::RdbBulk, score: f64), format!("{} {score:?}", bulk(p, member)));
callback!(field, (p, field: sys::RdbBulk, value: sys::RdbBulk, at: i64),
    format!("{}={} {at}", bulk(p, field), bulk(p, value)));
callback!(item, (p, _id: *mut sys::RdbStreamID, field: sys::RdbBulk, value: sys::RdbBulk, _left: i64),
    format!("field {}={}", bulk(p, field), bulk(p, value)));
callback!(nacked, (_p, id: *mut sys::RdbStreamID, _left: i64),
    format!("nacked {}-{}", (*id).ms, (*id).seq));
callback!(settings, (_p, meta: *mut sys::RdbStreamIdmpMeta),
    format!("settings {} {}", (*meta).duration, (*meta).maxEntries));
callback!(producer, (p, producer: *mut sys::RdbStreamIdmpProducer),
    format!("producer {} {}", bulk(p, (*producer).pid), (*producer).numEntries));
callback!(iid, (p, entry: *mut sys::RdbStreamIdmpEntry),
    format!("iid {} {}-{}", bulk(p, (*entry).iid), (*entry).streamId.ms, (*entry).streamId.seq));
callback!(array, (_p, count: u64, insert: u64), format!("array {count} {insert}"));
callback!(element, (p, index: u64, value: sys::RdbBulk), format!("{index}: {}", bulk(p, value)));

fn theirs(bytes: &[u8]) -> Option<Lines> {
    let mut lines = Lines::new();
    let mut copy = bytes.to_vec();
    // SAFETY: all callbacks are optional, so zero is a valid value of the struct.
    let mut callbacks: sys::RdbHandlersDataCallbacks = unsafe { std::mem::zeroed() };
    callbacks.handleNewKey = Some(key);
    callbacks.handleStringValue = Some(value);
    callbacks.handleListItem = Some(value);
    callbacks.handleSetMember = Some(value);
    callbacks.handleZsetMember = Some(scored);
    callbacks.handleHashField = Some(field);
    callbacks.handleStreamItem = Some(item);
    callbacks.handleStreamNackZoneEntry = Some(nacked);
    callbacks.handleStreamIdmpMeta = Some(settings);
    callbacks.handleStreamIdmpProducer = Some(producer);
    callbacks.handleStreamIdmpEntry = Some(iid);
    callbacks.handleArrayMetadata = Some(array);
    callbacks.handleArrayElement = Some(element);
    // SAFETY: the pointers are valid until the parser is deleted at the end of this block.
    let status = unsafe {
        let parser = sys::RDB_createParserRdb(std::ptr::null_mut());
        sys::RDB_setLogLevel(parser, sys::RdbLogLevel_RDB_LOG_ERR);
        sys::RDB_setLogger(parser, Some(quiet));
        sys::RDB_setDeepIntegCheck(parser, 1);
        let user = (&raw mut lines).cast();
        sys::RDB_createHandlersData(parser, &raw mut callbacks, user, None);
        let status = sys::RDB_parseBuff(parser, copy.as_mut_ptr(), copy.len(), 1);
        sys::RDB_deleteParser(parser);
        status
    };
    (status == sys::RdbStatus_RDB_STATUS_OK).then_some(lines)
}

unsafe extern "C" fn quiet(_: sys::RdbLogLevel, _: *const std::ffi::c_char) {}

/// The bytes with their checksum.
fn summed(mut bytes: Vec<u8>) -> Vec<u8> {
    let sum = crc64(&bytes);
    bytes.extend(sum.to_le_bytes());
    bytes
}

fn real() -> Vec<u8> {
    std::fs::read("testdata/rdb/redis-8.6.3-aof-base.rdb").expect("a file of this project")
}

/// An RDB 14 with an array.
fn array_of_four() -> Vec<u8> {
    let mut bytes = b"REDIS0014\xfe\0\x1c\x01a\x04\x01\x09".to_vec();
    bytes.extend(b"\0\x03\x02hi\x02\0\xc1\x39\x30\x05\x01\xfb\xff\xff\xff\xff\xff\xff\xff");
    bytes.extend(b"\x41\x2c\x02\0\0\0\0\0\0\x04\x40\xff");
    summed(bytes)
}

#[test]
fn keys_and_values_are_those_that_librdb_reads() {
    let four = array_of_four();
    let expected = ["key a -1", "array 4 9", "0: hi", "2: 12345", "5: -5"].map(str::to_owned);
    assert_eq!(ours(&four).expect("it is whole"), expected);
    let read: Lines = theirs(&four).expect("it is whole");
    // The last element is a double, whose text is the server's choice.
    assert_eq!(read[..5], expected);
    let real = real();
    assert_eq!(ours(&real).expect("it is whole"), theirs(&real).expect("it is whole"));
}

#[test]
fn mutated_files_have_the_keys_and_values_that_librdb_reads() {
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = move |below: usize| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        usize::try_from(seed % below as u64).unwrap_or(0)
    };
    let (real, mut both) = (real(), 0);
    for _ in 0..1000 {
        let mut bytes = real[..real.len() - 8].to_vec();
        for _ in 0..=random(2) {
            let at = 9 + random(bytes.len() - 10);
            bytes[at] = match random(3) {
                0 => bytes[at] ^ 1 << random(8),
                1 => bytes[at].wrapping_add(1),
                _ => u8::try_from(random(256)).unwrap_or(0),
            };
        }
        let bytes = summed(bytes);
        // librdb is given only what aofkit accepts: it crashes on some broken bytes.
        if let Some(ours) = ours(&bytes)
            && let Some(theirs) = theirs(&bytes)
        {
            assert_eq!(ours, theirs, "{}", bytes.escape_ascii());
            both += 1;
        }
    }
    assert!(both > 100, "both readers accepted {both} of 1,000");
}
