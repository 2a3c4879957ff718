//! A file with metrics for the textfile collector of node_exporter.
//!
//! Several jobs and sources may share a file: a run replaces its own samples under a lock of the directory, and retains
//! those of others. The file is replaced whole, so that a reader never sees a part of it. A run that fails replaces what is
//! of every run, and retains what is of the last success.

mod families;
mod text;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;

pub use families::{Family, Job};
pub use text::Sample;

use self::families::{DURATION, EXIT_CODE, LAST_RUN, LAST_SUCCESS, SUCCEEDED};
use crate::base::error::{Error, ErrorKind, Result};
use crate::disk::publish::{Existing, NewFile, check_writable};
use crate::disk::{Access, Lock, OwnFile};

/// The longest file that is read: that of thousands of sources.
const LONGEST_BYTES: u64 = 1 << 20;

/// How long another run that writes to the same directory is waited for.
const LOCK_WAIT: Duration = Duration::from_secs(5);

/// The mode of the file: node_exporter runs as another user.
const MODE: u32 = 0o644;

/// A run of a job, for its metrics.
#[derive(Debug, Clone)]
pub struct Record {
    /// The job.
    pub job: Job,
    /// The value of the label of the job, such as the source of a backup.
    pub key: String,
    /// The end of the run.
    pub ended: Timestamp,
    /// Whether it succeeded.
    pub succeeded: bool,
    /// Its exit code.
    pub exit_code: u8,
    /// Its duration in seconds.
    pub elapsed_s: f64,
    /// The other samples.
    pub details: Vec<Sample>,
}

impl Record {
    fn samples(&self) -> Vec<Sample> {
        #[allow(clippy::cast_precision_loss)] // Seconds of this era are exact.
        let ended = self.ended.as_second() as f64;
        let families = self.job.families();
        let sample =
            |at: usize, value| Sample::new(families[at].name, self.job.label(), &self.key, value);
        let mut samples = vec![
            sample(LAST_RUN, ended),
            sample(SUCCEEDED, f64::from(u8::from(self.succeeded))),
            sample(EXIT_CODE, f64::from(self.exit_code)),
        ];
        if self.succeeded {
            samples.push(sample(LAST_SUCCESS, ended));
            samples.push(sample(DURATION, self.elapsed_s));
        }
        let is_of_run = |sample: &&Sample| self.succeeded || !is_of_success(&sample.name);
        samples.extend(self.details.iter().filter(is_of_run).cloned());
        samples
    }
}

/// Returns whether a metric is of the last success.
fn is_of_success(name: &str) -> bool {
    let mut families = Job::ALL.into_iter().flat_map(Job::families);
    families.any(|family| family.name == name && family.of_success)
}

/// A file with metrics.
#[derive(Debug, Clone)]
pub struct MetricsFile {
    path: PathBuf,
}

impl MetricsFile {
    /// Returns the file at `path`, which may not exist yet.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Refused`] when something else is there: another program's file, a symbolic link, a pipe; and when
    /// the directory cannot be written.
    pub fn open(path: &Path) -> Result<MetricsFile> {
        if path.is_dir() {
            return Err(Error::new(ErrorKind::Usage, "this is a directory")
                .at(path)
                .help("name a file in it that ends in .prom, such as aofkit.prom"));
        }
        check_writable(path)?;
        let file = MetricsFile { path: path.to_owned() };
        file.read()?;
        Ok(file)
    }

    /// Returns the only key of a job in the file; `None` if there are several, or none.
    pub fn only_key(&self, job: Job) -> Option<String> {
        let samples = self.read().ok()?;
        let of_job = samples.iter().filter(|sample| sample.name == job.families()[LAST_RUN].name);
        let mut keys = of_job.filter_map(|sample| sample.label(job.label()));
        let only = keys.next()?;
        keys.next().is_none().then(|| only.to_owned())
    }

    /// Replaces the samples of this job and key, and publishes the file.
    ///
    /// # Errors
    ///
    /// As [`MetricsFile::open`], and when it cannot be written. The file is then unchanged.
    pub fn record(&self, record: &Record) -> Result<()> {
        let parent = self.path.parent().filter(|parent| !parent.as_os_str().is_empty());
        let _lock = Lock::take_directory_within(parent.unwrap_or(Path::new(".")), LOCK_WAIT)?;
        let text = merged(self.read()?, record);
        let mut file = NewFile::create(&self.path, Existing::Overwrite, Access::PRIVATE)?;
        let written = file.file().write_all(text.as_bytes());
        written.map_err(|error| Error::io("write", &self.path, error))?;
        file.publish_with_mode(MODE)
    }

