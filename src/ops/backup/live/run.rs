//! One run at one server, step by step.

use jiff::Timestamp;
use std::path::PathBuf;
use std::thread;
use std::time::Instant;

use super::report::{PreviewReport, Step};
use crate::base::error::{Error, ErrorKind, Result};
use crate::disk::{Lock, free_bytes};
use crate::live::endpoint::Endpoint;
use crate::live::files::Files;
use crate::live::journal::Journal;
use crate::live::progress::LiveProgress;
use crate::live::replication::{self, Replication, ReplicationInfo};
use crate::live::rewrite::{Before, Rewrite, Rewriter, Waiting};
use crate::live::session::Session;
use crate::live::settings::{Restored, SettingsGuard};
use crate::live::snapshot::{Snapshot, SnapshotReport};
use crate::live::{settings, snapshot};
use crate::ops::backup::live::options::{LiveOptions, Strategy};
use crate::ops::backup::live::taken::Taken;
use crate::store::url::is_url;

/// A server that may be backed up, and what is known about it.
pub(super) struct Run<'r> {
    options: &'r LiveOptions,
    pub(super) session: Session<'r>,
    /// The replication state of the server, at the time of the snapshot once that is taken.
    pub(super) replication: ReplicationInfo,
    files: Files,
    pub(super) left_by_earlier_run: Vec<Restored>,
    pub(super) warnings: Vec<String>,
    /// The lock, which is held until the end; `None` for a dry run.
    lock: Option<Lock>,
}

/// The result of a run.
pub(super) struct Done<T> {
    pub(super) rewrite: Option<Rewrite>,
    pub(super) snapshot: SnapshotReport,
    pub(super) settings: Vec<Restored>,
    pub(super) backup: T,
}

impl<'r> Run<'r> {
    /// Checks all preconditions before anything is changed.
    pub(super) fn prepare(
        endpoint: &Endpoint,
        options: &'r LiveOptions,
        progress: &'r dyn LiveProgress,
    ) -> Result<Self> {
        let mut run = Run::open(endpoint, options, progress)?;
        let state = if is_url(&options.to) { &run.files.dir } else { &options.to };
        run.lock = Some(run.files.lock(state)?);
        let identity = run.files.identity();
        run.places().iter().for_each(|place| Journal::clean(place, &identity));
        let places = run.places();
        let left = settings::recover(&mut run.session, &identity, &places)?;
        if left.is_some() {
            run.warn("an earlier run was killed; what it had changed was set back first");
        }
        run.left_by_earlier_run = left.unwrap_or_default();
        snapshot::clean(&run.files, &run.places());
        run.check_replication()?;
        run.check_log()?;
        Ok(run)
    }

