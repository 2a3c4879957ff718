//! Consumer groups.

use std::collections::{BTreeMap, BTreeSet};

use crate::rdb::StreamId;

/// A consumer group.
#[derive(Debug, Clone, Default)]
pub struct Group<'a> {
    last_id: StreamId,
    entries_read: Option<u64>,
    pending: BTreeMap<StreamId, Delivery>,
    /// By name, in the order of its bytes.
    names: BTreeMap<&'a [u8], ConsumerNumber>,
    /// By number. A number that became free is taken by the next.
    consumers: Vec<Option<Consumer<'a>>>,
    free: Vec<ConsumerNumber>,
}

/// What is known of an entry that was delivered.
#[derive(Debug, Clone, Copy)]
struct Delivery {
    delivered_ms: i64,
    deliveries: u64,
    /// Always there, but while an RDB is loaded.
    consumer: Option<ConsumerNumber>,
}

/// An entry that was delivered and not acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pending {
    /// Its id. The entry itself may have been deleted.
    pub id: StreamId,
    /// When it was delivered last, in Unix milliseconds.
    pub delivered_ms: i64,
    /// How often it was delivered.
    pub deliveries: u64,
}

/// Stands for a consumer of a group, as long as it is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConsumerNumber(u32);

impl ConsumerNumber {
    fn index(self) -> usize {
        self.0 as usize
    }
}

/// A consumer of a group.
#[derive(Debug, Clone)]
pub struct Consumer<'a> {
    name: &'a [u8],
    seen_ms: i64,
    active_ms: Option<i64>,
    pending: BTreeSet<StreamId>,
}

impl<'a> Consumer<'a> {
    /// Its name.
    pub fn name(&self) -> &'a [u8] {
        self.name
    }

    /// When it was last seen, in Unix milliseconds.
    pub fn seen_ms(&self) -> i64 {
        self.seen_ms
    }

    /// When it was last given something, in Unix milliseconds: -1 if never, `None` if not known.
    pub fn active_ms(&self) -> Option<i64> {
        self.active_ms
    }

    /// The ids of what is pending for it, in their order.
    pub fn pending(&self) -> impl ExactSizeIterator<Item = StreamId> {
        self.pending.iter().copied()
    }
}

/// How an entry becomes pending for a consumer, or goes from one to another.
#[derive(Debug, Clone, Copy)]
pub struct Claim {
    /// When it was delivered, in Unix milliseconds.
    pub delivered_ms: i64,
    /// How often: this, or one more than before.
    pub deliveries: Deliveries,
}

/// What becomes of the number of deliveries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deliveries {
    /// It becomes this.
    Set(u64),
    /// It grows by one.
    OneMore,
    /// It stays.
    Same,
}

impl<'a> Group<'a> {
    pub(super) fn new(last_id: StreamId, entries_read: Option<u64>) -> Self {
        Group { last_id, entries_read, ..Group::default() }
    }

    /// The last id that it delivered.
    #[inline]
    pub fn last_id(&self) -> StreamId {
        self.last_id
    }

    /// How many entries it has read, where that is known.
    pub fn entries_read(&self) -> Option<u64> {
        self.entries_read
    }

    /// Sets how far it has read.
    pub fn set_position(&mut self, last_id: StreamId, entries_read: Option<u64>) {
        self.last_id = last_id;
        self.entries_read = entries_read;
    }

    /// What is pending, in the order of ids.
    pub fn pending(&self) -> impl ExactSizeIterator<Item = Pending> {
        self.pending.iter().map(|(id, delivery)| pending(*id, delivery))
    }

    /// What is pending from an id on, and for which consumer, in the order of ids.
    pub fn pending_from(
        &self,
        id: StreamId,
    ) -> impl Iterator<Item = (Pending, Option<ConsumerNumber>)> {
        let range = self.pending.range(id..);
        range.map(|(id, delivery)| (pending(*id, delivery), delivery.consumer))
    }

    /// What is known of an entry that is pending, and for which consumer it is.
    #[inline]
    pub fn pending_at(&self, id: StreamId) -> Option<(Pending, Option<ConsumerNumber>)> {
        let delivery = self.pending.get(&id)?;
        Some((pending(id, delivery), delivery.consumer))
    }

