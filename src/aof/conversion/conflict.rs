//! Marks that git leaves around two versions of some lines of a log.
//!
//! A conflict can begin and end inside of a command, as lines that both versions have are outside of it. Values can hold
//! such marks themselves, so that they are only searched for where no command can be read.

use std::io::{self, Write};
use std::ops::Range;

use super::reading::canonical_end;

/// The version to take of a conflict.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The first one: of the branch that was merged into.
    Ours,
    /// The last one: of the branch that was merged.
    Theirs,
    /// The first one, and then the last one.
    Both,
}

/// Two versions of some lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Conflict {
    /// The bytes, with the marks.
    pub(crate) range: Range<usize>,
    ours: Range<usize>,
    theirs: Range<usize>,
}

/// Returns the conflicts in `bytes` after `from`, up to which commands can be read.
pub(crate) fn conflicts(bytes: &[u8], from: usize) -> Vec<Conflict> {
    let mut found = Vec::new();
    let mut next = next_conflict(bytes, from);
    let mut at = from;
    while let Some(conflict) = next {
        while let Some(end) = canonical_end(bytes, at) {
            at = end;
        }
        if conflict.range.start < at {
            // It is in a value.
            next = next_conflict(bytes, at);
            continue;
        }
        if let Some(frame) = frame_before(bytes, at, conflict.range.start) {
            at = frame;
            next = Some(conflict);
            continue;
        }
        at = conflict.range.end;
        next = next_conflict(bytes, at);
        found.push(conflict);
    }
    found
}

/// Returns the offset of the first frame after `at` and before `end`.
fn frame_before(bytes: &[u8], at: usize, end: usize) -> Option<usize> {
    let window = bytes.get(at + 1..end)?;
    let mut starts = memchr::memchr_iter(b'*', window).map(|found| at + 1 + found);
    starts.find(|&found| canonical_end(bytes, found).is_some())
}

const OURS: &[u8] = b"<<<<<<<";
const BASE: &[u8] = b"|||||||";
const MIDDLE: &[u8] = b"=======";
const THEIRS: &[u8] = b">>>>>>>";

fn next_conflict(bytes: &[u8], from: usize) -> Option<Conflict> {
    let rest = bytes.get(from..)?;
    memchr::memmem::find_iter(rest, OURS).find_map(|found| conflict_at(bytes, from + found))
}

/// Reads the conflict that begins at `start`.
fn conflict_at(bytes: &[u8], start: usize) -> Option<Conflict> {
    let is_line_start = start == 0 || bytes[start - 1] == b'\n';
    let mut at = mark_end(bytes, start, OURS).filter(|_| is_line_start)?;
    let ours_start = at;
    let (mut ours_end, mut theirs_start) = (None, None);
    while at < bytes.len() {
        if mark_end(bytes, at, OURS).is_some() {
            return None;
        }
        if let Some(end) = mark_end(bytes, at, THEIRS) {
            let theirs = theirs_start?..at;
            return Some(Conflict { range: start..end, ours: ours_start..ours_end?, theirs });
        }
        if theirs_start.is_none() {
            if mark_end(bytes, at, BASE).is_some() {
                ours_end.get_or_insert(at);
            } else if let Some(end) = mark_end(bytes, at, MIDDLE) {
                ours_end.get_or_insert(at);
                theirs_start = Some(end);
            }
        }
        at = line_end(bytes, at);
    }
    None
}

/// Returns the end of the line at `at`, if it is this mark: alone, or followed by a name.
fn mark_end(bytes: &[u8], at: usize, mark: &[u8]) -> Option<usize> {
    let after = bytes.get(at..)?.strip_prefix(mark)?;
    let is_mark = matches!(after, [] | [b' ' | b'\n', ..] | [b'\r', b'\n', ..]);
    is_mark.then(|| line_end(bytes, at))
}

fn line_end(bytes: &[u8], at: usize) -> usize {
    memchr::memchr(b'\n', &bytes[at..]).map_or(bytes.len(), |end| at + end + 1)
}

/// Writes `bytes` with one side of each conflict. Returns the offset of the first conflict after which commands may run in
/// another database than they were written for, because its sides end in different ones.
///
/// # Errors
///
/// Those of `out`.
pub(crate) fn resolve(
    bytes: &[u8],
    conflicts: &[Conflict],
    side: Side,
    out: &mut dyn Write,
) -> io::Result<Option<usize>> {
    let mut copied = 0;
    let mut db = b"0".to_vec();
    let mut doubtful = None;
    for Conflict { range, ours, theirs } in conflicts {
        let before = &bytes[copied..range.start];
        out.write_all(before)?;
        copied = range.end;
        db = last_select(before).map_or(db, <[u8]>::to_vec);
        let [ours, theirs] = [&bytes[ours.clone()], &bytes[theirs.clone()]];
        match side {
            Side::Ours => out.write_all(ours)?,
            Side::Theirs => out.write_all(theirs)?,
            Side::Both => {
                out.write_all(ours)?;
                let end_of_ours = last_select(ours).unwrap_or(&db).to_vec();
                if end_of_ours != db && theirs.starts_with(b"*") {
                    let end: &[u8] = if theirs.contains(&b'\r') { b"\r\n" } else { b"\n" };
                    let len = db.len().to_string().into_bytes();
                    let lines: [&[u8]; 5] =
                        [b"*2", b"$6", b"SELECT", &[b"$", &len[..]].concat(), &db];
                    for line in lines {
                        out.write_all(line)?;
                        out.write_all(end)?;
                    }
                }
                out.write_all(theirs)?;
                db = last_select(theirs).map_or(db, <[u8]>::to_vec);
                if end_of_ours != db && !selects_first(&bytes[copied..]) {
                    doubtful.get_or_insert(range.start);
                }
            }
        }
    }
    out.write_all(&bytes[copied..])?;
    Ok(doubtful)
}

