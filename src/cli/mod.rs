//! The command line: one module per subcommand, progress and exit codes.

mod args;
mod askpass;
mod backup;
mod bench;
mod check_aof;
mod clean;
mod compact;
mod compress;
mod connection;
mod convert;
mod diff;
mod digest;
mod doctor;
mod drill;
mod exit;
mod expired;
mod extract;
mod find;
mod generate;
mod get;
mod history;
mod hold;
mod html_file;
mod interrupt;
mod into;
mod list;
mod live;
mod log;
mod merge;
mod metrics;
mod output;
mod overview;
mod parse;
mod pick;
mod priority;
mod progress;
mod prune;
mod recover;
mod repair;
mod restore;
mod shell;
mod stats;
mod values;
mod verify;

use std::env;
use std::ffi::OsString;
use std::path::Path;

use clap::{ColorChoice, CommandFactory, FromArgMatches, Parser, Subcommand};
use jiff::tz::TimeZone;

pub use exit::Exit;

use self::args::Common;
use self::output::{message, print_error};
use crate::archive::encryption::set_identity_files;
use crate::base::error::{Error, ErrorKind};
use crate::base::escape::ShownPath;
use crate::base::threads::start_pool;
use crate::command::set_renamed;
use crate::disk::{fail_beyond_size_limit, install_sigbus_guard, report_failed_allocations};
use crate::report::error::ErrorReport;
use crate::store::settings::{StoreSettings, set_store_settings, store_settings};

/// Recover, verify, repair, compact and back up the append-only files of Redis and Valkey.
#[derive(Debug, Parser)]
#[command(name = "aofkit", version, max_term_width = 80, after_help = exit::HELP)]
pub struct Cli {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Recover(Box<recover::Recover>),
    StripFlushall(recover::StripFlushall),
    Verify(verify::Verify),
    Stats(stats::Stats),
    Log(log::Log),
    History(history::History),
    Get(get::Get),
    Find(find::Find),
    Digest(digest::Digest),
    Diff(diff::Diff),
    Repair(repair::Repair),
    CheckAof(check_aof::CheckAof),
    Compact(compact::Compact),
    Convert(convert::Convert),
    Merge(merge::Merge),
    Backup(Box<backup::Backup>),
    List(list::List),
    Prune(prune::Prune),
    Restore(restore::Restore),
    Drill(drill::Drill),
    Compress(compress::Compress),
    Extract(extract::Extract),
    Generate(generate::Generate),
    Bench(bench::Bench),
    Clean(clean::Clean),
    Doctor(doctor::Doctor),
    Completions(shell::Completions),
    Man(shell::Man),
}

/// Runs the command line of the process and returns its exit code.
pub fn main() -> Exit {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    if arguments.len() < 2 {
        message(overview::JOBS);
        return Exit::Trouble;
    }
    if let Some(mut command) = asks_for_help(&arguments) {
        let _ = command.print_help();
        return Exit::Done;
    }
    let wants_json = arguments.iter().take_while(|word| *word != "--").any(|word| word == "--json");
    let parsed = command().try_get_matches_from(arguments);
    let cli = match parsed.and_then(|matches| Cli::from_arg_matches(&matches)) {
        Ok(cli) => cli,
        Err(error) => return report_usage(&error, wants_json),
    };
    cli.common.color.write_global_to_anstream();
    if let Err(error) = set_up(&cli.common) {
        return cli.common.report_error(&error);
    }
    let outcome = match &cli.command {
        Command::Verify(verify) => verify.run(&cli.common),
        Command::Recover(recover) => recover.run(&cli.common),
        Command::StripFlushall(strip) => strip.run(&cli.common),
        Command::Repair(repair) => repair.run(&cli.common),
        Command::Compact(compact) => compact.run(&cli.common),
        Command::Convert(convert) => convert.run(&cli.common),
        Command::Merge(merge) => merge.run(&cli.common),
        Command::Stats(stats) => stats.run(&cli.common),
        Command::Log(log) => log.run(&cli.common),
        Command::History(history) => history.run(&cli.common),
        Command::Get(get) => get.run(&cli.common),
        Command::Find(find) => find.run(&cli.common),
        Command::Compress(compress) => compress.run(&cli.common),
        Command::Extract(extract) => extract.run(&cli.common),
        Command::Diff(diff) => diff.run(&cli.common),
        Command::Digest(digest) => digest.run(&cli.common),
        Command::CheckAof(check) => check.run(&cli.common),
        Command::Backup(backup) => backup.run(&cli.common),
        Command::Restore(restore) => restore.run(&cli.common),
        Command::Drill(drill) => drill.run(&cli.common),
        Command::List(list) => list.run(&cli.common),
        Command::Prune(prune) => prune.run(&cli.common),
        Command::Generate(generate) => generate.run(&cli.common),
        Command::Clean(clean) => clean.run(&cli.common),
        Command::Bench(bench) => bench.run(&cli.common),
        Command::Doctor(doctor) => doctor.run(&cli.common),
        Command::Completions(completions) => completions.run(command()),
        Command::Man(man) => man.run(command()),
    };
    // An operation that ends because of the interruption is not reported.
    interrupt::wait_if_interrupted(&cli.common.cancellation);
    let exit = outcome.unwrap_or_else(|error| cli.common.report_error(&error));
    interrupt::wait_if_interrupted(&cli.common.cancellation);
    exit
}

