//! A log turned into a data set, share after share.
//!
//! Reading a log in order is nearly free; what costs is to go wherever its keys are. So a log is
//! read twice. *Routing* reads it in order, on all cores, and notes for each share of the keys which commands
//! concern it. *Gathering* copies the commands of a sixteenth of the shares, so that those of each lie side by side.
//! *Replaying* takes one of these after the other, on all cores: it applies the share's
//! commands to a data set that fits a cache, hands that over, and forgets it. Memory is that of a few shares,
//! of what was gathered, and of the lists.
//!
//! A share is all keys whose names' hashes end alike, in all databases; how many there are depends on
//! the size of the log alone, so that whatever is made of them does not depend on the machine.
//! Commands that concern several keys are given to each share where each key is treated by itself,
//! and otherwise tie their keys together into one share.
//!
//! | file | what it knows |
//! |---|---|
//! | `placement` | which share a key is in |
//! | `ties` | keys that must be in one share |
//! | `lists` | the places of a share's commands |
//! | `router` | what routing notes of a stretch of a log |
//! | `route` | routing a log, part after part |
//! | `prefixes` | which keys a log is full of |
//! | `cut` | what of a log is left out |
//! | `damage` | why a damaged log is not replayed |
//! | `gather` | the commands of a few shares, side by side |
//! | `shares` | replaying a share |
//! | `workers` | share after share on all cores |
//! | `observe` | watching a replay |
//! | `pair` | two logs, share by share |

mod cut;
mod damage;
mod gather;
mod lists;
mod observe;
mod pair;
pub mod partitioner;
mod prefixes;
mod route;
mod router;
pub mod shards;
#[cfg(test)]
mod tests;
pub mod union_find;
pub mod windows;
mod workers;

pub use crate::replay::shards::{
    Happened, ReplayOptions, is_sample, replay, replay_pair, replay_watched,
};
pub use cut::CutList;
pub use observe::{Observer, Outcome, Seen, Watch};
pub use pair::{Pair, route_together};
pub use prefixes::{PrefixCounter, Prefixes};
pub use route::{RouteOptions, Routed, Routing, Slice, Torn, route};
pub use router::KeySpecs;
