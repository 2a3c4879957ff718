//! What is said of expiries that a log may have lost.

use crate::ops::lost_expiry::{LostExpiry, Owner};
use crate::units::{Count, counted};

/// The sentence for one of them.
pub(super) fn sentence(lost: &LostExpiry) -> String {
    let (thing, set, increment, servers) = match lost.of {
        Owner::Key => ("key", "SET", "INCRBYFLOAT", "Redis 2.6 to 5.0"),
        Owner::Field => ("field", "HSET", "HINCRBYFLOAT", "Redis 7.4 to 8.0"),
    };
    let (have, them) = if lost.count == 1 { ("has", "it") } else { ("have", "them") };
    format!(
        "{} {have} no expiry here and may have one on the server that wrote the log: {servers} write \
         {increment} as {set}, which takes the expiry away when the log is loaded. Whether it was one or a \
         {set} of a client, the log does not tell; look at {them} before you rely on {them} (the first in {} \
         at byte {})",
        counted(lost.count, thing),
        lost.part,
        Count(lost.offset)
    )
}
