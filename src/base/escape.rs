//! Displaying untrusted bytes.
//!
//! Keys, values and names are untrusted: they can contain terminal control sequences, or be a
//! gigabyte long. All output of them uses [`Shown`], and all output of paths uses [`ShownPath`],
//! because a file can have any name.

use std::fmt;
use std::path::Path;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

/// Number of bytes that are displayed before the text is truncated.
const SHOWN_BYTES: usize = 48;

/// Bytes in double quotes: printable ASCII as it is and everything else escaped; long ones are
/// truncated with their length appended: `"user:4f.." (36 bytes)`.
pub struct Shown<'a>(pub &'a [u8]);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.len() > SHOWN_BYTES {
            let start = self.0[..SHOWN_BYTES].escape_ascii();
            write!(f, "\"{start}..\" ({} bytes)", self.0.len())
        } else {
            write!(f, "\"{}\"", self.0.escape_ascii())
        }
    }
}

/// Appends bytes in double quotes, escaped as by redis-cli: the text can be entered there again,
/// and parsed by any shell-like splitter that supports `\xHH`. Nothing is truncated.
pub fn quote(bytes: &[u8], out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    out.push(b'"');
    let mut rest = bytes;
    loop {
        let (plain, after) = rest.split_at(plain_prefix(rest));
        out.extend_from_slice(plain);
        let Some((&byte, after)) = after.split_first() else { break };
        rest = after;
        out.push(b'\\');
        match byte {
            b'"' | b'\\' => out.push(byte),
            b'\n' => out.push(b'n'),
            b'\r' => out.push(b'r'),
            b'\t' => out.push(b't'),
            0x07 => out.push(b'a'),
            0x08 => out.push(b'b'),
            _ => out.extend([b'x', HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]),
        }
    }
    out.push(b'"');
}

/// Returns whether [`quote`] appends a byte as it is.
#[inline]
fn is_plain(byte: u8) -> bool {
    matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\'
}

/// Returns the number of bytes at the start of `bytes` that [`quote`] appends as they are. Groups of bytes are checked
/// without a branch for each, which the compiler turns into vector instructions.
#[inline]
fn plain_prefix(bytes: &[u8]) -> usize {
    let (groups, _) = bytes.as_chunks::<8>();
    let plain = |group: &&[u8; 8]| group.iter().fold(true, |all, &byte| all & is_plain(byte));
    let at = 8 * groups.iter().take_while(plain).count();
    at + bytes[at..].iter().take_while(|&&byte| is_plain(byte)).count()
}

/// Parses the output of [`quote`]: bytes in double quotes, escaped as redis-cli accepts them.
/// Returns `None` if the text does not begin and end with a double quote, or if there is an
/// unescaped one in between.
pub fn unquote(text: &[u8]) -> Option<Vec<u8>> {
    let mut text = text.strip_prefix(b"\"")?;
    let mut bytes = Vec::with_capacity(text.len());
    loop {
        match text {
            [b'"'] => return Some(bytes),
            [] | [b'"', ..] => return None,
            [b'\\', b'x', high, low, rest @ ..]
                if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() =>
            {
                bytes.push(hex_digit(*high) << 4 | hex_digit(*low));
                text = rest;
            }
            [b'\\', byte, rest @ ..] => {
                bytes.push(match byte {
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    b'a' => 0x07,
                    b'b' => 0x08,
                    other => *other,
                });
                text = rest;
            }
            [byte, rest @ ..] => {
                bytes.push(*byte);
                text = rest;
            }
        }
    }
}

fn hex_digit(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        _ => (digit | 0x20) - b'a' + 10,
    }
}

/// Serialises bytes as an object without loss: `{"text": ".."}` if they are UTF-8, else `{"bytes":
/// ".."}` in base64.
pub struct Text<'a>(pub &'a [u8]);

impl Serialize for Text<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_map(Some(1))?;
        match std::str::from_utf8(self.0) {
            Ok(text) => object.serialize_entry("text", text)?,
            Err(_) => object.serialize_entry("bytes", &BASE64_STANDARD.encode(self.0))?,
        }
        object.end()
    }
}

/// Bytes of a log that may be any, such as a name or a value; serialised as [`Text`].
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OwnedText(pub Vec<u8>);

impl Serialize for OwnedText {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Text(&self.0).serialize(serializer)
    }
}

impl From<&[u8]> for OwnedText {
    fn from(bytes: &[u8]) -> Self {
        OwnedText(bytes.to_vec())
    }
}

