//! `aofkit history`: what happened to a key, under whatever name it lived.

use super::*;

fn story() -> Vec<u8> {
    [
        command(&["SET", "draft", "12345"]),
        command(&["SET", "other", "1"]),
        command(&["RENAME", "draft", "k"]),
        b"#TS:1700000000\r\n".to_vec(),
        command(&["APPEND", "k", "678"]),
        command(&["PEXPIREAT", "k", "4102444800000"]),
        command(&["LPUSH", "k", "x"]),
        command(&["SET", "draft", "new, and another"]),
        command(&["MSET", "other", "2", "k", "1"]),
        command(&["COPY", "k", "kept", "DB", "4"]),
        command(&["RENAME", "k", "later"]),
        command(&["INCR", "later"]),
        command(&["FLUSHDB"]),
        command(&["SET", "later", "9"]),
    ]
    .concat()
}

#[test]
fn a_key_is_followed_through_its_names() {
    let place = Place::new();
    place.put("a.aof", story());
    let expected = r#"1:0 [0] "SET" "draft" "12345"
    [0] "draft": nothing -> string "12345"
1:66 [0] "RENAME" "draft" "k"
    [0] "draft": string "12345" -> nothing
    [0] "k": nothing -> string "12345"
1:116 2023-11-14 22:13:20 +00:00 [0] "APPEND" "k" "678"
    string "12345" -> string "12345678"
1:148 2023-11-14 22:13:20 +00:00 [0] "PEXPIREAT" "k" "4102444800000"
    string "12345678" -> string "12345678", expires 2100-01-01 00:00:00 +00:00
1:194 2023-11-14 22:13:20 +00:00 [0] "LPUSH" "k" "x"
    failed: WRONGTYPE Operation against a key holding the wrong kind of value
    unchanged: string "12345678", expires 2100-01-01 00:00:00 +00:00
1:270 2023-11-14 22:13:20 +00:00 [0] "MSET" "other" "2" "k" "1"
    string "12345678", expires 2100-01-01 00:00:00 +00:00 -> string "1"
1:316 2023-11-14 22:13:20 +00:00 [0] "COPY" "k" "kept" "DB" "4"
    [4] "kept": nothing -> string "1"
1:362 2023-11-14 22:13:20 +00:00 [0] "RENAME" "k" "later"
    [0] "k": string "1" -> nothing
    [0] "later": nothing -> string "1"
1:396 2023-11-14 22:13:20 +00:00 [0] "INCR" "later"
    [0] "later": string "1" -> string "2"
1:421 2023-11-14 22:13:20 +00:00 [0] "FLUSHDB"
    [0] "later": string "2" -> nothing
10 events; the key does not exist at the end
"#;
    place.run(&["history", "k", "a.aof"]).ends(0, expected, "");
    // The copy came from the key, and shares its past.
    let run = place.run(&["history", "kept", "a.aof"]);
    let shared: String = expected.lines().take(14).map(|line| format!("{line}\n")).collect();
    let copied = "1:316 2023-11-14 22:13:20 +00:00 [0] \"COPY\" \"k\" \"kept\" \"DB\" \"4\"\n    \
                  [4] \"kept\": nothing -> string \"1\"\n";
    let named = shared
        .replace("\n    string", "\n    [0] \"k\": string")
        .replace("\n    unchanged:", "\n    [0] \"k\": unchanged:");
    run.ends(0, &format!("{named}{copied}7 events; at the end [4] \"kept\": string \"1\"\n"), "");
    let run = place.run(&["history", "nobody", "a.aof"]);
    run.ends(1, "", "note: no command of the log writes to this key\n");
}

#[test]
fn databases_change_places() {
    let place = Place::new();
    let log = [
        command(&["SELECT", "1"]),
        command(&["SADD", "k", "a", "b"]),
        command(&["SWAPDB", "1", "2"]),
        command(&["SREM", "k", "a"]),
        command(&["SELECT", "2"]),
        command(&["MOVE", "k", "5"]),
        command(&["SADD", "k", "z"]),
        command(&["FLUSHALL"]),
    ];
    place.put("a.aof", log.concat());
    let expected = r#"1:23 [1] "SADD" "k" "a" "b"
    nothing -> set, 2 members
1:58 [1] "SWAPDB" "1" "2"
    [1] "k": set, 2 members -> nothing
    [2] "k": nothing -> set, 2 members
1:88 [1] "SREM" "k" "a"
    unchanged: nothing
1:139 [2] "MOVE" "k" "5"
    [2] "k": set, 2 members -> nothing
    [5] "k": nothing -> set, 2 members
1:167 [2] "SADD" "k" "z"
    nothing -> set, 1 member
1:195 [2] "FLUSHALL"
    [2] "k": set, 1 member -> nothing
    [5] "k": set, 2 members -> nothing
6 events; the key does not exist at the end
"#;
    place.run(&["history", "k", "a.aof"]).ends(0, expected, "");
    // Of the fifth database alone: back through both, and not what came after it.
    let run = place.run(&["history", "k", "a.aof", "--db", "5"]);
    let lines: Vec<&str> = run.stdout.lines().filter(|line| line.starts_with("1:")).collect();
    let expected = ["SADD\" \"k\" \"a\"", "SWAPDB", "MOVE", "FLUSHALL"];
    assert_eq!(lines.len(), expected.len(), "{run:#?}");
    assert!(lines.iter().zip(expected).all(|(line, word)| line.contains(word)), "{run:#?}");
    assert!(
        run.stdout.contains("\n    set, 2 members -> nothing\n4 events")
            || run.stdout.contains("[5] \"k\": set, 2 members -> nothing\n4 events"),
        "{run:#?}"
    );
}

