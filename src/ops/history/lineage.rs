//! The former names and databases of the key whose history is requested.
//!
//! The effects of RENAME, COPY, MOVE and SWAPDB are recorded in the order of the log and then followed from its end: if
//! the key came from another place, that place belonged to it up to that point, and so on.

use std::collections::HashMap;

use crate::command::{CommandId, Position, database_index};
use crate::keyspace::Keyspace;
use crate::replay::Observed;

/// A name in a database.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Spot {
    pub(super) db: u32,
    pub(super) key: Vec<u8>,
}

/// The transfer of a value between places by a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Carry {
    /// RENAME, RENAMENX and MOVE: the first place is empty afterwards.
    Away(Spot, Spot),
    /// COPY.
    Copy(Spot, Spot),
    /// SWAPDB.
    Swap(u32, u32),
}

impl Carry {
    /// Returns the transfer that a command would make, if any.
    pub(super) fn from_command(seen: &Observed<'_, '_>) -> Option<Carry> {
        let arg = |at: usize| seen.args.get(at).copied();
        let spot = |db: u32, key: &[u8]| Spot { db, key: key.to_vec() };
        match seen.id? {
            CommandId::RENAME | CommandId::RENAMENX => {
                Some(Carry::Away(spot(seen.db, arg(1)?), spot(seen.db, arg(2)?)))
            }
            CommandId::MOVE => {
                Some(Carry::Away(spot(seen.db, arg(1)?), spot(database_index(arg(2)?)?, arg(1)?)))
            }
            CommandId::COPY => {
                let mut to = seen.db;
                for pair in seen.args.get(3..)?.windows(2) {
                    if pair[0].eq_ignore_ascii_case(b"DB") {
                        to = database_index(pair[1])?;
                    }
                }
                Some(Carry::Copy(spot(seen.db, arg(1)?), spot(to, arg(2)?)))
            }
            CommandId::SWAPDB => {
                Some(Carry::Swap(database_index(arg(1)?)?, database_index(arg(2)?)?))
            }
            _ => None,
        }
    }
}

/// Whether there is a key at a place.
pub(super) fn is_there(keyspace: &mut Keyspace<'_>, spot: &Spot) -> bool {
    keyspace.db(spot.db).contains(&spot.key)
}

/// The state before a transfer that decides whether it takes place.
pub(super) struct Pending {
    carry: Carry,
    from_there: bool,
    to_there: bool,
    replaces: bool,
}

impl Pending {
    pub(super) fn before(seen: &Observed<'_, '_>, keyspace: &mut Keyspace<'_>) -> Option<Pending> {
        let carry = Carry::from_command(seen)?;
        let (from_there, to_there) = match &carry {
            Carry::Away(from, to) | Carry::Copy(from, to) => {
                (is_there(keyspace, from), is_there(keyspace, to))
            }
            Carry::Swap(..) => (true, true),
        };
        let options = seen.args.get(3..).unwrap_or_default();
        let replaces = options.iter().any(|word| word.eq_ignore_ascii_case(b"REPLACE"));
        Some(Pending { carry, from_there, to_there, replaces })
    }

    /// Returns the transfer, if it took place.
    pub(super) fn after(self, failed: bool, keyspace: &mut Keyspace<'_>) -> Option<Carry> {
        let done = match &self.carry {
            // The value stays if it is moved onto itself, or onto a key that RENAMENX and MOVE do not overwrite.
            Carry::Away(from, to) => {
                self.from_there && !is_there(keyspace, from) && is_there(keyspace, to)
            }
            Carry::Copy(..) => self.from_there && (!self.to_there || self.replaces),
            Carry::Swap(one, other) => one != other,
        };
        (done && !failed).then_some(self.carry)
    }
}

/// The requested key.
#[derive(Debug, Clone)]
pub(super) struct Wanted {
    pub(super) key: Vec<u8>,
    /// The databases; empty for all.
    pub(super) dbs: Vec<u32>,
}

impl Wanted {
    /// Returns whether a place is the requested key itself.
    pub(super) fn is(&self, spot: &Spot) -> bool {
        self.is_in(spot.db) && spot.key == self.key
    }

    pub(super) fn is_in(&self, db: u32) -> bool {
        self.dbs.is_empty() || self.dbs.contains(&db)
    }
}

/// The ranges in which each place contained what later became the requested key: after the first position, up to and
/// including the command at the second.
#[derive(Debug, Default)]
pub(super) struct Lineage(HashMap<Spot, Vec<(Option<Position>, Position)>>);

impl Lineage {
    /// Follows the transfers from the end of the log.
    pub(super) fn new(wanted: &Wanted, carried: &[(Position, Carry)]) -> Lineage {
        let mut follow = Follow { lineage: Lineage::default(), open: HashMap::new() };
        for (at, carry) in carried.iter().rev() {
            match carry {
                Carry::Away(from, to) => {
                    let came = follow.close(to, *at) || wanted.is(to);
                    if came {
                        follow.opened(wanted, from, *at);
                    } else {
                        // What the place contained until then was moved elsewhere.
                        follow.close(from, *at);
                    }
                }
                Carry::Copy(from, to) => {
                    if follow.close(to, *at) || wanted.is(to) {
                        follow.opened(wanted, from, *at);
                    }
                }
                Carry::Swap(one, other) => follow.swap(wanted, *one, *other, *at),
            }
        }
        let Follow { mut lineage, open } = follow;
        for (spot, until) in open {
            lineage.0.entry(spot).or_default().push((None, until));
        }
        lineage
    }

