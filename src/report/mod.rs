//! Renders the reports of operations as text or JSON. All functions are pure.
//!
//! The text has ANSI color codes; the caller strips them if needed.

pub mod archive;
pub mod backup;
pub mod bench;
pub mod check_aof;
pub mod clean;
pub mod compact;
pub mod convert;
pub mod diff;
pub mod digest;
pub mod doctor;
pub mod drill;
pub mod drill_html;
pub mod envelope;
pub mod error;
pub mod find;
pub mod generate;
pub mod get;
pub mod history;
pub mod hold;
mod html;
pub mod into;
pub(crate) mod lines;
pub mod list;
pub mod live;
pub mod log;
pub mod merge;
pub mod outcome;
pub mod recover;
pub mod repair;
pub(crate) mod repair_rdb;
mod repair_set;
pub mod restore;
pub mod retention;
pub(crate) mod stats;
pub(crate) mod stats_folded;
pub mod stats_html;
pub mod style;
pub mod time;
pub mod verify;

pub use envelope::{JsonLines, Report, json, json_line};
pub use outcome::{HasOutcome, Outcome};
