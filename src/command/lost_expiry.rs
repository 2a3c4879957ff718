//! Expiries that a log may have lost, although the server that wrote it had not.
//!
//! | written by | for | the log contains | which, on loading, |
//! |---|---|---|---|
//! | Redis 2.6 to 5.0 | INCRBYFLOAT | `SET key value` | removes the expiry of the key |
//! | Redis 7.4 to 8.0 | HINCRBYFLOAT | `HSET key field value` | removes the expiry of the field |
//!
//! Such a command cannot be distinguished from one that a client sent, which removed the expiry on
//! the server too. So every candidate that removed an expiry is recorded: a number, formatted as
//! servers format the result of an addition, that replaces a number. The keys and fields that still
//! have no expiry at the end of the log are counted. Checked against `incrbyfloatCommand` in
//! `t_string.c` of Redis 5.0 and 6.0, and `hincrbyfloatCommand` in `t_hash.c` of Redis 8.0.

use std::collections::BTreeMap;

use super::position::Position;
use super::string::long_double::LongDouble;
use crate::base::server::{Product, Server};
use crate::keyspace::{Hash, Keyspace, StringValue, Value};

/// The kinds of items that may have lost an expiry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LostExpiryRules {
    /// Keys, where SET may have been logged for INCRBYFLOAT.
    pub keys: bool,
    /// Fields of hashes, where HSET may have been logged for HINCRBYFLOAT.
    pub fields: bool,
}

impl LostExpiryRules {
    /// Returns the possible kinds in a part of a log, as far as the log identifies its writer: an
    /// incremental file is not older than Redis 7.0, and `writer` created the RDB at the beginning
    /// of the log, before all commands.
    pub fn for_part(is_incr: bool, writer: Option<Server>) -> LostExpiryRules {
        let older = |major, minor| writer.is_none_or(|writer| !writer.has_redis(major, minor));
        let is_valkey = writer.is_some_and(|writer| writer.product == Product::Valkey);
        LostExpiryRules { keys: !is_incr && older(6, 0), fields: !is_valkey && older(8, 2) }
    }
}

/// Keys and fields whose expiry was removed by a command that may not have been intended to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LostExpiries {
    /// The kinds that are recorded for subsequent commands.
    pub rules: LostExpiryRules,
    /// The position of the first loss of each expiry.
    seen: BTreeMap<Item, Position>,
}

/// Database, key and, for a hash, field.
type Item = (u32, Vec<u8>, Option<Vec<u8>>);

/// The number of losses, and the position of the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Lost {
    /// The number.
    pub count: u64,
    /// The command that removed the first expiry.
    pub first: Position,
}

impl Lost {
    /// Adds the losses of `other`.
    pub fn join(&mut self, other: Lost) {
        if other.count == 0 {
            return;
        }
        self.first = if self.count == 0 { other.first } else { self.first.min(other.first) };
        self.count += other.count;
    }
}

impl LostExpiries {
    /// Records that the key, or its field, lost its expiry by the command at `at`.
    #[cold]
    pub(super) fn note(&mut self, db: u32, key: &[u8], field: Option<&[u8]>, at: Position) {
        self.seen.entry((db, key.to_vec(), field.map(<[u8]>::to_vec))).or_insert(at);
    }

    /// Returns the recorded keys and fields that have no expiry at the end and are still numbers.
    pub fn left(&self, keyspace: &mut Keyspace<'_>) -> (Lost, Lost) {
        let (mut keys, mut fields) = (Lost::default(), Lost::default());
        for ((db, key, field), first) in &self.seen {
            let Some(entry) = keyspace.db(*db).get(key) else { continue };
            let (lost, sum) = match (field, &entry.value) {
                (None, Value::String(value)) if entry.expires_ms().is_none() => (&mut keys, value),
                (Some(name), Value::Hash(hash)) => match unexpiring(hash, name) {
                    Some(value) => (&mut fields, value),
                    None => continue,
                },
                _ => continue,
            };
            if sum.with(is_sum) {
                lost.join(Lost { count: 1, first: *first });
            }
        }
        (keys, fields)
    }
}

fn unexpiring<'h, 'a>(hash: &'h Hash<'a>, name: &[u8]) -> Option<&'h StringValue<'a>> {
    let field = hash.find(name)?;
    hash.expiry(field).is_none().then(|| hash.value(field))
}

/// Returns whether a command may have been written by a server with the result of an addition,
/// judging by its name and value only.
#[inline]
pub(super) fn looks_propagated(name: &[u8], as_written: &[u8], value: &[u8]) -> bool {
    let is_number = value.first().is_some_and(|first| first.is_ascii_digit() || *first == b'-');
    is_number && name == as_written
}

