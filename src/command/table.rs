//! The table of all commands, and their numbers.

use super::row::{Command, Group};
use super::{
    array, bitmap, cluster, connection, generic, geo, hash, hll, list, pubsub, scripting, server,
    set, stream, string, transactions, vector, zset,
};
use std::fmt;

/// The rows of each group, in the order of their numbers.
pub(super) const GROUPS: &[(Group, &[Command])] = &[
    (Group::String, string::ROWS),
    (Group::Hash, hash::ROWS),
    (Group::List, list::ROWS),
    (Group::Set, set::ROWS),
    (Group::Zset, zset::ROWS),
    (Group::Stream, stream::ROWS),
    (Group::Array, array::ROWS),
    (Group::Geo, geo::ROWS),
    (Group::Hll, hll::ROWS),
    (Group::Bitmap, bitmap::ROWS),
    (Group::Vector, vector::ROWS),
    (Group::Generic, generic::ROWS),
    (Group::Transactions, transactions::ROWS),
    (Group::Scripting, scripting::ROWS),
    (Group::Server, server::ROWS),
    (Group::Connection, connection::ROWS),
    (Group::Pubsub, pubsub::ROWS),
    (Group::Cluster, cluster::ROWS),
];

/// Number of commands. Every [`CommandId`] is below it.
pub const COUNT: usize = {
    let mut count = 0;
    let mut group = 0;
    while group < GROUPS.len() {
        count += GROUPS[group].1.len();
        group += 1;
    }
    assert!(count <= u16::MAX as usize);
    count
};

/// All commands, indexed by their number. Sorted by name within a group.
pub static TABLE: &[Command; COUNT] = &{
    let mut table = [string::ROWS[0]; COUNT];
    let mut at = 0;
    let mut group = 0;
    while group < GROUPS.len() {
        let (name, rows) = GROUPS[group];
        let mut row = 0;
        while row < rows.len() {
            table[at] = rows[row].in_group(name);
            at += 1;
            row += 1;
        }
        group += 1;
    }
    table
};

/// The number of a command: below [`COUNT`], and only valid for this build.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CommandId(pub(super) u16);

impl CommandId {
    /// Returns the description of the command.
    #[inline]
    pub fn row(self) -> &'static Command {
        &TABLE[usize::from(self.0)]
    }

    /// Returns the number, for use as an index.
    #[inline]
    pub const fn index(self) -> usize {
        self.0 as usize
    }

    /// Returns all commands, in order.
    pub fn all() -> impl ExactSizeIterator<Item = CommandId> {
        #[allow(clippy::cast_possible_truncation)]
        // COUNT fits, as asserted next to its definition.
        (0..COUNT as u16).map(CommandId)
    }

    /// Returns the number of a command that must exist.
    ///
    /// # Panics
    ///
    /// Panics if no command has this name; in a constant, this is a compile error.
    #[allow(clippy::cast_possible_truncation)] // COUNT fits, as asserted next to its definition.
    pub const fn named(name: &str) -> CommandId {
        let mut id = 0;
        while id < COUNT {
            if same(TABLE[id].name.as_bytes(), name.as_bytes()) {
                return CommandId(id as u16);
            }
            id += 1;
        }
        panic!("no command has this name")
    }
}

