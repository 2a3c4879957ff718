//! Writing the log: commands drawn from seeded random numbers and encoded as RESP frames.

use std::io::{self, Write};

use super::mix::{Kind, Pool};
use super::random::{Random, Share, Zipf};
use crate::base::progress::Progress;
use crate::ops::generate::options::{Amount, Counts, GenerateOptions, Skew};

/// The number of bytes buffered before they are written.
pub(super) const BUFFER_BYTES: usize = 1 << 20;

/// The size in bytes of the random text that values are taken from.
const TEXT_BYTES: usize = 1 << 16;

/// The content of a lookalike value: a complete command with its line endings.
const LOOKALIKE: &[u8] = b"*3\r\n$3\r\nSET\r\n$7\r\nnot:key\r\n$9\r\nnot:value\r\n";

/// The start of the 30 days of expiry times, 2100-01-01 UTC, so that a log generated today still loads the same in
/// years.
const EXPIRY_MS: u64 = 4_102_444_800_000;
const EXPIRY_SPREAD_MS: u64 = 30 * 24 * 3600 * 1000;

/// The start of stream entry IDs; each entry of the log has a higher ID than the previous one.
const STREAM_MS: u64 = 1_700_000_000_000;

/// The number of members that a set, a sorted set or a hash draws from.
const MEMBERS: u64 = 1000;
const FIELDS: u64 = 16;

/// The names of one type: their number and distribution.
struct Names {
    pool: Pool,
    count: u64,
    /// The index of the first name in the bitmap of keys.
    first: u64,
    zipf: Option<Zipf>,
}

/// Draws commands and writes their frames.
pub(super) struct Log<'a> {
    options: &'a GenerateOptions,
    progress: &'a dyn Progress,
    buffer_bytes: usize,
    buffer: Vec<u8>,
    random: Random,
    kinds: Vec<Kind>,
    names: Vec<Names>,
    keys_per_database: u64,
    /// One bit for each key and database: whether it was written to.
    written: Vec<u64>,
    /// Random text followed by lookalike text, each `value_bytes` longer than the range of value starts.
    text: Vec<u8>,
    lookalike: Vec<u8>,
    transactions: Share,
    lookalikes: Share,
    /// The database of the last `SELECT` in this file.
    selected: Option<u32>,
    database: u32,
    /// The time of the last annotation, in Unix seconds.
    annotated: Option<u64>,
    entries: u64,
    counts: Counts,
}

impl<'a> Log<'a> {
    pub(super) fn new(
        options: &'a GenerateOptions,
        progress: &'a dyn Progress,
        buffer: usize,
    ) -> Self {
        let mut random = Random::new(options.seed);
        let pools = options.mix.pools();
        let types = as_u64(pools.len());
        let mut first = 0;
        let names: Vec<Names> = (0..)
            .zip(pools)
            .map(|(i, pool)| {
                let count = (options.keys / types + u64::from(i < options.keys % types)).max(2);
                let names = Names {
                    pool,
                    count,
                    first,
                    zipf: (options.skew == Skew::Zipf).then(|| Zipf::new(count)),
                };
                first += count;
                names
            })
            .collect();
        let longest = usize::try_from(*options.value_bytes.end()).unwrap_or(usize::MAX);
        let text = text(&mut random, TEXT_BYTES.saturating_add(longest));
        let lookalike = LOOKALIKE.iter().copied().cycle().take(longest).collect();
        let keys = first.saturating_mul(u64::from(options.databases));
        Log {
            options,
            progress,
            buffer_bytes: buffer,
            buffer: Vec::with_capacity(buffer.saturating_add(1 << 12)),
            random,
            kinds: options.mix.table(),
            names,
            keys_per_database: first,
            written: vec![0; usize::try_from(keys.div_ceil(64)).unwrap_or(usize::MAX)],
            text,
            lookalike,
            transactions: Share::new(options.transactions),
            lookalikes: Share::new(options.lookalikes),
            selected: None,
            database: 0,
            annotated: None,
            entries: 0,
            counts: Counts::default(),
        }
    }

