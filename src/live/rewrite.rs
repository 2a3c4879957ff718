//! BGREWRITEAOF, and waiting for it.

use std::thread;
use std::time::{Duration, Instant};

use serde::Serialize;

use super::connection::Failure;
use super::files::{FileId, Files};
use super::info::Info;
use super::session::Session;
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::escape::ShownPath;

/// A rewrite that was awaited.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Rewrite {
    /// Whether it was already running or scheduled, so that no other one was requested.
    pub found_running: bool,
    /// The reply of the server to BGREWRITEAOF, if it was requested.
    pub answer: Option<String>,
}

/// The timing of waiting for a rewrite.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Waiting {
    /// The interval between two checks.
    pub(crate) poll: Duration,
    /// The maximum time to wait.
    pub(crate) timeout: Duration,
}

/// A server whose rewrites are observed.
pub(crate) struct Rewriter<'a, 'p> {
    pub(crate) session: &'a mut Session<'p>,
    pub(crate) files: &'a Files,
    pub(crate) waiting: Waiting,
}

/// The state of rewrites at the server.
struct RewriteState {
    runs: bool,
    scheduled: bool,
    status: String,
    rewrites: Option<u64>,
    percent: Option<f64>,
}

/// The state before a rewrite, which proves afterwards that one happened.
pub(crate) struct Before {
    base: Option<FileId>,
    rewrites: Option<u64>,
}

impl Rewriter<'_, '_> {
    /// Requests a rewrite, or finds one that is running or scheduled.
    pub(crate) fn start(&mut self) -> Result<(Rewrite, Before)> {
        let base = self.files.base();
        let state = self.state()?;
        if state.runs || state.scheduled {
            // It is unknown whether it has been counted already.
            let before = Before { base, rewrites: None };
            return Ok((Rewrite { found_running: true, answer: None }, before));
        }
        let before = Before { base, rewrites: state.rewrites };
        let answer = self.session.connection().and_then(|server| server.text(&["BGREWRITEAOF"]));
        match answer {
            Ok(answer) => Ok((Rewrite { found_running: false, answer: Some(answer) }, before)),
            Err(Failure::Answer { text, .. }) if text.contains("already in progress") => {
                Ok((Rewrite { found_running: true, answer: Some(text) }, before))
            }
            // It could not even start, and the reply does not contain the reason.
            Err(Failure::Answer { code, text }) if code == "ERR" && text.starts_with("Can't") => {
                Err(self.failed(format!("BGREWRITEAOF: {code} {text}")))
            }
            Err(failure) => Err(failure.into_error("BGREWRITEAOF", self.session.endpoint())),
        }
    }

    /// Waits until no rewrite is running or scheduled, and checks that the awaited one succeeded.
    pub(crate) fn finish(&mut self, before: &Before) -> Result<()> {
        let state = self.quiet()?;
        let address = self.session.address();
        if state.status != "ok" {
            let status = &state.status;
            return Err(
                self.failed(format!("the rewrite failed: aof_last_bgrewrite_status is {status}"))
            );
        }
        if let (Some(before), Some(now)) = (before.rewrites, state.rewrites)
            && now <= before
        {
            return Err(self.failed("the server has not rewritten its log".to_owned()));
        }
        if !self.files.log.is_file() {
            // Redis 6.2 reports a failure to rename the new file to the log's name only in its log file.
            let missing = ShownPath(&self.files.log);
            return Err(self.failed(format!("the rewrite left no log at {missing}")));
        }
        if before.base.is_some() && before.base == self.files.base() {
            return Err(Error::new(
                ErrorKind::Refused,
                format!("the server at {address} has rewritten its log, and this file is still the old one"),
            )
            .at(&self.files.log)
            .help(
                "it is another server's log, or a copy: --dir says where the right directory is. Or the server could not \
                 put the new file in its place: its log file says so",
            ));
        }
        Ok(())
    }

