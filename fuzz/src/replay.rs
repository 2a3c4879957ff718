//! Logs: replayed and written in both forms.

use std::fmt::Write as _;

use aofkit::aof::read_args;
use aofkit::base::progress::Silent;
use aofkit::base::server::{Server, redis, valkey};
use aofkit::command::{Applied, Call, Context, Group, Position, Warnings, lookup, run_unknown};
use aofkit::keyspace::fingerprint::{Detail, Fingerprint};
use aofkit::keyspace::from_rdb::Loader;
use aofkit::keyspace::{Bump, Entry, Functions, Keyspace, Value};
use aofkit::rdb::write::{Options, WriteError, Writer};
use aofkit::rdb::{Target, walk};
use aofkit::rewrite::commands::{CommandWriter, Unwritable};
use aofkit::rewrite::rdb::{KeyError, write_key};

use super::log::log_of;

/// The current time of the replay, in Unix milliseconds.
const NOW_MS: i64 = 1_700_000_000_000;

/// The servers, and the time of loading for those that ignore hash fields that have expired by then.
const REPLAYED_AS: [(Server, Option<i64>); 6] = [
    (redis(6, 0), None),
    (redis(6, 2), None),
    (redis(7, 0), None),
    (redis(8, 2), None),
    (redis(8, 2), Some(NOW_MS)),
    (valkey(9, 1), None),
];

/// Every log is replayed without a panic, and the resulting data are the same after a round trip through commands and
/// through an RDB.
pub fn replay(bytes: &[u8]) {
    let log = log_of(bytes);
    for (server, fields_expire_ms) in REPLAYED_AS {
        let replayer = Replayer { server, fields_expire_ms };
        let arena = Bump::new();
        let mut keyspace = Keyspace::new(&arena);
        replayer.run(&log, &mut keyspace, false);
        replayer.through_commands(&keyspace);
        replayer.through_rdb(&keyspace);
    }
}

struct Replayer {
    server: Server,
    fields_expire_ms: Option<i64>,
}

impl Replayer {
    /// Applies each command of a log. If aofkit has written the log (`ours`), no command may fail.
    fn run<'a>(&self, log: &'a [u8], keyspace: &mut Keyspace<'a>, ours: bool) {
        let context = Context {
            server: self.server,
            fields_expire_ms: self.fields_expire_ms,
            hll_sparse_max_bytes: 3000,
            clock: &|_| NOW_MS,
            owns: &|_| true,
        };
        let mut warnings = Warnings::default();
        let mut args = Vec::new();
        let (mut at, mut db) = (0, 0);
        while let Some(end) = read_args(log, at, &mut args) {
            let mut call = Call {
                args: &args,
                frame: &log[at..end],
                at: Position { part: 0, offset: at as u64 },
                db,
                keyspace,
                context: &context,
                warnings: &mut warnings,
            };
            if call.is(0, "SELECT") && args.len() == 2 {
                // The input selects only 16 databases, so that commands share keys. COPY and MOVE can reach others.
                let number = call.int(1).map(|number| if ours { number } else { number % 16 });
                db = number.map_or(db, |number| u32::try_from(number).unwrap_or(0));
            } else {
                let applied = apply(&mut call);
                if ours && let Err(error) = applied {
                    let frame = log[at..end].escape_ascii();
                    panic!("{}: a written command fails: {frame}: {error:?}", self.server);
                }
            }
            at = end;
        }
        if ours {
            assert_eq!(at, log.len(), "{}: the written log is damaged", self.server);
        }
    }

    fn through_commands(&self, keyspace: &Keyspace<'_>) {
        let detail = Detail::of_commands(self.server);
        let mut writer = CommandWriter::new(self.server);
        let mut before = WrittenKeys::new(detail);
        for db in keyspace.databases() {
            writer.select(db.number());
            for entry in db.entries().filter(|entry| !self.is_left_out(entry)) {
                match writer.key(entry) {
                    Ok(()) => before.add(db.number(), entry),
                    Err(
                        Unwritable::Module
                        | Unwritable::FieldExpiry
                        | Unwritable::Producers
                        | Unwritable::ProducedEntry
                        | Unwritable::GivenBack
                        | Unwritable::Array
                        | Unwritable::Metadata,
                    ) => {}
                    Err(error) => panic!("{}: {error}", self.server),
                }
            }
        }
        let written = writer.take();
        let arena = Bump::new();
        let mut again = Keyspace::new(&arena);
        self.run(&written, &mut again, true);
        before.compare(&again, self.server, &written);
    }

    fn through_rdb(&self, keyspace: &Keyspace<'_>) {
        let target = Target::for_server(self.server).expect("a version");
        let options = Options { drop_bookkeeping: true, ..Options::default() };
        let mut written = Vec::new();
        let mut writer = Writer::new(&mut written, target, &options);
        let mut before = WrittenKeys::new(Detail::of_rdb(target));
        for db in keyspace.databases() {
            writer
                .select_db(u64::from(db.number()), db.len() as u64, 0)
                .expect("written to memory");
            for entry in db.entries().filter(|entry| !self.is_left_out(entry)) {
                match write_key(&mut writer, entry) {
                    Ok(()) => before.add(db.number(), entry),
                    Err(
                        KeyError::Opaque { .. }
                        | KeyError::Unsupported { .. }
                        | KeyError::Write(WriteError::Unfit(_)),
                    ) => {}
                    Err(error) => panic!("{}: {error}", self.server),
                }
            }
        }
        writer.finish().expect("written to memory");
        before.compare_rdb(&written, self.server);
    }

    /// Returns whether the entry is not written. On Redis 6.2, an HINCRBYFLOAT that fails on a missing key leaves an empty
    /// hash, which a rewrite does not write. aofkit does the same.
    fn is_left_out(&self, entry: &Entry<'_>) -> bool {
        let empty = entry.value.lacks_elements();
        let is_known_case = matches!(entry.value, Value::Hash(_)) && !self.server.has_redis(7, 0);
        assert!(!empty || is_known_case, "{}: an empty value", self.server);
        empty
    }
}

