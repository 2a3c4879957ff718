//! The face: one file a subcommand, progress, exit codes.

mod args;
mod askpass;
mod backup;
mod bench;
mod check_aof;
mod compact;
mod compress;
mod connection;
mod diff;
mod digest;
mod exit;
mod extract;
mod generate;
mod history;
mod hold;
mod interrupt;
mod list;
mod live;
mod log;
mod output;
mod parse;
mod progress;
mod prune;
mod recover;
mod repair;
mod restore;
mod shell;
mod verify;

use clap::{ColorChoice, CommandFactory, Parser, Subcommand};

pub use exit::Exit;

use self::args::Common;
use self::output::report_error;
use crate::base::error::Error;

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
    Log(log::Log),
    History(history::History),
    Digest(digest::Digest),
    Diff(diff::Diff),
    Repair(repair::Repair),
    CheckAof(check_aof::CheckAof),
    Compact(compact::Compact),
    Backup(Box<backup::Backup>),
    List(list::List),
    Prune(prune::Prune),
    Restore(restore::Restore),
    Compress(compress::Compress),
    Extract(extract::Extract),
    Generate(generate::Generate),
    Bench(bench::Bench),
    Completions(shell::Completions),
    Man(shell::Man),
}

/// Runs the command line of the process and says how to exit.
pub fn main() -> Exit {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // --help and --version are "errors" that go to stdout.
            let code = if error.use_stderr() { Exit::Trouble } else { Exit::Done };
            let _ = error.print();
            return code;
        }
    };
    cli.common.color.write_global_to_anstream();
    if let Err(error) = set_up(&cli.common) {
        return report_error(&error);
    }
    let outcome = match &cli.command {
        Command::Verify(verify) => verify.run(&cli.common),
        Command::Recover(recover) => recover.run(&cli.common),
        Command::StripFlushall(strip) => strip.run(&cli.common),
        Command::Repair(repair) => repair.run(&cli.common),
        Command::Compact(compact) => compact.run(&cli.common),
        Command::Log(log) => log.run(&cli.common),
        Command::History(history) => history.run(&cli.common),
        Command::Compress(compress) => compress.run(&cli.common),
        Command::Extract(extract) => extract.run(&cli.common),
        Command::Diff(diff) => diff.run(&cli.common),
        Command::Digest(digest) => digest.run(&cli.common),
        Command::CheckAof(check) => check.run(&cli.common),
        Command::Backup(backup) => backup.run(&cli.common),
        Command::Restore(restore) => restore.run(&cli.common),
        Command::List(list) => list.run(&cli.common),
        Command::Prune(prune) => prune.run(&cli.common),
        Command::Generate(generate) => generate.run(&cli.common),
        Command::Bench(bench) => bench.run(&cli.common),
        Command::Completions(completions) => completions.run(Cli::command()),
        Command::Man(man) => man.run(Cli::command()),
    };
    let exit = outcome.unwrap_or_else(|error| report_error(&error));
    interrupt::wait_if_interrupted();
    exit
}

/// clap's choice in the words of the crate that writes colours.
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
    interrupt::listen();
    if let Some(threads) = common.threads {
        // Fails only when a pool exists already, which cannot be at this point.
        let _ = rayon::ThreadPoolBuilder::new().num_threads(threads).build_global();
    }
    Ok(())
}
