//! The sizes of hash tables: those with a chain for each slot, and those of Valkey 8.1 and later, whose buckets have room
//! for seven entries.
//!
//! Tables grow to twice their size when they are full, and keep the old one until as many steps as it has entries were
//! made; each insertion makes one or two. Until then, both are counted. A table of an RDB is allocated once.

/// How a table was filled.
#[derive(Debug, Clone, Copy)]
pub(super) struct Filled {
    /// The number of entries.
    pub(super) entries: u64,
    /// Whether its size was known before: of a key in an RDB.
    pub(super) at_once: bool,
    /// The number of steps of an insertion.
    pub(super) steps: u64,
    /// The number of entries with which it was converted from a packed encoding.
    pub(super) converted: u64,
}

/// Returns the number of slots of a table with chains.
#[allow(clippy::cast_precision_loss)] // An estimate.
pub(super) fn slots(filled: Filled) -> u64 {
    let size = filled.entries.max(4).next_power_of_two();
    let old = size / 2;
    if filled.at_once || old < 4 || old < filled.converted {
        return size;
    }
    // A step moves the next slot that is not empty, and 1 - 1/e of the slots of a full table are not empty.
    let moved = (filled.entries.saturating_sub(old) * filled.steps) as f64;
    if moved < old as f64 * 0.63 { size + old } else { size }
}

/// Returns the number of entries that are not the last of their chain.
#[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
pub(super) fn chained(entries: u64) -> u64 {
    let slots = entries.max(4).next_power_of_two() as f64;
    let in_use = slots * -(-(entries as f64) / slots).exp_m1();
    (entries as f64 - in_use).max(0.0) as u64
}

/// The bytes of a bucket.
const BUCKET: u64 = 64;
/// The number of entries of a bucket.
const PER_BUCKET: u64 = 7;

/// Returns the bytes of the buckets of a table.
#[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
pub(super) fn buckets(filled: Filled) -> u64 {
    let entries = filled.entries;
    let count = match filled.at_once {
        true => (entries * 5).div_ceil(32).max(1).next_power_of_two(),
        false => entries.div_ceil(PER_BUCKET).max(1).next_power_of_two(),
    };
    let old = count / 2;
    let moved = entries.saturating_sub(old * PER_BUCKET) * filled.steps;
    let is_moving =
        !filled.at_once && old > 0 && moved < old && old * PER_BUCKET >= filled.converted;
    let remaining = if is_moving { (old - moved) as f64 } else { 0.0 };
    let in_old = remaining * PER_BUCKET as f64;
    let children = remaining * children(PER_BUCKET as f64)
        + count as f64 * children((entries as f64 - in_old).max(0.0) / count as f64);
    let main = if is_moving { count + old } else { count };
    (main + children.round() as u64) * BUCKET
}

/// Returns the expected number of further buckets of one, by the expected number of its entries: their number has a Poisson
/// distribution.
fn children(expected: f64) -> f64 {
    let mut probability = (-expected).exp();
    let mut sum = 0.0;
    let mut more_than = [0.0; 2];
    for count in 0_u32..14 {
        sum += probability;
        if count == 7 {
            more_than[0] = 1.0 - sum;
        }
        probability *= expected / f64::from(count + 1);
    }
    more_than[1] = 1.0 - sum;
    more_than.iter().sum::<f64>().max(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(entries: u64, steps: u64) -> Filled {
        Filled { entries, at_once: false, steps, converted: 0 }
    }

    /// Measured: sets and sorted sets of Redis 7.2 and 8.2 by MEMORY USAGE.
    #[test]
    fn a_table_that_grew_is_counted_until_it_was_moved() {
        let measured = [(600, 1, 1536), (800, 1, 1536), (896, 1, 1024), (700, 2, 1024)];
        for (entries, steps, expected) in measured {
            assert_eq!(slots(filled(entries, steps)), expected, "{entries}");
        }
        assert_eq!(slots(Filled { at_once: true, ..filled(600, 1) }), 1024);
    }

    /// Measured: sets of Valkey 8.1 with 600 to 4,000 members.
    #[test]
    fn buckets_are_those_that_a_server_has() {
        let measured = [(600, 137), (896, 182), (897, 438), (1000, 402), (1030, 269), (3600, 1746)];
        for (entries, expected) in measured {
            let found = buckets(filled(entries, 1)) / BUCKET;
            assert!(found.abs_diff(expected) * 20 <= expected, "{entries}: {found}, {expected}");
        }
    }
}
