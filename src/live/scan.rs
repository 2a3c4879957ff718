//! Listing the keys of a server, or of a cluster, by SCAN.

use std::collections::HashSet;

use redis::Value;

use super::connection::{CONNECTING, Failure};
use super::endpoint::Endpoint;
use super::info::Info;
use super::pipeline::{Pipeline, packed};
use super::running::{RunningServer, read_error, unexpected};
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::progress::Progress;
use crate::base::server::Server;

/// The number of buckets that a SCAN reads.
const COUNT: &[u8] = b"1000";
/// The number of replies without keys in a row after which a scan is given up: 10^9 empty buckets, which no server has.
const MOST_EMPTY: u32 = 1_000_000;
/// The number of times that a cluster is scanned whose slots move meanwhile.
const MOST_SCANS: u32 = 3;

/// A function that receives the names of keys of a database.
pub(crate) type OnKeys<'f> = dyn FnMut(u32, Vec<Vec<u8>>) -> Result<()> + 'f;

/// Calls `each` with all keys of all databases, some at a time. A key can be passed several times.
///
/// Every key that exists from the beginning to the end is passed, also while slots move between the nodes of a cluster:
/// it is scanned again, at most twice. Returns whether they still moved in the last scan, so that keys can be missing.
///
/// # Errors
///
/// When a server does not reply, replies with something that is no result of SCAN, or never comes to an end, and the
/// errors of `each`.
pub(crate) fn scan_keys(
    server: &mut RunningServer,
    progress: &dyn Progress,
    each: &mut OnKeys<'_>,
) -> Result<bool> {
    for _ in 0..MOST_SCANS {
        for node in server.nodes() {
            scan_node(node, server.line(), progress, each)?;
        }
        if !server.refresh_slots()? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn scan_node(
    endpoint: Endpoint,
    line: Server,
    progress: &dyn Progress,
    each: &mut OnKeys<'_>,
) -> Result<()> {
    let mut node = Node { pipeline: Pipeline::new(endpoint), line };
    for db in node.databases()? {
        node.scan(db, progress, each)?;
    }
    Ok(())
}

struct Node {
    pipeline: Pipeline<()>,
    line: Server,
}

impl Node {
    /// Returns the databases that have keys.
    fn databases(&mut self) -> Result<Vec<u32>> {
        let reply = self.run("INFO keyspace", &[b"INFO", b"keyspace"])?;
        let text = match reply {
            Value::BulkString(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Value::VerbatimString { text, .. } => text,
            _ => return Err(unexpected("INFO keyspace", &self.pipeline.endpoint().address)),
        };
        Ok(Info::parse(&text).databases())
    }

    fn scan(&mut self, db: u32, progress: &dyn Progress, each: &mut OnKeys<'_>) -> Result<()> {
        let selected = self.pipeline.select(db);
        selected.map_err(|failure| self.error(failure, "SELECT"))?;
        let mut cursor: u64 = 0;
        let mut cursors = HashSet::new();
        let mut empty = 0;
        loop {
            progress.check()?;
            let from = cursor.to_string();
            let reply = self.run("SCAN", &[b"SCAN", from.as_bytes(), b"COUNT", COUNT])?;
            let (next, keys) = parse(reply)
                .ok_or_else(|| unexpected("SCAN", &self.pipeline.endpoint().address))?;
            empty = if keys.is_empty() { empty + 1 } else { 0 };
            if !keys.is_empty() {
                each(db, keys)?;
            }
            // The cursors of a scan increase, if their bits are read in reverse, also when the table is resized.
            if next == 0 {
                return Ok(());
            }
            if !cursors.insert(next) {
                return Err(self.endless(&format!("it returns cursor {next} again")));
            }
            if empty >= MOST_EMPTY {
                return Err(self.endless("it returns no keys any more"));
            }
            cursor = next;
        }
    }

    fn endless(&self, why: &str) -> Error {
        let message =
            format!("{}: SCAN does not come to an end: {why}", &self.pipeline.endpoint().address);
        Error::new(ErrorKind::Unrecognised, message)
            .help("no Redis and no Valkey does this: find out what answers at this address")
    }

    /// Runs a command, on a new connection if the connection was lost.
    fn run(&mut self, name: &str, command: &[&[u8]]) -> Result<Value> {
        let command = packed(command);
        let first = match self.pipeline.run(&command) {
            Err(Failure::Lost(_)) => {
                let db = self.pipeline.db();
                self.pipeline.take_outstanding();
                let selected = self.pipeline.select(db);
                selected
                    .map_err(|failure| failure.into_error(CONNECTING, self.pipeline.endpoint()))?;
                self.pipeline.run(&command)
            }
            answer => answer,
        };
        first.map_err(|failure| self.error(failure, name))
    }

    fn error(&self, failure: Failure, command: &str) -> Error {
        read_error(failure, command, self.pipeline.endpoint(), Some(self.line))
    }
}

/// Parses the reply to SCAN: the next cursor, and the keys.
fn parse(reply: Value) -> Option<(u64, Vec<Vec<u8>>)> {
    let Value::Array(parts) = reply else { return None };
    let [cursor, keys] = <[Value; 2]>::try_from(parts).ok()?;
    let cursor = match cursor {
        Value::BulkString(text) => std::str::from_utf8(&text).ok()?.parse().ok()?,
        Value::SimpleString(text) => text.parse().ok()?,
        Value::Int(number) => u64::try_from(number).ok()?,
        _ => return None,
    };
    let Value::Array(keys) = keys else { return None };
    let keys = keys.into_iter().map(|key| match key {
        Value::BulkString(key) => Some(key),
        _ => None,
    });
    Some((cursor, keys.collect::<Option<_>>()?))
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::os::unix::net::UnixListener;
    use std::thread;

    use super::super::endpoint::Address;
    use super::*;
    use crate::base::progress::Silent;
    use crate::base::server::redis;

    /// Scans a server that sends these replies, whatever it is asked.
    fn scanned(replies: Vec<String>) -> Result<Vec<Vec<u8>>> {
        let place = tempfile::tempdir().expect("a directory");
        let path = place.path().join("socket");
        let listener = UnixListener::bind(&path).expect("a socket");
        thread::spawn(move || {
            let (mut client, _) = listener.accept().expect("a client");
            for reply in replies {
                if client.read(&mut [0; 1024]).unwrap_or(0) == 0 {
                    return;
                }
                client.write_all(reply.as_bytes()).expect("sent");
            }
        });
        let mut found = Vec::new();
        scan_node(Endpoint::new(Address::Unix(path)), redis(7, 0), &Silent, &mut |db, keys| {
            assert_eq!(db, 0);
            found.extend(keys);
            Ok(())
        })?;
        Ok(found)
    }

    fn keyspace() -> String {
        let text = "# Keyspace\r\ndb0:keys=2,expires=0,avg_ttl=0\r\n";
        format!("${}\r\n{text}\r\n", text.len())
    }

    fn page(cursor: &str, keys: &[&str]) -> String {
        let keys: Vec<String> =
            keys.iter().map(|key| format!("${}\r\n{key}\r\n", key.len())).collect();
        format!("*2\r\n${}\r\n{cursor}\r\n*{}\r\n{}", cursor.len(), keys.len(), keys.concat())
    }

    #[test]
    fn scan_ends_at_cursor_zero() {
        let replies = vec![keyspace(), page("17", &["a", "b"]), page("5", &[]), page("0", &["c"])];
        let found = scanned(replies).expect("scanned");
        assert_eq!(found, [b"a", b"b", b"c"]);
    }

    #[test]
    fn repeated_cursor_and_strange_replies_are_errors() {
        for (replies, problem) in [
            (vec![page("7", &["a"]), page("9", &[]), page("7", &[])], "cursor 7 again"),
            (vec![page("x", &[])], "the reply to SCAN"),
            (vec![page("-1", &[])], "the reply to SCAN"),
            (vec!["+OK\r\n".to_owned()], "the reply to SCAN"),
            (vec!["*1\r\n$1\r\n0\r\n".to_owned()], "the reply to SCAN"),
            (vec!["*2\r\n$1\r\n0\r\n*1\r\n:5\r\n".to_owned()], "the reply to SCAN"),
            (vec!["-NOPERM no\r\n".to_owned()], "SCAN: NOPERM no"),
        ] {
            let all = [vec![keyspace()], replies].concat();
            let error = scanned(all).expect_err(problem).to_string();
            assert!(error.contains(problem), "{error}");
        }
        let error = scanned(vec![":1\r\n".to_owned()]).expect_err("no INFO").to_string();
        assert!(error.contains("the reply to INFO keyspace"), "{error}");
    }
}
