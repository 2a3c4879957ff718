//! The data of a server in a form that does not depend on its version.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{SystemTime, UNIX_EPOCH};

use aofkit::base::server::{Product, Server};

use super::super::rdb::{call, has_field_expiry};
use crate::support::{Binary, Reply, Running, differential};

/// The properties of each key, by database and key, and those of the functions. What a server cannot report is absent.
pub(crate) type Dump = BTreeMap<String, Properties>;

/// The value of each property.
pub(crate) type Properties = BTreeMap<String, String>;

/// Returns the data of all databases.
pub(crate) fn dump(server: &mut Running, binary: &Binary) -> Dump {
    let line = binary.line;
    let mut dump = Dump::new();
    for db in 0..16 {
        call(server, &["SELECT", &db.to_string()]);
        for key in bulks(&call(server, &["KEYS", "*"])) {
            let properties = properties(server, line, &key);
            dump.insert(format!("{db} {}", key.escape_ascii()), properties);
        }
    }
    call(server, &["SELECT", "0"]);
    if line.has_redis(7, 0) {
        let list = call(server, &["FUNCTION", "LIST", "WITHCODE"]);
        let libraries = list.array().iter().map(|library| format!("{library:?}"));
        for (number, library) in libraries.collect::<BTreeSet<_>>().into_iter().enumerate() {
            dump.insert(format!("library {number}"), [("code".into(), library)].into());
        }
    }
    dump
}

/// Returns the differences between what both servers can report, one per line.
pub(crate) fn differences(ours: &Dump, theirs: &Dump) -> Vec<String> {
    let keys: BTreeSet<_> = ours.keys().chain(theirs.keys()).collect();
    let mut found = Vec::new();
    for key in keys {
        let (Some(ours), Some(theirs)) = (ours.get(key), theirs.get(key)) else {
            found.push(format!("{key}: only in one of them"));
            continue;
        };
        for (name, value) in ours {
            if let Some(other) = theirs.get(name).filter(|other| *other != value) {
                let at = value.bytes().zip(other.bytes()).take_while(|(a, b)| a == b).count();
                let shown = |text: &str| {
                    text.chars().skip(at.saturating_sub(60)).take(160).collect::<String>()
                };
                found.push(format!("{key}, {name}: {}, expected {}", shown(value), shown(other)));
            }
        }
    }
    found
}

fn properties(server: &mut Running, line: Server, key: &[u8]) -> Properties {
    let kind = call(server, &[&b"TYPE"[..], key]).text();
    let mut properties = Properties::from([("type".to_owned(), kind.clone())]);
    let mut set = |name: &str, value: String| {
        properties.insert(name.to_owned(), value);
    };
    let mut query = |args: &[&[u8]]| call(server, args);
    set("expiry in minutes", expiry_minutes(&mut query, key).to_string());
    if line.has_redis(7, 0) {
        set("expiry", query(&[b"PEXPIRETIME", key]).int().to_string());
    }
    match kind.as_str() {
        "string" => set("value", format!("{:?}", query(&[b"GET", key]))),
        "list" => set("value", format!("{:?}", query(&[b"LRANGE", key, b"0", b"-1"]))),
        "set" => {
            let members: BTreeSet<_> = bulks(&query(&[b"SMEMBERS", key])).into_iter().collect();
            set("value", format!("{members:?}"));
        }
        "zset" => {
            set("value", scored(&bulks(&query(&[b"ZRANGE", key, b"0", b"-1", b"WITHSCORES"]))))
        }
        "hash" => {
            let fields = bulks(&query(&[b"HGETALL", key]));
            let pairs: BTreeMap<_, _> = fields.chunks(2).map(|pair| (&pair[0], &pair[1])).collect();
            set("value", format!("{pairs:?}"));
            if has_field_expiry(line) {
                let count = pairs.len().to_string();
                let mut args = vec![&b"HPEXPIRETIME"[..], key, b"FIELDS", count.as_bytes()];
                args.extend(pairs.keys().map(|field| field.as_slice()));
                set("field expiries", format!("{:?}", query(&args)));
            }
        }
        "stream" => stream(server, line, key, &mut properties),
        "vectorset" => vector_set(server, key, &mut properties),
        other => panic!("a key of type {other}"),
    }
    properties
}

