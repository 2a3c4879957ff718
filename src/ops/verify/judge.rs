//! What a server does with the log: load it, cut it, refuse it, or crash on it.
//!
//! Each part is searched for obstacles: what the server's loader cannot get past, and where. The first one in
//! load order decides. The facts are those of [`Server`]'s methods and of the command table.

use serde::Serialize;

use crate::aof::Fault;
use crate::aof::open::{Layout, Log};
use crate::escape::Shown;
use crate::ops::survey::{Preamble, Survey};
use crate::rdb::Magic;
use crate::server::{Product, Server};

/// What a server does with a log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "outcome", rename_all = "kebab-case")]
pub enum Outcome {
    /// Loads all of it.
    Loads,
    /// Cuts the end of the last part off the file on disk and loads the rest, when `aof-load-truncated` is
    /// `yes` (the default); refuses it otherwise.
    LoadsAfterCut {
        /// Bytes of the last part that it keeps.
        keeps_bytes: u64,
        /// Bytes that it cuts off and loses.
        cuts_bytes: u64,
        /// Whether the cut leaves a MULTI without EXEC at the end, so that the next restart loses what is
        /// written behind it.
        leaves_dangling_multi: bool,
    },
    /// Stops with an error before serving anything.
    Refuses,
    /// Runs a command with missing arguments: it crashes, or stores garbage.
    Undefined,
    /// Crashes.
    Crashes,
    /// Does not know this layout, and starts with no data from it.
    DoesNotRead,
}

/// What some servers do with a log, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// The servers, oldest first.
    pub servers: Vec<Server>,
    /// What they do.
    #[serde(flatten)]
    pub outcome: Outcome,
    /// The part that decides, where it does not load as it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub part: Option<String>,
    /// The byte in that part.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offset: Option<u64>,
    /// Why, in a few words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl Verdict {
    /// Whether all of the log is loaded.
    pub fn loads(&self) -> bool {
        self.outcome == Outcome::Loads
    }
}

