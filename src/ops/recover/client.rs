//! The client with which a person reaches the server of a log.

use super::places::{above, hold_journal_directory};
use super::report::RecoverReport;
use crate::base::next_step::{Action, NextStep, path_arg};
use crate::input::hold_origin::HoldOrigin;

/// Returns the last step after a hold that has changed settings: setting them back.
pub(super) fn release(report: &RecoverReport) -> Option<NextStep> {
    let origin = report.hold_origin.as_ref()?;
    let journal = hold_journal_directory(origin, &report.data_directory)?;
    let data = above(&origin.log);
    let mut args = vec!["recover".to_owned(), "--release".to_owned()];
    args.extend(origin.client.iter().cloned());
    // The server may report another path, as in a container.
    args.extend(["--dir".to_owned(), path_arg(&data)]);
    if journal != data {
        args.extend(["--hold-to".to_owned(), path_arg(&journal)]);
    }
    let why = "When the data is back, set back the settings that --hold changed:";
    Some(NextStep::new(why, [Action::aofkit(args)]))
}

/// A client of either product, with the options to connect to the server.
pub(super) struct Client {
    program: &'static str,
    options: Vec<String>,
}

impl Client {
    /// Returns the client of the server that the log was secured from, or else of the server that writes it.
    pub(super) fn of_report(report: &RecoverReport) -> Self {
        match &report.hold_origin {
            Some(from) => Client::of_origin(from),
            None => {
                let is_valkey = report.writers.iter().any(|it| it.program.starts_with("valkey"));
                Client::new(is_valkey, Vec::new())
            }
        }
    }

    /// Returns the client of the server that a log was secured from.
    pub(super) fn of_origin(origin: &HoldOrigin) -> Self {
        Client::new(origin.version.starts_with("valkey"), origin.client.clone())
    }

    fn new(is_valkey: bool, options: Vec<String>) -> Self {
        Client { program: if is_valkey { "valkey-cli" } else { "redis-cli" }, options }
    }

    fn args(&self, words: &[&str]) -> Vec<String> {
        self.options.iter().cloned().chain(words.iter().map(|word| (*word).to_owned())).collect()
    }

    /// Returns the action of running a command of the server.
    pub(super) fn run(&self, words: &[&str]) -> Action {
        Action::run(self.program, self.args(words))
    }

    /// Returns the action of stopping the server without saving.
    pub(super) fn stop(&self) -> Action {
        let args = self.args(&["SHUTDOWN", "NOSAVE"]);
        Action::StopServer { program: self.program.to_owned(), args }
    }
}
