//! Following a key through a replay, and reporting its events.

use std::collections::BTreeSet;

use super::event::{Event, FinalKey, KeyContent, Touched};
use super::lineage::{Carry, Lineage, Pending, Spot, Wanted};
use crate::aof::log::Log;
use crate::base::error::{Error, Result};
use crate::command::{CommandId, Position};
use crate::keyspace::fingerprint::{Detail, Fingerprint};
use crate::keyspace::{Db, Keyspace};
use crate::replay::{KeySpecs, Observed, Observer, Outcome, Routed, ShardObserver};

/// The data needed to follow a key.
#[derive(Clone, Copy)]
pub(super) struct Teller<'t> {
    pub(super) log: &'t Log,
    pub(super) routed: &'t Routed<'t>,
    pub(super) wanted: &'t Wanted,
    pub(super) lineage: &'t Lineage,
    pub(super) key_specs: &'t KeySpecs,
    pub(super) report: &'t (dyn Fn(&Event<'_>) -> Result<()> + Sync),
}

/// Follows a key.
pub(super) struct Follower<'t> {
    teller: Teller<'t>,
    /// The places to which the key was renamed or moved.
    went: BTreeSet<Spot>,
    pending: Option<Pending>,
    /// The places that the current command may touch, with their content before it.
    before: Vec<Watched>,
    /// Whether the command names this key and no other.
    direct: bool,
    scratch: Fingerprint,
    failed: Option<Error>,
}

/// A place, and its content before a command.
struct Watched {
    spot: Spot,
    held: Option<KeyContent>,
    /// The fingerprint of the value, if needed to detect whether a command changes it.
    print: Option<u128>,
}

impl<'t> ShardObserver for Teller<'t> {
    type Observer<'a> = Follower<'t>;
    type Made = Vec<FinalKey>;

    fn begin<'a>(&self, _: usize, _: &Keyspace<'a>) -> Follower<'t> {
        Follower {
            teller: *self,
            went: BTreeSet::new(),
            pending: None,
            before: Vec::new(),
            direct: false,
            scratch: Fingerprint::default(),
            failed: None,
        }
    }

    fn finish<'a>(
        &self,
        _: usize,
        follower: Follower<'t>,
        keyspace: &mut Keyspace<'a>,
    ) -> Result<Vec<FinalKey>> {
        if let Some(error) = follower.failed {
            return Err(error);
        }
        let mut spots = follower.roots(keyspace);
        spots.extend(follower.went);
        let places = spots.into_iter().filter_map(|spot| {
            let held = held_by(keyspace, &spot)?;
            Some(FinalKey { db: spot.db, key: spot.key, held })
        });
        Ok(places.collect())
    }
}

fn held_by(keyspace: &mut Keyspace<'_>, spot: &Spot) -> Option<KeyContent> {
    keyspace.db(spot.db).get(&spot.key).and_then(KeyContent::from_entry)
}

impl Follower<'_> {
    /// Returns the key itself, in every database that has been used.
    fn roots(&self, keyspace: &Keyspace<'_>) -> BTreeSet<Spot> {
        let wanted = self.teller.wanted;
        let numbers = keyspace.databases().map(Db::number).filter(|db| wanted.is_in(*db));
        numbers.map(|db| Spot { db, key: wanted.key.clone() }).collect()
    }

    /// Returns every place that is followed at a command.
    fn all(&self, at: Position, keyspace: &Keyspace<'_>) -> BTreeSet<Spot> {
        let mut all = self.roots(keyspace);
        all.extend(self.went.iter().cloned());
        all.extend(self.teller.lineage.at(at).cloned());
        all
    }

    fn is_followed(&self, spot: &Spot, at: Position) -> bool {
        self.is_the_keys(spot) || self.teller.lineage.has(spot, at)
    }

    /// Returns whether a place contains the key or its former value.
    fn is_the_keys(&self, spot: &Spot) -> bool {
        self.teller.wanted.is(spot) || self.went.contains(spot)
    }

    /// Returns the places that are followed and that a command may touch.
    fn spots(&mut self, seen: &Observed<'_, '_>, keyspace: &Keyspace<'_>) -> BTreeSet<Spot> {
        self.direct = false;
        let everywhere = |db: &dyn Fn(u32) -> bool| -> BTreeSet<Spot> {
            self.all(seen.at, keyspace).into_iter().filter(|spot| db(spot.db)).collect()
        };
        match seen.id {
            Some(CommandId::FLUSHALL) => return everywhere(&|_| true),
            Some(CommandId::FLUSHDB) => return everywhere(&|db| db == seen.db),
            Some(CommandId::SWAPDB) => {
                let Some(Carry::Swap(one, other)) = Carry::from_command(seen) else {
                    return BTreeSet::new();
                };
                let spots = everywhere(&|db| db == one || db == other);
                let opposite = |spot: &Spot| Spot {
                    db: if spot.db == one { other } else { one },
                    key: spot.key.clone(),
                };
                return spots
                    .iter()
                    .map(opposite)
                    .collect::<BTreeSet<_>>()
                    .union(&spots)
                    .cloned()
                    .collect();
            }
            Some(id) if !id.row().writes => return BTreeSet::new(),
            _ => {}
        }
        let mut keys = Vec::new();
        match seen.id {
            Some(id) => {
                let arg = |at: usize| seen.args.get(at).copied().unwrap_or_default();
                let _ = id.row().visit_keys(seen.args.len(), arg, |at| keys.push(arg(at)));
            }
            None => keys.extend(seen.args.get(self.teller.key_specs.key_of(seen.args[0])).copied()),
        }
        let carry = Carry::from_command(seen);
        self.direct = keys.len() == 1 && carry.is_none();
        let here = |key: &&[u8]| Spot { db: seen.db, key: key.to_vec() };
        let mut spots: BTreeSet<Spot> =
            keys.iter().filter(|key| (seen.owns)(key)).map(here).collect();
        // COPY may name a key of another database.
        if let Some(Carry::Copy(_, to) | Carry::Away(_, to)) = &carry {
            spots.remove(&Spot { db: seen.db, key: to.key.clone() });
        }
        spots.retain(|spot| self.is_followed(spot, seen.at));
        if let Some(Carry::Copy(from, to) | Carry::Away(from, to)) = carry {
            if self.is_followed(&from, seen.at) {
                spots.insert(from.clone());
                spots.insert(to);
            } else if self.is_followed(&to, seen.at) {
                spots.insert(to);
            }
        }
        spots
    }

    /// Follows the key to where a command carried it.
    fn follow(&mut self, carry: &Carry) {
        match carry {
            Carry::Away(from, to) => {
                let goes_on = self.is_the_keys(from);
                self.went.remove(from);
                if goes_on && !self.teller.wanted.is(to) {
                    self.went.insert(to.clone());
                } else {
                    self.went.remove(to);
                }
            }
            Carry::Copy(_, to) => {
                self.went.remove(to);
            }
            Carry::Swap(one, other) => {
                let (one, other) = (*one, *other);
                let swapped = |db| match db {
                    _ if db == one => other,
                    _ if db == other => one,
                    _ => db,
                };
                let wanted = self.teller.wanted;
                let roots = [one, other].into_iter().filter(|db| wanted.is_in(*db));
                let roots = roots.map(|db| Spot { db, key: wanted.key.clone() });
                let all = std::mem::take(&mut self.went).into_iter().chain(roots);
                let moved = all.map(|spot| Spot { db: swapped(spot.db), ..spot });
                self.went = moved.filter(|spot| !wanted.is(spot)).collect();
            }
        }
    }

    fn report(&mut self, event: &Event<'_>) {
        if self.failed.is_none() {
            self.failed = (self.teller.report)(event).err();
        }
    }
}

