//! The manifest of a multi-part AOF: the files that belong to it, in order.
//!
//! ```text
//! file appendonly.aof.2.base.rdb seq 2 type b
//! file appendonly.aof.1.incr.aof seq 1 type h
//! file "my log.2.incr.aof" seq 2 type i startoffset 1042
//! ```
//!
//! One line per file: pairs of a key and a value, in any order. Redis 7.0 introduced the format,
//! Redis 8.0 the two offsets, which other servers skip as unknown keys. This grammar is that of the
//! loader, including its leniencies and pitfalls, as read in `aofLoadManifestFromFile` and
//! `sdssplitargs` and tested on Redis 7.0.15:
//!
//! | part | rule |
//! |---|---|
//! | line | at most 1024 bytes, including the newline; it must end in a newline, the last one too; no zero byte |
//! | comment | a line that begins with `#`. The bytes after its 1024th are read as the next line |
//! | blanks | space, tab, CR, LF around a line are removed; a blank line is fatal |
//! | token | bare, `"double"` (`\n \r \t \a \b \xHH`, `\c` is c) or `'single'` (only `\'`); a quote may open inside a token, and its closing quote must be followed by a blank. Ends at the first zero byte that an escape produces |
//! | tokens | an even number of at least 6 |
//! | key | case-insensitive; unknown ones are skipped; a later one overwrites |
//! | `file` | contains neither `/` nor `\` |
//! | `seq` | the result of C's `atoll` (`7x` is 7, garbage is 0); 0 is fatal; a negative number is only fatal for an incremental file |
//! | `type` | the first byte counts: `b`, `i` or `h` |
//! | base | at most one, on any line |
//! | incremental | each `seq` above that of the previous one, the first above 0 |
//! | history | any number; never loaded, may be missing |
//!
//! No line at all (an empty file) is fatal; only comments means "no files".

use std::ffi::OsStr;
use std::fmt;
use std::os::unix::ffi::OsStrExt;

use nom::branch::alt;
use nom::bytes::complete::{tag, take, take_while, take_while_m_n, take_while1};
use nom::character::complete::char;
use nom::combinator::{cut, eof, map, opt, peek, recognize};
use nom::multi::{fold_many0, many0};
use nom::sequence::{delimited, preceded, terminated};
use nom::{IResult, Parser};
use serde::Serialize;

use crate::base::escape::steers;

/// Maximum length of a line that the loader reads at once, in bytes, including the newline.
pub const LINE_BYTES: usize = 1024;

/// The entries of a manifest, in the order of its lines.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Manifest {
    /// One entry per line that is not a comment.
    pub entries: Vec<Entry>,
}

/// One file of a multi-part AOF.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The bare file name: bytes as in the file system, without `/`, `\` and zero bytes. The loader
    /// accepts even an empty one; a caller that opens the file must not.
    pub name: Vec<u8>,
    /// The sequence number; base and incremental files are counted separately.
    pub seq: i64,
    /// The role of the file in the set.
    pub role: Role,
    /// `startoffset` (Redis 8.0): the replication offset at which the file begins.
    pub start_offset: Option<i64>,
    /// `endoffset` (Redis 8.0): the replication offset at which it ends, after a clean stop.
    pub end_offset: Option<i64>,
    /// Keys that no known server reads, with their values, in the order of the line.
    pub extra: Vec<(Vec<u8>, Vec<u8>)>,
    /// The line number, counted from 1; 0 if it was not read from a file.
    pub line: u64,
}

/// The role of a file in its set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// The data set at the time of a rewrite; loaded first.
    Base,
    /// The commands since then, in one or several files.
    Incr,
    /// Replaced by a rewrite and about to be deleted; never loaded.
    History,
}

impl Role {
    /// Returns the letter that represents it in a manifest.
    pub fn letter(self) -> char {
        match self {
            Role::Base => 'b',
            Role::Incr => 'i',
            Role::History => 'h',
        }
    }
}

