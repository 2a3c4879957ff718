//! A data set as commands: what a server writes by BGREWRITEAOF with `aof-use-rdb-preamble no`
//! (`rewriteAppendOnlyFileRio` in `aof.c`), byte for byte but for the order of keys and of what has no order, and
//! for consumers of streams that a server would lose (see `stream.rs`).
//!
//! Keys are written one after the other into a buffer, which the caller empties as it likes. A key is its
//! value, in commands of at most 64 elements each, then its expiry, which may be past. There are no
//! transactions and no comments.
//!
//! What this form cannot carry is lost without a word, as it is by a server: when consumers of a stream were
//! last seen, and what is pending of entries that were deleted. What is lost *with* a word is an
//! [`Unwritable`].
//!
//! Checked against what Redis 6.2, 7.0 and 8.2 and Valkey 9.1 write of the same data.

mod out;
mod stream;

use std::fmt;

use self::out::Out;
use crate::base::server::{Product, Server};
use crate::keyspace::score::{ScoreBuffer, ScoreText};
use crate::keyspace::{Entry, Hash, Value};

/// How many elements a command has at most, or pairs (`AOF_REWRITE_ITEMS_PER_CMD`).
const BATCH: usize = 64;

/// Why something cannot be written as commands that the target understands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Unwritable {
    /// It is a module's value: only the module could say how it is made.
    Module,
    /// It is a hash with fields that expire: since Redis 7.4 and Valkey 9.0.
    FieldExpiry,
    /// It is a function library: since Redis 7.0.
    Functions,
    /// It is a stream: since Redis 5.0.
    Stream,
}

impl fmt::Display for Unwritable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Unwritable::Module => "the value of a module has no form as commands",
            Unwritable::FieldExpiry => {
                "the target knows no fields that expire, which came with Redis 7.4 and Valkey 9.0"
            }
            Unwritable::Functions => "the target knows no functions, which came with Redis 7.0",
            Unwritable::Stream => "the target knows no streams, which came with Redis 5.0",
        })
    }
}

impl std::error::Error for Unwritable {}

/// Writes a data set as commands. To be told, in this order, the functions, then of each database its
/// number and its keys.
#[derive(Debug, Clone)]
pub struct CommandWriter {
    target: Server,
    scores: ScoreText,
    score: ScoreBuffer,
    out: Out,
}

impl CommandWriter {
    /// For servers of this line, which are to load what is written.
    pub fn new(target: Server) -> Self {
        CommandWriter {
            target,
            scores: ScoreText::of(target),
            score: ScoreBuffer::new(),
            out: Out::default(),
        }
    }

    /// What was written since it was taken last.
    pub fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.out.bytes)
    }

    /// What was written since it was emptied last; to be emptied by the caller, who keeps its room.
    pub fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.out.bytes
    }

    /// Writes a function library, by its source.
    ///
    /// # Errors
    ///
    /// [`Unwritable::Functions`].
    pub fn function(&mut self, code: &[u8]) -> Result<(), Unwritable> {
        if !self.target.has_redis(7, 0) {
            return Err(Unwritable::Functions);
        }
        self.out.command(b"FUNCTION", 2);
        self.out.bulk(b"LOAD");
        self.out.bulk(code);
        Ok(())
    }

    /// Writes that the keys which follow are of this database.
    pub fn select(&mut self, db: u32) {
        self.out.command(b"SELECT", 1);
        self.out.number(db);
    }

    /// Writes a key: its value, then its expiry. A collection without an element is no key, and nothing is
    /// written for it.
    ///
    /// A key that was changed by commands which are not understood is what it held before them, its
    /// expiry, and those commands as they are.
    ///
    /// # Errors
    ///
    /// Why it cannot be written. Nothing of it is.
    pub fn key(&mut self, entry: &Entry<'_>) -> Result<(), Unwritable> {
        let start = self.out.bytes.len();
        let key = entry.key();
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

    fn value(&mut self, key: &[u8], value: &Value<'_>) -> Result<(), Unwritable> {
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
            Value::Stream(stream) => stream::write(&mut self.out, key, stream, self.target),
            Value::Module(_) => return Err(Unwritable::Module),
            // One does not hold another.
            Value::Opaque(opaque) => {
                if let Some(before) = &opaque.before {
                    self.value(key, before)?;
                }
            }
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
            // Each field by itself, its expiry behind it. A server does so as well where no field expires
            // any longer.
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
            // First what expires.
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

/// The heads of commands that share the items of a collection.
struct Batches {
    name: &'static [u8],
    args_per_item: usize,
    /// In the command that was begun last.
    left_in_command: usize,
    /// In all.
    left: usize,
}

impl Batches {
    fn new(name: &'static [u8], args_per_item: usize, items: usize) -> Self {
        Batches { name, args_per_item, left_in_command: 0, left: items }
    }

    /// To be called before each item.
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
