//! Reports for the tests of the page, as they would be of real logs.

use super::page_in_zone;
use crate::analysis::key_course::{KeysAt, KeysOfDb};
use crate::base::escape::OwnedText;
use crate::base::server::redis;
use crate::ops::stats::memory::Allocator;
use crate::ops::stats::report::{
    Bucket, Effects, ExpiryPeak, FunctionLibrary, LargeCommand, LargeKey, LoadEstimate,
    MemoryBasis, MemoryEstimate, Peak, PrefixKind, PrefixNode, Present, Share, ShareOf, SizeBucket,
    SlotShare, SlotSkew, StatsReport, StreamFacts, Timeline, TransactionCounts, TtlBucket,
    TtlRange, Written, WrittenBy, WrittenKey, WrittenType,
};
use crate::rdb::Kind;
use crate::replay::Origin;

/// Names that are markup or change the direction of text, and one that is no text.
pub const HOSTILE: [&[u8]; 5] = [
    b"</script><script>alert(1)</script>",
    b"\"><img src=x onerror=alert(1)>",
    b"\xff\xfe\x00\x1b[31m",
    "cart\u{202e}gpj.exe\u{2028}".as_bytes(),
    b"' onmouseover='alert(1)",
];

/// A report to be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sample {
    /// A log of a web shop, over 26 hours.
    Shop,
    /// The same without timestamps and replay.
    Unreplayed,
    /// A log with the names [`HOSTILE`].
    Hostile,
    /// A log with this number of prefixes.
    Prefixes(usize),
    /// A log without commands.
    Empty,
}

/// Returns the page of a sample. Its times are in UTC.
pub fn page(sample: Sample) -> String {
    let command = match sample {
        Sample::Hostile => "aofkit stats --html new.html '</script><script>alert(1)</script>'",
        _ => "aofkit stats --html shop.html /var/lib/redis/appendonlydir",
    };
    page_in_zone(&report(sample), command, &jiff::tz::TimeZone::UTC)
}

/// The time of the first command, in Unix seconds.
const START: i64 = 1_793_000_000;

/// The length of a bucket in seconds.
const BUCKET: u64 = 600;

pub(super) fn report(sample: Sample) -> StatsReport {
    let mut report = shop();
    match sample {
        Sample::Shop => {}
        Sample::Unreplayed => {
            report.effects = None;
            report.course = Vec::new();
            report.present = None;
            (report.load_s, report.load) = (None, None);
            if let Some(written) = &mut report.written {
                let timeline = &mut written.timeline;
                *timeline = Timeline { bucket: 6_000_000, ..Timeline::default() };
                timeline.buckets = (0..170).map(|index| offset_bucket(index, 6_000_000)).collect();
                forget_keys(&mut written.prefixes);
            }
        }
        Sample::Hostile => hostile(&mut report),
        Sample::Prefixes(count) => {
            if let Some(written) = &mut report.written {
                written.prefixes = many(count);
            }
        }
        Sample::Empty => {
            report.written = None;
            report.effects = None;
            report.course = Vec::new();
            report.present = Some(Present::default());
        }
    }
    report
}

fn shop() -> StatsReport {
    let prefixes = prefixes();
    let bytes = prefixes.bytes;
    StatsReport {
        path: "/var/lib/redis/appendonlydir".into(),
        origin: Some(Origin::recorded(redis(7, 2))),
        bytes: bytes + 131_072_000,
        rdb_bytes: 131_072_000,
        torn_bytes: 0,
        not_replayed: None,
        separators: ":".to_owned(),
        written: Some(written(prefixes)),
        effects: Some(effects()),
        course: course(),
        present: Some(present()),
        load_s: Some(11.4),
        load: Some(LoadEstimate {
            server: "redis 7.2.5".to_owned(),
            load_s: 11.4,
            startup_s: 0.1,
            sample_bytes: 48 << 20,
            sample_s: 0.6,
        }),
        load_problem: None,
        now_ms: (START + 93_600) * 1000,
        elapsed_s: 3.84,
    }
}

fn written_by<T>(name: T, commands: u64, bytes: u64) -> WrittenBy<T> {
    WrittenBy { name, commands, bytes }
}

