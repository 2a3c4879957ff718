//! The grammar of a log, as nom parsers. This is the reference; the loop of the scanner is a faster
//! implementation of the same grammar, and property tests and fuzzing check that both are equal.
//!
//! ```text
//! log        = *( frame | annotation )
//! frame      = "*" count CRLF count( argument )
//! argument   = "$" length CRLF length( OCTET ) CRLF
//! annotation = "#" *OCTET LF            ; Redis 7.0, between frames only
//! ```
//!
//! A frame is *canonical* if it has the form in which servers write it: decimal numbers without
//! sign or padding, every line end CR LF. The servers' loaders accept more than that
//! ([`tolerated`]): they read header lines with `fgets`, numbers with `atoi` and `strtol`, and do
//! not check the two bytes after an argument. Checked against `loadSingleAppendOnlyFile` of `aof.c`
//! (Redis 7.0 to Valkey 9.1), and observed.

use nom::bytes::complete::{tag, take};
use nom::character::complete::{char, one_of};
use nom::combinator::{opt, recognize, verify};
use nom::multi::many0_count;
use nom::sequence::{delimited, preceded, terminated};
use nom::{IResult, Parser};

use super::fault::{Claim, Fault};

/// Maximum number of bytes of a line that a loader since Redis 7.0 reads at once (`fgets` into 1024
/// bytes).
pub const LINE_BYTES: usize = 1023;

/// Maximum number of bytes of a line that a loader up to Redis 6.2 reads at once (`fgets` into 128
/// bytes).
pub const OLD_LINE_BYTES: usize = 127;

/// The structure of a recognised frame: its length, and the positions required to read it again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// Number of arguments, including the name; at least 1.
    pub argc: u32,
    /// Length of the whole frame in bytes.
    pub len: usize,
    /// Offset of the first argument's bytes, relative to the start of the frame.
    pub name_start: usize,
    /// Length of the first argument in bytes.
    pub name_len: usize,
    /// Whether it has the form in which servers write it.
    pub canonical: bool,
    /// Whether a header line is longer than loaders up to Redis 6.2 read at once.
    pub long_line: bool,
}

/// Parses a decimal number without sign or padding: `0`, or digits that do not begin with `0`.
fn number(input: &[u8]) -> IResult<&[u8], u64> {
    let digits = recognize((one_of("123456789"), many0_count(one_of("0123456789"))));
    let text = nom::branch::alt((digits, tag(&b"0"[..])));
    nom::combinator::map_res(text, |digits: &[u8]| {
        digits
            .iter()
            .try_fold(0_u64, |sum, digit| sum.checked_mul(10)?.checked_add(u64::from(digit - b'0')))
            .ok_or(())
    })
    .parse(input)
}

fn crlf(input: &[u8]) -> IResult<&[u8], &[u8]> {
    tag(&b"\r\n"[..]).parse(input)
}

/// Parses one canonical argument, and returns its bytes.
fn argument(input: &[u8]) -> IResult<&[u8], &[u8]> {
    let (input, length) = delimited(char('$'), number, crlf).parse(input)?;
    terminated(take(length), crlf).parse(input)
}

/// Returns the length of the canonical argument at the start of `input`, including header and line
/// ends.
pub(super) fn argument_len(input: &[u8]) -> Option<usize> {
    argument(input).ok().map(|(rest, _)| input.len() - rest.len())
}

/// Parses the canonical header line at the start of `input` that begins with `marker`, and returns
/// its length and number.
pub(super) fn number_line(input: &[u8], marker: u8) -> Option<(usize, u64)> {
    let header = delimited(char(char::from(marker)), number, crlf).parse(input);
    header.ok().map(|(rest, value)| (input.len() - rest.len(), value))
}

