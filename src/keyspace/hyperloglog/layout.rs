//! The layout of a HyperLogLog string.

/// How many registers there are.
pub(super) const REGISTERS: usize = 16384;

/// The size of what stands before the registers, in bytes.
pub(super) const HEADER: usize = 16;

/// The registers do not have the form that they must have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Corrupt {
    /// A server says so too.
    Told,
    /// A server changes bytes behind the end of the string.
    BehindTheEnd,
}
