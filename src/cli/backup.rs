//! `aofkit backup`.

use std::path::PathBuf;

use clap::{ArgAction, Args};

use super::args::{Common, ReplayArgs, RetentionArgs};
use super::exit::Exit;
use super::live::LiveArgs;
use super::parse::{created_at, parse_time};
use crate::archive::contents::Source;
use crate::archive::method::Method;
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::progress::Progress;
use crate::base::server::Server;
use crate::ops::backup::live::Taken;
use crate::ops::backup::{BackupOptions, BackupReport, backup, backup_path};
use crate::ops::compact::Form;
use crate::ops::compress::write::CompressOptions;
use crate::report;

/// Back up a log: verify it, pack it, read the archive back, and remove old ones by rule
///
/// The archive gets its name only after it was read back and found whole, and only then do older ones of the same
/// source go. Of a log that a server is writing, everything up to the last whole command or transaction counts.
/// With --live a server is asked to rewrite its log first, and is left as it was found.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, disable_help_flag = true)]
pub(super) struct Backup {
    /// The log: a file, a multi-part directory, its manifest, the data directory above, or an RDB
    #[arg(value_name = "PATH")]
    path: Option<PathBuf>,
    /// The directory where archives are kept
    #[arg(long, value_name = "DIR")]
    to: PathBuf,
    #[command(flatten)]
    packing: Packing,
    /// Compact the log first: keep what the data set is, not how it came to be
    #[arg(long)]
    compact: bool,
    /// In which form a compacted log is kept: aof, preamble, multipart or multipart-aof [default: as the log is]
    #[arg(long, value_name = "FORM", requires = "compact")]
    format: Option<Form>,
    /// The server that a compacted log is meant for [default: the one that wrote the log]
    #[arg(long = "for", value_name = "VERSION", requires = "compact")]
    server: Option<Server>,
    #[command(flatten)]
    replaying: ReplayArgs,
    /// Back up a damaged log as it is
    #[arg(long)]
    damaged: bool,
    /// Verify, and say what would be done; write nothing
    #[arg(short = 'n', long)]
    dry_run: bool,
    #[command(flatten)]
    keeping: RetentionArgs,
    #[command(flatten)]
    live: LiveArgs,
    /// Print help
    #[arg(long, action = ArgAction::Help)]
    help: Option<bool>,
}

/// How the archive is made and named.
#[derive(Debug, Args)]
struct Packing {
    /// How to pack: deflate, zstd or store
    #[arg(long, value_name = "METHOD", default_value_t = Method::Deflate)]
    method: Method,
    /// How hard to pack: deflate 1 to 9 [default: 6], zstd 1 to 19 [default: 3]
    #[arg(short, long, value_name = "N")]
    level: Option<i32>,
    /// How to name the archive: {port}, and the conversions of strftime
    #[arg(long, value_name = "TEMPLATE")]
    name_template: Option<String>,
    /// The time that the archive is of [default: now]
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    created: Option<i64>,
}

const EXAMPLES: &str = "\
Examples:
  aofkit backup /var/lib/redis --to /backup
  aofkit backup -q /var/lib/redis --to /backup --keep-daily 7 --keep-weekly 5
  aofkit backup appendonlydir --to /backup --compact --keep-within 30d
  aofkit backup --live --to /backup -p 7000 -p 7001 --keep-daily 7
  REDISCLI_AUTH=$(cat secret) aofkit backup --live --to /backup --user backup
  aofkit backup --restore-config --to /backup -p 7000

From cron, every night at 2:15:
  15 2 * * *  redis  aofkit backup --live --quiet --to /backup --keep-daily 7

A running server's user needs these rights:
  +info +config|get +config|set +bgrewriteaof

Exit codes: 0 done; 1 the log is damaged, and was left alone unless --damaged; 2 not possible: no archive has come or \
gone; 3 the archive is there, and something went wrong with older ones; 5 another backup of it runs.";

impl Backup {
    pub(super) fn run(&self, common: &Common) -> Result<Exit> {
        if self.live.is_wanted() {
            return self.run_live(common);
        }
        let Some(path) = &self.path else {
            return Err(Error::new(ErrorKind::Usage, "what shall be backed up?")
                .help("give the path of a log, or --live for a running server"));
        };
        let mut options = self.options(common)?;
        options.archive.source.port = self.live.port()?;
        let report = common.with_bar(|bar| backup_path(path, &options, bar))?;
        common.tell(&report, exit(&report) != Exit::Done, || report::backup::text(&report))?;
        Ok(exit(&report))
    }

    fn run_live(&self, common: &Common) -> Result<Exit> {
        if let Some(path) = &self.path {
            return Err(Error::new(
                ErrorKind::Usage,
                "a running server is asked for, and a path as well",
            )
            .at(path)
            .help("--dir says where the server's data directory is on this machine"));
        }
        if self.dry_run && self.live.restore_config {
            return Err(Error::new(ErrorKind::Usage, "--restore-config has no --dry-run")
                .help("`aofkit backup --live --dry-run` says whether a run has left anything"));
        }
        if self.live.restore_config {
            return self.live.restore(common, &self.to);
        }
        self.options(common)?;
        if self.dry_run {
            return self.live.look(common, &self.to, self.compact);
        }
        let back_up = |taken: &Taken<'_>, progress: &dyn Progress| {
            let mut options = self.options(common)?;
            options.archive.source = taken.source();
            let log = &taken.snapshot.log;
            let mut report = backup(log, Some(&taken.snapshot.ends), &options, progress)?;
            // As it lies on disk, not as it was linked.
            report.path.clone_from(&log.path);
            Ok(report)
        };
        self.live.run(common, &self.to, self.compact, back_up, report::backup::text, exit)
    }

    fn options(&self, common: &Common) -> Result<BackupOptions> {
        let Packing { method, level, name_template, created } = &self.packing;
        let created = created_at(*created)?;
        if self.format == Some(Form::Rdb) {
            return Err(Error::new(
                ErrorKind::Usage,
                "an RDB alone is no log that could be restored",
            )
            .help(
                "--format preamble is one file that holds an RDB, and that servers load as a log",
            ));
        }
        Ok(BackupOptions {
            to: self.to.clone(),
            archive: CompressOptions {
                method: *method,
                level: *level,
                source: Source::default(),
                name_template: name_template.clone(),
                threads: common.threads.unwrap_or(0),
                damaged: self.damaged,
                ..CompressOptions::new(self.to.clone(), created)
            },
            compact: (self.compact)
                .then(|| self.replaying.compaction(common, self.format, self.server)),
            keep: self.keeping.policy(),
            dry_run: self.dry_run,
        })
    }
}

fn exit(report: &BackupReport) -> Exit {
    if report.damaged {
        Exit::Findings
    } else if report.has_retention_problems() {
        Exit::Partial
    } else {
        Exit::Done
    }
}
