//! Ids of entries, and the command that creates a stream without entries.

use crate::keyspace::stream::StreamId;
use crate::rewrite::commands::out::Out;

/// Maximum length of an id as text: two numbers of 20 digits.
const ID_BYTES: usize = 41;

/// Writes an entry that is trimmed immediately, which leaves an empty stream.
pub(super) fn write_empty(out: &mut Out, key: &[u8]) {
    out.command(b"XADD", 6);
    out.bulk(key);
    for arg in [&b"MAXLEN"[..], b"0", b"0-1", b"x", b"y"] {
        out.bulk(arg);
    }
}

pub(super) fn write_id(out: &mut Out, id: StreamId) {
    let mut text = [0; ID_BYTES];
    let mut len = 0;
    let mut digits = itoa::Buffer::new();
    let mut put = |bytes: &[u8]| {
        text[len..len + bytes.len()].copy_from_slice(bytes);
        len += bytes.len();
    };
    put(digits.format(id.ms).as_bytes());
    put(b"-");
    put(digits.format(id.seq).as_bytes());
    out.bulk(&text[..len]);
}
