//! ZADD and ZINCRBY (`zaddGenericCommand`, `zsetAdd` in `t_zset.c`).

use super::double::double;
use crate::command::apply::{Applied, Call, Unapplied};
use crate::keyspace::{ZeroSign, Zset};
use crate::server::Product;

pub(super) fn zadd(call: &mut Call<'_, '_>) -> Applied {
    add(call, Flags::default())
}

/// ZADD INCR in other words: it even takes the same flags, where its increment stands.
pub(super) fn zincrby(call: &mut Call<'_, '_>) -> Applied {
    add(call, Flags { incr: true, ..Flags::default() })
}

#[derive(Clone, Copy, Default)]
struct Flags {
    nx: bool,
    xx: bool,
    gt: bool,
    lt: bool,
    incr: bool,
}

const NAN: Unapplied = Unapplied::Failed("ERR resulting score is not a number (NaN)");

impl Flags {
    /// The first argument that is no flag.
    fn read(&mut self, args: &[&[u8]]) -> usize {
        let mut at = 2;
        while let Some(arg) = args.get(at) {
            // Most often a score.
            let is = |word: &str| arg.eq_ignore_ascii_case(word.as_bytes());
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
        } else if (self.gt && self.nx) || (self.lt && self.nx) || (self.gt && self.lt) {
            failed("ERR GT, LT, and/or NX options at the same time are not compatible")
        } else if self.incr && pairs > 1 {
            failed("ERR INCR option supports a single increment-element pair")
        } else {
            Ok(())
        }
    }

    /// The new score of a member that has, or lacks, one; `None` to leave it.
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

/// Scores up to this many need no room of their own.
const FEW: usize = 16;

fn add(call: &mut Call<'_, '_>, mut flags: Flags) -> Applied {
    let first = flags.read(call.args);
    let pairs = &call.args[first..];
    if pairs.is_empty() || pairs.len() % 2 != 0 {
        return Err(Unapplied::SYNTAX);
    }
    let count = pairs.len() / 2;
    flags.check(count)?;

    // All scores are read before the first is given.
    let server = call.context.server;
    let (mut few, mut many) = ([0.0; FEW], Vec::new());
    let scores = if count <= FEW {
        &mut few[..count]
    } else {
        many.resize(count, 0.0);
        &mut many[..]
    };
    for (score, pair) in scores.iter_mut().zip(pairs.chunks_exact(2)) {
        *score = double(pair[0], server).ok_or(Unapplied::NOT_A_FLOAT)?;
    }

    let (key, arena, zero) = (call.key(), call.keyspace.arena(), ZeroSign::of(server));
    let zset = if flags.xx {
        let Some(zset) = call.db().find_mut::<Zset<'_>>(key)? else { return Ok(()) };
        zset
    } else {
        call.db().find_or_make::<Zset<'_>>(key)?
    };
    // Redis since 7.2, and Valkey, expect as many members as are named.
    if count > 1 && server.has_redis(7, 2) {
        zset.unpack_for(count, 0);
    }
    // Valkey since 8.0 expects the longest of them too; others the first, if there is no set yet.
    if server.product == Product::Valkey && server.has_valkey(8, 0) {
        let longest = pairs.chunks_exact(2).map(|pair| pair[1].len()).max();
        zset.unpack_for(0, longest.unwrap_or(0));
    } else if zset.is_empty() {
        zset.unpack_for(0, pairs[1].len());
    }
    for (given, pair) in scores.iter().zip(pairs.chunks_exact(2)) {
        let keep = |member: &[u8]| &*arena.alloc_slice_copy(member);
        zset.update(pair[1], zero, keep, |current| flags.decide(current, *given))?;
    }
    Ok(())
}
