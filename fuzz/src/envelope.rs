//! Compressed RDBs: decompressed and read.

use aofkit::base::progress::Silent;
use aofkit::rdb::Ignore;
use aofkit::rdb::envelope::{Envelope, unwrap};

/// The most that is decompressed of an input, in bytes.
const LIMIT: u64 = 1 << 20;

/// Arbitrary bytes are decompressed without a panic, up to the limit, and no place is outside of the input. The content is
/// read as an RDB, and never as a whole one if the envelope is broken.
pub fn envelope(bytes: &[u8]) {
    let Some(envelope) = Envelope::read(bytes) else { return };
    let Ok(codec) = envelope.codec() else {
        assert!(!envelope.as_damage().to_string().is_empty());
        return;
    };
    let mut content = Vec::new();
    let Ok(unwrapped) = unwrap(bytes, codec, LIMIT, &mut content) else { return };
    assert!(unwrapped.content <= LIMIT && unwrapped.content == content.len() as u64);
    assert!(unwrapped.stored <= bytes.len() as u64);
    let read = unwrapped.read(&content, &mut Ignore, &Silent);
    if let Some(fault) = &unwrapped.fault {
        assert!(fault.offset <= bytes.len() as u64 && !unwrapped.checked && read.is_err());
    }
}
