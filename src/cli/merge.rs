//! `aofkit merge`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::args::{
    Common, KeyArgs, KeyHelp, ModuleArgs, ReplayArgs, RewriteArgs, two_destinations,
};
use super::connection::LoginArgs;
use super::exit::Exit;
use super::expired::ExpiredArgs;
use super::into::IntoArgs;
use super::values::{FormValue, ServerValue};
use crate::analysis::data_filter::Filter;
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::server::Server;
use crate::ops::compact::{CompactOptions, Form};
use crate::ops::into::{ReadBack, merge_into};
use crate::ops::merge::{MergeOptions, merge};
use crate::ops::recover::Winner;
use crate::report;

/// Merge two data sets key by key, such as a backup and the log of later writes
///
/// The result has every key of both. A key that both have with different values or expiries is taken from NEW, or, with
/// --prefer old, from OLD; values are not mixed. A key that was deleted in NEW since OLD was made returns.
///
/// Function libraries and data of modules are merged in the same way. The result is read back and compared before it gets
/// its final name.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Merge {
    /// The older data set: a file, a multi-part directory, its manifest, the data directory above, an RDB, or an archive
    #[arg(value_name = "OLD")]
    old: PathBuf,
    /// The newer data set
    #[arg(value_name = "NEW")]
    new: PathBuf,
    /// Write the result to this new file or directory
    #[arg(short, long, value_name = "OUT")]
    output: Option<PathBuf>,
    #[command(flatten)]
    into: IntoArgs,
    #[command(flatten)]
    login: LoginArgs,
    /// Side to take a key from that differs: old or new
    #[arg(long, value_name = "SIDE", default_value = "new", hide_possible_values = true)]
    prefer: Side,
    /// Output format: aof, preamble, multipart, multipart-aof or rdb [default: that of NEW]
    #[arg(long, value_name = "FORM", value_parser = FormValue, hide_possible_values = true)]
    format: Option<Form>,
    /// Target server (redis-7.0, valkey-9.1, ...) [default: the one that wrote NEW]
    #[arg(long = "for", value_name = "VERSION", value_parser = ServerValue, hide_possible_values = true)]
    server: Option<Server>,
    #[command(flatten)]
    modules: ModuleArgs,
    #[command(flatten)]
    keys: KeyArgs<MergeHelp>,
    #[command(flatten)]
    expired: ExpiredArgs,
    #[command(flatten)]
    replaying: ReplayArgs,
    #[command(flatten)]
    writing: RewriteArgs,
}

/// One of the two data sets.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Side {
    Old,
    New,
}

/// The help texts for selecting the keys to merge.
#[derive(Debug)]
struct MergeHelp;

impl KeyHelp for MergeHelp {
    const DB: &'static str = "Take only keys of this database; may be repeated";
    const PATTERN: &'static str =
        "Take only keys that match this pattern (syntax of KEYS); may be repeated";
    const SLOTS: &'static str =
        "Take only keys of these cluster slots (0-5460,12182); may be repeated";
}

const EXAMPLES: &str = "\
Examples:
  aofkit merge backup.zip /var/lib/redis/appendonlydir --output merged
  aofkit merge monday.rdb tuesday.rdb --output both.rdb
  aofkit merge dump.rdb appendonlydir --pattern 'user:*' --prefer old -o users
  aofkit merge dump.rdb appendonlydir --into 127.0.0.1:6379

Exit codes: 0 done; 1 done, but some commands of a log fail on a server; \
2 failed: nothing was written; 3 some keys could not be put into the server.";

impl Merge {
    pub(super) fn run(&self, common: &Common) -> Result<Exit> {
        if self.output.is_none() && !self.writing.dry_run && !self.into.is_given() {
            return Err(Error::new(ErrorKind::Usage, "no destination given for the merged data set")
                .help("use --output OUT to write it, --into SERVER to put it into a running server, or --dry-run to write nothing"));
        }
        let options = self.options(common);
        if self.into.is_given() {
            return self.put_into(&options, common);
        }
        let paths = [self.old.as_path(), &self.new];
        let report = common.noting_replaced(options.written.output.as_deref(), || {
            common.with_bar(|bar| merge(paths, &options, bar))
        })?;
        let exit = Exit::after(&report);
        common.print_report(&report, exit != Exit::Done, || report::merge::text(&report))?;
        Ok(exit)
    }

    fn options(&self, common: &Common) -> MergeOptions {
        let plain = self.replaying.compaction(common, self.format, self.server);
        MergeOptions {
            winner: match self.prefer {
                Side::Old => Winner::Older,
                Side::New => Winner::Newer,
            },
            written: CompactOptions {
                output: self.output.clone().filter(|_| !self.writing.dry_run),
                existing: self.writing.replacing.existing(),
                filter: self.expired.filter(self.keys.filter(), self.replaying.now_ms()),
                check: self.writing.check,
                compress: self.writing.compress,
                modules: self.modules.loaded(),
                ..plain
            },
        }
    }

    /// Puts the keys into a running server.
    fn put_into(&self, options: &MergeOptions, common: &Common) -> Result<Exit> {
        if self.output.is_some() {
            return Err(two_destinations());
        }
        // The time of the server decides which keys have expired.
        let filter = Filter { keys: options.written.filter.keys.clone(), ..Filter::default() };
        let expired = self.expired.of_sending();
        let into = self.into.options(&self.login, filter, expired, self.writing.dry_run, common)?;
        let Some(mut into) = into else { return Ok(Exit::Done) };
        if !options.written.check {
            into.read_back = ReadBack::None;
        }
        let paths = [self.old.as_path(), &self.new];
        let report = common.with_bar(|bar| merge_into(paths, options, &into, bar))?;
        super::into::print(&report, common)
    }
}
