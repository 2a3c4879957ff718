//! `aofkit backup`.

use std::path::{Path, PathBuf};

use clap::{ArgAction, Args, ValueEnum};

use super::args::{COMMON, Common, EncryptArgs, LockArg, ReplayArgs, RetentionArgs, SEE_LONG_HELP};
use super::exit::Exit;
use super::live::LiveArgs;
use super::metrics::{MetricsArg, Recording};
use super::output::message;
use super::parse::{created_at, parse_mode, parse_time};
use super::values::{FormValue, ServerValue};
use crate::archive::contents::Source;
use crate::archive::method::Method;
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::progress::Progress;
use crate::base::server::Server;
use crate::live::endpoint::Endpoint;
use crate::ops::backup::live::{LiveReport, Taken, back_up, source_at};
use crate::ops::backup::{BackupOptions, BackupReport, backup_path, host, source_of};
use crate::ops::compact::Form;
use crate::ops::compress::write::CompressOptions;
use crate::ops::list::Identity;
use crate::ops::metrics::{Job, MetricsFile, Sample};
use crate::report;
use crate::store::settings::{StoreSettings, set_store_settings, store_settings};

/// Back up a log to a verified archive, and remove old archives by retention rules
///
/// The archive gets its final name only after it has been read back and verified, and older archives of the same
/// source are removed only after that. If a server is writing the log, the backup ends with the last complete
/// command or transaction. With --live, the server first rewrites its log; its settings are restored afterwards.
#[derive(Debug, Args)]
#[command(after_help = SEE_LONG_HELP, after_long_help = EXAMPLES, disable_help_flag = true)]
pub(super) struct Backup {
    /// The log: a file, a multi-part directory, its manifest, the data directory above, or an RDB
    #[arg(value_name = "PATH")]
    path: Option<PathBuf>,
    /// A directory for archives, or s3://BUCKET/PREFIX
    #[arg(long, value_name = "DIR|URL")]
    to: PathBuf,
    #[command(flatten)]
    packing: Packing,
    #[command(flatten)]
    encryption: EncryptArgs,
    /// Compact the log first
    #[arg(long)]
    compact: bool,
    /// Format of the compacted log: aof, preamble, multipart or multipart-aof [default: that of the log]
    #[arg(long, value_name = "FORM", value_parser = FormValue, hide_possible_values = true, hide_short_help = true, requires = "compact")]
    format: Option<Form>,
    /// Target server of the compacted log [default: the one that wrote the log]
    #[arg(long = "for", value_name = "VERSION", value_parser = ServerValue, hide_possible_values = true, hide_short_help = true, requires = "compact")]
    server: Option<Server>,
    #[command(flatten)]
    replaying: ReplayArgs,
    /// Back up a damaged log as it is
    #[arg(long)]
    damaged: bool,
    /// Verify and plan; write nothing
    #[arg(short = 'n', long)]
    dry_run: bool,
    #[command(flatten)]
    keeping: RetentionArgs,
    #[command(flatten)]
    lock: LockArg,
    #[command(flatten)]
    metrics: MetricsArg,
    #[command(flatten)]
    live: LiveArgs,
    /// Print help
    #[arg(long, action = ArgAction::Help, help_heading = COMMON)]
    help: Option<bool>,
}

/// The options for compression and the name of the archive.
#[derive(Debug, Args)]
struct Packing {
    /// Compression method: deflate, zstd or store
    #[arg(long, value_name = "METHOD", default_value_t = Method::Deflate, hide_short_help = true)]
    method: Method,
    /// Compression level: deflate 1 to 9 [default: 6], zstd 1 to 19 [default: 3]
    #[arg(short, long, value_name = "N", hide_short_help = true)]
    level: Option<i32>,
    /// Template of the archive's name: {port} and strftime conversions
    #[arg(long, value_name = "TEMPLATE", hide_short_help = true)]
    name_template: Option<String>,
    /// Creation time to record in the archive [default: now]
    #[arg(long, value_name = "TIME", hide_short_help = true, value_parser = parse_time)]
    created: Option<i64>,
    /// Mode of the archive in octal [default: 0600]
    #[arg(long, value_name = "MODE", hide_short_help = true, value_parser = parse_mode)]
    mode: Option<u32>,
    /// How an archive in object storage is read back: checksums (those that the store has), or full
    #[arg(
        long,
        value_name = "HOW",
        default_value = "checksums",
        hide_short_help = true,
        hide_possible_values = true
    )]
    read_back: ReadBack,
}

