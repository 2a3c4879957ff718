//! Positions in a log as users name them: `PART:OFFSET`, `#N`, or a time.
//!
//! A position divides a log in two: everything before it, and the rest, which begins with the first command that has
//! *reached* it. Ranges that meet at a position therefore neither overlap nor leave a gap, and "everything before" a
//! command is everything before its own position.

use std::fmt;

use crate::aof::log::Log;
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::escape::ShownPath;
use crate::command;

/// A position in a log, as the user named it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Position {
    /// `PART:OFFSET`: a byte of a part.
    Byte {
        /// The part: its file name, or its number in load order, from 1.
        part: String,
        /// The byte offset, from 0.
        offset: u64,
    },
    /// `#N`: the Nth command of the log, from 1. Every command of every part counts, including SELECT and MULTI.
    Ordinal(u64),
    /// A point in time, in Unix milliseconds, to be found by the annotations of the log.
    Time(i64),
}

impl Position {
    /// Parses a position. `time` parses the third form.
    ///
    /// # Errors
    ///
    /// A message for display, when the text has none of the forms.
    pub fn parse(
        text: &str,
        time: impl Fn(&str) -> std::result::Result<i64, String>,
    ) -> std::result::Result<Position, String> {
        let wrong = || {
            format!(
                "`{text}` is no position; write it as PART:OFFSET (appendonly.aof:1234, or 1:1234 in the first \
                 part), as '#N' for the Nth command, or as a time (2026-01-01T00:00:00Z)"
            )
        };
        let number = |digits: &str| {
            let digits_alone = digits.bytes().all(|byte| byte.is_ascii_digit());
            digits.parse::<u64>().ok().filter(|_| digits_alone)
        };
        if let Some(ordinal) = text.strip_prefix('#') {
            return number(ordinal)
                .filter(|ordinal| *ordinal > 0)
                .map(Position::Ordinal)
                .ok_or_else(wrong);
        }
        // Times contain colons too, and no part is named like a time.
        if let Ok(time) = time(text) {
            return Ok(Position::Time(time));
        }
        let (part, offset) = text.rsplit_once(':').ok_or_else(wrong)?;
        let offset = number(offset).filter(|_| !part.is_empty()).ok_or_else(wrong)?;
        Ok(Position::Byte { part: part.to_owned(), offset })
    }

    /// Resolves the position in this log.
    ///
    /// # Errors
    ///
    /// When the log has no such part, or the part has no such byte. Whether the log has that many commands, and has
    /// annotations at all, is only known when it is read.
    pub(crate) fn in_log(&self, log: &Log) -> Result<Mark> {
        let (name, offset) = match self {
            Position::Byte { part, offset } => (part, *offset),
            Position::Ordinal(ordinal) => return Ok(Mark::Ordinal(*ordinal)),
            Position::Time(ms) => return Ok(Mark::TimeMs(*ms)),
        };
        let named = log.parts.iter().find(|part| part.name == *name);
        let by_number =
            || name.parse::<usize>().ok().and_then(|n| log.parts.get(n.checked_sub(1)?));
        let Some(part) = named.or_else(by_number) else {
            return Err(no_such_part(log, name));
        };
        if offset > part.mapping.len() {
            let message = format!("there is no byte {offset}: it has {} bytes", part.mapping.len());
            return Err(Error::new(ErrorKind::Usage, message).at(&part.path));
        }
        let part = u32::try_from(part.index).unwrap_or(u32::MAX);
        Ok(Mark::At(command::Position { part, offset }))
    }
}

fn no_such_part(log: &Log, name: &str) -> Error {
    let name = ShownPath(name.as_ref());
    let parts = log.parts.iter().map(|part| format!("{} {}", part.index + 1, part.name));
    let parts: Vec<String> = parts.collect();
    Error::new(ErrorKind::Usage, format!("the log has no part {name}"))
        .at(&log.opened)
        .help(format!("its parts: {}", parts.join(", ")))
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Position::Byte { part, offset } => write!(f, "{}:{offset}", ShownPath(part.as_ref())),
            Position::Ordinal(ordinal) => write!(f, "#{ordinal}"),
            Position::Time(ms) => match jiff::Timestamp::from_millisecond(*ms) {
                Ok(time) => write!(f, "{time}"),
                Err(_) => write!(f, "{ms} ms since 1970"),
            },
        }
    }
}

/// A position in a specific log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mark {
    /// A byte of a part.
    At(command::Position),
    /// The Nth command of the log, from 1.
    Ordinal(u64),
    /// A time, in Unix milliseconds.
    TimeMs(i64),
}

