//! The layout of a HyperLogLog string.

/// Number of registers.
pub(super) const REGISTERS: usize = 16384;

/// Size of the header before the registers, in bytes.
pub(super) const HEADER: usize = 16;

/// The registers are invalid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Corrupt {
    /// A server reports this error too.
    Told,
    /// A server modifies bytes after the end of the string.
    BehindTheEnd,
}
