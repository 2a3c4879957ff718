//! Text of a log as HTML: the only place at which anything from outside becomes markup.

use std::fmt::{self, Write};

use crate::base::escape::steers;

/// The number of characters of a name that are shown before it is truncated.
const SHOWN_CHARACTERS: usize = 64;

/// Text as HTML, for the content of an element and for an attribute in double quotes. Characters that a browser does not
/// show, or by which text changes its direction, are escaped as on a terminal: `\u{202e}`.
pub(super) struct Html<'a>(pub(super) &'a str);

impl fmt::Display for Html<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            match c {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                _ if steers(c) => write!(f, "{}", c.escape_default())?,
                _ => f.write_char(c)?,
            }
        }
        Ok(())
    }
}

/// Returns a name as text, not yet as HTML: UTF-8 as it is and other bytes as `\xff`, truncated if it is long. An empty
/// name is `""`.
pub(super) fn shown(name: &[u8]) -> String {
    if name.is_empty() {
        return "\"\"".to_owned();
    }
    let mut text = String::new();
    let mut characters = 0;
    for chunk in name.utf8_chunks() {
        for c in chunk.valid().chars() {
            if characters == SHOWN_CHARACTERS {
                return truncated(text, name);
            }
            characters += 1;
            if steers(c) { text.extend(c.escape_default()) } else { text.push(c) }
        }
        for byte in chunk.invalid() {
            if characters == SHOWN_CHARACTERS {
                return truncated(text, name);
            }
            characters += 1;
            let _ = write!(text, "\\x{byte:02x}");
        }
    }
    text
}

fn truncated(start: String, name: &[u8]) -> String {
    format!("{start}.. ({} bytes)", name.len())
}

/// Returns a name as HTML, in an element that keeps its direction to itself.
pub(super) fn name(name: &[u8]) -> String {
    format!("<bdi class=\"name\">{}</bdi>", Html(&shown(name)))
}
