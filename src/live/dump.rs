//! Reading the values of keys of a server, or of a cluster, by DUMP.

use std::collections::BTreeMap;
use std::thread;
use std::time::Duration;

use redis::Value;

use super::cluster::{SlotMap, endpoint_of, redirection};
use super::connection::Failure;
use super::endpoint::Address;
use super::pipeline::{Pipeline, has_no_touch, pack};
use super::running::{RunningServer, read_error, unexpected};
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::slot::slot_of;

/// A key as the server has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DumpedKey {
    /// The payload of DUMP.
    pub(crate) payload: Vec<u8>,
    /// The expiry, in Unix milliseconds.
    pub(crate) expires_ms: Option<i64>,
}

/// A function that receives keys, by their position among those that were asked for; `None` for a key that does not exist.
pub(crate) type OnDumped<'f> = dyn FnMut(Vec<(usize, Option<DumpedKey>)>) -> Result<()> + 'f;

/// The largest number of keys that are asked for at once, and the number if their sizes are not known.
const MOST_KEYS: usize = 512;
const MOST_KEYS_OF_UNKNOWN_SIZE: usize = 16;
/// The largest number of bytes of the names, and of the values, that are asked for at once. A larger key is asked for
/// alone.
const MOST_NAME_BYTES: usize = 1 << 20;
const MOST_VALUE_BYTES: u64 = 16 << 20;
/// The number of times that a key is asked for, if the server is not ready or redirects.
const ATTEMPTS: u32 = 8;
const RETRY_AFTER: Duration = Duration::from_millis(50);

/// Reads the values of keys, on one connection to each node. Memory use is that of 16 MB of values, or of one value.
pub(crate) struct KeyReader<'s> {
    server: &'s RunningServer,
    slots: Option<SlotMap>,
    /// One for the server, or one for each node of the cluster that was asked.
    nodes: Vec<Pipeline<()>>,
    knows_sizes: bool,
}

/// Keys that are read.
struct Request<'k, 'e> {
    db: u32,
    keys: &'k [&'k [u8]],
    /// Whether a key was passed on, by its position.
    done: Vec<bool>,
    each: &'e mut OnDumped<'e>,
    /// The last reason why a key has to be asked for again.
    problem: String,
}

impl Request<'_, '_> {
    fn pass(&mut self, found: Vec<(usize, Option<DumpedKey>)>) -> Result<(), Trouble> {
        found.iter().for_each(|(at, _)| self.done[*at] = true);
        Ok((self.each)(found)?)
    }

    fn outstanding(&self) -> Vec<usize> {
        (0..self.keys.len()).filter(|at| !self.done[*at]).collect()
    }

    fn is_done(&self) -> bool {
        self.done.iter().all(|done| *done)
    }
}

/// What a server replies about one key.
enum Answer {
    Key(Option<DumpedKey>),
    Moved(u16, Address),
    Ask(Address),
    Later(String),
}

impl<'s> KeyReader<'s> {
    /// Returns a reader, which connects when it is first used.
    pub(crate) fn new(server: &'s RunningServer) -> Self {
        KeyReader { server, slots: server.slots().cloned(), nodes: Vec::new(), knows_sizes: true }
    }

    /// Returns whether the server reports the expiry of a key as a time, and otherwise the time that remains.
    pub(crate) fn has_exact_expiries(server: &RunningServer) -> bool {
        server.line().has_redis(7, 0)
    }

    /// Reads keys of a database, and passes them to `each`, some at a time and in any order. In a database that the server
    /// does not have, no key exists.
    ///
    /// # Errors
    ///
    /// When a server does not reply, or with an error or something that no server sends, and the errors of `each`.
    pub(crate) fn read(&mut self, db: u32, keys: &[&[u8]], each: &mut OnDumped<'_>) -> Result<()> {
        let done = vec![false; keys.len()];
        let mut request = Request { db, keys, done, each, problem: String::new() };
        for attempt in 0..ATTEMPTS {
            thread::sleep(RETRY_AFTER * attempt);
            for (node, of_node) in self.by_node(keys, &request.outstanding())? {
                for some in some_at_a_time(keys, &of_node) {
                    match self.read_some(node, &mut request, some) {
                        Ok(()) => {}
                        Err(Trouble::Connection(failure))
                            if failure.is_temporary() && attempt + 1 < ATTEMPTS =>
                        {
                            self.nodes[node].take_outstanding();
                            self.follow_failover();
                        }
                        Err(Trouble::Connection(failure)) => return Err(self.error(failure, node)),
                        Err(Trouble::Other(error)) => return Err(error),
                    }
                }
            }
            if request.is_done() {
                return Ok(());
            }
        }
        let message = format!("{}: DUMP: {}", self.server.address(), request.problem);
        Err(Error::new(ErrorKind::Refused, message))
    }

    /// Asks where the slots are after a node was lost. While no other has taken over, the map stays as it is.
    fn follow_failover(&mut self) {
        if let Ok(Some(slots)) = self.server.ask_slots() {
            self.slots = Some(slots);
        }
    }