/// The rule that a manifest violates, with the value found. Serialised with its name as `kind`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Rule {
    /// The file is empty.
    Empty,
    /// A line is longer than 1023 bytes.
    LineTooLong,
    /// The last line does not end in a newline.
    NoNewline,
    /// A line contains a zero byte.
    ZeroByte,
    /// A line contains only blanks.
    BlankLine,
    /// A quote is not closed, or is followed by something other than a blank.
    Quoting,
    /// Fewer than six tokens.
    TooFewWords {
        /// Number of tokens.
        found: usize,
    },
    /// An odd number of tokens.
    OddWords {
        /// Number of tokens.
        found: usize,
    },
    /// `file` contains a path.
    NameIsPath {
        /// The name.
        found: String,
    },
    /// No `file` key.
    NoFile,
    /// No `seq` key, or one with the value 0.
    NoSeq {
        /// The value, if there is one.
        found: Option<String>,
    },
    /// No `type` key, or an empty one.
    NoType,
    /// A type other than `b`, `i` and `h`.
    UnknownType {
        /// The value.
        found: String,
    },
    /// A second base file.
    DuplicateBase {
        /// The line of the first, counted from 1.
        first_line: u64,
    },
    /// An incremental file whose number is not above that of the previous one.
    NotIncreasing {
        /// Its number.
        found: i64,
        /// The number of the previous one; 0 for the first.
        previous: i64,
    },
}

impl Rule {
    /// Returns the name of the rule, as serialised; it is stable across versions.
    pub fn kind(&self) -> &'static str {
        match self {
            Rule::Empty => "empty",
            Rule::LineTooLong => "line-too-long",
            Rule::NoNewline => "no-newline",
            Rule::ZeroByte => "zero-byte",
            Rule::BlankLine => "blank-line",
            Rule::Quoting => "quoting",
            Rule::TooFewWords { .. } => "too-few-words",
            Rule::OddWords { .. } => "odd-words",
            Rule::NameIsPath { .. } => "name-is-path",
            Rule::NoFile => "no-file",
            Rule::NoSeq { .. } => "no-seq",
            Rule::NoType => "no-type",
            Rule::UnknownType { .. } => "unknown-type",
            Rule::DuplicateBase { .. } => "duplicate-base",
            Rule::NotIncreasing { .. } => "not-increasing",
        }
    }

    /// Returns the message that a server logs before it exits because of this rule. Several rules
    /// have the same message.
    pub fn server_message(&self) -> &'static str {
        match self {
            Rule::Empty => "Found an empty AOF manifest",
            Rule::LineTooLong | Rule::NoNewline | Rule::ZeroByte => {
                "The AOF manifest file contains too long line"
            }
            Rule::BlankLine
            | Rule::Quoting
            | Rule::TooFewWords { .. }
            | Rule::OddWords { .. }
            | Rule::NoFile
            | Rule::NoSeq { .. }
            | Rule::NoType => "Invalid AOF manifest file format",
            Rule::NameIsPath { .. } => "File can't be a path, just a filename",
            Rule::UnknownType { .. } => "Unknown AOF file type",
            Rule::DuplicateBase { .. } => "Found duplicate base file information",
            Rule::NotIncreasing { .. } => "Found a non-monotonic sequence number",
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Rule::Empty => f.write_str("the manifest is empty"),
            Rule::LineTooLong => write!(f, "the line is longer than {LINE_BYTES} bytes"),
            Rule::NoNewline => f.write_str("the last line does not end in a newline"),
            Rule::ZeroByte => f.write_str("the line contains a zero byte"),
            Rule::BlankLine => f.write_str("the line is blank"),
            Rule::Quoting => {
                f.write_str("a quote is never closed, or no blank follows where it closes")
            }
            Rule::TooFewWords { found } => write!(
                f,
                "the line has too few words ({found}); `file NAME seq NUMBER type LETTER` needs at least 6"
            ),
            Rule::OddWords { found } => {
                write!(f, "the words of the line ({found}) do not pair up as keys and values")
            }
            Rule::NameIsPath { found } => write!(
                f,
                "the file name `{found}` is a path; it must be a bare name, without / and \\"
            ),
            Rule::NoFile => f.write_str("the line has no `file` key"),
            Rule::NoSeq { found: None } => f.write_str("the line has no `seq` key"),
            Rule::NoSeq { found: Some(found) } => {
                write!(f, "the sequence number `{found}` counts as 0, which is refused")
            }
            Rule::NoType => f.write_str("the line has no `type`"),
            Rule::UnknownType { found } => {
                write!(f, "the type `{found}` is none of b (base), i (incremental) and h (history)")
            }
            Rule::DuplicateBase { first_line } => {
                write!(f, "a second base file; the first is on line {first_line}")
            }
            Rule::NotIncreasing { found, previous } => write!(
                f,
                "the sequence number {found} of this incremental file is not above {previous}"
            ),
        }
    }
}

