//! The elements of a log as they are displayed, one per line.

use serde::{Serialize, Serializer};

use crate::aof::log::{Log, Part};
use crate::base::escape::Text;
use crate::command::CommandId;

/// A line.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Line<'l> {
    /// The RDB at the beginning of a part.
    Rdb(RdbLine<'l>),
    /// A command.
    Command(CommandLine<'l>),
}

/// The RDB at the beginning of a part.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct RdbLine<'l> {
    /// The file name of the part.
    pub part: &'l str,
    /// The number of the part in load order, from 1.
    pub number: usize,
    /// The byte offset at which it begins, which is always 0.
    pub offset: u64,
    /// The length in bytes.
    pub bytes: u64,
    /// The version of the RDB format.
    pub version: u32,
    /// The number of keys in all databases; `None` if the RDB has content unknown to this version.
    pub keys: Option<u64>,
}

/// A command.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct CommandLine<'l> {
    /// The file name of the part.
    pub part: &'l str,
    /// The number of the part in load order, from 1.
    pub number: usize,
    /// The byte offset of the command in the part.
    pub offset: u64,
    /// The ordinal of the command in the log, from 1.
    pub ordinal: u64,
    /// The selected database; for a SELECT, the one that it selects.
    pub db: u32,
    /// The time of the last annotation before it, in Unix seconds; a string as in RFC 3339 in JSON.
    #[serde(
        skip_serializing_if = "Option::is_none",
        serialize_with = "crate::base::rfc3339::seconds_if_any"
    )]
    pub time: Option<i64>,
    /// The ordinal of the MULTI of the transaction that it belongs to. MULTI and EXEC belong to it, too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transaction: Option<u64>,
    /// The command ID, if a known server has the command.
    #[serde(skip)]
    pub id: Option<CommandId>,
    /// The arguments, beginning with the name. Each is an object: `text` if it is UTF-8, otherwise `bytes` in base64.
    #[serde(serialize_with = "texts")]
    pub args: &'l [&'l [u8]],
}

fn texts<S: Serializer>(args: &[&[u8]], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(args.iter().map(|arg| Text(arg)))
}

/// Renders lines to text. It is cloned for each range of lines, which are rendered on several threads.
pub trait Render: Clone + Send + Sync {
    /// Called once, before any other method.
    fn begin(&mut self, log: &Log) {
        let _ = log;
    }

    /// Called before the lines of another part. Not called for a log with a single part.
    fn part(&mut self, part: &Part, out: &mut Vec<u8>) {
        let _ = (part, out);
    }

    /// Appends a line, including its line ending.
    fn line(&mut self, line: &Line<'_>, out: &mut Vec<u8>);
}
