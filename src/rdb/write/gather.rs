//! Collects values from a walk, one at a time.

use super::super::format::Kind;
use super::super::text::Text;
use super::super::visitor::{
    AuxWhen, Key, KeyEnd, ModuleId, StreamId, StreamIdmp, StreamInfo, Visitor, Want,
};
use super::view::{
    Consumer, Elements, Fields, Group, Idmp, Pending, Producer, Scored, Stream, Value,
};
use crate::rdb::write::writer::KeyNotes;

/// Receives the content of a walk, one value at a time.
pub(super) trait Takes {
    fn note(&mut self, name: &[u8], value: &[u8]);
    fn select_db(&mut self, db: u64);
    fn slot(&mut self, slot: u64, keys: u64, with_expiry: u64);
    fn slot_import(&mut self, job: &[u8], ranges: &[(u64, u64)]);
    fn function(&mut self, library: &[u8]);
    fn module_aux(&mut self, payload: &[u8]);
    /// Modules attached metadata to the next key.
    fn key_meta(&mut self);
    fn key(&mut self, name: &[u8], notes: &KeyNotes, value: &Value<'_>);
}

/// Texts, concatenated in one buffer.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Texts {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Texts {
    pub(super) fn push(&mut self, text: &[u8]) {
        self.bytes.extend_from_slice(text);
        self.ends.push(self.bytes.len());
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let mut start = 0;
        self.ends.iter().map(move |&end| {
            let text = &self.bytes[start..end];
            start = end;
            text
        })
    }

    fn pairs(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let mut texts = self.iter();
        std::iter::from_fn(move || Some((texts.next()?, texts.next()?)))
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct OwnedGroup {
    pub(super) name: Vec<u8>,
    pub(super) last_id: StreamId,
    pub(super) entries_read: Option<u64>,
    pub(super) pending: Vec<Pending>,
    pub(super) consumers: Vec<OwnedConsumer>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct OwnedConsumer {
    pub(super) name: Vec<u8>,
    pub(super) seen_ms: i64,
    pub(super) active_ms: Option<i64>,
    pub(super) pending: Vec<StreamId>,
}

/// A value of any kind; the kind determines which fields are used.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Gathered {
    /// Elements, members, or alternating fields and values. For a string, its one text.
    pub(super) texts: Texts,
    pub(super) scores: Vec<f64>,
    /// One per field of the hash.
    pub(super) expiries: Vec<Option<i64>>,
    /// Ids, and the number of fields of each entry.
    pub(super) entries: Vec<(StreamId, u64)>,
    pub(super) info: StreamInfo,
    pub(super) groups: Vec<OwnedGroup>,
    pub(super) idmp: Option<StreamIdmp>,
    pub(super) producers: Vec<OwnedProducer>,
    pub(super) nacked: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct OwnedProducer {
    pub(super) pid: Vec<u8>,
    pub(super) entries: Vec<(Vec<u8>, StreamId)>,
}

impl Gathered {
    fn clear(&mut self) {
        self.texts.clear();
        self.scores.clear();
        self.expiries.clear();
        self.entries.clear();
        self.groups.clear();
        self.producers.clear();
        self.idmp = None;
        self.nacked = false;
    }

    pub(super) fn value<'g>(&'g self, kind: Kind) -> Value<'g> {
        match kind {
            Kind::String => Value::String(&self.texts.bytes),
            Kind::Array => Value::Array,
            Kind::Module => Value::Module(&self.texts.bytes),
            Kind::List => Value::List(&self.texts),
            Kind::Set => Value::Set(&self.texts),
            Kind::Zset => Value::Zset(self),
            Kind::Hash => Value::Hash(self),
            Kind::Stream => Value::Stream(self),
        }
    }
}

impl Elements for Texts {
    fn len(&self) -> usize {
        self.ends.len()
    }

    fn each(&self, visit: &mut dyn FnMut(&[u8])) {
        self.iter().for_each(visit);
    }
}

impl Scored for Gathered {
    fn len(&self) -> usize {
        self.scores.len()
    }