impl<'a> Observer<'a> for Follower<'_> {
    fn before(&mut self, seen: &Observed<'_, 'a>, keyspace: &mut Keyspace<'a>) {
        self.pending = Pending::before(seen, keyspace);
        let spots = self.spots(seen, keyspace);
        self.before.clear();
        for spot in spots {
            let held = held_by(keyspace, &spot);
            let print =
                if self.direct { None } else { print_of(&mut self.scratch, keyspace, &spot) };
            self.before.push(Watched { spot, held, print });
        }
    }

    fn after(&mut self, seen: &Observed<'_, 'a>, outcome: Outcome, keyspace: &mut Keyspace<'a>) {
        let failed = outcome != Outcome::Done;
        let carry = self.pending.take().and_then(|pending| pending.after(failed, keyspace));
        let mut touched = Vec::new();
        for Watched { spot, held, print } in std::mem::take(&mut self.before) {
            let after = held_by(keyspace, &spot);
            let changed = self.direct
                || held != after
                || print != print_of(&mut self.scratch, keyspace, &spot);
            if after.is_none() {
                self.went.remove(&spot);
            }
            if changed {
                touched.push(Touched { db: spot.db, key: spot.key, before: held, after });
            }
        }
        if !touched.is_empty() {
            let teller = self.teller;
            let Some(part) = teller.log.parts.get(seen.at.part as usize) else { return };
            self.report(&Event {
                part: &part.name,
                number: part.index + 1,
                offset: seen.at.offset,
                time: teller.routed.recorded_time(seen.at),
                db: Some(seen.db),
                args: seen.args,
                error: match outcome {
                    Outcome::Done => None,
                    Outcome::Failed(error) => Some(error),
                },
                touched: &touched,
            });
        }
        if let Some(carry) = carry {
            self.follow(&carry);
        }
    }

    fn part_begins(&mut self, number: u32, keyspace: &mut Keyspace<'a>) {
        let Some(part) = self.teller.log.parts.get(number as usize) else { return };
        if !part.starts_with_rdb() {
            return;
        }
        let spots = self.all(Position { part: number, offset: 0 }, keyspace);
        let touched: Vec<Touched> = spots
            .into_iter()
            .filter_map(|spot| {
                let after = Some(held_by(keyspace, &spot)?);
                Some(Touched { db: spot.db, key: spot.key, before: None, after })
            })
            .collect();
        if !touched.is_empty() {
            self.report(&Event {
                part: &part.name,
                number: part.index + 1,
                offset: 0,
                time: None,
                db: None,
                args: &[],
                error: None,
                touched: &touched,
            });
        }
    }
}

fn print_of(scratch: &mut Fingerprint, keyspace: &mut Keyspace<'_>, spot: &Spot) -> Option<u128> {
    let entry = keyspace.db(spot.db).get(&spot.key)?;
    Some(scratch.of_value(&entry.value, Detail::All))
}
