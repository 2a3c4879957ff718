//! Applying the plan of a backup: the archive is made, read back and published, and old archives are removed.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::free_space;
use super::job::Job;
use super::report::BackupReport;
use super::stage;
use crate::aof::log::{Layout, Log};
use crate::base::error::Result;
use crate::disk::publish::Existing;
use crate::disk::{Scratch, rename};
use crate::ops::compress::write::CompressOptions;
use crate::ops::prune::{JustMade, PruneOptions, prune_source};

impl Job<'_> {
    /// Checks what applying the plan needs, and predicts which older archives it removes. Nothing is written.
    ///
    /// # Errors
    ///
    /// When too little space is free.
    pub(super) fn predict(&mut self, report: &mut BackupReport) -> Result<()> {
        self.check_space(report)?;
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
        let mut options = CompressOptions {
            output: unseen.clone(),
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
        report.archive = Some(archive);
        report.commands = done.contents.commands();
        report.rdb_keys = done.contents.rdb_keys();
        report.newer_rdb = done.contents.files.iter().find_map(|file| file.newer_rdb.clone());
        report.bytes = done.bytes;
        report.archive_bytes = done.archive_bytes;
        #[allow(clippy::cast_precision_loss)] // Three digits are shown.
        let ratio = report.plan.log_bytes as f64 / done.archive_bytes.max(1) as f64;
        report.ratio = ratio;
        report.read_back = done.checked;
        report.encrypted = done.encrypted;
        report.source = done.contents.source;
        Ok(())
    }

    /// Deletes the archives that the policy does not retain. The new archive exists by now, so that a failure here is
    /// reported but does not fail the backup.
    fn retain(&mut self, report: &mut BackupReport, archive: &Path) {
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
    let stem = destination.file_stem().unwrap_or_default();
    let mut archive = destination.to_path_buf();
    let mut number = 1_u32;
    while !rename::put_new(unseen, &archive)? {
        number = number.saturating_add(1);
        let mut name = stem.to_owned();
        name.push(format!("-{number}"));
        if let Some(extension) = destination.extension() {
            name.push(".");
            name.push(extension);
        }
        archive = destination.with_file_name(name);
    }
    Ok(archive)
}
