//! The reaction of a server to a log: load it, truncate it, refuse it, or crash on it.
//!
//! Each part is searched for obstacles, which are places that the server's loader cannot pass. The first one in load
//! order decides. The facts are those of [`Server`]'s methods and of the command table.

use std::cell::OnceCell;

use serde::Serialize;

use crate::analysis::survey::{Preamble, Survey};
use crate::aof::grammar::{OLD_LINE_BYTES, tolerated_in_lines_of};
use crate::aof::log::{Compressed, Layout, Log, Part};
use crate::aof::{Fault, Stop, scan_as_old};
use crate::base::escape::Shown;
use crate::base::modules::{ModuleNeed, Modules};
use crate::base::server::{DEFAULT_DATABASES, Product, Server};
use crate::base::units::{Bytes, Count};
use crate::command::{CommandId, Tally};
use crate::rdb::envelope::Codec;
use crate::rdb::load_check::Loading;
use crate::rdb::{self, DamageKind, Header, Magic, ModuleUse};

/// The reaction of a server to a log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "outcome", rename_all = "kebab-case")]
pub enum Outcome {
    /// The server loads the whole log.
    Loads,
    /// The server truncates the last part on disk and loads the rest if `aof-load-truncated` is `yes` (the default),
    /// and refuses the log otherwise.
    LoadsAfterCut {
        /// The number of bytes of the last part that are retained.
        keeps_bytes: u64,
        /// The number of bytes that are truncated and lost.
        cuts_bytes: u64,
        /// Whether the truncation leaves a MULTI without EXEC at the end, so that the next restart loses what is
        /// written after it.
        leaves_dangling_multi: bool,
    },
    /// The server exits with an error before serving clients.
    Refuses,
    /// The server runs a command with missing arguments or one that is not allowed while loading: it crashes or stores
    /// garbage.
    Undefined,
    /// The server crashes.
    Crashes,
    /// The server does not know this layout and starts without its data.
    DoesNotRead,
    /// The server finds no log, and starts without data.
    StartsEmpty,
    /// Unknown: the log has content that this version of aofkit does not know, but that this server may know.
    Unknown,
}

/// The reaction of some servers to a log, with the reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// The servers, oldest first.
    pub servers: Vec<Server>,
    /// The reaction of these servers.
    #[serde(flatten)]
    pub outcome: Outcome,
    /// The file name of the part that decides the outcome, unless the log loads as it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub part: Option<String>,
    /// The byte offset of the obstacle in that part.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offset: Option<u64>,
    /// A short reason or, for a log that loads, the condition for loading it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The module whose data makes the server refuse the log: it loads as soon as that is loaded there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) needs_module: Option<String>,
}

impl Verdict {
    /// Returns whether the whole log is loaded.
    pub fn loads(&self) -> bool {
        self.outcome == Outcome::Loads
    }

    /// Returns whether the whole log is loaded, as far as this version of aofkit can determine.
    pub fn may_load(&self) -> bool {
        matches!(self.outcome, Outcome::Loads | Outcome::Unknown)
    }
}

/// Returns the reaction of each of `servers` to the log. Servers with the same reaction for the same reason are
/// grouped, in the order of the first server of each group.
pub fn judge_all(
    log: &Log,
    surveys: &[Survey<'_>],
    servers: &[Server],
    modules: &Modules,
) -> Vec<Verdict> {
    let readings: Vec<Readings<'_>> = surveys.iter().map(Readings::new).collect();
    let mut verdicts: Vec<Verdict> = Vec::new();
    for &server in servers {
        let mut verdict = judge(log, &readings, Loader { server, modules });
        let same = verdicts.iter_mut().find(|known| {
            verdict.servers.clone_from(&known.servers);
            **known == verdict
        });
        match same {
            Some(known) => known.servers.push(server),
            None => {
                verdict.servers = vec![server];
                verdicts.push(verdict);
            }
        }
    }
    verdicts
}

/// A server with the modules that are loaded in it.
#[derive(Clone, Copy)]
struct Loader<'m> {
    server: Server,
    modules: &'m Modules,
}

