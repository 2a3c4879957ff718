//! Text before an RDB, which a program wrote to the same file.
//!
//! An RDB is at the beginning of its file, so that text before it is not of the log: the messages of `kubectl exec` and
//! `ssh`, or what a server sends to a replica before its RDB. The latter is `+FULLRESYNC ID OFFSET`, and the length of the
//! RDB as `$BYTES` or, if the server does not know it yet, `$EOF:` and 40 bytes that follow the RDB again (`replication.c`
//! of Redis 6.2).

/// The lines before an RDB.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LeadingText {
    /// The offset at which the RDB begins.
    pub(crate) len: usize,
    /// The number of lines.
    pub(crate) lines: u64,
    /// The first line that is not blank, without its end.
    pub(crate) first: String,
    /// The bytes that follow the RDB and are not of it.
    pub(crate) mark: Option<Vec<u8>>,
}

/// The most bytes of text before an RDB.
const MOST_BYTES: usize = 64 << 10;

/// The length of the mark at the end of an RDB of unknown length.
const MARK_BYTES: usize = 40;

/// Returns the lines that `bytes` begin with, if all of them are text and an RDB follows.
pub(crate) fn leading_text(bytes: &[u8]) -> Option<LeadingText> {
    let head = bytes.get(..MOST_BYTES).unwrap_or(bytes);
    let mut found = LeadingText { len: 0, lines: 0, first: String::new(), mark: None };
    while !begins_rdb(bytes.get(found.len..)?) {
        let rest = head.get(found.len..)?;
        let end = memchr::memchr(b'\n', rest)?;
        let line = rest[..end].strip_suffix(b"\r").unwrap_or(&rest[..end]);
        let text = std::str::from_utf8(line).ok().filter(|text| is_text(text))?;
        if found.first.is_empty() {
            text.clone_into(&mut found.first);
        }
        let mark = line.strip_prefix(b"$EOF:").filter(|mark| mark.len() == MARK_BYTES);
        found.mark = mark.map(<[u8]>::to_vec);
        found.len += end + 1;
        found.lines += 1;
    }
    // Commands before an RDB are a log of their own.
    let is_command = bytes.starts_with(b"*") || bytes.starts_with(b"#");
    (found.lines > 0 && !is_command).then_some(found)
}

/// The length of the magic and the version of an RDB.
const HEADER_BYTES: usize = 9;

/// Returns whether `bytes` begin with the magic and the version of an RDB.
pub(crate) fn begins_rdb(bytes: &[u8]) -> bool {
    let Some(header) = bytes.get(..HEADER_BYTES) else { return false };
    let version = header.strip_prefix(b"REDIS").or_else(|| header.strip_prefix(b"VALKEY"));
    version.is_some_and(|version| version.iter().all(u8::is_ascii_digit))
}

/// Whether a line has only characters that terminals show, and codes for colours.
fn is_text(line: &str) -> bool {
    line.chars().all(|character| !character.is_control() || matches!(character, '\t' | '\u{1b}'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(bytes: &[u8]) -> Option<(usize, u64, String, bool)> {
        leading_text(bytes).map(|it| (it.len, it.lines, it.first, it.mark.is_some()))
    }

    #[test]
    fn lines_before_an_rdb_are_recognised() {
        let rdb = b"REDIS0011\xfa";
        let with = |text: &str| [text.as_bytes(), rdb].concat();
        let mark = "0123456789abcdef0123456789abcdef01234567";
        let eof = format!("\n\n$EOF:{mark}\r\n");
        for (text, lines, first, has_mark) in [
            ("Defaulted container \"redis\" out of: redis, metrics\n", 1, "Defaulted", false),
            ("\u{1b}[33mwarning\u{1b}[0m\r\nmore: \u{fc}\r\n", 2, "\u{1b}[33mwarning", false),
            ("REDIS is ready\n", 1, "REDIS is", false),
            ("$12345\r\n", 1, "$12345", false),
            ("+FULLRESYNC 8de1787ba490483314a4d30f1c628bc5025eb761 1\r\n$9\r\n", 2, "+FULL", false),
            (&eof, 3, "$EOF:", true),
        ] {
            let found = of(&with(text)).unwrap_or_else(|| panic!("{text:?}"));
            assert!(found.2.starts_with(first), "{found:?}");
            assert_eq!((found.0, found.1, found.3), (text.len(), lines, has_mark));
        }
        for text in ["", "no line end ", "a\0b\n", "*1\r\n$4\r\nPING\r\n", "#TS:1\r\n", "\u{1}\n"] {
            assert_eq!(of(&with(text)), None, "{text:?}");
        }
        assert_eq!(of(b"only text\n"), None);
        assert_eq!(of(&with(&"x\n".repeat(MOST_BYTES))), None);
    }
}
