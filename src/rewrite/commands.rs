//! A data set as commands: the output of BGREWRITEAOF with `aof-use-rdb-preamble no`
//! (`rewriteAppendOnlyFileRio` in `aof.c`), byte for byte except for the order of keys and other
//! unordered items, and for consumers of streams that a server would lose (see `stream.rs`).
//!
//! Keys are written one by one into a buffer, which the caller may empty at any time. A key
//! consists of its value, in commands of at most 64 elements each, then its expiry, which may be in
//! the past. There are no transactions and no comments.
//!
//! Some data cannot be represented in this format and is lost silently, as on a server: the time at
//! which consumers of a stream were last seen, and pending references to deleted entries;
//! [`fit`](crate::rewrite::fit) counts it before. Other data that cannot be represented is reported
//! as [`Unwritable`].
//!
//! Checked against the output of Redis 6.2, 7.0, 8.2 and 8.6 and Valkey 9.1 for the same data.

mod entry;
mod out;
mod producers;
mod stream;
mod unwritable;

use self::out::Out;
pub use self::unwritable::Unwritable;
use crate::base::server::{Product, Server};
use crate::keyspace::score::{ScoreBuffer, ScoreText};
use crate::keyspace::{Array, Entry, Hash, Value};

/// Maximum number of elements, or pairs, of a command (`AOF_REWRITE_ITEMS_PER_CMD`).
const BATCH: usize = 64;

/// Writes a data set as commands. The required order of calls is: the functions, then for each
/// database its index and its keys.
#[derive(Debug, Clone)]
pub struct CommandWriter {
    target: Server,
    scores: ScoreText,
    score: ScoreBuffer,
    out: Out,
}

impl CommandWriter {
    /// Creates a writer for servers of this release line.
    pub fn new(target: Server) -> Self {
        CommandWriter {
            target,
            scores: ScoreText::of_server(target),
            score: ScoreBuffer::new(),
            out: Out::default(),
        }
    }

