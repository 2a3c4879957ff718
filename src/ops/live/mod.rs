//! Backing up a server that runs, and leaving it as it was found.
//!
//! | strategy | steps |
//! |---|---|
//! | [`Strategy::Rewrite`] | settings, BGREWRITEAOF, wait for it, link the set and back it up, settings back |
//! | [`Strategy::Link`] | settings, wait until no rewrite runs, link the set, settings back, back it up |
//!
//! Step by step: [`server`] (who answers), [`replication`] (is its data worth keeping), [`files`] (where its log is on
//! this machine, whether it is its log, and the lock), [`settings`] with the [`journal`] (what is changed, and the
//! way back), `rewrite`, [`snapshot`] (the log as it is at one moment).
//!
//! What a server's user must be allowed: [`RIGHTS`].

mod changed;
pub mod connection;
pub mod endpoint;
pub mod files;
mod hold;
mod info;
pub mod journal;
pub mod replication;
mod report;
mod rewrite;
mod run;
pub mod server;
pub mod settings;
pub mod snapshot;
mod tls;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde::Serialize;

use self::connection::{CONNECTING, Connection};
use self::endpoint::{Address, Endpoint};
use self::files::Files;
use self::replication::Replication;
use self::report::Steps;
use self::run::Run;
use self::server::ServerSeen;
use self::snapshot::Snapshot;
use crate::error::Result;
use crate::ops::archive::Source;
use crate::ops::backup::host;
use crate::progress::Progress;

pub use hold::{HoldOptions, HoldReport, hold};
pub use report::{LiveReport, LookReport, RestoreReport, Step};
pub use rewrite::Rewrite;

/// All that a backup asks of a server, as ACL rules; `+bgrewriteaof` only with [`Strategy::Rewrite`].
pub const RIGHTS: &str = "+info +config|get +config|set +bgrewriteaof";

/// Is told how a run goes on. Nothing is printed here.
pub trait Watch: Progress {
    /// A step begins: its number, how many there are, and what it does.
    fn step(&self, number: usize, count: usize, what: &str) {
        let _ = (number, count, what);
    }

    /// A rewrite is being waited for: for how long so far, and its own account of how far it is, in percent.
    fn waiting(&self, elapsed: Duration, percent: Option<f64>) {
        let _ = (elapsed, percent);
    }

    /// Something that a person should hear also when all goes well.
    fn warn(&self, text: &str) {
        let _ = text;
    }
}

impl Watch for crate::progress::Silent {}

/// How the log is taken from a running server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Strategy {
    /// The server rewrites its log first, which makes it small.
    Rewrite,
    /// The log is taken as it is: no rewrite, no fork.
    Link,
}

/// How a running server is backed up.
#[derive(Debug, Clone)]
pub struct LiveOptions {
    /// Where the server's data directory is on this machine, if not where the server says.
    pub dir: Option<PathBuf>,
    /// The backup directory, which also keeps the journal.
    pub to: PathBuf,
    /// How the log is taken.
    pub strategy: Strategy,
    /// Between two steps.
    pub pause: Duration,
    /// Between two looks at a rewrite.
    pub poll: Duration,
    /// Until a rewrite is given up.
    pub timeout: Duration,
    /// How long a lost connection is tried to be made anew, while waiting and for the settings.
    pub reconnect: Duration,
    /// Whether a replica will do.
    pub allow_replica: bool,
    /// Whether the last file, which grows while it is backed up, is copied first: for what reads it by its path.
    pub fixed: bool,
}

/// What a backup is made from: the log at one moment, and whose it is.
pub struct Taken<'a> {
    /// The log.
    pub snapshot: &'a Snapshot,
    /// Whose.
    pub server: &'a ServerSeen,
    /// Its part in replication at that moment.
    pub replication: &'a Replication,
}

