//! The versions that can be written, and the features that each supports.

use std::fmt;

use super::super::header::Magic;
use super::super::reader::HIGHEST_FIELD_EXPIRY;
use super::super::visitor::StreamIdmp;
use super::counters::Counters;
use super::view::{Stream, Value};
use crate::base::error::{Error, ErrorKind};
use crate::base::escape::Shown;
use crate::base::server::{Product, Server};

/// An output version: a magic and a number that belong together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Target {
    magic: Magic,
    version: u32,
}

impl Target {
    /// `REDIS0009`: Redis 5.0 to 6.2; every later version loads it.
    pub const REDIS_9: Target = Target { magic: Magic::Redis, version: 9 };
    /// `REDIS0010`: Redis 7.0; every later version loads it.
    pub const REDIS_10: Target = Target { magic: Magic::Redis, version: 10 };
    /// `REDIS0011`: Redis 7.2 and Valkey 7.2 to 8.1; every later version loads it.
    pub const REDIS_11: Target = Target { magic: Magic::Redis, version: 11 };
    /// `REDIS0012`: Redis 7.4 to 8.4. Valkey does not load it.
    pub const REDIS_12: Target = Target { magic: Magic::Redis, version: 12 };
    /// `REDIS0013`: Redis 8.6 and later. Valkey does not load it.
    pub const REDIS_13: Target = Target { magic: Magic::Redis, version: 13 };
    /// `VALKEY080`: Valkey 9.0 and later. Redis does not load it.
    pub const VALKEY_80: Target = Target { magic: Magic::Valkey, version: 80 };

    /// All output versions, the most widely loaded first.
    pub const ALL: [Target; 6] = [
        Target::REDIS_9,
        Target::REDIS_10,
        Target::REDIS_11,
        Target::REDIS_12,
        Target::REDIS_13,
        Target::VALKEY_80,
    ];

    /// Returns the version that a server of this release line writes itself, or `None` before Redis
    /// 5.0. For Redis after 8.6, it is version 13: the highest that could be tried with a server.
    pub fn for_server(server: Server) -> Option<Target> {
        if server.highest_valkey_rdb().is_some() {
            return Some(Target::VALKEY_80);
        }
        let version = server.highest_redis_rdb().min(Target::REDIS_13.version);
        Target::ALL.into_iter().find(|t| t.magic == Magic::Redis && t.version == version)
    }

    /// Returns whether a server of this release line loads it.
    pub fn loads_on(self, server: Server) -> bool {
        match self.magic {
            Magic::Redis => self.version <= server.highest_redis_rdb(),
            Magic::Valkey => server.highest_valkey_rdb().is_some_and(|v| self.version <= v),
        }
    }

    /// Returns the magic at the beginning of the file.
    pub fn magic(self) -> Magic {
        self.magic
    }

    /// Returns the version after the magic.
    pub fn version(self) -> u32 {
        self.version
    }

    /// Returns whether it has the features of this Redis RDB version.
    pub(super) fn since(self, version: u32) -> bool {
        self.version >= version
    }

    /// Returns whether it can hold this.
    pub fn has(self, feature: Feature) -> bool {
        match feature {
            Feature::Functions | Feature::StreamCounters => self.since(10),
            Feature::ConsumerActivity => self.since(11),
            Feature::FieldExpiry => self.since(12),
            Feature::FarFieldExpiry | Feature::SlotImport => self.magic == Magic::Valkey,
            Feature::StreamProducers => self.magic == Magic::Redis && self.since(13),
            Feature::GivenBackEntries | Feature::Arrays | Feature::KeyMetadata => false,
        }
    }
}

impl fmt::Display for Target {
    /// Formats the version as at the beginning of the file.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.magic {
            Magic::Redis => write!(f, "REDIS{:04}", self.version),
            Magic::Valkey => write!(f, "VALKEY{:03}", self.version),
        }
    }
}

/// A feature that not every version supports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Feature {
    /// Function libraries.
    Functions,
    /// The counters of a stream other than its length, and the number of entries that a group has
    /// read, if they differ from what a server computes when they are missing.
    StreamCounters,
    /// The time at which a consumer was last active, if it differs from the time at which it was
    /// last seen.
    ConsumerActivity,
    /// Hash fields that expire.
    FieldExpiry,
    /// Hash fields whose expiry is later than Redis supports.
    FarFieldExpiry,
    /// Imports of cluster slots that were in progress.
    SlotImport,
    /// What streams remember of their producers, if it differs from that of a new stream.
    StreamProducers,
    /// Entries of streams that consumers gave back.
    GivenBackEntries,
    /// Arrays.
    Arrays,
    /// Metadata that modules attached to keys.
    KeyMetadata,
}

/// The settings of a new stream (*observed* on Redis 8.6.3).
const NEW_STREAM: StreamIdmp =
    StreamIdmp { duration: 100, max_entries: 100, iids_added: 0, duplicates: 0 };

impl Feature {
    const ALL: [Feature; 10] = [
        Feature::Functions,
        Feature::StreamCounters,
        Feature::ConsumerActivity,
        Feature::FieldExpiry,
        Feature::FarFieldExpiry,
        Feature::SlotImport,
        Feature::StreamProducers,
        Feature::GivenBackEntries,
        Feature::Arrays,
        Feature::KeyMetadata,
    ];

    /// Returns whether the feature is only informative: without it, a server behaves as in earlier
    /// versions.
    pub fn is_bookkeeping(self) -> bool {
        matches!(self, Feature::StreamCounters | Feature::ConsumerActivity)
    }
}

