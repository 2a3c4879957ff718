//! Reading ahead, on all cores, over the part of a file that is as servers write it.
//!
//! The grammar of redis-check-aof is defined one line after the other by [`Scan`](super::strict::Scan). Canonical
//! commands and short annotations are valid in it as they are in that of the scan, so that the scan can read them, up to
//! the first unit of another form and the first MULTI or EXEC that does not fit. From there on, the definition is
//! followed, from the state in which it would have come there.

use crate::aof::manifest::strtol;
use crate::aof::{Frame, Join, Sink};

/// The size of the buffer for annotations in bytes, including the terminating zero byte.
pub(super) const ANNOTATION_BYTES: usize = 1024;

/// The number of bytes of the longest header line of a canonical command, and of the zero byte after it.
const LINE_BYTES: usize = 24;

/// The state after a segment of units that are as servers write them.
#[derive(Debug, Clone)]
pub(super) struct Ahead {
    /// The number of commands.
    pub(super) commands: u64,
    /// The number of their arguments.
    pub(super) arguments: u64,
    /// The offsets at which the last unit begins and ends; `None` if there is no unit.
    pub(super) last: Option<(u64, u64)>,
    /// Whether a transaction is open. Before the first MULTI or EXEC of a segment, it is not known whether one was.
    pub(super) is_open: bool,
    /// The offset of the last MULTI.
    pub(super) multi: u64,
    /// Whether the first MULTI or EXEC of the segment is a MULTI.
    begins_with_multi: Option<bool>,
    /// What the `*` header lines left in a buffer, and how many bytes of it.
    header: [u8; LINE_BYTES],
    header_bytes: usize,
    /// The number of arguments of the last command, if its header is not in the buffer yet.
    argc: u32,
    /// The time after which an annotation ends the segment.
    until: Option<i64>,
    /// Whether a unit was not as expected: nothing after it counts.
    has_ended: bool,
}

impl Ahead {
    pub(super) fn new(until: Option<i64>) -> Ahead {
        Ahead {
            commands: 0,
            arguments: 0,
            last: None,
            is_open: false,
            multi: 0,
            begins_with_multi: None,
            header: [0; LINE_BYTES],
            header_bytes: 0,
            argc: 0,
            until,
            has_ended: false,
        }
    }

    /// Returns what the header lines left in the buffer.
    pub(super) fn header(&self) -> &[u8] {
        &self.header[..self.header_bytes]
    }

    /// Writes a header line to the buffer, as far as it is needed: a later line covers the beginning of an earlier one.
    #[inline(never)]
    fn write_header(&mut self, argc: u32) {
        let mut digits = itoa::Buffer::new();
        let pieces = [b"*", digits.format(argc).as_bytes(), b"\r\n\0"];
        let mut at = 0;
        for piece in pieces {
            self.header[at..at + piece.len()].copy_from_slice(piece);
            at += piece.len();
        }
        self.header_bytes = self.header_bytes.max(at);
    }

    /// Tracks a MULTI or EXEC. Returns whether it fits.
    #[cold]
    fn mark(&mut self, is_multi: bool, offset: u64) -> bool {
        match self.begins_with_multi {
            None => self.begins_with_multi = Some(is_multi),
            Some(_) if is_multi == self.is_open => return false,
            Some(_) => {}
        }
        self.is_open = is_multi;
        if is_multi {
            self.multi = offset;
        }
        true
    }
}

/// Returns whether a name is MULTI (true) or EXEC (false), in any case. A name ends at its first zero byte.
#[inline]
fn mark_of(frame: &Frame<'_>) -> Option<bool> {
    const LOWER: u64 = 0x2020_2020_2020_2020;
    let (from_name, len) = frame.bytes_from_name();
    let name = match from_name.first_chunk::<8>() {
        Some(name) => *name,
        None => {
            let mut name = [0; 8];
            name.iter_mut().zip(from_name).for_each(|(to, from)| *to = *from);
            name
        }
    };
    let name = u64::from_le_bytes(name);
    // The length of names without a zero byte in their first six bytes.
    let ends_at = |at: usize| len == at || len > at && (name >> (8 * at)) & 0xFF == 0;
    let lower = name | LOWER;
    if lower & 0xFFFF_FFFF == u64::from(u32::from_le_bytes(*b"exec")) && ends_at(4) {
        return Some(false);
    }
    let multi = u64::from_le_bytes(*b"multi\0\0\0");
    (lower & 0xFF_FFFF_FFFF == multi && ends_at(5)).then_some(true)
}

impl Sink for Ahead {
    #[inline]
    fn command(&mut self, frame: Frame<'_>) {
        if self.has_ended {
            return;
        }
        let fits = frame.is_canonical()
            && mark_of(&frame).is_none_or(|is_multi| self.mark(is_multi, frame.offset()));
        if !fits {
            self.has_ended = true;
            return;
        }
        self.commands += 1;
        self.arguments += u64::from(frame.argc());
        self.last = Some((frame.offset(), frame.end()));
        self.argc = frame.argc();
        if self.argc > 9 {
            self.write_header(self.argc);
        }
    }

    fn annotation(&mut self, offset: u64, line: &[u8]) {
        let is_later = |until| later(line, until) != Some(false);
        self.has_ended |= line.len() >= ANNOTATION_BYTES || self.until.is_some_and(is_later);
        if !self.has_ended {
            self.last = Some((offset, offset + line.len() as u64));
        }
    }
}

impl Join for Ahead {
    fn join(&mut self, later: Self) {
        // A segment before the first unit of another form is always the one from the start of the file.
        self.has_ended |= later.begins_with_multi.is_some_and(|is_multi| is_multi == self.is_open);
        if self.has_ended {
            return;
        }
        self.commands += later.commands;
        self.arguments += later.arguments;
        self.last = later.last.or(self.last);
        if later.begins_with_multi.is_some() {
            self.is_open = later.is_open;
            // An EXEC alone does not change where the last MULTI was, which only counts while it is open.
            self.multi = if later.is_open { later.multi } else { self.multi };
        }
        self.header[..later.header_bytes].copy_from_slice(later.header());
        self.header_bytes = self.header_bytes.max(later.header_bytes);
        self.has_ended = later.has_ended;
    }

    fn finish(&mut self) {
        if (1..=9).contains(&self.argc) {
            self.write_header(self.argc);
        }
    }
}

/// Returns whether a line is an annotation with a time after `timestamp`; `None` if the time is invalid.
pub(super) fn later(line: &[u8], timestamp: i64) -> Option<bool> {
    let Some(text) = line.strip_prefix(b"#TS:") else { return Some(false) };
    let number = strtol(text);
    if number.overflow || text.get(number.used) != Some(&b'\r') {
        return None;
    }
    Some(number.value > timestamp)
}