/// How an archive in object storage is read back before it is listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ReadBack {
    Checksums,
    Full,
}

const EXAMPLES: &str = "\
Examples:
  aofkit backup /var/lib/redis --to /backup
  aofkit backup -q /var/lib/redis --to /backup --keep-daily 7 --keep-weekly 5
  aofkit backup appendonlydir --to /backup --compact --keep-within 30d
  aofkit backup /var/lib/redis --to /backup --recipients-file keys.txt
  aofkit backup --live --to /backup -p 7000 -p 7001 --keep-daily 7
  REDISCLI_AUTH=$(cat secret) aofkit backup --live --to /backup --user backup
  aofkit backup --restore-config --to /backup -p 7000
  aofkit backup appendonlydir --to /backup --metrics /var/lib/node_exporter/aofkit.prom

From cron, every night at 2:15:
  15 2 * * *  redis  aofkit backup --live --quiet --to /backup --keep-daily 7

The server's user needs these ACL rules:
  +info +config|get +config|set +bgrewriteaof

Exit codes: 0 done; 1 the log is damaged (not backed up without --damaged); 2 failed: no archive was written or \
removed; 3 the archive was written, but removing older ones failed; 5 another backup of the same log is running.";

impl Backup {
    pub(super) fn run(&self, common: &Common) -> Result<Exit> {
        if self.live.is_wanted() {
            return self.run_live(common);
        }
        let Some(path) = &self.path else {
            return Err(Error::new(ErrorKind::Usage, "no log given")
                .help("give the path of a log, or use --live for a running server"));
        };
        let mut options = self.options(common)?;
        options.archive.source.port = self.live.port()?;
        let port = options.archive.source.port;
        let recording = self.recording(common, |file| vec![key_of(path, port, file)])?;
        let backed_up = common.with_bar(|bar| backup_path(path, &options, bar));
        if let Some(recording) = &recording {
            recording.backup(&recording.only_key(), backed_up.as_ref());
        }
        let report = backed_up?;
        if common.quiet && !common.json && Exit::after(&report) == Exit::Done {
            message(&report::backup::warnings(&report));
        }
        common.print_report(&report, Exit::after(&report) != Exit::Done, || {
            report::backup::text(&report)
        })?;
        let exit = Exit::after(&report);
        Ok(recording.map_or(exit, |recording| recording.exit(exit)))
    }

    /// Begins the metrics of the run, if they are asked for, and it is no dry run.
    fn recording(
        &self,
        common: &Common,
        keys: impl FnOnce(&MetricsFile) -> Vec<String>,
    ) -> Result<Option<Recording>> {
        let Some(file) = self.metrics.open()?.filter(|_| !self.dry_run) else { return Ok(None) };
        let keys = keys(&file);
        Recording::begin(file, Job::Backup, keys, common).map(Some)
    }

