//! The commands that are sent for a key.

use super::outgoing::{Content, Outgoing};
use super::read_back::Comparer;
use crate::base::server::Server;
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
    /// The time of the server when the request was written, in Unix milliseconds.
    pub(super) sent_ms: i64,
    /// The number of times that it was redirected or refused for now.
    pub(super) attempts: u32,
}

impl Job {
    pub(super) fn new(key: Outgoing, stage: Stage, checked: bool) -> Job {
        Job { key, stage, checked, asking: false, to: None, resent: false, sent_ms: 0, attempts: 0 }
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

    /// Appends the request.
    pub(super) fn write(&self, out: &mut Vec<u8>, server: Server) {
        let asking = |out: &mut Vec<u8>| {
            if self.asking {
                pack(out, &[b"ASKING"]);
            }
        };
        let key = self.key.key.as_slice();
        match self.stage {
            Stage::Probe => {
                asking(out);
                pack(out, &[b"TYPE", key]);
            }
            Stage::Exists => {
                asking(out);
                pack(out, &[b"EXISTS", key]);
            }
            Stage::Restore { replace, checked } => {
                if checked {
                    pack(out, &[b"MULTI"]);
                }
                if replace {
                    // Whether there was a key to replace.
                    asking(out);
                    pack(out, &[b"EXISTS", key]);
                }
                asking(out);
                self.restore(out, replace);
                if checked {
                    pack(out, &[b"DUMP", key]);
                    expiry(out, key, server);
                    pack(out, &[b"EXEC"]);
                }
            }
            Stage::Compare | Stage::ReadBack => {
                asking(out);
                pack(out, &[b"DUMP", key]);
                asking(out);
                expiry(out, key, server);
            }
            // These are no single requests.
            Stage::Build { .. } | Stage::Unite | Stage::Withdraw => {}
        }
    }

    fn restore(&self, out: &mut Vec<u8>, replace: bool) {
        let payload = match &self.key.content {
            Content::Payload(payload) => payload.as_slice(),
            Content::Commands(_) | Content::Impossible(_) => &[],
        };
        let ttl = self.key.expires_ms.unwrap_or(0);
        let mut number = itoa::Buffer::new();
        let ttl = number.format(ttl).as_bytes();
        let args: [&[u8]; 6] = [b"RESTORE", &self.key.key, ttl, payload, b"ABSTTL", b"REPLACE"];
        pack(out, if replace { &args } else { &args[..5] });
    }
}

fn expiry(out: &mut Vec<u8>, key: &[u8], server: Server) {
    let name: &[u8] = if Comparer::has_expiry_times(server) { b"PEXPIRETIME" } else { b"PTTL" };
    pack(out, &[name, key]);
}
