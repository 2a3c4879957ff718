//! The sections on the keys at the end of a log.

use jiff::tz::TimeZone;

use super::chart::{self, Axis, Bin, Labels, Share};
use super::figures::{self, bytes, count, float};
use super::parts::{paragraph, section, shares_section, swatch};
use super::scale;
use super::table::{Cell, Row, Table, number_column, text_column};
use crate::ops::stats::report::{
    LargeKey, Present, Share as KeyShare, ShareOf, SizeBucket, SlotSkew,
};

/// Returns the types and encodings.
pub(super) fn types(present: &Present) -> String {
    let total = present.total;
    let mut html = shares("Types", "type", &present.by_type, total, ToString::to_string);
    html.push_str(&shares("Encodings", "encoding", &present.by_encoding, total, Clone::clone));
    if present.by_db.len() > 1 {
        html.push_str(&shares("Databases", "database", &present.by_db, total, |db| {
            format!("db {db}")
        }));
    }
    section("Types and encodings", &html)
}

fn shares<T>(
    caption: &str,
    heading: &str,
    groups: &[ShareOf<T>],
    total: KeyShare,
    name: impl Fn(&T) -> String,
) -> String {
    let bar = |size: fn(&KeyShare) -> u64| -> Vec<Share> {
        let share = |(color, group): (usize, &ShareOf<T>)| Share {
            color,
            size: float(size(&group.share)),
            title: format!(
                "{}: {}",
                name(&group.name),
                figures::percent(size(&group.share), size(&total))
            ),
        };
        groups.iter().enumerate().map(share).collect()
    };
    let mut bars = vec![("keys", bar(|share| share.keys)), ("bytes", bar(|share| share.bytes))];
    let has_memory = total.memory_bytes.is_some();
    if has_memory {
        bars.push(("memory", bar(|share| share.memory_bytes.unwrap_or(0))));
    }
    let row = |(color, group): (usize, &ShareOf<T>)| {
        let share = &group.share;
        let mut cells = vec![
            swatch(color, &name(&group.name)),
            Cell::count(share.keys),
            Cell::percent(share.keys, total.keys),
            Cell::count(share.expiring),
            Cell::count(share.items),
            Cell::bytes(share.bytes),
            Cell::percent(share.bytes, total.bytes),
        ];
        if has_memory {
            cells.push(share.memory_bytes.map(Cell::bytes).unwrap_or_default());
        }
        Row::from(cells)
    };
    let columns = [
        text_column(heading),
        number_column("keys"),
        number_column("of all"),
        number_column("with expiry"),
        number_column("items"),
        number_column("size"),
        number_column("of the bytes"),
        number_column("memory"),
    ];
    let columns = &columns[..if has_memory { 8 } else { 7 }];
    let rows = groups.iter().enumerate().map(row).collect();
    shares_section(&bars, &Table { id: None, caption, columns, rows })
}

/// Returns the times to live and the minutes in which most keys expire.
pub(super) fn expiries(present: &Present, zone: &TimeZone) -> String {
    let most = present.ttl.iter().map(|bucket| bucket.keys).max().unwrap_or(0);
    let row = |(order, bucket): (usize, &crate::ops::stats::report::TtlBucket)| {
        Row::from(vec![
            Cell::sorted_by(bucket.ttl.shown(), order),
            Cell::bar(bucket.keys, most),
            Cell::count(bucket.keys),
            Cell::percent(bucket.keys, present.total.keys),
        ])
    };
    let columns = [
        text_column("time to live"),
        text_column(""),
        number_column("keys"),
        number_column("of all"),
    ];
    let rows = present.ttl.iter().enumerate().map(row).collect();
    let caption = "Keys by time to live";
    let mut html = Table { id: Some("ttl"), caption, columns: &columns, rows }.html();
    let rows = present.expiry_peaks.iter().map(|peak| {
        Row::from(vec![
            Cell::sorted_by(&figures::formatted(peak.time, zone, "%Y-%m-%d %H:%M %:z"), peak.time),
            Cell::count(peak.keys),
            Cell::percent(peak.keys, present.total.keys),
        ])
    });
    let columns = [text_column("minute"), number_column("keys"), number_column("of all")];
    let caption = "Minutes in which the most keys expire";
    html.push_str(&Table { id: None, caption, columns: &columns, rows: rows.collect() }.html());
    section("Expiry", &html)
}

/// Returns the sizes of keys.
pub(super) fn sizes(present: &Present) -> String {
    let bins = filled(&present.sizes);
    if bins.is_empty() {
        return String::new();
    }
    let draw = |id, caption, size: fn(&SizeBucket) -> u64, axis: fn(f64, &str) -> Axis| {
        let most = bins.iter().map(size).max().unwrap_or(0);
        let bin = |bucket: &SizeBucket| Bin { y: float(size(bucket)), title: bin_title(bucket) };
        let labels = Labels {
            id,
            caption,
            description: "By powers of two of the size of a key.",
            x: powers(&bins),
            y: axis(float(most), ""),
        };
        chart::histogram(&bins.iter().map(bin).collect::<Vec<_>>(), &labels)
    };
    let keys = draw("sizes-keys", "Keys by size", |bucket| bucket.keys, scale::vertical_counts);
    let total = draw("sizes-bytes", "Bytes by size of key", |it| it.bytes, scale::vertical_bytes);
    section("Sizes of keys", &format!("<div class=\"pair\">{keys}{total}</div>\n"))
}

