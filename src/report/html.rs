//! What the HTML reports share: text as markup, and the hash by which a page allows its own style and script.

use std::fmt::{self, Display, Write};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use sha2::{Digest as _, Sha256};

use crate::base::escape::steers;

/// A value as HTML, for the content of an element and for an attribute in quotes: the only place at which anything from
/// outside becomes markup. Characters that a browser does not show, or by which text changes its direction, are escaped as on
/// a terminal: `\u{202e}`.
pub(super) struct Html<T>(pub(super) T);

impl<T: Display> Display for Html<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(Escaping(f), "{}", self.0)
    }
}

/// Escapes what is written to it.
struct Escaping<'f, 'a>(&'f mut fmt::Formatter<'a>);

impl Write for Escaping<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for c in text.chars() {
            match c {
                '&' => self.0.write_str("&amp;")?,
                '<' => self.0.write_str("&lt;")?,
                '>' => self.0.write_str("&gt;")?,
                '"' => self.0.write_str("&quot;")?,
                '\'' => self.0.write_str("&#39;")?,
                _ if steers(c) => write!(self.0, "{}", c.escape_default())?,
                _ => self.0.write_char(c)?,
            }
        }
        Ok(())
    }
}

/// Returns the source of a script or style as a Content-Security-Policy names it.
pub(super) fn source_hash(source: &str) -> String {
    format!("sha256-{}", BASE64_STANDARD.encode(Sha256::digest(source)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_and_control_characters_are_escaped() {
        let text = Html("<b onclick=\"x('&')\">\u{1b}[2J\n\u{202e}").to_string();
        assert_eq!(text, "&lt;b onclick=&quot;x(&#39;&amp;&#39;)&quot;&gt;\\u{1b}[2J\\n\\u{202e}");
    }
}
