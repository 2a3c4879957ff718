//! Sorted sets.
//!
//! A small one is a sorted list that is searched by the hash tags of its members. A larger one is a
//! table of scores, which is sufficient for adding and removing by name; its members are sorted
//! when a command first requires the order, and kept sorted from then on.

mod order;

use self::order::Order;
pub use self::order::{OrderPosition, Ordered, Scored};
use crate::base::server::Server;
use crate::keyspace::hash_tags::HashTags;

/// A sorted set: members, each with a score that must not be NaN (this is not checked). The order
/// is by score, then by the members' bytes.
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

/// Sorted members, at most [`FEW`].
#[derive(Debug, Clone, Default)]
struct Few<'a> {
    members: Vec<Scored<'a>>,
    marks: HashTags<FEW>,
}

impl<'a> Few<'a> {
    /// Creates it from sorted members.
    fn from_sorted(members: Vec<Scored<'a>>) -> Self {
        let mut few = Few { members, marks: HashTags::default() };
        few.mark_all();
        few
    }

    /// Updates all tags after members were moved.
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
    /// Present once the order was requested.
    order: Option<Order<'a>>,
}

impl Default for Members<'_> {
    fn default() -> Self {
        Members::Few(Few::default())
    }
}

/// Maximum number of members that are stored in a list.
const FEW: usize = 32;

/// Maximum number of members, and maximum length in bytes of a member, up to which servers use a
/// packed encoding (`zset-max-listpack-entries` and `zset-max-listpack-value`, or `ziplist`, by
/// default).
const PACKED_MEMBERS: usize = 128;
const PACKED_MEMBER_BYTES: usize = 64;

/// The treatment of the sign of a zero when it is stored.
///
/// Redis up to 6.2 retains it. Later servers store an integral score in a packed encoding as an
/// integer, which has no negative zero, so the sign is lost in packed sets, and retained in others
/// (*observed*).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ZeroSign {
    /// It is retained.
    Kept,
    /// It is lost while the set is [packed](Zset::is_packed).
    LostWhenPacked,
}

impl ZeroSign {
    /// Returns the treatment of a server of this release line.
    pub fn of_server(server: Server) -> ZeroSign {
        if server.has_redis(7, 0) { ZeroSign::LostWhenPacked } else { ZeroSign::Kept }
    }
}

impl<'a> Zset<'a> {
    /// Creates a set of these scores, packed if it is small enough.
    pub(crate) fn from_scores(mut scores: Scores<'a>, zero: ZeroSign) -> Self {
        let longest = scores.keys().map(|member| member.len()).max().unwrap_or(0);
        let unpacked = scores.len() > PACKED_MEMBERS || longest > PACKED_MEMBER_BYTES;
        if !unpacked && zero == ZeroSign::LostWhenPacked {
            scores.values_mut().for_each(|score| *score += 0.0);
        }
        let members = if scores.len() <= FEW {
            let mut members: Vec<Scored<'a>> = scores.into_iter().collect();
            members.sort_unstable_by(order::compare);
            Members::Few(Few::from_sorted(members))
        } else {
            Members::Many(Box::new(Many { scores, order: None }))
        };
        Zset { members, unpacked }
    }

    /// Returns the number of members.
    pub fn len(&self) -> usize {
        match &self.members {
            Members::Few(few) => few.members.len(),
            Members::Many(many) => many.scores.len(),
        }
    }

    /// Returns whether there are no members.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns whether a server with default limits would use a packed encoding: until the set has
    /// more than 128 members, or one of more than 64 bytes, and never again after that.
    pub fn is_packed(&self) -> bool {
        !self.unpacked
    }

    /// Marks the set as not packed if the given number of members or length of a member requires
    /// it, before they are added.
    pub(crate) fn unpack_for(&mut self, members: usize, member_bytes: usize) {
        self.unpacked |= members > PACKED_MEMBERS || member_bytes > PACKED_MEMBER_BYTES;
    }

    /// Returns the members and their scores, in an order that depends only on the operations
    /// performed.
    pub fn members(&self) -> impl Iterator<Item = Scored<'a>> {
        let (few, many) = match &self.members {
            Members::Few(few) => (&few.members[..], None),
            Members::Many(many) => (&[][..], Some(&many.scores)),
        };
        let many = many.into_iter().flatten().map(|(member, score)| (*member, *score));
        few.iter().copied().chain(many)
    }

    /// Returns the members and their scores from the lowest score to the highest.
    pub fn ascending(&self) -> Vec<Scored<'a>> {
        match &self.members {
            Members::Few(few) => few.members.clone(),
            Members::Many(many) => match &many.order {
                Some(order) => order.read().all().collect(),
                None => order::sorted(&many.scores),
            },
        }
    }

    /// Returns the members and their scores from the highest score to the lowest, as in an RDB.
    pub fn descending(&self) -> Vec<Scored<'a>> {
        let mut members = self.ascending();
        members.reverse();
        members
    }

    /// Returns the score of a member.
    pub fn score(&self, member: &[u8]) -> Option<f64> {
        match &self.members {
            Members::Few(few) => few.find(member).map(|place| few.members[place].1),
            Members::Many(many) => many.scores.get(member).copied(),
        }
    }

    /// Sets the score of a member. A new member is borrowed.
    pub fn insert(&mut self, member: &'a [u8], score: f64, zero: ZeroSign) {
        let kept: Result<(), ()> = self.update(member, zero, |_| member, |_| Ok(Some(score)));
        kept.expect("it was not refused");
    }

    /// Sets the score of a member to the result of `decide` for its current score; with `None` it
    /// is unchanged, or not added. `keep` returns the name of a new member with the required
    /// lifetime.
    ///
    /// # Errors
    ///
    /// Returns the errors of `decide`; nothing is changed in that case.
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
            // Adding 0.0 turns negative zero into zero.
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

    /// Removes a member, and returns whether it existed.
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

    /// Returns the members in order.
    pub fn ordered(&mut self) -> Ordered<'_, 'a> {
        match &mut self.members {
            Members::Few(few) => Ordered::new(std::slice::from_ref(&few.members)),
            Members::Many(many) => many
                .order
                .get_or_insert_with(|| Order::from_sorted(order::sorted(&many.scores)))
                .read(),
        }
    }

    /// Removes the members between two positions in the order.
    pub fn remove_range(&mut self, range: std::ops::Range<OrderPosition>) {
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
