//! One run at one server, step by step.

use std::path::PathBuf;
use std::thread;

use super::report::{LAST, LookReport, Steps};
use crate::base::error::{Error, ErrorKind, Result};
use crate::disk::{Lock, free_bytes};
use crate::live::changed_settings::{NO_FSYNC, NO_REWRITES, Setting};
use crate::live::connect::connect;
use crate::live::connection::{CONNECTING, Connection};
use crate::live::endpoint::Endpoint;
use crate::live::files::Files;
use crate::live::info::Info;
use crate::live::journal::Journal;
use crate::live::progress::Watch;
use crate::live::replication::Replication;
use crate::live::rewrite::{Before, Rewrite, Rewriter, Waiting};
use crate::live::server::ServerSeen;
use crate::live::settings::{Hold, Restored};
use crate::live::snapshot::{Snapshot, SnapshotReport};
use crate::live::{replication, settings, snapshot};
use crate::ops::backup::live::options::{LiveOptions, Strategy};
use crate::ops::backup::live::taken::Taken;

/// A server that may be backed up, and what is known about it.
pub(super) struct Run<'r> {
    endpoint: &'r Endpoint,
    options: &'r LiveOptions,
    watch: &'r dyn Watch,
    connection: Option<Connection>,
    pub(super) server: ServerSeen,
    files: Files,
    pub(super) left_by_earlier_run: Vec<Restored>,
    pub(super) warnings: Vec<String>,
    /// The lock, which is held until the end; `None` for a dry run.
    lock: Option<Lock>,
}

/// The result of a run.
pub(super) struct Done<T> {
    pub(super) replication: Replication,
    pub(super) rewrite: Option<Rewrite>,
    pub(super) snapshot: SnapshotReport,
    pub(super) settings: Vec<Restored>,
    pub(super) backup: T,
}

impl<'r> Run<'r> {
    /// Checks all preconditions before anything is changed.
    pub(super) fn prepare(
        endpoint: &'r Endpoint,
        options: &'r LiveOptions,
        watch: &'r dyn Watch,
    ) -> Result<Self> {
        let (mut run, _, info) = Run::see(endpoint, options, watch)?;
        run.lock = Some(run.files.lock(&options.to)?);
        let identity = run.files.identity();
        Journal::clean(&options.to, &identity);
        let left = settings::recover(
            &mut run.connection,
            endpoint,
            &identity,
            &run.server.run_id,
            &options.to,
            options.reconnect,
        )?;
        if left.is_some() {
            run.warn(format!(
                "{}: an earlier run was killed; what it had changed was set back first",
                endpoint.address
            ));
        }
        run.left_by_earlier_run = left.unwrap_or_default();
        snapshot::clean(&run.files, &run.places());
        replication::check(&info, endpoint, options.allow_replica)?;
        run.check_log()?;
        Ok(run)
    }

    /// Checks all preconditions and reports what would be done. Nothing is changed on either side.
    pub(super) fn look(
        endpoint: &'r Endpoint,
        options: &'r LiveOptions,
        watch: &'r dyn Watch,
    ) -> Result<LookReport> {
        let (mut run, replication, info) = Run::see(endpoint, options, watch)?;
        let journal = Journal::path(&options.to, &run.files.identity());
        if Journal::read(&journal)?.is_some() {
            run.warn(format!(
                "{}: another run is at work, or was killed; then what it had changed would be set back first",
                endpoint.address
            ));
        }
        replication::check(&info, endpoint, options.allow_replica)?;
        run.check_log()?;
        let mut would_set = Vec::new();
        for setting in wanted(options.strategy) {
            let name = setting.name;
            let now = open(&mut run.connection, endpoint)?.setting(name);
            let now = now.map_err(|failure| failure.into_error("CONFIG GET", endpoint))?;
            if let Some(was) = now {
                would_set.extend(setting.change_from(was, &endpoint.address)?);
            }
        }
        let rewriting = run.rewriter().is_busy()?;
        let (mut files, mut bytes) = (0, 0);
        for part in run.files.parts()? {
            // A rewrite may have deleted the file meanwhile.
            bytes += std::fs::metadata(&part).map_or(0, |metadata| metadata.len());
            files += 1;
        }
        Ok(LookReport {
            server: run.server,
            replication,
            strategy: options.strategy,
            log: run.files.log,
            files,
            bytes,
            would_set,
            rewriting,
            free_bytes: free_bytes(&options.to).ok(),
            warnings: run.warnings,
        })
    }

    fn warn(&mut self, text: String) {
        self.watch.warn(&text);
        self.warnings.push(text);
    }

