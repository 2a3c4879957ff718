//! Ranges of a sorted set, by rank, score or member, and ZRANGESTORE (`zslParseRange`,
//! `zslParseLexRange`, `zrangeGenericCommand` in `t_zset.c`).

use std::ops::Range;

use super::double::bound;
use super::replace;
use crate::base::server::Server;
use crate::command::apply::{Applied, Call, Unapplied};
use crate::keyspace::{OrderPosition, Ordered, Scored, ZeroSign, Zset};

/// A range of ranks, both included; negative ones count from the end.
#[derive(Clone, Copy)]
pub(super) struct RankRange {
    pub(super) first: i64,
    pub(super) last: i64,
}

impl RankRange {
    /// Returns the ranks in a set of `len` members, the end excluded.
    fn ranks(self, len: usize) -> Range<usize> {
        let len = i64::try_from(len).unwrap_or(i64::MAX);
        let at_start_of_log = |rank: i64| if rank < 0 { rank + len } else { rank };
        let first = at_start_of_log(self.first).max(0);
        let last = at_start_of_log(self.last).min(len - 1);
        match (usize::try_from(first), usize::try_from(last)) {
            (Ok(first), Ok(last)) if first <= last => first..last + 1,
            _ => 0..0,
        }
    }

    pub(super) fn places(self, len: usize, ordered: Ordered<'_, '_>) -> Range<OrderPosition> {
        let Range { start, end } = self.ranks(len);
        let place = |rank| {
            if rank <= len / 2 { ordered.rank(rank) } else { ordered.rank_from_end(len - rank) }
        };
        place(start)..place(end)
    }
}

/// A range of scores.
#[derive(Clone, Copy)]
pub(super) struct ScoreRange {
    min: f64,
    min_excluded: bool,
    max: f64,
    max_excluded: bool,
}

impl ScoreRange {
    pub(super) fn read(min: &[u8], max: &[u8], server: Server) -> Result<Self, Unapplied> {
        let read = |text: &[u8]| {
            let (text, excluded) = match text {
                [b'(', text @ ..] => (text, true),
                text => (text, false),
            };
            let bound = bound(text, server);
            bound.map(|bound| (bound, excluded))
        };
        match (read(min), read(max)) {
            (Some((min, min_excluded)), Some((max, max_excluded))) => {
                Ok(ScoreRange { min, min_excluded, max, max_excluded })
            }
            _ => Err(Unapplied::Failed("ERR min or max is not a float")),
        }
    }

    pub(super) fn places(self, ordered: Ordered<'_, '_>) -> Range<OrderPosition> {
        let ScoreRange { min, min_excluded, max, max_excluded } = self;
        let start =
            ordered.partition_point(|(_, score)| score < min || min_excluded && score == min);
        let end =
            ordered.partition_point(|(_, score)| score < max || !max_excluded && score == max);
        start..end.max(start)
    }
}

