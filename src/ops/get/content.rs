//! The value of a key as data that outlives the replay.

use serde::Serialize;

use crate::aof::Frame;
use crate::base::escape::OwnedText;
use crate::base::server::Server;
use crate::keyspace::score::{ScoreBuffer, ScoreText};
use crate::keyspace::stream::Fields;
use crate::keyspace::{ArrayValue, Opaque, Stream, StringValue, Value};
use crate::rdb::module_of;

/// The value of a key, by its type.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Content {
    /// A string.
    String(OwnedText),
    /// The elements of a list, from its head.
    List(Vec<OwnedText>),
    /// The members of a set, in no particular order.
    Set(Vec<OwnedText>),
    /// The members of a sorted set, in its order.
    Zset(Vec<ScoredMember>),
    /// The fields of a hash, in no particular order.
    Hash(Vec<HashField>),
    /// A stream.
    Stream(StreamContent),
    /// The elements of an array that are set, in its order.
    Array(Vec<ArrayElement>),
    /// A value of a module, which only the module can read.
    Module(ModuleContent),
    /// A value that unknown commands have changed.
    Unknown(UnknownContent),
}

/// A member of a sorted set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ScoredMember {
    /// The member.
    pub member: OwnedText,
    /// The score, as the server prints it.
    pub score: String,
}

/// A field of a hash, or of an entry of a stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HashField {
    /// The name.
    pub field: OwnedText,
    /// The value.
    pub value: OwnedText,
    /// The time at which the field expires, in Unix milliseconds.
    #[serde(
        rename = "expires_at",
        skip_serializing_if = "Option::is_none",
        serialize_with = "crate::base::rfc3339::milliseconds_if_any"
    )]
    pub expires_ms: Option<i64>,
}

/// An element of an array.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ArrayElement {
    /// The index, from 0.
    pub index: u64,
    /// The value.
    pub value: OwnedText,
}

/// A stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StreamContent {
    /// The ID of the last entry that was added.
    pub last_id: String,
    /// The number of entries that were ever added.
    pub entries_added: u64,
    /// The entries, in their order.
    pub entries: Vec<StreamEntry>,
    /// The consumer groups.
    pub groups: Vec<StreamGroup>,
}

/// An entry of a stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StreamEntry {
    /// The ID.
    pub id: String,
    /// The fields, in their order.
    pub fields: Vec<HashField>,
}

/// A consumer group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StreamGroup {
    /// The name.
    pub name: OwnedText,
    /// The ID of the last entry that was delivered.
    pub last_id: String,
    /// The number of entries that were delivered and not acknowledged.
    pub pending: u64,
    /// The consumers.
    pub consumers: Vec<StreamConsumer>,
}

/// A consumer of a group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StreamConsumer {
    /// The name.
    pub name: OwnedText,
    /// The IDs of the entries that were delivered to it and that it has not acknowledged.
    pub pending: Vec<String>,
}

/// A value of a module.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ModuleContent {
    /// The name of the module's data type; `None` if it cannot be read.
    pub name: Option<String>,
    /// The length of the value in bytes.
    pub bytes: u64,
}

/// A value that unknown commands have changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UnknownContent {
    /// The names of the commands, in the order of their first use.
    pub commands: Vec<OwnedText>,
    /// The number of commands.
    pub count: u64,
}

