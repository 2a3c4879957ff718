//! The text of `aofkit stats`.

use std::fmt::{self, Display, Write};
use std::time::Duration;

use unicode_width::UnicodeWidthStr;

use super::envelope::Report;
use super::lines::wide_row;
use super::style::{QUIET, STRONG, Styled};
use super::time::local;
use crate::base::escape::{OwnedText, Shown, ShownPath, for_terminal};
use crate::base::units::{Bytes, Count, Elapsed, counted};
use crate::ops::stats::report::{
    Effects, LargeKey, MemoryBasis, MemoryEstimate, PrefixKind, PrefixNode, Present, ShareOf,
    StatsReport, StatsRun, Timeline, Written, WrittenBy,
};

/// The columns of names in a table.
const NAME: usize = 42;
/// The number of rows of each table.
const ROWS: usize = 10;
/// The number of rows of the table of prefixes.
const PREFIX_ROWS: usize = 24;
/// A node below this share of the log, in thousandths, is not shown.
const LEAST_SHARE: u64 = 5;
/// The number of columns of the bars.
const BARS: usize = 54;

/// Returns the reports as text.
pub(crate) fn text(run: &StatsRun) -> String {
    let mut out = String::new();
    for (index, report) in run.logs.iter().enumerate() {
        if index > 0 {
            out.push('\n');
        }
        // Writing to a string cannot fail.
        let _ = write_log(&mut out, report);
    }
    out
}

/// Returns the messages on the paths that failed.
pub(crate) fn failures(run: &StatsRun) -> String {
    super::lines::failures(run.failed.iter())
}

impl Report for StatsRun {
    const NAME: &'static str = "stats";
}

fn write_log(out: &mut String, report: &StatsReport) -> fmt::Result {
    writeln!(out, "{}", Styled(STRONG, ShownPath(&report.path)))?;
    overview(out, report)?;
    if let Some(written) = &report.written {
        commands(out, written)?;
        by_type(out, written)?;
    }
    let tree = report.written.as_ref().map(|written| &written.prefixes);
    let tree = tree.or_else(|| report.present.as_ref().and_then(|it| it.prefixes.as_ref()));
    if let Some(tree) = tree {
        prefixes(out, tree)?;
    }
    if let Some(written) = &report.written {
        largest_commands(out, written)?;
    }
    if let Some(effects) = &report.effects {
        most_written(out, effects)?;
    }
    if let Some(present) = &report.present {
        keys(out, present)?;
    }
    Ok(())
}

fn overview(out: &mut String, report: &StatsReport) -> fmt::Result {
    if let Some(origin) = &report.origin {
        wide_row(out, "written by", &origin.to_string())?;
    }
    let rdb = match report.rdb_bytes {
        0 => String::new(),
        bytes => format!(", {} of it in an RDB", Bytes(bytes)),
    };
    wide_row(out, "size", &format!("{}{rdb}", Bytes(report.bytes)))?;
    if report.torn_bytes > 0 {
        let torn = format!("{} of an unfinished command or transaction", Bytes(report.torn_bytes));
        wide_row(out, "not counted", &torn)?;
    }
    if let Some(reason) = &report.not_replayed {
        wide_row(out, "not replayed", &for_terminal(reason))?;
    }
    if let Some(written) = &report.written {
        let transactions = match written.transactions.count {
            0 => String::new(),
            count => format!(
                "; {} with {}, the largest with {}",
                counted(count, "transaction"),
                counted(written.transactions.commands, "command"),
                Count(written.transactions.largest)
            ),
        };
        let scripts = match written.script_calls {
            0 => String::new(),
            calls => format!("; {}", counted(calls, "call of scripts or functions")),
        };
        let commands = counted(written.commands, "command");
        wide_row(out, "commands", &format!("{commands}{transactions}{scripts}"))?;
        if written.by_db.len() > 1 {
            let databases =
                written.by_db.iter().take(ROWS).map(|of| {
                    format!("db {}: {} ({})", of.name, Count(of.commands), Bytes(of.bytes))
                });
            wide_row(out, "databases", &databases.collect::<Vec<_>>().join(", "))?;
        }
        timeline(out, &written.timeline)?;
    }
    if let Some(present) = &report.present {
        let total = &present.total;
        let expiring = match total.expiring {
            0 => String::new(),
            some => format!(", {} of them with an expiry", Count(some)),
        };
        let keys = counted(total.keys, "key");
        wide_row(out, "keys", &format!("{keys}, {}{expiring}", counted(total.items, "item")))?;
    }
    if let Some(memory) = report.present.as_ref().and_then(|present| present.memory.as_ref()) {
        wide_row(out, "memory", &memory_text(memory))?;
    }
    if let (Some(written), Some(effects)) = (&report.written, &report.effects) {
        effect_rows(out, written, effects)?;
    }
    wide_row(out, "load", &load_text(report))
}

