//! Loading an RDB into a keyspace.
//!
//! A [`Loader`] receives the content from [`rdb::walk`](crate::rdb::walk()), from
//! [`rdb::Records`](crate::rdb::Records) for single keys, or from [`rdb::Dump`](crate::rdb::Dump)
//! for the payload of a RESTORE. A key is inserted when its value is complete, so that damage in
//! the middle of a value leaves nothing of it.
//!
//! Texts that are stored as they are in the file are borrowed from it. Compressed texts, and texts
//! inside a compressed packed encoding, are copied into the arena.

use std::collections::BTreeMap;

use super::functions::{Functions, LibraryError};
use super::stream::{ConsumerNumber, FieldsBuffer, Iid};
use super::zset::Scores;
use crate::base::server::Server;
use crate::base::sparse::LONG;
use crate::keyspace::array::{Array, ArrayValue};
use crate::keyspace::databases::Keyspace;
use crate::keyspace::db::{Access, KeyMeta};
use crate::keyspace::hash::Hash;
use crate::keyspace::list::{End, List};
use crate::keyspace::set::Set;
use crate::keyspace::stream::Stream;
use crate::keyspace::string::StringValue;
use crate::keyspace::value::Value;
use crate::keyspace::zset::{ZeroSign, Zset};
use crate::rdb::{
    ArrayItem, AuxWhen, Key, KeyEnd, Kind, ModuleId, StreamId, StreamIdmp, StreamInfo, Text,
    Visitor, Want,
};

/// A visitor that inserts the reported keys into a keyspace.
pub struct Loader<'k, 'a> {
    keyspace: &'k mut Keyspace<'a>,
    owns: &'k dyn Fn(&[u8]) -> bool,
    /// The current key.
    name: Text<'a, 'a>,
    db: u32,
    expires_ms: Option<i64>,
    keeps_access: bool,
    /// The metadata of the key that follows.
    next_meta: Option<Box<KeyMeta<'a>>>,
    /// The metadata of the current key.
    meta: Option<Box<KeyMeta<'a>>>,
    value: Value<'a>,
    /// The members of a sorted set, which is created from all of them at once: its encoding on a
    /// server depends on the longest one.
    scores: Scores<'a>,
    zero: ZeroSign,
    stream: InStream<'a>,
    scratch: Vec<u8>,
    other_scratch: Vec<u8>,
    non_key: NonKeyData<'a>,
    fault: Option<Unloadable>,
}

/// The content of an RDB other than keys.
#[derive(Debug, Clone, Default)]
pub struct NonKeyData<'a> {
    /// The function libraries.
    pub functions: Functions,
    /// Module data that belongs to no key, from the module's id to the end mark, in the order of
    /// the file.
    pub module_aux: Vec<(AuxWhen, &'a [u8])>,
    /// Imports of cluster slots that were in progress.
    pub slot_imports: Vec<SlotImport>,
    /// The keys with an idle time or an access counter. Only a routed log records them.
    pub with_access: NamedKeys,
    /// Auxiliary fields that are not about the file or the server that wrote it, by name, and their
    /// numbers. Only a routed log records them.
    pub aux_fields: BTreeMap<Vec<u8>, u64>,
}

/// A number of keys, and the first of them by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NamedKeys {
    /// The number of keys.
    pub keys: u64,
    /// The database and the name of the first ones.
    pub examples: Vec<(u32, Vec<u8>)>,
}

impl NamedKeys {
    /// The number of keys that are named.
    pub const EXAMPLES: usize = 5;

    /// Adds a key.
    pub fn add(&mut self, db: u32, key: &[u8]) {
        self.keys += 1;
        if self.examples.len() < Self::EXAMPLES {
            self.examples.push((db, key.to_vec()));
        }
    }

    /// Adds the keys of another one.
    pub fn join(&mut self, other: &NamedKeys) {
        self.keys += other.keys;
        let room = Self::EXAMPLES.saturating_sub(self.examples.len());
        self.examples.extend(other.examples.iter().take(room).cloned());
    }
}

