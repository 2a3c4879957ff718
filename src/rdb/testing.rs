//! Builders of RDB bytes for tests. They implement the encodings of the format tables again,
//! independently of the writer.

// Bytes are truncated from numbers in many places, and every number is one that the test chose.
#![allow(clippy::cast_possible_truncation, clippy::cast_possible_wrap, clippy::cast_sign_loss)]

use super::cursor::Item;
use super::fault::Read;
use super::items::Items;
use crate::rdb::text::Text;
use crate::rdb::visitor::{
    ArrayItem, AuxWhen, Key, KeyEnd, ModuleId, StreamId, StreamIdmp, StreamInfo, Visitor, Want,
};

/// Returns the items of a packed encoding, and checks that each can be read again.
pub(super) fn items<'s, I: Items<'s>>(bytes: &'s [u8]) -> Read<Vec<Item>> {
    let mut packed = I::open(bytes)?;
    let mut items = Vec::new();
    while let Some((at, item)) = packed.next()? {
        assert_eq!(I::again(bytes, at), Some(item));
        items.push(item);
    }
    Ok(items)
}

/// The visitor calls of a walk, one line each.
#[derive(Default)]
pub(super) struct Told(pub(super) Vec<String>);

fn show(text: Text<'_, '_>) -> String {
    let bytes = text.to_vec();
    assert_eq!(bytes.len(), text.len());
    bytes.escape_ascii().to_string()
}