/// How a SELECT begins, as servers write it and with LF line ends.
const SELECTS: [&[u8]; 2] = [b"*2\r\n$6\r\nSELECT\r\n$", b"*2\n$6\nSELECT\n$"];

/// Returns the argument of the last SELECT.
fn last_select(bytes: &[u8]) -> Option<&[u8]> {
    let last = SELECTS.iter().filter_map(|select| {
        let found = memchr::memmem::rfind(bytes, select)?;
        Some((found, found + select.len()))
    });
    let (_, end) = last.max()?;
    bytes[end..].split(|&byte| byte == b'\n').nth(1).map(<[u8]>::trim_ascii_end)
}

/// Returns whether nothing follows that depends on the database.
fn selects_first(bytes: &[u8]) -> bool {
    bytes.is_empty() || SELECTS.iter().any(|select| bytes.starts_with(select))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "*3\r\n$3\r\nSET\r\n$1\r\n";

    fn set(key: &str) -> String {
        format!("{KEY}{key}\r\n$1\r\n1\r\n")
    }

    fn select(db: u8) -> String {
        format!("*2\r\n$6\r\nSELECT\r\n$1\r\n{db}\r\n")
    }

    fn resolved(text: &str, side: Side) -> (String, Option<usize>) {
        let found = conflicts(text.as_bytes(), 0);
        let mut out = Vec::new();
        let doubtful = resolve(text.as_bytes(), &found, side, &mut out).unwrap();
        (String::from_utf8(out).unwrap(), doubtful)
    }

    fn conflict(ours: &str, theirs: &str) -> String {
        format!("<<<<<<< HEAD\n{ours}=======\n{theirs}>>>>>>> branch\n")
    }

    #[test]
    fn side_that_was_chosen_is_written() {
        let (a, b, c, d) = (set("a"), set("b"), set("c"), set("d"));
        let text = format!("{a}{}{d}", conflict(&b, &c));
        assert_eq!(resolved(&text, Side::Ours), (format!("{a}{b}{d}"), None));
        assert_eq!(resolved(&text, Side::Theirs), (format!("{a}{c}{d}"), None));
        assert_eq!(resolved(&text, Side::Both), (format!("{a}{b}{c}{d}"), None));
        // The lines that both versions have are outside; and git writes the lines of the base as well.
        let inside = format!(
            "{a}{KEY}<<<<<<< HEAD\r\nb\r\n||||||| base\r\nx\r\n=======\r\nc\r\n>>>>>>> other\r\n$1\r\n1\r\n{d}"
        );
        assert_eq!(resolved(&inside, Side::Ours), (format!("{a}{b}{d}"), None));
        assert_eq!(resolved(&inside, Side::Theirs), (format!("{a}{c}{d}"), None));
        // Several ones, in a log with LF line ends.
        let several =
            format!("{a}{}{b}{}", conflict("", &c), conflict(&d, "")).replace("\r\n", "\n");
        let (ours, _) = resolved(&several, Side::Ours);
        assert_eq!(ours, format!("{a}{b}{d}").replace("\r\n", "\n"));
    }

    #[test]
    fn marks_in_a_value_are_no_conflict() {
        let value = conflict("x\n", "y\n");
        let whole = format!("{KEY}k\r\n${}\r\n{value}\r\n", value.len());
        let damaged = format!("{}noise{whole}{}", set("a"), set("b"));
        for text in [whole.clone(), format!("*3\r\n\0\r\n{whole}"), damaged] {
            assert_eq!(conflicts(text.as_bytes(), 0), [], "{text:?}");
        }
        for text in [
            "<<<<<<< HEAD\n=======\n",
            "<<<<<<< a\n>>>>>>> b\n",
            "x <<<<<<< a\n=======\n>>>>>>> b\n",
        ] {
            assert_eq!(conflicts(text.as_bytes(), 0), [], "{text:?}");
        }
    }

    #[test]
    fn database_of_each_side_is_selected() {
        let (a, b, c) = (set("a"), set("b"), set("c"));
        let [zero, two, three] = [select(0), select(2), select(3)];
        let text = format!("{three}{}", conflict(&format!("{zero}{a}"), &b));
        assert_eq!(resolved(&text, Side::Both), (format!("{three}{zero}{a}{three}{b}"), None));
        let at = three.len();
        assert_eq!(resolved(&format!("{text}{c}"), Side::Both).1, Some(at));
        assert_eq!(resolved(&format!("{text}{two}{c}"), Side::Both).1, None);
        assert_eq!(resolved(&format!("{text}{c}"), Side::Ours).1, None);
    }
}
