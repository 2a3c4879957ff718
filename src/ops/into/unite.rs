//! Adding to a running key what it lacks: fields of hashes, members of sets and sorted sets, later entries of streams.
//!
//! The key is watched while it is compared, so that nothing is added to a key that has changed meanwhile, has expired,
//! or has another type.

use redis::Value as Reply;

use super::build::Halt;
use super::outgoing::Content;
use super::refusal::Refusal;
use super::request::{Job, Stage};
use super::send::{Sender, can_be_united};
use super::tally::KeyOutcome;
use crate::base::error::Result;
use crate::base::server::Product;
use crate::keyspace::Value;
use crate::keyspace::from_dump::PayloadReader;
use crate::keyspace::stream::StreamId;
use crate::live::pipeline::{pack, packed};

/// The number of fields or members of a command.
const BATCH: usize = 256;
/// The number of times that a key that changes meanwhile is compared again.
const ATTEMPTS: u32 = 5;

/// An addition to a running key.
#[derive(Debug, Default)]
struct Addition {
    /// The commands of the transaction.
    commands: Vec<u8>,
    count: usize,
    /// The number of entries that the stream lacks but cannot take any more.
    too_late: u64,
}

impl Addition {
    fn command(&mut self, args: &[&[u8]]) {
        pack(&mut self.commands, args);
        self.count += 1;
    }
}

