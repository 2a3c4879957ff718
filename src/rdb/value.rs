//! Reading a value according to its type, and the collections that are stored element by element.
//!
//! | type | bytes |
//! |---|---|
//! | 0 string | a string |
//! | 1 list | a length n, then n strings, head to tail |
//! | 2 set | a length n, then n strings |
//! | 3 sorted set, Redis 2.2 to 3.2 | a length n, then n times a string and a score as text |
//! | 4 hash | a length n, then n times a string (field) and a string (value) |
//! | 5 sorted set, since 4.0 | a length n, then n times a string and 8 bytes: the score, IEEE, little endian |
//! | 22 hash, release candidates of Redis 7.4 | a length n, then n times a length (expiry), field, value |
//! | 24 hash, since Redis 7.4 | 8 bytes: the lowest expiry m; as 22, but an expiry e is the time m + e - 1 |
//! | 22 hash, since Valkey 9.0 | a length n, then n times field, value and 8 bytes: expiry, signed, -1 for none |
//!
//! Expiries are Unix milliseconds, and 0 for none unless stated otherwise. A score as text is one
//! byte n and n bytes of text; n = 253 is not a number, 254 infinity and 255 negative infinity,
//! without text. Checked against `rdbLoadObject` in `rdb.c` of Valkey 8.0 and Redis 7.4, and files
//! of Valkey 9.1.

use std::cmp::Ordering;

use super::cursor::Cursor;
use super::fault::{DamageKind, Fault, Read};
use super::format::Layout;
use super::load_check::LoadCheck;
use super::reader::{HIGHEST_FIELD_EXPIRY, Reader, broken_text, end, score, score_check};
use super::text::Text;
use super::visitor::{KeyEnd, Visitor};

impl<'a, V: Visitor<'a>> Reader<'a, '_, V> {
    /// Reads the value at the cursor.
    pub(super) fn value(&mut self, layout: Layout) -> Read<KeyEnd> {
        match layout {
            Layout::String => {
                match self.cursor.text("the value of a string") {
                    Ok(value) => self.visitor.string(value),
                    Err(fault) => self.tolerate(broken_text(fault))?,
                }
                Ok(KeyEnd::Whole)
            }
            Layout::List => self.list(),
            Layout::Set => self.set(),
            Layout::ZsetText => self.zset(Self::score_text),
            Layout::ZsetBinary => self.zset(Self::score_binary),
            Layout::Hash => self.hash(),
            Layout::HashMillis => self.hash_millis(),
            Layout::HashMetadata { with_min } => self.hash_metadata(with_min),
            Layout::ListZiplist => self.list_ziplist(),
            Layout::ZsetZiplist => self.zset_ziplist(),
            Layout::HashZiplist => self.hash_ziplist(),
            Layout::Quicklist => self.quicklist(),
            Layout::QuicklistTwo => self.quicklist_two(),
            Layout::Zipmap => self.hash_zipmap(),
            Layout::Intset => self.set_intset(),
            Layout::SetListpack => self.set_listpack(),
            Layout::ZsetListpack => self.zset_listpack(),
            Layout::HashListpack => self.hash_listpack(),
            Layout::HashListpackEx { with_min } => self.hash_listpack_ex(with_min),
            Layout::Stream { version } => self.stream(version),
            Layout::Array => self.array(),
            Layout::HashTemplate { names, values } => self.hash_template(names, values),
            Layout::Bitmap => self.bitmap(),
            Layout::Module => {
                let (module, payload) = super::module::value(&mut self.cursor)?;
                self.visitor.module(module, payload);
                Ok(KeyEnd::Whole)
            }
            Layout::ModulePreRelease => {
                Err(Fault::new(self.cursor.pos(), "a module's value", DamageKind::PreRelease))
            }
        }
    }