#[test]
fn an_rdb_brings_a_key_and_any_bytes_can_be_its_name() {
    let place = Place::new();
    let mut first = b"*3\r\n$3\r\nSET\r\n$3\r\n\"\xff\n\r\n$1\r\n1\r\n".to_vec();
    first.extend(command(&["SET", "\"q\"", "1"]));
    place.put("a.aof", first);
    place.run(&["compact", "a.aof", "-o", "set", "--format", "multipart", "--for", "redis-7.0"]);
    place.put("set/appendonly.aof.1.incr.aof", command(&["INCR", "\"q\""]));
    let run = place.run(&["history", r#""\"\xff\n""#, "set"]);
    let expected = "1:0 RDB\n    [0] \"\\\"\\xff\\n\": nothing -> string \"1\"\n\
                    1 event; at the end [0] \"\\\"\\xff\\n\": string \"1\"\n";
    run.ends(0, expected, "");
    let run = place.run(&["history", "--json", r#""\"q\"""#, "set"]);
    let expected = [
        &header("history"),
        r#"{"kind":"event","part":"appendonly.aof.1.base.rdb","number":1,"offset":0,"args":[],"touched":[{"db":0,"key":{"text":"\"q\""},"before":null,"after":{"type":"string","size":1,"value":{"text":"1"}}}]}"#,
        r#"{"kind":"event","part":"appendonly.aof.1.incr.aof","number":2,"offset":0,"db":0,"args":[{"text":"INCR"},{"text":"\"q\""}],"touched":[{"db":0,"key":{"text":"\"q\""},"before":{"type":"string","size":1,"value":{"text":"1"}},"after":{"type":"string","size":1,"value":{"text":"2"}}}]}"#,
        r#"{"kind":"summary","path":"set","events":2,"places":[{"db":0,"key":{"text":"\"q\""},"type":"string","size":1,"value":{"text":"2"}}],"origin":{"server":"redis-7.0","basis":"recorded"}}"#,
    ];
    run.ends(0, &format!("{}\n", expected.join("\n")), "");
}

#[test]
fn reads_of_a_key_are_not_reported_and_writes_are() {
    let place = Place::new();
    let log = [
        command(&["SADD", "k", "a"]),
        command(&["SUNIONSTORE", "sum", "k", "x"]),
        command(&["SDIFFSTORE", "k", "k", "x"]),
        command(&["SADD", "x", "b"]),
        command(&["SUNIONSTORE", "k", "x", "none"]),
        command(&["JSON.SET", "k", "$", "1"]),
        command(&["DEL", "x", "k", "none"]),
    ];
    place.put("a.aof", log.concat());
    let run = place.run(&["history", "k", "a.aof"]);
    let expected = r#"1:0 [0] "SADD" "k" "a"
    nothing -> set, 1 member
1:143 [0] "SUNIONSTORE" "k" "x" "none"
    unchanged: set, 1 member
1:189 [0] "JSON.SET" "k" "$" "1"
    set, 1 member -> not understood, 1 command
1:228 [0] "DEL" "x" "k" "none"
    not understood, 1 command -> nothing
4 events; the key does not exist at the end
"#;
    run.ends(0, expected, "");
    let script = command(&["EVAL", "return redis.call('set', KEYS[1], 1)", "1", "k"]);
    place.put("b.aof", [sound(), script].concat());
    let run = place.run(&["history", "k", "b.aof"]);
    assert!(run.code == Some(2) && run.stderr.contains("EVAL"), "{run:#?}");
    place.put("torn.aof", torn());
    let run = place.run(&["history", "b", "torn.aof"]);
    assert!(
        run.code == Some(0) && run.stdout.contains("1:27 [0] \"SET\" \"b\" \"2\"\n"),
        "{run:#?}"
    );
}
