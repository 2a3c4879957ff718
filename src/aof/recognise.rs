//! What a file looks like in which no command can be read: a log after a conversion, or something else.
//!
//! An answer is a guess for a person, made from the first bytes alone. Nothing is decided by it but whether the only
//! unfinished command of a file may be one.

use std::fmt;

use serde::Serialize;

use super::conversion::wide_text;
use super::foreign::foreign;

/// Bytes that are looked at.
const HEAD_BYTES: usize = 4096;

/// Lines that are looked at, where every line has to be of the same kind.
const LINES: usize = 8;

/// What a file looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(into = "Schema")]
pub struct LooksLike {
    /// How its text is encoded, where that is not plain bytes.
    pub encoding: Option<Encoding>,
    /// What its text is, where that is recognised.
    pub content: Option<Content>,
}

/// The JSON of [`LooksLike`]: with its name and help for a person.
#[derive(Serialize)]
struct Schema {
    #[serde(skip_serializing_if = "Option::is_none")]
    encoding: Option<Encoding>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<Content>,
    name: String,
    help: &'static str,
}

impl From<LooksLike> for Schema {
    fn from(it: LooksLike) -> Self {
        let LooksLike { encoding, content } = it;
        Schema { encoding, content, name: it.to_string(), help: it.help() }
    }
}

/// An encoding that no server reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Encoding {
    /// Plain bytes after the mark EF BB BF.
    Utf8Bom,
    /// UTF-16, low byte first.
    #[serde(rename = "utf-16-le")]
    Utf16Le,
    /// UTF-16, high byte first.
    #[serde(rename = "utf-16-be")]
    Utf16Be,
}

/// What text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Content {
    /// Commands as servers write them. Reported for an encoding alone.
    Log,
    /// An RDB, or a log that begins with one. Reported for an encoding alone.
    Rdb,
    /// A log with LF where CR LF should be.
    LfLineEnds,
    /// A log with CR where CR LF should be.
    CrLineEnds,
    /// A log with CR CR LF where CR LF should be.
    DoubledCr,
    /// Blank lines before a log.
    BlankStart,
    /// Commands as a person types them.
    InlineCommands,
    /// What MONITOR prints.
    Monitor,
    /// What a server answers.
    Replies,
    /// HTML or XML.
    Markup,
    /// JSON.
    Json,
    /// The reference that Git LFS stores in place of a file.
    GitLfsPointer,
    /// Zero bytes.
    Zeros,
    /// Readable text of no kind that is known here.
    PlainText,
    /// A format that is read nowhere here.
    #[serde(untagged)]
    Other(&'static str),
}

/// What the file looks like that begins with `bytes`; `None` where that is not recognised, as of any log that is merely
/// damaged. `is_command` says whether a server has a command of this name that takes so many arguments, the name
/// included.
pub fn recognise(bytes: &[u8], is_command: &dyn Fn(&[u8], usize) -> bool) -> Option<LooksLike> {
    let head = bytes.get(..HEAD_BYTES).unwrap_or(bytes);
    if head.is_empty() {
        return None;
    }
    let (encoding, text) = decoded(head);
    let content = content(&text, is_command);
    let content = match encoding {
        None => content.filter(|it| !matches!(it, Content::Log | Content::Rdb)),
        Some(_) => content,
    };
    (encoding.is_some() || content.is_some()).then_some(LooksLike { encoding, content })
}

impl LooksLike {
    /// Whether it is a log of which only the line ends were changed: some of its commands may read as whole ones.
    pub fn has_other_line_ends(self) -> bool {
        use Content::{CrLineEnds, DoubledCr, LfLineEnds};
        matches!(self.content, Some(LfLineEnds | CrLineEnds | DoubledCr))
    }

    /// Whether it is an RDB that was saved as text.
    pub fn is_text_of_rdb(self) -> bool {
        self.content == Some(Content::Rdb)
    }