impl Sender<'_> {
    /// Adds what the running key lacks.
    pub(super) fn unite(&mut self, node: usize, job: Job) -> Result<()> {
        if !can_be_united(&job.key) {
            self.tally.conflict(&job.key, "is a type that is kept as it is");
            return Ok(());
        }
        for _ in 0..ATTEMPTS {
            match self.unite_once(node, &job) {
                Ok(Some(outcome)) => {
                    match outcome {
                        KeyOutcome::Conflicting => {
                            self.tally.conflict(&job.key, "has another type")
                        }
                        outcome => self.tally.count(&job.key, outcome),
                    }
                    return Ok(());
                }
                // It changed meanwhile.
                Ok(None) => {}
                Err(Halt::Lost(failure)) => return self.lost_with(node, job, failure),
                Err(Halt::Refused(Refusal::Exists)) => {
                    // It is gone.
                    let stage = Stage::Restore { replace: false, checked: job.checked };
                    return self.push_at_once(Job { stage, ..job });
                }
                Err(Halt::Refused(refusal)) => {
                    self.refused(job, refusal);
                    return Ok(());
                }
            }
        }
        self.tally.failed(&job.key, "changes all the time");
        Ok(())
    }

    /// Returns what became of the key; `None` if it changed meanwhile.
    fn unite_once(&mut self, node: usize, job: &Job) -> Result<Option<KeyOutcome>, Halt> {
        let key = job.key.key.as_slice();
        self.run(node, job.asking, &[b"WATCH", key])?;
        let united = self.unite_watched(node, job);
        if !matches!(united, Ok((None | Some(KeyOutcome::United), _))) {
            self.run(node, false, &[b"UNWATCH"])?;
        }
        let (outcome, too_late) = united?;
        if too_late > 0 && outcome.is_some() {
            let reason =
                format!("{too_late} entries are older than its last one, and cannot be added");
            self.tally.note_conflict(&job.key, &reason);
        }
        Ok(outcome)
    }

    fn unite_watched(&mut self, node: usize, job: &Job) -> Result<(Option<KeyOutcome>, u64), Halt> {
        let key = job.key.key.as_slice();
        let Reply::SimpleString(kind) = self.run(node, job.asking, &[b"TYPE", key])? else {
            return Err(unexpected());
        };
        if kind == "none" {
            return Err(Halt::Refused(Refusal::Exists));
        }
        if kind != job.key.kind.to_string() {
            return Ok((Some(KeyOutcome::Conflicting), 0));
        }
        let Content::Payload(payload) = &job.key.content else {
            return Ok((Some(KeyOutcome::Conflicting), 0));
        };
        let mut payloads = PayloadReader::new(self.server.line);
        let addition = payloads.with_entry((job.key.db, key), payload, None, |entry| {
            self.addition(node, job, &entry.value)
        });
        let addition = addition.map_err(|_| unexpected())??;
        if addition.count == 0 {
            return Ok((Some(KeyOutcome::AlreadyThere), addition.too_late));
        }
        let mut request = packed(&[b"MULTI"]);
        request.extend_from_slice(&addition.commands);
        pack(&mut request, &[b"EXEC"]);
        let address = self.address(node);
        let replies =
            self.pipeline(node).run_all(&request, addition.count + 2).map_err(Halt::Lost)?;
        let mut results = replies.iter().flat_map(|reply| match reply {
            Reply::Array(results) => results.as_slice(),
            reply => std::slice::from_ref(reply),
        });
        let error = results.find_map(|reply| match reply {
            Reply::ServerError(error) => Some(error),
            _ => None,
        });
        match (error, replies.last()) {
            (Some(error), _) => Err(Halt::Refused(Refusal::of(error, &address))),
            (None, Some(Reply::Nil)) => Ok((None, 0)),
            (None, _) => Ok((Some(KeyOutcome::United), addition.too_late)),
        }
    }

    /// Returns the commands that add what the running key lacks.
    fn addition(&mut self, node: usize, job: &Job, value: &Value<'_>) -> Result<Addition, Halt> {
        let key = job.key.key.as_slice();
        let mut addition = Addition::default();
        match value {
            Value::Set(set) => {
                let members: Vec<&[u8]> = set.members().collect();
                for batch in members.chunks(BATCH) {
                    addition.command(&[&[b"SADD", key], batch].concat());
                }
            }
            Value::Zset(zset) => {
                let members: Vec<(&[u8], String)> =
                    zset.members().map(|(member, score)| (member, score_text(score))).collect();
                for batch in members.chunks(BATCH) {
                    let mut args: Vec<&[u8]> = vec![b"ZADD", key, b"NX"];
                    for (member, score) in batch {
                        args.extend([score.as_bytes(), member]);
                    }
                    addition.command(&args);
                }
            }
            Value::Hash(hash) => {
                let mut texts = Vec::new();
                for (field, text, expires_ms) in hash.fields() {
                    text.with(|text| texts.push((field, text.to_vec(), expires_ms)));
                }
                for batch in texts.chunks(BATCH) {
                    let fields = batch.iter().map(|(field, ..)| *field);
                    let args: Vec<&[u8]> = [&b"HMGET"[..], key].into_iter().chain(fields).collect();
                    let Reply::Array(found) = self.run(node, job.asking, &args)? else {
                        return Err(unexpected());
                    };
                    let lacking =
                        batch.iter().zip(&found).filter(|(_, found)| **found == Reply::Nil);
                    for ((field, text, expires_ms), _) in lacking {
                        self.add_field(&mut addition, key, (field, text, *expires_ms));
                    }
                }
            }
            Value::Stream(stream) => {
                let last = self.last_id(node, job)?;
                for (id, fields) in stream.entries() {
                    if last.is_some_and(|last| id <= last) {
                        addition.too_late += 1;
                        continue;
                    }
                    let id = format!("{}-{}", id.ms, id.seq);
                    let mut args: Vec<&[u8]> = vec![b"XADD", key, id.as_bytes()];
                    let pairs: Vec<(&[u8], &[u8])> = fields.iter().collect();
                    args.extend(pairs.iter().flat_map(|(field, value)| [*field, *value]));
                    addition.command(&args);
                }
            }
            _ => {}
        }
        Ok(addition)
    }

    fn add_field(
        &self,
        addition: &mut Addition,
        key: &[u8],
        (field, text, expires_ms): (&[u8], &[u8], Option<i64>),
    ) {
        let Some(expires_ms) = expires_ms else {
            addition.command(&[b"HSET", key, field, text]);
            return;
        };
        let time = expires_ms.to_string();
        if self.server.line.product == Product::Valkey {
            let args: [&[u8]; 8] =
                [b"HSETEX", key, b"PXAT", time.as_bytes(), b"FIELDS", b"1", field, text];
            addition.command(&args);
        } else {
            addition.command(&[b"HSET", key, field, text]);
            addition.command(&[b"HPEXPIREAT", key, time.as_bytes(), b"FIELDS", b"1", field]);
        }
    }

    /// Returns the last id that the running stream has given.
    fn last_id(&mut self, node: usize, job: &Job) -> Result<Option<StreamId>, Halt> {
        let reply = self.run(node, job.asking, &[b"XINFO", b"STREAM", &job.key.key])?;
        let Reply::Array(fields) = reply else { return Err(unexpected()) };
        let value = fields.chunks(2).find_map(|pair| match pair {
            [Reply::BulkString(name), Reply::BulkString(value)] if name == b"last-generated-id" => {
                Some(value)
            }
            _ => None,
        });
        let text = value.and_then(|value| std::str::from_utf8(value).ok());
        let id = text.and_then(|text| text.split_once('-'));
        let id = id
            .and_then(|(ms, seq)| Some(StreamId { ms: ms.parse().ok()?, seq: seq.parse().ok()? }));
        id.map(Some).ok_or_else(unexpected)
    }
}

/// Returns a score so that a server reads the same number: with 17 digits, as `%.17g` does.
fn score_text(score: f64) -> String {
    match score {
        f64::INFINITY => "inf".to_owned(),
        f64::NEG_INFINITY => "-inf".to_owned(),
        // The shortest text that is read as the same number.
        score => format!("{score:e}"),
    }
}

fn unexpected() -> Halt {
    Halt::Refused(Refusal::Key("the reply is not what a server sends".to_owned()))
}
