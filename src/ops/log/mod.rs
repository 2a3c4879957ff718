//! Displaying a log: one line per command, with its position, time and database.
//!
//! Parts are read in order, one window at a time: while the lines of one window are written, those of the next are
//! rendered on all cores, and the one after that is scanned. Memory use is therefore that of three windows and of their
//! text, whatever the size of the log, and the first lines appear at once. In reverse order, the log is read once to determine the state at the start of each
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

use self::printer::{Batch, Printer};
use self::walk::{Match, Search, State, Walker};
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
use crate::input::open_log;
use crate::rdb;

/// Options of [`log()`].
#[derive(Debug, Clone, Default)]
#[cfg_attr(not(feature = "internals"), non_exhaustive)]
pub struct LogOptions {
    /// The filter for commands.
    pub filter: Filter,
    /// The position from which commands are shown: from the first command that has reached it.
    pub since: Option<position::Position>,
    /// The position up to which commands are shown: up to but excluding the first command that has reached it.
    pub until: Option<position::Position>,
    /// Whether the last command is shown first.
    pub reverse: bool,
    /// The maximum number of lines.
    pub limit: Option<u64>,
}

/// The result of displaying a log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LogReport {
    /// The number of lines shown.
    pub shown: u64,
    /// The number of commands read.
    pub commands: u64,
    /// The reason why the log ends before its last byte, if it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ending: Option<Ending>,
}

/// The position and the reason at which the readable part of a log ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Ending {
    /// The kind: `broken-rdb`, `torn-command`, `damage`, `open-transaction`, or `empty-rdb`, of which the rest of the log
    /// was read.
    pub kind: &'static str,
    /// The file name of the part.
    pub part: String,
    /// The byte offset at which the complete commands end; for an open transaction, that of its MULTI.
    pub offset: u64,
    /// A description for display, in lower case and without a full stop.
    pub message: String,
}

/// The size of the first window in bytes, which is small so that its lines appear at once.
const FIRST_WINDOW: usize = 64 << 10;
/// The maximum size of a window in bytes.
const WINDOW: usize = 2 << 20;
/// The factor by which each window is larger than the previous one.
const GROWTH: usize = 4;

/// Displays the log at `path`: its rendered lines are passed to `write` in pieces of many lines.
///
/// # Errors
///
/// When the log cannot be opened or changes while it is read, when a position is not in it, and the errors of `write`.
/// Damage is not an error: see [`LogReport::ending`].
pub fn log<R: Render>(
    path: &Path,
    options: &LogOptions,
    render: R,
    write: &mut Write<'_>,
    progress: &dyn Progress,
) -> Result<LogReport> {
    let log = open_log(path, progress)?;
    log.name_archive(log_of(&log, options, render, write, progress))
}

fn log_of<R: Render>(
    log: &Log,
    options: &LogOptions,
    render: R,
    write: &mut Write<'_>,
    progress: &dyn Progress,
) -> Result<LogReport> {
    let mark = |position: &Option<position::Position>| -> Result<Option<Mark>> {
        position.as_ref().map(|position| position.in_log(log)).transpose()
    };
    let search = Search {
        filter: &options.filter,
        names: Names::from_filter(&options.filter),
        since: mark(&options.since)?,
        until: mark(&options.until)?,
    };
    let printer = Printer::new(log, render, &options.filter, options.limit, write);
    progress.phase("read", log.bytes());
    let mut reader =
        Reader { log, state: State::at_start(&search), search: &search, printer, progress };
    let ending = if options.reverse { reader.backwards() } else { reader.forwards() }?;
    let state = reader.state;
    let shown = reader.printer.shown();
    let stopped_early = reader.printer.is_full() && !options.reverse;
    if !stopped_early && ending.is_none() {
        check_marks(log, &search, &state)?;
    }
    let ending = ending.or_else(|| empty_rdb(log));
    Ok(LogReport { shown, commands: state.commands, ending })
}

/// Returns the damage of a log with an RDB of 0 bytes, of which the rest was read.
fn empty_rdb(log: &Log) -> Option<Ending> {
    let part = log.parts.iter().find(|part| part.is_empty_rdb())?;
    Some(Ending {
        kind: "empty-rdb",
        part: part.name.clone(),
        offset: 0,
        message: "an RDB of 0 bytes: its keys are gone, and no server writes one".to_owned(),
    })
}

/// Returns an error for positions that were not found in a log that was read to its end.
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
    /// The state at the current position.
    state: State,
    printer: Printer<'r, 'w, R>,
    progress: &'r dyn Progress,
}

/// The frames that begin in a range of one part.
struct Window<'r> {
    part: &'r Part,
    range: Range<usize>,
    /// The state before it.
    before: State,
}

