//! A description of damage for display: its position, the expected and the actual bytes, and the intact content after
//! it.

use serde::Serialize;

use crate::analysis::survey::Survey;
use crate::aof::recognise::LooksLike;
use crate::aof::{Fault, Frame, salvage};
use crate::base::escape::{Shown, ShownByte};
use crate::command::intact_ranges::{IntactRange, looks_like};

/// A position at which the commands of a part can no longer be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DamageReport {
    /// The file name of the part.
    pub part: String,
    /// The byte offset at which reading failed, from 0.
    pub offset: u64,
    /// The line number of that byte, from 1, counted from the start of the commands and as redis-check-aof does: a
    /// value is one line whatever it contains.
    pub line: u64,
    /// The kind: `short` (the file ends too early), `malformed` (no valid continuation) or `negative-length`.
    pub kind: &'static str,
    /// The expected bytes.
    pub expected: String,
    /// The actual bytes.
    pub found: String,
    /// The ordinal of the broken command in the part, from 1.
    pub command: u64,
    /// The name of the broken command, if it can still be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The byte offset at which the broken command begins: the last boundary between complete commands.
    pub last_boundary: u64,
    /// The byte offset of the last boundary outside a transaction: everything before it is safe.
    pub safe_end: u64,
    /// The byte offset of the MULTI that is open there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub open_multi: Option<u64>,
    /// The number of bytes from the last boundary to the end of the part.
    pub tail_bytes: u64,
    /// Whether all of these bytes are zero, as after a power loss.
    pub tail_is_zero: bool,
    /// The apparently intact content after the damage.
    pub intact: Intact,
    /// The data format that the bytes from the last boundary on resemble, if recognised.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub looks_like: Option<LooksLike>,
    /// The bytes around the damage.
    pub window: Window,
}

/// Apparently intact content after damage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Intact {
    /// The number of complete commands.
    pub commands: u64,
    /// The size of these commands in bytes.
    pub bytes: u64,
    /// The number of contiguous ranges.
    pub ranges: u64,
    /// The byte offset at which the first range begins.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first: Option<u64>,
}

/// The bytes around a position, for display.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Window {
    /// The byte offset of the first byte shown.
    pub start: u64,
    /// The bytes, as two hexadecimal digits each.
    pub hex: String,
    /// The bytes as text, with `.` for anything but printable ASCII.
    pub text: String,
}

/// The number of bytes shown before and after a position.
const WINDOW_BYTES: u64 = 32;

impl Window {
    /// Returns the bytes around `offset`, in whole rows of 16.
    pub(crate) fn around(bytes: &[u8], offset: u64) -> Self {
        let start = offset.saturating_sub(WINDOW_BYTES) / 16 * 16;
        let end = (offset + WINDOW_BYTES).min(bytes.len() as u64);
        let as_index = |offset: u64| usize::try_from(offset).unwrap_or(usize::MAX);
        let shown = bytes.get(as_index(start)..as_index(end)).unwrap_or_default();
        let hex = shown.iter().map(|byte| format!("{byte:02x}")).collect();
        let text = shown
            .iter()
            .map(
                |&byte| {
                    if byte.is_ascii_graphic() || byte == b' ' { char::from(byte) } else { '.' }
                },
            )
            .collect();
        Window { start, hex, text }
    }
}

/// Describes the fault at which the survey stopped; `None` if there is none.
pub fn describe(survey: &Survey<'_>) -> Option<DamageReport> {
    let fault = survey.stop.fault?;
    let bytes = survey.part.mapping.bytes();
    let at = survey.stop.at;
    let (expected, found, index) = sides(fault);
    let lines_into = match index {
        Some(index) => 1 + 2 * u64::from(index),
        None => 0,
    };
    let following = survey.intact_ranges();
    let kind = match fault {
        Fault::Short { .. } => "short",
        Fault::NegativeLength { .. } => "negative-length",
        _ => "malformed",
    };
    Some(DamageReport {
        part: survey.part.name.clone(),
        offset: fault.at() as u64,
        line: survey.tally.next_line() + lines_into,
        kind,
        expected,
        found,
        command: survey.tally.commands + 1,
        name: broken_name(&bytes[at..]),
        last_boundary: at as u64,
        safe_end: survey.safe_end(),
        open_multi: survey.open().map(|open| open.multi),
        tail_bytes: (bytes.len() - at) as u64,
        tail_is_zero: salvage::is_all_zero(bytes, at..bytes.len()),
        intact: Intact::from_ranges(following),
        looks_like: looks_like(bytes, at as u64),
        window: Window::around(bytes, fault.at() as u64),
    })
}

impl Intact {
    /// Returns the sum over the intact ranges.
    pub(crate) fn from_ranges(intact_ranges: &[IntactRange]) -> Self {
        Intact {
            commands: intact_ranges.iter().map(|range| range.commands).sum(),
            bytes: intact_ranges.iter().map(|range| range.range.end - range.range.start).sum(),
            ranges: intact_ranges.len() as u64,
            first: intact_ranges.first().map(|range| range.range.start),
        }
    }
}

/// Returns what was expected, what was found, and in which argument.
pub(crate) fn sides(fault: Fault) -> (String, String, Option<u32>) {
    match fault {
        Fault::Short { claim: Some(claim), .. } => (
            format!(
                "a value of {} bytes and its line end, as declared at byte {} for argument {}",
                claim.bytes, claim.at, claim.index
            ),
            format!("the end of the file after {} bytes", claim.left),
            Some(claim.index),
        ),
        Fault::Short { claim: None, .. } => {
            ("the rest of a command".to_string(), "the end of the file".to_string(), None)
        }
        Fault::NotACommand { found, .. } => {
            ("`*`, which begins a command".to_string(), ShownByte(found).to_string(), None)
        }
        Fault::BadCount { value, .. } => {
            ("a number of arguments of at least 1".to_string(), value.to_string(), None)
        }
        Fault::NotAnArgument { index, found, .. } => (
            format!("`$`, which begins argument {index}"),
            ShownByte(found).to_string(),
            Some(index),
        ),
        Fault::NegativeLength { index, value, .. } => {
            (format!("the length of argument {index}"), value.to_string(), Some(index))
        }
    }
}

/// Returns the name of a broken command, if its first argument is complete.
fn broken_name(bytes: &[u8]) -> Option<String> {
    let header = memchr::memchr(b'\n', &bytes[..bytes.len().min(32)])? + 1;
    // A single argument is parsed as a frame with one argument.
    let frame = [b"*1\r\n", bytes.get(header..bytes.len().min(header + 128))?].concat();
    Frame::read(0, &frame)
        .map(|frame| Shown(frame.name()).to_string().trim_matches('"').to_string())
}
