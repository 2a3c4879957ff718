//! Arrays, since Redis 8.8.
//!
//! | part | bytes |
//! |---|---|
//! | number of elements | a length n, at least 1 |
//! | insertion | a length: 0, or 1 and a length: the index of the element that was inserted last |
//! | elements | n times a length (the index), a length (the form), and the value |
//!
//! | form | value |
//! |---|---|
//! | 0, 3 | a string; 3 is one that the server keeps without an allocation |
//! | 1 | a signed number of 8 bytes, little endian |
//! | 2 | a floating-point number of 8 bytes, little endian |
//!
//! Not observed; as librdb (#100) reads it. Checks are those of librdb: 2^64 - 1 is no index.

use super::fault::{Fault, Read};
use super::reader::Reader;
use super::visitor::{ArrayItem, KeyEnd, Visitor};
use crate::rdb::cursor::Cursor;

const READING_FORM: &str = "the form of an array's element";
const READING_INSERTION: &str = "the insertion index of an array";
const READING_ELEMENT: &str = "an element of an array";

impl<'a, V: Visitor<'a>> Reader<'a, '_, V> {
    pub(super) fn array(&mut self) -> Read<KeyEnd> {
        let (count, insert_index) = head(&mut self.cursor)?;
        self.visitor.array(count, insert_index);
        for _ in 0..count {
            let index = index(&mut self.cursor)?;
            let at = self.cursor.pos();
            let item = match self.cursor.length(READING_FORM)? {
                0 | 3 => ArrayItem::Str(self.cursor.text(READING_ELEMENT)?),
                1 => ArrayItem::Int(self.cursor.millis(READING_ELEMENT)?),
                2 => ArrayItem::Double(f64::from_le_bytes(self.cursor.fixed(READING_ELEMENT)?)),
                _ => return Err(Fault::broken(at, READING_FORM, "it is none of 0 to 3")),
            };
            self.visitor.array_item(index, item);
        }
        Ok(KeyEnd::Whole)
    }
}

/// Steps over an array.
pub(super) fn skip(cursor: &mut Cursor<'_>) -> Read<()> {
    let (count, _) = head(cursor)?;
    for _ in 0..count {
        index(cursor)?;
        let at = cursor.pos();
        match cursor.length(READING_FORM)? {
            0 | 3 => cursor.skip_text(READING_ELEMENT)?,
            1 | 2 => drop(cursor.take(8, READING_ELEMENT)?),
            _ => return Err(Fault::broken(at, READING_FORM, "it is none of 0 to 3")),
        }
    }
    Ok(())
}

fn head(cursor: &mut Cursor<'_>) -> Read<(u64, Option<u64>)> {
    const READING: &str = "the number of an array's elements";
    let at = cursor.pos();
    let count = cursor.length(READING)?;
    if count == 0 {
        return Err(Fault::broken(at, READING, "there is none"));
    }
    let at = cursor.pos();
    let insert_index = match cursor.length(READING_INSERTION)? {
        0 => None,
        1 => Some(cursor.length(READING_INSERTION)?),
        _ => return Err(Fault::broken(at, READING_INSERTION, "it is neither there nor absent")),
    };
    Ok((count, insert_index))
}

fn index(cursor: &mut Cursor<'_>) -> Read<u64> {
    const READING: &str = "the index of an array's element";
    let at = cursor.pos();
    match cursor.length(READING)? {
        u64::MAX => Err(Fault::broken(at, READING, "it is not an index")),
        index => Ok(index),
    }
}
