//! Lists, sets and hashes.

use super::line::{Counted, Tables};
use super::packed::{Element, LISTPACK, Packed, in_listpack, intset, intset_width};
use super::table::{Filled, buckets, chained, slots};
use super::{ENTRY, KeyMemory, Model, string_header};
use crate::keyspace::{Hash, List, Set, Value};

/// The maximum size of a node of a list, and of a list without nodes, in bytes (`list-max-listpack-size -2`).
const LIST_NODE: u64 = 8192;
/// `set-max-intset-entries`.
const INTSET: u64 = 512;
/// `set-max-listpack-entries`.
const PACKED_SET: u64 = 128;
/// `hash-max-listpack-entries`.
const PACKED_HASH: u64 = 512;
/// The longest element of a packed set, hash or sorted set.
pub(super) const PACKED_ELEMENT: u64 = 64;
/// The bytes of a table with buckets, without these.
const BUCKETS: u64 = 72;
/// The largest allocation that has both name and value of a field.
const PAIR: u64 = 128;

impl Model {
    /// Returns the memory of a value that is not a string.
    pub(super) fn value(&self, value: &Value<'_>) -> Option<KeyMemory> {
        match value {
            Value::List(list) => Some(self.list(list)),
            Value::Set(set) => Some(self.set(set)),
            Value::Hash(hash) => Some(self.hash(hash)),
            Value::Zset(zset) => Some(self.sorted_set(zset)),
            Value::Stream(stream) => Some(self.stream(stream)),
            Value::String(_) | Value::Array(_) | Value::Module(_) | Value::Opaque(_) => None,
        }
    }

    fn list(&self, list: &List<'_>) -> KeyMemory {
        let elements = || list.elements.iter().map(|element| Element::of(element));
        if self.line.packs_lists {
            let mut bytes = LISTPACK;
            // Before an element is added, only the length of its text counts.
            let is_small = elements().all(|element| {
                let fits = bytes + element.len <= LIST_NODE;
                bytes += in_listpack(element);
                fits
            });
            if is_small {
                return KeyMemory { encoding: "listpack", bytes: self.packed_bytes(bytes) };
            }
        }
        let (header, per_node) = self.line.list;
        let empty = Packed::new(self.line.has_ziplists);
        let (mut bytes, mut nodes) = (header, 0);
        let mut node: Option<Packed> = None;
        let mut finish = |node: &mut Option<Packed>| {
            if let Some(node) = node.take() {
                nodes += 1;
                bytes += per_node + self.packed_bytes(node.bytes());
            }
        };
        let mut large = 0;
        for element in elements() {
            if self.line.packs_lists && element.len > LIST_NODE {
                finish(&mut node);
                large += per_node + self.packed_bytes(element.len);
                continue;
            }
            // What an entry takes besides its text is estimated before it is added.
            if node.is_some_and(|node| node.bytes() + element.len + 8 > LIST_NODE) {
                finish(&mut node);
            }
            node.get_or_insert(empty).push(element);
        }
        finish(&mut node);
        KeyMemory { encoding: "quicklist", bytes: bytes + large }
    }

    fn filled(&self, entries: usize, steps: u64, converted: u64) -> Filled {
        Filled { entries: entries as u64, at_once: self.at_once, steps, converted }
    }

    /// Returns what a table takes without its entries.
    pub(super) fn table(&self, entries: usize, steps: u64, converted: u64) -> u64 {
        let filled = self.filled(entries, steps, converted);
        match self.line.tables {
            Tables::Chains { header } => header + 8 * slots(filled),
            Tables::ChainsWithoutLast | Tables::ChainsOfPairs => 56 + 8 * slots(filled),
            Tables::Buckets => BUCKETS + buckets(filled),
        }
    }

