//! The ids of a stream's producers: XCFGSET, and XIDMPRECORD for each id whose entry still exists, after
//! the groups. *Observed* on Redis 8.6.3.
//!
//! The ids that a server computes from the fields (IDMPAUTO) are not known here, so those entries are
//! added with IDMPAUTO, after the configuration, which discards ids that were recorded before it.

use std::collections::BTreeMap;

use super::entry::{write_empty, write_id};
use super::unwritable::Unwritable;
use crate::base::server::{Product, Server};
use crate::keyspace::stream::{IDMP_DEFAULT, Iid, Stream, StreamId, StreamIdmp};
use crate::rewrite::commands::out::Out;

pub(super) struct Producers<'s> {
    config: Option<StreamIdmp>,
    /// The producers of the entries that are added with IDMPAUTO, or, with an id, IDMP.
    added: BTreeMap<StreamId, Produced<'s>>,
    /// The producer, its id, and the entry.
    recorded: Vec<(&'s [u8], &'s [u8], StreamId)>,
}

/// The options with which an entry is added.
#[derive(Debug, Clone, Copy)]
pub(super) struct Produced<'s> {
    pid: &'s [u8],
    iid: Option<&'s [u8]>,
}

impl Produced<'_> {
    /// Returns the number of arguments.
    pub(super) fn args(&self) -> usize {
        if self.iid.is_some() { 3 } else { 2 }
    }

    pub(super) fn write(&self, out: &mut Out) {
        out.bulk(if self.iid.is_some() { b"IDMP" } else { b"IDMPAUTO" });
        out.bulk(self.pid);
        if let Some(iid) = self.iid {
            out.bulk(iid);
        }
    }
}

/// The entry that creates the stream.
const FIRST: StreamId = StreamId { ms: 0, seq: 1 };

impl<'s> Producers<'s> {
    /// Returns what has to be written for a stream.
    pub(super) fn of(stream: &Stream<'s>, target: Server) -> Result<Producers<'s>, Unwritable> {
        let mut producers =
            Producers { config: None, added: BTreeMap::new(), recorded: Vec::new() };
        let Some(idmp) = stream.idmp().filter(|idmp| !idmp.is_default()) else {
            return Ok(producers);
        };
        if target.product != Product::Redis || !target.has_redis(8, 6) {
            return Err(Unwritable::Producers);
        }
        let config = idmp.config();
        let default = (IDMP_DEFAULT.duration, IDMP_DEFAULT.max_entries);
        if (config.duration, config.max_entries) != default {
            producers.config = Some(*config);
        }
        for (pid, producer) in idmp.producers() {
            let ids = || producer.ids().filter(|(_, id)| stream.contains(*id));
            let is_computed = ids().any(|(iid, _)| matches!(iid, Iid::OfFields(_)));
            let mut last = StreamId::default();
            for (iid, id) in ids() {
                let iid = match iid {
                    Iid::Given(iid) if !is_computed => {
                        producers.recorded.push((pid, iid, id));
                        continue;
                    }
                    Iid::Given(iid) => Some(iid),
                    Iid::OfFields(_) => None,
                };
                // Entries are added in the order of their ids, each once.
                let produced = Produced { pid, iid };
                if id < last || producers.added.insert(id, produced).is_some() {
                    return Err(Unwritable::ProducedEntry);
                }
                last = id;
            }
        }
        let first = stream.first_id().unwrap_or_default();
        if !producers.added.is_empty() && first <= FIRST {
            return Err(Unwritable::ProducedEntry);
        }
        Ok(producers)
    }

    pub(super) fn write_before_entries(&self, out: &mut Out, key: &[u8]) {
        if !self.added.is_empty() && self.config.is_some() {
            write_empty(out, key);
            self.write_config(out, key);
        }
    }

    /// Returns the options with which an entry is added.
    pub(super) fn of_entry(&self, id: StreamId) -> Option<Produced<'s>> {
        self.added.get(&id).copied()
    }

    pub(super) fn write_after_groups(&self, out: &mut Out, key: &[u8]) {
        if self.added.is_empty() {
            self.write_config(out, key);
        }
        for (pid, iid, id) in &self.recorded {
            out.command(b"XIDMPRECORD", 4);
            out.bulk(key);
            out.bulk(pid);
            out.bulk(iid);
            write_id(out, *id);
        }
    }

    fn write_config(&self, out: &mut Out, key: &[u8]) {
        let Some(config) = &self.config else { return };
        out.command(b"XCFGSET", 5);
        out.bulk(key);
        out.bulk(b"IDMP-DURATION");
        out.number(config.duration);
        out.bulk(b"IDMP-MAXSIZE");
        out.number(config.max_entries);
    }
}
