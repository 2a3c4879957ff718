//! The report of `stats` as an HTML page: one file, which loads nothing.
//!
//! All of it is readable without scripts. The script, which is in the page, sorts and filters tables and zooms into the tree
//! of prefixes; it reads its data from the tables. A browser runs no other script and uses no other style: the
//! Content-Security-Policy of the page names both by their hash.

use jiff::tz::TimeZone;

use super::html::{Html, source_hash};
use crate::base::escape::ShownPath;
use crate::ops::stats::report::StatsReport;

mod chart;
mod course;
mod figures;
mod headline;
mod notes;
mod parts;
mod prefixes;
mod present;
mod scale;
mod table;
#[cfg(any(test, feature = "internals"))]
pub mod testing;
#[cfg(test)]
mod tests;
mod text;
mod written;

/// What every page begins with.
pub(crate) const START: &str = "<!doctype html>\n<!-- aofkit stats -->\n";

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// Returns the report as an HTML page. `command` is the command line that made it, as it is typed in a shell. Times are
/// those of the time zone of this machine.
pub(crate) fn page(report: &StatsReport, command: &str) -> String {
    page_in_zone(report, command, &TimeZone::system())
}

fn page_in_zone(report: &StatsReport, command: &str, zone: &TimeZone) -> String {
    let path = ShownPath(&report.path).to_string();
    let (style, script) = (source_hash(STYLE), source_hash(SCRIPT));
    let mut out = format!(
        "{START}<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src '{style}'; \
         script-src '{script}'; base-uri 'none'; form-action 'none'\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <meta name=\"referrer\" content=\"no-referrer\">\n\
         <meta name=\"generator\" content=\"aofkit {}\">\n\
         <title>{} - aofkit stats</title>\n<style>{STYLE}</style>\n<script>{SCRIPT}</script>\n</head>\n<body>\n",
        env!("CARGO_PKG_VERSION"),
        Html(&path)
    );
    out.push_str(&format!(
        "<header><p>aofkit stats</p><h1>{}</h1></header>\n<main>\n",
        Html(&path)
    ));
    out.push_str(&headline::section(report, zone));
    if let Some(written) = &report.written {
        out.push_str(&written::rate(written, zone));
        out.push_str(&course::section_of(&report.course));
        out.push_str(&prefixes::section(&written.prefixes));
        out.push_str(&written::commands(written));
    }
    if let Some(present) = &report.present {
        if let Some(keys) = &present.prefixes {
            out.push_str(&prefixes::section(keys));
        }
        out.push_str(&present::types(present));
        out.push_str(&present::expiries(present, zone));
        out.push_str(&present::sizes(present));
    }
    if let Some(effects) = &report.effects {
        out.push_str(&written::effects(effects));
    }
    if let Some(written) = &report.written {
        out.push_str(&written::largest(written));
    }
    if let Some(present) = &report.present {
        out.push_str(&present::largest(present, zone));
        out.push_str(&present::streams(present));
        out.push_str(&present::functions(present));
        out.push_str(&present::slots(&present.slots));
    }
    out.push_str(&notes::section(report, command, zone));
    out.push_str("</main>\n</body>\n</html>\n");
    out
}
