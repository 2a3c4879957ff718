//! Where an RDB breaks the format: a fault with its place, the key in hand, and what was whole before.
//!
//! The walk, which knows all that, makes a [`Damage`] of the first [`Fault`](super::fault::Fault) and
//! stops. There is no going on after it: nothing in the format marks where the next key begins.

use std::fmt;

use serde::{Serialize, Serializer};

use super::fault::DamageKind;
use super::unknown::Unproven;
use crate::rdb::summary::Walk;

/// The first place at which the bytes break the format, and all that was whole before it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Damage {
    /// The byte of the RDB at which it was noticed, counted from its first; never more than its
    /// length.
    pub offset: u64,
    /// When the fault lies inside a string that is stored compressed: the position in the text,
    /// and `offset` is where that string begins.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inside: Option<u64>,
    /// What is wrong.
    #[serde(flatten)]
    pub kind: DamageKind,
    /// What was being read, such as "the length of a key".
    pub reading: &'static str,
    /// The database in force.
    pub db: u64,
    /// The key in hand, when its name could be read.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "escaped")]
    pub key: Option<Vec<u8>>,
    /// The name of the value's stored type, as in [`Format::name`](crate::rdb::format::Format::name).
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub stored_as: Option<&'static str>,
    /// What was read whole before it; its [`Walk::len`] is the end of the last whole record.
    pub before: Walk,
    /// Where the content is unknown to this version rather than wrong: why it could not be proved whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unproven: Option<Unproven>,
}

impl Damage {
    /// What is wrong with the RDB, as a phrase for a person: lower case, without a final stop.
    pub fn describe(&self) -> String {
        match &self.unproven {
            Some(unproven) => unproven.to_string(),
            None => format!("the RDB is broken: {self}"),
        }
    }
}

impl fmt::Display for Damage {
    /// One sentence without a final stop:
    /// `byte N (inside the compressed text there: byte M): READING: WHAT, in key "K" of db D (TYPE)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "byte {}", self.offset)?;
        if let Some(inside) = self.inside {
            write!(f, ", byte {inside} of the text compressed there")?;
        }
        write!(f, ": {}: {}", self.reading, self.kind)?;
        if let Some(key) = &self.key {
            write!(f, ", in key {} of db {}", Name(key), self.db)?;
        }
        if let Some(name) = self.stored_as {
            write!(f, " ({name})")?;
        }
        Ok(())
    }
}

impl std::error::Error for Damage {}

/// A name for people: no byte of it can steer a terminal, and it is cut when it is long.
struct Name<'n>(&'n [u8]);

impl fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN_BYTES: usize = 64;
        match self.0.get(..SHOWN_BYTES) {
            Some(start) if self.0.len() > SHOWN_BYTES => {
                write!(f, "\"{}..\" ({} bytes)", start.escape_ascii(), self.0.len())
            }
            _ => write!(f, "\"{}\"", self.0.escape_ascii()),
        }
    }
}

fn escaped<S: Serializer>(key: &Option<Vec<u8>>, serializer: S) -> Result<S::Ok, S::Error> {
    match key {
        Some(key) => serializer.collect_str(&key.escape_ascii()),
        None => serializer.serialize_none(),
    }
}
