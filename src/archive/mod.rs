//! The zip archive on disk: reading, writing, and the checks that need no knowledge of its content.
//!
//! ```text
//! appendonly.aof                    a log in a single file
//! appendonlydir/NAME.1.base.rdb     a set: the files that its manifest lists, in load order,
//! appendonlydir/NAME.1.incr.aof
//! appendonlydir/NAME.manifest       and the manifest
//! aofkit.json                       the archive's description of itself: see [`contents::Contents`]
//! ```
//!
//! | file | purpose |
//! |---|---|
//! | [`contents`], [`names`], [`method`] | `aofkit.json`; names of archives; compression methods |
//! | [`writer`], [`records`], [`deflate`], `deflate_blocks` | the zip as it is written; deflate on all cores as one stream |
//! | `sink`, `echo` | where it is written to: a file, or an upload; each entry decompressed again while it is written |
//! | `encryption` | archives that are encrypted with age |
//! | [`read`], [`decompress`] | the zip as it is read, made by aofkit or not; one entry in bounded memory |
//! | [`self_check`], [`cross_check`] | an archive compared with its description, with a second reader |
//! | `key_filter` | the names of the keys in an archive, for searching it without unpacking it |
//! | [`report`] | what verification and compression report |
//!
//! Both crates for zips stay: `rawzip` gives every field as it is stored, which the byte-exact checks need and `zip` hides;
//! `zip` is the independent reader of [`cross_check`]. Neither writes deflate as one stream on all cores, as [`deflate`]
//! does.

pub mod contents;
pub mod cross_check;
pub mod decompress;
pub mod deflate;
mod deflate_blocks;
pub(crate) mod echo;
pub(crate) mod encryption;
pub(crate) mod key_filter;
pub mod method;
pub mod names;
pub mod read;
pub mod records;
pub mod report;
pub mod self_check;
pub(crate) mod sink;
pub mod writer;
