//! Backing up a server that runs, and leaving it as it was found.
//!
//! | strategy | steps |
//! |---|---|
//! | [`Strategy::Rewrite`] | settings, BGREWRITEAOF, wait for it, link the set and back it up, settings back |
//! | [`Strategy::Link`] | settings, wait until no rewrite runs, link the set, settings back, back it up |
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

pub use taken::Taken;

use std::path::Path;
use std::time::Instant;

use crate::live::connect::connect;
use crate::live::progress::Watch;
use jiff::Timestamp;

use self::report::Steps;
use self::run::Run;
use crate::base::error::Result;
use crate::live::endpoint::Endpoint;
use crate::live::files::Files;

pub use crate::live::rewrite::Rewrite;
pub use crate::ops::recover::hold::{HoldOptions, HoldReport, hold};
pub use options::{LiveOptions, Strategy};
pub use report::{LiveReport, LookReport, RestoreReport, Step};

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
    let settings = crate::live::settings::recover(
        &mut Some(connection),
        endpoint,
        &files.identity(),
        &server.run_id,
        to,
        crate::live::settings::RESTORE_FOR,
    )?;
    Ok(RestoreReport { schema: 1, server, settings })
}
