//! Manifests: parsed, written, and parsed again.

use aofkit::aof::manifest::{Entry, LINE_BYTES, Manifest, Role, looks_like_manifest, parse};

/// The maximum length of a file name.
const NAME_BYTES: usize = 255;

/// Arbitrary bytes are parsed without a panic. A written manifest is parsed to the same entries, in the order of writing,
/// except for unknown keys that do not fit into a line.
pub fn manifest(bytes: &[u8]) {
    let _ = looks_like_manifest(bytes);
    let read = match parse(bytes) {
        Ok(read) => read,
        Err(error) => {
            assert!(error.offset <= bytes.len() as u64, "{error}");
            assert!(error.line >= 1 && !error.message().is_empty());
            return;
        }
    };
    if read.entries.is_empty() || read.entries.iter().any(|entry| entry.name.len() > NAME_BYTES) {
        // Only comments, which are not written, or a file name that cannot exist.
        return;
    }
    let written = read.to_bytes();
    let again = match parse(&written) {
        Ok(again) => again,
        Err(error) => panic!("the written manifest is refused: {error}"),
    };
    let mut expected = in_write_order(&read);
    for (entry, again) in expected.iter_mut().zip(&again.entries) {
        if again.extra.is_empty() && !entry.extra.is_empty() {
            assert!(longest_line(entry) > LINE_BYTES, "dropped although it fits: {entry:?}");
            entry.extra.clear();
        }
    }
    assert_eq!(again.entries, expected);
}

/// Returns the entries in the order of [`Manifest::to_bytes`], with the line numbers of the written manifest.
fn in_write_order(read: &Manifest) -> Vec<Entry> {
    let roles = [Role::Base, Role::History, Role::Incr].into_iter();
    let entries = roles.flat_map(|role| read.with_role(role)).cloned();
    entries.zip(1..).map(|(entry, line)| Entry { line, ..entry }).collect()
}

/// Returns the maximum length of the entry's line: with every byte of a token escaped as two, and offsets of 20 digits.
fn longest_line(entry: &Entry) -> usize {
    const REST: usize = "file  seq  type b startoffset  endoffset \n".len() + 3 * 20;
    let tokens = entry.extra.iter().flat_map(|(key, value)| [key, value]).chain([&entry.name]);
    REST + tokens.map(|token| " \"\"".len() + 2 * token.len()).sum::<usize>()
}
