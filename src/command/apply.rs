//! What a command is applied with, and how that can end.
//!
//! A command is applied as a server's loader does it: no key expires on the way, and what fails fails with the
//! server's own words and changes nothing but what the server would have changed.

use super::lost_expiry::LostExpiries;
use super::number;
pub use super::position::Position;
use crate::base::server::Server;
use crate::keyspace::{Bump, Db, Keyspace, WrongType};

/// A command's doing. It is given commands whose number of arguments its row allows.
pub type Apply = for<'c, 'a> fn(&mut Call<'c, 'a>) -> Applied;

/// How applying a command ended.
pub type Applied = Result<(), Unapplied>;

/// Why a command was not applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Unapplied {
    /// A server answers with this error, and goes on to load.
    Failed(&'static str),
    /// What it does cannot be told without a server: why.
    Refused(&'static str),
}

#[allow(missing_docs)] // The words are those of the servers.
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

/// What holds for a whole replay.
pub struct Context<'c> {
    /// The server whose loader is followed where they differ.
    pub server: Server,
    /// For servers that do not see hash fields whose time has passed: the time of loading, in Unix
    /// milliseconds. `None` keeps every field, as Valkey does.
    pub fields_expire_ms: Option<i64>,
    /// The size up to which a HyperLogLog stays sparse, in bytes: `hll-sparse-max-bytes`.
    pub hll_sparse_max_bytes: usize,
    /// The time at which a command was run, in Unix milliseconds, as far as it is known. For times that are
    /// given relative to it.
    pub clock: &'c (dyn Fn(Position) -> i64 + Sync),
    /// Whether a key belongs to the share of the keys that is replayed.
    pub owns: &'c (dyn Fn(&[u8]) -> bool + Sync),
}

/// What is counted on the way.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Notes {
    /// Times that are relative to the moment at which the command was run, and depend on the clock.
    pub relative_times: u64,
    /// Fields of hashes that were not seen because their time had passed, or would not have been seen by a
    /// server that looks at the clock: see [`Context::fields_expire_ms`].
    pub passed_fields: u64,
    /// Expiries that may have been lost because of how the log was written.
    pub lost_expiries: LostExpiries,
}

/// Values up to so many bytes are copied.
const COPIED_BYTES: usize = 128;

/// Until the arena of a thread holds so many bytes. What is overwritten stays in it.
const ARENA_BYTES: usize = 8 << 20;

/// See [`Call::value`].
#[inline]
pub(super) fn near<'a>(arena: &'a Bump, bytes: &'a [u8]) -> &'a [u8] {
    let held = || arena.allocated_bytes() - arena.chunk_capacity();
    if bytes.len() <= COPIED_BYTES && held() < ARENA_BYTES {
        arena.alloc_slice_copy(bytes)
    } else {
        bytes
    }
}

/// A command to be applied.
pub struct Call<'c, 'a> {
    /// The arguments, the name first.
    pub args: &'c [&'a [u8]],
    /// The whole command as it stands in the log.
    pub frame: &'a [u8],
    /// Where it stands.
    pub at: Position,
    /// The number of the database in force.
    pub db: u32,
    /// The data set.
    pub keyspace: &'c mut Keyspace<'a>,
    /// What holds for the whole replay.
    pub context: &'c Context<'c>,
    /// What is counted.
    pub notes: &'c mut Notes,
}

impl<'a> Call<'_, 'a> {
    /// The database in force.
    #[inline]
    pub fn db(&mut self) -> &mut Db<'a> {
        self.keyspace.db(self.db)
    }

    /// The first argument behind the name, which most often is the key.
    #[inline]
    pub fn key(&self) -> &'a [u8] {
        self.args[1]
    }

    /// A copy of bytes that lives as long as the data set.
    #[inline]
    pub fn keep(&self, bytes: &[u8]) -> &'a [u8] {
        self.keyspace.arena().alloc_slice_copy(bytes)
    }

    /// The value to keep of bytes of the log: a copy of a few, for they are at hand now and would have to be fetched
    /// from far when the value is written; the bytes themselves where they are many, or much was copied.
    #[inline]
    pub fn value(&self, bytes: &'a [u8]) -> &'a [u8] {
        near(self.keyspace.arena(), bytes)
    }

    /// The integer at a place among the arguments.
    ///
    /// # Errors
    ///
    /// [`Unapplied::NOT_AN_INTEGER`].
    #[inline]
    pub fn int(&self, at: usize) -> Result<i64, Unapplied> {
        number::integer(self.args[at]).ok_or(Unapplied::NOT_AN_INTEGER)
    }

    /// Whether the argument at a place is this word, in whatever case.
    #[inline]
    pub fn is(&self, at: usize, word: &str) -> bool {
        self.args[at].eq_ignore_ascii_case(word.as_bytes())
    }

    /// The time at which the command was run, for a time relative to it.
    pub fn now_ms(&mut self) -> i64 {
        self.notes.relative_times += 1;
        (self.context.clock)(self.at)
    }
}
