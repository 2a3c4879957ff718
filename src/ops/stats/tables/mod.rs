//! Tables of all keys and of all commands, for engines that go on where this program ends: a row for each.
//!
//! Rows are collected in groups of a bounded size ([`rows`]); the files are Parquet ([`files`]), of which a build without the
//! feature `parquet` has none (`without`).

#[cfg(feature = "parquet")]
mod columns;
mod commands;
#[cfg(feature = "parquet")]
mod files;
#[cfg(not(feature = "parquet"))]
#[path = "without.rs"]
mod files;
mod options;
pub(super) mod rows;

pub(super) use self::commands::add_commands;
pub(super) use self::files::Tables;
pub(crate) use self::options::TableOptions;
