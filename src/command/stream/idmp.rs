//! Entries that a producer adds with ids of its own: the options IDMP and IDMPAUTO of XADD, XCFGSET, and
//! XIDMPRECORD, which only rewritten logs contain (Redis 8.6 and later). *Observed* on 8.6.3.
//!
//! A server logs an entry that it added with its id, and a duplicate with the id `*` of the client. So
//! a loader detects the duplicates again. It forgets no id because of its age, unlike the server that
//! wrote the log.

use super::super::apply::{Applied, Call, Unapplied};
use super::super::number;
use super::id;
use crate::base::server::{Product, Server};
use crate::keyspace::stream::{Fields, Iid, Producer, Stream, StreamId};

const NO_PRODUCER: Unapplied =
    Unapplied::Failed("ERR syntax error, IDMP requires a non-empty producer ID");
const NO_IID: Unapplied =
    Unapplied::Failed("ERR syntax error, IDMP requires a non-empty idempotent ID");
const TWICE: Unapplied =
    Unapplied::Failed("ERR syntax error, IDMP/IDMPAUTO specified multiple times");
const NO_PARAMETER: Unapplied = Unapplied::Failed("ERR At least one parameter must be specified");
const BAD_DURATION: Unapplied =
    Unapplied::Failed("ERR IDMP-DURATION must be between 1 and 86400 seconds");
const BAD_MAXSIZE: Unapplied =
    Unapplied::Failed("ERR IDMP-MAXSIZE must be between 1 and 10000 entries");
const NO_ENTRY: Unapplied = Unapplied::Failed("ERR the stream has no entry with this ID");
const ANOTHER_ENTRY: Unapplied =
    Unapplied::Failed("ERR the producer and its ID belong to another entry");

/// Length in bytes of the ids that servers compute from the fields of an entry.
const COMPUTED_BYTES: usize = 16;

/// The options IDMP and IDMPAUTO.
#[derive(Debug, Clone, Copy)]
pub(super) struct Produced<'a> {
    pid: &'a [u8],
    /// `None` if the server computes it from the fields.
    iid: Option<&'a [u8]>,
}

pub(super) fn known(server: Server) -> bool {
    server.product == Product::Redis && server.has_redis(8, 6)
}

