//! Trying whether records begin at a byte of a damaged RDB.

use super::driver::{Driver, Step};
use super::format::{format_in, opcode};
use super::header::Header;
use super::reader::Tools;
use super::text::Text;
use super::visitor::{Key, Visitor, Want};

/// The number of keys in a row that are taken for records, although the end of the RDB was not reached.
const KEYS_IN_A_ROW: u32 = 5;

/// The number of keys in a row up to the end of bytes that have no end of an RDB.
const KEYS_AT_THE_END: u32 = 2;

/// The longest name of a key that is plausible, in bytes.
const NAME_BYTES: usize = 64 << 10;

/// The expiries that are plausible: from 2001 to 2286, in Unix milliseconds.
const EXPIRIES_MS: std::ops::Range<i64> = 1_000_000_000_000..10_000_000_000_000;

/// The longest idle time that is plausible: ten years, in seconds.
const IDLE_S: u64 = 10 * 365 * 86_400;

/// The highest database that is plausible.
const DATABASES: u64 = 1 << 16;

/// The number of names from which it is known what names look like.
const NAMES: u64 = 8;

/// Tries places of an RDB.
pub(super) struct Probe<'a> {
    bytes: &'a [u8],
    header: Header,
    /// Where the bytes of the RDB end at the latest.
    pub(super) limit: usize,
    /// The number of names that were read, and of those that are plain text.
    names: u64,
    plain: u64,
}

impl<'a> Probe<'a> {
    pub(super) fn new(bytes: &'a [u8], header: Header) -> Self {
        Probe { bytes, header, limit: bytes.len(), names: 0, plain: 0 }
    }

    /// Takes note of the name of a key.
    pub(super) fn learn(&mut self, name: &[u8]) {
        self.names += 1;
        self.plain += u64::from(is_plain(name));
    }

    /// Returns whether a record may begin with the byte at `at`.
    pub(super) fn may_begin(&self, at: usize) -> bool {
        let Some(&code) = self.bytes.get(at) else { return false };
        let leads_a_key = matches!(
            code,
            opcode::END
                | opcode::EXPIRE
                | opcode::EXPIRE_MS
                | opcode::FREQ
                | opcode::IDLE
                | opcode::SELECT_DB
                | opcode::SLOT_INFO
                | opcode::AUX
        );
        let begins_a_key =
            || format_in(self.header, code).is_some_and(|it| it.since <= self.header.version);
        // No plausible key has an empty name.
        leads_a_key || self.bytes.get(at + 1) != Some(&0) && begins_a_key()
    }

    /// Returns whether several plausible records in a row, or all up to the end of the RDB, begin at byte `at`.
    /// `past`: they have to lead past this byte without one that begins there.
    pub(super) fn accepts(&self, at: usize, past: Option<usize>) -> bool {
        let mut tools = Tools::new();
        let mut visitor = Plausible::of(self);
        let mut driver = Driver::new(&self.bytes[..self.limit], &mut visitor, &mut tools);
        driver.go_to(self.header, 0, at);
        loop {
            let start = driver.whole;
            let (keys, is_past) =
                (driver.reader.visitor.keys, past.is_none_or(|past| start > past));
            if past == Some(start) {
                return false;
            }
            if keys >= KEYS_IN_A_ROW && is_past {
                return true;
            }
            if start == self.limit {
                return keys >= KEYS_AT_THE_END;
            }
            match driver.step() {
                Ok(Step::Again) if driver.reader.visitor.is_plausible => {}
                Ok(Step::End) => {
                    let end = driver.reader.cursor.pos();
                    return is_past && end_of_rdb(self.bytes, self.header, end).is_some();
                }
                Ok(Step::Again) | Err(_) => return false,
            }
        }
    }
}

/// The number of keys within which a record may have been read that was never written.
const KEYS_TO_COMPARE: u32 = 3;

/// The number of keys after which two readings have met at the latest.
const KEYS_TO_MEET: u32 = 64;

