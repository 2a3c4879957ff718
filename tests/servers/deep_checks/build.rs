//! Builds RDBs with packed encodings that may be broken.

/// Returns an RDB with this header, these records, a key after them, and its checksum.
pub(super) fn rdb(header: &str, records: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = header.as_bytes().to_vec();
    bytes.extend([0xfe, 0]);
    bytes.extend(records.concat());
    bytes.extend(record(0, "after", string("v")));
    bytes.push(0xff);
    let sum = aofkit::rdb::crc64(&bytes);
    bytes.extend(sum.to_le_bytes());
    bytes
}

/// Returns a key of this type.
pub(super) fn record(code: u8, name: &str, value: Vec<u8>) -> Vec<u8> {
    [vec![code], string(name), value].concat()
}

/// Returns a length of up to 14 bits.
pub(super) fn length(n: usize) -> Vec<u8> {
    match u8::try_from(n) {
        Ok(n) if n < 64 => vec![n],
        _ => {
            let [high, low] = u16::try_from(n).expect("a short length").to_be_bytes();
            vec![0x40 | high, low]
        }
    }
}

pub(super) fn string(text: impl AsRef<[u8]>) -> Vec<u8> {
    [&length(text.as_ref().len())[..], text.as_ref()].concat()
}

/// Returns a length and as many strings, with `each` after each of them.
pub(super) fn strings(texts: &[String], each: &[u8]) -> Vec<u8> {
    let items = texts.iter().map(|text| [&string(text)[..], each].concat());
    [length(texts.len()), items.collect::<Vec<_>>().concat()].concat()
}

/// An item of a packed encoding: a short text or a number from -4,096 to 4,095.
#[derive(Clone, Copy)]
pub(super) enum Item {
    Text(&'static str),
    Number(i16),
}

impl From<&'static str> for Item {
    fn from(text: &'static str) -> Self {
        Item::Text(text)
    }
}

impl From<i16> for Item {
    fn from(number: i16) -> Self {
        Item::Number(number)
    }
}

/// Returns items of both kinds.
macro_rules! items {
    ($($item:expr),* $(,)?) => { [$(super::build::Item::from($item)),*] };
}
pub(super) use items;

pub(super) fn listpack(items: &[Item]) -> Vec<u8> {
    let mut body = Vec::new();
    for item in items {
        let entry = match *item {
            Item::Text(text) => [&[0x80 | byte(text.len())][..], text.as_bytes()].concat(),
            Item::Number(number @ 0..128) => vec![byte(number)],
            Item::Number(number) => {
                let [high, low] = number.to_be_bytes();
                vec![0xc0 | high & 0x1f, low]
            }
        };
        body.extend_from_slice(&entry);
        body.push(byte(entry.len()));
    }
    let size = u32::try_from(body.len() + 7).expect("a small one").to_le_bytes();
    let count = u16::try_from(items.len()).expect("a small one").to_le_bytes();
    [&size[..], &count, &body, &[0xff]].concat()
}

pub(super) fn ziplist(items: &[Item]) -> Vec<u8> {
    let mut body = Vec::new();
    let (mut before, mut tail) = (0, 10);
    for item in items {
        tail = 10 + body.len();
        let mut entry = vec![byte(before)];
        match *item {
            Item::Text(text) => {
                entry.push(byte(text.len()));
                entry.extend(text.as_bytes());
            }
            Item::Number(number) => entry.push(0xf1 + byte(number)),
        }
        before = entry.len();
        body.extend(entry);
    }
    let size = u32::try_from(body.len() + 11).expect("a small one").to_le_bytes();
    let tail = u32::try_from(tail).expect("a small one").to_le_bytes();
    let count = u16::try_from(items.len()).expect("a small one").to_le_bytes();
    [&size[..], &tail, &count, &body, &[0xff]].concat()
}

pub(super) fn intset(numbers: &[i16]) -> Vec<u8> {
    let count = u32::try_from(numbers.len()).expect("a small one").to_le_bytes();
    let numbers: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
    [&2_u32.to_le_bytes()[..], &count, &numbers].concat()
}

/// Returns the bytes with another one at `at`.
pub(super) fn with(mut bytes: Vec<u8>, at: usize, byte: u8) -> Vec<u8> {
    bytes[at] = byte;
    bytes
}

fn byte(number: impl TryInto<u8>) -> u8 {
    number.try_into().ok().expect("it fits into a byte")
}

/// A stream with one group.
#[derive(Clone)]
pub(super) struct Stream {
    /// Each node: its id, and its listpack.
    pub(super) nodes: Vec<(u64, Vec<u8>)>,
    pub(super) length: usize,
    /// The ids that are pending in the group.
    pub(super) pending: Vec<u64>,
    /// Each consumer: its name, and the ids that are pending for it.
    pub(super) consumers: Vec<(&'static str, Vec<u64>)>,
    pub(super) groups: usize,
}

/// A listpack with one entry of a stream.
pub(super) const NODE: [Item; 9] = [
    Item::Number(1),
    Item::Number(0),
    Item::Number(1),
    Item::Text("f"),
    Item::Number(0),
    Item::Number(2),
    Item::Number(0),
    Item::Number(0),
    Item::Text("v"),
];

/// Returns the listpack of a node: the counts of entries, deleted ones and fields, the end of the fields, and the flags
/// of the only entry and its number of items.
pub(super) fn node(live: Item, deleted: i16, zero: i16, flags: i16, count: i16) -> Vec<u8> {
    let mut items = NODE;
    items[0] = live;
    items[1] = Item::Number(deleted);
    items[4] = Item::Number(zero);
    items[5] = Item::Number(flags);
    listpack(&[&items[..], &[Item::Number(count)]].concat())
}

impl Stream {
    /// Returns a sound one with one entry.
    pub(super) fn sound() -> Self {
        Stream {
            nodes: vec![(1, node(1.into(), 0, 0, 2, 4))],
            length: 1,
            pending: vec![1],
            consumers: vec![("c", vec![1])],
            groups: 1,
        }
    }

    pub(super) fn of(listpack: Vec<u8>) -> Self {
        Stream { nodes: vec![(1, listpack)], ..Stream::sound() }
    }

    /// Returns the value in the form of type 15, and in that of type 21.
    pub(super) fn bytes(&self, code: u8) -> Vec<u8> {
        let later = code == 21;
        let id = |ms: u64| [ms.to_be_bytes(), 0_u64.to_be_bytes()].concat();
        let time = 1_u64.to_le_bytes();
        let mut bytes = length(self.nodes.len());
        for (ms, listpack) in &self.nodes {
            bytes.extend([string(id(*ms)), string(listpack)].concat());
        }
        bytes.extend([length(self.length), length(9), length(0)].concat());
        if later {
            bytes.extend([length(1), length(0), length(0), length(0), length(1)].concat());
        }
        bytes.extend(length(self.groups));
        for _ in 0..self.groups {
            bytes.extend([string("g"), length(1), length(0)].concat());
            if later {
                bytes.extend(length(1));
            }
            bytes.extend(length(self.pending.len()));
            for ms in &self.pending {
                bytes.extend([&id(*ms)[..], &time, &length(1)].concat());
            }
            bytes.extend(length(self.consumers.len()));
            for (name, pending) in &self.consumers {
                bytes.extend([&string(name)[..], &time].concat());
                if later {
                    bytes.extend(time);
                }
                bytes.extend(length(pending.len()));
                bytes.extend(pending.iter().flat_map(|ms| id(*ms)));
            }
        }
        bytes
    }
}