/// The reason why a manifest is refused, by every server that reads manifests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ManifestError {
    /// The line, as an editor counts: from 1, by newlines. (The loader counts the rest of a long
    /// comment as a separate line.)
    pub line: u64,
    /// Offset of the byte in the file at which the violation begins.
    pub offset: u64,
    /// The violated rule, and the value found.
    #[serde(flatten)]
    pub rule: Rule,
    /// The line without surrounding blanks, escaped for display.
    pub text: String,
    /// Whether the line is the rest of a comment longer than a line may be, which explains the
    /// error.
    pub rest_of_comment: bool,
}

impl ManifestError {
    /// Returns the message without the line number: the rule, and the text of the line.
    pub fn message(&self) -> String {
        let mut message = self.rule.to_string();
        if self.rest_of_comment {
            message += &format!(" (it is the rest of a comment longer than {LINE_BYTES} bytes)");
        }
        if !self.text.is_empty() {
            message += &format!(": {}", self.text);
        }
        message
    }
}

impl fmt::Display for ManifestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.message())
    }
}

impl std::error::Error for ManifestError {}

impl Entry {
    /// Creates an entry without offsets and unknown keys.
    pub fn new(role: Role, name: impl Into<Vec<u8>>, seq: i64) -> Self {
        Entry {
            name: name.into(),
            seq,
            role,
            start_offset: None,
            end_offset: None,
            extra: Vec::new(),
            line: 0,
        }
    }

    /// Returns the name as the file system expects it.
    pub fn file_name(&self) -> &OsStr {
        OsStr::from_bytes(&self.name)
    }

    /// Returns the line for a manifest, including the newline.
    ///
    /// The line is formatted as by a server, with two exceptions for names for which servers cannot
    /// read their own manifest: a name with a `'` is quoted, and if escaping every byte that is not
    /// printable ASCII would make the line longer than [`LINE_BYTES`], only the necessary bytes are
    /// escaped. If that is not sufficient either, unknown keys are omitted, which no server
    /// retains. A name of the 255 bytes that file systems allow then always fits.
    pub fn to_line(&self) -> Vec<u8> {
        let fits = |line: &Vec<u8>| line.len() <= LINE_BYTES;
        Some(self.line_quoted(Escape::AsServers, &self.extra))
            .filter(fits)
            .or_else(|| Some(self.line_quoted(Escape::Least, &self.extra)).filter(fits))
            .unwrap_or_else(|| self.line_quoted(Escape::Least, &[]))
    }

    fn line_quoted(&self, escape: Escape, extra: &[(Vec<u8>, Vec<u8>)]) -> Vec<u8> {
        let mut line = b"file ".to_vec();
        push_token(&mut line, &self.name, escape);
        line.extend(format!(" seq {} type {}", self.seq, self.role.letter()).bytes());
        for (key, offset) in [("startoffset", self.start_offset), ("endoffset", self.end_offset)] {
            if let Some(offset) = offset {
                line.extend(format!(" {key} {offset}").bytes());
            }
        }
        for token in extra.iter().flat_map(|(key, value)| [key, value]) {
            line.push(b' ');
            push_token(&mut line, token, escape);
        }
        line.push(b'\n');
        line
    }
}

impl Manifest {
    /// Returns the base file, if there is one.
    pub fn base(&self) -> Option<&Entry> {
        self.with_role(Role::Base).next()
    }

    /// Returns the entries of one role, in the order of their lines.
    pub fn with_role(&self, role: Role) -> impl Iterator<Item = &Entry> {
        self.entries.iter().filter(move |entry| entry.role == role)
    }

    /// Returns the files that a server loads, in its order: the base, regardless of its position,
    /// then the incremental files.
    pub fn load_order(&self) -> impl Iterator<Item = &Entry> {
        self.with_role(Role::Base).chain(self.with_role(Role::Incr))
    }