/// An import of cluster slots.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlotImport {
    /// The name of the job, 40 bytes long.
    pub job: Vec<u8>,
    /// The slots; each range is from its first to its last slot.
    pub ranges: Vec<(u64, u64)>,
}

/// Content that is valid as an RDB but cannot be loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unloadable {
    /// A database index that no server can have.
    Database(u64),
    /// The entries of a stream are not in the order of their ids.
    StreamOrder {
        /// The database.
        db: u32,
        /// The key of the stream.
        key: Vec<u8>,
    },
    /// A function library that no server loads.
    Library(LibraryError),
}

impl std::fmt::Display for Unloadable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Unloadable::Database(db) => write!(f, "no server has a database {db}"),
            Unloadable::StreamOrder { db, key } => write!(
                f,
                "the entries of stream \"{}\" of db {db} are not in the order of their ids",
                key.escape_ascii()
            ),
            Unloadable::Library(error) => write!(f, "a function library: {}", error.message()),
        }
    }
}

impl std::error::Error for Unloadable {}

/// The state within a stream that is being reported.
#[derive(Default)]
struct InStream<'a> {
    /// The entry whose fields are being reported, and the number of fields that remain.
    entry: Option<(StreamId, u64)>,
    fields: FieldsBuffer,
    /// Whether an entry was out of order.
    disorder: bool,
    /// Whether the file contains the number of entries that a group has read.
    counts_read: bool,
    group: &'a [u8],
    consumer: Option<ConsumerNumber>,
    producer: &'a [u8],
}

impl<'k, 'a> Loader<'k, 'a> {
    /// Creates a loader that inserts into `keyspace` the keys for which `owns` returns true, as a
    /// server of this release line stores them; the values of other keys are skipped. An existing
    /// key is replaced by the reported value and expiry.
    pub fn new(
        keyspace: &'k mut Keyspace<'a>,
        server: Server,
        owns: &'k dyn Fn(&[u8]) -> bool,
    ) -> Self {
        Loader {
            keyspace,
            owns,
            name: Text::Mapped(&[]),
            db: 0,
            expires_ms: None,
            keeps_access: false,
            next_meta: None,
            meta: None,
            value: Value::String(StringValue::default()),
            scores: Scores::default(),
            zero: ZeroSign::of_server(server),
            stream: InStream::default(),
            scratch: Vec::new(),
            other_scratch: Vec::new(),
            non_key: NonKeyData::default(),
            fault: None,
        }
    }

    /// Keeps when and how often keys were used. It is known no longer once commands have been run.
    pub(crate) fn keep_access(&mut self) {
        self.keeps_access = true;
    }

    /// Returns the content other than keys.
    ///
    /// # Errors
    ///
    /// Returns the first item that could not be loaded. It is not in the keyspace; everything else
    /// is.
    pub fn finish(self) -> Result<NonKeyData<'a>, Unloadable> {
        self.fault.map_or(Ok(self.non_key), Err)
    }

    fn keep(&mut self, text: Text<'a, '_>) -> &'a [u8] {
        match text {
            Text::Mapped(bytes) => bytes,
            other => self.keyspace.arena().alloc_slice_copy(other.bytes(&mut self.scratch)),
        }
    }

    fn string_value(&mut self, text: Text<'a, '_>) -> StringValue<'a> {
        match text {
            Text::Int(number) => StringValue::Int(number),
            // In the arena it would take all its memory, although it can be mostly zeros.
            Text::Lzf(lzf) if lzf.len() >= LONG => StringValue::Owned(text.to_vec()),
            other => StringValue::Borrowed(self.keep(other)),
        }
    }

    fn fault(&mut self, fault: Unloadable) {
        self.fault.get_or_insert(fault);
    }

    /// Inserts the current entry, once its fields were reported.
    fn end_entry(&mut self) {
        let (Some((id, _)), Value::Stream(stream)) = (self.stream.entry.take(), &mut self.value)
        else {
            return;
        };
        let arena = self.keyspace.arena();
        if stream.load_entry(id, &self.stream.fields, arena).is_err() {
            self.stream.disorder = true;
        }
    }
}