/// A range of members.
#[derive(Clone, Copy)]
pub(super) struct LexRange<'c> {
    min: LexBound<'c>,
    max: LexBound<'c>,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum LexBound<'c> {
    /// `-`: before all members.
    Lowest,
    /// A member, and whether it is excluded.
    Member(&'c [u8], bool),
    /// `+`: after all members.
    Highest,
}

impl<'c> LexBound<'c> {
    fn read(text: &'c [u8]) -> Option<Self> {
        match text {
            [b'-'] | [b'-', 0, ..] => Some(LexBound::Lowest),
            [b'+'] | [b'+', 0, ..] => Some(LexBound::Highest),
            [b'(', member @ ..] => Some(LexBound::Member(member, true)),
            [b'[', member @ ..] => Some(LexBound::Member(member, false)),
            _ => None,
        }
    }
}

impl<'c> LexRange<'c> {
    pub(super) fn read(min: &'c [u8], max: &'c [u8]) -> Result<Self, Unapplied> {
        match (LexBound::read(min), LexBound::read(max)) {
            (Some(min), Some(max)) => Ok(LexRange { min, max }),
            _ => Err(Unapplied::Failed("ERR min or max not valid string range item")),
        }
    }

    /// Returns whether the range cannot contain any member.
    fn is_empty(self) -> bool {
        match (self.min, self.max) {
            (LexBound::Member(min, min_excluded), LexBound::Member(max, max_excluded)) => {
                min > max || min == max && (min_excluded || max_excluded)
            }
            (min, max) => min >= max,
        }
    }

    fn is_after_min(self, (member, _): Scored<'_>) -> bool {
        match self.min {
            LexBound::Lowest => true,
            LexBound::Highest => false,
            LexBound::Member(min, excluded) => member > min || !excluded && member == min,
        }
    }

    fn is_before_max(self, (member, _): Scored<'_>) -> bool {
        match self.max {
            LexBound::Lowest => false,
            LexBound::Highest => true,
            LexBound::Member(max, excluded) => member < max || !excluded && member == max,
        }
    }

    /// Returns the positions of the members in the range.
    ///
    /// If the scores are not all equal, the members are not in lexicographic order, and the
    /// documentation leaves the result unspecified. The result is then that of servers for packed
    /// sets: from the first member after the minimum up to the maximum.
    pub(super) fn places(self, ordered: Ordered<'_, '_>) -> Range<OrderPosition> {
        if !self.may_meet(ordered) {
            return ordered.start()..ordered.start();
        }
        if has_one_score(ordered) {
            let start = ordered.partition_point(|member| !self.is_after_min(member));
            return start..ordered.partition_point(|member| self.is_before_max(member)).max(start);
        }
        let first = ordered.all().take_while(|member| !self.is_after_min(*member)).count();
        let start = ordered.rank(first);
        let members = ordered.range(start..ordered.end());
        let count = members.take_while(|member| self.is_before_max(*member)).count();
        start..ordered.rank(first + count)
    }

    /// Like [`places`](Self::places), but searched from the end.
    fn places_from_end(self, ordered: Ordered<'_, '_>) -> Range<OrderPosition> {
        if !self.may_meet(ordered) || has_one_score(ordered) {
            return self.places(ordered);
        }
        let following =
            ordered.all().rev().take_while(|member| !self.is_before_max(*member)).count();
        let end = ordered.rank_from_end(following);
        let members = ordered.range(ordered.start()..end).rev();
        let count = members.take_while(|member| self.is_after_min(*member)).count();
        ordered.rank_from_end(following + count)..end
    }

    /// Servers check both ends first.
    fn may_meet(self, ordered: Ordered<'_, '_>) -> bool {
        !self.is_empty()
            && ordered.last().is_some_and(|last| self.is_after_min(last))
            && ordered.first().is_some_and(|first| self.is_before_max(first))
    }
}

fn has_one_score(ordered: Ordered<'_, '_>) -> bool {
    ordered.first().map(|(_, score)| score) == ordered.last().map(|(_, score)| score)
}

/// LIMIT.
#[derive(Clone, Copy)]
struct Limit {
    /// A negative offset skips all members.
    offset: i64,
    /// A negative count means no limit.
    count: i64,
    /// In sets that are not packed, a negative offset counts from the end of the range. This is a
    /// side effect in Valkey since 8.0, which finds the first member by its rank in the range
    /// (`zslNthInRange`; *observed* on 9.1).
    finds_offset: bool,
}

/// The selection of ZRANGESTORE.
enum Wanted<'c> {
    Ranks(RankRange),
    Scores(ScoreRange),
    Members(LexRange<'c>),
}

#[derive(PartialEq, Eq)]
enum By {
    Rank,
    Score,
    Lex,
}

pub(super) fn zrangestore(call: &mut Call<'_, '_>) -> Applied {
    let server = call.context.server;
    let mut limit = Limit { offset: 0, count: -1, finds_offset: server.has_valkey(8, 0) };
    let (mut by, mut reversed) = (By::Rank, false);
    let mut at = 5;
    while at < call.args.len() {
        if call.is(at, "LIMIT") && call.args.len() - at > 2 {
            (limit.offset, limit.count) = (call.int(at + 1)?, call.int(at + 2)?);
            at += 2;
        } else if !reversed && call.is(at, "REV") {
            reversed = true;
        } else if by == By::Rank && call.is(at, "BYLEX") {
            by = By::Lex;
        } else if by == By::Rank && call.is(at, "BYSCORE") {
            by = By::Score;
        } else {
            return Err(Unapplied::SYNTAX);
        }
        at += 1;
    }
    let (mut min, mut max) = (call.args[3], call.args[4]);
    if reversed && by != By::Rank {
        (min, max) = (max, min);
    }
    let wanted = match by {
        By::Rank if limit.count != -1 => {
            return Err(Unapplied::Failed(
                "ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX",
            ));
        }
        By::Rank => {
            limit.offset = 0;
            Wanted::Ranks(RankRange { first: call.int(3)?, last: call.int(4)? })
        }
        By::Score => Wanted::Scores(ScoreRange::read(min, max, server)?),
        By::Lex => Wanted::Members(LexRange::read(min, max)?),
    };
    let zero = ZeroSign::of_server(server);
    let (destination, source) = (call.args[1], call.args[2]);
    let mut result = Zset::default();
    if let Some(zset) = call.db().find_mut::<Zset<'_>>(source)? {
        let members = select(zset, &wanted, reversed, limit);
        if let Wanted::Ranks(_) = wanted {
            result.unpack_for(members.len(), 0);
        }
        for (member, score) in members {
            result.insert(member, score, zero);
        }
    }
    replace(call, destination, result);
    Ok(())
}