/// Returns whether the value may be the result of an addition to the previous value.
pub(super) fn may_be_sum(before: &StringValue<'_>, value: &[u8]) -> bool {
    is_sum(value) && before.with(|before| LongDouble::read(before).is_ok())
}

/// Returns whether the value is formatted as INCRBYFLOAT formats a number.
fn is_sum(value: &[u8]) -> bool {
    LongDouble::read(value).is_ok_and(|number| number.to_string().as_bytes() == value)
}

#[cfg(test)]
mod tests {
    use super::super::lookup;
    use super::*;
    use crate::base::server::{redis, valkey};
    use crate::command::apply::{Call, Context, Warnings};
    use crate::keyspace::Bump;

    /// Returns the recorded keys and fields after commands whose offsets are consecutive numbers.
    fn recorded(rules: LostExpiryRules, commands: &[&str]) -> (Lost, Lost) {
        let arena = Bump::new();
        let mut keyspace = Keyspace::new(&arena);
        let context = Context {
            server: redis(8, 0),
            fields_expire_ms: None,
            hll_sparse_max_bytes: 3000,
            clock: &|_| 0,
            owns: &|_| true,
        };
        let mut warnings = Warnings::default();
        warnings.lost_expiries.rules = rules;
        for (offset, line) in (0..).zip(commands) {
            let args: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
            let mut call = Call {
                args: &args,
                frame: &[],
                at: Position { part: 0, offset },
                db: 0,
                keyspace: &mut keyspace,
                context: &context,
                warnings: &mut warnings,
            };
            lookup(args[0]).expect("known").row().run(&mut call).expect("it is run");
        }
        warnings.lost_expiries.left(&mut keyspace)
    }

    const ALL: LostExpiryRules = LostExpiryRules { keys: true, fields: true };
    const FAR: &str = "PEXPIREAT k 4102444800000";
    const FIELD_FAR: &str = "HPEXPIREAT h 4102444800000 FIELDS 1 f";

    #[test]
    fn a_sum_that_removed_an_expiry_is_reported_at_its_first_position() {
        let (keys, fields) = recorded(ALL, &["SET k 1", FAR, "SET k 1.5", "SET k 3"]);
        let first = Position { part: 0, offset: 2 };
        assert_eq!((keys, fields), (Lost { count: 1, first }, Lost::default()));
        let (keys, fields) = recorded(ALL, &["HSET h f 1 g 2", FIELD_FAR, "HSET h f -1.5"]);
        assert_eq!((keys, fields), (Lost::default(), Lost { count: 1, first }));
    }

    #[test]
    fn other_values_and_restored_expiries_are_not_reported() {
        for (first, last) in [
            ("SET k 1", "SET k x"),
            ("SET k x", "SET k 1"),
            // The server writes neither of these numbers like this.
            ("SET k 1", "SET k 1.50"),
            ("SET k 1", "SET k 1e3"),
            ("SET k 1", "SET k 007"),
            // Nor these commands.
            ("SET k 1", "set k 2"),
            ("SET k 1", "SET k 2 XX"),
            ("SET k 1", "GETSET k 2"),
            ("SET k 1", "SET k 2 KEEPTTL"),
            ("RPUSH k 1", "SET k 2"),
        ] {
            assert_eq!(recorded(ALL, &[first, FAR, last]).0.count, 0, "{last}");
        }
        // Redis up to 6.0 writes a SET with an expiry as two commands.
        for then in [FAR, "DEL k", "SET k x"] {
            assert_eq!(recorded(ALL, &["SET k 1", FAR, "SET k 2", then]).0.count, 0, "{then}");
        }
        for last in ["HSET h f x", "HSET h g 5", "HSET h f 2 g 3", "HMSET h f 2", "HINCRBY h f 1"] {
            assert_eq!(recorded(ALL, &["HSET h f 1 g 2", FIELD_FAR, last]).1.count, 0, "{last}");
        }
    }

    #[test]
    fn the_writer_of_the_log_determines_the_rules() {
        for (is_incr, writer, keys, fields) in [
            (false, None, true, true),
            (true, None, false, true),
            (false, Some(redis(5, 0)), true, true),
            (false, Some(redis(6, 0)), false, true),
            (true, Some(redis(8, 0)), false, true),
            (true, Some(redis(8, 2)), false, false),
            (true, Some(valkey(9, 0)), false, false),
        ] {
            assert_eq!(
                LostExpiryRules::for_part(is_incr, writer),
                LostExpiryRules { keys, fields },
                "{writer:?}"
            );
        }
        let none = LostExpiryRules::default();
        assert_eq!(recorded(none, &["SET k 1", FAR, "SET k 2"]).0.count, 0);
        assert_eq!(recorded(none, &["HSET h f 1", FIELD_FAR, "HSET h f 2"]).1.count, 0);
    }
}
