//! Comparing two data sets key by key.

use std::collections::BTreeMap;

use serde::{Serialize, Serializer};

use crate::analysis::data_filter::{Filter, LeftOut};
use crate::analysis::key_state::KeyState;
use crate::base::escape::Text;
use crate::keyspace::fingerprint::{Detail, Fingerprint};
use crate::keyspace::{Db, Entry, Hash, Keyspace, Stream, Value};
use crate::rdb::Kind;

/// The property in which a key differs that exists on both sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// The types differ, and therefore the values.
    Type,
    /// The values differ.
    Value,
    /// For hashes with equal field values: the expiry of fields differs.
    FieldExpiry,
    /// For streams with the same messages: groups, consumers, pending entries or counters differ.
    StreamState,
    /// The expiry of the key differs.
    Expiry,
}

impl Reason {
    /// Returns a description.
    pub fn name(self) -> &'static str {
        match self {
            Reason::Type => "type",
            Reason::Value => "value",
            Reason::FieldExpiry => "field expiry",
            Reason::StreamState => "stream state",
            Reason::Expiry => "expiry",
        }
    }
}

/// A key that differs between the two sides. It exists only on the first side if [`b`](Self::b) is missing, and only on
/// the second if [`a`](Self::a) is missing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// The database number.
    pub db: u32,
    /// The key name: an object, `text` if it is UTF-8, otherwise `bytes` in base64.
    #[serde(serialize_with = "text")]
    pub key: Vec<u8>,
    /// The properties that differ; empty if only one side has the key.
    pub reasons: Vec<Reason>,
    /// The state of the key on the first side.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub a: Option<KeyState>,
    /// The state of the key on the second side.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub b: Option<KeyState>,
}

pub(super) fn text<S: Serializer>(key: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    Text(key).serialize(serializer)
}

/// The numbers of equal and of different keys.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Numbers {
    /// The number of keys that exist only on the first side.
    pub only_a: u64,
    /// The number of keys that exist only on the second side.
    pub only_b: u64,
    /// The number of keys that exist on both sides and differ.
    pub different: u64,
    /// The number of keys that are equal on both sides.
    pub same: u64,
}

impl Numbers {
    /// Returns the number of keys that are not equal.
    pub fn differing(&self) -> u64 {
        self.only_a + self.only_b + self.different
    }

    fn join(&mut self, other: Numbers) {
        self.only_a += other.only_a;
        self.only_b += other.only_b;
        self.different += other.different;
        self.same += other.same;
    }
}

/// The counters of a comparison.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    /// The number of keys by database and type. A key with two types is counted under that of the first side.
    pub keys: BTreeMap<(u32, Kind), Numbers>,
    /// The number of keys that exist on both sides, by difference. A key can be counted for several.
    pub reasons: BTreeMap<Reason, u64>,
    /// The number of keys of the first and of the second side that a filter excluded.
    pub left_out: [LeftOut; 2],
}

impl Counts {
    /// Adds the counts of another shard.
    pub(crate) fn join(&mut self, other: Counts) {
        for (of, numbers) in other.keys {
            self.keys.entry(of).or_default().join(numbers);
        }
        for (reason, count) in other.reasons {
            *self.reasons.entry(reason).or_default() += count;
        }
        for (all, more) in self.left_out.iter_mut().zip(other.left_out) {
            all.join(more);
        }
    }

    /// Counts a key with its state on both sides; returns whether it differs.
    pub(super) fn add(
        &mut self,
        db: u32,
        reasons: &[Reason],
        [a, b]: [Option<KeyState>; 2],
    ) -> bool {
        let Some(state) = a.or(b) else { return false };
        let numbers = self.keys.entry((db, state.kind)).or_default();
        match (a, b) {
            (Some(_), None) => numbers.only_a += 1,
            (None, _) => numbers.only_b += 1,
            (Some(_), Some(_)) if reasons.is_empty() => {
                numbers.same += 1;
                return false;
            }
            (Some(_), Some(_)) => numbers.different += 1,
        }
        for reason in reasons {
            *self.reasons.entry(*reason).or_default() += 1;
        }
        true
    }

    /// Returns the numbers of all databases and types.
    pub(crate) fn total(&self) -> Numbers {
        let mut total = Numbers::default();
        self.keys.values().for_each(|numbers| total.join(*numbers));
        total
    }
}