    fn error(&self, failure: Failure, node: usize) -> Error {
        read_error(failure, "DUMP", self.nodes[node].endpoint(), Some(self.server.line()))
    }

    /// Divides keys by the node that has their slots.
    fn by_node(&mut self, keys: &[&[u8]], wanted: &[usize]) -> Result<BTreeMap<usize, Vec<usize>>> {
        let mut by_node: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for at in wanted {
            let address = match &self.slots {
                None => self.server.address().clone(),
                Some(slots) => {
                    let slot = slot_of(keys[*at]);
                    let node = slots.of_slot(slot).cloned();
                    node.ok_or_else(|| {
                        let server = self.server.address();
                        let message =
                            format!("{server}: no node of the cluster serves slot {slot}");
                        Error::new(ErrorKind::Refused, message)
                    })?
                }
            };
            by_node.entry(self.node(&address)).or_default().push(*at);
        }
        Ok(by_node)
    }

    fn node(&mut self, address: &Address) -> usize {
        let found = self.nodes.iter().position(|node| node.endpoint().address == *address);
        found.unwrap_or_else(|| {
            let pipeline = Pipeline::new(endpoint_of(address, self.server.endpoint()));
            // Where the server can do it, reading a key does not end its idle time.
            let can_spare = self.slots.is_none() && has_no_touch(self.server.line());
            self.nodes.push(pipeline.no_touch(can_spare));
            self.nodes.len() - 1
        })
    }

    /// Reads keys from one node. Those that have to be asked for again remain outstanding.
    fn read_some(
        &mut self,
        node: usize,
        request: &mut Request<'_, '_>,
        some: &[usize],
    ) -> Result<(), Trouble> {
        match self.nodes[node].select(request.db) {
            Ok(()) => {}
            // "DB index is out of range", or a cluster that has one database only.
            Err(Failure::Answer { code, .. }) if code == "ERR" => {
                return request.pass(some.iter().map(|at| (*at, None)).collect());
            }
            Err(failure) => return Err(failure.into()),
        }
        let sizes = self.sizes(node, request.keys, some)?;
        for group in groups(some, sizes.as_deref()) {
            let mut found = Vec::with_capacity(group.len());
            for (at, answer) in group.iter().zip(self.dump(node, request.keys, group)?) {
                match answer {
                    Answer::Key(key) => found.push((*at, key)),
                    Answer::Moved(slot, to) => {
                        if let Some(slots) = &mut self.slots {
                            slots.moved(slot, to);
                        }
                        request.problem = format!("slot {slot} is moved again and again");
                    }
                    Answer::Ask(to) => match self.ask(&to, request.keys[*at])? {
                        Answer::Key(key) => found.push((*at, key)),
                        _ => request.problem = format!("a slot that is moved to {to} is not there"),
                    },
                    Answer::Later(text) => request.problem = text,
                }
            }
            request.pass(found)?;
        }
        Ok(())
    }

    /// Returns the memory that keys use; `None` if the user may not ask for it.
    fn sizes(
        &mut self,
        node: usize,
        keys: &[&[u8]],
        some: &[usize],
    ) -> Result<Option<Vec<u64>>, Trouble> {
        if !self.knows_sizes {
            return Ok(None);
        }
        let mut commands = Vec::new();
        for at in some {
            pack(&mut commands, &[b"MEMORY", b"USAGE", keys[*at]]);
        }
        let mut sizes = Vec::with_capacity(some.len());
        for reply in self.nodes[node].run_all(&commands, some.len())? {
            match reply {
                Value::Int(bytes) => sizes.push(u64::try_from(bytes).unwrap_or(u64::MAX)),
                Value::Nil => sizes.push(0),
                Value::ServerError(error) if ["MOVED", "ASK"].contains(&error.code()) => {
                    sizes.push(0);
                }
                _ => self.knows_sizes = false,
            }
        }
        Ok(self.knows_sizes.then_some(sizes))
    }

    fn dump(
        &mut self,
        node: usize,
        keys: &[&[u8]],
        group: &[usize],
    ) -> Result<Vec<Answer>, Trouble> {
        let mut commands = Vec::new();
        for at in group {
            self.pack_reads(&mut commands, keys[*at]);
        }
        let replies = self.nodes[node].run_all(&commands, group.len() * 2)?;
        let mut replies = replies.into_iter();
        let mut answers = Vec::with_capacity(group.len());
        while let (Some(dump), Some(expiry)) = (replies.next(), replies.next()) {
            answers.push(self.answer(node, dump, &expiry)?);
        }
        Ok(answers)
    }

    /// Reads a key from the node to which its slot is just moved.
    fn ask(&mut self, to: &Address, key: &[u8]) -> Result<Answer, Trouble> {
        let node = self.node(to);
        let mut commands = Vec::new();
        let name = self.expiry_command();
        for command in [[b"DUMP", key], [name, key]] {
            pack(&mut commands, &[b"ASKING"]);
            pack(&mut commands, &command);
        }
        let replies = self.nodes[node].run_all(&commands, 4)?;
        match <[Value; 4]>::try_from(replies) {
            Ok([_, dump, _, expiry]) => self.answer(node, dump, &expiry),
            Err(_) => Ok(Answer::Later("the slot is just moved".into())),
        }
    }

