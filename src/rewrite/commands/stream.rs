//! Streams (`rewriteStreamObject` in `aof.c`): the entries, the counters, the groups.

use crate::base::server::{Product, Server};
use crate::keyspace::stream::{Group, Stream};
use crate::rewrite::commands::entry::{write_empty, write_id};
use crate::rewrite::commands::out::Out;
use crate::rewrite::commands::producers::Producers;
use crate::rewrite::commands::unwritable::Unwritable;

pub(super) fn write(
    out: &mut Out,
    key: &[u8],
    stream: &Stream<'_>,
    target: Server,
) -> Result<(), Unwritable> {
    let producers = Producers::of(stream, target)?;
    let gives_back = stream.groups().any(|(_, group)| !group.nacked().is_empty());
    if gives_back && (target.product != Product::Redis || !target.has_redis(8, 8)) {
        return Err(Unwritable::GivenBack);
    }
    producers.write_before_entries(out, key);
    for (id, fields) in stream.entries() {
        let produced = producers.of_entry(id);
        out.command(
            b"XADD",
            2 + 2 * fields.count() + produced.map_or(0, |produced| produced.args()),
        );
        out.bulk(key);
        if let Some(produced) = produced {
            produced.write(out);
        }
        write_id(out, id);
        out.args(fields.as_log_bytes());
    }
    if stream.is_empty() {
        write_empty(out, key);
    }
    let has_counters = target.has_redis(7, 0);
    out.command(b"XSETID", if has_counters { 6 } else { 2 });
    out.bulk(key);
    write_id(out, stream.last_id());
    if has_counters {
        out.bulk(b"ENTRIESADDED");
        // A server uses signed numbers.
        out.number(stream.entries_added().cast_signed());
        out.bulk(b"MAXDELETEDID");
        write_id(out, stream.max_deleted_id());
    }
    for (name, group) in stream.groups() {
        out.command(b"XGROUP", if has_counters { 6 } else { 4 });
        out.bulk(b"CREATE");
        out.bulk(key);
        out.bulk(name);
        write_id(out, group.last_id());
        if has_counters {
            out.bulk(b"ENTRIESREAD");
            out.number(group.entries_read().map_or(-1, u64::cast_signed));
        }
        write_consumers(out, key, (name, group), stream, target);
        write_given_back(out, key, (name, group), stream);
    }
    producers.write_after_groups(out, key);
    Ok(())
}

/// Writes the pending entries that no consumer owns. FORCE creates those that exist in the stream, so
/// that others are lost, as references to deleted entries are.
fn write_given_back(
    out: &mut Out,
    key: &[u8],
    (name, group): (&[u8], &Group<'_>),
    stream: &Stream<'_>,
) {
    for id in group.nacked().iter().copied().filter(|id| stream.contains(*id)) {
        let deliveries = group.pending_at(id).map(|(pending, _)| pending.deliveries);
        out.command(b"XNACK", 9);
        out.bulk(key);
        out.bulk(name);
        for arg in [&b"FAIL"[..], b"IDS", b"1"] {
            out.bulk(arg);
        }
        write_id(out, id);
        out.bulk(b"RETRYCOUNT");
        out.number(deliveries.unwrap_or_default().cast_signed());
        out.bulk(b"FORCE");
    }
}

fn write_consumers(
    out: &mut Out,
    key: &[u8],
    (name, group): (&[u8], &Group<'_>),
    stream: &Stream<'_>,
    target: Server,
) {
    for consumer in group.consumers() {
        // A server writes it if nothing is pending at all. Up to 7.0 it loses a consumer if all its
        // pending entries were deleted, because XCLAIM does not create it in that case.
        let claims = match target.has_redis(7, 2) {
            true => consumer.pending().len() > 0,
            false => consumer.pending().any(|id| stream.contains(id)),
        };
        if !claims && target.has_redis(6, 2) {
            out.command(b"XGROUP", 4);
            out.bulk(b"CREATECONSUMER");
            out.bulk(key);
            out.bulk(name);
            out.bulk(consumer.name());
        }
        for id in consumer.pending() {
            let Some((pending, _)) = group.pending_at(id) else { continue };
            out.command(b"XCLAIM", 11);
            out.bulk(key);
            out.bulk(name);
            out.bulk(consumer.name());
            out.bulk(b"0");
            write_id(out, id);
            out.bulk(b"TIME");
            out.number(pending.delivered_ms);
            out.bulk(b"RETRYCOUNT");
            out.number(pending.deliveries.cast_signed());
            out.bulk(b"JUSTID");
            out.bulk(b"FORCE");
        }
    }
}
