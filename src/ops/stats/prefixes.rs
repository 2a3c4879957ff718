//! Sums by pattern of key names, in bounded memory, and the tree that a report has of them.
//!
//! The number of patterns is limited, per piece of the log and in total. A name of a pattern that came after the limit
//! was reached is counted below its first component as one of the others, so that all sums are exact.

use std::collections::BTreeMap;

use hashbrown::HashMap;

use super::pattern::{Component, KEYLESS, Patterns, components, others, others_below_first};
use super::report::{PrefixKind, PrefixNode};
use crate::base::escape::OwnedText;

/// The maximum number of patterns in total.
pub(super) const PATTERNS: usize = 65_536;
/// The number of patterns after the limit, for the others below first components.
const RESERVE: usize = 1024;
/// The maximum number of nodes of a tree.
const NODES: usize = 10_000;
/// The maximum number of nodes below a node. The smallest are joined.
const CHILDREN: usize = 200;

/// What is summed for each pattern.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Sums {
    pub(super) commands: u64,
    pub(super) bytes: u64,
    pub(super) keys: u64,
    pub(super) key_bytes: u64,
    pub(super) memory: u64,
}

impl Sums {
    pub(super) fn add(&mut self, other: &Sums) {
        self.commands += other.commands;
        self.bytes += other.bytes;
        self.keys += other.keys;
        self.key_bytes += other.key_bytes;
        self.memory += other.memory;
    }
}

/// The number of recent patterns, a power of two.
const RECENT: usize = 16;

/// The number of recent names that end in a number, a power of two.
const NUMBERED: usize = 32;

/// A pattern of names that end in a number, such as `user:*`: what is before the number is the same in all of them, so that they
/// are recognised without being divided.
#[derive(Debug, Clone, Default)]
struct Numbered {
    /// What is before the number.
    before: Vec<u8>,
    /// The encoded pattern; empty if there is none.
    pattern: Vec<u8>,
    /// What is to be added to its sums.
    commands: u64,
    bytes: u64,
}

/// Sums by encoded pattern.
#[derive(Debug, Clone)]
pub(super) struct PatternSums {
    sums: HashMap<Box<[u8]>, Sums>,
    /// What is to be added to the sums of recent patterns, which need no search in the map.
    recent: [(Vec<u8>, Sums); RECENT],
    numbered: [Numbered; NUMBERED],
    limit: usize,
}

impl PatternSums {
    /// Sums of at most `limit` patterns, and of some for the others.
    pub(super) fn new(limit: usize) -> PatternSums {
        PatternSums {
            sums: HashMap::new(),
            recent: Default::default(),
            numbered: Default::default(),
            limit,
        }
    }

    /// Allows more patterns.
    pub(super) fn raise_limit(&mut self, limit: usize) {
        self.limit = self.limit.max(limit);
    }

    /// Adds a command with a key, and the bytes of it that belong to the key. `scratch` is overwritten.
    #[inline]
    pub(super) fn add_command(
        &mut self,
        (name, bytes): (&[u8], u64),
        patterns: &Patterns,
        scratch: &mut Vec<u8>,
    ) {
        let slot = numbered_slot(name);
        let numbered = &mut self.numbered[slot];
        match name.strip_prefix(numbered.before.as_slice()) {
            Some(number) if is_number(number) && !numbered.pattern.is_empty() => {
                numbered.commands += 1;
                numbered.bytes += bytes;
            }
            _ => self.add_divided((name, bytes), slot, patterns, scratch),
        }
    }

    /// Adds a command with a key whose name has to be divided. Other names of its pattern need not be, if it ends in a number.
    #[inline(never)]
    fn add_divided(
        &mut self,
        (name, bytes): (&[u8], u64),
        slot: usize,
        patterns: &Patterns,
        scratch: &mut Vec<u8>,
    ) {
        patterns.encode(name, scratch);
        self.add(scratch, Sums { commands: 1, bytes, ..Sums::default() });
        if let Some(before) = patterns.before_number(name, scratch)
            && self.sums.contains_key(scratch.as_slice())
        {
            self.settle_numbered(slot);
            let numbered = &mut self.numbered[slot];
            numbered.before.extend_from_slice(before);
            numbered.pattern.extend_from_slice(scratch);
        }
    }

