//! `aofkit drill`.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use jiff::Timestamp;

use super::args::{Common, ReplayArgs};
use super::exit::Exit;
use super::html_file;
use super::metrics::{MetricsArg, Recording};
use super::output::message;
use super::parse::{parse_duration, parse_mode};
use crate::base::error::Result;
use crate::base::escape::ShownPath;
use crate::ops::drill::drill;
use crate::ops::drill::options::DrillOptions;
use crate::ops::drill::report::{DrillReport, Drilled, Verdict};
use crate::ops::metrics::{Job, Sample};
use crate::ops::scratch_server::ServerOptions;
use crate::report;
use crate::report::drill_html::{START, html};
use crate::report::style::{Styled, WARNING};

/// Prove that backups can be restored: restore, verify, replay, compare, load
///
/// Each archive is restored into a scratch directory, and the restored log is verified and replayed. The fingerprint
/// of its data set is compared with the one that the backup recorded; `backup --compact` records it. With --server,
/// a real server loads it, and its keys and DEBUG DIGEST are compared. Each step is timed. Nothing else is changed.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Drill {
    /// An archive, or a directory with archives: the newest good backup of each source is tried
    #[arg(value_name = "PATH")]
    path: PathBuf,
    /// Try every archive of the directory
    #[arg(long)]
    each: bool,
    /// Load the restored log in this server, on a Unix socket: the path or name of the executable
    #[arg(long, value_name = "BINARY")]
    server: Option<PathBuf>,
    /// Time limit for loading
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = parse_duration, requires = "server", hide_short_help = true)]
    server_timeout: Duration,
    /// Restore below this directory, one archive at a time [default: TMPDIR]
    #[arg(long, value_name = "DIR")]
    scratch: Option<PathBuf>,
    /// Write the report to an HTML file, too: evidence in one file that needs nothing else
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Mode of the HTML file in octal [default: 0600]
    #[arg(long, value_name = "MODE", requires = "html", hide_short_help = true, value_parser = parse_mode)]
    mode: Option<u32>,
    #[command(flatten)]
    metrics: MetricsArg,
    #[command(flatten)]
    replaying: ReplayArgs,
}

const EXAMPLES: &str = "\
Examples:
  aofkit drill /backup
  aofkit drill /backup --each --quiet || echo 'a backup is no good'
  aofkit drill /backup --server /usr/bin/redis-server --json > drill.json
  aofkit drill /backup/aof_20260101031000-6379.zip --scratch /mnt/large
  aofkit drill /backup --html drill.html --metrics /var/lib/node_exporter/drill.prom

Exit codes: 0 every archive passed; 1 an archive failed; 2 nothing could be tried; 3 some archives or steps could \
not be tried, or a file not be written.";

impl Drill {
    pub(super) fn run(&self, common: &Common) -> Result<Exit> {
        let options = DrillOptions {
            each: self.each,
            scratch: self.scratch.clone(),
            server: self.server.as_ref().map(|binary| ServerOptions {
                binary: binary.clone(),
                timeout: self.server_timeout,
            }),
            route: self.replaying.route(),
            replay: self.replaying.replay(common, None),
            now: Timestamp::now(),
        };
        self.html.as_deref().map_or(Ok(()), |path| html_file::check(path, START))?;
        let key = ShownPath(&self.path).to_string();
        let recording = self.metrics.open()?;
        let begin = |file| Recording::begin(file, Job::Drill, vec![key.clone()], common);
        let recording = recording.map(begin).transpose()?;
        let drilled = common.with_cancellable_bar(|progress| drill(&self.path, &options, progress));
        if let (Some(recording), Err(error)) = (&recording, &drilled) {
            recording.failed(&key, error);
        }
        let report = drilled?;
        let mut exit = Exit::after(&report);
        if let Some(path) = &self.html
            && let Err(error) = html_file::write(
                path,
                START,
                &html(&report),
                self.mode.unwrap_or(html_file::PRIVATE),
            )
        {
            message(&format!(
                "{} the HTML file was not written: {error}\n",
                Styled(WARNING, "warning:")
            ));
            exit = if exit == Exit::Done { Exit::Partial } else { exit };
        }
        if let Some(recording) = &recording {
            recording.ended(&key, &key, exit, exit == Exit::Done, details(&report, &key));
        }
        common.print_report(&report, exit != Exit::Done, || report::drill::text(&report))?;
        Ok(recording.map_or(exit, |recording| recording.exit(exit)))
    }
}

/// Returns the metrics of each source, and of what has none. Of several archives of a source, all must have passed, the time is
/// that of the newest, and the durations are added up.
fn details(report: &DrillReport, path: &str) -> Vec<Sample> {
    let mut sources: BTreeMap<String, Vec<&Drilled>> = BTreeMap::new();
    for archive in &report.archives {
        let source = archive.source.as_ref().map(ToString::to_string).unwrap_or_default();
        sources.entry(source).or_default().push(archive);
    }
    let mut samples = Vec::new();
    for (source, archives) in &sources {
        let sample = |name: &str, value: f64| {
            Sample::new(name, Job::Drill.label(), path, value).with("source", source)
        };
        let passed = archives.iter().all(|archive| archive.verdict == Verdict::Passed);
        samples.push(sample("aofkit_drill_source_success", f64::from(u8::from(passed))));
        if let Some(created) = archives.iter().filter_map(|archive| archive.created).max() {
            #[allow(clippy::cast_precision_loss)] // Seconds of this era are exact.
            let created = created.as_second() as f64;
            samples.push(sample("aofkit_drill_archive_created_timestamp_seconds", created));
        }
        let mut steps: BTreeMap<&str, f64> = BTreeMap::new();
        for step in archives.iter().flat_map(|archive| &archive.steps) {
            *steps.entry(step.name.shown()).or_default() += step.elapsed_s;
        }
        samples.extend(steps.into_iter().map(|(name, elapsed_s)| {
            sample("aofkit_drill_step_duration_seconds", elapsed_s).with("step", name)
        }));
    }
    samples
}
