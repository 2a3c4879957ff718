//! The shape of a row, and the words that the tables are written in.

use super::apply::Apply;
use crate::base::server::{Product, Server};

/// A version, major and minor.
type Version = (u8, u8);

/// Which servers know a name.
///
/// What Valkey inherited it has had since its first version, 7.2. A name is held to be known for as
/// long as a *loader* knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Since {
    /// The first Redis that knows it; `None` where Redis never did.
    pub redis: Option<Version>,
    /// The first Redis that knows it no longer; `None` where it was never removed.
    pub redis_until: Option<Version>,
    /// The first Valkey that knows it; `None` where Valkey never did.
    pub valkey: Option<Version>,
}

impl Since {
    /// Whether a server of this line knows the name.
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

/// How many arguments a command takes, by the servers' convention: `n` exactly, `-n` at least `n`.
///
/// No command changed its arity more than once in the versions that the table covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arity {
    /// In the newest versions.
    pub now: i8,
    /// What it was before, and which servers have the new one.
    pub before: Option<(i8, Since)>,
}

impl Arity {
    const fn always(now: i8) -> Arity {
        Arity { now, before: None }
    }

    /// The arity that a server of this line checks for.
    pub fn on(&self, server: Server) -> i8 {
        match self.before {
            Some((before, changed)) if !changed.known_by(server) => before,
            _ => self.now,
        }
    }

    /// Whether a server of this line takes `argc` arguments, the name included.
    pub fn accepts_on(&self, server: Server, argc: usize) -> bool {
        accepts(self.on(server), argc)
    }

    /// Whether the newest versions take `argc` arguments, the name included.
    pub fn accepts_now(&self, argc: usize) -> bool {
        accepts(self.now, argc)
    }

    /// Whether any version takes `argc` arguments, the name included.
    pub fn accepts(&self, argc: usize) -> bool {
        accepts(self.now, argc) || self.before.is_some_and(|(before, _)| accepts(before, argc))
    }
}

fn accepts(arity: i8, argc: usize) -> bool {
    let bound = usize::from(arity.unsigned_abs());
    if arity < 0 { argc >= bound } else { argc == bound }
}

/// Where in a command its keys stand. Argument 0 is the command's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keys {
    /// It names no key.
    None,
    /// Every `step`th argument from `first` to `last`; a negative `last` counts from the end, so
    /// that -1 is the last argument.
    Range {
        /// The first key.
        first: u8,
        /// The last key, or, from -1 downwards, its place from the end.
        last: i8,
        /// From one key to the next.
        step: u8,
    },
    /// Argument `at` is a decimal count, and that many keys follow it, `step` apart.
    Counted {
        /// One more key, before the count: the destination.
        dest: Option<u8>,
        /// The count.
        at: u8,
        /// From one key to the next.
        step: u8,
    },
    /// SORT: argument 1, and what follows the last STORE.
    Sort,
    /// GEORADIUS and its kin: argument 1, and what follows the last STORE or STOREDIST.
    Geo {
        /// The first argument that can be an option.
        options: u8,
    },
    /// XREAD and XREADGROUP: the first half of what follows STREAMS.
    Streams,
    /// MIGRATE: argument 3, or, where that is empty, all that follows KEYS.
    Migrate,
    /// STRALGO: with LCS, the two that follow KEYS.
    Stralgo,
}

/// What a command does to the reading of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Nothing.
    Plain,
    /// It opens a transaction: what follows is queued.
    Multi,
    /// It closes the transaction and runs the queue.
    Exec,
    /// It changes the database that the following commands work on.
    Select,
}

/// The chapter of the servers' own documentation that lists a command; mostly, the data type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs)] // The names say it all.
pub enum Group {
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

/// What is known of one command.
#[derive(Debug, Clone, Copy)]
pub struct Command {
    /// Its name, in upper case.
    pub name: &'static str,
    /// How many arguments it takes, its name included: `n` exactly, or, negative, at least `-n`.
    pub arity: Arity,
    /// Which servers know it.
    pub since: Since,
    /// Whether it can change the data set. It may well not: SORT without STORE does not.
    pub writes: bool,
    /// Where its keys stand. A container has none; its sub-commands have.
    pub keys: Keys,
    /// Where the documentation lists it.
    pub group: Group,
    /// What it does to the reading of a log.
    pub role: Role,
    /// Its sub-commands, sorted; empty where it is no container.
    pub subcommands: &'static [Subcommand],
    /// What it does to a data set; `None` where it does nothing to it, or cannot be replayed.
    pub apply: Option<Apply>,
    /// Whether what it does to one of its keys depends on that key alone, so that it can be applied to
    /// each where that key is.
    pub splits: bool,
}

/// What is known of one sub-command of a container, such as CREATE of XGROUP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Subcommand {
    /// Its name, in upper case, without the container's.
    pub name: &'static str,
    /// How many arguments it takes; the container's name and its own are both counted.
    pub arity: Arity,
    /// Which servers know it. Before Redis 7.0 servers did not list sub-commands, so that this is
    /// what the documentation says.
    pub since: Since,
    /// Whether it can change the data set.
    pub writes: bool,
    /// Where its keys stand; argument 0 is the container's name.
    pub keys: Keys,
}

