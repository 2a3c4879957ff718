//! Observing a replay, command by command.

use crate::base::error::Result;
use crate::command::{CommandId, Position};
use crate::keyspace::Keyspace;

/// A command that is about to be run, or was just run.
pub struct Observed<'c, 'a> {
    /// The position of the command.
    pub at: Position,
    /// The id of the command; `None` if no known server has it.
    pub id: Option<CommandId>,
    /// The selected database.
    pub db: u32,
    /// The arguments, including the name as the first.
    pub args: &'c [&'a [u8]],
    /// The complete bytes of the command in the log.
    pub frame: &'a [u8],
    /// Returns whether a key is in the shard that is replayed. A command that processes each of its
    /// keys independently is run in every shard that contains one of them, for these keys only.
    pub owns: &'c dyn Fn(&[u8]) -> bool,
}

/// The result of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It was executed, possibly without effect.
    Done,
    /// A server replies with this error.
    Failed(&'static str),
}

/// Observes one shard of the keys while it is replayed.
///
/// It receives only the commands that concern its shard. The state of the shard at a given position
/// in the log is its state before the first command at or after that position, or at the end if
/// there is none.
pub trait Observer<'a> {
    /// A command is about to be run.
    #[inline(always)]
    fn before(&mut self, _seen: &Observed<'_, 'a>, _keyspace: &mut Keyspace<'a>) {}

    /// A command was run.
    #[inline(always)]
    fn after(&mut self, _seen: &Observed<'_, 'a>, _outcome: Outcome, _keyspace: &mut Keyspace<'a>) {
    }

    /// A part of the log begins, and the RDB at its beginning, if there is one, has been loaded.
    #[inline(always)]
    fn part_begins(&mut self, _part: u32, _keyspace: &mut Keyspace<'a>) {}
}

/// An observer that does nothing.
impl Observer<'_> for () {}

/// Creates an observer for every shard, and a result from each shard.
pub trait ShardObserver: Sync {
    /// The observer of a shard.
    type Observer<'a>: Observer<'a>;
    /// The result of a shard.
    type Made: Send;

    /// Creates the observer of a shard that is about to be replayed.
    fn begin<'a>(&self, shard: usize, keyspace: &Keyspace<'a>) -> Self::Observer<'a>;

    /// Creates the result of a shard that was replayed. Called on many threads.
    ///
    /// # Errors
    ///
    /// An error ends the replay.
    fn finish<'a>(
        &self,
        shard: usize,
        observer: Self::Observer<'a>,
        keyspace: &mut Keyspace<'a>,
    ) -> Result<Self::Made>;
}

/// Creates a result from the data set of a shard, without observing it.
pub(super) struct Unobserved<F>(pub(super) F);

impl<T: Send, F: Fn(usize, &mut Keyspace<'_>) -> Result<T> + Sync> ShardObserver for Unobserved<F> {
    type Observer<'a> = ();
    type Made = T;

    fn begin<'a>(&self, _: usize, _: &Keyspace<'a>) {}

    fn finish<'a>(&self, shard: usize, (): (), keyspace: &mut Keyspace<'a>) -> Result<T> {
        (self.0)(shard, keyspace)
    }
}
