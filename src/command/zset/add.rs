//! ZADD and ZINCRBY (`zaddGenericCommand`, `zsetAdd` in `t_zset.c`).

use super::double::double;
use crate::command::apply::{Applied, Call, Unapplied};
use crate::keyspace::{ZeroSign, Zset};

pub(super) fn zadd(call: &mut Call<'_, '_>) -> Applied {
    add_arguments(call, Flags::default())
}

/// Equivalent to ZADD INCR: it even accepts the same flags, in the position of its increment.
pub(super) fn zincrby(call: &mut Call<'_, '_>) -> Applied {
    add_arguments(call, Flags { incr: true, ..Flags::default() })
}

#[derive(Clone, Copy, Default)]
pub(in crate::command) struct Flags {
    /// Only adds new members.
    pub(in crate::command) nx: bool,
    /// Never adds new members.
    pub(in crate::command) xx: bool,
    gt: bool,
    lt: bool,
    incr: bool,
}

const NAN: Unapplied = Unapplied::Failed("ERR resulting score is not a number (NaN)");

impl Flags {
    /// Returns the index of the first argument that is not a flag.
    fn read(&mut self, args: &[&[u8]]) -> usize {
        let mut at = 2;
        while let Some(arg) = args.get(at) {
            // Usually a score.
            let is = |flag: &str| arg.eq_ignore_ascii_case(flag.as_bytes());
            match arg.len() {
                2 if is("NX") => self.nx = true,
                2 if is("XX") => self.xx = true,
                2 if is("GT") => self.gt = true,
                2 if is("LT") => self.lt = true,
                2 if is("CH") => {}
                4 if is("INCR") => self.incr = true,
                _ => break,
            }
            at += 1;
        }
        at
    }

    fn check(self, pairs: usize) -> Applied {
        let failed = |why| Err(Unapplied::Failed(why));
        if self.nx && self.xx {
            failed("ERR XX and NX options at the same time are not compatible")
        } else if self.nx && (self.gt || self.lt) || self.gt && self.lt {
            failed("ERR GT, LT, and/or NX options at the same time are not compatible")
        } else if self.incr && pairs > 1 {
            failed("ERR INCR option supports a single increment-element pair")
        } else {
            Ok(())
        }
    }

    /// Returns the new score of a member with this current score, if it has one; `None` to leave it
    /// unchanged.
    fn decide(self, current: Option<f64>, given: f64) -> Result<Option<f64>, Unapplied> {
        let Some(current) = current else { return Ok((!self.xx).then_some(given)) };
        if self.nx {
            return Ok(None);
        }
        let score = if self.incr { current + given } else { given };
        if score.is_nan() {
            return Err(NAN);
        }
        let stays = score == current || self.lt && score > current || self.gt && score < current;
        Ok((!stays).then_some(score))
    }
}

fn add_arguments(call: &mut Call<'_, '_>, mut flags: Flags) -> Applied {
    let first = flags.read(call.args);
    let pairs = &call.args[first..];
    if pairs.is_empty() || !pairs.len().is_multiple_of(2) {
        return Err(Unapplied::SYNTAX);
    }
    flags.check(pairs.len() / 2)?;
    let server = call.context.server;
    let scored = pairs.chunks_exact(2).map(|pair| {
        let score = double(pair[0], server).ok_or(Unapplied::NOT_A_FLOAT)?;
        Ok((score, pair[1]))
    });
    add(call, flags, scored)
}

/// Number of members up to which no allocation is needed.
const FEW: usize = 16;

/// Sets the scores of members; of none of them if one score is invalid. There must be at least one
/// member.
pub(in crate::command) fn add<'c>(
    call: &mut Call<'_, '_>,
    flags: Flags,
    scored: impl ExactSizeIterator<Item = Result<(f64, &'c [u8]), Unapplied>>,
) -> Applied {
    let count = scored.len();
    let (mut few, many);
    let scored = if count <= FEW {
        few = [(0.0, &[][..]); FEW];
        for (place, scored) in few.iter_mut().zip(scored) {
            *place = scored?;
        }
        &few[..count]
    } else {
        many = scored.collect::<Result<Vec<_>, _>>()?;
        &many[..]
    };

    let server = call.context.server;
    let (key, arena, zero) = (call.key(), call.keyspace.arena(), ZeroSign::of_server(server));
    let zset = if flags.xx {
        let Some(zset) = call.db().find_mut::<Zset<'_>>(key)? else { return Ok(()) };
        zset
    } else {
        call.db().find_or_make::<Zset<'_>>(key)?
    };
    // Redis since 7.2, and Valkey, size the set for all named members.
    if count > 1 && server.has_redis(7, 2) {
        zset.unpack_for(count, 0);
    }
    // Valkey since 8.0 considers the longest of them too; others the first, if there is no set yet.
    if server.has_valkey(8, 0) {
        let longest = scored.iter().map(|(_, member)| member.len()).max();
        zset.unpack_for(0, longest.unwrap_or(0));
    } else if zset.is_empty() {
        zset.unpack_for(0, scored[0].1.len());
    }
    for &(given, member) in scored {
        let keep = |member: &[u8]| &*arena.alloc_slice_copy(member);
        zset.update(member, zero, keep, |current| flags.decide(current, given))?;
    }
    Ok(())
}