impl Loader<'_> {
    /// Returns whether the server refuses the log unless this module is loaded: it has keys of it, and the server does
    /// not bundle it.
    fn lacks(&self, module: &ModuleUse) -> bool {
        module.keys > 0 && self.modules.need(self.server, &module.name) == Some(ModuleNeed::Load)
    }

    /// Returns the condition on which the log loads, because of this module.
    fn condition(&self, module: &ModuleUse) -> Option<String> {
        Some(match self.modules.need(self.server, &module.name)? {
            ModuleNeed::Load => {
                format!("if the module {} is loaded", Shown(module.name.as_bytes()))
            }
            ModuleNeed::Bundled(of) => format!("if {of}, which is bundled with it, is loaded"),
        })
    }
}

/// Returns the reaction of one server to the log.
fn judge(log: &Log, readings: &[Readings<'_>], loader: Loader<'_>) -> Verdict {
    let server = loader.server;
    let verdict = |outcome, part, offset, reason| Verdict {
        servers: vec![server],
        outcome,
        part,
        offset,
        reason,
        needs_module: None,
    };
    if matches!(log.layout, Layout::MultiPart { .. }) && !server.reads_multi_part() {
        let reason = Some("multi-part directories came with Redis 7.0".to_string());
        return verdict(Outcome::DoesNotRead, None, None, reason);
    }
    if let [only] = readings
        && log.layout == Layout::Empty
        && only.survey.part.is_empty_rdb()
    {
        let part = Some(only.survey.part.name.clone());
        let reason = Some("the file has 0 bytes, which are no RDB".to_owned());
        return verdict(Outcome::Refuses, part, Some(0), reason);
    }
    for readings in readings {
        if let Some(obstacle) = first_obstacle(readings, loader) {
            let Obstacle { offset, outcome, reason, needs_module } = obstacle;
            let part = Some(readings.survey.part.name.clone());
            let verdict = verdict(outcome, part, Some(offset), Some(reason));
            return Verdict { needs_module, ..verdict };
        }
    }
    let database = highest_rdb_database(readings)
        .filter(|&number| number >= DEFAULT_DATABASES)
        .map(|number| format!("if `databases` is above {number} (default {DEFAULT_DATABASES})"));
    let rdbs = readings.iter().filter_map(|readings| readings.survey.rdb());
    let module = rdbs.flat_map(|rdb| &rdb.modules).find_map(|module| loader.condition(module));
    let sanitizes = readings
        .iter()
        .any(|readings| has_deep_fault(readings.survey, server))
        .then(|| "if `sanitize-dump-payload` is no, the default".to_string());
    let conditions: Vec<String> = database.into_iter().chain(module).chain(sanitizes).collect();
    let condition = (!conditions.is_empty()).then(|| conditions.join(" and "));
    verdict(Outcome::Loads, None, None, condition)
}

/// Returns whether the RDB has a value that the server refuses with `sanitize-dump-payload yes` and loads otherwise.
fn has_deep_fault(survey: &Survey<'_>, server: Server) -> bool {
    let broken = match &survey.preamble {
        Some(Preamble::Broken(damage)) => Some(damage.on(server)),
        _ => None,
    };
    let deep = survey.deep_faults().map(|fault| fault.check.on(server));
    deep.chain(broken).any(|loading| loading == Loading::Deep)
}

fn highest_rdb_database(readings: &[Readings<'_>]) -> Option<u64> {
    let surveys = readings.iter().map(|readings| readings.survey);
    let databases = surveys.filter_map(Survey::rdb).flat_map(|walk| &walk.databases);
    databases.map(|database| database.db).max()
}

/// A place that a loader cannot pass.
struct Obstacle {
    offset: u64,
    outcome: Outcome,
    reason: String,
    /// The module without which it is an obstacle.
    needs_module: Option<String>,
}

impl Obstacle {
    fn new(offset: u64, outcome: Outcome, reason: impl Into<String>) -> Self {
        Obstacle { offset, outcome, reason: reason.into(), needs_module: None }
    }

    fn refuses(offset: u64, reason: impl Into<String>) -> Self {
        Obstacle::new(offset, Outcome::Refuses, reason)
    }
}

/// A part as loaders read it: loaders up to Redis 6.2 may see other commands in it.
struct Readings<'a> {
    survey: &'a Survey<'a>,
    old: OnceCell<Option<(Tally, Stop)>>,
}

/// The content of a part as one loader reads it.
struct Reading<'a> {
    survey: &'a Survey<'a>,
    tally: &'a Tally,
    stop: Stop,
    /// The byte offset from which it differs from what newer loaders read.
    differs_from: Option<u64>,
}

