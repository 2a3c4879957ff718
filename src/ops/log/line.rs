//! What a log consists of, as it is shown: a line each.

use serde::{Serialize, Serializer};

use crate::aof::log::{Log, Part};
use crate::base::escape::Text;
use crate::command::CommandId;

/// A line.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Line<'l> {
    /// The RDB that a part begins with.
    Rdb(RdbLine<'l>),
    /// A command.
    Command(CommandLine<'l>),
}

/// The RDB that a part begins with.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct RdbLine<'l> {
    /// The part's file name.
    pub part: &'l str,
    /// The part's number in the order in which a server loads them, from 1.
    pub number: usize,
    /// Always 0: where it begins.
    pub offset: u64,
    /// Its length in bytes.
    pub bytes: u64,
    /// The version of the format.
    pub version: u32,
    /// Keys in all databases; `None` where the RDB has content that this version does not know.
    pub keys: Option<u64>,
}

/// A command.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct CommandLine<'l> {
    /// The part's file name.
    pub part: &'l str,
    /// The part's number in the order in which a server loads them, from 1.
    pub number: usize,
    /// The command's first byte in the part.
    pub offset: u64,
    /// Which command of the log it is, from 1.
    pub ordinal: u64,
    /// The database in force; of a SELECT, the one that it selects.
    pub db: u32,
    /// The time that the last annotation before it tells, in Unix seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time: Option<i64>,
    /// The ordinal of the MULTI of the transaction that it belongs to. MULTI and EXEC belong to it, too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transaction: Option<u64>,
    /// Which command it is, where a known server has it.
    #[serde(skip)]
    pub id: Option<CommandId>,
    /// The arguments, the name first. Each is an object: `text` where it is UTF-8, else `bytes` in base64.
    #[serde(serialize_with = "texts")]
    pub args: &'l [&'l [u8]],
}

fn texts<S: Serializer>(args: &[&[u8]], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(args.iter().map(|arg| Text(arg)))
}

/// Makes text of lines. A clone is made for each stretch of lines, which are rendered on many threads.
pub trait Render: Clone + Send + Sync {
    /// Called once, before anything else.
    fn begin(&mut self, log: &Log) {
        let _ = log;
    }

    /// Lines of another part follow. Not called of a log that has but one.
    fn part(&mut self, part: &Part, out: &mut Vec<u8>) {
        let _ = (part, out);
    }

    /// Appends a line, its end included.
    fn line(&mut self, line: &Line<'_>, out: &mut Vec<u8>);
}
