//! Writing an RDB: the same bytes that the walk reads, in a version of choice.
//!
//! ```text
//! header                                   Writer::new
//! notes, modules' data, functions          notes, note, module_aux, function
//! for each database that is not empty:
//!     its number and sizes                 select_db
//!     keys                                 key, or join for parts written elsewhere
//! modules' data                            module_aux
//! end, checksum                            finish
//! ```
//!
//! | file | what it knows |
//! |---|---|
//! | `target` | the versions, what each can carry, and what a data set needs |
//! | `view` | values as the writer sees them |
//! | `value`, `stream`, `counters` | how a version stores a value; what a stream counts |
//! | `packed`, `number`, `lzf` | packed forms, numbers in place of texts, compression |
//! | `out` | lengths and strings, the block in hand, the checksum |
//! | `gather`, `convert` | reading an RDB in one version and writing it in another |
//!
//! What is written is what a server writes that was left at its defaults. A version that cannot hold
//! something refuses it, with the name of the key: nothing is left out unless [`Options`] says so.

mod convert;
mod counters;
mod gather;
mod lzf;
mod number;
mod out;
mod packed;
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
pub use target::{Feature, Needs, Target, Unfit};
pub use view::{Consumer, Elements, Fields, Group, Pending, Scored, Stream, Value};
