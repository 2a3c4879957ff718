//! What is wrong with an RDB and where, as text.

use std::fmt;

use super::fault::DamageKind;

/// What is wrong and where, for display.
pub(super) struct Place<'d> {
    pub(super) offset: u64,
    pub(super) inside: Option<u64>,
    pub(super) kind: &'d DamageKind,
    pub(super) reading: &'static str,
    pub(super) db: u64,
    pub(super) key: Option<&'d [u8]>,
    pub(super) stored_as: Option<&'static str>,
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "byte {}", self.offset)?;
        if let Some(inside) = self.inside {
            write!(f, ", byte {inside} of the text compressed there")?;
        }
        write!(f, ": {}: {}", self.reading, self.kind)?;
        if let Some(key) = self.key {
            write!(f, ", in key {} of db {}", Name(key), self.db)?;
        }
        if let Some(name) = self.stored_as {
            write!(f, " ({name})")?;
        }
        Ok(())
    }
}

/// A name for display: control sequences are escaped, and long names are truncated.
pub(super) struct Name<'n>(pub(super) &'n [u8]);

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
