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
    /// By number. Free numbers are reused.
    consumers: Vec<Option<Consumer<'a>>>,
    free: Vec<ConsumerNumber>,
    /// The pending entries that consumers gave back, in that order.
    nacked: Vec<StreamId>,
}

/// The state of an entry that was delivered.
#[derive(Debug, Clone, Copy)]
struct Delivery {
    delivered_ms: i64,
    deliveries: u64,
    /// `None` if a consumer gave the entry back (XNACK), and while an RDB is loaded.
    consumer: Option<ConsumerNumber>,
}

/// An entry that was delivered and not acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pending {
    /// The id. The entry itself may have been deleted.
    pub id: StreamId,
    /// The time of the last delivery, in Unix milliseconds.
    pub delivered_ms: i64,
    /// The number of deliveries.
    pub deliveries: u64,
}

/// Identifies a consumer of a group, as long as the consumer exists.
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
    /// Returns the name.
    pub fn name(&self) -> &'a [u8] {
        self.name
    }

    /// Returns the time at which the consumer was last seen, in Unix milliseconds.
    pub fn seen_ms(&self) -> i64 {
        self.seen_ms
    }

    /// Returns the time at which the consumer was last given an entry, in Unix milliseconds: -1 if
    /// never, `None` if unknown.
    pub fn active_ms(&self) -> Option<i64> {
        self.active_ms
    }

    /// Returns the ids of its pending entries, in order.
    pub fn pending(&self) -> impl ExactSizeIterator<Item = StreamId> {
        self.pending.iter().copied()
    }
}

/// The way in which an entry becomes pending for a consumer, or is moved from one to another.
#[derive(Debug, Clone, Copy)]
pub struct Claim {
    /// The time of delivery, in Unix milliseconds.
    pub delivered_ms: i64,
    /// The number of deliveries: a given one, or one more than before.
    pub deliveries: Deliveries,
}

/// The change to the number of deliveries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deliveries {
    /// It is set to this number.
    Set(u64),
    /// It is incremented.
    OneMore,
    /// It is unchanged.
    Same,
}

impl<'a> Group<'a> {
    pub(super) fn new(last_id: StreamId, entries_read: Option<u64>) -> Self {
        Group { last_id, entries_read, ..Group::default() }
    }

    /// Returns the last id that was delivered.
    #[inline]
    pub fn last_id(&self) -> StreamId {
        self.last_id
    }

    /// Returns the number of entries read, if known.
    pub fn entries_read(&self) -> Option<u64> {
        self.entries_read
    }

    /// Sets the last delivered id and the number of entries read.
    pub fn set_position(&mut self, last_id: StreamId, entries_read: Option<u64>) {
        self.last_id = last_id;
        self.entries_read = entries_read;
    }

    /// Returns the pending entries, in the order of ids.
    pub fn pending(&self) -> impl ExactSizeIterator<Item = Pending> {
        self.pending.iter().map(|(id, delivery)| pending(*id, delivery))
    }

    /// Returns the pending entries from an id on and their consumers, in the order of ids.
    pub fn pending_from(
        &self,
        id: StreamId,
    ) -> impl Iterator<Item = (Pending, Option<ConsumerNumber>)> {
        let range = self.pending.range(id..);
        range.map(|(id, delivery)| (pending(*id, delivery), delivery.consumer))
    }

    /// Returns the state of a pending entry, and its consumer.
    #[inline]
    pub fn pending_at(&self, id: StreamId) -> Option<(Pending, Option<ConsumerNumber>)> {
        let delivery = self.pending.get(&id)?;
        Some((pending(id, delivery), delivery.consumer))
    }

    /// Returns whether an entry is pending.
    pub fn is_pending(&self, id: StreamId) -> bool {
        self.pending.contains_key(&id)
    }

    /// Acknowledges an entry, and returns whether it was pending.
    #[inline]
    pub fn acknowledge(&mut self, id: StreamId) -> bool {
        let Some(delivery) = self.pending.remove(&id) else { return false };
        if let Some(consumer) = delivery.consumer.and_then(|number| self.consumer_mut(number)) {
            consumer.pending.remove(&id);
        } else {
            self.nacked.retain(|other| *other != id);
        }
        true
    }

    /// Returns the pending entries that consumers gave back, in the order in which they did.
    pub fn nacked(&self) -> &[StreamId] {
        &self.nacked
    }