/// Compares two data sets, or the same shard of two. Differences are appended to `found`, if given, in the order of
/// databases and names.
///
/// `detail` determines how much of a stream is compared: an RDB up to version 9 does not contain its counters.
pub fn compare(
    sides: [&Keyspace<'_>; 2],
    filter: &Filter,
    detail: Detail,
    mut found: Option<&mut Vec<Difference>>,
) -> Counts {
    let mut comparison =
        Comparison { filter, keys: KeyComparer::new(detail), counts: Counts::default() };
    // An RDB can have hundreds of thousands of databases.
    let mut databases: BTreeMap<u32, [Option<&Db<'_>>; 2]> = BTreeMap::new();
    for (side, keyspace) in sides.into_iter().enumerate() {
        for db in keyspace.databases() {
            databases.entry(db.number()).or_default()[side] = Some(db);
        }
    }
    for of_both in databases.into_values() {
        let first = found.as_ref().map_or(0, |found| found.len());
        comparison.database(of_both, found.as_deref_mut());
        if let Some(found) = &mut found {
            found[first..].sort_unstable_by(|a, b| a.key.cmp(&b.key));
        }
    }
    comparison.counts
}

struct Comparison<'c> {
    filter: &'c Filter,
    keys: KeyComparer,
    counts: Counts,
}

impl Comparison<'_> {
    fn database(
        &mut self,
        [one, other]: [Option<&Db<'_>>; 2],
        mut found: Option<&mut Vec<Difference>>,
    ) {
        for entry in one.into_iter().flat_map(Db::entries) {
            let number = one.map_or(0, Db::number);
            let Some(a) = self.wanted(0, number, entry) else { continue };
            let opposite = other.and_then(|db| db.get(entry.key()));
            let opposite = opposite.filter(|opposite| self.counts_on(number, opposite));
            match opposite {
                None => self.note(number, entry.key(), Vec::new(), [Some(a), None], &mut found),
                Some(opposite) => {
                    let reasons = self.keys.reasons(entry, opposite);
                    let b = KeyState::from_entry(opposite);
                    self.note(number, entry.key(), reasons, [Some(a), b], &mut found);
                }
            }
        }
        for entry in other.into_iter().flat_map(Db::entries) {
            let number = other.map_or(0, Db::number);
            let Some(b) = self.wanted(1, number, entry) else { continue };
            let opposite = one.and_then(|db| db.get(entry.key()));
            if !opposite.is_some_and(|opposite| self.counts_on(number, opposite)) {
                self.note(number, entry.key(), Vec::new(), [None, Some(b)], &mut found);
            }
        }
    }

    /// Returns the state of a key unless a filter excludes it, which is counted.
    fn wanted(&mut self, side: usize, db: u32, entry: &Entry<'_>) -> Option<KeyState> {
        let state = KeyState::from_entry(entry)?;
        let left_out = &mut self.counts.left_out[side];
        (self.filter.is_none() || self.filter.keeps(db, entry, left_out)).then_some(state)
    }

    fn counts_on(&self, db: u32, entry: &Entry<'_>) -> bool {
        let keeps = || self.filter.keeps(db, entry, &mut LeftOut::default());
        !entry.value.lacks_elements() && (self.filter.is_none() || keeps())
    }

    fn note(
        &mut self,
        db: u32,
        key: &[u8],
        reasons: Vec<Reason>,
        [a, b]: [Option<KeyState>; 2],
        found: &mut Option<&mut Vec<Difference>>,
    ) {
        if self.counts.add(db, &reasons, [a, b])
            && let Some(found) = found
        {
            found.push(Difference { db, key: key.to_vec(), reasons, a, b });
        }
    }
}

/// Compares the values and expiries of single keys.
pub(super) struct KeyComparer {
    detail: Detail,
    scratch: Fingerprint,
}

impl KeyComparer {
    pub(super) fn new(detail: Detail) -> Self {
        KeyComparer { detail, scratch: Fingerprint::default() }
    }

    /// Returns the properties in which a key differs that exists on both sides.
    pub(super) fn reasons(&mut self, one: &Entry<'_>, other: &Entry<'_>) -> Vec<Reason> {
        let mut reasons = Vec::new();
        reasons.extend(self.of_values(&one.value, &other.value));
        if one.expires_ms() != other.expires_ms() {
            reasons.push(Reason::Expiry);
        }
        reasons
    }

    fn of_values(&mut self, one: &Value<'_>, other: &Value<'_>) -> Option<Reason> {
        if let (Value::String(one), Value::String(other)) = (one, other) {
            let same = one.with(|one| other.with(|other| one == other));
            return (!same).then_some(Reason::Value);
        }
        if std::mem::discriminant(one) != std::mem::discriminant(other) {
            return Some(Reason::Type);
        }
        let mut print = |value| self.scratch.of_value(value, self.detail);
        if print(one) == print(other) {
            return None;
        }
        Some(match (one, other) {
            (Value::Hash(one), Value::Hash(other)) if same_fields(one, other) => {
                Reason::FieldExpiry
            }
            (Value::Stream(one), Value::Stream(other)) if same_messages(one, other) => {
                Reason::StreamState
            }
            _ => Reason::Value,
        })
    }
}

/// Returns whether two hashes differ only in the expiry of fields.
fn same_fields(one: &Hash<'_>, other: &Hash<'_>) -> bool {
    one.len() == other.len()
        && one.fields().all(|(name, value, _)| {
            let other = other.get(name);
            other.is_some_and(|other| value.with(|value| other.with(|other| value == other)))
        })
}

/// Returns whether two streams have the same messages.
fn same_messages(one: &Stream<'_>, other: &Stream<'_>) -> bool {
    one.len() == other.len()
        && one.entries().zip(other.entries()).all(|((one_id, one), (other_id, other))| {
            one_id == other_id && one.count() == other.count() && one.iter().eq(other.iter())
        })
}
