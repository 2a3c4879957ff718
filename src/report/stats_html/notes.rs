//! The command that made the page, and what its numbers mean.

use std::fmt::Write;

use jiff::tz::TimeZone;

use super::figures;
use crate::ops::stats::report::StatsReport;
use crate::report::html::Html;

/// The terms and what they mean. Those of a replay come last.
const TERMS: [(&str, &str); 5] = [
    (
        "written",
        "The size of commands in the log, with their names, arguments and lengths. The bytes of a command with several keys are divided among them.",
    ),
    (
        "commands",
        "The number of commands. In the table of prefixes, a command with several keys is counted once for each.",
    ),
    (
        "prefix",
        "The beginning of key names up to a separator. Parts that differ from key to key are joined as *; names that are too many to be distinguished are (others).",
    ),
    (
        "write rate",
        "Bytes and commands of the log in a span, divided by its length. Commands have the time of the last timestamp before them.",
    ),
    (
        "time to load",
        "The time on a processor in which a server loads the log when it starts, with the log in memory: reading it from a disk comes on top.",
    ),
];

/// The terms that are of a replay.
const REPLAYED: [(&str, &str); 8] = [
    (
        "keys",
        "The keys at the end of the log, as after loading it. Keys whose expiry has passed are counted as well.",
    ),
    (
        "size of keys",
        "The size of names, items and expiries, as an uncompressed log of commands would contain them. It is not memory.",
    ),
    ("items", "Elements, members, fields or entries; 1 for a string."),
    (
        "reclaimable",
        "The bytes of the log that a rewrite saves, if it writes commands and compresses nothing. Negative if the rewritten form takes more.",
    ),
    ("replaced", "The number of writes of a whole value to a key that existed."),
    ("time to live", "The time from the making of this report to the expiry of a key."),
    (
        "memory",
        "An estimate of MEMORY USAGE with SAMPLES 0. It does not include the server itself, its buffers or fragmentation.",
    ),
    ("slots", "The slots in which a cluster would place the keys by their names and hash tags."),
];

/// Returns the section as HTML.
pub(super) fn section(report: &StatsReport, command: &str, zone: &TimeZone) -> String {
    let mut out = String::from("<section><h2>About this report</h2>\n");
    let made = figures::time(report.now_ms.div_euclid(1000), zone);
    let _ = writeln!(
        out,
        "<p class=\"about\">Made by aofkit {} at {} in {:.2} s, with the command:</p>\n<pre><code>{}</code></pre>",
        env!("CARGO_PKG_VERSION"),
        Html(&made),
        report.elapsed_s,
        Html(command)
    );
    let separators = Html(&report.separators);
    let _ = writeln!(
        out,
        "<p class=\"about\">Separators of key names: <code>{separators}</code>. Sizes are in bytes, with KiB = 1,024 \
         bytes. Times have the offset of the machine that made the report.</p>"
    );
    if let Some(reason) = &report.not_replayed {
        let _ = writeln!(out, "<p class=\"about\">The log was not replayed: {}</p>", Html(reason));
    }
    let is_replayed = report.effects.is_some() || report.present.is_some();
    let replayed = if is_replayed { &REPLAYED[..] } else { &[] };
    out.push_str("<dl class=\"terms\">\n");
    for (term, meaning) in TERMS.iter().chain(replayed) {
        let _ = writeln!(out, "<dt>{term}</dt><dd>{meaning}</dd>");
    }
    out.push_str("</dl>\n</section>\n");
    out
}
