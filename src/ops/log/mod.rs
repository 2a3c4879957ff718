//! A log as a person reads it: a line a command, with where it stands, when it was run and on which database.
//!
//! Parts are read in order, a window at a time: while the commands of one window are rendered and handed on, the
//! next is scanned. So memory is that of two windows and of their text, whatever the size of the log, and the
//! first lines are there at once. Backwards, the log is read once to know what is in force at the start of each
//! window, and then window by window from the last.

mod line;
mod printer;
mod walk;
mod wanted;

use std::ops::Range;
use std::path::Path;

use serde::Serialize;

pub use line::{CommandLine, Line, RdbLine, Render};
pub use printer::Write;
pub use wanted::Filter;

use self::printer::Printer;
use self::walk::{Found, Search, State, Walker};
use self::wanted::Names;
use crate::analysis::damage::sides;
use crate::analysis::position;
use crate::analysis::position::{Mark, no_times};
use crate::aof::log::{Log, Part};
use crate::aof::{Stop, scan};
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::progress::Progress;
use crate::command::Position;
use crate::command::intact_ranges::is_damage;
use crate::input::open::open;
use crate::rdb;

/// What is shown of a log.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Which commands.
    pub filter: Filter,
    /// From the first command that has reached this position.
    pub since: Option<position::Position>,
    /// Up to before the first command that has reached this position.
    pub until: Option<position::Position>,
    /// The last first.
    pub reverse: bool,
    /// At most so many lines.
    pub limit: Option<u64>,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LogReport {
    /// Lines that were shown.
    pub shown: u64,
    /// Commands that were read.
    pub commands: u64,
    /// Why the log ends before its last byte, where it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ending: Option<Ending>,
}

/// Where and why the readable part of a log ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Ending {
    /// `broken-rdb`, `torn-command`, `damage` or `open-transaction`.
    pub kind: &'static str,
    /// The part's file name.
    pub part: String,
    /// Where what is whole ends; of an open transaction, where its MULTI stands.
    pub offset: u64,
    /// What is wrong, for a person: lower case, without a final stop.
    pub message: String,
}

/// Bytes of the first window: so few that its lines are there at once.
const FIRST_WINDOW: usize = 64 << 10;
/// Bytes of the largest.
const WINDOW: usize = 2 << 20;
/// How many times as large each window is as the one before.
const GROWTH: usize = 4;

/// Shows the log at `path`: its lines, rendered, are handed to `write` in pieces of many lines.
///
/// # Errors
///
/// When the log cannot be opened or changes while it is read, when a position is not in it, and what `write` says.
/// Damage is no error: see [`LogReport::ending`].
pub fn log<R: Render>(
    path: &Path,
    options: &Options,
    render: R,
    write: &mut Write<'_>,
    progress: &dyn Progress,
) -> Result<LogReport> {
    let log = open(path)?;
    let mark = |position: &Option<position::Position>| -> Result<Option<Mark>> {
        position.as_ref().map(|position| position.in_log(&log)).transpose()
    };
    let search = Search {
        filter: &options.filter,
        names: Names::of(&options.filter),
        since: mark(&options.since)?,
        until: mark(&options.until)?,
    };
    let printer = Printer::new(&log, render, &options.filter, options.limit, write);
    progress.phase("read", log.bytes());
    let mut reader =
        Reader { log: &log, state: State::of(&search), search: &search, printer, progress };
    let ending = if options.reverse { reader.backwards() } else { reader.forwards() }?;
    let state = reader.state;
    let shown = reader.printer.shown;
    let stopped_early = reader.printer.is_full() && !options.reverse;
    if !stopped_early && ending.is_none() {
        check_marks(&log, &search, &state)?;
    }
    Ok(LogReport { shown, commands: state.commands, ending })
}

