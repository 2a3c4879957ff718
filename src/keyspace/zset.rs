//! Sorted sets.
//!
//! A small one is a list in order, searched by a mark of each member. A larger one is a table of scores, which is all that
//! adding and removing by name need; its members are put in order when a command first asks for it, and are kept so
//! from then on.

mod order;

use self::order::Order;
pub use self::order::{Ordered, Place, Scored};
use crate::base::server::Server;
use crate::keyspace::hash_tags::Marks;

/// A sorted set: members, each with a score that is a number (never a NaN, which is not checked). The order is by
/// score, then by the members' bytes.
#[derive(Debug, Clone, Default)]
pub struct Zset<'a> {
    members: Members<'a>,
    unpacked: bool,
}

#[derive(Debug, Clone)]
enum Members<'a> {
    Few(Few<'a>),
    Many(Box<Many<'a>>),
}

/// Members in order, up to [`FEW`].
#[derive(Debug, Clone, Default)]
struct Few<'a> {
    members: Vec<Scored<'a>>,
    marks: Marks<FEW>,
}

impl<'a> Few<'a> {
    /// Of members in order.
    fn of(members: Vec<Scored<'a>>) -> Self {
        let mut few = Few { members, marks: Marks::default() };
        few.mark_all();
        few
    }

    /// After members were moved.
    fn mark_all(&mut self) {
        for (place, (name, _)) in self.members.iter().enumerate() {
            self.marks.put(place, name);
        }
    }

    #[inline]
    fn find(&self, member: &[u8]) -> Option<usize> {
        let members = &self.members;
        self.marks.find(member, members.len(), |place| members[place].0 == member)
    }

    #[inline]
    fn remove(&mut self, place: usize) -> Scored<'a> {
        self.marks.remove(place);
        self.members.remove(place)
    }

    #[inline]
    fn insert(&mut self, member: Scored<'a>) {
        let after = |other: &Scored<'a>| order::compare(other, &member).is_lt();
        let place = self.members.partition_point(after);
        self.marks.insert(place, member.0);
        self.members.insert(place, member);
    }
}

#[derive(Debug, Clone)]
struct Many<'a> {
    scores: Scores<'a>,
    /// Once it was asked for.
    order: Option<Order<'a>>,
}

impl Default for Members<'_> {
    fn default() -> Self {
        Members::Few(Few::default())
    }
}

/// Up to so many members are kept in a list.
const FEW: usize = 32;

/// Up to so many members, none longer than so many bytes, servers keep a sorted set packed (`zset-max-listpack-entries`
/// and `zset-max-listpack-value`, or `ziplist`, by default).
const PACKED_MEMBERS: usize = 128;
const PACKED_MEMBER_BYTES: usize = 64;

/// What becomes of the sign of a zero when it is stored.
///
/// Redis up to 6.2 keeps it. Later servers pack a whole number as an integer, which has no negative zero, so that
/// the sign is lost in sets that are packed, and kept in those that are not (*observed*).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ZeroSign {
    /// It is kept.
    Kept,
    /// It is lost while the set is [packed](Zset::is_packed).
    LostWhenPacked,
}

impl ZeroSign {
    /// What a server of this line does.
    pub fn of(server: Server) -> ZeroSign {
        if server.has_redis(7, 0) { ZeroSign::LostWhenPacked } else { ZeroSign::Kept }
    }
}

impl<'a> Zset<'a> {
    /// A set of these, packed if it is small enough.
    pub(crate) fn of(mut scores: Scores<'a>, zero: ZeroSign) -> Self {
        let longest = scores.keys().map(|member| member.len()).max().unwrap_or(0);
        let unpacked = scores.len() > PACKED_MEMBERS || longest > PACKED_MEMBER_BYTES;
        if !unpacked && zero == ZeroSign::LostWhenPacked {
            scores.values_mut().for_each(|score| *score += 0.0);
        }
        let members = if scores.len() <= FEW {
            let mut members: Vec<Scored<'a>> = scores.into_iter().collect();
            members.sort_unstable_by(order::compare);
            Members::Few(Few::of(members))
        } else {
            Members::Many(Box::new(Many { scores, order: None }))
        };
        Zset { members, unpacked }
    }

    /// How many members it has.
    pub fn len(&self) -> usize {
        match &self.members {
            Members::Few(few) => few.members.len(),
            Members::Many(many) => many.scores.len(),
        }
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether a server with its default limits would have it packed: until it has more than 128 members, or one
    /// of more than 64 bytes, and never again after that.
    pub fn is_packed(&self) -> bool {
        !self.unpacked
    }

    /// Unpacks it for so many members, or one of so many bytes, before they are added.
    pub(crate) fn unpack_for(&mut self, members: usize, member_bytes: usize) {
        self.unpacked |= members > PACKED_MEMBERS || member_bytes > PACKED_MEMBER_BYTES;
    }

    /// The members and their scores, in an order that depends on what was done alone.
    pub fn members(&self) -> impl Iterator<Item = Scored<'a>> {
        let (few, many) = match &self.members {
            Members::Few(few) => (&few.members[..], None),
            Members::Many(many) => (&[][..], Some(&many.scores)),
        };
        let many = many.into_iter().flatten().map(|(member, score)| (*member, *score));
        few.iter().copied().chain(many)
    }

