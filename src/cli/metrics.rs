//! `--metrics`: a file for Prometheus about a run, also of one that fails.

use std::cell::Cell;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use clap::Args;
use jiff::Timestamp;

use super::args::Common;
use super::exit::Exit;
use super::output::message;
use crate::base::cancel::UndoGuard;
use crate::base::error::{Error, ErrorKind, Result};
use crate::ops::metrics::{Job, MetricsFile, Record, Sample};
use crate::report::style::{Styled, WARNING};

/// The option for metrics.
#[derive(Debug, Args)]
pub(super) struct MetricsArg {
    /// Write metrics of the run to FILE for node_exporter
    ///
    /// The textfile collector reads files that end in .prom. The file is replaced whole, with mode 0644, also when the
    /// run fails; then what it has of the last success remains. Several jobs and sources may share it. A file of
    /// another program is refused. If it cannot be written after a run without problems, the exit code is 3.
    #[arg(long, value_name = "FILE", hide_short_help = true)]
    metrics: Option<PathBuf>,
}

impl MetricsArg {
    /// Opens the file, if one is given, before the run.
    pub(super) fn open(&self) -> Result<Option<MetricsFile>> {
        self.metrics.as_deref().map(MetricsFile::open).transpose()
    }
}

/// The metrics of a run that is under way. If it is interrupted, its keys that have no result yet are recorded as failed.
pub(super) struct Recording {
    file: MetricsFile,
    job: Job,
    began: Instant,
    pending: Arc<Mutex<Vec<String>>>,
    is_incomplete: Cell<bool>,
    _guard: UndoGuard,
}

impl Recording {
    /// Begins the run of a job for these keys, such as the sources of backups.
    pub(super) fn begin(
        file: MetricsFile,
        job: Job,
        keys: Vec<String>,
        common: &Common,
    ) -> Result<Recording> {
        let began = Instant::now();
        let pending = Arc::new(Mutex::new(keys));
        let (of_handler, left) = (file.clone(), Arc::clone(&pending));
        let guard = common.cancellation.on_cancel(move || {
            let keys = std::mem::take(&mut *left.lock().unwrap_or_else(PoisonError::into_inner));
            keys.into_iter().try_for_each(|key| {
                of_handler.record(&Record {
                    job,
                    key,
                    ended: Timestamp::now(),
                    succeeded: false,
                    exit_code: Exit::Interrupted.code(),
                    elapsed_s: began.elapsed().as_secs_f64(),
                    details: Vec::new(),
                })
            })
        })?;
        let is_incomplete = Cell::new(false);
        Ok(Recording { file, job, began, pending, is_incomplete, _guard: guard })
    }

    /// Records that the run for `key` ended. `begun_as` is the key that it was begun with.
    pub(super) fn ended(
        &self,
        begun_as: &str,
        key: &str,
        exit: Exit,
        succeeded: bool,
        details: Vec<Sample>,
    ) {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner).retain(|it| it != begun_as);
        let recorded = self.file.record(&Record {
            job: self.job,
            key: key.to_owned(),
            ended: Timestamp::now(),
            succeeded,
            exit_code: exit.code(),
            elapsed_s: self.began.elapsed().as_secs_f64(),
            details,
        });
        if let Err(error) = recorded {
            self.is_incomplete.set(true);
            warn(&error);
        }
    }

    /// Records that the run for `key` failed, unless it was interrupted, which is recorded already, or never began.
    pub(super) fn failed(&self, key: &str, error: &Error) {
        if !matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::Usage) {
            self.ended(key, key, Exit::from_error(error), false, Vec::new());
        }
    }

    /// Returns the first key that has no result yet.
    pub(super) fn only_key(&self) -> String {
        let pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        pending.first().cloned().unwrap_or_default()
    }

    /// Returns the exit code of the run: partly done if only the metrics could not be written.
    pub(super) fn exit(&self, exit: Exit) -> Exit {
        if exit == Exit::Done && self.is_incomplete.get() { Exit::Partial } else { exit }
    }
}

fn warn(error: &Error) {
    message(&format!("{} the metrics were not written: {error}\n", Styled(WARNING, "warning:")));
}
