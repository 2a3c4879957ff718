//! Options of `repair`.

use super::retained_ranges::Output;

/// What to do about a MULTI without EXEC that later writes may stand behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OpenTransaction {
    /// Refuse, and tell the choices.
    #[default]
    Ask,
    /// Cut everything from the MULTI on, as servers do.
    Cut,
    /// Take out the transaction, and keep everything from the first SELECT behind it.
    KeepFromSelect,
}

/// How to repair.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where the result goes.
    pub output: Output,
    /// Step over damage and keep what is whole behind it.
    pub salvage: bool,
    /// What to do about an open transaction that later writes may stand behind.
    pub open_transaction: OpenTransaction,
    /// Change nothing when more bytes than these would be lost.
    pub max_loss_bytes: Option<u64>,
    /// Change nothing when more whole commands than these would be lost.
    pub max_lost_commands: Option<u64>,
    /// Replace what stands at the output; go on although a process writes to the input.
    pub force: bool,
}

impl Options {
    /// A plain repair to `output`.
    pub fn to(output: Output) -> Self {
        Options {
            output,
            salvage: false,
            open_transaction: OpenTransaction::Ask,
            max_loss_bytes: None,
            max_lost_commands: None,
            force: false,
        }
    }
}