    /// Returns whether a place contains, at the command at `at`, what later became the key.
    pub(super) fn has(&self, spot: &Spot, at: Position) -> bool {
        let times = self.0.get(spot);
        times.is_some_and(|times| times.iter().any(|time| is_within(*time, at)))
    }

    /// Returns the places that contain it at `at`.
    pub(super) fn at(&self, at: Position) -> impl Iterator<Item = &Spot> {
        let within = move |times: &Vec<_>| times.iter().any(|time| is_within(*time, at));
        self.0.iter().filter(move |(_, times)| within(times)).map(|(spot, _)| spot)
    }
}

fn is_within((from, until): (Option<Position>, Position), at: Position) -> bool {
    from.is_none_or(|from| from < at) && at <= until
}

/// The state of following transfers backwards.
struct Follow {
    lineage: Lineage,
    /// The places whose range has no known beginning yet, each with its end.
    open: HashMap<Spot, Position>,
}

impl Follow {
    /// Begins the range of a place after the command at `at`; returns whether the place was followed.
    fn close(&mut self, spot: &Spot, at: Position) -> bool {
        let Some(until) = self.open.remove(spot) else { return false };
        self.lineage.0.entry(spot.clone()).or_default().push((Some(at), until));
        true
    }

    /// Follows what a place contained up to the command at `at`.
    fn opened(&mut self, wanted: &Wanted, spot: &Spot, at: Position) {
        if !wanted.is(spot) {
            self.open.entry(spot.clone()).or_insert(at);
        }
    }

    fn swap(&mut self, wanted: &Wanted, one: u32, other: u32, at: Position) {
        let opposite = |db: u32| match db {
            _ if db == one => Some(other),
            _ if db == other => Some(one),
            _ => None,
        };
        let moved: Vec<Spot> =
            self.open.keys().filter(|spot| opposite(spot.db).is_some()).cloned().collect();
        for spot in &moved {
            self.close(spot, at);
        }
        let roots = [one, other].into_iter().filter(|db| wanted.is_in(*db));
        let roots = roots.map(|db| Spot { db, key: wanted.key.clone() });
        for spot in moved.into_iter().chain(roots) {
            if let Some(db) = opposite(spot.db) {
                self.opened(wanted, &Spot { db, key: spot.key }, at);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spot(db: u32, key: &str) -> Spot {
        Spot { db, key: key.as_bytes().to_vec() }
    }

    fn at(offset: u64) -> Position {
        Position { part: 0, offset }
    }

    fn lineage(key: &str, dbs: &[u32], carried: &[(u64, Carry)]) -> Lineage {
        let wanted = Wanted { key: key.as_bytes().to_vec(), dbs: dbs.to_vec() };
        let carried: Vec<_> =
            carried.iter().map(|(place, carry)| (at(*place), carry.clone())).collect();
        Lineage::new(&wanted, &carried)
    }

    fn away(from: (u32, &str), to: (u32, &str)) -> Carry {
        Carry::Away(spot(from.0, from.1), spot(to.0, to.1))
    }

    /// Returns the offsets of 0, 10, 20 .. 90 at which a place is followed.
    fn times(lineage: &Lineage, of: (u32, &str)) -> Vec<u64> {
        let of = spot(of.0, of.1);
        (0..100).step_by(10).filter(|place| lineage.has(&of, at(*place))).collect()
    }

    #[test]
    fn former_names_of_the_key_are_followed() {
        let carried = [
            (20, away((0, "a"), (0, "b"))),
            (30, away((0, "x"), (0, "a"))),
            (50, away((0, "b"), (0, "k"))),
            (70, away((0, "a"), (0, "other"))),
        ];
        let found = lineage("k", &[], &carried);
        assert_eq!(times(&found, (0, "b")), [30, 40, 50]);
        assert_eq!(times(&found, (0, "a")), [0, 10, 20]);
        for other in ["x", "other", "k"] {
            assert_eq!(times(&found, (0, other)), [0; 0], "{other}");
        }
    }

    #[test]
    fn a_name_can_become_the_key_again_and_again() {
        let carried = [(20, away((0, "tmp"), (0, "k"))), (60, away((0, "tmp"), (0, "k")))];
        let found = lineage("k", &[], &carried);
        assert_eq!(times(&found, (0, "tmp")), [0, 10, 20, 30, 40, 50, 60]);
        // Between the two it was moved elsewhere once.
        let carried = [carried[0].clone(), (40, away((0, "tmp"), (0, "x"))), carried[1].clone()];
        let found = lineage("k", &[], &carried);
        assert_eq!(times(&found, (0, "tmp")), [0, 10, 20, 50, 60]);
    }

    #[test]
    fn databases_are_followed_too() {
        let carried = [
            (20, Carry::Copy(spot(3, "a"), spot(1, "b"))),
            (40, Carry::Swap(0, 1)),
            (60, away((0, "b"), (0, "k"))),
        ];
        let found = lineage("k", &[], &carried);
        assert_eq!(times(&found, (0, "b")), [50, 60]);
        assert_eq!(times(&found, (1, "b")), [30, 40]);
        assert_eq!(times(&found, (3, "a")), [0, 10, 20]);
        // With a filter for one database, the key of the same name in another is an ordinary place.
        let carried = [(40, Carry::Swap(0, 1))];
        assert_eq!(times(&lineage("k", &[0], &carried), (1, "k")), [0, 10, 20, 30, 40]);
        assert_eq!(times(&lineage("k", &[], &carried), (1, "k")), [0; 0]);
    }
}
