//! What a server may refuse or drop in an RDB whose format is intact.

use std::collections::BTreeSet;
use std::fmt;

use crate::base::escape::Shown;
use crate::keyspace::functions::{LibraryError, library_head};
use crate::keyspace::lua::{self, SyntaxError};
use crate::rdb::{Key, Text, Visitor, Want};

/// The auxiliary field in which KeyDB stores the member of the key before it that expires. The time follows in the field
/// `keydb-subexpire-when`. Other servers ignore both.
const KEYDB_MEMBER: &[u8] = b"keydb-subexpire-key";

/// The engine that every server has. Its name is compared without regard to case.
const LUA: &[u8] = b"lua";

/// The findings about an RDB. It is the visitor that collects them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RdbInspection {
    /// The first function library that no server with only its own engine loads.
    pub library: Option<LibraryFault>,
    /// The number of members of sets and hashes that expire in KeyDB, and would not in another server.
    pub keydb_member_expiries: u64,
    /// The database and name of the first key with such a member.
    pub first_keydb_key: Option<(u64, Vec<u8>)>,
    names: BTreeSet<Vec<u8>>,
    /// The current key: KeyDB writes the expiries of its members after its value.
    current: Option<(u64, Vec<u8>)>,
    /// Whether a field of KeyDB was read, so that names of keys are of use.
    is_keydb: bool,
}

/// The reason why a server refuses a function library of an RDB, and with it the whole RDB. *Observed* on Redis 7.0 and 8.2
/// and Valkey 9.1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LibraryFault {
    /// The first line is invalid.
    Metadata(LibraryError),
    /// It needs another engine than Lua: a module that brings it has to be loaded.
    Engine {
        /// The name of the library.
        name: Vec<u8>,
        /// The name of the engine.
        engine: Vec<u8>,
    },
    /// It is not valid Lua 5.1.
    Syntax {
        /// The name of the library.
        name: Vec<u8>,
        /// The error.
        error: SyntaxError,
    },
    /// Two libraries have the same name.
    Duplicate(Vec<u8>),
}

/// Returns the name of the library with this text.
///
/// # Errors
///
/// The reason why no server with only its own engine loads it.
pub(crate) fn check_library(code: &[u8]) -> Result<Vec<u8>, LibraryFault> {
    let head = library_head(code).map_err(LibraryFault::Metadata)?;
    if !head.engine.eq_ignore_ascii_case(LUA) {
        return Err(LibraryFault::Engine { name: head.name, engine: head.engine });
    }
    match lua::check(&code[head.line_bytes..]) {
        Ok(()) => Ok(head.name),
        Err(error) => Err(LibraryFault::Syntax { name: head.name, error }),
    }
}

impl LibraryFault {
    /// Whether every server refuses it, also one with a module that brings another engine.
    pub(crate) fn is_refused_by_all(&self) -> bool {
        !matches!(self, LibraryFault::Engine { .. })
    }
}

impl fmt::Display for LibraryFault {
    /// A phrase without a final stop.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LibraryFault::Metadata(error) => {
                let reason = error.message().trim_start_matches("ERR ").to_lowercase();
                write!(f, "a function library that no server loads: {reason}")
            }
            LibraryFault::Engine { name, engine } => write!(
                f,
                "function library {} is for the engine {}, which no server has without a module",
                Shown(name),
                Shown(engine)
            ),
            LibraryFault::Syntax { name, error } => {
                write!(f, "function library {} is not valid Lua: {error}", Shown(name))
            }
            LibraryFault::Duplicate(name) => {
                write!(f, "two function libraries are named {}", Shown(name))
            }
        }
    }
}

impl<'a> Visitor<'a> for RdbInspection {
    fn goes_on_at_broken_values(&self) -> bool {
        true
    }

    fn without_values(&self) -> Option<Self> {
        Some(self.clone())
    }

    fn aux(&mut self, name: Text<'a, '_>, _: Text<'a, '_>) {
        let Text::Mapped(name) = name else { return };
        self.is_keydb |= name == b"mvcc-tstamp";
        if name == KEYDB_MEMBER {
            self.keydb_member_expiries += 1;
            if self.first_keydb_key.is_none() {
                self.first_keydb_key.clone_from(&self.current);
            }
        }
    }

    fn function(&mut self, library: Text<'a, '_>) {
        let fault = match check_library(&library.to_vec()) {
            Err(fault) => Some(fault),
            Ok(name) if self.names.contains(&name) => Some(LibraryFault::Duplicate(name)),
            Ok(name) => {
                self.names.insert(name);
                None
            }
        };
        if self.library.is_none() {
            self.library = fault;
        }
    }

    fn key(&mut self, key: &Key<'a>) -> Want {
        if self.is_keydb && self.first_keydb_key.is_none() {
            self.current = Some((key.db, key.name.to_vec()));
        }
        Want::Value
    }
}