impl fmt::Display for Feature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Feature::Functions => "functions",
            Feature::StreamCounters => "the counters of streams and their groups",
            Feature::ConsumerActivity => "the last activity of consumers",
            Feature::FieldExpiry => "fields of hashes that expire",
            Feature::FarFieldExpiry => "fields of hashes that expire later than Redis supports",
            Feature::SlotImport => "imports of cluster slots",
            Feature::StreamProducers => "the producers of streams (XADD with IDMP)",
            Feature::GivenBackEntries => "entries of streams that consumers gave back (XNACK)",
            Feature::Arrays => "arrays",
            Feature::KeyMetadata => "metadata that modules attached to keys",
        })
    }
}

/// The features that a data set requires.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Needs(u16);

impl Needs {
    /// No feature that is not in every version.
    pub const NONE: Needs = Needs(0);

    /// Returns the features that a value requires.
    pub fn of_value(value: &Value<'_>) -> Needs {
        let mut needs = Needs::NONE;
        match value {
            Value::Hash(fields) => {
                if let Some((lowest, highest)) = fields.expiries() {
                    needs.add(Feature::FieldExpiry);
                    if lowest < 1 || highest > HIGHEST_FIELD_EXPIRY {
                        needs.add(Feature::FarFieldExpiry);
                    }
                }
            }
            Value::Stream(stream) => {
                let (stored, made_up) = Counters::stored_and_derived(*stream);
                if !stored.says_as_much_as(&made_up) {
                    needs.add(Feature::StreamCounters);
                }
                let known = stream.info().entries_added.is_some();
                stream.groups(&mut |group| {
                    if known && group.entries_read != stored.read_up_to(group.last_id) {
                        needs.add(Feature::StreamCounters);
                    }
                    let differs = group.consumers.iter().any(|consumer| {
                        consumer.active_ms.is_some_and(|active| active != consumer.seen_ms)
                    });
                    if differs {
                        needs.add(Feature::ConsumerActivity);
                    }
                });
                needs.merge(Needs::of_later(*stream));
            }
            Value::Array => needs.add(Feature::Arrays),
            Value::String(_)
            | Value::List(_)
            | Value::Set(_)
            | Value::Zset(_)
            | Value::Module(_) => {}
        }
        needs
    }

    /// Returns the features that a stream requires and that came after version 11.
    pub(super) fn of_later(stream: &dyn Stream) -> Needs {
        let mut needs = Needs::NONE;
        stream.idmp(&mut |idmp| {
            if !idmp.producers.is_empty() || idmp.config != NEW_STREAM {
                needs.add(Feature::StreamProducers);
            }
        });
        if stream.has_nacked() {
            needs.add(Feature::GivenBackEntries);
        }
        needs
    }

    /// Adds a feature.
    pub fn add(&mut self, feature: Feature) {
        self.0 |= 1 << feature as u16;
    }

    /// Adds all features of `other`.
    pub fn merge(&mut self, other: Needs) {
        self.0 |= other.0;
    }

    /// Returns the features, the oldest first.
    pub fn features(self) -> impl Iterator<Item = Feature> {
        Feature::ALL.into_iter().filter(move |feature| self.0 & 1 << *feature as u16 != 0)
    }

    /// Returns the first feature that `target` does not support.
    pub fn missing(self, target: Target) -> Option<Feature> {
        self.missing_all(target).next()
    }

    pub(super) fn missing_all(self, target: Target) -> impl Iterator<Item = Feature> {
        self.features().filter(move |feature| !target.has(*feature))
    }

    /// Returns the lowest version that servers of this product load and that supports all these
    /// features.
    ///
    /// # Errors
    ///
    /// Returns a feature that no version of the product supports, such as
    /// [`Feature::FarFieldExpiry`] and [`Feature::SlotImport`], which only Valkey has, or
    /// [`Feature::Arrays`], which none has.
    pub fn lowest(self, product: Product) -> Result<Target, Unfit> {
        let own: &[Target] = match product {
            Product::Redis => &[Target::REDIS_12, Target::REDIS_13],
            Product::Valkey => &[Target::VALKEY_80],
        };
        let last = own[own.len() - 1];
        let common = [Target::REDIS_9, Target::REDIS_10, Target::REDIS_11];
        let mut all = common.iter().chain(own).copied();
        let fits = all.find(|target| self.missing(*target).is_none());
        fits.ok_or_else(|| Unfit {
            target: last,
            // The last version lacks a feature, or it would have been found.
            feature: self.missing(last).unwrap_or(Feature::SlotImport),
            key: None,
        })
    }
}

/// A chosen version does not support the data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unfit {
    /// The version.
    pub target: Target,
    /// The missing feature.
    pub feature: Feature,
    /// The database and name of the key that requires it, if it is a key.
    pub key: Option<(u64, Vec<u8>)>,
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an RDB that begins with {} cannot hold {}", self.target, self.feature)?;
        if let Some((db, key)) = &self.key {
            write!(f, ", which key {} of database {db} needs", Shown(key))?;
        }
        Ok(())
    }
}

impl std::error::Error for Unfit {}

impl Unfit {
    /// Converts it to an error that names the targets that have the feature.
    pub(crate) fn into_error(self) -> Error {
        let error = Error::new(ErrorKind::Refused, self.to_string());
        let fit = Target::ALL.into_iter().filter(|target| target.has(self.feature));
        let fit: Vec<String> = fit.map(|target| target.to_string()).collect();
        if fit.is_empty() {
            return error.help("no version that aofkit writes has them");
        }
        error.help(format!("choose a version that has them: {}", fit.join(", ")))
    }
}
