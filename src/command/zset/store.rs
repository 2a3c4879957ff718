//! ZUNIONSTORE, ZINTERSTORE and ZDIFFSTORE (`zunionInterDiffGenericCommand` in `t_zset.c`).
//!
//! Sources can be sets as well: their members have the score 1. Sums are computed in the order of
//! the sizes of the sources, on which their last digits depend.

use super::double::double;
use super::replace;
use crate::command::apply::{Applied, Call, Unapplied};
use crate::keyspace::{Db, Scores, Set, Value, ZeroSign, Zset};

pub(super) fn zunionstore(call: &mut Call<'_, '_>) -> Applied {
    store(call, Operation::Union)
}

pub(super) fn zinterstore(call: &mut Call<'_, '_>) -> Applied {
    store(call, Operation::Inter)
}

pub(super) fn zdiffstore(call: &mut Call<'_, '_>) -> Applied {
    store(call, Operation::Diff)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Operation {
    Union,
    Inter,
    Diff,
}

/// The combination of two scores of a member.
#[derive(Clone, Copy)]
enum Aggregate {
    Sum,
    Min,
    Max,
}

impl Aggregate {
    fn join(self, score: f64, other: f64) -> f64 {
        match self {
            Aggregate::Sum => zero_if_nan(score + other),
            Aggregate::Min if other < score => other,
            Aggregate::Max if other > score => other,
            Aggregate::Min | Aggregate::Max => score,
        }
    }
}

/// Infinity minus infinity, or times zero, is zero.
fn zero_if_nan(score: f64) -> f64 {
    if score.is_nan() { 0.0 } else { score }
}

#[derive(Clone, Copy)]
enum Members<'v, 'a> {
    None,
    Set(&'v Set<'a>),
    Zset(&'v Zset<'a>),
}

#[derive(Clone, Copy)]
struct Source<'v, 'a> {
    members: Members<'v, 'a>,
    weight: f64,
}

impl<'v, 'a> Source<'v, 'a> {
    fn find(db: &'v Db<'a>, key: &[u8]) -> Result<Self, Unapplied> {
        let members = match db.get(key).map(|entry| &entry.value) {
            None => Members::None,
            Some(Value::Set(set)) => Members::Set(set),
            Some(Value::Zset(zset)) => Members::Zset(zset),
            Some(_) => return Err(Unapplied::WRONG_TYPE),
        };
        Ok(Source { members, weight: 1.0 })
    }

    fn len(&self) -> usize {
        match self.members {
            Members::None => 0,
            Members::Set(set) => set.len(),
            Members::Zset(zset) => zset.len(),
        }
    }

    /// Calls `with` for each member and its score, without weights.
    fn each(&self, mut with: impl FnMut(&'a [u8], f64)) {
        match self.members {
            Members::None => {}
            Members::Set(set) => set.members().for_each(|member| with(member, 1.0)),
            Members::Zset(zset) => zset.members().for_each(|(member, score)| with(member, score)),
        }
    }

    fn score(&self, member: &[u8]) -> Option<f64> {
        match self.members {
            Members::None => None,
            Members::Set(set) => set.contains(member).then_some(1.0),
            Members::Zset(zset) => zset.score(member),
        }
    }
}

fn store(call: &mut Call<'_, '_>, operation: Operation) -> Applied {
    let (args, server) = (call.args, call.context.server);
    let numkeys = usize::try_from(call.int(2)?)
        .ok()
        .filter(|keys| *keys > 0)
        .ok_or(Unapplied::Failed("ERR at least 1 input key is needed"))?;
    if numkeys > args.len() - 3 {
        return Err(Unapplied::SYNTAX);
    }
    let (keys, mut options) = args[3..].split_at(numkeys);
    let db = &*call.db();
    let mut sources = Vec::with_capacity(numkeys);
    for key in keys {
        sources.push(Source::find(db, key)?);
    }
    let mut aggregate = Aggregate::Sum;
    while let Some((option, rest)) = options.split_first() {
        let is = |option: &[u8], other: &str| option.eq_ignore_ascii_case(other.as_bytes());
        if operation != Operation::Diff && rest.len() >= numkeys && is(option, "WEIGHTS") {
            let (weights, rest) = rest.split_at(numkeys);
            for (source, weight) in sources.iter_mut().zip(weights) {
                source.weight = double(weight, server)
                    .ok_or(Unapplied::Failed("ERR weight value is not a float"))?;
            }
            options = rest;
        } else if operation != Operation::Diff && !rest.is_empty() && is(option, "AGGREGATE") {
            aggregate = match rest[0] {
                option if is(option, "SUM") => Aggregate::Sum,
                option if is(option, "MIN") => Aggregate::Min,
                option if is(option, "MAX") => Aggregate::Max,
                _ => return Err(Unapplied::SYNTAX),
            };
            options = &rest[1..];
        } else {
            return Err(Unapplied::SYNTAX);
        }
    }
    let scores = match operation {
        Operation::Union => union(sources, aggregate),
        Operation::Inter => inter(sources, aggregate),
        Operation::Diff => diff(&sources),
    };
    replace(call, args[1], Zset::from_scores(scores, ZeroSign::of_server(server)));
    Ok(())
}

fn union<'a>(mut sources: Vec<Source<'_, 'a>>, aggregate: Aggregate) -> Scores<'a> {
    // Sources of equal size stay in the order of the arguments.
    sources.sort_by_key(Source::len);
    let mut scores = Scores::default();
    scores.reserve(sources.last().map_or(0, Source::len));
    for source in &sources {
        source.each(|member, score| {
            let score = zero_if_nan(source.weight * score);
            let joined = scores.entry(member);
            joined.and_modify(|joined| *joined = aggregate.join(*joined, score)).or_insert(score);
        });
    }
    scores
}

fn inter<'a>(mut sources: Vec<Source<'_, 'a>>, aggregate: Aggregate) -> Scores<'a> {
    sources.sort_by_key(Source::len);
    let mut scores = Scores::default();
    let Some((smallest, others)) = sources.split_first() else { return scores };
    smallest.each(|member, score| {
        let mut joined = zero_if_nan(smallest.weight * score);
        for other in others {
            let Some(score) = other.score(member) else { return };
            joined = aggregate.join(joined, score * other.weight);
        }
        scores.insert(member, joined);
    });
    scores
}

fn diff<'a>(sources: &[Source<'_, 'a>]) -> Scores<'a> {
    let mut scores = Scores::default();
    let Some((first, others)) = sources.split_first() else { return scores };
    // The cheaper of two ways: look up each member of the first set in all others, or each of
    // theirs in the first.
    let theirs: usize = others.iter().map(Source::len).sum();
    if theirs < first.len().saturating_mul(others.len()) {
        first.each(|member, score| {
            scores.insert(member, score);
        });
        for other in others {
            other.each(|member, _| {
                scores.swap_remove(member);
            });
        }
    } else {
        first.each(|member, score| {
            if others.iter().all(|other| other.score(member).is_none()) {
                scores.insert(member, score);
            }
        });
    }
    scores
}
