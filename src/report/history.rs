//! The lines of `aofkit history`.

use std::io::Write;

use super::diff::{size, time_ms};
use super::envelope::Report;
use super::log::args;
use super::time::local;
use crate::base::escape::quote;
use crate::base::units::counted;
use crate::ops::history::{Event, FinalKey, HistoryReport, KeyContent, Touched};

/// Appends an event: the command as in `aofkit log`, and below it the change of the key. The key is named if it has
/// another name than `key` or several keys changed. Long values are not shortened if `full`.
pub fn event(event: &Event<'_>, key: &[u8], full: bool, out: &mut Vec<u8>) {
    // Writing to memory cannot fail.
    let _ = write!(out, "{}:{} ", event.number, event.offset);
    if let Some(time) = event.time {
        let _ = write!(out, "{} ", local(time));
    }
    match event.db {
        Some(db) => {
            let _ = write!(out, "[{db}] ");
            args(event.args, full, out);
        }
        None => out.extend_from_slice(b"RDB"),
    }
    out.push(b'\n');
    if let Some(error) = event.error {
        let _ = writeln!(out, "    failed: {error}");
    }
    for touched in event.touched {
        let is_plain =
            event.touched.len() == 1 && touched.key == key && event.db == Some(touched.db);
        self::touched(touched, !is_plain, out);
    }
}

fn touched(touched: &Touched, named: bool, out: &mut Vec<u8>) {
    out.extend_from_slice(b"    ");
    if named {
        let _ = write!(out, "[{}] ", touched.db);
        quote(&touched.key, out);
        out.extend_from_slice(b": ");
    }
    let (before, after) = (held(touched.before.as_ref()), held(touched.after.as_ref()));
    let text = match touched.before == touched.after {
        true => format!("unchanged: {before}\n"),
        false => format!("{before} -> {after}\n"),
    };
    out.extend_from_slice(text.as_bytes());
}

/// Returns the state of a key: `hash, 3 fields, expires 2026-11-22 03:10:00 +01:00`, or `string "12", ..`.
fn held(held: Option<&KeyContent>) -> String {
    let Some(KeyContent { state, value }) = held else { return "nothing".to_owned() };
    let expires = state.expires_ms.map_or(String::new(), |ms| format!(", expires {}", time_ms(ms)));
    let kind = if state.carried { "not understood".to_owned() } else { state.kind.to_string() };
    let Some(value) = value else { return format!("{kind}, {}{expires}", size(state)) };
    let mut quoted = Vec::new();
    quote(value, &mut quoted);
    format!("{kind} {}{expires}", String::from_utf8_lossy(&quoted))
}

/// Appends the final state of the key.
pub fn end(report: &HistoryReport, out: &mut Vec<u8>) {
    let _ = write!(out, "{}; ", counted(report.events, "event"));
    match &report.places[..] {
        [] => out.extend_from_slice(b"the key does not exist at the end\n"),
        [place] => {
            out.extend_from_slice(b"at the end ");
            self::place(place, out);
        }
        places => {
            out.extend_from_slice(b"at the end\n");
            for place in places {
                out.extend_from_slice(b"    ");
                self::place(place, out);
            }
        }
    }
    if let Some(origin) = report.origin.as_ref().filter(|origin| origin.is_inferred()) {
        let _ = writeln!(out, "written by {origin}");
    }
}

fn place(place: &FinalKey, out: &mut Vec<u8>) {
    let _ = write!(out, "[{}] ", place.db);
    quote(&place.key, out);
    let _ = writeln!(out, ": {}", held(Some(&place.held)));
}

impl Report for HistoryReport {
    const NAME: &'static str = "history";
}
