//! Removing a key again that should not have been created.
//!
//! A customer may write and delete a key in the moment between the last reading of the log and RESTORE. The log then
//! shows the order of both, and the key is removed again, unless it has changed since.

use redis::Value as Reply;

use super::build::Halt;
use super::read_back::{Compared, Comparer};
use super::request::Job;
use super::send::Sender;
use crate::base::error::Result;
use crate::live::pipeline::{pack, packed};

impl Sender<'_> {
    /// Removes a key if it still is what was sent.
    pub(super) fn withdraw(&mut self, node: usize, mut job: Job) -> Result<()> {
        job.sent_ms = self.server.now_ms();
        match self.withdraw_unchanged(node, &job) {
            Ok(is_removed) => {
                if is_removed {
                    self.tally.withdrawn(&job.key);
                }
                Ok(())
            }
            Err(Halt::Lost(failure)) => self.lost_with(node, job, failure),
            Err(Halt::Refused(_)) => {
                self.tally
                    .differs(&job.key, "was deleted by others, and could not be removed again");
                Ok(())
            }
        }
    }

    fn withdraw_unchanged(&mut self, node: usize, job: &Job) -> Result<bool, Halt> {
        let key = job.key.key.as_slice();
        self.run(node, false, &[b"WATCH", key])?;
        let has_times = Comparer::has_expiry_times(self.server.line);
        let dump = self.run(node, false, &[b"DUMP", key])?;
        let name: &[u8] = if has_times { b"PEXPIRETIME" } else { b"PTTL" };
        let expiry = self.run(node, false, &[name, key])?;
        if self.compare(job, &dump, &expiry) != Compared::Same {
            self.run(node, false, &[b"UNWATCH"])?;
            return Ok(false);
        }
        let mut request = packed(&[b"MULTI"]);
        pack(&mut request, &[b"DEL", key]);
        pack(&mut request, &[b"EXEC"]);
        let replies = self.pipeline(node).run_all(&request, 3).map_err(Halt::Lost)?;
        Ok(matches!(replies.last(), Some(Reply::Array(_))))
    }
}
