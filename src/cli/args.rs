//! Option groups that several subcommands share.

use super::parse::{parse_duration, parse_size, parse_time};
use crate::analysis::data_filter::Filter;
use crate::analysis::data_filter::KeyFilter;
use crate::base::cancel::Cancellation;
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::glob::Glob;
use crate::base::modules::Modules;
use crate::base::server::Server;
use crate::base::slot::parse_slots;
use crate::disk::publish::Existing;
use crate::ops::compact;
use crate::ops::compact::Form;
use crate::ops::prune::{Keep, KeepPolicy, Within};
use crate::ops::repair::retained_ranges::Output;
use crate::replay::{KeySpecs, ReplayOptions, RouteOptions};
use clap::{ArgAction, Args, ColorChoice, ValueEnum};
use std::marker::PhantomData;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

/// The help heading of the options that every subcommand takes.
pub(super) const COMMON: &str = "Common options";

/// The last line of short help that leaves out options.
pub(super) const SEE_LONG_HELP: &str = "See --help for all options, examples and exit codes.";

/// The options that every subcommand takes.
#[derive(Debug, Args)]
pub(super) struct Common {
    /// Print the report as JSON
    #[arg(long, global = true, help_heading = COMMON)]
    pub(super) json: bool,
    /// Print nothing unless something is wrong
    #[arg(short, long, global = true, help_heading = COMMON)]
    pub(super) quiet: bool,
    /// Draw progress bars on stderr: auto, always or never
    #[arg(
        long,
        global = true,
        value_name = "WHEN",
        default_value = "auto",
        hide_possible_values = true,
        hide_short_help = true,
        help_heading = COMMON
    )]
    pub(super) progress: When,
    /// Use colors: auto, always or never (NO_COLOR is respected)
    #[arg(
        long,
        global = true,
        value_name = "WHEN",
        default_value = "auto",
        hide_possible_values = true,
        hide_short_help = true,
        help_heading = COMMON
    )]
    pub(super) color: ColorChoice,
    /// Number of threads [default: all cores]
    #[arg(short = 'j', long, global = true, value_name = "N", hide_short_help = true, help_heading = COMMON)]
    pub(super) threads: Option<usize>,
    /// A command that the server's configuration renamed: its name in the log, and its standard name; may be repeated
    ///
    /// For `rename-command FLUSHALL WIPE_9F`, it is WIPE_9F=FLUSHALL.
    #[arg(
        long,
        global = true,
        value_name = "OLD=NEW",
        value_parser = parse_rename,
        hide_short_help = true,
        help_heading = COMMON
    )]
    pub(super) rename: Vec<(String, String)>,
    /// The object storage that s3:// URLs refer to: its URL [default: AWS, or AWS_ENDPOINT_URL_S3]
    #[arg(long, global = true, value_name = "URL", hide_short_help = true, help_heading = COMMON)]
    pub(super) endpoint: Option<String>,
    /// Give up on object storage after this time without an answer to a request, tried again meanwhile
    #[arg(
        long,
        global = true,
        value_name = "DURATION",
        default_value = "10m",
        value_parser = parse_duration,
        hide_short_help = true,
        help_heading = COMMON
    )]
    pub(super) store_timeout: Duration,
    /// File with a private key of age, to read encrypted archives; may be repeated
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        env = "AOFKIT_IDENTITY",
        hide_env_values = true,
        hide_short_help = true,
        help_heading = COMMON
    )]
    pub(super) identity: Vec<PathBuf>,
    /// Made by Ctrl-C and SIGTERM.
    #[arg(skip)]
    pub(super) cancellation: Cancellation,
}

/// When progress bars are drawn; `Auto` draws them only on a terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum When {
    Auto,
    Always,
    Never,
}