/// Returns the estimated time for loading the log, or what to type for one.
fn load_text(report: &StatsReport) -> String {
    match (&report.load, &report.load_problem) {
        (Some(load), _) => format!(
            "about {} in {}, estimated by a sample of {} that it loaded in {}",
            seconds(load.load_s),
            load.server,
            Bytes(load.sample_bytes),
            seconds(load.sample_s)
        ),
        (None, Some(reason)) => format!("not estimated: {}", for_terminal(reason)),
        (None, None) => {
            "time not estimated: add --server BINARY, such as --server redis-server".to_owned()
        }
    }
}

fn seconds(seconds: f64) -> Elapsed {
    Elapsed(Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX))
}

/// Returns the estimated memory, in which server it is, and its error.
fn memory_text(memory: &MemoryEstimate) -> String {
    let basis = match memory.basis {
        MemoryBasis::Given | MemoryBasis::Recorded => "",
        MemoryBasis::Assumed => ", which is assumed",
    };
    let error = match memory.error_percent {
        Some(percent) => format!("estimated within {percent} %"),
        None => "estimated; no server of this line was measured".to_owned(),
    };
    format!(
        "{} for keys in {}{basis}, with {}: {error}",
        Bytes(memory.bytes),
        memory.server,
        memory.allocator.shown()
    )
}

fn effect_rows(out: &mut String, written: &Written, effects: &Effects) -> fmt::Result {
    let share = |part: u64| percent(part, effects.writes);
    wide_row(
        out,
        "writes",
        &format!(
            "{} to keys: {} replaced a value ({}), {} created a key, {} deleted one; created and deleted again: {}",
            Count(effects.writes),
            Count(effects.overwrites),
            share(effects.overwrites),
            Count(effects.created),
            Count(effects.deleted),
            counted(effects.short_lived, "key"),
        ),
    )?;
    if effects.failed > 0 {
        wide_row(out, "failed", &counted(effects.failed, "command"))?;
    }
    let saved = written.bytes.saturating_sub(effects.rewritten_bytes);
    wide_row(
        out,
        "rewrite",
        &format!(
            "the same data takes {} as commands: a rewrite saves {} ({})",
            Bytes(effects.rewritten_bytes),
            Bytes(saved),
            percent(saved, written.bytes)
        ),
    )
}

fn timeline(out: &mut String, timeline: &Timeline) -> fmt::Result {
    if let (Some(first), Some(last)) = (timeline.first_time, timeline.last_time) {
        wide_row(out, "time", &format!("{} to {}", local(first), local(last)))?;
    }
    if let (Some(commands), Some(bytes)) = (timeline.commands_per_s, timeline.bytes_per_s) {
        let peak = timeline.peak.map_or(String::new(), |peak| {
            format!(
                "; most at {}: {} ({})",
                local(peak.time),
                counted(peak.commands, "command"),
                Bytes(peak.bytes)
            )
        });
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // A size for people.
        let bytes = Bytes(bytes as u64);
        wide_row(out, "rate", &format!("{commands:.1} commands a second, {bytes}{peak}"))?;
    }
    // Without times, it would be the size of commands over the size of commands.
    if timeline.has_times && timeline.buckets.len() > 1 {
        wide_row(out, "over time", &bars(timeline))?;
    }
    Ok(())
}

/// Returns the sizes of commands over the log, as a line of bars.
fn bars(timeline: &Timeline) -> String {
    const HEIGHTS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let (Some(first), Some(last)) = (timeline.buckets.first(), timeline.buckets.last()) else {
        return String::new();
    };
    let span = i128::from(last.start) - i128::from(first.start) + i128::from(timeline.bucket);
    let columns = i128::try_from(BARS).unwrap_or(1).min(span / i128::from(timeline.bucket.max(1)));
    let columns = usize::try_from(columns.max(1)).unwrap_or(1);
    let mut sums = vec![0_u64; columns];
    for bucket in &timeline.buckets {
        let at =
            (i128::from(bucket.start) - i128::from(first.start)) * columns as i128 / span.max(1);
        let at = usize::try_from(at).unwrap_or(0).min(columns - 1);
        sums[at] += bucket.bytes;
    }
    let most = sums.iter().copied().max().unwrap_or(0).max(1);
    let bar = |sum: u64| match sum {
        0 => ' ',
        sum => {
            let height = (u128::from(sum) * 8).div_ceil(u128::from(most)) - 1;
            HEIGHTS[usize::try_from(height).unwrap_or(7).min(7)]
        }
    };
    sums.into_iter().map(bar).collect()
}

fn heading(out: &mut String, name: &str, columns: [&str; 3]) -> fmt::Result {
    let [one, two, three] = columns;
    let title = format!("{name:<width$}{one:>13}{two:>12}{three:>11}", width = NAME + 2);
    writeln!(out, "\n{}", Styled(QUIET, title.trim_end()))
}