    fn read(&self) -> Result<Vec<Sample>> {
        let Some(file) = OwnFile::read(&self.path, LONGEST_BYTES + 1)? else {
            return Ok(Vec::new());
        };
        let is_too_long = file.bytes.len() as u64 > LONGEST_BYTES;
        let text = std::str::from_utf8(&file.bytes).ok().filter(|_| !is_too_long);
        if file.bytes.is_empty() {
            return Ok(Vec::new());
        }
        text.and_then(text::parse).ok_or_else(|| {
            Error::new(ErrorKind::Refused, "this file is not one of metrics that aofkit wrote")
                .at(&self.path)
                .help("it would be overwritten: name another file, or remove this one")
        })
    }
}

/// Returns the text of a file with these samples, in which those of a run take the place of earlier ones.
fn merged(old: Vec<Sample>, record: &Record) -> String {
    let new = record.samples();
    let is_of_job = |sample: &Sample| {
        record.job.families().iter().any(|family| family.name == sample.name)
            && sample.label(record.job.label()) == Some(&record.key)
    };
    let is_retained =
        |sample: &Sample| !is_of_job(sample) || !record.succeeded && is_of_success(&sample.name);
    let mut samples: Vec<Sample> = old.into_iter().filter(is_retained).chain(new).collect();
    samples.sort_by(|a, b| a.labels.cmp(&b.labels));
    let mut out = format!("{}\n", text::HEADER);
    for family in Job::ALL.into_iter().flat_map(Job::families) {
        let (of_family, others): (Vec<_>, Vec<_>) =
            samples.into_iter().partition(|sample| sample.name == family.name);
        samples = others;
        if !of_family.is_empty() {
            out.push_str(&format!("# HELP {} {}\n", family.name, family.help));
            out.push_str(&format!("# TYPE {} gauge\n", family.name));
            of_family.iter().for_each(|sample| sample.write(&mut out));
        }
    }
    // Of a later version, which describes them when it writes them again.
    samples.sort_by(|a, b| a.name.cmp(&b.name));
    samples.iter().for_each(|sample| sample.write(&mut out));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(key: &str, at: i64, succeeded: bool) -> Record {
        let details =
            vec![Sample::new("aofkit_backup_archive_size_bytes", "source", key, at as f64)];
        Record {
            job: Job::Backup,
            key: key.to_owned(),
            ended: Timestamp::from_second(at).unwrap(),
            succeeded,
            exit_code: if succeeded { 0 } else { 2 },
            elapsed_s: 0.5,
            details,
        }
    }

    fn value(text: &str, name: &str, source: &str) -> Option<String> {
        let start = format!("aofkit_backup_{name}{{source=\"{source}\"}} ");
        text.lines().find_map(|line| line.strip_prefix(&start)).map(str::to_owned)
    }

    #[test]
    fn a_failure_retains_the_last_success_and_others_their_samples() {
        let first = merged(Vec::new(), &record("a", 1000, true));
        let both = merged(text::parse(&first).unwrap(), &record("b", 2000, true));
        let failed = merged(text::parse(&both).unwrap(), &record("a", 3000, false));
        let at = |name: &str, source| value(&failed, name, source);
        assert_eq!(at("last_success_timestamp_seconds", "a").as_deref(), Some("1000"));
        assert_eq!(at("archive_size_bytes", "a").as_deref(), Some("1000"));
        assert_eq!(at("last_run_timestamp_seconds", "a").as_deref(), Some("3000"));
        assert_eq!(at("last_run_success", "a").as_deref(), Some("0"));
        assert_eq!(at("last_run_exit_code", "a").as_deref(), Some("2"));
        assert_eq!(at("last_run_timestamp_seconds", "b").as_deref(), Some("2000"));
        let again = merged(text::parse(&failed).unwrap(), &record("a", 4000, true));
        let success = value(&again, "last_success_timestamp_seconds", "a");
        assert_eq!(success.as_deref(), Some("4000"));
        for text in [&both, &failed, &again] {
            assert_eq!(text.matches("# TYPE aofkit_backup_last_run_success gauge").count(), 1);
        }
    }

    #[test]
    fn names_follow_the_conventions() {
        for family in Job::ALL.into_iter().flat_map(Job::families) {
            let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte == b'_';
            assert!(family.name.bytes().all(is_plain), "{}", family.name);
            // Of counters alone, or of parts of other types.
            let reserved = ["_total", "_count", "_sum", "_bucket", "_info", "_milliseconds"];
            assert!(!reserved.iter().any(|end| family.name.ends_with(end)), "{}", family.name);
            assert!(family.help.ends_with('.') && !family.help.contains(['\\', '\n']));
        }
    }

    #[test]
    fn samples_of_a_later_version_are_retained() {
        let later = format!("{}\naofkit_later_x{{a=\"b\"}} 7\n", text::HEADER);
        let text = merged(text::parse(&later).unwrap(), &record("a", 1, true));
        assert!(text.ends_with("\naofkit_later_x{a=\"b\"} 7\n"), "{text}");
    }
}
