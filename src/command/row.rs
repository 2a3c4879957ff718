//! The structure of a row, and the functions that the tables are built with.

use super::apply::{Applied, Apply, Call, Unapplied};
use crate::base::server::{Product, Server};

/// A version, major and minor.
type Version = (u8, u8);

/// The servers that know a name.
///
/// What Valkey inherited has existed since its first version, 7.2. A name counts as known for as
/// long as a *loader* knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Since {
    /// The first Redis that knows it; `None` if Redis never did.
    pub redis: Option<Version>,
    /// The first Redis that does not know it any more; `None` if it was never removed.
    pub redis_until: Option<Version>,
    /// The first Valkey that knows it; `None` if Valkey never did.
    pub valkey: Option<Version>,
}

impl Since {
    /// Returns whether a server of this release line knows the name.
    pub fn known_by(&self, server: Server) -> bool {
        let version = (server.major, server.minor);
        match server.product {
            Product::Redis => {
                self.redis.is_some_and(|first| first <= version)
                    && self.redis_until.is_none_or(|gone| version < gone)
            }
            Product::Valkey => self.valkey.is_some_and(|first| first <= version),
        }
    }
}

/// The number of arguments of a command, by the servers' convention: `n` exactly, `-n` at least
/// `n`.
///
/// No command changed its arity more than once in the versions that the table covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arity {
    /// In the newest versions.
    pub now: i8,
    /// The previous arity, and the servers that have the new one.
    pub before: Option<(i8, Since)>,
}

impl Arity {
    const fn always(now: i8) -> Arity {
        Arity { now, before: None }
    }

    /// Returns the arity that a server of this release line checks.
    pub fn on(&self, server: Server) -> i8 {
        match self.before {
            Some((before, changed)) if !changed.known_by(server) => before,
            _ => self.now,
        }
    }

    /// Returns whether a server of this release line accepts `argc` arguments, including the name.
    pub fn accepts_on(&self, server: Server, argc: usize) -> bool {
        accepts(self.on(server), argc)
    }

    /// Returns whether the newest versions accept `argc` arguments, including the name.
    pub fn accepts_now(&self, argc: usize) -> bool {
        accepts(self.now, argc)
    }

    /// Returns whether any version accepts `argc` arguments, including the name.
    pub fn accepts(&self, argc: usize) -> bool {
        accepts(self.now, argc) || self.before.is_some_and(|(before, _)| accepts(before, argc))
    }
}

fn accepts(arity: i8, argc: usize) -> bool {
    let bound = usize::from(arity.unsigned_abs());
    if arity < 0 { argc >= bound } else { argc == bound }
}

/// The key positions of a command. Argument 0 is the name of the command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keys {
    /// There are no keys.
    None,
    /// Every `step`th argument from `first` to `last`; a negative `last` counts from the end, so
    /// that -1 is the last argument.
    Range {
        /// The first key.
        first: u8,
        /// The last key; from -1 downwards, its position from the end.
        last: i8,
        /// The distance from one key to the next.
        step: u8,
    },
    /// Argument `at` is a decimal count, and that many keys follow it, `step` apart.
    Counted {
        /// One more key, before the count: the destination.
        dest: Option<u8>,
        /// The count.
        at: u8,
        /// The distance from one key to the next.
        step: u8,
    },
    /// SORT: argument 1, and the argument after the last STORE.
    Sort,
    /// GEORADIUS and similar commands: argument 1, and the argument after the last STORE or
    /// STOREDIST.
    Geo {
        /// The first argument that can be an option.
        options: u8,
    },
    /// XREAD and XREADGROUP: the first half of the arguments after STREAMS.
    Streams,
    /// MIGRATE: argument 3, or, if that is empty, all arguments after KEYS.
    Migrate,
    /// STRALGO: with LCS, the two arguments after KEYS.
    Stralgo,
}

/// The effect of a command on the interpretation of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// None.
    Plain,
    /// It opens a transaction: the commands after it are queued.
    Multi,
    /// It closes the transaction and executes the queue.
    Exec,
    /// It changes the database of the commands after it.
    Select,
}

