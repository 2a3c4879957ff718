//! A log and a running server.

use std::path::Path;
use std::sync::{Mutex, PoisonError};

use super::super::{DiffOptions, DiffReport, OnDifference, Side, detail_of};
use super::findings::{Findings, Pending};
use super::judge::{Judge, Verdict, common_detail, detail_of_server};
use super::side::{functions_of_nodes, side_of};
use crate::analysis::data_filter::{Filter, LeftOut};
use crate::analysis::key_hashes::{KeyHashes, key_hash};
use crate::aof::log::Log;
use crate::base::error::Result;
use crate::base::progress::Progress;
use crate::base::server::Product;
use crate::input::open_log;
use crate::keyspace::Keyspace;
use crate::keyspace::fingerprint::Detail;
use crate::live::dump::KeyReader;
use crate::live::endpoint::Endpoint;
use crate::live::running::RunningServer;
use crate::live::scan::scan_keys;
use crate::replay::pair::each_window;
use crate::replay::{ReplayOptions, ReplayStats, Routing, replay, route};

/// The number of keys that the server is asked for at once.
const BATCH: usize = 512;

/// Compares a log, the side number `log_side`, with a running server.
pub(super) fn diff(
    path: &Path,
    log_side: usize,
    endpoint: &Endpoint,
    options: &DiffOptions,
    found: Option<&mut OnDifference<'_>>,
    progress: &dyn Progress,
) -> Result<DiffReport> {
    // A server that cannot be used is noticed before a large log is read.
    let server = RunningServer::connect(endpoint)?;
    let log = open_log(path, progress)?;
    let report = diff_log(&log, log_side, &server, options, found, progress);
    log.name_archive(report)
}

fn diff_log(
    log: &Log,
    log_side: usize,
    server: &RunningServer,
    options: &DiffOptions,
    mut found: Option<&mut OnDifference<'_>>,
    progress: &dyn Progress,
) -> Result<DiffReport> {
    let routing = route(log, &options.route, progress)?;
    let detail = common_detail([detail_of([log]), detail_of_server(server.line())]);
    let run = Run {
        server,
        log_side,
        filter: &options.filter,
        detail,
        is_listing: found.is_some(),
        readers: Mutex::default(),
        progress,
    };
    let mut findings = Findings::new(run.is_listing);
    let mut hashes = KeyHashes::default();
    let replaying = replay_options(&options.replay, server);
    let stats = run.replay(&routing, &replaying, &mut findings, &mut hashes, &mut found)?;
    run.scan(&mut findings, &mut hashes, &mut found)?;
    let functions_differ = match options.filter.is_none() {
        true => functions_differ(&routing, &replaying, server)?,
        false => None,
    };
    let counts = &findings.counts;
    let of_log = Side::new(&log.path, routing.whole(), &stats, counts.left_out[log_side]);
    let of_server = side_of(server, counts.left_out[1 - log_side]);
    let sides = if log_side == 0 { [of_log, of_server] } else { [of_server, of_log] };
    Ok(DiffReport::new(sides, counts, functions_differ, Some(findings.running)))
}

/// Returns the options of a replay as the server would do it now.
fn replay_options(options: &ReplayOptions, server: &RunningServer) -> ReplayOptions {
    // Redis ignores expired hash fields when it loads a log; Valkey does not.
    let line = server.line();
    let forgets = line.product == Product::Redis && line.has_redis(7, 4);
    ReplayOptions {
        fields_expire_ms: options.fields_expire_ms.or(forgets.then(|| server.now_ms())),
        ..options.clone()
    }
}

fn functions_differ(
    routing: &Routing<'_>,
    options: &ReplayOptions,
    server: &RunningServer,
) -> Result<Option<bool>> {
    let reading = options.server.unwrap_or_else(|| routing.whole().origin().reading());
    let of_log = routing.whole().non_key(reading)?.functions;
    let of_nodes = functions_of_nodes(server)?;
    Ok(of_nodes.map(|nodes| nodes.iter().any(|of_node| *of_node != of_log)))
}

/// A comparison of a log with a server.
struct Run<'r> {
    server: &'r RunningServer,
    log_side: usize,
    filter: &'r Filter,
    detail: Detail,
    is_listing: bool,
    /// Those that no thread uses.
    readers: Mutex<Vec<Reader<'r>>>,
    progress: &'r dyn Progress,
}

/// Connections, and memory that is reused.
struct Reader<'s> {
    keys: KeyReader<'s>,
    judge: Judge,
}

/// What was found in a shard, and the hashes of its keys.
struct Shard {
    findings: Findings,
    hashes: Vec<u128>,
}

impl<'r> Run<'r> {
    fn with_reader<T>(&self, read: impl FnOnce(&mut Reader<'r>) -> Result<T>) -> Result<T> {
        let lock = || self.readers.lock().unwrap_or_else(PoisonError::into_inner);
        let free = lock().pop();
        let mut reader = free.unwrap_or_else(|| Reader {
            keys: KeyReader::new(self.server),
            judge: Judge::new(&[self.server], self.detail),
        });
        let result = read(&mut reader);
        lock().push(reader);
        result
    }

    /// Compares the keys of the log, shard by shard.
    fn replay(
        &self,
        routing: &Routing<'_>,
        options: &ReplayOptions,
        findings: &mut Findings,
        hashes: &mut KeyHashes,
        found: &mut Option<&mut OnDifference<'_>>,
    ) -> Result<ReplayStats> {
        each_window(routing, "replay", self.progress, |routed| {
            let make = |_, keyspace: &mut Keyspace<'_>| {
                self.with_reader(|reader| self.shard(keyspace, reader))
            };
            let take = |_, shard: Shard| {
                findings.join(shard.findings);
                hashes.extend(shard.hashes);
                findings.report(found)
            };
            replay(routed, options, self.progress, make, take)
        })
    }

