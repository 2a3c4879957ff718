//! Strings that are integers.

use super::super::apply::Unapplied;
use super::super::number;
use crate::keyspace::StringValue;

/// Returns the value of a string as an integer.
#[inline]
pub(super) fn integer(value: &StringValue<'_>) -> Result<i64, Unapplied> {
    let number = match value {
        StringValue::Int(number) => Some(*number),
        other => other.with(number::integer),
    };
    number.ok_or(Unapplied::NOT_AN_INTEGER)
}
