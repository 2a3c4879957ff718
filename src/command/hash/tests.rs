//! Tests of behaviour that no server shows: the counters, and times relative to a clock.

use crate::base::server::{Server, redis, valkey};
use crate::command::apply::Unapplied;
use crate::command::testing::{CLOCK_MS, Ran, run};
use crate::keyspace::Value;

fn ran(server: Server, fields_expire_ms: Option<i64>, commands: &str) -> Ran {
    run(server, fields_expire_ms, commands, |value| match value {
        Value::Hash(hash) => {
            let fields = hash.fields().map(|(field, value, expiry)| {
                let field = String::from_utf8_lossy(field);
                let value = value.with(|value| String::from_utf8_lossy(value).into_owned());
                expiry.map_or(format!("{field}={value}"), |at| format!("{field}={value}@{at}"))
            });
            fields.collect::<Vec<_>>().join(" ")
        }
        _ => "another".to_string(),
    })
}

fn left(ran: &Ran) -> &str {
    assert!(ran.ended.iter().all(Result::is_ok), "{:?}", ran.ended);
    assert_eq!(ran.keys.len(), 1);
    &ran.keys[0].1
}

/// At 1000, when the time of f has passed and that of g has not.
#[test]
fn an_expired_field_is_ignored_and_counted() {
    let begin = "HSET h f 1 g 2 n 3
                 HPEXPIREAT h 999 FIELDS 1 f
                 HPEXPIREAT h 1000 FIELDS 1 g\n";
    for (command, expected, count) in [
        ("HPERSIST h FIELDS 3 f g n", "f=1@999 g=2 n=3", 1),
        ("HSETNX h f 5", "f=5 g=2@1000 n=3", 1),
        ("HSETNX h g 5", "f=1@999 g=2@1000 n=3", 0),
        ("HINCRBY h f 5", "f=5@999 g=2@1000 n=3", 1),
        ("HINCRBYFLOAT h f 0.5", "f=0.5@999 g=2@1000 n=3", 1),
        ("HSETEX h FXX FIELDS 2 g 5 f 5", "f=1@999 g=2@1000 n=3", 1),
        ("HSETEX h FNX KEEPTTL FIELDS 1 f 5", "f=5@999 g=2@1000 n=3", 1),
        ("HGETDEL h FIELDS 2 f g", "f=1@999 n=3", 1),
        ("HGETEX h PXAT 2000 FIELDS 2 f g", "f=1@999 g=2@2000 n=3", 1),
        // These commands do not check whether the field exists, or find it all the same.
        ("HSET h f 5", "f=5 g=2@1000 n=3", 0),
        ("HPEXPIREAT h 2000 GT FIELDS 1 f", "f=1@2000 g=2@1000 n=3", 0),
        ("HDEL h f", "n=3 g=2@1000", 0),
    ] {
        let ran = ran(redis(8, 2), Some(1000), &format!("{begin}{command}"));
        assert_eq!((left(&ran), ran.warnings.passed_fields), (expected, count), "{command}");
    }
}

#[test]
fn without_a_clock_all_fields_are_visible_and_undecided_ones_counted() {
    let begin = "HSET h f 1 n 3
                 HPEXPIREAT h 999 FIELDS 1 f\n";
    for (command, expected, count) in [
        ("HPERSIST h FIELDS 2 f n", "f=1 n=3", 1),
        ("HSETNX h f 5", "f=1@999 n=3", 1),
        ("HSETNX h n 5", "f=1@999 n=3", 0),
        ("HSETEX h FXX FIELDS 2 n 5 f 5", "f=5 n=5", 1),
        ("HINCRBY h f 5", "f=6@999 n=3", 1),
        ("HSET h f 5", "f=5 n=3", 0),
    ] {
        let ran = ran(valkey(9, 1), None, &format!("{begin}{command}"));
        assert_eq!((left(&ran), ran.warnings.passed_fields), (expected, count), "{command}");
    }
}

#[test]
fn a_relative_time_is_based_on_the_time_of_the_command() {
    for (command, milliseconds) in [
        ("HEXPIRE h 10 FIELDS 1 f", 10_000),
        ("HPEXPIRE h 10 FIELDS 1 f", 10),
        ("HSETEX h EX 10 FIELDS 1 f 1", 10_000),
        ("HGETEX h PX 10 FIELDS 1 f", 10),
    ] {
        for server in [redis(8, 2), valkey(9, 1)] {
            let ran = ran(server, None, &format!("HSET h f 1\n{command}"));
            assert_eq!(left(&ran), format!("f=1@{}", CLOCK_MS + milliseconds), "{command}");
            assert_eq!(ran.warnings.relative_times, 1);
        }
    }
    // The clock has 41 bits, the latest time of Redis 46.
    let highest = "HSET h f 1\nHPEXPIRE h 70368744177663 FIELDS 1 f";
    let failed = ran(redis(8, 2), None, highest).ended[1];
    assert!(matches!(failed, Err(Unapplied::Failed(_))), "{failed:?}");
    assert_eq!(ran(valkey(9, 1), None, highest).ended[1], Ok(()));
}

/// *Observed* on 6.2.
#[test]
fn an_infinite_increment_leaves_an_empty_hash_before_redis_7() {
    let commands = "HINCRBYFLOAT h f inf\nHDEL h f";
    let ran_on = |server| ran(server, None, commands);
    assert_eq!(ran_on(redis(6, 2)).keys, [("h".to_string(), String::new())]);
    assert!(ran_on(redis(7, 0)).keys.is_empty());
}