    fn list(&mut self) -> Read<KeyEnd> {
        let count = self.cursor.length("the number of a list's elements")?;
        for _ in 0..count {
            let element = self.cursor.text("an element of a list")?;
            self.visitor.element(element);
        }
        Ok(end(count))
    }

    fn set(&mut self) -> Read<KeyEnd> {
        const READING: &str = "a member of a set";
        let count = self.cursor.length("the number of a set's members")?;
        self.tools.unique.begin(count);
        for _ in 0..count {
            let at = self.cursor.pos();
            let member = self.cursor.text(READING)?;
            if let Err(fault) = self.remember(at, member, READING) {
                self.tolerate(fault.checked_by(LoadCheck::Elements))?;
            }
            self.visitor.member(member);
        }
        Ok(end(count))
    }

    #[inline]
    fn zset(&mut self, score: impl Fn(&mut Self) -> Read<f64>) -> Read<KeyEnd> {
        const READING: &str = "a member of a sorted set";
        let count = self.cursor.length("the number of a sorted set's members")?;
        self.tools.unique.begin(count);
        for _ in 0..count {
            let at = self.cursor.pos();
            let member = self.cursor.text(READING)?;
            if let Err(fault) = self.remember(at, member, READING) {
                self.tolerate(fault.checked_by(LoadCheck::Elements))?;
            }
            let at = self.cursor.pos();
            let score = score(self)?;
            if score.is_nan() {
                let fault = Fault::broken(at, "the score of a member", "it is not a number");
                self.tolerate(fault.checked_by(LoadCheck::Nan))?;
            }
            self.visitor.scored(member, score);
        }
        Ok(end(count))
    }

    fn score_binary(&mut self) -> Read<f64> {
        let bytes = self.cursor.fixed("the score of a member")?;
        Ok(f64::from_le_bytes(bytes))
    }

    fn score_text(&mut self) -> Read<f64> {
        const READING: &str = "the score of a member";
        let at = self.cursor.pos();
        match self.cursor.byte(READING)? {
            255 => Ok(f64::NEG_INFINITY),
            254 => Ok(f64::INFINITY),
            253 => Ok(f64::NAN),
            len => {
                let text = self.cursor.take(len.into(), READING)?;
                if let Some(score) = score(text) {
                    return Ok(score);
                }
                let fault = Fault::broken(at, READING, "it is not the text of a number");
                let check = score_check(text, LoadCheck::Nan, LoadCheck::Elements);
                self.tolerate(fault.checked_by(check))?;
                Ok(0.0)
            }
        }
    }

    fn hash(&mut self) -> Read<KeyEnd> {
        let fields = Fields { expiries: false, ..self.fields()? };
        for _ in 0..fields.count {
            let (field, value) = self.checked_field(fields)?;
            self.visitor.field(field, value, None);
        }
        let count = fields.count;
        Ok(end(count))
    }

    fn hash_millis(&mut self) -> Read<KeyEnd> {
        let Fields { count, .. } = self.fields()?;
        for _ in 0..count {
            let (field, value) = self.field()?;
            let at = self.cursor.pos();
            let expiry = self.cursor.millis("the expiry of a field")?;
            // Observed on Valkey 9.0 and 9.1.
            if expiry < -1 {
                let rule = "it is not a valid expiry of a field";
                let fault = Fault::broken(at, "the expiry of a field", rule);
                self.tolerate(fault.checked_by(LoadCheck::Always))?;
            }
            self.visitor.field(field, value, (expiry != -1).then_some(expiry));
        }
        Ok(end(count))
    }