fn share_of<T>(name: T, share: Share) -> ShareOf<T> {
    ShareOf { name, share }
}

fn written(prefixes: PrefixNode) -> Written {
    let by = |name: &str, commands, bytes| written_by(name.to_owned(), commands, bytes);
    let buckets: Vec<Bucket> = (0..156).map(bucket).collect();
    let most = buckets.iter().max_by_key(|bucket| bucket.bytes).copied().unwrap_or_default();
    let large = |name: &str, key: &[u8], bytes, arguments, offset| LargeCommand {
        name: name.to_owned(),
        key: Some(OwnedText(key.to_vec())),
        bytes,
        arguments,
        part: "appendonly.aof.7.incr.aof".to_owned(),
        offset,
    };
    Written {
        commands: prefixes.commands,
        bytes: prefixes.bytes,
        annotation_bytes: 1_123_200,
        by_command: vec![
            by("SET", 3_120_400, 512_000_000),
            by("HSET", 1_870_221, 241_500_000),
            by("PEXPIREAT", 1_422_019, 92_400_000),
            by("XADD", 610_332, 88_120_000),
            by("ZADD", 322_871, 41_200_000),
            by("DEL", 301_442, 21_600_000),
            by("INCRBY", 412_008, 19_440_000),
            by("LPUSH", 88_231, 9_720_000),
            by("SADD", 61_920, 4_860_000),
            by("SELECT", 12, 276),
        ],
        by_type: vec![
            written_by(WrittenType::String, 3_532_408, 531_440_000),
            written_by(WrittenType::Hash, 1_870_221, 241_500_000),
            written_by(WrittenType::Generic, 1_723_461, 114_000_000),
            written_by(WrittenType::Stream, 610_332, 88_120_000),
            written_by(WrittenType::Zset, 322_871, 41_200_000),
            written_by(WrittenType::List, 88_231, 9_720_000),
            written_by(WrittenType::Set, 61_920, 4_860_000),
            written_by(WrittenType::Server, 12, 276),
        ],
        by_db: vec![written_by(0, 7_900_000, 980_000_000), written_by(1, 309_456, 50_840_276)],
        timeline: Timeline {
            has_times: true,
            first_time: Some(START),
            last_time: Some(START + 93_599),
            untimed_commands: 0,
            untimed_bytes: 0,
            bucket: BUCKET,
            commands_per_s: Some(87.7),
            bytes_per_s: Some(11_015.0),
            peak: Some(Peak { time: most.start + 17, commands: 1_904, bytes: 231_440 }),
            buckets,
        },
        prefixes,
        largest: vec![
            large("SET", b"cache:page:/products?category=garden", 4_812_330, 3, 412_993_120),
            large("HSET", b"catalogue:2026-11", 2_100_431, 18_201, 18_220_412),
            large("DEL", b"session:01HF3ZK0", 731_200, 20_001, 612_000_331),
            large("LPUSH", b"queue:mail", 410_200, 512, 790_114_004),
        ],
        transactions: TransactionCounts { count: 20_112, commands: 81_004, largest: 512 },
        script_calls: 0,
    }
}

/// A bucket of a log with more writes by day, and a job at night.
fn bucket(index: i32) -> Bucket {
    let angle = f64::from(index) / 144.0 * std::f64::consts::TAU;
    let noise = f64::from(index.wrapping_mul(7919) % 97) / 97.0;
    let mut rate = 9_000.0 + 6_500.0 * angle.sin() + 1_800.0 * noise;
    if (96..99).contains(&index) {
        rate += 21_000.0;
    }
    let commands = super::figures::whole(rate * 600.0 / 126.0);
    Bucket {
        start: START + i64::from(index) * 600,
        commands,
        bytes: super::figures::whole(rate * 600.0),
    }
}

fn offset_bucket(index: u32, bytes: u64) -> Bucket {
    let commands = 40_000 + 9_000 * (u64::from(index) % 7) + 300 * u64::from(index);
    Bucket { start: i64::from(index) * 6_000_000, commands, bytes }
}

