//! RDB files: loaded and written again.

use aofkit::base::progress::Silent;
use aofkit::base::server::{Server, redis, valkey};
use aofkit::keyspace::fingerprint::Detail;
use aofkit::keyspace::from_rdb::Loader;
use aofkit::keyspace::{Bump, Keyspace};
use aofkit::rdb::write::{Options, WriteError, Writer};
use aofkit::rdb::{Target, walk};
use aofkit::rewrite::rdb::{KeyError, write_key};

use super::replay::WrittenKeys;

/// Every version that aofkit writes, and a server that writes it.
const WRITTEN: [(Target, Server); 5] = [
    (Target::REDIS_9, redis(6, 2)),
    (Target::REDIS_10, redis(7, 0)),
    (Target::REDIS_11, redis(7, 2)),
    (Target::REDIS_12, redis(8, 2)),
    (Target::VALKEY_80, valkey(9, 1)),
];

/// The keys and functions of an RDB are the same after a round trip through each version that supports them.
pub fn rdb_write(bytes: &[u8]) {
    for (number, (target, server)) in WRITTEN.into_iter().enumerate() {
        let arena = Bump::new();
        let mut keyspace = Keyspace::new(&arena);
        let mut loader = Loader::new(&mut keyspace, server, &|_| true);
        if walk(bytes, &mut loader, &Silent).is_err() {
            return;
        }
        // Unsupported values are reported; all others are loaded.
        let non_key_data = loader.finish().unwrap_or_default();
        let options =
            Options { compress: number % 2 == 0, drop_bookkeeping: true, ..Options::default() };
        let mut written = Vec::new();
        let mut writer = Writer::new(&mut written, target, &options);
        for (_, library) in non_key_data.functions.iter() {
            match writer.function(library.code()) {
                Ok(()) | Err(WriteError::Unfit(_)) => {}
                Err(error) => panic!("{target}: {error}"),
            }
        }
        let mut before = WrittenKeys::new(Detail::of_rdb(target));
        for db in keyspace.databases() {
            let selected = writer.select_db(u64::from(db.number()), db.len() as u64, 0);
            selected.expect("written to memory");
            for entry in db.entries() {
                match write_key(&mut writer, entry) {
                    Ok(()) => before.add(db.number(), entry),
                    Err(KeyError::Unsupported { .. } | KeyError::Write(WriteError::Unfit(_))) => {}
                    Err(error) => panic!("{target}: {error}"),
                }
            }
        }
        writer.finish().expect("written to memory");
        let functions = before.compare_rdb(&written, server);
        if server.has_redis(7, 0) {
            assert_eq!(functions, non_key_data.functions, "{target}");
        }
    }
}
