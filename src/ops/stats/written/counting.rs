//! How the commands of a log are counted.

use crate::ops::stats::pattern::Patterns;
use crate::replay::KeySpecs;

/// How the commands of a log are counted.
#[derive(Debug)]
pub(super) struct Counting<'c> {
    pub(super) patterns: &'c Patterns,
    pub(super) key_specs: &'c KeySpecs,
    /// The maximum number of patterns of a segment: those of many segments are in memory at once.
    pub(super) segment_patterns: usize,
    /// The length of a span in bytes.
    pub(super) span: u64,
}