fn line(out: &mut String, name: &str, columns: [String; 3]) -> fmt::Result {
    let name = shortened(name);
    let pad = NAME.saturating_sub(name.width());
    let [one, two, three] = columns;
    let row = format!("  {name}{:pad$}{one:>13}{two:>12}{three:>11}", "");
    writeln!(out, "{}", row.trim_end())
}

/// Returns a name in the columns that there are for it.
fn shortened(name: &str) -> String {
    if name.width() <= NAME {
        return name.to_owned();
    }
    let mut short = String::new();
    for c in name.chars() {
        if short.width() + 2 > NAME {
            break;
        }
        short.push(c);
    }
    short.push('…');
    short
}

fn percent(part: u64, whole: u64) -> String {
    #[allow(clippy::cast_precision_loss)] // One decimal is shown.
    let share = part as f64 * 100.0 / whole.max(1) as f64;
    format!("{share:.1} %")
}

fn groups<T>(
    out: &mut String,
    (heads, total): (&str, u64),
    groups: &[WrittenBy<T>],
    name: impl Fn(&T) -> String,
) -> fmt::Result {
    heading(out, heads, ["commands", "size", "share"])?;
    let row = |out: &mut String, name: &str, commands: u64, bytes: u64| {
        let columns =
            [Count(commands).to_string(), Bytes(bytes).to_string(), percent(bytes, total)];
        line(out, name, columns)
    };
    for group in groups.iter().take(ROWS) {
        row(out, &name(&group.name), group.commands, group.bytes)?;
    }
    let rest = groups.get(ROWS..).unwrap_or_default();
    if !rest.is_empty() {
        let (commands, bytes) = rest.iter().fold((0, 0), |(commands, bytes), group| {
            (commands + group.commands, bytes + group.bytes)
        });
        row(out, &format!("({} others)", rest.len()), commands, bytes)?;
    }
    Ok(())
}

fn commands(out: &mut String, written: &Written) -> fmt::Result {
    groups(out, ("command", written.bytes), &written.by_command, String::clone)
}

fn by_type(out: &mut String, written: &Written) -> fmt::Result {
    if written.by_type.len() < 2 {
        return Ok(());
    }
    groups(out, ("type written", written.bytes), &written.by_type, |kind| kind.shown().to_owned())
}

/// Returns the text of the name of a node below others, whose names are `above`.
fn node_name(node: &PrefixNode, above: &[u8]) -> String {
    match node.kind {
        PrefixKind::Keyless => "(without a key)".to_owned(),
        PrefixKind::Others if above.is_empty() => "(others)".to_owned(),
        PrefixKind::Others => format!("{} (others)", Shown(above)),
        PrefixKind::Literal | PrefixKind::Wildcard => {
            Shown(&[above, &node.name.0].concat()).to_string()
        }
    }
}

fn prefixes(out: &mut String, root: &PrefixNode) -> fmt::Result {
    let is_written = root.bytes > 0;
    let mut rows: Vec<(String, &PrefixNode)> = Vec::new();
    collect(root, b"", weight(root), &mut rows);
    if rows.is_empty() {
        return Ok(());
    }
    let third = if root.keys.is_some() && is_written { "saved" } else { "share" };
    let first = if is_written { "commands" } else { "keys" };
    heading(out, "prefix", [first, "size", third])?;
    for (name, node) in rows.iter().take(PREFIX_ROWS) {
        let count = if is_written { node.commands } else { node.keys.unwrap_or(0) };
        let size = if is_written { node.bytes } else { node.key_bytes.unwrap_or(0) };
        let share = match node.reclaimable_bytes.filter(|_| is_written) {
            Some(saved) => percent(u64::try_from(saved).unwrap_or(0), node.bytes),
            None => percent(size, weight(root)),
        };
        line(out, name, [Count(count).to_string(), Bytes(size).to_string(), share])?;
    }
    if rows.len() > PREFIX_ROWS {
        writeln!(out, "  (and {} more: --html FILE or --json has them)", rows.len() - PREFIX_ROWS)?;
    }
    Ok(())
}

fn weight(node: &PrefixNode) -> u64 {
    if node.bytes > 0 { node.bytes } else { node.key_bytes.unwrap_or(0) }
}

/// Collects the nodes below one that have a share of the log. A node with a single one below is left out for that.
fn collect<'n>(
    node: &'n PrefixNode,
    above: &[u8],
    total: u64,
    rows: &mut Vec<(String, &'n PrefixNode)>,
) {
    for child in &node.children {
        if weight(child) * 1000 < total * LEAST_SHARE {
            continue;
        }
        let is_passed_through = match child.children.as_slice() {
            [only] => weight(only) == weight(child),
            _ => false,
        };
        if !is_passed_through {
            rows.push((node_name(child, above), child));
        }
        collect(child, &[above, &child.name.0].concat(), total, rows);
    }
}

