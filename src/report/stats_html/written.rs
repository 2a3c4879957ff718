//! The sections on the commands of a log.

use jiff::tz::TimeZone;

use super::chart::{self, Labels, Point, Share};
use super::figures::{self, bytes, count, float};
use super::parts::{paragraph, section, shares_section, swatch};
use super::scale;
use super::table::{Cell, Row, Table, number_column, text_column};
use crate::ops::stats::report::{
    Bucket, Effects, Timeline, TransactionCounts, Written, WrittenBy, WrittenType,
};

/// Returns the write rate over the log.
pub(super) fn rate(written: &Written, zone: &TimeZone) -> String {
    let timeline = &written.timeline;
    let Some((first, last)) = timeline.buckets.first().zip(timeline.buckets.last()) else {
        return String::new();
    };
    if timeline.has_times {
        section("Write rate", &over_time(timeline, (first, last), zone))
    } else {
        section("Commands over the log", &over_offsets(timeline, (first, last)))
    }
}

fn over_time(timeline: &Timeline, (first, last): (&Bucket, &Bucket), zone: &TimeZone) -> String {
    let step = i64::try_from(timeline.bucket.max(1)).unwrap_or(i64::MAX);
    let seconds = float(timeline.bucket.max(1));
    let end = last.start.saturating_add(step);
    let axis = scale::times(first.start, end, zone);
    let points = |rate: fn(&Bucket) -> u64| -> Vec<Point> {
        let point = |bucket: &Bucket| Point {
            x: scale::seconds(bucket.start),
            end: scale::seconds(bucket.start.saturating_add(step)),
            y: float(rate(bucket)) / seconds,
            title: format!(
                "{}, {} s: {} in {} commands",
                figures::time(bucket.start, zone),
                count(timeline.bucket),
                bytes(bucket.bytes),
                count(bucket.commands)
            ),
        };
        timeline.buckets.iter().map(point).collect()
    };
    let (of_bytes, of_commands) = (points(|bucket| bucket.bytes), points(|bucket| bucket.commands));
    let (most_bytes, most_commands) = (highest(&of_bytes), highest(&of_commands));
    let span = format!(
        "From {} to {}, averages of {} s each.",
        figures::time(first.start, zone),
        figures::time(end, zone),
        count(timeline.bucket)
    );
    let mut html = paragraph(&span);
    html.push_str(&chart::area(
        &of_bytes,
        &Labels {
            id: "rate-bytes",
            caption: "Bytes per second",
            description: &format!("{span} The highest is {}/s.", bytes(figures::whole(most_bytes))),
            x: axis.clone(),
            y: scale::vertical_bytes(most_bytes, "/s"),
        },
    ));
    html.push_str(&chart::area(
        &of_commands,
        &Labels {
            id: "rate-commands",
            caption: "Commands per second",
            description: &format!(
                "{span} The highest is {}/s.",
                figures::per_second(most_commands)
            ),
            x: axis,
            y: scale::vertical_counts(most_commands, "/s"),
        },
    ));
    html
}

fn over_offsets(timeline: &Timeline, (first, last): (&Bucket, &Bucket)) -> String {
    let start = |bucket: &Bucket| u64::try_from(bucket.start).unwrap_or(0);
    let end = start(last).saturating_add(timeline.bucket);
    let point = |bucket: &Bucket| Point {
        x: float(start(bucket)),
        end: float(start(bucket).saturating_add(timeline.bucket)),
        y: float(bucket.commands),
        title: format!(
            "at {}: {} commands in {}",
            bytes(start(bucket)),
            count(bucket.commands),
            bytes(bucket.bytes)
        ),
    };
    let points: Vec<Point> = timeline.buckets.iter().map(point).collect();
    let most = highest(&points);
    let about = format!(
        "The log has no timestamps (aof-timestamp-enabled), so that its position is in bytes. Each step is {} of it.",
        bytes(timeline.bucket)
    );
    let labels = Labels {
        id: "rate-commands",
        caption: &format!("Commands in each {}", bytes(timeline.bucket)),
        description: &format!("The highest is {}.", count(figures::whole(most))),
        x: scale::offsets(start(first), end),
        y: scale::vertical_counts(most, ""),
    };
    paragraph(&about) + &chart::area(&points, &labels)
}

fn highest(points: &[Point]) -> f64 {
    points.iter().map(|point| point.y).fold(0.0, f64::max)
}

/// Returns the commands, by name, by type of value and by database.
pub(super) fn commands(written: &Written) -> String {
    let mut html = groups("Commands by bytes written", "command", &written.by_command, |name| {
        Cell::text(name)
    });
    html.push_str(&shares_of_types(written));
    if written.by_db.len() > 1 {
        html.push_str(&groups("Databases by bytes written", "database", &written.by_db, |db| {
            Cell::sorted_by(&format!("db {db}"), db)
        }));
    }
    html.push_str(&transactions(written.transactions, written.script_calls));
    section("Commands", &html)
}

