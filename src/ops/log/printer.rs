//! Rendering matching commands to text on all cores, and writing it in order.

use rayon::prelude::*;

use super::line::{CommandLine, Line, Render};
use super::walk::Match;
use super::wanted::Filter;
use crate::aof::log::{Log, Part};
use crate::aof::read_args;
use crate::base::error::{Error, ErrorKind, Result};

/// The number of commands that a thread renders at a time.
const AT_A_TIME: usize = 1024;

/// A function that receives rendered lines.
pub type Write<'w> = dyn FnMut(&[u8]) -> Result<()> + Send + 'w;

/// Renders and writes lines, up to a limit.
pub(super) struct Printer<'p, 'w, R> {
    renderer: Renderer<'p, R>,
    output: Output<'p, 'w, R>,
}

/// Renders the lines of matching commands.
pub(super) struct Renderer<'p, R> {
    render: R,
    filter: &'p Filter,
}

/// Writes rendered lines, up to a limit.
pub(super) struct Output<'p, 'w, R> {
    render: R,
    write: &'p mut Write<'w>,
    /// The number of lines that may still be shown.
    left: u64,
    /// The part of the last line; `None` if parts are not distinguished.
    last_part: Option<usize>,
    several: bool,
    shown: u64,
}

/// Rendered lines.
struct Rendered {
    text: Vec<u8>,
    lines: u64,
}

/// The rendered lines of matching commands, in the order in which they are shown.
pub(super) struct Batch {
    found: Vec<Match>,
    /// The lines of each [`AT_A_TIME`] of them.
    rendered: Vec<Result<Rendered>>,
}

impl<'p, 'w, R: Render> Printer<'p, 'w, R> {
    pub(super) fn new(
        log: &Log,
        mut render: R,
        filter: &'p Filter,
        limit: Option<u64>,
        write: &'p mut Write<'w>,
    ) -> Self {
        render.begin(log);
        let several = log.parts.len() > 1;
        let left = limit.unwrap_or(u64::MAX);
        let renderer = Renderer { render: render.clone(), filter };
        let output = Output { render, write, left, last_part: None, several, shown: 0 };
        Printer { renderer, output }
    }

    /// Returns whether the limit is reached.
    pub(super) fn is_full(&self) -> bool {
        self.output.left == 0
    }

    /// Returns the number of lines that were written.
    pub(super) fn shown(&self) -> u64 {
        self.output.shown
    }

    /// Returns what renders and what writes, which may be used at the same time.
    pub(super) fn split(&mut self) -> (&Renderer<'p, R>, &mut Output<'p, 'w, R>) {
        (&self.renderer, &mut self.output)
    }

    /// Writes a single line.
    pub(super) fn write_line(&mut self, part: &Part, line: &Line<'_>) -> Result<()> {
        let mut text = Vec::new();
        self.renderer.render.line(line, &mut text);
        self.output.hand_on(part, &Rendered { text, lines: 1 })
    }

    /// Renders and writes matching commands of a part, in the order in which they are shown.
    pub(super) fn commands(&mut self, part: &Part, found: Vec<Match>) -> Result<()> {
        let batch = self.renderer.batch(part, found);
        self.output.write(part, batch, &self.renderer)
    }
}

impl<R: Render> Output<'_, '_, R> {
    /// Writes rendered lines of a part, as many as may still be shown.
    pub(super) fn write(
        &mut self,
        part: &Part,
        batch: Batch,
        renderer: &Renderer<'_, R>,
    ) -> Result<()> {
        for (rendered, found) in batch.rendered.into_iter().zip(batch.found.chunks(AT_A_TIME)) {
            if self.left == 0 {
                return Ok(());
            }
            let mut rendered = rendered?;
            if rendered.lines > self.left {
                rendered = renderer.chunk(part, found, self.left)?;
            }
            self.hand_on(part, &rendered)?;
        }
        Ok(())
    }

    fn hand_on(&mut self, part: &Part, rendered: &Rendered) -> Result<()> {
        if rendered.lines == 0 {
            return Ok(());
        }
        if self.several && self.last_part != Some(part.index) {
            self.last_part = Some(part.index);
            let mut text = Vec::new();
            self.render.part(part, &mut text);
            (self.write)(&text)?;
        }
        self.left -= rendered.lines;
        self.shown += rendered.lines;
        (self.write)(&rendered.text)
    }
}

/// The bytes that are reserved for a line in addition to those of its command.
const LINE_BYTES: usize = 40;

/// The maximum number of bytes that are reserved before a chunk is rendered. Most values that are longer are shortened.
const RESERVED_BYTES: usize = 256 << 10;

impl<R: Render> Renderer<'_, R> {
    /// Renders matching commands of a part on all cores.
    pub(super) fn batch(&self, part: &Part, found: Vec<Match>) -> Batch {
        let chunks = found.par_chunks(AT_A_TIME);
        let rendered = chunks.map(|chunk| self.chunk(part, chunk, u64::MAX)).collect();
        Batch { found, rendered }
    }

    fn chunk(&self, part: &Part, found: &[Match], most: u64) -> Result<Rendered> {
        let bytes = part.mapping.bytes();
        let mut render = self.render.clone();
        let ends = [found.first(), found.last()].map(|found| found.map_or(0, |found| found.offset));
        let commands = usize::try_from(ends[0].abs_diff(ends[1])).unwrap_or(usize::MAX);
        let reserved = commands.saturating_add(LINE_BYTES * found.len()).min(RESERVED_BYTES);
        let mut rendered = Rendered { text: Vec::with_capacity(reserved), lines: 0 };
        let mut args = Vec::new();
        for found in found {
            if rendered.lines == most {
                break;
            }
            let at = usize::try_from(found.offset).unwrap_or(usize::MAX);
            if read_args(bytes, at, &mut args).is_none() {
                part.mapping.check()?;
                return Err(changed(part, found.offset));
            }
            if self.filter.keys.looks_at_names() && !self.filter.wants_keys_of(found.id, &args) {
                continue;
            }
            let line = Line::Command(CommandLine {
                part: &part.name,
                number: part.index + 1,
                offset: found.offset,
                ordinal: found.ordinal,
                db: found.db,
                time: found.time,
                transaction: found.transaction,
                id: found.id,
                args: &args,
            });
            render.line(&line, &mut rendered.text);
            rendered.lines += 1;
        }
        Ok(rendered)
    }
}

fn changed(part: &Part, offset: u64) -> Error {
    Error::new(ErrorKind::Changed, "the command reads otherwise than before")
        .at(&part.path)
        .byte(offset)
        .help("another process is changing the file: work on a copy")
}