/// The beginning of a part up to its first command.
struct Preamble {
    /// The byte offset at which commands begin.
    start: usize,
    /// The byte offset at which a server stops reading.
    end: usize,
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
            let stop = self.part_forwards(part, preamble.start..preamble.end)?;
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

    fn part_forwards(&mut self, part: &'r Part, read: Range<usize>) -> Result<Stop> {
        let mut stop = Stop { at: read.start, fault: None };
        let mut state = self.state;
        let (mut walked, mut rendered): (Option<Walked>, Option<(Batch, State)>) = (None, None);
        let mut size = FIRST_WINDOW;
        loop {
            let is_read = stop.at >= read.end || stop.fault.is_some() || state.until;
            if is_read && walked.is_none() && rendered.is_none() {
                return Ok(stop);
            }
            let range = stop.at..stop.at.saturating_add(size).min(read.end);
            let window = (!is_read).then_some(Window { part, range, before: state });
            let capacity = walked.as_ref().map_or(0, |walked| walked.found.len());
            let search = self.search;
            let (renderer, output) = self.printer.split();
            let (written, (next_rendered, next_walked)) = rayon::join(
                || {
                    rendered.map_or(Ok(None), |(batch, after)| {
                        output.write(part, batch, renderer).map(|()| Some(after))
                    })
                },
                || {
                    rayon::join(
                        || walked.map(|it| (renderer.batch(part, it.found), it.after)),
                        || {
                            let found = Some(Vec::with_capacity(capacity));
                            window.map(|window| walk(search, &window, found))
                        },
                    )
                },
            );
            if let Some(after) = written? {
                self.state = after;
            }
            if self.printer.is_full() {
                return Ok(stop);
            }
            if let Some(walked) = &next_walked {
                self.progress.advance((walked.stop.at - stop.at) as u64);
                (stop, state) = (walked.stop, walked.after);
            }
            self.progress.check()?;
            (walked, rendered) = (next_walked, next_rendered);
            size = (size * GROWTH).min(WINDOW);
        }
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
            let (windows, stop) = self.windows(part, preamble.start..preamble.end);
            self.progress.check()?;
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
                self.printer.commands(part, found)?;
                if self.printer.is_full() {
                    return Ok(ending);
                }
            }
            part.mapping.check()?;
            self.show_rdb(part, preamble, *at_start)?;
        }
        Ok(ending)
    }

    /// Reads a part to its end, and returns the windows that may contain matching commands.
    fn windows(&mut self, part: &'r Part, read: Range<usize>) -> (Vec<Window<'r>>, Stop) {
        let mut windows = Vec::new();
        let mut stop = Stop { at: read.start, fault: None };
        while stop.at < read.end
            && stop.fault.is_none()
            && !self.state.until
            && !self.progress.is_cancelled()
        {
            let range = stop.at..stop.at.saturating_add(WINDOW).min(read.end);
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
        let bytes = part.mapping.bytes();
        if !part.starts_with_rdb() {
            return Ok(Ok(Preamble { start: 0, end: bytes.len(), rdb: None }));
        }
        let reading = part.read_rdb(&mut rdb::IgnoreDeep, self.progress);
        part.mapping.check()?;
        Ok(match reading {
            Ok(reading) => {
                let start = usize::try_from(reading.len()).unwrap_or(bytes.len());
                let end = part.read_end(bytes, start);
                Ok(Preamble { start, end, rdb: Some(reading) })
            }
            Err(damage) => Err(Ending {
                kind: "broken-rdb",
                part: part.name.clone(),
                offset: damage.offset,
                message: damage.describe(),
            }),
        })
    }

    /// Shows the RDB at the beginning of a part, unless the filter selects commands.
    fn show_rdb(&mut self, part: &Part, preamble: &Preamble, before: State) -> Result<()> {
        let Some(reading) = &preamble.rdb else { return Ok(()) };
        let here = Position { part: u32::try_from(part.index).unwrap_or(u32::MAX), offset: 0 };
        // The RDB is before the command that would reach a number or a time.
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
        self.printer.write_line(part, &line)
    }

    /// Returns the reason why nothing after this point in a part is read, if there is one.
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

/// The result of scanning a window.
struct Walked {
    found: Vec<Match>,
    stop: Stop,
    after: State,
}

fn walk(search: &Search<'_>, window: &Window<'_>, found: Option<Vec<Match>>) -> Walked {
    let part = u32::try_from(window.part.index).unwrap_or(u32::MAX);
    let mut walker = Walker { search, part, state: window.before, found };
    let bytes = window.part.mapping.bytes();
    window.part.mapping.prefault(window.range.clone());
    let stop = scan(bytes, window.range.clone(), &mut walker);
    Walked { found: walker.found.unwrap_or_default(), stop, after: walker.state }
}
