//! Streams.

use super::packed::{Element, LISTPACK, in_listpack};
use super::radix::{Tree, tree};
use super::{KeyMemory, Model};
use crate::keyspace::Stream;
use crate::keyspace::stream::{Fields, StreamId};

/// The size from which a node gets no more entries in bytes (`stream-node-max-bytes`).
const NODE: u64 = 4096;

/// A node that is being filled.
struct Node<'a> {
    first: StreamId,
    fields: Fields<'a>,
    bytes: u64,
    entries: u64,
}

impl Model {
    pub(super) fn stream(&self, stream: &Stream<'_>) -> KeyMemory {
        let form = self.line.stream;
        let mut ids = Vec::new();
        let mut bytes = form.header;
        let mut node: Option<Node<'_>> = None;
        for (id, fields) in stream.entries() {
            let content = |(field, value): (&[u8], &[u8])| (field.len() + value.len()) as u64;
            let added = if form.looks_ahead { fields.iter().map(content).sum::<u64>() } else { 0 };
            let is_full = node.as_ref().is_some_and(|node| {
                node.entries >= form.node_entries || node.bytes + added >= NODE
            });
            if is_full && let Some(full) = node.take() {
                bytes += self.packed_bytes(full.bytes);
            }
            let node = node.get_or_insert_with(|| {
                ids.push(id);
                Node { first: id, fields, bytes: LISTPACK + first_entry(fields), entries: 0 }
            });
            node.bytes += entry(node, id, fields);
            node.entries += 1;
        }
        if let Some(last) = node {
            let reserved = if form.reserves && !self.at_once { NODE } else { 0 };
            bytes += self.packed_bytes(last.bytes.max(reserved));
        }
        bytes += self.tree_bytes(tree(ids.into_iter(), self.heap));
        for (_, group) in stream.groups() {
            let pending = group.pending();
            bytes += form.group + form.pending * pending.len() as u64;
            bytes += self.tree_bytes(tree(pending.map(|pending| pending.id), self.heap));
            for consumer in group.consumers() {
                bytes += form.consumer + consumer.name().len() as u64;
                bytes += self.tree_bytes(tree(consumer.pending(), self.heap));
            }
        }
        KeyMemory { encoding: "stream", bytes }
    }

    fn tree_bytes(&self, tree: Tree) -> u64 {
        match self.line.stream.estimates_trees {
            // Such servers count nodes as if each had 30 children.
            true => tree.keys * 16 + tree.nodes * 244,
            false => self.heap.size(24) + tree.bytes,
        }
    }
}

fn number(number: i64) -> u64 {
    in_listpack(Element::of_number(number))
}

fn count(count: usize) -> u64 {
    number(i64::try_from(count).unwrap_or(i64::MAX))
}

/// Returns the size of the entry of a node that has its counts and the fields of its first entry.
fn first_entry(fields: Fields<'_>) -> u64 {
    let names = fields.iter().map(|(field, _)| in_listpack(Element::of(field)));
    // Entries, deleted entries, and the mark of the end have two bytes each.
    6 + count(fields.count()) + names.sum::<u64>()
}

/// Returns the size of an entry of a node.
fn entry(node: &Node<'_>, id: StreamId, fields: Fields<'_>) -> u64 {
    let difference = |one: u64, first: u64| number(one.wrapping_sub(first).cast_signed());
    let ids = difference(id.ms, node.first.ms) + difference(id.seq, node.first.seq);
    let values = fields.iter().map(|(_, value)| in_listpack(Element::of(value))).sum::<u64>();
    let fields_count = fields.count();
    let same = fields_count == node.fields.count()
        && fields.iter().zip(node.fields.iter()).all(|((one, _), (other, _))| one == other);
    // The flags have two bytes.
    let size = 2 + ids + values;
    if same {
        return size + count(fields_count + 3);
    }
    let names = fields.iter().map(|(field, _)| in_listpack(Element::of(field))).sum::<u64>();
    size + names + count(fields_count) + count(2 * fields_count + 4)
}
