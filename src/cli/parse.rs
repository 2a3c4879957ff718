//! Parsers for sizes, times, durations and positions on the command line.

use crate::analysis::position::Position;
use crate::base::error;
use crate::base::error::{Error, ErrorKind};
use crate::base::escape::unquote;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::time::Duration;

/// Parses a size in bytes: `1000`, `1000b`, and with units `k m g t` of 1000 or `kb mb gb tb` of
/// 1024, in either case.
///
/// # Errors
///
/// A message for the user if the text has another form or the size does not fit in 64 bits.
pub(super) fn parse_size(text: &str) -> Result<u64, String> {
    let text = text.trim();
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let factor: u64 = match unit.to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" => 1000,
        "kb" => 1 << 10,
        "m" => 1000 * 1000,
        "mb" => 1 << 20,
        "g" => 1000 * 1000 * 1000,
        "gb" => 1 << 30,
        "t" => 1000 * 1000 * 1000 * 1000,
        "tb" => 1 << 40,
        _ => return Err(no_size(text)),
    };
    if number.is_empty() {
        return Err(no_size(text));
    }
    number
        .parse::<u64>()
        .ok()
        .and_then(|number| number.checked_mul(factor))
        .ok_or_else(|| format!("`{text}` does not fit in 64 bits"))
}

fn no_size(text: &str) -> String {
    format!("cannot read `{text}` as a size; use 1000, 64mb (1024-based) or 64m (1000-based)")
}

/// Parses a time: Unix seconds, RFC 3339, or `YYYY-MM-DD HH:MM:SS` in local time. Returns Unix milliseconds.
///
/// # Errors
///
/// A message for the user if the text has another form.
pub(super) fn parse_time(text: &str) -> Result<i64, String> {
    let text = text.trim();
    let wrong = || {
        format!(
            "cannot read `{text}` as a time; use 1767225600, 2026-01-01T00:00:00Z or \"2026-01-01 00:00:00\""
        )
    };
    if let Ok(seconds) = text.parse::<i64>() {
        return seconds.checked_mul(1000).ok_or_else(wrong);
    }
    if let Ok(time) = text.parse::<Timestamp>() {
        return Ok(time.as_millisecond());
    }
    let local = text.parse::<DateTime>().map_err(|_| wrong())?;
    let zoned = local.to_zoned(TimeZone::system()).map_err(|_| wrong())?;
    Ok(zoned.timestamp().as_millisecond())
}

/// Returns the creation time of an archive: `--created` in Unix milliseconds, by default now.
pub(super) fn created_at(milliseconds: Option<i64>) -> error::Result<Timestamp> {
    let beyond = |_| Error::new(ErrorKind::Usage, "--created is out of range");
    milliseconds.map_or_else(
        || Ok(Timestamp::now()),
        |milliseconds| Timestamp::from_millisecond(milliseconds).map_err(beyond),
    )
}

/// Parses a duration: seconds as a number (`5`, `0.5`), or with units (`500ms`, `90s`, `1h 30m`).
///
/// # Errors
///
/// A message for the user if the text has another form or the time is negative.
pub(super) fn parse_duration(text: &str) -> Result<Duration, String> {
    let text = text.trim();
    let wrong = || format!("cannot read `{text}` as a duration; use 5, 500ms, 90s or 1h30m");
    if let Ok(seconds) = text.parse::<f64>() {
        return Duration::try_from_secs_f64(seconds).map_err(|_| wrong());
    }
    let duration = text.parse::<SignedDuration>().map_err(|_| wrong())?;
    Duration::try_from(duration).map_err(|_| wrong())
}

/// Parses the mode of an archive in octal: `0640`.
///
/// # Errors
///
/// A message for the user if it is no such number, or not a mode for files that their owner reads.
pub(super) fn parse_mode(text: &str) -> Result<u32, String> {
    let wrong = || format!("`{text}` is no mode of an archive; use 0600, 0640 or 0644");
    let mode = u32::from_str_radix(text, 8).map_err(|_| wrong())?;
    if mode & !0o666 != 0 || mode & 0o400 == 0 { Err(wrong()) } else { Ok(mode) }
}