impl<'a> Readings<'a> {
    fn new(survey: &'a Survey<'a>) -> Self {
        Readings { survey, old: OnceCell::new() }
    }

    fn for_server(&self, server: Server) -> Reading<'_> {
        let survey = self.survey;
        let newer = Reading { survey, tally: &survey.tally, stop: survey.stop, differs_from: None };
        if server.line_buffer_bytes() > OLD_LINE_BYTES + 1 {
            return newer;
        }
        let Some(from) = first_long_line(survey) else { return newer };
        match self.old.get_or_init(|| read_as_old(survey)) {
            Some((tally, stop)) => {
                Reading { tally, stop: *stop, differs_from: Some(from), ..newer }
            }
            None => newer,
        }
    }
}

/// Returns the byte offset of the first command that an old loader reads differently.
fn first_long_line(survey: &Survey<'_>) -> Option<u64> {
    let stop = survey.stop;
    let broken = survey.part.mapping.bytes().get(stop.at..).unwrap_or_default();
    let otherwise = |fault: Fault| {
        tolerated_in_lines_of(OLD_LINE_BYTES, broken).map_err(|old| old.offset_by(stop.at))
            != Err(fault)
    };
    let at_the_end = stop.fault.is_some_and(otherwise).then_some(stop.at as u64);
    survey.tally.long_lines.first().or(at_the_end)
}

fn read_as_old(survey: &Survey<'_>) -> Option<(Tally, Stop)> {
    let start = usize::try_from(survey.commands_start).ok()?;
    let mut tally = Tally::default();
    let stop = scan_as_old(survey.part.mapping.bytes(), start, &mut tally);
    Some((tally, stop))
}

fn first_obstacle(readings: &Readings<'_>, loader: Loader<'_>) -> Option<Obstacle> {
    let server = loader.server;
    if let Some(obstacle) = compressed(readings.survey.part, loader) {
        return Some(obstacle);
    }
    if let Some(obstacle) = preamble(readings.survey, loader) {
        return Some(obstacle);
    }
    if let Some(fault) = &readings.survey.inspection.library {
        return Some(Obstacle::refuses(0, fault.to_string()));
    }
    let reading = readings.for_server(server);
    // If two obstacles are at the same byte, the frame could not be read, so that the one about its content comes
    // second.
    let obstacles = end(&reading, server).into_iter().chain(commands(&reading, loader));
    let mut first = obstacles.min_by_key(|obstacle| obstacle.offset)?;
    if let Some(from) = reading.differs_from.filter(|&from| from <= first.offset) {
        let long = format!("a line longer than its buffer of 128 bytes at byte {}: ", Count(from));
        first.reason.insert_str(0, &long);
    }
    Some(first)
}

/// Returns the obstacle that the envelope of a compressed RDB poses to a server, whatever it holds.
fn compressed(part: &Part, Loader { server, .. }: Loader<'_>) -> Option<Obstacle> {
    let envelope = part.compressed.as_deref()?;
    if !server.loads_compressed_rdb() {
        return Some(Obstacle::refuses(0, "a compressed RDB, which came with Valkey 9.2"));
    }
    match envelope {
        Compressed::Unknown(envelope) => {
            let reason = envelope.codec().err().unwrap_or_default();
            Some(Obstacle::new(0, Outcome::Unknown, format!("a compressed RDB, whose {reason}")))
        }
        Compressed::Read { unwrapped, .. }
            if unwrapped.codec == Codec::Zstd && unwrapped.fault.is_none() =>
        {
            let reason = "an RDB compressed with Zstandard, which was proposed for Valkey";
            Some(Obstacle::new(0, Outcome::Unknown, reason))
        }
        Compressed::Read { .. } => None,
    }
}

