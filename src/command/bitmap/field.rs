//! BITFIELD: integers of any width, anywhere in a bitmap.

use super::super::apply::{Applied, Call, Unapplied};
use super::super::number;
use crate::base::server::Server;
use crate::command::bitmap::offset::{NO_OFFSET, checked_offset};
use crate::keyspace::StringValue;

/// The treatment of a number that does not fit.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Overflow {
    /// Its lowest bits are stored.
    Wrap,
    /// The nearest number that fits is stored.
    Saturate,
    /// Nothing is stored.
    Fail,
}

/// The type of a number: `i1` to `i64`, `u1` to `u63`.
#[derive(Clone, Copy)]
struct Type {
    signed: bool,
    bits: u8,
}

/// SET or INCRBY.
struct Operation {
    adds: bool,
    field: Type,
    /// The first bit.
    offset: usize,
    operand: i64,
    overflow: Overflow,
}

/// Reads the operations one by one. GET, which changes nothing, is checked and skipped.
struct Operations<'c, 'a> {
    rest: &'c [&'a [u8]],
    overflow: Overflow,
    server: Server,
}

impl Operations<'_, '_> {
    fn next(&mut self) -> Result<Option<Operation>, Unapplied> {
        loop {
            let is = |arg: &[u8], name: &str| arg.eq_ignore_ascii_case(name.as_bytes());
            match *self.rest {
                [] => return Ok(None),
                [name, field, offset, ref rest @ ..] if is(name, "GET") => {
                    self.rest = rest;
                    let field = Type::named(field)?;
                    field.offset(self.server, offset)?;
                }
                [name, field, offset, operand, ref rest @ ..]
                    if is(name, "SET") || is(name, "INCRBY") =>
                {
                    self.rest = rest;
                    let field = Type::named(field)?;
                    let offset = field.offset(self.server, offset)?;
                    let operand = number::integer(operand).ok_or(Unapplied::NOT_AN_INTEGER)?;
                    let (adds, overflow) = (is(name, "INCRBY"), self.overflow);
                    return Ok(Some(Operation { adds, field, offset, operand, overflow }));
                }
                [name, overflow, ref rest @ ..] if is(name, "OVERFLOW") => {
                    self.rest = rest;
                    self.overflow = match overflow {
                        option if is(option, "WRAP") => Overflow::Wrap,
                        option if is(option, "SAT") => Overflow::Saturate,
                        option if is(option, "FAIL") => Overflow::Fail,
                        _ => {
                            return Err(Unapplied::Failed("ERR Invalid OVERFLOW type specified"));
                        }
                    };
                }
                _ => return Err(Unapplied::SYNTAX),
            }
        }
    }
}

impl Type {
    fn named(name: &[u8]) -> Result<Type, Unapplied> {
        const NO_TYPE: Unapplied = Unapplied::Failed(
            "ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is.",
        );
        let (signed, digits) = match name {
            [b'i', digits @ ..] => (true, digits),
            [b'u', digits @ ..] => (false, digits),
            _ => return Err(NO_TYPE),
        };
        let bits = number::integer(digits).and_then(|bits| u8::try_from(bits).ok());
        let most = if signed { 64 } else { 63 };
        match bits {
            Some(bits @ 1..) if bits <= most => Ok(Type { signed, bits }),
            _ => Err(NO_TYPE),
        }
    }

    /// Returns the bit at which a number of this type begins. With a `#`, the offset is counted in
    /// numbers of this type.
    fn offset(self, server: Server, text: &[u8]) -> Result<usize, Unapplied> {
        let (digits, width) = match text {
            [b'#', digits @ ..] => (digits, i64::from(self.bits)),
            digits => (digits, 1),
        };
        let offset = number::integer(digits).ok_or(NO_OFFSET)?;
        // Observed: a product that is too large loses its highest bits before it is checked.
        checked_offset(server, offset.wrapping_mul(width))
    }

    fn mask(self) -> u128 {
        (1 << self.bits) - 1
    }

    /// Converts the stored bits to a number.
    fn number(self, bits: u128) -> i128 {
        let bits = bits.cast_signed();
        if self.signed && bits >> (self.bits - 1) == 1 { bits - (1 << self.bits) } else { bits }
    }

    /// Returns the lowest and the highest number.
    fn limits(self) -> (i128, i128) {
        let numbers = 1_i128 << self.bits;
        if self.signed { (-numbers / 2, numbers / 2 - 1) } else { (0, numbers - 1) }
    }

    /// Returns the bits of a number as they are to be stored, or `None` if nothing is stored.
    fn fitted(self, number: i128, overflow: Overflow) -> Option<u128> {
        let (least, most) = self.limits();
        let fitting = match overflow {
            Overflow::Saturate => number.clamp(least, most),
            Overflow::Fail if number < least || number > most => return None,
            Overflow::Fail | Overflow::Wrap => number,
        };
        Some(fitting.cast_unsigned() & self.mask())
    }
}

impl Operation {
    /// Returns the last bit.
    fn last(&self) -> usize {
        self.offset + usize::from(self.field.bits) - 1
    }

    /// Executes the operation on a string that extends to its last bit.
    fn run(&self, bytes: &mut [u8]) {
        let touched = &mut bytes[self.offset / 8..=self.last() / 8];
        // At most nine bytes.
        let window = touched.iter().fold(0_u128, |window, byte| window << 8 | u128::from(*byte));
        let shift = 7 - self.last() % 8;
        let mask = self.field.mask() << shift;
        let number = if self.adds {
            let old = self.field.number((window & mask) >> shift);
            old + i128::from(self.operand)
        } else if self.field.signed {
            // Observed: if a number is so low that its distance to the highest number that fits
            // overflows, servers treat it as too high.
            let (operand, (_, most)) = (i128::from(self.operand), self.field.limits());
            let far = self.field.bits < 64 && most - operand > i128::from(i64::MAX);
            if far && self.overflow == Overflow::Saturate { most } else { operand }
        } else {
            // A negative operand is treated as the positive number with the same 64 bits.
            i128::from(self.operand.cast_unsigned())
        };
        let Some(bits) = self.field.fitted(number, self.overflow) else {
            return;
        };
        let window = (window & !mask | bits << shift).to_be_bytes();
        let unused = window.len() - touched.len();
        touched.copy_from_slice(&window[unused..]);
    }
}

pub(super) fn bitfield(call: &mut Call<'_, '_>) -> Applied {
    let key = call.key();
    let (args, server) = (call.args, call.context.server);
    let operations = || Operations { rest: &args[2..], overflow: Overflow::Wrap, server };
    // All operations are parsed before the first is executed.
    let mut last = None;
    let mut reading = operations();
    while let Some(operation) = reading.next()? {
        last = last.max(Some(operation.last()));
    }
    let mut reading = operations();
    let Some(last) = last else {
        call.db().find::<StringValue<'_>>(key)?;
        return Ok(());
    };
    let value: &mut StringValue<'_> = call.db().find_or_make(key)?;
    // The string extends to the last bit that is written to, even if nothing is stored in the end.
    let bytes = value.grown_to(last / 8 + 1);
    while let Some(operation) = reading.next()? {
        operation.run(bytes);
    }
    Ok(())
}
