//! The server that wrote a log, as far as its bytes say.
//!
//! An RDB records the version of its writer. Of a log without one, or one that a newer server continued, the bytes require
//! some version: the commands, the options of commands, the version of the RDB, and the layout. Where nothing decides, the
//! log is read as a version that keeps most of the state, such as the counters of streams.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::LazyLock;

use serde::Serialize;

use crate::aof::Frame;
use crate::base::server::{KNOWN, Product, Server, redis};
use crate::base::units::Count;
use crate::command::{COUNT, CommandId, TABLE};
use crate::rdb::{Header, Magic};

/// The server that wrote a log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Origin {
    /// The release line that the log names or requires.
    pub server: Server,
    /// How it is known.
    pub(crate) basis: Basis,
    /// What in the log requires it: a command or option and its first byte, or the version of the RDB.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub evidence: Option<String>,
    /// Whether the log has streams, whose counters came with Redis 7.0.
    #[serde(skip)]
    has_streams: bool,
}

/// How the server that wrote a log is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Basis {
    /// An RDB in the log names it.
    Recorded,
    /// The log has something that older lines do not know, so that it is this line or a later one.
    Required,
    /// Nothing in the log but its layout says more than that it is this line or a later one.
    Layout,
}

/// The line as which a log is read of which nothing says that it is of an older one. It has all bookkeeping of streams.
const KEEPS_MOST: Server = redis(7, 2);

impl Origin {
    /// Returns the server whose loader is emulated: the one that is recorded, or one that keeps most of the state.
    pub fn reading(&self) -> Server {
        match (self.basis, self.server.product) {
            (Basis::Recorded, _) | (_, Product::Valkey) => self.server,
            (Basis::Required | Basis::Layout, Product::Redis) => self.server.max(KEEPS_MOST),
        }
    }
}

impl Origin {
    /// Returns the origin of a log whose RDB names its server, for the tests of reports.
    #[cfg(any(test, feature = "internals"))]
    pub(crate) fn recorded(server: Server) -> Origin {
        Origin { server, basis: Basis::Recorded, evidence: None, has_streams: false }
    }

    /// Returns whether the log records its server, and its commands require no other.
    pub(crate) fn is_recorded(&self) -> bool {
        self.basis == Basis::Recorded
    }

    /// Returns whether something in the log other than its layout requires the server.
    pub(crate) fn is_inferred(&self) -> bool {
        self.basis == Basis::Required
    }

    /// Returns the server to write for: the one that wrote the log, or the oldest possible one that keeps the counters of
    /// streams.
    pub fn writing(&self) -> Server {
        match (self.basis, self.server.product) {
            (Basis::Required | Basis::Layout, Product::Redis) if self.has_streams => {
                self.server.max(redis(7, 0))
            }
            _ => self.server,
        }
    }
}

impl fmt::Display for Origin {
    /// A phrase without a final stop: `redis-7.4 or later: HPEXPIREAT at byte 2,937`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.server)?;
        match (self.basis, &self.evidence) {
            (Basis::Recorded, None) => Ok(()),
            (Basis::Recorded, Some(evidence)) => write!(f, ", {evidence}"),
            (Basis::Required, Some(evidence)) => write!(f, " or later: {evidence}"),
            (Basis::Required | Basis::Layout, _) => f.write_str(" or later, by its layout alone"),
        }
    }
}

/// Something that not every server knows, and its first byte in a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Feature {
    Command(CommandId),
    /// An option of a command: see [`OPTIONS`].
    Option(usize),
}

/// An option that came after its command, as servers log it.
struct NewOption {
    command: CommandId,
    word: &'static [u8],
    redis: Server,
    /// The first Valkey that logs it, if one does.
    valkey: Option<Server>,
}

const fn option(command: CommandId, word: &'static [u8], redis: Server) -> NewOption {
    NewOption { command, word, redis, valkey: None }
}

const SET: CommandId = CommandId::named("SET");
const XADD: CommandId = CommandId::named("XADD");

/// The options that decide.
const OPTIONS: [NewOption; 9] = [
    NewOption {
        valkey: Some(Server { product: Product::Valkey, major: 8, minor: 1 }),
        ..option(SET, b"IFEQ", redis(8, 4))
    },
    option(SET, b"IFNE", redis(8, 4)),
    option(SET, b"IFDEQ", redis(8, 4)),
    option(SET, b"IFDNE", redis(8, 4)),
    option(XADD, b"IDMP", redis(8, 6)),
    option(XADD, b"IDMPAUTO", redis(8, 6)),
    option(XADD, b"KEEPREF", redis(8, 2)),
    option(XADD, b"DELREF", redis(8, 2)),
    option(XADD, b"ACKED", redis(8, 2)),
];