/// The options for the destination of a result; `W` supplies the help texts of the subcommand.
#[derive(Debug, Args)]
pub(super) struct OutputArgs<W: OutputHelp> {
    #[arg(short, long, value_name = "NEW", conflicts_with = "in_place", help = W::OUTPUT)]
    output: Option<PathBuf>,
    #[arg(long, help = W::IN_PLACE)]
    in_place: bool,
    /// Report what would be done; write nothing
    #[arg(short = 'n', long)]
    dry_run: bool,
    #[arg(skip)]
    help: PhantomData<W>,
}

/// Returns the error for a file and a running server as destinations.
pub(super) fn two_destinations() -> Error {
    Error::new(ErrorKind::Usage, "two destinations given")
        .help("use one of --into SERVER, --output NEW and --in-place")
}

/// The help texts of [`OutputArgs`], and the error message if no destination is given.
pub(super) trait OutputHelp {
    const OUTPUT: &'static str;
    const IN_PLACE: &'static str;
    const QUESTION: &'static str;
}

impl<W: OutputHelp> OutputArgs<W> {
    /// Returns whether a destination is given.
    pub(super) fn is_given(&self) -> bool {
        self.output.is_some() || self.in_place
    }

    pub(super) fn is_dry_run(&self) -> bool {
        self.dry_run
    }

    /// Fails if a destination is given beside a running server.
    pub(super) fn refuse_another(&self) -> Result<()> {
        if self.is_given() { Err(two_destinations()) } else { Ok(()) }
    }

    pub(super) fn output(&self) -> Result<Output> {
        match (&self.output, self.in_place, self.dry_run) {
            (_, _, true) => Ok(Output::DryRun),
            (Some(new), _, _) => Ok(Output::New(new.clone())),
            (None, true, _) => Ok(Output::InPlace),
            (None, false, _) => Err(Error::new(ErrorKind::Usage, W::QUESTION).help(
                "use --output NEW to write a new log, --in-place to replace this one and keep the original, or --dry-run to write nothing",
            )),
        }
    }
}

/// The options for writing a data set anew.
#[derive(Debug, Args)]
pub(super) struct RewriteArgs {
    /// Do not read the result back
    #[arg(long = "no-check", action = ArgAction::SetFalse, hide_short_help = true)]
    pub(super) check: bool,
    /// Do not compress strings in an RDB
    #[arg(long = "no-compression", action = ArgAction::SetFalse, hide_short_help = true)]
    pub(super) compress: bool,
    /// Report what would be done; write nothing
    #[arg(short = 'n', long)]
    pub(super) dry_run: bool,
    #[command(flatten)]
    pub(super) replacing: ReplacingArgs,
}

/// The options for encrypting an archive.
#[derive(Debug, Args)]
pub(super) struct EncryptArgs {
    /// Encrypt to this public age key; may be repeated
    #[arg(long, value_name = "RECIPIENT")]
    pub(super) encrypt_to: Vec<String>,
    /// Encrypt the archive to the public keys in this file, one a line
    #[arg(long = "recipients-file", value_name = "FILE", hide_short_help = true)]
    pub(super) recipients_files: Vec<PathBuf>,
}

/// The options for a log that is at the output already.
#[derive(Debug, Args)]
pub(super) struct ReplacingArgs {
    /// Replace the output, kept as NAME.bak-TIME
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    backup: NoBackupArg,
}

impl ReplacingArgs {
    /// Returns the treatment of existing files at the output path.
    pub(super) fn existing(&self) -> Existing {
        match (self.force, self.backup.no_backup) {
            (false, _) => Existing::Keep,
            (true, false) => Existing::Replace,
            (true, true) => Existing::Overwrite,
        }
    }
}

/// The option for where the servers that use a directory are not visible.
#[derive(Debug, Args)]
pub(super) struct OfflineArg {
    /// No server uses the log, although that cannot be determined here
    ///
    /// A server of another user, another container or another machine is not visible. Without this, a log that was
    /// written in the last five minutes is then not replaced.
    #[arg(long, hide_short_help = true)]
    pub(super) offline: bool,
}

