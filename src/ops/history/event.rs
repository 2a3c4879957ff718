//! What happened to a key, one event a command.

use serde::{Serialize, Serializer};

use crate::analysis::key_state::KeyState;
use crate::base::escape::Text;
use crate::keyspace::{Entry, Value};

/// A command that touched the key, or the RDB that brought it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Event<'e> {
    /// The part's file name.
    pub part: &'e str,
    /// The part's number in the order in which a server loads them, from 1.
    pub number: usize,
    /// The command's first byte in the part; 0 for an RDB.
    pub offset: u64,
    /// The time that the last annotation before it tells, in Unix seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time: Option<i64>,
    /// The database in force; `None` for an RDB.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub db: Option<u32>,
    /// The arguments, the name first; none for an RDB. Each is an object: `text` where it is UTF-8, else `bytes` in
    /// base64.
    #[serde(serialize_with = "texts")]
    pub args: &'e [&'e [u8]],
    /// The error with which a server answers it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<&'static str>,
    /// What it did, place by place.
    pub touched: &'e [Touched],
}

/// What became of a place: a name in a database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Touched {
    /// The database.
    pub db: u32,
    /// The name: an object, as arguments are.
    #[serde(serialize_with = "text")]
    pub key: Vec<u8>,
    /// What it held before; `None` for nothing.
    pub before: Option<Held>,
    /// What it holds now.
    pub after: Option<Held>,
}

/// What a place holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Held {
    /// Its type, size and expiry.
    #[serde(flatten)]
    pub state: KeyState,
    /// The value, of a short string: an object, as arguments are.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "text_if_any")]
    pub value: Option<Vec<u8>>,
}

/// The longest string that is told, in bytes.
const TOLD_BYTES: usize = 48;

impl Held {
    /// What a key holds; `None` where that is a collection without elements.
    pub fn of(entry: &Entry<'_>) -> Option<Held> {
        let value = match &entry.value {
            Value::String(string) if string.len() <= TOLD_BYTES => Some(string.to_vec()),
            _ => None,
        };
        Some(Held { state: KeyState::of(entry)?, value })
    }
}

/// Where the key is at the end of the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Place {
    /// The database.
    pub db: u32,
    /// The name: an object, as arguments are.
    #[serde(serialize_with = "text")]
    pub key: Vec<u8>,
    /// What it holds.
    #[serde(flatten)]
    pub held: Held,
}

fn texts<S: Serializer>(args: &[&[u8]], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(args.iter().map(|arg| Text(arg)))
}

fn text<S: Serializer>(key: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    Text(key).serialize(serializer)
}

fn text_if_any<S: Serializer>(value: &Option<Vec<u8>>, serializer: S) -> Result<S::Ok, S::Error> {
    match value {
        Some(value) => Text(value).serialize(serializer),
        None => serializer.serialize_none(),
    }
}
