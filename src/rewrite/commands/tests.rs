//! The output compared with bytes derived from the known output of servers.

use super::*;
use crate::base::server::{redis, valkey};
use crate::command::{self, Call, Context, Position, Warnings};
use crate::keyspace::{Bump, Keyspace, Opaque};

const LATER: i64 = 4_102_444_800_000;

/// Builds a log of commands, one per line, arguments separated by blanks.
fn log(text: &str) -> String {
    let mut log = String::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let args: Vec<&str> = line.split(' ').collect();
        log += &format!("*{}\r\n", args.len());
        args.iter().for_each(|arg| log += &format!("${}\r\n{arg}\r\n", arg.len()));
    }
    log
}

/// Builds the data set that commands create, one per line.
fn made<'a>(arena: &'a Bump, server: Server, text: &'a str) -> Keyspace<'a> {
    let mut keyspace = Keyspace::new(arena);
    let context = Context {
        server,
        fields_expire_ms: None,
        hll_sparse_max_bytes: 3000,
        clock: &|_| 0,
        owns: &|_| true,
    };
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let args: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
        let apply = command::lookup(args[0]).and_then(|id| id.row().apply).expect("it has one");
        let mut call = Call {
            args: &args,
            frame: &[],
            at: Position::default(),
            db: 0,
            keyspace: &mut keyspace,
            context: &context,
            warnings: &mut Warnings::default(),
        };
        assert_eq!(apply(&mut call), Ok(()), "{line}");
    }
    keyspace
}

fn written(target: Server, text: &str) -> Result<String, Unwritable> {
    written_for(target, target, text)
}

/// Returns what is written for `target` of the data set that commands create on `server`.
fn written_for(server: Server, target: Server, text: &str) -> Result<String, Unwritable> {
    let arena = Bump::new();
    let keyspace = made(&arena, server, text);
    let mut writer = CommandWriter::new(target);
    for entry in keyspace.databases().flat_map(|db| db.entries()) {
        writer.key(entry)?;
    }
    Ok(String::from_utf8(writer.take()).expect("text"))
}

#[test]
fn a_string_is_set_and_may_expire() {
    let arena = Bump::new();
    let mut keyspace = Keyspace::new(&arena);
    let entry = keyspace.db(0).set(b"k", Value::String(crate::keyspace::StringValue::Int(-12)));
    entry.set_expiry(Some(LATER));
    let mut writer = CommandWriter::new(redis(7, 0));
    writer.select(15);
    writer.key(keyspace.db(0).get(b"k").expect("it was set")).expect("it can be");
    let expected = log("SELECT 15\nSET k -12\nPEXPIREAT k 4102444800000");
    assert_eq!(writer.take(), expected.as_bytes());
    assert!(writer.buffer().is_empty());
}

#[test]
fn functions_are_loaded_where_supported() {
    let mut writer = CommandWriter::new(redis(7, 0));
    writer.function(b"#!lua\xff name=f\n").expect("it knows them");
    assert_eq!(
        writer.take(),
        b"*3\r\n$8\r\nFUNCTION\r\n$4\r\nLOAD\r\n$14\r\n#!lua\xff name=f\n\r\n".as_slice()
    );
    let mut writer = CommandWriter::new(redis(6, 2));
    assert_eq!(writer.function(b"x"), Err(Unwritable::Functions));
    assert!(writer.take().is_empty());
}

/// A command has at most 64 items, and none is empty.
#[test]
fn items_are_distributed_among_commands() {
    for (items, shards) in
        [(1, &[1][..]), (63, &[63]), (64, &[64]), (65, &[64, 1]), (128, &[64, 64])]
    {
        let mut out = Out::default();
        let mut batches = Batches::new(b"ZADD", 2, items);
        (0..items).for_each(|_| batches.before_item(&mut out, b"k"));
        let heads = shards.iter().map(|n| format!("*{}\r\n$4\r\nZADD\r\n$1\r\nk\r\n", 2 + 2 * n));
        assert_eq!(String::from_utf8(out.bytes).expect("text"), heads.collect::<String>());
    }
}

const STREAM: &str = "
    XADD s 1-1 f v g w
    XADD s 2-0 f longervalue
    XADD s 3-0 f v
    XDEL s 2-0
    XGROUP CREATE s g 0
    XGROUP CREATE s a 3 
    XGROUP CREATECONSUMER s g zoe
    XCLAIM s g bob 0 1-1 3-0 TIME 1500 RETRYCOUNT 2 FORCE JUSTID
    XCLAIM s g ann 0 3-0 TIME 1600 RETRYCOUNT 7 FORCE JUSTID LASTID 3-0";

