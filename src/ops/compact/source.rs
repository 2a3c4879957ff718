//! A source of the keys of a data set, shard by shard.

use std::any::Any;

use crate::aof::log::Log;
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::progress::Progress;
use crate::base::server::Server;
use crate::keyspace::Keyspace;
use crate::keyspace::from_rdb::NonKeyData;
use crate::replay::pair::each_window;
use crate::replay::{ReplayOptions, ReplayStats, Routed, Routing, replay};

/// What is made of a shard. The type is erased, so that a source can be a trait object.
pub(crate) type Made = Box<dyn Any + Send>;

/// A function that makes something of a shard. Called on many threads.
pub(crate) type MakeShare<'m> =
    dyn for<'a> Fn(usize, &mut Keyspace<'a>) -> Result<Made> + Sync + 'm;

/// A function that receives what was made of the shards, in the order of shards.
pub(crate) type TakeShare<'t> = dyn FnMut(usize, Made) -> Result<()> + Send + 't;

/// A source of the shards of a data set.
pub(crate) trait Source: Sync {
    /// Returns the routed log that supplies the data other than keys.
    fn whole(&self) -> &Routed<'_>;

    /// Returns the data other than keys, as `server` reads it.
    ///
    /// # Errors
    ///
    /// When a log has changed since it was routed, or this data cannot be put together.
    fn non_key(&self, server: Server) -> Result<NonKeyData<'_>> {
        self.whole().non_key(server)
    }

    /// Builds all shards and passes them to `take`.
    fn shards(
        &self,
        replay: &ReplayOptions,
        progress: &dyn Progress,
        make: &MakeShare<'_>,
        take: &mut TakeShare<'_>,
    ) -> Result<ReplayStats>;

    /// Returns the logs that the data comes from, other than the one that is replaced.
    fn logs(&self) -> Vec<&Log> {
        Vec::new()
    }

    /// Returns whether the result may be published; called after it was written and checked.
    fn may_be_published(&self) -> Result<()> {
        Ok(())
    }
}

/// Builds all shards of a source, and passes what `make` makes of each to `take`, in the order of shards.
///
/// # Errors
///
/// When a command cannot be replayed, and the errors of `make` and `take`.
pub(crate) fn each_shard<T: Send + 'static>(
    source: &dyn Source,
    options: &ReplayOptions,
    progress: &dyn Progress,
    make: impl for<'a> Fn(usize, &mut Keyspace<'a>) -> Result<T> + Sync,
    mut take: impl FnMut(usize, T) -> Result<()> + Send,
) -> Result<ReplayStats> {
    let make = |shard: usize, keyspace: &mut Keyspace<'_>| {
        make(shard, keyspace).map(|made| Box::new(made) as Made)
    };
    let mut take = |shard: usize, made: Made| match made.downcast() {
        Ok(made) => take(shard, *made),
        Err(_) => Err(Error::new(ErrorKind::Refused, "a shard was made for another purpose")),
    };
    source.shards(options, progress, &make, &mut take)
}

impl Source for Routing<'_> {
    fn whole(&self) -> &Routed<'_> {
        Routing::whole(self)
    }

    fn shards(
        &self,
        options: &ReplayOptions,
        progress: &dyn Progress,
        make: &MakeShare<'_>,
        take: &mut TakeShare<'_>,
    ) -> Result<ReplayStats> {
        each_window(self, "replay", progress, |routed| {
            replay(routed, options, progress, make, &mut *take)
        })
    }
}
