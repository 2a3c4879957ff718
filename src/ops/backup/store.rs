//! A backup to object storage: the archive is uploaded while it is compressed, compared with what the store has, and only then
//! listed.

use std::env;
use std::path::Path;
use std::sync::Arc;

use super::free_space;
use super::job::Job;
use super::report::BackupReport;
use super::stage;
use crate::aof::log::Log;
use crate::archive::report::{CompressReport, ReadBack};
use crate::base::error::{Error, ErrorKind, Result};
use crate::disk::Scratch;
use crate::disk::names::BACKUP_SCRATCH;
use crate::ops::compress::write::{
    CompressOptions, Output, compare, compare_ciphertext, pack_into,
};
use crate::ops::prune::SourceLock;
use crate::store::archives::{NewArchive, clear_unfinished};
use crate::store::client::open_at;
use crate::store::settings::store_settings;

impl Job<'_> {
    /// Makes the archive that is planned in a store, while the lease of the source is held.
    ///
    /// # Errors
    ///
    /// When something cannot be read or written. No archive was then listed and none deleted.
    pub(super) fn apply_to_store(
        &mut self,
        report: &mut BackupReport,
        lock: Option<&SourceLock>,
    ) -> Result<()> {
        let (log, options) = (self.log, self.options);
        let ends = report.plan.ends.clone();
        let (client, place) = open_at(&options.to, self.progress)?;
        let client = Arc::new(client);
        let identity = report.plan.identity.to_string();
        report.cleared = clear_unfinished(&client, &place, Some(&identity))?;
        match &options.compact {
            None => self.upload(&client, log, &ends, lock, report)?,
            Some(compaction) => {
                // A compacted log is a file before it is compressed.
                let temporary = env::temp_dir();
                report.free_bytes = free_space::check(&temporary, report.plan.needed_bytes)?;
                let scratch = Scratch::create(&temporary, BACKUP_SCRATCH)?;
                let compacted = self.step("compact", |job| {
                    stage::compacted(log, &ends, compaction, &scratch, report, job.progress)
                })?;
                let ends: Vec<u64> =
                    compacted.parts.iter().map(|part| part.mapping.len()).collect();
                self.upload(&client, &compacted, &ends, lock, report)?;
            }
        }
        if let Some(archive) = report.archive.clone() {
            lock.map_or(Ok(()), SourceLock::check)?;
            self.retain(report, &archive);
        }
        Ok(())
    }

    /// Compresses the log into an upload, compares what the store has, and lists the archive.
    fn upload(
        &mut self,
        client: &Arc<crate::store::client::Client>,
        log: &Log,
        ends: &[u64],
        lock: Option<&SourceLock>,
        report: &mut BackupReport,
    ) -> Result<()> {
        let to = &self.options.to;
        let place = crate::store::url::StoreUrl::parse(to)?;
        let destination =
            CompressOptions { output: to.clone(), ..self.options.archive.clone() }.destination()?;
        let name = file_name(&destination)?;
        let recipients = self.options.archive.recipients()?;
        let identity = report.plan.identity.to_string();
        let mut new = NewArchive::begin(client, &place, name, &identity, report.plan.needed_bytes)?;
        let path = new.path();
        let options = self.archive_options(&path, report);
        let (done, ciphertext) = self.step("compress", |job| {
            let output = match &recipients {
                None => Output::Plain(new.sink()?),
                Some(recipients) => Output::Encrypted(new.sink()?, recipients),
            };
            pack_into(output, log, ends, &options, path.clone(), job.progress)
        })?;
        self.progress.check()?;
        lock.map_or(Ok(()), SourceLock::check)?;
        let in_full = store_settings().read_back_in_full;
        let uploaded = self.step("read back", |job| {
            let uploaded = new.complete()?;
            if uploaded.bytes != done.archive_bytes {
                return Err(Error::new(
                    ErrorKind::Refused,
                    "the store has another number of bytes",
                )
                .at(&path));
            }
            match ciphertext {
                _ if !in_full => {}
                None => compare(&path, &done, job.progress)?,
                Some(written) => compare_ciphertext(&path, &path, written, job.progress)?,
            }
            Ok(uploaded)
        })?;
        self.progress.check()?;
        lock.map_or(Ok(()), SourceLock::check)?;
        let archive = self.step("publish", |_| uploaded.confirm(in_full))?;
        let read_back = ciphertext.map(|_| ReadBack::Ciphertext);
        report.note(archive, CompressReport { checked: true, read_back, ..done });
        Ok(())
    }
}

fn file_name(path: &Path) -> Result<&str> {
    path.file_name().and_then(|name| name.to_str()).ok_or_else(|| {
        Error::new(ErrorKind::Usage, "its name is not UTF-8")
            .at(path)
            .help("use another --name-template")
    })
}