    /// Returns the number of bytes written so far, in all parts.
    pub(super) fn bytes(&self) -> u64 {
        self.counts.bytes
    }

    /// Returns the counts so far, in all parts.
    pub(super) fn counts(&self) -> Counts {
        let mut counts = self.counts;
        counts.keys = self.written.iter().map(|w| u64::from(w.count_ones())).sum();
        counts
    }

    /// Writes one part of drawn commands, up to `part` of `parts` of the requested amount.
    pub(super) fn commands(
        &mut self,
        out: &mut dyn Write,
        part: u64,
        parts: u64,
    ) -> io::Result<()> {
        self.selected = None;
        let end = self.options.amount.share(part, parts);
        while !self.reached(end) {
            self.unit();
            self.flush_full(out)?;
        }
        self.flush(out)
    }

    /// Writes one part as a rewrite would: each key of each database once, until all are written or `part` of `parts`
    /// of the requested amount is reached.
    pub(super) fn rewrite(&mut self, out: &mut dyn Write, part: u64, parts: u64) -> io::Result<()> {
        self.selected = None;
        self.annotate();
        let databases = u64::from(self.options.databases);
        for database in 0..self.options.databases {
            // Each database gets an equal fraction of this part; otherwise the first would take all of it.
            let done = (part - 1) * databases + u64::from(database) + 1;
            let end = self.options.amount.share(done, parts.saturating_mul(databases));
            self.database = database;
            let most = self.names.iter().map(|names| names.count).max().unwrap_or(0);
            'keys: for id in 0..most {
                for i in 0..self.names.len() {
                    if self.reached(end) {
                        break 'keys;
                    }
                    if id < self.names[i].count {
                        self.select();
                        self.rewritten(i, id);
                        self.flush_full(out)?;
                    }
                }
            }
        }
        self.database = 0;
        self.flush(out)
    }

    fn reached(&self, end: Amount) -> bool {
        match end {
            Amount::Bytes(bytes) => self.counts.bytes + as_u64(self.buffer.len()) >= bytes,
            Amount::Commands(commands) => self.counts.writes >= commands,
        }
    }

    fn flush_full(&mut self, out: &mut dyn Write) -> io::Result<()> {
        if self.buffer.len() >= self.buffer_bytes {
            self.flush(out)?;
        }
        Ok(())
    }

    fn flush(&mut self, out: &mut dyn Write) -> io::Result<()> {
        out.write_all(&self.buffer)?;
        let bytes = as_u64(self.buffer.len());
        self.counts.bytes += bytes;
        self.progress.advance(bytes);
        self.buffer.clear();
        self.progress.check_io()
    }

    /// Writes one command, or one transaction of two to five, preceded by its annotation and `SELECT`.
    fn unit(&mut self) {
        self.annotate();
        if self.options.databases > 1 && self.random.below(16) == 0 {
            let database = self.random.below(u64::from(self.options.databases));
            self.database = u32::try_from(database).unwrap_or(0);
        }
        self.select();
        if self.random.chance(self.transactions) {
            self.fixed(b"*1\r\n$5\r\nMULTI\r\n");
            for _ in 0..2 + self.random.below(4) {
                self.command();
            }
            self.fixed(b"*1\r\n$4\r\nEXEC\r\n");
            self.counts.transactions += 1;
        } else {
            self.command();
        }
    }

    /// Writes an annotation if the clock of the log has advanced, which it does every `commands_per_second` commands.
    fn annotate(&mut self) {
        let Some(start) = self.options.timestamps else {
            return;
        };
        let now =
            start.saturating_add(self.counts.writes / self.options.commands_per_second.max(1));
        if self.annotated != Some(now) {
            self.annotated = Some(now);
            self.buffer.extend_from_slice(b"#TS:");
            self.digits(now);
            self.buffer.extend_from_slice(b"\r\n");
            self.counts.annotations += 1;
        }
    }

    fn select(&mut self) {
        if self.selected != Some(self.database) {
            self.selected = Some(self.database);
            self.fixed(b"*2\r\n$6\r\nSELECT\r\n");
            self.number(u64::from(self.database));
        }
    }

    /// Writes a complete command, or the start of one, without any key.
    fn fixed(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
        self.counts.commands += 1;
    }

    /// Writes the start of a write command: the number of arguments and the name.
    fn head(&mut self, bytes: &[u8]) {
        self.fixed(bytes);
        self.counts.writes += 1;
    }

    /// Writes one command, drawn by weight.
    fn command(&mut self) {
        let drawn = self.below_len(self.kinds.len());
        let kind = self.kinds[drawn];
        let names = match kind.pool() {
            Some(pool) => self.names.iter().position(|names| names.pool == pool),
            None => None,
        }
        .unwrap_or_else(|| self.below_len(self.names.len()));
        match kind {
            Kind::Set => {
                self.head(b"*3\r\n$3\r\nSET\r\n");
                self.key(names);
                self.value();
            }
            Kind::SetPxat => {
                self.head(b"*5\r\n$3\r\nSET\r\n");
                self.key(names);
                self.value();
                self.buffer.extend_from_slice(b"$4\r\nPXAT\r\n");
                self.expiry();
            }
            Kind::Append => {
                self.head(b"*3\r\n$6\r\nAPPEND\r\n");
                self.key(names);
                self.value();
            }
            Kind::Mset => {
                self.head(b"*7\r\n$4\r\nMSET\r\n");
                for _ in 0..3 {
                    self.key(names);
                    self.value();
                }
            }
            Kind::Copy => {
                self.head(b"*4\r\n$4\r\nCOPY\r\n");
                self.pair(names);
                self.buffer.extend_from_slice(b"$7\r\nREPLACE\r\n");
            }
            Kind::Incr => {
                self.head(b"*2\r\n$4\r\nINCR\r\n");
                self.key(names);
            }
            Kind::Hset => {
                self.head(b"*4\r\n$4\r\nHSET\r\n");
                self.key(names);
                self.member(b"field:", FIELDS);
                self.value();
            }
            Kind::Hincrby => {
                self.head(b"*4\r\n$7\r\nHINCRBY\r\n");
                self.key(names);
                self.member(b"visits:", FIELDS);
                self.small_number();
            }
            Kind::Hdel => {
                self.head(b"*3\r\n$4\r\nHDEL\r\n");
                self.key(names);
                self.member(b"field:", FIELDS);
            }
            Kind::Rpush => {
                self.head(b"*3\r\n$5\r\nRPUSH\r\n");
                self.key(names);
                self.value();
            }
            Kind::Lpush => {
                self.head(b"*3\r\n$5\r\nLPUSH\r\n");
                self.key(names);
                self.value();
            }
            Kind::Lpop => {
                self.head(b"*2\r\n$4\r\nLPOP\r\n");
                self.key(names);
            }
            Kind::Lmove => {
                self.head(b"*5\r\n$5\r\nLMOVE\r\n");
                self.pair(names);
                self.buffer.extend_from_slice(b"$4\r\nLEFT\r\n$5\r\nRIGHT\r\n");
            }
            Kind::Sadd => {
                self.head(b"*4\r\n$4\r\nSADD\r\n");
                self.key(names);
                self.member(b"member:", MEMBERS);
                self.member(b"member:", MEMBERS);
            }
            Kind::Srem => {
                self.head(b"*3\r\n$4\r\nSREM\r\n");
                self.key(names);
                self.member(b"member:", MEMBERS);
            }
            Kind::Sunionstore => {
                self.head(b"*4\r\n$11\r\nSUNIONSTORE\r\n");
                self.key(names);
                self.named(names);
                self.named(names);
            }
            Kind::Zadd => {
                self.head(b"*4\r\n$4\r\nZADD\r\n");
                self.key(names);
                self.score();
                self.member(b"member:", MEMBERS);
            }
            Kind::Zincrby => {
                self.head(b"*4\r\n$7\r\nZINCRBY\r\n");
                self.key(names);
                self.small_number();
                self.member(b"member:", MEMBERS);
            }
            Kind::Zrem => {
                self.head(b"*3\r\n$4\r\nZREM\r\n");
                self.key(names);
                self.member(b"member:", MEMBERS);
            }
            Kind::Xadd => {
                self.head(b"*5\r\n$4\r\nXADD\r\n");
                self.key(names);
                self.entry();
            }
            Kind::Pexpireat => {
                self.head(b"*3\r\n$9\r\nPEXPIREAT\r\n");
                self.named(names);
                self.expiry();
            }
            Kind::Del => {
                self.head(b"*2\r\n$3\r\nDEL\r\n");
                self.named(names);
            }
            Kind::Unlink => {
                self.head(b"*2\r\n$6\r\nUNLINK\r\n");
                self.named(names);
            }
            Kind::Flushdb => self.head(b"*1\r\n$7\r\nFLUSHDB\r\n"),
            Kind::Flushall => self.head(b"*1\r\n$8\r\nFLUSHALL\r\n"),
        }
    }

    /// Writes one key as a rewrite does.
    fn rewritten(&mut self, names: usize, id: u64) {
        match self.names[names].pool {
            Pool::Text => {
                self.head(b"*3\r\n$3\r\nSET\r\n");
                self.key_numbered(names, id);
                self.value();
            }
            Pool::Counter => {
                self.head(b"*3\r\n$3\r\nSET\r\n");
                self.key_numbered(names, id);
                self.small_number();
            }
            Pool::Hash => {
                self.head(b"*6\r\n$5\r\nHMSET\r\n");
                self.key_numbered(names, id);
                self.member(b"field:", FIELDS);
                self.value();
                self.member(b"visits:", FIELDS);
                self.small_number();
            }
            Pool::List => {
                self.head(b"*4\r\n$5\r\nRPUSH\r\n");
                self.key_numbered(names, id);
                self.value();
                self.value();
            }
            Pool::Set => {
                self.head(b"*4\r\n$4\r\nSADD\r\n");
                self.key_numbered(names, id);
                self.member(b"member:", MEMBERS);
                self.member(b"member:", MEMBERS);
            }
            Pool::SortedSet => {
                self.head(b"*6\r\n$4\r\nZADD\r\n");
                self.key_numbered(names, id);
                self.score();
                self.member(b"member:", MEMBERS);
                self.score();
                self.member(b"member:", MEMBERS);
            }
            Pool::Stream => {
                self.head(b"*5\r\n$4\r\nXADD\r\n");
                self.key_numbered(names, id);
                self.entry();
            }
        }
    }

    fn below_len(&mut self, len: usize) -> usize {
        usize::try_from(self.random.below(as_u64(len))).unwrap_or(0)
    }

    fn draw(&mut self, names: usize) -> u64 {
        let names = &self.names[names];
        match &names.zipf {
            Some(zipf) => zipf.draw(&mut self.random),
            None => self.random.below(names.count),
        }
    }

    /// Writes the name of a key that the command writes.
    fn key(&mut self, names: usize) {
        let id = self.draw(names);
        self.key_numbered(names, id);
    }

    /// Writes two different keys, as COPY requires, the second of which is written.
    fn pair(&mut self, names: usize) {
        let from = self.draw(names);
        let to = self.draw(names);
        let to = if to == from { (to + 1) % self.names[names].count } else { to };
        self.member_numbered(self.names[names].pool.prefix().as_bytes(), from);
        self.key_numbered(names, to);
    }

    /// Writes the name of a key that the command reads, removes or gives an expiry.
    fn named(&mut self, names: usize) {
        let id = self.draw(names);
        self.member_numbered(self.names[names].pool.prefix().as_bytes(), id);
    }

    fn key_numbered(&mut self, names: usize, id: u64) {
        let bit = u64::from(self.database) * self.keys_per_database + self.names[names].first + id;
        if let Some(word) = usize::try_from(bit / 64).ok().and_then(|i| self.written.get_mut(i)) {
            *word |= 1 << (bit % 64);
        }
        self.member_numbered(self.names[names].pool.prefix().as_bytes(), id);
    }

    fn member(&mut self, prefix: &[u8], below: u64) {
        let id = self.random.below(below);
        self.member_numbered(prefix, id);
    }

    /// Writes the argument `<prefix><id>`.
    #[inline]
    fn member_numbered(&mut self, prefix: &[u8], id: u64) {
        let mut digits = itoa::Buffer::new();
        let digits = digits.format(id).as_bytes();
        self.length(prefix.len() + digits.len());
        self.buffer.extend_from_slice(prefix);
        self.buffer.extend_from_slice(digits);
        self.buffer.extend_from_slice(b"\r\n");
    }

    /// Writes `number` as an argument.
    fn number(&mut self, number: u64) {
        self.member_numbered(b"", number);
    }

    fn small_number(&mut self) {
        let number = self.random.below(1000);
        self.number(number);
    }

    /// Writes an expiry time in Unix milliseconds.
    fn expiry(&mut self) {
        let ms = EXPIRY_MS + self.random.below(EXPIRY_SPREAD_MS);
        self.number(ms);
    }

    /// Writes a score in quarters: short in decimal and exact in binary, so that all servers print it alike.
    fn score(&mut self) {
        let quarters = self.random.below(400_000);
        let mut digits = itoa::Buffer::new();
        let digits = digits.format(quarters / 4).as_bytes();
        let fraction: &[u8] = match quarters % 4 {
            0 => b"",
            1 => b".25",
            2 => b".5",
            _ => b".75",
        };
        self.length(digits.len() + fraction.len());
        self.buffer.extend_from_slice(digits);
        self.buffer.extend_from_slice(fraction);
        self.buffer.extend_from_slice(b"\r\n");
    }

    /// Writes the ID, a field and a value of a stream entry.
    fn entry(&mut self) {
        self.entries += 1;
        let mut digits = itoa::Buffer::new();
        let digits = digits.format(STREAM_MS + self.entries).as_bytes();
        self.length(digits.len() + 2);
        self.buffer.extend_from_slice(digits);
        self.buffer.extend_from_slice(b"-0\r\n");
        self.member(b"field:", FIELDS);
        self.value();
    }

    /// Writes a value: random text, or sometimes text that resembles commands.
    fn value(&mut self) {
        let (low, high) = (*self.options.value_bytes.start(), *self.options.value_bytes.end());
        let len = low + self.random.below(high - low + 1);
        let len = usize::try_from(len).unwrap_or(usize::MAX);
        self.length(len);
        if self.random.chance(self.lookalikes) {
            self.buffer.extend_from_slice(&self.lookalike[..len]);
        } else {
            let from = self.below_len(TEXT_BYTES);
            self.buffer.extend_from_slice(&self.text[from..from + len]);
        }
        self.buffer.extend_from_slice(b"\r\n");
    }

    /// Writes `$<len>` and its line ending.
    #[inline]
    fn length(&mut self, len: usize) {
        let mut digits = itoa::Buffer::new();
        let digits = digits.format(len).as_bytes();
        self.buffer.push(b'$');
        self.buffer.extend_from_slice(digits);
        self.buffer.extend_from_slice(b"\r\n");
    }

    fn digits(&mut self, number: u64) {
        let mut digits = itoa::Buffer::new();
        self.buffer.extend_from_slice(digits.format(number).as_bytes());
    }
}

impl Amount {
    /// Returns the amount scaled by `part` / `parts`.
    fn share(self, part: u64, parts: u64) -> Amount {
        let of = |whole: u64| {
            let share = u128::from(whole) * u128::from(part) / u128::from(parts.max(1));
            u64::try_from(share).unwrap_or(whole)
        };
        match self {
            Amount::Bytes(bytes) => Amount::Bytes(of(bytes)),
            Amount::Commands(commands) => Amount::Commands(of(commands)),
        }
    }
}

/// Returns random letters, digits, `-` and `_`, eight for each random number.
fn text(random: &mut Random, bytes: usize) -> Vec<u8> {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = Vec::with_capacity(bytes.saturating_add(8));
    while text.len() < bytes {
        let letters = random.next().to_le_bytes();
        text.extend(letters.map(|byte| ALPHABET[usize::from(byte & 63)]));
    }
    text.truncate(bytes);
    text
}

/// Converts a length in memory to 64 bits.
fn as_u64(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}
