//! Commands whose effect is not recorded in the log: scripts that are logged verbatim, and names that no known server
//! has.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::aof::Frame;
use crate::command::lookup;

/// The maximum number of names that are counted separately.
const NAMES_KEPT: usize = 64;

/// The maximum number of bytes of a name that are retained.
const NAME_BYTES_KEPT: usize = 64;

/// A command whose effect is unknown to this version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UnknownCommand {
    /// The name in upper case, escaped for display.
    pub name: String,
    /// Whether it runs a script or a function. Otherwise no known server has it.
    pub script: bool,
    /// The number of occurrences in the log.
    pub count: u64,
    /// The file name of the part that contains the first occurrence.
    pub part: String,
    /// The byte offset at which the first occurrence begins in that part.
    pub offset: u64,
}

/// The unknown commands in a segment of a part, by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Unknowns {
    names: BTreeMap<Vec<u8>, (u64, u64)>,
    /// Occurrences of names beyond the retained ones.
    more: Option<(u64, u64)>,
}

impl Unknowns {
    #[cold]
    pub(crate) fn note(&mut self, frame: &Frame<'_>) {
        let name = frame.name();
        let name = name[..name.len().min(NAME_BYTES_KEPT)].to_ascii_uppercase();
        self.add(name, (1, frame.offset()));
    }

    fn add(&mut self, name: Vec<u8>, (count, first): (u64, u64)) {
        let is_new = !self.names.contains_key(&name);
        let seen = if is_new && self.names.len() >= NAMES_KEPT {
            self.more.get_or_insert((0, first))
        } else {
            self.names.entry(name).or_insert((0, first))
        };
        seen.0 += count;
    }

    pub(crate) fn join(&mut self, later: Unknowns) {
        later.names.into_iter().for_each(|(name, seen)| self.add(name, seen));
        if let Some((count, first)) = later.more {
            self.more.get_or_insert((0, first)).0 += count;
        }
    }

    /// Adds the commands of a part to those of the parts before it.
    pub(crate) fn report(self, part: &str, all: &mut Vec<UnknownCommand>) {
        let is_script = |name: &[u8]| lookup(name).is_some();
        let names = self.names.into_iter().map(|(name, seen)| {
            let script = is_script(&name);
            (name.escape_ascii().to_string(), script, seen)
        });
        let more = self.more.map(|seen| ("others".to_owned(), false, seen));
        for (name, script, (count, offset)) in names.chain(more) {
            match all.iter_mut().find(|known| known.name == name) {
                Some(known) => known.count += count,
                None => {
                    all.push(UnknownCommand { name, script, count, part: part.to_owned(), offset });
                }
            }
        }
    }
}

/// Returns whether a command that no known server has may be a renamed FLUSHALL or FLUSHDB: it has no argument, or one
/// that these accept, and its name is one that a configuration file can assign.
pub(crate) fn may_be_flush(frame: &Frame<'_>) -> bool {
    if frame.name().is_empty() || !frame.name().iter().all(u8::is_ascii_graphic) {
        return false;
    }
    match frame.argc() {
        1 => true,
        2 => frame.args().nth(1).is_some_and(|word| {
            word.eq_ignore_ascii_case(b"ASYNC") || word.eq_ignore_ascii_case(b"SYNC")
        }),
        _ => false,
    }
}
