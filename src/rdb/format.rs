//! The table of value types: one row per storage format.

use std::fmt;

use serde::Serialize;

use super::header::{Header, Magic};

/// The kind of a value, independent of its storage format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A string.
    String,
    /// A list.
    List,
    /// A set.
    Set,
    /// A sorted set.
    Zset,
    /// A hash.
    Hash,
    /// A stream.
    Stream,
    /// An array (Redis 8.8 and later).
    Array,
    /// A value of a type defined by a module.
    Module,
}

impl fmt::Display for Kind {
    /// Formats the kind as the TYPE command does.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Kind::String => "string",
            Kind::List => "list",
            Kind::Set => "set",
            Kind::Zset => "zset",
            Kind::Hash => "hash",
            Kind::Stream => "stream",
            Kind::Array => "array",
            Kind::Module => "module",
        })
    }
}

/// One row of the table of types.
#[derive(Debug, PartialEq, Eq)]
pub struct Format {
    /// The type byte before the key.
    pub code: u8,
    /// A stable name.
    pub name: &'static str,
    /// The kind of the value.
    pub kind: Kind,
    /// The first RDB version that may contain it (under `VALKEY`, every version may contain the
    /// common types).
    pub since: u32,
    pub(super) layout: Layout,
}

impl Format {
    /// Returns whether a field without an expiry has the bytes of a string: its expiry is a length of 0, which is the type of a
    /// string as well.
    pub(super) fn has_string_like_fields(&self) -> bool {
        matches!(self.layout, Layout::HashMetadata { .. })
    }

    /// Returns whether its values are in an encoding that states its length or ends in a mark, so that other bytes
    /// are hardly ever read as one.
    pub(super) fn is_checked(&self) -> bool {
        match self.layout {
            Layout::ListZiplist
            | Layout::ZsetZiplist
            | Layout::HashZiplist
            | Layout::Quicklist
            | Layout::QuicklistTwo
            | Layout::Zipmap
            | Layout::Intset
            | Layout::SetListpack
            | Layout::ZsetListpack
            | Layout::HashListpack
            | Layout::HashListpackEx { .. }
            | Layout::Stream { .. }
            | Layout::Module => true,
            Layout::HashTemplate { values, .. } => values == Values::Listpack,
            Layout::String
            | Layout::List
            | Layout::Set
            | Layout::ZsetText
            | Layout::ZsetBinary
            | Layout::Hash
            | Layout::HashMillis
            | Layout::HashMetadata { .. }
            | Layout::Array
            | Layout::Bitmap
            | Layout::ModulePreRelease => false,
        }
    }
}

/// The layout of the bytes; each is documented in its module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Layout {
    String,
    List,
    Set,
    ZsetText,
    ZsetBinary,
    Hash,
    HashMillis,
    HashMetadata {
        with_min: bool,
    },
    ListZiplist,
    ZsetZiplist,
    HashZiplist,
    Quicklist,
    QuicklistTwo,
    Zipmap,
    Intset,
    SetListpack,
    ZsetListpack,
    HashListpack,
    HashListpackEx {
        with_min: bool,
    },
    Stream {
        version: u8,
    },
    Array,
    /// A hash whose field names are in a template; see [`template`](super::template).
    HashTemplate {
        names: Names,
        values: Values,
    },
    Bitmap,
    Module,
    ModulePreRelease,
}

/// Where the names of the fields of a hash with a template are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Names {
    /// Before the values, as in DUMP payloads.
    Here,
    /// In the record of the template that the value refers to.
    Referred,
}

/// How the values of a hash with a template are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Values {
    /// In one listpack.
    Listpack,
    /// As one string each.
    Strings,
}

const fn row(code: u8, name: &'static str, kind: Kind, since: u32, layout: Layout) -> Format {
    Format { code, name, kind, since, layout }
}

/// The types that have the same meaning under both magics.
#[rustfmt::skip]
const COMMON: &[Format] = &[
    row( 0, "string",             Kind::String,  1, Layout::String),
    row( 1, "list",               Kind::List,    1, Layout::List),
    row( 2, "set",                Kind::Set,     1, Layout::Set),
    row( 3, "zset",               Kind::Zset,    1, Layout::ZsetText),
    row( 4, "hash",               Kind::Hash,    1, Layout::Hash),
    row( 5, "zset-2",             Kind::Zset,    8, Layout::ZsetBinary),
    row( 6, "module-pre-release", Kind::Module,  8, Layout::ModulePreRelease),
    row( 7, "module-2",           Kind::Module,  8, Layout::Module),
    row( 9, "hash-zipmap",        Kind::Hash,    2, Layout::Zipmap),
    row(10, "list-ziplist",       Kind::List,    2, Layout::ListZiplist),
    row(11, "set-intset",         Kind::Set,     2, Layout::Intset),
    row(12, "zset-ziplist",       Kind::Zset,    2, Layout::ZsetZiplist),
    row(13, "hash-ziplist",       Kind::Hash,    4, Layout::HashZiplist),
    row(14, "list-quicklist",     Kind::List,    7, Layout::Quicklist),
    row(15, "stream",             Kind::Stream,  9, Layout::Stream { version: 1 }),
    row(16, "hash-listpack",      Kind::Hash,   10, Layout::HashListpack),
    row(17, "zset-listpack",      Kind::Zset,   10, Layout::ZsetListpack),
    row(18, "list-quicklist-2",   Kind::List,   10, Layout::QuicklistTwo),
    row(19, "stream-2",           Kind::Stream, 10, Layout::Stream { version: 2 }),
    row(20, "set-listpack",       Kind::Set,    11, Layout::SetListpack),
    row(21, "stream-3",           Kind::Stream, 11, Layout::Stream { version: 3 }),
];

