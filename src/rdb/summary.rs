//! The summary of a walk: counts by database and by type, and the auxiliary fields.

use std::collections::HashMap;

use serde::ser::SerializeSeq;
use serde::{Serialize, Serializer};

use super::checksum::Checksum;
use super::deep::DeepFaults;
use super::format::{Kind, format};
use super::header::{Header, Magic};
use super::text::Text;
use super::visitor::{Key, ModuleId};

/// The summary of an RDB.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct RdbSummary {
    /// The magic at the beginning.
    pub magic: Magic,
    /// The version.
    pub version: u32,
    /// The lowest version that supports all types and opcodes that occur.
    pub needs_version: u32,
    /// Length in bytes, including the checksum. Bytes after it do not belong to the RDB.
    pub len: u64,
    /// The state of the checksum.
    pub checksum: Checksum,
    /// The first auxiliary fields of the server that wrote the file, as names and values; long ones
    /// are omitted.
    #[serde(serialize_with = "notes")]
    pub aux: Vec<(Vec<u8>, Vec<u8>)>,
    /// Number of keys, without empty ones.
    pub keys: u64,
    /// Number of keys that expire.
    pub with_expiry: u64,
    /// Number of keys without elements, which servers omit on loading.
    pub empty_keys: u64,
    /// Keys by database, in the order of the file.
    pub databases: Vec<Database>,
    /// Keys by type, ordered by code.
    pub types: Vec<Stored>,
    /// Number of function libraries.
    pub functions: u64,
    /// The modules that are required to load the file.
    pub modules: Vec<ModuleUse>,
    /// The values that fail checks which loaders do not make with default settings, if the visitor wants to go on at
    /// them.
    #[serde(skip)]
    pub(crate) deep: DeepFaults,
}

/// The key counts of a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Database {
    /// The database index.
    pub db: u64,
    /// Number of keys.
    pub keys: u64,
    /// Number of keys that expire.
    pub with_expiry: u64,
}

/// The number of keys with one storage type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Stored {
    /// The type byte.
    pub code: u8,
    /// The name of the type, as in `Format::name`.
    pub name: &'static str,
    /// The kind of the values.
    pub kind: Kind,
    /// Number of keys.
    pub keys: u64,
}

/// The use of a module in the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ModuleUse {
    /// The name of its type.
    pub name: String,
    /// The version of its encoding.
    pub version: u64,
    /// Number of keys of its type.
    pub keys: u64,
    /// Number of its data records that belong to no key.
    pub aux: u64,
}

impl RdbSummary {
    /// Returns the number of keys of this kind.
    pub fn keys_of(&self, kind: Kind) -> u64 {
        let stored = self.types.iter().filter(|stored| stored.kind == kind);
        stored.map(|stored| stored.keys).sum()
    }

    /// Returns the value of the auxiliary field `name`, if it exists.
    pub fn note(&self, name: &str) -> Option<&[u8]> {
        let note = self.aux.iter().find(|(n, _)| n == name.as_bytes());
        note.map(|(_, value)| value.as_slice())
    }
}

/// The counts during a walk.
#[derive(Default)]
pub(super) struct Counts {
    needs_version: u32,
    aux: Vec<(Vec<u8>, Vec<u8>)>,
    pub(super) keys: u64,
    pub(super) empty_keys: u64,
    databases: Vec<Database>,
    /// The index of the current database.
    current: usize,
    /// The index of each database by its number: a file can select as many as it has bytes.
    indexes: HashMap<u64, usize>,
    by_code: Vec<u64>,
    pub(super) functions: u64,
    modules: Vec<ModuleUse>,
    pub(super) deep: DeepFaults,
}

impl Counts {
    /// Returns the counts so far, for an RDB that is intact up to byte `len`.
    pub(super) fn walk(&self, header: Header, len: usize, checksum: Checksum) -> RdbSummary {
        RdbSummary {
            magic: header.magic,
            version: header.version,
            needs_version: self.needs_version.max(1),
            len: len as u64,
            checksum,
            aux: self.aux.clone(),
            keys: self.keys,
            with_expiry: self.databases.iter().map(|d| d.with_expiry).sum(),
            empty_keys: self.empty_keys,
            databases: self.databases.clone(),
            types: self.types(header.magic),
            functions: self.functions,
            modules: self.modules.clone(),
            deep: self.deep.clone(),
        }
    }

    pub(super) fn needs(&mut self, version: u32) {
        self.needs_version = self.needs_version.max(version);
    }

    pub(super) fn database(&mut self, db: u64) {
        self.current = *self.indexes.entry(db).or_insert_with(|| {
            self.databases.push(Database { db, keys: 0, with_expiry: 0 });
            self.databases.len() - 1
        });
    }

    pub(super) fn key(&mut self, key: &Key<'_>) {
        self.keys += 1;
        if let Some(database) = self.databases.get_mut(self.current) {
            database.keys += 1;
            database.with_expiry += u64::from(key.expires_ms.is_some());
        }
        let code = usize::from(key.format.code);
        if self.by_code.len() <= code {
            self.by_code.resize(code + 1, 0);
        }
        self.by_code[code] += 1;
        self.needs(key.format.since);
    }

    fn types(&self, magic: Magic) -> Vec<Stored> {
        let codes = (0..=u8::MAX).zip(&self.by_code);
        codes
            .filter(|(_, keys)| **keys > 0)
            .filter_map(|(code, &keys)| {
                let format = format(magic, code)?;
                Some(Stored { code, name: format.name, kind: format.kind, keys })
            })
            .collect()
    }

    pub(super) fn module(&mut self, id: ModuleId) -> &mut ModuleUse {
        let (name, version) = (id.name(), id.version());
        let known = |m: &ModuleUse| m.name == name && m.version == version;
        let index = self.modules.iter().position(known).unwrap_or_else(|| {
            self.modules.push(ModuleUse { name, version, keys: 0, aux: 0 });
            self.modules.len() - 1
        });
        &mut self.modules[index]
    }

    pub(super) fn note(&mut self, name: Text<'_, '_>, value: Text<'_, '_>) {
        const KEPT: usize = 64;
        const KEPT_BYTES: usize = 1024;
        if self.aux.len() < KEPT && name.len() <= KEPT_BYTES && value.len() <= KEPT_BYTES {
            self.aux.push((name.to_vec(), value.to_vec()));
        }
    }
}

/// Serializes as objects with the fields `name` and `value`; bytes other than printable ASCII are
/// escaped.
fn notes<S: Serializer>(aux: &[(Vec<u8>, Vec<u8>)], serializer: S) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct Note {
        name: String,
        value: String,
    }
    let mut sequence = serializer.serialize_seq(Some(aux.len()))?;
    for (name, value) in aux {
        sequence.serialize_element(&Note {
            name: name.escape_ascii().to_string(),
            value: value.escape_ascii().to_string(),
        })?;
    }
    sequence.end()
}
