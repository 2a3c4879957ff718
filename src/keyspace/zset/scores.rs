//! The scores of the members of a sorted set.

use crate::keyspace::hasher::Hasher;
use indexmap::IndexMap;

/// Scores by member.
pub(crate) type Scores<'a> = IndexMap<&'a [u8], f64, Hasher>;