/// The option for a lock that another run holds.
#[derive(Debug, Args)]
pub(super) struct LockArg {
    /// How long to wait for another run at the same log
    #[arg(long, value_name = "DURATION", value_parser = parse_duration, default_value = "5s", hide_short_help = true)]
    pub(super) lock_wait: Duration,
}

/// The option to keep nothing of what is replaced.
#[derive(Debug, Args)]
pub(super) struct NoBackupArg {
    /// With --force, do not keep what is replaced
    #[arg(long, requires = "force", hide_short_help = true)]
    pub(super) no_backup: bool,
}

/// The options that select keys; `W` supplies the help texts of the subcommand.
#[derive(Debug, Args)]
pub(super) struct KeyArgs<W: KeyHelp> {
    #[arg(short, long, value_name = "N", help = W::DB)]
    db: Vec<u32>,
    #[arg(long, value_name = "GLOB", help = W::PATTERN)]
    pattern: Vec<Glob>,
    #[arg(long, value_name = "GLOB", hide_short_help = true, help = W::EXCLUDE)]
    exclude: Vec<Glob>,
    #[arg(long, value_name = "A-B", value_delimiter = ',', value_parser = parse_slots, hide_short_help = true, help = W::SLOTS)]
    slots: Vec<RangeInclusive<u16>>,
    #[arg(skip)]
    help: PhantomData<W>,
}

/// The help texts of [`KeyArgs`].
pub(super) trait KeyHelp {
    const DB: &'static str;
    const PATTERN: &'static str;
    const EXCLUDE: &'static str = "Exclude keys that match this pattern; may be repeated";
    const SLOTS: &'static str;
}

impl<W: KeyHelp> KeyArgs<W> {
    pub(super) fn filter(&self) -> KeyFilter {
        KeyFilter {
            dbs: self.db.clone(),
            patterns: self.pattern.clone(),
            excluded: self.exclude.clone(),
            slots: self.slots.clone(),
        }
    }
}

/// The retention rules. A rule that is not given keeps nothing; without any rule, everything is kept.
#[derive(Debug, Args)]
#[command(
    next_help_heading = "Retention rules (as in restic); an archive is kept if any of them keeps it"
)]
pub(super) struct RetentionArgs {
    /// Keep the N newest archives
    #[arg(long, value_name = "N", default_value = "0", hide_default_value = true)]
    keep_last: Keep,
    /// Keep the newest of the last N hours with an archive
    #[arg(long, value_name = "N", default_value = "0", hide_default_value = true)]
    keep_hourly: Keep,
    /// Keep the newest of the last N days with an archive
    #[arg(long, value_name = "N", default_value = "0", hide_default_value = true)]
    keep_daily: Keep,
    /// Keep the newest of the last N weeks with an archive
    ///
    /// Weeks begin on Monday.
    #[arg(long, value_name = "N", default_value = "0", hide_default_value = true)]
    keep_weekly: Keep,
    /// Keep the newest of the last N months with an archive
    #[arg(long, value_name = "N", default_value = "0", hide_default_value = true)]
    keep_monthly: Keep,
    /// Keep the newest of the last N years with an archive
    ///
    /// N may be `unlimited`, as in the other rules.
    #[arg(long, value_name = "N", default_value = "0", hide_default_value = true)]
    keep_yearly: Keep,
    /// Keep all at most this much older than the newest
    ///
    /// For example 2y5m7d3h.
    #[arg(long, value_name = "TIME")]
    keep_within: Option<Within>,
}

impl RetentionArgs {
    pub(super) fn policy(&self) -> KeepPolicy {
        KeepPolicy {
            last: self.keep_last,
            hourly: self.keep_hourly,
            daily: self.keep_daily,
            weekly: self.keep_weekly,
            monthly: self.keep_monthly,
            yearly: self.keep_yearly,
            within: self.keep_within,
        }
    }
}

