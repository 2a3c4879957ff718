//! Patterns of key names: the names of keys in which identifiers are replaced by a wildcard.
//!
//! `user:1001:cart` and `user:7:cart` have the pattern `user:*:cart`. A component is taken for an identifier if digits
//! are at least half of it, or if it is long and has any; `v` and a number is not. Names are compared by their patterns,
//! so that the number of distinct ones is small in most logs.

use super::report::PrefixKind;

/// The separators between the components of names, if none are given.
pub(crate) const SEPARATORS: &[u8] = b":/|.";

/// The number of components that are distinguished. The rest of a name counts as one.
const DEPTH: usize = 8;
/// A component that is longer is taken for an identifier.
const LONGEST: usize = 64;
/// A component of at least this length is taken for an identifier if it contains a digit.
const LONG: usize = 8;

/// Makes patterns of names.
#[derive(Debug, Clone)]
pub(super) struct Patterns {
    classes: [u8; 256],
}

/// The classes of bytes, of which that of digits is added up.
const OTHER: u8 = 0;
const DIGIT: u8 = 1;
const SEPARATOR: u8 = 2;

/// A component of a pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Component<'p> {
    pub(super) kind: PrefixKind,
    /// The literal text and the separator after it; for a wildcard, the separator alone.
    pub(super) text: &'p [u8],
}

// In an encoded pattern, each component is its kind, the length of its text, and the text.
const LITERAL: u8 = 0;
const WILDCARD: u8 = 1;
const OTHERS: u8 = 2;

/// The encoded pattern of commands without a key.
pub(super) const KEYLESS: &[u8] = &[3, 0];

impl Patterns {
    pub(super) fn new(separators: &[u8]) -> Patterns {
        let mut classes = [OTHER; 256];
        classes[usize::from(b'0')..=usize::from(b'9')].fill(DIGIT);
        for byte in separators {
            classes[usize::from(*byte)] = SEPARATOR;
        }
        Patterns { classes }
    }

    /// Replaces the content of `out` with the encoded pattern of a name.
    #[inline]
    pub(super) fn encode(&self, name: &[u8], out: &mut Vec<u8>) {
        out.clear();
        let mut rest = name;
        for depth in 1..=DEPTH {
            let mut digits = 0;
            let mut end = rest.len();
            for (at, byte) in rest.iter().enumerate() {
                let class = self.classes[usize::from(*byte)];
                if class == SEPARATOR {
                    end = at;
                    break;
                }
                digits += usize::from(class);
            }
            if depth == DEPTH {
                end = rest.len();
            }
            let (component, after) = rest.split_at(end);
            let with_separator = (end + 1).min(rest.len());
            if is_identifier(component, digits) || depth == DEPTH {
                push(out, WILDCARD, &rest[end..with_separator]);
            } else {
                push(out, LITERAL, &rest[..with_separator]);
            }
            if after.is_empty() {
                return;
            }
            rest = &rest[with_separator..];
            if rest.is_empty() {
                // The name ends with a separator.
                return;
            }
        }
    }
}

impl Patterns {
    /// Returns what is before the number at the end of a name with this encoded pattern, if all names that begin with it and
    /// end with another number have the same pattern.
    pub(super) fn before_number<'n>(&self, name: &'n [u8], encoded: &[u8]) -> Option<&'n [u8]> {
        let digits = name.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
        let before = &name[..name.len() - digits];
        let mut literals = 0;
        let mut components = components(encoded).peekable();
        while let Some(component) = components.next_if(|it| it.kind == PrefixKind::Literal) {
            literals += component.text.len();
        }
        let last = components.next()?;
        let is_number = last.kind == PrefixKind::Wildcard && last.text.is_empty();
        let has_digits = (b'0'..=b'9').all(|digit| self.classes[usize::from(digit)] == DIGIT);
        let is_last = components.next().is_none();
        (digits > 0 && is_number && is_last && has_digits && literals == before.len())
            .then_some(before)
    }
}

fn is_identifier(component: &[u8], digits: usize) -> bool {
    let is_version = digits + 1 == component.len() && component[0].eq_ignore_ascii_case(&b'v');
    let is_long = component.len() >= LONG && digits > 0;
    component.len() > LONGEST
        || (digits > 0 && (digits * 2 >= component.len() || is_long) && !is_version)
}

fn push(out: &mut Vec<u8>, kind: u8, text: &[u8]) {
    // A component and its separator are at most LONGEST + 1 bytes.
    out.push(kind);
    out.push(u8::try_from(text.len()).unwrap_or(u8::MAX));
    out.extend_from_slice(text);
}

/// Returns the pattern that represents all below the first component of a pattern.
pub(super) fn others_below_first(pattern: &[u8]) -> Vec<u8> {
    let mut others = match components(pattern).next() {
        Some(first) => pattern[..2 + first.text.len()].to_vec(),
        None => Vec::new(),
    };
    push(&mut others, OTHERS, b"");
    others
}

/// Returns the pattern that represents all names.
pub(super) fn others() -> Vec<u8> {
    let mut others = Vec::new();
    push(&mut others, OTHERS, b"");
    others
}

/// Returns the components of an encoded pattern.
pub(super) fn components(pattern: &[u8]) -> impl Iterator<Item = Component<'_>> {
    let mut rest = pattern;
    std::iter::from_fn(move || {
        let ([kind, len], after) = rest.split_first_chunk()?;
        let (text, after) = after.split_at_checked(usize::from(*len))?;
        rest = after;
        let kind = match *kind {
            LITERAL => PrefixKind::Literal,
            WILDCARD => PrefixKind::Wildcard,
            OTHERS => PrefixKind::Others,
            _ => PrefixKind::Keyless,
        };
        Some(Component { kind, text })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(name: &str) -> String {
        let mut encoded = Vec::new();
        Patterns::new(SEPARATORS).encode(name.as_bytes(), &mut encoded);
        let shown = components(&encoded).map(|component| {
            let text = String::from_utf8_lossy(component.text).into_owned();
            match component.kind {
                PrefixKind::Wildcard => format!("*{text}"),
                _ => text,
            }
        });
        shown.collect()
    }

    #[test]
    fn identifiers_are_wildcards() {
        for (name, expected) in [
            ("user:1001:cart", "user:*:cart"),
            ("user:1001", "user:*"),
            ("config", "config"),
            ("", ""),
            ("a::b", "a::b"),
            ("a:", "a:"),
            (":a", ":a"),
            ("session:550e8400-e29b-41d4-a716-446655440000", "session:*"),
            ("v1:user:7", "v1:user:*"),
            ("http2", "http2"),
            ("key:000123", "key:*"),
            ("key000123", "*"),
            ("2024-01-02/visits", "*/visits"),
            ("1:2:3:4:5:6:7:8:9:a", "*:*:*:*:*:*:*:*"),
        ] {
            assert_eq!(pattern(name), expected, "{name}");
        }
        assert_eq!(pattern(&"x".repeat(65)), "*");
        assert_eq!(pattern(&"x".repeat(64)), "x".repeat(64));
    }
}
