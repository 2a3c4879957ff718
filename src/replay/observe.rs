//! Watching a replay, command by command.

use crate::base::error::Result;
use crate::command::{CommandId, Position};
use crate::keyspace::Keyspace;

/// A command that is about to be run, or just was.
pub struct Seen<'c, 'a> {
    /// Where it stands.
    pub at: Position,
    /// Which it is; `None` where no known server has it.
    pub id: Option<CommandId>,
    /// The database in force.
    pub db: u32,
    /// Its arguments, the name first.
    pub args: &'c [&'a [u8]],
    /// All of it, as it stands in the log.
    pub frame: &'a [u8],
    /// Whether a key is in the share that is replayed: a command that treats each of its keys by itself is run in every share
    /// that one of them is in, for these alone.
    pub owns: &'c dyn Fn(&[u8]) -> bool,
}

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It did what it does, which may be nothing.
    Done,
    /// A server answers with this error.
    Failed(&'static str),
}

/// What watches one share of the keys while it is replayed.
///
/// It sees only the commands that concern its share. What the data set of the share is at a place in the log, it is
/// before the first command that stands there or behind, or at the end where none follows.
pub trait Observer<'a> {
    /// A command is about to be run.
    #[inline(always)]
    fn before(&mut self, _seen: &Seen<'_, 'a>, _keyspace: &mut Keyspace<'a>) {}

    /// It has been run.
    #[inline(always)]
    fn after(&mut self, _seen: &Seen<'_, 'a>, _outcome: Outcome, _keyspace: &mut Keyspace<'a>) {}

    /// A part of the log begins, and the RDB at its beginning, if there is one, is in.
    #[inline(always)]
    fn part_begins(&mut self, _part: u32, _keyspace: &mut Keyspace<'a>) {}
}

/// Nobody watches.
impl Observer<'_> for () {}

/// What is made of every share, with an observer for each.
pub trait Watch: Sync {
    /// What watches a share.
    type Observer<'a>: Observer<'a>;
    /// What is made of a share at the end.
    type Made: Send;

    /// The observer of a share that is about to be replayed.
    fn begin<'a>(&self, share: usize, keyspace: &Keyspace<'a>) -> Self::Observer<'a>;

    /// The share has been replayed. Called on many threads.
    ///
    /// # Errors
    ///
    /// Whatever ends the replay.
    fn finish<'a>(
        &self,
        share: usize,
        observer: Self::Observer<'a>,
        keyspace: &mut Keyspace<'a>,
    ) -> Result<Self::Made>;
}

/// Something made of the data set of a share alone.
pub(super) struct Unwatched<F>(pub(super) F);

impl<T: Send, F: Fn(usize, &mut Keyspace<'_>) -> Result<T> + Sync> Watch for Unwatched<F> {
    type Observer<'a> = ();
    type Made = T;

    fn begin<'a>(&self, _: usize, _: &Keyspace<'a>) {}

    fn finish<'a>(&self, share: usize, (): (), keyspace: &mut Keyspace<'a>) -> Result<T> {
        (self.0)(share, keyspace)
    }
}