impl Content {
    /// Returns the content of a value; scores as `server` prints them.
    pub(super) fn from_value(value: &Value<'_>, server: Server) -> Content {
        let all = |items: &mut dyn Iterator<Item = &[u8]>| items.map(OwnedText::from).collect();
        match value {
            Value::String(string) => Content::String(OwnedText(string.to_vec())),
            Value::List(list) => Content::List(all(&mut list.elements.iter().copied())),
            Value::Set(set) => Content::Set(all(&mut set.members())),
            Value::Zset(zset) => {
                let (mut buffer, how) = (ScoreBuffer::new(), ScoreText::of_server(server));
                let scored = |(member, score): (&[u8], f64)| ScoredMember {
                    member: member.into(),
                    score: buffer.format(score, how).to_owned(),
                };
                Content::Zset(zset.ascending().into_iter().map(scored).collect())
            }
            Value::Hash(hash) => {
                let field = |(field, value, expires_ms): (&[u8], &StringValue<'_>, _)| HashField {
                    field: field.into(),
                    value: OwnedText(value.to_vec()),
                    expires_ms,
                };
                Content::Hash(hash.fields().map(field).collect())
            }
            Value::Stream(stream) => Content::Stream(StreamContent::from_stream(stream)),
            Value::Array(array) => {
                let element = |(index, value): (u64, &ArrayValue<'_>)| ArrayElement {
                    index,
                    value: OwnedText(value.text().into_owned()),
                };
                Content::Array(array.items().map(element).collect())
            }
            Value::Module(payload) => Content::Module(ModuleContent {
                name: module_of(payload).map(|module| module.name()),
                bytes: payload.len() as u64,
            }),
            Value::Opaque(opaque) => Content::Unknown(UnknownContent::from_opaque(opaque)),
        }
    }

    /// Returns the total length of the elements in bytes, with names of fields and members, without scores, IDs and
    /// expiries; `None` if the value is not understood.
    pub fn bytes(&self) -> Option<u64> {
        let sum = |lengths: &mut dyn Iterator<Item = usize>| lengths.map(|it| it as u64).sum();
        let pairs = |fields: &[HashField]| {
            fields.iter().map(|field| field.field.0.len() + field.value.0.len()).sum::<usize>()
        };
        Some(match self {
            Content::String(string) => string.0.len() as u64,
            Content::List(items) | Content::Set(items) => {
                sum(&mut items.iter().map(|it| it.0.len()))
            }
            Content::Zset(members) => sum(&mut members.iter().map(|it| it.member.0.len())),
            Content::Hash(fields) => pairs(fields) as u64,
            Content::Stream(stream) => {
                sum(&mut stream.entries.iter().map(|entry| pairs(&entry.fields)))
            }
            Content::Array(elements) => sum(&mut elements.iter().map(|it| it.value.0.len())),
            Content::Module(module) => module.bytes,
            Content::Unknown(_) => return None,
        })
    }
}

impl StreamContent {
    fn from_stream(stream: &Stream<'_>) -> StreamContent {
        let entries = stream.entries();
        let entries =
            entries.map(|(id, fields)| StreamEntry { id: id.to_string(), fields: pairs(fields) });
        let groups = stream.groups().map(|(name, group)| {
            let consumers = group.consumers().map(|consumer| StreamConsumer {
                name: consumer.name().into(),
                pending: consumer.pending().map(|id| id.to_string()).collect(),
            });
            StreamGroup {
                name: name.into(),
                last_id: group.last_id().to_string(),
                pending: group.pending().len() as u64,
                consumers: consumers.collect(),
            }
        });
        StreamContent {
            last_id: stream.last_id().to_string(),
            entries_added: stream.entries_added(),
            entries: entries.collect(),
            groups: groups.collect(),
        }
    }
}

fn pairs(fields: Fields<'_>) -> Vec<HashField> {
    let pair = |(field, value): (&[u8], &[u8])| HashField {
        field: field.into(),
        value: value.into(),
        expires_ms: None,
    };
    fields.iter().map(pair).collect()
}

impl UnknownContent {
    fn from_opaque(opaque: &Opaque<'_>) -> UnknownContent {
        let mut commands: Vec<OwnedText> = Vec::new();
        for frame in &opaque.frames {
            let Some(frame) = Frame::read(0, frame) else { continue };
            let name = OwnedText::from(frame.name());
            if !commands.contains(&name) {
                commands.push(name);
            }
        }
        UnknownContent { commands, count: opaque.frames.len() as u64 }
    }
}