impl<'a> Produced<'a> {
    /// Parses the options that begin with the first of `args`, and returns the number of arguments
    /// that they take; `None` if there are none.
    pub(super) fn parse(
        args: &[&'a [u8]],
        before: Option<Produced<'a>>,
    ) -> Result<Option<(Produced<'a>, usize)>, Unapplied> {
        let (produced, taken) = match args {
            [name, pid, iid, ..] if name.eq_ignore_ascii_case(b"IDMP") => {
                (Produced { pid, iid: Some(iid) }, 3)
            }
            [name, pid, ..] if name.eq_ignore_ascii_case(b"IDMPAUTO") => {
                (Produced { pid, iid: None }, 2)
            }
            _ => return Ok(None),
        };
        if before.is_some() {
            return Err(TWICE);
        }
        if produced.pid.is_empty() {
            return Err(NO_PRODUCER);
        }
        if produced.iid.is_some_and(<[u8]>::is_empty) {
            return Err(NO_IID);
        }
        Ok(Some((produced, taken)))
    }

    fn key(&self, pairs: &[&'a [u8]]) -> Iid<'a> {
        self.iid.map_or_else(|| Iid::OfFields(digest(pairs)), Iid::Given)
    }

    /// Returns whether the producer has added the entry before, and counts it if so. `is_logged_as`
    /// is whether the log contains it as a duplicate.
    pub(super) fn is_duplicate(
        &self,
        stream: &mut Stream<'a>,
        pairs: &[&'a [u8]],
        is_logged_as: bool,
    ) -> bool {
        let known =
            stream.idmp().and_then(|idmp| idmp.producer(self.pid)).is_some_and(|producer| {
                let key = self.key(pairs);
                producer.entry(key).is_some()
                    || matches!(key, Iid::OfFields(digest)
                    if may_be_computed(stream, producer, digest, is_logged_as))
            });
        if known {
            stream.idmp_mut().count_duplicate();
        }
        known
    }

    /// Records that the producer added an entry. `keep` copies the names.
    pub(super) fn record(&self, stream: &mut Stream<'a>, pairs: &[&'a [u8]], id: StreamId) {
        stream.idmp_mut().record(self.pid, self.key(pairs), id);
    }
}

/// Returns whether one of the ids in an RDB or of XIDMPRECORD is the one that a server computes for
/// these fields. How it is computed is not known, so the entry that has the id is compared. If that
/// entry was deleted, the log decides.
fn may_be_computed(
    stream: &Stream<'_>,
    producer: &Producer<'_>,
    wanted: u128,
    is_logged_as: bool,
) -> bool {
    producer.ids().any(|(iid, id)| match iid {
        Iid::Given(iid) if iid.len() == COMPUTED_BYTES => match stream.fields(id) {
            Some(fields) => digest_of(fields) == wanted,
            None => is_logged_as,
        },
        _ => false,
    })
}

fn digest(pairs: &[&[u8]]) -> u128 {
    pairs.chunks_exact(2).fold(0, |sum, pair| sum_of(sum, pair[0], pair[1]))
}

fn digest_of(fields: Fields<'_>) -> u128 {
    fields.iter().fold(0, |sum, (field, value)| sum_of(sum, field, value))
}

/// The order of the fields does not matter.
fn sum_of(sum: u128, field: &[u8], value: &[u8]) -> u128 {
    let bytes = [&field.len().to_le_bytes(), field, value].concat();
    sum.wrapping_add(xxhash_rust::xxh3::xxh3_128(&bytes))
}

pub(super) fn xcfgset(call: &mut Call<'_, '_>) -> Applied {
    let (mut duration, mut max_entries) = (None, None);
    let mut at = 2;
    while at < call.args.len() {
        let (slot, highest, error) = if call.is(at, "IDMP-DURATION") {
            (&mut duration, 86_400, BAD_DURATION)
        } else if call.is(at, "IDMP-MAXSIZE") {
            (&mut max_entries, 10_000, BAD_MAXSIZE)
        } else {
            return Err(Unapplied::SYNTAX);
        };
        let text = call.args.get(at + 1).ok_or(Unapplied::SYNTAX)?;
        let value = number::integer(text).ok_or(Unapplied::NOT_AN_INTEGER)?;
        let value = u64::try_from(value).ok().filter(|value| (1..=highest).contains(value));
        if slot.replace(value.ok_or(error)?).is_some() {
            return Err(Unapplied::SYNTAX);
        }
        at += 2;
    }
    if duration.is_none() && max_entries.is_none() {
        return Err(NO_PARAMETER);
    }
    let key = call.key();
    let stream: &mut Stream<'_> = call.db().find_mut(key)?.ok_or(Unapplied::NO_SUCH_KEY)?;
    stream.idmp_mut().configure(duration, max_entries);
    Ok(())
}

pub(super) fn xidmprecord(call: &mut Call<'_, '_>) -> Applied {
    let (key, pid, iid) = (call.key(), call.args[2], call.args[3]);
    if pid.is_empty() {
        return Err(NO_PRODUCER);
    }
    if iid.is_empty() {
        return Err(NO_IID);
    }
    let id = id::id(call.args[4])?;
    let stream: &mut Stream<'_> = call.db().find_mut(key)?.ok_or(Unapplied::NO_SUCH_KEY)?;
    if !stream.contains(id) {
        return Err(NO_ENTRY);
    }
    let idmp = stream.idmp_mut();
    match idmp.producer(pid).and_then(|producer| producer.entry(Iid::Given(iid))) {
        Some(other) if other != id => Err(ANOTHER_ENTRY),
        Some(_) => Ok(()),
        None => {
            idmp.record(pid, Iid::Given(iid), id);
            Ok(())
        }
    }
}