fn groups<T>(
    caption: &str,
    heading: &str,
    groups: &[WrittenBy<T>],
    name: impl Fn(&T) -> Cell,
) -> String {
    let total: u64 = groups.iter().map(|group| group.bytes).fold(0, u64::saturating_add);
    let most = groups.iter().map(|group| group.bytes).max().unwrap_or(0);
    let row = |group: &WrittenBy<T>| {
        Row::from(vec![
            name(&group.name),
            Cell::count(group.commands),
            Cell::bytes(group.bytes),
            Cell::bytes(group.bytes.checked_div(group.commands).unwrap_or(0)),
            Cell::percent(group.bytes, total),
            Cell::bar(group.bytes, most),
        ])
    };
    let columns = [
        text_column(heading),
        number_column("commands"),
        number_column("written"),
        number_column("average"),
        number_column("of all"),
        text_column(""),
    ];
    Table { id: None, caption, columns: &columns, rows: groups.iter().map(row).collect() }.html()
}

fn shares_of_types(written: &Written) -> String {
    let share = |(color, group): (usize, &WrittenBy<WrittenType>), size: u64, total: u64| Share {
        color,
        size: float(size),
        title: format!("{}: {}", group.name.shown(), figures::percent(size, total)),
    };
    let groups = &written.by_type;
    let total_commands = groups.iter().map(|it| it.commands).fold(0, u64::saturating_add);
    let total_bytes = groups.iter().map(|it| it.bytes).fold(0, u64::saturating_add);
    let each = || groups.iter().enumerate();
    let bars = [
        ("bytes", each().map(|it| share(it, it.1.bytes, total_bytes)).collect::<Vec<_>>()),
        ("commands", each().map(|it| share(it, it.1.commands, total_commands)).collect()),
    ];
    let row = |(color, group): (usize, &WrittenBy<WrittenType>)| {
        Row::from(vec![
            swatch(color, group.name.shown()),
            Cell::count(group.commands),
            Cell::percent(group.commands, total_commands),
            Cell::bytes(group.bytes),
            Cell::percent(group.bytes, total_bytes),
        ])
    };
    let columns = [
        text_column("type"),
        number_column("commands"),
        number_column("of all"),
        number_column("written"),
        number_column("of the bytes"),
    ];
    let caption = "Types of values that are written";
    let rows = each().map(row).collect();
    shares_section(&bars, &Table { id: None, caption, columns: &columns, rows })
}

fn transactions(transactions: TransactionCounts, script_calls: u64) -> String {
    let mut html = String::new();
    if transactions.count > 0 {
        html.push_str(&paragraph(&format!(
            "Transactions: {}, with {} commands; the largest has {}.",
            count(transactions.count),
            count(transactions.commands),
            count(transactions.largest)
        )));
    }
    if script_calls > 0 {
        let calls = count(script_calls);
        html.push_str(&paragraph(&format!("Calls of scripts and functions: {calls}.")));
    }
    html
}

/// Returns what the commands did to keys.
pub(super) fn effects(effects: &Effects) -> String {
    let of_writes = |part| Cell::percent(part, effects.writes);
    let rows = [
        ("writes to a key", effects.writes, true),
        ("replaced the whole value of a key", effects.overwrites, true),
        ("created a key", effects.created, true),
        ("deleted a key", effects.deleted, true),
        ("keys created and deleted in the log", effects.short_lived, false),
        ("commands that fail on a server", effects.failed, false),
    ];
    let rows = rows.map(|(name, number, is_share)| {
        let share = if is_share { of_writes(number) } else { Cell::default() };
        Row::from(vec![Cell::text(name), Cell::count(number), share])
    });
    let columns = [text_column("effect"), number_column("number"), number_column("of the writes")];
    let caption = "Effects of the commands";
    let table = Table { id: None, caption, columns: &columns, rows: rows.into() };
    section("Effects on keys", &(table.html() + &most_written(effects)))
}

fn most_written(effects: &Effects) -> String {
    let most = effects.most_written.iter().map(|key| key.writes).max().unwrap_or(0);
    let rows = effects.most_written.iter().map(|key| {
        Row::from(vec![
            Cell::name(&key.key.0),
            Cell::count(key.db.into()),
            Cell::count(key.writes),
            Cell::bar(key.writes, most),
            Cell::bytes(key.bytes),
            Cell::text(if key.exists { "yes" } else { "no" }),
        ])
    });
    let columns = [
        text_column("key"),
        number_column("db"),
        number_column("writes"),
        text_column(""),
        number_column("written"),
        text_column("at the end"),
    ];
    let caption = "Keys with the most writes";
    Table { id: None, caption, columns: &columns, rows: rows.collect() }.html()
}

/// Returns the largest commands.
pub(super) fn largest(written: &Written) -> String {
    let rows = written.largest.iter().map(|command| {
        Row::from(vec![
            Cell::text(&command.name),
            command.key.as_ref().map(|key| Cell::name(&key.0)).unwrap_or_default(),
            Cell::bytes(command.bytes),
            Cell::count(command.arguments.into()),
            Cell::text(&command.part),
            Cell::count(command.offset),
        ])
    });
    let columns = [
        text_column("command"),
        text_column("first key"),
        number_column("size"),
        number_column("arguments"),
        text_column("part"),
        number_column("offset"),
    ];
    let caption = "Largest commands";
    let table = Table { id: None, caption, columns: &columns, rows: rows.collect() };
    section("Largest commands", &table.html())
}
