//! What follows from the two states of a key.

use super::super::Reason;
use super::super::compare::KeyComparer;
use crate::analysis::key_state::KeyState;
use crate::base::server::Server;
use crate::keyspace::fingerprint::Detail;
use crate::keyspace::from_dump::{PayloadReader, Unreadable};
use crate::keyspace::{Entry, Value};
use crate::live::dump::{DumpedKey, KeyReader};
use crate::live::running::RunningServer;
use crate::rdb::Target;

/// The result for one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The states on both sides, and in what they differ. Neither side may have the key.
    Compared { states: [Option<KeyState>; 2], reasons: Vec<Reason> },
    /// The values could not be compared, for this reason.
    NotCompared(String),
}

impl Verdict {
    /// Returns whether the sides differ.
    pub(super) fn is_difference(&self) -> bool {
        match self {
            Verdict::Compared { states: [Some(_), Some(_)], reasons } => !reasons.is_empty(),
            Verdict::Compared { states, .. } => states.iter().any(Option::is_some),
            Verdict::NotCompared(_) => false,
        }
    }
}

/// The largest difference of an expiry, in milliseconds, if a server reports only the time that remains.
const TTL_TOLERANCE_MS: i64 = 1500;

/// Compares the keys of servers, with arenas that are reused.
pub(super) struct Judge {
    comparer: KeyComparer,
    /// The reader for each side that is a server.
    readers: [PayloadReader; 2],
    /// Whether both sides have exact times of expiry.
    is_exact: bool,
}

/// Returns how much of a stream a server supports.
pub(super) fn detail_of_server(server: Server) -> Detail {
    Target::for_server(server).map_or(Detail::All, Detail::of_rdb)
}

/// Returns how much of a stream both sides support.
pub(super) fn common_detail(details: [Detail; 2]) -> Detail {
    if details.contains(&Detail::WithoutCounters) { Detail::WithoutCounters } else { Detail::All }
}

impl Judge {
    /// Returns a judge of keys of these servers: one, or two.
    pub(super) fn new(servers: &[&RunningServer], detail: Detail) -> Self {
        let line = |at: usize| servers.get(at).or(servers.first()).map(|server| server.line());
        // There is always one; the other reader is not used then.
        let reader =
            |at: usize| PayloadReader::new(line(at).unwrap_or(crate::base::server::redis(7, 0)));
        Judge {
            comparer: KeyComparer::new(detail),
            readers: [reader(0), reader(1)],
            is_exact: servers.iter().all(|server| KeyReader::has_exact_expiries(server)),
        }
    }

    /// Compares a key of a log, the side number `log_side`, with that of the server. `now_ms` is the time of the server.
    /// Returns also whether the key of the log has expired.
    pub(super) fn log_and_server(
        &mut self,
        log_side: usize,
        (db, key): (u32, &[u8]),
        entry: Option<&mut Entry<'_>>,
        dumped: Option<&DumpedKey>,
        now_ms: i64,
    ) -> (Verdict, bool) {
        let mut of_server = dumped.and_then(|dumped| dumped.expires_ms);
        let mut is_expired = false;
        let entry = entry.filter(|entry| {
            self.align(entry.expires_ms(), &mut of_server);
            // A key that has just expired is still there with the same expiry.
            is_expired = entry.expires_ms().is_some_and(|time| time <= now_ms)
                && (dumped.is_none() || of_server != entry.expires_ms());
            !is_expired
        });
        let Judge { comparer, readers: [reader, _], .. } = self;
        let entry = entry.map(|entry| {
            drop_expired_fields(entry, now_ms);
            &*entry
        });
        if let (Some(Value::Opaque(_)), Some(_)) = (entry.map(|entry| &entry.value), dumped) {
            let reason = "the log changes it with commands that no known server has";
            return (Verdict::NotCompared(reason.to_owned()), is_expired);
        }
        let verdict =
            with_key(reader, (db, key), dumped, of_server, now_ms, |of_server| match log_side {
                0 => compare(comparer, [entry, of_server]),
                _ => compare(comparer, [of_server, entry]),
            });
        (verdict.unwrap_or_else(not_compared), is_expired)
    }

    /// Compares a key of two servers. `now_ms` is the time.
    pub(super) fn two_servers(
        &mut self,
        (db, key): (u32, &[u8]),
        [a, b]: [Option<&DumpedKey>; 2],
        now_ms: i64,
    ) -> Verdict {
        let expiry = |dumped: Option<&DumpedKey>| dumped.and_then(|dumped| dumped.expires_ms);
        let (of_a, mut of_b) = (expiry(a), expiry(b));
        self.align(of_a, &mut of_b);
        let Judge { comparer, readers: [reader_a, reader_b], .. } = self;
        let verdict = with_key(reader_a, (db, key), a, of_a, now_ms, |a| {
            with_key(reader_b, (db, key), b, of_b, now_ms, |b| compare(comparer, [a, b]))
        });
        verdict.and_then(|verdict| verdict).unwrap_or_else(not_compared)
    }

    /// Makes two expiries equal that may be.
    fn align(&self, one: Option<i64>, other: &mut Option<i64>) {
        if let (false, Some(one), Some(time)) = (self.is_exact, one, *other)
            && one.abs_diff(time) <= TTL_TOLERANCE_MS.unsigned_abs()
        {
            *other = Some(one);
        }
    }
}

#[allow(clippy::needless_pass_by_value)] // The signature of unwrap_or_else().
fn not_compared(unreadable: Unreadable) -> Verdict {
    Verdict::NotCompared(unreadable.to_string())
}

/// Calls `visit` with the entry of a key as its server has it.
fn with_key<T>(
    reader: &mut PayloadReader,
    key: (u32, &[u8]),
    dumped: Option<&DumpedKey>,
    expires_ms: Option<i64>,
    now_ms: i64,
    visit: impl FnOnce(Option<&Entry<'_>>) -> T,
) -> Result<T, Unreadable> {
    let Some(dumped) = dumped else { return Ok(visit(None)) };
    reader.with_entry(key, &dumped.payload, expires_ms, |entry| {
        drop_expired_fields(entry, now_ms);
        visit(Some(entry))
    })
}

fn compare(comparer: &mut KeyComparer, [a, b]: [Option<&Entry<'_>>; 2]) -> Verdict {
    let states = [a, b].map(|entry| entry.and_then(KeyState::from_entry));
    let reasons = match (a, b, states) {
        (Some(a), Some(b), [Some(_), Some(_)]) => comparer.reasons(a, b),
        _ => Vec::new(),
    };
    Verdict::Compared { states, reasons }
}

/// Removes hash fields whose expiry has passed: a server removes them sooner or later, and hides them until then.
fn drop_expired_fields(entry: &mut Entry<'_>, now_ms: i64) {
    let Value::Hash(hash) = &mut entry.value else { return };
    if hash.expiring() == 0 {
        return;
    }
    let expired = hash.fields().filter(|(_, _, time)| time.is_some_and(|time| time < now_ms));
    let expired: Vec<&[u8]> = expired.map(|(name, ..)| name).collect();
    for name in expired {
        hash.remove(name);
    }
}