impl<'a> Visitor<'a> for Told {
    fn aux(&mut self, name: Text<'a, '_>, value: Text<'a, '_>) {
        self.0.push(format!("aux {}={}", show(name), show(value)));
    }
    fn select_db(&mut self, db: u64) {
        self.0.push(format!("db {db}"));
    }
    fn resize_db(&mut self, keys: u64, with_expiry: u64) {
        self.0.push(format!("resize {keys} {with_expiry}"));
    }
    fn slot(&mut self, slot: u64, keys: u64, with_expiry: u64) {
        self.0.push(format!("slot {slot} {keys} {with_expiry}"));
    }
    fn slot_import(&mut self, job: Text<'a, '_>, first: u64, last: u64) {
        self.0.push(format!("import {} {first}-{last}", show(job)));
    }
    fn function(&mut self, library: Text<'a, '_>) {
        self.0.push(format!("function {}", show(library)));
    }
    fn module_aux(&mut self, module: ModuleId, when: AuxWhen, payload: &'a [u8]) {
        let (name, version, len) = (module.name(), module.version(), payload.len());
        self.0.push(format!("module aux {name} {version} {when:?} {len}"));
    }
    fn key(&mut self, key: &Key<'a>) -> Want {
        let mut line = format!("key {} {}", key.format.name, show(key.name));
        for (name, value) in [
            ("expires", key.expires_ms),
            ("idle", key.idle_s.map(|idle| idle as i64)),
            ("freq", key.freq.map(i64::from)),
        ] {
            if let Some(value) = value {
                line += &format!(" {name}={value}");
            }
        }
        self.0.push(line);
        Want::Value
    }
    fn string(&mut self, value: Text<'a, '_>) {
        self.0.push(show(value));
    }
    fn element(&mut self, element: Text<'a, '_>) {
        self.0.push(show(element));
    }
    fn member(&mut self, member: Text<'a, '_>) {
        self.0.push(show(member));
    }
    fn scored(&mut self, member: Text<'a, '_>, score: f64) {
        self.0.push(format!("{} {score}", show(member)));
    }
    fn field(&mut self, field: Text<'a, '_>, value: Text<'a, '_>, expires_ms: Option<i64>) {
        let mut line = format!("{}={}", show(field), show(value));
        if let Some(expires_ms) = expires_ms {
            line += &format!(" expires={expires_ms}");
        }
        self.0.push(line);
    }
    fn stream_entry(&mut self, id: StreamId, fields: u64) {
        self.0.push(format!("entry {id} {fields}"));
    }
    fn stream_field(&mut self, field: Text<'a, '_>, value: Text<'a, '_>) {
        self.0.push(format!("{}={}", show(field), show(value)));
    }
    fn stream(&mut self, stream: &StreamInfo) {
        let id = |id: Option<StreamId>| id.map_or("?".to_owned(), |id| id.to_string());
        self.0.push(format!(
            "stream length={} last={} first={} deleted={} added={:?}",
            stream.length,
            stream.last_id,
            id(stream.first_id),
            id(stream.max_deleted_id),
            stream.entries_added,
        ));
    }
    fn group(&mut self, name: Text<'a, '_>, last_id: StreamId, entries_read: Option<u64>) {
        let name = show(name);
        self.0.push(format!("group {name} last={last_id} read={entries_read:?}"));
    }
    fn pending(&mut self, id: StreamId, delivered_ms: i64, deliveries: u64) {
        self.0.push(format!("pending {id} {delivered_ms} {deliveries}"));
    }
    fn consumer(&mut self, name: Text<'a, '_>, seen_ms: i64, active_ms: Option<i64>) {
        let name = show(name);
        self.0.push(format!("consumer {name} {seen_ms} {active_ms:?}"));
    }
    fn consumer_pending(&mut self, id: StreamId) {
        self.0.push(format!("has {id}"));
    }
    fn group_nacked(&mut self, id: StreamId) {
        self.0.push(format!("nacked {id}"));
    }
    fn stream_producer(&mut self, pid: Text<'a, '_>, entries: u64) {
        self.0.push(format!("producer {} {entries}", show(pid)));
    }
    fn stream_iid(&mut self, iid: Text<'a, '_>, id: StreamId) {
        self.0.push(format!("iid {} {id}", show(iid)));
    }
    fn stream_idmp(&mut self, config: &StreamIdmp) {
        let StreamIdmp { duration, max_entries, iids_added, duplicates } = config;
        self.0.push(format!("idmp {duration} {max_entries} {iids_added} {duplicates}"));
    }
    fn array(&mut self, count: u64, insert_index: Option<u64>) {
        self.0.push(format!("array {count} {insert_index:?}"));
    }
    fn array_item(&mut self, index: u64, value: ArrayItem<'a, '_>) {
        self.0.push(match value {
            ArrayItem::Str(text) => format!("{index} text {}", show(text)),
            ArrayItem::Int(number) => format!("{index} int {number}"),
            ArrayItem::Double(number) => format!("{index} double {number}"),
        });
    }
    fn key_meta(&mut self, class: u32, payload: &'a [u8]) {
        self.0.push(format!("meta {class} {}", payload.len()));
    }
    fn module(&mut self, module: ModuleId, payload: &'a [u8]) {
        let (name, version, len) = (module.name(), module.version(), payload.len());
        self.0.push(format!("module {name} {version} {len}"));
    }
    fn key_end(&mut self, end: KeyEnd) {
        if end != KeyEnd::Whole {
            self.0.push(format!("end {end:?}"));
        }
    }
}

/// Calls `check` with every truncation of `bytes`, and with every byte changed to several other
/// values.
pub(super) fn mangle(bytes: &[u8], mut check: impl FnMut(&[u8])) {
    for len in 0..bytes.len() {
        check(&bytes[..len]);
    }
    let mut changed = bytes.to_vec();
    for at in 0..bytes.len() {
        for byte in [0, 0x80, 0xff, bytes[at] ^ 1] {
            changed[at] = byte;
            check(&changed);
        }
        changed[at] = bytes[at];
    }
}

fn number(text: &[u8]) -> Option<i64> {
    let number: i64 = std::str::from_utf8(text).ok()?.parse().ok()?;
    (number.to_string().as_bytes() == text).then_some(number)
}

