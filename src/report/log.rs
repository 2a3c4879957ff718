//! The lines of `aofkit log`: as text and as JSON.

use std::io::Write;

use super::envelope::{Report, append};
use super::time::local;
use crate::aof::log::{Log, Part};
use crate::base::escape::quote;
use crate::base::units::{Bytes, Count, counted};
use crate::command::Role;
use crate::ops::log::{CommandLine, Ending, Line, LogReport, RdbLine, Render};

/// The number of bytes of a value that are shown.
const SHOWN_BYTES: usize = 48;
/// The number of arguments that are shown.
const SHOWN_ARGS: usize = 12;

/// Lines of text: `1:81 #3 2026-11-22 03:10:00 +01:00 [0] "SET" "a" "1"`.
///
/// The part and the offset have the form of a position argument. Commands in a transaction are indented. The time is
/// omitted before the first annotation.
#[derive(Debug, Clone, Default)]
pub struct Text {
    /// Whether long values are shown in full.
    pub full: bool,
    place_width: usize,
    ordinal_width: usize,
    /// The last time that was formatted; consecutive commands often have the same time.
    time: Option<(i64, String)>,
}

/// The approximate length of the shortest commands of a log, in bytes, used to estimate the width of ordinals.
const SHORT_COMMAND: u64 = 27;

impl Text {
    /// Returns a renderer of text; `full` shows long values in full.
    pub fn new(full: bool) -> Text {
        Text { full, ..Text::default() }
    }

    fn command(&mut self, line: &CommandLine<'_>, out: &mut Vec<u8>) {
        place(line.number, line.offset, self.place_width, out);
        out.extend_from_slice(b" #");
        let start = out.len();
        number(line.ordinal, out);
        pad(start, self.ordinal_width, out);
        out.push(b' ');
        if let Some(time) = line.time {
            if self.time.as_ref().is_none_or(|(last, _)| *last != time) {
                self.time = Some((time, local(time)));
            }
            if let Some((_, text)) = &self.time {
                out.extend_from_slice(text.as_bytes());
                out.push(b' ');
            }
        }
        out.push(b'[');
        number(line.db, out);
        out.extend_from_slice(b"] ");
        let marks_it = |role| matches!(role, Role::Multi | Role::Exec);
        if line.transaction.is_some() && !line.id.is_some_and(|id| marks_it(id.row().role)) {
            out.extend_from_slice(b"  ");
        }
        args(line.args, self.full, out);
        out.push(b'\n');
    }

    fn rdb(&self, line: &RdbLine<'_>, out: &mut Vec<u8>) {
        place(line.number, line.offset, self.place_width, out);
        let keys = line.keys.map_or("keys unknown".to_owned(), |keys| counted(keys, "key"));
        let (version, bytes) = (line.version, Bytes(line.bytes));
        // Writing to memory cannot fail.
        let _ = writeln!(out, " RDB {version}: {keys}, {bytes}");
    }
}

/// Appends a number. There are several in each of millions of lines, in which the formatting of the standard library took
/// most of the time.
fn number(number: impl itoa::Integer, out: &mut Vec<u8>) {
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

/// Appends spaces until the text from byte `start` on has `width` bytes.
fn pad(start: usize, width: usize, out: &mut Vec<u8>) {
    out.resize(out.len().max(start + width), b' ');
}

/// Appends a position, `1:81`, padded to `width` bytes.
fn place(part: usize, offset: u64, width: usize, out: &mut Vec<u8>) {
    let start = out.len();
    number(part, out);
    out.push(b':');
    number(offset, out);
    pad(start, width, out);
}

/// Appends arguments, quoted as by redis-cli; long ones, and very many, are shortened unless `full`.
pub(super) fn args(args: &[&[u8]], full: bool, out: &mut Vec<u8>) {
    let shown = if full { args.len() } else { SHOWN_ARGS };
    for (index, arg) in args.iter().take(shown).enumerate() {
        if index > 0 {
            out.push(b' ');
        }
        if full || arg.len() <= SHOWN_BYTES {
            quote(arg, out);
        } else {
            quote(&arg[..SHOWN_BYTES], out);
            out.truncate(out.len() - 1);
            let _ = write!(out, "..\" ({})", exact(arg.len() as u64));
        }
    }
    if let Some(more) = args.len().checked_sub(shown).filter(|&more| more > 0) {
        let _ = write!(out, " ({})", counted(more as u64, "more argument"));
    }
}

/// Returns a number of bytes without a unit prefix: `1,234 bytes`.
fn exact(bytes: u64) -> String {
    counted(bytes, "byte")
}

impl Render for Text {
    fn begin(&mut self, log: &Log) {
        let digits = |number: u64| number.to_string().len();
        let longest = log.parts.iter().map(|part| part.mapping.len()).max().unwrap_or(0);
        self.place_width = digits(log.parts.len() as u64) + 1 + digits(longest);
        self.ordinal_width = digits(log.bytes() / SHORT_COMMAND);
    }

    fn part(&mut self, part: &Part, out: &mut Vec<u8>) {
        let _ = writeln!(out, "# part {}: {}", part.index + 1, part.name);
    }

    fn line(&mut self, line: &Line<'_>, out: &mut Vec<u8>) {
        match line {
            Line::Rdb(line) => self.rdb(line, out),
            Line::Command(line) => self.command(line, out),
        }
    }
}

/// One JSON object per line; its fields are those of [`Line`]. They are printed between the header and the summary of
/// [`JsonLines`](super::JsonLines).
#[derive(Debug, Clone, Copy)]
pub struct Json;

impl Render for Json {
    fn line(&mut self, line: &Line<'_>, out: &mut Vec<u8>) {
        append(line, out);
    }
}

/// Returns the message on where and why a log ends early.
pub fn ending(ending: &Ending) -> String {
    format!("{}: byte {}: {}", ending.part, Count(ending.offset), ending.message)
}

impl Report for LogReport {
    const NAME: &'static str = "log";
}
