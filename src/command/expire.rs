//! Expiry of keys.
//!
//! While a log is loaded, an expiry in the past is set like any other: the key remains until the
//! log, or the server after loading, deletes it (`checkAlreadyExpired` in `expire.c`).

use super::apply::{Applied, Call, Unapplied};
use super::expiry::{Conditions, Unit};

pub(super) fn expire(call: &mut Call<'_, '_>) -> Applied {
    generic(call, Unit { seconds: true, relative: true })
}

pub(super) fn expireat(call: &mut Call<'_, '_>) -> Applied {
    generic(call, Unit { seconds: true, relative: false })
}

pub(super) fn pexpire(call: &mut Call<'_, '_>) -> Applied {
    generic(call, Unit { seconds: false, relative: true })
}

pub(super) fn pexpireat(call: &mut Call<'_, '_>) -> Applied {
    generic(call, Unit { seconds: false, relative: false })
}

pub(super) fn persist(call: &mut Call<'_, '_>) -> Applied {
    let key = call.key();
    if let Some(entry) = call.db().get_mut(key) {
        entry.set_expiry(None);
    }
    Ok(())
}

/// The time does not fit into a 64-bit integer.
const INVALID: Unapplied = Unapplied::Failed("ERR invalid expire time");

/// Reads the options after the time. Redis before 7.0 has no conditions, and ignores these
/// arguments when it loads a log.
fn conditions_of(call: &Call<'_, '_>) -> Result<Conditions, Unapplied> {
    let mut conditions = Conditions::default();
    if call.args.len() == 3 || !call.context.server.has_redis(7, 0) {
        return Ok(conditions);
    }
    for option in &call.args[3..] {
        if !conditions.take(option) {
            return Err(Unapplied::Failed("ERR Unsupported option"));
        }
    }
    let Conditions { nx, xx, gt, lt } = conditions;
    if nx && (xx || gt || lt) {
        return Err(Unapplied::Failed(
            "ERR NX and XX, GT or LT options at the same time are not compatible",
        ));
    }
    if gt && lt {
        return Err(Unapplied::Failed("ERR GT and LT options at the same time are not compatible"));
    }
    Ok(conditions)
}

fn generic(call: &mut Call<'_, '_>, unit: Unit) -> Applied {
    let conditions = conditions_of(call)?;
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

/// Computes the time as Redis before 7.0 does, where large numbers wrap around. Since 6.2, results
/// whose sign changed are refused.
fn wrapped(number: i64, unit: Unit, base_ms: i64, checked: bool) -> Result<i64, Unapplied> {
    let scaled = if unit.seconds { number.wrapping_mul(1000) } else { number };
    let when_ms = scaled.wrapping_add(base_ms);
    let turned = if number < 0 { when_ms.wrapping_sub(base_ms) > 0 } else { when_ms < 0 };
    if checked && turned { Err(INVALID) } else { Ok(when_ms) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The replies of Redis 6.2.5 to EXPIREAT with these seconds.
    #[test]
    fn redis_6_2_refuses_a_time_whose_sign_changes() {
        let at = Unit { seconds: true, relative: false };
        assert_eq!(wrapped(9_223_372_036_854_775, at, 0, true), Ok(9_223_372_036_854_775_000));
        assert_eq!(wrapped(9_223_372_036_854_776, at, 0, true), Err(INVALID));
        assert_eq!(wrapped(-9_223_372_036_854_776, at, 0, true), Err(INVALID));
        // 2^64 is 18446744073709551616.
        assert_eq!(wrapped(18_446_744_073_709_552, at, 0, true), Ok(384));
    }
}
