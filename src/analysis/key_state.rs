//! A summary of the state of a key: its type, size and expiry.

use serde::Serialize;

use crate::keyspace::{Entry, Value};
use crate::rdb::Kind;

/// The state of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct KeyState {
    /// The type.
    #[serde(rename = "type")]
    pub kind: Kind,
    /// The size: bytes of a string or of a module's value, otherwise elements (messages of a stream).
    pub size: u64,
    /// The expiry time, in Unix milliseconds.
    #[serde(
        rename = "expires_at",
        skip_serializing_if = "Option::is_none",
        serialize_with = "crate::base::rfc3339::milliseconds_if_any"
    )]
    pub expires_ms: Option<i64>,
    /// Whether unknown commands changed it, so that its type and size are unknown; `size` is then the number of these
    /// commands.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub carried: bool,
}

impl KeyState {
    /// Returns the state of a key; `None` for a collection without elements, which no form of a log can represent.
    pub(crate) fn from_entry(entry: &Entry<'_>) -> Option<KeyState> {
        if entry.value.lacks_elements() {
            return None;
        }
        let size = match &entry.value {
            Value::String(string) => string.len(),
            Value::List(list) => list.len(),
            Value::Set(set) => set.len(),
            Value::Zset(zset) => zset.len(),
            Value::Hash(hash) => hash.len(),
            Value::Stream(stream) => stream.len(),
            Value::Array(array) => array.len(),
            Value::Module(payload) => payload.len(),
            Value::Opaque(opaque) => opaque.frames.len(),
        };
        Some(KeyState {
            kind: entry.value.kind(),
            size: size as u64,
            expires_ms: entry.expires_ms(),
            carried: matches!(entry.value, Value::Opaque(_)),
        })
    }

    /// Returns the unit of [`size`](Self::size), in the singular.
    pub(crate) fn unit(&self) -> &'static str {
        match self.kind {
            _ if self.carried => "command",
            Kind::String | Kind::Module => "byte",
            Kind::Hash => "field",
            Kind::Set | Kind::Zset => "member",
            Kind::List | Kind::Array => "element",
            // Not "entry", whose plural is irregular.
            Kind::Stream => "message",
        }
    }
}