/// The data that a command can destroy or displace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Destruction {
    /// FLUSHALL: the keys of all databases.
    AllDatabases,
    /// FLUSHDB: the keys of the selected database.
    Database,
    /// SWAPDB: the keys of two databases change places.
    Swap,
    /// CLUSTER FLUSHSLOT: the keys of a slot.
    Slot,
    /// FUNCTION FLUSH: the function libraries.
    Functions,
    /// DEL and UNLINK: the keys that they name.
    Keys,
    /// GETDEL: its key, whose value it returns.
    ReturnedKey,
    /// RENAME and COPY: the destination, if it exists.
    Destination,
}

/// The source of what the table says about a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Evidence {
    /// The row and its effect were compared with a running server.
    Observed,
    /// The effect was read in documentation or in the discussion of the change; no server that has
    /// the command was available.
    Documented,
    /// Only the name is known. A replay refuses the command.
    NameOnly,
}

/// The section of the servers' own documentation that lists a command; mostly, the data type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs)] // The names are self-explanatory.
pub enum Group {
    Array,
    Bitmap,
    Cluster,
    Connection,
    Generic,
    Geo,
    Hash,
    Hll,
    List,
    Pubsub,
    Scripting,
    Server,
    Set,
    Stream,
    String,
    Transactions,
    Vector,
    Zset,
}

/// The description of a command.
#[derive(Debug, Clone, Copy)]
pub struct Command {
    /// The name, in upper case.
    pub name: &'static str,
    /// The number of arguments, including the name: `n` exactly, or, if negative, at least `-n`.
    pub arity: Arity,
    /// The servers that know it.
    pub since: Since,
    /// Whether it can change the data set. It does not have to: SORT without STORE does not.
    pub writes: bool,
    /// The key positions. A container has none; its subcommands have.
    pub keys: Keys,
    /// The section of the documentation that lists it.
    pub group: Group,
    /// The source of this row.
    pub evidence: Evidence,
    /// The effect on the interpretation of a log.
    pub role: Role,
    /// The data that it can destroy or displace; `None` for an ordinary write.
    pub destruction: Option<Destruction>,
    /// Whether it can contain a time relative to when it runs, in a log of some server.
    pub has_relative_time: bool,
    /// The subcommands, sorted; empty if it is not a container.
    pub subcommands: &'static [Subcommand],
    /// The implementation; `None` if it has no effect on a data set, or cannot be replayed.
    pub apply: Option<Apply>,
    /// Whether the effect on each key depends on that key alone, so that the command can be applied
    /// to each key in the shard that owns it.
    pub splits: bool,
}

/// The description of a subcommand of a container, such as CREATE of XGROUP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Subcommand {
    /// The name, in upper case, without that of the container.
    pub name: &'static str,
    /// The number of arguments, including the names of the container and of the subcommand.
    pub arity: Arity,
    /// The servers that know it. Servers before Redis 7.0 did not list subcommands, so the source
    /// for those is the documentation.
    pub since: Since,
    /// Whether it can change the data set.
    pub writes: bool,
    /// The key positions; argument 0 is the name of the container.
    pub keys: Keys,
}

impl Command {
    /// Returns whether a server of this release line knows the name.
    pub fn known_by(&self, server: Server) -> bool {
        self.since.known_by(server)
    }

    /// Returns whether any version accepts `argc` arguments, including the name.
    pub fn accepts_arity(&self, argc: usize) -> bool {
        self.arity.accepts(argc)
    }

    /// Returns the subcommand of this name, ignoring case.
    pub fn subcommand(&self, name: &[u8]) -> Option<&'static Subcommand> {
        (self.subcommands.iter()).find(|sub| sub.name.as_bytes().eq_ignore_ascii_case(name))
    }
}

impl Subcommand {
    /// Returns whether a server of this release line knows the name.
    pub fn known_by(&self, server: Server) -> bool {
        self.since.known_by(server)
    }

    /// Returns whether any version accepts `argc` arguments, including the name of the container.
    pub fn accepts_arity(&self, argc: usize) -> bool {
        self.arity.accepts(argc)
    }
}

// The functions that the tables are built with.

pub(super) const NO_KEYS: Keys = Keys::None;
pub(super) const KEY: Keys = range(1, 1, 1);
pub(super) const KEYS: Keys = range(1, -1, 1);
pub(super) const TWO_KEYS: Keys = range(1, 2, 1);
pub(super) const SECOND: Keys = range(2, 2, 1);

pub(super) const fn range(first: u8, last: i8, step: u8) -> Keys {
    Keys::Range { first, last, step }
}

