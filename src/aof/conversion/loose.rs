//! Frames with other line ends than CR LF, or with lengths in characters.
//!
//! A length proves which line ends of a value were CR LF if all of them were, or none. If only some were, which ones is
//! not known: such a value is read only with an assumption about all of them, [`ValueLineEnds`].

use super::reading::{Change, REPLACEMENT, Reading};

/// The most arguments of a command that are read here.
const MOST_ARGS: usize = 1 << 20;

/// What ends a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LineEnd {
    CrLf,
    Lf,
    Cr,
    CrCrLf,
}

impl LineEnd {
    /// Returns the line end at `at`, and the offset after it.
    fn at(bytes: &[u8], at: usize) -> Option<(LineEnd, usize)> {
        match bytes.get(at..)? {
            [b'\r', b'\r', b'\n', ..] => Some((LineEnd::CrCrLf, at + 3)),
            [b'\r', b'\n', ..] => Some((LineEnd::CrLf, at + 2)),
            [b'\r', ..] => Some((LineEnd::Cr, at + 1)),
            [b'\n', ..] => Some((LineEnd::Lf, at + 1)),
            _ => None,
        }
    }

    fn change(self) -> Option<Change> {
        match self {
            LineEnd::CrLf => None,
            LineEnd::Lf => Some(Change::LfLineEnds),
            LineEnd::Cr => Some(Change::CrLineEnds),
            LineEnd::CrCrLf => Some(Change::DoubledCr),
        }
    }
}

/// Reads the line `MARKER NUMBER` at `at`: the number, its line end, and the offset after it.
fn number(bytes: &[u8], at: usize, marker: u8) -> Option<(usize, LineEnd, usize)> {
    let rest = bytes.get(at..)?.strip_prefix(&[marker])?;
    let digits = rest.iter().take(10).take_while(|byte| byte.is_ascii_digit()).count();
    let value = std::str::from_utf8(&rest[..digits]).ok()?.parse().ok()?;
    let (end, after) = LineEnd::at(bytes, at + 1 + digits)?;
    Some((value, end, after))
}

/// The line ends of a value in place of those of which the length does not tell what they were.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValueLineEnds {
    /// LF.
    Lf,
    /// CR LF.
    CrLf,
}

impl ValueLineEnds {
    fn bytes(self) -> &'static [u8] {
        match self {
            ValueLineEnds::Lf => b"\n",
            ValueLineEnds::CrLf => b"\r\n",
        }
    }
}

/// Reads a frame that is not one of a server. All its line ends are alike. With `assumed`, values are read, too, of
/// which the line ends are not known; without, a frame with one is none.
pub(super) fn frame(bytes: &[u8], at: usize, assumed: Option<ValueLineEnds>) -> Option<Reading> {
    let (argc, end, mut pos) = number(bytes, at, b'*')?;
    if argc == 0 || argc > MOST_ARGS {
        return None;
    }
    let mut args = Vec::new();
    let mut counted = Vec::new();
    let mut guessed = 0;
    for index in 0..argc {
        let (len, end_of_length, start) = number(bytes, pos, b'$')?;
        if end_of_length != end {
            return None;
        }
        let value = Value { bytes, start, len, end, is_last: index + 1 == argc };
        let (arg, next, is_counted) = match value.read() {
            Some(read) => read,
            None => {
                let (arg, next) = value.read_assuming(assumed?)?;
                guessed += 1;
                (arg, next, false)
            }
        };
        if is_counted {
            counted.push(index);
        }
        args.push(arg);
        pos = next;
    }
    let change = match end.change() {
        Some(change) => change,
        None if !counted.is_empty() => Change::CharacterLengths,
        None => return None,
    };
    Some(Reading { assumed: guessed, counted, ..Reading::command(change, pos, args) })
}

/// A value, and what is known about where it ends.
#[derive(Clone, Copy)]
struct Value<'a> {
    bytes: &'a [u8],
    start: usize,
    /// The length as the file has it.
    len: usize,
    end: LineEnd,
    is_last: bool,
}

