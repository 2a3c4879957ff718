//! The face: one file a subcommand, progress, exit codes.

mod askpass;
mod backup;
mod bench;
mod check_aof;
mod compact;
mod compress;
mod connection;
mod diff;
mod digest;
mod duration;
mod exit;
mod extract;
mod generate;
mod history;
mod hold;
mod interrupt;
mod keep;
mod keys;
mod list;
mod live;
mod log;
mod placing;
mod position;
mod progress;
mod prune;
mod recover;
mod repair;
mod replaying;
mod restore;
mod shell;
mod size;
mod time;
mod verify;

use std::io::Write;

use clap::{Args, ColorChoice, Parser, Subcommand, ValueEnum};
use serde::Serialize;

pub use exit::Exit;

use self::progress::Bar;
use crate::error::Error;
use crate::report;
use crate::report::style::{ERROR, QUIET, Styled};

/// Recover, verify, repair, compact and back up the append-only files of Redis and Valkey.
#[derive(Debug, Parser)]
#[command(name = "aofkit", version, max_term_width = 80, after_help = exit::HELP)]
pub struct Cli {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    command: Command,
}

/// Where the help lists what every subcommand takes.
const COMMON: &str = "Common options";

/// What every subcommand takes.
#[derive(Debug, Args)]
struct Common {
    /// Print the report as JSON
    #[arg(long, global = true, help_heading = COMMON)]
    json: bool,
    /// Print nothing when nothing is wrong
    #[arg(short, long, global = true, help_heading = COMMON)]
    quiet: bool,
    /// When to draw progress bars on stderr
    #[arg(
        long,
        global = true,
        value_name = "WHEN",
        default_value = "auto",
        hide_possible_values = true,
        hide_short_help = true,
        help_heading = COMMON
    )]
    progress: When,
    /// When to use colour (NO_COLOR is respected)
    #[arg(
        long,
        global = true,
        value_name = "WHEN",
        default_value = "auto",
        hide_possible_values = true,
        hide_short_help = true,
        help_heading = COMMON
    )]
    color: ColorChoice,
    /// How many threads to use [default: all cores]
    #[arg(short = 'j', long, global = true, value_name = "N", help_heading = COMMON)]
    threads: Option<usize>,
}

impl Common {
    /// Does `work` with a bar, which is gone when that is done.
    fn with_bar<T>(&self, work: impl FnOnce(&Bar) -> T) -> T {
        work(&Bar::new(self))
    }

    /// Tells what came of it: as JSON, or as text, which with --quiet is a message, and only if it matters.
    fn tell(
        &self,
        report: &impl Serialize,
        matters: bool,
        text: impl FnOnce() -> String,
    ) -> Result<(), Error> {
        if self.json {
            return print(&report::json(report));
        }
        if !self.quiet {
            return print(&text());
        }
        if matters {
            message(&text());
        }
        Ok(())
    }
}

/// auto: on a terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum When {
    Auto,
    Always,
    Never,
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
        Command::Completions(completions) => completions.run(),
        Command::Man(man) => man.run(),
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

/// Prints a result to stdout. A reader that has gone away ends the program quietly, as it does every filter.
fn print(text: &str) -> Result<(), Error> {
    let mut out = anstream::stdout().lock();
    printed(out.write_all(text.as_bytes()).and_then(|()| out.flush()))
}

/// As [`print`], of text without colour, which need not be looked through.
fn print_bytes(text: &[u8]) -> Result<(), Error> {
    let mut out = std::io::stdout().lock();
    printed(out.write_all(text).and_then(|()| out.flush()))
}

/// Lines on their way to stdout, many at a time.
#[derive(Default)]
struct Lines(Vec<u8>);

impl Lines {
    /// Enough that the system is not asked for each line.
    const BYTES: usize = 64 << 10;

    fn add(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> Result<(), Error> {
        write(&mut self.0);
        if self.0.len() < Self::BYTES { Ok(()) } else { self.flush() }
    }

    fn flush(&mut self) -> Result<(), Error> {
        let text = std::mem::take(&mut self.0);
        if text.is_empty() { Ok(()) } else { print_bytes(&text) }
    }
}

fn printed(outcome: std::io::Result<()>) -> Result<(), Error> {
    match outcome {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => std::process::exit(0),
        Err(error) => Err(Error::io("write the report to", "standard output", error)),
    }
}

/// Prints a message to stderr; there is nobody to tell if that fails.
fn message(text: &str) {
    let _ = anstream::stderr().lock().write_all(text.as_bytes());
}

fn report_error(error: &Error) -> Exit {
    let mut text = format!("{} {error}\n", Styled(ERROR, "error:"));
    if let Some(help) = error.next_step() {
        text.push_str(&format!("{} {help}\n", Styled(QUIET, "help:")));
    }
    message(&text);
    Exit::of(error)
}
