//! DURATION, as people write it.

use std::time::Duration;

use jiff::SignedDuration;

/// Parses a length of time: seconds as a number (`5`, `0.5`), or with units (`500ms`, `90s`, `1h 30m`).
///
/// # Errors
///
/// A sentence for the person who typed it, when the text has another shape or the time is negative.
pub(super) fn parse_duration(text: &str) -> Result<Duration, String> {
    let text = text.trim();
    let wrong = || format!("`{text}` is no length of time; write it as 5, 500ms, 90s or 1h30m");
    if let Ok(seconds) = text.parse::<f64>() {
        return Duration::try_from_secs_f64(seconds).map_err(|_| wrong());
    }
    let duration = text.parse::<SignedDuration>().map_err(|_| wrong())?;
    Duration::try_from(duration).map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time_are_read_in_every_form() {
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
}
