//! Times as text.

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// Returns Unix seconds as local time with the offset: `2026-11-22 03:10:00 +01:00`.
pub fn local(seconds: i64) -> String {
    in_zone(seconds, TimeZone::system())
}

fn in_zone(seconds: i64, zone: TimeZone) -> String {
    match Timestamp::from_second(seconds) {
        Ok(timestamp) => timestamp.to_zoned(zone).strftime("%Y-%m-%d %H:%M:%S %:z").to_string(),
        Err(_) => format!("{seconds} s since 1970"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_has_its_offset() {
        let zone = TimeZone::fixed(jiff::tz::offset(-3));
        assert_eq!(in_zone(1_700_000_000, zone), "2023-11-14 19:13:20 -03:00");
        assert_eq!(in_zone(i64::MAX, TimeZone::UTC), "9223372036854775807 s since 1970");
    }
}
