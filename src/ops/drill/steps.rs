//! The steps of a drill with one archive.

use std::env;
use std::path::{Path, PathBuf};
use std::time::Instant;

use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

use super::load;
use super::options::DrillOptions;
use super::report::{Drilled, Step, StepName, StepVerdict, Verdict};
use crate::archive::contents::Contents;
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::escape::hexadecimal;
use crate::base::level::Level;
use crate::base::progress::Progress;
use crate::base::units::{Bytes, counted};
use crate::disk::names::DRILL_SCRATCH;
use crate::disk::{Scratch, free_bytes};
use crate::input::archive::file::map_whole;
use crate::input::archive::read_contents;
use crate::ops::digest::{DigestOptions, digest};
use crate::ops::list::Identity;
use crate::ops::restore::{RestoreOptions, RestoreReport, restore};
use crate::ops::scratch_server::{Binary, Stop};
use crate::ops::verify::{LogOutcome, VerifyOptions, verify_path};

/// The number of bytes that are hashed between two checks for a cancellation.
const HASHED_BYTES: usize = 1 << 20;

/// A drill with one archive, as far as it got.
struct Attempt<'a> {
    drilled: Drilled,
    options: &'a DrillOptions,
    progress: &'a dyn Progress,
}

/// Takes the steps with the archive at `path`.
///
/// # Errors
///
/// Only if the caller cancels.
pub(super) fn drill_archive(
    path: &Path,
    options: &DrillOptions,
    server: Option<&Binary>,
    progress: &dyn Progress,
) -> Result<Drilled> {
    let clock = Instant::now();
    let mut attempt = Attempt { drilled: Drilled::new(path), options, progress };
    attempt.run(path, server)?;
    let Attempt { mut drilled, .. } = attempt;
    drilled.verdict = drilled.judge();
    drilled.elapsed_s = clock.elapsed().as_secs_f64();
    Ok(drilled)
}

impl Attempt<'_> {
    fn run(&mut self, path: &Path, server: Option<&Binary>) -> Result<()> {
        let restored = self.step(StepName::Restore, |this| this.restore(path))?;
        let Some((scratch, restored)) = restored else { return Ok(()) };
        let log = restored.plan.output.join(&restored.plan.placed);
        if self.step(StepName::Verify, |this| this.verify(&log))?.is_none()
            || self.step(StepName::Replay, |this| this.replay(&log))?.is_none()
        {
            return Ok(());
        }
        self.step(StepName::Compare, |this| this.compare())?;
        if let Some(server) = server {
            self.step(StepName::Load, |this| {
                let keys = &this.drilled.keys;
                let loaded = load::load(
                    server,
                    (&restored, &log, keys),
                    this.options,
                    scratch.path(),
                    this.progress,
                )?;
                let judged = loaded.judge(keys);
                this.drilled.loaded = Some(loaded);
                judged
            })?;
        }
        Ok(())
    }

    /// Takes a step and records it; `None` if it did not pass.
    fn step<T>(
        &mut self,
        name: StepName,
        work: impl FnOnce(&mut Self) -> Result<T, Stop>,
    ) -> Result<Option<T>> {
        let (started, clock) = (Timestamp::now(), Instant::now());
        let worked = work(self);
        let (done, verdict, message) = match worked {
            Ok(done) => (Some(done), StepVerdict::Passed, None),
            Err(Stop::Failed(message)) => (None, StepVerdict::Failed, Some(message)),
            Err(Stop::NotTried(message)) => (None, StepVerdict::NotTried, Some(message)),
            Err(Stop::NotRecorded) => (None, StepVerdict::NotRecorded, None),
            Err(Stop::Interrupted(error)) => return Err(error),
        };
        let elapsed_s = clock.elapsed().as_secs_f64();
        let ended = Timestamp::now();
        self.drilled.steps.push(Step { name, verdict, message, started, ended, elapsed_s });
        self.progress.check()?;
        Ok(done)
    }

    /// Restores the archive below a scratch directory, as `restore` does into a new data directory.
    fn restore(&mut self, path: &Path) -> Result<(Scratch, RestoreReport), Stop> {
        let archive = map_whole(path, self.progress)?;
        self.drilled.archive_bytes = archive.len();
        self.drilled.sha256 = Some(sha256(archive.bytes(), self.progress)?);
        archive.check()?;
        let contents = read_contents(path)?;
        self.drilled.note(contents.as_ref());
        let place = self.options.scratch.clone().unwrap_or_else(env::temp_dir);
        let needed = contents.as_ref().map_or(0, Contents::bytes);
        let scratch = scratch(&place, needed).map_err(|error| Stop::NotTried(error.to_string()))?;
        let output = scratch.path().join("data");
        let restored = restore(path, &RestoreOptions::new(&output), self.progress)?;
        Ok((scratch, restored))
    }

    fn verify(&mut self, log: &Path) -> Result<(), Stop> {
        let report = match verify_path(log, &VerifyOptions::default(), self.progress)? {
            LogOutcome::Read(report) => report,
            LogOutcome::BrokenSet { message, .. } => return Err(Stop::Failed(message)),
            LogOutcome::Failed(failure) => return Err(Stop::Failed(failure.message)),
            LogOutcome::Archive(_) | LogOutcome::Encrypted { .. } => {
                return Err(Stop::Failed("what is in it is an archive again, and no log".into()));
            }
        };
        self.drilled.log_bytes = report.bytes;
        self.drilled.commands = report.commands;
        self.drilled.rdb_keys = report.rdb_keys;
        if report.bytes == 0 {
            return Err(Stop::Failed("the log holds nothing".to_owned()));
        }
        let worst = report.findings.iter().find(|finding| finding.level == Level::Error);
        match worst {
            None if report.sound => Ok(()),
            None => Err(Stop::Failed("the log is damaged".to_owned())),
            Some(finding) => {
                let part = finding.part.as_ref().map_or(String::new(), |part| format!("{part}: "));
                Err(Stop::Failed(format!("{part}{}", finding.message)))
            }
        }
    }

    fn replay(&mut self, log: &Path) -> Result<(), Stop> {
        let options = DigestOptions {
            route: self.options.route.clone(),
            replay: self.options.replay.clone(),
            debug_digest: false,
        };
        let report = digest(log, &options, self.progress).map_err(|error| match error.kind() {
            // What is in it is unknown to this version, which proves no fault.
            ErrorKind::Unrecognised => Stop::NotTried(error.without_path().to_string()),
            _ => error.into(),
        })?;
        self.drilled.fingerprint = Some(report.fingerprint);
        self.drilled.keys = report.by_database;
        if report.failed > 0 {
            let commands = counted(report.failed, "command");
            let what =
                format!("{commands} that a server answers with an error: see `aofkit digest`");
            return Err(Stop::Failed(what));
        }
        Ok(())
    }

    fn compare(&mut self) -> Result<(), Stop> {
        match (&self.drilled.recorded_fingerprint, &self.drilled.fingerprint) {
            (None, _) => Err(Stop::NotRecorded),
            (Some(recorded), Some(found)) if recorded == found => Ok(()),
            (Some(recorded), found) => {
                let found = found.as_deref().unwrap_or("none");
                Err(Stop::Failed(format!(
                    "the data set is another: its fingerprint is {found}, and {recorded} was recorded"
                )))
            }
        }
    }
}