/// The location of a command, in every form that a position can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LogPosition {
    /// The position of its first byte.
    pub at: command::Position,
    /// The ordinal of the command in the log, from 1.
    pub ordinal: u64,
    /// The time of the last annotation before it in its part, in Unix seconds; `None` if there is none.
    pub time: Option<i64>,
}

impl Mark {
    /// Returns whether a command is at or after the position. For a time, whether the command ran in that second or
    /// later according to the annotation before it; a command without one has not reached any time.
    ///
    /// Clocks can be set back: a single point is the first command that has reached it.
    pub(crate) fn is_reached(&self, place: &LogPosition) -> bool {
        match *self {
            Mark::At(at) => place.at >= at,
            Mark::Ordinal(ordinal) => place.ordinal >= ordinal,
            Mark::TimeMs(ms) => {
                place.time.is_some_and(|seconds| seconds.saturating_mul(1000) >= ms)
            }
        }
    }

    /// Returns whether finding the position requires annotations.
    pub(crate) fn is_time(&self) -> bool {
        matches!(self, Mark::TimeMs(_))
    }
}

/// Returns the error for a time that is looked up in a log without annotations.
pub(crate) fn no_times(log: &Log) -> Error {
    Error::new(ErrorKind::Refused, "the log does not tell when its commands were run")
        .at(&log.opened)
        .help(
            "servers note times only with `aof-timestamp-enabled yes` (Redis 7.0 and later); \
             name the place as PART:OFFSET or '#N' instead",
        )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::input::files::open_files;

    /// Parses a time as plain seconds, or as text that contains a `T`.
    fn parse(text: &str) -> std::result::Result<Position, String> {
        let time = |text: &str| match text.parse::<i64>() {
            Ok(seconds) => Ok(seconds * 1000),
            Err(_) if text == "2026-01-01 00:00:00" => Ok(7),
            Err(_) => Err(String::new()),
        };
        Position::parse(text, time)
    }

    fn byte(part: &str, offset: u64) -> std::result::Result<Position, String> {
        Ok(Position::Byte { part: part.to_owned(), offset })
    }

    #[test]
    fn every_form_is_read() {
        assert_eq!(parse("appendonly.aof:81"), byte("appendonly.aof", 81));
        assert_eq!(parse("2:0"), byte("2", 0));
        assert_eq!(parse("a:b:3"), byte("a:b", 3));
        assert_eq!(parse("#12"), Ok(Position::Ordinal(12)));
        assert_eq!(parse("1767225600"), Ok(Position::Time(1_767_225_600_000)));
        assert_eq!(parse("2026-01-01 00:00:00"), Ok(Position::Time(7)));
        for text in ["", "#", "#0", "#-1", "#+1", ":1", "a:", "a:-1", "a:+1", "a", "a:1x"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_part_is_found_by_name_and_by_number() {
        let directory = tempfile::tempdir().expect("a directory");
        let put = |name: &str, text: &[u8]| {
            std::fs::write(directory.path().join(name), text).expect("it is written");
        };
        put("a.aof.1.base.aof", b"*1\r\n$4\r\nPING\r\n");
        put("a.aof.1.incr.aof", b"");
        put(
            "a.aof.manifest",
            b"file a.aof.1.base.aof seq 1 type b\nfile a.aof.1.incr.aof seq 1 type i\n",
        );
        let log = open_files(directory.path()).expect("a log");
        let found = |text: &str| parse(text).expect("a position").in_log(&log);
        let at = |part, offset| Mark::At(command::Position { part, offset });
        assert_eq!(found("a.aof.1.base.aof:14").ok(), Some(at(0, 14)));
        assert_eq!(found("1:3").ok(), Some(at(0, 3)));
        assert_eq!(found("2:0").ok(), Some(at(1, 0)));
        for text in ["0:0", "3:0", "b:0", "1:15", "2:1"] {
            assert!(found(text).is_err(), "{text}");
        }
    }

    #[test]
    fn command_reaches_positions_before_it() {
        let place = |part, offset, ordinal, time| LogPosition {
            at: command::Position { part, offset },
            ordinal,
            time,
        };
        let here = place(1, 100, 7, Some(50));
        for (mark, reached) in [
            (Mark::At(command::Position { part: 1, offset: 100 }), true),
            (Mark::At(command::Position { part: 1, offset: 101 }), false),
            (Mark::At(command::Position { part: 0, offset: 900 }), true),
            (Mark::At(command::Position { part: 2, offset: 0 }), false),
            (Mark::Ordinal(7), true),
            (Mark::Ordinal(8), false),
            (Mark::TimeMs(50_000), true),
            (Mark::TimeMs(50_001), false),
        ] {
            assert_eq!(mark.is_reached(&here), reached, "{mark:?}");
        }
        assert!(!Mark::TimeMs(i64::MIN).is_reached(&place(0, 0, 1, None)));
    }
}