/// The types that only `REDIS` files have: hashes whose fields expire, and what came with Redis 8.6
/// and later. Types from 27 up were not observed: they are as librdb reads them, and 29 to 33 as the
/// authors describe them.
#[rustfmt::skip]
const REDIS: &[Format] = &[
    row(22, "hash-metadata-pre-release",    Kind::Hash, 12, Layout::HashMetadata { with_min: false }),
    row(23, "hash-listpack-ex-pre-release", Kind::Hash, 12, Layout::HashListpackEx { with_min: false }),
    row(24, "hash-metadata",                Kind::Hash, 12, Layout::HashMetadata { with_min: true }),
    row(25, "hash-listpack-ex",             Kind::Hash, 12, Layout::HashListpackEx { with_min: true }),
    row(26, "stream-4",                     Kind::Stream, 13, Layout::Stream { version: 4 }),
    row(27, "stream-5",                     Kind::Stream, 14, Layout::Stream { version: 5 }),
    row(28, "array",                        Kind::Array,  14, Layout::Array),
    row(29, "hash-template-listpack",       Kind::Hash,   15, template(Names::Here, Values::Listpack)),
    row(30, "hash-template-listpack-ref",   Kind::Hash,   15, template(Names::Referred, Values::Listpack)),
    row(31, "hash-template-strings",        Kind::Hash,   15, template(Names::Here, Values::Strings)),
    row(32, "hash-template-strings-ref",    Kind::Hash,   15, template(Names::Referred, Values::Strings)),
    row(33, "bitmap",                       Kind::String, 16, Layout::Bitmap),
];

const fn template(names: Names, values: Values) -> Layout {
    Layout::HashTemplate { names, values }
}

/// The types that only `VALKEY` files have.
const VALKEY: &[Format] = &[row(22, "hash-2", Kind::Hash, 80, Layout::HashMillis)];

/// The bytes that are opcodes, not types.
pub(super) mod opcode {
    pub(crate) const HASH_TEMPLATE: u8 = 242;
    /// Under `REDIS`; under `VALKEY`, the same byte is [`SLOT_IMPORT`].
    pub(crate) const KEY_META: u8 = 243;
    pub(crate) const SLOT_IMPORT: u8 = 243;
    pub(crate) const SLOT_INFO: u8 = 244;
    pub(crate) const FUNCTION: u8 = 245;
    pub(crate) const FUNCTION_PRE_RELEASE: u8 = 246;
    pub(crate) const MODULE_AUX: u8 = 247;
    pub(crate) const IDLE: u8 = 248;
    pub(crate) const FREQ: u8 = 249;
    pub(crate) const AUX: u8 = 250;
    pub(crate) const RESIZE_DB: u8 = 251;
    pub(crate) const EXPIRE_MS: u8 = 252;
    pub(crate) const EXPIRE: u8 = 253;
    pub(crate) const SELECT_DB: u8 = 254;
    pub(crate) const END: u8 = 255;
}

/// Returns the row of type `code` under `magic`, if there is one.
#[inline]
pub fn format(magic: Magic, code: u8) -> Option<&'static Format> {
    let own = match magic {
        Magic::Redis => REDIS,
        Magic::Valkey => VALKEY,
    };
    let index = usize::from(code);
    match index {
        // There is no type 8, so the index of each later row is one less than its code.
        0..=7 => COMMON.get(index),
        9..=21 => COMMON.get(index - 1),
        22.. => own.get(index - 22),
        _ => None,
    }
}

impl Format {
    /// Returns whether values of this type were observed in files of a server. The layout of the
    /// others is known from reports alone.
    pub(super) fn is_observed(&self) -> bool {
        self.code <= HIGHEST_OBSERVED
    }
}

/// The row of this name under `REDIS`, if its layout is known from reports alone.
pub(super) fn reported(name: &str) -> Option<&'static Format> {
    REDIS.iter().find(|format| format.name == name && !format.is_observed())
}

/// The highest type that was observed: of Redis 8.6.
const HIGHEST_OBSERVED: u8 = 26;

/// The first type that counts only in versions that have it. Lower types are read in every version,
/// since their bytes never had another meaning.
const FIRST_BY_VERSION: u8 = 26;

/// Returns the row of type `code` in an RDB with this header. Types that came after Redis 8.2 are
/// unknown in lower versions, where other products give their bytes other meanings.
#[inline]
pub(super) fn format_in(header: Header, code: u8) -> Option<&'static Format> {
    format(header.magic, code)
        .filter(|format| format.code < FIRST_BY_VERSION || format.since <= header.version)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_row_is_found_by_its_code() {
        for code in 0..=255 {
            for magic in [Magic::Redis, Magic::Valkey] {
                if let Some(format) = format(magic, code) {
                    assert_eq!(format.code, code);
                }
            }
        }
        let found = |magic| (0..=255).filter(|code| format(magic, *code).is_some()).count();
        assert_eq!(found(Magic::Redis), COMMON.len() + REDIS.len());
        assert_eq!(found(Magic::Valkey), COMMON.len() + VALKEY.len());
    }
}
