//! RDB files: walked with values, walked without values, and read key by key.

use aofkit::base::progress::Silent;
use aofkit::rdb::{DamageKind, Key, RdbSummary, Records, StreamId, Text, Visitor, Want, walk};

/// The walk terminates within the bytes. A file that is valid when its values are read is also valid when they are
/// skipped, and when it is read key by key. If a wrong checksum is reported, it is the only damage.
pub fn rdb(bytes: &[u8]) {
    match walk(bytes, &mut Reader::default(), &Silent) {
        Ok(found) => check_valid(bytes, &found),
        Err(damage) => {
            assert!(damage.offset <= bytes.len() as u64, "{damage}");
            assert!(damage.before.len <= damage.offset, "{damage}");
            assert!(!damage.to_string().is_empty());
            if let DamageKind::Checksum { computed, .. } = damage.kind {
                let at = usize::try_from(damage.offset).expect("within the bytes");
                let mut repaired = bytes.to_vec();
                repaired[at..at + 8].copy_from_slice(&computed.to_le_bytes());
                match walk(&repaired, &mut Reader::default(), &Silent) {
                    Ok(found) => check_valid(&repaired, &found),
                    Err(damage) => panic!("damage besides the checksum: {damage}"),
                }
            }
        }
    }
}

/// Checks that a file that the walk found valid is also valid without values and key by key.
fn check_valid(bytes: &[u8], found: &RdbSummary) {
    assert!(found.len <= bytes.len() as u64, "{found:?}");
    let mut offsets = Offsets::default();
    let skipped = match walk(bytes, &mut offsets, &Silent) {
        Ok(skipped) => skipped,
        Err(damage) => panic!("damaged when values are skipped: {damage}"),
    };
    // When values are skipped, empty ones are counted as keys too.
    assert_eq!(skipped.keys, found.keys + found.empty_keys);
    assert_eq!(skipped.len, found.len);
    let mut records = match Records::new(bytes) {
        Ok(records) => records,
        Err(damage) => panic!("damaged header when read key by key: {damage}"),
    };
    let mut end = 0;
    for (db, offset) in offsets.0 {
        assert!(offset >= end, "records overlap at byte {offset}");
        end = match records.read(db, offset, &mut Reader::default()) {
            Ok(end) => end,
            Err(damage) => panic!("no record at byte {offset}: {damage}"),
        };
        assert!(offset < end && end <= found.len);
    }
}

/// Collects the offsets of keys and skips their values.
#[derive(Default)]
struct Offsets(Vec<(u64, u64)>);

impl<'a> Visitor<'a> for Offsets {
    fn key(&mut self, key: &Key<'a>) -> Want {
        self.0.push((key.db, key.offset));
        Want::Skip
    }
}

/// Reads every value.
#[derive(Default)]
struct Reader {
    /// The number of fields of a stream entry that have not been visited yet.
    fields: u64,
}

impl Reader {
    fn read(&self, text: Text<'_, '_>) {
        assert_eq!(text.to_vec().len(), text.len(), "a text has its declared length");
    }
}

impl<'a> Visitor<'a> for Reader {
    fn aux(&mut self, name: Text<'a, '_>, value: Text<'a, '_>) {
        self.read(name);
        self.read(value);
    }

    fn function(&mut self, library: Text<'a, '_>) {
        self.read(library);
    }

    fn key(&mut self, key: &Key<'a>) -> Want {
        self.read(key.name);
        Want::Value
    }

    fn string(&mut self, value: Text<'a, '_>) {
        self.read(value);
    }

    fn element(&mut self, element: Text<'a, '_>) {
        self.read(element);
    }

    fn member(&mut self, member: Text<'a, '_>) {
        self.read(member);
    }

    fn scored(&mut self, member: Text<'a, '_>, score: f64) {
        self.read(member);
        assert!(!score.is_nan(), "a score is a number");
    }

    fn field(&mut self, field: Text<'a, '_>, value: Text<'a, '_>, _expires_ms: Option<i64>) {
        self.read(field);
        self.read(value);
    }

    fn stream_entry(&mut self, _id: StreamId, fields: u64) {
        assert_eq!(self.fields, 0, "an entry has its declared number of fields");
        self.fields = fields;
    }

    fn stream_field(&mut self, field: Text<'a, '_>, value: Text<'a, '_>) {
        self.fields = self.fields.checked_sub(1).expect("no more fields than declared");
        self.read(field);
        self.read(value);
    }

    fn group(&mut self, name: Text<'a, '_>, _last_id: StreamId, _entries_read: Option<u64>) {
        self.read(name);
    }

    fn consumer(&mut self, name: Text<'a, '_>, _seen_ms: i64, _active_ms: Option<i64>) {
        self.read(name);
    }
}
