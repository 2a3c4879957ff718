//! The server whose data is recovered: where its log is, and how it is reached, stopped and started.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::client::Client;
use crate::aof::log::Layout;
use crate::base::next_step::Action;
use crate::disk::open_writers::{Holder, servers_in, writers};
use crate::disk::server_process::{ServerProcess, Supervisor};
use crate::disk::unseen_servers::may_be_hidden;
use crate::input::OpenedLog;
use crate::input::hold_origin::HoldOrigin;

/// The server whose log was opened, as it was before anything was written.
pub(super) struct LogServer {
    /// The layout of the log that the server loads, whatever candidate was chosen.
    pub(super) layout: Layout,
    /// The file, or the directory of the set, that the result replaces, as it can be typed.
    pub(super) place: PathBuf,
    /// The user and the group that own it; `None` if it is not on this machine.
    owner: Option<(u32, u32)>,
    /// The process that uses it.
    process: Option<ServerProcess>,
    /// Whether a process that uses it might have been missed.
    may_be_running: bool,
}

impl LogServer {
    /// Inspects the server of `log`, or, of a secured log, the server that it was secured from.
    pub(super) fn of(log: &OpenedLog, origin: Option<&HoldOrigin>) -> LogServer {
        let own = match &log.layout {
            Layout::MultiPart { directory, .. } => directory.clone(),
            // Every server loads a single file of this name if it has no set.
            Layout::Empty if log.opened.is_dir() => log.opened.join("appendonly.aof"),
            _ => log.opened.clone(),
        };
        let own = own.as_path();
        let place = origin.map_or(own, |origin| &origin.log);
        let process = match (log.archive(), origin) {
            (Some(_), _) => None,
            (None, Some(origin)) => user_of(&origin.log),
            (None, None) => {
                let writer = log.parts.iter().find_map(|part| writers(&part.path).pop());
                writer.or_else(|| user_of(own))
            }
        };
        let process = process.as_ref().map(ServerProcess::of);
        LogServer {
            layout: log.layout.clone(),
            place: place.to_owned(),
            owner: owner(place),
            // A server that a log was secured from was running then, perhaps on another machine.
            may_be_running: process.is_some() || origin.is_some() || may_be_hidden(),
            process,
        }
    }

    /// Returns whether the server loads a snapshot, not a log.
    pub(super) fn loads_a_snapshot(&self) -> bool {
        matches!(self.layout, Layout::RdbFile)
            && self.place.extension().is_some_and(|extension| extension == "rdb")
    }

    pub(super) fn may_be_running(&self) -> bool {
        self.may_be_running
    }

    /// Returns the process, if one was found.
    pub(super) fn process(&self) -> Option<&ServerProcess> {
        self.process.as_ref()
    }

    fn supervisor(&self) -> Option<&Supervisor> {
        self.process.as_ref()?.supervisor.as_ref()
    }

    /// Returns the actions that stop the server without saving. A server that is supervised is stopped through its
    /// supervisor, which would start it again at once; that makes it save if save points are set.
    pub(super) fn stop(&self, client: &Client) -> Vec<Action> {
        let Some(supervisor) = self.supervisor() else { return vec![client.stop()] };
        let mut actions = vec![client.run(&["CONFIG", "SET", "save", ""])];
        match supervisor {
            Supervisor::Systemd { unit, of_user } => {
                actions.push(systemctl("stop", unit, *of_user))
            }
            Supervisor::Container { program, id } => {
                actions.push(Action::stop(program, ["stop", id]))
            }
            Supervisor::Pod { name, workload, namespace } => {
                let scale = ["scale", workload, "--replicas=0"];
                actions.push(Action::stop("kubectl", in_namespace(&scale, namespace.as_deref())));
                let pod = format!("pod/{name}");
                let wait = in_namespace(&["wait", "--for=delete", &pod], namespace.as_deref());
                actions.push(Action::run("kubectl", wait));
            }
        }
        actions
    }

    /// Returns the actions that start the server as it was started before; empty if that is not known.
    pub(super) fn start(&self) -> Vec<Action> {
        match self.supervisor() {
            None => Vec::new(),
            Some(Supervisor::Systemd { unit, of_user }) => vec![systemctl("start", unit, *of_user)],
            Some(Supervisor::Container { program, id }) => {
                vec![Action::start(program, ["start", id])]
            }
            Some(Supervisor::Pod { workload, namespace, .. }) => {
                let namespace = namespace.as_deref();
                let scale = in_namespace(&["scale", workload, "--replicas=1"], namespace);
                let wait = in_namespace(&["rollout", "status", workload], namespace);
                vec![Action::start("kubectl", scale), Action::run("kubectl", wait)]
            }
        }
    }

    /// Returns the action that gives the result, once it is in place, to the owner of the log that it replaces; `None` if
    /// it belongs to that owner already.
    pub(super) fn give_to_owner(&self, written: &Path) -> Option<Action> {
        let (user, group) = self.owner.filter(|wanted| owner(written) != Some(*wanted))?;
        let place = crate::base::next_step::path_arg(&self.place);
        Some(Action::run("chown", ["-R".to_owned(), format!("{user}:{group}"), place]))
    }
}

/// Returns the server that has a file in a log open, or works in the directory above it.
fn user_of(log: &Path) -> Option<Holder> {
    let above = match log.parent() {
        Some(parent) if parent.as_os_str().is_empty() => Path::new("."),
        Some(parent) => parent,
        None => return None,
    };
    let files = fs::read_dir(log).into_iter().flatten().flatten();
    let writer = files.flat_map(|file| writers(&file.path())).next();
    writer.or_else(|| writers(log).pop()).or_else(|| servers_in(above).pop())
}

fn owner(path: &Path) -> Option<(u32, u32)> {
    fs::metadata(path).ok().map(|metadata| (metadata.uid(), metadata.gid()))
}

fn systemctl(verb: &str, unit: &str, of_user: bool) -> Action {
    let user = of_user.then_some("--user");
    let args = user.into_iter().chain([verb, unit]);
    if verb == "stop" { Action::stop("systemctl", args) } else { Action::start("systemctl", args) }
}

fn in_namespace(args: &[&str], namespace: Option<&str>) -> Vec<String> {
    let namespace = namespace.map(|name| ["-n".to_owned(), name.to_owned()]);
    let args = args.iter().map(|arg| (*arg).to_owned());
    args.chain(namespace.into_iter().flatten()).collect()
}
