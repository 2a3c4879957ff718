//! The environment in which a command is applied, and the possible results.
//!
//! A command is applied as a server's loader does it: no key expires in the meantime, and a command
//! that fails does so with the server's own error text and changes only what the server would have
//! changed.

use super::lost_expiry::LostExpiries;
use super::number;
pub use super::position::Position;
use crate::base::server::Server;
use crate::keyspace::{Bump, Db, Keyspace, WrongType};

/// The implementation of a command. It is only called with a number of arguments that the command's
/// row allows.
pub type Apply = for<'c, 'a> fn(&mut Call<'c, 'a>) -> Applied;

/// The result of applying a command.
pub type Applied = Result<(), Unapplied>;

/// The reason why a command was not applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Unapplied {
    /// A server replies with this error, and continues loading.
    Failed(&'static str),
    /// The effect of the command cannot be determined without a server, for this reason.
    Refused(&'static str),
}

#[allow(missing_docs)] // The error texts are those of the servers.
impl Unapplied {
    pub const WRONG_TYPE: Unapplied =
        Unapplied::Failed("WRONGTYPE Operation against a key holding the wrong kind of value");
    pub const NOT_AN_INTEGER: Unapplied =
        Unapplied::Failed("ERR value is not an integer or out of range");
    pub const NOT_A_FLOAT: Unapplied = Unapplied::Failed("ERR value is not a valid float");
    pub const OVERFLOW: Unapplied = Unapplied::Failed("ERR increment or decrement would overflow");
    pub const SYNTAX: Unapplied = Unapplied::Failed("ERR syntax error");
    pub const NO_SUCH_KEY: Unapplied = Unapplied::Failed("ERR no such key");
    pub const OUT_OF_RANGE: Unapplied = Unapplied::Failed("ERR index out of range");
}

impl From<WrongType> for Unapplied {
    fn from(_: WrongType) -> Self {
        Unapplied::WRONG_TYPE
    }
}

/// The settings of a whole replay.
pub struct Context<'c> {
    /// The server whose loader is emulated where servers differ.
    pub server: Server,
    /// The time of loading, in Unix milliseconds, for servers that ignore hash fields whose time
    /// has passed. `None` retains every field, as Valkey does.
    pub fields_expire_ms: Option<i64>,
    /// The size up to which a HyperLogLog stays sparse, in bytes: `hll-sparse-max-bytes`.
    pub hll_sparse_max_bytes: usize,
    /// Returns the time at which a command was run, in Unix milliseconds, as precisely as it is
    /// known. Used for relative times.
    pub clock: &'c (dyn Fn(Position) -> i64 + Sync),
    /// Returns whether a key belongs to the shard of keys that is replayed.
    pub owns: &'c (dyn Fn(&[u8]) -> bool + Sync),
}

/// Counters of a replay.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Warnings {
    /// Number of times that are relative to the moment at which the command was run, and so depend
    /// on the clock.
    pub relative_times: u64,
    /// Number of hash fields that were ignored because their time had passed, or that a server with
    /// a clock might have ignored: see [`Context::fields_expire_ms`].
    pub passed_fields: u64,
    /// Expiries that may have been lost because of how the log was written.
    pub lost_expiries: LostExpiries,
}

/// Size in bytes up to which values are copied.
const COPIED_BYTES: usize = 128;

/// Size in bytes of a thread's arena up to which values are copied into it. Overwritten values stay
/// in the arena.
const ARENA_BYTES: usize = 8 << 20;

/// See [`Call::value`].
#[inline]
pub(super) fn copy_if_small<'a>(arena: &'a Bump, bytes: &'a [u8]) -> &'a [u8] {
    let held = || arena.allocated_bytes() - arena.chunk_capacity();
    if bytes.len() <= COPIED_BYTES && held() < ARENA_BYTES {
        arena.alloc_slice_copy(bytes)
    } else {
        bytes
    }
}

/// A command to be applied.
pub struct Call<'c, 'a> {
    /// The arguments, including the name as the first.
    pub args: &'c [&'a [u8]],
    /// The bytes of the whole command in the log.
    pub frame: &'a [u8],
    /// The position of the command.
    pub at: Position,
    /// The index of the current database.
    pub db: u32,
    /// The data set.
    pub keyspace: &'c mut Keyspace<'a>,
    /// The settings of the replay.
    pub context: &'c Context<'c>,
    /// The counters of the replay.
    pub warnings: &'c mut Warnings,
}

impl<'a> Call<'_, 'a> {
    /// Returns the current database.
    #[inline]
    pub fn db(&mut self) -> &mut Db<'a> {
        self.keyspace.db(self.db)
    }

    /// Returns the first argument after the name, which is usually the key.
    #[inline]
    pub fn key(&self) -> &'a [u8] {
        self.args[1]
    }

    /// Returns a copy of `bytes` that lives as long as the data set.
    #[inline]
    pub fn keep(&self, bytes: &[u8]) -> &'a [u8] {
        self.keyspace.arena().alloc_slice_copy(bytes)
    }

    /// Returns the bytes of the log as a value to store. Short values are copied, because they are
    /// in the cache now and would have to be fetched from memory when the value is written. Long
    /// values are borrowed, as are all values once much was copied.
    #[inline]
    pub fn value(&self, bytes: &'a [u8]) -> &'a [u8] {
        copy_if_small(self.keyspace.arena(), bytes)
    }

    /// Parses the argument at index `at` as an integer.
    ///
    /// # Errors
    ///
    /// Returns [`Unapplied::NOT_AN_INTEGER`] if it is not one.
    #[inline]
    pub fn int(&self, at: usize) -> Result<i64, Unapplied> {
        number::integer(self.args[at]).ok_or(Unapplied::NOT_AN_INTEGER)
    }

    /// Returns whether the argument at index `at` is `option`, ignoring case.
    #[inline]
    pub fn is(&self, at: usize, option: &str) -> bool {
        self.args[at].eq_ignore_ascii_case(option.as_bytes())
    }

    /// Returns the time at which the command was run, as the base of a relative time.
    pub fn now_ms(&mut self) -> i64 {
        self.warnings.relative_times += 1;
        (self.context.clock)(self.at)
    }
}