/// Parses one canonical frame. Fails on anything else: damaged, truncated or merely tolerated.
pub fn canonical(input: &[u8]) -> IResult<&[u8], Shape> {
    let limit = u64::from(i32::MAX.unsigned_abs());
    let count = verify(number, |&count| (1..=limit).contains(&count));
    let (after_header, argc) = delimited(char('*'), count, crlf).parse(input)?;
    let (mut rest, name) = argument(after_header)?;
    let name_start = input.len() - rest.len() - name.len() - 2;
    for _ in 1..argc {
        (rest, _) = argument(rest)?;
    }
    let shape = Shape {
        argc: u32::try_from(argc).unwrap_or(u32::MAX),
        len: input.len() - rest.len(),
        name_start,
        name_len: name.len(),
        canonical: true,
        long_line: false,
    };
    Ok((rest, shape))
}

/// Parses an annotation line without its line end, as the loaders since Redis 7.0 skip it: from `#`
/// to the line feed, to [`LINE_BYTES`], or to the end of the file.
pub fn annotation(input: &[u8]) -> IResult<&[u8], &[u8]> {
    let (_, _) = char('#').parse(input)?;
    line(input)
}

/// Parses the result of one `fgets`: up to and including the line feed, or as many bytes as its
/// buffer holds.
fn line(input: &[u8]) -> IResult<&[u8], &[u8]> {
    let window = &input[..input.len().min(LINE_BYTES)];
    let len = memchr::memchr(b'\n', window).map_or(window.len(), |at| at + 1);
    take(len).parse(input)
}

/// Returns the seconds of a `#TS:<unix seconds>` annotation; `None` for any other line.
pub fn timestamp(line: &[u8]) -> Option<i64> {
    let seconds = recognize((opt(char('-')), number));
    let mut timestamp = preceded(tag::<_, _, nom::error::Error<&[u8]>>(&b"#TS:"[..]), seconds);
    let (rest, text) = timestamp.parse(line).ok()?;
    let only_line_end = rest.iter().all(|byte| b"\r\n".contains(byte));
    only_line_end.then(|| std::str::from_utf8(text).ok()?.parse().ok()).flatten()
}

/// Parses one frame as the loaders since Redis 7.0 do, canonical or not.
///
/// `input` begins at the frame and extends to the end of the file.
///
/// # Errors
///
/// Returns the [`Fault`] at which a loader gives up. Its offsets are relative to the start of
/// `input`.
pub fn tolerated(input: &[u8]) -> Result<Shape, Fault> {
    tolerated_in_lines_of(LINE_BYTES, input)
}

/// Like [`tolerated`], for a loader that reads at most `line_bytes` of a line at once:
/// [`LINE_BYTES`] or [`OLD_LINE_BYTES`]. The rest of a longer line is read as the next line.
///
/// # Errors
///
/// Fails like [`tolerated`].
pub fn tolerated_in_lines_of(line_bytes: usize, input: &[u8]) -> Result<Shape, Fault> {
    let mut reader = Lenient::new(line_bytes, input);
    let argc = reader.count()?;
    let (name_start, name_len) = reader.argument(0)?;
    for index in 1..argc {
        reader.argument(index)?;
    }
    let Lenient { at: len, canonical, long_line, .. } = reader;
    Ok(Shape { argc, len, name_start, name_len, canonical, long_line })
}

/// Parses like the C code of the loaders, and records whether the text was canonical throughout.
pub(super) struct Lenient<'a> {
    input: &'a [u8],
    line_bytes: usize,
    pub(super) at: usize,
    pub(super) canonical: bool,
    pub(super) long_line: bool,
}

impl<'a> Lenient<'a> {
    pub(super) fn new(line_bytes: usize, input: &'a [u8]) -> Self {
        Lenient { input, line_bytes, at: 0, canonical: true, long_line: false }
    }

