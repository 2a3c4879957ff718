//! A number of commands and their size.

use std::ops::AddAssign;

/// A number of commands and their size.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Cell {
    pub(super) commands: u64,
    pub(super) bytes: u64,
}

impl Cell {
    pub(super) fn of(bytes: u64) -> Cell {
        Cell { commands: 1, bytes }
    }
}

impl AddAssign for Cell {
    #[inline(always)]
    fn add_assign(&mut self, other: Cell) {
        self.commands += other.commands;
        self.bytes += other.bytes;
    }
}