/// Creates an empty value of this kind.
fn empty<'a>(kind: Kind) -> Value<'a> {
    match kind {
        Kind::String => Value::String(StringValue::default()),
        Kind::List => Value::List(Box::<List<'_>>::default()),
        Kind::Set => Value::Set(Box::<Set<'_>>::default()),
        Kind::Zset => Value::Zset(Box::<Zset<'_>>::default()),
        Kind::Hash => Value::Hash(Box::<Hash<'_>>::default()),
        Kind::Stream => Value::Stream(Box::<Stream<'_>>::default()),
        Kind::Array => Value::Array(Box::<Array<'_>>::default()),
        Kind::Module => Value::Module(&[]),
    }
}

impl<'a> Visitor<'a> for Loader<'_, 'a> {
    fn function(&mut self, library: Text<'a, '_>) {
        let code = library.to_vec();
        if let Err(error) = self.non_key.functions.load(&code, false) {
            self.fault(Unloadable::Library(error));
        }
    }

    fn module_aux(&mut self, _: ModuleId, when: AuxWhen, payload: &'a [u8]) {
        self.non_key.module_aux.push((when, payload));
    }

    fn slot_import(&mut self, job: Text<'a, '_>, first: u64, last: u64) {
        let (job, imports) = (job.to_vec(), &mut self.non_key.slot_imports);
        match imports.last_mut() {
            Some(import) if import.job == job => import.ranges.push((first, last)),
            _ => imports.push(SlotImport { job, ranges: vec![(first, last)] }),
        }
    }

    fn key_meta(&mut self, class: u32, payload: &'a [u8]) {
        self.next_meta.get_or_insert_default().items.push((class, payload));
    }

    fn key(&mut self, key: &Key<'a>) -> Want {
        self.meta = self.next_meta.take();
        let Ok(db) = u32::try_from(key.db) else {
            self.fault(Unloadable::Database(key.db));
            return Want::Skip;
        };
        if !(self.owns)(key.name.bytes(&mut self.scratch)) {
            return Want::Skip;
        }
        self.name = key.name;
        self.db = db;
        self.expires_ms = key.expires_ms;
        if self.keeps_access {
            let frequency = key.freq.map(Access::Frequency);
            if let Some(access) = frequency.or(key.idle_s.map(Access::Idle)) {
                self.meta.get_or_insert_default().access = Some(access);
            }
        }
        self.value = empty(key.kind());
        self.scores.clear();
        if key.kind() == Kind::Stream {
            self.stream = InStream::default();
        }
        Want::Value
    }

    fn string(&mut self, value: Text<'a, '_>) {
        self.value = Value::String(self.string_value(value));
    }

    fn element(&mut self, element: Text<'a, '_>) {
        let element = self.keep(element);
        if let Value::List(list) = &mut self.value {
            list.push(End::Tail, element);
        }
    }

    fn member(&mut self, member: Text<'a, '_>) {
        let member = self.keep(member);
        if let Value::Set(set) = &mut self.value {
            set.insert(member);
        }
    }

    fn scored(&mut self, member: Text<'a, '_>, score: f64) {
        let member = self.keep(member);
        self.scores.insert(member, score);
    }

    fn field(&mut self, field: Text<'a, '_>, value: Text<'a, '_>, expires_ms: Option<i64>) {
        let (field, value) = (self.keep(field), self.string_value(value));
        if let Value::Hash(hash) = &mut self.value {
            let (place, _) = hash.find_or_add(field, || field);
            *hash.value_mut(place) = value;
            hash.set_expiry(place, expires_ms);
        }
    }

    fn stream_entry(&mut self, id: StreamId, fields: u64) {
        self.stream.fields.clear();
        self.stream.entry = Some((id, fields));
        if fields == 0 {
            self.end_entry();
        }
    }

    fn stream_field(&mut self, field: Text<'a, '_>, value: Text<'a, '_>) {
        let field = field.bytes(&mut self.scratch);
        self.stream.fields.push(field, value.bytes(&mut self.other_scratch));
        if let Some((_, left)) = &mut self.stream.entry {
            *left = left.saturating_sub(1);
            if *left == 0 {
                self.end_entry();
            }
        }
    }

    fn stream(&mut self, info: &StreamInfo) {
        self.stream.counts_read = info.entries_added.is_some();
        if let Value::Stream(stream) = &mut self.value {
            stream.set_info(info);
        }
    }

    fn group(&mut self, name: Text<'a, '_>, last_id: StreamId, entries_read: Option<u64>) {
        let name = self.keep(name);
        self.stream.group = name;
        if let Value::Stream(stream) = &mut self.value {
            let read = match self.stream.counts_read {
                true => entries_read,
                false => stream.entries_up_to(last_id),
            };
            stream.add_group(name, last_id, read);
        }
    }

    fn pending(&mut self, id: StreamId, delivered_ms: i64, deliveries: u64) {
        if let Value::Stream(stream) = &mut self.value
            && let Some(group) = stream.group_mut(self.stream.group)
        {
            group.load_pending(id, delivered_ms, deliveries);
        }
    }

    fn consumer(&mut self, name: Text<'a, '_>, seen_ms: i64, active_ms: Option<i64>) {
        let name = self.keep(name);
        if let Value::Stream(stream) = &mut self.value
            && let Some(group) = stream.group_mut(self.stream.group)
        {
            // Files before version 11 do not contain this time, and servers use the time at which
            // it was last seen.
            self.stream.consumer = group.add_consumer(name, seen_ms, active_ms.or(Some(seen_ms)));
        }
    }

    fn consumer_pending(&mut self, id: StreamId) {
        if let Value::Stream(stream) = &mut self.value
            && let Some(consumer) = self.stream.consumer
            && let Some(group) = stream.group_mut(self.stream.group)
        {
            // The reader has checked that it is pending, and not for another consumer yet.
            group.load_owner(id, consumer);
        }
    }

    fn group_nacked(&mut self, id: StreamId) {
        if let Value::Stream(stream) = &mut self.value
            && let Some(group) = stream.group_mut(self.stream.group)
        {
            group.load_nacked(id);
        }
    }

    fn stream_producer(&mut self, pid: Text<'a, '_>, _: u64) {
        self.stream.producer = self.keep(pid);
        if let Value::Stream(stream) = &mut self.value {
            stream.idmp_mut().add_producer(self.stream.producer);
        }
    }

    fn stream_iid(&mut self, iid: Text<'a, '_>, id: StreamId) {
        let iid = Iid::Given(self.keep(iid));
        if let Value::Stream(stream) = &mut self.value {
            stream.idmp_mut().load(self.stream.producer, iid, id);
        }
    }

    fn stream_idmp(&mut self, config: &StreamIdmp) {
        if let Value::Stream(stream) = &mut self.value {
            stream.set_idmp_config(*config);
        }
    }

    fn array(&mut self, _: u64, insert_index: Option<u64>) {
        if let Value::Array(array) = &mut self.value {
            array.set_insert_index(insert_index);
        }
    }

    fn array_item(&mut self, index: u64, value: ArrayItem<'a, '_>) {
        let value = match value {
            ArrayItem::Str(text) => ArrayValue::Bytes(self.keep(text)),
            ArrayItem::Int(number) => ArrayValue::Int(number),
            ArrayItem::Double(number) => ArrayValue::Double(number),
        };
        if let Value::Array(array) = &mut self.value {
            array.set(index, value);
        }
    }

    fn module(&mut self, _: ModuleId, payload: &'a [u8]) {
        self.value = Value::Module(payload);
    }

    fn key_end(&mut self, end: KeyEnd) {
        if end != KeyEnd::Whole {
            return;
        }
        let mut value = std::mem::replace(&mut self.value, Value::String(StringValue::default()));
        if let Value::Zset(zset) = &mut value {
            **zset = Zset::from_scores(std::mem::take(&mut self.scores), self.zero);
        }
        let name = self.name.bytes(&mut self.scratch);
        if self.stream.disorder {
            self.stream.disorder = false;
            let (db, key) = (self.db, name.to_vec());
            self.fault(Unloadable::StreamOrder { db, key });
            return;
        }
        let entry = self.keyspace.db(self.db).set(name, value);
        entry.set_expiry(self.expires_ms);
        entry.set_meta(self.meta.take());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::progress::Silent;
    use crate::base::server::{redis, valkey};
    use crate::keyspace::Bump;
    use crate::rdb::walk;

    /// Builds an RDB of version 9 without a checksum.
    fn rdb(body: &[u8]) -> Vec<u8> {
        [&b"REDIS0009"[..], body, &[0xff], &[0; 8]].concat()
    }

    fn loaded<'a>(
        keyspace: &mut Keyspace<'a>,
        bytes: &'a [u8],
        server: Server,
        owns: &dyn Fn(&[u8]) -> bool,
    ) -> Result<NonKeyData<'a>, Unloadable> {
        let mut loader = Loader::new(keyspace, server, owns);
        walk(bytes, &mut loader, &Silent).expect("a sound RDB");
        loader.finish()
    }

    fn names<'a>(keyspace: &Keyspace<'a>) -> Vec<(u32, &'a [u8])> {
        let of = |db: &crate::keyspace::db::Db<'a>| {
            let number = db.number();
            db.entries().map(|entry| (number, entry.key())).collect::<Vec<_>>()
        };
        keyspace.databases().flat_map(of).collect()
    }

    #[test]
    fn only_owned_keys_are_inserted() {
        let bytes = rdb(b"\0\x01a\x01x\0\x01b\x01y\xfe\x03\xfc\x01\0\0\0\0\0\0\0\0\x01a\x01z");
        let arena = Bump::new();
        let mut keyspace = Keyspace::new(&arena);
        loaded(&mut keyspace, &bytes, redis(6, 2), &|key| key == b"a").expect("all can be held");
        assert_eq!(names(&keyspace), [(0, &b"a"[..]), (3, b"a")]);
        let expiry = |db: u32, keyspace: &mut Keyspace<'_>| {
            keyspace.db(db).get(b"a").expect("a key").expires_ms()
        };
        assert_eq!(expiry(0, &mut keyspace), None);
        assert_eq!(expiry(3, &mut keyspace), Some(1));
    }

    #[test]
    fn a_consumer_of_an_old_file_is_active_when_last_seen() {
        let head = b"\x0f\x01s\0\0\0\0\x01\x01g\0\0\0\x01\x01c";
        let bytes = rdb(&[&head[..], &7_i64.to_le_bytes(), &[0]].concat());
        let arena = Bump::new();
        let mut keyspace = Keyspace::new(&arena);
        loaded(&mut keyspace, &bytes, redis(7, 2), &|_| true).expect("all can be held");
        let Value::Stream(stream) = &keyspace.db(0).get(b"s").expect("a key").value else {
            panic!("a stream")
        };
        let consumers = stream.groups().flat_map(|(_, group)| group.consumers());
        let times: Vec<_> = consumers.map(|one| (one.seen_ms(), one.active_ms())).collect();
        assert_eq!(times, [(7, Some(7))]);
    }

    #[test]
    fn an_empty_collection_is_omitted_as_by_servers() {
        let bytes = rdb(b"\x01\x01l\0\x02\x01s\0\x05\x01z\0\x04\x01h\0\0\x01k\0");
        let arena = Bump::new();
        let mut keyspace = Keyspace::new(&arena);
        loaded(&mut keyspace, &bytes, redis(6, 2), &|_| true).expect("all can be held");
        assert_eq!(names(&keyspace), [(0, &b"k"[..])]);
    }

    #[test]
    fn a_database_index_that_no_server_has_is_reported() {
        // 2^32, as a length of eight bytes.
        let bytes = rdb(b"\xfe\x81\0\0\0\x01\0\0\0\0\0\x01a\x01x\xfe\0\0\x01b\x01y");
        let arena = Bump::new();
        let mut keyspace = Keyspace::new(&arena);
        let reported = loaded(&mut keyspace, &bytes, redis(6, 2), &|_| true).err();
        assert_eq!(reported, Some(Unloadable::Database(1 << 32)));
        assert_eq!(names(&keyspace), [(0, &b"b"[..])]);
    }

    /// Later servers store a small sorted set in a packed encoding, which loses the sign of a zero.
    #[test]
    fn the_sign_of_a_zero_depends_on_the_server() {
        let bytes = rdb(b"\x05\x01z\x01\x01m\0\0\0\0\0\0\0\x80");
        for (server, negative) in [(redis(6, 2), true), (redis(7, 0), false), (valkey(9, 1), false)]
        {
            let arena = Bump::new();
            let mut keyspace = Keyspace::new(&arena);
            loaded(&mut keyspace, &bytes, server, &|_| true).expect("all can be held");
            let Value::Zset(zset) = &keyspace.db(0).get(b"z").expect("a key").value else {
                panic!("a sorted set")
            };
            assert_eq!(zset.score(b"m").map(f64::is_sign_negative), Some(negative), "{server}");
        }
    }

    /// A stream of two nodes of one entry each, the higher id first.
    #[test]
    fn a_stream_out_of_order_is_reported_and_omitted() {
        let node = |ms: u8| {
            let id = [0, 0, 0, 0, 0, 0, 0, ms, 0, 0, 0, 0, 0, 0, 0, 0];
            // One entry, none deleted, one field `f`; then flags 2, no difference, the value `v`, 4
            // items.
            let items =
                b"\x01\x01\0\x01\x01\x01\x81f\x02\0\x01\x02\x01\0\x01\0\x01\x81v\x02\x04\x01";
            let len = u8::try_from(items.len() + 7).expect("a short one");
            let pack = [&[len, 0, 0, 0, 10, 0][..], items, &[0xff]].concat();
            [&[16][..], &id, &[len], &pack].concat()
        };
        let stream = |nodes: [u8; 2]| {
            let body = [&b"\x0f\x01x\x02"[..], &node(nodes[0]), &node(nodes[1]), &[2, 9, 0, 0]];
            rdb(&body.concat())
        };
        let (right, wrong) = (stream([5, 9]), stream([9, 5]));
        let arena = Bump::new();
        let mut keyspace = Keyspace::new(&arena);
        loaded(&mut keyspace, &right, redis(6, 2), &|_| true).expect("all can be held");
        assert_eq!(names(&keyspace), [(0, &b"x"[..])]);
        let mut keyspace = Keyspace::new(&arena);
        let reported = loaded(&mut keyspace, &wrong, redis(6, 2), &|_| true).err();
        assert_eq!(reported, Some(Unloadable::StreamOrder { db: 0, key: b"x".to_vec() }));
        assert!(keyspace.is_empty());
    }

    #[test]
    fn libraries_are_returned_with_the_other_content() {
        let library = b"#!lua name=mine\n";
        let bytes = [&b"\xf5\x10"[..], library].concat();
        let bytes = [&b"REDIS0010"[..], &bytes, &[0xff], &[0; 8]].concat();
        let arena = Bump::new();
        let mut keyspace = Keyspace::new(&arena);
        let non_key = loaded(&mut keyspace, &bytes, redis(7, 0), &|_| true).expect("a library");
        let (name, found) = non_key.functions.iter().next().expect("a library");
        assert_eq!((name, found.code()), (&b"mine"[..], &library[..]));
    }
}
