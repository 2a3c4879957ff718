//! Values, each in the encoding of a server with default configuration.
//!
//! | | version 9 | 10 | 11 and later |
//! |---|---|---|---|
//! | list | 14 | 18 | 18 |
//! | set, of at most 512 members that are all numbers | 11 | 11 | 11 |
//! | set, of at most 128 members of at most 64 bytes | 2 | 2 | 20 |
//! | sorted set, of at most 128 members of at most 64 bytes | 12 | 17 | 17 |
//! | hash, of at most 512 fields, they and the values of at most 64 bytes | 13 | 16 | 16 |
//! | the same with expiring fields | | | 25 (`REDIS` 12), 22 (`VALKEY` 80) |
//! | any other hash with expiring fields | | | 24 (`REDIS` 12), 22 (`VALKEY` 80) |
//! | stream | 15 | 19 | 21; 26 (`REDIS` 13) if its producers are known |
//!
//! Any other set is 2, sorted set 5, hash 4. The limits are those reported by `CONFIG GET` on Redis
//! 6.2, 7.0 and 8.2 and Valkey 9.1.

use std::io::Write;
use std::ops::Range;

use super::super::header::Magic;
use super::super::visitor::StreamId;
use super::number::{canonical, score_text};
use super::out::{Out, Put, Strings};
use super::packed::{Listpack, Pack, Ziplist, intset};
use super::target::Target;
use super::view::{Elements, Fields, Scored, Value};

/// Length in bytes of the longest text in a packed encoding.
const PACKED_BYTES: usize = 64;
const PACKED_SET: usize = 128;
const PACKED_ZSET: usize = 128;
const PACKED_HASH: usize = 512;
const INTSET: usize = 512;
/// Size in bytes of a list node.
const NODE_BYTES: usize = 8192;
/// Length from which no text is put into a packed encoding, so that its size fits into 32 bits.
const TOO_LONG: usize = 1 << 30;

/// Writes values, with buffers that are reused from value to value.
pub(super) struct Encoder {
    pub(super) target: Target,
    pub(super) strings: Strings,
    pub(super) listpack: Listpack,
    ziplist: Ziplist,
    /// The nodes of a list or stream, until their number is known.
    pub(super) kept: Vec<u8>,
    numbers: Vec<i64>,
    /// Texts that have to be sorted, concatenated in one buffer.
    texts: Vec<u8>,
    bytes: Vec<u8>,
}

impl Encoder {
    pub(super) fn new(target: Target, compress: bool) -> Self {
        Encoder {
            target,
            strings: Strings::new(compress),
            listpack: Listpack::default(),
            ziplist: Ziplist::default(),
            kept: Vec::new(),
            numbers: Vec::new(),
            texts: Vec::new(),
            bytes: Vec::new(),
        }
    }

    /// Writes type, key and value.
    pub(super) fn record<W: Write>(&mut self, out: &mut Out<W>, key: &[u8], value: &Value<'_>) {
        match *value {
            Value::String(text) => {
                self.begin(out, 0, key);
                self.strings.write(out, text);
            }
            Value::List(elements) => self.list(out, key, elements),
            Value::Set(members) => self.set(out, key, members),
            Value::Zset(members) => self.zset(out, key, members),
            Value::Hash(fields) => self.hash(out, key, fields),
            Value::Stream(stream) => self.stream(out, key, stream),
            // Refused before: no version holds it.
            Value::Array => {}
            Value::Module(payload) => {
                self.begin(out, 7, key);
                out.put(payload);
            }
        }
    }

    pub(super) fn begin<W: Write>(&mut self, out: &mut Out<W>, code: u8, key: &[u8]) {
        out.byte(code);
        self.strings.write(out, key);
    }

    fn list<W: Write>(&mut self, out: &mut Out<W>, key: &[u8], elements: &dyn Elements) {
        if self.target.since(10) {
            self.begin(out, 18, key);
            // Redis 7.0 gives an element a node of its own only if no other node can contain it.
            let longest = if self.target.since(11) { NODE_BYTES } else { TOO_LONG - 1 };
            let Encoder { strings, listpack, kept, .. } = self;
            nodes(out, strings, kept, |visit| {
                split(elements, listpack, longest, visit);
            });
            return;
        }
        let mut too_long = false;
        elements.each(&mut |element| too_long |= element.len() >= TOO_LONG);
        if too_long {
            self.begin(out, 1, key);
            self.plain(out, elements);
            return;
        }
        self.begin(out, 14, key);
        let Encoder { strings, ziplist, kept, .. } = self;
        nodes(out, strings, kept, |visit| {
            split(elements, ziplist, TOO_LONG, visit);
        });
    }

