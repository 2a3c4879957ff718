//! Transactions.
//!
//! A loader queues what stands between MULTI and EXEC and runs it at EXEC; nothing else ends the
//! queue.

use super::row::{Command, KEYS, NO_KEYS, Role, plain, since};

#[rustfmt::skip]
pub(super) const ROWS: &[Command] = &[
    // Ends no transaction in a log: a loader queues it like any other command.
    plain("DISCARD",  1, since(2, 0), NO_KEYS),
    // Changes what the queued commands change. In a log it needs no WATCH to hold.
    plain("EXEC",     1, since(1, 2), NO_KEYS).role(Role::Exec),
    plain("MULTI",    1, since(1, 2), NO_KEYS).role(Role::Multi),
    plain("UNWATCH",  1, since(2, 2), NO_KEYS),
    plain("WATCH",   -2, since(2, 2), KEYS),
];