    /// Returns the bytes written since the last call.
    pub fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.out.bytes)
    }

    /// Returns the buffer with the bytes written; the caller must empty it, which retains its
    /// capacity.
    pub fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.out.bytes
    }

    /// Writes a function library from its source.
    ///
    /// # Errors
    ///
    /// Returns [`Unwritable::Functions`] if the target does not support functions.
    pub fn function(&mut self, code: &[u8]) -> Result<(), Unwritable> {
        if !self.target.has_redis(7, 0) {
            return Err(Unwritable::Functions);
        }
        self.out.command(b"FUNCTION", 2);
        self.out.bulk(b"LOAD");
        self.out.bulk(code);
        Ok(())
    }

    /// Writes a command as it is.
    pub(crate) fn command(&mut self, name: &[u8], args: &[&[u8]]) {
        self.out.command(name, args.len());
        args.iter().for_each(|arg| self.out.bulk(arg));
    }

    /// Selects a database for the keys that follow.
    pub fn select(&mut self, db: u32) {
        self.out.command(b"SELECT", 1);
        self.out.number(db);
    }

    /// Writes a key: its value, then its expiry. Nothing is written for an empty collection.
    ///
    /// A key that was changed by unsupported commands is written as its previous value, its expiry,
    /// and those commands unchanged.
    ///
    /// # Errors
    ///
    /// Returns the reason why the key cannot be written. Nothing of it is written in that case.
    pub fn key(&mut self, entry: &Entry<'_>) -> Result<(), Unwritable> {
        let start = self.out.bytes.len();
        let key = entry.key();
        if entry.has_metadata() {
            return Err(Unwritable::Metadata);
        }
        if entry.expiring_members().next().is_some() {
            return Err(Unwritable::KeydbMembers);
        }
        let (value, frames) = match &entry.value {
            Value::Opaque(opaque) => (opaque.before.as_ref(), opaque.frames.as_slice()),
            value => (Some(value), [].as_slice()),
        };
        if let Some(value) = value
            && let Err(unwritable) = self.value(key, value)
        {
            self.out.bytes.truncate(start);
            return Err(unwritable);
        }
        if let Some(expires_ms) = entry.expires_ms()
            && self.out.bytes.len() > start
        {
            self.out.command(b"PEXPIREAT", 2);
            self.out.bulk(key);
            self.out.number(expires_ms);
        }
        for frame in frames {
            self.out.bytes.extend_from_slice(frame);
        }
        Ok(())
    }

    /// Writes a value under the name `key`.
    ///
    /// # Errors
    ///
    /// Returns the reason why it cannot be written; a part of it may have been.
    pub(crate) fn value(&mut self, key: &[u8], value: &Value<'_>) -> Result<(), Unwritable> {
        match value {
            Value::String(value) => {
                self.out.command(b"SET", 2);
                self.out.bulk(key);
                value.with(|bytes| self.out.bulk(bytes));
            }
            Value::List(list) => {
                let mut batches = Batches::new(b"RPUSH", 1, list.elements.len());
                for element in &list.elements {
                    batches.before_item(&mut self.out, key);
                    self.out.bulk(element);
                }
            }
            Value::Set(set) => {
                let mut batches = Batches::new(b"SADD", 1, set.len());
                for member in set.members() {
                    batches.before_item(&mut self.out, key);
                    self.out.bulk(member);
                }
            }
            Value::Zset(zset) => {
                let mut batches = Batches::new(b"ZADD", 2, zset.len());
                for (member, score) in zset.members() {
                    batches.before_item(&mut self.out, key);
                    self.out.bulk(self.score.format(score, self.scores).as_bytes());
                    self.out.bulk(member);
                }
            }
            Value::Hash(hash) => self.hash(key, hash)?,
            Value::Stream(_) if !self.target.has_redis(5, 0) => return Err(Unwritable::Stream),
            Value::Stream(stream) => stream::write(&mut self.out, key, stream, self.target)?,
            Value::Array(array) => self.array(key, array)?,
            Value::Module(_) => return Err(Unwritable::Module),
            // An opaque value does not contain another.
            Value::Opaque(opaque) => {
                if let Some(before) = &opaque.before {
                    self.value(key, before)?;
                }
            }
        }
        Ok(())
    }

    /// Writes the elements, then the position of the next one, as the servers' changes describe it.
    fn array(&mut self, key: &[u8], array: &Array<'_>) -> Result<(), Unwritable> {
        if self.target.product != Product::Redis || !self.target.has_redis(8, 8) {
            return Err(Unwritable::Array);
        }
        let mut batches = Batches::new(b"ARMSET", 2, array.len());
        for (index, value) in array.items() {
            batches.before_item(&mut self.out, key);
            self.out.number(index);
            self.out.bulk(&value.text());
        }
        if let Some(next) = array.insert_index().and_then(|index| index.checked_add(1)) {
            self.out.command(b"ARSEEK", 2);
            self.out.bulk(key);
            self.out.number(next);
        }
        Ok(())
    }

    fn hash(&mut self, key: &[u8], hash: &Hash<'_>) -> Result<(), Unwritable> {
        let expiring = hash.expiring();
        let mut batches = Batches::new(b"HMSET", 2, hash.len() - expiring);
        if expiring == 0 {
            for (field, value, _) in hash.fields() {
                batches.before_item(&mut self.out, key);
                self.out.bulk(field);
                value.with(|bytes| self.out.bulk(bytes));
            }
            return Ok(());
        }
        match self.target.product {
            // Each field separately, followed by its expiry. A server also does this if no field
            // expires any more.
            Product::Redis if self.target.has_redis(7, 4) => {
                for (field, value, expires_ms) in hash.fields() {
                    self.out.command(b"HMSET", 3);
                    self.out.bulk(key);
                    self.out.bulk(field);
                    value.with(|bytes| self.out.bulk(bytes));
                    if let Some(expires_ms) = expires_ms {
                        self.out.command(b"HPEXPIREAT", 5);
                        self.out.bulk(key);
                        self.out.number(expires_ms);
                        self.out.bulk(b"FIELDS");
                        self.out.bulk(b"1");
                        self.out.bulk(field);
                    }
                }
            }
            // Fields that expire come first.
            Product::Valkey if self.target.has_valkey(9, 0) => {
                for (field, value, expires_ms) in hash.fields() {
                    if let Some(expires_ms) = expires_ms {
                        self.out.command(b"HSETEX", 7);
                        self.out.bulk(key);
                        self.out.bulk(b"PXAT");
                        self.out.number(expires_ms);
                        self.out.bulk(b"FIELDS");
                        self.out.bulk(b"1");
                        self.out.bulk(field);
                        value.with(|bytes| self.out.bulk(bytes));
                    }
                }
                for (field, value, expires_ms) in hash.fields() {
                    if expires_ms.is_none() {
                        batches.before_item(&mut self.out, key);
                        self.out.bulk(field);
                        value.with(|bytes| self.out.bulk(bytes));
                    }
                }
            }
            Product::Redis | Product::Valkey => return Err(Unwritable::FieldExpiry),
        }
        Ok(())
    }
}

/// The heads of the commands among which the items of a collection are distributed.
struct Batches {
    name: &'static [u8],
    args_per_item: usize,
    /// Remaining number in the current command.
    left_in_command: usize,
    /// Remaining number in total.
    left: usize,
}

impl Batches {
    fn new(name: &'static [u8], args_per_item: usize, items: usize) -> Self {
        Batches { name, args_per_item, left_in_command: 0, left: items }
    }

    /// Must be called before each item.
    #[inline]
    fn before_item(&mut self, out: &mut Out, key: &[u8]) {
        if self.left_in_command == 0 {
            self.left_in_command = self.left.min(BATCH);
            out.command(self.name, 1 + self.left_in_command * self.args_per_item);
            out.bulk(key);
        }
        self.left_in_command -= 1;
        self.left -= 1;
    }
}

#[cfg(test)]
mod tests;
