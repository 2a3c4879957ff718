//! `aofkit compact`.

use std::path::PathBuf;

use clap::{ArgAction, Args};

use super::args::{Common, KeyArgs, KeyHelp, ReplayArgs};
use super::exit::Exit;
use crate::analysis::data_filter::Filter;
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::server::Server;
use crate::disk::publish::Existing;
use crate::input::archive::verify::is_archive;
use crate::input::extracted::Unpacked;
use crate::input::overwrite::check_output;
use crate::ops::compact::{Form, Options, compact};
use crate::replay::{RouteOptions, Slice};
use crate::report;

/// Write the smallest log that rebuilds the data: what BGREWRITEAOF would, without a server
///
/// The log is replayed as a server would load it, and what is left is written anew. The result is read back and
/// compared before it appears. An RDB becomes the multi-part directory with which a server can turn its log
/// on without losing the data.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Compact {
    /// The log: a file, a multi-part directory, its manifest, the data directory above, an RDB, or an archive
    #[arg(value_name = "PATH")]
    path: PathBuf,
    /// Where the result goes: a new file, or a new directory
    #[arg(short, long, value_name = "NEW")]
    output: Option<PathBuf>,
    /// In which form: aof, preamble, multipart, multipart-aof or rdb [default: as the input is]
    #[arg(long, value_name = "FORM")]
    format: Option<Form>,
    /// The server that it is meant for (redis-7.0, valkey-9.1, ...) [default: the one that wrote the log]
    #[arg(long = "for", value_name = "VERSION")]
    server: Option<Server>,
    #[command(flatten)]
    keys: KeyArgs<Kept>,
    /// Leave out keys that have expired; without this they are kept, as BGREWRITEAOF does
    #[arg(long)]
    drop_expired: bool,
    #[command(flatten)]
    replaying: ReplayArgs,
    /// Write only the Ith of N slices of the keys, which can be joined with cat in any order
    #[arg(long, value_name = "I/N")]
    shard: Option<Slice>,
    /// Do not read the result back
    #[arg(long = "no-check", action = ArgAction::SetFalse)]
    check: bool,
    /// Do not compress strings in an RDB
    #[arg(long = "no-compression", action = ArgAction::SetFalse)]
    compress: bool,
    /// Report, write nothing
    #[arg(short = 'n', long)]
    dry_run: bool,
    /// Replace what stands at --output
    #[arg(long)]
    force: bool,
}

/// Keys that are kept.
#[derive(Debug)]
struct Kept;

impl KeyHelp for Kept {
    const DB: &'static str = "Keep only keys of this database; may be repeated";
    const PATTERN: &'static str =
        "Keep only keys that match this pattern, written as for KEYS; may be repeated";
}

const EXAMPLES: &str = "\
Examples:
  aofkit compact appendonly.aof --output small.aof
  aofkit compact /var/lib/redis/appendonlydir --output /backup/appendonlydir
  aofkit compact dump.rdb --output appendonlydir
  aofkit compact appendonlydir --format rdb --for redis-6.2 --output dump.rdb
  aofkit compact --pattern 'session:*' --drop-expired app.aof -o sessions.aof

Exit codes: 0 done; 1 done, and a server would answer commands of the log with errors; \
2 not possible: nothing was written.";

impl Compact {
    pub(super) fn run(&self, common: &Common) -> Result<Exit> {
        if self.output.is_none() && !self.dry_run {
            return Err(Error::new(ErrorKind::Usage, "where shall the compacted log go?")
                .help("--output NEW writes it, --dry-run only looks"));
        }
        let plain = self.replaying.compaction(common, self.format, self.server);
        let options = Options {
            output: self.output.clone().filter(|_| !self.dry_run),
            existing: if self.force { Existing::Replace } else { Existing::Keep },
            filter: Filter {
                keys: self.keys.filter(),
                drop_expired_ms: self.drop_expired.then(|| self.replaying.now_ms()),
            },
            check: self.check,
            route: RouteOptions { slice: self.shard, ..plain.route },
            compress: self.compress,
            ..plain
        };
        let mut report = common.with_bar(|bar| {
            if let Some(output) = options.output.as_ref().filter(|_| is_archive(&self.path)) {
                // The operation knows nothing of the archive that the log is taken from.
                check_output(output, options.existing, std::slice::from_ref(&self.path))?;
            }
            let log = Unpacked::of(&self.path, bar)?;
            compact(log.path(), &options, bar)
        })?;
        report.path.clone_from(&self.path);
        let findings = !report.failed.is_empty();
        common.tell(&report, findings, || report::compact::text(&report))?;
        Ok(if findings { Exit::Findings } else { Exit::Done })
    }
}
