//! Bit offsets, checked as servers check them.

use super::super::apply::Unapplied;
use super::super::string::LONGEST;
use crate::base::server::Server;

pub(super) const NO_OFFSET: Unapplied =
    Unapplied::Failed("ERR bit offset is not an integer or out of range");

/// Checks that a string can be long enough for an offset in bits.
///
/// The loader enforces the limit up to Redis 6.2 (`bitops.c`, `getBitOffsetFromArgument`); later
/// ones execute the log whatever it contains.
pub(super) fn checked_offset(server: Server, offset: i64) -> Result<usize, Unapplied> {
    let offset = u64::try_from(offset).map_err(|_| NO_OFFSET)?;
    match usize::try_from(offset) {
        Ok(bits) if offset >> 3 < LONGEST => Ok(bits),
        _ if server.has_redis(7, 0) => {
            Err(Unapplied::Refused("it makes a bitmap longer than 512 MB"))
        }
        _ => Err(NO_OFFSET),
    }
}
