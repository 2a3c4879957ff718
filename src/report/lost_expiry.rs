//! The text on expiries that a log may have lost.

use crate::analysis::lost_expiry::{LostExpiry, Owner};
use crate::base::units::{Count, counted};

/// Returns the sentence on one kind of lost expiry.
pub(super) fn sentence(lost: &LostExpiry) -> String {
    let (thing, increment, set, servers) = match lost.of {
        Owner::Key => ("key", "INCRBYFLOAT", "SET", "Redis 2.6 to 5.0"),
        Owner::Field => ("field", "HINCRBYFLOAT", "HSET", "Redis 7.4 to 8.0"),
    };
    let have = if lost.count == 1 { "has" } else { "have" };
    format!(
        "{} {have} no expiry here but may have one on the server that wrote the log: {servers} log \
         {increment} as {set}, which removes the expiry on loading. The log does not record whether a client did so \
         (the first in {} at byte {})",
        counted(lost.count, thing),
        lost.part,
        Count(lost.offset)
    )
}
