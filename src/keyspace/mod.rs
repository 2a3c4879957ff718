//! The data set in memory: databases, keys, expiry, one file a type of value, the digest.
//!
//! A [`Keyspace`] borrows what it can: values from the log that is replayed, names of keys and members
//! from an arena into which they are copied when first seen, so that comparing them does not reach
//! into the log. It knows nothing of commands, and of files only how an RDB tells a value.
//!
//! All orders that can be seen from outside (keys of a database, members of a set) depend on what was
//! done alone, never on a hash.
//!
//! | file | what it knows |
//! |---|---|
//! | `databases` | the databases by number, and the arena |
//! | `db` | a database: keys to entries |
//! | `value` | what a key can hold |
//! | `digest`, `score` | what DEBUG DIGEST prints, and scores as text |
//! | `fingerprint` | a digest of our own, of all that a key has |
//! | `from_rdb` | what an RDB tells, put in |
//! | `functions` | the function libraries, which belong to no database |
//! | `hyperloglog` | what a string holds that counts different elements |
//! | `marks` | a byte of each of a few names, to find one without looking at the others |
//! | `members` | the names that sets and hashes are made of |
//! | `string`, `list`, `set`, `zset`, `hash`, `stream` | a type each |

mod databases;
mod db;
pub mod digest;
pub mod fingerprint;
pub mod from_rdb;
pub mod functions;
mod hash;
pub mod hash_tags;
mod hasher;
pub mod hyperloglog;
mod list;
mod members;
pub mod score;
mod set;
pub mod stream;
mod string;
mod value;
mod zset;

pub use bumpalo::Bump;
pub use databases::Keyspace;
pub use db::{Db, Entry, WrongType};
pub use functions::Functions;
pub use hash::{Field, Hash};
pub use list::{End, List};
pub use set::Set;
pub use stream::Stream;
pub use string::StringValue;
pub use value::{Opaque, Typed, Value};
pub(crate) use zset::Scores;
pub use zset::{Ordered, Place, Scored, ZeroSign, Zset};