fn preamble(survey: &Survey<'_>, loader: Loader<'_>) -> Option<Obstacle> {
    let (walk, damage) = match survey.preamble.as_ref()? {
        Preamble::Newer(newer) => return Some(unknown_content(newer, loader)),
        Preamble::Broken(damage) => (&damage.before, Some(damage)),
        Preamble::Whole(walk) => (walk, None),
    };
    if let Some(obstacle) = foreign_rdb(walk, loader) {
        return Some(obstacle);
    }
    let deep = survey.deep_faults().filter_map(|fault| {
        let reason = format!("broken RDB: {}", fault.kind());
        Some(Obstacle::new(fault.offset, in_value(fault.check.on(loader.server))?, reason))
    });
    let damage = damage.and_then(|damage| in_rdb(survey, damage, loader.server));
    deep.chain(damage).min_by_key(|obstacle| obstacle.offset)
}

/// Returns the outcome of loading a value that fails a check, unless it is loaded.
fn in_value(loading: Loading) -> Option<Outcome> {
    match loading {
        Loading::Loads | Loading::Deep => None,
        Loading::Undefined => Some(Outcome::Undefined),
        Loading::Crashes => Some(Outcome::Crashes),
        Loading::Refuses => Some(Outcome::Refuses),
    }
}

/// Returns the obstacle that a broken RDB poses to a server.
fn in_rdb(survey: &Survey<'_>, damage: &rdb::Damage, server: Server) -> Option<Obstacle> {
    let reason = damage.unknown().unwrap_or_else(|| format!("broken RDB: {}", damage.kind));
    if let DamageKind::DuplicateKey { .. } = damage.kind {
        return Some(Obstacle::new(damage.offset, Outcome::Crashes, reason));
    }
    let Some(outcome) = in_value(damage.on(server)) else {
        // The commands after the RDB were not read.
        let rdb_bytes = damage.value.map_or(0, |value| value.rdb_bytes);
        let has_commands = rdb_bytes < survey.part.mapping.len();
        return has_commands.then(|| Obstacle::new(damage.offset, Outcome::Unknown, reason));
    };
    Some(Obstacle::new(damage.offset, outcome, reason))
}

/// Returns the obstacle that content unknown to this version of aofkit poses to a server.
fn unknown_content(newer: &rdb::Newer, loader: Loader<'_>) -> Obstacle {
    let content = &newer.content;
    if content.foreign().is_none() && may_know(loader.server, content.header) {
        return Obstacle::new(content.offset, Outcome::Unknown, content.to_string());
    }
    if let Some(obstacle) = foreign_rdb(&newer.before, loader) {
        return obstacle;
    }
    let reason = match content.code {
        Some(code) => format!("unknown type or opcode {code}"),
        None => content.to_string(),
    };
    Obstacle::refuses(content.offset, reason)
}

/// Returns whether a server may know content that this version of aofkit does not.
fn may_know(server: Server, Header { magic, version }: Header) -> bool {
    let of_its_own = match magic {
        Magic::Redis if server.product == Product::Valkey => false,
        Magic::Redis => version <= server.highest_redis_rdb(),
        Magic::Valkey => server.product == Product::Valkey,
    };
    let own_magic = magic == Magic::Redis || server.product == Product::Valkey;
    own_magic && server.is_newer_than_known() || of_its_own && !server.has_observed_rdb()
}

/// Returns the obstacle that an RDB is for a server, although it may be intact.
fn foreign_rdb(walk: &rdb::RdbSummary, loader: Loader<'_>) -> Option<Obstacle> {
    let server = loader.server;
    let refuses = |reason: String| Some(Obstacle::refuses(0, reason));
    let highest = match walk.magic {
        Magic::Redis => server.highest_redis_rdb(),
        Magic::Valkey => match server.highest_valkey_rdb() {
            Some(highest) if walk.version <= highest => highest,
            _ => return refuses(format!("RDB of Valkey's version {}", walk.version)),
        },
    };
    let refused = "and the highest that it loads is";
    if walk.version > highest {
        return refuses(format!("RDB version {}, {refused} {highest}", walk.version));
    }
    if walk.needs_version > highest {
        return refuses(format!(
            "types of RDB version {}, {refused} {highest}",
            walk.needs_version
        ));
    }
    let module = walk.modules.iter().find(|module| loader.lacks(module))?;
    let name = Shown(module.name.as_bytes());
    let obstacle =
        Obstacle::refuses(0, format!("data of the module {name}, unless that is loaded"));
    Some(Obstacle { needs_module: Some(module.name.clone()), ..obstacle })
}

