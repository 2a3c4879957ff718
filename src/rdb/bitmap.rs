//! Bitmaps, since Redis 8.12: strings of which only the bits that are set are stored.
//!
//! | part | bytes |
//! |---|---|
//! | length of the string in bytes | a length |
//! | bits | a string: a set of numbers of 64 bits in the portable form of Roaring |
//!
//! | a set of 64-bit numbers | bytes, little endian |
//! |---|---|
//! | number of sets | 8 |
//! | each set | 4: the high half of its numbers; the low halves as below |
//!
//! | a set of 32-bit numbers | bytes, little endian |
//! |---|---|
//! | 12346, number n of containers | 4 and 4; no container is of runs |
//! | or 12347 and n - 1 | 2 and 2, then one bit for each container that is of runs |
//! | n times: high half, numbers - 1 | 2 and 2 |
//! | n offsets, if there are no runs or at least 4 containers | 4 each |
//! | a container of runs | 2: the number of runs; for each 2 and 2: first number, numbers - 1 |
//! | a container of at most 4,096 numbers | 2 for each |
//! | any other container | 8,192: one bit for each number, the lowest first |
//!
//! Number n is bit n of the string, as SETBIT counts: the highest of each byte first. Not observed; the
//! form of the string is as reported (redis #15331), that of Roaring as in its format specification.

use super::cursor::{Blob, Cursor};
use super::fault::{Fault, Read};
use super::reader::Reader;
use super::text::Text;
use super::visitor::{KeyEnd, Visitor};

const READING: &str = "a bitmap";
const READING_LENGTH: &str = "the length of a bitmap";

/// The longest string in bytes that a server accepts by default (`proto-max-bulk-len`), and that is
/// expanded here.
const LONGEST: u64 = 512 << 20;

const WITHOUT_RUNS: u32 = 12346;
const WITH_RUNS: u32 = 12347;
/// With fewer containers, a set with runs has no offsets.
const LEAST_OFFSETS: u64 = 4;
/// The largest container that lists its numbers.
const LARGEST_LIST: u64 = 4096;
const CONTAINER_BYTES: u64 = 8192;

impl<'a, V: Visitor<'a>> Reader<'a, '_, V> {
    pub(super) fn bitmap(&mut self) -> Read<KeyEnd> {
        let at = self.cursor.pos();
        let length = self.cursor.length(READING_LENGTH)?;
        let len = usize::try_from(length).ok().filter(|_| length <= LONGEST);
        let Some(len) = len else {
            let rule = "it is over 512 MiB, and is not expanded";
            return Err(Fault::broken(at, READING_LENGTH, rule));
        };
        self.unpack(READING, KeyEnd::Whole, |reader, blob| {
            let expanded = expand(blob, len).map_err(|f| blob.place(f))?;
            reader.visitor.string(Text::Lent(&expanded));
            Ok(KeyEnd::Whole)
        })
    }
}

/// The string of `len` bytes whose bits are these numbers.
fn expand(blob: Blob<'_, '_>, len: usize) -> Read<Vec<u8>> {
    // Checked once without memory: a string is allocated only for numbers that are there.
    let mut highest = None;
    numbers(blob.bytes, &mut |_, last| highest = highest.max(Some(last)))?;
    if highest.is_some_and(|highest| highest / 8 >= len as u64) {
        return Err(Fault::broken(0, READING, "it has bits after its end"));
    }
    let mut bytes = Vec::new();
    if bytes.try_reserve_exact(len).is_err() {
        return Err(Fault::broken(0, READING, "there is not enough memory to expand it"));
    }
    bytes.resize(len, 0);
    numbers(blob.bytes, &mut |first, last| set(&mut bytes, first, last))?;
    Ok(bytes)
}

/// Sets the bits from `first` to `last`.
fn set(bytes: &mut [u8], first: u64, last: u64) {
    for bit in first..=last {
        let byte = usize::try_from(bit / 8).ok().and_then(|at| bytes.get_mut(at));
        if let Some(byte) = byte {
            *byte |= 0x80 >> (bit % 8);
        }
    }
}

