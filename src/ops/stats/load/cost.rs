//! The usual cost of loading commands, relative to each other.
//!
//! Only the ratio of the costs of two mixes is used, and these are nearly the same: so the figures need not be exact.

use crate::command::{COUNT, CommandId, Group, lookup};
use crate::ops::stats::report::WrittenBy;

/// The bytes that cost as much to load as a SET of a few bytes does besides them.
const BYTES: f64 = 1500.0;

/// The share of the cost from which a command must be in the sample, and the ratio of the shares that is taken for a skew.
const SHARE: f64 = 0.05;
const SKEW: f64 = 2.0;

/// The commands and bytes of each command.
#[derive(Debug, Clone)]
pub(super) struct CommandMix(Box<[(u64, u64); COUNT]>);

impl CommandMix {
    pub(super) fn new() -> CommandMix {
        CommandMix(Box::new([(0, 0); COUNT]))
    }

    /// Returns the mix of a log; `None` if it has commands that are not known here.
    pub(super) fn of(by_command: &[WrittenBy<String>]) -> Option<CommandMix> {
        let mut mix = CommandMix::new();
        for of in by_command {
            let id = lookup(of.name.as_bytes())?;
            mix.0[id.index()] = (of.commands, of.bytes);
        }
        Some(mix)
    }

    pub(super) fn add(&mut self, id: CommandId, bytes: u64) {
        let (commands, sum) = &mut self.0[id.index()];
        *commands += 1;
        *sum += bytes;
    }

    pub(super) fn bytes(&self) -> u64 {
        self.0.iter().map(|(_, bytes)| bytes).sum()
    }

    /// Returns the cost of loading them, in an arbitrary unit.
    pub(super) fn cost(&self) -> f64 {
        self.costs().map(|(_, cost)| cost).sum()
    }

    #[allow(clippy::cast_precision_loss)] // An estimate.
    fn costs(&self) -> impl Iterator<Item = (CommandId, f64)> {
        CommandId::all().zip(self.0.iter()).map(|(id, (commands, bytes))| {
            (id, *commands as f64 * of_group(id.row().group) + *bytes as f64 / BYTES)
        })
    }

    /// Whether each command that matters in `log` has about the same share here.
    pub(super) fn is_like(&self, log: &CommandMix) -> bool {
        let (here, there) = (self.cost().max(1.0), log.cost().max(1.0));
        self.costs().zip(log.costs()).all(|((_, of_sample), (_, of_log))| {
            let (of_sample, of_log) = (of_sample / here, of_log / there);
            of_log < SHARE || (of_sample < of_log * SKEW && of_log < of_sample * SKEW)
        })
    }
}

/// Returns the cost of a command besides its bytes.
fn of_group(group: Group) -> f64 {
    match group {
        Group::String | Group::Generic | Group::Bitmap | Group::List => 1.0,
        Group::Hash | Group::Set | Group::Array => 1.5,
        Group::Zset | Group::Geo | Group::Stream | Group::Hll => 2.0,
        Group::Scripting | Group::Vector => 10.0,
        Group::Transactions
        | Group::Cluster
        | Group::Connection
        | Group::Pubsub
        | Group::Server => 0.5,
    }
}