/// The maximum length in bytes of an argument that a server logs (`proto-max-bulk-len`). Loaders allocate the declared
/// length before they read the argument.
const LONGEST_ARGUMENT_BYTES: u64 = 512 << 20;

/// The address space in bytes that no process on a 64-bit system can exceed.
const ADDRESS_SPACE_BYTES: u64 = 1 << 47;

/// Returns the obstacle at which reading stopped: a fault, or a transaction that is still open.
fn end(reading: &Reading<'_>, server: Server) -> Option<Obstacle> {
    let Reading { survey, tally, stop, .. } = *reading;
    let file_bytes = survey.part.mapping.len();
    let open = tally.transactions.open();
    let at = stop.at as u64;
    let mut reason = match (stop.fault, open) {
        (None, None) => return None,
        (None, Some(_)) => "the file ends inside a transaction".to_string(),
        (Some(Fault::Short { claim: Some(claim), .. }), _)
            if claim.bytes >= ADDRESS_SPACE_BYTES =>
        {
            let reason = format!(
                "an argument of {} bytes, for which there is no memory",
                Count(claim.bytes)
            );
            return Some(Obstacle::new(at, Outcome::Crashes, reason));
        }
        (Some(Fault::Short { .. }), None) => "the file ends inside a command".to_string(),
        (Some(Fault::Short { .. }), Some(_)) => {
            "the file ends inside a command of a transaction".to_string()
        }
        (Some(Fault::NegativeLength { .. }), _) => {
            // Redis 5.0 reads into memory that it has not reserved: it crashes, or the read fails.
            let outcome = match server.has_redis(6, 0) {
                true => Outcome::Crashes,
                false => Outcome::Undefined,
            };
            return Some(Obstacle::new(at, outcome, "an argument of negative length"));
        }
        (Some(fault), _) => {
            let mut reason = match fault {
                Fault::BadCount { value, .. } => format!("a command of {value} arguments"),
                _ => "bad format".to_string(),
            };
            if survey.part.is_last && server.product == Product::Redis && server.has_redis(8, 4) {
                let tail = file_bytes - survey.safe_end();
                reason += &format!(", unless aof-load-corrupt-tail-max-size is at least {tail}");
            }
            return Some(Obstacle::refuses(at, reason));
        }
    };
    if let Some(Fault::Short { claim: Some(claim), .. }) = stop.fault
        && claim.bytes > LONGEST_ARGUMENT_BYTES
    {
        reason += &format!(
            ", in an argument of {}; where it cannot reserve as much memory, it crashes",
            Bytes(claim.bytes)
        );
    }
    if !survey.part.is_last {
        reason += ", and it is not the last file; the server cuts it on disk all the same";
        return Some(Obstacle::refuses(at, reason));
    }
    let ServerCut { bytes, dangling } = server_cut(reading, server);
    if bytes < survey.commands_start {
        reason += ", before any whole one, and the server cuts the RDB off with it";
    }
    let outcome = Outcome::LoadsAfterCut {
        keeps_bytes: bytes,
        cuts_bytes: file_bytes - bytes,
        leaves_dangling_multi: dangling,
    };
    Some(Obstacle::new(at, outcome, reason))
}

/// The bytes of a part that a server retains when it truncates its end.
struct ServerCut {
    bytes: u64,
    /// Whether a MULTI without EXEC is among them.
    dangling: bool,
}

/// Returns what a loader retains. It truncates after the last command that it ran or queued, so that annotations after
/// that are lost too, or after the last command before the last MULTI.
fn server_cut(reading: &Reading<'_>, server: Server) -> ServerCut {
    let before_the_first =
        if server.cuts_the_rdb_before_a_torn_command() { 0 } else { reading.survey.commands_start };
    let whole_transaction = reading.stop.fault.is_none() || server.cuts_torn_transaction_whole();
    match reading.tally.transactions.open() {
        Some(open) if whole_transaction => ServerCut {
            bytes: reading.tally.end_before_multi().unwrap_or(before_the_first),
            dangling: open.block != open.multi,
        },
        open => ServerCut {
            bytes: reading.tally.last_end().unwrap_or(before_the_first),
            dangling: open.is_some(),
        },
    }
}

