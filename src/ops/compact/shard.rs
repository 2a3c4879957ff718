//! Encoding one shard of a data set.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use super::module_data::ModuleRule;
use super::output::{Piece, Style};
use crate::analysis::data_filter::{Filter, LeftOut};
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::escape::Shown;
use crate::base::server::Server;
use crate::keyspace::fingerprint::{Detail, Fingerprint};
use crate::keyspace::{Db, Entry, Keyspace, Value};
use crate::rdb::Kind;
use crate::rdb::write::{Feature, WriteError, Writer};
use crate::replay::{PrefixCounter, Prefixes};
use crate::rewrite::commands::{CommandWriter, Unwritable};
use crate::rewrite::fit::Losses;
use crate::rewrite::rdb::{KeyError, write_key};

/// An encoded shard.
pub(super) struct Encoded {
    pub(super) pieces: Vec<Piece>,
    pub(super) counted: Counted,
}

/// Counters of the encoded keys.
#[derive(Debug, Clone, Default)]
pub(super) struct Counted {
    /// The fingerprint of the data that the form represents.
    pub(super) fingerprint: Fingerprint,
    /// The fingerprint of all data.
    pub(super) whole: Fingerprint,
    /// The number of keys by database and type.
    pub(super) keys: BTreeMap<(u32, Kind), u64>,
    pub(super) with_expiry: u64,
    pub(super) left_out: LeftOut,
    /// The number of keys whose expiry was removed because it has passed.
    pub(super) persisted: u64,
    /// What was removed because it does not fit.
    pub(super) losses: Losses,
    /// The number of bytes written by key prefix, in the sampled shards.
    pub(super) prefixes: Prefixes,
}

impl Counted {
    fn note(&mut self, db: u32, entry: &Entry<'_>, detail: Detail) {
        let carried = self.fingerprint.of_entry(db, entry, detail);
        // Only streams have properties that some forms cannot represent.
        let whole = match &entry.value {
            Value::Stream(_) => self.whole.of_entry(db, entry, Detail::All),
            _ => carried,
        };
        self.fingerprint.add_sum(carried);
        self.whole.add_sum(whole);
        *self.keys.entry((db, entry.value.kind())).or_default() += 1;
        self.with_expiry += u64::from(entry.expires_ms().is_some());
    }

    pub(super) fn join(&mut self, other: Counted) {
        self.fingerprint.join(&other.fingerprint);
        self.whole.join(&other.whole);
        for (of, keys) in other.keys {
            *self.keys.entry(of).or_default() += keys;
        }
        self.with_expiry += other.with_expiry;
        self.left_out.join(other.left_out);
        self.persisted += other.persisted;
        self.losses.join(other.losses);
        self.prefixes.join(other.prefixes);
    }

    pub(super) fn total(&self) -> u64 {
        self.keys.values().sum()
    }
}

/// Counts the keys of a shard.
pub(super) fn count(keyspace: &Keyspace<'_>, filter: &Filter, detail: Detail) -> Result<Counted> {
    let mut counted = Counted::default();
    for db in keyspace.databases() {
        each(db, filter, detail, &mut counted, |_| Ok(()))?;
    }
    Ok(counted)
}

/// Encodes a shard. A feature that the style cannot represent is stored in `unfit`.
pub(super) fn make<'a>(
    keyspace: &Keyspace<'a>,
    filter: &Filter,
    detail: Detail,
    style: &Style,
    modules: ModuleRule<'_>,
    unfit: &Mutex<Option<Feature>>,
    is_sample: bool,
) -> Result<Encoded> {
    let mut counted = Counted::default();
    let mut pieces = Vec::new();
    let mut prefixes = PrefixCounter::default();
    let mut count = |key: &'a [u8], bytes: usize| {
        if is_sample {
            prefixes.add(key, bytes);
        }
    };
    for db in keyspace.databases().filter(|db| !db.is_empty()) {
        let mut of_db = Counted::default();
        let (bytes, sum) = match style {
            Style::Commands(server) => {
                let mut writer = CommandWriter::new(*server);
                each(db, filter, detail, &mut of_db, |entry| {
                    let before = writer.buffer().len();
                    let written = writer.key(entry).map_err(|error| {
                        note(unfit, feature_of(error));
                        unwritable(error, db.number(), entry.key(), *server)
                    });
                    count(entry.key(), writer.buffer().len() - before);
                    written
                })?;
                (writer.take(), 0)
            }
            Style::Rdb { target, options, .. } => {
                let mut bytes = Vec::new();
                let mut writer = Writer::part(&mut bytes, *target, options);
                each(db, filter, detail, &mut of_db, |entry| {
                    modules.check_key(db.number(), entry)?;
                    let before = writer.written();
                    let written = write_key(&mut writer, entry).map_err(|error| {
                        if let KeyError::Write(WriteError::Unfit(found)) = &error {
                            note(unfit, Some(found.feature));
                        }
                        key_error(error, db.number())
                    });
                    count(entry.key(), usize::try_from(writer.written() - before).unwrap_or(0));
                    written
                })?;
                let part = writer.finish_part().map_err(|error| error.at("memory"))?;
                (bytes, part.sum)
            }
        };
        if !bytes.is_empty() {
            let (keys, with_expiry) = (of_db.total(), of_db.with_expiry);
            pieces.push(Piece { db: db.number(), keys, with_expiry, bytes, sum });
        }
        counted.join(of_db);
    }
    counted.prefixes = prefixes.finish();
    Ok(Encoded { pieces, counted })
}