    /// Returns the bytes of the manifest, in the order in which a server writes: the base, history,
    /// incremental files. Unknown keys are retained (a server drops them) if they
    /// [fit](Entry::to_line), comments are not.
    pub fn to_bytes(&self) -> Vec<u8> {
        [Role::Base, Role::History, Role::Incr]
            .into_iter()
            .flat_map(|role| self.with_role(role))
            .flat_map(Entry::to_line)
            .collect()
    }
}

/// Parses a manifest as the loader does.
///
/// # Errors
///
/// Returns the first violated rule; a server would exit because of it.
pub fn parse(bytes: &[u8]) -> Result<Manifest, ManifestError> {
    let mut manifest = Manifest::default();
    let mut rest = bytes;
    let mut number = 1;
    let mut in_comment = false;
    if bytes.is_empty() {
        return Err(ManifestError {
            line: 1,
            offset: 0,
            rule: Rule::Empty,
            text: String::new(),
            rest_of_comment: false,
        });
    }
    while !rest.is_empty() {
        let offset = (bytes.len() - rest.len()) as u64;
        let chunk = next_chunk(&mut rest);
        let ended = chunk.ends_with(b"\n");
        if chunk.starts_with(b"#") {
            in_comment = !ended;
        } else {
            let entry = entry(chunk, &manifest).map_err(|rule| ManifestError {
                line: number,
                offset: offset + (chunk.len() - trim(chunk, Side::Start).len()) as u64,
                rule,
                text: printable(trim(trim(chunk, Side::Start), Side::End)),
                rest_of_comment: in_comment,
            })?;
            manifest.entries.push(Entry { line: number, ..entry });
            in_comment = false;
        }
        number += u64::from(ended);
    }
    Ok(manifest)
}

/// Returns whether `bytes` are a manifest or were intended to be one: the first line that is not a
/// comment begins with one of the keys `file`, `seq` and `type`, and contains another of them. No
/// AOF and no RDB begins like this.
pub fn looks_like_manifest(bytes: &[u8]) -> bool {
    let mut rest = bytes;
    while !rest.is_empty() {
        let chunk = next_chunk(&mut rest);
        if chunk.starts_with(b"#") {
            continue;
        }
        let is_key = |token: &[u8]| {
            [&b"file"[..], b"seq", b"type"].iter().any(|key| token.eq_ignore_ascii_case(key))
        };
        let mut tokens = chunk.split(u8::is_ascii_whitespace).filter(|token| !token.is_empty());
        return tokens.next().is_some_and(is_key) && tokens.any(is_key);
    }
    false
}

/// Removes the bytes that the loader reads at once from the front: up to a newline, and at most
/// [`LINE_BYTES`].
pub(crate) fn next_chunk<'a>(rest: &mut &'a [u8]) -> &'a [u8] {
    let chunk: IResult<&[u8], &[u8]> =
        recognize((take_while_m_n(0, LINE_BYTES - 1, |byte| byte != b'\n'), opt(take(1_usize))))
            .parse(rest);
    let (after, chunk) = chunk.unwrap_or((&[], rest));
    *rest = after;
    chunk
}

