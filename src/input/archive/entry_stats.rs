//! A summary of the commands and the RDB of a file, as recorded in an archive.

use crate::analysis::damage::sides;
use crate::analysis::rdb_inspection::LibraryFault;
use crate::aof;
use crate::archive::contents::FileRecord;
use crate::command::Tally;
use crate::rdb;

/// The content of a file of a log.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct EntryStats {
    pub(crate) commands: u64,
    pub(crate) rdb_keys: u64,
    pub(crate) transactions: u64,
    pub(crate) first_time: Option<i64>,
    pub(crate) last_time: Option<i64>,
    pub(crate) damage: Option<Fault>,
    /// The content of the RDB that is unknown to this version, and its position.
    pub(crate) newer_rdb: Option<rdb::UnknownContent>,
    /// The first function library that servers refuse, or else the first whole command that they refuse or crash on, which
    /// is no damage to the file.
    pub(crate) unloadable: Option<Fault>,
}

/// A fault in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) offset: u64,
    pub(crate) what: String,
}

impl EntryStats {
    /// Returns the summary of an RDB of 0 bytes.
    pub(crate) fn empty_rdb() -> EntryStats {
        let what = "an RDB of 0 bytes: its keys are gone, and no server writes one".to_owned();
        EntryStats { damage: Some(Fault { offset: 0, what }), ..EntryStats::default() }
    }

    /// Returns the summary of a file whose RDB is broken.
    pub(crate) fn broken_rdb(damage: &rdb::Damage) -> EntryStats {
        let what = damage.describe();
        EntryStats {
            rdb_keys: damage.before.keys,
            damage: Some(Fault { offset: damage.offset, what }),
            ..EntryStats::default()
        }
    }

    /// Returns the summary of a file that begins with this RDB, of which servers refuse the function library `library`.
    pub(crate) fn after_rdb(
        reading: &rdb::Reading,
        library: Option<&LibraryFault>,
        tally: Tally,
        fault: Option<aof::Fault>,
    ) -> EntryStats {
        let stats = match reading {
            rdb::Reading::Known(walk) => EntryStats::commands(walk.keys, tally, fault),
            rdb::Reading::Newer(newer) => EntryStats {
                newer_rdb: Some(newer.content.clone()),
                ..EntryStats::commands(0, tally, fault)
            },
        };
        // Functions have no place of their own in a summary; servers read them before the keys.
        let library = library.map(|library| Fault { offset: 0, what: library.to_string() });
        EntryStats { unloadable: library.or(stats.unloadable), ..stats }
    }

    /// Returns the summary of the commands that `tally` counts from the start of a file; `fault` is the reason why
    /// reading stopped.
    pub(crate) fn commands(
        rdb_keys: u64,
        mut tally: Tally,
        fault: Option<aof::Fault>,
    ) -> EntryStats {
        tally.transactions = tally.transactions.at_start_of_log();
        let (open, dangling) = (tally.transactions.open(), tally.transactions.dangling.first());
        let damage = match (fault, open, dangling) {
            (Some(fault), ..) => {
                let (expected, found, _) = sides(fault);
                let what = format!("the log is damaged: expected {expected}, found {found}");
                Some(Fault { offset: fault.at() as u64, what })
            }
            (None, Some(open), _) => {
                let what = "the log ends in a transaction that is not whole".to_owned();
                Some(Fault { offset: open.multi, what })
            }
            (None, None, Some(dangling)) => {
                let what = "the log has a MULTI that was never closed".to_owned();
                Some(Fault { offset: dangling.open.multi, what })
            }
            (None, None, None) => None,
        };
        let unloadable = tally.first_unloadable().map(|(offset, what)| Fault { offset, what });
        EntryStats {
            unloadable,
            commands: tally.commands,
            rdb_keys,
            transactions: tally.transactions.whole,
            first_time: tally.times.first,
            last_time: tally.times.last,
            damage,
            newer_rdb: None,
        }
    }

    /// Stores the summary in the record of the file.
    pub(crate) fn note_in(self, record: &mut FileRecord) {
        record.commands = self.commands;
        record.rdb_keys = self.rdb_keys;
        record.transactions = self.transactions;
        (record.first_time, record.last_time) = (self.first_time, self.last_time);
        record.newer_rdb = self.newer_rdb.map(|content| content.to_string());
        record.damage =
            self.damage.map(|damage| format!("byte {}: {}", damage.offset, damage.what));
    }
}
