//! What was found so far, and the keys that are asked for again.

use std::collections::BTreeMap;

use super::super::{Counts, Difference, NotCompared, OnDifference, RunningComparison};
use super::judge::Verdict;
use crate::base::error::Result;

/// The number of keys of a [`NotCompared`] list.
const EXAMPLES: usize = 10;

/// What was found so far.
#[derive(Debug, Default)]
pub(super) struct Findings {
    pub(super) counts: Counts,
    pub(super) running: RunningComparison,
    /// Whether differences are listed.
    is_listing: bool,
    list: Vec<Difference>,
}

impl Findings {
    pub(super) fn new(is_listing: bool) -> Self {
        Findings { is_listing, ..Findings::default() }
    }

    /// Adds the final result for a key.
    pub(super) fn add(&mut self, db: u32, key: &[u8], verdict: Verdict) {
        match verdict {
            Verdict::Compared { states, reasons } => {
                if self.counts.add(db, &reasons, states) && self.is_listing {
                    let [a, b] = states;
                    self.list.push(Difference { db, key: key.to_vec(), reasons, a, b });
                }
            }
            Verdict::NotCompared(reason) => {
                self.running.not_compared += 1;
                if self.running.not_compared_keys.len() < EXAMPLES {
                    self.running.not_compared_keys.push(NotCompared {
                        db,
                        key: key.to_vec(),
                        reason,
                    });
                }
            }
        }
    }

    /// Adds the result for a key that was asked for a second time.
    pub(super) fn add_again(&mut self, db: u32, key: &[u8], verdict: Verdict) {
        self.running.asked_again += 1;
        let is_settled = matches!(verdict, Verdict::Compared { .. }) && !verdict.is_difference();
        self.running.settled += u64::from(is_settled);
        self.add(db, key, verdict);
    }

    /// Adds what was found in another part.
    pub(super) fn join(&mut self, other: Findings) {
        self.counts.join(other.counts);
        let (all, more) = (&mut self.running, other.running);
        all.asked_again += more.asked_again;
        all.settled += more.settled;
        all.not_compared += more.not_compared;
        let free = EXAMPLES.saturating_sub(all.not_compared_keys.len());
        all.not_compared_keys.extend(more.not_compared_keys.into_iter().take(free));
        self.list.extend(other.list);
    }

    /// Passes the differences on that were found since the last call.
    pub(super) fn report(&mut self, found: &mut Option<&mut OnDifference<'_>>) -> Result<()> {
        let list = std::mem::take(&mut self.list);
        match found {
            Some(found) => list.iter().try_for_each(&mut **found),
            None => Ok(()),
        }
    }
}

/// The largest number of keys, and of the bytes of their names, that wait to be asked for again.
const MOST_PENDING: usize = 65_536;
const MOST_PENDING_BYTES: usize = 16 << 20;

/// The keys that wait to be asked for again, by database.
#[derive(Debug, Default)]
pub(super) struct Pending {
    keys: BTreeMap<u32, Vec<Vec<u8>>>,
    count: usize,
    bytes: usize,
}

impl Pending {
    pub(super) fn push(&mut self, db: u32, key: Vec<u8>) {
        self.count += 1;
        self.bytes += key.len();
        self.keys.entry(db).or_default().push(key);
    }

    /// Returns whether no more keys should be added.
    pub(super) fn is_full(&self) -> bool {
        self.count >= MOST_PENDING || self.bytes >= MOST_PENDING_BYTES
    }

    /// Returns all keys, and retains none.
    pub(super) fn take(&mut self) -> BTreeMap<u32, Vec<Vec<u8>>> {
        std::mem::take(self).keys
    }
}
