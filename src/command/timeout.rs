//! The timeout of blocking commands, which blocks no replay but can be an error.

use super::apply::{Applied, Unapplied};

/// Checks the timeout in seconds as a server does (`timeout.c`, `getTimeoutFromObjectOrReply`).
///
/// # Errors
///
/// Where it is no number, is negative by more than a millisecond, or has more milliseconds than 63 bits
/// can hold. Hexadecimal numbers, which servers read as well, are refused.
pub(super) fn check(text: &[u8]) -> Applied {
    const NO_FLOAT: Unapplied = Unapplied::Failed("ERR timeout is not a float or out of range");
    const NEGATIVE: Unapplied = Unapplied::Failed("ERR timeout is negative");
    /// 2^63.
    const END: f64 = 9_223_372_036_854_775_808.0;
    let digits = text.strip_prefix(b"-").or(text.strip_prefix(b"+")).unwrap_or(text);
    if matches!(digits, [b'0', b'x' | b'X', ..]) {
        return Err(Unapplied::Refused("a timeout in hexadecimal"));
    }
    let text = std::str::from_utf8(text).map_err(|_| NO_FLOAT)?;
    let seconds: f64 = text.parse().map_err(|_| NO_FLOAT)?;
    let milliseconds = seconds * 1000.0;
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
        assert!(matches!(check(b"-0x1"), Err(Unapplied::Refused(_))));
        for text in ["", "x1", " 1", "1 ", "-1", "-0.002", "1e30", "inf", "nan", "\u{666}", "1s"] {
            assert!(check(text.as_bytes()).is_err(), "{text}");
        }
    }
}