    fn run_live(&self, common: &Common) -> Result<Exit> {
        if let Some(path) = &self.path {
            return Err(Error::new(ErrorKind::Usage, "--live and a path cannot be used together")
                .at(path)
                .help("use --dir for the server's data directory on this machine"));
        }
        if self.dry_run && self.live.restore_config {
            return Err(Error::new(ErrorKind::Usage, "--restore-config and --dry-run cannot be used together")
                .help("`aofkit backup --live --dry-run` reports whether an earlier run left settings changed"));
        }
        if self.live.restore_config {
            return self.live.restore(common, &self.to);
        }
        self.options(common)?;
        if self.dry_run {
            return self.live.preview(common, &self.to, self.compact);
        }
        let back_up = |taken: &Taken<'_>, progress: &dyn Progress| {
            back_up(taken, self.options(common)?, progress)
        };
        let endpoints = self.live.endpoints(common)?;
        let recording = self.recording(common, |_| endpoints.iter().map(key_at).collect())?;
        let seen = |endpoint: &Endpoint, done: Result<&LiveReport<BackupReport>, &Error>| {
            if let Some(recording) = &recording {
                recording.backup(&key_at(endpoint), done.map(|report| &report.backup));
            }
        };
        let to = (self.to.as_path(), self.compact);
        let exit = self.live.run(common, &endpoints, to, back_up, report::backup::text, seen)?;
        Ok(recording.map_or(exit, |recording| recording.exit(exit)))
    }

    fn options(&self, common: &Common) -> Result<BackupOptions> {
        let Packing { method, level, name_template, created, mode, read_back } = &self.packing;
        set_store_settings(StoreSettings {
            read_back_in_full: *read_back == ReadBack::Full,
            ..store_settings()
        });
        let created = created_at(*created)?;
        if self.format == Some(Form::Rdb) {
            return Err(Error::new(
                ErrorKind::Usage,
                "an RDB alone cannot be restored as a log",
            )
            .help(
                "use --format preamble for a single file with an RDB that servers load as a log",
            ));
        }
        let options = BackupOptions {
            to: self.to.clone(),
            archive: CompressOptions {
                method: *method,
                level: *level,
                mode: *mode,
                source: Source::default(),
                name_template: name_template.clone(),
                threads: common.threads.unwrap_or(0),
                damaged: self.damaged,
                encrypt_to: self.encryption.encrypt_to.clone(),
                recipients_files: self.encryption.recipients_files.clone(),
                ..CompressOptions::new(self.to.clone(), created)
            },
            compact: (self.compact)
                .then(|| self.replaying.compaction(common, self.format, self.server)),
            keep: self.keeping.policy(),
            dry_run: self.dry_run,
            lock_wait: self.lock.lock_wait,
        };
        // Invalid keys are reported before a server is asked to do anything.
        options.archive.recipients()?;
        Ok(options)
    }
}

/// Returns the identity of the server at an endpoint.
fn key_at(endpoint: &Endpoint) -> String {
    Identity::from_source(&source_at(&endpoint.address)).to_string()
}

/// Returns the identity of the log at `path`. If there is no log, it is the only source that the file of metrics has, or else
/// the path.
fn key_of(path: &Path, port: Option<u16>, file: &MetricsFile) -> String {
    let source = source_of(path, port).map(|source| Identity::from_source(&source).to_string());
    source.or_else(|| file.only_key(Job::Backup)).unwrap_or_else(|| {
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let source = Source { host: host(), path: Some(path), ..Source::default() };
        Identity::from_source(&source).to_string()
    })
}

impl Recording {
    /// Records how a backup ended. The key is that of the report, if there is one.
    fn backup(&self, key: &str, done: Result<&BackupReport, &Error>) {
        match done {
            Ok(report) => {
                let source = report.plan.identity.to_string();
                let succeeded = report.archive.is_some() && report.plan.findings.is_empty();
                let details = details(report, &source);
                self.ended(key, &source, Exit::after(report), succeeded, details);
            }
            Err(error) => self.failed(key, error),
        }
    }
}

/// Returns the metrics of an archive.
fn details(report: &BackupReport, source: &str) -> Vec<Sample> {
    let values = [
        ("aofkit_backup_archive_size_bytes", report.archive_bytes),
        ("aofkit_backup_log_size_bytes", report.plan.log_bytes),
        ("aofkit_backup_commands", report.commands),
        ("aofkit_backup_rdb_keys", report.rdb_keys),
    ];
    #[allow(clippy::cast_precision_loss)] // What is beyond 2^53 is rounded, as Prometheus does.
    let sample = |(name, value)| Sample::new(name, Job::Backup.label(), source, value as f64);
    values.map(sample).to_vec()
}
