//! What a key holds, in a few words: its type, its size, when it expires.

use serde::Serialize;

use crate::keyspace::{Entry, Value};
use crate::rdb::Kind;

/// What a key holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct KeyState {
    /// Its type.
    #[serde(rename = "type")]
    pub kind: Kind,
    /// How large it is: bytes of a string or a module's value, else elements (of a stream, its messages).
    pub size: u64,
    /// When it expires, in Unix milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_ms: Option<i64>,
    /// Whether commands that are not understood changed it, so that its type and size are unknown: what is told is
    /// how many they were.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub carried: bool,
}

impl KeyState {
    /// Of a key; `None` where no form of a log would write it, for it is a collection without elements.
    pub fn of(entry: &Entry<'_>) -> Option<KeyState> {
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

    /// What [`size`](Self::size) counts, one of it.
    pub fn unit(&self) -> &'static str {
        match self.kind {
            _ if self.carried => "command",
            Kind::String | Kind::Module => "byte",
            Kind::Hash => "field",
            Kind::Set | Kind::Zset => "member",
            Kind::List => "element",
            // Not "entry", whose plural is irregular.
            Kind::Stream => "message",
        }
    }
}