impl Taken<'_> {
    /// Whose the log is, as archives note it.
    ///
    /// A server of this machine is known by the machine's name, as one whose log is backed up by its path is.
    pub fn source(&self) -> Source {
        let (host, port, socket) = match &self.server.address {
            Address::Unix(path) => (host(), self.server.port, Some(path.clone())),
            Address::Tcp { host: name, port } => {
                let here = ["localhost", "127.0.0.1", "::1"].contains(&name.as_str());
                (if here { host() } else { Some(name.clone()) }, *port, None)
            }
        };
        Source {
            host,
            port: Some(port).filter(|&port| port != 0),
            socket,
            run_id: Some(self.server.run_id.clone()),
            role: Some(self.replication.role.clone()),
            replication_offset: self.replication.offset,
            server: Some(self.server.version.clone()),
            path: Some(self.snapshot.log.path.clone()),
            lag_bytes: self.replication.lag_bytes,
        }
    }
}

/// Backs up a running server: `back_up` is given the log as it was at one moment.
///
/// Whatever happens, the settings that were changed are put back, or the error says that they could not be, and the
/// journal in [`LiveOptions::to`] stays for the next run.
///
/// # Errors
///
/// When the server cannot be reached, refuses, or keeps no log; when the log is not found, or is another's; when the
/// rewrite fails or is late; when another run is at work on it; and what `back_up` says.
pub fn run<T>(
    endpoint: &Endpoint,
    options: &LiveOptions,
    watch: &dyn Watch,
    back_up: impl FnOnce(&Taken<'_>) -> Result<T>,
) -> Result<LiveReport<T>> {
    let (start, clock) = (Timestamp::now(), Instant::now());
    let mut run = Run::prepare(endpoint, options, watch)?;
    let mut steps = Steps::new(watch, 5);
    let done = match options.strategy {
        Strategy::Rewrite => run.with_rewrite(&mut steps, back_up)?,
        Strategy::Link => run.with_links(&mut steps, back_up)?,
    };
    Ok(LiveReport {
        schema: 1,
        server: run.server,
        replication: done.replication,
        strategy: options.strategy,
        steps: steps.done,
        rewrite: done.rewrite,
        snapshot: done.snapshot,
        settings: done.settings,
        left_by_earlier_run: run.left_by_earlier_run,
        warnings: run.warnings,
        backup: done.backup,
        start,
        end: Timestamp::now(),
        elapsed_s: clock.elapsed().as_secs_f64(),
    })
}

/// Says whether a running server could be backed up, and what would be done. Nothing is changed.
///
/// Whether the server's user may change settings and start a rewrite shows only when it does.
///
/// # Errors
///
/// As [`run`], as far as it shows beforehand.
pub fn look(endpoint: &Endpoint, options: &LiveOptions, watch: &dyn Watch) -> Result<LookReport> {
    Run::look(endpoint, options, watch)
}

/// Restores what a run that was killed has left changed at this server. The run's backup directory is `to`.
///
/// # Errors
///
/// When the server cannot be reached, another run is at work on it, or it takes no settings.
pub fn restore_config(endpoint: &Endpoint, dir: Option<&Path>, to: &Path) -> Result<RestoreReport> {
    let (connection, server) = connect(endpoint)?;
    let files = Files::expected(&server, dir)?;
    // Without the log there is nothing to lock, and a run that is at work on it has it.
    let _lock = if files.log.exists() { Some(files.lock(to)?) } else { None };
    let settings = settings::recover(
        &mut Some(connection),
        endpoint,
        &files.identity(),
        &server.run_id,
        to,
        settings::RESTORE_FOR,
    )?;
    Ok(RestoreReport { schema: 1, server, settings })
}

/// Connects, and asks who answers.
fn connect(endpoint: &Endpoint) -> Result<(Connection, ServerSeen)> {
    let opened = Connection::open(endpoint);
    let mut connection = opened.map_err(|failure| failure.told(CONNECTING, endpoint))?;
    let server = ServerSeen::ask(&mut connection, endpoint)?;
    Ok((connection, server))
}