    fn each(&self, visit: &mut dyn FnMut(&[u8], f64)) {
        self.texts.iter().zip(&self.scores).for_each(|(member, score)| visit(member, *score));
    }
}

impl Fields for Gathered {
    fn len(&self) -> usize {
        self.expiries.len()
    }

    fn each(&self, visit: &mut dyn FnMut(&[u8], &[u8], Option<i64>)) {
        let fields = self.texts.pairs().zip(&self.expiries);
        fields.for_each(|((field, value), expires_ms)| visit(field, value, *expires_ms));
    }
}

impl Stream for Gathered {
    fn info(&self) -> StreamInfo {
        self.info
    }

    fn entries(&self, visit: &mut dyn FnMut(StreamId, &[(&[u8], &[u8])])) {
        let mut pairs = self.texts.pairs();
        let mut fields = Vec::new();
        for &(id, count) in &self.entries {
            fields.clear();
            fields.extend(pairs.by_ref().take(usize::try_from(count).unwrap_or(usize::MAX)));
            visit(id, &fields);
        }
    }

    fn groups(&self, visit: &mut dyn FnMut(&Group<'_>)) {
        for group in &self.groups {
            let consumers: Vec<_> = (group.consumers.iter())
                .map(|consumer| Consumer {
                    name: &consumer.name,
                    seen_ms: consumer.seen_ms,
                    active_ms: consumer.active_ms,
                    pending: &consumer.pending,
                })
                .collect();
            visit(&Group {
                name: &group.name,
                last_id: group.last_id,
                entries_read: group.entries_read,
                pending: &group.pending,
                consumers: &consumers,
            });
        }
    }

    fn idmp(&self, visit: &mut dyn FnMut(&Idmp<'_>)) {
        idmp(self, visit);
    }

    fn has_nacked(&self) -> bool {
        self.nacked
    }
}

/// Passes the producers to `visit`.
fn idmp(gathered: &Gathered, visit: &mut dyn FnMut(&Idmp<'_>)) {
    let Some(config) = gathered.idmp else { return };
    let entries: Vec<Vec<(&[u8], StreamId)>> = (gathered.producers.iter())
        .map(|producer| producer.entries.iter().map(|(iid, id)| (&iid[..], *id)).collect())
        .collect();
    let producers: Vec<_> = (gathered.producers.iter().zip(&entries))
        .map(|(producer, entries)| Producer { pid: &producer.pid, entries })
        .collect();
    visit(&Idmp { config, producers: &producers });
}

/// Collects each value and passes it to its receiver.
pub(super) struct Gather<T> {
    pub(super) takes: T,
    value: Gathered,
    name: Vec<u8>,
    kind: Kind,
    notes: KeyNotes,
    scratch: Vec<u8>,
    /// The slot import whose ranges are being reported.
    import: (Vec<u8>, Vec<(u64, u64)>),
}

impl<T: Takes> Gather<T> {
    pub(super) fn new(takes: T) -> Self {
        Gather {
            takes,
            value: Gathered::default(),
            name: Vec::new(),
            kind: Kind::String,
            notes: KeyNotes::default(),
            scratch: Vec::new(),
            import: (Vec::new(), Vec::new()),
        }
    }

    fn push(&mut self, text: Text<'_, '_>) {
        self.value.texts.push(text.bytes(&mut self.scratch));
    }

    /// Passes on the slot import once all its ranges were reported.
    pub(super) fn end_import(&mut self) {
        let (job, ranges) = &mut self.import;
        if !ranges.is_empty() {
            self.takes.slot_import(job, ranges);
            ranges.clear();
        }
    }
}

impl<'a, T: Takes> Visitor<'a> for Gather<T> {
    fn aux(&mut self, name: Text<'a, '_>, value: Text<'a, '_>) {
        self.end_import();
        self.takes.note(&name.to_vec(), &value.to_vec());
    }

    fn select_db(&mut self, db: u64) {
        self.end_import();
        self.takes.select_db(db);
    }

    fn slot(&mut self, slot: u64, keys: u64, with_expiry: u64) {
        self.takes.slot(slot, keys, with_expiry);
    }

    fn slot_import(&mut self, job: Text<'a, '_>, first: u64, last: u64) {
        let job = job.to_vec();
        if self.import.0 != job {
            self.end_import();
            self.import.0 = job;
        }
        self.import.1.push((first, last));
    }

    fn function(&mut self, library: Text<'a, '_>) {
        self.end_import();
        self.takes.function(&library.to_vec());
    }

    fn module_aux(&mut self, _: ModuleId, _: AuxWhen, payload: &'a [u8]) {
        self.end_import();
        self.takes.module_aux(payload);
    }

    fn key(&mut self, key: &Key<'a>) -> Want {
        self.end_import();
        self.value.clear();
        self.name.clear();
        self.name.extend_from_slice(key.name.bytes(&mut self.scratch));
        self.kind = key.kind();
        self.notes = KeyNotes { expires_ms: key.expires_ms, idle_s: key.idle_s, freq: key.freq };
        Want::Value
    }

    fn string(&mut self, value: Text<'a, '_>) {
        self.push(value);
    }

    fn element(&mut self, element: Text<'a, '_>) {
        self.push(element);
    }

    fn member(&mut self, member: Text<'a, '_>) {
        self.push(member);
    }

    fn scored(&mut self, member: Text<'a, '_>, score: f64) {
        self.push(member);
        self.value.scores.push(score);
    }

    fn field(&mut self, field: Text<'a, '_>, value: Text<'a, '_>, expires_ms: Option<i64>) {
        self.push(field);
        self.push(value);
        self.value.expiries.push(expires_ms);
    }

    fn stream_entry(&mut self, id: StreamId, fields: u64) {
        self.value.entries.push((id, fields));
    }

    fn stream_field(&mut self, field: Text<'a, '_>, value: Text<'a, '_>) {
        self.push(field);
        self.push(value);
    }

    fn stream(&mut self, stream: &StreamInfo) {
        self.value.info = *stream;
    }

    fn group(&mut self, name: Text<'a, '_>, last_id: StreamId, entries_read: Option<u64>) {
        self.value.groups.push(OwnedGroup {
            name: name.to_vec(),
            last_id,
            entries_read,
            pending: Vec::new(),
            consumers: Vec::new(),
        });
    }

    fn pending(&mut self, id: StreamId, delivered_ms: i64, deliveries: u64) {
        if let Some(group) = self.value.groups.last_mut() {
            group.pending.push(Pending { id, delivered_ms, deliveries });
        }
    }

    fn consumer(&mut self, name: Text<'a, '_>, seen_ms: i64, active_ms: Option<i64>) {
        if let Some(group) = self.value.groups.last_mut() {
            let (name, pending) = (name.to_vec(), Vec::new());
            group.consumers.push(OwnedConsumer { name, seen_ms, active_ms, pending });
        }
    }

    fn consumer_pending(&mut self, id: StreamId) {
        let group = self.value.groups.last_mut();
        if let Some(consumer) = group.and_then(|group| group.consumers.last_mut()) {
            consumer.pending.push(id);
        }
    }

    fn group_nacked(&mut self, _: StreamId) {
        self.value.nacked = true;
    }

    fn stream_producer(&mut self, pid: Text<'a, '_>, _: u64) {
        self.value.producers.push(OwnedProducer { pid: pid.to_vec(), entries: Vec::new() });
    }

    fn stream_iid(&mut self, iid: Text<'a, '_>, id: StreamId) {
        if let Some(producer) = self.value.producers.last_mut() {
            producer.entries.push((iid.to_vec(), id));
        }
    }

    fn stream_idmp(&mut self, config: &StreamIdmp) {
        self.value.idmp = Some(*config);
    }

    fn key_meta(&mut self, _: u32, _: &'a [u8]) {
        self.takes.key_meta();
    }

    fn module(&mut self, _: ModuleId, payload: &'a [u8]) {
        self.value.texts.push(payload);
    }

    fn key_end(&mut self, end: KeyEnd) {
        if end == KeyEnd::Whole {
            self.takes.key(&self.name, &self.notes, &self.value.value(self.kind));
        }
    }
}