    fn hash_metadata(&mut self, with_min: bool) -> Read<KeyEnd> {
        // Without the minimum, an expiry e is the time e, as if the lowest were 1.
        let lowest = if with_min { self.lowest_expiry()? } else { 1 };
        let fields = Fields { expiries: true, ..self.fields()? };
        for _ in 0..fields.count {
            let at = self.cursor.pos();
            let expiry = match self.cursor.length("the expiry of a field")? {
                0 => None,
                later => {
                    // On overflow the servers' loaders truncate the sum to an unrelated time.
                    let time = i64::try_from(later - 1)
                        .ok()
                        .and_then(|later| lowest.checked_add(later))
                        .filter(|time| *time <= HIGHEST_FIELD_EXPIRY);
                    if time.is_none() {
                        let rule = "it is not a valid expiry of a field";
                        let fault = Fault::broken(at, "the expiry of a field", rule);
                        self.tolerate(fault.checked_by(LoadCheck::Always))?;
                    }
                    time
                }
            };
            let (field, value) = self.checked_field(fields)?;
            self.visitor.field(field, value, expiry);
        }
        Ok(end(fields.count))
    }

    fn fields(&mut self) -> Read<Fields> {
        let count = self.cursor.length("the number of a hash's fields")?;
        self.tools.unique.begin(count);
        Ok(Fields { start: self.cursor.pos(), count, expiries: false })
    }

    #[inline]
    fn field(&mut self) -> Read<(Text<'a, 'a>, Text<'a, 'a>)> {
        const READING: &str = "a field of a hash";
        let at = self.cursor.pos();
        let field = self.cursor.text(READING)?;
        self.remember(at, field, READING)?;
        let value = self.cursor.text("the value of a field")?;
        Ok((field, value))
    }

    /// As [`field`](Self::field), where a repeated field is not detected by every loader.
    #[inline]
    fn checked_field(&mut self, fields: Fields) -> Read<(Text<'a, 'a>, Text<'a, 'a>)> {
        let at = self.cursor.pos();
        match self.field() {
            Err(fault) if fault.0.kind == DamageKind::Duplicate => {
                let check = fields.repeated(self.cursor.bytes(), at);
                self.tolerate(fault.checked_by(check))?;
                self.cursor = Cursor::at(self.cursor.bytes(), at);
                Ok((
                    self.cursor.text("a field of a hash")?,
                    self.cursor.text("the value of a field")?,
                ))
            }
            field => field,
        }
    }
}

/// The fields of a hash that is stored element by element.
#[derive(Debug, Clone, Copy)]
struct Fields {
    /// Offset of the first one.
    start: usize,
    count: u64,
    /// Whether a length, the expiry, precedes each.
    expiries: bool,
}

/// The default of `hash-max-listpack-entries`: hashes with more fields are not loaded into a packed encoding.
const MOST_PACKED_FIELDS: u64 = 512;

/// The default of `hash-max-listpack-value` in bytes: nor are those with longer fields or values.
const LONGEST_PACKED_BYTES: usize = 64;

impl Fields {
    /// Returns the check that detects the repeated field at byte `at`: loaders look for it when they build a table,
    /// which they do if the hash is too large for a packed encoding, or from the first long field or value on.
    #[cold]
    fn repeated(self, bytes: &[u8], at: usize) -> LoadCheck {
        if self.count > MOST_PACKED_FIELDS {
            return LoadCheck::Always;
        }
        match self.first_long(bytes).map(|long| long.cmp(&at)) {
            Some(Ordering::Less) => LoadCheck::Always,
            Some(Ordering::Equal) => LoadCheck::LongField,
            Some(Ordering::Greater) => LoadCheck::GrowingHash,
            None => LoadCheck::SmallHash,
        }
    }

    /// Returns the offset of the first field that is too long for a packed encoding, or whose value is.
    fn first_long(self, bytes: &[u8]) -> Option<usize> {
        const READING: &str = "a field of a hash";
        let mut cursor = Cursor::at(bytes, self.start);
        for _ in 0..self.count {
            if self.expiries {
                cursor.length(READING).ok()?;
            }
            let at = cursor.pos();
            let longest = cursor.text(READING).ok()?.len().max(cursor.text(READING).ok()?.len());
            if longest > LONGEST_PACKED_BYTES {
                return Some(at);
            }
        }
        None
    }
}
