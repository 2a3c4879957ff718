//! Writing streams; see [`stream`](super::super::stream) for the format.

use std::io::Write;

use super::super::header::Magic;
use super::super::visitor::StreamId;
use super::counters::Counters;
use super::out::{Out, Put};
use super::packed::{Listpack, Pack};
use super::target::Target;
use super::value::{Encoder, Node, nodes};
use super::view::{Group, Idmp, Stream};

/// Maximum number of entries of a node; it takes fewer if it would exceed its size in bytes.
const NODE_ENTRIES: u8 = 100;
const NODE_BYTES: usize = 4096;

const SAME_FIELDS: i64 = 2;
/// The stored value for an unknown number of entries read.
const NOT_KNOWN: u64 = u64::MAX;
impl StreamId {
    pub(super) fn to_bytes(self) -> [u8; 16] {
        (u128::from(self.ms) << 64 | u128::from(self.seq)).to_be_bytes()
    }
}

impl Encoder {
    pub(super) fn stream<W: Write>(&mut self, out: &mut Out<W>, key: &[u8], stream: &dyn Stream) {
        let version = self.target.version();
        let (code, version) = match version {
            ..=9 => (15, 1),
            10 => (19, 2),
            13.. if has_producers(self.target, stream) => (26, 4),
            _ => (21, 3),
        };
        self.begin(out, code, key);
        let (mut length, mut first) = (0, None);
        let Encoder { strings, listpack, kept, .. } = self;
        nodes(out, strings, kept, |visit| (length, first) = split(stream, listpack, visit));

        let info = stream.info();
        let counters = Counters::new(&info, length, first);
        out.length(counters.length);
        id(out, counters.last_id);
        if version >= 2 {
            id(out, counters.first_id);
            id(out, counters.max_deleted_id);
            out.length(counters.added);
        }
        let mut groups = 0;
        stream.groups(&mut |_| groups += 1);
        out.length(groups);
        stream.groups(&mut |group| {
            let read = match info.entries_added {
                None => counters.read_up_to(group.last_id),
                Some(_) => group.entries_read,
            };
            self.group(out, version, group, read);
        });
        if version >= 4 {
            stream.idmp(&mut |idmp| self.producers(out, idmp));
        }
    }

    fn producers<W: Write>(&mut self, out: &mut Out<W>, idmp: &Idmp<'_>) {
        out.length(idmp.config.duration);
        out.length(idmp.config.max_entries);
        out.length(idmp.producers.len() as u64);
        for producer in idmp.producers {
            self.strings.write(out, producer.pid);
            out.length(producer.entries.len() as u64);
            for (iid, entry) in producer.entries {
                self.strings.write(out, iid);
                id(out, *entry);
            }
        }
        out.length(idmp.config.iids_added);
        out.length(idmp.config.duplicates);
    }

    fn group<W: Write>(
        &mut self,
        out: &mut Out<W>,
        version: u8,
        group: &Group<'_>,
        read: Option<u64>,
    ) {
        self.strings.write(out, group.name);
        id(out, group.last_id);
        if version >= 2 {
            out.length(read.unwrap_or(NOT_KNOWN));
        }
        out.length(group.pending.len() as u64);
        for pending in group.pending {
            out.put(&pending.id.to_bytes());
            out.put(&pending.delivered_ms.to_le_bytes());
            out.length(pending.deliveries);
        }
        out.length(group.consumers.len() as u64);
        for consumer in group.consumers {
            self.strings.write(out, consumer.name);
            out.put(&consumer.seen_ms.to_le_bytes());
            if version >= 3 {
                out.put(&consumer.active_ms.unwrap_or(consumer.seen_ms).to_le_bytes());
            }
            out.length(consumer.pending.len() as u64);
            for pending in consumer.pending {
                out.put(&pending.to_bytes());
            }
        }
    }
}

/// Whether the producers of the stream are known and can be written.
fn has_producers(target: Target, stream: &dyn Stream) -> bool {
    let mut known = false;
    stream.idmp(&mut |_| known = true);
    known && target.magic() == Magic::Redis
}

fn id(to: &mut impl Put, id: StreamId) {
    to.length(id.ms);
    to.length(id.seq);
}

/// Splits the stream into nodes. Returns the number of entries and the id of the first.
fn split(
    stream: &dyn Stream,
    pack: &mut Listpack,
    visit: &mut dyn FnMut(Node<'_>),
) -> (u64, Option<StreamId>) {
    let (mut length, mut first) = (0, None);
    let mut base = StreamId::default();
    let mut in_node: u8 = 0;
    // Each field is preceded by its length, so that different sequences of fields never compare
    // equal.
    let mut common = Vec::new();
    stream.entries(&mut |id, fields| {
        length += 1;
        first.get_or_insert(id);
        let text: usize = fields.iter().map(|(field, value)| field.len() + value.len()).sum();
        let full = in_node >= NODE_ENTRIES || pack.size() + text >= NODE_BYTES;
        if in_node > 0 && full {
            pack.set_first(in_node);
            visit(Node::Entries(base, pack.end()));
            in_node = 0;
        }
        if in_node == 0 {
            base = id;
            pack.begin();
            pack.push_number(1);
            pack.push_number(0);
            push_count(pack, fields.len());
            common.clear();
            for (field, _) in fields {
                pack.push(field);
                common.put(&field.len().to_le_bytes());
                common.put(field);
            }
            pack.push_number(0);
        }
        in_node += 1;
        entry(pack, base, id, fields, &common);
    });
    if in_node > 0 {
        pack.set_first(in_node);
        visit(Node::Entries(base, pack.end()));
    }
    (length, first)
}

fn entry(
    pack: &mut Listpack,
    base: StreamId,
    id: StreamId,
    fields: &[(&[u8], &[u8])],
    common: &[u8],
) {
    let before = pack.count();
    let same = same_fields(fields, common);
    pack.push_number(if same { SAME_FIELDS } else { 0 });
    // Differences are signed, and added as the servers add them: without an overflow check.
    pack.push_number(id.ms.wrapping_sub(base.ms).cast_signed());
    pack.push_number(id.seq.wrapping_sub(base.seq).cast_signed());
    if !same {
        push_count(pack, fields.len());
    }
    for (field, value) in fields {
        if !same {
            pack.push(field);
        }
        pack.push(value);
    }
    let items = pack.count() - before;
    push_count(pack, items);
}

fn same_fields(fields: &[(&[u8], &[u8])], mut common: &[u8]) -> bool {
    for (field, _) in fields {
        let Some(rest) = common
            .strip_prefix(&field.len().to_le_bytes())
            .and_then(|rest| rest.strip_prefix(*field))
        else {
            return false;
        };
        common = rest;
    }
    common.is_empty()
}

fn push_count(pack: &mut Listpack, count: usize) {
    pack.push_number(i64::try_from(count).unwrap_or(i64::MAX));
}
