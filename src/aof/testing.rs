//! Generators of logs for tests.

use proptest::prelude::*;
use proptest::sample::Index;

/// Builds a command in the form in which servers write it.
pub(crate) fn frame(args: &[Vec<u8>]) -> Vec<u8> {
    let mut out = format!("*{}\r\n", args.len()).into_bytes();
    for arg in args {
        out.extend(format!("${}\r\n", arg.len()).into_bytes());
        out.extend(arg);
        out.extend(b"\r\n");
    }
    out
}

/// Generates such logs with a few bytes changed, truncated at any position.
pub(crate) fn damaged(log: impl Strategy<Value = Vec<u8>>) -> impl Strategy<Value = Vec<u8>> {
    let flips = proptest::collection::vec((any::<Index>(), any::<u8>()), 1..4);
    (log, flips, any::<Index>()).prop_map(|(mut bytes, flips, cut)| {
        if !bytes.is_empty() {
            for (place, byte) in flips {
                let place = place.index(bytes.len());
                bytes[place] = byte;
            }
            bytes.truncate(cut.index(bytes.len() + 1));
        }
        bytes
    })
}
