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
    write: &'p mut Write<'w>,
    /// The number of lines that may still be shown.
    left: u64,
    /// The part of the last line; `None` if parts are not distinguished.
    last_part: Option<usize>,
    several: bool,
    pub(super) shown: u64,
}

/// The renderer of a thread.
struct Renderer<'p, R> {
    render: R,
    filter: &'p Filter,
}

/// Rendered lines.
struct Rendered {
    text: Vec<u8>,
    lines: u64,
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
        let renderer = Renderer { render, filter };
        Printer { renderer, write, left, last_part: None, several, shown: 0 }
    }

    /// Returns whether the limit is reached.
    pub(super) fn is_full(&self) -> bool {
        self.left == 0
    }

    /// Writes a single line.
    pub(super) fn write_line(&mut self, part: &Part, line: &Line<'_>) -> Result<()> {
        let mut text = Vec::new();
        self.renderer.render.line(line, &mut text);
        self.hand_on(part, &Rendered { text, lines: 1 })
    }

    /// Writes matching commands of a part, in the order in which they are shown.
    pub(super) fn commands(&mut self, part: &Part, found: &[Match]) -> Result<()> {
        // Rendering more than a few rounds of all cores at once would only use memory.
        for some in found.chunks(AT_A_TIME * 4 * rayon::current_num_threads()) {
            let renderer = &self.renderer;
            let rendered: Vec<Result<Rendered>> = some
                .par_chunks(AT_A_TIME)
                .map(|chunk| renderer.chunk(part, chunk, u64::MAX))
                .collect();
            for (rendered, chunk) in rendered.into_iter().zip(some.chunks(AT_A_TIME)) {
                let mut rendered = rendered?;
                if rendered.lines > self.left {
                    rendered = self.renderer.chunk(part, chunk, self.left)?;
                }
                self.hand_on(part, &rendered)?;
                if self.is_full() {
                    return Ok(());
                }
            }
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
            self.renderer.render.part(part, &mut text);
            (self.write)(&text)?;
        }
        self.left -= rendered.lines;
        self.shown += rendered.lines;
        (self.write)(&rendered.text)
    }
}

impl<R: Render> Renderer<'_, R> {
    fn chunk(&self, part: &Part, found: &[Match], most: u64) -> Result<Rendered> {
        let bytes = part.mapping.bytes();
        let mut render = self.render.clone();
        let mut rendered = Rendered { text: Vec::new(), lines: 0 };
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