/// What each of `servers` does with the log; servers that do the same for the same reason are put
/// together, in the order of the first of each group.
pub fn judge_all(log: &Log, surveys: &[Survey<'_>], servers: &[Server]) -> Vec<Verdict> {
    let mut verdicts: Vec<Verdict> = Vec::new();
    for &server in servers {
        let mut verdict = judge(log, surveys, server);
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

/// What one server does with the log.
pub fn judge(log: &Log, surveys: &[Survey<'_>], server: Server) -> Verdict {
    let verdict = |outcome, part, offset, reason| Verdict {
        servers: vec![server],
        outcome,
        part,
        offset,
        reason,
    };
    if matches!(log.layout, Layout::MultiPart { .. }) && !server.reads_multi_part() {
        let reason = Some("multi-part directories came with Redis 7.0".to_string());
        return verdict(Outcome::DoesNotRead, None, None, reason);
    }
    for survey in surveys {
        if let Some(Obstacle { offset, outcome, reason }) = first_obstacle(survey, server) {
            let part = Some(survey.part.name.clone());
            return verdict(outcome, part, Some(offset), Some(reason));
        }
    }
    verdict(Outcome::Loads, None, None, None)
}

/// What a loader cannot get past.
struct Obstacle {
    offset: u64,
    outcome: Outcome,
    reason: String,
}

impl Obstacle {
    fn refuses(offset: u64, reason: impl Into<String>) -> Self {
        Obstacle { offset, outcome: Outcome::Refuses, reason: reason.into() }
    }
}

fn first_obstacle(survey: &Survey<'_>, server: Server) -> Option<Obstacle> {
    if let Some(obstacle) = survey.preamble.as_ref().and_then(|rdb| preamble(rdb, server)) {
        return Some(obstacle);
    }
    // Where two begin at the same byte, the frame could not be read: what is said of its content waits.
    let obstacles = end(survey, server).into_iter().chain(commands(survey, server));
    obstacles.min_by_key(|obstacle| obstacle.offset)
}

fn preamble(preamble: &Preamble, server: Server) -> Option<Obstacle> {
    let walk = match preamble {
        Preamble::Broken(damage) => {
            return Some(Obstacle::refuses(damage.offset, format!("broken RDB: {}", damage.kind)));
        }
        Preamble::Whole(walk) => walk,
    };
    match walk.magic {
        Magic::Redis if walk.version <= server.highest_redis_rdb() => None,
        Magic::Redis => Some(Obstacle::refuses(
            0,
            format!(
                "RDB version {}, and {} is the highest that it loads",
                walk.version,
                server.highest_redis_rdb()
            ),
        )),
        Magic::Valkey if Some(walk.version) <= server.highest_valkey_rdb() => None,
        Magic::Valkey => {
            Some(Obstacle::refuses(0, format!("RDB of Valkey's version {}", walk.version)))
        }
    }
}

/// The obstacle in which the reading ended: a fault, or a transaction that is still open.
fn end(survey: &Survey<'_>, server: Server) -> Option<Obstacle> {
    let file_bytes = survey.part.mapping.len();
    let open = survey.open();
    let at = survey.stop.at as u64;
    let (reason, keeps_bytes, leaves_dangling_multi) = match (survey.stop.fault, open) {
        (None, None) => return None,
        (None, Some(open)) => ("the file ends inside a transaction", open.multi, false),
        (Some(Fault::Short { .. }), None) => ("the file ends inside a command", at, false),
        (Some(Fault::Short { .. }), Some(open)) => {
            let whole = server.cuts_torn_transaction_whole();
            let keeps = if whole { open.multi } else { at };
            ("the file ends inside a command of a transaction", keeps, !whole)
        }
        (Some(Fault::NegativeLength { .. }), _) => {
            let reason = "an argument of negative length".to_string();
            return Some(Obstacle { offset: at, outcome: Outcome::Crashes, reason });
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
    if !survey.part.is_last {
        return Some(Obstacle::refuses(
            at,
            format!(
                "{reason}, and it is not the last file; the server cuts it on disk all the same"
            ),
        ));
    }
    let cuts_bytes = file_bytes - keeps_bytes;
    let outcome = Outcome::LoadsAfterCut { keeps_bytes, cuts_bytes, leaves_dangling_multi };
    Some(Obstacle { offset: at, outcome, reason: reason.to_string() })
}

/// The obstacles in whole commands.
fn commands(survey: &Survey<'_>, server: Server) -> Vec<Obstacle> {
    let tally = &survey.tally;
    let mut obstacles = Vec::new();
    if !server.reads_annotations()
        && let Some(first) = tally.annotations.first()
    {
        obstacles
            .push(Obstacle::refuses(first, "a line that begins with #, which came with Redis 7.0"));
    }
    if server.line_buffer_bytes() <= crate::aof::grammar::OLD_LINE_BYTES + 1
        && let Some(first) = tally.long_lines.first()
    {
        obstacles
            .push(Obstacle::refuses(first, "a header line longer than its buffer of 128 bytes"));
    }
    for (id, seen) in tally.uses() {
        if !id.row().known_by(server) {
            obstacles.push(Obstacle::refuses(seen.first, format!("unknown command {id}")));
        }
    }
    for (name, seen) in &tally.unknown {
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
            // Missing altogether is a matter of arity.
            let known = id.row().subcommand(name).is_some_and(|sub| sub.known_by(server));
            if !known && !name.is_empty() && id.row().known_by(server) {
                obstacles.push(Obstacle::refuses(
                    seen.first,
                    format!("unknown sub-command {id} {}", Shown(name)),
                ));
            }
        }
    }
    if let Some(first) = tally.wrong_arity.first() {
        let outcome = if server.checks_arity() { Outcome::Refuses } else { Outcome::Undefined };
        let reason = "wrong number of arguments".to_string();
        obstacles.push(Obstacle { offset: first, outcome, reason });
    }
    obstacles
}
