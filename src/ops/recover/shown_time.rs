//! Formatting of times in reports of `recover`.

/// Formats Unix seconds in UTC, for use in a sentence.
pub(crate) fn shown_time(seconds: i64) -> String {
    match jiff::Timestamp::from_second(seconds) {
        Ok(time) => time.to_string(),
        Err(_) => format!("{seconds} s since 1970"),
    }
}