fn node(name: &[u8], kind: PrefixKind, bytes: u64, children: Vec<PrefixNode>) -> PrefixNode {
    let below: u64 = children.iter().map(|child| child.bytes).sum();
    let bytes = bytes + below;
    PrefixNode {
        name: OwnedText(name.to_vec()),
        kind,
        commands: bytes / 126,
        bytes,
        keys: Some(bytes / 1_400),
        memory_bytes: None,
        key_bytes: Some(bytes / 4),
        reclaimable_bytes: i64::try_from(bytes * 3 / 4).ok(),
        children,
    }
}

fn literal(name: &str, bytes: u64, children: Vec<PrefixNode>) -> PrefixNode {
    node(name.as_bytes(), PrefixKind::Literal, bytes, children)
}

fn any(bytes: u64, children: Vec<PrefixNode>) -> PrefixNode {
    let name = if children.is_empty() { "*" } else { "*:" };
    node(name.as_bytes(), PrefixKind::Wildcard, bytes, children)
}

fn prefixes() -> PrefixNode {
    let session = literal("session:", 0, vec![any(312_000_000, Vec::new())]);
    let user = literal(
        "user:",
        0,
        vec![any(
            21_000_000,
            vec![
                literal("cart", 151_000_000, Vec::new()),
                literal("profile", 48_000_000, Vec::new()),
                literal("orders:", 0, vec![any(30_500_000, Vec::new())]),
                literal("seen", 9_100_000, Vec::new()),
            ],
        )],
    );
    let cache = literal(
        "cache:",
        0,
        vec![
            literal("page:", 0, vec![any(140_000_000, Vec::new())]),
            literal("fragment:", 0, vec![any(61_000_000, Vec::new())]),
            literal("geo:", 0, vec![any(8_200_000, Vec::new())]),
        ],
    );
    let metrics = literal(
        "metrics:",
        0,
        vec![
            literal(
                "http:",
                0,
                vec![any(52_000_000, Vec::new()), literal("total", 900_000, Vec::new())],
            ),
            literal("db:", 0, vec![any(21_000_000, Vec::new())]),
            literal("jobs:", 0, vec![any(9_400_000, Vec::new())]),
        ],
    );
    let queue = literal(
        "queue:",
        0,
        vec![literal("mail", 31_000_000, Vec::new()), literal("images", 22_000_000, Vec::new())],
    );
    let mut events = literal("events", 88_120_000, Vec::new());
    events.reclaimable_bytes = Some(-1_310_000);
    let lock = literal("lock:", 0, vec![any(6_100_000, Vec::new())]);
    let keyless = node(b"", PrefixKind::Keyless, 1_130_000, Vec::new());
    let others = node(b"", PrefixKind::Others, 3_400_000, Vec::new());
    let mut children = vec![session, user, cache, events, metrics, queue, lock, others, keyless];
    children.sort_by_key(|child| std::cmp::Reverse(child.bytes));
    node(b"", PrefixKind::Literal, 0, children)
}

/// A tree with this number of prefixes.
fn many(count: usize) -> PrefixNode {
    let per_service = 99;
    let services = count.div_ceil(per_service + 1);
    let size = |index: usize| 40_000_000 / (u64::try_from(index).unwrap_or(0) + 1);
    let service = |service: usize| {
        let parts = per_service.min(count.saturating_sub(service * (per_service + 1) + 1));
        let part = |part: usize| {
            literal(&format!("part-{part:03}:"), size(service + part * 9), Vec::new())
        };
        literal(&format!("service-{service:03}:"), 0, (0..parts).map(part).collect())
    };
    node(b"", PrefixKind::Literal, 0, (0..services).map(service).collect())
}

fn forget_keys(root: &mut PrefixNode) {
    let mut left = vec![root];
    while let Some(node) = left.pop() {
        node.keys = None;
        node.key_bytes = None;
        node.reclaimable_bytes = None;
        left.extend(&mut node.children);
    }
}

/// The keys over a log with a flush of one database at three quarters of it.
fn course() -> Vec<KeysAt> {
    const STEP: u64 = 4_232_708;
    let point = |index: u64| {
        let (mut first, second) = (301_000 + index * 2_900, index * 81);
        if index > 180 {
            first = (index - 180) * 12_100;
        }
        let keys = [(0, first), (1, second)].into_iter().filter(|(_, keys)| *keys > 0);
        let offset = index * STEP;
        KeysAt {
            part: "appendonly.aof.7.incr.aof".to_owned(),
            offset,
            part_index: 1,
            command_bytes: offset,
            total: first + second,
            databases: keys.map(|(db, keys)| KeysOfDb { db, keys }).collect(),
        }
    };
    (0..=240).map(point).collect()
}

