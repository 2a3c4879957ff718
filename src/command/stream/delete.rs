//! XDEL, and its extensions in Redis 8.2: XDELEX and XACKDEL (`xdelCommand` in `t_stream.c`; the
//! others as observed).

use super::super::apply::{Applied, Call, Unapplied};
use super::super::number;
use super::id;
use crate::command::stream::references::{References, is_acknowledged, unclear};
use crate::keyspace::stream::{Stream, StreamId};

const NOT_POSITIVE: Unapplied = Unapplied::Failed("ERR Number of IDs must be a positive integer");
const MISCOUNTED: Unapplied =
    Unapplied::Failed("ERR The `numids` parameter must match the number of arguments");

pub(super) fn xdel(call: &mut Call<'_, '_>) -> Applied {
    let (key, ids) = (call.key(), &call.args[2..]);
    let Some(stream) = call.db().find_mut::<Stream<'_>>(key)? else { return Ok(()) };
    // All ids are parsed before any entry is deleted.
    if let [one] = ids {
        stream.delete(id::id(one)?);
        return Ok(());
    }
    for id in parsed(ids)? {
        stream.delete(id);
    }
    Ok(())
}

fn parsed(ids: &[&[u8]]) -> Result<Vec<StreamId>, Unapplied> {
    ids.iter().map(|text| id::id(text)).collect()
}

/// Parses `[KEEPREF|DELREF|ACKED] IDS <count> <id>...`, in either order.
fn options<'c, 'a>(args: &'c [&'a [u8]]) -> Result<(References, &'c [&'a [u8]]), Unapplied> {
    let (mut references, mut ids) = (None, None);
    let mut at = 0;
    while at < args.len() {
        if let Some(mode) = References::parse(args[at]) {
            if references.replace(mode).is_some() {
                return Err(Unapplied::SYNTAX);
            }
            at += 1;
        } else if args[at].eq_ignore_ascii_case(b"IDS") && at + 1 < args.len() {
            let count = number::integer(args[at + 1]).filter(|count| *count > 0);
            let count = usize::try_from(count.ok_or(NOT_POSITIVE)?).map_err(|_| NOT_POSITIVE)?;
            let listed = args[at + 2..].get(..count).ok_or(MISCOUNTED)?;
            ids = Some(listed);
            at += 2 + count;
        } else {
            return Err(Unapplied::SYNTAX);
        }
    }
    Ok((references.unwrap_or_default(), ids.ok_or(Unapplied::SYNTAX)?))
}

pub(super) fn xdelex(call: &mut Call<'_, '_>) -> Applied {
    let (key, args) = (call.key(), &call.args[2..]);
    let (references, ids) = options(args)?;
    let Some(stream) = call.db().find_mut::<Stream<'_>>(key)? else { return Ok(()) };
    let ids = parsed(ids)?;
    check(stream, &ids, references, None)?;
    for id in ids {
        delete(stream, id, references);
    }
    Ok(())
}

pub(super) fn xackdel(call: &mut Call<'_, '_>) -> Applied {
    let (key, name, args) = (call.key(), call.args[2], &call.args[3..]);
    let (references, ids) = options(args)?;
    let Some(stream) = call.db().find_mut::<Stream<'_>>(key)? else { return Ok(()) };
    if stream.group(name).is_none() {
        return Ok(());
    }
    let ids = parsed(ids)?;
    check(stream, &ids, references, Some(name))?;
    for id in ids {
        if stream.group_mut(name).is_some_and(|group| group.acknowledge(id)) {
            delete(stream, id, references);
        }
    }
    Ok(())
}

/// Refuses the whole command, before it has any effect, if the result is uncertain for one entry.
/// Entries pending in the group that is about to acknowledge them do not count as referenced there.
fn check(
    stream: &Stream<'_>,
    ids: &[StreamId],
    references: References,
    acknowledging: Option<&[u8]>,
) -> Applied {
    if references != References::Acknowledged {
        return Ok(());
    }
    for id in ids.iter().copied().filter(|id| stream.contains(*id)) {
        let pending_there = acknowledging
            .and_then(|name| stream.group(name))
            .is_some_and(|group| group.is_pending(id) && id <= group.last_id());
        let mut others = stream.groups().filter(|(name, _)| Some(*name) != acknowledging);
        if pending_there && !others.any(|(_, group)| id > group.last_id() || group.is_pending(id)) {
            unclear(stream, id)?;
        } else {
            is_acknowledged(stream, id)?;
        }
    }
    Ok(())
}

fn delete(stream: &mut Stream<'_>, id: StreamId, references: References) {
    if references == References::Acknowledged && stream.is_referenced(id) {
        return;
    }
    stream.delete(id);
    // Including references to an entry that was deleted before.
    if references == References::Delete {
        stream.forget_pending(id);
    }
}
