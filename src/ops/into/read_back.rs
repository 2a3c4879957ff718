//! Comparing a key of the server with the one that was sent.

use std::ops::RangeInclusive;

use redis::Value as Reply;

use super::outgoing::{Content, Outgoing};
use crate::base::server::Server;
use crate::keyspace::fingerprint::{Detail, Fingerprint};
use crate::keyspace::from_dump::PayloadReader;
use crate::rdb::Kind;

/// The result of a comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Compared {
    /// Value and expiry are the same.
    Same,
    /// The value or the expiry is another.
    Different,
    /// The key does not exist.
    Missing,
    /// The value cannot be compared: it is that of a module, or the server's payload could not be read.
    Unreadable,
}

/// The largest error of the time of the server, in milliseconds.
const TTL_TOLERANCE_MS: i64 = 500;

/// Compares keys, with an arena that is reused.
pub(super) struct Comparer {
    server: Server,
    detail: Detail,
    payloads: PayloadReader,
    fingerprint: Fingerprint,
}

impl Comparer {
    pub(super) fn new(server: Server, detail: Detail) -> Self {
        Comparer {
            server,
            detail,
            payloads: PayloadReader::new(server),
            fingerprint: Fingerprint::default(),
        }
    }

    /// Returns whether the server reports the expiry of a key as a time, and otherwise the time that remains.
    pub(super) fn has_expiry_times(server: Server) -> bool {
        server.has_redis(7, 0)
    }

    /// Compares the replies to DUMP and to PEXPIRETIME, or PTTL, with a key. `between_ms` are the times of the server
    /// before it was asked and after it has replied.
    pub(super) fn compare(
        &mut self,
        sent: &Outgoing,
        dump: &Reply,
        expiry: &Reply,
        between_ms: RangeInclusive<i64>,
    ) -> Compared {
        let payload = match dump {
            Reply::BulkString(payload) => payload,
            Reply::Nil => return Compared::Missing,
            _ => return Compared::Unreadable,
        };
        let Reply::Int(expiry) = *expiry else { return Compared::Unreadable };
        let is_same_expiry = match (sent.expires_ms, expiry) {
            (_, -2) => return Compared::Missing,
            (None, expiry) => expiry == -1,
            (Some(sent), expiry) if Self::has_expiry_times(self.server) => sent == expiry,
            (Some(sent), ttl) => {
                let (first, last) = (between_ms.start(), between_ms.end());
                let first = first.saturating_add(ttl).saturating_sub(TTL_TOLERANCE_MS);
                let last = last.saturating_add(ttl).saturating_add(TTL_TOLERANCE_MS);
                ttl >= 0 && (first..=last).contains(&sent)
            }
        };
        if sent.kind == Kind::Module && is_same_expiry {
            // A module may write the same value in other bytes.
            return Compared::Unreadable;
        }
        // Most servers return the very bytes that they were sent.
        let is_same_payload = matches!(&sent.content, Content::Payload(bytes) if bytes == payload);
        if is_same_payload {
            return if is_same_expiry { Compared::Same } else { Compared::Different };
        }
        let Comparer { detail, payloads, fingerprint, .. } = self;
        let key = (sent.db, sent.key.as_slice());
        let of = payloads
            .with_entry(key, payload, None, |entry| fingerprint.of_value(&entry.value, *detail));
        match of {
            Err(_) => Compared::Unreadable,
            Ok(of) if of == sent.fingerprint && is_same_expiry => Compared::Same,
            Ok(_) => Compared::Different,
        }
    }
}
