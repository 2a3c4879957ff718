//! Hashes whose field names are in a template that several keys share, since Redis 8.10.
//!
//! | record or type | bytes |
//! |---|---|
//! | 242 template | a length: its id; a length n, then n strings: the names |
//! | 30 hash | a string: a [`listpack`](super::listpack) of the template's id and n values |
//! | 32 hash | a length: the template's id; n strings: the values |
//! | 29 hash, in DUMP payloads | a length: the form of the names; the names; a string: a listpack of n values |
//! | 31 hash, in DUMP payloads | as 29, but the values are n strings |
//!
//! Names in a DUMP payload are either one string, a listpack of them, or a length n and n strings.
//! Which number means which form is not known here, so the form is recognised: a listpack declares
//! its own size. Nothing of this was observed; it is as the authors of the format describe it
//! (redis #15364 and #15519, librdb #107). Values are in the order of the names.

use super::cursor::{Blob, Cursor};
use super::fault::{DamageKind, Fault, Read};
use super::format::{Names, Values};
use super::items::Items;
use super::listpack::Listpack;
use super::reader::{Reader, end};
use super::template_index::Templates;
use super::text::Text;
use super::visitor::{KeyEnd, Visitor};

const READING_ID: &str = "the id of a hash's template";
const READING_FIELD: &str = "a field of a hash";
const READING_VALUE: &str = "the value of a field";
const READING_VALUES: &str = "the values of a hash";
const READING_NAMES: &str = "the fields of a hash's template";

/// The names of template `id`, which was read at byte `at`.
fn find<'a>(templates: &Templates, bytes: &'a [u8], id: u64, at: usize) -> Read<Stored<'a>> {
    let Some(names) = templates.find(id) else {
        return Err(Fault::broken(at, READING_ID, "no template before it has this id"));
    };
    let mut cursor = Cursor::at(bytes, names);
    let count = cursor.length(READING_NAMES)?;
    Ok(Stored::Strings { cursor, count })
}

/// The names of the fields, where they are stored.
enum Stored<'a> {
    Strings { cursor: Cursor<'a>, count: u64 },
    Listpack { cursor: Cursor<'a> },
}

impl<'a, V: Visitor<'a>> Reader<'a, '_, V> {
    /// Reads the record of a template.
    pub(super) fn template(&mut self) -> Read<()> {
        let at = self.cursor.pos();
        let id = self.cursor.length(READING_ID)?;
        let names = self.cursor.pos();
        self.names()?;
        if self.tools.templates.insert(id, names) {
            return Ok(());
        }
        Err(Fault::new(at, READING_ID, DamageKind::Duplicate))
    }

    /// Reads a length and as many names.
    fn names(&mut self) -> Read<u64> {
        let at = self.cursor.pos();
        let count = self.cursor.length(READING_NAMES)?;
        if count == 0 {
            return Err(Fault::broken(at, READING_NAMES, "there is none"));
        }
        self.tools.unique.begin(count);
        for _ in 0..count {
            let at = self.cursor.pos();
            let name = self.cursor.text(READING_FIELD)?;
            self.remember(at, name, READING_FIELD)?;
        }
        Ok(count)
    }

    /// Reads the names of a DUMP payload.
    fn own_names(&mut self) -> Read<Stored<'a>> {
        self.cursor.length("the form of a hash's fields")?;
        let here = self.cursor.clone();
        if is_listpack(&here) {
            self.unpack(READING_NAMES, (), |reader, blob| reader.packed_names(blob))?;
            return Ok(Stored::Listpack { cursor: here });
        }
        let count = self.names()?;
        let mut cursor = here;
        cursor.length(READING_NAMES)?;
        Ok(Stored::Strings { cursor, count })
    }

    /// Checks the names in a listpack.
    fn packed_names(&mut self, blob: Blob<'a, '_>) -> Read<()> {
        let mut items = Listpack::open(blob.bytes).map_err(|f| blob.place(f))?;
        self.tools.unique.begin(items.expected());
        let mut count = 0;
        while let Some((at, item)) = items.next().map_err(|f| blob.place(f))? {
            self.remember_item::<Listpack<'_>>(blob, at, item, READING_FIELD)?;
            count += 1;
        }
        match count {
            0 => Err(blob.place(Fault::broken(0, READING_NAMES, "there is none"))),
            _ => Ok(()),
        }
    }

    pub(super) fn hash_template(&mut self, names: Names, values: Values) -> Read<KeyEnd> {
        match (names, values) {
            (Names::Here, _) => {
                let names = self.own_names()?;
                self.with_names(names, |reader, names| match values {
                    Values::Strings => reader.value_strings(names),
                    Values::Listpack => {
                        reader.unpack(READING_VALUES, KeyEnd::Whole, |reader, blob| {
                            reader.value_items(blob, false, |_, _| Ok(names))
                        })
                    }
                })
            }
            (Names::Referred, Values::Strings) => {
                let at = self.cursor.pos();
                let id = self.cursor.length(READING_ID)?;
                let names = find(&self.tools.templates, self.cursor.bytes(), id, at)?;
                self.with_names(names, |reader, names| reader.value_strings(names))
            }
            (Names::Referred, Values::Listpack) => {
                self.unpack(READING_VALUES, KeyEnd::Whole, |reader, blob| {
                    reader.value_items(blob, true, |reader, id| {
                        let bytes = reader.cursor.bytes();
                        let Stored::Strings { cursor, count } =
                            find(&reader.tools.templates, bytes, id, 0)?
                        else {
                            return Err(Fault::broken(0, READING_ID, "it is not a template"));
                        };
                        Ok(Next::Strings { cursor, left: count })
                    })
                })
            }
        }
    }

    /// Calls `read` with the names, which are decompressed into a buffer of their own if need be.
    fn with_names(
        &mut self,
        names: Stored<'a>,
        read: impl FnOnce(&mut Self, Next<'a, '_>) -> Read<KeyEnd>,
    ) -> Read<KeyEnd> {
        match names {
            Stored::Strings { cursor, count } => read(self, Next::Strings { cursor, left: count }),
            Stored::Listpack { mut cursor } => {
                let mut buffer = Vec::new();
                let blob = cursor.blob(&mut buffer, READING_NAMES)?;
                let items = Listpack::open(blob.bytes).map_err(|f| blob.place(f))?;
                read(self, Next::Items { items, blob })
            }
        }
    }

    fn value_strings<'n>(&mut self, mut names: Next<'a, 'n>) -> Read<KeyEnd>
    where
        'a: 'n,
    {
        let mut count = 0;
        while let Some(name) = names.next()? {
            let value = self.cursor.text(READING_VALUE)?;
            self.visitor.field(name, value, None);
            count += 1;
        }
        Ok(end(count))
    }

    /// Reads the values in a listpack, which the id of the template may precede; `find` returns the
    /// names.
    fn value_items<'n>(
        &mut self,
        blob: Blob<'a, '_>,
        with_id: bool,
        find: impl FnOnce(&mut Self, u64) -> Read<Next<'a, 'n>>,
    ) -> Read<KeyEnd>
    where
        'a: 'n,
    {
        let mut items = Listpack::open(blob.bytes).map_err(|f| blob.place(f))?;
        let mut id = 0;
        if with_id {
            let first = items.next().map_err(|f| blob.place(f))?;
            let number = first.and_then(|(_, item)| match item {
                super::cursor::Item::Int(number) => u64::try_from(number).ok(),
                super::cursor::Item::Bytes { .. } => None,
            });
            let at = first.map_or(0, |(at, _)| at);
            id = number
                .ok_or_else(|| blob.place(Fault::broken(at, READING_ID, "it is not a number")))?;
        }
        let mut names = find(self, id).map_err(|fault| match fault.0.reading {
            READING_ID => blob.place(fault),
            _ => fault,
        })?;
        let mut count = 0;
        while let Some((at, value)) = items.next().map_err(|f| blob.place(f))? {
            let Some(name) = names.next()? else {
                let rule = "there are more than the template has fields";
                return Err(blob.place(Fault::broken(at, READING_VALUES, rule)));
            };
            self.visitor.field(name, blob.text(value), None);
            count += 1;
        }
        if names.next()?.is_some() {
            let rule = "there are fewer than the template has fields";
            return Err(blob.place(Fault::broken(0, READING_VALUES, rule)));
        }
        Ok(end(count))
    }
}

