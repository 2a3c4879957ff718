//! Skipping a value without parsing its content.

use super::cursor::Cursor;
use super::fault::{DamageKind, Fault, Read};
use super::format::Layout;
use super::template::{self, Templates};

const READING: &str = "a value that is stepped over";

/// Skips a value of this layout; the tables of [`value`](super::value), [`packed`](super::packed)
/// and [`stream`](super::stream) describe its structure.
///
/// `templates` are those that were read before it.
pub(super) fn value(cursor: &mut Cursor<'_>, layout: Layout, templates: &Templates) -> Read<()> {
    match layout {
        Layout::String
        | Layout::ListZiplist
        | Layout::ZsetZiplist
        | Layout::HashZiplist
        | Layout::Zipmap
        | Layout::Intset
        | Layout::SetListpack
        | Layout::ZsetListpack
        | Layout::HashListpack => cursor.skip_text(READING),
        Layout::List | Layout::Set | Layout::Quicklist => {
            times(cursor, |cursor| cursor.skip_text(READING))
        }
        Layout::ZsetText => times(cursor, |cursor| {
            cursor.skip_text(READING)?;
            match cursor.byte(READING)? {
                253.. => Ok(()),
                len => cursor.take(len.into(), READING).map(drop),
            }
        }),
        Layout::ZsetBinary => times(cursor, |cursor| {
            cursor.skip_text(READING)?;
            cursor.take(8, READING).map(drop)
        }),
        Layout::Hash => times(cursor, pair),
        Layout::HashMillis => times(cursor, |cursor| {
            pair(cursor)?;
            cursor.take(8, READING).map(drop)
        }),
        Layout::HashMetadata { with_min } => {
            if with_min {
                cursor.take(8, READING)?;
            }
            times(cursor, |cursor| {
                cursor.length(READING)?;
                pair(cursor)
            })
        }
        Layout::HashListpackEx { with_min } => {
            if with_min {
                cursor.take(8, READING)?;
            }
            cursor.skip_text(READING)
        }
        Layout::QuicklistTwo => times(cursor, |cursor| {
            cursor.length(READING)?;
            cursor.skip_text(READING)
        }),
        Layout::Stream { version } => stream(cursor, version),
        Layout::Array => super::array::skip(cursor),
        Layout::HashTemplate { names, values } => template::skip(cursor, templates, names, values),
        Layout::Bitmap => {
            cursor.length(READING)?;
            cursor.skip_text(READING)
        }
        Layout::Module => super::module::value(cursor).map(drop),
        Layout::ModulePreRelease => {
            let at = cursor.pos();
            Err(Fault::new(at, "a module's value", DamageKind::PreRelease))
        }
    }
}

fn stream(cursor: &mut Cursor<'_>, version: u8) -> Read<()> {
    times(cursor, pair)?;
    lengths(cursor, if version == 1 { 3 } else { 8 })?;
    times(cursor, |cursor| {
        cursor.skip_text(READING)?;
        lengths(cursor, if version == 1 { 2 } else { 3 })?;
        times(cursor, |cursor| {
            cursor.take(16 + 8, READING)?;
            cursor.length(READING).map(drop)
        })?;
        times(cursor, |cursor| {
            cursor.skip_text(READING)?;
            cursor.take(if version < 3 { 8 } else { 16 }, READING)?;
            ids(cursor)
        })?;
        if version >= 5 { ids(cursor) } else { Ok(()) }
    })?;
    if version < 4 {
        return Ok(());
    }
    lengths(cursor, 2)?;
    times(cursor, |cursor| {
        cursor.skip_text(READING)?;
        times(cursor, |cursor| {
            cursor.skip_text(READING)?;
            lengths(cursor, 2)
        })
    })?;
    lengths(cursor, 2)
}

fn ids(cursor: &mut Cursor<'_>) -> Read<()> {
    let ids = cursor.length(READING)?;
    cursor.take(ids.saturating_mul(16), READING).map(drop)
}

fn pair(cursor: &mut Cursor<'_>) -> Read<()> {
    cursor.skip_text(READING)?;
    cursor.skip_text(READING)
}

fn lengths(cursor: &mut Cursor<'_>, count: u8) -> Read<()> {
    (0..count).try_for_each(|_| cursor.length(READING).map(drop))
}

/// Reads a length n, then calls `each` n times.
fn times<'a>(
    cursor: &mut Cursor<'a>,
    mut each: impl FnMut(&mut Cursor<'a>) -> Read<()>,
) -> Read<()> {
    let count = cursor.length(READING)?;
    (0..count).try_for_each(|_| each(cursor))
}
