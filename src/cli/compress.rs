//! `aofkit compress`.

use std::path::PathBuf;

use clap::{ArgAction, Args};

use super::args::{Common, EncryptArgs, ReplacingArgs};
use super::exit::Exit;
use super::output::{message, print, print_json};
use super::parse::{created_at, parse_mode, parse_time};
use crate::archive::contents::Source;
use crate::archive::method::Method;
use crate::base::error::Result;
use crate::ops::compress::batch::compress_all;
use crate::ops::compress::write::CompressOptions;
use crate::report;

/// Compress a log to a standard zip archive
///
/// An archive contains the whole log under the names that a server expects: appendonly.aof, or appendonlydir/
/// with its manifest. Deflate uses all cores. The log is verified before it is compressed, and the archive is read
/// back before it gets its final name.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Compress {
    /// The log: a file, a multi-part directory, its manifest, the data directory above, or an RDB; each of several
    /// gets its own archive
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// The archive, or a directory for an archive with a generated name
    #[arg(short, long, value_name = "ZIP|DIR")]
    output: PathBuf,
    /// Compression method: deflate, zstd or store
    #[arg(long, value_name = "METHOD", default_value_t = Method::Deflate)]
    method: Method,
    /// Compression level: deflate 1 to 9 [default: 6], zstd 1 to 19 [default: 3]
    #[arg(short, long, value_name = "N")]
    level: Option<i32>,
    /// Port of the server that wrote the log, used in the archive's name
    #[arg(long, value_name = "PORT")]
    port: Option<u16>,
    /// Template of archive names: {port}, {name} of the log, and strftime conversions
    #[arg(long, value_name = "TEMPLATE")]
    name_template: Option<String>,
    /// Creation time to record in the archive [default: now]
    #[arg(long, value_name = "TIME", value_parser = parse_time, hide_short_help = true)]
    created: Option<i64>,
    /// Mode of the archive in octal [default: 0600]
    #[arg(long, value_name = "MODE", hide_short_help = true, value_parser = parse_mode)]
    mode: Option<u32>,
    /// Compress a damaged log as it is
    #[arg(long)]
    damaged: bool,
    /// Do not read the archive back
    #[arg(long = "no-check", action = ArgAction::SetFalse, hide_short_help = true)]
    check: bool,
    #[command(flatten)]
    encryption: EncryptArgs,
    #[command(flatten)]
    replacing: ReplacingArgs,
}

const EXAMPLES: &str = "\
Examples:
  aofkit compress appendonly.aof --output appendonly.zip
  aofkit compress /var/lib/redis --output /backup --port 6380
  aofkit compress appendonlydir -o set.zip --method zstd --level 9
  aofkit compress appendonly.aof -o /backup --encrypt-to age1...
  aofkit compress 6379.aof 6380.aof -o /backup --name-template '{name}-%F.zip'

Exit codes: 0 done; 1 done, but servers refuse the log; 2 failed: nothing was written; 3 some of several logs were not
compressed.";

impl Compress {
    pub(super) fn run(&self, common: &Common) -> Result<Exit> {
        let created = created_at(self.created)?;
        let options = CompressOptions {
            existing: self.replacing.existing(),
            method: self.method,
            level: self.level,
            mode: self.mode,
            source: Source { port: self.port, ..Source::default() },
            name_template: self.name_template.clone(),
            threads: common.threads.unwrap_or(0),
            damaged: self.damaged,
            check: self.check,
            encrypt_to: self.encryption.encrypt_to.clone(),
            recipients_files: self.encryption.recipients_files.clone(),
            ..CompressOptions::new(self.output.clone(), created)
        };
        let report = common.noting_replaced(Some(&self.output), || {
            common.with_bar(|bar| compress_all(&self.paths, &options, bar))
        })?;
        if common.json {
            print_json(&report)?;
        } else {
            if common.quiet {
                message(&report::archive::compressed_findings(&report));
            } else {
                print(&report::archive::compressed(&report))?;
            }
            message(&report::archive::not_compressed(&report));
        }
        Ok(Exit::after(&report))
    }
}