    /// Returns the error for a failed rewrite, with the place where the server reports the reason.
    fn failed(&self, message: String) -> Error {
        let place = ShownPath(self.files.place());
        Error::new(ErrorKind::Refused, format!("{}: {message}", self.session.address())).help(format!(
            "nothing was backed up; the server's log file says why: often {place} may not be written by the server, its \
             disk is full, or there is no memory to fork. --strategy link backs up without a rewrite"
        ))
    }

    /// Waits until no rewrite is running or scheduled.
    pub(crate) fn wait(&mut self) -> Result<()> {
        self.quiet().map(drop)
    }

    /// Returns whether a rewrite is running or scheduled.
    pub(crate) fn is_busy(&mut self) -> Result<bool> {
        self.state().map(|state| state.runs || state.scheduled)
    }

    fn quiet(&mut self) -> Result<RewriteState> {
        let started = Instant::now();
        loop {
            let state = self.state_despite_loss()?;
            if !state.runs && !state.scheduled {
                return Ok(state);
            }
            if started.elapsed() >= self.waiting.timeout {
                return Err(Error::new(
                    ErrorKind::Io,
                    format!(
                        "{}: the rewrite takes longer than --timeout allows",
                        self.session.address()
                    ),
                )
                .help(
                    "it goes on in the server; a longer --timeout, or 0 for none, waits for it",
                ));
            }
            self.session.progress().waiting(started.elapsed(), state.percent);
            self.session.check()?;
            thread::sleep(self.waiting.poll);
        }
    }

    /// Queries the state again on a new connection if the old one broke, as long as the server has not restarted.
    fn state_despite_loss(&mut self) -> Result<RewriteState> {
        let deadline = Instant::now() + self.session.reconnect();
        loop {
            let failure = match self.try_state() {
                Ok(state) => return Ok(state),
                Err(failure) => failure,
            };
            self.session.client().disconnect();
            if !failure.is_temporary() || Instant::now() >= deadline {
                return Err(failure.into_error("INFO persistence", self.session.endpoint()));
            }
            thread::sleep(self.waiting.poll.min(Duration::from_millis(500)));
        }
    }

    fn state(&mut self) -> Result<RewriteState> {
        self.session.info("persistence").map(|info| RewriteState::from_info(&info))
    }

    fn try_state(&mut self) -> Result<RewriteState, Failure> {
        let info = Info::ask(self.session.connection()?, "persistence")?;
        Ok(RewriteState::from_info(&info))
    }
}

impl RewriteState {
    fn from_info(info: &Info) -> Self {
        RewriteState {
            // The time is reset to -1 only when all work in the server is done.
            runs: info.flag("aof_rewrite_in_progress")
                || info.number::<i64>("aof_current_rewrite_time_sec").is_some_and(|s| s != -1),
            scheduled: info.flag("aof_rewrite_scheduled"),
            status: info.text("aof_last_bgrewrite_status").unwrap_or("ok").to_string(),
            rewrites: info.number("aof_rewrites"),
            percent: info.number("current_fork_perc").filter(|&percent| percent > 0.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rewrite_is_finished_when_all_three_fields_agree() {
        let state = |fields: &str| {
            let state = RewriteState::from_info(&Info::parse(fields));
            (state.runs, state.scheduled)
        };
        assert_eq!(
            state(
                "aof_rewrite_in_progress:0\r\naof_current_rewrite_time_sec:-1\r\naof_rewrite_scheduled:0\r\n"
            ),
            (false, false)
        );
        assert_eq!(
            state("aof_rewrite_in_progress:1\r\naof_current_rewrite_time_sec:0\r\n"),
            (true, false)
        );
        assert_eq!(
            state("aof_rewrite_in_progress:0\r\naof_current_rewrite_time_sec:3\r\n"),
            (true, false)
        );
        assert_eq!(
            state("aof_rewrite_scheduled:1\r\naof_current_rewrite_time_sec:-1\r\n"),
            (false, true)
        );
    }
}
