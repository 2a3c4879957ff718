//! The numbers at the top of the page.

use std::fmt::Write;
use std::time::Duration;

use jiff::tz::TimeZone;

use super::figures::{self, bytes, count};
use crate::base::units::Elapsed;
use crate::ops::stats::report::StatsReport;
use crate::report::html::Html;

/// A number with its name and further facts.
struct Figure {
    name: &'static str,
    value: String,
    facts: String,
}

/// Returns the numbers as HTML.
pub(super) fn section(report: &StatsReport, zone: &TimeZone) -> String {
    let figures = [
        Some(size(report)),
        commands(report),
        keys(report),
        reclaimable(report),
        time_span(report, zone),
        rate(report, zone),
        writer(report),
        Some(load(report)),
        memory(report),
    ];
    let mut out = String::from("<dl class=\"figures\">\n");
    for figure in figures.into_iter().flatten() {
        let _ = writeln!(
            out,
            "<div><dt>{}</dt><dd class=\"value\">{}</dd><dd>{}</dd></div>",
            figure.name,
            Html(&figure.value),
            Html(&figure.facts)
        );
    }
    out.push_str("</dl>\n");
    out
}

fn size(report: &StatsReport) -> Figure {
    let facts = match report.rdb_bytes {
        0 => "commands only, no RDB".to_owned(),
        rdb => format!("{} of it an RDB", bytes(rdb)),
    };
    Figure { name: "Size of the log", value: bytes(report.bytes), facts }
}

fn commands(report: &StatsReport) -> Option<Figure> {
    let written = report.written.as_ref()?;
    let average = written.bytes.checked_div(written.commands).unwrap_or(0);
    Some(Figure {
        name: "Commands",
        value: count(written.commands),
        facts: format!("{}, {} each on average", bytes(written.bytes), bytes(average)),
    })
}

fn keys(report: &StatsReport) -> Option<Figure> {
    let total = report.present.as_ref()?.total;
    Some(Figure {
        name: "Keys at the end",
        value: count(total.keys),
        facts: format!("{}, {} with an expiry", bytes(total.bytes), count(total.expiring)),
    })
}

fn reclaimable(report: &StatsReport) -> Option<Figure> {
    let rewritten = report.effects.as_ref()?.rewritten_bytes;
    let facts = format!("a rewrite without an RDB takes {}", bytes(rewritten));
    Some(match report.bytes.checked_sub(rewritten) {
        Some(saved) => Figure {
            name: "Reclaimable by a rewrite",
            value: bytes(saved),
            facts: format!("{} of the log; {facts}", figures::percent(saved, report.bytes)),
        },
        None => Figure { name: "Reclaimable by a rewrite", value: "nothing".to_owned(), facts },
    })
}

fn time_span(report: &StatsReport, zone: &TimeZone) -> Option<Figure> {
    let timeline = &report.written.as_ref()?.timeline;
    let Some((first, last)) = timeline.first_time.zip(timeline.last_time) else {
        return Some(Figure {
            name: "Time span",
            value: "unknown".to_owned(),
            facts: "the log has no timestamps (aof-timestamp-enabled)".to_owned(),
        });
    };
    let seconds = u64::try_from(last.saturating_sub(first)).unwrap_or(0);
    Some(Figure {
        name: "Time span",
        value: figures::duration(seconds),
        facts: format!("{} to {}", figures::time(first, zone), figures::time(last, zone)),
    })
}

fn rate(report: &StatsReport, zone: &TimeZone) -> Option<Figure> {
    let timeline = &report.written.as_ref()?.timeline;
    let rate = timeline.bytes_per_s?;
    let mut facts = String::new();
    if let Some(commands) = timeline.commands_per_s {
        facts = format!("{} commands per second", figures::per_second(commands));
    }
    if let Some(peak) = timeline.peak {
        let at = figures::time(peak.time, zone);
        let _ = write!(facts, "; at most {}/s, at {at}", bytes(peak.bytes));
    }
    Some(Figure {
        name: "Average write rate",
        value: format!("{}/s", bytes(figures::whole(rate))),
        facts: facts.trim_start_matches("; ").to_owned(),
    })
}

fn writer(report: &StatsReport) -> Option<Figure> {
    let origin = report.origin.as_ref()?;
    let server = origin.server.to_string();
    let origin = origin.to_string();
    let facts = origin.strip_prefix(server.as_str()).unwrap_or(&origin);
    let facts = match facts.trim_start_matches([',', ':', ' ']) {
        "" => "as an RDB in the log records".to_owned(),
        facts => facts.to_owned(),
    };
    Some(Figure { name: "Written by", value: server, facts })
}

fn load(report: &StatsReport) -> Figure {
    let (value, facts) = match (&report.load, &report.load_problem) {
        (Some(load), _) => (
            seconds(load.load_s),
            format!(
                "in {} on the machine of this report, estimated by a sample of {} that it loaded in {}",
                load.server,
                bytes(load.sample_bytes),
                seconds(load.sample_s)
            ),
        ),
        (None, Some(reason)) => ("not estimated".to_owned(), reason.clone()),
        (None, None) => {
            ("not estimated".to_owned(), "no server was given (--server BINARY)".to_owned())
        }
    };
    Figure { name: "Time to load", value, facts }
}

fn seconds(seconds: f64) -> String {
    Elapsed(Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)).to_string()
}

fn memory(report: &StatsReport) -> Option<Figure> {
    let present = report.present.as_ref()?;
    Some(match &present.memory {
        Some(memory) => Figure {
            name: "Memory of the keys",
            value: bytes(memory.bytes),
            facts: match memory.error_percent {
                Some(percent) => format!("in {}, estimated within {percent}%", memory.server),
                None => format!("in {}, of which no server was measured", memory.server),
            },
        },
        None => Figure {
            name: "Memory of the keys",
            value: "not estimated".to_owned(),
            facts: String::new(),
        },
    })
}
