//! Applying the plan of a backup: the archive is made, read back and published, and old archives are removed.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::free_space;
use super::job::Job;
use super::report::BackupReport;
use super::stage;
use crate::aof::log::{Layout, Log};
use crate::archive::names::numbered_name;
use crate::base::error::Result;
use crate::disk::publish::Existing;
use crate::disk::{Scratch, rename};
use crate::ops::compress::write::CompressOptions;
use crate::ops::prune::{JustMade, PruneOptions, prune_source};
use crate::store::url::is_url;

impl Job<'_> {
    /// Checks what applying the plan needs, and predicts which older archives it removes. Nothing is written.
    ///
    /// # Errors
    ///
    /// When too little space is free.
    pub(super) fn predict(&mut self, report: &mut BackupReport) -> Result<()> {
        if !is_url(&self.options.to) {
            self.check_space(report)?;
        }
        let upcoming = self.options.to.join("the one to be made");
        self.retain(report, &upcoming);
        Ok(())
    }

    fn check_space(&mut self, report: &mut BackupReport) -> Result<()> {
        let needed = report.plan.needed_bytes;
        report.free_bytes =
            self.step("free space", |job| free_space::check(&job.options.to, needed))?;
        Ok(())
    }

    /// Makes the archive that is planned, while the lock of the source is held.
    ///
    /// # Errors
    ///
    /// When too little space is free, or something cannot be read or written. No archive was then created and none
    /// deleted.
    pub(super) fn apply(&mut self, report: &mut BackupReport) -> Result<()> {
        let (log, options) = (self.log, self.options);
        let ends = report.plan.ends.clone();
        let prefix = format!("{}.", report.plan.identity.file_prefix());
        let cleared = Scratch::clear_left_over(&options.to, &prefix)?;
        report.cleared = cleared.iter().map(|path| path.display().to_string()).collect();
        self.check_space(report)?;
        let scratch = Scratch::create(&options.to, &prefix)?;
        match &options.compact {
            None => self.pack(log, &ends, &scratch, report)?,
            Some(compaction) => {
                let compacted = self.step("compact", |job| {
                    stage::compacted(log, &ends, compaction, &scratch, report, job.progress)
                })?;
                let ends: Vec<u64> =
                    compacted.parts.iter().map(|part| part.mapping.len()).collect();
                self.pack(&compacted, &ends, &scratch, report)?;
            }
        }
        if let Some(archive) = report.archive.clone() {
            self.retain(report, &archive);
        }
        Ok(())
    }

    /// Compresses the log, reads the archive back, and publishes it.
    fn pack(
        &mut self,
        log: &Log,
        ends: &[u64],
        scratch: &Scratch,
        report: &mut BackupReport,
    ) -> Result<()> {
        let destination =
            CompressOptions { output: self.options.to.clone(), ..self.options.archive.clone() }
                .destination()?;
        let unseen = scratch.path().join(destination.file_name().unwrap_or_default());
        let options = self.archive_options(&unseen, report);
        let mut packed = self.step("compress", |job| {
            crate::ops::compress::pack(log, ends, &options, job.progress)
        })?;
        self.step("read back", |job| packed.check(job.progress))?;
        self.progress.check()?;
        let (done, archive) = self.step("publish", |_| {
            let done = packed.publish()?;
            let archive = publish(&unseen, &destination)?;
            Ok((done, archive))
        })?;
        report.note(archive, done);
        Ok(())
    }

    /// Returns the options of the archive at `output`.
    pub(super) fn archive_options(&self, output: &Path, report: &BackupReport) -> CompressOptions {
        let mut options = CompressOptions {
            output: output.to_owned(),
            existing: Existing::Keep,
            fingerprint: report.compaction.as_ref().map(|done| done.fingerprint.clone()),
            backup: true,
            ..self.options.archive.clone()
        };
        if let Layout::MultiPart { appenddirname, .. } = &self.log.layout
            && !appenddirname.is_empty()
            && options.appenddirname.is_none()
        {
            options.appenddirname = Some(appenddirname.clone());
        }
        options
    }

    /// Deletes the archives that the policy does not retain. The new archive exists by now, so that a failure here is
    /// reported but does not fail the backup.
    pub(super) fn retain(&mut self, report: &mut BackupReport, archive: &Path) {
        if self.options.keep.is_empty() {
            return;
        }
        let options = PruneOptions {
            policy: self.options.keep,
            dry_run: self.options.dry_run,
            now: Timestamp::now(),
            lock_wait: self.options.lock_wait,
            zone: TimeZone::system(),
        };
        let made = JustMade { path: archive, created: report.created };
        // A damaged log that was backed up as it is must not replace older archives.
        let made = report.plan.findings.is_empty().then_some(made);
        let identity = report.plan.identity.clone();
        let done = self.step("retention", |job| {
            prune_source(&job.options.to, &identity, &options, made, job.progress)
        });
        match done {
            Ok(group) => report.retention = Some(group),
            Err(error) => report.retention_problem = Some(error.to_string()),
        }
    }
}

/// Publishes the archive under its name or, if another source took that name in the same second, under the next free
/// name.
fn publish(unseen: &Path, destination: &Path) -> Result<PathBuf> {
    let name = destination.file_name().unwrap_or_default().to_string_lossy();
    let mut archive = destination.to_path_buf();
    let mut number = 1_u32;
    while !rename::put_new(unseen, &archive)? {
        number = number.saturating_add(1);
        archive = destination.with_file_name(numbered_name(&name, number));
    }
    Ok(archive)
}