impl Command {
    /// Whether a server of this line knows the name.
    pub fn known_by(&self, server: Server) -> bool {
        self.since.known_by(server)
    }

    /// Whether any version takes `argc` arguments, the name included.
    pub fn accepts_arity(&self, argc: usize) -> bool {
        self.arity.accepts(argc)
    }

    /// The sub-command of this name, in whatever case.
    pub fn subcommand(&self, name: &[u8]) -> Option<&'static Subcommand> {
        (self.subcommands.iter()).find(|sub| sub.name.as_bytes().eq_ignore_ascii_case(name))
    }
}

impl Subcommand {
    /// Whether a server of this line knows the name.
    pub fn known_by(&self, server: Server) -> bool {
        self.since.known_by(server)
    }

    /// Whether any version takes `argc` arguments, the container's name included.
    pub fn accepts_arity(&self, argc: usize) -> bool {
        self.arity.accepts(argc)
    }
}

// The words of the tables.

pub(super) const NO_KEYS: Keys = Keys::None;
pub(super) const KEY: Keys = range(1, 1, 1);
pub(super) const KEYS: Keys = range(1, -1, 1);
pub(super) const TWO_KEYS: Keys = range(1, 2, 1);
pub(super) const SECOND: Keys = range(2, 2, 1);

pub(super) const fn range(first: u8, last: i8, step: u8) -> Keys {
    Keys::Range { first, last, step }
}

/// The count at argument `at`, the keys after it.
pub(super) const fn counted(at: u8) -> Keys {
    Keys::Counted { dest: None, at, step: 1 }
}

/// The destination, the count, the keys.
pub(super) const DEST_COUNTED: Keys = Keys::Counted { dest: Some(1), at: 2, step: 1 };

/// The count, then keys and values by turns.
pub(super) const COUNTED_PAIRS: Keys = Keys::Counted { dest: None, at: 1, step: 2 };

/// In Redis since `major.minor`, hence in all of Valkey.
pub(super) const fn since(major: u8, minor: u8) -> Since {
    assert!(major < 7 || (major == 7 && minor <= 2), "later than the fork");
    apart((major, minor), (7, 2))
}

/// In both, but not since the same time.
pub(super) const fn apart(redis: Version, valkey: Version) -> Since {
    Since { redis: Some(redis), redis_until: None, valkey: Some(valkey) }
}

pub(super) const fn redis_only(major: u8, minor: u8) -> Since {
    Since { redis: Some((major, minor)), redis_until: None, valkey: None }
}

pub(super) const fn valkey_only(major: u8, minor: u8) -> Since {
    Since { redis: None, redis_until: None, valkey: Some((major, minor)) }
}

/// Gone from Redis before the fork.
pub(super) const fn between(first: Version, gone: Version) -> Since {
    Since { redis: Some(first), redis_until: Some(gone), valkey: None }
}

/// A command that can change the data set.
pub(super) const fn write(name: &'static str, arity: i8, since: Since, keys: Keys) -> Command {
    Command { writes: true, ..plain(name, arity, since, keys) }
}

/// A command that cannot.
pub(super) const fn plain(name: &'static str, arity: i8, since: Since, keys: Keys) -> Command {
    Command {
        name,
        arity: Arity::always(arity),
        since,
        writes: false,
        keys,
        group: Group::Generic, // until the table is put together
        role: Role::Plain,
        subcommands: &[],
        apply: None,
        splits: false,
    }
}

/// A sub-command that cannot change the data set; `arity` counts the container's name.
pub(super) const fn sub(name: &'static str, arity: i8, since: Since, keys: Keys) -> Subcommand {
    Subcommand { name, arity: Arity::always(arity), since, writes: false, keys }
}

impl Command {
    /// The arity was `before` until `changed`.
    pub(super) const fn until(self, changed: Since, before: i8) -> Command {
        let before = Some((before, changed));
        Command { arity: Arity { before, ..self.arity }, ..self }
    }

    /// This is what it does.
    pub(super) const fn by(self, apply: Apply) -> Command {
        Command { apply: Some(apply), ..self }
    }

    /// It treats each of its keys by itself.
    pub(super) const fn splits(self) -> Command {
        Command { splits: true, ..self }
    }

    pub(super) const fn with(self, subcommands: &'static [Subcommand]) -> Command {
        Command { subcommands, ..self }
    }

    pub(super) const fn role(self, role: Role) -> Command {
        Command { role, ..self }
    }

    pub(super) const fn in_group(self, group: Group) -> Command {
        Command { group, ..self }
    }
}

impl Subcommand {
    /// The arity was `before` until `changed`.
    pub(super) const fn until(self, changed: Since, before: i8) -> Subcommand {
        let before = Some((before, changed));
        Subcommand { arity: Arity { before, ..self.arity }, ..self }
    }

    pub(super) const fn writes(self) -> Subcommand {
        Subcommand { writes: true, ..self }
    }
}