impl Value<'_> {
    /// Returns the value, the offset after its line end, and whether its length is one in characters.
    fn read(self) -> Option<(Vec<u8>, usize, bool)> {
        let exact = self.start.checked_add(self.len)?;
        if let Some(next) = self.ends_at(exact) {
            let value = &self.bytes[self.start..exact];
            // A CR in a value may have been an LF, as the others were CR LF.
            let is_certain = self.end != LineEnd::Cr || !value.contains(&b'\r');
            return is_certain.then(|| (value.to_vec(), next, false));
        }
        match self.end {
            LineEnd::CrLf => self.in_characters().or_else(|| self.with_replacements()),
            LineEnd::Lf | LineEnd::Cr => self.shortened(),
            LineEnd::CrCrLf => self.lengthened(),
        }
    }

    /// Reads a value of which only some line ends were CR LF: all of them as `assumed`. Where it ends has to be certain.
    fn read_assuming(self, assumed: ValueLineEnds) -> Option<(Vec<u8>, usize)> {
        let byte = self.single_byte_end()?;
        let mut ends = self.possible_ends(byte);
        let (at, _, next) = ends.next()?;
        if ends.next().is_some() {
            return None;
        }
        let value = &self.bytes[self.start..self.start + at];
        // A length that is wrong for another reason can reach over commands.
        let has_commands = memchr::memchr_iter(byte, value).any(|end| {
            number(value, end + 1, b'*')
                .is_some_and(|(_, _, after)| value.get(after) == Some(&b'$'))
        });
        (!has_commands).then(|| (with_line_ends(value, byte, assumed.bytes()), next))
    }

    /// The line end, if it is a single byte.
    fn single_byte_end(self) -> Option<u8> {
        match self.end {
            LineEnd::Lf => Some(b'\n'),
            LineEnd::Cr => Some(b'\r'),
            LineEnd::CrLf | LineEnd::CrCrLf => None,
        }
    }

    /// The places at which the value can end if some of its line ends, each `byte` now, had one byte more: for each its
    /// length, the number of line ends before it, and the offset after its own line end.
    fn possible_ends(self, byte: u8) -> impl Iterator<Item = (usize, usize, usize)> {
        let rest = self.bytes.get(self.start..).unwrap_or_default();
        let window = &rest[..rest.len().min(self.len.saturating_add(1))];
        memchr::memchr_iter(byte, window).enumerate().filter_map(move |(before, at)| {
            let is_possible = at + before >= self.len;
            let next = self.ends_at(self.start + at).filter(|_| is_possible)?;
            Some((at, before, next))
        })
    }

    /// Returns the offset after the line end, if the value can end at `at`: an argument or the end of the command
    /// follows.
    fn ends_at(self, at: usize) -> Option<usize> {
        let (end, next) = LineEnd::at(self.bytes, at)?;
        let follows = match self.bytes.get(next) {
            None => self.is_last,
            Some(b'*' | b'#' | b'\r' | b'\n') => self.is_last,
            Some(b'$') => !self.is_last,
            Some(_) => false,
        };
        (end == self.end && follows).then_some(next)
    }

    /// Reads a value that has become shorter: CR LF in it became LF, or CR, too.
    fn shortened(self) -> Option<(Vec<u8>, usize, bool)> {
        let byte = self.single_byte_end()?;
        let mut ends = self.possible_ends(byte);
        let (at, before, next) = ends.next()?;
        if at + before > self.len || ends.next().is_some() {
            // Only some of the line ends were CR LF, or there are two readings.
            return None;
        }
        let value = with_line_ends(&self.bytes[self.start..self.start + at], byte, b"\r\n");
        (value.len() == self.len).then_some((value, next, false))
    }

    /// Reads a value that has become longer: each LF in it has got a CR.
    fn lengthened(self) -> Option<(Vec<u8>, usize, bool)> {
        let mut value = Vec::new();
        let mut pos = self.start;
        while value.len() < self.len {
            match self.bytes.get(pos..)? {
                [b'\r', b'\n', ..] => {
                    value.push(b'\n');
                    pos += 2;
                }
                // A line feed without a CR was not written by what wrote the others.
                [b'\n', ..] | [] => return None,
                [byte, ..] => {
                    value.push(*byte);
                    pos += 1;
                }
            }
        }
        Some((value, self.ends_at(pos)?, false))
    }

    /// Reads a value of which the length counts code points, or the units of UTF-16.
    fn in_characters(self) -> Option<(Vec<u8>, usize, bool)> {
        let most = self.len.checked_mul(4)?;
        let rest = self.bytes.get(self.start..)?;
        let rest = &rest[..rest.len().min(most)];
        let text = rest.utf8_chunks().next()?.valid();
        let points = text.char_indices().nth(self.len).map_or(text.len(), |(at, _)| at);
        let mut units = 0;
        let in_units = text.char_indices().find_map(|(at, character)| {
            let is_end = units >= self.len;
            units += character.len_utf16();
            is_end.then_some(at)
        });
        [points, in_units.unwrap_or(text.len())].into_iter().find_map(|len| {
            let next = self.ends_at(self.start + len)?;
            let value = &text[..len];
            let fits = value.chars().count() == self.len
                || value.chars().map(char::len_utf16).sum::<usize>() == self.len;
            fits.then(|| (value.as_bytes().to_vec(), next, true))
        })
    }

    /// Reads a value in which U+FFFD is in place of bytes that are no text, each of one to three bytes.
    fn with_replacements(self) -> Option<(Vec<u8>, usize, bool)> {
        let most = self.len.checked_mul(REPLACEMENT.len())?;
        let rest = self.bytes.get(self.start..)?;
        let window = &rest[..rest.len().min(most.saturating_add(2))];
        let mut found = None;
        let (mut replaced, mut counted) = (0, 0);
        for len in memchr::memmem::find_iter(window, b"\r\n") {
            replaced += memchr::memmem::find_iter(&window[counted..len], REPLACEMENT).count();
            counted = len;
            let fewest = len - replaced * (REPLACEMENT.len() - 1);
            if fewest > self.len {
                break;
            }
            if replaced == 0 || self.len > len {
                continue;
            }
            let Some(next) = self.ends_at(self.start + len) else { continue };
            let value = &window[..len];
            if found.is_some() || std::str::from_utf8(value).is_err() {
                return None;
            }
            found = Some((value.to_vec(), next, true));
        }
        found
    }
}

