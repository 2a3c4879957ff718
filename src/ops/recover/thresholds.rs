//! When removed keys count as a loss, as opposed to ordinary changes.

use super::options::RecoverOptions;

/// A share of the keys counts as a loss from this many keys on, unless it is half of all keys.
pub const IN_NUMBER_KEYS: u64 = 10;

/// The number of keys from which removals at a high rate count as a loss.
pub const IN_NUMBER_RUN: u64 = 100;

/// The thresholds of a loss.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Thresholds {
    /// The share of the keys of a database, in percent.
    pub(super) share: u64,
    /// The multiple of the log's own rate of removal.
    pub(super) rate: u64,
}

/// Keys that were removed within a short span.
#[derive(Debug, Clone, Copy)]
pub(super) struct Loss {
    /// The number of keys that are missing at the end.
    pub(super) keys: u64,
    /// The number by which the keys of the database decreased.
    pub(super) fall: u64,
    /// The number of keys of the database before them.
    pub(super) keys_before: u64,
    /// Whether they were removed at the rate of the threshold or more.
    pub(super) is_above_rate: bool,
    /// Whether single keys are removed in this way all the time, such as a queue by the LPOP of its last element.
    pub(super) is_routine: bool,
}

impl Thresholds {
    pub(super) fn from_options(options: &RecoverOptions) -> Self {
        Thresholds { share: options.loss_share, rate: options.loss_rate }
    }

    pub(super) fn is_loss(self, loss: Loss) -> bool {
        let keys = loss.keys.min(loss.fall);
        let is_share = keys > 0
            && keys.saturating_mul(100) >= loss.keys_before.saturating_mul(self.share)
            && (keys >= IN_NUMBER_KEYS || !loss.is_routine && keys * 2 >= loss.keys_before);
        is_share || loss.is_above_rate && keys >= IN_NUMBER_RUN
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_of_the_keys_or_a_multiple_of_the_rate_is_a_loss() {
        let thresholds = Thresholds { share: 10, rate: 10 };
        let is_loss = |keys, keys_before, is_above_rate| {
            thresholds.is_loss(Loss {
                keys,
                fall: keys,
                keys_before,
                is_above_rate,
                is_routine: false,
            })
        };
        assert!(is_loss(10, 100, false) && !is_loss(10, 101, false));
        assert!(is_loss(1, 2, false) && !is_loss(1, 3, false), "half of a few keys");
        assert!(is_loss(100, 100_000, true) && !is_loss(99, 100_000, true));
        assert!(!is_loss(100, 100_000, false));
        let queue =
            Loss { keys: 1, fall: 1, keys_before: 1, is_above_rate: true, is_routine: true };
        assert!(!thresholds.is_loss(queue));
        let renewed =
            Loss { keys: 0, fall: 40, keys_before: 40, is_above_rate: true, is_routine: false };
        assert!(!thresholds.is_loss(renewed));
    }
}
