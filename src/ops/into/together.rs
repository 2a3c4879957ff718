//! Transactions that create and read back several keys.
//!
//! They take a server half the time of one transaction for each key. Others wait longer meanwhile, so that there are none
//! unless the speed is unlimited.

use redis::Value as Reply;

use super::options::SendRate;
use super::refusal::Refusal;
use super::request::{Job, MULTI_AND_EXEC, Stage};
use super::send::{Node, Request, Sender, error_in};

/// The number of keys that one transaction creates and reads back.
const TOGETHER: usize = 16;
/// The length in bytes from which a key has a transaction of its own.
const LONG: usize = 4 << 10;

impl Sender<'_> {
    /// Returns whether a request is part of a transaction with others. In a cluster
    /// the keys of a transaction have to be in one slot.
    pub(super) fn goes_together(&self, job: &Job) -> bool {
        self.options.rate == SendRate::Unlimited
            && self.server.slots.is_none()
            && matches!(job.stage, Stage::Restore { checked: true, .. })
            && !job.alone
            && job.key.bytes() < LONG
    }

    /// Adds the transaction of the requests that were collected to the pipeline of a node.
    pub(super) fn send_together(&mut self, node: usize) {
        let (line, now_ms) = (self.server.line, self.server.now_ms());
        let Node { pipeline, together, .. } = &mut self.nodes[node];
        if together.is_empty() {
            return;
        }
        let mut jobs = std::mem::take(together);
        jobs.iter_mut().for_each(|job| job.sent_ms = now_ms);
        let commands: usize = jobs.iter().map(Job::commands_in_transaction).sum();
        let write = |request: &Request, out: &mut Vec<u8>| {
            if let Request::Together(jobs) = request {
                Job::write_all(jobs, out, line);
            }
        };
        pipeline.push(Request::Together(jobs), commands + MULTI_AND_EXEC, write);
    }

    /// Returns whether the requests that were collected are enough for a transaction.
    pub(super) fn is_complete(&self, node: usize) -> bool {
        self.nodes[node].together.len() >= TOGETHER
    }

    /// Handles the replies to a transaction of several requests.
    pub(super) fn handle_together(&mut self, node: usize, jobs: Vec<Job>, replies: &[Reply]) {
        if let Some(Reply::Array(results)) = replies.last() {
            self.refused_since = None;
            let mut results = results.iter();
            for job in jobs {
                let of_job: Vec<&Reply> =
                    results.by_ref().take(job.commands_in_transaction()).collect();
                self.created(node, job, &of_job);
            }
            return;
        }
        // One that was refused prevents all of them. The others are sent again, each in a transaction of its own. Without
        // MULTI, they have been run.
        let may_have_run = matches!(replies.first(), Some(Reply::ServerError(_)));
        let mut queued = replies.iter().skip(1);
        for job in jobs {
            let of_job: Vec<&Reply> = queued.by_ref().take(job.commands_in_transaction()).collect();
            match error_in(&of_job) {
                Some(error) => {
                    let refusal = Refusal::of(error, &self.nodes[node].address);
                    self.refused(Job { alone: true, ..job }, refusal);
                }
                None => {
                    let resent = job.resent || may_have_run;
                    self.again.push(Job { alone: true, resent, ..job });
                }
            }
        }
    }
}