/// Returns the command line with what its derived form lacks.
fn command() -> clap::Command {
    let command = values::with_directories(Cli::command());
    overview::with_groups(overview::with_short_help(command))
}

/// Prints what clap reports about the arguments, and returns the exit code.
fn report_usage(error: &clap::Error, wants_json: bool) -> Exit {
    let _ = error.print();
    if !error.use_stderr() {
        // --help and --version, which are printed to stdout.
        return Exit::Done;
    }
    if wants_json {
        print_error(&usage_error(&error.render().to_string()));
    }
    Exit::Trouble
}

/// Returns the report of a usage error from clap's text: the message, and after a blank line tips and the usage.
fn usage_error(text: &str) -> ErrorReport {
    let (message, help) = text.split_once("\n\n").unwrap_or((text, ""));
    let message = message.trim().trim_start_matches("error: ");
    let mut error = Error::new(ErrorKind::Usage, message);
    if !help.trim().is_empty() {
        error = error.help(help.trim());
    }
    ErrorReport::new(&error, Exit::Trouble.code())
}

/// Returns the subcommand to print the help of if the last argument is `-h` and that is its host option.
///
/// `-h` without a value cannot name a host; redis-cli prints its help then, too.
fn asks_for_help(arguments: &[OsString]) -> Option<clap::Command> {
    let (last, arguments) = arguments.get(1..)?.split_last()?;
    if last != "-h" || arguments.iter().any(|argument| argument == "--") {
        return None;
    }
    let mut command = command();
    command.build();
    let names = arguments.iter().filter_map(|argument| argument.to_str());
    let subcommand = names.filter_map(|name| command.find_subcommand(name)).next()?;
    let is_host =
        |argument: &&clap::Arg| argument.get_short() == Some('h') && argument.get_id() == "host";
    subcommand.get_arguments().find(is_host).map(|_| subcommand.clone())
}

/// Converts clap's color choice to that of anstream.
trait WriteGlobal {
    fn write_global_to_anstream(self);
}

impl WriteGlobal for ColorChoice {
    fn write_global_to_anstream(self) {
        match self {
            ColorChoice::Auto => anstream::ColorChoice::Auto,
            ColorChoice::Always => anstream::ColorChoice::Always,
            ColorChoice::Never => anstream::ColorChoice::Never,
        }
        .write_global();
    }
}

fn set_up(common: &Common) -> Result<(), Error> {
    install_sigbus_guard();
    fail_beyond_size_limit();
    report_failed_allocations();
    set_renamed(&common.rename)?;
    set_store_settings(StoreSettings {
        endpoint: common.endpoint.clone(),
        timeout: common.store_timeout,
        ..store_settings()
    });
    set_identity_files(&common.identity);
    interrupt::listen(&common.cancellation);
    start_pool(common.threads);
    warn_of_unknown_time_zone();
    Ok(())
}

/// Warns if TZ names a time zone that this system does not have: local times are in UTC then. In a container without
/// tzdata, a position given as a time would be another one.
fn warn_of_unknown_time_zone() {
    let Some(zone) = env::var_os("TZ").filter(|zone| !zone.is_empty()) else { return };
    if TimeZone::try_system().is_err() {
        let zone = ShownPath(Path::new(&zone));
        let help = "install the time zones of the system (tzdata), or set TZ to UTC";
        message(&format!(
            "warning: the time zone {zone} (TZ) is not known here; times are in UTC\nhelp: {help}\n"
        ));
    }
}