    fn pack_reads(&self, out: &mut Vec<u8>, key: &[u8]) {
        pack(out, &[b"DUMP", key]);
        pack(out, &[self.expiry_command(), key]);
    }

    fn expiry_command(&self) -> &'static [u8] {
        if Self::has_exact_expiries(self.server) { b"PEXPIRETIME" } else { b"PTTL" }
    }

    fn answer(&self, node: usize, dump: Value, expiry: &Value) -> Result<Answer, Trouble> {
        let address = &self.nodes[node].endpoint().address;
        let payload = match dump {
            Value::BulkString(payload) => payload,
            Value::Nil => return Ok(Answer::Key(None)),
            Value::ServerError(error) => {
                return self.refusal(node, error.code(), error.details().unwrap_or_default());
            }
            _ => return Err(unexpected("DUMP", address).into()),
        };
        let expires_ms = match *expiry {
            Value::Int(-1) => None,
            // It expired, or was deleted, after the DUMP.
            Value::Int(-2) => return Ok(Answer::Key(None)),
            Value::Int(time) if time >= 0 && Self::has_exact_expiries(self.server) => Some(time),
            Value::Int(left) if left >= 0 => Some(self.server.now_ms().saturating_add(left)),
            Value::ServerError(ref error) => {
                return self.refusal(node, error.code(), error.details().unwrap_or_default());
            }
            _ => return Err(unexpected("PEXPIRETIME", address).into()),
        };
        Ok(Answer::Key(Some(DumpedKey { payload, expires_ms })))
    }

    fn refusal(&self, node: usize, code: &str, details: &str) -> Result<Answer, Trouble> {
        let asked = &self.nodes[node].endpoint().address;
        match (code, redirection(details, asked)) {
            ("MOVED", Some((slot, to))) => Ok(Answer::Moved(slot, to)),
            ("ASK", Some((_, to))) => Ok(Answer::Ask(to)),
            ("TRYAGAIN" | "CLUSTERDOWN" | "LOADING" | "BUSY" | "MASTERDOWN", _) => {
                Ok(Answer::Later(format!("{code} {details}")))
            }
            _ => {
                let failure = Failure::Answer { code: code.into(), text: details.into() };
                Err(Trouble::Other(self.error(failure, node)))
            }
        }
    }
}

/// The reason why keys could not be read.
enum Trouble {
    Connection(Failure),
    Other(Error),
}

impl From<Failure> for Trouble {
    fn from(failure: Failure) -> Self {
        Trouble::Connection(failure)
    }
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        Trouble::Other(error)
    }
}

/// Divides keys so that each part has few enough names.
fn some_at_a_time<'w>(keys: &[&[u8]], wanted: &'w [usize]) -> Vec<&'w [usize]> {
    divide(wanted, MOST_KEYS, |at| keys[wanted[at]].len() as u64, MOST_NAME_BYTES as u64)
}

/// Divides keys so that the values of each part are small enough.
fn groups<'w>(some: &'w [usize], sizes: Option<&[u64]>) -> Vec<&'w [usize]> {
    match sizes {
        None => some.chunks(MOST_KEYS_OF_UNKNOWN_SIZE).collect(),
        Some(sizes) => {
            let size = |at: usize| sizes.get(at).copied().unwrap_or(0);
            divide(some, MOST_KEYS, size, MOST_VALUE_BYTES)
        }
    }
}

/// Divides a slice into parts of at most so many elements and bytes, or of one element.
fn divide(all: &[usize], count: usize, size: impl Fn(usize) -> u64, bytes: u64) -> Vec<&[usize]> {
    let mut parts = Vec::new();
    let (mut start, mut sum) = (0, 0_u64);
    for at in 0..all.len() {
        let more = size(at);
        if at > start && (at - start == count || sum.saturating_add(more) > bytes) {
            parts.push(&all[start..at]);
            (start, sum) = (at, 0);
        }
        sum = sum.saturating_add(more);
    }
    if start < all.len() {
        parts.push(&all[start..]);
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_limited_by_number_and_bytes() {
        let all: Vec<usize> = (0..1100).collect();
        let lengths =
            |parts: Vec<&[usize]>| parts.iter().map(|part| part.len()).collect::<Vec<_>>();
        assert_eq!(lengths(groups(&all, None)).len(), 69);
        assert_eq!(lengths(groups(&all, Some(&vec![10; 1100]))), [512, 512, 76]);
        let huge = 1 << 40;
        let sizes = [huge, 1, 8 << 20, 8 << 20, u64::MAX, u64::MAX];
        assert_eq!(lengths(groups(&all[..6], Some(&sizes))), [1, 2, 1, 1, 1]);
        assert!(groups(&[], Some(&[])).is_empty());
    }
}
