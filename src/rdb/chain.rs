//! The most likely sequence of records in bytes that are damaged.
//!
//! Nothing marks where a record begins, and bytes inside values can be read as records. Every byte is therefore
//! tried, and sequences are compared by how many bits more likely their records are than bytes of any kind: the
//! names (see [`name_model`](super::name_model)), encodings that are checked, expiries. Bytes between two sequences
//! cost more than a few records give. The best sequence is found in one pass: at each byte, the best way to reach it
//! is known, and each record that begins there leads to the byte after it.

use std::collections::BTreeMap;
use std::ops::Range;

use super::driver::{Driver, Step};
use super::format::{format_in, opcode};
use super::header::Header;
use super::name_model::{NameModel, is_plain};
use super::probe::{end_of_rdb, selects_with_sizes};
use super::reader::Tools;
use super::text::Text;
use super::visitor::{AuxWhen, Key, KeyEnd, ModuleId, Visitor, Want};

/// What bytes between two sequences cost, in bits: as much as four keys or so give.
const GAP_BITS: i32 = 60;

/// What the type of a key and the length of its name give, in bits.
const KEY_BITS: i32 = 6;

/// What an encoding with a length, a number of elements and an end gives, in bits.
const ENCODING_BITS: i32 = 24;

/// What a plausible expiry gives, and another one takes, in bits.
const EXPIRY_BITS: i32 = 20;

/// What an end of the RDB at the right place gives, in bits.
const END_BITS: i32 = 2 * GAP_BITS;

/// The number of keys in a row after which the best sequence is decided.
const KEYS_TO_DECIDE: u32 = 48;

/// The expiries that are plausible: from 2001 to 2286, in Unix milliseconds.
pub(super) const EXPIRIES_MS: Range<i64> = 1_000_000_000_000..10_000_000_000_000;

/// The longest idle time that is plausible: ten years, in seconds.
const IDLE_S: u64 = 10 * 365 * 86_400;

/// The highest database that is plausible.
const DATABASES: u64 = 1 << 16;

/// Where to search.
pub(super) struct Search<'a, 's> {
    pub(super) bytes: &'a [u8],
    pub(super) header: Header,
    /// Where the bytes of the RDB end at the latest.
    pub(super) limit: usize,
    pub(super) names: &'s NameModel,
    /// Where a record begins that may be the first damaged one.
    pub(super) from: usize,
    /// Where reading failed, if it did.
    pub(super) failed: Option<usize>,
    /// Where the end of what is compared is at the earliest.
    pub(super) past: usize,
    /// The end of the record at `failed` by its lengths alone, if its name was read.
    pub(super) framed: Option<usize>,
    /// Whether the numbers of databases are followed by their sizes.
    pub(super) has_sizes: bool,
    /// Returns whether a sequence must not begin with this key.
    pub(super) is_known: &'s dyn Fn(&[u8]) -> bool,
}

/// How reading goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// The record at the place of the failure is left out, and the next begins here.
    Framed(usize),
    /// Bytes are left out.
    Gap { from: usize, to: usize },
}

/// The best sequence up to a byte.
#[derive(Debug, Clone, Copy)]
struct Best {
    bits: i32,
    /// The number of keys since the last gap.
    keys: u32,
    /// The first departure from what was read.
    way: Option<Way>,
}

impl Search<'_, '_> {
    /// Returns the first departure of the most likely sequence from what was read. `None`: no records follow.
    pub(super) fn best(&self) -> Option<Way> {
        let mut tools = Tools::new();
        let mut ends: BTreeMap<usize, Best> = BTreeMap::new();
        ends.insert(self.from, Best { bits: 0, keys: 0, way: None });
        // The best sequence that ended, and where.
        let mut ended = (self.from, Best { bits: 0, keys: 0, way: None });
        let mut at = self.from;
        while at < self.limit {
            let here = ends.remove(&at);
            if let Some(here) = here {
                if here.bits >= ended.1.bits {
                    ended = (at, here);
                }
                let is_best = ended.0 == at;
                let is_decided = at > self.past && is_best && here.keys >= KEYS_TO_DECIDE;
                if is_decided && ends.values().all(|other| other.bits <= here.bits) {
                    return here.way;
                }
            }
            if Some(at) == self.failed
                && let Some((end, here)) = self.framed.zip(here)
            {
                let way = here.way.or(Some(Way::Framed(end)));
                offer(&mut ends, end, Best { bits: here.bits - KEY_BITS, way, ..here });
            }
            // Where reading failed, it does not go on.
            let here = here.filter(|here| Some(at) != self.failed || here.way.is_some());
            let begins = self.may_begin(at) && (here.is_some() || at != self.from);
            let anew = (begins && Some(at) != self.failed).then(|| self.after_gap(ended, at));
            let read = match (here, anew) {
                (Some(here), Some(anew)) if anew.bits > here.bits => Some((anew, true)),
                (Some(here), _) => Some((here, here.keys == 0 && here.way.is_some())),
                (None, anew) => anew.map(|anew| (anew, true)),
            };
            if let Some((before, is_first)) = read
                && let Some((end, after)) = self.record(at, before, is_first, &mut tools)
            {
                offer(&mut ends, end, after);
            }
            at += 1;
        }
        let at_the_end = ends.remove(&self.limit).filter(|best| best.bits > ended.1.bits);
        at_the_end.unwrap_or(ended.1).way
    }

