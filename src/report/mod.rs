//! Renders the reports of operations as text or JSON. All functions are pure.
//!
//! The text has ANSI color codes; the caller strips them if needed.

pub mod archive;
pub mod backup;
pub mod bench;
pub mod compact;
pub mod diff;
pub mod digest;
pub mod generate;
pub mod history;
pub mod hold;
mod lines;
pub mod list;
pub mod live;
pub mod log;
mod lost_expiry;
pub mod recover;
pub mod repair;
pub mod restore;
pub mod retention;
pub mod style;
pub mod time;
pub mod verify;

use serde::Serialize;

/// Returns the report as one JSON document with a final newline.
///
/// # Panics
///
/// Never: the reports have only string keys and always serialise.
pub fn json(report: &impl Serialize) -> String {
    let mut text = serde_json::to_string_pretty(report).expect("reports serialise");
    text.push('\n');
    text
}

/// Appends a line with a JSON object whose field `kind` names its type.
fn json_line(kind: &'static str, what: &impl Serialize, out: &mut Vec<u8>) {
    #[derive(Serialize)]
    struct Line<'l, T> {
        kind: &'static str,
        #[serde(flatten)]
        what: &'l T,
    }
    // It always serialises, and writing to memory cannot fail.
    let _ = serde_json::to_writer(&mut *out, &Line { kind, what });
    out.push(b'\n');
}
