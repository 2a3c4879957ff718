//! A damage, described so that a person can see it: where, what was expected, what is there, what lies behind.

use serde::Serialize;

use crate::analysis::survey::Survey;
use crate::aof::recognise::LooksLike;
use crate::aof::{Fault, Frame, salvage};
use crate::base::escape::{Shown, ShownByte};
use crate::command::intact_ranges::{Island, islands, looks_like};

/// A place where the commands of a part cannot be read on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DamageReport {
    /// The part's file name.
    pub part: String,
    /// The byte at which reading failed, from 0.
    pub offset: u64,
    /// The line of that byte, from 1, counted from where the commands begin and as redis-check-aof counts: a
    /// value is one line whatever it holds.
    pub line: u64,
    /// `short` (the file ends too early), `malformed` (nothing valid could go on so) or `negative-length`.
    pub kind: &'static str,
    /// What should stand there.
    pub expected: String,
    /// What stands there.
    pub found: String,
    /// Which command of the part it is, from 1.
    pub command: u64,
    /// Its name, where that can still be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Where the broken command begins: the last boundary between whole commands.
    pub last_boundary: u64,
    /// The last boundary outside a transaction: everything before it is safe.
    pub safe_end: u64,
    /// The MULTI that is open there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub open_multi: Option<u64>,
    /// Bytes from the last boundary to the end of the part.
    pub tail_bytes: u64,
    /// Whether all of them are zero, as after a power loss.
    pub tail_is_zero: bool,
    /// What still looks whole behind the damage.
    pub intact: Intact,
    /// What the bytes from the last boundary on look like, where that is recognised.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub looks_like: Option<LooksLike>,
    /// The bytes around the place.
    pub window: Window,
}

/// What looks whole behind a damage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Intact {
    /// Whole commands.
    pub commands: u64,
    /// Their bytes.
    pub bytes: u64,
    /// In how many stretches.
    pub stretches: u64,
    /// Where the first begins.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first: Option<u64>,
}

/// Bytes around a place, for display.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Window {
    /// The offset of the first byte shown.
    pub start: u64,
    /// The bytes, two hexadecimal digits each.
    pub hex: String,
    /// The same as text; what is not printable ASCII as `.`.
    pub text: String,
}

/// Bytes shown before and behind a place.
const WINDOW_BYTES: u64 = 32;

impl Window {
    /// The bytes around `offset`, in whole rows of 16.
    pub fn around(bytes: &[u8], offset: u64) -> Self {
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

/// Describes the fault at which the survey stopped; `None` when there is none.
pub fn describe(survey: &Survey<'_>) -> Option<DamageReport> {
    let fault = survey.stop.fault?;
    let bytes = survey.part.mapping.bytes();
    let at = survey.stop.at;
    let (expected, found, index) = sides(fault);
    let lines_into = match index {
        Some(index) => 1 + 2 * u64::from(index),
        None => 0,
    };
    let behind = islands(bytes, survey.stop);
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
        intact: Intact::of(&behind),
        looks_like: looks_like(bytes, at as u64),
        window: Window::around(bytes, fault.at() as u64),
    })
}

impl Intact {
    /// The sum over stretches.
    pub fn of(islands: &[Island]) -> Self {
        Intact {
            commands: islands.iter().map(|island| island.commands).sum(),
            bytes: islands.iter().map(|island| island.range.end - island.range.start).sum(),
            stretches: islands.len() as u64,
            first: islands.first().map(|island| island.range.start),
        }
    }
}

/// What was expected, what was found, and in which argument.
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

/// The name of a broken command, when its first argument is whole.
fn broken_name(bytes: &[u8]) -> Option<String> {
    let header = memchr::memchr(b'\n', &bytes[..bytes.len().min(32)])? + 1;
    // One argument by itself is a frame of one.
    let frame = [b"*1\r\n", bytes.get(header..bytes.len().min(header + 128))?].concat();
    Frame::read(0, &frame)
        .map(|frame| Shown(frame.name()).to_string().trim_matches('"').to_string())
}
