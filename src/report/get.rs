//! The text of `aofkit get`.

use std::fmt::Write as _;
use std::io::Write as _;

use super::diff::{size, time_ms};
use super::envelope::Report;
use super::lines::{alternatives, row};
use super::style::{QUIET, STRONG, Styled, WARNING};
use super::time::local;
use crate::base::escape::{OwnedText, ShownPath, quote};
use crate::base::units::{Count, counted};
use crate::ops::get::{
    Content, FoundKey, GetPoint, GetReport, HashField, LastEvent, StreamContent,
};

/// The number of elements of a collection that are shown.
const SHOWN_ELEMENTS: usize = 100;
/// The number of bytes of a string that are shown.
const SHOWN_STRING: usize = 4096;
/// The number of bytes of an element that are shown.
const SHOWN_BYTES: usize = 256;

/// Returns the report as text. Long values are shortened, unless `full`.
pub fn text(report: &GetReport, full: bool) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    for found in &report.found {
        let _ = writeln!(out, "{} {}", Styled(STRONG, quoted(&report.key, None)), place(report));
        facts(&mut out, found);
        out.push('\n');
        value(&mut out, &found.content, full);
        if report.found.len() > 1 {
            out.push('\n');
        }
    }
    if let Some(why) = report.at.as_ref().and_then(|at| at.why.as_ref()) {
        let _ = writeln!(out, "\n{} {why}", Styled(QUIET, "position:"));
    }
    if let Some(origin) = report.origin.as_ref().filter(|origin| origin.is_inferred()) {
        let _ = writeln!(out, "written by {origin}");
    }
    out
}

/// Returns the message for a key that is not there.
pub fn absent(report: &GetReport) -> String {
    let mut out = String::new();
    let (note, key) = (Styled(QUIET, "note:"), quoted(&report.key, None));
    // Writing to a string cannot fail.
    let _ = writeln!(out, "{note} there is no key {key} {}", place(report));
    if !report.other_dbs.is_empty() {
        let dbs: Vec<String> = report.other_dbs.iter().map(u32::to_string).collect();
        let _ = writeln!(out, "it is in database {}", dbs.join(", "));
    }
    match &report.last_event {
        Some(event) => {
            let _ = writeln!(out, "the last write to it is {}", last(event));
        }
        None if report.by_filter => {
            out.push_str("the key filter of the archive does not have it: it was never written\n");
        }
        None => out.push_str("no command before that writes to it\n"),
    }
    let _ = alternatives(&mut out, &report.next);
    out
}

fn last(event: &LastEvent) -> String {
    let command = event.command.as_deref().unwrap_or("the RDB");
    let time = event.time.map_or(String::new(), |time| format!(", {}", local(time)));
    format!("{command} at {}:{}{time}", event.number, event.offset)
}

fn place(report: &GetReport) -> String {
    let path = ShownPath(&report.path);
    match &report.at {
        None => format!("at the end of {path}"),
        Some(GetPoint { number, offset, commands, time, .. }) => {
            let time = time.map_or(String::new(), |time| format!(", {}", time_ms(time)));
            let count = counted(*commands, "command");
            format!("in {path} before {number}:{offset} (after {count}{time})")
        }
    }
}

fn facts(out: &mut String, found: &FoundKey) {
    let state = &found.state;
    let kind = match &found.content {
        Content::Unknown(unknown) => {
            format!("not understood, {} unknown to aofkit", counted(unknown.count, "command"))
        }
        Content::String(_) => format!("string, {}", size(state)),
        Content::Module(module) => {
            let name = module.name.as_deref().unwrap_or("unknown");
            format!("value of the module {}, {}", name.escape_debug(), size(state))
        }
        _ => match found.bytes {
            Some(bytes) => {
                format!("{}, {}, {}", state.kind, size(state), counted(bytes, "byte"))
            }
            None => format!("{}, {}", state.kind, size(state)),
        },
    };
    let expiry = match (state.expires_ms, found.expired) {
        (None, _) => "never".to_owned(),
        (Some(ms), Some(true)) => {
            let expired = Styled(WARNING, "expired");
            format!("{expired} at {}: a server returns nothing", time_ms(ms))
        }
        (Some(ms), Some(false)) => time_ms(ms),
        (Some(ms), None) => {
            format!("{} (no annotation tells the time of the position)", time_ms(ms))
        }
    };
    // Writing to a string cannot fail.
    let _ = row(out, "type", &kind);
    let _ = row(out, "database", &found.db.to_string());
    let _ = row(out, "expires", &expiry);
    let _ = row(out, "fingerprint", &found.fingerprint);
}

