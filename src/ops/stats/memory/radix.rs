//! The nodes of the radix trees of streams.
//!
//! Their keys are ids as 16 bytes. A node has either several children, one byte each, or the run of bytes up to the next
//! such node. Each key ends in a node of its own.

use super::allocator::Heap;
use crate::keyspace::stream::StreamId;

/// The length of a key in bytes.
const KEY: u64 = 16;

/// The nodes of a tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tree {
    /// The number of keys.
    pub(super) keys: u64,
    /// The number of nodes.
    pub(super) nodes: u64,
    /// What they take in memory, in bytes.
    pub(super) bytes: u64,
}

/// Returns the tree of these ids, which ascend.
pub(super) fn tree(ids: impl Iterator<Item = StreamId>, heap: Heap) -> Tree {
    let mut builder =
        Builder { tree: Tree { keys: 0, nodes: 0, bytes: 0 }, heap, open: Vec::new() };
    let mut previous: Option<StreamId> = None;
    for id in ids {
        if let Some(previous) = previous {
            builder.leaf(common_bytes(previous, id));
        }
        previous = Some(id);
    }
    if previous.is_some() {
        builder.end();
    } else {
        builder.node(8);
    }
    builder.tree
}

struct Builder {
    tree: Tree,
    heap: Heap,
    /// The nodes with several children from the root to the last key: depth and number of children.
    open: Vec<(u64, u64)>,
}

impl Builder {
    fn node(&mut self, bytes: u64) {
        self.tree.nodes += 1;
        self.tree.bytes += self.heap.size(bytes);
    }

    /// Adds the run of bytes that leads to a node.
    fn run(&mut self, len: u64) {
        if len > 0 {
            self.node((4 + len).next_multiple_of(8) + 8);
        }
    }

    /// Adds the end of a key.
    fn key(&mut self) {
        self.tree.keys += 1;
        self.node(16);
    }

    /// Adds a node with several children.
    fn branch(&mut self, children: u64) {
        self.node((4 + children).next_multiple_of(8) + 8 * children);
    }

    /// Ends a key, after which one follows that has this many bytes in common with it.
    fn leaf(&mut self, common: u64) {
        self.key();
        let mut child = KEY;
        while let Some((depth, children)) = self.open.pop() {
            if depth < common {
                self.open.push((depth, children));
                break;
            }
            self.run(child - depth - 1);
            if depth == common {
                self.open.push((depth, children + 1));
                return;
            }
            self.branch(children + 1);
            child = depth;
        }
        self.run(child - common - 1);
        self.open.push((common, 1));
    }

    /// Ends the last key.
    fn end(&mut self) {
        self.key();
        let mut child = KEY;
        while let Some((depth, children)) = self.open.pop() {
            self.run(child - depth - 1);
            self.branch(children + 1);
            child = depth;
        }
        self.run(child);
    }
}

/// Returns the number of bytes that two ids have in common, which are not equal.
fn common_bytes(one: StreamId, other: StreamId) -> u64 {
    let same = |one: u64, other: u64| u64::from((one ^ other).leading_zeros() / 8);
    match same(one.ms, other.ms) {
        8 => (8 + same(one.seq, other.seq)).min(KEY - 1),
        same => same,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::stats::memory::allocator::Allocator;

    fn nodes(ids: &[(u64, u64)]) -> u64 {
        let heap = Heap { allocator: Allocator::SystemJemalloc, is_requested: false };
        tree(ids.iter().map(|(ms, seq)| StreamId { ms: *ms, seq: *seq }), heap).nodes
    }

    /// By hand. The numbers of servers that count nodes follow from MEMORY USAGE: 12 for five ids of different
    /// milliseconds, 2 for one, 1 for none.
    #[test]
    fn nodes_are_runs_branches_and_ends() {
        assert_eq!([nodes(&[]), nodes(&[(1, 1)])], [1, 2]);
        let later = |n: u64| (1_700_000_000_000 + 10 * n, 1);
        assert_eq!(nodes(&[0, 1, 2, 3, 4].map(later)), 12);
        // One run, one branch at the last byte, three ends.
        assert_eq!(nodes(&[(7, 1), (7, 2), (7, 3)]), 5);
        // A run and the branch of the milliseconds; a run, a branch and two ends of the first; a run and the end of the
        // second.
        assert_eq!(nodes(&[(1, 1), (1, 2), (2, 1)]), 8);
    }
}
