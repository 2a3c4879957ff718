//! The keys of a data set in the form that the writer of an RDB requires.

use std::io::Write;

use crate::base::escape::Shown;
use crate::keyspace::stream::Iid;
use crate::keyspace::{Db, Entry, Hash, Keyspace, List, Set, Stream, Value, Zset, stream};
use crate::rdb::write::{
    Consumer, Elements, Fields, Group, Idmp, KeyNotes, Needs, PayloadWriter, Pending, Producer,
    Scored, Stream as StreamView, Value as View, WriteError,
};
use crate::rdb::{StreamId, StreamInfo, Writer};

/// The reason why a key was not written.
#[derive(Debug)]
pub enum KeyError {
    /// Writing failed, or the version does not support the value.
    Write(WriteError),
    /// The key was changed by unsupported commands, so its value is unknown.
    Opaque {
        /// The key.
        key: Vec<u8>,
    },
    /// The key has something that no output version supports.
    Unsupported {
        /// The key.
        key: Vec<u8>,
        /// What it has.
        what: &'static str,
        /// Whether commands can create it.
        as_commands: bool,
    },
    /// The key has members that expire in KeyDB.
    KeydbMembers {
        /// The key.
        key: Vec<u8>,
    },
}

impl std::fmt::Display for KeyError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            KeyError::Write(error) => error.fmt(f),
            KeyError::Opaque { key } => write!(
                f,
                "an RDB cannot hold key {}, which commands have changed that are not understood",
                Shown(key)
            ),
            KeyError::KeydbMembers { key } => {
                write!(f, "key {} has members that expire, which only KeyDB has", Shown(key))
            }
            KeyError::Unsupported { key, what, .. } => {
                write!(
                    f,
                    "no RDB version that can be written holds {what}, which key {} has",
                    Shown(key)
                )
            }
        }
    }
}

impl std::error::Error for KeyError {}

impl From<WriteError> for KeyError {
    fn from(error: WriteError) -> Self {
        KeyError::Write(error)
    }
}

/// Writes every database that is not empty.
///
/// # Errors
///
/// Fails at the first key that cannot be written; the keys before it are written.
pub fn write_databases<W: Write>(
    writer: &mut Writer<W>,
    keyspace: &Keyspace<'_>,
) -> Result<(), KeyError> {
    keyspace.databases().filter(|db| !db.is_empty()).try_for_each(|db| write_db(writer, db))
}

/// Writes a database: its index, its sizes, its keys.
///
/// # Errors
///
/// Fails like [`write_databases`].
pub fn write_db<W: Write>(writer: &mut Writer<W>, db: &Db<'_>) -> Result<(), KeyError> {
    let with_expiry = db.entries().filter(|entry| entry.expires_ms().is_some()).count();
    writer.select_db(u64::from(db.number()), db.len() as u64, with_expiry as u64)?;
    db.entries().try_for_each(|entry| write_key(writer, entry))
}

/// Writes a key, its expiry and its value. Empty collections are omitted.
///
/// # Errors
///
/// Returns a [`WriteError`], or an error for an [opaque](Value::Opaque) key, which cannot be
/// represented in an RDB. Nothing of the key is written in that case, and the writer can continue
/// without it.
pub fn write_key<W: Write>(writer: &mut Writer<W>, entry: &Entry<'_>) -> Result<(), KeyError> {
    check_supported(entry)?;
    let notes = KeyNotes { expires_ms: entry.expires_ms(), ..KeyNotes::default() };
    with_view(entry, |view| writer.key(entry.key(), &notes, view))??;
    Ok(())
}

/// Returns the payload of DUMP of a key.
///
/// # Errors
///
/// Returns the errors of [`write_key`].
pub(crate) fn payload(
    writer: &mut PayloadWriter,
    db: u32,
    entry: &Entry<'_>,
) -> Result<Vec<u8>, KeyError> {
    check_supported(entry)?;
    Ok(with_view(entry, |view| writer.payload((db, entry.key()), view))??)
}

/// Returns the features that a key requires of the output version. An opaque key requires none,
/// because no version supports it.
pub fn needs(entry: &Entry<'_>) -> Needs {
    match &entry.value {
        // Every version supports all other values.
        Value::Hash(_) | Value::Stream(_) | Value::Array(_) => {
            with_view(entry, Needs::of_value).unwrap_or(Needs::NONE)
        }
        _ => Needs::NONE,
    }
}

/// Returns the features that all keys of a data set require of the output version.
pub fn needs_of_all(keyspace: &Keyspace<'_>) -> Needs {
    let mut all = Needs::NONE;
    for entry in keyspace.databases().flat_map(Db::entries) {
        all.merge(needs(entry));
    }
    all
}

