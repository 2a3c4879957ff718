//! Compares the data of a server with a keyspace.

use aofkit::command;
use aofkit::keyspace::digest::{self, Flavour, Sum};
use aofkit::keyspace::{Hash, Keyspace, Value};

use super::commands::now_ms;
use super::streams::assert_same_streams;
use crate::support::{Args, Binary, Reply, Running};

/// Compares the digest, the expiry of keys and fields, and the state of streams. `done` are the commands so far.
///
/// # Panics
///
/// At the first difference.
pub(super) fn assert_same_data(
    server: &mut Running,
    binary: &Binary,
    keyspace: &mut Keyspace<'_>,
    done: &[Args],
) {
    let flavour = Flavour::of_server(binary.line);
    let mut sum = Sum::default();
    sum.add_all(keyspace, flavour);
    if sum.finish().to_string() != server.digest() {
        explain(server, binary, keyspace, done);
    }
    assert_same_expiries(server, binary, keyspace, done);
    assert_same_streams(server, binary, keyspace, |key| history(done, &[key.to_vec()]));
    // The comparison has selected other databases.
    let last = done.iter().rev().find(|args| args[0].eq_ignore_ascii_case(b"SELECT"));
    server.client.call(&[&b"SELECT"[..], last.map_or(b"0", |args| &args[1])]);
}

/// Compares the expiry times of keys, which DEBUG DIGEST does not cover.
fn assert_same_expiries(
    server: &mut Running,
    binary: &Binary,
    keyspace: &Keyspace<'_>,
    done: &[Args],
) {
    // Before Redis 7.0 a server reports only the remaining time.
    if !binary.line.has_redis(7, 0) {
        return;
    }
    let knows_field_expiry =
        command::lookup(b"HPEXPIRETIME").is_some_and(|id| id.row().known_by(binary.line));
    for db in keyspace.databases().filter(|db| !db.is_empty()) {
        server.client.call(&["SELECT", &db.number().to_string()]);
        for entry in db.entries() {
            let theirs = server.client.call(&[&b"PEXPIRETIME"[..], entry.key()]).int();
            let ours = entry.expires_ms().unwrap_or(-1);
            let key = entry.key().to_vec();
            assert_eq!(ours, theirs, "expiry, commands: {}", history(done, &[key]));
            if let Value::Hash(hash) = &entry.value
                && knows_field_expiry
            {
                assert_same_field_expiries(server, entry.key(), hash, done);
            }
        }
    }
}

/// Compares the expiry times of hash fields, which the digest of Valkey does not cover.
fn assert_same_field_expiries(server: &mut Running, key: &[u8], hash: &Hash<'_>, done: &[Args]) {
    let count = hash.len().to_string();
    let mut command: Vec<&[u8]> = vec![b"HPEXPIRETIME", key, b"FIELDS", count.as_bytes()];
    command.extend(hash.fields().map(|(field, _, _)| field));
    let theirs = server.client.call(&command);
    let theirs: Vec<i64> = theirs.array().iter().map(Reply::int).collect();
    // For clients, a field whose expiry has passed does not exist (-2).
    let now_ms = now_ms();
    let visible = |at_ms: i64| if at_ms < now_ms { -2 } else { at_ms };
    let ours: Vec<i64> = hash.fields().map(|(_, _, expiry)| expiry.map_or(-1, visible)).collect();
    let shown = show(&command.iter().map(|arg| arg.to_vec()).collect());
    assert_eq!(ours, theirs, "{shown}, commands: {}", history(done, &[key.to_vec()]));
}

/// Finds the key that differs.
///
/// # Panics
///
/// Always, with a description of the difference.
fn explain(server: &mut Running, binary: &Binary, keyspace: &mut Keyspace<'_>, done: &[Args]) -> ! {
    let flavour = Flavour::of_server(binary.line);
    let mut numbers: Vec<u32> = keyspace.databases().map(|db| db.number()).collect();
    numbers.extend(0..16);
    numbers.sort_unstable();
    numbers.dedup();
    for number in numbers {
        server.client.call(&["SELECT", &number.to_string()]);
        let theirs = server.client.call(&["KEYS", "*"]);
        let mut keys: Vec<Vec<u8>> = (theirs.array().iter())
            .map(|key| match key {
                Reply::Bulk(key) => key.clone(),
                other => panic!("{other:?}"),
            })
            .collect();
        let db = keyspace.db(number);
        keys.extend(db.entries().map(|entry| entry.key().to_vec()));
        keys.sort_unstable();
        keys.dedup();
        for key in keys {
            let reply = server.client.call(&[&b"DEBUG"[..], b"DIGEST-VALUE", &key]);
            let theirs = reply.array()[0].text();
            let ours = keyspace.db(number).get(&key).map(|entry| {
                (digest::of_value(entry, flavour).to_string(), format!("{:?}", entry.value))
            });
            if ours.as_ref().map(|(digest, _)| digest.as_str()) != Some(theirs.as_str()) {
                let dump = server.client.call(&[&b"DUMP"[..], &key]);
                panic!(
                    "{} in database {number} differs from {}: aofkit has {ours:?}, the server {theirs}, dump {dump:?}; commands:\n{}",
                    key.escape_ascii(),
                    binary.line,
                    history(done, std::slice::from_ref(&key))
                );
            }
        }
    }
    panic!("the digest differs from {}, but no digest of a key does", binary.line);
}

/// Returns the last 40 commands that contain the first of `args`, which is usually a key, one per line.
pub(super) fn history(done: &[Args], args: &[Vec<u8>]) -> String {
    let same = |command: &&Args| command.iter().any(|arg| args.first() == Some(arg));
    let lines: Vec<String> = done.iter().filter(same).map(show).collect();
    lines[lines.len().saturating_sub(40)..].join("\n")
}

/// Returns a command as printable text.
pub(super) fn show(args: &Args) -> String {
    let shown: Vec<String> = args.iter().map(|arg| arg.escape_ascii().to_string()).collect();
    shown.join(" ")
}
