//! Writing an RDB: the same format that the walk reads, in a selectable version.
//!
//! ```text
//! header                                    Writer::new
//! auxiliary fields, module data, functions  notes, note, module_aux, function
//! for each database that is not empty:
//!     its number and sizes                  select_db
//!     keys                                  key, or join for parts written elsewhere
//! module data                               module_aux
//! end, checksum                             finish
//! ```
//!
//! | file | content |
//! |---|---|
//! | `target` | the versions, the features of each, and the features that a data set requires |
//! | `view` | the writer's view of values |
//! | `value`, `stream`, `counters` | the encoding of values in each version; the counters of streams |
//! | `packed`, `number`, `lzf` | packed encodings, texts stored as numbers, compression |
//! | `out` | lengths and strings, buffering, the checksum |
//! | `gather`, `convert` | reading an RDB in one version and writing it in another |
//!
//! The output equals that of a server with default configuration. If a version does not support
//! something, the writer refuses it with the name of the key: nothing is omitted unless [`Options`]
//! allows it.

mod convert;
mod counters;
mod gather;
mod lzf;
mod number;
mod out;
mod packed;
mod payload;
mod stream;
mod target;
#[cfg(test)]
mod tests;
mod value;
mod view;
mod writer;

pub use writer::{KeyNotes, Notes, Options, Part, WriteError, Writer};

pub use convert::{ConvertError, Converted, convert};
pub(crate) use number::canonical;
pub(crate) use payload::PayloadWriter;
pub use target::{Feature, Needs, Target, Unfit};
pub use view::{Consumer, Elements, Fields, Group, Idmp, Pending, Producer, Scored, Stream, Value};
