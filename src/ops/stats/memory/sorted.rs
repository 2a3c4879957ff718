//! Sorted sets.

use super::packed::{Element, Packed};
use super::value::PACKED_ELEMENT;
use super::{KeyMemory, Model, string_header};
use crate::keyspace::Zset;
use crate::keyspace::score::{ScoreBuffer, ScoreText};

/// `zset-max-listpack-entries`.
const PACKED_SORTED_SET: u64 = 128;
/// The bytes of a sorted set and of its list, without nodes.
const HEADERS: u64 = 16 + 32;
/// The bytes of a level of a node.
const LEVEL: u64 = 16;
/// Of 1024 nodes, the number of those with each number of levels: a node has one more with a probability of 1/4.
const LEVELS: [u64; 6] = [768, 192, 48, 12, 3, 1];

impl Model {
    pub(super) fn sorted_set(&self, zset: &Zset<'_>) -> KeyMemory {
        let count = zset.len() as u64;
        let is_packed = count <= PACKED_SORTED_SET
            && zset.members().all(|(member, _)| member.len() as u64 <= PACKED_ELEMENT);
        if is_packed {
            let mut packed = Packed::new(self.line.has_ziplists);
            let mut buffer = ScoreBuffer::new();
            for (member, score) in zset.members() {
                packed.push(Element::of(member));
                packed.push(score_element(score, &mut buffer, self.scores));
            }
            let bytes = self.packed_bytes(packed.bytes());
            return KeyMemory { encoding: self.packed_name(), bytes };
        }
        let node = self.line.sorted;
        let mut total = 0;
        let separate = self.node(node.fixed);
        for (member, _) in zset.members() {
            let len = member.len() as u64;
            total += if node.has_member {
                self.node(node.fixed + string_header(len) + len + 1)
            } else {
                separate + 1024 * self.string_bytes(len)
            };
        }
        let first = self.heap.size(24 + LEVEL * self.line.levels);
        let converted = if self.line.packs_sets { PACKED_SORTED_SET + 1 } else { 0 };
        let table = self.table(zset.len(), self.line.sorted_steps, converted);
        let bytes = HEADERS + first + table + total / 1024 + count * node.entry;
        KeyMemory { encoding: "skiplist", bytes }
    }

    /// Returns what 1024 nodes with this number of bytes before their levels take.
    #[inline]
    fn node(&self, fixed: u64) -> u64 {
        (1..).zip(LEVELS).map(|(levels, of)| of * self.heap.size(fixed + LEVEL * levels)).sum()
    }
}

/// Returns a score as an element: a whole number, or its text.
fn score_element(score: f64, buffer: &mut ScoreBuffer, how: ScoreText) -> Element {
    /// Whole numbers up to here have no other representation.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if score.fract() == 0.0 && score.abs() < EXACT {
        #[allow(clippy::cast_possible_truncation)] // It is whole, and fits.
        return Element::of_number(score as i64);
    }
    Element::of(buffer.format(score, how).as_bytes())
}