/// Parses one line that is not a comment, given the previous ones.
fn entry(chunk: &[u8], before: &Manifest) -> Result<Entry, Rule> {
    if chunk.contains(&0) {
        return Err(Rule::ZeroByte);
    }
    if !chunk.ends_with(b"\n") {
        return Err(if chunk.len() == LINE_BYTES { Rule::LineTooLong } else { Rule::NoNewline });
    }
    let line = trim(trim(chunk, Side::Start), Side::End);
    if line.is_empty() {
        return Err(Rule::BlankLine);
    }
    let (_, tokens) = words(line).map_err(|_| Rule::Quoting)?;
    let found = tokens.len();
    if found < 6 {
        return Err(Rule::TooFewWords { found });
    }
    if found % 2 != 0 {
        return Err(Rule::OddWords { found });
    }

    let (mut name, mut seq, mut role) = (None, None, None);
    let mut entry = Entry::new(Role::History, "", 0);
    let mut tokens = tokens.into_iter();
    while let (Some(key), Some(value)) = (tokens.next(), tokens.next()) {
        match key.to_ascii_lowercase().as_slice() {
            b"file" if value.contains(&b'/') || value.contains(&b'\\') => {
                return Err(Rule::NameIsPath { found: printable(&value) });
            }
            b"file" => name = Some(value),
            b"seq" => seq = Some(value),
            b"type" => role = Some(value),
            b"startoffset" => entry.start_offset = Some(atoll(&value)),
            b"endoffset" => entry.end_offset = Some(atoll(&value)),
            _ => entry.extra.push((key, value)),
        }
    }
    entry.name = name.ok_or(Rule::NoFile)?;
    entry.seq = seq.as_deref().map(atoll).unwrap_or_default();
    if entry.seq == 0 {
        return Err(Rule::NoSeq { found: seq.as_deref().map(printable) });
    }
    let role = role.unwrap_or_default();
    entry.role = match role.first() {
        None => return Err(Rule::NoType),
        Some(b'b') => Role::Base,
        Some(b'i') => Role::Incr,
        Some(b'h') => Role::History,
        Some(_) => {
            return Err(Rule::UnknownType { found: printable(&role) });
        }
    };
    if let (Role::Base, Some(first)) = (entry.role, before.base()) {
        return Err(Rule::DuplicateBase { first_line: first.line });
    }
    let previous = before.with_role(Role::Incr).last().map_or(0, |entry| entry.seq);
    if entry.role == Role::Incr && entry.seq <= previous {
        return Err(Rule::NotIncreasing { found: entry.seq, previous });
    }
    Ok(entry)
}

/// Splits a line into tokens like `sdssplitargs`. Fails only on invalid quoting.
pub(crate) fn words(line: &[u8]) -> IResult<&[u8], Vec<Vec<u8>>> {
    terminated(
        many0(preceded(take_while(is_space), preceded(peek(take(1_usize)), token))),
        (take_while(is_space), eof),
    )
    .parse(line)
}

/// Parses one token: bare bytes, then optionally a quoted part, which ends it.
fn token(input: &[u8]) -> IResult<&[u8], Vec<u8>> {
    let bare = take_while(|byte| !matches!(byte, b' ' | b'\n' | b'\r' | b'\t' | b'"' | b'\''));
    map((bare, opt(alt((double_quoted, single_quoted)))), |(bare, quoted)| {
        let mut token = [bare, &quoted.unwrap_or_default()].concat();
        // The loader handles tokens as C strings.
        if let Some(zero) = memchr::memchr(0, &token) {
            token.truncate(zero);
        }
        token
    })
    .parse(input)
}

fn double_quoted(input: &[u8]) -> IResult<&[u8], Vec<u8>> {
    let hex = map(
        preceded(tag("\\x"), take_while_m_n(2, 2, |byte: u8| byte.is_ascii_hexdigit())),
        |digits: &[u8]| {
            let value = |digit: u8| char::from(digit).to_digit(16).unwrap_or_default();
            let byte = digits.iter().fold(0, |byte, &digit| byte * 16 + value(digit));
            Piece::Byte(u8::try_from(byte).unwrap_or_default())
        },
    );
    let escaped = map(preceded(char('\\'), take(1_usize)), |byte: &[u8]| match byte {
        b"n" => Piece::Byte(b'\n'),
        b"r" => Piece::Byte(b'\r'),
        b"t" => Piece::Byte(b'\t'),
        b"b" => Piece::Byte(8),
        b"a" => Piece::Byte(7),
        other => Piece::Bytes(other),
    });
    let plain = map(take_while1(|byte| byte != b'"' && byte != b'\\'), Piece::Bytes);
    quoted(input, '"', alt((hex, escaped, plain)))
}

fn single_quoted(input: &[u8]) -> IResult<&[u8], Vec<u8>> {
    let escaped = map(tag("\\'"), |_| Piece::Byte(b'\''));
    let backslash = map(tag("\\"), Piece::Bytes);
    let plain = map(take_while1(|byte| byte != b'\'' && byte != b'\\'), Piece::Bytes);
    quoted(input, '\'', alt((escaped, backslash, plain)))
}

/// A part of a quoted text.
enum Piece<'a> {
    Byte(u8),
    Bytes(&'a [u8]),
}

