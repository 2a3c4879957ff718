//! The styles that all reports share.

use std::fmt;

use anstyle::{AnsiColor, Style};
use unicode_width::UnicodeWidthStr;

/// The style for damage, refusals and losses.
pub const ERROR: Style = AnsiColor::Red.on_default().bold();
/// The style for warnings.
pub const WARNING: Style = AnsiColor::Yellow.on_default().bold();
/// The style for success.
pub const GOOD: Style = AnsiColor::Green.on_default().bold();
/// The style for notes and labels.
pub const QUIET: Style = AnsiColor::Cyan.on_default();
/// The style for headings and commands.
pub const STRONG: Style = Style::new().bold();

/// A value displayed in a style.
pub struct Styled<T>(pub Style, pub T);

impl<T: fmt::Display> fmt::Display for Styled<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        self.1.fmt(f)?;
        write!(f, "{:#}", self.0)
    }
}

/// Breaks `text` into lines of at most `width` columns at blanks; each but the first begins with `indent` blanks. A
/// word is never broken. CJK characters and emoji count as two columns, as on a terminal.
pub fn wrap(text: &str, width: usize, indent: usize) -> String {
    let mut wrapped = String::new();
    let mut used = 0;
    for word in text.split(' ') {
        let len = word.width();
        if used > 0 && used + 1 + len > width {
            wrapped.push('\n');
            wrapped.extend(std::iter::repeat_n(' ', indent));
            used = 0;
        } else if used > 0 {
            wrapped.push(' ');
            used += 1;
        }
        wrapped.push_str(word);
        used += len;
    }
    wrapped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_broken_by_columns_and_never_inside_a_word() {
        assert_eq!(wrap("one two three", 7, 2), "one two\n  three");
        assert_eq!(wrap("unbreakable a b", 5, 1), "unbreakable\n a b");
        // Four characters of two columns each.
        assert_eq!(
            wrap("\u{6f22}\u{5b57} \u{1f600}\u{1f600}", 8, 0),
            "\u{6f22}\u{5b57}\n\u{1f600}\u{1f600}"
        );
        assert_eq!(
            wrap("\u{6f22}\u{5b57} \u{1f600}\u{1f600}", 9, 0),
            "\u{6f22}\u{5b57} \u{1f600}\u{1f600}"
        );
    }
}
