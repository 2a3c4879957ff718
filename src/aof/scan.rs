//! Scanning the frames of a log: one thread, no allocation.
//!
//! [`scan`] passes every frame and annotation that begins in a range to a [`Sink`]. The loop tries
//! the canonical form first, eight bytes at a time, and leaves everything else to the grammar
//! ([`grammar::tolerated`]), which defines what is accepted.

use std::ops::Range;

use super::fault::Fault;
use super::frame::Frame;
use super::grammar;

/// Receives the results of a scan, in the order of the file.
pub trait Sink {
    /// A complete frame.
    fn command(&mut self, frame: Frame<'_>);

    /// A line that begins with `#`, including its line end, and its offset in the file.
    fn annotation(&mut self, offset: u64, line: &[u8]);

    /// The last reported frame was shortened, and ends at `end`: see [`stream`](super::stream).
    fn ends_at(&mut self, end: u64) {
        let _ = end;
    }
}

/// The position at which a scan stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stop {
    /// The last boundary: everything before it was read completely. It is at or after the end of
    /// the range, or at the start of the frame with the fault.
    pub at: usize,
    /// The reason why the scan could not continue, if any. Offsets are relative to the start of the
    /// file.
    pub fault: Option<Fault>,
}

/// Reads the frames of `bytes` (a whole file) that begin in `range`.
///
/// `range.start` must be a boundary. A frame that begins in the range is read to its end, even if
/// that is after the range.
pub fn scan<S: Sink>(bytes: &[u8], range: Range<usize>, sink: &mut S) -> Stop {
    let end = range.end.min(bytes.len());
    let mut at = range.start;
    while at < end {
        if let Some(frame) = fast(bytes, at) {
            at += frame.bytes().len();
            sink.command(frame);
        } else {
            match slow(bytes, at, sink) {
                Ok(next) => at = next,
                Err(fault) => return Stop { at, fault: Some(fault) },
            }
        }
    }
    Stop { at, fault: None }
}

/// Reads the annotation or frame at `at` by the grammar, and returns the offset of the next one.
#[cold]
#[inline(never)]
fn slow<S: Sink>(bytes: &[u8], at: usize, sink: &mut S) -> Result<usize, Fault> {
    let rest = &bytes[at..];
    if let Ok((_, line)) = grammar::annotation(rest) {
        sink.annotation(at as u64, line);
        return Ok(at + line.len());
    }
    let shape = grammar::tolerated(rest).map_err(|fault| fault.offset_by(at))?;
    sink.command(Frame::new(at as u64, &rest[..shape.len], shape));
    Ok(at + shape.len)
}

/// Reads the frames of `bytes` from `start` as loaders up to Redis 6.2 do, which read short lines
/// and do not support annotations. It is slower than [`scan`], and only required where both can
/// differ: at a header line of more than [`OLD_LINE_BYTES`](grammar::OLD_LINE_BYTES).
pub fn scan_as_old<S: Sink>(bytes: &[u8], start: usize, sink: &mut S) -> Stop {
    let mut at = start;
    while at < bytes.len() {
        match grammar::tolerated_in_lines_of(grammar::OLD_LINE_BYTES, &bytes[at..]) {
            Ok(shape) => {
                sink.command(Frame::new(at as u64, &bytes[at..at + shape.len], shape));
                at += shape.len;
            }
            Err(fault) => return Stop { at, fault: Some(fault.offset_by(at)) },
        }
    }
    Stop { at, fault: None }
}

/// Recognises a canonical frame with short numbers at `at`, at least eight bytes before the end of
/// `bytes`. `None` has no meaning: the grammar decides in that case.
///
/// Every frame is read as a chain of eight-byte loads: the head `*N\r\n$L\r\n`, then at the end of
/// each argument the line end together with the next argument's length line, `\r\n$LLL\r\n`.
#[inline(always)]
fn fast(bytes: &[u8], at: usize) -> Option<Frame<'_>> {
    let head = load(bytes, at)?;
    let (argc, name_len, name_start) = if head & HEAD_MASK == HEAD {
        (digit(head >> 8)?, digit(head >> 40)?, at + 8)
    } else {
        long_head(bytes, at)?
    };
    if argc == 0 {
        return None;
    }
    let mut end = name_start.checked_add(name_len)?;
    for _ in 1..argc {
        let (len, start) = next_length(bytes, end)?;
        end = start.checked_add(len)?;
    }
    if bytes.get(end..)?.first_chunk::<2>()? != b"\r\n" {
        return None;
    }
    // It has at most nine digits, so it fits.
    let argc = u32::try_from(argc).ok()?;
    Some(Frame::canonical(at as u64, bytes.get(at..end + 2)?, argc, name_start - at, name_len))
}

/// Reads the arguments of the frame at `at` into `args`, including the name as the first, and
/// returns the end of the frame. Returns `None`, with `args` in an unspecified state, if there is
/// no complete frame.
///
/// This is intended for frames that a scan has found: reading them again where they are required
/// costs less than storing their arguments.
#[inline]
pub fn read_args<'a>(bytes: &'a [u8], at: usize, args: &mut Vec<&'a [u8]>) -> Option<usize> {
    args.clear();
    read_fast(bytes, at, args).or_else(|| {
        args.clear();
        let frame = Frame::read(at as u64, bytes.get(at..)?)?;
        args.extend(frame.args());
        Some(at + frame.bytes().len())
    })
}

/// Returns the end of the frame at `at`; `None` if there is no complete frame.
#[inline(always)]
pub fn frame_end(bytes: &[u8], at: usize) -> Option<usize> {
    Some(at + frame_at(bytes, at)?.bytes().len())
}