/// The names, one by one.
enum Next<'a, 's> {
    Strings { cursor: Cursor<'a>, left: u64 },
    Items { items: Listpack<'s>, blob: Blob<'a, 's> },
}

impl<'a, 's> Next<'a, 's>
where
    'a: 's,
{
    fn next(&mut self) -> Read<Option<Text<'a, 's>>> {
        match self {
            Next::Strings { left: 0, .. } => Ok(None),
            Next::Strings { cursor, left } => {
                *left -= 1;
                cursor.text(READING_FIELD).map(Some)
            }
            Next::Items { items, blob } => {
                let item = items.next().map_err(|f| blob.place(f))?;
                Ok(item.map(|(_, item)| blob.text(item)))
            }
        }
    }
}

/// Whether a string that holds a listpack begins here.
fn is_listpack(cursor: &Cursor<'_>) -> bool {
    let mut buffer = Vec::new();
    let blob = cursor.clone().blob(&mut buffer, READING_NAMES);
    blob.is_ok_and(|blob| Listpack::open(blob.bytes).is_ok())
}

/// Steps over a value.
pub(super) fn skip(
    cursor: &mut Cursor<'_>,
    templates: &Templates,
    names: Names,
    values: Values,
) -> Read<()> {
    let at = cursor.pos();
    let mut count = None;
    match names {
        Names::Here => {
            cursor.length("the form of a hash's fields")?;
            count = Some(skip_names(cursor)?);
        }
        Names::Referred if values == Values::Strings => {
            let id = cursor.length(READING_ID)?;
            if let Stored::Strings { count: names, .. } = find(templates, cursor.bytes(), id, at)? {
                count = Some(names);
            }
        }
        Names::Referred => {}
    }
    match values {
        Values::Listpack => cursor.skip_text(READING_VALUES),
        Values::Strings => {
            (0..count.unwrap_or(0)).try_for_each(|_| cursor.skip_text(READING_VALUE))
        }
    }
}

/// Steps over the names of a DUMP payload, and returns their number.
fn skip_names(cursor: &mut Cursor<'_>) -> Read<u64> {
    if is_listpack(cursor) {
        let mut buffer = Vec::new();
        let blob = cursor.blob(&mut buffer, READING_NAMES)?;
        let mut items = Listpack::open(blob.bytes).map_err(|f| blob.place(f))?;
        let mut count = 0;
        while items.next().map_err(|f| blob.place(f))?.is_some() {
            count += 1;
        }
        return Ok(count);
    }
    let count = cursor.length(READING_NAMES)?;
    (0..count).try_for_each(|_| cursor.skip_text(READING_FIELD))?;
    Ok(count)
}
