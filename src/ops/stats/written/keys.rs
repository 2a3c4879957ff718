//! The bytes of a command that belong to each of its keys.
//!
//! The bytes from a key to the next one belong to it, and those before the first key to the first. So the values of MSET
//! count for their keys, and the bytes of all keys add up to the bytes of the command.

use crate::aof::Frame;
use crate::command::{CommandId, Keys};
use crate::replay::KeySpecs;

/// Calls `each` with every key of a command and the number of bytes that belong to it. Returns false if it has no key.
#[inline]
pub(in crate::ops::stats) fn each_key<'a>(
    frame: &Frame<'a>,
    id: Option<CommandId>,
    key_specs: &KeySpecs,
    mut each: impl FnMut(&'a [u8], u64),
) -> bool {
    let bytes = frame.bytes().len() as u64;
    match id.map(|id| id.row()) {
        Some(row) if row.subcommands.is_empty() && matches!(row.keys, Keys::None) => false,
        Some(row) if row.subcommands.is_empty() && is_first_argument(row.keys) => {
            let Some(key) = frame.first_argument() else { return false };
            each(key, bytes);
            true
        }
        Some(row) => {
            let args: Vec<&[u8]> = frame.args().collect();
            let mut places = Vec::new();
            // What was found of a malformed command is enough here: its bytes are counted either way.
            let _ = row.visit_keys(args.len(), |at| args[at], |at| places.push(at));
            places.sort_unstable();
            share(frame, &args, &places, each)
        }
        None => {
            let args: Vec<&[u8]> = frame.args().collect();
            let place = key_specs.key_of(frame.name());
            if key_specs.0.is_empty() || place == 0 || place >= args.len() {
                return false;
            }
            share(frame, &args, &[place], each)
        }
    }
}

fn is_first_argument(keys: Keys) -> bool {
    matches!(keys, Keys::Range { first: 1, last: 1, .. })
}

fn share<'a>(
    frame: &Frame<'a>,
    args: &[&'a [u8]],
    places: &[usize],
    mut each: impl FnMut(&'a [u8], u64),
) -> bool {
    let start = frame.bytes().as_ptr() as usize;
    let mut keys = places.iter().filter_map(|at| args.get(*at)).peekable();
    let mut from = 0;
    let has_keys = keys.peek().is_some();
    while let Some(key) = keys.next() {
        // The argument before the next key ends two bytes before its header; the length of that header does not matter.
        let end = match keys.peek() {
            Some(next) => (next.as_ptr() as usize).saturating_sub(start).max(from),
            None => frame.bytes().len(),
        };
        each(key, (end - from) as u64);
        from = end;
    }
    has_keys
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::lookup;

    fn shares(log: &str) -> Vec<(String, u64)> {
        let frame = Frame::read(0, log.as_bytes()).unwrap();
        let mut shares = Vec::new();
        each_key(&frame, lookup(frame.name()), &KeySpecs::default(), |key, bytes| {
            shares.push((String::from_utf8_lossy(key).into_owned(), bytes));
        });
        shares
    }

    #[test]
    fn the_bytes_of_all_keys_are_those_of_the_command() {
        let set = "*3\r\n$3\r\nSET\r\n$1\r\na\r\n$2\r\nxy\r\n";
        assert_eq!(shares(set), [("a".to_owned(), 28)]);
        let mset = "*5\r\n$4\r\nMSET\r\n$1\r\na\r\n$2\r\nxy\r\n$1\r\nb\r\n$0\r\n\r\n";
        // The header of a key counts for the key before it.
        assert_eq!(shares(mset), [("a".to_owned(), 33), ("b".to_owned(), 9)]);
        assert_eq!(mset.len(), 42);
        assert_eq!(shares("*1\r\n$8\r\nFLUSHALL\r\n"), []);
        let group = "*5\r\n$6\r\nXGROUP\r\n$6\r\nCREATE\r\n$1\r\ns\r\n$1\r\ng\r\n$1\r\n$\r\n";
        assert_eq!(shares(group), [("s".to_owned(), group.len() as u64)]);
    }
}
