//! RDBs with one fault each.

use super::build::{
    Stream, intset, items, length, listpack, node, rdb, record, string, strings, with, ziplist,
};

/// Returns the description of each fault, and the RDB.
pub(super) fn faults() -> Vec<(&'static str, Vec<u8>)> {
    let mut all = Vec::new();
    elements(&mut all);
    hashes(&mut all);
    ziplists(&mut all);
    listpacks(&mut all);
    scores(&mut all);
    for code in [15, 21] {
        streams(code, &mut all);
    }
    all
}

type Faults = Vec<(&'static str, Vec<u8>)>;

/// Version 9 is read by all lines.
const OLD: &str = "REDIS0009";

fn add(faults: &mut Faults, what: &'static str, header: &str, code: u8, value: Vec<u8>) {
    faults.push((what, rdb(header, &[record(code, "bad", value)])));
}

/// Returns `n` texts, of which the last repeats the first.
fn repeated(prefix: &str, n: usize) -> Vec<String> {
    (0..n).map(|number| format!("{prefix}{}", number % (n - 1))).collect()
}

fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(ToString::to_string).collect()
}

fn elements(all: &mut Faults) {
    let score = 1_f64.to_le_bytes();
    let twice = texts(&["a", "a"]);
    add(all, "no fault", OLD, 5, strings(&texts(&["a", "b"]), &score));
    add(all, "a member twice", OLD, 5, strings(&twice, &score));
    add(all, "a member twice, old form", OLD, 3, strings(&twice, b"\x011"));
    add(all, "a member of a set twice", OLD, 2, strings(&twice, b""));
    add(all, "a number in a set twice", OLD, 2, strings(&texts(&["1", "1"]), b""));
    add(all, "a member of a large set twice", OLD, 2, strings(&repeated("m", 600), b""));
    add(all, "a number in a large set twice", OLD, 2, strings(&repeated("", 600), b""));
    let nan = f64::NAN.to_le_bytes();
    add(all, "a score that is not a number", OLD, 5, strings(&texts(&["a"]), &nan));
    add(all, "the same, old form", OLD, 3, strings(&texts(&["a"]), b"\xfd"));
    add(all, "the same as text", OLD, 3, strings(&texts(&["a"]), b"\x03nan"));
    add(all, "a score that is text", OLD, 3, strings(&texts(&["a"]), b"\x02xy"));
    add(all, "a score that begins with a number", OLD, 3, strings(&texts(&["a"]), b"\x021x"));
    for (code, what) in
        [(1, "an empty list"), (2, "an empty set"), (4, "an empty hash"), (5, "an empty zset")]
    {
        add(all, what, OLD, code, length(0));
    }
    let twice = [record(0, "k", string("1")), record(0, "k", string("2"))];
    all.push(("a key twice", rdb(OLD, &twice)));
    add(all, "compressed text of nonsense", OLD, 0, b"\xc3\x03\x0a\xff\xff\xff".to_vec());
    add(all, "compressed text shorter than declared", OLD, 0, b"\xc3\x02\x05\x00a".to_vec());
    add(all, "a compressed ziplist of nonsense", OLD, 12, b"\xc3\x03\x0a\xff\xff\xff".to_vec());
    add(all, "a length of no encoding", OLD, 2, b"\xc5\x01a".to_vec());
    add(all, "a string of no encoding", OLD, 0, b"\xc7a".to_vec());
}

