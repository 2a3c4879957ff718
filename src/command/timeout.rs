//! The timeout of blocking commands. It never blocks a replay, but it can be invalid.

use super::apply::{Applied, Unapplied};
use super::zset::double::double;
use crate::base::server::redis;

/// Checks the timeout in seconds as a server does (`timeout.c`, `getTimeoutFromObjectOrReply`).
///
/// # Errors
///
/// Fails if it is not a number, is negative by more than a millisecond, or has more milliseconds
/// than 63 bits can represent.
pub(super) fn check(text: &[u8]) -> Applied {
    const NO_FLOAT: Unapplied = Unapplied::Failed("ERR timeout is not a float or out of range");
    const NEGATIVE: Unapplied = Unapplied::Failed("ERR timeout is negative");
    /// 2^63.
    const END: f64 = 9_223_372_036_854_775_808.0;
    // All servers accept hexadecimal numbers here, even those that do not in scores.
    let milliseconds = double(text, redis(7, 2)).ok_or(NO_FLOAT)? * 1000.0;
    if milliseconds.is_nan() || milliseconds >= END {
        Err(NO_FLOAT)
    } else if milliseconds < -1.0 {
        Err(NEGATIVE)
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timeout_is_a_number_of_seconds() {
        for text in ["0", "1", "0.1", "+3", ".5", "5.", "1e3", "-0", "-0.001"] {
            assert_eq!(check(text.as_bytes()), Ok(()), "{text}");
        }
        assert_eq!(check(b"0x10"), Ok(()));
        for text in
            ["-0x1", "", "x1", " 1", "1 ", "-1", "-0.002", "1e30", "inf", "nan", "\u{666}", "1s"]
        {
            assert!(check(text.as_bytes()).is_err(), "{text}");
        }
    }
}