    /// Returns a header line, and whether it was ended by the end of the file.
    fn header(&mut self) -> Option<(&'a [u8], bool)> {
        let rest = self.input.get(self.at..).filter(|rest| !rest.is_empty())?;
        let (_, line) = line(&rest[..rest.len().min(self.line_bytes)]).ok()?;
        self.at += line.len();
        self.long_line |= line.len() > OLD_LINE_BYTES;
        // If the buffer is full, the loader has not reached the end yet.
        let cut_by_end = !line.ends_with(b"\n") && line.len() < self.line_bytes;
        Some((line, cut_by_end))
    }

    fn note_number(&mut self, line: &[u8]) {
        let canonical = terminated(number, crlf);
        let whole = nom::combinator::all_consuming(canonical).parse(&line[1..]).is_ok();
        self.canonical &= whole;
    }

    /// Parses the header of a frame, and returns the number of its arguments.
    pub(super) fn count(&mut self) -> Result<u32, Fault> {
        let Some((line, cut_by_end)) = self.header() else {
            return Err(Fault::Short { at: self.input.len(), claim: None });
        };
        if line[0] != b'*' {
            return Err(Fault::NotACommand { at: 0, found: line[0] });
        }
        // The loaders treat the end of the C string as a read error, and, if the line was ended by
        // the end of the file, as the end of the file.
        match line.get(1) {
            None | Some(0) if cut_by_end => {
                return Err(Fault::Short { at: self.input.len(), claim: None });
            }
            None | Some(0) => return Err(Fault::BadCount { at: 1, value: 0 }),
            Some(_) => {}
        }
        self.note_number(line);
        // `int argc = atoi(..)`: the C library's atoi is strtol, truncated to 32 bits.
        #[allow(clippy::cast_possible_truncation)]
        let value = c_strtol(&line[1..]) as i32;
        self.canonical &= i64::from(value) == c_strtol(&line[1..]);
        match u32::try_from(value) {
            Ok(argc) if argc >= 1 => Ok(argc),
            _ => Err(Fault::BadCount { at: 1, value: i64::from(value) }),
        }
    }

    /// Parses the header of an argument, and returns the declared length.
    pub(super) fn argument_header(&mut self, index: u32) -> Result<u64, Fault> {
        let header_at = self.at;
        let Some((line, _)) = self.header() else {
            return Err(Fault::Short { at: self.input.len(), claim: None });
        };
        if line[0] != b'$' {
            return Err(Fault::NotAnArgument { at: header_at, index, found: line[0] });
        }
        self.note_number(line);
        let value = c_strtol(&line[1..]);
        u64::try_from(value).map_err(|_| Fault::NegativeLength { at: header_at, index, value })
    }

    fn argument(&mut self, index: u32) -> Result<(usize, usize), Fault> {
        let header_at = self.at;
        let declared = self.argument_header(index)?;
        let start = self.at;
        let left = self.input.len() - start;
        let claim = Some(Claim { at: header_at, index, bytes: declared, left: left as u64 });
        let end = usize::try_from(declared).ok().filter(|&length| length <= left);
        let Some(length) = end else {
            return Err(Fault::Short { at: self.input.len(), claim });
        };
        let end = start + length;
        match self.input.get(end..end + 2) {
            Some(line_end) => self.canonical &= line_end == b"\r\n",
            None => {
                return Err(Fault::Short { at: self.input.len(), claim });
            }
        }
        self.at = end + 2;
        Ok((start, length))
    }
}

