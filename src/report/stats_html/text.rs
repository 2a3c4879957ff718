//! Names of a log as text and as HTML.

use std::fmt::Write;

use crate::base::escape::steers;
use crate::report::html::Html;

/// The number of characters of a name that are shown before it is truncated.
const SHOWN_CHARACTERS: usize = 64;

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
