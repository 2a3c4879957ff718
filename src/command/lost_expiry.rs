//! Expiries that a log may have lost, although the server that wrote it had not.
//!
//! | written by | in place of | stands | which, when it is loaded, |
//! |---|---|---|---|
//! | Redis 2.6 to 5.0 | INCRBYFLOAT | `SET key value` | takes the expiry from the key |
//! | Redis 7.4 to 8.0 | HINCRBYFLOAT | `HSET key field value` | takes the expiry from the field |
//!
//! Nothing tells such a command from one that a client sent, which took the expiry from the key on the server
//! too. So those are noted that can be one, where they took an expiry away: a number, as servers write the result
//! of an addition, in the place of a number. What is still without an expiry at the end of the log is
//! counted. Checked against `incrbyfloatCommand` in `t_string.c` of Redis 5.0 and 6.0, and
//! `hincrbyfloatCommand` in `t_hash.c` of Redis 8.0.

use std::collections::BTreeMap;

use super::position::Position;
use super::string::long_double::LongDouble;
use crate::base::server::{Product, Server};
use crate::keyspace::{Hash, Keyspace, StringValue, Value};

/// What may have lost an expiry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Suspicion {
    /// Keys, where SET may stand for INCRBYFLOAT.
    pub keys: bool,
    /// Fields of hashes, where HSET may stand for HINCRBYFLOAT.
    pub fields: bool,
}

impl Suspicion {
    /// What there is to suspect in a part of a log, as far as the log shows who wrote it: an incremental file is
    /// not older than Redis 7.0, and `writer` made the RDB that the log begins with, before all commands.
    pub fn of(is_incr: bool, writer: Option<Server>) -> Suspicion {
        let older = |major, minor| writer.is_none_or(|writer| !writer.has_redis(major, minor));
        let is_valkey = writer.is_some_and(|writer| writer.product == Product::Valkey);
        Suspicion { keys: !is_incr && older(6, 0), fields: !is_valkey && older(8, 2) }
    }
}

/// Keys and fields from which a command took the expiry that may not have been meant to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LostExpiries {
    /// What is noted of the commands to come.
    pub suspicion: Suspicion,
    /// Where the expiry of each was lost first.
    seen: BTreeMap<Place, Position>,
}

/// Database, key and, of a hash, field.
type Place = (u32, Vec<u8>, Option<Vec<u8>>);

/// How many there are, and where the first was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Lost {
    /// How many.
    pub count: u64,
    /// The command that took the first one's expiry.
    pub first: Position,
}

impl Lost {
    /// Adds others.
    pub fn join(&mut self, other: Lost) {
        if other.count == 0 {
            return;
        }
        self.first = if self.count == 0 { other.first } else { self.first.min(other.first) };
        self.count += other.count;
    }
}

impl LostExpiries {
    /// Notes that the key, or its field, has lost its expiry by the command at `at`.
    #[cold]
    pub(super) fn note(&mut self, db: u32, key: &[u8], field: Option<&[u8]>, at: Position) {
        self.seen.entry((db, key.to_vec(), field.map(<[u8]>::to_vec))).or_insert(at);
    }

    /// Of the keys and of the fields that were noted, those that have no expiry in the end and are numbers still.
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

/// Whether a command may be one that a server wrote with a sum in it, by its name and value alone.
#[inline]
pub(super) fn begins_as_one(name: &[u8], as_written: &[u8], value: &[u8]) -> bool {
    let is_number = value.first().is_some_and(|first| first.is_ascii_digit() || *first == b'-');
    is_number && name == as_written
}

/// Whether the value may be what a server wrote that added to the one before.
pub(super) fn may_be_sum(before: &StringValue<'_>, value: &[u8]) -> bool {
    is_sum(value) && before.with(|before| LongDouble::read(before).is_ok())
}

/// Whether this is how INCRBYFLOAT writes a number.
fn is_sum(value: &[u8]) -> bool {
    LongDouble::read(value).is_ok_and(|number| number.to_string().as_bytes() == value)
}

#[cfg(test)]
mod tests {
    use super::super::lookup;
    use super::*;
    use crate::base::server::{redis, valkey};
    use crate::command::apply::{Call, Context, Notes};
    use crate::keyspace::Bump;