    fn plain<W: Write>(&mut self, out: &mut Out<W>, elements: &dyn Elements) {
        out.length(elements.len() as u64);
        elements.each(&mut |element| self.strings.write(out, element));
    }

    fn set<W: Write>(&mut self, out: &mut Out<W>, key: &[u8], members: &dyn Elements) {
        let count = members.len();
        let mut packs = false;
        if count <= INTSET {
            self.numbers.clear();
            packs = count <= PACKED_SET && self.target.since(11);
            self.listpack.begin();
            members.each(&mut |member| {
                if let Some(number) = canonical(member) {
                    self.numbers.push(number);
                }
                packs &= member.len() <= PACKED_BYTES;
                if packs {
                    self.listpack.push(member);
                }
            });
            if self.numbers.len() == count {
                self.begin(out, 11, key);
                intset(&mut self.numbers, &mut self.bytes);
                self.strings.write(out, &self.bytes);
                return;
            }
        }
        if packs {
            self.begin(out, 20, key);
            self.strings.write(out, self.listpack.end());
        } else {
            self.begin(out, 2, key);
            self.plain(out, members);
        }
    }

    fn zset<W: Write>(&mut self, out: &mut Out<W>, key: &[u8], members: &dyn Scored) {
        if members.len() <= PACKED_ZSET
            && let Some(sorted) = self.by_score(members)
        {
            let Encoder { texts, bytes, .. } = self;
            if self.target.since(10) {
                pack_scored(&mut self.listpack, texts, &sorted, bytes);
                self.begin(out, 17, key);
                self.strings.write(out, self.listpack.end());
            } else {
                pack_scored(&mut self.ziplist, texts, &sorted, bytes);
                self.begin(out, 12, key);
                self.strings.write(out, self.ziplist.end());
            }
            return;
        }
        self.begin(out, 5, key);
        out.length(members.len() as u64);
        members.each(&mut |member, score| {
            self.strings.write(out, member);
            out.put(&score.to_le_bytes());
        });
    }

    /// Returns the members sorted by score, if all are short.
    fn by_score(&mut self, members: &dyn Scored) -> Option<Vec<(f64, Range<usize>)>> {
        let mut sorted = Vec::with_capacity(members.len());
        let mut short = true;
        self.texts.clear();
        members.each(&mut |member, score| {
            short &= member.len() <= PACKED_BYTES;
            if short {
                sorted.push((score, append(&mut self.texts, member)));
            }
        });
        if !short {
            return None;
        }
        let text = |range: &Range<usize>| self.texts.get(range.clone());
        sorted.sort_unstable_by(|(a, write_one), (b, other)| {
            // Adding 0.0 makes zero and negative zero compare equal.
            (a + 0.0).total_cmp(&(b + 0.0)).then_with(|| text(write_one).cmp(&text(other)))
        });
        Some(sorted)
    }

    fn hash<W: Write>(&mut self, out: &mut Out<W>, key: &[u8], fields: &dyn Fields) {
        let packs = fields.len() <= PACKED_HASH;
        match fields.expiries().filter(|_| self.target.since(12)) {
            None => {
                if packs && self.target.since(10) && pack_fields(&mut self.listpack, fields) {
                    self.begin(out, 16, key);
                    self.strings.write(out, self.listpack.end());
                } else if packs && !self.target.since(10) && pack_fields(&mut self.ziplist, fields)
                {
                    self.begin(out, 13, key);
                    self.strings.write(out, self.ziplist.end());
                } else {
                    self.begin(out, 4, key);
                    out.length(fields.len() as u64);
                    fields.each(&mut |field, value, _| {
                        self.strings.write(out, field);
                        self.strings.write(out, value);
                    });
                }
            }
            Some(_) if self.target.magic() == Magic::Valkey => {
                self.begin(out, 22, key);
                out.length(fields.len() as u64);
                fields.each(&mut |field, value, expires_ms| {
                    self.strings.write(out, field);
                    self.strings.write(out, value);
                    out.put(&expires_ms.unwrap_or(-1).to_le_bytes());
                });
            }
            Some((lowest, _)) if packs && self.pack_expiring(fields) => {
                self.begin(out, 25, key);
                out.put(&lowest.to_le_bytes());
                self.strings.write(out, self.listpack.end());
            }
            Some((lowest, _)) => {
                self.begin(out, 24, key);
                out.put(&lowest.to_le_bytes());
                out.length(fields.len() as u64);
                fields.each(&mut |field, value, expires_ms| {
                    out.length(expires_ms.map_or(0, |time| time.abs_diff(lowest) + 1));
                    self.strings.write(out, field);
                    self.strings.write(out, value);
                });
            }
        }
    }

