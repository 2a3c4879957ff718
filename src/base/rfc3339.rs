//! Times in JSON: strings as in RFC 3339, in UTC.

use jiff::Timestamp;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serializer};

/// The Unix second at which the year 0 begins. RFC 3339 has no earlier times.
const FIRST_SECOND: i64 = -62_167_219_200;

/// Returns Unix seconds as a time: `2023-11-14T22:13:20Z`. A log can hold numbers that are no time of the years 0 to
/// 9999; these are returned as `@` and the seconds.
pub(crate) fn from_seconds(seconds: i64) -> String {
    match Timestamp::from_second(seconds) {
        Ok(time) if seconds >= FIRST_SECOND => time.to_string(),
        _ => format!("@{seconds}"),
    }
}

/// Returns Unix milliseconds as a time, as [`from_seconds`] does: `2023-11-14T22:13:20.5Z`.
pub(crate) fn from_milliseconds(ms: i64) -> String {
    match Timestamp::from_millisecond(ms) {
        Ok(time) if ms.div_euclid(1000) >= FIRST_SECOND => time.to_string(),
        _ => format!("@{}.{:03}", ms.div_euclid(1000), ms.rem_euclid(1000)),
    }
}

/// Serialises Unix seconds as a time.
pub(crate) fn seconds<S: Serializer>(seconds: &i64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&from_seconds(*seconds))
}

/// Like [`seconds`], for an optional time.
pub(crate) fn seconds_if_any<S: Serializer>(
    seconds: &Option<i64>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match seconds {
        Some(seconds) => self::seconds(seconds, serializer),
        None => serializer.serialize_none(),
    }
}

/// Like [`seconds`], for an optional first and last time.
pub(crate) fn first_and_last<S: Serializer>(
    times: &Option<(i64, i64)>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match times {
        Some((first, last)) => serializer.collect_seq([from_seconds(*first), from_seconds(*last)]),
        None => serializer.serialize_none(),
    }
}

/// Serialises Unix milliseconds as a time.
pub(crate) fn milliseconds<S: Serializer>(ms: &i64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&from_milliseconds(*ms))
}

/// Serialises optional Unix milliseconds as a time.
pub(crate) fn milliseconds_if_any<S: Serializer>(
    ms: &Option<i64>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match ms {
        Some(ms) => serializer.serialize_str(&from_milliseconds(*ms)),
        None => serializer.serialize_none(),
    }
}

/// Deserialises an optional time from the text that [`seconds_if_any`] writes, or from a number of Unix seconds.
pub(crate) fn read_seconds_if_any<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<i64>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Written {
        Number(i64),
        Text(String),
    }
    let read = |text: &str| match text.strip_prefix('@') {
        Some(seconds) => seconds.parse().ok(),
        None => text.parse::<Timestamp>().ok().map(Timestamp::as_second),
    };
    match Option::<Written>::deserialize(deserializer)? {
        None => Ok(None),
        Some(Written::Number(seconds)) => Ok(Some(seconds)),
        Some(Written::Text(text)) => {
            let error = || D::Error::custom(format!("not a time: {}", text.escape_debug()));
            read(&text).map(Some).ok_or_else(error)
        }
    }
}

#[cfg(test)]
mod tests {
    use serde::Serialize;

    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Times {
        #[serde(serialize_with = "seconds_if_any", deserialize_with = "read_seconds_if_any")]
        at: Option<i64>,
    }

    #[test]
    fn times_are_rfc_3339_in_utc() {
        // `date -u -d @N +%FT%TZ` of GNU coreutils.
        assert_eq!(from_seconds(1_700_000_000), "2023-11-14T22:13:20Z");
        assert_eq!(from_seconds(0), "1970-01-01T00:00:00Z");
        assert_eq!(from_seconds(-1), "1969-12-31T23:59:59Z");
        assert_eq!(from_milliseconds(1_700_000_000_000), "2023-11-14T22:13:20Z");
        assert_eq!(from_milliseconds(1_700_000_000_500), "2023-11-14T22:13:20.5Z");
    }

    #[test]
    fn numbers_outside_of_rfc_3339_are_written_as_numbers() {
        assert_eq!(from_seconds(FIRST_SECOND), "0000-01-01T00:00:00Z");
        assert_eq!(from_seconds(FIRST_SECOND - 1), "@-62167219201");
        assert_eq!(from_seconds(i64::MAX), "@9223372036854775807");
        assert_eq!(from_milliseconds(i64::MAX), "@9223372036854775.807");
        assert_eq!(from_milliseconds(i64::MIN), "@-9223372036854776.192");
    }

    #[test]
    fn written_times_and_unix_seconds_are_read() {
        for seconds in [0, -1, 1_700_000_000, FIRST_SECOND - 1, i64::MAX, i64::MIN] {
            let times = Times { at: Some(seconds) };
            let text = serde_json::to_string(&times).unwrap();
            assert_eq!(serde_json::from_str::<Times>(&text).unwrap(), times, "{text}");
        }
        let read = |text| serde_json::from_str::<Times>(text);
        assert_eq!(read(r#"{"at":1700000000}"#).unwrap().at, Some(1_700_000_000));
        assert_eq!(read(r#"{"at":null}"#).unwrap().at, None);
        for wrong in [r#"{"at":"yesterday"}"#, r#"{"at":"@"}"#, r#"{"at":"@1.5"}"#, r#"{"at":[]}"#]
        {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
