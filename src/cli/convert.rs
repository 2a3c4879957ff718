//! `aofkit convert`.

use std::path::PathBuf;

use clap::Args;

use super::args::{Common, KeyArgs, KeyHelp, ModuleArgs, ReplayArgs, RewriteArgs};
use super::exit::Exit;
use super::values::{FormValue, ServerValue};
use crate::analysis::data_filter::Filter;
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::server::Server;
use crate::ops::compact::{CompactOptions, Form};
use crate::ops::convert::{ConvertOptions, convert};
use crate::replay::ReplayOptions;
use crate::report::{self, HasOutcome, Outcome};

/// Convert a data set for another server, older or newer, Redis or Valkey
///
/// The data set is read as by the server that wrote it, and written in the form of the input, or the nearest one that the
/// other server reads. The result is read back and compared before it gets its final name.
///
/// What the other server or the form cannot hold is reported by kind, with its number and the first keys: types and their
/// keys, expiries of hash fields, state of streams, functions, data of modules. Nothing is written then, unless
/// --allow-loss is given. With it, these keys are left out; of other keys only the property is: a hash field that loses its
/// expiry is kept and never expires, unless its time has passed, when it is left out.
///
/// Versions, hints of sizes, and the position in a replication stream are of the server that wrote the file, and are not
/// converted.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Convert {
    /// The data set: a file, a multi-part directory, its manifest, the data directory above, an RDB, or an archive
    #[arg(value_name = "PATH")]
    path: PathBuf,
    /// The server to convert for (redis-7.0, valkey-9.1, ...)
    #[arg(long = "for", value_name = "VERSION", value_parser = ServerValue, hide_possible_values = true)]
    server: Server,
    /// Write the result to this new file or directory
    #[arg(short, long, value_name = "NEW")]
    output: Option<PathBuf>,
    /// Go on without what the server or the form cannot hold
    #[arg(long)]
    allow_loss: bool,
    /// Output format: aof, preamble, multipart, multipart-aof or rdb [default: that of the input, if the server reads it]
    #[arg(long, value_name = "FORM", value_parser = FormValue, hide_possible_values = true)]
    format: Option<Form>,
    #[command(flatten)]
    modules: ModuleArgs,
    #[command(flatten)]
    keys: KeyArgs<ConvertHelp>,
    #[command(flatten)]
    replaying: ReplayArgs,
    #[command(flatten)]
    writing: RewriteArgs,
}

/// The help texts for selecting the keys to convert.
#[derive(Debug)]
struct ConvertHelp;

impl KeyHelp for ConvertHelp {
    const DB: &'static str = "Convert only keys of this database; may be repeated";
    const PATTERN: &'static str =
        "Convert only keys that match this pattern (syntax of KEYS); may be repeated";
    const SLOTS: &'static str =
        "Convert only keys of these cluster slots (0-5460,12182); may be repeated";
}

const EXAMPLES: &str = "\
Examples:
  aofkit convert dump.rdb --for valkey-9.1 --output valkey.rdb
  aofkit convert /var/lib/redis/appendonlydir --for redis-6.2 --output appendonly.aof
  aofkit convert dump.rdb --for redis-7.0 --dry-run
  aofkit convert dump.rdb --for redis-7.0 --allow-loss --output old.rdb

Exit codes: 0 done, also with what --allow-loss left out; 1 done, but some commands of the log fail on a server; \
2 failed, or something cannot go: nothing was written.";

impl Convert {
    pub(super) fn run(&self, common: &Common) -> Result<Exit> {
        if self.output.is_none() && !self.writing.dry_run {
            return Err(Error::new(
                ErrorKind::Usage,
                "no destination given for the converted data set",
            )
            .help("use --output NEW to write it, or --dry-run to write nothing"));
        }
        let plain = self.replaying.compaction(common, self.format, Some(self.server));
        let options = ConvertOptions {
            written: CompactOptions {
                output: self.output.clone().filter(|_| !self.writing.dry_run),
                existing: self.writing.replacing.existing(),
                filter: Filter { keys: self.keys.filter(), ..Filter::default() },
                check: self.writing.check,
                compress: self.writing.compress,
                modules: self.modules.loaded(),
                // The data set is read as by the server that wrote it.
                replay: ReplayOptions { fields_expire_ms: None, ..plain.replay },
                ..plain
            },
            allow_loss: self.allow_loss,
            now_ms: Some(self.replaying.now_ms()),
        };
        let report = common.noting_replaced(options.written.output.as_deref(), || {
            common.with_bar(|bar| convert(&self.path, &options, bar))
        })?;
        let matters = report.outcome() != Outcome::Done;
        common.print_report(&report, matters, || report::convert::text(&report))?;
        Ok(Exit::after(&report))
    }
}