/// C's `strtol` in base 10 on a C string: blanks, a sign, then digits; 0 without digits; saturates
/// at the ends of the 64-bit range.
pub(super) fn c_strtol(text: &[u8]) -> i64 {
    let blanks = text.iter().take_while(|b| b" \t\n\x0b\x0c\r".contains(b)).count();
    let text = &text[blanks..];
    let (negative, text) = match text.first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    };
    text.iter().take_while(|byte| byte.is_ascii_digit()).fold(0_i64, |sum, digit| {
        let digit = i64::from(digit - b'0');
        let sum = sum.saturating_mul(10);
        if negative { sum.saturating_sub(digit) } else { sum.saturating_add(digit) }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One case per line: the bytes, and what a loader since Redis 7.0 does with the first frame,
    /// as observed on real servers (the table in section "what the loader accepts" of our
    /// reference).
    #[test]
    fn the_same_frames_are_tolerated_as_by_the_loaders() {
        let ok = |text: &[u8]| tolerated(text).unwrap_or_else(|f| panic!("{text:?}: {f:?}"));
        for tolerated in [
            &b"*2abc\r\n$3\r\nGET\r\n$1\r\nk\r\n"[..],
            b"* 2\r\n$3\r\nGET\r\n$1\r\nk\r\n",
            b"*+2\r\n$03\r\nGET\r\n$1\r\nk\r\n",
            b"*2\n$3\nGET\r\n$1\nk\r\n",
            b"*2\r\n$3\r\nGETxx$1\r\nkxx",
        ] {
            let shape = ok(tolerated);
            assert_eq!((shape.argc, shape.len, shape.canonical), (2, tolerated.len(), false));
            assert_eq!(&tolerated[shape.name_start..][..shape.name_len], b"GET");
        }
        let padded = [b"*", &b"0".repeat(200)[..], b"1\r\n$4\r\nPING\r\n"].concat();
        assert!(ok(&padded).long_line);

        let short = |text: &[u8]| matches!(tolerated(text), Err(Fault::Short { .. }));
        for cut in [
            "*",
            "*\0",
            "*\0 and no line feed",
            "*3",
            "*3\r",
            "*3\r\n$",
            "*1\r\n$4\r\nPI",
            "*1\r\n$4\r\nPING",
            "*1\r\n$4\r\nPING\r",
        ] {
            assert!(short(cut.as_bytes()), "{cut:?}");
        }
        let fault = |text: &[u8]| tolerated(text).unwrap_err();
        assert_eq!(fault(b"PING\r\n"), Fault::NotACommand { at: 0, found: b'P' });
        assert_eq!(fault(b"\0\0\0"), Fault::NotACommand { at: 0, found: 0 });
        assert_eq!(fault(b"*\0\r\n"), Fault::BadCount { at: 1, value: 0 });
        assert_eq!(fault(b"*0\r\n"), Fault::BadCount { at: 1, value: 0 });
        assert_eq!(fault(b"*-1\r\n"), Fault::BadCount { at: 1, value: -1 });
        assert_eq!(fault(b"*1\r\n#x\r\n"), Fault::NotAnArgument { at: 4, index: 0, found: b'#' });
        assert_eq!(fault(b"*1\r\n$-1\r\n"), Fault::NegativeLength { at: 4, index: 0, value: -1 });
    }

    #[test]
    fn a_count_past_32_bits_wraps_as_atoi_does() {
        let wrapped = b"*4294967297\r\n$4\r\nPING\r\n";
        let shape = tolerated(wrapped).unwrap();
        assert_eq!((shape.argc, shape.canonical), (1, false));
        assert!(canonical(wrapped).is_err());
    }

    #[test]
    fn timestamps_are_decoded_and_other_lines_are_not() {
        assert_eq!(timestamp(b"#TS:1700000000\r\n"), Some(1_700_000_000));
        assert_eq!(timestamp(b"#TS:1700000000"), Some(1_700_000_000));
        assert_eq!(timestamp(b"#TS:\r\n"), None);
        assert_eq!(timestamp(b"#TS:12x\r\n"), None);
        assert_eq!(timestamp(b"# by hand\r\n"), None);
    }

    #[test]
    fn strtol_parses_as_in_c() {
        for (text, value) in [
            ("", 0),
            ("x", 0),
            (" 7", 7),
            ("-3x", -3),
            ("+3", 3),
            ("99999999999999999999", i64::MAX),
            ("-99999999999999999999", i64::MIN),
        ] {
            assert_eq!(c_strtol(text.as_bytes()), value, "{text:?}");
        }
    }
}
