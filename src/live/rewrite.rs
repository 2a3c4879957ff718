//! BGREWRITEAOF, and waiting for it.

use std::thread;
use std::time::{Duration, Instant};

use serde::Serialize;

use super::connection::{CONNECTING, Connection, Failure};
use super::endpoint::Endpoint;
use super::files::{FileId, Files};
use super::info::Info;
use super::server;
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::escape::ShownPath;
use crate::live::progress::Watch;

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
    /// The maximum time to retry a lost connection.
    pub(crate) reconnect: Duration,
}

/// A server whose rewrites are observed.
pub(crate) struct Rewriter<'a> {
    pub(crate) connection: &'a mut Option<Connection>,
    pub(crate) endpoint: &'a Endpoint,
    pub(crate) run_id: &'a str,
    pub(crate) files: &'a Files,
}

/// The state of rewrites at the server.
struct Standing {
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

impl Rewriter<'_> {
    /// Requests a rewrite, or finds one that is running or scheduled.
    pub(crate) fn start(&mut self) -> Result<(Rewrite, Before)> {
        let base = self.files.base();
        let standing = self.standing()?;
        if standing.runs || standing.scheduled {
            // It is unknown whether it has been counted already.
            let before = Before { base, rewrites: None };
            return Ok((Rewrite { found_running: true, answer: None }, before));
        }
        let before = Before { base, rewrites: standing.rewrites };
        let endpoint = self.endpoint;
        match self.connection()?.text(&["BGREWRITEAOF"]) {
            Ok(answer) => Ok((Rewrite { found_running: false, answer: Some(answer) }, before)),
            Err(Failure::Answer { text, .. }) if text.contains("already in progress") => {
                Ok((Rewrite { found_running: true, answer: Some(text) }, before))
            }
            // It could not even start, and the reply does not contain the reason.
            Err(Failure::Answer { code, text }) if code == "ERR" && text.starts_with("Can't") => {
                Err(self.failed(format!("BGREWRITEAOF: {code} {text}")))
            }
            Err(failure) => Err(failure.into_error("BGREWRITEAOF", endpoint)),
        }
    }

    /// Waits until no rewrite is running or scheduled, and checks that the awaited one succeeded.
    pub(crate) fn finish(
        &mut self,
        before: &Before,
        waiting: Waiting,
        watch: &dyn Watch,
    ) -> Result<()> {
        let standing = self.quiet(waiting, watch)?;
        let address = &self.endpoint.address;
        if standing.status != "ok" {
            let status = &standing.status;
            return Err(
                self.failed(format!("the rewrite failed: aof_last_bgrewrite_status is {status}"))
            );
        }
        if let (Some(before), Some(now)) = (before.rewrites, standing.rewrites)
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
        Error::new(ErrorKind::Refused, format!("{}: {message}", self.endpoint.address)).help(format!(
            "nothing was backed up; the server's log file says why: often {place} may not be written by the server, its \
             disk is full, or there is no memory to fork. --strategy link backs up without a rewrite"
        ))
    }

    /// Waits until no rewrite is running or scheduled.
    pub(crate) fn wait(&mut self, waiting: Waiting, watch: &dyn Watch) -> Result<()> {
        self.quiet(waiting, watch).map(drop)
    }

    /// Returns whether a rewrite is running or scheduled.
    pub(crate) fn is_busy(&mut self) -> Result<bool> {
        self.standing().map(|standing| standing.runs || standing.scheduled)
    }

    fn quiet(&mut self, waiting: Waiting, watch: &dyn Watch) -> Result<Standing> {
        let started = Instant::now();
        loop {
            let standing = self.standing_again(waiting)?;
            if !standing.runs && !standing.scheduled {
                return Ok(standing);
            }
            if started.elapsed() >= waiting.timeout {
                return Err(Error::new(
                    ErrorKind::Io,
                    format!(
                        "{}: the rewrite takes longer than --timeout allows",
                        self.endpoint.address
                    ),
                )
                .help(
                    "it goes on in the server; a longer --timeout, or 0 for none, waits for it",
                ));
            }
            watch.waiting(started.elapsed(), standing.percent);
            thread::sleep(waiting.poll);
        }
    }

    /// Queries the state again on a new connection if the old one broke, as long as the server has not restarted.
    fn standing_again(&mut self, waiting: Waiting) -> Result<Standing> {
        let deadline = Instant::now() + waiting.reconnect;
        loop {
            let failure = match self.try_standing() {
                Ok(standing) => return Ok(standing),
                Err(failure) => failure,
            };
            *self.connection = None;
            if !failure.may_pass() || Instant::now() >= deadline {
                return Err(failure.into_error("INFO persistence", self.endpoint));
            }
            thread::sleep(waiting.poll.min(Duration::from_millis(500)));
        }
    }

    fn standing(&mut self) -> Result<Standing> {
        let endpoint = self.endpoint;
        self.try_standing().map_err(|failure| failure.into_error("INFO persistence", endpoint))
    }

    fn try_standing(&mut self) -> Result<Standing, Failure> {
        let fresh = self.connection.is_none();
        let connection = match self.connection {
            Some(connection) => connection,
            None => self.connection.insert(Connection::open(self.endpoint)?),
        };
        if fresh && server::run_id(connection)? != self.run_id {
            let message =
                format!("the server at {} was restarted meanwhile", self.endpoint.address);
            return Err(Failure::Hopeless(
                Error::new(ErrorKind::Changed, message).help("nothing was backed up; run it again"),
            ));
        }
        Info::ask(connection, "persistence").map(|info| Standing::of(&info))
    }

    fn connection(&mut self) -> Result<&mut Connection> {
        let endpoint = self.endpoint;
        match self.connection {
            Some(connection) => Ok(connection),
            None => {
                let opened =
                    Connection::open(endpoint).map_err(|f| f.into_error(CONNECTING, endpoint))?;
                Ok(self.connection.insert(opened))
            }
        }
    }
}

impl Standing {
    fn of(info: &Info) -> Self {
        Standing {
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
        let standing = |fields: &str| {
            let standing = Standing::of(&Info::parse(fields));
            (standing.runs, standing.scheduled)
        };
        assert_eq!(
            standing(
                "aof_rewrite_in_progress:0\r\naof_current_rewrite_time_sec:-1\r\naof_rewrite_scheduled:0\r\n"
            ),
            (false, false)
        );
        assert_eq!(
            standing("aof_rewrite_in_progress:1\r\naof_current_rewrite_time_sec:0\r\n"),
            (true, false)
        );
        assert_eq!(
            standing("aof_rewrite_in_progress:0\r\naof_current_rewrite_time_sec:3\r\n"),
            (true, false)
        );
        assert_eq!(
            standing("aof_rewrite_scheduled:1\r\naof_current_rewrite_time_sec:-1\r\n"),
            (false, true)
        );
    }
}
