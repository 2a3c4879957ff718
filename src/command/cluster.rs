//! The cluster and its slots.

use super::apply::{Applied, Call, Unapplied};
use super::number;
use super::row::{
    Command, Destruction, NO_KEYS, Subcommand, apart, plain, redis_only, since, sub, valkey_only,
    write,
};

#[rustfmt::skip]
pub(super) const ROWS: &[Command] = &[
    plain("ASKING",       1, since(3, 0),       NO_KEYS),
    write("CLUSTER",     -2, since(3, 0),       NO_KEYS).with(CLUSTER).by(cluster).destroys(Destruction::Slot),
    plain("CLUSTERSCAN", -2, valkey_only(9, 1), NO_KEYS),
    plain("READONLY",     1, since(3, 0),       NO_KEYS),
    plain("READWRITE",    1, since(3, 0),       NO_KEYS),
];

#[rustfmt::skip]
const CLUSTER: &[Subcommand] = &[
    sub("ADDSLOTS",              -3, since(3, 0),           NO_KEYS),
    sub("ADDSLOTSRANGE",         -4, since(7, 0),           NO_KEYS),
    sub("BUMPEPOCH",              2, since(3, 0),           NO_KEYS),
    sub("CANCELSLOTMIGRATIONS",   2, valkey_only(9, 0),     NO_KEYS),
    sub("COUNT-FAILURE-REPORTS",  3, since(3, 0),           NO_KEYS),
    sub("COUNTKEYSINSLOT",        3, since(3, 0),           NO_KEYS),
    sub("DELSLOTS",              -3, since(3, 0),           NO_KEYS),
    sub("DELSLOTSRANGE",         -4, since(7, 0),           NO_KEYS),
    sub("FAILOVER",              -2, since(3, 0),           NO_KEYS),
    sub("FLUSHSLOT",             -3, valkey_only(9, 0),     NO_KEYS).writes(),
    sub("FLUSHSLOTS",             2, since(3, 0),           NO_KEYS),
    sub("FORGET",                 3, since(3, 0),           NO_KEYS),
    sub("GETKEYSINSLOT",          4, since(3, 0),           NO_KEYS),
    sub("GETSLOTMIGRATIONS",      2, valkey_only(9, 0),     NO_KEYS),
    sub("HELP",                   2, since(5, 0),           NO_KEYS),
    sub("INFO",                   2, since(3, 0),           NO_KEYS),
    sub("KEYSLOT",                3, since(3, 0),           NO_KEYS),
    sub("LINKS",                  2, since(7, 0),           NO_KEYS),
    sub("MEET",                  -4, since(3, 0),           NO_KEYS),
    sub("MIGRATESLOTS",          -4, valkey_only(9, 0),     NO_KEYS),
    sub("MIGRATION",             -4, redis_only(8, 4),      NO_KEYS),
    sub("MYID",                   2, since(3, 0),           NO_KEYS),
    sub("MYSHARDID",              2, since(7, 2),           NO_KEYS),
    sub("NODES",                  2, since(3, 0),           NO_KEYS),
    sub("REPLICAS",               3, since(5, 0),           NO_KEYS),
    // `NO ONE` came with Valkey 9.0.
    sub("REPLICATE",             -3, since(3, 0),           NO_KEYS).until(valkey_only(9, 0), 3),
    sub("RESET",                 -2, since(3, 0),           NO_KEYS),
    sub("SAVECONFIG",             2, since(3, 0),           NO_KEYS),
    sub("SET-CONFIG-EPOCH",       3, since(3, 0),           NO_KEYS),
    sub("SETSLOT",               -4, since(3, 0),           NO_KEYS),
    sub("SHARDS",                 2, since(7, 0),           NO_KEYS),
    sub("SLAVES",                 3, since(3, 0),           NO_KEYS),
    sub("SLOT-STATS",            -4, apart((8, 2), (8, 0)), NO_KEYS),
    sub("SLOTS",                  2, since(3, 0),           NO_KEYS),
    // It has no write flag, yet a log that ends an import without success deletes the imported
    // keys.
    sub("SYNCSLOTS",             -3, apart((8, 4), (9, 0)), NO_KEYS).writes(),
];

