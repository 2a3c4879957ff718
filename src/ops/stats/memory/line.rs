//! How each release line represents keys and values, and what `MEMORY USAGE` counts of them.
//!
//! Every fact was measured, with `MEMORY USAGE key SAMPLES 0` and `OBJECT ENCODING` on keys of many sizes, on Redis 5.0.6,
//! 6.0.16, 6.2.5, 7.0.15, 7.2.4, 7.4.1, 8.0.2, 8.2.3 and 8.6.3 and Valkey 8.0.1, 8.1.1, 9.0.0 and 9.1.2; the trials
//! `stats_memory` of tests/servers repeat that. The limits up to which an encoding is packed are documented in the
//! `redis.conf` of each line (`*-max-listpack-*`, `*-max-ziplist-*`, `list-max-listpack-size`, `stream-node-max-*`).

use crate::base::server::{Product, Server, redis, valkey};

/// What a key takes besides its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum KeyForm {
    /// An entry of a table of 24 bytes, the name, and an object of 16.
    Entry,
    /// An entry that has the name in it, and an object of 16: Valkey 8.0.
    EntryWithName,
    /// One object with the name and the expiry in it: Redis 8.2, Valkey 9.0.
    ObjectWithName,
    /// As before, but the name is counted only with a value that is in it, too: Valkey 8.1.
    NameNotCounted,
}

/// What is counted of a string of bytes (SDS).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Counted {
    /// Its content: Redis 5.0.
    Content,
    /// Its allocation.
    Allocation,
    /// Below 32 bytes its content, otherwise its allocation: Redis 8.6.
    ContentIfShort,
}

/// When the value of a string is in the same allocation as its object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Embedding {
    /// Up to 44 bytes.
    Length { is_allocation: bool },
    /// If all of it fits into 64 bytes, with or without the expiry, which is set after the value.
    Whole64 { with_expiry: bool },
    /// If all of it fits into 128 bytes, with the value in place of the pointer to it.
    Whole128,
}

/// The tables of sets, hashes and sorted sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tables {
    /// A header of this size, slots, and an entry of 24 bytes for each member.
    Chains { header: u64 },
    /// As before, but entries of sets only for members that are not the last of their chain: Valkey 8.0.
    ChainsWithoutLast,
    /// As before, with name and value of a field in one allocation up to 128 bytes: Redis 8.6.
    ChainsOfPairs,
    /// Buckets, and names and values of a field in one allocation up to 128 bytes: Valkey 8.1.
    Buckets,
}

/// A node of a sorted set that is not packed, by its number of levels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SortedNode {
    /// What the entry of the table takes.
    pub(super) entry: u64,
    /// The bytes of a node without its levels of 16.
    pub(super) fixed: u64,
    /// Whether the member is in it.
    pub(super) has_member: bool,
}

/// What is counted of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct StreamForm {
    pub(super) header: u64,
    /// The maximum number of entries of a node.
    pub(super) node_entries: u64,
    /// Whether the last node has room for its maximum size.
    pub(super) reserves: bool,
    /// Whether an entry that would make a node too large begins another; otherwise one after it.
    pub(super) looks_ahead: bool,
    /// Whether trees are counted by the number of their nodes, as before Valkey 8.1 and Redis 8.6.
    pub(super) estimates_trees: bool,
    pub(super) group: u64,
    pub(super) consumer: u64,
    pub(super) pending: u64,
}

/// The facts on a release line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) key: KeyForm,
    pub(super) strings: Counted,
    pub(super) embedding: Embedding,
    /// Whether packed encodings are counted with their allocation, and not with their content.
    pub(super) packed_is_allocation: bool,
    /// Whether packed encodings are ziplists.
    pub(super) has_ziplists: bool,
    /// Whether small lists are packed without nodes.
    pub(super) packs_lists: bool,
    /// Whether small sets are packed.
    pub(super) packs_sets: bool,
    /// The bytes of a list, and of each node of it.
    pub(super) list: (u64, u64),
    pub(super) tables: Tables,
    pub(super) sorted: SortedNode,
    /// The levels of the first node of a sorted set.
    pub(super) levels: u64,
    /// The steps of an insertion into the table of a sorted set: see `table`.
    pub(super) sorted_steps: u64,
    /// Whether the fields of a small hash that expire leave it packed, as in Redis 7.4; otherwise they unpack it.
    pub(super) packs_expiring_fields: bool,
    /// What each expiring field adds to an allocation, and besides.
    pub(super) field_expiry: (u64, u64),
    pub(super) stream: StreamForm,
}

const REDIS_5_0: Line = Line {
    key: KeyForm::Entry,
    strings: Counted::Content,
    embedding: Embedding::Length { is_allocation: false },
    packed_is_allocation: false,
    has_ziplists: true,
    packs_lists: false,
    packs_sets: false,
    list: (40, 32),
    tables: Tables::Chains { header: 96 },
    sorted: SortedNode { entry: 24, fixed: 24, has_member: false },
    levels: 64,
    sorted_steps: 2,
    packs_expiring_fields: false,
    field_expiry: (0, 0),
    stream: StreamForm {
        header: 0,
        node_entries: 101,
        reserves: false,
        looks_ahead: false,
        estimates_trees: true,
        group: 32,
        consumer: 24,
        pending: 24,
    },
};

