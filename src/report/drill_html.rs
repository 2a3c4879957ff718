//! The report of `aofkit drill` as one HTML file, to be archived as evidence: without scripts, images or anything from a
//! network, readable on a light and a dark screen and on paper.

use std::fmt::{self, Display, Write};
use std::time::Duration;

use super::drill::note;
use super::html::{Html, source_hash};
use super::time::local;
use crate::base::escape::ShownPath;
use crate::base::units::{Bytes, Count, Elapsed, counted};
use crate::ops::drill::report::{DrillReport, Drilled, Step, StepVerdict, Verdict};

/// What the file begins with. A file that begins otherwise is not replaced by a report.
pub const START: &str = "<!doctype html>\n<!-- aofkit drill -->\n";

const STYLE: &str = "\
:root{color-scheme:light dark;--ink:#1a1a1a;--paper:#fff;--quiet:#595959;--line:#ccc;--good:#0a6b2d;--bad:#b00020;--warn:#7a5200}
@media(prefers-color-scheme:dark){:root{--ink:#e6e6e6;--paper:#161616;--quiet:#a6a6a6;--line:#444;--good:#6fd08c;--bad:#ff8a94;--warn:#e5b567}}
@media print{:root{--ink:#000;--paper:#fff;--quiet:#333;--line:#999;--good:#000;--bad:#000;--warn:#000}section{break-inside:avoid}}
body{font:15px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper);max-width:60em;margin:2em auto;padding:0 1em}
h1{font-size:1.4em}h2{font-size:1.1em;overflow-wrap:anywhere}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.1em 1em}dt{color:var(--quiet)}dd{margin:0;overflow-wrap:anywhere}
table{border-collapse:collapse;width:100%}th,td{text-align:left;vertical-align:top;padding:.3em .6em;border-bottom:1px solid var(--line)}
td{overflow-wrap:anywhere}td.n{white-space:nowrap}
.passed{color:var(--good);font-weight:600}.failed{color:var(--bad);font-weight:600}.open{color:var(--warn);font-weight:600}
";

/// Returns the report as an HTML document.
pub fn html(report: &DrillReport) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = write_html(&mut out, report);
    out
}

fn write_html(out: &mut String, report: &DrillReport) -> fmt::Result {
    out.push_str(START);
    let path = Html(ShownPath(&report.path));
    writeln!(out, "<html lang=\"en\"><head><meta charset=\"utf-8\">")?;
    // The one style sheet is allowed by its hash, and nothing else at all.
    let hash = source_hash(STYLE);
    writeln!(
        out,
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src '{hash}'\">"
    )?;
    writeln!(out, "<meta name=\"viewport\" content=\"width=device-width\">")?;
    writeln!(out, "<title>Drill of {path}</title><style>{STYLE}</style></head><body>")?;
    writeln!(out, "<h1>Drill of {path}</h1>")?;
    let passed = report.archives.iter().filter(|one| one.verdict == Verdict::Passed).count();
    let all = counted(report.archives.len() as u64, "archive");
    let class = if passed == report.archives.len() { "passed" } else { "failed" };
    writeln!(out, "<p class=\"{class}\">{passed} of {all} passed</p>")?;
    writeln!(out, "<dl>")?;
    row(out, "program", format_args!("aofkit {}", env!("CARGO_PKG_VERSION")))?;
    row(out, "machine", report.host.as_deref().unwrap_or("unknown"))?;
    row(out, "server", report.server.as_deref().unwrap_or("none: not loaded in a server"))?;
    row(out, "started", local(report.started.as_second()))?;
    row(out, "ended", local(report.ended.as_second()))?;
    row(out, "duration", elapsed(report.elapsed_s))?;
    writeln!(out, "</dl>")?;
    report.archives.iter().try_for_each(|archive| section(out, archive, report))?;
    writeln!(out, "</body></html>")
}

fn row(out: &mut String, name: &str, value: impl Display) -> fmt::Result {
    writeln!(out, "<dt>{name}</dt><dd>{}</dd>", Html(value))
}

fn elapsed(seconds: f64) -> Elapsed {
    Elapsed(Duration::try_from_secs_f64(seconds).unwrap_or_default())
}

fn section(out: &mut String, archive: &Drilled, report: &DrillReport) -> fmt::Result {
    let (class, word) = match archive.verdict {
        Verdict::Passed => ("passed", "passed"),
        Verdict::Failed => ("failed", "failed"),
        Verdict::NotTried => ("open", "not tried"),
    };
    let path = Html(ShownPath(&archive.path));
    writeln!(out, "<section><h2>{path}: <span class=\"{class}\">{word}</span></h2>\n<dl>")?;
    let unknown = "unknown";
    let size =
        format!("{} ({})", Bytes(archive.archive_bytes), counted(archive.archive_bytes, "byte"));
    row(out, "size", size)?;
    row(out, "SHA-256", archive.sha256.as_deref().unwrap_or(unknown))?;
    row(out, "made by", archive.tool.as_deref().unwrap_or("another program"))?;
    match &archive.source {
        Some(source) => row(out, "source", source)?,
        None => row(out, "source", unknown)?,
    }
    match archive.created {
        Some(created) => row(out, "time of the data", local(created.as_second()))?,
        None => row(out, "time of the data", unknown)?,
    }
    let (commands, keys) = (Count(archive.commands), Count(archive.rdb_keys));
    let log = Bytes(archive.log_bytes);
    row(out, "log", format_args!("{log}, {commands} commands, {keys} keys in RDBs"))?;
    for (db, keys) in &archive.keys {
        row(out, &format!("database {db}"), counted(*keys, "key"))?;
    }
    let recorded = archive.recorded_fingerprint.as_deref().unwrap_or("not recorded");
    row(out, "recorded fingerprint", recorded)?;
    row(out, "fingerprint", archive.fingerprint.as_deref().unwrap_or("not computed"))?;
    if let Some(loaded) = &archive.loaded {
        let none = "none";
        row(out, "expected digest", loaded.expected_digest.as_deref().unwrap_or(none))?;
        row(out, "digest of the server", loaded.digest.as_deref().unwrap_or(none))?;
        row(out, "loaded in", elapsed(loaded.load_s))?;
    }
    writeln!(out, "</dl>\n<table><thead><tr><th>step</th><th>verdict</th><th>started</th>")?;
    writeln!(out, "<th>duration</th><th>note</th></tr></thead><tbody>")?;
    for step in &archive.steps {
        let (class, word) = verdict(step);
        let name = step.name.shown();
        let started = local(step.started.as_second());
        let note = step.message.clone().or_else(|| note(step, archive, report));
        writeln!(
            out,
            "<tr><td>{name}</td><td class=\"{class}\">{word}</td><td>{started}</td>\
             <td class=\"n\">{}</td><td>{}</td></tr>",
            elapsed(step.elapsed_s),
            Html(note.unwrap_or_default())
        )?;
    }
    writeln!(out, "</tbody></table></section>")
}

fn verdict(step: &Step) -> (&'static str, &'static str) {
    match step.verdict {
        StepVerdict::Passed => ("passed", "passed"),
        StepVerdict::Failed => ("failed", "failed"),
        StepVerdict::NotTried => ("open", "not tried"),
        StepVerdict::NotRecorded => ("open", "not recorded"),
    }
}