/// Complains of positions that could not be found in a log that was read to its end.
fn check_marks(log: &Log, search: &Search<'_>, state: &State) -> Result<()> {
    let marks = [search.since, search.until];
    if marks.iter().flatten().any(Mark::is_time) && !state.tells_times {
        return Err(no_times(log));
    }
    if let Some(Mark::Ordinal(ordinal)) = search.since
        && ordinal > state.commands
    {
        let message = format!("there is no command #{ordinal}: the log has {}", state.commands);
        return Err(Error::new(ErrorKind::Usage, message).at(&log.opened));
    }
    Ok(())
}

struct Reader<'r, 'w, R> {
    log: &'r Log,
    search: &'r Search<'r>,
    /// What is in force where the reader is.
    state: State,
    printer: Printer<'r, 'w, R>,
    progress: &'r dyn Progress,
}

/// Frames that begin in a range, all of one part.
struct Window<'r> {
    part: &'r Part,
    range: Range<usize>,
    /// What is in force before it.
    before: State,
}

/// The beginning of a part, as far as it is no command.
struct Preamble {
    /// Where commands begin.
    start: usize,
    rdb: Option<rdb::Reading>,
}

impl<'r, R: Render> Reader<'r, '_, R> {
    fn forwards(&mut self) -> Result<Option<Ending>> {
        for part in &self.log.parts {
            self.state.enter_part();
            let preamble = match self.preamble(part)? {
                Ok(preamble) => preamble,
                Err(ending) => return Ok(Some(ending)),
            };
            self.show_rdb(part, &preamble, self.state)?;
            let stop = self.part_forwards(part, preamble.start)?;
            part.mapping.check()?;
            if self.printer.is_full() || self.state.until {
                return Ok(None);
            }
            if let Some(ending) = self.ending(part, stop) {
                return Ok(Some(ending));
            }
        }
        Ok(None)
    }

    fn part_forwards(&mut self, part: &'r Part, start: usize) -> Result<Stop> {
        let end = part.mapping.bytes().len();
        let mut stop = Stop { at: start, fault: None };
        let mut found = Vec::new();
        let mut size = FIRST_WINDOW;
        while stop.at < end && stop.fault.is_none() && !self.state.until {
            let range = stop.at..stop.at.saturating_add(size).min(end);
            let window = Window { part, range, before: self.state };
            let (printer, search) = (&mut self.printer, self.search);
            let (printed, walked) = rayon::join(
                || printer.commands(part, &found),
                || walk(search, &window, Some(Vec::new())),
            );
            printed?;
            if self.printer.is_full() {
                return Ok(stop);
            }
            self.progress.advance((walked.stop.at - stop.at) as u64);
            (found, stop, self.state) = (walked.found, walked.stop, walked.after);
            size = (size * GROWTH).min(WINDOW);
        }
        self.printer.commands(part, &found)?;
        Ok(stop)
    }

    fn backwards(&mut self) -> Result<Option<Ending>> {
        let mut parts = Vec::new();
        let mut ending = None;
        for part in &self.log.parts {
            self.state.enter_part();
            let preamble = match self.preamble(part)? {
                Ok(preamble) => preamble,
                Err(found) => {
                    ending = Some(found);
                    break;
                }
            };
            let at_start = self.state;
            let (windows, stop) = self.windows(part, preamble.start);
            part.mapping.check()?;
            parts.push((part, preamble, at_start, windows));
            ending = if self.state.until { None } else { self.ending(part, stop) };
            if ending.is_some() || self.state.until {
                break;
            }
        }
        for (part, preamble, at_start, windows) in parts.iter().rev() {
            for window in windows.iter().rev() {
                let mut found = walk(self.search, window, Some(Vec::new())).found;
                found.reverse();
                self.printer.commands(part, &found)?;
                if self.printer.is_full() {
                    return Ok(ending);
                }
            }
            part.mapping.check()?;
            self.show_rdb(part, preamble, *at_start)?;
        }
        Ok(ending)
    }

    /// Reads a part to its end, and gives the windows in which something may be found.
    fn windows(&mut self, part: &'r Part, start: usize) -> (Vec<Window<'r>>, Stop) {
        let end = part.mapping.bytes().len();
        let mut windows = Vec::new();
        let mut stop = Stop { at: start, fault: None };
        while stop.at < end && stop.fault.is_none() && !self.state.until {
            let range = stop.at..stop.at.saturating_add(WINDOW).min(end);
            let window = Window { part, range, before: self.state };
            let walked = walk(self.search, &window, None);
            self.progress.advance((walked.stop.at - stop.at) as u64);
            (stop, self.state) = (walked.stop, walked.after);
            if self.state.since {
                windows.push(window);
            }
        }
        (windows, stop)
    }

    fn preamble(&self, part: &Part) -> Result<Result<Preamble, Ending>> {
        if !part.starts_with_rdb() {
            return Ok(Ok(Preamble { start: 0, rdb: None }));
        }
        let bytes = part.mapping.bytes();
        let reading = rdb::read(bytes, &mut rdb::Ignore, self.progress);
        part.mapping.check()?;
        Ok(match reading {
            Ok(reading) => {
                let start = usize::try_from(reading.len()).unwrap_or(bytes.len());
                Ok(Preamble { start, rdb: Some(reading) })
            }
            Err(damage) => Err(Ending {
                kind: "broken-rdb",
                part: part.name.clone(),
                offset: damage.offset,
                message: damage.describe(),
            }),
        })
    }

    /// Shows the RDB that a part begins with, unless commands are asked for.
    fn show_rdb(&mut self, part: &Part, preamble: &Preamble, before: State) -> Result<()> {
        let Some(reading) = &preamble.rdb else { return Ok(()) };
        let here = Position { part: u32::try_from(part.index).unwrap_or(u32::MAX), offset: 0 };
        // It stands before the command that would reach a number or a time.
        let reaches = |mark: Option<Mark>| matches!(mark, Some(Mark::At(at)) if here >= at);
        let wanted = self.search.filter.is_none()
            && (before.since || reaches(self.search.since))
            && !(before.until || reaches(self.search.until));
        if !wanted || self.printer.is_full() {
            return Ok(());
        }
        let line = Line::Rdb(RdbLine {
            part: &part.name,
            number: part.index + 1,
            offset: 0,
            bytes: reading.len(),
            version: reading.walk().version,
            keys: reading.newer().is_none().then_some(reading.walk().keys),
        });
        self.printer.one(part, &line)
    }

    /// Why nothing behind this place in a part is read, if there is something.
    fn ending(&self, part: &Part, stop: Stop) -> Option<Ending> {
        let part_name = part.name.clone();
        if let Some(fault) = stop.fault {
            let torn = part.is_last && !is_damage(part.mapping.bytes(), stop);
            let (expected, found, _) = sides(fault);
            let what = if torn { "the last command is torn" } else { "the log is damaged here" };
            return Some(Ending {
                kind: if torn { "torn-command" } else { "damage" },
                part: part_name,
                offset: stop.at as u64,
                message: format!("{what}: expected {expected}, found {found}"),
            });
        }
        let multi = self.state.multi?;
        Some(Ending {
            kind: "open-transaction",
            part: part_name,
            offset: multi.offset,
            message: format!(
                "the transaction that begins with #{} has no EXEC: servers do not run it",
                multi.ordinal
            ),
        })
    }
}

/// What came of a walk over a window.
struct Walked {
    found: Vec<Found>,
    stop: Stop,
    after: State,
}

fn walk(search: &Search<'_>, window: &Window<'_>, found: Option<Vec<Found>>) -> Walked {
    let part = u32::try_from(window.part.index).unwrap_or(u32::MAX);
    let mut walker = Walker { search, part, state: window.before, found };
    let bytes = window.part.mapping.bytes();
    window.part.mapping.prefault(window.range.clone());
    let stop = scan(bytes, window.range.clone(), &mut walker);
    Walked { found: walker.found.unwrap_or_default(), stop, after: walker.state }
}
