//! The prefixes that many keys have in common.

use serde::Serialize;

/// The maximum number of bytes of a prefix.
const LONGEST: usize = 64;

/// The bytes that end the first component of a name.
const SEPARATORS: [u8; 4] = *b":./|";

/// The number of keys with a common prefix.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct KeyPrefix {
    /// The prefix and `*`, escaped for display.
    pub(crate) pattern: String,
    /// The number of keys.
    pub(crate) keys: u64,
}

impl KeyPrefix {
    pub(super) fn new(prefix: &[u8], keys: u64) -> Self {
        KeyPrefix { pattern: format!("{}*", prefix.escape_ascii()), keys }
    }
}

/// Returns the first component of a key, or what is before its first digit.
pub(super) fn prefix(key: &[u8]) -> &[u8] {
    let key = &key[..key.len().min(LONGEST)];
    match key.iter().position(|byte| SEPARATORS.contains(byte)) {
        Some(at) => &key[..=at],
        None => &key[..key.iter().position(u8::is_ascii_digit).unwrap_or(key.len())],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_ends_at_a_separator_or_before_a_digit() {
        let pattern = |key: &str| KeyPrefix::new(prefix(key.as_bytes()), 1).pattern;
        assert_eq!(pattern("user:17"), "user:*");
        assert_eq!(pattern("user17"), "user*");
        assert_eq!(pattern("17"), "*");
        assert_eq!(pattern("plain"), "plain*");
        assert_eq!(pattern("\n:1"), "\\n:*");
    }
}
