//! The events of a key's history, one for each command.

use serde::{Serialize, Serializer};

use crate::analysis::key_state::KeyState;
use crate::base::escape::Text;
use crate::keyspace::{Entry, Value};

/// A command that touched the key, or the RDB that contains it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Event<'e> {
    /// The file name of the part.
    pub part: &'e str,
    /// The number of the part in load order, from 1.
    pub number: usize,
    /// The byte offset of the command in the part; 0 for an RDB.
    pub offset: u64,
    /// The time of the last annotation before it, in Unix seconds; a string as in RFC 3339 in JSON.
    #[serde(
        skip_serializing_if = "Option::is_none",
        serialize_with = "crate::base::rfc3339::seconds_if_any"
    )]
    pub time: Option<i64>,
    /// The selected database; `None` for an RDB.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub db: Option<u32>,
    /// The arguments, beginning with the name; none for an RDB. Each is an object: `text` if it is UTF-8, otherwise
    /// `bytes` in base64.
    #[serde(serialize_with = "texts")]
    pub args: &'e [&'e [u8]],
    /// The error with which the command fails.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<&'static str>,
    /// The effects of the command by place.
    pub touched: &'e [Touched],
}

/// The change of a place, which is a name in a database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Touched {
    /// The database number.
    pub db: u32,
    /// The key name: an object, as arguments are.
    #[serde(serialize_with = "text")]
    pub key: Vec<u8>,
    /// The content before; `None` if the key did not exist.
    pub before: Option<KeyContent>,
    /// The content after; `None` if the key no longer exists.
    pub after: Option<KeyContent>,
}

/// The content of a place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KeyContent {
    /// The type, size and expiry.
    #[serde(flatten)]
    pub state: KeyState,
    /// The value of a short string: an object, as arguments are.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "text_if_any")]
    pub value: Option<Vec<u8>>,
}

/// The maximum length in bytes of a string that is reported.
const TOLD_BYTES: usize = 48;

impl KeyContent {
    /// Returns the content of a key; `None` for a collection without elements.
    pub(crate) fn from_entry(entry: &Entry<'_>) -> Option<KeyContent> {
        let value = match &entry.value {
            Value::String(string) if string.len() <= TOLD_BYTES => Some(string.to_vec()),
            _ => None,
        };
        Some(KeyContent { state: KeyState::from_entry(entry)?, value })
    }
}

/// A place of the key at the end of the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FinalKey {
    /// The database number.
    pub db: u32,
    /// The key name: an object, as arguments are.
    #[serde(serialize_with = "text")]
    pub key: Vec<u8>,
    /// The content.
    #[serde(flatten)]
    pub held: KeyContent,
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
