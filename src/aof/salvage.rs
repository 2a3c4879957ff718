//! Finding intact frames after damage.
//!
//! Nothing marks where a frame begins, so the search tries every `*` after the damage, and takes the
//! first from which whole frames follow. A value may hold text that looks like frames; so the search
//! begins after the arguments of the broken frame that are still whole ([`trusted_prefix`]), and the
//! caller says which frames are believable (a known command with a possible number of arguments, or an unknown one
//! in a row of frames).

use std::ops::Range;

use super::frame::Frame;
use super::grammar;

/// How many bytes at the start of a broken frame are certainly its own: its header, and each argument in
/// turn whose length line is canonical and whose bytes end in CR LF where the length says.
///
/// `is_file_end`: `frame` ends where the file ends. An argument that ends there is not trusted: every whole log ends in
/// CR LF, so that a broken length which reaches exactly to the end of the log meets that condition.
pub fn trusted_prefix(frame: &[u8], is_file_end: bool) -> usize {
    let mut at = match memchr::memchr(b'\n', &frame[..frame.len().min(grammar::OLD_LINE_BYTES)]) {
        Some(end) if frame[0] == b'*' => end + 1,
        _ => return 0,
    };
    let Some((_, declared)) = grammar::number_line(frame, b'*') else { return at };
    for _ in 0..declared {
        match grammar::argument_len(&frame[at..]) {
            Some(len) if !(is_file_end && at + len == frame.len()) => at += len,
            _ => break,
        }
    }
    at
}

/// Returns the first position at or after `from` at which a canonical and plausible frame begins.
///
/// `believe` judges a frame by its content and by the bytes after it. Costs time in proportion to the bytes that are stepped
/// over.
pub fn find_next_frame(
    bytes: &[u8],
    from: usize,
    believe: &dyn Fn(&Frame<'_>, &[u8]) -> bool,
) -> Option<usize> {
    let mut searched = from;
    while let Some(star) = memchr::memchr(b'*', bytes.get(searched..)?) {
        let start = searched + star;
        if begins(&bytes[start..], believe) {
            return Some(start);
        }
        searched = start + 1;
    }
    None
}

fn begins(bytes: &[u8], believe: &dyn Fn(&Frame<'_>, &[u8]) -> bool) -> bool {
    let Ok((rest, shape)) = grammar::canonical(bytes) else { return false };
    believe(&Frame::new(0, &bytes[..shape.len], shape), rest)
}

/// Returns whether a range contains only zero bytes, as a file system leaves after a power loss.
pub fn is_all_zero(bytes: &[u8], range: Range<usize>) -> bool {
    bytes.get(range).is_some_and(|tail| tail.iter().all(|&byte| byte == 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SET: &[u8] = b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\nv\r\n";

    fn intact_from(broken: &[u8]) -> Option<usize> {
        let from = trusted_prefix(broken, true);
        find_next_frame(broken, from, &|frame, _| frame.name() == b"SET")
    }

    #[test]
    fn the_next_frame_after_zeros_is_found() {
        let log = [&[0; 100], SET, SET].concat();
        assert_eq!(intact_from(&log), Some(100));
    }

    #[test]
    fn frames_covered_by_a_too_large_length_are_found() {
        let log = [&b"*2\r\n$3\r\nGET\r\n$99999\r\nk\r\n"[..], SET, SET].concat();
        assert_eq!(intact_from(&log), Some(24));
    }

    #[test]
    fn frames_inside_an_intact_value_of_a_broken_frame_are_ignored() {
        let value = [SET, SET].concat();
        // The declared number of arguments is one too high: the frame breaks at the next frame's
        // `*`.
        let broken = [
            format!("*4\r\n$3\r\nSET\r\n$1\r\nk\r\n${}\r\n", value.len()).as_bytes(),
            &value,
            b"\r\n",
        ]
        .concat();
        let log = [&broken, SET].concat();
        assert_eq!(intact_from(&log), Some(broken.len()));
    }

    #[test]
    fn implausible_frames_are_skipped() {
        assert_eq!(intact_from(b"noise *3\r\n$3\r\nFOO\r\n$1\r\nk\r\n$1\r\nv\r\n"), None);
        assert_eq!(intact_from(b"*x\r\nno frame"), None);
    }
}
