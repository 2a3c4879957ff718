//! ZMOVE and ZMOVEMEMBER (Redis 8.12 and later), as the discussion of the change describes them: a
//! member moves from one sorted set to another with its score.

use crate::command::apply::{Applied, Call, Unapplied};
use crate::keyspace::{ZeroSign, Zset};

pub(super) fn zmove(call: &mut Call<'_, '_>) -> Applied {
    let lowest = call.is(3, "MIN");
    if !lowest && !call.is(3, "MAX") {
        return Err(Unapplied::SYNTAX);
    }
    let source = call.key();
    let ends = call.db().find::<Zset<'_>>(source)?.map(Zset::ascending);
    let end =
        ends.and_then(|ends| if lowest { ends.first().copied() } else { ends.last().copied() });
    match end {
        Some((member, _)) => transfer(call, member),
        None => Ok(()),
    }
}

pub(super) fn zmovemember(call: &mut Call<'_, '_>) -> Applied {
    let member = call.keep(call.args[3]);
    transfer(call, member)
}

fn transfer<'a>(call: &mut Call<'_, 'a>, member: &'a [u8]) -> Applied {
    let (source, destination) = (call.key(), call.args[2]);
    let zero = ZeroSign::of_server(call.context.server);
    let db = call.db();
    let Some(from) = db.find::<Zset<'_>>(source)? else { return Ok(()) };
    let score = from.score(member);
    db.find::<Zset<'_>>(destination)?;
    let Some(score) = score.filter(|_| source != destination) else { return Ok(()) };
    db.find_or_make::<Zset<'_>>(destination)?.insert(member, score, zero);
    super::replace::change(call, source, |zset| {
        zset.remove(member);
    })
}

#[cfg(test)]
mod tests {
    use crate::base::server::redis;
    use crate::command::testing::run;
    use crate::keyspace::Value;

    #[test]
    fn a_member_moves_with_its_score() {
        for (command, expected) in [
            ("ZMOVE a b MIN", "a=2:y b=1:x,7:z"),
            ("ZMOVE a b MAX", "a=1:x b=2:y,7:z"),
            ("ZMOVEMEMBER a b y", "a=1:x b=2:y,7:z"),
            ("ZMOVEMEMBER b a z", "a=1:x,2:y,7:z"),
            ("ZMOVEMEMBER a b none", "a=1:x,2:y b=7:z"),
            ("ZMOVEMEMBER a a x", "a=1:x,2:y b=7:z"),
            ("ZMOVE none b MIN", "a=1:x,2:y b=7:z"),
        ] {
            let commands = format!("ZADD a 1 x 2 y\nZADD b 7 z\n{command}");
            let ran = run(redis(8, 12), None, &commands, |value| match value {
                Value::Zset(zset) => {
                    let members = zset.ascending().into_iter();
                    let shown = members.map(|(member, score)| {
                        format!("{score}:{}", String::from_utf8_lossy(member))
                    });
                    shown.collect::<Vec<_>>().join(",")
                }
                _ => "another".to_string(),
            });
            assert!(ran.ended.iter().all(Result::is_ok), "{command}: {:?}", ran.ended);
            let sets = ran.keys.iter().map(|(key, value)| format!("{key}={value}"));
            assert_eq!(sets.collect::<Vec<_>>().join(" "), expected, "{command}");
        }
    }
}
