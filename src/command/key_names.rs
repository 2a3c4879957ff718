//! The key names of a log, for the key filter of its archive.

use super::lookup::lookup_prefix;
use super::row::{Group, Keys};
use super::table::CommandId;
use super::tally::Tally;
use crate::aof::{Frame, Join, Sink};
use crate::archive::key_filter::KeyFilterBuilder;

/// The key names of a log that are collected on many threads.
#[derive(Debug)]
pub(crate) struct KeyNames {
    names: KeyFilterBuilder,
    /// Whether a command may have written keys that are not known.
    is_incomplete: bool,
}

impl KeyNames {
    /// No names yet, of files with so many bytes of commands and of RDBs.
    pub(crate) fn for_files(command_bytes: u64, rdb_bytes: u64) -> Self {
        KeyNames {
            names: KeyFilterBuilder::for_files(command_bytes, rdb_bytes),
            is_incomplete: false,
        }
    }

    /// Adds a name.
    pub(crate) fn add(&self, name: &[u8]) {
        self.names.insert(name);
    }

    /// Records that the log may have keys whose names are not known.
    pub(crate) fn give_up(&mut self) {
        self.is_incomplete = true;
    }

    /// Returns a sink that counts commands, and adds their names to these.
    pub(crate) fn sink(&self) -> TallyAndNames<'_> {
        TallyAndNames { tally: Tally::default(), names: self, is_incomplete: self.is_incomplete }
    }

    /// Returns the bytes of the filter; `None` if the log may have other keys, or has too many.
    pub(crate) fn finish(self) -> Option<Vec<u8>> {
        if self.is_incomplete { None } else { self.names.finish() }
    }
}

/// A tally. The key names that write commands name, whether they succeed or not, are added to those of the log; after a wrong
/// guess of a boundary, names that are none may be among them.
#[derive(Debug, Clone)]
pub(crate) struct TallyAndNames<'n> {
    pub(crate) tally: Tally,
    names: &'n KeyNames,
    /// Whether a command may have written keys that are not known.
    pub(crate) is_incomplete: bool,
}

impl TallyAndNames<'_> {
    /// Adds the keys of a command.
    fn note(&mut self, frame: &Frame<'_>) {
        if self.is_incomplete {
            return;
        }
        let (bytes, name_len) = frame.bytes_from_name();
        let Some(id) = lookup_prefix(bytes, name_len) else { return self.give_up() };
        let row = id.row();
        if let Keys::Range { first: 1, last: 1, .. } = row.keys
            && row.subcommands.is_empty()
        {
            if row.writes
                && let Some(key) = frame.first_argument()
            {
                self.names.add(key);
            }
            return;
        }
        if writes_unnamed_keys(id) {
            return self.give_up();
        }
        if !row.writes {
            return;
        }
        let args: Vec<&[u8]> = frame.args().collect();
        let mut count = 0_u64;
        let arg = |at: usize| args.get(at).copied().unwrap_or_default();
        let is_understood = row.visit_keys(args.len(), arg, |at| {
            count += 1;
            self.names.add(arg(at));
        });
        if !is_understood || count == 0 && !has_no_keys(id) {
            self.give_up();
        }
    }

    fn give_up(&mut self) {
        self.is_incomplete = true;
    }
}

/// Returns whether a command can write keys that it does not name, as scripts can.
fn writes_unnamed_keys(id: CommandId) -> bool {
    let is_definition = matches!(id, CommandId::FUNCTION | CommandId::SCRIPT);
    id.row().group == Group::Scripting && !is_definition
}

/// Returns whether a write command has no keys, and creates no new names.
fn has_no_keys(id: CommandId) -> bool {
    matches!(id, CommandId::FLUSHALL | CommandId::FLUSHDB | CommandId::SWAPDB | CommandId::FUNCTION)
}

impl Sink for TallyAndNames<'_> {
    fn command(&mut self, frame: Frame<'_>) {
        self.note(&frame);
        self.tally.command(frame);
    }

    fn annotation(&mut self, offset: u64, line: &[u8]) {
        self.tally.annotation(offset, line);
    }

    fn ends_at(&mut self, end: u64) {
        self.tally.ends_at(end);
    }
}

impl Join for TallyAndNames<'_> {
    fn join(&mut self, later: Self) {
        self.tally.join(later.tally);
        self.is_incomplete |= later.is_incomplete;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aof::scan;
    use crate::archive::key_filter::KeyFilter;

    /// Returns the filter of a log of these commands.
    fn filter(commands: &[&str]) -> Option<Vec<u8>> {
        let mut log = String::new();
        for command in commands {
            let words: Vec<&str> = command.split(' ').collect();
            log += &format!("*{}\r\n", words.len());
            words.iter().for_each(|word| log += &format!("${}\r\n{word}\r\n", word.len()));
        }
        let mut names = KeyNames::for_files(log.len() as u64, 0);
        let mut sink = names.sink();
        let stop = scan(log.as_bytes(), 0..log.len(), &mut sink);
        assert_eq!((stop.fault, sink.tally.commands), (None, commands.len() as u64));
        if sink.is_incomplete {
            names.give_up();
        }
        names.finish()
    }

    #[test]
    fn all_names_of_write_commands_are_collected() {
        let bytes = filter(&[
            "SELECT 3",
            "MULTI",
            "SET a 1",
            "EXEC",
            "MSET b 1 c 2",
            "RENAME d e",
            "SORT f STORE g",
            "COPY h i DB 4",
            "XGROUP CREATE j g $ MKSTREAM",
            "ZUNIONSTORE k 2 l m",
            "DEL n o",
            "SWAPDB 0 1",
            "FLUSHALL",
        ]);
        let bytes = bytes.unwrap();
        let filter = KeyFilter::open(&bytes).unwrap();
        let missing: Vec<char> =
            ('a'..='o').filter(|name| !filter.may_have(name.to_string().as_bytes())).collect();
        assert_eq!(missing, [] as [char; 0]);
        assert!(!filter.may_have(b"MKSTREAM") && !filter.may_have(b"absent"));
    }

    #[test]
    fn a_log_that_may_have_other_keys_has_no_filter() {
        assert!(filter(&["SET a 1", "FUNCTION LOAD x"]).is_some());
        for command in ["EVAL x 1 a", "EVALSHA x 0", "FCALL f 0", "JSON.SET a $ 1", "SORT"] {
            assert_eq!(filter(&["SET a 1", command, "SET b 1"]), None, "{command}");
        }
    }
}
