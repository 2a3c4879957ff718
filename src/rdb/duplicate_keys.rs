//! Finding the key that comes twice, once hashes have shown that there may be one.
//!
//! A walk keeps 8 bytes a key, not its name. So when two hashes are equal the file is walked again, and
//! the names of the few keys with those hashes are compared: the answer is exact, and the memory is
//! paid only by a file that is broken.

use std::collections::HashMap;

use super::damage::Damage;
use super::driver::{Driver, Step};
use super::fault::{DamageKind, Fault};
use super::reader::Tools;
use super::visitor::{Ignore, Key, KeyEnd, Visitor, Want};
use crate::rdb::duplicate_detection::Seed;

/// Finds the first key that is in its database already, among those with one of these hashes.
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
    let mut driver = Driver::new(bytes, &mut finder, &mut tools);
    driver.begin().ok()?;
    while driver.reader.visitor.found.is_none() {
        // The walk before came no further than this.
        let Ok(Step::Again) = driver.step() else {
            return None;
        };
    }
    let (db, name, first, second) = finder.found?;
    // Once more, so that it is told with what was whole before it.
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

/// Remembers the keys with suspicious hashes, and looks at no other.
struct Finder<'h> {
    seed: Seed,
    /// In ascending order.
    hashes: &'h [u64],
    scratch: Vec<u8>,
    /// Where the record of each begins.
    seen: HashMap<(u64, Vec<u8>), usize>,
    in_hand: Option<((u64, Vec<u8>), usize)>,
    /// A key that comes twice, and where its first and second record begin.
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
        // Whether it is empty, and so none, shows only when it is read.
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
