//! RDB files: walked whole, walked past the values, read key by key.

use aofkit::base::progress::Silent;
use aofkit::rdb::{DamageKind, Key, Records, StreamId, Text, Visitor, Walk, Want, walk};

/// The walk ends, and within the bytes. What it takes for whole, it takes as well when it steps
/// over the values, and key by key. A wrong checksum is all that is wrong where it is told.
pub fn rdb(bytes: &[u8]) {
    match walk(bytes, &mut Look::default(), &Silent) {
        Ok(found) => whole(bytes, &found),
        Err(damage) => {
            assert!(damage.offset <= bytes.len() as u64, "{damage}");
            assert!(damage.before.len <= damage.offset, "{damage}");
            assert!(!damage.to_string().is_empty());
            if let DamageKind::Checksum { computed, .. } = damage.kind {
                let at = usize::try_from(damage.offset).expect("within the bytes");
                let mut mended = bytes.to_vec();
                mended[at..at + 8].copy_from_slice(&computed.to_le_bytes());
                match walk(&mended, &mut Look::default(), &Silent) {
                    Ok(found) => whole(&mended, &found),
                    Err(damage) => panic!("wrong beside the checksum: {damage}"),
                }
            }
        }
    }
}

fn whole(bytes: &[u8], found: &Walk) {
    assert!(found.len <= bytes.len() as u64, "{found:?}");
    let mut places = Places::default();
    let skipped = match walk(bytes, &mut places, &Silent) {
        Ok(skipped) => skipped,
        Err(damage) => panic!("not whole when values are stepped over: {damage}"),
    };
    // Stepped over, a value without elements looks like any other.
    assert_eq!(skipped.keys, found.keys + found.empty_keys);
    assert_eq!(skipped.len, found.len);
    let mut records = match Records::new(bytes) {
        Ok(records) => records,
        Err(damage) => panic!("no header when read key by key: {damage}"),
    };
    let mut end = 0;
    for (db, offset) in places.0 {
        assert!(offset >= end, "records overlap at byte {offset}");
        end = match records.read(db, offset, &mut Look::default()) {
            Ok(end) => end,
            Err(damage) => panic!("no record at byte {offset}: {damage}"),
        };
        assert!(offset < end && end <= found.len);
    }
}

/// Remembers where keys are, and skips them.
#[derive(Default)]
struct Places(Vec<(u64, u64)>);

impl<'a> Visitor<'a> for Places {
    fn key(&mut self, key: &Key<'a>) -> Want {
        self.0.push((key.db, key.offset));
        Want::Skip
    }
}

/// Looks at every text that it is told.
#[derive(Default)]
struct Look {
    /// How many fields of a stream's entry are still to come.
    fields: u64,
}

impl Look {
    fn at(&self, text: Text<'_, '_>) {
        assert_eq!(text.to_vec().len(), text.len(), "a text is as long as it says");
    }
}

impl<'a> Visitor<'a> for Look {
    fn aux(&mut self, name: Text<'a, '_>, value: Text<'a, '_>) {
        self.at(name);
        self.at(value);
    }

    fn function(&mut self, library: Text<'a, '_>) {
        self.at(library);
    }

    fn key(&mut self, key: &Key<'a>) -> Want {
        self.at(key.name);
        Want::Value
    }

    fn string(&mut self, value: Text<'a, '_>) {
        self.at(value);
    }

    fn element(&mut self, element: Text<'a, '_>) {
        self.at(element);
    }

    fn member(&mut self, member: Text<'a, '_>) {
        self.at(member);
    }

    fn scored(&mut self, member: Text<'a, '_>, score: f64) {
        self.at(member);
        assert!(!score.is_nan(), "a score is a number");
    }

    fn field(&mut self, field: Text<'a, '_>, value: Text<'a, '_>, _expires_ms: Option<i64>) {
        self.at(field);
        self.at(value);
    }

    fn stream_entry(&mut self, _id: StreamId, fields: u64) {
        assert_eq!(self.fields, 0, "an entry has as many fields as told");
        self.fields = fields;
    }

    fn stream_field(&mut self, field: Text<'a, '_>, value: Text<'a, '_>) {
        self.fields = self.fields.checked_sub(1).expect("no more fields than told");
        self.at(field);
        self.at(value);
    }

    fn group(&mut self, name: Text<'a, '_>, _last_id: StreamId, _entries_read: Option<u64>) {
        self.at(name);
    }

    fn consumer(&mut self, name: Text<'a, '_>, _seen_ms: i64, _active_ms: Option<i64>) {
        self.at(name);
    }
}