    /// Whether an entry is pending.
    pub fn is_pending(&self, id: StreamId) -> bool {
        self.pending.contains_key(&id)
    }

    /// Takes an entry off what is pending. Says whether it was.
    #[inline]
    pub fn acknowledge(&mut self, id: StreamId) -> bool {
        let Some(delivery) = self.pending.remove(&id) else { return false };
        if let Some(consumer) = delivery.consumer.and_then(|number| self.consumer_mut(number)) {
            consumer.pending.remove(&id);
        }
        true
    }

    /// Makes an entry pending for a consumer; if it is pending already, for this consumer from now on.
    /// A new one counts one delivery before the claim.
    #[inline]
    pub fn claim(&mut self, id: StreamId, number: ConsumerNumber, claim: Claim) {
        let new = Delivery { delivered_ms: claim.delivered_ms, deliveries: 1, consumer: None };
        let delivery = self.pending.entry(id).or_insert(new);
        delivery.delivered_ms = claim.delivered_ms;
        delivery.deliveries = match claim.deliveries {
            Deliveries::Set(count) => count,
            Deliveries::OneMore => delivery.deliveries.wrapping_add(1),
            Deliveries::Same => delivery.deliveries,
        };
        let before = delivery.consumer.replace(number);
        if before != Some(number) {
            if let Some(consumer) = before.and_then(|before| self.consumer_mut(before)) {
                consumer.pending.remove(&id);
            }
            if let Some(consumer) = self.consumer_mut(number) {
                consumer.pending.insert(id);
            }
        }
    }

    /// The consumers, in the order of their names' bytes.
    pub fn consumers(&self) -> impl ExactSizeIterator<Item = &Consumer<'a>> {
        self.names.values().map(|number| {
            self.consumers[number.index()].as_ref().expect("a consumer that has a name is there")
        })
    }

    /// The consumer of this name.
    #[inline]
    pub fn consumer(&self, name: &[u8]) -> Option<ConsumerNumber> {
        self.names.get(name).copied()
    }

    /// The ids of what is pending for a consumer from an id on, in their order.
    pub fn pending_of(
        &self,
        number: ConsumerNumber,
        from: StreamId,
    ) -> impl Iterator<Item = StreamId> {
        let consumer = self.consumers.get(number.index()).and_then(Option::as_ref);
        consumer.into_iter().flat_map(move |consumer| consumer.pending.range(from..)).copied()
    }

    /// What a number stands for.
    fn consumer_mut(&mut self, number: ConsumerNumber) -> Option<&mut Consumer<'a>> {
        self.consumers.get_mut(number.index())?.as_mut()
    }

    /// Adds a consumer, unless there is one of this name. `active_ms` as in [`Consumer::active_ms`].
    pub fn add_consumer(
        &mut self,
        name: &'a [u8],
        seen_ms: i64,
        active_ms: Option<i64>,
    ) -> Option<ConsumerNumber> {
        if self.names.contains_key(name) {
            return None;
        }
        let consumer = Consumer { name, seen_ms, active_ms, pending: BTreeSet::new() };
        let number = match self.free.pop() {
            Some(number) => {
                self.consumers[number.index()] = Some(consumer);
                number
            }
            None => {
                let number = ConsumerNumber(u32::try_from(self.consumers.len()).ok()?);
                self.consumers.push(Some(consumer));
                number
            }
        };
        self.names.insert(name, number);
        Some(number)
    }

    /// Notes that a consumer was seen, or given something; `None` leaves the time as it is.
    pub fn touch(&mut self, number: ConsumerNumber, seen_ms: Option<i64>, active_ms: Option<i64>) {
        if let Some(consumer) = self.consumer_mut(number) {
            consumer.seen_ms = seen_ms.unwrap_or(consumer.seen_ms);
            consumer.active_ms = active_ms.or(consumer.active_ms);
        }
    }

    /// Removes a consumer and all that is pending for it. Says whether it was there.
    pub fn remove_consumer(&mut self, name: &[u8]) -> bool {
        let Some(number) = self.names.remove(name) else { return false };
        if let Some(consumer) = self.consumers[number.index()].take() {
            for id in &consumer.pending {
                self.pending.remove(id);
            }
        }
        self.free.push(number);
        true
    }

    /// Makes an entry of an RDB pending, for no consumer yet: [`load_owner`](Self::load_owner) follows.
    pub fn load_pending(&mut self, id: StreamId, delivered_ms: i64, deliveries: u64) {
        self.pending.insert(id, Delivery { delivered_ms, deliveries, consumer: None });
    }

    /// Says for which consumer an entry of an RDB is pending. Says whether it is pending at all, and
    /// for no other.
    pub fn load_owner(&mut self, id: StreamId, number: ConsumerNumber) -> bool {
        let Some(delivery) = self.pending.get_mut(&id) else { return false };
        if delivery.consumer.is_some_and(|owner| owner != number) {
            return false;
        }
        delivery.consumer = Some(number);
        self.consumer_mut(number).is_some_and(|consumer| {
            consumer.pending.insert(id);
            true
        })
    }
}

