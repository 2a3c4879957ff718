//! ZREM and ZREMRANGEBY* (`zremCommand`, `zremrangeGenericCommand` in `t_zset.c`).

use super::range::{LexRange, RankRange, ScoreRange};
use crate::command::apply::{Applied, Call};
use crate::command::zset::replace::change;

pub(super) fn zrem(call: &mut Call<'_, '_>) -> Applied {
    let members = &call.args[2..];
    change(call, call.key(), |zset| {
        for member in members {
            zset.remove(member);
        }
    })
}

pub(super) fn zremrangebyrank(call: &mut Call<'_, '_>) -> Applied {
    let range = RankRange { first: call.int(2)?, last: call.int(3)? };
    change(call, call.key(), |zset| {
        let places = range.places(zset.len(), zset.ordered());
        zset.remove_range(places);
    })
}

pub(super) fn zremrangebyscore(call: &mut Call<'_, '_>) -> Applied {
    let range = ScoreRange::read(call.args[2], call.args[3], call.context.server)?;
    change(call, call.key(), |zset| {
        let places = range.places(zset.ordered());
        zset.remove_range(places);
    })
}

pub(super) fn zremrangebylex(call: &mut Call<'_, '_>) -> Applied {
    let range = LexRange::read(call.args[2], call.args[3])?;
    change(call, call.key(), |zset| {
        let places = range.places(zset.ordered());
        zset.remove_range(places);
    })
}