/// Applies a command as a replay does.
fn apply(call: &mut Call<'_, '_>) -> Applied {
    match lookup(call.args[0]).map(|id| id.row()) {
        Some(row) if row.group != Group::Vector || !row.writes => row.run(call),
        _ => run_unknown(call, 1),
    }
}

/// The fingerprints of the written keys.
pub(super) struct WrittenKeys {
    detail: Detail,
    sum: Fingerprint,
    keys: Vec<(u32, Vec<u8>, u128)>,
}

impl WrittenKeys {
    pub(super) fn new(detail: Detail) -> Self {
        WrittenKeys { detail, sum: Fingerprint::default(), keys: Vec::new() }
    }

    pub(super) fn add(&mut self, db: u32, entry: &Entry<'_>) {
        self.sum.add(db, entry, self.detail);
        let sum = Fingerprint::default().of_entry(db, entry, self.detail);
        self.keys.push((db, entry.key().to_vec(), sum));
    }

    /// Compares the written keys with those of an RDB. Returns the functions of the RDB.
    pub(super) fn compare_rdb(&self, written: &[u8], server: Server) -> Functions {
        let arena = Bump::new();
        let mut again = Keyspace::new(&arena);
        let mut loader = Loader::new(&mut again, server, &|_| true);
        if let Err(damage) = walk(written, &mut loader, &Silent) {
            panic!("{server}: the written RDB is damaged: {damage}: {}", written.escape_ascii());
        }
        let functions = match loader.finish() {
            Ok(non_key_data) => non_key_data.functions,
            Err(fault) => panic!("{server}: the written RDB is not loaded: {fault}"),
        };
        self.compare(&again, server, written);
        functions
    }

    fn compare(&self, again: &Keyspace<'_>, server: Server, written: &[u8]) {
        let mut sum = Fingerprint::default();
        sum.add_all(again, self.detail);
        if sum == self.sum {
            return;
        }
        let mut found = WrittenKeys::new(self.detail);
        for db in again.databases() {
            db.entries().for_each(|entry| found.add(db.number(), entry));
        }
        let mut message = format!("{server}: the data differ after a round trip:");
        for (mark, keys, others) in [('-', &self.keys, &found.keys), ('+', &found.keys, &self.keys)]
        {
            for key in keys.iter().filter(|key| !others.contains(key)) {
                let _ = write!(message, " {mark}{}:{}", key.0, key.1.escape_ascii());
            }
        }
        panic!("{message}\n{}", written.escape_ascii());
    }
}
