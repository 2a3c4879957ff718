//! Transactions.
//!
//! A loader queues the commands between MULTI and EXEC and executes them at EXEC; nothing else ends
//! the queue.

use super::row::{Command, KEYS, NO_KEYS, Role, plain, since};

#[rustfmt::skip]
pub(super) const ROWS: &[Command] = &[
    // Does not end a transaction in a log: a loader queues it like any other command.
    plain("DISCARD",  1, since(2, 0), NO_KEYS),
    // Its effect is that of the queued commands. In a log it does not depend on WATCH.
    plain("EXEC",     1, since(1, 2), NO_KEYS).role(Role::Exec),
    plain("MULTI",    1, since(1, 2), NO_KEYS).role(Role::Multi),
    plain("UNWATCH",  1, since(2, 2), NO_KEYS),
    plain("WATCH",   -2, since(2, 2), KEYS),
];