fn note(unfit: &Mutex<Option<Feature>>, feature: Option<Feature>) {
    *unfit.lock().unwrap_or_else(PoisonError::into_inner) = feature;
}

/// Returns the feature that a target lacks if something cannot be written as commands.
pub(super) fn feature_of(error: Unwritable) -> Option<Feature> {
    match error {
        Unwritable::FieldExpiry => Some(Feature::FieldExpiry),
        Unwritable::Functions => Some(Feature::Functions),
        Unwritable::Producers => Some(Feature::StreamProducers),
        Unwritable::GivenBack => Some(Feature::GivenBackEntries),
        Unwritable::Array => Some(Feature::Arrays),
        Unwritable::Module
        | Unwritable::Stream
        | Unwritable::ProducedEntry
        | Unwritable::Metadata
        | Unwritable::KeydbMembers => None,
    }
}

/// The way out where no form can hold a key.
const EXCLUDE: &str =
    "--exclude leaves the key out; the server that wrote the log can rewrite it with the key";

/// The ways out where members of a key expire in KeyDB.
const WITHOUT_EXPIRY: &str = "convert --for VERSION --allow-loss writes the members without their expiry; --exclude leaves \
     the key out";

fn unwritable(error: Unwritable, db: u32, key: &[u8], server: Server) -> Error {
    let message =
        format!("key {} of database {db} cannot be written for {server}: {error}", Shown(key));
    let help = match error {
        Unwritable::Module => {
            "write an RDB, which carries it as it is: --format preamble, multipart or rdb"
        }
        Unwritable::Metadata | Unwritable::ProducedEntry => EXCLUDE,
        Unwritable::KeydbMembers => WITHOUT_EXPIRY,
        _ => "name a newer server with --for",
    };
    Error::new(ErrorKind::Refused, message).help(help)
}

fn key_error(error: KeyError, db: u32) -> Error {
    match error {
        KeyError::Write(error) => error.at("memory"),
        KeyError::Unsupported { key, what, as_commands } => Error::new(
            ErrorKind::Refused,
            format!("key {} of database {db} has {what}, which no RDB that is written here can hold", Shown(&key)),
        )
        .help(if as_commands { "write commands: --format aof or multipart-aof" } else { EXCLUDE }),
        KeyError::KeydbMembers { key } => Error::new(
            ErrorKind::Refused,
            format!("key {} of database {db} has members that expire, which only KeyDB has", Shown(&key)),
        )
        .help(WITHOUT_EXPIRY),
        KeyError::Opaque { key } => Error::new(
            ErrorKind::Refused,
            format!(
                "an RDB cannot hold key {} of database {db}, which was changed by commands that are not \
                 understood",
                Shown(&key)
            ),
        )
        .help("write commands, which carries them as they are: --format aof or multipart-aof"),
    }
}

/// The number of keys by which values are prefetched: most values are in the log, at the position of their last
/// command.
const ASK_AHEAD: usize = 8;

fn each<'a>(
    db: &Db<'a>,
    filter: &Filter,
    detail: Detail,
    counted: &mut Counted,
    mut write: impl FnMut(&Entry<'a>) -> Result<()>,
) -> Result<()> {
    let all = filter.is_none();
    let mut ahead = db.entries().skip(ASK_AHEAD);
    for entry in db.entries() {
        if let Some(later) = ahead.next() {
            later.value.ask();
        }
        // No form can represent a value without elements.
        if entry.value.lacks_elements() {
            continue;
        }
        if all || filter.keeps(db.number(), entry, &mut counted.left_out) {
            counted.note(db.number(), entry, detail);
            write(entry)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keyspace::{Bump, Hash};

    /// It would be reported as missing when the output is read back.
    #[test]
    fn an_empty_hash_is_not_counted() {
        let arena = Bump::new();
        let mut keyspace = Keyspace::new(&arena);
        keyspace.db(0).set(b"h", Value::Hash(Box::<Hash<'_>>::default()));
        let counted = count(&keyspace, &Filter::default(), Detail::All).expect("nothing fails");
        assert_eq!((counted.total(), counted.fingerprint), (0, Fingerprint::default()));
    }
}
