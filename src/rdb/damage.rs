//! Where an RDB breaks the format: a value, with its place and what was being read.
//!
//! Parsers below return a small [`Fault`]; the walk, which knows the key in hand and what was
//! whole before, makes a [`Damage`] of the first one and stops. There is no going on after it:
//! nothing in the format marks where the next key begins.

use std::fmt;

use serde::{Serialize, Serializer};

use super::found::Walk;

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
    /// The name of the value's stored type, as in [`Format::name`](super::Format::name).
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub stored_as: Option<&'static str>,
    /// What was read whole before it; its [`Walk::len`] is the end of the last whole record.
    pub before: Walk,
}

/// What is wrong with the bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[non_exhaustive]
pub enum DamageKind {
    /// The bytes end inside something: what is there may be the start of a sound file.
    Short {
        /// Bytes that it takes.
        needed: u64,
        /// Bytes that are there.
        left: u64,
    },
    /// Neither magic begins the bytes.
    NotRdb,
    /// A version that no server whose format is known here has written.
    Version {
        /// The four digits after `REDIS`, or the three after `VALKEY`.
        found: String,
    },
    /// A byte that is neither a type nor an opcode under this magic.
    UnknownCode {
        /// The byte.
        code: u8,
    },
    /// A form that only a release candidate wrote, and that cannot be read without it.
    PreRelease,
    /// A byte that begins no length.
    LengthEncoding {
        /// The byte.
        found: u8,
    },
    /// A byte that announces a string of an encoding that does not exist.
    StringEncoding {
        /// The byte.
        found: u8,
    },
    /// Compressed bytes that do not give the text that they declare.
    Lzf {
        /// The rule that they break.
        rule: &'static str,
    },
    /// The checksum at the end is not that of the bytes.
    Checksum {
        /// As stored.
        #[serde(serialize_with = "hexadecimal")]
        stored: u64,
        /// As computed.
        #[serde(serialize_with = "hexadecimal")]
        computed: u64,
    },
    /// The key was already in its database.
    DuplicateKey {
        /// The byte at which the first record of that key begins.
        first: u64,
    },
    /// A member, field, group, consumer or id that its value already has.
    Duplicate,
    /// A count or size in a packed form that its content belies.
    Mismatch {
        /// As declared.
        declared: u64,
        /// As found.
        found: u64,
    },
    /// Something that reaches behind the end of the packed form that holds it.
    Overrun {
        /// Bytes that it takes.
        needed: u64,
        /// Bytes that are there.
        left: u64,
    },
    /// Any other rule of the format.
    Broken {
        /// The rule.
        rule: &'static str,
    },
}

/// What a parser returns.
pub(super) type Read<T> = Result<T, Fault>;

/// A damage before it knows its key. One pointer wide, so that the way without it stays cheap.
#[derive(Debug)]
pub(super) struct Fault(pub(super) Box<Broken>);

#[derive(Debug)]
pub(super) struct Broken {
    pub(super) offset: u64,
    pub(super) inside: Option<u64>,
    pub(super) kind: DamageKind,
    pub(super) reading: &'static str,
}

impl Fault {
    #[cold]
    pub(super) fn new(offset: usize, reading: &'static str, kind: DamageKind) -> Self {
        Fault(Box::new(Broken { offset: offset as u64, inside: None, kind, reading }))
    }

    #[cold]
    pub(super) fn broken(offset: usize, reading: &'static str, rule: &'static str) -> Self {
        Fault::new(offset, reading, DamageKind::Broken { rule })
    }
}

impl DamageKind {
    /// Whether more bytes might have mended it.
    pub fn is_short(&self) -> bool {
        matches!(self, DamageKind::Short { .. })
    }
}

impl fmt::Display for DamageKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DamageKind::Short { needed, left } => {
                write!(f, "the file ends inside it: {} needed, {left} left", Bytes(*needed))
            }
            DamageKind::NotRdb => {
                f.write_str("expected `REDIS` or `VALKEY`, which begin every RDB file")
            }
            DamageKind::Version { found } => write!(
                f,
                "{} is not known; REDIS0001 to REDIS0012 and VALKEY080 are",
                found.escape_debug()
            ),
            DamageKind::UnknownCode { code } => {
                write!(f, "byte {code} is neither a type nor an opcode")
            }
            DamageKind::PreRelease => f.write_str(
                "written by a release candidate, in a form that later servers do not read either",
            ),
            DamageKind::LengthEncoding { found } => write!(f, "byte {found:#04x} begins no length"),
            DamageKind::StringEncoding { found } => {
                write!(f, "byte {found:#04x} announces a string of no known encoding")
            }
            DamageKind::Lzf { rule } => write!(f, "compressed text is broken: {rule}"),
            DamageKind::Checksum { stored, computed } => {
                write!(f, "{stored:016x} is stored, and the bytes give {computed:016x}")
            }
            DamageKind::DuplicateKey { first } => {
                write!(f, "the key was already in its database, stored at byte {first}")
            }
            DamageKind::Duplicate => f.write_str("the value already has it"),
            DamageKind::Mismatch { declared, found } => {
                write!(f, "{declared} is declared, and there is {found}")
            }
            DamageKind::Overrun { needed, left } => write!(
                f,
                "it reaches behind the end of what holds it: {} needed, {left} left",
                Bytes(*needed)
            ),
            DamageKind::Broken { rule } => f.write_str(rule),
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

/// A number of bytes for people.
struct Bytes(u64);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            1 => f.write_str("1 byte"),
            n => write!(f, "{n} bytes"),
        }
    }
}

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

fn hexadecimal<S: Serializer>(sum: &u64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("{sum:016x}"))
}