pub(super) fn listpack<T: AsRef<[u8]>>(items: &[T]) -> Vec<u8> {
    let mut body = Vec::new();
    for item in items {
        let text = item.as_ref();
        let len = text.len();
        let mut entry = Vec::new();
        match number(text) {
            Some(n @ 0..=127) => entry.push(n as u8),
            Some(n @ -4096..=4095) => entry.extend([0xc0 | (n >> 8 & 0x1f) as u8, n as u8]),
            Some(n) if i16::try_from(n).is_ok() => {
                entry.push(0xf1);
                entry.extend((n as i16).to_le_bytes());
            }
            Some(n @ -8_388_608..=8_388_607) => {
                entry.push(0xf2);
                entry.extend(&n.to_le_bytes()[..3]);
            }
            Some(n) if i32::try_from(n).is_ok() => {
                entry.push(0xf3);
                entry.extend((n as i32).to_le_bytes());
            }
            Some(n) => {
                entry.push(0xf4);
                entry.extend(n.to_le_bytes());
            }
            None => {
                match len {
                    0..=63 => entry.push(0x80 | len as u8),
                    64..=4095 => entry.extend([0xe0 | (len >> 8) as u8, len as u8]),
                    _ => {
                        entry.push(0xf0);
                        entry.extend((len as u32).to_le_bytes());
                    }
                }
                entry.extend(text);
            }
        }
        let len = entry.len();
        let groups = match len {
            0..=127 => 1,
            128..=16382 => 2,
            16383..=2_097_150 => 3,
            2_097_151..=268_435_454 => 4,
            _ => 5,
        };
        for group in (0..groups).rev() {
            let more = if group + 1 == groups { 0 } else { 0x80 };
            entry.push((len >> (7 * group) & 0x7f) as u8 | more);
        }
        body.extend(entry);
    }
    let mut bytes = (body.len() as u32 + 7).to_le_bytes().to_vec();
    bytes.extend((items.len().min(65535) as u16).to_le_bytes());
    bytes.extend(body);
    bytes.push(0xff);
    bytes
}

pub(super) fn ziplist<T: AsRef<[u8]>>(items: &[T]) -> Vec<u8> {
    let mut body = Vec::new();
    let (mut before, mut tail) = (0usize, 10);
    for item in items {
        let text = item.as_ref();
        let len = text.len();
        let start = body.len();
        tail = 10 + start;
        if before < 254 {
            body.push(before as u8);
        } else {
            body.push(0xfe);
            body.extend((before as u32).to_le_bytes());
        }
        match number(text) {
            Some(n @ 0..=12) => body.push(0xf1 + n as u8),
            Some(n @ -128..=127) => body.extend([0xfe, n as u8]),
            Some(n) if i16::try_from(n).is_ok() => {
                body.push(0xc0);
                body.extend((n as i16).to_le_bytes());
            }
            Some(n @ -8_388_608..=8_388_607) => {
                body.push(0xf0);
                body.extend(&n.to_le_bytes()[..3]);
            }
            Some(n) if i32::try_from(n).is_ok() => {
                body.push(0xd0);
                body.extend((n as i32).to_le_bytes());
            }
            Some(n) => {
                body.push(0xe0);
                body.extend(n.to_le_bytes());
            }
            None => {
                match len {
                    0..=63 => body.push(len as u8),
                    64..=16383 => body.extend([0x40 | (len >> 8) as u8, len as u8]),
                    _ => {
                        body.push(0x80);
                        body.extend((len as u32).to_be_bytes());
                    }
                }
                body.extend(text);
            }
        }
        before = body.len() - start;
    }
    let mut bytes = (body.len() as u32 + 11).to_le_bytes().to_vec();
    bytes.extend((tail as u32).to_le_bytes());
    bytes.extend((items.len().min(65535) as u16).to_le_bytes());
    bytes.extend(body);
    bytes.push(0xff);
    bytes
}