    /// Determines the identity of the server, its replication state, and the location of its log.
    fn see(
        endpoint: &'r Endpoint,
        options: &'r LiveOptions,
        watch: &'r dyn Watch,
    ) -> Result<(Self, Replication, Info)> {
        let (connection, server) = connect(endpoint)?;
        let mut connection = Some(connection);
        let mut warnings = Vec::new();
        let (replication, info) = Replication::ask(open(&mut connection, endpoint)?, endpoint)?;
        let snapshots = |connection: &mut Option<Connection>| {
            let save = open(connection, endpoint)?.setting("save");
            save.map_err(|failure| failure.into_error("CONFIG GET save", endpoint))
        };
        if !server.appendonly {
            let saves = snapshots(&mut connection)?.is_some_and(|save| !save.is_empty());
            if let Some(trap) = replication::trap(&replication, false, saves) {
                let text = format!("{}: {trap}", endpoint.address);
                watch.warn(&text);
                warnings.push(text);
            }
        }
        let files = Files::find(&server, options.dir.as_deref())?;
        if !options.to.is_dir() {
            return Err(Error::new(ErrorKind::NotFound, "the backup directory is not there")
                .at(&options.to)
                .help("make it, or mount what should be there: it is not made by itself, so that no backup goes to the wrong disk"));
        }
        let run = Run {
            endpoint,
            options,
            watch,
            connection,
            server,
            files,
            left_by_earlier_run: Vec::new(),
            warnings,
            lock: None,
        };
        Ok((run, replication, info))
    }

    /// Checks that the log is reliable and belongs to this server.
    fn check_log(&mut self) -> Result<()> {
        let endpoint = self.endpoint;
        let connection = open(&mut self.connection, endpoint)?;
        let info = Info::ask(connection, "persistence");
        let info = info.map_err(|failure| failure.into_error("INFO persistence", endpoint))?;
        let refused = |what: &str, help: &str| {
            let message = format!("{}: {what}", endpoint.address);
            Err(Error::new(ErrorKind::Refused, message).help(help))
        };
        if info.flag("loading") || info.flag("async_loading") {
            return refused("the server is loading its data", "try again when it has");
        }
        if info.text("aof_last_write_status").is_some_and(|status| status != "ok") {
            return refused(
                "the server cannot write its log (aof_last_write_status), so the log lacks what came since",
                "the server's log file says why: most often the disk is full",
            );
        }
        // While the log is being enabled there is none yet to compare with: the rewrite that creates it is awaited
        // first.
        if info.flag("aof_rewrite_in_progress") {
            return Ok(());
        }
        self.files.check(connection, endpoint, &self.server)
    }

    /// Returns the directories in which links may be created: the backup directory, or else the directory of the log,
    /// which is certainly on the right file system.
    fn places(&self) -> Vec<PathBuf> {
        vec![self.options.to.clone(), self.files.dir.clone()]
    }

