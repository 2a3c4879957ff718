//! Streams.

use std::collections::BTreeMap;

use crate::rdb::StreamId;

/// A stream.
#[derive(Debug, Clone, Default)]
pub struct Stream<'a> {
    /// Fields and values by turns.
    entries: BTreeMap<StreamId, Box<[&'a [u8]]>>,
}

impl<'a> Stream<'a> {
    /// Its entries in the order of ids; fields and values by turns.
    pub fn entries(&self) -> impl Iterator<Item = (StreamId, &[&'a [u8]])> {
        self.entries.iter().map(|(id, fields)| (*id, &**fields))
    }
}
