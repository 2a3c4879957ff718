//! The text of `aofkit diff`, and the lines of its list.

use std::fmt::{self, Write as _};
use std::io::Write as _;

use super::envelope::Report;
use super::style::{ERROR, GOOD, QUIET, STRONG, Styled, WARNING};
use super::time::local;
use crate::analysis::key_state::KeyState;
use crate::base::escape::{Shown, ShownPath, quote};
use crate::base::units::{Count, counted};
use crate::ops::diff::{
    ComparedServer, DiffReport, Difference, Numbers, Reason, RunningComparison, Side,
};

/// Returns the report as text.
pub fn text(report: &DiffReport) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = write_text(&mut out, report);
    out
}

fn write_text(out: &mut String, report: &DiffReport) -> fmt::Result {
    for (name, side) in [("A", &report.a), ("B", &report.b)] {
        write!(out, "{name}  {}", Styled(STRONG, ShownPath(&side.path)))?;
        match &side.server {
            Some(server) => writeln!(out, " ({})", identity(server))?,
            None => writeln!(out)?,
        }
    }
    if report.keys != Numbers::default() {
        table(out, report)?;
    }
    if !report.reasons.is_empty() {
        let reasons = report.reasons.iter();
        let reasons: Vec<String> =
            reasons.map(|of| format!("{} {}", of.reason.name(), Count(of.keys))).collect();
        writeln!(out, "\n  {} {}", Styled(QUIET, "different in"), reasons.join(" · "))?;
    }
    notes(out, report)?;
    writeln!(out)?;
    let functions = report.functions_differ == Some(true);
    let not_compared = report.running.as_ref().map_or(0, |running| running.not_compared);
    match (report.keys.differing(), functions) {
        (0, false) if not_compared > 0 => {
            let same = counted(report.keys.same, "key");
            let keys = counted(not_compared, "key");
            writeln!(out, "{}: {keys}; {same} the same", Styled(ERROR, "NOT COMPARED"))
        }
        (0, false) => {
            let same = counted(report.keys.same, "key");
            writeln!(out, "{}: {same} on both sides, no differences", Styled(GOOD, "SAME"))
        }
        (0, true) => writeln!(out, "{}: in function libraries", Styled(ERROR, "DIFFERENT")),
        (keys, functions) => {
            let functions = if functions { ", and function libraries" } else { "" };
            let of = Count(keys + report.keys.same);
            writeln!(out, "{}: {} of {of} keys{functions}", Styled(ERROR, "DIFFERENT"), Count(keys))
        }
    }
}

fn table(out: &mut String, report: &DiffReport) -> fmt::Result {
    let head = format!(
        "  {:>4}  {:<8}{:>14}{:>14}{:>14}{:>14}",
        "db", "type", "only in A", "only in B", "different", "same"
    );
    writeln!(out, "\n{}", Styled(QUIET, head))?;
    let mut row = |db: &str, kind: &str, keys: &Numbers| {
        let [a, b, different, same] =
            [keys.only_a, keys.only_b, keys.different, keys.same].map(Count);
        writeln!(out, "  {db:>4}  {kind:<8}{a:>14}{b:>14}{different:>14}{same:>14}")
    };
    for of in &report.by_type {
        row(&of.db.to_string(), &of.kind.to_string(), &of.keys)?;
    }
    if report.by_type.len() > 1 {
        row("all", "", &report.keys)?;
    }
    Ok(())
}

fn notes(out: &mut String, report: &DiffReport) -> fmt::Result {
    for (name, side) in [("A", &report.a), ("B", &report.b)] {
        for note in notes_on(side) {
            writeln!(out, "  {} {note}", Styled(WARNING, format_args!("{name}:")))?;
        }
    }
    for note in report.running.iter().flat_map(notes_on_running) {
        writeln!(out, "  {}", Styled(WARNING, note))?;
    }
    Ok(())
}

fn notes_on(side: &Side) -> Vec<String> {
    let mut notes = Vec::new();
    if let Some(torn) = side.torn {
        let what = if torn.transaction { "a transaction without EXEC" } else { "a torn command" };
        let bytes = counted(torn.bytes, "byte");
        notes.push(format!("{what} at byte {}: {bytes} not compared", Count(torn.offset)));
    }
    if side.failed > 0 {
        let failed = counted(side.failed, "command");
        notes.push(format!("{failed} that a server answers with an error"));
    }
    if side.left_out.unwanted > 0 {
        notes.push(format!("{} left out by filters", counted(side.left_out.unwanted, "key")));
    }
    if side.left_out.expired > 0 {
        notes.push(format!("{} left out, expired", counted(side.left_out.expired, "key")));
    }
    notes
}