    fn set(&self, set: &Set<'_>) -> KeyMemory {
        let count = set.len() as u64;
        let mut widest = 2;
        let is_intset = count <= INTSET
            && set.members().all(|member| {
                let number = Element::of(member).number;
                widest = number.map_or(widest, |number| intset_width(number).max(widest));
                number.is_some()
            });
        if is_intset {
            let bytes = self.packed_bytes(intset(count, widest));
            return KeyMemory { encoding: "intset", bytes };
        }
        let is_packed = self.line.packs_sets
            && count <= PACKED_SET
            && set.members().all(|member| member.len() as u64 <= PACKED_ELEMENT);
        if is_packed {
            let members = set.members().map(|member| in_listpack(Element::of(member)));
            let bytes = self.packed_bytes(LISTPACK + members.sum::<u64>());
            return KeyMemory { encoding: "listpack", bytes };
        }
        let members: u64 = set.members().map(|member| self.string_bytes(member.len() as u64)).sum();
        let entries = match self.line.tables {
            Tables::Chains { .. } | Tables::ChainsOfPairs => count * ENTRY,
            Tables::ChainsWithoutLast => 16 * chained(count),
            Tables::Buckets => 0,
        };
        // A set of numbers was an intset before.
        let are_numbers =
            count <= 2 * INTSET && set.members().all(|member| Element::of(member).number.is_some());
        let converted = match are_numbers {
            true => INTSET + 1,
            false if self.line.packs_sets => PACKED_SET + 1,
            false => 0,
        };
        let bytes = self.table(set.len(), 1, converted) + entries + members;
        KeyMemory { encoding: "hashtable", bytes }
    }

    fn hash(&self, hash: &Hash<'_>) -> KeyMemory {
        let (count, expiring) = (hash.len() as u64, hash.expiring() as u64);
        let is_packed = count <= PACKED_HASH
            && (expiring == 0 || self.line.packs_expiring_fields)
            && hash.fields().all(|(name, value, _)| {
                name.len() as u64 <= PACKED_ELEMENT && value.len() as u64 <= PACKED_ELEMENT
            });
        if is_packed {
            let mut packed = Packed::new(self.line.has_ziplists);
            for (name, value, expiry) in hash.fields() {
                packed.push(Element::of(name));
                packed.push(Element::of_string(value));
                if expiring > 0 {
                    packed.push(Element::of_number(expiry.unwrap_or(0)));
                }
            }
            let bytes = self.packed_bytes(packed.bytes());
            return match expiring {
                0 => KeyMemory { encoding: self.packed_name(), bytes },
                // A header of its own.
                _ => KeyMemory { encoding: "listpackex", bytes: bytes + 32 },
            };
        }
        let (within, besides) = self.line.field_expiry;
        let mut bytes = expiring * besides;
        for (name, value, expiry) in hash.fields() {
            let (name, value) = (name.len() as u64, value.len() as u64);
            let expiry = if expiry.is_some() { within } else { 0 };
            bytes += self.pair(name, value, expiry);
        }
        let converted = if self.line.has_ziplists { 0 } else { PACKED_HASH + 1 };
        bytes += self.table(hash.len(), 1, converted);
        KeyMemory { encoding: "hashtable", bytes }
    }

    /// Returns what a field of a hash in a table takes, with the entry of the table.
    fn pair(&self, name: u64, value: u64, expiry: u64) -> u64 {
        let short = string_header(name) + name + 1;
        // The header of a value beside a name is not the shortest; neither is that of a name with a pointer to the value.
        let long = |len: u64| string_header(len).max(3) + len + 1;
        let together = short + long(value);
        match self.line.tables {
            Tables::Chains { .. } | Tables::ChainsWithoutLast => {
                let name = match self.line.strings {
                    Counted::Content => short,
                    _ => self.heap.size(short + expiry),
                };
                ENTRY + name + self.string_bytes(value)
            }
            Tables::ChainsOfPairs if together <= PAIR => ENTRY + together + expiry,
            Tables::ChainsOfPairs => ENTRY + 8 + long(name) + self.string_bytes(value) + expiry,
            Tables::Buckets if together <= PAIR => self.heap.size(together + expiry),
            Tables::Buckets => self.heap.size(8 + long(name) + expiry) + self.string_bytes(value),
        }
    }
}