const REDIS_6_0: Line = Line {
    strings: Counted::Allocation,
    levels: 32,
    stream: StreamForm { node_entries: 100, looks_ahead: true, ..REDIS_5_0.stream },
    ..REDIS_5_0
};

/// As 6.2.5; later patch releases look ahead, as 6.0.16 does.
const REDIS_6_2: Line =
    Line { stream: StreamForm { header: 40, looks_ahead: false, ..REDIS_6_0.stream }, ..REDIS_6_0 };

const REDIS_7_0: Line = Line {
    embedding: Embedding::Length { is_allocation: true },
    packed_is_allocation: true,
    has_ziplists: false,
    list: (40, 40),
    tables: Tables::Chains { header: 56 },
    stream: StreamForm {
        header: 80,
        reserves: true,
        looks_ahead: true,
        group: 40,
        ..REDIS_6_2.stream
    },
    ..REDIS_6_2
};

const REDIS_7_2: Line = Line {
    packs_lists: true,
    packs_sets: true,
    stream: StreamForm { consumer: 32, ..REDIS_7_0.stream },
    ..REDIS_7_0
};

const REDIS_7_4: Line = Line { packs_expiring_fields: true, field_expiry: (16, 0), ..REDIS_7_2 };

const REDIS_8_2: Line = Line {
    key: KeyForm::ObjectWithName,
    embedding: Embedding::Whole64 { with_expiry: true },
    sorted: SortedNode { entry: 16, fixed: 24, has_member: false },
    stream: StreamForm { header: 112, pending: 32, ..REDIS_7_4.stream },
    ..REDIS_7_4
};

const REDIS_8_6: Line = Line {
    strings: Counted::ContentIfShort,
    embedding: Embedding::Whole64 { with_expiry: false },
    packed_is_allocation: false,
    list: (48, 48),
    tables: Tables::ChainsOfPairs,
    sorted: SortedNode { entry: 8, fixed: 32, has_member: true },
    sorted_steps: 1,
    field_expiry: (18, 0),
    stream: StreamForm {
        header: 160,
        reserves: false,
        estimates_trees: false,
        group: 168,
        consumer: 82,
        pending: 120,
        ..REDIS_8_2.stream
    },
    ..REDIS_8_2
};

const VALKEY_8_0: Line =
    Line { key: KeyForm::EntryWithName, tables: Tables::ChainsWithoutLast, ..REDIS_7_2 };

const VALKEY_8_1: Line = Line {
    key: KeyForm::NameNotCounted,
    embedding: Embedding::Whole64 { with_expiry: true },
    tables: Tables::Buckets,
    sorted: SortedNode { entry: 0, fixed: 24, has_member: false },
    stream: StreamForm { estimates_trees: false, ..VALKEY_8_0.stream },
    ..VALKEY_8_0
};

const VALKEY_9_0: Line = Line {
    embedding: Embedding::Whole64 { with_expiry: false },
    key: KeyForm::ObjectWithName,
    field_expiry: (8, 17),
    stream: StreamForm { pending: 32, ..VALKEY_8_1.stream },
    ..VALKEY_8_1
};

const VALKEY_9_1: Line = Line {
    embedding: Embedding::Whole128,
    sorted: SortedNode { entry: 0, fixed: 17, has_member: true },
    field_expiry: (8, 16),
    stream: VALKEY_8_1.stream,
    ..VALKEY_9_0
};

/// The lines that were measured, the oldest of each product first.
const MEASURED: [(Server, Line); 13] = [
    (redis(5, 0), REDIS_5_0),
    (redis(6, 0), REDIS_6_0),
    (redis(6, 2), REDIS_6_2),
    (redis(7, 0), REDIS_7_0),
    (redis(7, 2), REDIS_7_2),
    (redis(7, 4), REDIS_7_4),
    (redis(8, 0), REDIS_7_4),
    (redis(8, 2), REDIS_8_2),
    (redis(8, 6), REDIS_8_6),
    (valkey(8, 0), VALKEY_8_0),
    (valkey(8, 1), VALKEY_8_1),
    (valkey(9, 0), VALKEY_9_0),
    (valkey(9, 1), VALKEY_9_1),
];

/// Returns the facts on the line of a server, or on the last one before it that was measured; and whether it was itself.
pub(super) fn line(server: Server) -> (Line, bool) {
    // Valkey 7.2 is Redis 7.2.
    let server = match server.product {
        Product::Valkey if !server.has_valkey(8, 0) => redis(7, 2),
        _ => server,
    };
    let mut of_product = MEASURED.iter().filter(|(known, _)| known.product == server.product);
    let before = of_product.rfind(|(known, _)| *known <= server);
    let (known, line) = before.unwrap_or(&MEASURED[0]);
    (*line, *known == server)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_was_not_measured_has_the_facts_of_the_one_before() {
        assert_eq!(line(redis(4, 0)), (REDIS_5_0, false));
        assert_eq!(line(redis(8, 4)), (REDIS_8_2, false));
        assert_eq!(line(redis(8, 8)), (REDIS_8_6, false));
        assert_eq!(line(valkey(7, 2)), (REDIS_7_2, true));
        assert_eq!(line(valkey(9, 2)), (VALKEY_9_1, false));
        assert_eq!(line(valkey(9, 1)), (VALKEY_9_1, true));
    }
}