fn expiry_minutes(query: &mut impl FnMut(&[&[u8]]) -> Reply, key: &[u8]) -> i64 {
    let left = query(&[b"PTTL", key]).int();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_millis();
    if left < 0 { left } else { (left + i64::try_from(now).expect("a time")) / 60_000 }
}

/// Returns members and scores as text. The text of a score differs between servers, its number does not, except that
/// servers since Redis 7.0 store -0 in a small set as 0.
fn scored(members: &[Vec<u8>]) -> String {
    let pairs = members.chunks(2).map(|pair| {
        let text = String::from_utf8_lossy(&pair[1]).into_owned();
        let score: f64 = text.parse().unwrap_or_else(|_| panic!("{text}"));
        format!("{} {:x}", pair[0].escape_ascii(), (score + 0.0).to_bits())
    });
    pairs.collect::<Vec<_>>().join(" ")
}

/// Adds the properties of a stream. The counters exist since Redis 7.0, the activity of consumers since 7.2.
fn stream(server: &mut Running, line: Server, key: &[u8], properties: &mut Properties) {
    let entries = call(server, &[&b"XRANGE"[..], key, b"-", b"+"]);
    properties.insert("value".into(), format!("{entries:?}"));
    for group in call(server, &[&b"XINFO"[..], b"GROUPS", key]).array() {
        let group = group.array();
        let Reply::Bulk(name) = &group[1] else { panic!("{group:?}") };
        let shown = name.escape_ascii();
        properties.insert(format!("group {shown}"), format!("{:?}", &group[..8]));
        let pending = call(server, &[&b"XPENDING"[..], key, name, b"-", b"+", b"1000"]);
        let pending: Vec<_> = (pending.array().iter())
            .map(|entry| {
                format!("{:?} {:?} {:?}", entry.array()[0], entry.array()[1], entry.array()[3])
            })
            .collect();
        properties.insert(format!("pending entries of {shown}"), pending.join(" "));
        let consumers = call(server, &[&b"XINFO"[..], b"CONSUMERS", key, name]);
        let names: BTreeSet<_> =
            consumers.array().iter().map(|consumer| consumer.array()[1].text()).collect();
        properties.insert(format!("consumers of {shown}"), format!("{names:?}"));
    }
    // Redis 5.0 cannot report the rest.
    if !line.has_redis(6, 0) {
        return;
    }
    for line in differential::stream_state(server, key).lines() {
        let (name, value) = line.split_once(' ').expect("a name and a value");
        let is_optional = matches!(
            name,
            "max-deleted-entry-id" | "entries-added" | "recorded-first-entry-id" | "entries-read"
        );
        // These are absent in older servers, so they cannot be numbered with the others.
        if is_optional || name == "active-time" || name == "seen-time" {
            properties.entry(format!("all {name}")).or_default().push_str(&format!("{value} "));
        } else if name != "group" {
            properties.entry("state".into()).or_default().push_str(&format!("{line}\n"));
        }
    }
    if line.product == Product::Redis && line.has_redis(8, 6) {
        let info = call(server, &[&b"XINFO"[..], b"STREAM", key]);
        for pair in info.array().chunks(2) {
            let name = pair[0].text();
            if name.starts_with("idmp") || name.starts_with("pids") || name.starts_with("iids") {
                properties.insert(name, format!("{:?}", pair[1]));
            }
        }
    }
}

fn vector_set(server: &mut Running, key: &[u8], properties: &mut Properties) {
    let count = call(server, &[&b"VCARD"[..], key]).int().to_string();
    let near = call(
        server,
        &[b"VSIM", key, b"VALUES", b"4", b"0", b"0", b"0", b"0", b"COUNT", count.as_bytes()],
    );
    let names: BTreeSet<_> = bulks(&near).into_iter().collect();
    properties.insert("elements".into(), count);
    for name in names {
        let vector = call(server, &[&b"VEMB"[..], key, &name, b"RAW"]);
        let attributes = call(server, &[&b"VGETATTR"[..], key, &name]);
        properties.insert(
            format!("element {}", name.escape_ascii()),
            format!("{vector:?} {attributes:?}"),
        );
    }
}

/// Returns the elements of an array of texts.
fn bulks(reply: &Reply) -> Vec<Vec<u8>> {
    let bytes = |element: &Reply| match element {
        Reply::Bulk(bytes) => bytes.clone(),
        other => panic!("{other:?}"),
    };
    reply.array().iter().map(bytes).collect()
}
