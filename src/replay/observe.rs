//! Observing a replay, command by command.

use crate::aof::frame_end;
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
    /// Whether `args` contains, of all keys and their values, only those of the shard: see [`ShardObserver::SPLITS`].
    pub is_split: bool,
    /// The length of the command in the log in bytes, if it is known.
    pub(super) length: Option<usize>,
    /// The bytes of its part.
    pub(super) part: &'a [u8],
    /// Returns whether a key is in the shard that is replayed. A command that processes each of its
    /// keys independently is run in every shard that contains one of them, for these keys only.
    pub owns: &'c dyn Fn(&[u8]) -> bool,
}

impl<'a> Observed<'_, 'a> {
    /// Returns the length of the command in the log in bytes. That of a split command has to be read.
    pub fn length(&self) -> usize {
        self.length.unwrap_or_else(|| length_at(self.part, self.at.offset))
    }

    /// The same if the command need not be read for it.
    #[inline]
    pub(crate) fn known_length(&self) -> Option<usize> {
        self.length
    }

    /// Returns the length of the command of the same part at an offset.
    pub(crate) fn length_at(&self, offset: u64) -> usize {
        length_at(self.part, offset)
    }
}

fn length_at(part: &[u8], offset: u64) -> usize {
    let at = usize::try_from(offset).unwrap_or(part.len());
    frame_end(part, at).map_or(0, |end| end - at)
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
    /// Whether the observer requires only the keys of its shard, of a command that processes each of its keys independently.
    /// This is much cheaper where commands have many keys.
    const SPLITS: bool = false;

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
    const SPLITS: bool = true;

    fn begin<'a>(&self, _: usize, _: &Keyspace<'a>) {}

    fn finish<'a>(&self, shard: usize, (): (), keyspace: &mut Keyspace<'a>) -> Result<T> {
        (self.0)(shard, keyspace)
    }
}