/// The options for replaying a log.
#[derive(Debug, Args)]
pub(super) struct ReplayArgs {
    /// Key position of a module command, counted from its name [default: 1]; may be repeated
    #[arg(long, hide_short_help = true, value_name = "NAME=POSITION", value_parser = parse_key_spec)]
    key_spec: Vec<(String, usize)>,
    /// Time to use as the current time [default: now]
    #[arg(long, hide_short_help = true, value_name = "TIME", value_parser = parse_time)]
    now: Option<i64>,
    /// Limit memory to about this size; the log may be read several times
    #[arg(long, hide_short_help = true, value_name = "SIZE", value_parser = parse_size)]
    memory: Option<u64>,
    /// Value of hll-sparse-max-bytes on the server that wrote the log
    #[arg(
        long,
        hide_short_help = true,
        value_name = "BYTES",
        default_value_t = 3000,
        hide_default_value = true
    )]
    hll_sparse_max_bytes: usize,
}

impl ReplayArgs {
    /// Returns the time to use as the current time, in Unix milliseconds.
    pub(super) fn now_ms(&self) -> i64 {
        self.now.unwrap_or_else(|| jiff::Timestamp::now().as_millisecond())
    }

    pub(super) fn route(&self) -> RouteOptions {
        let upper = |name: &str| name.to_ascii_uppercase().into_bytes();
        let specs = self.key_spec.iter().map(|(name, place)| (upper(name), *place));
        RouteOptions {
            key_specs: KeySpecs(specs.collect()),
            memory: self.memory,
            ..RouteOptions::default()
        }
    }

    /// Returns the options of a replay; `meant_for` is the server given with `--for`, if any.
    pub(super) fn replay(&self, common: &Common, meant_for: Option<Server>) -> ReplayOptions {
        let ignoring = meant_for.filter(|server| server.ignores_expired_fields());
        ReplayOptions {
            server: meant_for,
            fields_expire_ms: ignoring.map(|_| self.now_ms()),
            hll_sparse_max_bytes: self.hll_sparse_max_bytes,
            threads: common.threads.unwrap_or(0),
            time_ms: None,
        }
    }

    /// Returns the options of a compaction that keeps every key and checks its result. The caller sets the output.
    pub(super) fn compaction(
        &self,
        common: &Common,
        form: Option<Form>,
        server: Option<Server>,
    ) -> compact::CompactOptions {
        compact::CompactOptions {
            output: None,
            existing: Existing::Keep,
            form,
            server,
            filter: Filter::default(),
            check: true,
            route: self.route(),
            replay: self.replay(common, server),
            ctime: u64::try_from(self.now_ms() / 1000).unwrap_or(0),
            compress: true,
            ..compact::CompactOptions::default()
        }
    }
}

/// The modules that are loaded in the server which a result is for.
#[derive(Debug, Args)]
pub(super) struct ModuleArgs {
    /// A module that is loaded in the server (graphdata, RedisJSON, ...; bundled: all that Redis 8 bundles); may be repeated
    #[arg(long = "module", hide_short_help = true, value_name = "NAME", value_delimiter = ',')]
    modules: Vec<String>,
}

impl ModuleArgs {
    pub(super) fn loaded(&self) -> Modules {
        Modules::new(self.modules.iter().cloned())
    }
}

fn parse_rename(text: &str) -> Result<(String, String), String> {
    let names = text.split_once('=').filter(|(old, new)| !old.is_empty() && !new.is_empty());
    let (old, new) = names
        .ok_or_else(|| format!("`{text}` is not of the form OLD=NEW, as in WIPE_9F=FLUSHALL"))?;
    Ok((old.to_owned(), new.to_owned()))
}

fn parse_key_spec(text: &str) -> Result<(String, usize), String> {
    let wrong = || format!("`{text}` is not of the form NAME=POSITION, as in JSON.SET=1");
    let (name, place) = text.split_once('=').ok_or_else(wrong)?;
    let place = place.parse().ok().filter(|place| *place > 0).ok_or_else(wrong)?;
    Ok((name.to_owned(), place))
}
