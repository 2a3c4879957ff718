//! The client with which a person reaches the server of a log.

use std::path::Path;

use super::places::{above, hold_journal_directory};
use super::report::RecoverReport;
use crate::base::next_step::{Action, NextStep, path_arg};
use crate::disk::server_process::{Listening, ServerProcess, Supervisor};
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
    /// Returns the client of the server that the log was secured from, or else of the server that uses it.
    pub(super) fn of_report(report: &RecoverReport, process: Option<&ServerProcess>) -> Self {
        match (&report.hold_origin, process) {
            (Some(from), _) => Client::of_origin(from),
            (None, Some(process)) => Client::of_process(process),
            (None, None) => Client::new(false, Vec::new()),
        }
    }

    /// Returns the client of the server that a log was secured from.
    pub(super) fn of_origin(origin: &HoldOrigin) -> Self {
        Client::new(origin.version.starts_with("valkey"), origin.client.clone())
    }

    /// Returns the client of a process: in its container or in its network, if that is not the network of this machine.
    fn of_process(process: &ServerProcess) -> Self {
        let client = Client::new(process.program.starts_with("valkey"), connection(process));
        let (program, mut before) = match &process.supervisor {
            _ if !process.own_network => return client,
            Some(Supervisor::Container { program, id }) => {
                (*program, vec!["exec".to_owned(), id.clone()])
            }
            Some(Supervisor::Pod { name, namespace, .. }) => {
                let namespace = namespace.iter().flat_map(|name| ["-n".to_owned(), name.clone()]);
                let pod = ["exec".to_owned(), name.clone()].into_iter().chain(namespace);
                ("kubectl", pod.chain(["--".to_owned()]).collect())
            }
            // A socket file is reached from every network.
            _ if matches!(process.address, Some(Listening::Socket(_))) => return client,
            _ => ("nsenter", in_network(process).to_vec()),
        };
        before.push(client.program.to_owned());
        before.extend(client.options);
        Client { program, options: before }
    }

    /// Returns the client of the process that is started in place of one: without a container, its network is found by the
    /// process of the program that works in the data directory. Other networks can have servers of the same port.
    pub(super) fn of_next_process(report: &RecoverReport, process: Option<&ServerProcess>) -> Self {
        let client = Client::of_report(report, process);
        let Some(process) = process.filter(|_| client.program == "nsenter") else { return client };
        let [target, _, network] = in_network(process);
        let rest = client.options.into_iter().skip(3).collect::<Vec<_>>().join(" ");
        let of_origin = report.hold_origin.as_ref().and_then(|origin| origin.log.parent());
        let data = match of_origin.unwrap_or(&report.data_directory) {
            directory if directory.as_os_str().is_empty() => Path::new("."),
            directory => directory,
        };
        let (program, data) = (&process.program, path_arg(data));
        let line = format!(
            "for pid in $(pgrep --exact {program}); do [ /proc/$pid/cwd -ef {data} ] && exec nsenter {target} $pid {network} {rest} \"$@\"; done; exit 1"
        );
        Client { program: "sh", options: vec!["-c".to_owned(), line, "sh".to_owned()] }
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

/// Returns the options to connect to a process, by those who are in its network.
fn connection(process: &ServerProcess) -> Vec<String> {
    match &process.address {
        Some(Listening::Tcp { host, port }) => {
            let host = host.map(|host| ["-h".to_owned(), host.to_string()]);
            let port = (*port != 6379).then(|| ["-p".to_owned(), port.to_string()]);
            host.into_iter().chain(port).flatten().collect()
        }
        Some(Listening::Socket(path)) => vec!["-s".to_owned(), path_arg(path)],
        None => Vec::new(),
    }
}

/// Returns the command that secures the data of the server that uses it, as it is typed.
pub(super) fn hold_command(data: &Path, process: Option<&ServerProcess>) -> String {
    let hold = ["aofkit", "recover", "--hold"].map(str::to_owned);
    let Some(process) = process else { return hold.join(" ") };
    let is_file = matches!(process.address, Some(Listening::Socket(_)));
    let is_in_reach = !process.own_network || is_file;
    let before = ["nsenter".to_owned()].into_iter().chain(in_network(process));
    let before = before.filter(|_| !is_in_reach);
    // Inside of a container the directory can have another path.
    let place = ["--dir".to_owned(), path_arg(data)].into_iter().filter(|_| !is_in_reach);
    before.chain(hold).chain(connection(process)).chain(place).collect::<Vec<_>>().join(" ")
}

/// Returns the arguments of `nsenter` for the network of a process.
fn in_network(process: &ServerProcess) -> [String; 3] {
    ["--target", &process.pid.to_string(), "--net"].map(str::to_owned)
}