fn of_key(db: u32, key: &OwnedText) -> String {
    match db {
        0 => Shown(&key.0).to_string(),
        db => format!("{} (db {db})", Shown(&key.0)),
    }
}

fn largest_commands(out: &mut String, written: &Written) -> fmt::Result {
    heading(out, "largest commands", ["arguments", "size", ""])?;
    for large in written.largest.iter().take(5) {
        let key = large.key.as_ref().map_or(String::new(), |key| format!(" {}", Shown(&key.0)));
        let name = format!("{}{key}", large.name.escape_debug());
        let columns = [
            Count(large.arguments.into()).to_string(),
            Bytes(large.bytes).to_string(),
            String::new(),
        ];
        line(out, &name, columns)?;
        writeln!(out, "    {}:{}", ShownPath(large.part.as_ref()), large.offset)?;
    }
    Ok(())
}

fn most_written(out: &mut String, effects: &Effects) -> fmt::Result {
    if effects.most_written.is_empty() {
        return Ok(());
    }
    heading(out, "keys written most", ["writes", "size", ""])?;
    for key in effects.most_written.iter().take(ROWS) {
        let gone = if key.exists { "" } else { "gone" };
        let columns =
            [Count(key.writes).to_string(), Bytes(key.bytes).to_string(), gone.to_owned()];
        line(out, &of_key(key.db, &key.key), columns)?;
    }
    Ok(())
}

fn keys(out: &mut String, present: &Present) -> fmt::Result {
    if present.total.keys == 0 {
        return Ok(());
    }
    shares(out, "type", &present.by_type, present.total.bytes)?;
    shares(out, "encoding", &present.by_encoding, present.total.bytes)?;
    heading(out, "expires in", ["keys", "", "share"])?;
    for bucket in &present.ttl {
        let share = percent(bucket.keys, present.total.keys);
        line(out, bucket.ttl.shown(), [Count(bucket.keys).to_string(), String::new(), share])?;
    }
    if let Some(peak) = present.expiry_peaks.first().filter(|peak| peak.keys > 1) {
        writeln!(
            out,
            "  most in one minute: {} at {}",
            counted(peak.keys, "key"),
            local(peak.time)
        )?;
    }
    large_keys(out, "largest keys", &present.largest_by_bytes)?;
    large_keys(out, "keys with the most items", &present.largest_by_items)?;
    rest(out, present)
}

fn shares<T: Display>(
    out: &mut String,
    name: &str,
    groups: &[ShareOf<T>],
    total: u64,
) -> fmt::Result {
    let has_memory = groups.iter().any(|of| of.share.memory_bytes.is_some());
    let third = if has_memory { "memory" } else { "share" };
    heading(out, name, ["keys", "size", third])?;
    for of in groups {
        let third = match of.share.memory_bytes {
            Some(bytes) => Bytes(bytes).to_string(),
            None if has_memory => String::new(),
            None => percent(of.share.bytes, total),
        };
        let columns = [Count(of.share.keys).to_string(), Bytes(of.share.bytes).to_string(), third];
        line(out, &of.name.to_string(), columns)?;
    }
    Ok(())
}

fn large_keys(out: &mut String, name: &str, keys: &[LargeKey]) -> fmt::Result {
    if keys.is_empty() {
        return Ok(());
    }
    heading(out, name, ["items", "size", ""])?;
    for key in keys.iter().take(ROWS) {
        let columns =
            [Count(key.items).to_string(), Bytes(key.bytes).to_string(), key.kind.to_string()];
        line(out, &of_key(key.db, &key.key), columns)?;
    }
    Ok(())
}

fn rest(out: &mut String, present: &Present) -> fmt::Result {
    if !present.streams.is_empty() {
        heading(out, "streams", ["entries", "groups", "pending"])?;
        for stream in present.streams.iter().take(ROWS) {
            let columns = [stream.entries, stream.groups, stream.pending];
            let columns = columns.map(|number| Count(number).to_string());
            line(out, &of_key(stream.db, &stream.key), columns)?;
        }
    }
    if !present.functions.is_empty() {
        heading(out, "libraries of functions", ["", "size", ""])?;
        for library in &present.functions {
            let size = Bytes(library.bytes).to_string();
            line(out, &Shown(&library.name.0).to_string(), [String::new(), size, String::new()])?;
        }
    }
    let slots = &present.slots;
    writeln!(out)?;
    wide_row(
        out,
        "cluster slots",
        &format!(
            "{} in use; on three nodes, the largest would have {:.2} times the average",
            Count(slots.used.into()),
            slots.three_nodes
        ),
    )
}