fn effects() -> Effects {
    let key = |key: &[u8], writes, bytes, exists| WrittenKey {
        db: 0,
        key: OwnedText(key.to_vec()),
        writes,
        bytes,
        exists,
    };
    Effects {
        writes: 8_120_004,
        overwrites: 2_611_200,
        created: 1_190_331,
        deleted: 611_920,
        short_lived: 540_118,
        failed: 0,
        most_written: vec![
            key(b"events", 610_332, 88_120_000, true),
            key(b"metrics:http:total", 301_201, 900_000, true),
            key(b"queue:mail", 88_231, 9_720_000, true),
            key(b"lock:nightly", 40_112, 3_100_000, false),
        ],
        rewritten_bytes: 402_653_184,
    }
}

fn present() -> Present {
    let share = |keys, expiring, items, bytes| Share {
        keys,
        expiring,
        items,
        bytes,
        memory_bytes: Some(bytes + keys * 64),
    };
    let named = |name: &str, share| share_of(name.to_owned(), share);
    let (string, hash) = (
        share(610_000, 540_000, 610_000, 201_000_000),
        share(140_000, 20_000, 1_400_000, 121_000_000),
    );
    let (stream, zset) = (share(1, 0, 610_332, 71_000_000), share(8_200, 0, 320_000, 31_000_000));
    let (list, set) = (share(12, 0, 90_000, 9_000_000), share(2_100, 0, 61_000, 4_200_000));
    let ttl = [
        (TtlRange::None, 214_313),
        (TtlRange::Past, 1_200),
        (TtlRange::Minute, 18_400),
        (TtlRange::Hour, 201_000),
        (TtlRange::Day, 240_000),
        (TtlRange::Week, 61_000),
        (TtlRange::Month, 24_400),
        (TtlRange::Longer, 0),
    ];
    let sizes = [
        0, 0, 0, 0, 0, 12_000, 101_000, 240_000, 210_000, 120_000, 51_000, 18_000, 6_100, 1_900,
        240, 60, 9, 2, 0, 1, 0, 0, 0, 0, 0, 1,
    ];
    let large = |key: &[u8], kind, items, bytes, largest_item, expires_ms| LargeKey {
        db: 0,
        key: OwnedText(key.to_vec()),
        kind,
        items,
        bytes,
        largest_item,
        memory_bytes: Some(bytes + bytes / 5),
        expires_ms,
    };
    let largest = vec![
        large(b"events", Kind::Stream, 610_332, 71_000_000, 412, None),
        large(
            b"cache:page:/products?category=garden",
            Kind::String,
            1,
            4_812_200,
            4_812_200,
            Some((START + 95_000) * 1000),
        ),
        large(b"catalogue:2026-11", Kind::Hash, 9_100, 2_100_000, 812, None),
        large(b"leaderboard", Kind::Zset, 31_000, 1_300_000, 48, None),
        large(b"queue:mail", Kind::List, 8_112, 910_000, 2_010, None),
    ];
    let mut by_items = largest.clone();
    by_items.sort_by_key(|key| std::cmp::Reverse(key.items));
    Present {
        total: share(760_313, 560_000, 3_091_332, 437_200_000),
        prefixes: None,
        by_type: vec![
            share_of(Kind::String, string),
            share_of(Kind::Hash, hash),
            share_of(Kind::Stream, stream),
            share_of(Kind::Zset, zset),
            share_of(Kind::List, list),
            share_of(Kind::Set, set),
        ],
        by_encoding: vec![
            named("raw", share(401_000, 361_000, 401_000, 171_000_000)),
            named("hashtable", share(9_000, 0, 810_000, 91_000_000)),
            named("stream", stream),
            named("embstr", share(161_000, 150_000, 161_000, 28_000_000)),
            named("listpack", share(138_000, 20_000, 900_000, 42_000_000)),
            named("skiplist", share(1_100, 0, 210_000, 22_000_000)),
            named("quicklist", list),
            named("int", share(48_000, 29_000, 48_000, 2_000_000)),
        ],
        by_db: vec![
            share_of(0, share(741_000, 560_000, 3_020_000, 401_000_000)),
            share_of(1, share(19_313, 0, 71_332, 36_200_000)),
        ],
        ttl: ttl.iter().map(|&(ttl, keys)| TtlBucket { ttl, keys }).collect(),
        sizes: sizes
            .iter()
            .enumerate()
            .filter(|(_, keys)| **keys > 0)
            .map(|(power, &keys)| SizeBucket {
                below: 1 << power,
                keys,
                bytes: keys * (3 << power) / 4,
            })
            .collect(),
        expiry_peaks: vec![
            ExpiryPeak { time: START + 97_180, keys: 41_002 },
            ExpiryPeak { time: START + 100_780, keys: 22_910 },
        ],
        largest_by_bytes: largest,
        largest_by_items: by_items,
        streams: vec![StreamFacts {
            db: 0,
            key: OwnedText(b"events".to_vec()),
            entries: 610_332,
            groups: 2,
            consumers: 9,
            pending: 131,
        }],
        stream_count: 1,
        functions: vec![FunctionLibrary {
            name: OwnedText(b"shop".to_vec()),
            engine: OwnedText(b"LUA".to_vec()),
            bytes: 2_104,
        }],
        memory: Some(MemoryEstimate {
            server: redis(7, 2),
            basis: MemoryBasis::Given,
            allocator: Allocator::Jemalloc,
            bytes: 485_800_000,
            keys: 1_000_000,
            error_percent: Some(5),
        }),
        slots: SlotSkew {
            used: 16_384,
            most_keys: 91,
            largest: vec![
                SlotShare { slot: 4_201, keys: 47, bytes: 71_014_112 },
                SlotShare { slot: 911, keys: 52, bytes: 4_832_004 },
            ],
            three_nodes: 1.18,
        },
    }
}