fn hashes(all: &mut Faults) {
    let long = "x".repeat(65);
    let value = string("v");
    let twice = texts(&["a", "a"]);
    add(all, "a field twice", OLD, 4, strings(&twice, &value));
    add(all, "a field twice, of 512", OLD, 4, strings(&repeated("m", 512), &value));
    add(all, "a field twice, of 513", OLD, 4, strings(&repeated("m", 513), &value));
    add(all, "a field twice, with 64 bytes", OLD, 4, strings(&twice, &string("x".repeat(64))));
    add(all, "a field twice, with 65 bytes", OLD, 4, strings(&twice, &string(&long)));
    let pair = |field: &str, value: &str| [string(field), string(value)].concat();
    let later = [length(3), pair("a", "1"), pair("a", "2"), pair("b", &long)].concat();
    add(all, "a field twice, then a long one", OLD, 4, later);
    let itself = [length(2), pair("a", "1"), pair("a", &long)].concat();
    add(all, "a field twice, the second long", OLD, 4, itself);
    let zipmap = |content: &[u8]| string([content, b"\xff"].concat());
    add(all, "a field of a zipmap twice", OLD, 9, zipmap(b"\x02\x01a\x01\x00b\x01a\x01\x00c"));
    add(all, "a zipmap that overruns", OLD, 9, zipmap(b"\x01\x20a\x01\x00b"));
    add(all, "an empty zipmap", OLD, 9, zipmap(b"\x00"));
    let lowest = 4_102_444_800_000_i64.to_le_bytes();
    let expiring = |number: usize| {
        let field = [length(1), pair("a", "1")].concat();
        [&lowest[..], &length(number), &field.repeat(number)].concat()
    };
    add(all, "an expiring field twice", "REDIS0012", 24, expiring(2));
    add(all, "an expiring field twice, of many", "REDIS0012", 24, expiring(600));
    let never = (-1_i64).to_le_bytes();
    let valkey = [length(2), [&pair("a", "1")[..], &never].concat().repeat(2)].concat();
    add(all, "a field twice, of Valkey 9.0", "VALKEY080", 22, valkey);
    let mut packed = |what, items: &[_]| {
        let value = [&1_i64.to_le_bytes()[..], &string(listpack(items))].concat();
        add(all, what, "REDIS0012", 25, value);
    };
    packed("expiries in order", &items!["a", "b", 0]);
    packed("two fields of three items", &items!["a", "b"]);
    packed("an expiring packed field twice", &items!["a", "b", 0, "a", "b", 0]);
    packed("expiries out of order", &items!["a", "b", 0, "c", "d", 4000]);
    packed("an expiry that is text", &items!["a", "b", "x"]);
    packed("a negative expiry", &items!["a", "b", -5]);
    packed("a second expiry that is text", &items!["a", "b", 0, "c", "d", "x"]);
    // Each item is two bytes of text and its size, and the expiry a byte and its size.
    let sound = listpack(&items!["a", "b", 0, "c", "d", 0]);
    for (what, at) in [
        ("the first field of an unknown form", 6),
        ("the first value of an unknown form", 9),
        ("the first expiry of an unknown form", 12),
        ("the second field of an unknown form", 14),
        ("the second expiry of an unknown form", 20),
    ] {
        let list = with(sound.clone(), at, 0xf7);
        add(all, what, "REDIS0012", 25, [&1_i64.to_le_bytes()[..], &string(list)].concat());
    }
    let lowest = [&i64::MAX.to_le_bytes()[..], &string(sound)].concat();
    add(all, "a lowest expiry that is too high", "REDIS0012", 25, lowest);
}

fn ziplists(all: &mut Faults) {
    type Wrap = fn(Vec<u8>) -> Vec<u8>;
    let quicklist: Wrap = |node| [length(1), string(node)].concat();
    let plain: Wrap = |value| string(value);
    for (code, wrap) in [(10, plain), (12, plain), (13, plain), (14, quicklist)] {
        let sound = ziplist(&items!["a", 1]);
        let mut broken = |what, bytes: Vec<u8>| add(all, what, OLD, code, wrap(bytes));
        broken("a ziplist", sound.clone());
        broken("an empty ziplist", ziplist(&[]));
        broken("a ziplist that counts too many", with(sound.clone(), 8, 3));
        broken("a ziplist that counts too few", with(sound.clone(), 8, 1));
        broken("a ziplist of another size", with(sound.clone(), 0, 99));
        broken("a ziplist with another last entry", with(sound.clone(), 4, 11));
        broken("a ziplist with a last entry after its end", with(sound.clone(), 4, 99));
        broken("a ziplist with a wrong size before an entry", with(sound.clone(), 13, 9));
        broken("a ziplist whose entry overruns", with(sound.clone(), 11, 0x3f));
        broken("a ziplist with an unknown entry", with(sound.clone(), 11, 0xc5));
        broken("a ziplist without end", with(sound.clone(), sound.len() - 1, 5));
        broken("a ziplist without header", b"\x05\0\0\0\xff".to_vec());
    }
    for code in [12, 13] {
        add(all, "an odd ziplist", OLD, code, string(ziplist(&items!["a", 1, "b"])));
        add(
            all,
            "a member of a ziplist twice",
            OLD,
            code,
            string(ziplist(&items!["a", 1, "a", 2])),
        );
    }
    add(all, "an intset with a number twice", OLD, 11, string(intset(&[1, 1])));
    add(all, "an intset out of order", OLD, 11, string(intset(&[2, 1])));
    add(all, "an empty intset", OLD, 11, string(intset(&[])));
    add(all, "an intset that counts too many", OLD, 11, string(with(intset(&[1, 2]), 4, 3)));
    add(all, "an intset of 3 bytes a number", OLD, 11, string(with(intset(&[1]), 0, 3)));
    add(all, "an intset without header", OLD, 11, string(b"\x02\0\0"));
}

