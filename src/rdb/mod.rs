//! The RDB format: a snapshot of the data set, as a file of its own or as the base of an
//! append-only file.
//!
//! ```text
//! header                                        header
//! auxiliary fields, module data, functions      driver
//! for each database that is not empty:
//!     its number and sizes                      driver
//!     [expiry] [idle or frequency] type, key    driver
//!     value                                     value, packed, stream, module
//! module data, end                              driver
//! checksum                                      checksum
//! ```
//!
//! [`walk`](walk()) reads an RDB from the first byte to the last, makes the same checks as a server
//! that loads it, and reports its content to a [`Visitor`]. The RDB marks its own end; in an
//! append-only file, commands follow after it. [`Records`] reads a single key again, at the offset
//! that the walk reported. [`Writer`] writes an RDB in the version that a [`Target`] specifies.
//!
//! | file | content |
//! |---|---|
//! | `header` | magic and version |
//! | `format` | the table of types |
//! | `walk`, `driver` | the walk, reading of single keys, and all records other than values |
//! | `parallel` | the walk with the values read on other cores |
//! | `summary` | counts and auxiliary fields |
//! | `reader` | the value reader with its buffers |
//! | `value` | dispatch by value type; collections stored element by element |
//! | `packed` | collections stored as one string: an `intset`, or a `ziplist`, `listpack` or `zipmap` with `items` |
//! | `stream`, `idmp`, `array`, `bitmap`, `template`, `template_index`, `module` | streams with their producers, arrays, bitmaps, hashes with a template, and module values |
//! | `envelope` | the compressed RDB of Valkey 9.2, decompressed |
//! | `dump` | the payload of DUMP and RESTORE |
//! | `skip` | stepping over a value |
//! | `cursor`, `text`, `lzf` | lengths and strings |
//! | `checksum`, `duplicate_detection`, `duplicate_keys` | the checks besides the format: CRC-64, duplicate members and keys |
//! | `visitor` | the interface between the walk and its caller |
//! | `fault`, `damage`, `place` | the kinds of damage, and the report on one |
//! | `load_check`, `deep` | the checks that only some servers make, and the values that fail them |
//! | `error_location` | the wrong bytes, found from the checksum |
//! | `line_ends` | CR that was added before LF, or removed, by a tool for text |
//! | `resync`, `probe` | the records of a damaged RDB that are whole |
//! | `unknown`, `newer` | content that this version does not know; the proof by its checksum that it is whole |
//! | `write` | writing an RDB |
//!
//! The parser does not trust any declared length: memory is allocated as bytes arrive, and nothing
//! recurses.

mod array;
mod bitmap;
mod chain;
mod checksum;
mod cursor;
mod damage;
pub mod deep;
mod driver;
mod dump;
pub mod duplicate_detection;
pub mod duplicate_keys;
pub mod envelope;
pub(crate) mod error_location;
mod fault;
mod format;
mod header;
mod idmp;
mod intset;
mod items;
pub(crate) mod line_ends;
mod listpack;
pub mod load_check;
mod lzf;
mod module;
mod name_model;
mod newer;
mod packed;
mod parallel;
mod place;
mod probe;
mod reader;
pub(crate) mod resync;
mod skip;
mod stream;
pub mod summary;
mod template;
mod template_index;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
mod text;
mod unknown;
mod value;
mod vector_set;
mod visitor;
mod walk;
pub mod write;
mod ziplist;
mod zipmap;

pub use crate::rdb::summary::{Database, ModuleUse, RdbSummary, Stored};
pub use checksum::{Checksum, crc64};
pub use damage::Damage;
pub use dump::{Dump, DumpFault};
pub use fault::DamageKind;
pub use format::{Format, Kind, format};
pub use header::{Header, Magic, is_rdb};
pub use module::module_of;
pub use newer::{Newer, Reading, read};
pub(crate) use reader::HIGHEST_FIELD_EXPIRY;
pub use text::{Lzf, Text};
pub use unknown::{Uncheckable, UnknownContent, Unproven};
pub use vector_set::vector_node_version;
pub use visitor::{
    ArrayItem, AuxWhen, Ignore, IgnoreDeep, Key, KeyEnd, ModuleId, StreamId, StreamIdmp,
    StreamInfo, Visitor, Want,
};
pub use walk::{Records, walk};
pub use write::{Target, Writer, convert};
