//! Options of `generate`.

use super::mix::Mix;
use crate::base::error::{Error, ErrorKind, Result};
use serde::Serialize;
use std::ops::RangeInclusive;

/// The maximum length of a value in bytes, which is that of clients of a server.
pub(super) const LONGEST_VALUE: u64 = 512 << 20;

/// The maximum number of keys in all databases together, which are tracked in a bitmap of at most 1 GiB.
pub(super) const MOST_KEYS: u64 = 1 << 33;

/// The amount to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Amount {
    /// The number of bytes in all parts together; exceeded by less than one command or transaction.
    Bytes(u64),
    /// The number of write commands; `SELECT`, `MULTI` and `EXEC` are not included, and a started transaction is
    /// finished.
    Commands(u64),
}

/// The distribution of keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Skew {
    /// All keys are equally frequent.
    Uniform,
    /// The k-th key of a type has weight 1 / k.
    Zipf,
}

/// The files to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Layout {
    /// A single file of commands, as in Redis up to 6.2.
    SingleFile,
    /// A directory with a manifest, a base in the form of a rewrite, and `incrs` files of commands, as in Redis 7.0 and
    /// later. The parts have equal shares of the amount; a base that contains all keys is not made longer.
    MultiPart {
        /// The number of incremental files, at least 1.
        incrs: u32,
    },
}

/// Options of [`generate`](super::generate).
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(not(feature = "internals"), non_exhaustive)]
pub struct GenerateOptions {
    /// The amount to write.
    pub amount: Amount,
    /// The seed: the same seed and options give the same bytes.
    pub seed: u64,
    /// The commands and their frequencies.
    pub mix: Mix,
    /// The number of key names in each database, divided among the types that the mix writes; at least two for each.
    pub keys: u64,
    /// The distribution of keys.
    pub skew: Skew,
    /// The range of value lengths in bytes, from which lengths are drawn uniformly.
    pub value_bytes: RangeInclusive<u64>,
    /// The number of databases that are written to, from database 0.
    pub databases: u32,
    /// The fraction of transactions, 0.0 to 1.0, among commands outside transactions and transactions.
    pub transactions: f64,
    /// The fraction of values, 0.0 to 1.0, whose text resembles commands.
    pub lookalikes: f64,
    /// The time of the first `#TS` annotation in Unix seconds; `None` for no annotations.
    pub timestamps: Option<u64>,
    /// The number of write commands after which the clock of the annotations advances by a second.
    pub commands_per_second: u64,
    /// The files to write.
    pub layout: Layout,
}

impl Default for GenerateOptions {
    /// Returns the default options: 64 MiB in a single file, which is some 800,000 commands of the default [`Mix`] on
    /// 100,000 keys.
    fn default() -> Self {
        GenerateOptions {
            amount: Amount::Bytes(64 << 20),
            seed: 0,
            mix: Mix::default(),
            keys: 100_000,
            skew: Skew::Uniform,
            value_bytes: 16..=112,
            databases: 1,
            transactions: 0.0,
            lookalikes: 0.0,
            timestamps: None,
            commands_per_second: 10_000,
            layout: Layout::SingleFile,
        }
    }
}

impl GenerateOptions {
    /// Returns an error that names an invalid option, if there is one.
    pub(super) fn check(&self) -> Result<()> {
        let wrong = |what: &str, help: &str| Err(Error::new(ErrorKind::Usage, what).help(help));
        let share = |share: f64| (0.0..=1.0).contains(&share);
        if self.value_bytes.is_empty() || *self.value_bytes.end() > LONGEST_VALUE {
            return wrong(
                "values cannot have such sizes",
                "give the smaller size first, and none above 512mb, which is the servers' limit",
            );
        }
        if self.databases == 0 || self.keys == 0 {
            return wrong(
                "a log without keys or databases cannot be drawn",
                "give at least 1 of each",
            );
        }
        if self.keys.saturating_mul(u64::from(self.databases)) > MOST_KEYS {
            return wrong(
                "these are too many keys to count",
                "keys times databases may be up to 8589934592",
            );
        }
        if !share(self.transactions) || !share(self.lookalikes) {
            return wrong("a share is between 0 and 1", "0.05 is one in twenty");
        }
        if self.layout == (Layout::MultiPart { incrs: 0 }) {
            return wrong(
                "a multi-part log has at least one incr",
                "a server without one makes one when it starts",
            );
        }
        Ok(())
    }
}

/// The content of a log in numbers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// The number of bytes of commands and annotations.
    pub bytes: u64,
    /// The number of commands of all kinds, including `SELECT`, `MULTI` and `EXEC`.
    pub commands: u64,
    /// The number of commands other than these three.
    pub writes: u64,
    /// The number of pairs of `MULTI` and `EXEC`.
    pub transactions: u64,
    /// The number of `#TS` lines.
    pub annotations: u64,
    /// The number of keys that were written to at least once, whether or not they were deleted later.
    pub keys: u64,
}

impl GenerateOptions {
    pub(super) fn phase_bytes(&self) -> u64 {
        match self.amount {
            Amount::Bytes(bytes) => bytes,
            Amount::Commands(_) => 0,
        }
    }
}