/// One byte: as a character if it is printable, in hexadecimal otherwise.
pub struct ShownByte(pub u8);

impl fmt::Display for ShownByte {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_ascii_graphic() {
            write!(f, "`{}` (0x{:02x})", char::from(self.0), self.0)
        } else {
            write!(f, "0x{:02x}", self.0)
        }
    }
}

/// A path as it is, except that terminal control characters and invalid text are escaped.
pub struct ShownPath<'a>(pub &'a Path);

impl fmt::Display for ShownPath<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for chunk in self.0.as_os_str().as_encoded_bytes().utf8_chunks() {
            for c in chunk.valid().chars() {
                if steers(c) {
                    write!(f, "{}", c.escape_default())?;
                } else {
                    fmt::Write::write_char(f, c)?;
                }
            }
            write!(f, "{}", chunk.invalid().escape_ascii())?;
        }
        Ok(())
    }
}

/// A path as it is typed in a shell: in single quotes where it holds anything but plain characters.
pub(crate) fn typed(path: &Path) -> String {
    let shown = ShownPath(path).to_string();
    let plain = |c: char| c.is_ascii_alphanumeric() || "_./-+:@%,=".contains(c);
    if !shown.is_empty() && shown.chars().all(plain) {
        shown
    } else {
        format!("'{}'", shown.replace('\'', r"'\''"))
    }
}

/// The byte order mark, which is shown as nothing at all.
const BYTE_ORDER_MARK: char = '\u{feff}';

/// Whether a character steers a terminal instead of being shown: controls, and the marks and overrides of
/// direction, with which a name can pass for another; and a byte order mark, which is not visible.
pub(crate) fn steers(c: char) -> bool {
    let turns_text_around = matches!(c,
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    c.is_control() || turns_text_around || c == BYTE_ORDER_MARK
}

/// `text` for a terminal: what [`steers`] one is escaped, except line ends, tabs and the sequences that only choose a style
/// (`ESC [ NUMBERS m`), which the reports have themselves.
#[cfg(feature = "cli")]
pub(crate) fn for_terminal(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let plain = match c {
            '\n' | '\t' => c.len_utf8(),
            '\u{1b}' => style_bytes(rest),
            _ if steers(c) => 0,
            _ => c.len_utf8(),
        };
        match rest.split_at_checked(plain) {
            Some((shown, after)) if plain > 0 => {
                safe.push_str(shown);
                rest = after;
            }
            _ => {
                safe.extend(c.escape_default());
                rest = rest.get(c.len_utf8()..).unwrap_or_default();
            }
        }
    }
    safe
}

/// The length of the sequence that chooses a style at the start of `text`; 0 if none is there.
#[cfg(feature = "cli")]
fn style_bytes(text: &str) -> usize {
    let Some(inner) = text.strip_prefix("\u{1b}[") else { return 0 };
    let numbers = inner.bytes().take_while(|byte| byte.is_ascii_digit() || *byte == b';').count();
    if inner.as_bytes().get(numbers) == Some(&b'm') { numbers + 3 } else { 0 }
}

/// JSON whose strings steer no terminal. What is below a blank is escaped in JSON anyway.
#[cfg(feature = "cli")]
pub(crate) fn json_for_terminal(json: &str) -> String {
    let mut safe = String::with_capacity(json.len());
    for c in json.chars() {
        match c {
            ' '.. if steers(c) => safe.push_str(&format!("\\u{:04x}", u32::from(c))),
            _ => safe.push(c),
        }
    }
    safe
}

/// What somebody else wrote, as part of one line: everything that [`steers`] a terminal is escaped.
#[cfg(feature = "live")]
pub(crate) fn foreign(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if steers(c) { shown.extend(c.escape_default()) } else { shown.push(c) }
    }
    shown
}

/// Serialises a path as text; bytes that are not valid text are replaced by `\u{fffd}`.
pub(crate) fn path<S: Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&path.display())
}

/// Like [`path()`], for an optional path.
pub(crate) fn path_if_any<S: Serializer>(
    path: &Option<impl AsRef<Path>>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match path {
        Some(path) => serializer.collect_str(&path.as_ref().display()),
        None => serializer.serialize_none(),
    }
}

