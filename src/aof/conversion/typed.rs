//! Commands as a person types them, one a line.
//!
//! Words are split as by servers (`sdssplitargs` in `sds.c` of Redis 6.2): at blanks, with quotes and escapes.

use std::io;

use super::reading::{Change, Commands, Reading, canonical_end};

/// The longest line, as in servers.
const LONGEST_LINE: usize = 64 << 10;

/// Reads the lines from `at` to the next frame or the end of the file, if each of them is a command, and one of them writes:
/// a line of text can begin with the name of a command.
pub(super) fn lines(bytes: &[u8], at: usize, commands: &dyn Commands) -> Option<Reading> {
    let mut writes = false;
    let mut note = |words: &[Vec<u8>]| {
        writes |= words.first().is_some_and(|name| commands.writes(name));
        Ok(())
    };
    each(bytes, at, commands, &mut note).ok()??;
    if !writes {
        return None;
    }
    Reading::lines(Change::InlineCommands, bytes, at, commands, each)
}

fn each(
    bytes: &[u8],
    mut at: usize,
    commands: &dyn Commands,
    each: &mut dyn FnMut(&[Vec<u8>]) -> io::Result<()>,
) -> io::Result<Option<(usize, u64)>> {
    while at < bytes.len() && canonical_end(bytes, at).is_none() {
        let Some((line, next)) = line(bytes, at) else { return Ok(None) };
        let Some(words) = split(line) else { return Ok(None) };
        if let Some(name) = words.first() {
            if !commands.accepts(name, words.len()) {
                return Ok(None);
            }
            each(&words)?;
        }
        at = next;
    }
    Ok(Some((at, 0)))
}

/// Returns the line at `at` without its end, and the offset after it.
pub(super) fn line(bytes: &[u8], at: usize) -> Option<(&[u8], usize)> {
    let rest = bytes.get(at..)?;
    let (len, next) = match memchr::memchr(b'\n', rest) {
        Some(end) => (end, at + end + 1),
        None => (rest.len(), bytes.len()),
    };
    let line = rest[..len].strip_suffix(b"\r").unwrap_or(&rest[..len]);
    (line.len() <= LONGEST_LINE).then_some((line, next))
}

/// Splits a line into words; `None` if its quotes are not balanced.
pub(super) fn split(line: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut words = Vec::new();
    let mut rest = line.trim_ascii_start();
    while !rest.is_empty() {
        let mut word = Vec::new();
        while let Some((&byte, after)) = rest.split_first() {
            if byte.is_ascii_whitespace() {
                break;
            }
            rest = match byte {
                b'"' => quoted(after, &mut word)?,
                b'\'' => single_quoted(after, &mut word)?,
                _ => {
                    word.push(byte);
                    after
                }
            };
        }
        words.push(word);
        rest = rest.trim_ascii_start();
    }
    Some(words)
}

/// Reads up to the closing `"` with the escapes that servers write, and returns what follows. A word ends there.
fn quoted<'a>(mut rest: &'a [u8], word: &mut Vec<u8>) -> Option<&'a [u8]> {
    loop {
        let (byte, after) = match rest {
            [b'"', after @ ..] => return ends_word(after),
            [b'\\', b'x', high, low, after @ ..]
                if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() =>
            {
                let digits = [*high, *low];
                let digits = std::str::from_utf8(&digits).ok()?;
                (u8::from_str_radix(digits, 16).ok()?, after)
            }
            [b'\\', escaped, after @ ..] => {
                let byte = match escaped {
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    b'b' => 8,
                    b'a' => 7,
                    other => *other,
                };
                (byte, after)
            }
            [byte, after @ ..] => (*byte, after),
            [] => return None,
        };
        word.push(byte);
        rest = after;
    }
}

fn single_quoted<'a>(mut rest: &'a [u8], word: &mut Vec<u8>) -> Option<&'a [u8]> {
    loop {
        let (byte, after) = match rest {
            [b'\'', after @ ..] => return ends_word(after),
            [b'\\', b'\'', after @ ..] => (b'\'', after),
            [byte, after @ ..] => (*byte, after),
            [] => return None,
        };
        word.push(byte);
        rest = after;
    }
}

/// A closing quote is followed by a blank or nothing.
fn ends_word(rest: &[u8]) -> Option<&[u8]> {
    rest.first().is_none_or(u8::is_ascii_whitespace).then_some(rest)
}