    /// What to do about it.
    pub fn help(self) -> &'static str {
        use Content::{
            BlankStart, CrLineEnds, DoubledCr, InlineCommands, LfLineEnds, Log, Monitor, Rdb,
        };
        match (self.encoding, self.content) {
            (Some(_), Some(Log))
            | (Some(Encoding::Utf8Bom), Some(Rdb))
            | (_, Some(LfLineEnds | CrLineEnds | DoubledCr | BlankStart | InlineCommands)) => {
                "`aofkit repair FILE --output NEW` undoes it, and asks where it is not certain"
            }
            (Some(_), Some(Rdb)) => {
                "`aofkit repair FILE --output NEW` undoes it if the checksum proves what it was"
            }
            (_, Some(Monitor)) => {
                "`aofkit repair FILE --output NEW` makes a log of the writes in it; MONITOR shows what clients send and not what a server stores, so a backup of the log is better"
            }
            (None, Some(Content::Other("a gzip file" | "a Zstandard file"))) => {
                "`aofkit repair PATH --output NEW` decompresses it, and repairs what is in it too"
            }
            (_, Some(Content::GitLfsPointer)) => "git lfs pull fetches the file that it refers to",
            (_, Some(Content::Zeros)) => {
                "there is no data in zero bytes: take the file from a backup, or remove it to start without data"
            }
            _ => "take the file from a backup, or from before the conversion",
        }
    }
}

impl fmt::Display for LooksLike {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let content = self.content.map(Content::name);
        match self.encoding {
            None => f.write_str(content.unwrap_or("unknown data")),
            Some(Encoding::Utf8Bom) => {
                let content = content.unwrap_or("unknown data");
                write!(f, "a UTF-8 byte order mark (BOM), as an editor writes it, before {content}")
            }
            Some(encoding) => {
                let name = if encoding == Encoding::Utf16Le { "UTF-16LE" } else { "UTF-16BE" };
                let content = content.unwrap_or("text");
                write!(f, "{content}, saved as {name} (PowerShell or an editor)")
            }
        }
    }
}

impl Content {
    fn name(self) -> &'static str {
        match self {
            Content::Log => "an append-only file",
            Content::Rdb => "an RDB",
            Content::LfLineEnds => {
                "an append-only file with LF line ends (CRLF converted to LF, as by git autocrlf, dos2unix or an editor)"
            }
            Content::CrLineEnds => "an append-only file with CR line ends (LF removed)",
            Content::DoubledCr => {
                "an append-only file with doubled CR (CRLF converted to CRCRLF, as by unix2dos or text mode)"
            }
            Content::BlankStart => "a blank line before an append-only file",
            Content::InlineCommands => {
                "inline commands (as typed, or as fed to redis-cli --pipe), which no server loads from a log"
            }
            Content::Monitor => "MONITOR output",
            Content::Replies => "replies of a server",
            Content::Markup => "HTML or XML",
            Content::Json => "JSON",
            Content::GitLfsPointer => "a Git LFS pointer to a file that was not fetched",
            Content::Zeros => "zero bytes, as a power loss leaves them",
            Content::PlainText => "plain text",
            Content::Other(name) => name,
        }
    }
}

/// The text without its encoding.
fn decoded(head: &[u8]) -> (Option<Encoding>, Vec<u8>) {
    if let Some(text) = head.strip_prefix(b"\xef\xbb\xbf") {
        return (Some(Encoding::Utf8Bom), text.to_vec());
    }
    let Some((low_first, wide)) = wide_text(head) else { return (None, head.to_vec()) };
    let encoding = if low_first { Encoding::Utf16Le } else { Encoding::Utf16Be };
    let unit = |pair: &[u8]| match (encoding, pair) {
        (Encoding::Utf16Le, &[low, 0]) | (Encoding::Utf16Be, &[0, low]) => low,
        // Not what a log has outside values.
        _ => b'?',
    };
    (Some(encoding), wide.chunks_exact(2).map(unit).collect())
}

fn is_text(byte: u8) -> bool {
    byte.is_ascii_graphic() || b" \t\r\n".contains(&byte)
}

fn content(text: &[u8], is_command: &dyn Fn(&[u8], usize) -> bool) -> Option<Content> {
    if !text.is_empty() && text.iter().all(|byte| *byte == 0) {
        return Some(Content::Zeros);
    }
    let body = text.trim_ascii_start();
    if let Some(log) = line_ends(skip_annotations(body)) {
        let is_late = log == Content::Log && body.len() < text.len();
        return Some(if is_late { Content::BlankStart } else { log });
    }
    if text.starts_with(b"REDIS") || text.starts_with(b"VALKEY") {
        return Some(Content::Rdb);
    }
    if let Some((name, _)) = foreign(text) {
        return Some(Content::Other(name));
    }
    if body.starts_with(b"version https://git-lfs.github.com/") {
        return Some(Content::GitLfsPointer);
    }
    if is_monitor(body) {
        return Some(Content::Monitor);
    }
    if is_replies(body) {
        return Some(Content::Replies);
    }
    if is_markup(body) {
        return Some(Content::Markup);
    }
    if is_json(body) {
        return Some(Content::Json);
    }
    if is_inline(body, is_command) {
        return Some(Content::InlineCommands);
    }
    is_plain_text(text).then_some(Content::PlainText)
}