    /// Adds what is to be added to the sums of a pattern of names that end in a number, which is none then.
    fn settle_numbered(&mut self, slot: usize) {
        let numbered = &mut self.numbered[slot];
        if let Some(of_pattern) = self.sums.get_mut(numbered.pattern.as_slice()) {
            of_pattern.commands += numbered.commands;
            of_pattern.bytes += numbered.bytes;
        }
        numbered.before.clear();
        numbered.pattern.clear();
        (numbered.commands, numbered.bytes) = (0, 0);
    }

    /// Adds to the sums of an encoded pattern.
    #[inline]
    pub(super) fn add(&mut self, pattern: &[u8], sums: Sums) {
        let slot = slot(pattern);
        match &mut self.recent[slot] {
            (recent, more) if *recent == pattern && !recent.is_empty() => more.add(&sums),
            _ => self.add_other(slot, pattern, sums),
        }
    }

    /// Adds to the sums of a pattern that is not recent. It is then, if it has sums of its own.
    #[inline(never)]
    fn add_other(&mut self, slot: usize, pattern: &[u8], sums: Sums) {
        match self.sums.get_mut(pattern) {
            Some(of_pattern) => of_pattern.add(&sums),
            None => {
                self.add_new(pattern, sums);
                if !self.sums.contains_key(pattern) {
                    return;
                }
            }
        }
        self.settle(slot);
        self.recent[slot].0.extend_from_slice(pattern);
    }

    /// Adds what is to be added to the sums of a recent pattern, which is none then.
    fn settle(&mut self, slot: usize) {
        let (pattern, more) = &mut self.recent[slot];
        if let Some(of_pattern) = self.sums.get_mut(pattern.as_slice()) {
            of_pattern.add(more);
        }
        pattern.clear();
        *more = Sums::default();
    }

    fn settle_all(&mut self) {
        for slot in 0..RECENT {
            self.settle(slot);
        }
        for slot in 0..NUMBERED {
            self.settle_numbered(slot);
        }
    }

    #[cold]
    fn add_new(&mut self, pattern: &[u8], sums: Sums) {
        let len = self.sums.len();
        let key = if len < self.limit {
            pattern.to_vec()
        } else {
            let below_first = others_below_first(pattern);
            let is_known = self.sums.contains_key(below_first.as_slice());
            if is_known || len < self.limit + RESERVE { below_first } else { others() }
        };
        self.sums.entry(key.into_boxed_slice()).or_default().add(&sums);
    }

    /// Adds other sums, in an order that depends on their patterns alone.
    pub(super) fn join(&mut self, mut other: PatternSums) {
        other.settle_all();
        let mut sums: Vec<_> = other.sums.into_iter().collect();
        sums.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        for (pattern, sums) in sums {
            self.add(&pattern, sums);
        }
    }

    /// Adds what belongs to no key.
    pub(super) fn add_keyless(&mut self, commands: u64, bytes: u64) {
        if commands > 0 || bytes > 0 {
            self.add(KEYLESS, Sums { commands, bytes, ..Sums::default() });
        }
    }

    /// Returns the tree of the patterns. With `replayed`, it has the keys, too.
    pub(super) fn tree(mut self, replayed: bool) -> PrefixNode {
        self.settle_all();
        let mut root = Node::default();
        for (pattern, sums) in &self.sums {
            root.add(components(pattern), sums);
        }
        // Small nodes are left out until the tree is small enough.
        let mut least = 0;
        while root.nodes_of(least) > NODES {
            least = (least + least / 8 + 1).max(root.sums.weight() / 1_000_000);
        }
        root.report(Component { kind: PrefixKind::Literal, text: b"" }, least, replayed)
    }
}

