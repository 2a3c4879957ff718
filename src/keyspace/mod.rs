//! The data set in memory: databases, keys, expiry, one file per value type, and the digest.
//!
//! A [`Keyspace`] borrows as much as possible: values are borrowed from the log that is replayed;
//! names of keys and members are copied into an arena when they first occur, so that comparing them
//! does not access the log. The module has no dependency on commands; of the file formats it only
//! knows the visitor interface of an RDB.
//!
//! Every order that is visible from outside (keys of a database, members of a set) depends only on
//! the operations performed, never on a hash.
//!
//! | file | content |
//! |---|---|
//! | `databases` | the databases by index, and the arena |
//! | `db` | a database: a map from keys to entries |
//! | `value` | the value of a key |
//! | `digest`, `score` | the output of DEBUG DIGEST, and scores as text |
//! | `fingerprint` | a digest specific to this crate, covering everything that a key has |
//! | `from_rdb` | loading an RDB |
//! | `functions` | the function libraries, which belong to no database |
//! | `lua` | the syntax of function libraries |
//! | `hyperloglog` | strings that count distinct elements |
//! | `hash_tags` | a one-byte hash tag per name, to search a few names quickly |
//! | `members` | the container for sets and hashes |
//! | `string`, `list`, `set`, `zset`, `hash`, `stream`, `array` | one value type each |

mod array;
mod databases;
mod db;
pub mod digest;
pub mod fingerprint;
pub(crate) mod from_dump;
pub mod from_rdb;
pub mod functions;
mod hash;
pub mod hash_tags;
mod hasher;
pub mod hyperloglog;
mod list;
pub mod lua;
mod members;
pub mod score;
mod set;
pub mod stream;
mod string;
mod value;
mod zset;

pub use array::{Array, ArrayValue};
pub use bumpalo::Bump;
pub use databases::Keyspace;
pub(crate) use db::Access;
pub use db::{Db, Entry, ExpiringMember, KeyMeta, WrongType};
pub use functions::Functions;
pub use hash::{Field, Hash};
pub use list::{End, List};
pub use set::Set;
pub use stream::Stream;
pub use string::StringValue;
pub use value::{Opaque, Typed, Value};
pub(crate) use zset::Scores;
pub use zset::{OrderPosition, Ordered, Scored, ZeroSign, Zset};
