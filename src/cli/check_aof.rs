//! `aofkit check-aof`.

use std::io::{IsTerminal, Write};
use std::path::PathBuf;

use clap::Args;
use jiff::Zoned;

use super::args::Common;
use super::exit::Exit;
use super::output::print_json;
use super::progress::Bar;
use crate::base::error::{Error, Result};
use crate::base::escape::for_terminal;
use crate::input::envelope::Content;
use crate::ops::check_aof::{End, Event, Mode, check, render};
use crate::rdb;
use crate::report::check_aof::CheckAofReport;

/// Check and truncate a log exactly as redis-check-aof does
///
/// For scripts that call redis-check-aof: messages, offsets and exit codes are the same. Bytes that are cut off
/// are saved in a file next to the log. `aofkit verify` and `aofkit repair` find and repair more.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct CheckAof {
    /// A log or a manifest
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Truncate a damaged file after its last complete command or transaction
    #[arg(long, conflicts_with = "truncate_to_timestamp")]
    fix: bool,
    /// Truncate the file before its first timestamp later than this
    #[arg(long, value_name = "SECONDS", allow_negative_numbers = true)]
    truncate_to_timestamp: Option<i64>,
    /// Answer yes to the confirmation prompt
    #[arg(short, long)]
    yes: bool,
}

const EXAMPLES: &str = "\
Examples:
  aofkit check-aof appendonlydir/appendonly.aof.manifest
  aofkit check-aof --fix --yes appendonly.aof

Exit codes are those of redis-check-aof: 0 valid or truncated, 1 otherwise.";

impl CheckAof {
    pub(super) fn run(&self, common: &Common) -> Result<Exit> {
        let mode = match (self.fix, self.truncate_to_timestamp) {
            (true, _) => Mode::Fix,
            (false, Some(seconds)) => Mode::TruncateTo(seconds),
            (false, None) => Mode::Check,
        };
        let bar = Bar::new(common);
        let rdb_end = |bytes: &[u8]| {
            let content = Content::of(bytes, &self.file).map_err(|error| error.to_string())?;
            match content.read(&mut rdb::Ignore, &bar) {
                Ok(reading) => Ok(content.end_in_file(&reading)),
                Err(damage) => Err(damage.to_string()),
            }
        };
        let checked = check(&self.file, mode, rdb_end, &bar);
        drop(bar);
        // redis-check-aof exits with 1 for every error.
        self.finish(checked, common)
            .or_else(|error| Ok(common.report_error_as(&error, Exit::Other(1))))
    }

    fn finish(
        &self,
        checked: Result<crate::ops::check_aof::Report>,
        common: &Common,
    ) -> Result<Exit> {
        let report = checked?;
        let mut events = report.events;
        if !common.json {
            write_events(&events)?;
        }
        let (code, rest) = match report.end {
            End::Done(code) => (code, Vec::new()),
            End::Cut(cut) if !cut.asks() || self.agrees()? => {
                (0, cut.make(Zoned::now().datetime())?)
            }
            End::Cut(cut) => (1, cut.decline()),
        };
        if common.json {
            events.extend(rest);
            print_json(&CheckAofReport { events })?;
        } else {
            write_events(&rest)?;
        }
        Ok(Exit::Other(code))
    }

    /// Returns whether the user agrees: `--yes`, or a line on standard input that begins with `y`.
    fn agrees(&self) -> Result<bool> {
        if self.yes {
            return Ok(true);
        }
        let mut answer = String::new();
        std::io::stdin()
            .read_line(&mut answer)
            .map_err(|error| Error::io("read the answer from", "standard input", error))?;
        Ok(answer.to_ascii_lowercase().starts_with('y'))
    }
}

/// Writes the lines of redis-check-aof to stdout: to a script as bytes, because file names need not be UTF-8, and to a
/// terminal escaped.
fn write_events(events: &[Event]) -> Result<()> {
    let lines = lines(events, std::io::stdout().is_terminal());
    let mut out = std::io::stdout().lock();
    match out.write_all(&lines).and_then(|()| out.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Error::io("write to", "standard output", error))
        }
        _ => Ok(()),
    }
}

fn lines(events: &[Event], to_terminal: bool) -> Vec<u8> {
    let lines: Vec<u8> = events.iter().flat_map(render).collect();
    match to_terminal {
        true => for_terminal(&String::from_utf8_lossy(&lines)).into_bytes(),
        false => lines,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_escaped_on_a_terminal_and_not_for_a_script() {
        let events = [Event::CannotRead { path: "a\u{1b}]0;title\u{7}".into() }];
        assert_eq!(lines(&events, true), b"Cannot read file: a\\u{1b}]0;title\\u{7}\n");
        assert_eq!(lines(&events, false), b"Cannot read file: a\x1b]0;title\x07\n");
    }
}
