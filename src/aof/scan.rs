//! Walking the frames of a log: one thread, no allocation.
//!
//! [`scan`] feeds every frame and annotation that begins in a range to a [`Sink`]. The loop tries the
//! canonical form first, eight bytes at a time, and leaves everything else to the grammar
//! ([`grammar::tolerated`]), which is the definition of what is read.

use std::ops::Range;

use super::fault::Fault;
use super::frame::Frame;
use super::grammar::{self, Shape};

/// Takes what a scan finds, in the order of the file.
pub trait Sink {
    /// A whole frame.
    fn command(&mut self, frame: Frame<'_>);

    /// A line that begins with `#`, its line end included, and its offset in the file.
    fn annotation(&mut self, offset: u64, line: &[u8]);
}

/// Where a scan stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stop {
    /// The last boundary: everything before it was read whole. At or behind the end of the range, or
    /// at the start of the frame with the fault.
    pub at: usize,
    /// Why the scan could not go on, if it could not. Offsets count from the start of the file.
    pub fault: Option<Fault>,
}

/// Reads the frames of `bytes` (a whole file) that begin in `range`.
///
/// `range.start` must be a boundary. A frame that begins in the range is read to its end, also
/// where that lies behind the range.
pub fn scan<S: Sink>(bytes: &[u8], range: Range<usize>, sink: &mut S) -> Stop {
    let end = range.end.min(bytes.len());
    let mut at = range.start;
    while at < end {
        let shape = match fast(&bytes[at..]) {
            Some(shape) => shape,
            None if bytes[at] == b'#' => {
                let len = grammar::annotation(&bytes[at..]).map_or(1, |(_, line)| line.len());
                sink.annotation(at as u64, &bytes[at..at + len]);
                at += len;
                continue;
            }
            None => match grammar::tolerated(&bytes[at..]) {
                Ok(shape) => shape,
                Err(fault) => {
                    return Stop { at, fault: Some(fault.moved(at)) };
                }
            },
        };
        sink.command(Frame::new(at as u64, &bytes[at..at + shape.len], shape));
        at += shape.len;
    }
    Stop { at, fault: None }
}

/// Recognises a canonical frame with short numbers at the start of `bytes`, at least eight bytes before
/// their end. `None` says nothing: the grammar decides then.
#[inline]
fn fast(bytes: &[u8]) -> Option<Shape> {
    // "*N\r\n$" with one or two digits: what nearly every frame begins with.
    let head = load(bytes, 0)?;
    let (argc, mut at) = if head & 0xFFFF_FF00_FF == 0x24_0A0D_00_2A {
        (digit(head >> 8)?, 4)
    } else if head & 0xFFFF_FF00_00FF == 0x240A_0D00_002A {
        let tens = digit(head >> 8)?;
        if tens == 0 {
            return None;
        }
        (tens * 10 + digit(head >> 16)?, 5)
    } else {
        return None;
    };
    if argc == 0 {
        return None;
    }
    let (name_len, name_start) = length(bytes, at)?;
    at = name_start.checked_add(name_len)?;
    for _ in 1..argc {
        // Each argument's length line is checked together with the line end before it.
        let (len, start) = next_length(bytes, at)?;
        at = start.checked_add(len)?;
    }
    if bytes.get(at..at.checked_add(2)?)? != b"\r\n" {
        return None;
    }
    Some(Shape { argc, len: at + 2, name_start, name_len, canonical: true, long_line: false })
}

/// Eight bytes at `at`, the first in the lowest place.
#[inline]
fn load(bytes: &[u8], at: usize) -> Option<u64> {
    let window = bytes.get(at..)?.first_chunk::<8>()?;
    Some(u64::from_le_bytes(*window))
}

/// The value of the ASCII digit in the lowest byte.
#[inline]
fn digit(word: u64) -> Option<u32> {
    let value = (word & 0xFF).wrapping_sub(u64::from(b'0'));
    // At most 9, so it fits.
    if value <= 9 { u32::try_from(value).ok() } else { None }
}

/// The length line at `at` (`$N\r\n`): the length, and where the bytes begin.
#[inline]
fn length(bytes: &[u8], at: usize) -> Option<(usize, usize)> {
    if *bytes.get(at)? != b'$' {
        return None;
    }
    number(bytes, at + 1)
}

/// The line end at `at` and the length line behind it.
#[inline]
fn next_length(bytes: &[u8], at: usize) -> Option<(usize, usize)> {
    let word = load(bytes, at)?;
    if word & 0xFF_FFFF != 0x24_0A0D {
        return None;
    }
    // One, two or three digits and their line end still lie in the word.
    if word & 0xFFFF_0000_0000 == 0x0A0D_0000_0000 {
        return Some((digit(word >> 24)? as usize, at + 6));
    }
    if word & 0xFF_FF00_0000_0000 == 0x0A_0D00_0000_0000 {
        let tens = digit(word >> 24)?;
        let units = digit(word >> 32)?;
        return (tens != 0).then_some(((tens * 10 + units) as usize, at + 7));
    }
    number(bytes, at + 3)
}

/// A canonical number and its line end, at most nine digits.
#[inline]
fn number(bytes: &[u8], at: usize) -> Option<(usize, usize)> {
    let digits = bytes.get(at..)?;
    let mut value = 0_usize;
    for (index, &byte) in digits.iter().take(10).enumerate() {
        if byte == b'\r' {
            let canonical = index > 0 && (index == 1 || digits[0] != b'0');
            return (canonical && digits.get(index + 1) == Some(&b'\n'))
                .then_some((value, at + index + 2));
        }
        if !byte.is_ascii_digit() || index == 9 {
            return None;
        }
        value = value * 10 + usize::from(byte - b'0');
    }
    None
}
