//! Compares the state of streams that DEBUG DIGEST does not cover but XINFO STREAM FULL reports: IDs and counters,
//! groups, their pending entries and their consumers.

use std::collections::BTreeMap;
use std::fmt::Write;

use aofkit::keyspace::stream::{Group, Stream};
use aofkit::keyspace::{Keyspace, Value};

use crate::support::{Binary, Reply, Running};

/// Times from this one on, in Unix milliseconds, come from the server's clock during the test. They are compared as
/// 0, which is what the clock of the keyspace returns.
const SERVER_CLOCK_MS: i64 = 1_500_000_000_000;

/// Compares all streams. `history` returns the commands that changed a key.
///
/// # Panics
///
/// At the first difference.
pub(super) fn assert_same_streams(
    server: &mut Running,
    binary: &Binary,
    keyspace: &Keyspace<'_>,
    history: impl Fn(&[u8]) -> String,
) {
    for db in keyspace.databases() {
        let mut is_selected = false;
        for entry in db.entries() {
            let Value::Stream(stream) = &entry.value else { continue };
            if !is_selected {
                server.client.call(&["SELECT", &db.number().to_string()]);
                is_selected = true;
            }
            let theirs = stream_state(server, entry.key());
            let ours = expected_state(stream, binary);
            assert_eq!(
                ours.lines().collect::<Vec<_>>(),
                theirs.lines().collect::<Vec<_>>(),
                "{} differs from {}; commands:\n{}",
                entry.key().escape_ascii(),
                binary.line,
                history(entry.key())
            );
        }
    }
}

/// Returns the state of a stream as XINFO reports it, one value per line.
pub(crate) fn stream_state(server: &mut Running, key: &[u8]) -> String {
    let reply = server.client.call(&[&b"XINFO"[..], b"STREAM", key, b"FULL", b"COUNT", b"0"]);
    let stream = map(&reply);
    let mut lines = String::new();
    for name in ["length", "last-generated-id"] {
        line(&mut lines, name, &scalar(stream[name]));
    }
    for name in ["max-deleted-entry-id", "entries-added", "recorded-first-entry-id"] {
        if let Some(value) = stream.get(name) {
            line(&mut lines, name, &scalar(value));
        }
    }
    for group in stream["groups"].array() {
        let group = map(group);
        line(&mut lines, "group", &scalar(group["name"]));
        line(&mut lines, "last-delivered-id", &scalar(group["last-delivered-id"]));
        if let Some(count) = group.get("entries-read") {
            line(&mut lines, "entries-read", &scalar(count));
        }
        for pending in group["pending"].array() {
            line(&mut lines, "pending", &list(pending, 2));
        }
        for consumer in group["consumers"].array() {
            let consumer = map(consumer);
            line(&mut lines, "consumer", &scalar(consumer["name"]));
            line(&mut lines, "seen-time", &time(consumer["seen-time"].int()));
            if let Some(active) = consumer.get("active-time") {
                line(&mut lines, "active-time", &time(active.int()));
            }
            for pending in consumer["pending"].array() {
                line(&mut lines, "pending-of-consumer", &list(pending, 1));
            }
        }
    }
    lines
}

/// Returns the state of a stream in the format of [`stream_state`].
fn expected_state(stream: &Stream<'_>, binary: &Binary) -> String {
    let mut lines = String::new();
    line(&mut lines, "length", &stream.len().to_string());
    line(&mut lines, "last-generated-id", &stream.last_id().to_string());
    let (has_counters, has_activity) = (binary.line.has_redis(7, 0), binary.line.has_redis(7, 2));
    if has_counters {
        line(&mut lines, "max-deleted-entry-id", &stream.max_deleted_id().to_string());
        line(&mut lines, "entries-added", &stream.entries_added().to_string());
        let first = stream.first_id().unwrap_or_default();
        line(&mut lines, "recorded-first-entry-id", &first.to_string());
    }
    for (name, group) in stream.groups() {
        line(&mut lines, "group", &name.escape_ascii().to_string());
        line(&mut lines, "last-delivered-id", &group.last_id().to_string());
        if has_counters {
            let count = group.entries_read().map_or("nil".to_string(), |count| count.to_string());
            line(&mut lines, "entries-read", &count);
        }
        for (pending, owner) in group.pending_from(Default::default()) {
            let owner = group
                .consumers()
                .find(|consumer| owner.is_some() && group.consumer(consumer.name()) == owner);
            // XNACK leaves entries without a consumer. How a server reports them was not observed: an empty name is assumed.
            let owner =
                owner.map_or(String::new(), |owner| owner.name().escape_ascii().to_string());
            let (id, time, count) = (pending.id, pending.delivered_ms, pending.deliveries);
            line(&mut lines, "pending", &format!("{id} {owner} {time} {count}"));
        }
        write_consumers(&mut lines, group, has_activity);
    }
    lines
}

fn write_consumers(lines: &mut String, group: &Group<'_>, has_activity: bool) {
    for consumer in group.consumers() {
        line(lines, "consumer", &consumer.name().escape_ascii().to_string());
        line(lines, "seen-time", &consumer.seen_ms().to_string());
        if has_activity {
            line(
                lines,
                "active-time",
                &consumer.active_ms().expect("an activity time").to_string(),
            );
        }
        for id in consumer.pending() {
            let (pending, _) = group.pending_at(id).expect("an entry that is pending in the group");
            let (time, count) = (pending.delivered_ms, pending.deliveries);
            line(lines, "pending-of-consumer", &format!("{id} {time} {count}"));
        }
    }
}

fn line(lines: &mut String, name: &str, value: &str) {
    writeln!(lines, "{name} {value}").expect("a string can be written to");
}

/// Returns a reply of alternating names and values as a map.
fn map(reply: &Reply) -> BTreeMap<String, &Reply> {
    reply.array().chunks(2).map(|pair| (pair[0].text(), &pair[1])).collect()
}

/// Returns a scalar reply as text.
fn scalar(reply: &Reply) -> String {
    match reply {
        Reply::Int(number) => number.to_string(),
        Reply::Bulk(bytes) => bytes.escape_ascii().to_string(),
        Reply::Nil => "nil".to_string(),
        other => panic!("{other:?}"),
    }
}

/// Returns the elements as text. The one at `time_at` is a time.
fn list(reply: &Reply, time_at: usize) -> String {
    let elements = reply.array().iter().enumerate();
    let shown = elements.map(|(at, element)| match element {
        Reply::Int(number) if at == time_at => time(*number),
        other => scalar(other),
    });
    shown.collect::<Vec<_>>().join(" ")
}

/// Returns a time as text: 0 if it comes from the server's clock during the test.
fn time(ms: i64) -> String {
    if ms >= SERVER_CLOCK_MS { "0".to_string() } else { ms.to_string() }
}