/// The index of the first argument of SET that may be an option.
const SET_OPTIONS: u32 = 3;
/// The index of the first argument of XADD that may be an option.
const XADD_OPTIONS: usize = 2;

/// The commands that are not of every line that logs have been written by since Redis 6.2.
static NEWER: LazyLock<[bool; COUNT]> = LazyLock::new(|| {
    let mut newer = [false; COUNT];
    for (id, row) in TABLE.iter().enumerate() {
        newer[id] = !row.known_by(redis(6, 2));
    }
    newer
});

/// What the commands of a part require.
#[derive(Clone)]
pub(super) struct Evidence {
    newer: &'static [bool; COUNT],
    first: BTreeMap<Feature, u64>,
    has_streams: bool,
}

impl Default for Evidence {
    fn default() -> Self {
        Evidence { newer: &NEWER, first: BTreeMap::new(), has_streams: false }
    }
}

impl Evidence {
    /// Notes a command.
    #[inline(always)]
    pub(super) fn note(&mut self, id: CommandId, frame: &Frame<'_>) {
        let has_options = id == XADD || id == SET && frame.argc() > SET_OPTIONS;
        if has_options || self.newer[id.index()] {
            self.note_newer(id, frame);
        }
    }

    #[inline(never)]
    fn note_newer(&mut self, id: CommandId, frame: &Frame<'_>) {
        self.has_streams |= id == XADD;
        if self.newer[id.index()] {
            self.first.entry(Feature::Command(id)).or_insert(frame.offset());
            return;
        }
        // The options of XADD end with the id of the entry.
        let is_id =
            |arg: &[u8]| arg.first().is_some_and(|byte| byte.is_ascii_digit() || *byte == b'*');
        let skipped = if id == SET { SET_OPTIONS as usize } else { XADD_OPTIONS };
        for arg in frame.args().skip(skipped) {
            if id == XADD && is_id(arg) {
                break;
            }
            let new =
                |option: &NewOption| option.command == id && arg.eq_ignore_ascii_case(option.word);
            if let Some(index) = OPTIONS.iter().position(new) {
                self.first.entry(Feature::Option(index)).or_insert(frame.offset());
            }
        }
    }

    /// Adds what later commands of the same part require.
    pub(super) fn join(&mut self, later: Self) {
        self.has_streams |= later.has_streams;
        for (feature, offset) in later.first {
            self.first.entry(feature).or_insert(offset);
        }
    }
}

/// What one part says of its writer.
pub(super) struct PartEvidence<'p> {
    /// The name of the part, if there are several.
    pub(super) name: Option<&'p str>,
    /// The server that its RDB names.
    pub(super) writer: Option<Server>,
    pub(super) rdb: Option<Header>,
    pub(super) is_of_set: bool,
    pub(super) commands: &'p Evidence,
}

/// Something in a log that not every server knows, with the oldest line of each product that does.
struct Requirement {
    redis: Option<Server>,
    valkey: Option<Server>,
    what: String,
}

impl Requirement {
    fn of(&self, product: Product) -> Option<Server> {
        match product {
            Product::Redis => self.redis,
            Product::Valkey => self.valkey,
        }
    }

    /// What the lines that `has` is true for have.
    fn known(what: String, has: impl Fn(Server) -> bool) -> Self {
        let oldest = |product| {
            let lines = KNOWN.iter().copied().filter(|line| line.product == product);
            lines.into_iter().find(|line| has(*line))
        };
        Requirement { redis: oldest(Product::Redis), valkey: oldest(Product::Valkey), what }
    }
}

