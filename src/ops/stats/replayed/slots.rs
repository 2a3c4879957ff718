//! The distribution of keys over the slots of a cluster.

use crate::base::slot::{SLOTS, slot_of};
use crate::ops::stats::report::{SlotShare, SlotSkew};

/// The number of slots that a report has.
const SHOWN: usize = 10;
/// The number of nodes with equal ranges of slots, whose loads are compared.
const NODES: usize = 3;

/// The keys and bytes of each slot, in the order of slots; empty as long as there are none.
#[derive(Debug, Clone, Default)]
pub(super) struct Slots(Vec<(u64, u64)>);

impl Slots {
    pub(super) fn add(&mut self, key: &[u8], bytes: u64) {
        let (keys, of_slot) = &mut self.slots()[usize::from(slot_of(key) % SLOTS)];
        *keys += 1;
        *of_slot += bytes;
    }

    fn slots(&mut self) -> &mut [(u64, u64)] {
        if self.0.is_empty() {
            self.0 = vec![(0, 0); usize::from(SLOTS)];
        }
        &mut self.0
    }

    pub(super) fn join(&mut self, other: &Slots) {
        for ((keys, bytes), (more_keys, more_bytes)) in self.slots().iter_mut().zip(&other.0) {
            *keys += more_keys;
            *bytes += more_bytes;
        }
    }

    pub(super) fn finish(&self) -> SlotSkew {
        let shares = (0..SLOTS).zip(&self.0);
        let shares =
            shares.map(|(slot, (keys, bytes))| SlotShare { slot, keys: *keys, bytes: *bytes });
        let mut used: Vec<SlotShare> = shares.filter(|share| share.keys > 0).collect();
        used.sort_by_key(|share| (std::cmp::Reverse(share.bytes), share.slot));
        let mut nodes = [0_u64; NODES];
        for share in &used {
            nodes[usize::from(share.slot) * NODES / usize::from(SLOTS)] += share.bytes;
        }
        let total: u64 = nodes.iter().sum();
        let largest = nodes.into_iter().max().unwrap_or(0);
        #[allow(clippy::cast_precision_loss)] // A ratio.
        let three_nodes =
            if total == 0 { 1.0 } else { largest as f64 * NODES as f64 / total as f64 };
        SlotSkew {
            used: u32::try_from(used.len()).unwrap_or(u32::MAX),
            most_keys: used.iter().map(|share| share.keys).max().unwrap_or(0),
            largest: used.into_iter().take(SHOWN).collect(),
            three_nodes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_load_of_three_nodes_is_compared() {
        // CLUSTER KEYSLOT of a server replies 12182 for foo and 5061 for bar.
        let mut slots = Slots::default();
        slots.add(b"foo", 30);
        slots.add(b"{foo}2", 10);
        slots.add(b"bar", 20);
        let skew = slots.finish();
        let share = |slot, keys, bytes| SlotShare { slot, keys, bytes };
        assert_eq!(skew.largest, [share(12182, 2, 40), share(5061, 1, 20)]);
        assert_eq!((skew.used, skew.most_keys, skew.three_nodes), (2, 2, 2.0));
        assert_eq!(Slots::default().finish().used, 0);
    }
}
