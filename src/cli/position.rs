//! Positions in a log, as people write them.

use super::time::parse_time;
use crate::ops::position::Position;

/// Parses `PART:OFFSET`, `#N`, or a time as [`parse_time`] takes it.
///
/// # Errors
///
/// A sentence for the person who typed it, when the text has none of the forms.
pub(super) fn parse_position(text: &str) -> Result<Position, String> {
    Position::parse(text, parse_time)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_no_part() {
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
