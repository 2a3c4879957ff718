//! Data written by modules, whose meaning only the module knows.
//!
//! | a value | bytes |
//! |---|---|
//! | id | a length: nine characters of 6 bits, and 10 bits of version |
//! | parts | each begins with a length that specifies its type, as below |
//!
//! | part | bytes |
//! |---|---|
//! | 0 | the end |
//! | 1 signed, 2 unsigned number | a length |
//! | 3 float | 4 bytes |
//! | 4 double | 8 bytes |
//! | 5 string | a string |
//!
//! Module values exist since Redis 4.0. Data that belongs to no key (opcode 247, since 5.0) has,
//! between id and parts, part 2 and a length that specifies when it is loaded: 1 before the keys, 2
//! after them. Metadata of keys (opcode 243 under `REDIS`, since 8.6) is, for each class, 4 bytes that
//! name it and the parts. Checked against `rdbLoadCheckModuleValue` in `rdb.c` of Valkey 8.0, and vector sets
//! of Redis 8.2.

use super::cursor::Cursor;
use super::fault::{Fault, Read};
use super::visitor::{AuxWhen, ModuleId};

/// Reads a module's value, and returns its id and all its bytes including the id.
pub(super) fn value<'a>(cursor: &mut Cursor<'a>) -> Read<(ModuleId, &'a [u8])> {
    let start = cursor.pos();
    let id = cursor.length("the id of a module")?;
    parts(cursor)?;
    Ok((ModuleId(id), &cursor.bytes()[start..cursor.pos()]))
}

/// Reads a module's data that belongs to no key.
pub(super) fn aux<'a>(cursor: &mut Cursor<'a>) -> Read<(ModuleId, AuxWhen, &'a [u8])> {
    const READING: &str = "when a module's data is to be loaded";
    let start = cursor.pos();
    let id = cursor.length("the id of a module")?;
    let at = cursor.pos();
    if cursor.length(READING)? != 2 {
        return Err(Fault::broken(at, READING, "it is not an unsigned number"));
    }
    let when = match cursor.length(READING)? {
        1 => AuxWhen::Before,
        2 => AuxWhen::After,
        other => AuxWhen::Other(other),
    };
    parts(cursor)?;
    Ok((ModuleId(id), when, &cursor.bytes()[start..cursor.pos()]))
}

/// Reads metadata that a module attached to a key, after its class, and returns its bytes.
pub(super) fn metadata<'a>(cursor: &mut Cursor<'a>) -> Read<&'a [u8]> {
    let start = cursor.pos();
    parts(cursor)?;
    Ok(&cursor.bytes()[start..cursor.pos()])
}

fn parts(cursor: &mut Cursor<'_>) -> Read<()> {
    const READING: &str = "a part of a module's value";
    loop {
        let at = cursor.pos();
        match cursor.length(READING)? {
            0 => return Ok(()),
            1 | 2 => {
                cursor.length("a number of a module's value")?;
            }
            3 => {
                cursor.fixed::<4>("a float of a module's value")?;
            }
            4 => {
                cursor.fixed::<8>("a double of a module's value")?;
            }
            5 => {
                cursor.text("a string of a module's value")?;
            }
            _ => {
                let rule = "it is none of 0 to 5";
                return Err(Fault::broken(at, READING, rule));
            }
        }
    }
}
