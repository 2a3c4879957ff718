//! Files that people point at by mistake: packed or encrypted logs, and a server's configuration.
//!
//! Only what is certain is named here. Any other bytes may be a damaged log, and what is damaged is
//! for the scan to say.

/// What a file is that begins like nothing that is read here, and what to do with it.
pub(crate) fn foreign(bytes: &[u8]) -> Option<(&'static str, &'static str)> {
    const MAGIC: &[(&[u8], &str, &str)] = &[
        (
            b"\x1f\x8b\x08",
            "a gzip file",
            "decompress it: `aofkit repair FILE --output NEW`, which repairs what is in it too; or, if a tar archive is in it, tar -xf FILE",
        ),
        (b"PK\x03\x04", "a zip archive", "extract it first: aofkit extract FILE --output DIR"),
        (b"PK\x05\x06", "an empty zip archive", "there is nothing in it to read"),
        (
            b"\x28\xb5\x2f\xfd",
            "a Zstandard file",
            "decompress it: `aofkit repair FILE --output NEW`, which repairs what is in it too; or, if a tar archive is in it, tar -xf FILE",
        ),
        (b"\xfd7zXZ\0", "an xz file", "decompress it first: xz -dc FILE > NEW"),
        (b"BZh", "a bzip2 file", "decompress it first: bzip2 -dc FILE > NEW"),
        (b"\x04\x22\x4d\x18", "an LZ4 file", "decompress it first: lz4 -dc FILE > NEW"),
        (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive", "extract it first: 7z x FILE"),
        (
            b"age-encryption.org/",
            "a file encrypted with age",
            "decrypt it first: age -d -o NEW FILE",
        ),
        (
            b"-----BEGIN PGP MESSAGE",
            "a file encrypted with PGP",
            "decrypt it first: gpg -o NEW -d FILE",
        ),
    ];
    if let Some((_, what, help)) = MAGIC.iter().find(|(magic, ..)| bytes.starts_with(magic)) {
        return Some((what, help));
    }
    if bytes.get(257..262) == Some(b"ustar") {
        return Some(("a tar archive", "extract it first: tar -xf FILE"));
    }
    if is_base64(bytes) {
        return Some(("a log or an RDB in base64", "decode it first: base64 -d FILE > NEW"));
    }
    if is_hex_dump(bytes) {
        return Some((
            "a hex dump of a log or an RDB",
            "make bytes of it first: xxd -r FILE > NEW",
        ));
    }
    is_configuration(bytes).then_some((
        "a server's configuration file",
        "give the directory that its `dir` names, or the append-only file in it",
    ))
}

/// Whether this begins as the base64 of `REDIS`, `VALKEY`, or a command.
fn is_base64(bytes: &[u8]) -> bool {
    const DIGITS: usize = 40;
    let is_digit = |byte: &u8| byte.is_ascii_alphanumeric() || b"+/=\r\n".contains(byte);
    let Some(head) = bytes.get(..DIGITS).filter(|head| head.iter().all(is_digit)) else {
        return false;
    };
    // `*`, a digit, CR; LF, `$`.
    let is_command = matches!(head, [b'K', b'j', _, b'N', b'C', b'i', ..]);
    is_command || head.starts_with(b"UkVESVMw") || head.starts_with(b"VkFMS0VZ")
}

/// Whether this begins as `xxd` prints `REDIS`, `VALKEY`, or a command.
fn is_hex_dump(bytes: &[u8]) -> bool {
    let Some(line) = bytes.strip_prefix(b"00000000: ") else { return false };
    let is_command = matches!(line, [b'2', b'a', b'3', b'0'..=b'9', b' ', b'0', b'd', ..]);
    is_command || line.starts_with(b"5245 4449 53") || line.starts_with(b"5641 4c4b 45")
}

/// Whether the first line that is neither blank nor a comment is a directive of a server.
fn is_configuration(bytes: &[u8]) -> bool {
    // The templates that servers come with have some kilobytes of comments first.
    const LOOK_AT_BYTES: usize = 64 * 1024;
    const DIRECTIVES: &[&str] = &[
        "appenddirname",
        "appendfilename",
        "appendfsync",
        "appendonly",
        "bind",
        "daemonize",
        "databases",
        "dbfilename",
        "dir",
        "include",
        "loadmodule",
        "logfile",
        "loglevel",
        "maxmemory",
        "pidfile",
        "port",
        "protected-mode",
        "replicaof",
        "requirepass",
        "save",
        "supervised",
        "tcp-backlog",
        "tcp-keepalive",
        "timeout",
        "tls-port",
        "unixsocket",
    ];
    let head = bytes.get(..LOOK_AT_BYTES).unwrap_or(bytes);
    let mut lines = head.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii);
    let Some(line) = lines.find(|line| !line.is_empty() && !line.starts_with(b"#")) else {
        return false;
    };
    let mut words = line.split(|byte| byte.is_ascii_whitespace());
    let first = words.next().unwrap_or_default();
    words.next().is_some()
        && DIRECTIVES.iter().any(|directive| first.eq_ignore_ascii_case(directive.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logs_however_damaged_are_not_foreign() {
        let logs: &[&[u8]] = &[
            b"",
            b"*1\r\n$4\r\nPING\r\n",
            b"#TS:1700000000\r\n*1\r\n",
            b"REDIS0011",
            b"\0\0\0\0",
            b"save",
            b"SET key value\r\n",
            b"\x1f\x8b",
            b"PK",
            b"# Redis configuration file example.\n",
        ];
        for log in logs {
            assert_eq!(foreign(log), None, "{log:?}");
        }
    }

    #[test]
    fn a_log_in_digits_is_known() {
        // base64(1) and xxd(1).
        for (text, what) in [
            ("KjIKCiQ2DQpTRUxFQ1QNCiQxDQowDQoqMw0KJDMNClNFVA0K", None),
            ("KjINCiQ2DQpTRUxFQ1QNCiQxDQowDQoqMw0KJDMNClNFVA0K", Some("base64")),
            ("UkVESVMwMDA5+glyZWRpcy12ZXIFNi4yLjX6CnJlZGlzLWJp", Some("base64")),
            ("00000000: 2a32 0d0a 2436 0d0a 5345 4c45 4354 0d0a  *2..$6..SELECT..", Some("hex")),
            ("00000000: 5245 4449 5330 3030 39fa 0972 6564 6973  REDIS0009..redis", Some("hex")),
            ("00000000: 7f45 4c46 0201 0100 0000 0000 0000 0000  .ELF............", None),
        ] {
            let found = foreign(text.as_bytes()).map(|it| it.0);
            assert_eq!(found.is_some(), what.is_some(), "{text}: {found:?}");
            assert!(found.zip(what).is_none_or(|(found, what)| found.contains(what)), "{text}");
        }
    }

    #[test]
    fn a_configuration_is_known_by_its_first_directive() {
        for text in ["port 6379\n", "\n# a\r\n  AppendOnly yes\r\n", "include /etc/redis.conf"] {
            assert!(foreign(text.as_bytes()).is_some(), "{text:?}");
        }
    }
}