impl Probe<'_> {
    /// Returns a place after `at` from which many more records lead to where some from `at` end; `at` if there is none.
    ///
    /// A false record may be so long that it ends where a record begins, far after the next ones.
    pub(super) fn finer(&self, at: usize) -> usize {
        let mut at = at;
        while let Some(finer) = self.finer_once(at) {
            at = finer;
        }
        at
    }

    fn finer_once(&self, at: usize) -> Option<usize> {
        let mut ends = Vec::new();
        let last = self.follow(at, |start, keys| {
            ends.push((start, keys));
            keys >= KEYS_TO_MEET
        });
        ends.extend(last);
        let &(first_end, _) = ends.iter().find(|end| end.1 >= KEYS_TO_COMPARE).or(ends.last())?;
        let keys_to = |start: usize| {
            let index = ends.binary_search_by_key(&start, |end| end.0).ok()?;
            Some(ends[index].1)
        };
        let last_end = ends.last()?.0;
        (at + 1..first_end).find(|&other| {
            let meets = |start: usize, _| start >= last_end || keys_to(start).is_some();
            self.may_begin(other)
                && self.follow(other, meets).is_some_and(|(start, more)| {
                    keys_to(start).is_some_and(|keys| more >= 2 * keys.max(1) && more > 1)
                })
        })
    }

    /// Returns whether several records begin between two bytes, and lead to the second one or past it.
    pub(super) fn has_records(&self, from: usize, to: usize) -> bool {
        (from..to).any(|at| {
            self.may_begin(at)
                && (self.accepts(at, Some(to))
                    || self
                        .follow(at, |start, _| start >= to)
                        .is_some_and(|(start, keys)| start == to && keys >= KEYS_TO_COMPARE))
        })
    }

    /// Reads plausible records from byte `at` on, up to the first place where `ends` is true of it and of the number of
    /// keys before it, or to the end of the RDB. Returns both.
    fn follow(&self, at: usize, mut ends: impl FnMut(usize, u32) -> bool) -> Option<(usize, u32)> {
        let mut tools = Tools::new();
        let mut visitor = Plausible::of(self);
        let mut driver = Driver::new(&self.bytes[..self.limit], &mut visitor, &mut tools);
        driver.go_to(self.header, 0, at);
        loop {
            let (start, keys) = (driver.whole, driver.reader.visitor.keys);
            if ends(start, keys) || start == self.limit {
                return Some((start, keys));
            }
            match driver.step() {
                Ok(Step::Again) if driver.reader.visitor.is_plausible => {}
                Ok(Step::End) => {
                    let end = driver.reader.cursor.pos();
                    return end_of_rdb(self.bytes, self.header, end).map(|_| (end, keys));
                }
                _ => return None,
            }
        }
    }
}

/// Judges what is read.
struct Plausible {
    keys: u32,
    is_plausible: bool,
    /// Whether the names of keys are plain text.
    has_plain_names: bool,
}

impl Plausible {
    fn of(probe: &Probe<'_>) -> Self {
        let has_plain_names = probe.names >= NAMES && probe.plain == probe.names;
        Plausible { keys: 0, is_plausible: true, has_plain_names }
    }
}

impl<'a> Visitor<'a> for Plausible {
    fn aux(&mut self, name: Text<'a, '_>, _: Text<'a, '_>) {
        self.is_plausible &=
            matches!(name, Text::Mapped(name) if !name.is_empty() && is_plain(name));
    }

    fn select_db(&mut self, db: u64) {
        self.is_plausible &= db < DATABASES;
    }

    fn key(&mut self, key: &Key<'a>) -> Want {
        self.keys += 1;
        self.is_plausible &= (1..=NAME_BYTES).contains(&key.name.len())
            && key.expires_ms.is_none_or(|at| EXPIRIES_MS.contains(&at))
            && key.idle_s.is_none_or(|idle| idle <= IDLE_S);
        if self.is_plausible && self.has_plain_names {
            self.is_plausible = is_plain(key.name.bytes(&mut Vec::new()));
        }
        if self.is_plausible { Want::Value } else { Want::Skip }
    }
}

/// Returns the length of the RDB if its end opcode, which precedes byte `at`, is plausible: the file ends after the
/// checksum, or commands or zero bytes follow.
pub(super) fn end_of_rdb(bytes: &[u8], header: Header, at: usize) -> Option<usize> {
    let len = if header.has_checksum() { at.checked_add(8)? } else { at };
    let ends = match bytes.get(len..)? {
        rest if begins_commands(rest) => true,
        rest => rest.iter().all(|byte| *byte == 0),
    };
    ends.then_some(len)
}

/// Returns whether bytes begin as the commands after an RDB do: with the header of a frame, or with a timestamp.
fn begins_commands(bytes: &[u8]) -> bool {
    let Some(after) = bytes.strip_prefix(b"*") else { return bytes.starts_with(b"#TS:") };
    let digits = after.iter().take_while(|byte| byte.is_ascii_digit()).count();
    (1..=7).contains(&digits) && after[digits..].starts_with(b"\r\n$")
}

fn is_plain(name: &[u8]) -> bool {
    std::str::from_utf8(name).is_ok_and(|name| !name.chars().any(char::is_control))
}

/// Returns where the record at byte `at` ends according to its lengths alone.
pub(super) fn length_without_checks(bytes: &[u8], header: Header, at: usize) -> Option<usize> {
    let mut tools = Tools::new();
    let mut skip = Skip::default();
    let mut driver = Driver::new(bytes, &mut skip, &mut tools);
    driver.go_to(header, 0, at);
    driver.one_record().ok()?;
    Some(driver.reader.cursor.pos())
}

/// Returns the name of the key whose record begins at byte `at`.
pub(super) fn name_at(bytes: &[u8], header: Header, at: usize) -> Option<Vec<u8>> {
    let mut tools = Tools::new();
    let mut skip = Skip::default();
    let mut driver = Driver::new(bytes, &mut skip, &mut tools);
    driver.go_to(header, 0, at);
    let _ = driver.one_record();
    skip.name
}

/// Steps over values.
#[derive(Default)]
struct Skip {
    name: Option<Vec<u8>>,
}

impl<'a> Visitor<'a> for Skip {
    fn key(&mut self, key: &Key<'a>) -> Want {
        self.name = Some(key.name.to_vec());
        Want::Skip
    }
}