/// Returns the value with `end` in place of each `byte`.
fn with_line_ends(value: &[u8], byte: u8, end: &[u8]) -> Vec<u8> {
    let mut changed = Vec::with_capacity(value.len());
    for &found in value {
        if found == byte {
            changed.extend_from_slice(end);
        } else {
            changed.push(found);
        }
    }
    changed
}

/// The longest line of an annotation that is read here, as in servers.
const LONGEST_ANNOTATION: usize = 1024;

/// Reads an annotation with another line end than CR LF.
pub(super) fn annotation(bytes: &[u8], at: usize) -> Option<Reading> {
    let (line, end, next) = annotation_line(bytes, at)?;
    let change = end.change()?;
    Some(Reading { annotation: Some(line), ..Reading::nothing(change, next) })
}

/// Returns the offset after an annotation as servers write it.
pub(super) fn canonical_annotation(bytes: &[u8], at: usize) -> Option<usize> {
    let (_, end, next) = annotation_line(bytes, at)?;
    (end == LineEnd::CrLf).then_some(next)
}

fn annotation_line(bytes: &[u8], at: usize) -> Option<(std::ops::Range<usize>, LineEnd, usize)> {
    let rest = bytes.get(at..)?;
    let rest = &rest[..rest.len().min(LONGEST_ANNOTATION)];
    if !rest.starts_with(b"#") {
        return None;
    }
    let len = memchr::memchr2(b'\r', b'\n', rest)?;
    let (end, next) = LineEnd::at(bytes, at + len)?;
    Some((at..at + len, end, next))
}
