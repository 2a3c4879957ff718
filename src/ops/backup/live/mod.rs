//! Backing up a running server, and restoring its settings afterwards.
//!
//! | strategy | steps |
//! |---|---|
//! | [`Strategy::Rewrite`] | change settings, BGREWRITEAOF, wait for it, link the set and back it up, restore settings |
//! | [`Strategy::Link`] | change settings, wait until no rewrite runs, link the set, restore settings, back it up |
//!
//! A run uses the modules of [`live`](crate::live) in this order: `server` (which server it is), `replication` (whether its
//! data is worth a backup), `files` (where its log is on this machine, and the lock), `settings` with the `journal` (what
//! is changed and how it is restored), `rewrite`, `snapshot` (the log at one moment).
//!
//! The rights that the server's user needs: [`RIGHTS`](crate::live::connection::RIGHTS).

mod options;
mod report;
mod run;
mod taken;

use std::path::Path;
use std::time::Instant;

use jiff::Timestamp;

use self::run::{Run, Steps};
use crate::base::error::{Error, ErrorKind, Result};
use crate::live::endpoint::Endpoint;
use crate::live::files::Files;
use crate::live::progress::LiveProgress;
use crate::live::session::Session;
use crate::live::settings::{self, RESTORE_FOR};
use crate::ops::backup::BackupReport;
use crate::store::url::is_url;

pub use crate::live::rewrite::Rewrite;
pub use options::{BackupLiveOptions, LiveOptions, Strategy};
pub use report::{LiveReport, PreviewReport, RestoreReport, Step};
pub(crate) use taken::source_at;
pub use taken::{Taken, back_up};

/// Backs up a running server: `back_up` is called with the log as it was at one moment.
///
/// In every case the changed settings are restored, or the error reports that they could not be, and the journal in
/// [`LiveOptions::to`] remains for the next run.
///
/// # Errors
///
/// When the server cannot be reached, refuses a command, or has no append-only file; when the log is not found, or
/// belongs to another server; when the rewrite fails or times out; when another run is active on it; and the errors of
/// `back_up`.
pub fn run<T>(
    endpoint: &Endpoint,
    options: &LiveOptions,
    progress: &dyn LiveProgress,
    back_up: impl FnOnce(&Taken<'_>) -> Result<T>,
) -> Result<LiveReport<T>> {
    let (start, clock) = (Timestamp::now(), Instant::now());
    let mut run = Run::prepare(endpoint, options, progress)?;
    let mut steps = Steps::new(progress, 5);
    let done = match options.strategy {
        Strategy::Rewrite => run.with_rewrite(&mut steps, back_up)?,
        Strategy::Link => run.with_links(&mut steps, back_up)?,
    };
    Ok(LiveReport {
        replication: run.replication.report(),
        server: run.session.into_server(),
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

/// Backs up the log of a running server to a directory of archives.
///
/// The server, which is on this machine, rewrites its log, or the log is taken as it is: see [`Strategy`]. The archive is
/// read back before it is published, and older ones are removed by the policy only after that. The settings that are
/// changed meanwhile are restored, also if the caller cancels. A run that is killed leaves a journal in the directory of
/// the archives and in that of the server, and the next run restores the settings first.
///
/// ```no_run
/// use aofkit::options::Keep;
/// use aofkit::servers::{Address, Endpoint};
/// use aofkit::{BackupLiveOptions, Silent, backup_live};
///
/// let server = Endpoint::new(Address::Tcp { host: "127.0.0.1".to_owned(), port: 6379 });
/// let mut options = BackupLiveOptions::new("/backup");
/// options.backup.keep.daily = Keep::Latest(7);
/// let report = backup_live(&server, &options, &Silent)?;
/// println!("{:?}, {} commands", report.backup.archive, report.backup.commands);
/// # Ok::<(), aofkit::Error>(())
/// ```
///
/// # Errors
///
/// - [`ErrorKind::Usage`]: the options request a dry run, which this function has not.
/// - [`ErrorKind::Interrupted`]: the caller cancelled.
/// - When the server cannot be reached, refuses a command, has no append-only file, is a replica, or writes to another
///   machine; when the rewrite fails or times out; when another run is active; and as [`backup`](crate::backup()).
pub fn backup_live(
    endpoint: &Endpoint,
    options: &BackupLiveOptions,
    progress: &dyn LiveProgress,
) -> Result<LiveReport<BackupReport>> {
    let BackupLiveOptions { server, backup } = options;
    if backup.dry_run {
        return Err(Error::new(
            ErrorKind::Usage,
            "a running server cannot be backed up in a dry run",
        )
        .help("back up the path of its log in a dry run, which changes nothing"));
    }
    let to = backup.to.clone();
    let server = LiveOptions { to, fixed: backup.compact.is_some(), ..server.clone() };
    run(endpoint, &server, progress, |taken| {
        let mut backup = backup.clone();
        backup.archive.created = Timestamp::now();
        back_up(taken, backup, progress)
    })
}

/// Reports whether a running server could be backed up and what would be done, without changing anything.
///
/// Whether the server's user may change settings and start a rewrite is only known when the backup does so.
///
/// # Errors
///
/// As [`run()`], as far as they can be detected beforehand.
pub fn preview(
    endpoint: &Endpoint,
    options: &LiveOptions,
    progress: &dyn LiveProgress,
) -> Result<PreviewReport> {
    Run::preview(endpoint, options, progress)
}

/// Restores the settings that a killed run left changed at this server. The backup directory of that run is `to`.
///
/// # Errors
///
/// When the server cannot be reached, another run is active on it, or it rejects settings.
pub fn restore_config(
    endpoint: &Endpoint,
    dir: Option<&Path>,
    to: &Path,
    progress: &dyn LiveProgress,
) -> Result<RestoreReport> {
    let mut session = Session::open(endpoint, RESTORE_FOR, progress)?;
    let files = Files::expected(session.server(), dir)?;
    // Without a log there is nothing to lock; a run that is active on it has a log.
    let state = if is_url(to) { files.dir.as_path() } else { to };
    let _lock = if files.log.exists() { Some(files.lock(state)?) } else { None };
    let places = [state.to_path_buf(), files.dir.clone()];
    let settings = settings::recover(&mut session, &files.identity(), &places)?;
    Ok(RestoreReport { server: session.into_server(), settings })
}