/// Returns the obstacles in complete commands.
fn commands(reading: &Reading<'_>, loader: Loader<'_>) -> Vec<Obstacle> {
    let server = loader.server;
    let tally = reading.tally;
    let mut obstacles = Vec::new();
    if !server.reads_annotations()
        && let Some(first) = tally.annotations.first()
    {
        obstacles
            .push(Obstacle::refuses(first, "a line that begins with #, which came with Redis 7.0"));
    }
    for (id, seen) in tally.uses() {
        if !id.row().known_by(server) {
            obstacles.push(Obstacle::refuses(seen.first, format!("unknown command {id}")));
        } else if let Some(outcome) = ends_the_loader(id, tally, server) {
            let reason = format!("{id}, which no server logs and this one does not survive");
            obstacles.push(Obstacle::new(seen.first, outcome, reason));
        }
    }
    let unknown = tally.unknown.iter().filter(|(name, _)| !loader.modules.have_command(name));
    for (name, seen) in unknown {
        obstacles.push(Obstacle::refuses(
            seen.first,
            format!("unknown command {}, unless a module brings it", Shown(name)),
        ));
    }
    if let Some(first) = tally.unknown_more.first() {
        obstacles.push(Obstacle::refuses(first, "unknown command"));
    }
    if server.checks_subcommands() {
        for ((id, name), seen) in &tally.subcommands {
            let known = id.row().subcommand(name).is_some_and(|sub| sub.known_by(server));
            if !known && id.row().known_by(server) {
                obstacles.push(Obstacle::refuses(
                    seen.first,
                    format!("unknown sub-command {id} {}", Shown(name)),
                ));
            }
        }
    }
    if let Some(first) = tally.wrong_arity.first() {
        let outcome = if server.checks_arity() { Outcome::Refuses } else { Outcome::Undefined };
        obstacles.push(Obstacle::new(first, outcome, "wrong number of arguments"));
    }
    if let Some(first) = tally.outdated_arity.first().filter(|_| server.checks_arity()) {
        let reason = "a number of arguments that only older servers take";
        obstacles.push(Obstacle::refuses(first, reason));
    }
    obstacles
}

/// Returns the effect on a loader of running a command that ends it. No server logs these commands, so another program
/// wrote them. The effects were observed; DEBUG, which exists to crash servers, is not included.
fn ends_the_loader(id: CommandId, tally: &Tally, server: Server) -> Option<Outcome> {
    const BEFORE_7_0: [CommandId; 6] = [
        CommandId::HOST,
        CommandId::POST,
        CommandId::REPLICAOF,
        CommandId::RESET,
        CommandId::SLAVEOF,
        CommandId::SYNC,
    ];
    /// They make the server wait for the client, if there is no data that they could return.
    const BEFORE_6_2: [&str; 8] = [
        "BLPOP",
        "BRPOP",
        "BRPOPLPUSH",
        "BZPOPMAX",
        "BZPOPMIN",
        "MONITOR",
        "PSUBSCRIBE",
        "SUBSCRIBE",
    ];
    // Loading ends at the EXEC that runs it; in a transaction that stays open it never runs.
    let in_transaction =
        id == CommandId::DISCARD || id == CommandId::WATCH && server.has_valkey(8, 0);
    let never_run =
        tally.transactions.open().is_some_and(|open| tally.occurrences(id).first > open.block);
    if in_transaction && tally.transactions.whole > 0 && !never_run {
        return Some(Outcome::Undefined);
    }
    if id == CommandId::SHUTDOWN && !server.has_redis(7, 0) {
        return Some(Outcome::Refuses);
    }
    if id == CommandId::WAIT && !server.has_redis(7, 2) {
        return Some(Outcome::Crashes);
    }
    // These commands access memory of a client connection, which a loader does not have; most of them crash the server.
    let astray = BEFORE_7_0.contains(&id) && !server.has_redis(7, 0)
        || BEFORE_6_2.contains(&id.row().name) && !server.has_redis(6, 2);
    astray.then_some(Outcome::Undefined)
}
