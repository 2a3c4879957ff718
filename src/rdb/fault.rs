//! The fault that every parser of this module returns: a kind of damage and its offset.

use std::fmt;

use serde::{Serialize, Serializer};

use super::load_check::LoadCheck;

/// The kind of damage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum DamageKind {
    /// The bytes end prematurely: they may be the beginning of a valid file.
    Short {
        /// Number of bytes required.
        needed: u64,
        /// Number of bytes available.
        left: u64,
    },
    /// The bytes begin with neither magic.
    NotRdb,
    /// The version was not written by any server whose format is supported here.
    Version {
        /// The four digits after `REDIS`, or the three after `VALKEY`.
        found: String,
    },
    /// A byte that is neither a type nor an opcode under this magic.
    UnknownCode {
        /// The byte.
        code: u8,
    },
    /// An encoding that only a release candidate wrote, and that cannot be read without it.
    PreRelease,
    /// A byte that does not begin a length.
    LengthEncoding {
        /// The byte.
        found: u8,
    },
    /// A byte that announces a string of an unknown encoding.
    StringEncoding {
        /// The byte.
        found: u8,
    },
    /// Compressed bytes that do not decompress to the declared text.
    Lzf {
        /// The rule that they violate.
        rule: &'static str,
    },
    /// The checksum at the end does not match the bytes.
    Checksum {
        /// The stored checksum.
        #[serde(serialize_with = "hexadecimal")]
        stored: u64,
        /// The computed checksum.
        #[serde(serialize_with = "hexadecimal")]
        computed: u64,
    },
    /// The key already exists in its database.
    DuplicateKey {
        /// Offset of the first record of that key.
        first: u64,
    },
    /// A duplicate member, field, group, consumer or id within one value.
    Duplicate,
    /// A count or size in a packed encoding that does not match its content.
    Mismatch {
        /// The declared number.
        declared: u64,
        /// The actual number.
        found: u64,
    },
    /// An item that extends past the end of its packed encoding.
    Overrun {
        /// Number of bytes required.
        needed: u64,
        /// Number of bytes available.
        left: u64,
    },
    /// A compressed RDB that does not decompress. The offset is that in the file.
    Envelope {
        /// What is wrong with the frame.
        what: String,
    },
    /// A compressed RDB whose envelope is unknown to this version.
    UnknownEnvelope {
        /// What is unknown.
        what: String,
    },
    /// A violation of any other rule of the format.
    Broken {
        /// The rule.
        rule: &'static str,
    },
}

/// The result of a parser.
pub(super) type Read<T> = Result<T, Fault>;

/// Damage whose key is not known yet. It is one pointer wide, so that the success path stays cheap.
#[derive(Debug, Clone)]
pub(super) struct Fault(pub(super) Box<Broken>);

#[derive(Debug, Clone)]
pub(super) struct Broken {
    pub(super) offset: u64,
    pub(super) inside: Option<u64>,
    pub(super) kind: DamageKind,
    pub(super) reading: &'static str,
    /// The check that detects it, if reading can go on after the value.
    check: Option<LoadCheck>,
}

impl Fault {
    #[cold]
    pub(super) fn new(offset: usize, reading: &'static str, kind: DamageKind) -> Self {
        Fault(Box::new(Broken { offset: offset as u64, inside: None, kind, reading, check: None }))
    }

    #[cold]
    pub(super) fn broken(offset: usize, reading: &'static str, rule: &'static str) -> Self {
        Fault::new(offset, reading, DamageKind::Broken { rule })
    }

    /// Names the check that detects the fault, after which reading can go on.
    #[cold]
    pub(super) fn checked_by(mut self, check: LoadCheck) -> Self {
        self.0.check = Some(check);
        self
    }

    /// Returns the check that detects the fault, if reading can go on after the value.
    pub(super) fn check(&self) -> Option<LoadCheck> {
        self.0.check
    }
}

impl DamageKind {
    /// Returns whether more bytes might make the file valid.
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
                "{} is not known; REDIS0001 to REDIS0017 and VALKEY080 are",
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
                "it extends past the end of its container: {} needed, {left} left",
                Bytes(*needed)
            ),
            DamageKind::Envelope { what } | DamageKind::UnknownEnvelope { what } => {
                f.write_str(what)
            }
            DamageKind::Broken { rule } => f.write_str(rule),
        }
    }
}

/// A number of bytes, formatted for display.
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