impl Drilled {
    fn new(path: &Path) -> Self {
        Drilled {
            path: path.to_owned(),
            verdict: Verdict::NotTried,
            archive_bytes: 0,
            sha256: None,
            source: None,
            created: None,
            tool: None,
            steps: Vec::new(),
            log_bytes: 0,
            commands: 0,
            rdb_keys: 0,
            keys: std::collections::BTreeMap::new(),
            recorded_fingerprint: None,
            fingerprint: None,
            loaded: None,
            elapsed_s: 0.0,
        }
    }

    fn note(&mut self, contents: Option<&Contents>) {
        let Some(contents) = contents else { return };
        self.source = Some(Identity::from_source(&contents.source));
        self.created = Some(contents.created);
        self.tool = Some(contents.tool.clone());
        self.recorded_fingerprint.clone_from(&contents.fingerprint);
    }

    fn judge(&self) -> Verdict {
        let has = |verdict| self.steps.iter().any(|step| step.verdict == verdict);
        match () {
            () if has(StepVerdict::Failed) => Verdict::Failed,
            () if has(StepVerdict::NotTried) || self.steps.is_empty() => Verdict::NotTried,
            () => Verdict::Passed,
        }
    }
}

/// Creates a scratch directory in `place` with room for so many bytes.
fn scratch(place: &Path, needed: u64) -> Result<Scratch> {
    const HELP: &str = "archives are restored there; --scratch or TMPDIR names another directory";
    let free = free_bytes(place).map_err(|error| error.help(HELP))?;
    if free < needed {
        let what = format!("{} are free, and {} are needed", Bytes(free), Bytes(needed));
        return Err(Error::new(ErrorKind::Refused, what).at(place).help(HELP));
    }
    // The server has this path in its configuration.
    let place: PathBuf = place.canonicalize().map_err(|error| Error::io("find", place, error))?;
    Scratch::create(&place, DRILL_SCRATCH).map_err(|error| error.help(HELP))
}

fn sha256(bytes: &[u8], progress: &dyn Progress) -> Result<String> {
    let mut hash = Sha256::new();
    for piece in bytes.chunks(HASHED_BYTES) {
        hash.update(piece);
        progress.check()?;
    }
    Ok(hexadecimal(&hash.finalize()))
}
