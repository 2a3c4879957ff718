//! What is wrong, and at which byte: what every parser of the room returns.

use std::fmt;

use serde::{Serialize, Serializer};

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

fn hexadecimal<S: Serializer>(sum: &u64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("{sum:016x}"))
}