/// Returns bytes as two hexadecimal digits each.
pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    use super::*;

    #[test]
    fn paths_are_readable_and_safe_to_display() {
        let shown = |bytes: &[u8]| ShownPath(Path::new(OsStr::from_bytes(bytes))).to_string();
        assert_eq!(shown("/données/a b.aof".as_bytes()), "/données/a b.aof");
        assert_eq!(shown(b"a\x1b[31m\r\n\xff"), r"a\u{1b}[31m\r\n\xff");
        assert_eq!(shown("foa.\u{202e}gpj".as_bytes()), r"foa.\u{202e}gpj");
    }

    #[cfg(feature = "cli")]
    #[test]
    fn text_for_a_terminal_has_styles_and_nothing_else_that_steers_it() {
        let plain = "a\tb\n\u{1b}[1;31mred\u{1b}[0m é\n";
        assert_eq!(for_terminal(plain), plain);
        for (text, shown) in [
            ("\u{1b}]0;title\u{7}", r"\u{1b}]0;title\u{7}"),
            ("\u{1b}[2J\u{1b}[1;3H", r"\u{1b}[2J\u{1b}[1;3H"),
            ("\u{1b}[", r"\u{1b}["),
            ("\u{1b}", r"\u{1b}"),
            ("\u{1b}[1é", r"\u{1b}[1é"),
            ("a\rb\u{9b}2J\u{7f}", r"a\rb\u{9b}2J\u{7f}"),
            ("a\u{202e}b", r"a\u{202e}b"),
        ] {
            assert_eq!(for_terminal(text), shown);
        }
        let json = "{\n  \"a\": \"\u{9b}\u{7f}\u{202e}é\"\n}";
        assert_eq!(json_for_terminal(json), "{\n  \"a\": \"\\u009b\\u007f\\u202eé\"\n}");
        let values: Vec<serde_json::Value> =
            [json, &json_for_terminal(json)].map(|it| serde_json::from_str(it).unwrap()).into();
        assert_eq!(values[0], values[1]);
    }

    #[test]
    fn bytes_are_quoted_as_redis_cli_prints_them() {
        // The output of redis-cli 7.0 for such a value.
        let bytes = b"a \"q\" 'x' \\ \n\r\t\x07\x08\x00\x1b\x7f\xff\xc3\xa9~";
        let quoted = br#""a \"q\" 'x' \\ \n\r\t\a\b\x00\x1b\x7f\xff\xc3\xa9~""#;
        let mut out = Vec::new();
        quote(bytes, &mut out);
        assert_eq!(out, quoted);
        assert_eq!(unquote(quoted).as_deref(), Some(&bytes[..]));
        assert_eq!(unquote(br#""\xFf\xzz\q""#).as_deref(), Some(&b"\xffxzzq"[..]));
        for wrong in [&b""[..], b"a", b"\"", b"\"a", b"\"a\"b\"", b"\"a\\\""] {
            assert_eq!(unquote(wrong), None, "{}", wrong.escape_ascii());
        }
    }

    proptest::proptest! {
        /// Long texts are checked in groups of bytes, single bytes are not.
        #[test]
        fn quoted_bytes_do_not_depend_on_their_neighbours(
            bytes in proptest::collection::vec(proptest::prop_oneof![8 => 32..127_u8, 1 => 0..=255_u8], 0..60),
        ) {
            let quoted = |bytes: &[u8]| {
                let mut out = Vec::new();
                quote(bytes, &mut out);
                out[1..out.len() - 1].to_vec()
            };
            let each: Vec<u8> = bytes.iter().flat_map(|byte| quoted(&[*byte])).collect();
            assert_eq!(quoted(&bytes), each);
        }
    }

    #[test]
    fn json_is_lossless() {
        let json = |bytes| serde_json::to_string(&Text(bytes)).expect("it serialises");
        assert_eq!(json("é\n".as_bytes()), r#"{"text":"é\n"}"#);
        assert_eq!(json(b"\xff\x00a"), r#"{"bytes":"/wBh"}"#);
    }

    #[test]
    fn terminal_control_characters_are_escaped() {
        assert_eq!(Shown(b"a\x1b[2Jb\r\n\xff").to_string(), r#""a\x1b[2Jb\r\n\xff""#);
        assert_eq!(Shown(&[b'x'; 60]).to_string(), format!("\"{}..\" (60 bytes)", "x".repeat(48)));
        assert_eq!(ShownByte(0).to_string(), "0x00");
        assert_eq!(ShownByte(b'P').to_string(), "`P` (0x50)");
    }
}
