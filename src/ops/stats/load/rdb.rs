//! A sample of the keys in the RDB at the beginning of a part, as an RDB.

use xxhash_rust::xxh3::xxh3_64;

use super::place::{Place, push};
use crate::aof::log::{Log, Part};
use crate::base::error::Result;
use crate::base::progress::Progress;
use crate::rdb::{Ignore, Key, Records, Visitor, Want};
use crate::replay::broken_rdb;

/// `REDIS` or `VALKEY` and the version.
const HEADER_BYTES: usize = 9;
const SELECT_DB: u8 = 0xFE;
const RESIZE_DB: u8 = 0xFB;
const END: u8 = 0xFF;
/// A checksum that says that there is none.
const NO_CHECKSUM: [u8; 8] = [0; 8];
/// A sample with so many times the wanted bytes is given up.
const OVERFULL: u64 = 3;

/// A sample of the keys of an RDB.
#[derive(Debug, Default)]
pub(super) struct RdbSample {
    header: Vec<u8>,
    /// The records by database, in the order of the file, and their number.
    records: Vec<(u64, u64, Vec<Place>)>,
    /// The size of the records in bytes.
    pub(super) bytes: u64,
}

impl RdbSample {
    /// Returns the highest database.
    pub(super) fn highest_db(&self) -> u64 {
        self.records.iter().map(|(db, ..)| *db).max().unwrap_or(0)
    }

    /// Calls `write` with all bytes of the RDB; `stored` returns those of a place.
    pub(super) fn write<'a, E>(
        &'a self,
        stored: impl Fn(&Place) -> &'a [u8],
        mut write: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        write(&self.header)?;
        for (db, keys, places) in &self.records {
            write(&[SELECT_DB])?;
            write(&length(*db))?;
            // A server makes room for so many, as it does with the RDB that this is a sample of.
            write(&[RESIZE_DB])?;
            write(&length(*keys))?;
            write(&length(0))?;
            for place in places {
                write(stored(place))?;
            }
        }
        write(&[END])?;
        write(&NO_CHECKSUM)
    }
}

/// Returns a number as RDBs store lengths.
fn length(number: u64) -> Vec<u8> {
    match u8::try_from(number) {
        Ok(short) if short < 64 => vec![short],
        _ => [&[0x81][..], &number.to_be_bytes()].concat(),
    }
}

/// Returns the length of the RDB of each part, and a sample of the keys of the first, of about so many bytes; `None` if there
/// is none that represents it.
///
/// # Errors
///
/// When an RDB is damaged, which was refused before.
pub(super) fn sample(
    log: &Log,
    wanted: u64,
    progress: &dyn Progress,
) -> Result<(Vec<usize>, Option<RdbSample>)> {
    let mut lens = Vec::new();
    let mut sample = None;
    for (number, part) in (0_u32..).zip(&log.parts) {
        if !part.starts_with_rdb() {
            lens.push(0);
            continue;
        }
        let one_in = part.mapping.len().div_ceil(wanted.max(1)).max(1);
        let mut chosen = Chosen { one_in, db: 0, keys: Vec::new(), scratch: Vec::new() };
        progress.phase("sample", part.mapping.len());
        let read = part.read_rdb(&mut chosen, progress);
        part.mapping.check()?;
        let reading = read.map_err(|damage| broken_rdb(log, part, &damage))?;
        let len = usize::try_from(reading.len()).unwrap_or(usize::MAX);
        lens.push(len.min(part.mapping.bytes().len()));
        if sample.is_none() && part.compressed.is_none() {
            sample = records(part, number, &chosen.keys, wanted * OVERFULL);
        }
    }
    Ok((lens, sample))
}

/// The keys that are chosen.
struct Chosen {
    one_in: u64,
    db: u64,
    keys: Vec<(u64, u64)>,
    scratch: Vec<u8>,
}

impl<'a> Visitor<'a> for Chosen {
    fn select_db(&mut self, db: u64) {
        self.db = db;
    }

    fn key(&mut self, key: &Key<'a>) -> Want {
        if xxh3_64(key.name.bytes(&mut self.scratch)).is_multiple_of(self.one_in) {
            self.keys.push((self.db, key.offset));
        }
        Want::Skip
    }
}

/// Finds the ends of the chosen records; `None` if there are none, or if they are too large for a sample.
fn records(part: &Part, number: u32, keys: &[(u64, u64)], most: u64) -> Option<RdbSample> {
    let bytes = part.mapping.bytes();
    let mut sample =
        RdbSample { header: bytes.get(..HEADER_BYTES)?.to_vec(), ..RdbSample::default() };
    let mut records = Records::new(bytes).ok()?;
    for (db, from) in keys {
        let to = records.read(*db, *from, &mut Ignore).ok()?;
        sample.bytes += to.checked_sub(*from)?;
        if sample.bytes > most {
            return None;
        }
        let place = Place { part: number, from: *from, to };
        match sample.records.last_mut() {
            Some((last, keys, places)) if last == db => {
                *keys += 1;
                push(places, place);
            }
            _ => sample.records.push((*db, 1, vec![place])),
        }
    }
    (!sample.records.is_empty()).then_some(sample)
}
