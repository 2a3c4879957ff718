//! Sets.

use super::apply::{Applied, Call, Unapplied};
use super::row::{Command, KEY, KEYS, TWO_KEYS, counted, plain, redis_only, since, write};
use crate::keyspace::{Set, Value};

#[rustfmt::skip]
pub(super) const ROWS: &[Command] = &[
    write("SADD",        -3, since(1, 0), KEY).by(sadd),
    write("SADDEX",      -2, redis_only(8, 12), KEY).name_only(),
    plain("SCARD",        2, since(1, 0), KEY),
    plain("SDIFF",       -2, since(1, 0), KEYS),
    write("SDIFFSTORE",  -3, since(1, 0), KEYS).by(sdiffstore),
    write("SEXPIRE",     -2, redis_only(8, 12), KEY).name_only(),
    write("SEXPIREAT",   -2, redis_only(8, 12), KEY).name_only(),
    plain("SINTER",      -2, since(1, 0), KEYS),
    plain("SINTERCARD",  -3, since(7, 0), counted(1)),
    write("SINTERSTORE", -3, since(1, 0), KEYS).by(sinterstore),
    plain("SISMEMBER",    3, since(1, 0), KEY),
    plain("SMEMBERS",     2, since(1, 0), KEY),
    plain("SMISMEMBER",  -3, since(6, 2), KEY),
    write("SMOVE",        4, since(1, 0), TWO_KEYS).by(smove),
    write("SPERSIST",    -2, redis_only(8, 12), KEY).name_only(),
    write("SPEXPIRE",    -2, redis_only(8, 12), KEY).name_only(),
    write("SPEXPIREAT",  -2, redis_only(8, 12), KEY).name_only(),
    write("SPOP",        -2, since(1, 0), KEY).by(spop),
    plain("SRANDMEMBER", -2, since(1, 0), KEY),
    write("SREM",        -3, since(1, 0), KEY).by(srem),
    plain("SSCAN",       -3, since(2, 8), KEY),
    plain("SUNION",      -2, since(1, 0), KEYS),
    write("SUNIONSTORE", -3, since(1, 0), KEYS).by(sunionstore),
];

fn sadd(call: &mut Call<'_, '_>) -> Applied {
    let (key, members) = (call.key(), &call.args[2..]);
    let arena = call.keyspace.arena();
    let set: &mut Set<'_> = call.db().find_or_make(key)?;
    for member in members {
        set.insert_with(member, || arena.alloc_slice_copy(member));
    }
    Ok(())
}

fn srem(call: &mut Call<'_, '_>) -> Applied {
    let (key, members) = (call.key(), &call.args[2..]);
    let db = call.db();
    let Some(set) = db.find_mut::<Set<'_>>(key)? else { return Ok(()) };
    for member in members {
        set.remove(member);
    }
    if set.is_empty() {
        db.remove(key);
    }
    Ok(())
}

fn smove(call: &mut Call<'_, '_>) -> Applied {
    let (source, destination, member) = (call.key(), call.args[2], call.args[3]);
    let kept = call.keyspace.arena();
    let db = call.db();
    let Some(from) = db.find::<Set<'_>>(source)? else { return Ok(()) };
    let there = from.contains(member);
    db.find::<Set<'_>>(destination)?;
    if !there || source == destination {
        return Ok(());
    }
    let to: &mut Set<'_> = db.find_or_make(destination)?;
    to.insert_with(member, || kept.alloc_slice_copy(member));
    if let Some(from) = db.find_mut::<Set<'_>>(source)? {
        from.remove(member);
        if from.is_empty() {
            db.remove(source);
        }
    }
    Ok(())
}

/// Removes random members, so the effect is only known if it leaves none or all.
fn spop(call: &mut Call<'_, '_>) -> Applied {
    let key = call.key();
    let count = match call.args.len() {
        2 => 1,
        3 => match call.int(2) {
            Ok(count) if count >= 0 => usize::try_from(count).unwrap_or(usize::MAX),
            _ => return Err(Unapplied::Failed("ERR value is out of range, must be positive")),
        },
        _ => return Err(Unapplied::SYNTAX),
    };
    let db = call.db();
    let Some(set) = db.find::<Set<'_>>(key)? else { return Ok(()) };
    if count >= set.len() {
        db.remove(key);
    } else if count > 0 {
        return Err(Unapplied::Refused("which members a server takes at random"));
    }
    Ok(())
}

