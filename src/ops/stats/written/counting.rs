//! How the commands of a log are counted.

use crate::ops::stats::pattern::Patterns;
use crate::replay::KeySpecs;

/// How the commands of a log are counted.
#[derive(Debug)]
pub(super) struct Counting<'c> {
    pub(super) patterns: &'c Patterns,
    pub(super) key_specs: &'c KeySpecs,
    /// The length of a span in bytes.
    pub(super) span: u64,
}
