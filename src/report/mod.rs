//! What operations return, rendered: text for people, JSON for scripts. Pure functions of the typed reports.
//!
//! The text carries colour as ANSI codes; whoever prints it strips them where they are not wanted.

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

/// The report as one JSON document, with a final newline.
///
/// # Panics
///
/// Never: the reports have no maps with keys that are not strings, and nothing that fails to serialise.
pub fn json(report: &impl Serialize) -> String {
    let mut text = serde_json::to_string_pretty(report).expect("reports serialise");
    text.push('\n');
    text
}

/// Appends one of several JSON objects, a line each, with a field that says of what `kind` it is.
fn json_line(kind: &'static str, what: &impl Serialize, out: &mut Vec<u8>) {
    #[derive(Serialize)]
    struct Line<'l, T> {
        kind: &'static str,
        #[serde(flatten)]
        what: &'l T,
    }
    // Nothing in it fails to serialise, and writing to memory cannot fail.
    let _ = serde_json::to_writer(&mut *out, &Line { kind, what });
    out.push(b'\n');
}
