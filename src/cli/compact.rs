//! `aofkit compact`.

use std::path::PathBuf;

use clap::Args;

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
use crate::ops::compact::{CompactOptions, Form, compact};
use crate::ops::into::{ReadBack, compact_into};
use crate::replay::{RouteOptions, Slice};
use crate::report;

/// Rewrite a log to its smallest form, like BGREWRITEAOF but without a server
///
/// The log is replayed as a server would load it, and the resulting data is written. The result is read back and
/// compared before it gets its final name. An RDB is converted to a multi-part directory, with which a server
/// can enable appendonly without losing the data.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Compact {
    /// The log: a file, a multi-part directory, its manifest, the data directory above, an RDB, or an archive
    #[arg(value_name = "PATH")]
    path: PathBuf,
    /// Write the result to this new file or directory
    #[arg(short, long, value_name = "NEW")]
    output: Option<PathBuf>,
    #[command(flatten)]
    into: IntoArgs,
    #[command(flatten)]
    login: LoginArgs,
    /// Output format: aof, preamble, multipart, multipart-aof or rdb [default: that of the input]
    #[arg(long, value_name = "FORM", value_parser = FormValue, hide_possible_values = true)]
    format: Option<Form>,
    /// Target server (redis-7.0, valkey-9.1, ...) [default: the one that wrote the log]
    #[arg(long = "for", value_name = "VERSION", value_parser = ServerValue, hide_possible_values = true)]
    server: Option<Server>,
    #[command(flatten)]
    modules: ModuleArgs,
    /// Leave out data of modules that belongs to no key, without which servers start that lack the module
    #[arg(long, hide_short_help = true)]
    drop_module_aux: bool,
    #[command(flatten)]
    keys: KeyArgs<KeepHelp>,
    #[command(flatten)]
    expired: ExpiredArgs,
    #[command(flatten)]
    replaying: ReplayArgs,
    /// Write only slice I of N of the keys; slices can be joined with cat in any order
    #[arg(long, value_name = "I/N", hide_short_help = true)]
    shard: Option<Slice>,
    #[command(flatten)]
    writing: RewriteArgs,
}

/// The help texts for selecting the keys to keep.
#[derive(Debug)]
struct KeepHelp;

impl KeyHelp for KeepHelp {
    const DB: &'static str = "Keep only keys of this database; may be repeated";
    const PATTERN: &'static str =
        "Keep only keys that match this pattern (syntax of KEYS); may be repeated";
    const SLOTS: &'static str =
        "Keep only keys of these cluster slots (0-5460,12182); may be repeated";
}

const EXAMPLES: &str = "\
Examples:
  aofkit compact appendonly.aof --output small.aof
  aofkit compact /var/lib/redis/appendonlydir --output /backup/appendonlydir
  aofkit compact dump.rdb --output appendonlydir
  aofkit compact appendonlydir --format rdb --for redis-6.2 --output dump.rdb
  aofkit compact appendonlydir --pattern 'order:*' --into 10.0.0.7:6379
  aofkit compact --pattern 'session:*' --expired drop app.aof -o sessions.aof
  aofkit compact --slots 0-5460 appendonlydir --output first-of-three

Exit codes: 0 done; 1 done, but some commands of the log fail on a server; \
2 failed: nothing was written; 3 some keys could not be put into the server.";

impl Compact {
    pub(super) fn run(&self, common: &Common) -> Result<Exit> {
        if self.output.is_none() && !self.writing.dry_run && !self.into.is_given() {
            return Err(Error::new(ErrorKind::Usage, "no destination given for the compacted log")
                .help("use --output NEW to write it, --into SERVER to put it into a running server, or --dry-run to write nothing"));
        }
        let plain = self.replaying.compaction(common, self.format, self.server);
        let options = CompactOptions {
            output: self.output.clone().filter(|_| !self.writing.dry_run),
            existing: self.writing.replacing.existing(),
            filter: self.expired.filter(self.keys.filter(), self.replaying.now_ms()),
            check: self.writing.check,
            route: RouteOptions { slice: self.shard, ..plain.route },
            compress: self.writing.compress,
            modules: self.modules.loaded(),
            drop_module_aux: self.drop_module_aux,
            ..plain
        };
        if self.into.is_given() {
            return self.put_into(&options, common);
        }
        let report = common.noting_replaced(options.output.as_deref(), || {
            common.with_bar(|bar| compact(&self.path, &options, bar))
        })?;
        let findings = !report.failed.is_empty();
        common.print_report(&report, findings, || report::compact::text(&report))?;
        Ok(Exit::after(&report))
    }

    /// Puts the keys into a running server.
    fn put_into(&self, options: &CompactOptions, common: &Common) -> Result<Exit> {
        if self.output.is_some() {
            return Err(two_destinations());
        }
        // The time of the server decides which keys have expired.
        let filter = Filter { keys: options.filter.keys.clone(), ..Filter::default() };
        let expired = self.expired.of_sending();
        let into = self.into.options(&self.login, filter, expired, self.writing.dry_run, common)?;
        let Some(mut into) = into else { return Ok(Exit::Done) };
        if !options.check {
            into.read_back = ReadBack::None;
        }
        let report = common.with_bar(|bar| compact_into(&self.path, options, &into, bar))?;
        super::into::print(&report, common)
    }
}
