//! Where a command stands.

/// Where in a log a command stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Position {
    /// The part, counted from 0 in the order in which a server loads them.
    pub part: u32,
    /// The command's first byte.
    pub offset: u64,
}
