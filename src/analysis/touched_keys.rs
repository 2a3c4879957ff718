//! The keys that a log names after a position: they were written or deleted since.

use super::key_hashes::KeyHashes;
use crate::aof::log::{Log, Part};
use crate::aof::{Frame, Sink, scan};
use crate::base::error::Result;
use crate::base::progress::Progress;
use crate::command::{Position, Role, database_index, lookup_prefix};
use crate::rdb;

/// The keys that commands at or after a position name.
#[derive(Debug, Clone, Default)]
pub(crate) struct TouchedKeys(KeyHashes);

impl TouchedKeys {
    /// Reads the commands of `log` at and after `since`; up to the first fault, if there is one.
    ///
    /// Commands that no known server has are not understood, and so are the keys that scripts write without declaring
    /// them: what these touched is not in the result.
    ///
    /// # Errors
    ///
    /// When the caller cancels.
    pub(crate) fn since(log: &Log, since: Position, progress: &dyn Progress) -> Result<Self> {
        let mut touched = TouchedKeys::default();
        for part in &log.parts {
            let index = u32::try_from(part.index).unwrap_or(u32::MAX);
            if index < since.part {
                continue;
            }
            progress.check()?;
            let bytes = part.mapping.bytes();
            let from = if index == since.part { since.offset } else { 0 };
            let mut reader = Reader { touched: &mut touched, from, db: 0 };
            // The commands before the position are read, because a SELECT among them applies.
            scan(bytes, commands_start(part, progress)..bytes.len(), &mut reader);
            part.mapping.check()?;
        }
        Ok(touched)
    }

    /// Returns whether a key was named.
    pub(crate) fn contains(&self, db: u32, key: &[u8]) -> bool {
        self.0.contains(db, key)
    }
}

/// Returns the offset of the first command of a part; its end, if it begins with an RDB that cannot be read.
fn commands_start(part: &Part, progress: &dyn Progress) -> usize {
    let bytes = part.mapping.bytes();
    if !part.starts_with_rdb() {
        return 0;
    }
    let read = rdb::read(bytes, &mut rdb::Ignore, progress);
    read.ok().and_then(|read| usize::try_from(read.len()).ok()).unwrap_or(bytes.len())
}

struct Reader<'t> {
    touched: &'t mut TouchedKeys,
    from: u64,
    db: u32,
}

impl Sink for Reader<'_> {
    fn command(&mut self, frame: Frame<'_>) {
        let (name_on, name_len) = frame.bytes_from_name();
        let Some(id) = lookup_prefix(name_on, name_len) else { return };
        let command = id.row();
        if command.role == Role::Select {
            self.db = frame.args().nth(1).and_then(database_index).unwrap_or(self.db);
            return;
        }
        if frame.offset() < self.from {
            return;
        }
        let args: Vec<&[u8]> = frame.args().collect();
        // An invalid command fails on a server, too.
        let _ = command.visit_keys(
            args.len(),
            |at| args.get(at).copied().unwrap_or_default(),
            |at| {
                if let Some(key) = args.get(at) {
                    self.touched.0.insert(self.db, key);
                }
            },
        );
    }

    fn annotation(&mut self, _: u64, _: &[u8]) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::progress::Silent;
    use crate::input::files::open_files;

    #[test]
    fn keys_of_commands_after_the_position_are_found() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("a.aof");
        let command = |args: &[&str]| {
            let args: Vec<String> =
                args.iter().map(|arg| format!("${}\r\n{arg}\r\n", arg.len())).collect();
            format!("*{}\r\n{}", args.len(), args.concat())
        };
        let before = [command(&["SELECT", "3"]), command(&["SET", "a", "1"])].concat();
        let after =
            [command(&["DEL", "b", "c"]), command(&["SELECT", "0"]), command(&["INCR", "d"])];
        std::fs::write(&path, [before.clone(), after.concat()].concat()).expect("written");
        let log = open_files(&path).expect("a log");
        let since = Position { part: 0, offset: before.len() as u64 };
        let touched = TouchedKeys::since(&log, since, &Silent).expect("read");
        for (db, key, expected) in [
            (3, "a", false),
            (3, "b", true),
            (3, "c", true),
            (0, "b", false),
            (0, "d", true),
            (3, "d", false),
        ] {
            assert_eq!(touched.contains(db, key.as_bytes()), expected, "{db} {key}");
        }
    }
}
