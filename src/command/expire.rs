//! When keys expire.
//!
//! While a log is loaded a time that has passed is set like any other: the key stays until the log, or the
//! server after loading, deletes it (`checkAlreadyExpired` in `expire.c`).

use super::apply::{Applied, Call, Unapplied};

pub(super) fn expire(call: &mut Call<'_, '_>) -> Applied {
    generic(call, Time { seconds: true, relative: true })
}

pub(super) fn expireat(call: &mut Call<'_, '_>) -> Applied {
    generic(call, Time { seconds: true, relative: false })
}

pub(super) fn pexpire(call: &mut Call<'_, '_>) -> Applied {
    generic(call, Time { seconds: false, relative: true })
}

pub(super) fn pexpireat(call: &mut Call<'_, '_>) -> Applied {
    generic(call, Time { seconds: false, relative: false })
}

pub(super) fn persist(call: &mut Call<'_, '_>) -> Applied {
    let key = call.key();
    if let Some(entry) = call.db().get_mut(key) {
        entry.set_expiry(None);
    }
    Ok(())
}

/// What a command's number means.
#[derive(Debug, Clone, Copy)]
struct Time {
    /// In seconds, else in milliseconds.
    seconds: bool,
    /// From the moment on at which the command was run, else since 1970.
    relative: bool,
}

/// The time is not one that an integer of 64 bits can tell.
const INVALID: Unapplied = Unapplied::Failed("ERR invalid expire time");

/// On which expiry it depends whether the time is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Conditions {
    nx: bool,
    xx: bool,
    gt: bool,
    lt: bool,
}

impl Conditions {
    /// Reads what stands behind the time. Redis before 7.0 knows no conditions, and does not see what stands
    /// there when it loads a log.
    fn of(call: &Call<'_, '_>) -> Result<Conditions, Unapplied> {
        let mut conditions = Conditions::default();
        if call.args.len() == 3 || !call.context.server.has_redis(7, 0) {
            return Ok(conditions);
        }
        let Conditions { nx, xx, gt, lt } = &mut conditions;
        for at in 3..call.args.len() {
            let known = [("NX", &mut *nx), ("XX", &mut *xx), ("GT", &mut *gt), ("LT", &mut *lt)];
            let Some((_, condition)) = known.into_iter().find(|(word, _)| call.is(at, word)) else {
                return Err(Unapplied::Failed("ERR Unsupported option"));
            };
            *condition = true;
        }
        if *nx && (*xx || *gt || *lt) {
            return Err(Unapplied::Failed(
                "ERR NX and XX, GT or LT options at the same time are not compatible",
            ));
        }
        if *gt && *lt {
            return Err(Unapplied::Failed(
                "ERR GT and LT options at the same time are not compatible",
            ));
        }
        Ok(conditions)
    }

    /// Whether the time may be set where this one is. A key that does not expire counts as one that expires
    /// after all others.
    fn allow(self, current_ms: Option<i64>, new_ms: i64) -> bool {
        match current_ms {
            None => !self.xx && !self.gt,
            Some(current_ms) => {
                !self.nx && (!self.gt || new_ms > current_ms) && (!self.lt || new_ms < current_ms)
            }
        }
    }
}

fn generic(call: &mut Call<'_, '_>, unit: Time) -> Applied {
    let conditions = Conditions::of(call)?;
    let number = call.int(2)?;
    let base_ms = if unit.relative { call.now_ms() } else { 0 };
    let when_ms = if call.context.server.has_redis(7, 0) {
        let scale = if unit.seconds { 1000 } else { 1 };
        let scaled = number.checked_mul(scale).ok_or(INVALID)?;
        scaled.checked_add(base_ms).ok_or(INVALID)?
    } else {
        wrapped(number, unit, base_ms, call.context.server.has_redis(6, 2))?
    };
    let key = call.key();
    if let Some(entry) = call.db().get_mut(key)
        && conditions.allow(entry.expires_ms(), when_ms)
    {
        entry.set_expiry(Some(when_ms));
    }
    Ok(())
}

/// The time as Redis before 7.0 reckons it, where numbers that are too high become others. Since 6.2 those are
/// refused that come out with another sign.
fn wrapped(number: i64, unit: Time, base_ms: i64, checked: bool) -> Result<i64, Unapplied> {
    let scaled = if unit.seconds { number.wrapping_mul(1000) } else { number };
    let when_ms = scaled.wrapping_add(base_ms);
    let turned = if number < 0 { when_ms.wrapping_sub(base_ms) > 0 } else { when_ms < 0 };
    if checked && turned { Err(INVALID) } else { Ok(when_ms) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What Redis 6.2.5 answers to EXPIREAT with these seconds.
    #[test]
    fn redis_6_2_refuses_a_time_that_turns_its_sign() {
        let at = Time { seconds: true, relative: false };
        assert_eq!(wrapped(9_223_372_036_854_775, at, 0, true), Ok(9_223_372_036_854_775_000));
        assert_eq!(wrapped(9_223_372_036_854_776, at, 0, true), Err(INVALID));
        assert_eq!(wrapped(-9_223_372_036_854_776, at, 0, true), Err(INVALID));
        // 2^64 is 18446744073709551616.
        assert_eq!(wrapped(18_446_744_073_709_552, at, 0, true), Ok(384));
    }

    #[test]
    fn a_key_that_does_not_expire_counts_as_the_last_to_expire() {
        let only = |word: &str| Conditions {
            nx: word == "NX",
            xx: word == "XX",
            gt: word == "GT",
            lt: word == "LT",
        };
        for (word, without, lower, same, higher) in [
            ("", true, true, true, true),
            ("NX", true, false, false, false),
            ("XX", false, true, true, true),
            ("GT", false, false, false, true),
            ("LT", true, true, false, false),
        ] {
            assert_eq!(only(word).allow(None, 10), without, "{word}");
            for (new_ms, allowed) in [(9, lower), (10, same), (11, higher)] {
                assert_eq!(only(word).allow(Some(10), new_ms), allowed, "{word} {new_ms}");
            }
        }
        let both = Conditions { xx: true, gt: true, ..Conditions::default() };
        assert!(!both.allow(None, 10) && both.allow(Some(9), 10) && !both.allow(Some(10), 10));
    }
}
