//! The keys that a log names after a position: they were written or deleted since.
//!
//! A log that its server goes on writing is followed by a [`Follower`].

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::time::Duration;

use super::key_hashes::KeyHashes;
use crate::aof::log::{Log, Part};
use crate::aof::{Frame, Sink, scan};
use crate::base::error::Result;
use crate::base::progress::Progress;
use crate::command::{CommandId, Position, Role, database_index, lookup_prefix};
use crate::rdb;

/// The keys that commands at or after a position name.
#[derive(Debug, Clone, Default)]
pub(crate) struct TouchedKeys {
    keys: KeyHashes,
    /// Keys that count as not named, in any database.
    except: Vec<Vec<u8>>,
}

/// The end of what was read of a log.
#[derive(Debug, Clone, Copy, Default)]
struct End {
    offset: usize,
    db: u32,
}

impl TouchedKeys {
    /// Reads the commands of `log` at and after `since`, up to the first fault, if there is one. Also returns what follows
    /// the log while its server writes it.
    ///
    /// Commands that no known server has are not understood, and so are the keys that scripts write without declaring
    /// them: what these touched is not in the result.
    ///
    /// # Errors
    ///
    /// When the caller cancels.
    pub(crate) fn since(
        log: &Log,
        since: Position,
        progress: &dyn Progress,
    ) -> Result<(Self, Option<Follower>)> {
        let (touched, end) = TouchedKeys::read(log, since, progress)?;
        // A compressed RDB was decompressed into a file that nobody writes.
        let last = log.parts.last().filter(|part| part.compressed.is_none());
        let last = last.and_then(|part| part.mapping.file().try_clone().ok());
        let follower = last.map(|file| Follower {
            file,
            offset: end.offset as u64,
            db: end.db,
            touched: TouchedKeys::default(),
            restored_later: TouchedKeys::default(),
            bytes: Vec::new(),
        });
        Ok((touched, follower))
    }

    fn read(log: &Log, since: Position, progress: &dyn Progress) -> Result<(Self, End)> {
        let mut touched = TouchedKeys::default();
        let mut end = End::default();
        for part in &log.parts {
            let index = u32::try_from(part.index).unwrap_or(u32::MAX);
            if index < since.part {
                continue;
            }
            progress.check()?;
            let bytes = part.mapping.bytes();
            let from = if index == since.part { since.offset } else { 0 };
            let mut reader = Reader { touched: &mut touched, restored_later: None, from, db: 0 };
            // The commands before the position are read, because a SELECT among them applies.
            let start = commands_start(part, progress);
            let stop = scan(bytes, start..bytes.len(), &mut reader);
            end = End { offset: stop.at, db: reader.db };
            part.mapping.check()?;
        }
        Ok((touched, end))
    }

    /// Returns the same without these keys.
    pub(crate) fn except(self, except: Vec<Vec<u8>>) -> Self {
        TouchedKeys { except, ..self }
    }

    /// Returns whether a key was named.
    pub(crate) fn contains(&self, db: u32, key: &[u8]) -> bool {
        self.keys.contains(db, key) && !self.except.iter().any(|other| other == key)
    }
}

/// Returns the offset of the first command of a part; its end, if it begins with an RDB that cannot be read.
fn commands_start(part: &Part, progress: &dyn Progress) -> usize {
    let bytes = part.mapping.bytes();
    if !part.starts_with_rdb() {
        return 0;
    }
    let read = part.read_rdb(&mut rdb::IgnoreDeep, progress);
    read.ok().and_then(|read| usize::try_from(read.len()).ok()).unwrap_or(bytes.len())
}

/// Follows a log while its server writes it.
///
/// A server writes a command to its log before it replies, except with `appendfsync everysec`: while an fsync takes long,
/// it postpones writing by up to [`LATEST`].
#[derive(Debug)]
pub(crate) struct Follower {
    file: File,
    offset: u64,
    db: u32,
    touched: TouchedKeys,
    restored_later: TouchedKeys,
    bytes: Vec<u8>,
}

/// The time after which a server has written a command to its log: it postpones that by at most two seconds.
pub(crate) const LATEST: Duration = Duration::from_secs(3);

/// The number of bytes that are read at once.
const READ: usize = 1 << 20;

impl Follower {
    /// Reads what was written since the last call. A log that cannot be read is treated as one that has not grown.
    pub(crate) fn read(&mut self) {
        loop {
            let before = self.bytes.len();
            self.bytes.resize(before + READ, 0);
            let at = self.offset + before as u64;
            let read = self.file.read_at(&mut self.bytes[before..], at).unwrap_or(0);
            self.bytes.truncate(before + read);
            let mut reader = Reader {
                touched: &mut self.touched,
                restored_later: Some(&mut self.restored_later),
                from: 0,
                db: self.db,
            };
            let stop = scan(&self.bytes, 0..self.bytes.len(), &mut reader);
            self.db = reader.db;
            // The rest is the beginning of a command.
            self.bytes.drain(..stop.at);
            self.offset += stop.at as u64;
            if read < READ {
                return;
            }
        }
    }

    /// Returns whether a command named a key since the log was opened.
    pub(crate) fn touched(&self, db: u32, key: &[u8]) -> bool {
        self.touched.contains(db, key)
    }

    /// Returns the number of keys that were restored or renamed after another command had named them.
    pub(crate) fn restored_later_keys(&self) -> usize {
        self.restored_later.keys.len()
    }

    /// Returns whether a key was restored or renamed after another command had named it.
    pub(crate) fn restored_later(&self, db: u32, key: &[u8]) -> bool {
        self.restored_later.contains(db, key)
    }
}

struct Reader<'t> {
    touched: &'t mut TouchedKeys,
    /// The keys that RESTORE or a rename created after another command named them.
    restored_later: Option<&'t mut TouchedKeys>,
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
        if let Some(restored_later) = &mut self.restored_later {
            let created = match id {
                CommandId::RESTORE => args.get(1),
                CommandId::RENAME | CommandId::RENAMENX => args.get(2),
                _ => None,
            };
            if let Some(created) = created {
                if self.touched.contains(self.db, created) {
                    restored_later.keys.insert(self.db, created);
                }
                return;
            }
        }
        // An invalid command fails on a server, too.
        let _ = command.visit_keys(
            args.len(),
            |at| args.get(at).copied().unwrap_or_default(),
            |at| {
                if let Some(key) = args.get(at) {
                    self.touched.keys.insert(self.db, key);
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
        let (touched, follower) = TouchedKeys::since(&log, since, &Silent).expect("read");
        let mut follower = follower.expect("the log is a file");
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

        // The server goes on writing, and a command is complete only later.
        let later = [
            command(&["RESTORE", "e", "0", "payload"]),
            command(&["SET", "f", "1"]),
            command(&["DEL", "f"]),
            command(&["RESTORE", "f", "0", "payload"]),
        ]
        .concat();
        let (first, second) = later.split_at(later.len() - 5);
        let mut file = std::fs::File::options().append(true).open(&path).expect("the log");
        for (piece, restored) in [(first, false), (second, true)] {
            std::io::Write::write_all(&mut file, piece.as_bytes()).expect("written");
            follower.read();
            assert!(follower.touched(0, b"f") && !follower.touched(0, b"e"));
            assert_eq!(follower.restored_later(0, b"f"), restored);
            assert!(!follower.restored_later(0, b"e") && !follower.touched(3, b"f"));
        }
    }
}