fn with_view<R>(entry: &Entry<'_>, visit: impl FnOnce(&View<'_>) -> R) -> Result<R, KeyError> {
    Ok(match &entry.value {
        Value::String(value) => value.with(|bytes| visit(&View::String(bytes))),
        Value::List(list) => visit(&View::List(&**list)),
        Value::Set(set) => visit(&View::Set(&**set)),
        Value::Zset(zset) => visit(&View::Zset(&**zset)),
        Value::Hash(hash) => visit(&View::Hash(&**hash)),
        Value::Stream(stream) => visit(&View::Stream(&**stream)),
        Value::Module(payload) => visit(&View::Module(payload)),
        Value::Opaque(_) => return Err(KeyError::Opaque { key: entry.key().to_vec() }),
        Value::Array(_) => visit(&View::Array),
    })
}

fn unsupported(entry: &Entry<'_>, what: &'static str, as_commands: bool) -> KeyError {
    KeyError::Unsupported { key: entry.key().to_vec(), what, as_commands }
}

/// Returns an error if the key has a property that the writer does not know.
fn check_supported(entry: &Entry<'_>) -> Result<(), KeyError> {
    if entry.has_metadata() {
        return Err(unsupported(entry, "the metadata of a module", false));
    }
    if entry.expiring_members().next().is_some() {
        return Err(KeyError::KeydbMembers { key: entry.key().to_vec() });
    }
    if let Value::Stream(stream) = &entry.value
        && let Some(idmp) = stream.idmp()
        && (idmp.producers())
            .any(|(_, producer)| producer.ids().any(|(iid, _)| given(iid).is_none()))
    {
        return Err(unsupported(entry, "an id that the server computes (IDMPAUTO)", true));
    }
    Ok(())
}

/// Returns the id that a producer gave an entry; `None` if a server computes it, which is not known
/// how to do.
fn given<'a>(iid: Iid<'a>) -> Option<&'a [u8]> {
    match iid {
        Iid::Given(iid) => Some(iid),
        Iid::OfFields(_) => None,
    }
}

impl Elements for List<'_> {
    fn len(&self) -> usize {
        self.elements.len()
    }

    fn each(&self, visit: &mut dyn FnMut(&[u8])) {
        self.elements.iter().for_each(|element| visit(element));
    }
}

impl Elements for Set<'_> {
    fn len(&self) -> usize {
        Set::len(self)
    }

    fn each(&self, visit: &mut dyn FnMut(&[u8])) {
        self.members().for_each(visit);
    }
}

impl Scored for Zset<'_> {
    fn len(&self) -> usize {
        Zset::len(self)
    }

    /// From the highest score to the lowest: servers write this order, and load it fastest.
    fn each(&self, visit: &mut dyn FnMut(&[u8], f64)) {
        self.descending().into_iter().for_each(|(member, score)| visit(member, score));
    }
}

impl Fields for Hash<'_> {
    fn len(&self) -> usize {
        Hash::len(self)
    }

    fn each(&self, visit: &mut dyn FnMut(&[u8], &[u8], Option<i64>)) {
        for (field, value, expires_ms) in self.fields() {
            value.with(|value| visit(field, value, expires_ms));
        }
    }

    fn expiries(&self) -> Option<(i64, i64)> {
        self.expiry_range()
    }
}

impl StreamView for Stream<'_> {
    fn info(&self) -> StreamInfo {
        Stream::info(self)
    }

    fn entries(&self, visit: &mut dyn FnMut(StreamId, &[(&[u8], &[u8])])) {
        let mut pairs = Vec::new();
        for (id, fields) in Stream::entries(self) {
            pairs.clear();
            pairs.extend(fields.iter());
            visit(id, &pairs);
        }
    }

    fn groups(&self, visit: &mut dyn FnMut(&Group<'_>)) {
        for (name, group) in Stream::groups(self) {
            let pending: Vec<Pending> = group.pending().map(pending_view).collect();
            let ids: Vec<Vec<StreamId>> =
                group.consumers().map(|consumer| consumer.pending().collect()).collect();
            let consumers: Vec<Consumer<'_>> = (group.consumers().zip(&ids))
                .map(|(consumer, pending)| Consumer {
                    name: consumer.name(),
                    seen_ms: consumer.seen_ms(),
                    active_ms: consumer.active_ms(),
                    pending,
                })
                .collect();
            visit(&Group {
                name,
                last_id: group.last_id(),
                entries_read: group.entries_read(),
                pending: &pending,
                consumers: &consumers,
            });
        }
    }

    fn idmp(&self, visit: &mut dyn FnMut(&Idmp<'_>)) {
        let Some(idmp) = Stream::idmp(self) else { return };
        let entries: Vec<Vec<(&[u8], StreamId)>> = idmp
            .producers()
            .map(|(_, producer)| {
                producer.ids().filter_map(|(iid, id)| Some((given(iid)?, id))).collect()
            })
            .collect();
        let producers: Vec<Producer<'_>> = (idmp.producers().zip(&entries))
            .map(|((pid, _), entries)| Producer { pid, entries })
            .collect();
        visit(&Idmp { config: *idmp.config(), producers: &producers });
    }

    fn has_nacked(&self) -> bool {
        Stream::groups(self).any(|(_, group)| !group.nacked().is_empty())
    }
}

fn pending_view(pending: stream::Pending) -> Pending {
    let stream::Pending { id, delivered_ms, deliveries } = pending;
    Pending { id, delivered_ms, deliveries }
}
