//! Archives: a log packed into a zip that any unzip opens, and that carries in itself what proves it whole.
//!
//! ```text
//! appendonly.aof                    a log in a single file
//! appendonlydir/NAME.1.base.rdb     a set: what its manifest lists, in the order in which a server loads it,
//! appendonlydir/NAME.1.incr.aof
//! appendonlydir/NAME.manifest       and the manifest
//! aofkit.json                       what the archive says of itself: see [`Contents`]
//! ```
//!
//! | file | what it knows |
//! |---|---|
//! | `pack`, `several` | from an opened log to an archive: [`compress`], [`compress_log`]; from several paths |
//! | `writer`, `records` | the zip as it is written |
//! | `deflate` | deflate on all cores, one stream |
//! | `read` | the zip as it is read, its own or anybody's |
//! | `unpack`, `inspect` | one entry, piece after piece, and what it holds |
//! | `own`, `sets` | an archive held against what we write, and against its manifests |
//! | `verify` | [`verify_archive`], [`read_contents`] |
//! | `extract` | [`extract`](extract()) |
//! | `contents`, `names`, `method`, `found` | `aofkit.json`; names of archives; methods; what is noted of a file |

mod contents;
mod deflate;
mod extract;
mod found;
mod inspect;
mod method;
mod names;
mod own;
mod pack;
mod read;
mod records;
mod report;
mod second_reader;
mod sets;
mod several;
#[cfg(test)]
mod tests;
mod unpack;
mod unpacked;
mod verify;
mod writer;

pub use contents::{Arrangement, CONTENTS, Contents, FileRecord, FileRole, SCHEMA, Source};
pub use extract::{ExtractOptions, extract};
pub use method::Method;
pub use names::{TEMPLATE, archive_name};
pub use pack::{APPENDDIRNAME, CompressOptions, Packed, compress, compress_log, pack};
pub use report::{
    ArchiveFinding, ArchiveReport, CompressReport, EntryKind, EntryReport, ExtractReport, Level,
    Phase,
};
pub use several::{CompressAllReport, CompressOutcome, compress_all};
pub use unpacked::Unpacked;
#[doc(hidden)]
pub use verify::verify_bytes;
pub use verify::{VerifyOptions, is_archive, read_contents, verify_archive};