/// Returns a server as text: `redis 7.0.15, cluster of 3 nodes`.
fn identity(server: &ComparedServer) -> String {
    match server.nodes.len() {
        0 => server.version.clone(),
        nodes => format!("{}, cluster of {}", server.version, counted(nodes as u64, "node")),
    }
}

/// Returns what applies to running servers only.
fn notes_on_running(running: &RunningComparison) -> Vec<String> {
    let mut notes = Vec::new();
    if running.asked_again > 0 {
        let keys = counted(running.asked_again, "key");
        let settled = match running.settled {
            0 => "none was the same then".to_owned(),
            settled => format!("{} the same or gone then", Count(settled)),
        };
        notes.push(format!("servers change meanwhile: {keys} asked for twice, {settled}"));
    }
    if running.not_compared > 0 {
        let keys = counted(running.not_compared, "key");
        notes.push(format!("{keys} not compared:"));
        for key in running.not_compared_keys.iter().take(3) {
            notes.push(format!("  [{}] {}: {}", key.db, Shown(&key.key), key.reason));
        }
    }
    if running.slots_moved {
        notes.push("slots moved all the time: keys that only a cluster has may be missing".into());
    }
    notes
}

/// Appends a line of the list: `-` for a key only in A, `+` for a key only in B, `~` for a key that differs.
pub fn line(difference: &Difference, out: &mut Vec<u8>) {
    let (sign, state) = match (&difference.a, &difference.b) {
        (Some(a), None) => ('-', a),
        (None, Some(b)) => ('+', b),
        (Some(a), Some(_)) => ('~', a),
        (None, None) => return,
    };
    // Writing to memory cannot fail.
    let _ = write!(out, "{sign} [{}] {} ", difference.db, state.kind);
    quote(&difference.key, out);
    let _ = match (&difference.a, &difference.b) {
        (Some(a), Some(b)) => {
            let reasons = difference.reasons.iter();
            let reasons: Vec<String> = reasons.map(|reason| against(*reason, a, b)).collect();
            writeln!(out, " {}", reasons.join(", "))
        }
        _ => writeln!(out, " {}", size(state)),
    };
}

/// Returns a difference as text: `value (2 fields / 3 fields)`.
fn against(reason: Reason, a: &KeyState, b: &KeyState) -> String {
    let name = reason.name();
    match reason {
        Reason::Type => format!("{name} ({} / {})", a.kind, b.kind),
        Reason::Value if a.size != b.size => format!("{name} ({} / {})", size(a), size(b)),
        Reason::Value => format!("{name} ({})", size(a)),
        Reason::FieldExpiry | Reason::StreamState => name.to_owned(),
        Reason::Expiry => format!("{name} ({} / {})", expiry(a), expiry(b)),
    }
}

/// Returns the size with its unit: `3 fields`.
pub(super) fn size(state: &KeyState) -> String {
    counted(state.size, state.unit())
}

/// Returns the expiry as text: `never`, or a time with milliseconds.
pub(super) fn expiry(state: &KeyState) -> String {
    state.expires_ms.map_or("never".to_owned(), time_ms)
}

/// Returns a time in Unix milliseconds as local time, `2026-11-22 03:10:00 +01:00`, with milliseconds if not zero.
pub(super) fn time_ms(ms: i64) -> String {
    let (seconds, part) = (ms.div_euclid(1000), ms.rem_euclid(1000));
    let text = local(seconds);
    match text.get(..19) {
        Some(start) if part > 0 && text.len() > 19 => {
            format!("{start}.{part:03}{}", &text[19..])
        }
        _ => text,
    }
}

impl Report for DiffReport {
    const NAME: &'static str = "diff";
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rdb::Kind;

    #[test]
    fn line_names_the_differences() {
        let state = |size, expires_ms| {
            Some(KeyState { kind: Kind::Hash, size, expires_ms, carried: false })
        };
        let shown = |a, b, reasons| {
            let difference = Difference { db: 3, key: b"a b\xff".to_vec(), reasons, a, b };
            let mut out = Vec::new();
            line(&difference, &mut out);
            String::from_utf8(out).expect("text")
        };
        assert_eq!(shown(state(1, None), None, vec![]), "- [3] hash \"a b\\xff\" 1 field\n");
        assert_eq!(shown(None, state(2, None), vec![]), "+ [3] hash \"a b\\xff\" 2 fields\n");
        let reasons = vec![Reason::Value, Reason::FieldExpiry];
        assert_eq!(
            shown(state(1, None), state(2, None), reasons),
            "~ [3] hash \"a b\\xff\" value (1 field / 2 fields), field expiry\n"
        );
        let line = shown(state(1, None), state(1, Some(1_500)), vec![Reason::Expiry]);
        assert!(line.contains("expiry (never / 19") && line.contains(":01.500 "), "{line}");
    }
}
