//! Bytes from outside, shown to people.
//!
//! Keys, values and names are hostile: they can hold control characters that steer a terminal, or be
//! a gigabyte long. Everything that shows them goes through [`Shown`], and every path through
//! [`ShownPath`], for a file can have any name.

use std::fmt;
use std::path::Path;

use serde::Serializer;

/// Bytes that are shown before the rest is left out.
const SHOWN_BYTES: usize = 48;

/// Bytes in double quotes, printable ASCII as it is and everything else escaped, long ones shortened
/// with their length told: `"user:4f.." (36 bytes)`.
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

/// One byte: as a character where it has a printable one, in hexadecimal otherwise.
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

/// A path as it is, but for what steers a terminal and what is no text, which is escaped.
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

/// Whether a character steers a terminal instead of being shown: controls, and the marks and overrides of
/// direction, with which a name can pass for another.
pub(crate) fn steers(c: char) -> bool {
    let turns_text_around = matches!(c,
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    c.is_control() || turns_text_around
}

/// For serde: a path as text, its bytes that are no text replaced by `\u{fffd}`.
pub(crate) fn path<S: Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&path.display())
}

/// As [`path()`], of one that may be missing.
pub(crate) fn path_if_any<S: Serializer>(
    path: &Option<impl AsRef<Path>>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match path {
        Some(path) => serializer.collect_str(&path.as_ref().display()),
        None => serializer.serialize_none(),
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    use super::*;

    #[test]
    fn paths_stay_readable_and_harmless() {
        let shown = |bytes: &[u8]| ShownPath(Path::new(OsStr::from_bytes(bytes))).to_string();
        assert_eq!(shown("/données/a b.aof".as_bytes()), "/données/a b.aof");
        assert_eq!(shown(b"a\x1b[31m\r\n\xff"), r"a\u{1b}[31m\r\n\xff");
        assert_eq!(shown("foa.\u{202e}gpj".as_bytes()), r"foa.\u{202e}gpj");
    }

    #[test]
    fn nothing_that_steers_a_terminal_gets_through() {
        assert_eq!(Shown(b"a\x1b[2Jb\r\n\xff").to_string(), r#""a\x1b[2Jb\r\n\xff""#);
        assert_eq!(Shown(&[b'x'; 60]).to_string(), format!("\"{}..\" (60 bytes)", "x".repeat(48)));
        assert_eq!(ShownByte(0).to_string(), "0x00");
        assert_eq!(ShownByte(b'P').to_string(), "`P` (0x50)");
    }
}
