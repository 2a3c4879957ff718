//! Options of sending a data set to a running server.

use std::time::Duration;

use serde::Serialize;

use crate::analysis::data_filter::Filter;
use crate::live::endpoint::{Address, Endpoint};
use crate::ops::recover::Expired;

/// The treatment of keys that exist in the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ExistingKeys {
    /// They are never changed.
    #[default]
    Keep,
    /// They are replaced.
    Replace,
    /// Nothing is sent if any of the keys exists.
    Fail,
    /// They get the fields, members and later entries that they lack; strings and lists are kept.
    Union,
}

/// The highest speed at which keys are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SendRate {
    /// As fast as the server answers others without delay.
    #[default]
    Adaptive,
    /// At most so many bytes a second.
    Bytes(u64),
    /// At most so many keys a second.
    Keys(u64),
    /// As fast as the server takes them.
    Unlimited,
}

/// The keys that are read back and compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ReadBack {
    /// The first 100,000 keys, and a sample of one in a hundred of the others.
    #[default]
    Sampled,
    /// Every key.
    All,
    /// No key.
    None,
}

/// Options of sending a data set to a running server.
#[derive(Debug, Clone)]
#[cfg_attr(not(feature = "internals"), non_exhaustive)]
pub struct IntoOptions {
    /// The server, or a node of the cluster.
    pub endpoint: Endpoint,
    /// The treatment of keys that exist there.
    pub existing: ExistingKeys,
    /// Whether keys are sent that the log shows written or deleted after the event that is undone.
    pub also_deleted: bool,
    /// The treatment of keys whose expiry has passed.
    pub expired: Expired,
    /// The keys to send.
    pub filter: Filter,
    /// Pairs of a database of the data set and the database to which its keys are sent.
    pub map_db: Vec<(u32, u32)>,
    /// Pairs of a prefix of names and the prefix that replaces it; the first that matches applies.
    pub rename_prefix: Vec<(Vec<u8>, Vec<u8>)>,
    /// The highest speed.
    pub rate: SendRate,
    /// The keys that are read back and compared.
    pub read_back: ReadBack,
    /// Whether function libraries are sent.
    pub functions: bool,
    /// Whether the server is only asked what would be done.
    pub dry_run: bool,
    /// The time for which a lost connection or a busy server is retried.
    pub retry_for: Duration,
}

impl IntoOptions {
    /// Returns the options to send every key to the server at `endpoint`, and to change no key that exists there.
    pub fn new(endpoint: Endpoint) -> Self {
        IntoOptions {
            endpoint,
            existing: ExistingKeys::default(),
            also_deleted: false,
            expired: Expired::default(),
            filter: Filter::default(),
            map_db: Vec::new(),
            rename_prefix: Vec::new(),
            rate: SendRate::default(),
            read_back: ReadBack::default(),
            functions: false,
            dry_run: false,
            retry_for: Duration::from_secs(30),
        }
    }

    /// Returns the address of the server.
    pub fn address(&self) -> &Address {
        &self.endpoint.address
    }

    /// Returns the database to which the keys of `db` are sent.
    pub(super) fn target_db(&self, db: u32) -> u32 {
        self.map_db.iter().find(|(from, _)| *from == db).map_or(db, |(_, to)| *to)
    }

    /// Returns the name under which a key is sent.
    pub(super) fn target_name(&self, key: &[u8]) -> Vec<u8> {
        let renamed = self.rename_prefix.iter().find_map(|(old, new)| {
            key.strip_prefix(old.as_slice()).map(|rest| [new.as_slice(), rest].concat())
        });
        renamed.unwrap_or_else(|| key.to_vec())
    }
}
