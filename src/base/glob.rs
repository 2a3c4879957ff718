//! Patterns in the syntax of KEYS (`stringmatchlen` in `util.c`).
//!
//! `*` any bytes, `?` any byte, `[abc]` one of these, `[a-c]` one of the range, `[^abc]` none of
//! these, and `\` matches the next byte literally. Patterns match bytes, not characters, and are
//! case-sensitive.

/// A pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Glob(Vec<u8>);

impl Glob {
    /// Creates a pattern. Every text is a valid pattern.
    pub fn new(pattern: impl Into<Vec<u8>>) -> Glob {
        Glob(pattern.into())
    }

    /// Returns whether the pattern has no special characters, so that it matches one text only.
    pub(crate) fn is_literal(&self) -> bool {
        !self.0.iter().any(|byte| b"*?[\\".contains(byte))
    }

    /// Returns the only text that the pattern matches; `None` if it may match several.
    pub(crate) fn text(&self) -> Option<Vec<u8>> {
        let mut text = Vec::with_capacity(self.0.len());
        let mut bytes = self.0.iter();
        while let Some(byte) = bytes.next() {
            match byte {
                b'*' | b'?' | b'[' => return None,
                b'\\' => text.push(*bytes.next()?),
                byte => text.push(*byte),
            }
        }
        Some(text)
    }

    /// Returns whether the pattern matches the whole text.
    pub fn matches(&self, text: &[u8]) -> bool {
        let (mut pattern, mut text) = (&self.0[..], text);
        // The position for backtracking: after the last star, one byte further in the text.
        let mut again: Option<(&[u8], &[u8])> = None;
        loop {
            if let [b'*', rest @ ..] = pattern {
                again = Some((rest, text));
                pattern = rest;
                continue;
            }
            let step = match text.split_first() {
                Some((&byte, left)) => rest_after_match(pattern, byte).map(|rest| (rest, left)),
                None if pattern.is_empty() => return true,
                None => None,
            };
            match (step, again) {
                (Some((rest, left)), _) => (pattern, text) = (rest, left),
                (None, Some((behind_star, [_, left @ ..]))) => {
                    again = Some((behind_star, left));
                    (pattern, text) = (behind_star, left);
                }
                (None, _) => return false,
            }
        }
    }
}

/// Returns the pattern that matches only this text.
pub(crate) fn literal(text: &str) -> String {
    let mut pattern = String::with_capacity(text.len());
    for c in text.chars() {
        if "*?[]\\".contains(c) {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern
}

impl std::str::FromStr for Glob {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Glob::new(text))
    }
}

/// Returns the rest of the pattern if its first element matches this byte.
fn rest_after_match(pattern: &[u8], byte: u8) -> Option<&[u8]> {
    match pattern {
        [] => None,
        [b'?', rest @ ..] => Some(rest),
        [b'[', rest @ ..] => class(rest, byte),
        [b'\\', literal, rest @ ..] => (*literal == byte).then_some(rest),
        [literal, rest @ ..] => (*literal == byte).then_some(rest),
    }
}

/// Like [`rest_after_match`], after a `[`. A class that is not closed extends to the end.
fn class(mut pattern: &[u8], byte: u8) -> Option<&[u8]> {
    let negated = pattern.first() == Some(&b'^');
    if negated {
        pattern = &pattern[1..];
    }
    let mut found = false;
    loop {
        match pattern {
            [b'\\', literal, rest @ ..] => {
                found |= *literal == byte;
                pattern = rest;
            }
            [b']', rest @ ..] => return (found != negated).then_some(rest),
            [] => return (found != negated).then_some(pattern),
            [rest_after_match, b'-', other, rest @ ..] => {
                found |=
                    (*rest_after_match.min(other)..=*rest_after_match.max(other)).contains(&byte);
                pattern = rest;
            }
            [literal, rest @ ..] => {
                found |= *literal == byte;
                pattern = rest;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Glob;

    #[test]
    fn patterns_match_like_keys() {
        let cases: &[(&str, &[&str], &[&str])] = &[
            ("*", &["", "a", "a*b"], &[]),
            ("", &[""], &["a"]),
            ("a*c", &["ac", "abc", "abcbc"], &["a", "abcd", "bac"]),
            ("**a", &["a", "ba"], &["", "ab"]),
            ("h?llo", &["hello", "h?llo"], &["hllo", "heello"]),
            ("h[ae]llo", &["hello", "hallo"], &["hillo"]),
            ("h[^e]llo", &["hallo"], &["hello"]),
            ("h[a-c]llo", &["hallo", "hbllo"], &["hdllo"]),
            ("h[c-a]llo", &["hallo", "hbllo"], &["hdllo"]),
            (r"h\*llo", &["h*llo"], &["hello"]),
            (r"[\]]", &["]"], &["\\", "x"]),
            ("[ab", &["a", "b"], &["c"]),
            ("user:*:x", &["user::x", "user:1:x:x"], &["user:x"]),
            ("K", &["K"], &["k"]),
        ];
        for (pattern, yes, no) in cases {
            let glob = Glob::new(*pattern);
            for text in *yes {
                assert!(glob.matches(text.as_bytes()), "{pattern} {text}");
            }
            for text in *no {
                assert!(!glob.matches(text.as_bytes()), "{pattern} {text}");
            }
        }
    }

    #[test]
    fn many_stars_cost_no_more_than_their_product() {
        let glob = Glob::new("a*".repeat(1000) + "b");
        assert!(!glob.matches("a".repeat(10_000).as_bytes()));
    }
}
