//! Bitmaps, which are stored as strings. Bit 0 is the highest bit of the first byte.

mod field;

use super::apply::{Applied, Call, Unapplied};
use super::number;
use super::row::{Command, KEY, plain, range, redis_only, since, write};
use crate::base::server::Product;
use crate::keyspace::{StringValue, Value};

#[rustfmt::skip]
pub(super) const ROWS: &[Command] = &[
    write("BITCONVERT",  -2, redis_only(8, 12), KEY).name_only(),
    plain("BITCOUNT",    -2, since(2, 6), KEY),
    write("BITFIELD",    -2, since(3, 2), KEY).by(field::bitfield),
    plain("BITFIELD_RO", -2, since(6, 0), KEY),
    write("BITOP",       -4, since(2, 6), range(2, -1, 1)).by(bitop),
    plain("BITPOS",      -3, since(2, 8), KEY),
    plain("GETBIT",       3, since(2, 2), KEY),
    write("SETBIT",       4, since(2, 2), KEY).by(setbit),
];

fn setbit(call: &mut Call<'_, '_>) -> Applied {
    let key = call.key();
    let offset = number::integer(call.args[2]).ok_or(NO_OFFSET)?;
    let bit = checked_offset(call.context.server, offset)?;
    let on = match number::integer(call.args[3]) {
        Some(0) => false,
        Some(1) => true,
        _ => return Err(Unapplied::Failed("ERR bit is not an integer or out of range")),
    };
    let value: &mut StringValue<'_> = call.db().find_or_make(key)?;
    let byte = &mut value.grown_to(bit / 8 + 1)[bit / 8];
    let mask = 0x80 >> (bit % 8);
    if on {
        *byte |= mask;
    } else {
        *byte &= !mask;
    }
    Ok(())
}

/// The operation of BITOP.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Operation {
    And,
    Or,
    Xor,
    Not,
    /// The bits of the first source that are in no other.
    Diff,
    /// The bits that are in another source and not in the first.
    Diff1,
    /// The bits of the first source that are in another.
    AndOr,
    /// The bits that are in exactly one source.
    One,
}

impl Operation {
    fn named(call: &Call<'_, '_>) -> Option<Operation> {
        let server = call.context.server;
        let later = server.product == Product::Redis && server.has_redis(8, 2);
        let names = [
            ("AND", Operation::And, true),
            ("OR", Operation::Or, true),
            ("XOR", Operation::Xor, true),
            ("NOT", Operation::Not, true),
            ("DIFF", Operation::Diff, later),
            ("DIFF1", Operation::Diff1, later),
            ("ANDOR", Operation::AndOr, later),
            ("ONE", Operation::One, later),
        ];
        names.iter().find(|(name, _, known)| *known && call.is(1, name)).map(|found| found.1)
    }

    /// Checks the number of sources.
    fn takes(self, sources: usize) -> Result<(), Unapplied> {
        let wrong = match self {
            Operation::Not if sources != 1 => {
                "ERR BITOP NOT must be called with a single source key."
            }
            Operation::Diff if sources < 2 => {
                "ERR BITOP DIFF must be called with at least two source keys."
            }
            Operation::Diff1 if sources < 2 => {
                "ERR BITOP DIFF1 must be called with at least two source keys."
            }
            Operation::AndOr if sources < 2 => {
                "ERR BITOP ANDOR must be called with at least two source keys."
            }
            _ => return Ok(()),
        };
        Err(Unapplied::Failed(wrong))
    }
}

/// Combines each byte with the one at the same index in `other`, which is padded with zeros.
#[inline]
fn change(bytes: &mut [u8], other: &[u8], by: impl Fn(u8, u8) -> u8) {
    let (common, rest) = bytes.split_at_mut(other.len().min(bytes.len()));
    // What stays is not written: memory that is zero takes none until then.
    let set = |byte: &mut u8, new: u8| {
        if *byte != new {
            *byte = new;
        }
    };
    common.iter_mut().zip(other).for_each(|(byte, other)| set(byte, by(*byte, *other)));
    rest.iter_mut().for_each(|byte| set(byte, by(*byte, 0)));
}

fn bitop(call: &mut Call<'_, '_>) -> Applied {
    let operation = Operation::named(call).ok_or(Unapplied::SYNTAX)?;
    let (destination, sources) = (call.args[2], &call.args[3..]);
    operation.takes(sources.len())?;
    let db = call.db();
    let mut longest = 0;
    for key in sources {
        let found: Option<&StringValue<'_>> = db.find(key)?;
        longest = longest.max(found.map_or(0, StringValue::len));
    }
    if longest == 0 {
        db.remove(destination);
        return Ok(());
    }
    // Combines all sources, or all except the first for operations that treat the first separately.
    let mut result = vec![0; longest];
    let mut first = Vec::new();
    // For ONE, the bits that occurred twice.
    let mut twice = vec![0; if operation == Operation::One { longest } else { 0 }];
    for (at, key) in sources.iter().enumerate() {
        let found: Option<&StringValue<'_>> = db.find(key)?;
        let empty = StringValue::default();
        found.unwrap_or(&empty).with(|source| match operation {
            Operation::Diff | Operation::Diff1 | Operation::AndOr if at == 0 => {
                first = source.to_vec();
            }
            Operation::Not => change(&mut result, source, |_, source| !source),
            Operation::And if at > 0 => change(&mut result, source, |a, b| a & b),
            Operation::Xor => change(&mut result, source, |a, b| a ^ b),
            Operation::One => {
                let (seen, source) = (&mut result[..source.len()], source);
                for ((seen, twice), source) in seen.iter_mut().zip(&mut twice).zip(source) {
                    *twice |= *seen & source;
                    *seen |= source;
                }
            }
            _ => change(&mut result, source, |a, b| a | b),
        });
    }
    match operation {
        Operation::Diff => change(&mut result, &first, |others, first| first & !others),
        Operation::Diff1 => change(&mut result, &first, |others, first| others & !first),
        Operation::AndOr => change(&mut result, &first, |others, first| others & first),
        Operation::One => change(&mut result, &twice, |seen, twice| seen & !twice),
        Operation::And | Operation::Or | Operation::Xor | Operation::Not => {}
    }
    db.set(destination, Value::String(StringValue::Owned(result)));
    Ok(())
}

mod offset;
#[cfg(test)]
mod tests;

use offset::{NO_OFFSET, checked_offset};
