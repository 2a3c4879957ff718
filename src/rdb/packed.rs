//! Collections that are stored as one string, in a packed encoding.
//!
//! | type | content of the string |
//! |---|---|
//! | 9 hash, Redis 2.2 to 2.4 | [`zipmap`](super::zipmap) |
//! | 10 list, 2.4 to 3.0 | [`ziplist`](super::ziplist) of elements |
//! | 11 set, since 2.4 | [`intset`](super::intset) |
//! | 12 sorted set, 2.4 to 6.2 | ziplist of member, score |
//! | 13 hash, 2.6 to 6.2 | ziplist of field, value |
//! | 14 list, 3.2 to 6.2 | a length n, then n strings: ziplists of elements |
//! | 16 hash, since 7.0 | [`listpack`](super::listpack) of field, value |
//! | 17 sorted set, since 7.0 | listpack of member, score |
//! | 18 list, since 7.0 | a length n, then n times a length and a string: 1 and an element, or 2 and a listpack |
//! | 20 set, since 7.2 | listpack of members |
//! | 23 hash, release candidates of Redis 7.4 | listpack of field, value, expiry |
//! | 25 hash, since Redis 7.4 | 8 bytes: the lowest expiry; the string as in 23 |
//!
//! Expiries are Unix milliseconds, 0 for none. Fields that expire come first, in the order of their
//! expiry. Checked against `rdbLoadObject` in `rdb.c` of Valkey 8.0 and Redis 7.4.

use super::cursor::{Blob, Item};
use super::fault::{DamageKind, Fault, Read};
use super::intset::intset;
use super::items::Items;
use super::listpack::{END_INSIDE, Listpack};
use super::load_check::LoadCheck;
use super::reader::{HIGHEST_FIELD_EXPIRY, Reader, end, score_check};
use super::text::Text;
use super::visitor::{KeyEnd, Visitor};
use super::ziplist::Ziplist;

impl<'a, V: Visitor<'a>> Reader<'a, '_, V> {
    pub(super) fn remember_item<'s, I: Items<'s>>(
        &mut self,
        blob: Blob<'a, 's>,
        at: usize,
        item: Item,
        reading: &'static str,
    ) -> Read<()> {
        let member = blob.text(item).bytes(&mut self.tools.scratch);
        let other = &mut self.tools.other;
        let new = self.tools.unique.insert(member, at as u64, |place| {
            usize::try_from(place)
                .ok()
                .and_then(|at| I::again(blob.bytes, at))
                .is_some_and(|item| blob.text(item).bytes(other) == member)
        });
        if new {
            return Ok(());
        }
        Err(blob.fault(at, reading, DamageKind::Duplicate))
    }

    pub(super) fn packed_list<'s, I: Items<'s>>(&mut self, blob: Blob<'a, 's>) -> Read<u64> {
        let mut items = open::<I>(blob)?;
        let mut count = 0;
        while let Some((_, item)) = next(&mut items, blob)? {
            self.visitor.element(blob.text(item));
            count += 1;
        }
        Ok(count)
    }

    fn packed_set<'s, I: Items<'s>>(&mut self, blob: Blob<'a, 's>) -> Read<u64> {
        let mut items = open::<I>(blob)?;
        self.tools.unique.begin(items.expected());
        let mut count = 0;
        while let Some((at, item)) = next(&mut items, blob)? {
            if let Err(fault) = self.remember_item::<I>(blob, at, item, "a member of a set") {
                self.tolerate(fault.checked_by(I::UNIQUE))?;
            }
            self.visitor.member(blob.text(item));
            count += 1;
        }
        Ok(count)
    }

    /// Reads items in pairs; the first item of each pair must be unique.
    #[inline]
    fn packed_pairs<'s, I: Items<'s>>(
        &mut self,
        blob: Blob<'a, 's>,
        reading: &'static str,
        mut pair: impl FnMut(&mut Self, Item, (usize, Item)) -> Read<()>,
    ) -> Read<u64> {
        let mut items = open::<I>(blob)?;
        self.tools.unique.begin(items.expected() / 2);
        let mut count = 0;
        while let Some((at, first)) = next(&mut items, blob)? {
            let Some(second) = next(&mut items, blob)? else {
                let rule = "the number of its items is odd";
                return Err(blob.place(Fault::broken(at, I::READING, rule)).checked_by(I::ITEMS));
            };
            if let Err(fault) = self.remember_item::<I>(blob, at, first, reading) {
                self.tolerate(fault.checked_by(I::UNIQUE))?;
            }
            pair(self, first, second)?;
            count += 1;
        }
        Ok(count)
    }

