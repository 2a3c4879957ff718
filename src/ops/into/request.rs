//! The commands that are sent for a key.

use super::outgoing::{Content, Outgoing};
use super::read_back::Comparer;
use crate::base::server::Server;
use crate::keyspace::Access;
use crate::live::endpoint::Address;
use crate::live::pipeline::pack;

/// What is asked of the server next for a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// Its type, for a dry run.
    Probe,
    /// Whether it exists.
    Exists,
    /// To create it.
    Restore {
        /// Whether an existing key is replaced.
        replace: bool,
        /// Whether it is read back in the same transaction.
        checked: bool,
    },
    /// To compare what it has under the name.
    Compare,
    /// To compare what it has under the name with what was sent to it.
    ReadBack,
    /// To create it from commands, under another name at first.
    Build {
        /// Whether an existing key is replaced.
        replace: bool,
        /// Whether RESTORE has failed, or has no payload.
        only: bool,
    },
    /// To add what the running key lacks.
    Unite,
    /// To remove it again, if it still is what was sent.
    Withdraw,
}

/// A key on its way to the server.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) key: Outgoing,
    pub(super) stage: Stage,
    /// Whether the key is read back.
    pub(super) checked: bool,
    /// Whether the request is sent to a node that is about to take over the slot.
    pub(super) asking: bool,
    /// The node that serves the key, if that is not the one of its slot.
    pub(super) to: Option<Address>,
    /// Whether an earlier reply was lost, so that the key may have been created by this run.
    pub(super) resent: bool,
    /// Whether it has a transaction of its own, because one with others was refused.
    pub(super) alone: bool,
    /// The time of the server when the request was written, in Unix milliseconds.
    pub(super) sent_ms: i64,
    /// The number of times that it was redirected or refused for now.
    pub(super) attempts: u32,
}

/// The longest idle time that servers take, in seconds: half of the range of their clock of 24 bits. Redis 5.0 cuts what is
/// longer to that, and Valkey 9.1 takes it for none.
const LONGEST_IDLE_S: u64 = (1 << 23) - 1;

/// The number of commands around a request in a transaction.
pub(super) const MULTI_AND_EXEC: usize = 2;

impl Job {
    pub(super) fn new(key: Outgoing, stage: Stage, checked: bool) -> Job {
        Job {
            key,
            stage,
            checked,
            asking: false,
            to: None,
            resent: false,
            alone: false,
            sent_ms: 0,
            attempts: 0,
        }
    }

    /// Returns whether the reply is compared with the key, which takes the time at which it was sent.
    pub(super) fn is_compared(&self) -> bool {
        !matches!(self.stage, Stage::Restore { checked: false, .. } | Stage::Exists | Stage::Probe)
    }

    /// Returns the number of commands of the request.
    pub(super) fn commands(&self) -> usize {
        let commands = match self.stage {
            Stage::Restore { checked, replace } => {
                1 + if checked { 4 } else { 0 } + usize::from(replace)
            }
            Stage::Compare | Stage::ReadBack => 2,
            _ => 1,
        };
        if self.asking { commands * 2 } else { commands }
    }

    /// Returns the number of commands of the request without the transaction around it.
    pub(super) fn commands_in_transaction(&self) -> usize {
        self.commands().saturating_sub(MULTI_AND_EXEC)
    }

    /// Appends the commands of requests that create and read back keys, in one transaction.
    pub(super) fn write_all(jobs: &[Job], out: &mut Vec<u8>, server: Server) {
        pack(out, &[b"MULTI"]);
        for job in jobs {
            if let Stage::Restore { replace, .. } = job.stage {
                job.create(out, replace);
                job.describe(out, server);
            }
        }
        pack(out, &[b"EXEC"]);
    }

    /// Appends the request.
    pub(super) fn write(&self, out: &mut Vec<u8>, server: Server) {
        let key = self.key.key.as_slice();
        match self.stage {
            Stage::Probe => {
                self.ask(out);
                pack(out, &[b"TYPE", key]);
            }
            Stage::Exists => {
                self.ask(out);
                pack(out, &[b"EXISTS", key]);
            }
            Stage::Restore { checked: true, .. } => {
                Job::write_all(std::slice::from_ref(self), out, server);
            }
            Stage::Restore { replace, checked: false } => self.create(out, replace),
            Stage::Compare | Stage::ReadBack => {
                self.ask(out);
                pack(out, &[b"DUMP", key]);
                self.ask(out);
                expiry(out, key, server);
            }
            // These are no single requests.
            Stage::Build { .. } | Stage::Unite | Stage::Withdraw => {}
        }
    }

    fn create(&self, out: &mut Vec<u8>, replace: bool) {
        if replace {
            // Whether there was a key to replace.
            self.ask(out);
            pack(out, &[b"EXISTS", &self.key.key]);
        }
        self.ask(out);
        self.restore(out, replace);
    }

    /// Appends ASKING, if the next command needs it.
    fn ask(&self, out: &mut Vec<u8>) {
        if self.asking {
            pack(out, &[b"ASKING"]);
        }
    }

    /// Appends the commands whose replies are compared with the key.
    fn describe(&self, out: &mut Vec<u8>, server: Server) {
        pack(out, &[b"DUMP", &self.key.key]);
        expiry(out, &self.key.key, server);
    }

    fn restore(&self, out: &mut Vec<u8>, replace: bool) {
        let payload = match &self.key.content {
            Content::Payload(payload) => payload.as_slice(),
            Content::Commands(_) | Content::Impossible(_) => &[],
        };
        let ttl = self.key.expires_ms.unwrap_or(0);
        let (mut number, mut access_number) = (itoa::Buffer::new(), itoa::Buffer::new());
        let ttl = number.format(ttl).as_bytes();
        let mut args: [&[u8]; 8] = [b""; 8];
        args[..5].copy_from_slice(&[b"RESTORE", &self.key.key, ttl, payload, b"ABSTTL"]);
        let mut count = 5;
        if replace {
            args[count] = b"REPLACE";
            count += 1;
        }
        let access: Option<(&[u8], u64)> = match self.key.access {
            Some(Access::Idle(seconds)) => Some((b"IDLETIME", seconds.min(LONGEST_IDLE_S))),
            Some(Access::Frequency(uses)) => Some((b"FREQ", u64::from(uses))),
            None => None,
        };
        if let Some((name, value)) = access {
            args[count] = name;
            args[count + 1] = access_number.format(value).as_bytes();
            count += 2;
        }
        pack(out, &args[..count]);
    }
}

fn expiry(out: &mut Vec<u8>, key: &[u8], server: Server) {
    let name: &[u8] = if Comparer::has_expiry_times(server) { b"PEXPIRETIME" } else { b"PTTL" };
    pack(out, &[name, key]);
}
