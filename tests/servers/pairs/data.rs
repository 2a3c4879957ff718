//! The data sets that are converted: one that every server can hold, and one for each feature that some servers lack.

use aofkit::base::server::{Product, Server};

use super::super::rdb::{has_field_expiry, run, run_with};
use crate::support::Running;

/// A data set.
pub(crate) struct DataSet {
    /// Its name.
    pub(crate) name: &'static str,
    /// What an error names if the data set cannot be converted.
    pub(crate) needs: &'static str,
    /// Whether a server can hold it.
    pub(crate) fits: fn(Server) -> bool,
    /// Whether commands can carry it; an RDB always can.
    pub(crate) has_commands: bool,
    /// Writes it.
    pub(crate) fill: fn(&mut Running),
}

pub(crate) const ALL: [DataSet; 6] = [
    DataSet { name: "common", needs: "nothing", fits: |_| true, has_commands: true, fill: common },
    DataSet {
        name: "deleted entries that are pending",
        needs: "pending",
        fits: |_| true,
        has_commands: false,
        fill: deleted_entries,
    },
    DataSet {
        name: "functions",
        needs: "function",
        fits: |line| line.has_redis(7, 0),
        has_commands: true,
        fill: functions,
    },
    DataSet {
        name: "fields that expire",
        needs: "expiring",
        fits: has_field_expiry,
        has_commands: true,
        fill: expiring_fields,
    },
    DataSet {
        name: "vector set",
        needs: "vectors",
        fits: |line| line.product == Product::Redis && line.has_redis(8, 0),
        has_commands: false,
        fill: vectors,
    },
    DataSet {
        name: "producers of a stream",
        needs: "producers",
        fits: |line| line.product == Product::Redis && line.has_redis(8, 6),
        has_commands: true,
        fill: producers,
    },
];

/// The year 2100 in Unix milliseconds, at the middle of a minute: servers before Redis 7.0 report the remaining time only.
const FAR_MS: u64 = 4_102_444_830_000;

/// Writes values of every type in every encoding, small and large, in two databases.
fn common(server: &mut Running) {
    for number in ["0", "-128", "32768", "-2147483649", "9223372036854775807", "007", "-0"] {
        run_with(server, "SET", [format!("n:{number}"), number.to_owned()]);
    }
    run_with(server, "SET", ["empty".into(), String::new()]);
    run_with(server, "SET", ["quoted \"key\"\r\n".into(), "v\0\r\n".into()]);
    for len in [20, 64, 16384, 70_000] {
        run_with(server, "SET", [format!("s:{len}"), "abcdefgh".repeat(len / 8 + 1)]);
    }
    run_with(server, "PFADD hll", (0..300).map(|i| format!("e{i}")));
    run(server, "SETBIT bits 1000 1");
    run(server, "GEOADD geo 13.361389 38.115556 Palermo 15.087269 37.502669 Catania");
    for n in [1, 20, 700i64] {
        run_with(server, &format!("RPUSH list:{n}"), (0..n).map(|i| format!("e{i}")));
        run_with(server, &format!("RPUSH list:int:{n}"), (0..n).map(|i| (i * i - 9).to_string()));
        run_with(server, &format!("SADD set:int:{n}"), (0..n).map(|i| (i * 70_001).to_string()));
        run_with(server, &format!("SADD set:{n}"), (0..n).map(|i| format!("m{i}")));
        let scored = |i: i64| [format!("{}.25", i - 9), format!("m{i}")];
        run_with(server, &format!("ZADD zset:{n}"), (0..n).flat_map(scored));
        let field = |i: i64| [format!("f{i}"), (i * 1000).to_string()];
        run_with(server, &format!("HSET hash:{n}"), (0..n).flat_map(field));
    }
    run_with(server, "RPUSH list:wide", [8192, 3, 20_000].map(|len| "w".repeat(len)));
    run_with(server, "HSET hash:wide f", ["w".repeat(65)]);
    run_with(server, "SADD set:wide a", ["w".repeat(65)]);
    run(server, "ZADD zset:scores inf i -inf j -0 k 1e100 m 2.5 p 2.5 q 0.1 r 5e-324 s 1.5e-9 t");
    run(server, &format!("PEXPIREAT n:0 {FAR_MS}"));
    run(server, &format!("PEXPIREAT list:20 {}", FAR_MS + 1));
    run(server, "SELECT 9");
    run(server, "HSET hash f v 1 2");
    streams(server);
    run(server, "SELECT 0");
}

fn streams(server: &mut Running) {
    for i in 1..=120 {
        run(server, &format!("XADD stream {}-{i} temp {i} place p{}", 1000 + i / 3, i % 5));
        run(server, &format!("XADD stream:mixed {}-1 f{} {i}", 1000 + i, i % 3));
    }
    run(server, "XADD stream:highest 18446744073709551615-18446744073709551615 f v");
    run(server, "XADD stream:emptied 7-7 f v");
    run(server, "XDEL stream:emptied 7-7");
    run(server, "XGROUP CREATE stream:made g $ MKSTREAM");
    run(server, "XDEL stream:mixed 1003-1 1120-1");
    run(server, "XGROUP CREATE stream all 0");
    run(server, "XGROUP CREATE stream late 1030-90");
    run(server, "XREADGROUP GROUP all one COUNT 70 STREAMS stream >");
    run(server, "XREADGROUP GROUP all two COUNT 20 STREAMS stream >");
    run(server, "XREADGROUP GROUP late 12 COUNT 3 STREAMS stream >");
    run(server, "XACK stream all 1000-1 1000-2");
    run(server, "XCLAIM stream all idle 0 1002-6 TIME 1700000000000 RETRYCOUNT 77");
}

/// Writes entries that are pending in a group and no longer in the stream.
fn deleted_entries(server: &mut Running) {
    for i in 1..=9 {
        run(server, &format!("XADD pending {i}-1 f v"));
    }
    run(server, "XGROUP CREATE pending all 0");
    run(server, "XREADGROUP GROUP all one COUNT 7 STREAMS pending >");
    run(server, "XDEL pending 3-1 5-1");
}

fn functions(server: &mut Running) {
    let code = "#!lua name=library\nredis.register_function('f', function() return 1 end)";
    run_with(server, "FUNCTION LOAD", [code.to_owned()]);
    run(server, "SET key value");
}

fn expiring_fields(server: &mut Running) {
    let fields = |len: usize| (0..300).flat_map(move |i| [format!("f{i}"), "v".repeat(len)]);
    run_with(server, "HSET expiring:small", fields(3).take(20));
    run_with(server, "HSET expiring:large", fields(70));
    for key in ["expiring:small", "expiring:large"] {
        for i in 0..5 {
            run(server, &format!("HPEXPIREAT {key} {} FIELDS 1 f{i}", FAR_MS + i * 1000));
        }
    }
}

fn vectors(server: &mut Running) {
    for i in 0..30 {
        run(server, &format!("VADD vectors VALUES 4 {i} 2.5 -1 {} e{i}", i * i));
    }
    run_with(server, "VSETATTR vectors e1", ["{\"year\":1999}".to_owned()]);
}

fn producers(server: &mut Running) {
    for i in 0..12 {
        run(server, &format!("XADD producers IDMP p{} id{i} * f {i}", i % 3));
    }
    run(server, "XADD producers IDMP p0 id0 * f 0");
    run(server, "XCFGSET producers IDMP-DURATION 86400 IDMP-MAXSIZE 50");
}
