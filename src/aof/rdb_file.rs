//! Bytes after the end of an RDB file.
//!
//! A server that loads a file as an RDB stops at its end, and ignores what follows. A server that loads it as an
//! append-only file, or as the base of a set, reads commands there. Which of the two it is, the content does not say if
//! no command follows; the name does. *Observed* on Redis 5.0 to 8.2 and Valkey 9.1.

/// Returns the end of what a server reads of the file `name` that begins with an RDB of `rdb_len` bytes.
pub(crate) fn read_end(name: &[u8], bytes: &[u8], rdb_len: usize) -> usize {
    let after = bytes.get(rdb_len..).unwrap_or_default();
    if after.is_empty() || !is_rdb_name(name) || begins_as_commands(after) {
        return bytes.len();
    }
    rdb_len
}

/// Returns whether a file is named as a server's `dbfilename` is, with or without an ending of a copy, and not as a log.
fn is_rdb_name(name: &[u8]) -> bool {
    let name = name.to_ascii_lowercase();
    let has = |part: &[u8]| memchr::memmem::find(&name, part).is_some();
    has(b".rdb") && !has(b".aof")
}

fn begins_as_commands(bytes: &[u8]) -> bool {
    matches!(bytes, [b'*', b'0'..=b'9', ..] | [b'*']) || bytes.starts_with(b"#TS:")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_rdb_by_name_ends_before_what_is_no_command() {
        let ends =
            |name: &str, after: &[u8]| read_end(name.as_bytes(), &[b"RDB", after].concat(), 3);
        for name in ["dump.rdb", "DUMP.RDB", "dump.rdb.bak", "dump.rdb-1"] {
            assert_eq!(ends(name, b"\0\0"), 3, "{name}");
            assert_eq!(ends(name, b"REDIS0009"), 3, "{name}");
            assert_eq!(ends(name, b""), 3, "{name}");
            assert_eq!(ends(name, b"*1\r\n$4\r\nPING\r\n"), 17, "{name}");
            assert_eq!(ends(name, b"*"), 4, "{name}");
            assert_eq!(ends(name, b"#TS:1\r\n"), 10, "{name}");
        }
        for name in ["appendonly.aof", "appendonly.aof.1.base.rdb", "dump", ""] {
            assert_eq!(ends(name, b"\0\0"), 5, "{name}");
        }
    }
}