fn listpacks(all: &mut Faults) {
    type Wrap = fn(Vec<u8>) -> Vec<u8>;
    let quicklist: Wrap = |node| [length(1), length(2), string(node)].concat();
    let plain: Wrap = |value| string(value);
    for (code, header, wrap) in [
        (16, "REDIS0010", plain),
        (17, "REDIS0010", plain),
        (18, "REDIS0010", quicklist),
        (20, "REDIS0011", plain),
    ] {
        let sound = listpack(&items!["a", 1]);
        let mut broken = |what, bytes: Vec<u8>| add(all, what, header, code, wrap(bytes));
        broken("a listpack", sound.clone());
        broken("an empty listpack", listpack(&[]));
        broken("a listpack that counts too many", with(sound.clone(), 4, 3));
        broken("a listpack that counts too few", with(sound.clone(), 4, 1));
        broken("a listpack that counts none", with(sound.clone(), 4, 0));
        broken("a listpack that does not count", with(with(sound.clone(), 4, 255), 5, 255));
        broken("a listpack of another size", with(sound.clone(), 0, 99));
        broken("a listpack whose entry overruns", with(sound.clone(), 6, 0xbf));
        broken("a listpack with an unknown entry", with(sound.clone(), 6, 0xf7));
        broken("a listpack with a wrong size after an entry", with(sound.clone(), 8, 9));
        broken("a listpack without end", with(sound.clone(), sound.len() - 1, 5));
        broken("a listpack without header", b"\x05\0\0\0\xff".to_vec());
        if code < 18 {
            broken("an odd listpack", listpack(&items!["a", 1, "b"]));
        }
        if code != 18 {
            broken("a member of a listpack twice", listpack(&items!["a", 1, "a", 1]));
        }
    }
    let node = |form, node: Vec<u8>| [length(1), length(form), node].concat();
    add(all, "an empty node of its own", "REDIS0010", 18, node(1, string("")));
    add(all, "a node of no form", "REDIS0010", 18, node(3, string("a")));
}

fn scores(all: &mut Faults) {
    for (code, pack) in [(12, ziplist as fn(&[_]) -> _), (17, listpack)] {
        let header = if code == 12 { OLD } else { "REDIS0010" };
        let mut score = |what, text| add(all, what, header, code, string(pack(&items!["a", text])));
        score("a packed score that is not a number", "nan");
        score("a packed score that is not a number, negative", "-nan");
        score("a packed score that begins with nan", "nanx");
        score("a packed score that is text", "xy");
        score("a packed score that begins with a number", "1x");
        score("a packed score without text", "");
    }
}

fn streams(code: u8, all: &mut Faults) {
    let header = if code == 15 { OLD } else { "REDIS0011" };
    let mut stream = |what, stream: Stream| add(all, what, header, code, stream.bytes(code));
    let sound = Stream::sound();
    stream("a stream", sound.clone());
    let good = node(1.into(), 0, 0, 2, 4);
    stream("a node that counts too many items", Stream::of(with(good.clone(), 4, 99)));
    stream("a node of another size", Stream::of(with(good.clone(), 0, 99)));
    stream("a node without end", Stream::of(with(good.clone(), good.len() - 1, 5)));
    stream("an empty node", Stream::of(listpack(&[])));
    stream("a node that ends before its first entry", Stream::of(with(good.clone(), 6, 0xff)));
    stream("a node whose first entry has no form", Stream::of(with(good.clone(), 6, 0xf7)));
    stream("a wrong size after a node's first entry", Stream::of(with(good.clone(), 7, 9)));
    stream("a wrong size after a node's second entry", Stream::of(with(good.clone(), 9, 9)));
    // The value is the last item but one: one byte, its text, and its size.
    let value = good.len() - 6;
    stream("a node whose value overruns", Stream::of(with(good, value, 0xbf)));
    stream("a node that counts too many entries", Stream::of(node(2.into(), 0, 0, 2, 4)));
    stream("a node that counts no entry", Stream::of(node(0.into(), 0, 0, 2, 4)));
    stream("an entry that counts too many items", Stream::of(node(1.into(), 0, 0, 2, 9)));
    stream("a node with another end of its fields", Stream::of(node(1.into(), 0, 1, 2, 4)));
    stream("a node with a negative count", Stream::of(node((-1).into(), 0, 0, 2, 4)));
    stream("a node whose count is text", Stream::of(node("x".into(), 0, 0, 2, 4)));
    stream("a deleted entry that is counted", Stream::of(node(1.into(), 0, 0, 3, 4)));
    let none = Stream { length: 0, ..Stream::of(node(0.into(), 1, 0, 3, 4)) };
    stream("a deleted entry", none);
    let hidden = Stream { length: 0, ..Stream::of(node(0.into(), 1, 0, 2, 4)) };
    stream("an entry that is counted as deleted", hidden);
    stream("a stream that is too long", Stream { length: 9, ..sound.clone() });
    stream("a stream of length 0", Stream { length: 0, ..sound.clone() });
    let nodes = vec![sound.nodes[0].clone(), sound.nodes[0].clone()];
    stream("a node twice", Stream { nodes, length: 2, ..sound.clone() });
    let empty = Stream { nodes: Vec::new(), length: 0, ..sound.clone() };
    stream("an empty stream", empty.clone());
    stream("a stream without nodes", Stream { length: 3, ..empty });
    stream("a group twice", Stream { groups: 2, ..sound.clone() });
    stream("a pending entry twice", Stream { pending: vec![1, 1], ..sound.clone() });
    let consumers = |consumers: &[_]| Stream { consumers: consumers.to_vec(), ..sound.clone() };
    stream("a pending entry of no consumer", consumers(&[]));
    stream("a pending entry of two consumers", consumers(&[("c", vec![1]), ("d", vec![1])]));
    stream("a consumer twice", consumers(&[("c", vec![1]), ("c", vec![])]));
    stream("a consumer with a pending entry twice", consumers(&[("c", vec![1, 1])]));
    stream("a consumer with an entry that is not pending", consumers(&[("c", vec![1, 2])]));
}
