//! TIME, in the ways in which people have it.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use crate::error::{self, Error, ErrorKind};

/// Parses a point in time: Unix seconds, RFC 3339, or `YYYY-MM-DD HH:MM:SS` in local time. Gives Unix
/// milliseconds.
///
/// # Errors
///
/// A sentence for the person who typed it, when the text has another shape.
pub(super) fn parse_time(text: &str) -> Result<i64, String> {
    let text = text.trim();
    let wrong = || {
        format!(
            "`{text}` is no time; write it as 1767225600, 2026-01-01T00:00:00Z or \"2026-01-01 00:00:00\""
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

/// The time that an archive is of, from --created in Unix milliseconds; by default now.
pub(super) fn created_at(milliseconds: Option<i64>) -> error::Result<Timestamp> {
    let beyond = |_| Error::new(ErrorKind::Usage, "--created is beyond all calendars");
    milliseconds.map_or_else(
        || Ok(Timestamp::now()),
        |milliseconds| Timestamp::from_millisecond(milliseconds).map_err(beyond),
    )
}

#[cfg(test)]
mod tests {
    use super::parse_time;

    #[test]
    fn times_are_read_in_every_form() {
        assert_eq!(parse_time("1767225600"), Ok(1_767_225_600_000));
        assert_eq!(parse_time("2026-01-01T00:00:00Z"), Ok(1_767_225_600_000));
        assert_eq!(parse_time("2026-01-01T02:00:00.5+02:00"), Ok(1_767_225_600_500));
        let local = parse_time("2026-01-01 00:00:00").expect("a local time");
        // No place on earth is more than 14 hours from Greenwich.
        assert!((local - 1_767_225_600_000).abs() <= 14 * 3_600_000);
        for text in ["", "yesterday", "2026-13-01 00:00:00", "99999999999999999999"] {
            assert!(parse_time(text).is_err(), "{text}");
        }
    }
}
