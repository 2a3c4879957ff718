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
                match dragonfly {
                    Some(_) => Ok(()),
                    None => f.write_str("; probably written by a newer server or another product"),
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
