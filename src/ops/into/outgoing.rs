//! Encoding the keys of one shard for a server.

use super::options::IntoOptions;
use crate::analysis::data_filter::LeftOut;
use crate::analysis::touched_keys::TouchedKeys;
use crate::base::escape::Shown;
use crate::base::modules::Modules;
use crate::base::server::Server;
use crate::base::slot::name_in_slot_of;
use crate::keyspace::fingerprint::{Detail, Fingerprint};
use crate::keyspace::{Access, Keyspace, Value};
use crate::ops::recover::Expired;
use crate::rdb::write::{self, PayloadWriter};
use crate::rdb::{Kind, Target, module_of};
use crate::rewrite::commands::CommandWriter;
use crate::rewrite::rdb::{KeyError, payload};

/// A key that is sent to a server.
#[derive(Debug)]
pub(super) struct Outgoing {
    /// The database in the server.
    pub(super) db: u32,
    /// The name in the server.
    pub(super) key: Vec<u8>,
    pub(super) kind: Kind,
    /// The expiry, in Unix milliseconds.
    pub(super) expires_ms: Option<i64>,
    pub(super) content: Content,
    /// The fingerprint of its value.
    pub(super) fingerprint: u128,
    /// When or how often it was used.
    pub(super) access: Option<Access>,
}

/// What a server is sent to create a key.
#[derive(Debug)]
pub(super) enum Content {
    /// A payload of RESTORE.
    Payload(Vec<u8>),
    /// Commands that create it under its temporary name.
    Commands(Vec<u8>),
    /// Nothing can create it there, for this reason.
    Impossible(String),
}

impl Outgoing {
    /// Returns what identifies the key, and with what it is compared.
    pub(super) fn without_content(&self) -> Outgoing {
        Outgoing { key: self.key.clone(), content: Content::Payload(Vec::new()), ..*self }
    }

    /// Returns the number of bytes that are sent.
    pub(super) fn bytes(&self) -> usize {
        let content = match &self.content {
            Content::Payload(bytes) | Content::Commands(bytes) => bytes.len(),
            Content::Impossible(_) => 0,
        };
        self.key.len() + content
    }
}

/// The keys of a shard, and the number of those that are not sent.
#[derive(Debug, Default)]
pub(super) struct OutgoingShard {
    pub(super) keys: Vec<Outgoing>,
    pub(super) left_out: LeftOut,
    /// The keys that were written or deleted after the event, by database and type.
    pub(super) touched: Vec<(u32, Kind)>,
    /// The keys whose expiry has passed, by database and type.
    pub(super) expired: Vec<(u32, Kind)>,
}

/// How the keys of a data set are encoded.
#[derive(Debug, Clone, Copy)]
pub(super) struct Encoding<'e> {
    pub(super) options: &'e IntoOptions,
    /// The server that the keys are sent to.
    pub(super) server: Server,
    pub(super) target: Target,
    /// The modules that are loaded in the server.
    pub(super) modules: &'e Modules,
    /// The keys that are not sent, because they were written or deleted after the event.
    pub(super) touched: Option<&'e TouchedKeys>,
    /// The time of the server when the run began, in Unix milliseconds.
    pub(super) now_ms: i64,
}

impl Encoding<'_> {
    /// Returns what of a stream is compared.
    pub(super) fn detail(&self) -> Detail {
        Detail::of_rdb(self.target)
    }

    /// Encodes the keys of a shard.
    pub(super) fn shard(&self, keyspace: &Keyspace<'_>) -> OutgoingShard {
        let mut shard = OutgoingShard::default();
        // Bookkeeping of streams that an older server does not have, it does not miss.
        // On the way to a server on this machine, compression saves nothing and takes a tenth of the time.
        let compress = !self.options.endpoint.address.is_local();
        let options =
            write::Options { drop_bookkeeping: true, compress, ..write::Options::default() };
        let mut writer = PayloadWriter::new(self.target, &options);
        let mut fingerprint = Fingerprint::default();
        for db in keyspace.databases() {
            for entry in db.entries().filter(|entry| !entry.value.lacks_elements()) {
                let number = db.number();
                if !self.options.filter.keeps(number, entry, &mut shard.left_out) {
                    continue;
                }
                let kind = entry.value.kind();
                let target_db = self.options.target_db(number);
                if self.touched.is_some_and(|touched| touched.contains(number, entry.key())) {
                    shard.touched.push((target_db, kind));
                    continue;
                }
                let mut expires_ms = entry.expires_ms();
                if expires_ms.is_some_and(|time| time <= self.now_ms) {
                    match self.options.expired {
                        Expired::Drop => {
                            shard.expired.push((target_db, kind));
                            continue;
                        }
                        Expired::Persist => expires_ms = None,
                    }
                }
                let key = self.options.target_name(entry.key());
                let content = match (
                    self.missing_module(&entry.value),
                    payload(&mut writer, number, entry),
                ) {
                    (Some(reason), _) => Content::Impossible(reason),
                    (None, Ok(payload)) => Content::Payload(payload),
                    (None, Err(error)) => self.as_commands(&key, &entry.value, &error),
                };
                shard.keys.push(Outgoing {
                    db: target_db,
                    key,
                    kind,
                    expires_ms,
                    content,
                    fingerprint: fingerprint.of_value(&entry.value, self.detail()),
                    access: entry.access(),
                });
            }
        }
        shard
    }
}

impl Encoding<'_> {
    /// Returns the reason why the server cannot load the value of a module.
    ///
    /// Redis 5.0 and 6.0 exit when they are sent a value of a module that they lack.
    fn missing_module(&self, value: &Value<'_>) -> Option<String> {
        let Value::Module(payload) = value else { return None };
        let name = module_of(payload)?.name();
        let name = Shown(name.as_bytes());
        self.modules.need(self.server, &module_of(payload)?.name()).map(|_| {
            format!("needs the module of {name}, which MODULE LIST of the server does not report")
        })
    }

    /// Returns the commands that create a key of which there is no payload. Some values have a form as commands only.
    fn as_commands(&self, key: &[u8], value: &Value<'_>, error: &KeyError) -> Content {
        let may_have = match error {
            KeyError::Write(_) => true,
            KeyError::Unsupported { as_commands, .. } => *as_commands,
            KeyError::Opaque { .. } | KeyError::KeydbMembers { .. } => false,
        };
        let commands = may_have.then(|| commands(self.server, &temporary_name(key), value));
        match commands {
            Some(Ok(commands)) => Content::Commands(commands),
            _ => Content::Impossible(error.to_string()),
        }
    }
}

/// Returns the name under which a key is built from commands, which is in the same slot and begins with the name of the
/// key, so that a user who may write the key by a pattern like `app:*` may write it, too.
pub(super) fn temporary_name(key: &[u8]) -> Vec<u8> {
    name_in_slot_of(key, b":aofkit-tmp-")
}

/// Returns the commands that give `name` a value.
///
/// # Errors
///
/// The reason why commands cannot create it.
pub(super) fn commands(server: Server, name: &[u8], value: &Value<'_>) -> Result<Vec<u8>, String> {
    let mut writer = CommandWriter::new(server);
    writer.value(name, value).map_err(|unwritable| unwritable.to_string())?;
    Ok(writer.take())
}