/// The commands that the reader of a log handles by name.
#[allow(missing_docs)] // The names are self-explanatory.
impl CommandId {
    pub const CLUSTER: CommandId = CommandId::named("CLUSTER");
    pub const COPY: CommandId = CommandId::named("COPY");
    pub const DEL: CommandId = CommandId::named("DEL");
    pub const DISCARD: CommandId = CommandId::named("DISCARD");
    pub const EVAL: CommandId = CommandId::named("EVAL");
    pub const EVALSHA: CommandId = CommandId::named("EVALSHA");
    pub const EXEC: CommandId = CommandId::named("EXEC");
    pub const EXPIRE: CommandId = CommandId::named("EXPIRE");
    pub const FLUSHALL: CommandId = CommandId::named("FLUSHALL");
    pub const FLUSHDB: CommandId = CommandId::named("FLUSHDB");
    pub const FUNCTION: CommandId = CommandId::named("FUNCTION");
    pub const GETDEL: CommandId = CommandId::named("GETDEL");
    pub const HEXPIRE: CommandId = CommandId::named("HEXPIRE");
    pub const HOST: CommandId = CommandId::named("HOST:");
    pub const HPERSIST: CommandId = CommandId::named("HPERSIST");
    pub const HPEXPIRE: CommandId = CommandId::named("HPEXPIRE");
    pub const HSETEX: CommandId = CommandId::named("HSETEX");
    pub const MOVE: CommandId = CommandId::named("MOVE");
    pub const MULTI: CommandId = CommandId::named("MULTI");
    pub const MSET: CommandId = CommandId::named("MSET");
    pub const PEXPIRE: CommandId = CommandId::named("PEXPIRE");
    pub const PFCOUNT: CommandId = CommandId::named("PFCOUNT");
    pub const POST: CommandId = CommandId::named("POST");
    pub const PSETEX: CommandId = CommandId::named("PSETEX");
    pub const RENAME: CommandId = CommandId::named("RENAME");
    pub const RENAMENX: CommandId = CommandId::named("RENAMENX");
    pub const REPLICAOF: CommandId = CommandId::named("REPLICAOF");
    pub const RESET: CommandId = CommandId::named("RESET");
    pub const RESTORE: CommandId = CommandId::named("RESTORE");
    pub const SCRIPT: CommandId = CommandId::named("SCRIPT");
    pub const RESTORE_ASKING: CommandId = CommandId::named("RESTORE-ASKING");
    pub const SELECT: CommandId = CommandId::named("SELECT");
    pub const SET: CommandId = CommandId::named("SET");
    pub const SETEX: CommandId = CommandId::named("SETEX");
    pub const SHUTDOWN: CommandId = CommandId::named("SHUTDOWN");
    pub const SORT: CommandId = CommandId::named("SORT");
    pub const SLAVEOF: CommandId = CommandId::named("SLAVEOF");
    pub const SWAPDB: CommandId = CommandId::named("SWAPDB");
    pub const SYNC: CommandId = CommandId::named("SYNC");
    pub const UNLINK: CommandId = CommandId::named("UNLINK");
    pub const VADD: CommandId = CommandId::named("VADD");
    pub const WAIT: CommandId = CommandId::named("WAIT");
    pub const WATCH: CommandId = CommandId::named("WATCH");
}

impl fmt::Debug for CommandId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CommandId({} {})", self.0, self.row().name)
    }
}

impl fmt::Display for CommandId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.row().name)
    }
}

