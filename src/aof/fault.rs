//! The faults of a frame, for a loader since Redis 7.0.

use serde::Serialize;

/// A length declared by the header of an argument that exceeds the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Claim {
    /// Offset of the header.
    pub at: usize,
    /// The index of the argument, counted from 0 (the name of the command).
    pub index: u32,
    /// The declared number of bytes.
    pub bytes: u64,
    /// The number of bytes in the file after the header.
    pub left: u64,
}

/// The reason why a frame cannot be read. Offsets (`at`) are relative to the position where the
/// reading of the frame began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The file ends inside the frame: it is a prefix of a valid file.
    Short {
        /// The end of the file.
        at: usize,
        /// The declared length that exceeds the file, if an argument was truncated.
        claim: Option<Claim>,
    },
    /// The byte at a command boundary is neither `*` nor `#`.
    NotACommand {
        /// Offset of the byte.
        at: usize,
        /// The byte.
        found: u8,
    },
    /// The number of arguments is not at least 1.
    BadCount {
        /// Offset of the number.
        at: usize,
        /// The number, as a loader parses it.
        value: i64,
    },
    /// The byte at the beginning of an argument is not `$`.
    NotAnArgument {
        /// Offset of the byte.
        at: usize,
        /// The index of the argument, counted from 0.
        index: u32,
        /// The byte.
        found: u8,
    },
    /// An argument declares a negative length. Servers crash on it instead of refusing it.
    NegativeLength {
        /// Offset of its header.
        at: usize,
        /// The index of the argument, counted from 0.
        index: u32,
        /// The length.
        value: i64,
    },
}

impl Fault {
    /// Returns the offset at which reading failed, relative to the start of the frame.
    pub fn at(&self) -> usize {
        match *self {
            Fault::Short { at, .. }
            | Fault::NotACommand { at, .. }
            | Fault::BadCount { at, .. }
            | Fault::NotAnArgument { at, .. }
            | Fault::NegativeLength { at, .. } => at,
        }
    }

    /// Returns whether the file merely ends prematurely, so that `aof-load-truncated` applies.
    pub fn is_short(&self) -> bool {
        matches!(self, Fault::Short { .. })
    }

    /// Returns the same fault with `by` added to its offsets.
    #[must_use]
    pub fn offset_by(mut self, by: usize) -> Self {
        match &mut self {
            Fault::Short { at, claim } => {
                *at += by;
                if let Some(claim) = claim {
                    claim.at += by;
                }
            }
            Fault::NotACommand { at, .. }
            | Fault::BadCount { at, .. }
            | Fault::NotAnArgument { at, .. }
            | Fault::NegativeLength { at, .. } => *at += by,
        }
        self
    }
}
