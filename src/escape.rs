//! Bytes from outside, shown to people.
//!
//! Keys, values and names are hostile: they can hold control characters that steer a terminal, or be
//! a gigabyte long. Everything that shows them goes through [`Shown`].

use std::fmt;

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_steers_a_terminal_gets_through() {
        assert_eq!(Shown(b"a\x1b[2Jb\r\n\xff").to_string(), r#""a\x1b[2Jb\r\n\xff""#);
        assert_eq!(Shown(&[b'x'; 60]).to_string(), format!("\"{}..\" (60 bytes)", "x".repeat(48)));
        assert_eq!(ShownByte(0).to_string(), "0x00");
        assert_eq!(ShownByte(b'P').to_string(), "`P` (0x50)");
    }
}
