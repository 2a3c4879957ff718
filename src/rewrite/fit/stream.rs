//! What a server or a form cannot hold of a stream.

use super::destination::Destination;
use super::losses::{LossKind, Losses};
use crate::keyspace::stream::{Group, Idmp, Iid, Stream, StreamId};
use crate::keyspace::{Entry, Value};
use crate::rdb::write::Feature;
use crate::rewrite::commands::{CommandWriter, Unwritable};
use crate::rewrite::rdb::needs;

/// Makes a stream fit.
pub(super) fn fit(
    place: (u32, &[u8]),
    entry: &mut Entry<'_>,
    to: &Destination<'_>,
    losses: &mut Losses,
) {
    let has_counters = to.has(Feature::StreamCounters) || !needs_counters(entry);
    let Value::Stream(stream) = &mut entry.value else { return };
    if !has_counters {
        losses.add(LossKind::StreamCounters, place, 1, to.other_has(Feature::StreamCounters));
    }
    if to.has_consumer_times {
        let times = lost_times(stream, to);
        losses.add(LossKind::ConsumerTimes, place, times, to.other_has(Feature::ConsumerActivity));
    }
    if !to.has(Feature::GivenBackEntries) {
        let count = forget(stream, given_back);
        losses.add(LossKind::GivenBack, place, count, to.other_has(Feature::GivenBackEntries));
    }
    if to.is_commands() {
        let has_other = to.other().is_some();
        let count = forget(stream, deleted_pending);
        losses.add(LossKind::DeletedPending, place, count, has_other);
        if !to.server.has_redis(6, 2) {
            let count = remove_idle_consumers(stream);
            losses.add(LossKind::IdleConsumers, place, count, has_other);
        }
    }
    if stream.idmp().is_some_and(|idmp| !idmp.is_default()) {
        fit_producers(place, entry, to, losses);
    }
}

fn needs_counters(entry: &Entry<'_>) -> bool {
    needs(entry).features().any(|feature| feature == Feature::StreamCounters)
}

/// Returns the number of consumers whose times are lost: in commands both of all, in old RDBs the activity.
fn lost_times(stream: &Stream<'_>, to: &Destination<'_>) -> u64 {
    if to.has(Feature::ConsumerActivity) {
        return 0;
    }
    let consumers = stream.groups().flat_map(|(_, group)| group.consumers());
    let lost = consumers.filter(|consumer| {
        let differs = |active: i64| active != consumer.seen_ms();
        to.is_commands() || consumer.active_ms().is_some_and(differs)
    });
    lost.count() as u64
}

/// The pending entries of each group, by the number of the group.
type OfGroups = Vec<Vec<StreamId>>;

fn given_back(stream: &Stream<'_>) -> OfGroups {
    stream.groups().map(|(_, group)| group.nacked().to_vec()).collect()
}

fn deleted_pending(stream: &Stream<'_>) -> OfGroups {
    let of_group = |group: &Group<'_>| {
        group.pending().map(|pending| pending.id).filter(|id| !stream.contains(*id)).collect()
    };
    stream.groups().map(|(_, group)| of_group(group)).collect()
}

/// Removes pending entries from their groups, and returns their number.
fn forget(stream: &mut Stream<'_>, find: impl Fn(&Stream<'_>) -> OfGroups) -> u64 {
    let ids = find(stream);
    let mut count = 0;
    for ((_, group), ids) in stream.groups_mut().zip(ids) {
        for id in ids {
            count += u64::from(group.acknowledge(id));
        }
    }
    count
}

fn remove_idle_consumers(stream: &mut Stream<'_>) -> u64 {
    let mut count = 0;
    for (_, group) in stream.groups_mut() {
        let idle = group.consumers().filter(|consumer| consumer.pending().len() == 0);
        let names: Vec<_> = idle.map(|consumer| consumer.name()).collect();
        for name in names {
            count += u64::from(group.remove_consumer(name));
        }
    }
    count
}

fn fit_producers(
    place: (u32, &[u8]),
    entry: &mut Entry<'_>,
    to: &Destination<'_>,
    losses: &mut Losses,
) {
    if !to.has(Feature::StreamProducers) {
        losses.add(LossKind::StreamProducers, place, 1, false);
    } else if !to.is_commands() {
        let Value::Stream(stream) = &mut entry.value else { return };
        let count = stream.idmp_mut().forget_computed();
        losses.add(LossKind::ComputedIds, place, count, to.other().is_some());
        return;
    } else if CommandWriter::new(to.server).key(entry) == Err(Unwritable::ProducedEntry) {
        losses.add(LossKind::StreamProducers, place, 1, to.other().is_some());
    } else {
        let Value::Stream(stream) = &entry.value else { return };
        let differs = stream.idmp().is_some_and(|idmp| !commands_rebuild(idmp, stream));
        losses.add(LossKind::ProducerCounters, place, u64::from(differs), to.other().is_some());
        return;
    }
    let Value::Stream(stream) = &mut entry.value else { return };
    stream.clear_idmp();
}

/// Returns whether commands rebuild all that is remembered: they record the ids of entries that exist, and count
/// each of them.
fn commands_rebuild(idmp: &Idmp<'_>, stream: &Stream<'_>) -> bool {
    let ids = || idmp.producers().flat_map(|(_, producer)| producer.ids());
    let is_there = |(_, id): (Iid<'_>, StreamId)| stream.contains(id);
    let config = idmp.config();
    config.duplicates == 0 && config.iids_added == ids().count() as u64 && ids().all(is_there)
}