/// The count at argument `at`, followed by the keys.
pub(super) const fn counted(at: u8) -> Keys {
    Keys::Counted { dest: None, at, step: 1 }
}

/// The destination, the count, the keys.
pub(super) const DEST_COUNTED: Keys = Keys::Counted { dest: Some(1), at: 2, step: 1 };

/// The count, then alternating keys and values.
pub(super) const COUNTED_PAIRS: Keys = Keys::Counted { dest: None, at: 1, step: 2 };

/// In Redis since `major.minor`, and therefore in all of Valkey.
pub(super) const fn since(major: u8, minor: u8) -> Since {
    assert!(major < 7 || (major == 7 && minor <= 2), "later than the fork");
    apart((major, minor), (7, 2))
}

/// In both, with different first versions.
pub(super) const fn apart(redis: Version, valkey: Version) -> Since {
    Since { redis: Some(redis), redis_until: None, valkey: Some(valkey) }
}

pub(super) const fn redis_only(major: u8, minor: u8) -> Since {
    Since { redis: Some((major, minor)), redis_until: None, valkey: None }
}

pub(super) const fn valkey_only(major: u8, minor: u8) -> Since {
    Since { redis: None, redis_until: None, valkey: Some((major, minor)) }
}

/// Removed from Redis before the fork.
pub(super) const fn between(first: Version, gone: Version) -> Since {
    Since { redis: Some(first), redis_until: Some(gone), valkey: None }
}

/// A command that can change the data set.
pub(super) const fn write(name: &'static str, arity: i8, since: Since, keys: Keys) -> Command {
    Command { writes: true, ..plain(name, arity, since, keys) }
}

/// A command that cannot change the data set.
pub(super) const fn plain(name: &'static str, arity: i8, since: Since, keys: Keys) -> Command {
    Command {
        name,
        arity: Arity::always(arity),
        since,
        writes: false,
        keys,
        group: Group::Generic, // set when the table is assembled
        evidence: Evidence::Observed,
        role: Role::Plain,
        destruction: None,
        has_relative_time: false,
        subcommands: &[],
        apply: None,
        splits: false,
    }
}

/// A subcommand that cannot change the data set; `arity` includes the name of the container.
pub(super) const fn sub(name: &'static str, arity: i8, since: Since, keys: Keys) -> Subcommand {
    Subcommand { name, arity: Arity::always(arity), since, writes: false, keys }
}

impl Command {
    /// Sets the arity before `changed` to `before`.
    pub(super) const fn until(self, changed: Since, before: i8) -> Command {
        let before = Some((before, changed));
        Command { arity: Arity { before, ..self.arity }, ..self }
    }

    /// Sets the implementation.
    pub(super) const fn by(self, apply: Apply) -> Command {
        Command { apply: Some(apply), ..self }
    }

    /// Marks that each key is processed independently.
    pub(super) const fn splits(self) -> Command {
        Command { splits: true, ..self }
    }

    /// Marks that no server with the command was available.
    pub(super) const fn documented(self) -> Command {
        Command { evidence: Evidence::Documented, ..self }
    }

    /// Marks that only the name is known, so that a replay refuses the command.
    pub(super) const fn name_only(self) -> Command {
        Command { evidence: Evidence::NameOnly, apply: Some(effect_not_known), ..self }
    }

    pub(super) const fn with(self, subcommands: &'static [Subcommand]) -> Command {
        Command { subcommands, ..self }
    }

    pub(super) const fn role(self, role: Role) -> Command {
        Command { role, ..self }
    }

    pub(super) const fn destroys(self, destruction: Destruction) -> Command {
        Command { destruction: Some(destruction), ..self }
    }

    pub(super) const fn relative_time(self) -> Command {
        Command { has_relative_time: true, ..self }
    }

    pub(super) const fn in_group(self, group: Group) -> Command {
        Command { group, ..self }
    }
}

fn effect_not_known(_: &mut Call<'_, '_>) -> Applied {
    Err(Unapplied::Refused("its effect is not known to this version"))
}

impl Subcommand {
    /// Sets the arity before `changed` to `before`.
    pub(super) const fn until(self, changed: Since, before: i8) -> Subcommand {
        let before = Some((before, changed));
        Subcommand { arity: Arity { before, ..self.arity }, ..self }
    }

    pub(super) const fn writes(self) -> Subcommand {
        Subcommand { writes: true, ..self }
    }
}