    /// The members and their scores from the lowest score to the highest.
    pub fn ascending(&self) -> Vec<Scored<'a>> {
        match &self.members {
            Members::Few(few) => few.members.clone(),
            Members::Many(many) => match &many.order {
                Some(order) => order.read().all().collect(),
                None => order::sorted(&many.scores),
            },
        }
    }

    /// The members and their scores from the highest score to the lowest, as an RDB has them.
    pub fn descending(&self) -> Vec<Scored<'a>> {
        let mut members = self.ascending();
        members.reverse();
        members
    }

    /// The score of a member.
    pub fn score(&self, member: &[u8]) -> Option<f64> {
        match &self.members {
            Members::Few(few) => few.find(member).map(|place| few.members[place].1),
            Members::Many(many) => many.scores.get(member).copied(),
        }
    }

    /// Gives a member this score. It is borrowed if it is new.
    pub fn insert(&mut self, member: &'a [u8], score: f64, zero: ZeroSign) {
        let kept: Result<(), ()> = self.update(member, zero, |_| member, |_| Ok(Some(score)));
        kept.expect("it was not refused");
    }

    /// Gives a member the score that `decide` makes of the one that it has; with `None` it is left as it is, or not
    /// added. `keep` gives a new member's name a life.
    ///
    /// # Errors
    ///
    /// Those of `decide`; nothing was changed then.
    pub(crate) fn update<E>(
        &mut self,
        member: &[u8],
        zero: ZeroSign,
        keep: impl FnOnce(&[u8]) -> &'a [u8],
        decide: impl FnOnce(Option<f64>) -> Result<Option<f64>, E>,
    ) -> Result<(), E> {
        let len = self.len();
        let unpacked = &mut self.unpacked;
        let mut stored = |score: f64, is_new: bool| {
            *unpacked |= is_new && (len >= PACKED_MEMBERS || member.len() > PACKED_MEMBER_BYTES);
            let sign_is_lost = !*unpacked && zero == ZeroSign::LostWhenPacked;
            // Zero and negative zero are zero.
            if sign_is_lost { score + 0.0 } else { score }
        };
        match &mut self.members {
            Members::Few(few) => {
                let found = few.find(member);
                let current = found.map(|at| few.members[at].1);
                let Some(score) = decide(current)? else { return Ok(()) };
                let score = stored(score, found.is_none());
                let name = match found {
                    Some(at) => few.remove(at).0,
                    None => keep(member),
                };
                few.insert((name, score));
                if few.members.len() > FEW {
                    let scores = std::mem::take(&mut few.members).into_iter().collect();
                    self.members = Members::Many(Box::new(Many { scores, order: None }));
                }
            }
            Members::Many(many) => {
                if let Some((_, name, current)) = many.scores.get_full_mut(member) {
                    let Some(score) = decide(Some(*current))? else { return Ok(()) };
                    let score = stored(score, false);
                    if let Some(order) = &mut many.order {
                        order.remove((name, *current));
                        order.insert((name, score));
                    }
                    *current = score;
                } else {
                    let Some(score) = decide(None)? else { return Ok(()) };
                    let (score, name) = (stored(score, true), keep(member));
                    many.scores.insert(name, score);
                    if let Some(order) = &mut many.order {
                        order.insert((name, score));
                    }
                }
            }
        }
        Ok(())
    }

    /// Removes a member, and says whether there was one.
    pub fn remove(&mut self, member: &[u8]) -> bool {
        match &mut self.members {
            Members::Few(few) => few.find(member).map(|at| few.remove(at)).is_some(),
            Members::Many(many) => {
                let Some((name, score)) = many.scores.swap_remove_entry(member) else {
                    return false;
                };
                if let Some(order) = &mut many.order {
                    order.remove((name, score));
                }
                true
            }
        }
    }

    /// The members in their order.
    pub fn ordered(&mut self) -> Ordered<'_, 'a> {
        match &mut self.members {
            Members::Few(few) => Ordered::of(std::slice::from_ref(&few.members)),
            Members::Many(many) => {
                many.order.get_or_insert_with(|| Order::of(order::sorted(&many.scores))).read()
            }
        }
    }

    /// Removes the members from one place in the order up to another.
    pub fn remove_range(&mut self, range: std::ops::Range<Place>) {
        if range.is_empty() {
            return;
        }
        match &mut self.members {
            Members::Few(few) => {
                let members = &mut few.members;
                let (from, to) = (range.start.rank_in(members), range.end.rank_in(members));
                members.drain(from..to);
                few.mark_all();
            }
            Members::Many(many) => {
                let Many { scores, order } = &mut **many;
                let order = order.as_mut().expect("a place was found in it");
                order.remove_range(range, |(member, _)| {
                    scores.swap_remove(member);
                });
            }
        }
    }
}

mod scores;
#[cfg(test)]
mod tests;

pub(crate) use scores::Scores;
