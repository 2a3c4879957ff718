//! Content that this version does not know: a higher version, or a type or opcode of another writer.

use std::fmt;

use serde::Serialize;

use super::header::{Header, Magic};

/// Where an RDB holds content that this version does not know, and who wrote it, as far as that is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UnknownContent {
    /// Magic and version of the RDB.
    #[serde(flatten)]
    pub header: Header,
    /// The byte at which reading stopped.
    pub offset: u64,
    /// The type or opcode that is unknown; `None` where the version is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<u8>,
    /// The version of Dragonfly, where its notes name it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dragonfly: Option<String>,
}

/// Content that this version does not know, of an RDB whose checksum does not prove that it is whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unproven {
    /// What is unknown.
    pub content: UnknownContent,
    /// Why the checksum proves nothing.
    pub reason: Uncheckable,
}

/// Why a checksum does not prove that an RDB is whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Uncheckable {
    /// The version has no checksum.
    Absent,
    /// Written without: eight zero bytes are in its place.
    Off,
    /// No eight bytes are the checksum of what precedes them.
    Wrong,
}

/// The types and opcodes that other products have under `REDIS`, where no server of Redis has one: those of Dragonfly are in
/// its `rdb_extensions.h`, that of Redis Enterprise is in librdb (#67).
const FOREIGN: &[(&str, &[u8])] =
    &[("Dragonfly", &[200, 201, 202, 203, 210, 211, 220]), ("Redis Enterprise", &[107])];

/// The types of Dragonfly whose numbers Redis gave to others, in RDB version 15 and later.
const DRAGONFLY_TYPES: std::ops::RangeInclusive<u8> = 30..=35;

/// The first version of an RDB in which those numbers are types of Redis.
const FIRST_VERSION_WITH_TYPES: u32 = 15;

impl UnknownContent {
    /// Returns the product that has this type or opcode, if no server of Redis or Valkey has it.
    pub(crate) fn foreign(&self) -> Option<&'static str> {
        let code = self.code.filter(|_| self.header.magic == Magic::Redis)?;
        if self.dragonfly.is_some()
            || DRAGONFLY_TYPES.contains(&code) && self.header.version < FIRST_VERSION_WITH_TYPES
        {
            return Some("Dragonfly");
        }
        FOREIGN.iter().find(|(_, codes)| codes.contains(&code)).map(|(product, _)| *product)
    }
}

impl fmt::Display for UnknownContent {
    /// A phrase without a final stop.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(version) = &self.dragonfly {
            write!(f, "written by Dragonfly ({}): ", version.escape_debug())?;
        }
        let Header { magic, version } = self.header;
        match (self.code, &self.dragonfly) {
            (None, _) => write!(
                f,
                "written by a newer server ({} version {version}); this version of aofkit reads up to {}",
                if magic == Magic::Valkey { "Valkey RDB" } else { "RDB" },
                self.header.highest_known()
            ),
            (Some(code), dragonfly) => {
                write!(
                    f,
                    "type or opcode {code} at byte {} is unknown to this version of aofkit",
                    self.offset
                )?;
                match (dragonfly, self.foreign()) {
                    (Some(_), _) => Ok(()),
                    (None, Some(product)) => {
                        write!(f, "; probably written by {product}, which has one of this number")
                    }
                    (None, None) => {
                        f.write_str("; probably written by a newer server or another product")
                    }
                }
            }
        }
    }
}

impl fmt::Display for Unproven {
    /// A phrase without a final stop.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; ", self.content)?;
        f.write_str(match self.reason {
            Uncheckable::Absent => "it cannot be checked: RDBs of this version have no checksum",
            Uncheckable::Off => "it cannot be checked: its checksum is off",
            Uncheckable::Wrong => "its checksum is wrong: it is damaged or cut short",
        })
    }
}
