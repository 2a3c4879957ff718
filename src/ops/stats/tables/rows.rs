//! The rows of tables.

use crate::base::escape::steers;
use crate::rdb::Kind;

/// A key at the end of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::ops::stats) struct KeyRow {
    pub(in crate::ops::stats) db: u32,
    pub(in crate::ops::stats) key: Vec<u8>,
    pub(in crate::ops::stats) kind: Kind,
    pub(in crate::ops::stats) encoding: Option<&'static str>,
    pub(in crate::ops::stats) items: u64,
    pub(in crate::ops::stats) bytes: u64,
    pub(in crate::ops::stats) largest_item: u64,
    pub(in crate::ops::stats) memory_bytes: Option<u64>,
    pub(in crate::ops::stats) expires_ms: Option<i64>,
    pub(in crate::ops::stats) ttl_ms: Option<i64>,
    pub(in crate::ops::stats) slot: u16,
}

/// A command of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::ops::stats) struct CommandRow {
    pub(super) part: String,
    pub(super) offset: u64,
    pub(super) bytes: u64,
    /// Unix seconds of the last annotation before it.
    pub(super) time: Option<i64>,
    pub(super) db: u32,
    pub(super) command: String,
    pub(super) arguments: u32,
    pub(super) key: Option<Vec<u8>>,
}

/// Returns bytes as text: what is not UTF-8, and what controls a terminal, is escaped.
pub(super) fn printable(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            if steers(c) { text.extend(c.escape_default()) } else { text.push(c) }
        }
        text.extend(chunk.invalid().iter().map(|byte| format!("\\x{byte:02x}")));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::printable;

    #[test]
    fn text_is_printable_whatever_the_bytes_are() {
        assert_eq!(printable("gr\u{fc}n:1".as_bytes()), "gr\u{fc}n:1");
        assert_eq!(printable(b"a\xff\x00\x1b[2J"), "a\\xff\\u{0}\\u{1b}[2J");
    }
}