    fn after_gap(&self, (end, before): (usize, Best), at: usize) -> Best {
        let way = before.way.or(Some(Way::Gap { from: end, to: at }));
        Best { bits: before.bits.saturating_sub(GAP_BITS), keys: 0, way }
    }

    /// Returns whether a record may begin with the byte at `at`.
    fn may_begin(&self, at: usize) -> bool {
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

    /// Reads the record at `at`, and returns its end and what is known there.
    fn record(
        &self,
        at: usize,
        before: Best,
        is_first: bool,
        tools: &mut Tools,
    ) -> Option<(usize, Best)> {
        let is_select = self.bytes.get(at) == Some(&opcode::SELECT_DB);
        if is_select && self.has_sizes && !selects_with_sizes(self.bytes, at) {
            return None;
        }
        let mut visitor = Judge::new(self, is_first);
        let mut driver = Driver::new(&self.bytes[..self.limit], &mut visitor, tools);
        driver.go_to(self.header, 0, at);
        while driver.whole == at {
            match driver.step() {
                // What was read before the failure counts, however unlikely it is.
                Ok(Step::Again) if driver.reader.visitor.is_plausible || before.way.is_none() => {}
                Ok(Step::End) => {
                    let end = driver.reader.cursor.pos();
                    end_of_rdb(self.bytes, self.header, end)?;
                    let bits = before.bits.saturating_add(END_BITS);
                    return Some((self.limit, Best { bits, ..before }));
                }
                Ok(Step::Again) | Err(_) => return None,
            }
        }
        let end = driver.whole;
        let bits = if before.way.is_none() { visitor.bits.max(0) } else { visitor.bits };
        let after = Best {
            bits: before.bits.saturating_add(bits),
            keys: before.keys.saturating_add(visitor.keys),
            way: before.way,
        };
        Some((end, after))
    }
}

/// Returns whether a module can have this id. Zeros name none.
pub(super) fn has_name(module: ModuleId) -> bool {
    module.0 != 0
}

fn offer(ends: &mut BTreeMap<usize, Best>, end: usize, offered: Best) {
    let best = ends.entry(end).or_insert(offered);
    if offered.bits > best.bits {
        *best = offered;
    }
}

/// Judges one record.
struct Judge<'j, 'a, 's> {
    search: &'j Search<'a, 's>,
    /// Whether the record is the first after a gap.
    is_first: bool,
    bits: i32,
    keys: u32,
    is_plausible: bool,
    /// Whether the encoding of the value is checked.
    is_checked: bool,
    /// What the fields of the value give that would be keys if they were read as such; `None` if they would be none.
    field_bits: Option<i32>,
}

impl<'j, 'a, 's> Judge<'j, 'a, 's> {
    fn new(search: &'j Search<'a, 's>, is_first: bool) -> Self {
        Judge {
            search,
            is_first,
            bits: 0,
            keys: 0,
            is_plausible: true,
            is_checked: false,
            field_bits: None,
        }
    }
}

impl<'a> Visitor<'a> for Judge<'_, '_, '_> {
    fn aux(&mut self, name: Text<'a, '_>, _: Text<'a, '_>) {
        self.is_plausible &=
            matches!(name, Text::Mapped(name) if !name.is_empty() && is_plain(name));
    }

    fn select_db(&mut self, db: u64) {
        self.is_plausible &= db < DATABASES;
    }

    fn key(&mut self, key: &Key<'a>) -> Want {
        self.keys += 1;
        let mut scratch = Vec::new();
        let name = key.name.bytes(&mut scratch);
        let bits = self.search.names.bits(name);
        self.is_plausible &= bits.is_some()
            && key.idle_s.is_none_or(|idle| idle <= IDLE_S)
            && !(self.is_first && (self.search.is_known)(name));
        self.bits += KEY_BITS + bits.unwrap_or(0);
        self.is_checked = key.format.is_checked();
        self.field_bits = key.format.has_string_like_fields().then_some(0);
        self.bits += match key.expires_ms {
            Some(at) if EXPIRIES_MS.contains(&at) => EXPIRY_BITS,
            Some(_) => -EXPIRY_BITS,
            None => 0,
        };
        if self.is_plausible { Want::Value } else { Want::Skip }
    }

    fn key_end(&mut self, end: KeyEnd) {
        if end == KeyEnd::Whole {
            let of_encoding = if self.is_checked { ENCODING_BITS } else { 0 };
            let of_value = self.field_bits.unwrap_or(of_encoding);
            self.bits = self.bits.saturating_add(of_value);
        }
        self.field_bits = None;
    }

    /// Counts a field that reads as a key as well: a whole hash must not be less likely than its fields.
    fn field(&mut self, field: Text<'a, '_>, _: Text<'a, '_>, expires_ms: Option<i64>) {
        let Some(all) = self.field_bits.filter(|_| expires_ms.is_none()) else { return };
        let mut scratch = Vec::new();
        let bits = self.search.names.bits(field.bytes(&mut scratch));
        self.field_bits = Some(all.saturating_add(bits.map_or(0, |bits| (KEY_BITS + bits).max(0))));
    }

    fn module_aux(&mut self, module: ModuleId, _: AuxWhen, _: &'a [u8]) {
        self.is_plausible &= has_name(module);
    }

    fn module(&mut self, module: ModuleId, _: &'a [u8]) {
        self.is_plausible &= has_name(module);
    }
}