    /// Encodes fields, values and expiries in the order of expiries, if all are short. Returns
    /// whether they are.
    fn pack_expiring(&mut self, fields: &dyn Fields) -> bool {
        let mut sorted = Vec::with_capacity(fields.len());
        let mut short = true;
        self.texts.clear();
        fields.each(&mut |field, value, expires_ms| {
            short &= field.len() <= PACKED_BYTES && value.len() <= PACKED_BYTES;
            if short {
                let field = append(&mut self.texts, field);
                let value = append(&mut self.texts, value);
                sorted.push((expires_ms, field, value));
            }
        });
        if !short {
            return false;
        }
        // Fields that do not expire come last.
        sorted.sort_by_key(|(expires_ms, ..)| (expires_ms.is_none(), *expires_ms));
        self.listpack.begin();
        for (expires_ms, field, value) in sorted {
            self.listpack.push(&self.texts[field]);
            self.listpack.push(&self.texts[value]);
            self.listpack.push_number(expires_ms.unwrap_or(0));
        }
        true
    }
}

/// Appends a text to the others, and returns its range.
fn append(texts: &mut Vec<u8>, text: &[u8]) -> Range<usize> {
    let start = texts.len();
    texts.extend_from_slice(text);
    start..texts.len()
}

fn pack_scored(
    pack: &mut impl Pack,
    texts: &[u8],
    sorted: &[(f64, Range<usize>)],
    text: &mut Vec<u8>,
) {
    pack.begin();
    for (score, member) in sorted {
        pack.push(&texts[member.clone()]);
        score_text(*score, text);
        pack.push(text);
    }
}

/// Encodes fields and values. Returns false if one is too long.
fn pack_fields(pack: &mut impl Pack, fields: &dyn Fields) -> bool {
    let mut short = true;
    pack.begin();
    fields.each(&mut |field, value, _| {
        short &= field.len() <= PACKED_BYTES && value.len() <= PACKED_BYTES;
        if short {
            pack.push(field);
            pack.push(value);
        }
    });
    short
}

/// A piece of a large value.
pub(super) enum Node<'n> {
    /// Elements in a packed encoding, and the number that identifies it.
    Packed(Option<u8>, &'n [u8]),
    /// One element.
    Plain(&'n [u8]),
    /// Entries of a stream that begin with this id.
    Entries(StreamId, &'n [u8]),
}

impl Node<'_> {
    fn text(&self) -> &[u8] {
        match self {
            Node::Packed(_, text) | Node::Plain(text) | Node::Entries(_, text) => text,
        }
    }

    fn write(&self, to: &mut impl Put, strings: &mut Strings) {
        match self {
            Node::Packed(form, _) => form.iter().for_each(|form| to.byte(*form)),
            Node::Plain(_) => to.byte(1),
            Node::Entries(id, _) => to.plain(&id.to_bytes()),
        }
        strings.write(to, self.text());
    }
}

/// Nodes are buffered up to this size in bytes while they are counted.
const KEPT_BYTES: usize = 1 << 20;

/// Writes the number of nodes and the nodes, which `each` generates. If they exceed the buffer,
/// they are generated twice, since their number precedes them.
pub(super) fn nodes<W: Write>(
    out: &mut Out<W>,
    strings: &mut Strings,
    kept: &mut Vec<u8>,
    mut each: impl FnMut(&mut dyn FnMut(Node<'_>)),
) {
    let mut count = 0;
    let mut keeps = true;
    kept.clear();
    each(&mut |node| {
        count += 1;
        keeps &= kept.len() + node.text().len() <= KEPT_BYTES;
        if keeps {
            node.write(kept, strings);
        }
    });
    out.length(count);
    if keeps {
        out.put(kept);
    } else {
        each(&mut |node| node.write(out, strings));
    }
}

/// Splits a list into nodes; elements longer than `longest` get one of their own.
fn split<P: Pack>(
    elements: &dyn Elements,
    pack: &mut P,
    longest: usize,
    visit: &mut dyn FnMut(Node<'_>),
) {
    pack.begin();
    elements.each(&mut |element| {
        let plain = element.len() > longest;
        let full = plain || pack.size() + P::estimate(element.len()) > NODE_BYTES;
        if full && pack.count() > 0 {
            visit(Node::Packed(P::FORM, pack.end()));
            pack.begin();
        }
        if plain {
            visit(Node::Plain(element));
        } else {
            pack.push(element);
        }
    });
    if pack.count() > 0 {
        visit(Node::Packed(P::FORM, pack.end()));
    }
}