    fn shard(&self, keyspace: &mut Keyspace<'_>, reader: &mut Reader<'r>) -> Result<Shard> {
        let mut shard = Shard { findings: Findings::new(self.is_listing), hashes: Vec::new() };
        let numbers: Vec<u32> = keyspace.databases().map(|db| db.number()).collect();
        for db in numbers {
            let entries = keyspace.db(db).entries().filter(|entry| !entry.value.lacks_elements());
            let mut keys: Vec<&[u8]> = entries.map(|entry| entry.key()).collect();
            let all = keys.len();
            keys.retain(|key| self.wants(db, key));
            let unwanted = (all - keys.len()) as u64;
            shard.findings.counts.left_out[self.log_side].unwanted += unwanted;
            shard.hashes.extend(keys.iter().map(|key| key_hash(db, key)));
            let mut again = Vec::new();
            for keys in keys.chunks(BATCH) {
                self.progress.check()?;
                self.ask(db, keys, keyspace, reader, |key, verdict, is_expired| {
                    if verdict.is_difference() {
                        again.push(key);
                    } else {
                        shard.add(self.log_side, db, key, verdict, is_expired);
                    }
                })?;
            }
            for keys in again.chunks(BATCH) {
                self.ask(db, keys, keyspace, reader, |key, verdict, is_expired| {
                    shard.findings.counts.left_out[self.log_side].expired += u64::from(is_expired);
                    shard.findings.add_again(db, key, verdict);
                })?;
            }
        }
        Ok(shard)
    }

    /// Asks the server for keys of the log, and passes on what follows.
    fn ask<'a>(
        &self,
        db: u32,
        keys: &[&'a [u8]],
        keyspace: &mut Keyspace<'a>,
        reader: &mut Reader<'r>,
        mut each: impl FnMut(&'a [u8], Verdict, bool),
    ) -> Result<()> {
        let Reader { keys: key_reader, judge } = reader;
        key_reader.read(db, keys, &mut |found| {
            for (at, dumped) in found {
                let key = keys[at];
                let entry = keyspace.db(db).get_mut(key);
                let now_ms = self.now_ms();
                let of_key = (db, key);
                let (verdict, is_expired) =
                    judge.log_and_server(self.log_side, of_key, entry, dumped.as_ref(), now_ms);
                each(key, verdict, is_expired);
            }
            Ok(())
        })
    }

    /// Returns the time at which keys of the log have expired.
    fn now_ms(&self) -> i64 {
        let now = self.server.now_ms();
        self.filter.drop_expired_ms.map_or(now, |given| given.max(now))
    }

    fn wants(&self, db: u32, key: &[u8]) -> bool {
        self.filter.keys.wants_db(db) && self.filter.keys.wants_name(key)
    }

    /// Finds the keys that only the server has.
    fn scan(
        &self,
        findings: &mut Findings,
        hashes: &mut KeyHashes,
        found: &mut Option<&mut OnDifference<'_>>,
    ) -> Result<()> {
        self.progress.phase("scan", 0);
        let mut pending = Pending::default();
        let mut left_out = LeftOut::default();
        let moved = scan_keys(&mut self.server.clone(), self.progress, &mut |db, keys| {
            for key in keys {
                if !hashes.insert(db, &key) {
                    continue;
                }
                if self.wants(db, &key) {
                    pending.push(db, key);
                } else {
                    left_out.unwanted += 1;
                }
            }
            if pending.is_full() { self.settle(&mut pending, findings, found) } else { Ok(()) }
        })?;
        findings.running.slots_moved |= moved;
        findings.counts.left_out[1 - self.log_side].join(left_out);
        self.settle(&mut pending, findings, found)
    }

    /// Asks for keys that the log does not have.
    fn settle(
        &self,
        pending: &mut Pending,
        findings: &mut Findings,
        found: &mut Option<&mut OnDifference<'_>>,
    ) -> Result<()> {
        self.with_reader(|Reader { keys: reader, judge }| {
            for (db, keys) in pending.take() {
                let keys: Vec<&[u8]> = keys.iter().map(Vec::as_slice).collect();
                reader.read(db, &keys, &mut |found| {
                    self.progress.check()?;
                    for (at, dumped) in found {
                        let of_key = (db, keys[at]);
                        let now_ms = self.now_ms();
                        let (verdict, _) = judge.log_and_server(
                            self.log_side,
                            of_key,
                            None,
                            dumped.as_ref(),
                            now_ms,
                        );
                        findings.add_again(db, keys[at], verdict);
                    }
                    Ok(())
                })?;
            }
            findings.report(found)
        })
    }
}

impl Shard {
    fn add(&mut self, log_side: usize, db: u32, key: &[u8], verdict: Verdict, is_expired: bool) {
        self.findings.counts.left_out[log_side].expired += u64::from(is_expired);
        self.findings.add(db, key, verdict);
    }
}
