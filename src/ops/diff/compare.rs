//! Two data sets compared, key by key.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Serialize, Serializer};

use crate::analysis::data_filter::{Filter, LeftOut};
use crate::analysis::key_state::KeyState;
use crate::base::escape::Text;
use crate::keyspace::fingerprint::{Detail, Fingerprint};
use crate::keyspace::{Db, Entry, Hash, Keyspace, Stream, Value};
use crate::rdb::Kind;

/// In what a key differs that both sides have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// The types differ, and so the values.
    Type,
    /// The values differ.
    Value,
    /// Of hashes whose fields have the same values: when fields expire.
    FieldExpiry,
    /// Of streams with the same messages: groups, consumers, what is pending, or counters.
    StreamState,
    /// When the key expires, or whether.
    Expiry,
}

impl Reason {
    /// In words.
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

/// A key that is not the same on both sides. It is only on the first where [`b`](Self::b) is missing, and
/// only on the second where [`a`](Self::a) is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// Its database.
    pub db: u32,
    /// Its name: an object, `text` where it is UTF-8, else `bytes` in base64.
    #[serde(serialize_with = "text")]
    pub key: Vec<u8>,
    /// In what it differs; empty where only one side has it.
    pub reasons: Vec<Reason>,
    /// What the first side has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub a: Option<KeyState>,
    /// What the second side has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub b: Option<KeyState>,
}

fn text<S: Serializer>(key: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    Text(key).serialize(serializer)
}

/// How many keys are the same, and how many are not.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Numbers {
    /// Only the first side has them.
    pub only_a: u64,
    /// Only the second side has them.
    pub only_b: u64,
    /// Both have them, and they differ.
    pub different: u64,
    /// Both have the same.
    pub same: u64,
}

impl Numbers {
    /// Keys that are not the same.
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

/// What a comparison counts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    /// By database and type. A key of two types counts for that of the first side.
    pub keys: BTreeMap<(u32, Kind), Numbers>,
    /// Keys that both have, by what differs. A key can count for several.
    pub reasons: BTreeMap<Reason, u64>,
    /// Keys of the first and of the second side that a filter left out.
    pub left_out: [LeftOut; 2],
}

impl Counts {
    /// Adds those of another share.
    pub fn join(&mut self, other: Counts) {
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

    /// Of all databases and types.
    pub fn total(&self) -> Numbers {
        let mut total = Numbers::default();
        self.keys.values().for_each(|numbers| total.join(*numbers));
        total
    }
}

/// Compares two data sets, or the same share of two. Differences are added to `found`, where that is given, in the
/// order of databases and names.
///
/// `detail` says how much of a stream is compared: an RDB up to version 9 does not carry its counters.
pub fn compare(
    sides: [&Keyspace<'_>; 2],
    filter: &Filter,
    detail: Detail,
    mut found: Option<&mut Vec<Difference>>,
) -> Counts {
    let mut comparison =
        Comparison { filter, detail, scratch: Fingerprint::default(), counts: Counts::default() };
    let [a, b] = sides;
    let numbers = a.databases().chain(b.databases()).map(Db::number);
    let numbers: BTreeSet<u32> = numbers.collect();
    for number in numbers {
        let one = a.databases().find(|db| db.number() == number);
        let other = b.databases().find(|db| db.number() == number);
        let first = found.as_ref().map_or(0, |found| found.len());
        comparison.database([one, other], found.as_deref_mut());
        if let Some(found) = &mut found {
            found[first..].sort_unstable_by(|a, b| a.key.cmp(&b.key));
        }
    }
    comparison.counts
}

struct Comparison<'c> {
    filter: &'c Filter,
    detail: Detail,
    scratch: Fingerprint,
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
                    let reasons = self.reasons(entry, opposite);
                    let b = KeyState::of(opposite);
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

    /// What a key holds, if it counts; counts it if a filter leaves it out.
    fn wanted(&mut self, side: usize, db: u32, entry: &Entry<'_>) -> Option<KeyState> {
        let state = KeyState::of(entry)?;
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
        let Some(state) = a.or(b) else { return };
        let numbers = self.counts.keys.entry((db, state.kind)).or_default();
        match (a, b) {
            (Some(_), None) => numbers.only_a += 1,
            (None, _) => numbers.only_b += 1,
            (Some(_), Some(_)) if reasons.is_empty() => {
                numbers.same += 1;
                return;
            }
            (Some(_), Some(_)) => numbers.different += 1,
        }
        for reason in &reasons {
            *self.counts.reasons.entry(*reason).or_default() += 1;
        }
        if let Some(found) = found {
            found.push(Difference { db, key: key.to_vec(), reasons, a, b });
        }
    }

    fn reasons(&mut self, one: &Entry<'_>, other: &Entry<'_>) -> Vec<Reason> {
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

/// Whether two hashes differ in the expiry of fields alone.
fn same_fields(one: &Hash<'_>, other: &Hash<'_>) -> bool {
    one.len() == other.len()
        && one.fields().all(|(name, value, _)| {
            let other = other.get(name);
            other.is_some_and(|other| value.with(|value| other.with(|other| value == other)))
        })
}

/// Whether two streams have the same messages.
fn same_messages(one: &Stream<'_>, other: &Stream<'_>) -> bool {
    one.len() == other.len()
        && one.entries().zip(other.entries()).all(|((one_id, one), (other_id, other))| {
            one_id == other_id && one.count() == other.count() && one.iter().eq(other.iter())
        })
}