/// What follows lines that begin with `#`.
fn skip_annotations(text: &[u8]) -> &[u8] {
    let mut rest = text;
    while rest.starts_with(b"#") {
        let Some(end) = rest.iter().position(|byte| b"\r\n".contains(byte)) else { break };
        rest = rest[end..].trim_ascii_start();
    }
    rest
}

/// The longest name of a command that is looked for.
const LONGEST_NAME: usize = 64;

/// What ends the lines of the log that begins here: `*N`, `$N`, and a name of so many bytes, each with the same end.
fn line_ends(text: &[u8]) -> Option<Content> {
    const ENDS: [(&[u8], Content); 4] = [
        (b"\r\r\n", Content::DoubledCr),
        (b"\r\n", Content::Log),
        (b"\n", Content::LfLineEnds),
        (b"\r", Content::CrLineEnds),
    ];
    let (_, rest) = number(text, b'*')?;
    let (end, content) = ENDS.iter().find(|(end, _)| rest.starts_with(end))?;
    let (len, rest) = number(rest.strip_prefix(*end)?, b'$')?;
    let rest = rest.strip_prefix(*end)?;
    let behind_name = rest.get(len..).filter(|_| len <= LONGEST_NAME)?;
    let ends_alike = behind_name.starts_with(end)
        && match content {
            // CR alone is how CR LF begins, too.
            Content::CrLineEnds => !behind_name.starts_with(b"\r\n"),
            _ => true,
        };
    ends_alike.then_some(*content)
}

/// A number of up to nine digits after `marker`, and what follows it.
fn number(text: &[u8], marker: u8) -> Option<(usize, &[u8])> {
    let rest = text.strip_prefix(&[marker])?;
    let digits = rest.iter().take(10).take_while(|byte| byte.is_ascii_digit()).count();
    let value = std::str::from_utf8(rest.get(..digits)?).ok()?.parse().ok()?;
    (digits < 10).then_some((value, &rest[digits..]))
}

/// The first lines, without the last where the bytes may have been cut in it.
fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let whole = text.len() < HEAD_BYTES / 2;
    let end = text.iter().rposition(|byte| *byte == b'\n').filter(|_| !whole);
    let text = end.map_or(text, |end| &text[..end]);
    let lines = text.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    lines.filter(|line| !line.is_empty()).take(LINES)
}

/// `1700000000.000001 [0 127.0.0.1:50000] "SET" ..` in every line but a first one of `OK`.
fn is_monitor(text: &[u8]) -> bool {
    let is_event = |line: &[u8]| {
        let mut words = line.splitn(3, |byte| *byte == b' ');
        let (time, db) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let digits = |text: &[u8]| !text.is_empty() && text.iter().all(u8::is_ascii_digit);
        let mut halves = time.splitn(2, |byte| *byte == b'.');
        halves.next().is_some_and(digits)
            && halves.next().is_some_and(digits)
            && db.strip_prefix(b"[").is_some_and(digits)
            && words.next().is_some_and(|rest| rest.windows(3).any(|part| part == b"] \""))
    };
    let is_ok = |line: &&[u8]| !matches!(*line, b"OK" | b"+OK");
    let mut lines = lines(text).filter(is_ok).peekable();
    lines.peek().is_some() && lines.all(is_event)
}

fn is_replies(text: &[u8]) -> bool {
    const WORDS: [&[u8]; 6] =
        [b"+OK\r\n", b"+PONG\r\n", b"+QUEUED\r\n", b"+FULLRESYNC ", b"+CONTINUE", b"-ERR "];
    WORDS.iter().any(|word| text.starts_with(word))
}

fn is_markup(text: &[u8]) -> bool {
    const TAGS: [&[u8]; 5] = [b"<!doctype", b"<html", b"<?xml", b"<head", b"<body"];
    let starts = |tag: &&[u8]| text.get(..tag.len()).is_some_and(|it| it.eq_ignore_ascii_case(tag));
    TAGS.iter().any(starts)
}

fn is_json(text: &[u8]) -> bool {
    let Some((first, rest)) = text.split_first() else { return false };
    let next = rest.trim_ascii_start().first();
    match first {
        b'{' => matches!(next, Some(b'"' | b'}')),
        b'[' => matches!(next, Some(b'"' | b'{' | b'[' | b']')),
        _ => false,
    }
}