fn cluster(call: &mut Call<'_, '_>) -> Applied {
    if call.is(1, "FLUSHSLOT") {
        return flushslot(call);
    }
    if call.is(1, "SYNCSLOTS") {
        return syncslots(call);
    }
    Ok(())
}

/// Deletes the keys of a slot in all databases: Valkey 9.0 supports more than one database in a
/// cluster.
fn flushslot(call: &mut Call<'_, '_>) -> Applied {
    let bad_slot = Unapplied::Failed("ERR Invalid or out of range slot");
    let slot = call.args.get(2).and_then(|text| number::integer(text)).ok_or(bad_slot)?;
    let slot = u16::try_from(slot).ok().filter(|slot| *slot < SLOTS).ok_or(bad_slot)?;
    let known = match call.args.len() {
        3 => true,
        4 => call.is(3, "SYNC") || call.is(3, "ASYNC"),
        _ => false,
    };
    if !known {
        return Err(Unapplied::SYNTAX);
    }
    let numbers: Vec<u32> = call.keyspace.databases().map(|db| db.number()).collect();
    for number in numbers {
        let db = call.keyspace.db(number);
        let keys = db.entries().map(|entry| entry.key());
        let keys: Vec<_> = keys.filter(|key| slot_of(key) == slot).collect();
        for key in keys {
            db.remove(key);
        }
    }
    Ok(())
}

/// An import of slots. The keys follow its beginning as commands, so only an end without success
/// has an effect: it deletes them again.
fn syncslots(call: &mut Call<'_, '_>) -> Applied {
    let state = (3..call.args.len().saturating_sub(1)).find(|at| call.is(*at, "STATE"));
    if call.is(2, "FINISH") && !state.is_some_and(|at| call.is(at + 1, "SUCCESS")) {
        return Err(Unapplied::Refused("an import of cluster slots ended without success"));
    }
    Ok(())
}

/// Number of slots of a cluster.
const SLOTS: u16 = 16384;

/// Returns the slot of a key: that of the text between the first `{` and the next `}` if it is not
/// empty, else of the whole key (`keyHashSlot` in `cluster.c`).
fn slot_of(key: &[u8]) -> u16 {
    let tag = memchr::memchr(b'{', key).and_then(|open| {
        let rest = &key[open + 1..];
        rest.get(..memchr::memchr(b'}', rest)?)
    });
    crc16(tag.filter(|tag| !tag.is_empty()).unwrap_or(key)) % SLOTS
}

/// CRC-16 of XMODEM: polynomial 0x1021, not reflected, starting at 0.
fn crc16(bytes: &[u8]) -> u16 {
    const TABLE: [u16; 256] = {
        let mut table = [0; 256];
        let mut byte = 0;
        while byte < 256 {
            #[allow(clippy::cast_possible_truncation)] // It is below 256.
            let mut crc = (byte as u16) << 8;
            let mut bit = 0;
            while bit < 8 {
                crc = if crc & 0x8000 == 0 { crc << 1 } else { crc << 1 ^ 0x1021 };
                bit += 1;
            }
            table[byte] = crc;
            byte += 1;
        }
        table
    };
    bytes.iter().fold(0, |crc, byte| {
        let [high, _] = crc.to_be_bytes();
        crc << 8 ^ TABLE[usize::from(high ^ byte)]
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The check value is that of the catalogue of CRCs, the slots are those of `CLUSTER KEYSLOT`.
    #[test]
    fn slots_match_the_servers() {
        assert_eq!(crc16(b"123456789"), 0x31c3);
        for (key, slot) in SLOTS_OF {
            assert_eq!(slot_of(key), *slot, "{}", key.escape_ascii());
        }
    }

    const SLOTS_OF: &[(&[u8], u16)] = &[
        (b"123456789", 12739),
        (b"foo", 12182),
        (b"", 0),
        (b"{user1000}.following", 3443),
        (b"foo{}{bar}", 8363),
        (b"foo{{bar}}zap", 4015),
        (b"foo{bar}{zap}", 5061),
        (b"a{b", 13340),
        (b"}x{y}", 12222),
        (b"{}", 15257),
        (b"\xff\0\xfe", 434),
    ];
}