    pub(super) fn list_ziplist(&mut self) -> Read<KeyEnd> {
        self.unpack("a list", KeyEnd::Whole, |reader, blob| {
            reader.packed_list::<Ziplist<'_>>(blob).map(end).map_err(|fault| match fault.check() {
                Some(LoadCheck::Ziplist) => fault.checked_by(LoadCheck::ListZiplist),
                _ => fault,
            })
        })
    }

    pub(super) fn set_listpack(&mut self) -> Read<KeyEnd> {
        self.unpack("a set", KeyEnd::Whole, |reader, blob| {
            reader.packed_set::<Listpack<'_>>(blob).map(end)
        })
    }

    pub(super) fn set_intset(&mut self) -> Read<KeyEnd> {
        self.unpack("a set", KeyEnd::Whole, |reader, blob| {
            intset(blob.bytes, |number| {
                reader.visitor.member(Text::Int(number));
            })
            .map_err(|f| blob.place(f))?;
            Ok(KeyEnd::Whole)
        })
    }

    pub(super) fn hash_ziplist(&mut self) -> Read<KeyEnd> {
        self.unpack("a hash", KeyEnd::Whole, |reader, blob| {
            reader.packed_hash::<Ziplist<'_>>(blob).map(end)
        })
    }

    pub(super) fn hash_listpack(&mut self) -> Read<KeyEnd> {
        self.unpack("a hash", KeyEnd::Whole, |reader, blob| {
            reader.packed_hash::<Listpack<'_>>(blob).map(end)
        })
    }

    pub(super) fn hash_zipmap(&mut self) -> Read<KeyEnd> {
        self.unpack("a hash", KeyEnd::Whole, |reader, blob| {
            match reader.packed_hash::<super::zipmap::Zipmap<'_>>(blob)? {
                0 => {
                    let fault = blob.place(Fault::broken(0, "a zipmap", "it is empty"));
                    Err(fault.checked_by(LoadCheck::Since70))
                }
                count => Ok(end(count)),
            }
        })
    }

    fn packed_hash<'s, I: Items<'s>>(&mut self, blob: Blob<'a, 's>) -> Read<u64> {
        self.packed_pairs::<I>(blob, "a field of a hash", |reader, field, (_, value)| {
            reader.visitor.field(blob.text(field), blob.text(value), None);
            Ok(())
        })
    }

    pub(super) fn zset_ziplist(&mut self) -> Read<KeyEnd> {
        self.unpack("a sorted set", KeyEnd::Whole, |reader, blob| {
            reader.packed_zset::<Ziplist<'_>>(blob).map(end)
        })
    }

    pub(super) fn zset_listpack(&mut self) -> Read<KeyEnd> {
        self.unpack("a sorted set", KeyEnd::Whole, |reader, blob| {
            reader.packed_zset::<Listpack<'_>>(blob).map(end)
        })
    }

    fn packed_zset<'s, I: Items<'s>>(&mut self, blob: Blob<'a, 's>) -> Read<u64> {
        const READING: &str = "a member of a sorted set";
        self.packed_pairs::<I>(blob, READING, |reader, member, (at, score)| {
            match score_of(blob, at, score) {
                Ok(score) => reader.visitor.scored(blob.text(member), score),
                Err(fault) => reader.tolerate(fault)?,
            }
            Ok(())
        })
    }

    pub(super) fn quicklist(&mut self) -> Read<KeyEnd> {
        let nodes = self.cursor.length("the number of a list's nodes")?;
        let mut elements = 0;
        for _ in 0..nodes {
            elements += self.node_of_ziplist()?;
        }
        Ok(end(elements))
    }

    fn node_of_ziplist(&mut self) -> Read<u64> {
        self.unpack("a node of a list", 1, |reader, blob| reader.packed_list::<Ziplist<'_>>(blob))
    }

    pub(super) fn quicklist_two(&mut self) -> Read<KeyEnd> {
        const READING: &str = "the form of a list's node";
        let nodes = self.cursor.length("the number of a list's nodes")?;
        let mut elements = 0;
        for _ in 0..nodes {
            let at = self.cursor.pos();
            elements += match self.cursor.length(READING)? {
                1 => {
                    let element = self.cursor.text("an element of a list")?;
                    if element.is_empty() {
                        // The servers' loaders refuse it, although elements may be empty elsewhere:
                        // such nodes are for long elements.
                        let rule = "a node of its own holds an empty element";
                        let fault = Fault::broken(at, "an element of a list", rule);
                        self.tolerate(fault.checked_by(LoadCheck::Always))?;
                    }
                    self.visitor.element(element);
                    1
                }
                2 => self.unpack("a node of a list", 1, |reader, blob| {
                    reader.packed_list::<Listpack<'_>>(blob)
                })?,
                _ => {
                    let rule = "it is neither 1 (an element) nor 2 (a listpack)";
                    return Err(Fault::broken(at, READING, rule));
                }
            };
        }
        Ok(end(elements))
    }

    pub(super) fn hash_listpack_ex(&mut self, with_min: bool) -> Read<KeyEnd> {
        if with_min {
            // Loaders compute it from the fields, and do not compare.
            self.cursor.millis("the lowest expiry of the fields")?;
        }
        self.unpack("a hash", KeyEnd::Whole, |reader, blob| reader.packed_triples(blob).map(end))
    }

    fn packed_triples(&mut self, blob: Blob<'a, '_>) -> Read<u64> {
        let mut items = open::<Listpack<'_>>(blob)?;
        self.tools.unique.begin(items.expected() / 3);
        let mut count = 0;
        // Lower than 0 and any expiry, so that the first field is always in order.
        let mut before = -1;
        // Loaders read the expiry of the first field, whatever they check: from the nearer end, so that they do not step over
        // the only field.
        let reads_first = blob.bytes.get(4..6) != Some(&[3, 0]);
        loop {
            let is_first = count == 0;
            let mut more = |is_read: bool| {
                let checked = |fault: Fault| match fault.0.kind {
                    // They read no further than to an end mark.
                    DamageKind::Broken { rule: END_INSIDE } => fault,
                    _ if is_read => fault.checked_by(LoadCheck::FirstEntries),
                    _ => fault,
                };
                next(&mut items, blob).map_err(checked)
            };
            let Some((at, field)) = more(is_first && reads_first)? else { break };
            let (value, expiry) = (more(is_first && reads_first)?, more(is_first)?);
            let (Some((_, value)), Some((expiry_at, expiry))) = (value, expiry) else {
                let rule = "the number of its items is not a multiple of three";
                return Err(blob
                    .place(Fault::broken(at, "a listpack", rule))
                    .checked_by(LoadCheck::Packed));
            };
            let expiry = self.field_expiry(blob, expiry_at, expiry, before, is_first)?;
            const READING: &str = "a field of a hash";
            if let Err(fault) = self.remember_item::<Listpack<'_>>(blob, at, field, READING) {
                self.tolerate(fault.checked_by(LoadCheck::Packed))?;
            }
            self.visitor.field(blob.text(field), blob.text(value), (expiry != 0).then_some(expiry));
            before = expiry;
            count += 1;
        }
        Ok(count)
    }

    fn field_expiry(
        &mut self,
        blob: Blob<'a, '_>,
        at: usize,
        item: Item,
        before: i64,
        is_first: bool,
    ) -> Read<i64> {
        let broken = |rule, check| {
            Err(blob.place(Fault::broken(at, "the expiry of a field", rule)).checked_by(check))
        };
        let expiry = match item {
            Item::Int(number) => Some(number),
            text => std::str::from_utf8(blob.text(text).bytes(&mut self.tools.scratch))
                .ok()
                .and_then(|text| text.parse().ok()),
        };
        match expiry {
            Some(expiry) if (0..=HIGHEST_FIELD_EXPIRY).contains(&expiry) => {
                if expiry != 0 && (before == 0 || expiry < before) {
                    let rule = "the fields are not in the order of their expiry";
                    return broken(rule, LoadCheck::Packed);
                }
                Ok(expiry)
            }
            Some(expiry) => {
                let check =
                    if expiry < 0 || is_first { LoadCheck::ExpiryRange } else { LoadCheck::Packed };
                broken("it is not a valid expiry of a field", check)
            }
            None => {
                let check = if is_first { LoadCheck::FieldExpiry } else { LoadCheck::Packed };
                broken("it is not a valid expiry of a field", check)
            }
        }
    }
}

