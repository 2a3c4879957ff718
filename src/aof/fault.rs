//! What can be wrong with one frame, for a loader since Redis 7.0.

use serde::Serialize;

/// A length that an argument's header declared and the file did not keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Claim {
    /// Where the header stands.
    pub at: usize,
    /// Which argument, counted from 0 (the command's name).
    pub index: u32,
    /// The bytes that it declares.
    pub bytes: u64,
    /// The bytes that were left in the file behind the header.
    pub left: u64,
}

/// Why a frame cannot be read. Offsets (`at`) count from where the reading of the frame began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The file ends inside the frame: a prefix of something valid.
    Short {
        /// The end of the file.
        at: usize,
        /// The declared length that reaches beyond it, if it was an argument that was cut.
        claim: Option<Claim>,
    },
    /// What stands at a command boundary is neither `*` nor `#`.
    NotACommand {
        /// Where.
        at: usize,
        /// The byte found there.
        found: u8,
    },
    /// The number of arguments is not at least 1.
    BadCount {
        /// Where the number stands.
        at: usize,
        /// The number, as a loader reads it.
        value: i64,
    },
    /// What stands where an argument should begin is not `$`.
    NotAnArgument {
        /// Where.
        at: usize,
        /// Which argument, counted from 0.
        index: u32,
        /// The byte found there.
        found: u8,
    },
    /// An argument declares a negative length. Servers crash on it instead of refusing it.
    NegativeLength {
        /// Where its header stands.
        at: usize,
        /// Which argument, counted from 0.
        index: u32,
        /// The length.
        value: i64,
    },
}

impl Fault {
    /// Where the reading failed, counted from the start of the frame.
    pub fn at(&self) -> usize {
        match *self {
            Fault::Short { at, .. }
            | Fault::NotACommand { at, .. }
            | Fault::BadCount { at, .. }
            | Fault::NotAnArgument { at, .. }
            | Fault::NegativeLength { at, .. } => at,
        }
    }

    /// Whether the file merely ends too early, so that `aof-load-truncated` applies.
    pub fn is_short(&self) -> bool {
        matches!(self, Fault::Short { .. })
    }

    /// The same fault with its offsets moved by `by` bytes.
    #[must_use]
    pub fn moved(mut self, by: usize) -> Self {
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
