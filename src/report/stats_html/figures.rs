//! Numbers and times as text.

use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::base::units::{Bytes, Count, Elapsed};

/// The number of seconds of a day.
const DAY: u64 = 86_400;

pub(super) fn bytes(bytes: u64) -> String {
    Bytes(bytes).to_string()
}

pub(super) fn signed_bytes(bytes: i64) -> String {
    let sign = if bytes < 0 { "-" } else { "" };
    format!("{sign}{}", Bytes(bytes.unsigned_abs()))
}

pub(super) fn count(count: u64) -> String {
    Count(count).to_string()
}

/// Returns a number as a float, of which only a few digits are shown.
#[allow(clippy::cast_precision_loss)]
pub(super) fn float(number: u64) -> f64 {
    number as f64
}

/// Returns a float as the nearest number of whole units; 0 if it is negative or no number.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // Such a cast saturates.
pub(super) fn whole(number: f64) -> u64 {
    number.round() as u64
}

/// Returns the part of a whole from 0 to 1; 0 of nothing.
pub(super) fn fraction(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { (float(part) / float(whole)).clamp(0.0, 1.0) }
}

/// Returns the part of a whole in percent: `12.3%`, `<0.1%`.
pub(super) fn percent(part: u64, whole: u64) -> String {
    let percent = fraction(part, whole) * 100.0;
    if part > 0 && percent < 0.05 { "<0.1%".to_owned() } else { format!("{percent:.1}%") }
}

/// Returns a number per second with three digits: `0.12`, `12.3`, `1,234`.
pub(super) fn per_second(number: f64) -> String {
    if number >= 100.0 {
        count(whole(number))
    } else if number >= 10.0 {
        format!("{number:.1}")
    } else {
        format!("{number:.2}")
    }
}

/// Returns a duration in seconds: `12.00 s`, `2 h 01 min`, `3 days 4 h`.
pub(super) fn duration(seconds: u64) -> String {
    if seconds < 2 * DAY {
        return Elapsed(Duration::from_secs(seconds)).to_string();
    }
    format!("{} days {} h", count(seconds / DAY), seconds % DAY / 3600)
}

/// Returns Unix seconds as time of a zone with its offset: `2026-11-22 03:10:00 +01:00`.
pub(super) fn time(seconds: i64, zone: &TimeZone) -> String {
    formatted(seconds, zone, "%Y-%m-%d %H:%M:%S %:z")
}

/// Returns Unix seconds as time of a zone in a format of `strftime`.
pub(super) fn formatted(seconds: i64, zone: &TimeZone, format: &str) -> String {
    match Timestamp::from_second(seconds) {
        Ok(timestamp) => timestamp.to_zoned(zone.clone()).strftime(format).to_string(),
        Err(_) => format!("{seconds} s since 1970"),
    }
}

/// Returns the offset of a zone at a time, in seconds.
pub(super) fn offset(seconds: i64, zone: &TimeZone) -> i64 {
    let timestamp = Timestamp::from_second(seconds);
    timestamp.map_or(0, |timestamp| i64::from(zone.to_offset(timestamp).seconds()))
}