fn hostile(report: &mut StatsReport) {
    report.path = format!("/tmp/{}", String::from_utf8_lossy(HOSTILE[0])).into();
    report.separators = "<:&\"".to_owned();
    if let Some(written) = &mut report.written {
        let of = |name: &[u8], bytes| node(name, PrefixKind::Literal, bytes, Vec::new());
        let children = (50..).zip(HOSTILE).map(|(size, name)| of(name, size * 1_000_000));
        written.prefixes.children =
            vec![node(HOSTILE[0], PrefixKind::Literal, 0, children.collect())];
        written.prefixes.bytes = written.prefixes.children[0].bytes;
        for (command, name) in written.by_command.iter_mut().zip(HOSTILE) {
            command.name = String::from_utf8_lossy(name).into_owned();
        }
        let types = [
            WrittenType::String,
            WrittenType::Array,
            WrittenType::VectorSet,
            WrittenType::Script,
            WrittenType::Transaction,
            WrittenType::Unknown,
        ];
        written.by_type = types.into_iter().map(|it| written_by(it, 1_000, 90_000)).collect();
        for (command, name) in written.largest.iter_mut().zip(HOSTILE) {
            command.key = Some(OwnedText(name.to_vec()));
            command.part = String::from_utf8_lossy(name).into_owned();
        }
    }
    if let Some(effects) = &mut report.effects {
        effects.most_written.iter_mut().zip(HOSTILE).for_each(|(key, it)| key.key.0 = it.to_vec());
    }
    if let Some(present) = &mut report.present {
        let large = present.largest_by_bytes.iter_mut().chain(&mut present.largest_by_items);
        large.zip(HOSTILE.iter().cycle()).for_each(|(key, name)| key.key.0 = name.to_vec());
        for (encoding, name) in present.by_encoding.iter_mut().zip(HOSTILE) {
            encoding.name = String::from_utf8_lossy(name).into_owned();
        }
        present.streams.iter_mut().for_each(|stream| stream.key.0 = HOSTILE[1].to_vec());
        for library in &mut present.functions {
            library.name.0 = HOSTILE[0].to_vec();
            library.engine.0 = HOSTILE[3].to_vec();
        }
    }
}
