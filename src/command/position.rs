//! The position of a command.

/// The position of a command in a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Position {
    /// The index of the part, counted from 0 in the order in which a server loads them.
    pub part: u32,
    /// Offset of the first byte of the command.
    pub offset: u64,
}
