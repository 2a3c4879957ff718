//! Identification of a duplicate key, once hashes have shown that there may be one.
//!
//! A walk stores 8 bytes per key, not its name. If two hashes are equal, the file is walked again
//! and the names of the few keys with those hashes are compared. The result is exact, and only
//! damaged files cost the additional memory.

use std::collections::HashMap;

use super::damage::Damage;
use super::deep::NotedFaults;
use super::driver::{Driver, Step};
use super::fault::{DamageKind, Fault};
use super::reader::Tools;
use super::visitor::{Ignore, Key, KeyEnd, Visitor, Want};
use crate::rdb::duplicate_detection::Seed;

/// Returns the first key, among those with one of these hashes, that occurs twice in its database.
#[cold]
pub(super) fn find_repeated(bytes: &[u8], seed: Seed, hashes: &[u64]) -> Option<Box<Damage>> {
    if hashes.is_empty() {
        return None;
    }
    let mut finder = Finder {
        seed,
        hashes,
        scratch: Vec::new(),
        seen: HashMap::new(),
        in_hand: None,
        found: None,
    };
    let mut tools = Tools::new();
    // The walk before may have gone on at such faults.
    tools.noted = Some(NotedFaults::default());
    let mut driver = Driver::new(bytes, &mut finder, &mut tools);
    driver.begin().ok()?;
    while driver.reader.visitor.found.is_none() {
        // The previous walk did not get further than this either.
        let Ok(Step::Again) = driver.step() else {
            return None;
        };
    }
    let (db, name, first, second) = finder.found?;
    // Walk up to it once more, so that the report includes the summary of what was intact before
    // it.
    let mut ignore = Ignore;
    let mut driver = Driver::new(bytes, &mut ignore, &mut tools);
    driver.begin().ok()?;
    while driver.whole < second {
        driver.step().ok()?;
    }
    let first = first as u64;
    let fault = Fault::new(second, "a key", DamageKind::DuplicateKey { first });
    let mut damage = driver.damage(fault);
    damage.db = db;
    damage.key = Some(name);
    Some(damage)
}

/// Remembers the keys with suspicious hashes and skips all others.
struct Finder<'h> {
    seed: Seed,
    /// In ascending order.
    hashes: &'h [u64],
    scratch: Vec<u8>,
    /// Offset of the record of each key.
    seen: HashMap<(u64, Vec<u8>), usize>,
    in_hand: Option<((u64, Vec<u8>), usize)>,
    /// The duplicate key, and the offsets of its first and second record.
    found: Option<(u64, Vec<u8>, usize, usize)>,
}

impl<'a> Visitor<'a> for Finder<'_> {
    fn key(&mut self, key: &Key<'a>) -> Want {
        let name = key.name.bytes(&mut self.scratch);
        let hash = self.seed.hash_in(key.db, name);
        if self.hashes.binary_search(&hash).is_err() {
            return Want::Skip;
        }
        let offset = usize::try_from(key.offset).unwrap_or(usize::MAX);
        self.in_hand = Some(((key.db, name.to_vec()), offset));
        // Only reading the value shows whether it is empty, in which case the key does not count.
        Want::Value
    }

    fn key_end(&mut self, end: KeyEnd) {
        let Some((key, offset)) = self.in_hand.take() else {
            return;
        };
        if end == KeyEnd::Empty || self.found.is_some() {
            return;
        }
        if let Some(&first) = self.seen.get(&key) {
            let (db, name) = key;
            self.found = Some((db, name, first, offset));
        } else {
            self.seen.insert(key, offset);
        }
    }
}