/// Returns the buckets with those between them that have no keys.
fn filled(sizes: &[SizeBucket]) -> Vec<SizeBucket> {
    let used = || sizes.iter().filter(|bucket| bucket.keys > 0 && bucket.below > 0);
    let exponents = || used().map(|bucket| bucket.below.ilog2());
    let Some((first, last)) = exponents().min().zip(exponents().max()) else { return Vec::new() };
    let bucket = |exponent: u32| {
        let found = used().find(|bucket| bucket.below.ilog2() == exponent).copied();
        found.unwrap_or(SizeBucket { below: 1 << exponent, keys: 0, bytes: 0 })
    };
    (first..=last).map(bucket).collect()
}

fn bin_title(bucket: &SizeBucket) -> String {
    format!(
        "{} to {}: {} keys, {}",
        scale::short_bytes(float(bucket.below / 2)),
        scale::short_bytes(float(bucket.below)),
        count(bucket.keys),
        bytes(bucket.bytes)
    )
}

/// Returns the axis below columns of powers of two. The sizes between columns are named, so many as have space.
fn powers(bins: &[SizeBucket]) -> Axis {
    let each = bins.len().div_ceil(6).max(1);
    let place = |index: usize| f64::from(u32::try_from(index).unwrap_or(u32::MAX));
    let ticks = bins.iter().enumerate().filter(|(index, _)| index.is_multiple_of(each));
    Axis {
        from: 0.0,
        to: place(bins.len()),
        ticks: ticks
            .map(|(index, bin)| (place(index), scale::short_bytes(float(bin.below / 2))))
            .collect(),
    }
}

/// Returns the largest keys.
pub(super) fn largest(present: &Present, zone: &TimeZone) -> String {
    let by_bytes = keys("Largest keys by size", &present.largest_by_bytes, zone);
    let by_items = keys("Keys with the most items", &present.largest_by_items, zone);
    section("Largest keys", &(by_bytes + &by_items))
}

fn keys(caption: &str, keys: &[LargeKey], zone: &TimeZone) -> String {
    let has_memory = keys.iter().any(|key| key.memory_bytes.is_some());
    let has_expiry = keys.iter().any(|key| key.expires_ms.is_some());
    let row = |key: &LargeKey| {
        let mut cells = vec![
            Cell::name(&key.key.0),
            Cell::count(key.db.into()),
            Cell::text(&key.kind.to_string()),
            Cell::count(key.items),
            Cell::bytes(key.bytes),
            Cell::bytes(key.largest_item),
        ];
        if has_memory {
            cells.push(key.memory_bytes.map(Cell::bytes).unwrap_or_default());
        }
        if has_expiry {
            let expiry = |ms: i64| Cell::sorted_by(&figures::time(ms.div_euclid(1000), zone), ms);
            cells.push(key.expires_ms.map(expiry).unwrap_or_default());
        }
        Row::from(cells)
    };
    let mut columns = vec![
        text_column("key"),
        number_column("db"),
        text_column("type"),
        number_column("items"),
        number_column("size"),
        number_column("largest item"),
    ];
    if has_memory {
        columns.push(number_column("memory"));
    }
    if has_expiry {
        columns.push(text_column("expires"));
    }
    Table { id: None, caption, columns: &columns, rows: keys.iter().map(row).collect() }.html()
}

/// Returns the streams.
pub(super) fn streams(present: &Present) -> String {
    let rows = present.streams.iter().map(|stream| {
        Row::from(vec![
            Cell::name(&stream.key.0),
            Cell::count(stream.db.into()),
            Cell::count(stream.entries),
            Cell::count(stream.groups),
            Cell::count(stream.consumers),
            Cell::count(stream.pending),
        ])
    });
    let columns = [
        text_column("key"),
        number_column("db"),
        number_column("entries"),
        number_column("groups"),
        number_column("consumers"),
        number_column("pending"),
    ];
    let caption = format!("Streams with the most entries, of {}", count(present.stream_count));
    let table = Table { id: None, caption: &caption, columns: &columns, rows: rows.collect() };
    section("Streams", &table.html())
}

/// Returns the libraries of functions.
pub(super) fn functions(present: &Present) -> String {
    let rows = present.functions.iter().map(|library| {
        Row::from(vec![
            Cell::name(&library.name.0),
            Cell::name(&library.engine.0),
            Cell::bytes(library.bytes),
        ])
    });
    let columns = [text_column("library"), text_column("engine"), number_column("size of code")];
    let caption = "Libraries of functions";
    let table = Table { id: None, caption, columns: &columns, rows: rows.collect() };
    section("Functions", &table.html())
}

/// Returns the distribution over the slots of a cluster.
pub(super) fn slots(slots: &SlotSkew) -> String {
    if slots.used == 0 {
        return String::new();
    }
    let about = paragraph(&format!(
        "{} of 16,384 slots have keys; the one with the most keys has {}. With the slots divided equally among three \
         nodes, the largest node has {:.2} times the bytes of the average.",
        count(slots.used.into()),
        count(slots.most_keys),
        slots.three_nodes
    ));
    let rows = slots.largest.iter().map(|slot| {
        Row::from(vec![
            Cell::count(slot.slot.into()),
            Cell::count(slot.keys),
            Cell::bytes(slot.bytes),
        ])
    });
    let columns = [number_column("slot"), number_column("keys"), number_column("size")];
    let caption = "Slots with the most bytes";
    let table = Table { id: None, caption, columns: &columns, rows: rows.collect() };
    section("Cluster slots", &(about + &table.html()))
}
