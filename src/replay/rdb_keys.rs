//! What routing records of the RDB at the beginning of a part: the keys of each shard, and the content that
//! is not of keys.
//!
//! KeyDB stores the expiry of a member after the value of its key, in the auxiliary fields
//! `keydb-subexpire-key` and `keydb-subexpire-when` (not observed: no KeyDB could be run). A shard reads
//! only the records of its keys, so these are recorded here.

use std::collections::BTreeMap;

use super::lists::OffsetLists;
use super::router::Plan;
use crate::keyspace::ExpiringMember;
use crate::keyspace::Keyspace;
use crate::keyspace::from_rdb::{NamedKeys, SlotImport};
use crate::rdb::{AuxWhen, Key, ModuleId, Text, Visitor, Want};

const MEMBER: &[u8] = b"keydb-subexpire-key";
const MEMBER_EXPIRY: &[u8] = b"keydb-subexpire-when";

/// The auxiliary fields that describe the file or the server that wrote it, not its data: versions, sizes,
/// hints, and the position in a replication stream, which another server cannot continue.
const OF_THE_WRITER: &[&[u8]] = &[
    b"redis-ver",
    b"valkey-ver",
    b"redis-bits",
    b"ctime",
    b"used-mem",
    b"aof-base",
    b"aof-preamble",
    b"repl-stream-db",
    b"repl-id",
    b"repl-offset",
    b"slot-info",
    b"mvcc-tstamp",
];

/// The number of different names of auxiliary fields that are recorded; further ones are recorded under
/// [`OTHERS`].
const NAMES: usize = 32;
const OTHERS: &[u8] = b"(others)";

/// A member of a key that expires in KeyDB.
pub(super) struct MemberOfKey {
    db: u32,
    key: Vec<u8>,
    name: Vec<u8>,
    expires_ms: i64,
}

/// The members that expire in KeyDB, by the number of the shard in the window.
#[derive(Default)]
pub(super) struct KeydbMembers(BTreeMap<usize, Vec<MemberOfKey>>);

impl KeydbMembers {
    /// Attaches the members of a shard to their keys, which were loaded just before.
    pub(super) fn attach(&self, list: usize, keyspace: &mut Keyspace<'_>) {
        let arena = keyspace.arena();
        for member in self.0.get(&list).into_iter().flatten() {
            if let Some(entry) = keyspace.db(member.db).get_mut(&member.key) {
                let name = arena.alloc_slice_copy(&member.name);
                entry.add_expiring_member(ExpiringMember { name, expires_ms: member.expires_ms });
            }
        }
    }
}

/// Records the content of an RDB.
pub(super) struct RdbKeys<'p, 'a> {
    plan: &'p Plan<'p>,
    pub(super) lists: OffsetLists,
    pub(super) libraries: Vec<Vec<u8>>,
    pub(super) module_aux: Vec<(AuxWhen, &'a [u8])>,
    pub(super) slot_imports: Vec<SlotImport>,
    pub(super) keydb_members: KeydbMembers,
    /// The keys with an idle time or an access counter.
    pub(super) with_access: NamedKeys,
    /// Auxiliary fields that may be data.
    pub(super) aux_fields: BTreeMap<Vec<u8>, u64>,
    /// A database index that no server has.
    pub(super) no_database: Option<u64>,
    scratch: Vec<u8>,
    /// The list, the database and the name of the current key, in files of KeyDB.
    current: Option<(usize, u32, Vec<u8>)>,
    /// The member whose expiry follows.
    member: Option<Vec<u8>>,
    is_keydb: bool,
}

impl<'p> RdbKeys<'p, '_> {
    pub(super) fn new(plan: &'p Plan<'p>) -> Self {
        RdbKeys {
            plan,
            lists: OffsetLists::new(plan.window.len(), 0),
            libraries: Vec::new(),
            module_aux: Vec::new(),
            slot_imports: Vec::new(),
            keydb_members: KeydbMembers::default(),
            with_access: NamedKeys::default(),
            aux_fields: BTreeMap::new(),
            no_database: None,
            scratch: Vec::new(),
            current: None,
            member: None,
            is_keydb: false,
        }
    }

    /// Forgets the keys, which the log removes.
    pub(super) fn clear_keys(&mut self) {
        self.lists.clear();
        self.keydb_members = KeydbMembers::default();
        self.with_access = NamedKeys::default();
    }

    fn aux_field(&mut self, name: &[u8]) {
        if OF_THE_WRITER.contains(&name) {
            return;
        }
        let is_full = self.aux_fields.len() >= NAMES && !self.aux_fields.contains_key(name);
        let name = if is_full { OTHERS } else { name };
        *self.aux_fields.entry(name.to_vec()).or_default() += 1;
    }

    fn keydb_expiry(&mut self, time: &[u8]) {
        let time = std::str::from_utf8(time).ok().and_then(|text| text.parse().ok());
        let (Some((list, db, key)), Some(name)) = (&self.current, self.member.take()) else {
            return;
        };
        // Without a time that can be read, it counts as one that is not over.
        let expires_ms = time.unwrap_or(i64::MAX);
        let member = MemberOfKey { db: *db, key: key.clone(), name, expires_ms };
        self.keydb_members.0.entry(*list).or_default().push(member);
    }
}

impl<'a> Visitor<'a> for RdbKeys<'_, 'a> {
    fn aux(&mut self, name: Text<'a, '_>, value: Text<'a, '_>) {
        let name = name.to_vec();
        match &name[..] {
            MEMBER => self.member = Some(value.to_vec()),
            MEMBER_EXPIRY => self.keydb_expiry(&value.to_vec()),
            name => {
                self.is_keydb |= name == b"mvcc-tstamp";
                self.aux_field(name);
            }
        }
    }

    fn key(&mut self, key: &Key<'a>) -> Want {
        let name = key.name.bytes(&mut self.scratch);
        let shard = self.plan.partitioner.shard_of(name);
        self.current = None;
        match u32::try_from(key.db) {
            Ok(db) => {
                if key.idle_s.is_some() || key.freq.is_some() {
                    self.with_access.add(db, name);
                }
                if self.plan.window.contains(&shard) {
                    let list = shard - self.plan.window.start;
                    self.lists.push(list, key.offset, Some(db));
                    self.current = self.is_keydb.then(|| (list, db, name.to_vec()));
                }
            }
            Err(_) => self.no_database = Some(key.db),
        }
        // The first reading checks every value; later ones only need the offsets.
        if self.plan.look_for_ties { Want::Value } else { Want::Skip }
    }

    fn function(&mut self, library: Text<'a, '_>) {
        self.libraries.push(library.to_vec());
    }

    fn module_aux(&mut self, _: ModuleId, when: AuxWhen, payload: &'a [u8]) {
        self.module_aux.push((when, payload));
    }

    fn slot_import(&mut self, job: Text<'a, '_>, first: u64, last: u64) {
        let job = job.to_vec();
        match self.slot_imports.last_mut().filter(|import| import.job == job) {
            Some(import) => import.ranges.push((first, last)),
            None => self.slot_imports.push(SlotImport { job, ranges: vec![(first, last)] }),
        }
    }
}