/// Compares bytes in constants.
pub(super) const fn same(a: &[u8], b: &[u8]) -> bool {
    if a.len() != b.len() {
        return false;
    }
    let mut at = 0;
    while at < a.len() {
        if a[at] != b[at] {
            return false;
        }
        at += 1;
    }
    true
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::base::server::{KNOWN, redis, valkey};
    use crate::command::row::{Keys, Role};

    fn row(name: &str) -> &'static Command {
        CommandId::named(name).row()
    }

    #[test]
    fn rows_are_sorted_and_names_unique() {
        for (group, rows) in GROUPS {
            assert!(rows.is_sorted_by_key(|row| row.name), "{group:?}");
        }
        let names: HashSet<&str> = TABLE.iter().map(|row| row.name).collect();
        assert_eq!(names.len(), COUNT);
        for row in TABLE {
            let subs = row.subcommands;
            assert!(subs.is_sorted_by(|a, b| a.name < b.name), "sub-commands of {}", row.name);
        }
    }

    #[test]
    fn names_are_in_upper_case() {
        let subs = TABLE.iter().flat_map(|row| row.subcommands);
        for name in (TABLE.iter().map(|row| row.name)).chain(subs.map(|sub| sub.name)) {
            assert_eq!(name, name.to_ascii_uppercase());
            assert!(!name.is_empty() && !name.contains('\0'));
        }
    }

    #[test]
    fn a_container_writes_if_one_of_its_subcommands_does() {
        for row in TABLE.iter().filter(|row| !row.subcommands.is_empty()) {
            let any = row.subcommands.iter().any(|sub| sub.writes);
            assert_eq!(row.writes, any, "{}", row.name);
            assert_eq!(row.keys, Keys::None, "{}", row.name);
        }
    }

    #[test]
    fn roles_match_names() {
        for row in TABLE {
            let role = match row.name {
                "MULTI" => Role::Multi,
                "EXEC" => Role::Exec,
                "SELECT" => Role::Select,
                _ => Role::Plain,
            };
            assert_eq!(row.role, role, "{}", row.name);
        }
    }

    #[test]
    fn every_row_is_known_by_some_release_line() {
        let newest = [redis(8, 12), valkey(9, 2)];
        for row in TABLE {
            let lines = KNOWN.iter().chain(&newest);
            let known = lines.filter(|line| row.known_by(**line)).count();
            assert_ne!(known, 0, "{}", row.name);
        }
    }

    #[test]
    fn release_lines_are_distinguished() {
        assert!(row("GET").known_by(redis(4, 0)) && row("GET").known_by(valkey(7, 2)));
        assert!(!row("HPEXPIREAT").known_by(redis(7, 2)));
        assert!(row("HPEXPIREAT").known_by(redis(7, 4)));
        assert!(!row("HPEXPIREAT").known_by(valkey(8, 1)));
        assert!(row("HPEXPIREAT").known_by(valkey(9, 0)));
        assert!(row("STRALGO").known_by(redis(6, 2)) && !row("STRALGO").known_by(redis(7, 0)));
        assert!(!row("STRALGO").known_by(valkey(7, 2)));
        assert!(!row("DELIFEQ").known_by(redis(8, 2)));
    }

    #[test]
    fn arity_is_exact_or_a_minimum() {
        assert!(row("GET").accepts_arity(2));
        assert!(!row("GET").accepts_arity(1) && !row("GET").accepts_arity(3));
        assert!(row("SET").accepts_arity(3) && row("SET").accepts_arity(9));
        assert!(!row("SET").accepts_arity(2));
    }

    #[test]
    fn a_changed_arity_is_known_for_each_release_line() {
        let expire = row("EXPIRE");
        assert_eq!(expire.arity.on(redis(6, 2)), 3);
        assert_eq!(expire.arity.on(redis(7, 0)), -3);
        assert_eq!(expire.arity.on(valkey(7, 2)), -3);
        assert!(!expire.arity.accepts_on(redis(6, 2), 4) && expire.accepts_arity(4));
        let xtrim = row("XTRIM");
        assert!(xtrim.accepts_arity(2) && !xtrim.arity.accepts_on(valkey(9, 1), 2));
    }

    /// Otherwise a number of arguments that only the old arity allows would be accepted by a server
    /// that checks. No server logs commands that do not write.
    #[test]
    fn servers_that_check_arities_have_the_newest() {
        for line in KNOWN.iter().filter(|line| line.checks_arity()) {
            for row in TABLE {
                let subs = row.subcommands.iter().map(|sub| (sub.writes, sub.arity, sub.name));
                let all = std::iter::once((row.writes, row.arity, "")).chain(subs);
                for (_, arity, name) in all.filter(|(writes, ..)| *writes) {
                    assert_eq!(arity.on(*line), arity.now, "{} {name} on {line}", row.name);
                }
            }
        }
    }

    #[test]
    fn subcommands_are_found_ignoring_case() {
        let create = row("XGROUP").subcommand(b"Create").expect("XGROUP CREATE");
        assert_eq!((create.name, create.arity.now), ("CREATE", -5));
        assert!(create.writes && create.accepts_arity(5) && !create.accepts_arity(4));
        assert!(row("XGROUP").subcommand(b"CREATED").is_none());
        assert!(row("GET").subcommand(b"CREATE").is_none());
    }
}
