//! `aofkit restore`.

use std::path::PathBuf;

use clap::Args;

use super::args::{Common, ModuleArgs, NoBackupArg, OfflineArg, ReplayArgs, two_destinations};
use super::connection::LoginArgs;
use super::exit::Exit;
use super::expired::ExpiredArg;
use super::into::IntoArgs;
use super::values::ServerValue;
use crate::analysis::data_filter::Filter;
use crate::base::error::Result;
use crate::base::server::Server;
use crate::ops::compact::CompactOptions;
use crate::ops::into::compact_into;
use crate::ops::restore::{Owner, RestoreOptions, restore};
use crate::report;

/// Restore an archive to a server's data directory, or into a running server
///
/// The archive and the extracted files are verified before they are moved into place in one step. An existing log
/// is renamed, never removed. A directory that a server is using is always refused.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Restore {
    /// The archive: made by aofkit, or any zip of a log; a file, or s3://BUCKET/PREFIX/NAME.zip
    #[arg(value_name = "ZIP")]
    archive: PathBuf,
    /// The server's data directory (`dir` of its configuration), or a new one
    #[arg(short, long, value_name = "DIR", required_unless_present = "into")]
    output: Option<PathBuf>,
    #[command(flatten)]
    into: IntoArgs,
    #[command(flatten)]
    login: LoginArgs,
    /// Target server (redis-6.2, valkey-9.1, ...); what it cannot load is converted
    #[arg(long = "for", value_name = "VERSION", value_parser = ServerValue, hide_possible_values = true)]
    server: Option<Server>,
    /// Owner of the restored files [default: as root, the owner of the directory]
    #[arg(long, value_name = "USER[:GROUP]")]
    owner: Option<Owner>,
    /// Restore to a directory that is not empty; an existing log is renamed
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    backup: NoBackupArg,
    #[command(flatten)]
    offline: OfflineArg,
    /// Extract, verify and convert to temporary files, and report what would be done; change nothing
    #[arg(short = 'n', long)]
    dry_run: bool,
    #[command(flatten)]
    modules: ModuleArgs,
    /// When converting, leave out data of modules that belongs to no key
    #[arg(long, hide_short_help = true)]
    drop_module_aux: bool,
    /// With --into: what to do with keys that have expired
    #[arg(long, value_name = "WHAT", default_value = "drop", requires = "into", hide_short_help = true, help_heading = super::into::INTO)]
    expired: ExpiredArg,
    #[command(flatten)]
    replaying: ReplayArgs,
}

const EXAMPLES: &str = "\
Examples:
  aofkit restore --dry-run /backup/aof_20260101031000-6379.zip --output /var/lib/redis
  aofkit restore /backup/aof_20260101031000-6379.zip --output /var/lib/redis
  aofkit restore old.zip --output /srv/valkey --for valkey-9.1 --owner valkey
  aofkit restore backup.zip --into redis://staging:6379
  aofkit restore set.zip --output /tmp/redis6 --for redis-6.2

Exit codes: 0 restored, or a dry run that would succeed; 2 failed: the directory is unchanged; 3 some keys could not be put into the server; 5 another restore to it is running.";

impl Restore {
    pub(super) fn run(&self, common: &Common) -> Result<Exit> {
        let Some(output) = self.output.as_ref().filter(|_| !self.into.is_given()) else {
            return self.put_into(common);
        };
        let options = RestoreOptions {
            output: output.clone(),
            server: self.server,
            owner: self.owner,
            force: self.force,
            no_backup: self.backup.no_backup,
            offline: self.offline.offline,
            dry_run: self.dry_run,
            compaction: CompactOptions {
                modules: self.modules.loaded(),
                drop_module_aux: self.drop_module_aux,
                ..self.replaying.compaction(common, None, self.server)
            },
        };
        let report = common.with_bar(|bar| restore(&self.archive, &options, bar))?;
        common.print_report(&report, false, || report::restore::text(&report))?;
        Ok(Exit::after(&report))
    }

    /// Puts the keys of the archive into a running server.
    fn put_into(&self, common: &Common) -> Result<Exit> {
        if self.output.is_some() {
            return Err(two_destinations());
        }
        let (filter, expired) = (Filter::default(), self.expired.treatment());
        let into = self.into.options(&self.login, filter, expired, self.dry_run, common)?;
        let Some(into) = into else { return Ok(Exit::Done) };
        let options = self.replaying.compaction(common, None, self.server);
        let report = common.with_bar(|bar| compact_into(&self.archive, &options, &into, bar))?;
        super::into::print(&report, common)
    }
}