/// Returns the sets of the keys after the destination; `None` for keys that do not exist.
fn sources<'k, 'a>(call: &'k mut Call<'_, 'a>) -> Result<Vec<Option<&'k Set<'a>>>, Unapplied> {
    let args = call.args;
    let db = &*call.db();
    args[2..].iter().map(|key| Ok(db.find::<Set<'a>>(key)?)).collect()
}

/// Stores a result at the destination; an empty one removes the previous value.
fn store<'a>(call: &mut Call<'_, 'a>, result: Set<'a>) -> Applied {
    let destination = call.key();
    if result.is_empty() {
        call.db().remove(destination);
    } else {
        call.db().set(destination, Value::Set(Box::new(result)));
    }
    Ok(())
}

fn sinterstore(call: &mut Call<'_, '_>) -> Applied {
    let mut sets = Vec::with_capacity(call.args.len() - 2);
    let mut missing = false;
    let stops_early = !call.context.server.has_redis(6, 0);
    let args = call.args;
    let db = &*call.db();
    for key in &args[2..] {
        match db.find::<Set<'_>>(key)? {
            Some(set) => sets.push(set),
            None => {
                missing = true;
                // The types of the keys after it do not matter in that case.
                if stops_early {
                    break;
                }
            }
        }
    }
    let mut result = Set::default();
    if !missing {
        sets.sort_by_key(|set| set.len());
        let (smallest, others) = sets.split_first().expect("the arity wants a key");
        let in_all = |member: &&[u8]| others.iter().all(|set| set.contains(member));
        for member in smallest.members().filter(in_all) {
            result.insert(member);
        }
    }
    store(call, result)
}

fn sunionstore(call: &mut Call<'_, '_>) -> Applied {
    let sets = sources(call)?;
    let mut sets = sets.into_iter().flatten();
    let mut result = sets.next().cloned().unwrap_or_default();
    for member in sets.flat_map(Set::members) {
        result.insert(member);
    }
    store(call, result)
}

/// Computes the members of the first set that are in none of the others.
fn sdiffstore(call: &mut Call<'_, '_>) -> Applied {
    let sets = sources(call)?;
    let mut result = Set::default();
    if let Some((Some(first), others)) = sets.split_first() {
        let others: Vec<&Set<'_>> = others.iter().flatten().copied().collect();
        // Either look up each member in each set, or remove all members of the others from a copy.
        let looked_for = first.len().saturating_mul(others.len()) / 2;
        let taken_out = others.iter().fold(first.len(), |sum, set| sum.saturating_add(set.len()));
        if looked_for <= taken_out {
            let in_none = |member: &&[u8]| !others.iter().any(|set| set.contains(member));
            for member in first.members().filter(in_none) {
                result.insert(member);
            }
        } else {
            result = (*first).clone();
            for member in others.iter().flat_map(|set| set.members()) {
                result.remove(member);
            }
        }
    }
    store(call, result)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::server::{Server, redis, valkey};
    use crate::command::testing::{Ran, run};

    fn ran(server: Server, commands: &str) -> Ran {
        run(server, None, commands, |value| match value {
            Value::Set(set) => {
                let members: Vec<_> = set.members().map(String::from_utf8_lossy).collect();
                members.join(" ")
            }
            _ => "another".to_string(),
        })
    }

    #[test]
    fn random_removal_is_refused() {
        let ran = ran(
            valkey(9, 1),
            "SADD one a
             SADD two a b
             SADD three a b c
             SPOP missing
             SPOP one
             SPOP two 2
             SPOP three 0
             SPOP three -1
             SPOP three 2
             SPOP three",
        );
        assert_eq!(ran.ended[3..7], [Ok(()); 4]);
        assert!(matches!(ran.ended[7], Err(Unapplied::Failed(_))));
        assert!(ran.ended[8..].iter().all(|end| matches!(end, Err(Unapplied::Refused(_)))));
        assert_eq!(ran.keys, [("three".to_string(), "a b c".to_string())]);
    }

    /// `t_set.c`, `sinterGenericCommand`, of 5.0 and 6.0: the type of a key after one that does not
    /// exist.
    #[test]
    fn an_intersection_checks_all_keys_since_redis_6() {
        let commands = "SADD d a
                        RPUSH l a
                        SINTERSTORE d missing l";
        let old = ran(redis(5, 0), commands);
        assert_eq!((old.ended[2], old.keys.len()), (Ok(()), 1));
        let new = ran(redis(6, 0), commands);
        assert_eq!((new.ended[2], new.keys.len()), (Err(Unapplied::WRONG_TYPE), 2));
    }
}