#[test]
fn a_stream_is_written_as_entries_counters_and_groups() {
    let text = STREAM.replace("3 \n", "3\n");
    assert_eq!(
        written(valkey(9, 1), &text).expect("it can be"),
        log("
            XADD s 1-1 f v g w
            XADD s 3-0 f v
            XSETID s 3-0 ENTRIESADDED 3 MAXDELETEDID 2-0
            XGROUP CREATE s a 3-0 ENTRIESREAD -1
            XGROUP CREATE s g 3-0 ENTRIESREAD -1
            XCLAIM s g ann 0 3-0 TIME 1600 RETRYCOUNT 7 JUSTID FORCE
            XCLAIM s g bob 0 1-1 TIME 1500 RETRYCOUNT 2 JUSTID FORCE
            XGROUP CREATECONSUMER s g zoe")
    );
    assert_eq!(
        written(redis(6, 2), &text).expect("it can be"),
        log("
            XADD s 1-1 f v g w
            XADD s 3-0 f v
            XSETID s 3-0
            XGROUP CREATE s a 3-0
            XGROUP CREATE s g 3-0
            XCLAIM s g ann 0 3-0 TIME 1600 RETRYCOUNT 7 JUSTID FORCE
            XCLAIM s g bob 0 1-1 TIME 1500 RETRYCOUNT 2 JUSTID FORCE
            XGROUP CREATECONSUMER s g zoe")
    );
    let made_before = text.replace("XGROUP CREATECONSUMER s g zoe", "");
    let before = written(redis(5, 0), &made_before).expect("it can be");
    assert!(!before.contains("CREATECONSUMER"), "Redis 6.0 does not know it");
    assert_eq!(written(redis(4, 0), "XADD s 1-1 f v"), Err(Unwritable::Stream));
}

#[test]
fn a_consumer_remains_if_all_its_pending_entries_were_deleted() {
    let text = "XADD s 1-1 f v
        XGROUP CREATE s g 0
        XCLAIM s g ann 0 1-1 TIME 1500 RETRYCOUNT 2 FORCE JUSTID
        XDEL s 1-1";
    let text: String = text.lines().map(|line| format!("{}\n", line.trim())).collect();
    for (server, made) in [
        (redis(6, 0), false),
        (redis(6, 2), true),
        (redis(7, 0), true),
        (redis(7, 2), false), // XCLAIM creates it.
        (valkey(9, 1), false),
    ] {
        let written = written(server, &text).expect("it can be");
        assert_eq!(written.contains("CREATECONSUMER"), made, "{server}");
        assert!(written.contains("XCLAIM"), "{server}");
    }
}

#[test]
fn an_empty_stream_is_created_by_trimming() {
    let highest = "18446744073709551615-18446744073709551615";
    let text = format!(
        "XADD s 5-1 f v
        XDEL s 5-1
        XSETID s {highest} ENTRIESADDED 9
        XGROUP CREATE s g $ ENTRIESREAD 4"
    );
    assert_eq!(
        written(redis(7, 0), &text).expect("it can be"),
        log(&format!(
            "XADD s MAXLEN 0 0-1 x y
            XSETID s {highest} ENTRIESADDED 9 MAXDELETEDID 5-1
            XGROUP CREATE s g {highest} ENTRIESREAD 4"
        ))
    );
}

#[test]
fn unsupported_commands_are_written_after_the_previous_value() {
    let arena = Bump::new();
    let mut keyspace = Keyspace::new(&arena);
    let frames: Vec<&[u8]> = vec![b"*2\r\n$3\r\nODD\r\n$01\r\nk\r\n", b"*1\r\n$1\r\nx\r\n"];
    let string = |bytes| Value::String(crate::keyspace::StringValue::Borrowed(bytes));
    let before = Some(string(b"v"));
    let opaque = Value::Opaque(Box::new(Opaque { before, frames: frames.clone() }));
    keyspace.db(0).set(b"k", opaque).set_expiry(Some(LATER));
    let nothing = Value::Opaque(Box::new(Opaque { before: None, frames: frames.clone() }));
    keyspace.db(0).set(b"n", nothing);
    let mut writer = CommandWriter::new(redis(7, 0));
    for entry in keyspace.db(0).entries() {
        writer.key(entry).expect("it can be");
    }
    let mut expected = log("SET k v\nPEXPIREAT k 4102444800000").into_bytes();
    expected.extend([frames.concat(), frames.concat()].concat());
    assert_eq!(writer.take(), expected);
}

#[test]
fn unwritable_keys_leave_no_output() {
    let arena = Bump::new();
    let mut keyspace = Keyspace::new(&arena);
    let module = || Value::Module(b"\x81........");
    keyspace.db(0).set(b"m", module()).set_expiry(Some(LATER));
    let opaque = Opaque { before: Some(module()), frames: vec![b"*1\r\n$1\r\nx\r\n"] };
    keyspace.db(0).set(b"o", Value::Opaque(Box::new(opaque)));
    keyspace.db(0).set(b"e", Value::List(Box::default())).set_expiry(Some(LATER));
    let mut writer = CommandWriter::new(redis(7, 0));
    writer.select(0);
    for key in [b"m", b"o"] {
        let entry = keyspace.db(0).get(key).expect("it was set");
        assert_eq!(writer.key(entry), Err(Unwritable::Module));
    }
    assert_eq!(writer.key(keyspace.db(0).get(b"e").expect("it was set")), Ok(()));
    assert_eq!(writer.take(), log("SELECT 0").as_bytes());
}

/// As Redis 8.6.3 writes the same data.
#[test]
fn ids_of_producers_follow_the_groups() {
    let commands = "XADD s IDMP p i1 1 f v
                    XADD s IDMP p i2 2 f v
                    XGROUP CREATE s g 0
                    XGROUP CREATECONSUMER s g c
                    XCFGSET s IDMP-MAXSIZE 99
                    XADD s IDMP q i2 3 f v
                    XADD s IDMP p i2 4 f v
                    XADD s IDMP p i1 5 f v
                    XDEL s 4
                    PEXPIREAT s 99999999999999";
    let expected = "XADD s 1-0 f v
                    XADD s 2-0 f v
                    XADD s 3-0 f v
                    XADD s 5-0 f v
                    XSETID s 5-0 ENTRIESADDED 5 MAXDELETEDID 4-0
                    XGROUP CREATE s g 0-0 ENTRIESREAD -1
                    XGROUP CREATECONSUMER s g c
                    XCFGSET s IDMP-DURATION 100 IDMP-MAXSIZE 99
                    XIDMPRECORD s p i1 5-0
                    XIDMPRECORD s q i2 3-0
                    PEXPIREAT s 99999999999999";
    assert_eq!(written(redis(8, 6), commands), Ok(log(expected)));
    let older = written_for(redis(8, 6), redis(8, 4), commands);
    assert_eq!(older, Err(Unwritable::Producers));
    let other = written_for(redis(8, 6), valkey(9, 1), commands);
    assert_eq!(other, Err(Unwritable::Producers));
}

/// The server computes the same id again, after the configuration, which discards earlier ones.
#[test]
fn an_entry_with_a_computed_id_is_added_with_idmpauto() {
    let commands = "XADD s 1 f v
                    XCFGSET s IDMP-MAXSIZE 9
                    XADD s IDMPAUTO p 2 f v
                    XADD s IDMP p i 3 f w
                    XADD s IDMP q i 4 f w";
    let expected = "XADD s MAXLEN 0 0-1 x y
                    XCFGSET s IDMP-DURATION 100 IDMP-MAXSIZE 9
                    XADD s 1-0 f v
                    XADD s IDMPAUTO p 2-0 f v
                    XADD s IDMP p i 3-0 f w
                    XADD s 4-0 f w
                    XSETID s 4-0 ENTRIESADDED 4 MAXDELETEDID 0-0
                    XIDMPRECORD s q i 4-0";
    assert_eq!(written(redis(8, 6), commands), Ok(log(expected)));
    let arena = Bump::new();
    let (before, after) =
        (made(&arena, redis(8, 6), commands), made(&arena, redis(8, 6), expected));
    let fingerprint = |keyspace: &Keyspace<'_>| {
        let mut sum = crate::keyspace::fingerprint::Fingerprint::default();
        sum.add_all(keyspace, crate::keyspace::fingerprint::Detail::Commands);
        sum.to_string()
    };
    assert_eq!(fingerprint(&before), fingerprint(&after));
    let without = made(&arena, redis(8, 6), &expected[..expected.len() - 30]);
    assert_ne!(fingerprint(&before), fingerprint(&without), "the ids are covered");
}

#[test]
fn arrays_and_entries_given_back_are_written_for_redis_8_8() {
    let commands = "ARINSERT a x y
                    ARSET a 9 1.50
                    XADD s 1 f v
                    XGROUP CREATE s g 0
                    XNACK s g FAIL IDS 1 1 RETRYCOUNT 4 FORCE";
    let expected = "ARMSET a 0 x 1 y 9 1.50
                    ARSEEK a 2
                    XADD s 1-0 f v
                    XSETID s 1-0 ENTRIESADDED 1 MAXDELETEDID 0-0
                    XGROUP CREATE s g 0-0 ENTRIESREAD -1
                    XNACK s g FAIL IDS 1 1-0 RETRYCOUNT 4 FORCE";
    assert_eq!(written(redis(8, 8), commands), Ok(log(expected)));
    let of = |text| written_for(redis(8, 8), redis(8, 6), text);
    assert_eq!(of("ARSET a 0 x"), Err(Unwritable::Array));
    let lines: Vec<&str> = commands.lines().skip(2).collect();
    assert_eq!(of(&lines.join("\n")), Err(Unwritable::GivenBack));
}

#[test]
fn the_metadata_of_a_module_is_never_left_out() {
    let arena = Bump::new();
    let mut keyspace = made(&arena, redis(8, 6), "SET k v");
    let entry = keyspace.db(0).get_mut(b"k").expect("a key");
    let meta = crate::keyspace::KeyMeta { items: vec![(7, b"payload\0")], ..Default::default() };
    entry.set_meta(Some(Box::new(meta)));
    let entry = keyspace.db(0).get(b"k").expect("a key");
    assert_eq!(CommandWriter::new(redis(8, 6)).key(entry), Err(Unwritable::Metadata));
}