    /// Checks all preconditions and reports what would be done. Nothing is changed on either side.
    pub(super) fn preview(
        endpoint: &Endpoint,
        options: &'r LiveOptions,
        progress: &'r dyn LiveProgress,
    ) -> Result<PreviewReport> {
        let mut run = Run::open(endpoint, options, progress)?;
        let identity = run.files.identity();
        let journals = run.places().into_iter().map(|place| Journal::path(&place, &identity));
        let found = journals.map(|journal| Journal::read(&journal)).collect::<Result<Vec<_>>>()?;
        if found.iter().any(Option::is_some) {
            run.warn(
                "another run is at work, or was killed; then what it had changed would be set back first",
            );
        }
        run.check_replication()?;
        run.check_log()?;
        let would_set = settings::differences(&mut run.session, options.strategy.settings())?;
        let rewriting = run.rewriter().is_busy()?;
        let (mut files, mut bytes) = (0, 0);
        for part in run.files.parts()? {
            // A rewrite may have deleted the file meanwhile.
            bytes += std::fs::metadata(&part).map_or(0, |metadata| metadata.len());
            files += 1;
        }
        Ok(PreviewReport {
            server: run.session.into_server(),
            replication: run.replication.report(),
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

    /// Warns about something that concerns the server.
    fn warn(&mut self, text: &str) {
        let text = format!("{}: {text}", self.session.address());
        self.session.progress().warn(&text);
        self.warnings.push(text);
    }

    /// Determines the identity of the server, its replication state, and the location of its log.
    fn open(
        endpoint: &Endpoint,
        options: &'r LiveOptions,
        progress: &'r dyn LiveProgress,
    ) -> Result<Self> {
        let mut session = Session::open(endpoint, options.reconnect, progress)?;
        let mut warnings = Vec::new();
        let replication = ReplicationInfo::ask(&mut session)?;
        if !session.server().appendonly {
            let saves = session.setting("save")?.is_some_and(|save| !save.is_empty());
            if let Some(trap) = replication::trap(&replication.report(), false, saves) {
                let text = format!("{}: {trap}", endpoint.address);
                progress.warn(&text);
                warnings.push(text);
            }
        }
        let files = Files::find(session.server(), options.dir.as_deref())?;
        if !options.to.is_dir() && !is_url(&options.to) {
            return Err(Error::new(ErrorKind::NotFound, "the backup directory is not there")
                .at(&options.to)
                .help("make it, or mount what should be there: it is not made by itself, so that no backup goes to the wrong disk"));
        }
        let left_by_earlier_run = Vec::new();
        let lock = None;
        Ok(Run { options, session, replication, files, left_by_earlier_run, warnings, lock })
    }

    fn check_replication(&self) -> Result<()> {
        self.replication.check(self.session.address(), self.options.allow_replica)
    }

    /// Checks that the log is reliable and belongs to this server.
    fn check_log(&mut self) -> Result<()> {
        let info = self.session.info("persistence")?;
        let refused = |what: &str, help: &str| {
            let message = format!("{}: {what}", self.session.address());
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
        self.files.check(&mut self.session)
    }

    /// Returns the directories in which links may be created: the backup directory, or else the directory of the log,
    /// which is certainly on the right file system.
    fn places(&self) -> Vec<PathBuf> {
        let to = Some(&self.options.to).filter(|to| !is_url(to));
        to.into_iter().chain([&self.files.dir]).cloned().collect()
    }

    /// Runs the steps with BGREWRITEAOF.
    pub(super) fn with_rewrite<T>(
        &mut self,
        steps: &mut Steps<'_>,
        back_up: impl FnOnce(&Taken<'_>) -> Result<T>,
    ) -> Result<Done<T>> {
        let changed = self.change_settings(steps, Strategy::Rewrite)?;
        let worked = (|| {
            self.pause();
            let (rewrite, before) =
                steps.take("rewrite", "BGREWRITEAOF", || self.rewriter().start())?;
            self.pause();
            self.await_rewrite(steps, &rewrite, &before)?;
            self.pause();
            let (snapshot, backup) =
                steps.take("backup", "link the set, and back it up", || {
                    let snapshot = self.snapshot()?;
                    let backup = back_up(&self.taken(&snapshot, &self.replication.report()))?;
                    Ok::<_, Error>((snapshot.report.clone(), backup))
                })?;
            self.pause();
            Ok((rewrite, snapshot, backup))
        })();
        // The last step is run whatever the outcome of the others.
        let restored =
            steps.take(LAST, &restore_commands(&changed), || self.restore(&changed, worked));
        let (settings, (rewrite, snapshot, backup)) = restored?;
        Ok(Done { rewrite: Some(rewrite), snapshot, settings, backup })
    }

    /// Runs the steps without BGREWRITEAOF.
    pub(super) fn with_links<T>(
        &mut self,
        steps: &mut Steps<'_>,
        back_up: impl FnOnce(&Taken<'_>) -> Result<T>,
    ) -> Result<Done<T>> {
        let changed = self.change_settings(steps, Strategy::Link)?;
        let worked = (|| {
            self.pause();
            steps.take("wait", "make sure that no rewrite runs", || {
                self.rewriter().wait()?;
                self.check_log()
            })?;
            self.pause();
            steps.take("link", "link the set", || self.snapshot())
        })();
        // Other steps follow, unless one has failed.
        let name = if worked.is_ok() { "release" } else { LAST };
        let restored =
            steps.take(name, &restore_commands(&changed), || self.restore(&changed, worked));
        let (settings, snapshot) = restored?;
        self.pause();
        let replication = self.replication.report();
        let taken = self.taken(&snapshot, &replication);
        let backup = steps.take("backup", "back it up", || back_up(&taken))?;
        Ok(Done { rewrite: None, snapshot: snapshot.report.clone(), settings, backup })
    }

    /// Runs the first step, which changes the settings.
    fn change_settings(
        &mut self,
        steps: &mut Steps<'_>,
        strategy: Strategy,
    ) -> Result<SettingsGuard> {
        let wanted = strategy.settings();
        let names: Vec<_> =
            wanted.iter().map(|one| format!("{} {}", one.name, one.meanwhile)).collect();
        steps.take("settings", &format!("CONFIG SET {}", names.join(", ")), || {
            let identity = self.files.identity();
            let places = self.places();
            SettingsGuard::change(&mut self.session, &identity, &places, wanted)
        })
    }

    /// Restores the settings whether or not the work succeeded, and returns its result with their outcome.
    fn restore<D>(
        &mut self,
        changed: &SettingsGuard,
        worked: Result<D>,
    ) -> Result<(Vec<Restored>, D)> {
        match worked {
            Err(error) => Err(changed.restore_after(error, &mut self.session)),
            Ok(done) => Ok((changed.restore(&mut self.session)?, done)),
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
        steps.take("wait", what, || self.rewriter().finish(before))
    }

    /// Takes the snapshot, and checks afterwards that the server is still one whose data is worth a backup.
    fn snapshot(&mut self) -> Result<Snapshot> {
        let mut snapshot = snapshot::take(&self.files, &self.places(), self.session.progress())?;
        if self.options.fixed {
            snapshot.fix(&self.places(), &self.files)?;
        }
        // On a replica, a resync that began meanwhile has discarded the log.
        self.replication = ReplicationInfo::ask(&mut self.session)?;
        self.check_replication()?;
        if self.rewriter().is_busy()? {
            // Another client started this rewrite. The set was complete before it and stays complete.
            let text =
                "a rewrite was started by somebody else while the set was linked; the set is whole";
            self.session.progress().warn(text);
            self.warnings.push(text.to_string());
        }
        Ok(snapshot)
    }

    fn taken<'t>(&'t self, snapshot: &'t Snapshot, replication: &'t Replication) -> Taken<'t> {
        Taken { snapshot, server: self.session.server(), replication }
    }

    fn rewriter(&mut self) -> Rewriter<'_, 'r> {
        let LiveOptions { poll, timeout, .. } = *self.options;
        let waiting = Waiting { poll, timeout };
        Rewriter { session: &mut self.session, files: &self.files, waiting }
    }

    fn pause(&self) {
        thread::sleep(self.options.pause);
    }
}

/// Returns the commands that restore the settings, for display.
fn restore_commands(changed: &SettingsGuard) -> String {
    if changed.changes().is_empty() {
        return "settings: nothing was changed".to_string();
    }
    let values: Vec<_> =
        changed.changes().iter().map(|change| format!("{} {}", change.name, change.was)).collect();
    format!("CONFIG SET {}", values.join(", "))
}

/// The name of the step that is always run.
const LAST: &str = "restore";

/// Measures and announces the steps.
pub(super) struct Steps<'p> {
    progress: &'p dyn LiveProgress,
    count: usize,
    pub(super) done: Vec<Step>,
}

impl<'p> Steps<'p> {
    pub(super) fn new(progress: &'p dyn LiveProgress, count: usize) -> Self {
        Steps { progress, count, done: Vec::new() }
    }

    /// Announces and runs a step, and records its times even if it fails.
    pub(super) fn take<T>(
        &mut self,
        name: &'static str,
        what: &str,
        work: impl FnOnce() -> T,
    ) -> T {
        // After a failure, the run continues with the last step, whose number is fixed.
        let number = if name == LAST { self.count } else { self.done.len() + 1 };
        self.progress.step(number, self.count, what);
        let (start, clock) = (Timestamp::now(), Instant::now());
        let result = work();
        let elapsed_s = clock.elapsed().as_secs_f64();
        let what = what.to_string();
        self.done.push(Step { number, name, what, start, end: Timestamp::now(), elapsed_s });
        result
    }
}
