//! Options of `generate`.

use super::mix::Mix;
use crate::base::error::{Error, ErrorKind, Result};
use serde::Serialize;
use std::ops::RangeInclusive;

/// Values longer than this are refused, as clients of a server are.
pub(super) const LONGEST_VALUE: u64 = 512 << 20;

/// Keys of all databases together are counted in a bitmap; this bounds it to 1 GiB.
pub(super) const MOST_KEYS: u64 = 1 << 33;

/// How much to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Amount {
    /// So many bytes, all parts together; passed by less than one command or transaction.
    Bytes(u64),
    /// So many write commands; `SELECT`, `MULTI` and `EXEC` come on top, and a transaction that has
    /// begun is finished.
    Commands(u64),
}

/// How often each key is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Skew {
    /// All alike.
    Uniform,
    /// The k-th key of a type with weight 1 / k.
    Zipf,
}

/// Which files to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Layout {
    /// One file of commands, as Redis up to 6.2 keeps it.
    SingleFile,
    /// A directory with a manifest, a base in the form that a rewrite has, and `incrs` files of
    /// commands, as Redis 7.0 and later keep it. The parts have equal shares of the amount; a base
    /// in which all keys stand is not made longer.
    MultiPart {
        /// Files of commands after the base, at least 1.
        incrs: u32,
    },
}

/// What log to write.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// How much to write.
    pub amount: Amount,
    /// The same seed and options give the same bytes.
    pub seed: u64,
    /// Which commands, and how often each.
    pub mix: Mix,
    /// Names to draw from in each database, shared out among the types that the mix writes; at least
    /// two for each.
    pub keys: u64,
    /// How often each key is drawn.
    pub skew: Skew,
    /// The length of values, uniform between the two.
    pub value_bytes: RangeInclusive<u64>,
    /// How many databases are written to, from database 0.
    pub databases: u32,
    /// The share of transactions, 0.0 to 1.0, among commands outside transactions and transactions.
    pub transactions: f64,
    /// The share of values, 0.0 to 1.0, whose text looks like commands.
    pub lookalikes: f64,
    /// The Unix second of the first `#TS` annotation; none: no annotations.
    pub timestamps: Option<u64>,
    /// After how many write commands the clock of the annotations is a second later.
    pub commands_per_second: u64,
    /// Which files to write.
    pub layout: Layout,
}

impl Default for Options {
    /// 64 MiB in a single file: some 800,000 commands of the default [`Mix`] on 100,000 keys.
    fn default() -> Self {
        Options {
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

impl Options {
    /// Says which option makes no sense, if one does not.
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
            return wrong("a share lies between 0 and 1", "0.05 is one in twenty");
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

/// What a log holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Bytes of commands and annotations.
    pub bytes: u64,
    /// Commands of all kinds, `SELECT`, `MULTI` and `EXEC` among them.
    pub commands: u64,
    /// Commands other than these three.
    pub writes: u64,
    /// Pairs of `MULTI` and `EXEC`.
    pub transactions: u64,
    /// `#TS` lines.
    pub annotations: u64,
    /// Keys that a command was to write at least once, whether or not they were deleted later.
    pub keys: u64,
}

impl Options {
    pub(super) fn phase_bytes(&self) -> u64 {
        match self.amount {
            Amount::Bytes(bytes) => bytes,
            Amount::Commands(_) => 0,
        }
    }
}