/// Returns the frame at `at`; `None` if there is no complete frame.
#[inline(always)]
pub(super) fn frame_at(bytes: &[u8], at: usize) -> Option<Frame<'_>> {
    match fast(bytes, at) {
        Some(frame) => Some(frame),
        None => Frame::read(at as u64, bytes.get(at..)?),
    }
}

/// Returns the argument after the name of the frame at `at`, if it can be determined cheaply;
/// `None` has no meaning.
#[inline]
pub fn peek_key(bytes: &[u8], at: usize) -> Option<&[u8]> {
    let head = load(bytes, at)?;
    if head & HEAD_MASK != HEAD {
        return None;
    }
    let (len, start) = next_length(bytes, at + 8 + digit(head >> 40)?)?;
    bytes.get(start..start.checked_add(len)?)
}

/// Returns the bytes of the argument whose length line is at `at`, if that is canonical and follows another line end.
#[inline]
pub(crate) fn argument_at(bytes: &[u8], at: usize) -> Option<Range<usize>> {
    let (len, start) = next_length(bytes, at.checked_sub(2)?)?;
    Some(start..start.checked_add(len)?)
}

#[inline(always)]
fn read_fast<'a>(bytes: &'a [u8], at: usize, args: &mut Vec<&'a [u8]>) -> Option<usize> {
    let head = load(bytes, at)?;
    let (argc, mut len, mut start) = if head & HEAD_MASK == HEAD {
        (digit(head >> 8)?, digit(head >> 40)?, at + 8)
    } else {
        long_head(bytes, at)?
    };
    if argc == 0 {
        return None;
    }
    for _ in 1..argc {
        let end = start.checked_add(len)?;
        args.push(bytes.get(start..end)?);
        (len, start) = next_length(bytes, end)?;
    }
    let end = start.checked_add(len)?;
    args.push(bytes.get(start..end)?);
    (bytes.get(end..)?.first_chunk::<2>()? == b"\r\n").then_some(end + 2)
}

/// `*?\r\n$?\r\n` as a little-endian integer, without the digits.
const HEAD: u64 = u64::from_le_bytes(*b"*\0\r\n$\0\r\n");
const HEAD_MASK: u64 = u64::from_le_bytes(*b"\xff\0\xff\xff\xff\0\xff\xff");
/// `\r\n$`, which precedes a length.
const NEXT: u64 = u64::from_le_bytes(*b"\r\n$\0\0\0\0\0");
const NEXT_MASK: u64 = 0xFF_FFFF;
const LINE_END: u64 = 0x0A0D;

/// Loads eight bytes at `at`, the first in the lowest position.
#[inline(always)]
fn load(bytes: &[u8], at: usize) -> Option<u64> {
    let window = bytes.get(at..)?.first_chunk::<8>()?;
    Some(u64::from_le_bytes(*window))
}

/// Returns the value of the ASCII digit in the lowest byte.
#[inline(always)]
#[allow(clippy::cast_possible_truncation)] // At most 9.
fn digit(chunk: u64) -> Option<usize> {
    let value = (chunk & 0xFF).wrapping_sub(u64::from(b'0'));
    if value <= 9 { Some(value as usize) } else { None }
}

/// Returns the value of a digit other than 0: the first of a number with several digits.
#[inline(always)]
fn first_digit(chunk: u64) -> Option<usize> {
    digit(chunk).filter(|&value| value != 0)
}

/// Parses the head of a frame that has more than nine arguments or a name of more than nine bytes:
/// the number of arguments, the length of the name, and its offset.
#[inline(never)]
fn long_head(bytes: &[u8], at: usize) -> Option<(usize, usize, usize)> {
    if *bytes.get(at)? != b'*' {
        return None;
    }
    let (argc, at) = number(bytes, at + 1)?;
    if *bytes.get(at)? != b'$' {
        return None;
    }
    let (name_len, name_start) = number(bytes, at + 1)?;
    Some((argc, name_len, name_start))
}

/// Parses the line end at `at` and the length line after it, and returns the length and the offset
/// of its bytes.
///
/// Two digits are tried first, because most keys and values have them. Branches that are sometimes
/// mispredicted were measured to be faster here than branchless arithmetic: a predicted branch
/// allows the next load to begin before this one has completed.
#[inline(always)]
fn next_length(bytes: &[u8], at: usize) -> Option<(usize, usize)> {
    let chunk = load(bytes, at)?;
    if chunk & NEXT_MASK != NEXT {
        return None;
    }
    if (chunk >> 40) & 0xFFFF == LINE_END {
        return Some((first_digit(chunk >> 24)? * 10 + digit(chunk >> 32)?, at + 7));
    }
    if (chunk >> 32) & 0xFFFF == LINE_END {
        return Some((digit(chunk >> 24)?, at + 6));
    }
    if chunk >> 48 == LINE_END {
        let tens = first_digit(chunk >> 24)? * 10 + digit(chunk >> 32)?;
        return Some((tens * 10 + digit(chunk >> 40)?, at + 8));
    }
    number(bytes, at + 3)
}

/// Parses a canonical number of at most nine digits and its line end, and returns the number and
/// its end.
#[inline(never)]
fn number(bytes: &[u8], at: usize) -> Option<(usize, usize)> {
    let digits = bytes.get(at..)?;
    let mut value = 0_usize;
    for (index, &byte) in digits.iter().take(10).enumerate() {
        if byte == b'\r' {
            let canonical = index > 0 && (index == 1 || digits[0] != b'0');
            let ended = canonical && digits.get(index + 1) == Some(&b'\n');
            return ended.then_some((value, at + index + 2));
        }
        if !byte.is_ascii_digit() {
            return None;
        }
        value = value * 10 + usize::from(byte - b'0');
    }
    None
}