    /// Runs the steps with BGREWRITEAOF.
    pub(super) fn with_rewrite<T>(
        &mut self,
        steps: &mut Steps<'_>,
        back_up: impl FnOnce(&Taken<'_>) -> Result<T>,
    ) -> Result<Done<T>> {
        let hold = self.hold(steps, wanted(Strategy::Rewrite))?;
        let worked = (|| {
            self.pause();
            let (rewrite, before) =
                steps.take("rewrite", "BGREWRITEAOF", || self.rewriter().start())?;
            self.pause();
            self.await_rewrite(steps, &rewrite, &before)?;
            self.pause();
            let (replication, snapshot, backup) =
                steps.take("backup", "link the set, and back it up", || {
                    let (replication, snapshot) = self.snapshot()?;
                    let backup = back_up(&self.taken(&snapshot, &replication))?;
                    Ok::<_, Error>((replication, snapshot.report.clone(), backup))
                })?;
            self.pause();
            Ok((Some(rewrite), replication, snapshot, backup))
        })();
        let (settings, (rewrite, replication, snapshot, backup)) =
            self.release(steps, &hold, worked)?;
        Ok(Done { replication, rewrite, snapshot, settings, backup })
    }

    /// Runs the steps without BGREWRITEAOF.
    pub(super) fn with_links<T>(
        &mut self,
        steps: &mut Steps<'_>,
        back_up: impl FnOnce(&Taken<'_>) -> Result<T>,
    ) -> Result<Done<T>> {
        let hold = self.hold(steps, wanted(Strategy::Link))?;
        let worked = (|| {
            self.pause();
            steps.take("wait", "make sure that no rewrite runs", || {
                let (waiting, watch) = (self.waiting(), self.watch);
                self.rewriter().wait(waiting, watch)?;
                self.check_log()
            })?;
            self.pause();
            steps.take("link", "link the set", || self.snapshot())
        })();
        let (settings, (replication, snapshot)) = self.release_early(steps, &hold, worked)?;
        self.pause();
        let taken = self.taken(&snapshot, &replication);
        let backup = steps.take("backup", "back it up", || back_up(&taken))?;
        let snapshot = snapshot.report.clone();
        Ok(Done { replication, rewrite: None, snapshot, settings, backup })
    }

    /// Runs the first step, which changes the settings.
    fn hold(&mut self, steps: &mut Steps<'_>, wanted: &[Setting]) -> Result<Hold> {
        let names: Vec<_> =
            wanted.iter().map(|one| format!("{} {}", one.name, one.meanwhile)).collect();
        steps.take("settings", &format!("CONFIG SET {}", names.join(", ")), || {
            let connection = open(&mut self.connection, self.endpoint)?;
            let (endpoint, server, options) = (self.endpoint, &self.server, self.options);
            let (identity, patience) = (self.files.identity(), options.reconnect);
            Hold::take(connection, endpoint, server, &identity, &options.to, wanted, patience)
        })
    }

    /// Runs the last step, which is run whatever the outcome of the others.
    fn release<D>(
        &mut self,
        steps: &mut Steps<'_>,
        hold: &Hold,
        worked: Result<D>,
    ) -> Result<(Vec<Restored>, D)> {
        steps.take(LAST, &as_they_were(hold), || self.put_back(hold, worked))
    }

    /// Restores the settings when other steps follow.
    fn release_early<D>(
        &mut self,
        steps: &mut Steps<'_>,
        hold: &Hold,
        worked: Result<D>,
    ) -> Result<(Vec<Restored>, D)> {
        let name = if worked.is_ok() { "release" } else { LAST };
        steps.take(name, &as_they_were(hold), || self.put_back(hold, worked))
    }

    fn put_back<D>(&mut self, hold: &Hold, worked: Result<D>) -> Result<(Vec<Restored>, D)> {
        let patience = self.options.reconnect;
        match worked {
            Err(error) => Err(hold.undone(error, &mut self.connection, patience)),
            Ok(done) => Ok((hold.restore(&mut self.connection, patience)?, done)),
        }
    }

    fn await_rewrite(
        &mut self,
        steps: &mut Steps<'_>,
        rewrite: &Rewrite,
        before: &Before,
    ) -> Result<()> {
        let what = if rewrite.found_running {
            "wait for the rewrite that was under way already"
        } else {
            "wait for the rewrite"
        };
        let (waiting, watch) = (self.waiting(), self.watch);
        steps.take("wait", what, || self.rewriter().finish(before, waiting, watch))
    }

    /// Takes the snapshot, and checks before and after that the server is still the same.
    fn snapshot(&mut self) -> Result<(Replication, Snapshot)> {
        let mut snapshot = snapshot::take(&self.files, &self.places(), self.watch)?;
        if self.options.fixed {
            snapshot.fix(&self.places(), &self.files)?;
        }
        let endpoint = self.endpoint;
        let connection = open(&mut self.connection, endpoint)?;
        // On a replica, a resync that began meanwhile has discarded the log.
        let (replication, info) = Replication::ask(connection, endpoint)?;
        replication::check(&info, endpoint, self.options.allow_replica)?;
        if self.rewriter().is_busy()? {
            // Another client started this rewrite. The set was complete before it and stays complete.
            let text =
                "a rewrite was started by somebody else while the set was linked; the set is whole";
            self.watch.warn(text);
            self.warnings.push(text.to_string());
        }
        Ok((replication, snapshot))
    }

    fn taken<'t>(&'t self, snapshot: &'t Snapshot, replication: &'t Replication) -> Taken<'t> {
        Taken { snapshot, server: &self.server, replication }
    }

    fn rewriter(&mut self) -> Rewriter<'_> {
        Rewriter {
            connection: &mut self.connection,
            endpoint: self.endpoint,
            run_id: &self.server.run_id,
            files: &self.files,
        }
    }

    fn waiting(&self) -> Waiting {
        let LiveOptions { poll, timeout, reconnect, .. } = *self.options;
        Waiting { poll, timeout, reconnect }
    }

    fn pause(&self) {
        thread::sleep(self.options.pause);
    }
}

/// Returns the settings that a run changes while it is active.
fn wanted(strategy: Strategy) -> &'static [Setting] {
    match strategy {
        Strategy::Rewrite => &[NO_FSYNC, NO_REWRITES],
        Strategy::Link => &[NO_REWRITES],
    }
}

fn as_they_were(hold: &Hold) -> String {
    if hold.changes().is_empty() {
        return "settings: nothing was changed".to_string();
    }
    let values: Vec<_> =
        hold.changes().iter().map(|change| format!("{} {}", change.name, change.was)).collect();
    format!("CONFIG SET {}", values.join(", "))
}

/// Returns the connection, reconnecting if it was lost.
fn open<'c>(
    connection: &'c mut Option<Connection>,
    endpoint: &Endpoint,
) -> Result<&'c mut Connection> {
    match connection {
        Some(connection) => Ok(connection),
        None => {
            let opened = Connection::open(endpoint);
            let opened = opened.map_err(|failure| failure.into_error(CONNECTING, endpoint))?;
            Ok(connection.insert(opened))
        }
    }
}
