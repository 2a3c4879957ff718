//! Creating a key in pieces, so that a large one does not block the server, and what has no payload can be created.
//!
//! The commands create it under a temporary name with an expiry of an hour, which removes it if the run ends before it
//! is complete. One transaction then gives it its expiry and its name: it appears whole or not at all.

use redis::Value as Reply;

use super::outgoing::{Content, Outgoing, commands, temporary_name};
use super::refusal::Refusal;
use super::request::{Job, Stage};
use super::send::Sender;
use super::tally::KeyOutcome;
use crate::aof::Frame;
use crate::base::error::Result;
use crate::keyspace::from_dump::PayloadReader;
use crate::live::connection::Failure;
use crate::live::pipeline::{pack, packed};

/// The expiry of a temporary key, in milliseconds.
const TEMPORARY_MS: &[u8] = b"3600000";
/// The number of bytes that are sent at once.
const PIECE: usize = 16 << 10;

/// The reason why a request of several steps did not succeed.
pub(super) enum Halt {
    /// The connection was lost.
    Lost(Failure),
    Refused(Refusal),
}

impl Sender<'_> {
    /// Runs a request that consists of several steps; the pipeline of the node is empty.
    pub(super) fn step_by_step(&mut self, node: usize, job: Job) -> Result<()> {
        match job.stage {
            Stage::Unite => self.unite(node, job),
            Stage::Withdraw => self.withdraw(node, job),
            Stage::Build { replace, only } => self.build(node, job, replace, only),
            _ => Ok(()),
        }
    }

    fn build(&mut self, node: usize, job: Job, replace: bool, only: bool) -> Result<()> {
        let temporary = temporary_name(&job.key.key);
        let bytes = match self.commands_of(&job.key, &temporary) {
            Ok(bytes) => bytes,
            Err(_) if !only => return self.restore_at_once(job, replace),
            Err(reason) => {
                self.tally.failed(&job.key, reason);
                return Ok(());
            }
        };
        let built = self.send_pieces(node, &job, &temporary, &bytes);
        let built = match built? {
            Ok(()) => self.put_in_place(node, &job, &temporary, replace),
            Err(halt) => Err(halt),
        };
        match built {
            Ok(outcome @ (KeyOutcome::Restored | KeyOutcome::Replaced)) => {
                self.restored(job, outcome == KeyOutcome::Replaced, None);
            }
            Ok(KeyOutcome::Conflicting) => self.refused(job, Refusal::Exists),
            Ok(outcome) => self.tally.count(&job.key, outcome),
            Err(Halt::Lost(failure)) => return self.lost_with(node, job, failure),
            Err(Halt::Refused(refusal)) => {
                // What is there of it is removed now, or by its expiry.
                let _ = self.run(node, job.asking, &[b"DEL", &temporary]);
                match refusal {
                    // The user may not use these commands: RESTORE does without them.
                    Refusal::Everything(reason) if !only && reason.starts_with("NOPERM") => {
                        return self.restore_at_once(job, replace);
                    }
                    refusal => self.refused(job, refusal),
                }
            }
        }
        Ok(())
    }

    fn restore_at_once(&mut self, job: Job, replace: bool) -> Result<()> {
        let checked = job.checked && !job.asking;
        let again = Job { stage: Stage::Restore { replace, checked }, ..job };
        self.push_at_once(again)
    }

    /// Returns the commands that create a key under another name.
    fn commands_of(&self, key: &Outgoing, temporary: &[u8]) -> Result<Vec<u8>, String> {
        match &key.content {
            Content::Commands(bytes) => Ok(bytes.clone()),
            Content::Impossible(reason) => Err(reason.clone()),
            Content::Payload(payload) => {
                let server = self.server.line;
                let mut payloads = PayloadReader::new(server);
                let made = payloads.with_entry((key.db, &key.key), payload, None, |entry| {
                    commands(server, temporary, &entry.value)
                });
                made.unwrap_or_else(|error| Err(error.to_string()))
            }
        }
    }

    /// Creates the temporary key, piece by piece.
    fn send_pieces(
        &mut self,
        node: usize,
        job: &Job,
        temporary: &[u8],
        bytes: &[u8],
    ) -> Result<Result<(), Halt>> {
        // What an earlier run left.
        let mut piece = packed(&[b"DEL", temporary]);
        let (mut replies, mut at) = (1, 0);
        let mut is_first = true;
        while at < bytes.len() {
            let frame = Frame::read(at as u64, &bytes[at..]);
            let len = frame.map_or(bytes.len() - at, |frame| frame.bytes().len());
            if is_first {
                pack(&mut piece, &[b"MULTI"]);
                piece.extend_from_slice(&bytes[at..at + len]);
                pack(&mut piece, &[b"PEXPIRE", temporary, TEMPORARY_MS]);
                pack(&mut piece, &[b"EXEC"]);
                replies += 4;
                is_first = false;
            } else {
                if job.asking {
                    pack(&mut piece, &[b"ASKING"]);
                    replies += 1;
                }
                piece.extend_from_slice(&bytes[at..at + len]);
                replies += 1;
            }
            at += len;
            if piece.len() >= PIECE || at >= bytes.len() {
                self.hold_pace(piece.len())?;
                if let Err(halt) = self.run_piece(node, &piece, replies) {
                    return Ok(Err(halt));
                }
                piece.clear();
                replies = 0;
            }
        }
        Ok(Ok(()))
    }

    /// Runs commands, none of which may fail.
    fn run_piece(&mut self, node: usize, piece: &[u8], replies: usize) -> Result<(), Halt> {
        let address = self.address(node);
        let replies = self.pipeline(node).run_all(piece, replies).map_err(Halt::Lost)?;
        for reply in &replies {
            let mut results = match reply {
                Reply::Array(results) => results.as_slice(),
                reply => std::slice::from_ref(reply),
            }
            .iter();
            let error = results.find_map(|reply| match reply {
                Reply::ServerError(error) => Some(error),
                _ => None,
            });
            if let Some(error) = error {
                return Err(Halt::Refused(Refusal::of(error, &address)));
            }
        }
        Ok(())
    }

    /// Gives a complete temporary key its expiry and its name.
    fn put_in_place(
        &mut self,
        node: usize,
        job: &Job,
        temporary: &[u8],
        replace: bool,
    ) -> Result<KeyOutcome, Halt> {
        let key = job.key.key.as_slice();
        let expired = |ms: &i64| *ms <= self.server.now_ms();
        if job.key.expires_ms.as_ref().is_some_and(expired) {
            self.run(node, job.asking, &[b"DEL", temporary])?;
            return Ok(KeyOutcome::Expired);
        }
        let mut request = packed(&[b"MULTI"]);
        let mut number = itoa::Buffer::new();
        match job.key.expires_ms {
            Some(ms) => {
                pack(&mut request, &[b"PEXPIREAT", temporary, number.format(ms).as_bytes()]);
            }
            None => pack(&mut request, &[b"PERSIST", temporary]),
        }
        // A temporary key that cannot be renamed is removed in the same step.
        let rename: &[u8] = if replace { b"RENAME" } else { b"RENAMENX" };
        if replace {
            pack(&mut request, &[b"EXISTS", key]);
        }
        pack(&mut request, &[rename, temporary, key]);
        pack(&mut request, &[b"DEL", temporary]);
        pack(&mut request, &[b"EXEC"]);
        let address = self.address(node);
        let replies =
            self.pipeline(node).run_all(&request, 5 + usize::from(replace)).map_err(Halt::Lost)?;
        if let Some(error) = replies.iter().find_map(|reply| match reply {
            Reply::ServerError(error) => Some(error),
            _ => None,
        }) {
            return Err(Halt::Refused(Refusal::of(error, &address)));
        }
        match replies.last() {
            Some(Reply::Array(results)) => match results.as_slice() {
                [_, Reply::Int(1), Reply::Okay, _] => Ok(KeyOutcome::Replaced),
                [_, Reply::Int(1), _] | [_, Reply::Int(_), Reply::Okay, _] => {
                    Ok(KeyOutcome::Restored)
                }
                [_, Reply::Int(0), _] => Ok(KeyOutcome::Conflicting),
                [.., Reply::ServerError(error), _] => {
                    let refusal = Refusal::of(error, &address);
                    // The temporary key has expired in the transaction.
                    let is_gone =
                        matches!(&refusal, Refusal::Key(text) if text.contains("no such key"));
                    if is_gone { Ok(KeyOutcome::Expired) } else { Err(Halt::Refused(refusal)) }
                }
                _ => Err(Halt::Refused(Refusal::Key("the reply to EXEC is incomplete".to_owned()))),
            },
            _ => Err(Halt::Refused(Refusal::Key("the reply to EXEC is none".to_owned()))),
        }
    }

    /// Runs one command at a node whose pipeline is empty.
    pub(super) fn run(&mut self, node: usize, asking: bool, args: &[&[u8]]) -> Result<Reply, Halt> {
        let address = self.address(node);
        let pipeline = self.pipeline(node);
        if asking {
            pipeline.run(&packed(&[b"ASKING"])).map_err(Halt::Lost)?;
        }
        pipeline.run(&packed(args)).map_err(|failure| match failure {
            Failure::Answer { code, text } => {
                Halt::Refused(Refusal::classify(&code, &text, &address))
            }
            failure => Halt::Lost(failure),
        })
    }
}
