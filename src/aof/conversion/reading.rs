//! What is read of a changed log.

use std::io;
use std::ops::Range;

use serde::Serialize;

use crate::aof::Frame;
use crate::aof::scan::frame_at;
use crate::base::code_page::CodePage;

/// U+FFFD, which programs write in place of bytes that are no text.
pub(crate) const REPLACEMENT: &str = "\u{fffd}";

/// What happened to the bytes of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Change {
    /// A byte order mark was written before it.
    ByteOrderMark,
    /// It was saved as UTF-16.
    #[serde(rename = "utf-16")]
    Utf16,
    /// CR LF became LF.
    LfLineEnds,
    /// CR LF became CR.
    CrLineEnds,
    /// CR LF became CR CR LF.
    DoubledCr,
    /// Lengths count characters instead of bytes.
    CharacterLengths,
    /// Bytes were read as text in an encoding with one byte a character.
    TextEncoding,
    /// Lines of text were written before an RDB.
    LeadingText,
    /// A line end was added between commands.
    ExtraLineEnd,
    /// A command was deleted, but for the lines before its name.
    LeftoverHeader,
    /// Commands as a person types them.
    InlineCommands,
    /// Lines as MONITOR prints them.
    Monitor,
    /// The file was compressed by gzip.
    Gzip,
    /// The file was compressed by zstd.
    Zstd,
    /// Marks of git around two versions of some lines.
    ConflictMarkers,
    /// CR was put before each LF of an RDB, as if it were text.
    RdbCrAdded,
    /// CR LF in an RDB became LF, as if it were text.
    RdbCrRemoved,
}

/// A change that was undone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Undone {
    /// What happened.
    pub change: Change,
    /// The number of places: of commands, where the change is one of commands.
    pub places: u64,
    /// The byte offset of the first of them.
    pub first: u64,
    /// The number of lines that were left out, because no server logs them.
    pub left_out: u64,
    /// The number of values of which the line ends or the text are assumed, because nothing proves what they were; of an
    /// RDB, the number of places if its checksum does not prove them.
    pub assumed: u64,
    /// The encoding in which bytes were read as text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encoding: Option<CodePage>,
}

impl Undone {
    /// A change that was undone in so many places, the first of them at byte `first`.
    pub fn new(change: Change, places: u64, first: u64) -> Self {
        Undone { change, places, first, left_out: 0, assumed: 0, encoding: None }
    }
}

/// The commands of servers, as far as they matter here. Names are in any case.
pub(crate) trait Commands {
    /// Returns whether a server has a command of this name that takes so many arguments, the name included.
    fn accepts(&self, name: &[u8], argc: usize) -> bool;
    /// Returns whether the command changes data.
    fn writes(&self, name: &[u8]) -> bool;
}

/// Calls its last argument with each command of whole lines at an offset, and returns the offset after the lines and the
/// number of those that are no command; `None` if they are not of its kind.
pub(super) type Lines = fn(
    &[u8],
    usize,
    &dyn Commands,
    &mut dyn FnMut(&[Vec<u8>]) -> io::Result<()>,
) -> io::Result<Option<(usize, u64)>>;

/// The commands in the place of bytes.
pub(super) enum Replacement {
    Nothing,
    Command(Vec<Vec<u8>>),
    /// Those of so many lines that they are read once more to be written, and not held in memory.
    Lines(Lines, u64),
}

/// What a rule makes of the bytes at an offset.
pub(super) struct Reading {
    pub(super) change: Change,
    /// The offset at which reading goes on.
    pub(super) end: usize,
    pub(super) commands: Replacement,
    /// Annotation lines in their place, without a line end.
    pub(super) annotation: Option<Range<usize>>,
    /// The number of lines that are left out.
    pub(super) left_out: u64,
    /// The number of values of which the line ends or the text are assumed.
    pub(super) assumed: u64,
    /// The arguments whose lengths count characters, by index.
    pub(super) counted: Vec<usize>,
}

impl Reading {
    pub(super) fn command(change: Change, end: usize, args: Vec<Vec<u8>>) -> Reading {
        Reading::of(change, end, Replacement::Command(args))
    }

    pub(super) fn nothing(change: Change, end: usize) -> Reading {
        Reading::of(change, end, Replacement::Nothing)
    }

    fn of(change: Change, end: usize, commands: Replacement) -> Reading {
        Reading {
            change,
            end,
            commands,
            annotation: None,
            left_out: 0,
            assumed: 0,
            counted: Vec::new(),
        }
    }

    /// Returns the reading of whole lines; `None` if they are not of this kind, or without a command.
    pub(super) fn lines(
        change: Change,
        bytes: &[u8],
        at: usize,
        commands: &dyn Commands,
        lines: Lines,
    ) -> Option<Reading> {
        let mut count = 0;
        let mut each = |_: &[Vec<u8>]| {
            count += 1;
            Ok(())
        };
        let (end, left_out) = lines(bytes, at, commands, &mut each).ok()??;
        let commands = Replacement::Lines(lines, count);
        (count > 0).then_some(Reading { left_out, ..Reading::of(change, end, commands) })
    }

    /// The number of places that were changed.
    pub(super) fn places(&self) -> u64 {
        match self.commands {
            Replacement::Nothing | Replacement::Command(_) => 1,
            Replacement::Lines(_, count) => count,
        }
    }
}

/// Returns the end of the frame at `at`, if it has the form in which servers write it. Servers do not check what follows
/// a value, so they read some frames that have another.
pub(super) fn canonical_end(bytes: &[u8], at: usize) -> Option<usize> {
    let frame = frame_at(bytes, at).filter(Frame::is_canonical)?;
    Some(at + frame.bytes().len())
}
