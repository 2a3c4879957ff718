//! What remains of a command that was deleted by hand, and line ends between commands.

use super::loose::canonical_annotation;
use super::reading::{Change, Reading, canonical_end};

/// Reads line ends before a command or at the end of the file.
pub(super) fn line_ends(bytes: &[u8], at: usize) -> Option<Reading> {
    let rest = bytes.get(at..)?;
    let blank = rest.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
    let follows = matches!(rest.get(blank), None | Some(b'*' | b'#'));
    (blank > 0 && follows).then(|| Reading::nothing(Change::ExtraLineEnd, at + blank))
}

/// Reads the header of a command, and arguments, up to the place where another command begins although an argument is
/// missing. A frame that is torn at the end of the file is not one: there it is the writer that stopped.
///
/// A value may hold what looks like commands, and its length may be damaged. Then something follows them that is no
/// command, such as the line end of that value.
pub(super) fn header(bytes: &[u8], at: usize) -> Option<Reading> {
    let (argc, mut pos) = number(bytes, at, b'*')?;
    for _ in 0..argc {
        if is_log(bytes, pos) {
            return Some(Reading::nothing(Change::LeftoverHeader, pos));
        }
        let (len, start) = number(bytes, pos, b'$')?;
        // A value that the file ends in, or that is longer, may hold what looks like commands.
        let fits = start.checked_add(len).is_some_and(|end| end + 2 <= bytes.len());
        if fits && !ends_with_line(bytes, start, len) && is_log(bytes, start) {
            return Some(Reading::nothing(Change::LeftoverHeader, start));
        }
        if !ends_with_line(bytes, start, len) {
            return None;
        }
        pos = start.checked_add(len)?.checked_add(2)?;
    }
    None
}

/// The number of commands in a row that are not in a value.
const COMMANDS_IN_A_ROW: usize = 4096;

/// Returns whether commands follow one another from here on, to the end of the file or for long enough.
fn is_log(bytes: &[u8], at: usize) -> bool {
    let mut pos = at;
    for _ in 0..COMMANDS_IN_A_ROW {
        if pos == bytes.len() {
            return pos > at;
        }
        match canonical_end(bytes, pos).or_else(|| canonical_annotation(bytes, pos)) {
            Some(end) => pos = end,
            None => return false,
        }
    }
    true
}

fn ends_with_line(bytes: &[u8], start: usize, len: usize) -> bool {
    let end = start.checked_add(len);
    end.and_then(|end| bytes.get(end..end.checked_add(2)?)) == Some(b"\r\n")
}

fn number(bytes: &[u8], at: usize, marker: u8) -> Option<(usize, usize)> {
    let rest = bytes.get(at..)?.strip_prefix(&[marker])?;
    let digits = rest.iter().take(10).take_while(|byte| byte.is_ascii_digit()).count();
    let value = std::str::from_utf8(&rest[..digits]).ok()?.parse().ok()?;
    rest[digits..].starts_with(b"\r\n").then_some((value, at + 1 + digits + 2))
}