    /// How many keys and fields are told after commands, of which each begins a byte behind the one before.
    fn told(suspicion: Suspicion, commands: &[&str]) -> (Lost, Lost) {
        let arena = Bump::new();
        let mut keyspace = Keyspace::new(&arena);
        let context = Context {
            server: redis(8, 0),
            fields_expire_ms: None,
            hll_sparse_max_bytes: 3000,
            clock: &|_| 0,
            owns: &|_| true,
        };
        let mut notes = Notes::default();
        notes.lost_expiries.suspicion = suspicion;
        for (offset, line) in (0..).zip(commands) {
            let args: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
            let mut call = Call {
                args: &args,
                frame: &[],
                at: Position { part: 0, offset },
                db: 0,
                keyspace: &mut keyspace,
                context: &context,
                notes: &mut notes,
            };
            lookup(args[0]).expect("known").row().run(&mut call).expect("it is run");
        }
        notes.lost_expiries.left(&mut keyspace)
    }

    const ALL: Suspicion = Suspicion { keys: true, fields: true };
    const FAR: &str = "PEXPIREAT k 4102444800000";
    const FIELD_FAR: &str = "HPEXPIREAT h 4102444800000 FIELDS 1 f";

    #[test]
    fn a_sum_that_took_an_expiry_away_is_told_where_it_first_did() {
        let (keys, fields) = told(ALL, &["SET k 1", FAR, "SET k 1.5", "SET k 3"]);
        let first = Position { part: 0, offset: 2 };
        assert_eq!((keys, fields), (Lost { count: 1, first }, Lost::default()));
        let (keys, fields) = told(ALL, &["HSET h f 1 g 2", FIELD_FAR, "HSET h f -1.5"]);
        assert_eq!((keys, fields), (Lost::default(), Lost { count: 1, first }));
    }

    #[test]
    fn what_cannot_be_one_or_does_not_last_is_not_told() {
        for (first, last) in [
            ("SET k 1", "SET k x"),
            ("SET k x", "SET k 1"),
            // The server writes neither of these numbers so.
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
            assert_eq!(told(ALL, &[first, FAR, last]).0.count, 0, "{last}");
        }
        // A SET with an expiry is written in two commands by Redis up to 6.0.
        for then in [FAR, "DEL k", "SET k x"] {
            assert_eq!(told(ALL, &["SET k 1", FAR, "SET k 2", then]).0.count, 0, "{then}");
        }
        for last in ["HSET h f x", "HSET h g 5", "HSET h f 2 g 3", "HMSET h f 2", "HINCRBY h f 1"] {
            assert_eq!(told(ALL, &["HSET h f 1 g 2", FIELD_FAR, last]).1.count, 0, "{last}");
        }
    }

    #[test]
    fn who_wrote_the_log_decides_what_there_is_to_suspect() {
        for (is_incr, writer, keys, fields) in [
            (false, None, true, true),
            (true, None, false, true),
            (false, Some(redis(5, 0)), true, true),
            (false, Some(redis(6, 0)), false, true),
            (true, Some(redis(8, 0)), false, true),
            (true, Some(redis(8, 2)), false, false),
            (true, Some(valkey(9, 0)), false, false),
        ] {
            assert_eq!(Suspicion::of(is_incr, writer), Suspicion { keys, fields }, "{writer:?}");
        }
        let none = Suspicion::default();
        assert_eq!(told(none, &["SET k 1", FAR, "SET k 2"]).0.count, 0);
        assert_eq!(told(none, &["HSET h f 1", FIELD_FAR, "HSET h f 2"]).1.count, 0);
    }
}