/// Returns the place of a pattern among the recent ones.
#[inline]
fn slot(pattern: &[u8]) -> usize {
    let first = pattern.get(2).copied().unwrap_or(0);
    (usize::from(first) ^ pattern.len()) % RECENT
}

/// Returns the place of a name among those that end in a number.
#[inline]
fn numbered_slot(name: &[u8]) -> usize {
    match name {
        [first, second, ..] => (usize::from(*first) ^ (usize::from(*second) << 2)) % NUMBERED,
        _ => 0,
    }
}

#[inline]
fn is_number(text: &[u8]) -> bool {
    // Without an end at the first other byte, because there is seldom one.
    !text.is_empty() && text.iter().fold(true, |is, byte| is & byte.is_ascii_digit())
}

impl Sums {
    /// The size by which nodes are ordered.
    fn weight(&self) -> u64 {
        self.bytes.max(self.key_bytes)
    }

    fn of_node(&self, name: OwnedText, kind: PrefixKind, replayed: bool) -> PrefixNode {
        PrefixNode {
            name,
            kind,
            commands: self.commands,
            bytes: self.bytes,
            keys: replayed.then_some(self.keys),
            key_bytes: replayed.then_some(self.key_bytes),
            memory_bytes: (self.memory > 0).then_some(self.memory),
            // Both are sizes of files, far below the limit.
            reclaimable_bytes: replayed
                .then(|| self.bytes.cast_signed() - self.key_bytes.cast_signed()),
            children: Vec::new(),
        }
    }
}

#[derive(Debug, Default)]
struct Node {
    sums: Sums,
    below: BTreeMap<(PrefixKind, Vec<u8>), Node>,
}

