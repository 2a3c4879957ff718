//! Replaying a log into a data set, shard by shard.
//!
//! Reading a log sequentially is nearly free; the cost of a replay is the random access to its
//! keys. So a log is read twice. *Routing* reads it sequentially, on all cores, and records which
//! commands concern which shard of the keys. *Gathering* copies the commands of a sixteenth of the
//! shards, so that those of each shard are contiguous. *Replaying* processes these shards one by
//! one, on all cores: it applies the commands of the shard to a data set that fits into a cache,
//! passes that on, and frees it. The memory required is that of a few shards, of the gathered
//! commands, and of the lists.
//!
//! A shard consists of all keys, in all databases, whose name hashes have the same final bits. The
//! number of shards depends only on the size of the log, so results do not depend on the machine. A
//! command with several keys is assigned to the shard of each key if it processes every key
//! independently; otherwise its keys are tied together into one shard.
//!
//! | file | content |
//! |---|---|
//! | `partitioner` | the shard of each key |
//! | `union_find` | groups of keys that must be in one shard |
//! | `lists` | the offsets of each shard's commands |
//! | `origin` | the server that wrote a log, as far as its bytes say |
//! | `router` | routing one segment of a log |
//! | `route` | routing a log, part after part |
//! | `rdb_keys` | the content of an RDB, recorded for the shards |
//! | `prefixes` | the most frequent key prefixes |
//! | `cut` | the byte ranges that are omitted |
//! | `damage` | the error for a damaged log |
//! | `gather` | copying the commands of a few shards next to each other |
//! | `shards` | replaying a shard |
//! | `workers` | processing shards on all cores, in order |
//! | `observe` | observing a replay |
//! | `pair` | replaying two logs shard by shard |

mod cut;
mod damage;
mod gather;
mod lists;
mod observe;
mod origin;
pub mod pair;
pub mod partitioner;
mod prefixes;
mod rdb_keys;
mod route;
mod router;
pub mod shards;
#[cfg(test)]
mod tests;
pub mod union_find;
mod workers;

pub use crate::replay::shards::{
    ReplayOptions, ReplayStats, is_sample, replay, replay_pair, replay_watched,
};
pub(crate) use cut::CutList;
pub(crate) use damage::{broken_rdb, leave_out, refuse_damage};
pub use observe::{Observed, Observer, Outcome, ShardObserver};
pub(crate) use origin::Basis;
pub use origin::Origin;
pub use pair::{Pair, route_together};
pub use prefixes::{PrefixCounter, Prefixes};
pub use route::{RouteOptions, Routed, Routing, Slice, Torn, route};
pub use router::KeySpecs;