/// Returns the server that wrote a log of these parts.
pub(super) fn origin(parts: &[PartEvidence<'_>]) -> Origin {
    let required: Vec<Requirement> = parts.iter().flat_map(PartEvidence::required).collect();
    let recorded = parts.iter().find_map(|part| part.writer);
    // What no Redis knows is of Valkey.
    let product = match recorded {
        Some(server) => server.product,
        None if required.iter().any(|required| required.redis.is_none()) => Product::Valkey,
        None => Product::Redis,
    };
    let layout = if parts.iter().any(|part| part.is_of_set) { redis(7, 0) } else { redis(6, 2) };
    let most = required
        .into_iter()
        .filter_map(|required| Some((required.of(product)?, required.what)))
        .reduce(|most, other| if other.0 > most.0 { other } else { most });
    let has_streams = parts.iter().any(|part| part.commands.has_streams);
    let of = |server, basis, evidence| Origin { server, basis, evidence, has_streams };
    match (recorded, most) {
        (Some(recorded), Some((server, what))) if server > recorded => {
            let evidence = format!("{what}; an RDB in the log is of {recorded}");
            of(server, Basis::Required, Some(evidence))
        }
        (Some(server), _) => of(server, Basis::Recorded, None),
        (None, Some((server, what))) if server > layout || product == Product::Valkey => {
            of(server, Basis::Required, Some(what))
        }
        (None, _) => of(layout, Basis::Layout, None),
    }
}

impl PartEvidence<'_> {
    fn required(&self) -> Vec<Requirement> {
        let place = |offset: u64| match self.name {
            Some(name) => format!("at byte {} of {name}", Count(offset)),
            None => format!("at byte {}", Count(offset)),
        };
        let commands = self.commands.first.iter().map(|(feature, offset)| match *feature {
            Feature::Command(id) => {
                let what = format!("{id} {}", place(*offset));
                Requirement::known(what, |line| id.row().known_by(line))
            }
            Feature::Option(index) => {
                let NewOption { command, word, redis, valkey } = OPTIONS[index];
                let what = format!("{command} {} {}", word.escape_ascii(), place(*offset));
                Requirement { redis: Some(redis), valkey, what }
            }
        });
        let rdb = self.rdb.map(|Header { magic, version }| {
            Requirement::known(format!("RDB version {version}"), |line| match magic {
                Magic::Redis => version <= line.highest_redis_rdb(),
                Magic::Valkey => line.highest_valkey_rdb().is_some_and(|known| version <= known),
            })
        });
        commands.chain(rdb).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::server::valkey;

    fn of(commands: &[&str], writer: Option<Server>, is_of_set: bool) -> Origin {
        let mut evidence = Evidence::default();
        let mut offset = 0;
        for command in commands {
            let words: Vec<&str> = command.split(' ').collect();
            let mut bytes = format!("*{}\r\n", words.len());
            for word in &words {
                bytes += &format!("${}\r\n{word}\r\n", word.len());
            }
            let frame = Frame::read(offset, bytes.as_bytes()).expect("a command");
            evidence.note(CommandId::named(words[0]), &frame);
            offset += bytes.len() as u64;
        }
        origin(&[PartEvidence { name: None, writer, rdb: None, is_of_set, commands: &evidence }])
    }

    #[test]
    fn a_log_is_of_the_newest_server_that_it_requires() {
        let plain = of(&["SET k v", "HSET h f v"], None, false);
        assert_eq!((plain.server, plain.basis), (redis(6, 2), Basis::Layout));
        assert_eq!(plain.reading(), redis(7, 2));
        let set = of(&["SET k v"], None, true);
        assert_eq!((set.server, set.basis), (redis(7, 0), Basis::Layout));
        let expiry = of(&["SET k v", "HPEXPIREAT h 4102444800000 FIELDS 1 f"], None, true);
        assert_eq!((expiry.server, expiry.basis), (redis(7, 4), Basis::Required));
        assert_eq!(expiry.to_string(), "redis-7.4 or later: HPEXPIREAT at byte 27");
        let options = of(&["SET k v PXAT 4102444800000", "SET k v ifeq w"], None, false);
        assert_eq!(options.server, redis(8, 4));
        // Redis 6.2 logs it, if a client gave it.
        assert_eq!(of(&["SET k v PXAT 4102444800000"], None, false).server, redis(6, 2));
        assert_eq!(of(&["XADD s IDMP p i * f v"], None, false).server, redis(8, 6));
        // A field of that name is no option.
        assert_eq!(of(&["XADD s 1-1 IDMP v"], None, false).server, redis(6, 2));
    }

    #[test]
    fn what_an_rdb_records_decides_unless_the_commands_are_newer() {
        let recorded = of(&["SET k v"], Some(redis(6, 0)), true);
        assert_eq!((recorded.server, recorded.basis), (redis(6, 0), Basis::Recorded));
        assert_eq!(recorded.reading(), redis(6, 0));
        let continued = of(&["HPEXPIREAT h 1 FIELDS 1 f"], Some(redis(6, 2)), true);
        assert_eq!((continued.server, continued.basis), (redis(7, 4), Basis::Required));
        let valkey_log = of(&["HPEXPIREAT h 1 FIELDS 1 f"], Some(valkey(9, 1)), true);
        assert_eq!((valkey_log.server, valkey_log.basis), (valkey(9, 1), Basis::Recorded));
    }

    #[test]
    fn what_only_valkey_knows_is_of_valkey() {
        let origin = of(&["DELIFEQ k v"], None, false);
        assert_eq!(origin.server.product, Product::Valkey);
        assert_eq!(origin.basis, Basis::Required);
    }
}