/// Whether every line is a command with as many arguments as a server takes.
fn is_inline(text: &[u8], is_command: &dyn Fn(&[u8], usize) -> bool) -> bool {
    let is_typed = |line: &[u8]| match words(line).as_slice() {
        words @ [name, ..] => is_command(name, words.len()),
        [] => false,
    };
    let mut lines = lines(text).peekable();
    lines.peek().is_some() && lines.all(is_typed)
}

/// The words of a line as servers split it: at blanks, but for those in quotes.
fn words(line: &[u8]) -> Vec<&[u8]> {
    let mut words = Vec::new();
    let (mut start, mut quote) = (None, None);
    let mut escaped = false;
    for (at, &byte) in line.iter().enumerate() {
        match quote {
            _ if std::mem::take(&mut escaped) => {}
            Some(b'"') if byte == b'\\' => escaped = true,
            Some(open) if byte == open => quote = None,
            Some(_) => {}
            None if byte.is_ascii_whitespace() => {
                words.extend(start.take().map(|start: usize| &line[start..at]));
                continue;
            }
            None if b"\"'".contains(&byte) => quote = Some(byte),
            None => {}
        }
        start.get_or_insert(at);
    }
    words.extend(start.map(|start| &line[start..]));
    words
}

/// Text of some length in which nothing looks like a part of a log.
fn is_plain_text(text: &[u8]) -> bool {
    const SHORTEST: usize = 16;
    // The last character may have been cut in two.
    let valid = text.utf8_chunks().next().map_or(0, |chunk| chunk.valid().len());
    let text_alone = text.iter().all(|&byte| is_text(byte) || !byte.is_ascii());
    let has = |part: &[u8]| text.windows(part.len()).any(|window| window == part);
    text.len() >= SHORTEST
        && valid + 4 > text.len()
        && text_alone
        && !text.starts_with(b"*")
        && !has(b"\r\n$")
        && !has(b"\r\n*")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A few commands, for every one of which any number of arguments from 2 is right.
    fn is_command(name: &[u8], argc: usize) -> bool {
        [&b"SET"[..], b"DEL", b"LPUSH"].iter().any(|known| name.eq_ignore_ascii_case(known))
            && argc >= 2
    }

    fn seen(bytes: &[u8]) -> Option<LooksLike> {
        recognise(bytes, &is_command)
    }

    fn content_of(bytes: &[u8]) -> Option<Content> {
        let seen = seen(bytes)?;
        assert_eq!(seen.encoding, None, "{bytes:?}");
        seen.content
    }

    const LOG: &[u8] =
        b"*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\nv\r\n";

    fn with_ends(end: &str) -> Vec<u8> {
        String::from_utf8(LOG.to_vec()).unwrap().replace("\r\n", end).into_bytes()
    }

    #[test]
    fn every_kind_is_recognised() {
        let git_lfs = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 3\n";
        let cases: &[(&[u8], Content)] = &[
            (&with_ends("\n"), Content::LfLineEnds),
            (&with_ends("\r"), Content::CrLineEnds),
            (&with_ends("\r\r\n"), Content::DoubledCr),
            (b"#TS:1700000000\n*1\n$4\nPING\n", Content::LfLineEnds),
            (b"\n*1\n$4\nPING\n", Content::LfLineEnds),
            (&[b"\r\n", LOG].concat(), Content::BlankStart),
            (&[b" \n\n", LOG].concat(), Content::BlankStart),
            (b"SET k0 v0\r\nset k1 \"two words\"\r\n", Content::InlineCommands),
            (b"DEL 'a b' c", Content::InlineCommands),
            (b"OK\n1700000000.000000 [0 127.0.0.1:5000] \"SET\" \"a\" \"1\"\n", Content::Monitor),
            (b"1339518083.107412 [0 lua] \"set\" \"x\"\n", Content::Monitor),
            (b"+OK\r\n+OK\r\n", Content::Replies),
            (b"-ERR unknown command\r\n", Content::Replies),
            (b"<!DOCTYPE html>\n<html>", Content::Markup),
            (b"<?xml version=\"1.0\"?>", Content::Markup),
            (b"{\"a\": 1}", Content::Json),
            (b"[\n  {\"a\": 1}]", Content::Json),
            (git_lfs, Content::GitLfsPointer),
            (&[0; 5000], Content::Zeros),
            (b"root:x:0:0:root:/root:/bin/bash\n", Content::PlainText),
            ("Gr\u{fc}\u{df}e aus der Datei\n".as_bytes(), Content::PlainText),
            (b"\x1f\x8b\x08\0\0\0\0\0", Content::Other("a gzip file")),
        ];
        for (bytes, content) in cases {
            assert_eq!(content_of(bytes), Some(*content), "{:?}", bytes.escape_ascii().to_string());
        }
    }

    #[test]
    fn logs_that_are_merely_damaged_are_not_recognised() {
        let near_misses: &[&[u8]] = &[
            b"",
            LOG,
            &LOG[1..],
            &LOG[9..],
            b"*3\r\n$3\r\nSE",
            b"*3\r\n$3\r\nSET",
            b"*3",
            b"*\0",
            b"*2\n$3\nGET\r\n$1\nk\r\n",
            b"*1\n$99\nPING\n",
            b"*1\r\r\n$4\r\nPING\r\n",
            b"REDIS0011",
            b"\0\0*1\r\n$4\r\nPING\r\n",
            b"\x80\x81\x82\x83\x84\x85\x86\x87\x88\x89\x8a\x8b\x8c\x8d\x8e\x8f",
            b"short",
            b"SET\r\n",
            b"[1]",
            b"{ x",
        ];
        for bytes in near_misses {
            assert_eq!(seen(bytes), None, "{:?}", bytes.escape_ascii().to_string());
        }
    }

    #[test]
    fn near_misses_of_lines_are_plain_text() {
        let near_misses: &[&[u8]] = &[
            b"SET k0 v0\r\nnothing like a command\r\n",
            b"1700000000.000000 [0 127.0.0.1:5000] SET a 1\n",
            b"1700000000.000000 \"SET\" \"a\" \"1\"\n",
            b"OK\nOK\nOK\nand so on\n",
        ];
        for bytes in near_misses {
            assert_eq!(content_of(bytes), Some(Content::PlainText), "{bytes:?}");
        }
    }

    fn wide(text: &[u8], low_first: bool) -> Vec<u8> {
        text.iter().flat_map(|&byte| if low_first { [byte, 0] } else { [0, byte] }).collect()
    }

    #[test]
    fn an_encoding_is_recognised_with_what_it_encodes() {
        use Encoding::{Utf8Bom, Utf16Be, Utf16Le};
        let lf = with_ends("\n");
        let cases = [
            ([b"\xef\xbb\xbf", LOG].concat(), Utf8Bom, Some(Content::Log)),
            ([b"\xef\xbb\xbf", &lf[..]].concat(), Utf8Bom, Some(Content::LfLineEnds)),
            (b"\xef\xbb\xbfREDIS0011\xfa".to_vec(), Utf8Bom, Some(Content::Rdb)),
            (wide(b"REDIS0011", true), Utf16Le, Some(Content::Rdb)),
            (b"\xef\xbb\xbf\x01".to_vec(), Utf8Bom, None),
            ([b"\xff\xfe", &wide(LOG, true)[..]].concat(), Utf16Le, Some(Content::Log)),
            ([b"\xfe\xff", &wide(LOG, false)[..]].concat(), Utf16Be, Some(Content::Log)),
            (wide(LOG, true), Utf16Le, Some(Content::Log)),
            (wide(&lf, false), Utf16Be, Some(Content::LfLineEnds)),
        ];
        for (bytes, encoding, content) in cases {
            let expected = LooksLike { encoding: Some(encoding), content };
            assert_eq!(seen(&bytes), Some(expected), "{:?}", bytes.escape_ascii().to_string());
        }
        let near_misses: [&[u8]; 3] = [b"*\0", b"\0*\0", b"*\x002\0\r\0\x01\0\x01\0"];
        for bytes in near_misses {
            assert_eq!(seen(bytes), None, "{bytes:?}");
        }
    }

    #[test]
    fn a_long_file_is_recognised_by_its_first_bytes() {
        let lines = b"1700000000.000000 [0 127.0.0.1:5000] \"SET\" \"a\" \"1\"\n".repeat(1000);
        assert_eq!(content_of(&lines), Some(Content::Monitor));
        let zeros_first = [vec![0; HEAD_BYTES], b"end".to_vec()].concat();
        assert_eq!(content_of(&zeros_first), Some(Content::Zeros));
        let one_line = [&b"SET k "[..], &b"v".repeat(2 * HEAD_BYTES)].concat();
        assert_eq!(content_of(&one_line), Some(Content::InlineCommands));
    }

    #[test]
    fn what_is_recognised_is_named() {
        let text = |bytes: &[u8]| seen(bytes).unwrap().to_string();
        assert!(text(&with_ends("\n")).contains("LF line ends"));
        assert!(text(&[b"\xef\xbb\xbf", LOG].concat()).contains("(BOM)"));
        assert!(text(&wide(LOG, true)).contains("UTF-16LE"));
    }
}
