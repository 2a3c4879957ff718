//! The RDB on disk: a snapshot of the data set, alone or as the base of an append-only file.
//!
//! ```text
//! header                                        header
//! notes, modules' data, functions               driver
//! for each database that is not empty:
//!     its number and sizes                      driver
//!     [expiry] [idle or frequency] type, key    driver
//!     value                                     value, packed, stream, module
//! modules' data, end                            driver
//! checksum                                      checksum
//! ```
//!
//! [`walk`](walk()) reads it from the first byte to the last, checks all that a server checks that loads it,
//! and tells a [`Visitor`] what lies in it. The end is told by the RDB itself: behind it, an append-only
//! file goes on with commands. [`Records`] reads one key again, at the place that the walk told.
//! [`Writer`] writes one, in the version that a [`Target`] names.
//!
//! | file | what it knows |
//! |---|---|
//! | `header` | magic and version |
//! | `format` | the table of types |
//! | `walk`, `driver` | the walk, and single keys; what stands between keys |
//! | `found`, `repeated` | what was counted; the search for a key that comes twice |
//! | `reader` | what reads values, with its buffers |
//! | `value` | which value is read how, by its type; collections stored element by element |
//! | `packed` | collections stored as one string, which is an `intset` or has `items`: a `ziplist`, `listpack` or `zipmap` |
//! | `stream`, `module` | values of their own kind |
//! | `dump` | the payload of DUMP and RESTORE |
//! | `skip` | stepping over a value |
//! | `cursor`, `text`, `lzf` | lengths and strings, of which all is made |
//! | `checksum`, `unique` | the checks beside the format: CRC-64, and what must not come twice |
//! | `visitor` | what is told on the way |
//! | `fault`, `damage` | what is wrong and where, and all that is told when the walk cannot go on |
//! | `unknown`, `newer` | content that this version does not know; the proof by its checksum that it is whole |
//! | `write` | the writing side of all this |
//!
//! Nothing here believes a length: memory is taken as bytes arrive, and nothing recurses.

mod checksum;
mod cursor;
mod damage;
mod driver;
mod dump;
pub mod duplicate_detection;
pub mod duplicate_keys;
mod fault;
mod format;
mod header;
mod intset;
mod items;
mod listpack;
mod lzf;
mod module;
mod newer;
mod packed;
mod reader;
mod skip;
mod stream;
pub mod summary;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod text;
mod unknown;
mod value;
mod visitor;
mod walk;
pub mod write;
mod ziplist;
mod zipmap;

pub use crate::rdb::summary::{Database, ModuleUse, Stored, Walk};
pub use checksum::{Checksum, crc64};
pub use damage::Damage;
pub use dump::{Dump, DumpFault};
pub use fault::DamageKind;
pub use format::{Format, Kind, format};
pub use header::{Header, Magic, is_rdb};
pub use newer::{Newer, Reading, read};
pub use text::{Lzf, Text};
pub use unknown::{Uncheckable, UnknownContent, Unproven};
pub use visitor::{AuxWhen, Ignore, Key, KeyEnd, ModuleId, StreamId, StreamInfo, Visitor, Want};
pub use walk::{Records, walk};
pub use write::{Target, Writer, convert};