fn pending(id: StreamId, delivery: &Delivery) -> Pending {
    Pending { id, delivered_ms: delivery.delivered_ms, deliveries: delivery.deliveries }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(ms: u64) -> StreamId {
        StreamId { ms, seq: 0 }
    }

    const ONCE: Claim = Claim { delivered_ms: 5, deliveries: Deliveries::Same };

    fn pending_of(group: &Group<'_>) -> Vec<(String, Vec<u64>)> {
        let shown = |consumer: &Consumer<'_>| {
            let ids = consumer.pending().map(|id| id.ms).collect();
            (consumer.name().escape_ascii().to_string(), ids)
        };
        group.consumers().map(shown).collect()
    }

    #[test]
    fn an_entry_is_pending_for_one_consumer() {
        let mut group = Group::new(id(0), None);
        let bob = group.add_consumer(b"bob", 1, Some(-1)).expect("new");
        let ann = group.add_consumer(b"ann", 1, Some(-1)).expect("new");
        assert!(group.add_consumer(b"ann", 1, Some(-1)).is_none());
        group.claim(id(1), bob, ONCE);
        group.claim(id(2), bob, Claim { delivered_ms: 5, deliveries: Deliveries::Set(7) });
        group.claim(id(2), ann, Claim { delivered_ms: 6, deliveries: Deliveries::OneMore });
        assert_eq!(pending_of(&group), [("ann".into(), vec![2]), ("bob".into(), vec![1])]);
        let all: Vec<Pending> = group.pending().collect();
        assert_eq!(all[0], Pending { id: id(1), delivered_ms: 5, deliveries: 1 });
        assert_eq!(all[1], Pending { id: id(2), delivered_ms: 6, deliveries: 8 });
        assert!(group.acknowledge(id(2)) && !group.acknowledge(id(2)));
        assert_eq!(pending_of(&group), [("ann".into(), vec![]), ("bob".into(), vec![1])]);
    }

    #[test]
    fn a_consumer_takes_what_is_pending_with_it() {
        let mut group = Group::new(id(0), None);
        let bob = group.add_consumer(b"bob", 1, None).expect("new");
        let ann = group.add_consumer(b"ann", 1, None).expect("new");
        group.claim(id(1), bob, ONCE);
        group.claim(id(2), ann, ONCE);
        assert!(group.remove_consumer(b"bob") && !group.remove_consumer(b"bob"));
        assert!(!group.is_pending(id(1)) && group.is_pending(id(2)));
        let eve = group.add_consumer(b"eve", 1, None).expect("new");
        assert_eq!(eve, bob, "the number is used again");
        group.claim(id(2), eve, ONCE);
        assert_eq!(pending_of(&group), [("ann".into(), vec![]), ("eve".into(), vec![2])]);
    }

    #[test]
    fn an_rdb_tells_entries_first_and_owners_later() {
        let mut group = Group::new(id(9), Some(3));
        group.load_pending(id(1), 10, 2);
        let ann = group.add_consumer(b"ann", 11, Some(12)).expect("new");
        let bob = group.add_consumer(b"bob", 11, Some(12)).expect("new");
        assert!(group.load_owner(id(1), ann) && group.load_owner(id(1), ann));
        assert!(!group.load_owner(id(1), bob), "it has one");
        assert!(!group.load_owner(id(2), ann), "it is not pending");
        assert_eq!(pending_of(&group), [("ann".into(), vec![1]), ("bob".into(), vec![])]);
        assert_eq!(group.pending_at(id(1)).map(|(_, owner)| owner), Some(Some(ann)));
    }
}
