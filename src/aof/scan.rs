//! Walking the frames of a log: one thread, no allocation.
//!
//! [`scan`] feeds every frame and annotation that begins in a range to a [`Sink`]. The loop tries the
//! canonical form first, eight bytes at a time, and leaves everything else to the grammar
//! ([`grammar::tolerated`]), which is the definition of what is read.

use std::hint::select_unpredictable;
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

/// Reads the frames of `bytes` from `start` as loaders up to Redis 6.2 do, whose lines are short and to which
/// an annotation is no command. Slower than [`scan`], and needed only where the two can differ: at a
/// header line of more than [`OLD_LINE_BYTES`](grammar::OLD_LINE_BYTES).
pub fn scan_as_old<S: Sink>(bytes: &[u8], start: usize, sink: &mut S) -> Stop {
    let mut at = start;
    while at < bytes.len() {
        match grammar::tolerated_in_lines_of(grammar::OLD_LINE_BYTES, &bytes[at..]) {
            Ok(shape) => {
                sink.command(Frame::new(at as u64, &bytes[at..at + shape.len], shape));
                at += shape.len;
            }
            Err(fault) => return Stop { at, fault: Some(fault.moved(at)) },
        }
    }
    Stop { at, fault: None }
}

/// Recognises a canonical frame with short numbers at the start of `bytes`, at least eight bytes before
/// their end. `None` says nothing: the grammar decides then.
///
/// Every frame is read as a chain of eight-byte words: the head `*N\r\n$L\r\n`, then at the end of each
/// argument the line end together with the next argument's length line, `\r\n$LLL\r\n`. Which of one,
/// two or three digits a length has is not predictable, so it is selected without a branch.
#[inline]
fn fast(bytes: &[u8]) -> Option<Shape> {
    let head = load(bytes, 0)?;
    let (argc, name_len, name_start) = if head & HEAD_MASK == HEAD {
        (digit(head >> 8)?, digit(head >> 40)? as usize, 8)
    } else {
        long_head(bytes)?
    };
    if argc == 0 {
        return None;
    }
    let mut at = name_start + name_len;
    for _ in 1..argc {
        let (len, start) = next_length(bytes, at)?;
        at = start.checked_add(len)?;
    }
    if bytes.get(at..at.checked_add(2)?)? != b"\r\n" {
        return None;
    }
    Some(Shape { argc, len: at + 2, name_start, name_len, canonical: true, long_line: false })
}

/// `*?\r\n$?\r\n` as a little-endian word, digits left out.
const HEAD: u64 = u64::from_le_bytes(*b"*\0\r\n$\0\r\n");
const HEAD_MASK: u64 = u64::from_le_bytes(*b"\xff\0\xff\xff\xff\0\xff\xff");
/// `\r\n$`, which stands before a length.
const NEXT: u64 = u64::from_le_bytes(*b"\r\n$\0\0\0\0\0");
const LINE_END: u64 = 0x0A0D;

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

/// The head of a frame that has more than nine arguments or a name of more than nine bytes: the number
/// of arguments, the length of the name, and where it begins.
#[inline(never)]
fn long_head(bytes: &[u8]) -> Option<(u32, usize, usize)> {
    if *bytes.first()? != b'*' {
        return None;
    }
    let (argc, at) = number(bytes, 1)?;
    if *bytes.get(at)? != b'$' {
        return None;
    }
    let (name_len, name_start) = number(bytes, at + 1)?;
    Some((u32::try_from(argc).ok()?, name_len, name_start))
}

/// The line end at `at` and the length line behind it: the length, and where its bytes begin.
#[inline]
fn next_length(bytes: &[u8], at: usize) -> Option<(usize, usize)> {
    let word = load(bytes, at)?;
    let digit_at = |shift: u32| ((word >> shift) & 0xFF).wrapping_sub(u64::from(b'0'));
    let (first, second, third) = (digit_at(24), digit_at(32), digit_at(40));
    let one = (word >> 32) & 0xFFFF == LINE_END;
    let two = (word >> 40) & 0xFFFF == LINE_END;
    let three = word >> 48 == LINE_END;
    let tens = first.wrapping_mul(10).wrapping_add(second);
    let hundreds = tens.wrapping_mul(10).wrapping_add(third);
    let length = select_unpredictable(one, first, select_unpredictable(two, tens, hundreds));
    let digits = select_unpredictable(one, 1, select_unpredictable(two, 2, 3));
    // With one digit, what stands where the others would be does not matter.
    let second_fits = one | (second <= 9);
    let third_fits = one | two | (third <= 9);
    let padded = (first == 0) & !one;
    let ends = one | two | three;
    let fits =
        (word & 0xFF_FFFF == NEXT) & ends & (first <= 9) & second_fits & third_fits & !padded;
    if !fits {
        return (word & 0xFF_FFFF == NEXT).then(|| number(bytes, at + 3)).flatten();
    }
    // At most 999.
    #[allow(clippy::cast_possible_truncation)]
    Some((length as usize, at + 5 + digits))
}

/// A canonical number and its line end, at most nine digits: the number, and where it ends.
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