/// Parses `pieces` between two `quote`s, of which the second must be followed by a blank or
/// nothing. After the opening quote there is no alternative parse.
fn quoted<'a>(
    input: &'a [u8],
    quote: char,
    piece: impl Parser<&'a [u8], Output = Piece<'a>, Error = nom::error::Error<&'a [u8]>>,
) -> IResult<&'a [u8], Vec<u8>> {
    let body = fold_many0(piece, Vec::new, |mut body, piece| {
        match piece {
            Piece::Byte(byte) => body.push(byte),
            Piece::Bytes(bytes) => body.extend_from_slice(bytes),
        }
        body
    });
    let end = peek(alt((eof, take_while_m_n(1, 1, is_space))));
    delimited(char(quote), cut(terminated(body, char(quote))), cut(end)).parse(input)
}

/// C's `isspace`, which separates tokens (a bare token ends only at four of these).
fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r')
}

enum Side {
    Start,
    End,
}

/// Removes the blanks that the loader removes around a line.
fn trim(line: &[u8], side: Side) -> &[u8] {
    let is_text = |byte: &u8| !matches!(byte, b' ' | b'\t' | b'\r' | b'\n');
    match side {
        Side::Start => {
            let start = line.iter().position(is_text).unwrap_or(line.len());
            line.get(start..).unwrap_or_default()
        }
        Side::End => {
            let end = line.iter().rposition(is_text).map_or(0, |last| last + 1);
            line.get(..end).unwrap_or_default()
        }
    }
}

/// The result of C's `strtol` for the beginning of a text, in base 10.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Number {
    /// The number; 0 if there is none, saturated if it is out of range.
    pub(crate) value: i64,
    /// Number of bytes parsed, including leading blanks; 0 if there is no number.
    pub(crate) used: usize,
    /// Whether it is out of range.
    pub(crate) overflow: bool,
}

/// C's `strtol`: blanks, a sign, digits, then anything.
pub(crate) fn strtol(text: &[u8]) -> Number {
    let blanks = text.iter().take_while(|&&byte| is_space(byte)).count();
    let sign = text.get(blanks).filter(|byte| matches!(byte, b'-' | b'+'));
    let start = blanks + usize::from(sign.is_some());
    let digits = text.get(start..).unwrap_or_default();
    let count = digits.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if count == 0 {
        return Number { value: 0, used: 0, overflow: false };
    }
    let negative = sign == Some(&b'-');
    let number = digits.iter().take(count).try_fold(0_i64, |number, &byte| {
        let digit = i64::from(byte - b'0');
        let number = number.checked_mul(10)?;
        if negative { number.checked_sub(digit) } else { number.checked_add(digit) }
    });
    Number {
        value: number.unwrap_or(if negative { i64::MIN } else { i64::MAX }),
        used: start + count,
        overflow: number.is_none(),
    }
}

/// C's `atoll`.
fn atoll(text: &[u8]) -> i64 {
    strtol(text).value
}

/// The bytes of a quoted token that are escaped.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Escape {
    /// All except printable ASCII.
    AsServers,
    /// Those that would end the token or the line.
    Least,
}

/// Appends a token, quoted if necessary.
fn push_token(line: &mut Vec<u8>, token: &[u8], escape: Escape) {
    let bare = |&byte: &u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\'' | b'\\');
    if !token.is_empty() && token.iter().all(bare) {
        line.extend_from_slice(token);
        return;
    }
    line.push(b'"');
    for &byte in token {
        match byte {
            b'"' | b'\\' => line.extend([b'\\', byte]),
            b'\n' => line.extend(b"\\n"),
            b'\r' => line.extend(b"\\r"),
            b'\t' => line.extend(b"\\t"),
            7 => line.extend(b"\\a"),
            8 => line.extend(b"\\b"),
            b' '..=b'~' => line.push(byte),
            _ if escape == Escape::Least => line.push(byte),
            _ => line.extend(format!("\\x{byte:02x}").bytes()),
        }
    }
    line.push(b'"');
}

/// Converts bytes to text for display: invalid UTF-8 is replaced, control characters are escaped,
/// and the text is truncated at 200 characters.
pub(crate) fn printable(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let mut out = String::new();
    for (count, character) in text.chars().enumerate() {
        if count == 200 {
            out.push_str("...");
            break;
        }
        if steers(character) {
            out.extend(character.escape_default());
        } else {
            out.push(character);
        }
    }
    out
}

#[cfg(test)]
mod tests;