/// Returns the selected members, in their order.
fn select<'a>(
    zset: &mut Zset<'a>,
    wanted: &Wanted<'_>,
    reversed: bool,
    limit: Limit,
) -> Vec<Scored<'a>> {
    let len = zset.len();
    let finds_offset = limit.finds_offset && !zset.is_packed();
    let ordered = zset.ordered();
    let places = match wanted {
        Wanted::Ranks(ranks) if !reversed => ranks.places(len, ordered),
        Wanted::Ranks(ranks) => {
            let Range { start, end } = ranks.ranks(len);
            ordered.rank_from_end(end)..ordered.rank_from_end(start)
        }
        Wanted::Scores(scores) => scores.places(ordered),
        Wanted::Members(members) if reversed => members.places_from_end(ordered),
        Wanted::Members(members) => members.places(ordered),
    };
    let count = usize::try_from(limit.count).unwrap_or(usize::MAX);
    if let (Wanted::Members(lex), Ok(offset)) = (wanted, usize::try_from(limit.offset))
        && !places.is_empty()
        && !has_one_score(ordered)
    {
        // The order is unspecified in this case, too: members that the offset skips are not
        // checked, and may be outside the range.
        return if reversed {
            let members = ordered.range(ordered.start()..places.end).rev().skip(offset);
            members.take_while(|member| lex.is_after_min(*member)).take(count).collect()
        } else {
            let members = ordered.range(places.start..ordered.end()).skip(offset);
            members.take_while(|member| lex.is_before_max(*member)).take(count).collect()
        };
    }
    let members = ordered.range(places);
    match usize::try_from(limit.offset) {
        Ok(offset) if reversed => members.rev().skip(offset).take(count).collect(),
        Ok(offset) => members.skip(offset).take(count).collect(),
        Err(_) if !finds_offset => Vec::new(),
        Err(_) => {
            let mut members: Vec<Scored<'a>> = members.collect();
            if reversed {
                members.reverse();
            }
            let following = usize::try_from(limit.offset.unsigned_abs()).unwrap_or(usize::MAX);
            let first = members.len().checked_sub(following).unwrap_or(members.len());
            members.into_iter().skip(first).take(count).collect()
        }
    }
}