/// Builds a zipmap from fields, values, and the number of unused bytes after each value.
pub(super) fn zipmap(pairs: &[(&str, &str, u8)]) -> Vec<u8> {
    let mut bytes = vec![pairs.len() as u8];
    let length = |bytes: &mut Vec<u8>, len: usize| {
        if len < 254 {
            bytes.push(len as u8);
        } else {
            bytes.push(254);
            bytes.extend((len as u32).to_le_bytes());
        }
    };
    for (field, value, unused) in pairs {
        length(&mut bytes, field.len());
        bytes.extend(field.as_bytes());
        length(&mut bytes, value.len());
        bytes.push(*unused);
        bytes.extend(value.as_bytes());
        bytes.extend(std::iter::repeat_n(0xee, usize::from(*unused)));
    }
    bytes.push(0xff);
    bytes
}

pub(super) fn intset(width: u32, numbers: &[i64]) -> Vec<u8> {
    let mut bytes = width.to_le_bytes().to_vec();
    bytes.extend((numbers.len() as u32).to_le_bytes());
    for number in numbers {
        bytes.extend(&number.to_le_bytes()[..width as usize]);
    }
    bytes
}

/// Encodes a length in the smallest number of bytes.
pub(super) fn length(n: u64) -> Vec<u8> {
    match n {
        0..=63 => vec![n as u8],
        64..=16383 => vec![0x40 | (n >> 8) as u8, n as u8],
        _ => match u32::try_from(n) {
            Ok(n) => [&[0x80][..], &n.to_be_bytes()].concat(),
            Err(_) => [&[0x81][..], &n.to_be_bytes()].concat(),
        },
    }
}

pub(super) fn string(text: impl AsRef<[u8]>) -> Vec<u8> {
    let text = text.as_ref();
    [length(text.len() as u64), text.to_vec()].concat()
}

/// Compresses the text with literals only, except for runs of one byte.
pub(super) fn lzf(text: &[u8]) -> Vec<u8> {
    let mut compressed = Vec::new();
    let mut rest = text;
    while let Some(&first) = rest.first() {
        let run = rest.iter().take(265).take_while(|b| **b == first).count();
        if run >= 4 {
            compressed.extend([0, first]);
            match run - 1 {
                copied @ ..=8 => compressed.extend([((copied - 2) << 5) as u8, 0]),
                copied => compressed.extend([0xe0, (copied - 9) as u8, 0]),
            }
            rest = &rest[run..];
        } else {
            compressed.extend([0, first]);
            rest = &rest[1..];
        }
    }
    let lengths = [length(compressed.len() as u64), length(text.len() as u64)].concat();
    [&[0xc3][..], &lengths, &compressed].concat()
}

/// A builder for an RDB.
pub(super) struct Rdb(pub(super) Vec<u8>);

impl Rdb {
    pub(super) fn new(header: &str) -> Self {
        Rdb(header.as_bytes().to_vec())
    }

    /// Appends a database selection: opcode and length.
    pub(super) fn db(self, db: u64) -> Self {
        self.raw([254]).raw(length(db))
    }

    /// Appends a key of type `code`, whose value follows.
    pub(super) fn key(self, code: u8, name: &str) -> Self {
        self.raw([code]).string(name)
    }

    pub(super) fn string(self, text: impl AsRef<[u8]>) -> Self {
        self.raw(string(text))
    }

    pub(super) fn length(self, n: u64) -> Self {
        self.raw(length(n))
    }

    pub(super) fn raw(mut self, bytes: impl AsRef<[u8]>) -> Self {
        self.0.extend(bytes.as_ref());
        self
    }

    /// Appends the end with its checksum.
    pub(super) fn end(self) -> Vec<u8> {
        let Rdb(mut bytes) = self.raw([255]);
        let sum = crate::rdb::checksum::crc64(&bytes);
        bytes.extend(sum.to_le_bytes());
        bytes
    }

    /// Appends the end for a version without checksum.
    pub(super) fn end_without(self) -> Vec<u8> {
        self.raw([255]).0
    }
}

/// A sequence of numbers that is the same in every run.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 11).unwrap() % limit
    }

    /// Returns a byte that is not 0.
    pub(crate) fn byte(&mut self) -> u8 {
        u8::try_from(1 + self.below(255)).unwrap()
    }
}