/// Opens the packed encoding in `blob`.
#[inline]
fn open<'s, I: Items<'s>>(blob: Blob<'_, 's>) -> Read<I> {
    I::open(blob.bytes).map_err(|fault| blob.place(fault).checked_by(I::HEADER))
}

/// Returns the next item of the packed encoding in `blob`.
#[inline]
fn next<'s, I: Items<'s>>(items: &mut I, blob: Blob<'_, 's>) -> Read<Option<(usize, Item)>> {
    items.next().map_err(|fault| blob.place(fault).checked_by(I::ITEMS))
}

fn score_of(blob: Blob<'_, '_>, at: usize, item: Item) -> Read<f64> {
    let text = match item {
        // Scores that are whole numbers are stored as integers; those beyond 2^53 were never exact.
        Item::Int(number) => return Ok(number as f64),
        Item::Bytes { from, len } => blob.bytes.get(from..from + len).unwrap_or_default(),
    };
    // Such a score becomes the number that its text begins with, or 0.
    super::reader::score(text).filter(|score| !score.is_nan()).ok_or_else(|| {
        let rule = "it is not the text of a number";
        let check = score_check(text, LoadCheck::Since91, LoadCheck::Never);
        blob.place(Fault::broken(at, "the score of a member", rule)).checked_by(check)
    })
}