/// Returns the key that an argument names; within double quotes, escapes as printed by redis-cli are decoded.
pub(super) fn key_name(text: &OsStr) -> Vec<u8> {
    let text = text.as_bytes();
    unquote(text).unwrap_or_else(|| text.to_vec())
}

/// Parses `PART:OFFSET`, `#N`, or a time as [`parse_time`] takes it.
///
/// # Errors
///
/// A message for the user if the text has none of these forms.
pub(super) fn parse_position(text: &str) -> Result<Position, String> {
    Position::parse(text, parse_time)
}

#[cfg(test)]
mod tests {
    use super::{parse_time, *};

    #[test]
    fn units_are_those_of_redis_conf() {
        for (text, bytes) in [
            ("0", 0),
            ("1000", 1000),
            ("7b", 7),
            ("1k", 1000),
            ("1kb", 1024),
            ("64m", 64_000_000),
            ("64mb", 67_108_864),
            ("64MB", 67_108_864),
            ("2Gb", 2 << 30),
            ("2g", 2_000_000_000),
            ("1t", 1_000_000_000_000),
            ("1tb", 1 << 40),
            (" 5mb ", 5 << 20),
            ("18446744073709551615", u64::MAX),
        ] {
            assert_eq!(parse_size(text), Ok(bytes), "{text}");
        }
    }

    #[test]
    fn invalid_sizes_are_rejected_with_examples() {
        for text in ["", "mb", "-1", "+1", "1.5gb", "1 mb", "1kib", "1 000", "1mbb", "\u{661}kb"] {
            let error = parse_size(text).unwrap_err();
            assert!(error.contains("64mb (1024-based)"), "{text}: {error}");
        }
    }

    #[test]
    fn sizes_beyond_64_bits_are_refused() {
        for text in ["18446744073709551616", "16777216tb", "99999999999t"] {
            let error = parse_size(text).unwrap_err();
            assert!(error.contains("64 bits"), "{text}: {error}");
        }
        assert_eq!(parse_size("16777215tb"), Ok(16_777_215 << 40));
    }

    #[test]
    fn times_are_parsed_in_every_form() {
        assert_eq!(parse_time("1767225600"), Ok(1_767_225_600_000));
        assert_eq!(parse_time("2026-01-01T00:00:00Z"), Ok(1_767_225_600_000));
        assert_eq!(parse_time("2026-01-01T02:00:00.5+02:00"), Ok(1_767_225_600_500));
        let local = parse_time("2026-01-01 00:00:00").expect("a local time");
        // Time zones are at most 14 hours from UTC.
        assert!((local - 1_767_225_600_000).abs() <= 14 * 3_600_000);
        for text in ["", "yesterday", "2026-13-01 00:00:00", "99999999999999999999"] {
            assert!(parse_time(text).is_err(), "{text}");
        }
    }

    #[test]
    fn durations_are_parsed_in_every_form() {
        for (text, millis) in [
            ("0", 0),
            ("5", 5_000),
            ("0.5", 500),
            ("500ms", 500),
            ("90s", 90_000),
            ("1h30m", 5_400_000),
            ("1h 30m", 5_400_000),
            (" 2 minutes ", 120_000),
        ] {
            assert_eq!(parse_duration(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        for text in ["", "soon", "-1", "-5s", "1 fortnight", "inf", "nan"] {
            assert!(parse_duration(text).unwrap_err().contains("500ms"), "{text}");
        }
    }

    #[test]
    fn a_time_is_not_parsed_as_a_part() {
        let time = Ok(Position::Time(1_767_225_600_000));
        assert_eq!(parse_position("2026-01-01T00:00:00Z"), time);
        assert!(matches!(parse_position("2026-01-01 00:00:00"), Ok(Position::Time(_))));
        let byte = Position::Byte { part: "appendonly.aof.1.incr.aof".to_owned(), offset: 12 };
        assert_eq!(parse_position("appendonly.aof.1.incr.aof:12"), Ok(byte));
        for text in ["yesterday", "2026-13-01T00:00:00Z:", "#x"] {
            assert!(parse_position(text).is_err(), "{text}");
        }
    }
}