/// Returns bytes quoted as by redis-cli; more than `limit` bytes are shortened.
pub(super) fn quoted(bytes: &[u8], limit: Option<usize>) -> String {
    let mut out = Vec::new();
    match limit.filter(|limit| bytes.len() > *limit) {
        Some(limit) => {
            quote(&bytes[..limit], &mut out);
            out.truncate(out.len().saturating_sub(1));
            // Writing to memory cannot fail.
            let _ = write!(out, "..\" ({})", counted(bytes.len() as u64, "byte"));
        }
        None => quote(bytes, &mut out),
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// A value as it is written.
struct Shown<'o> {
    out: &'o mut String,
    full: bool,
}

fn value(out: &mut String, content: &Content, full: bool) {
    let mut shown = Shown { out, full };
    match content {
        Content::String(string) => {
            let limit = (!full).then_some(SHOWN_STRING);
            let text = quoted(&string.0, limit);
            shown.out.push_str(&text);
            shown.out.push('\n');
        }
        Content::List(items) | Content::Set(items) => {
            shown.items(items, |shown, item| shown.data(item));
        }
        Content::Zset(members) => shown.items(members, |shown, member| {
            format!("{} => {}", shown.data(&member.member), member.score)
        }),
        Content::Hash(fields) => shown.items(fields, Shown::field),
        Content::Stream(stream) => shown.stream(stream),
        Content::Array(elements) => {
            let all = if full { elements.len() } else { SHOWN_ELEMENTS };
            for element in elements.iter().take(all) {
                let text = format!("[{}] {}\n", element.index, shown.data(&element.value));
                shown.out.push_str(&text);
            }
            shown.rest(elements.len());
        }
        Content::Module(_) => {
            shown.out.push_str("only the module can read it; --resp prints a RESTORE of it\n");
        }
        Content::Unknown(unknown) => {
            let names: Vec<String> =
                unknown.commands.iter().map(|name| quoted(&name.0, Some(SHOWN_BYTES))).collect();
            let names = names.join(", ");
            // Writing to a string cannot fail.
            let _ = writeln!(
                shown.out,
                "changed by {names}, which no known server has; --resp prints these commands"
            );
        }
    }
}

impl Shown<'_> {
    fn data(&self, data: &OwnedText) -> String {
        quoted(&data.0, (!self.full).then_some(SHOWN_BYTES))
    }

    fn field(&self, field: &HashField) -> String {
        let pair = format!("{} => {}", self.data(&field.field), self.data(&field.value));
        match field.expires_ms {
            Some(ms) => format!("{pair} (expires {})", time_ms(ms)),
            None => pair,
        }
    }

    /// Writes numbered items, as redis-cli does.
    fn items<T>(&mut self, items: &[T], line: impl Fn(&Self, &T) -> String) {
        let all = if self.full { items.len() } else { SHOWN_ELEMENTS };
        let width = items.len().min(all).to_string().len();
        for (index, item) in items.iter().take(all).enumerate() {
            let text = line(self, item);
            // Writing to a string cannot fail.
            let _ = writeln!(self.out, "{:>width$}) {text}", index + 1);
        }
        self.rest(items.len());
    }

    fn rest(&mut self, count: usize) {
        let rest = count.saturating_sub(SHOWN_ELEMENTS) as u64;
        if !self.full && rest > 0 {
            // Writing to a string cannot fail.
            let _ = writeln!(self.out, "... {} more; --full shows all", Count(rest));
        }
    }

    fn stream(&mut self, stream: &StreamContent) {
        self.items(&stream.entries, |shown, entry| {
            let fields: Vec<String> = entry.fields.iter().map(|pair| shown.field(pair)).collect();
            format!("{}: {}", entry.id, fields.join(", "))
        });
        // Writing to a string cannot fail.
        let _ = writeln!(
            self.out,
            "last ID {}, {} added",
            stream.last_id,
            counted(stream.entries_added, "message")
        );
        for group in &stream.groups {
            let _ = writeln!(
                self.out,
                "group {}: last ID {}, {} pending",
                self.data(&group.name),
                group.last_id,
                Count(group.pending)
            );
            for consumer in &group.consumers {
                let count = Count(consumer.pending.len() as u64);
                let name = self.data(&consumer.name);
                let _ = writeln!(self.out, "  consumer {name}: {count} pending");
            }
        }
    }
}

/// Returns the value as redis-cli --raw prints it: the bytes of a string as they are, and of a collection one element a
/// line.
///
/// # Errors
///
/// What the value is, if it has no such form.
pub fn raw(content: &Content) -> Result<Vec<u8>, String> {
    let mut out = Vec::new();
    let mut line = |bytes: &[u8]| {
        out.extend_from_slice(bytes);
        out.push(b'\n');
    };
    match content {
        Content::String(string) => out.extend_from_slice(&string.0),
        Content::List(items) | Content::Set(items) => items.iter().for_each(|item| line(&item.0)),
        Content::Zset(members) => members.iter().for_each(|member| {
            line(&member.member.0);
            line(member.score.as_bytes());
        }),
        Content::Hash(fields) => fields.iter().for_each(|pair| {
            line(&pair.field.0);
            line(&pair.value.0);
        }),
        Content::Stream(stream) => {
            for entry in &stream.entries {
                line(entry.id.as_bytes());
                for pair in &entry.fields {
                    line(&pair.field.0);
                    line(&pair.value.0);
                }
            }
        }
        Content::Array(elements) => elements.iter().for_each(|element| line(&element.value.0)),
        Content::Module(_) => return Err("the value of a module".to_owned()),
        Content::Unknown(_) => return Err("a value that unknown commands changed".to_owned()),
    }
    Ok(out)
}

impl Report for GetReport {
    const NAME: &'static str = "get";
}
