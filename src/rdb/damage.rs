//! The report of damage in an RDB: the fault with its offset, the current key, and a summary of
//! everything intact before it.
//!
//! The walk, which has all this information, turns the first [`Fault`](super::fault::Fault) into a
//! [`Damage`] and stops. It cannot continue after that: nothing in the format marks where the next
//! key begins.

use std::fmt;

use serde::{Serialize, Serializer};

use super::fault::DamageKind;
use super::load_check::{BrokenValue, Loading};
use super::place::{Name, Place};
use super::unknown::Unproven;
use crate::base::server::Server;
use crate::rdb::summary::RdbSummary;

/// The first position at which the bytes violate the format, and a summary of everything intact
/// before it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Damage {
    /// Offset in the RDB at which the damage was noticed; never greater than the length of the RDB.
    pub offset: u64,
    /// If the fault is inside a string that is stored compressed: the position in the decompressed
    /// text. `offset` is then the offset of that string.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inside: Option<u64>,
    /// The kind of damage.
    #[serde(flatten)]
    pub kind: DamageKind,
    /// What was being read, such as "the length of a key".
    pub reading: &'static str,
    /// The current database.
    pub db: u64,
    /// The current key, if its name could be read.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "escaped")]
    pub key: Option<Vec<u8>>,
    /// The name of the value's storage type, as in
    /// [`Format::name`](crate::rdb::format::Format::name).
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub stored_as: Option<&'static str>,
    /// Summary of everything that was read completely before the damage; its [`RdbSummary::len`] is the
    /// end of the last complete record.
    pub before: RdbSummary,
    /// Where the content is unknown to this version rather than wrong: why it could not be proved whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unproven: Option<Unproven>,
    /// Whether reading can go on after the value that is broken.
    #[serde(skip)]
    pub(crate) can_go_on: bool,
    /// The value that is broken, if all else of the RDB is known to be intact.
    #[serde(skip)]
    pub(crate) value: Option<BrokenValue>,
}

impl Damage {
    /// What is wrong with the RDB, as a phrase for a person: lower case, without a final stop.
    pub fn describe(&self) -> String {
        self.unknown().unwrap_or_else(|| format!("the RDB is broken: {self}"))
    }

    /// What is unknown to this version, if the RDB cannot be read for that reason: a phrase for a person.
    pub(crate) fn unknown(&self) -> Option<String> {
        match (&self.unproven, &self.kind) {
            (Some(unproven), _) => Some(unproven.to_string()),
            (None, DamageKind::UnknownEnvelope { what }) => Some(format!(
                "a compressed RDB, as Valkey 9.2 writes it, that cannot be read: {what}"
            )),
            (None, _) => None,
        }
    }
}

impl Damage {
    /// Returns what the loader of this line does with the RDB.
    pub(crate) fn on(&self, server: Server) -> Loading {
        self.value.map_or(Loading::Refuses, |value| value.check.on(server))
    }

    /// Returns whether the damage is in the value of a key, or the key repeats another, so that reading can go on after
    /// it if the key is stepped over. What follows may be damaged, too.
    pub(crate) fn can_step_over_value(&self) -> bool {
        self.can_go_on || matches!(self.kind, DamageKind::DuplicateKey { .. })
    }

    /// Returns what is wrong, with the key but without the place.
    pub(crate) fn in_key(&self) -> String {
        let key =
            self.key.as_deref().map(|key| format!(", in key {} of db {}", Name(key), self.db));
        format!("{}: {}{}", self.reading, self.kind, key.unwrap_or_default())
    }
}

impl fmt::Display for Damage {
    /// Formats one sentence without a full stop: `byte N (inside the compressed text there: byte
    /// M): READING: WHAT, in key "K" of db D (TYPE)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Place {
            offset: self.offset,
            inside: self.inside,
            kind: &self.kind,
            reading: self.reading,
            db: self.db,
            key: self.key.as_deref(),
            stored_as: self.stored_as,
        }
        .fmt(f)
    }
}

impl std::error::Error for Damage {}

fn escaped<S: Serializer>(key: &Option<Vec<u8>>, serializer: S) -> Result<S::Ok, S::Error> {
    match key {
        Some(key) => serializer.collect_str(&key.escape_ascii()),
        None => serializer.serialize_none(),
    }
}