    /// Gives a pending entry back, so that no consumer owns it: it is delivered again before others.
    /// Makes the entry pending if it is not.
    pub fn give_back(&mut self, id: StreamId, deliveries: u64) {
        let given_back = Delivery { delivered_ms: 0, deliveries, consumer: None };
        let before = self.pending.insert(id, given_back).and_then(|before| before.consumer);
        match before.and_then(|number| self.consumer_mut(number)) {
            Some(consumer) => {
                consumer.pending.remove(&id);
            }
            None => self.nacked.retain(|other| *other != id),
        }
        self.nacked.push(id);
    }

    /// Marks a pending entry of an RDB as given back.
    pub fn load_nacked(&mut self, id: StreamId) {
        if self.is_pending(id) {
            self.nacked.push(id);
        }
    }

    /// Makes an entry pending for a consumer; if it is already pending, it is moved to this
    /// consumer. A new one counts one delivery before the claim.
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
        if before.is_none() && !self.nacked.is_empty() {
            self.nacked.retain(|other| *other != id);
        }
        if before != Some(number) {
            if let Some(consumer) = before.and_then(|before| self.consumer_mut(before)) {
                consumer.pending.remove(&id);
            }
            if let Some(consumer) = self.consumer_mut(number) {
                consumer.pending.insert(id);
            }
        }
    }

    /// Returns the consumers, in the order of their names' bytes.
    pub fn consumers(&self) -> impl ExactSizeIterator<Item = &Consumer<'a>> {
        self.names.values().map(|number| {
            self.consumers[number.index()].as_ref().expect("a consumer that has a name is there")
        })
    }

    /// Returns the consumer of this name.
    #[inline]
    pub fn consumer(&self, name: &[u8]) -> Option<ConsumerNumber> {
        self.names.get(name).copied()
    }

    /// Returns the ids of a consumer's pending entries from an id on, in order.
    pub fn pending_of(
        &self,
        number: ConsumerNumber,
        from: StreamId,
    ) -> impl Iterator<Item = StreamId> {
        let consumer = self.consumers.get(number.index()).and_then(Option::as_ref);
        consumer.into_iter().flat_map(move |consumer| consumer.pending.range(from..)).copied()
    }

    /// Returns the consumer with this number for modification.
    fn consumer_mut(&mut self, number: ConsumerNumber) -> Option<&mut Consumer<'a>> {
        self.consumers.get_mut(number.index())?.as_mut()
    }

    /// Adds a consumer, unless there is one of this name. `active_ms` is as in
    /// [`Consumer::active_ms`].
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

    /// Records that a consumer was seen, or given an entry; `None` leaves the time unchanged.
    pub fn touch(&mut self, number: ConsumerNumber, seen_ms: Option<i64>, active_ms: Option<i64>) {
        if let Some(consumer) = self.consumer_mut(number) {
            consumer.seen_ms = seen_ms.unwrap_or(consumer.seen_ms);
            consumer.active_ms = active_ms.or(consumer.active_ms);
        }
    }

    /// Removes a consumer and its pending entries, and returns whether it existed.
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

    /// Makes an entry of an RDB pending, for no consumer yet: [`load_owner`](Self::load_owner) must
    /// follow.
    pub fn load_pending(&mut self, id: StreamId, delivered_ms: i64, deliveries: u64) {
        self.pending.insert(id, Delivery { delivered_ms, deliveries, consumer: None });
    }

    /// Sets the consumer of a pending entry of an RDB. Returns false if the entry is not pending,
    /// or belongs to another consumer.
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
    fn removing_a_consumer_removes_its_pending_entries() {
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
    fn an_entry_that_was_given_back_has_no_consumer_until_it_is_claimed() {
        let mut group = Group::new(id(0), None);
        let bob = group.add_consumer(b"bob", 1, None).expect("new");
        for ms in 1..=3 {
            group.claim(id(ms), bob, ONCE);
        }
        group.give_back(id(2), 7);
        group.give_back(id(1), 8);
        group.give_back(id(4), 0);
        assert_eq!(group.nacked(), [id(2), id(1), id(4)]);
        assert_eq!(pending_of(&group), [("bob".into(), vec![3])]);
        let given_back = Pending { id: id(2), delivered_ms: 0, deliveries: 7 };
        assert_eq!(group.pending_at(id(2)), Some((given_back, None)));
        group.claim(id(2), bob, ONCE);
        assert!(group.acknowledge(id(4)));
        assert_eq!(group.nacked(), [id(1)]);
        assert!(group.remove_consumer(b"bob"));
        assert_eq!(group.pending().len(), 1, "it belongs to no consumer");
    }

    #[test]
    fn owners_are_set_after_entries_when_loading_an_rdb() {
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