impl Node {
    fn add<'p>(&mut self, mut components: impl Iterator<Item = Component<'p>>, sums: &Sums) {
        self.sums.add(sums);
        if let Some(first) = components.next() {
            let below = self.below.entry((first.kind, first.text.to_vec())).or_default();
            // A pattern has at most as many components as names have.
            below.add(&mut components as &mut dyn Iterator<Item = Component<'p>>, sums);
        }
    }

    /// Returns the number of nodes of at least this weight, and of those that the others below a node are joined to.
    fn nodes_of(&self, least: u64) -> usize {
        let (mut nodes, mut has_rest) = (1, false);
        for ((kind, _), node) in &self.below {
            match node.sums.weight() >= least && *kind != PrefixKind::Others {
                true => nodes += node.nodes_of(least),
                false => has_rest = true,
            }
        }
        nodes + usize::from(has_rest)
    }

    fn report(&self, component: Component<'_>, least: u64, replayed: bool) -> PrefixNode {
        let mut name = component.text.to_vec();
        if component.kind == PrefixKind::Wildcard {
            name.insert(0, b'*');
        }
        let mut node = self.sums.of_node(OwnedText(name), component.kind, replayed);
        let mut below: Vec<_> = self.below.iter().collect();
        below.sort_by(|(one_name, one), (other_name, other)| {
            other.sums.weight().cmp(&one.sums.weight()).then_with(|| one_name.cmp(other_name))
        });
        let mut rest = Sums::default();
        for (index, ((kind, text), child)) in below.into_iter().enumerate() {
            if index >= CHILDREN || child.sums.weight() < least || *kind == PrefixKind::Others {
                rest.add(&child.sums);
            } else {
                node.children.push(child.report(Component { kind: *kind, text }, least, replayed));
            }
        }
        if rest != Sums::default() {
            node.children.push(rest.of_node(OwnedText::default(), PrefixKind::Others, replayed));
        }
        node
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::stats::pattern::{Patterns, SEPARATORS};

    fn added(limit: usize, names: &[(&str, u64)]) -> PatternSums {
        let (patterns, mut encoded) = (Patterns::new(SEPARATORS), Vec::new());
        let mut sums = PatternSums::new(limit);
        for (name, bytes) in names {
            patterns.encode(name.as_bytes(), &mut encoded);
            sums.add(&encoded, Sums { commands: 1, bytes: *bytes, ..Sums::default() });
        }
        sums
    }

    /// The sums are those of the names one by one, whatever their order is.
    #[test]
    fn names_that_end_in_a_number_have_the_sums_of_their_patterns() {
        let names = [
            "user:1",
            "user:22",
            "user:",
            "user:x",
            "user:1:cart",
            "usage:7",
            "u:333",
            "7",
            "12",
            "",
            "u",
            "user:v1",
            "user:5x",
            "a:b:9",
            "a:b:c:d:e:f:g:1",
            "a:b:c:d:e:f:g:h:1",
            "a:1:2",
            "a:2:2",
            "xy1",
            "y:1\n",
        ];
        for separators in [SEPARATORS, b":5", b""] {
            let patterns = Patterns::new(separators);
            let (mut scratch, mut quick) = (Vec::new(), PatternSums::new(100));
            let mut expected = BTreeMap::<Vec<u8>, (u64, u64)>::new();
            for at in 0..2000_usize {
                // A walk over all names in which each follows each other one.
                let name = names[(at * at / 7 + at) % names.len()].as_bytes();
                quick.add_command((name, at as u64), &patterns, &mut scratch);
                patterns.encode(name, &mut scratch);
                let sums = expected.entry(scratch.clone()).or_default();
                *sums = (sums.0 + 1, sums.1 + at as u64);
            }
            quick.settle_all();
            let found = quick
                .sums
                .iter()
                .map(|(pattern, sums)| (pattern.to_vec(), (sums.commands, sums.bytes)));
            assert_eq!(found.collect::<BTreeMap<_, _>>(), expected);
            assert!(quick.numbered.iter().all(|it| it.pattern.is_empty()));
        }
    }

    fn shown(node: &PrefixNode, depth: usize, out: &mut Vec<String>) {
        let name = String::from_utf8_lossy(&node.name.0);
        out.push(format!("{:depth$}{name} {:?} {} {}", "", node.kind, node.commands, node.bytes));
        node.children.iter().for_each(|child| shown(child, depth + 1, out));
    }

    #[test]
    fn nodes_have_the_sums_of_those_below() {
        let mut sums =
            added(100, &[("user:1:cart", 10), ("user:2:cart", 20), ("user:3", 5), ("job", 100)]);
        sums.add_keyless(2, 7);
        let mut out = Vec::new();
        shown(&sums.tree(false), 0, &mut out);
        let expected = [
            " Literal 6 142",
            " job Literal 1 100",
            " user: Literal 3 35",
            "  *: Wildcard 2 30",
            "   cart Literal 2 30",
            "  * Wildcard 1 5",
            "  Keyless 2 7",
        ];
        assert_eq!(out, expected);
    }

    #[test]
    fn names_after_the_limit_are_counted_as_others_and_nothing_is_lost() {
        let names: Vec<(String, u64)> =
            ["a:x", "a:y", "a:z", "b:x", "c"].iter().map(|name| ((*name).to_owned(), 1)).collect();
        let names: Vec<(&str, u64)> = names.iter().map(|(name, n)| (name.as_str(), *n)).collect();
        let mut out = Vec::new();
        shown(&added(2, &names).tree(false), 0, &mut out);
        let expected = [
            " Literal 5 5",
            " a: Literal 3 3",
            "  x Literal 1 1",
            "  y Literal 1 1",
            "   Others 1 1",
            " b: Literal 1 1",
            "   Others 1 1",
            " c Literal 1 1",
            "   Others 1 1",
        ];
        assert_eq!(out, expected);
    }
}
