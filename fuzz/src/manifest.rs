//! Manifests: read, written, read again.

use aofkit::aof::manifest::{Entry, LINE_BYTES, Manifest, Role, looks_like_manifest, parse};

/// The longest name that file systems allow.
const NAME_BYTES: usize = 255;

/// Any bytes are taken calmly. What is read comes back from what is written, in the order of writing,
/// but for unknown keys that do not fit into a line.
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
        // Nothing but comments, which are not written, or the name of a file that cannot be.
        return;
    }
    let written = read.to_bytes();
    let again = match parse(&written) {
        Ok(again) => again,
        Err(error) => panic!("what was written is refused: {error}"),
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

/// The entries in the order of [`Manifest::to_bytes`], on the lines that they get there.
fn in_write_order(read: &Manifest) -> Vec<Entry> {
    let roles = [Role::Base, Role::History, Role::Incr].into_iter();
    let entries = roles.flat_map(|role| read.with_role(role)).cloned();
    entries.zip(1..).map(|(entry, line)| Entry { line, ..entry }).collect()
}

/// The length of the entry's line if each byte of each word took two, and offsets all their digits.
fn longest_line(entry: &Entry) -> usize {
    const REST: usize = "file  seq  type b startoffset  endoffset \n".len() + 3 * 20;
    let words = entry.extra.iter().flat_map(|(key, value)| [key, value]).chain([&entry.name]);
    REST + words.map(|word| " \"\"".len() + 2 * word.len()).sum::<usize>()
}