/// Passes every range of numbers to `visit`: first and last.
fn numbers(bytes: &[u8], visit: &mut dyn FnMut(u64, u64)) -> Read<()> {
    let mut cursor = Cursor::at(bytes, 0);
    let sets = u64::from_le_bytes(cursor.fixed(READING)?);
    let mut before = None;
    for _ in 0..sets {
        let at = cursor.pos();
        let high = u32::from_le_bytes(cursor.fixed(READING)?);
        if before.is_some_and(|before| before >= high) {
            return Err(Fault::broken(at, READING, "its parts are not in ascending order"));
        }
        before = Some(high);
        let base = u64::from(high) << 32;
        low_halves(&mut cursor, &mut |first, last| {
            visit(base | u64::from(first), base | u64::from(last));
        })?;
    }
    if cursor.pos() != bytes.len() {
        return Err(Fault::broken(cursor.pos(), READING, "there are bytes after its end"));
    }
    Ok(())
}

fn short(cursor: &mut Cursor<'_>) -> Read<u16> {
    cursor.fixed(READING).map(u16::from_le_bytes)
}

fn low_halves(cursor: &mut Cursor<'_>, visit: &mut dyn FnMut(u32, u32)) -> Read<()> {
    let at = cursor.pos();
    let cookie = u32::from_le_bytes(cursor.fixed(READING)?);
    let (count, runs) = match cookie {
        WITHOUT_RUNS => (u64::from(u32::from_le_bytes(cursor.fixed(READING)?)), &[][..]),
        _ if cookie & 0xffff == WITH_RUNS => {
            let count = u64::from(cookie >> 16) + 1;
            (count, cursor.take(count.div_ceil(8), READING)?)
        }
        _ => return Err(Fault::broken(at, READING, "it does not begin as one")),
    };
    if count > 1 << 16 {
        return Err(Fault::broken(at, READING, "it has more than 65,536 containers"));
    }
    let mut heads = Cursor::at(cursor.take(count * 4, READING)?, 0);
    if cookie == WITHOUT_RUNS || count >= LEAST_OFFSETS {
        cursor.take(count * 4, READING)?;
    }
    let mut before = None;
    for number in 0..count {
        let high = short(&mut heads)?;
        let size = u64::from(short(&mut heads)?) + 1;
        if before.is_some_and(|before| before >= high) {
            return Err(Fault::broken(at, READING, "its containers are not in ascending order"));
        }
        before = Some(high);
        let base = u32::from(high) << 16;
        let flags = usize::try_from(number / 8).ok().and_then(|at| runs.get(at));
        let is_runs = flags.is_some_and(|flags| flags >> (number % 8) & 1 == 1);
        let found = container(cursor, is_runs, size, &mut |first, last| {
            visit(base | u32::from(first), base | u32::from(last));
        })?;
        if found != size {
            let rule = "a container does not have as many numbers as it declares";
            return Err(Fault::broken(at, READING, rule));
        }
    }
    Ok(())
}

/// Reads one container, and returns how many numbers it has.
fn container(
    cursor: &mut Cursor<'_>,
    runs: bool,
    size: u64,
    visit: &mut dyn FnMut(u16, u16),
) -> Read<u64> {
    let mut found = 0;
    let mut after = 0_u32;
    let mut range = |at: usize, first: u16, last: u32| {
        let last = u16::try_from(last).ok().filter(|_| u32::from(first) >= after);
        let Some(last) = last else {
            return Err(Fault::broken(at, READING, "its numbers are not in ascending order"));
        };
        after = u32::from(last) + 1;
        found += u64::from(last - first) + 1;
        visit(first, last);
        Ok(())
    };
    if runs {
        for _ in 0..short(cursor)? {
            let at = cursor.pos();
            let (first, more) = (short(cursor)?, short(cursor)?);
            range(at, first, u32::from(first) + u32::from(more))?;
        }
    } else if size <= LARGEST_LIST {
        for _ in 0..size {
            let at = cursor.pos();
            let number = short(cursor)?;
            range(at, number, number.into())?;
        }
    } else {
        let at = cursor.pos();
        let bits = cursor.take(CONTAINER_BYTES, READING)?;
        for number in 0..=u16::MAX {
            if bits[usize::from(number / 8)] >> (number % 8) & 1 == 1 {
                range(at, number, number.into())?;
            }
        }
    }
    Ok(found)
}
