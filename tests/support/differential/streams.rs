//! What DEBUG DIGEST does not show of a stream, by XINFO STREAM FULL: the ids and counters it remembers, its
//! groups, what is pending in them, and their consumers.

use std::collections::BTreeMap;
use std::fmt::Write;

use aofkit::keyspace::stream::{Group, Stream};
use aofkit::keyspace::{Keyspace, Value};

use super::client::Reply;
use super::server::{Binary, Running};

/// Times from here on, in Unix milliseconds, are those of the test itself. Our clock says 0 for them.
const THIS_TEST_MS: i64 = 1_500_000_000_000;

/// Compares all streams. `history` gives the commands that made a key what it is.
///
/// # Panics
///
/// At the first difference.
pub(crate) fn same_streams(
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
            let theirs = theirs(server, entry.key());
            let ours = ours(stream, binary);
            assert_eq!(
                ours.lines().collect::<Vec<_>>(),
                theirs.lines().collect::<Vec<_>>(),
                "{} differs from {}; after:\n{}",
                entry.key().escape_ascii(),
                binary.line,
                history(entry.key())
            );
        }
    }
}

/// A stream as XINFO tells it, one thing a line.
pub(crate) fn theirs(server: &mut Running, key: &[u8]) -> String {
    let reply = server.client.call(&[&b"XINFO"[..], b"STREAM", key, b"FULL", b"COUNT", b"0"]);
    let stream = map(&reply);
    let mut told = String::new();
    for name in ["length", "last-generated-id"] {
        line(&mut told, name, &one(stream[name]));
    }
    for name in ["max-deleted-entry-id", "entries-added", "recorded-first-entry-id"] {
        if let Some(value) = stream.get(name) {
            line(&mut told, name, &one(value));
        }
    }
    for group in stream["groups"].array() {
        let group = map(group);
        line(&mut told, "group", &one(group["name"]));
        line(&mut told, "last-delivered-id", &one(group["last-delivered-id"]));
        if let Some(count) = group.get("entries-read") {
            line(&mut told, "entries-read", &one(count));
        }
        for pending in group["pending"].array() {
            line(&mut told, "pending", &list(pending, 2));
        }
        for consumer in group["consumers"].array() {
            let consumer = map(consumer);
            line(&mut told, "consumer", &one(consumer["name"]));
            line(&mut told, "seen-time", &time(consumer["seen-time"].int()));
            if let Some(active) = consumer.get("active-time") {
                line(&mut told, "active-time", &time(active.int()));
            }
            for pending in consumer["pending"].array() {
                line(&mut told, "its", &list(pending, 1));
            }
        }
    }
    told
}

fn ours(stream: &Stream<'_>, binary: &Binary) -> String {
    let mut told = String::new();
    line(&mut told, "length", &stream.len().to_string());
    line(&mut told, "last-generated-id", &stream.last_id().to_string());
    let (has_counters, has_activity) = (binary.line.has_redis(7, 0), binary.line.has_redis(7, 2));
    if has_counters {
        line(&mut told, "max-deleted-entry-id", &stream.max_deleted_id().to_string());
        line(&mut told, "entries-added", &stream.entries_added().to_string());
        let first = stream.first_id().unwrap_or_default();
        line(&mut told, "recorded-first-entry-id", &first.to_string());
    }
    for (name, group) in stream.groups() {
        line(&mut told, "group", &name.escape_ascii().to_string());
        line(&mut told, "last-delivered-id", &group.last_id().to_string());
        if has_counters {
            let count = group.entries_read().map_or("nil".to_string(), |count| count.to_string());
            line(&mut told, "entries-read", &count);
        }
        for (pending, owner) in group.pending_from(Default::default()) {
            let owner = group
                .consumers()
                .find(|consumer| owner.is_some() && group.consumer(consumer.name()) == owner);
            let owner = owner.expect("what is pending has an owner").name().escape_ascii();
            let (id, time, count) = (pending.id, pending.delivered_ms, pending.deliveries);
            line(&mut told, "pending", &format!("{id} {owner} {time} {count}"));
        }
        our_consumers(&mut told, group, has_activity);
    }
    told
}

fn our_consumers(told: &mut String, group: &Group<'_>, has_activity: bool) {
    for consumer in group.consumers() {
        line(told, "consumer", &consumer.name().escape_ascii().to_string());
        line(told, "seen-time", &consumer.seen_ms().to_string());
        if has_activity {
            line(told, "active-time", &consumer.active_ms().expect("it is known").to_string());
        }
        for id in consumer.pending() {
            let (pending, _) = group.pending_at(id).expect("it is pending in the group, too");
            let (time, count) = (pending.delivered_ms, pending.deliveries);
            line(told, "its", &format!("{id} {time} {count}"));
        }
    }
}

fn line(told: &mut String, name: &str, value: &str) {
    writeln!(told, "{name} {value}").expect("a string can be written to");
}

/// Names and values by turns.
fn map(reply: &Reply) -> BTreeMap<String, &Reply> {
    reply.array().chunks(2).map(|pair| (pair[0].text(), &pair[1])).collect()
}

fn one(reply: &Reply) -> String {
    match reply {
        Reply::Int(number) => number.to_string(),
        Reply::Bulk(bytes) => bytes.escape_ascii().to_string(),
        Reply::Nil => "nil".to_string(),
        other => panic!("{other:?}"),
    }
}

/// The elements, of which one is a time.
fn list(reply: &Reply, time_at: usize) -> String {
    let elements = reply.array().iter().enumerate();
    let shown = elements.map(|(at, element)| match element {
        Reply::Int(number) if at == time_at => time(*number),
        other => one(other),
    });
    shown.collect::<Vec<_>>().join(" ")
}

fn time(ms: i64) -> String {
    if ms >= THIS_TEST_MS { "0".to_string() } else { ms.to_string() }
}
