//! `aofkit diff` with servers that do not tell the truth, and with servers that are not there.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};

use super::*;

/// How a server answers.
#[derive(Clone, Copy)]
enum Lie {
    /// It has two strings, `a` and `b`, with the payloads of Redis 7.0.
    None,
    /// The payloads have this version.
    Version(u16),
    /// SCAN replies this.
    Scan(&'static str),
    /// DUMP replies this.
    Dump(&'static str),
    /// The first DUMP of a key on a connection has another value.
    Settles,
    /// SELECT, DUMP and the others are answered, and then the connection is closed.
    Closes,
}

/// Starts a server; returns its URI.
fn server(lie: Lie) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            std::thread::spawn(move || answer(BufReader::new(stream.unwrap()), lie));
        }
    });
    format!("redis://127.0.0.1:{port}")
}

fn bulk(text: &str) -> String {
    format!("${}\r\n{text}\r\n", text.len())
}

/// A string of one digit as DUMP of Redis 7.0.15 returns it (an integer of 8 bits), with CRC-64 computed here.
fn payload(digit: u8, version: u16) -> Vec<u8> {
    let mut bytes = vec![0, 0xc0, digit];
    bytes.extend_from_slice(&version.to_le_bytes());
    let mut crc = 0_u64;
    for byte in &bytes {
        crc ^= u64::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ 0x95ac_9329_ac4b_c9b5 } else { crc >> 1 };
        }
    }
    bytes.extend_from_slice(&crc.to_le_bytes());
    bytes
}

fn read_command(stream: &mut BufReader<TcpStream>) -> Option<Vec<String>> {
    let mut line = String::new();
    stream.read_line(&mut line).ok()?;
    let count: usize = line.trim_end().strip_prefix('*')?.parse().ok()?;
    let mut args = Vec::new();
    for _ in 0..count {
        let mut line = String::new();
        stream.read_line(&mut line).ok()?;
        let mut bytes = vec![0; line.trim_end().strip_prefix('$')?.parse::<usize>().ok()? + 2];
        stream.read_exact(&mut bytes).ok()?;
        bytes.truncate(bytes.len() - 2);
        args.push(String::from_utf8(bytes).ok()?);
    }
    Some(args)
}

fn answer(mut stream: BufReader<TcpStream>, lie: Lie) {
    let mut dumped = Vec::new();
    while let Some(args) = read_command(&mut stream) {
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let reply: Vec<u8> = match args[..] {
            ["INFO", "keyspace"] => bulk("# Keyspace\r\ndb0:keys=2,expires=0,avg_ttl=0\r\n").into(),
            ["INFO", ..] => bulk("redis_version:7.0.15\r\nredis_mode:standalone\r\n").into(),
            ["SCAN", ..] => match lie {
                Lie::Scan(reply) => reply.into(),
                _ => format!("*2\r\n{}*2\r\n{}{}", bulk("0"), bulk("a"), bulk("b")).into(),
            },
            ["DUMP", key] => match lie {
                Lie::Dump(reply) => reply.into(),
                Lie::Closes => return,
                _ => {
                    let version = if let Lie::Version(version) = lie { version } else { 10 };
                    let is_first = !dumped.contains(&key.to_owned());
                    dumped.push(key.to_owned());
                    let digit = match (lie, key) {
                        (Lie::Settles, _) if is_first => 9,
                        (_, "a") => 1,
                        _ => 2,
                    };
                    let payload = payload(digit, version);
                    [format!("${}\r\n", payload.len()).as_bytes(), &payload, b"\r\n"].concat()
                }
            },
            ["PEXPIRETIME", _] => b":-1\r\n".to_vec(),
            ["MEMORY", ..] => b":72\r\n".to_vec(),
            ["FUNCTION", ..] => b"-ERR unknown command\r\n".to_vec(),
            _ => b"+OK\r\n".to_vec(),
        };
        if stream.get_mut().write_all(&reply).is_err() {
            return;
        }
    }
}

/// The keys that the server has.
fn log() -> Vec<u8> {
    [command(&["SET", "a", "1"]), command(&["SET", "b", "2"])].concat()
}

#[test]
fn server_with_the_same_keys_is_the_same() {
    let place = Place::new();
    place.put("a.aof", log());
    let server = server(Lie::None);
    let run = place.run(&["diff", "a.aof", &server]);
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""), "{run:#?}");
    assert!(run.stdout.contains("SAME: 2 keys on both sides"), "{run:#?}");
    assert!(run.stdout.contains("(redis 7.0.15)"), "{run:#?}");
}

#[test]
fn keys_that_differ_at_first_are_asked_for_again() {
    let place = Place::new();
    place.put("a.aof", log());
    let (settling, honest) = (server(Lie::Settles), server(Lie::None));
    // One connection, so that no key is asked for on two.
    for sides in [["a.aof", &settling], [&settling, "a.aof"], [&settling, &honest]] {
        let run = place.run(&[&["diff", "-j", "1"][..], &sides].concat());
        assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""), "{run:#?}");
        for reported in [
            "servers change meanwhile: 2 keys asked for twice, 2 the same or gone then",
            "SAME: 2 keys on both sides",
        ] {
            assert!(run.stdout.contains(reported), "{run:#?}");
        }
    }
}

#[test]
fn key_with_an_unknown_payload_is_never_the_same() {
    let place = Place::new();
    place.put("a.aof", log());
    place.put("empty.aof", command(&["SELECT", "0"]));
    let newer = server(Lie::Version(99));
    let run = place.run(&["diff", "a.aof", &newer]);
    assert_eq!(run.code, Some(1), "{run:#?}");
    for reported in [
        "NOT COMPARED: 2 keys; 0 keys the same",
        "[0] \"a\": its payload has RDB version 99, which is unknown",
    ] {
        assert!(run.stdout.contains(reported), "{run:#?}");
    }
    for sides in [["empty.aof", &newer], [&newer, &newer], [&newer, "a.aof"]] {
        let run = place.run(&[&["diff", "--json"][..], &sides].concat());
        assert_eq!(run.code, Some(1), "{run:#?}");
        let report: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
        assert_eq!((&report["same"], &report["keys"]["same"]), (&false.into(), &0.into()));
        assert_eq!(report["running"]["not_compared"], 2, "{report:#}");
        assert_eq!(report["running"]["not_compared_keys"][0]["db"], 0, "{report:#}");
    }
}

#[test]
fn replies_that_no_server_sends_are_errors() {
    let place = Place::new();
    place.put("a.aof", log());
    for (lie, reported) in [
        (
            Lie::Scan("*2\r\n$1\r\n7\r\n*0\r\n"),
            "SCAN does not come to an end: it returns cursor 7 again",
        ),
        (Lie::Scan("*2\r\n$1\r\n7\r\n*1\r\n$1\r\na\r\n"), "it returns cursor 7 again"),
        (Lie::Scan("*2\r\n$3\r\n1.5\r\n*0\r\n"), "the reply to SCAN is not what a server sends"),
        (Lie::Scan("*2\r\n$1\r\n0\r\n:1\r\n"), "the reply to SCAN is not what a server sends"),
        (Lie::Scan(":0\r\n"), "the reply to SCAN is not what a server sends"),
        (Lie::Scan("-ERR no\r\n"), "SCAN: ERR no"),
        (Lie::Dump(":1\r\n"), "the reply to DUMP is not what a server sends"),
        (Lie::Dump("-MOVED 1 127.0.0.1:1\r\n"), "slot 1 is moved again and again"),
        (Lie::Dump("-LOADING wait\r\n"), "DUMP: LOADING wait"),
        (Lie::Dump("-NOPERM no permissions\r\n"), "ACL SETUSER default ~* +info"),
        (Lie::Closes, "the connection was lost"),
    ] {
        let server = server(lie);
        let run = place.run(&["diff", "a.aof", &server]);
        assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""), "{reported}: {run:#?}");
        assert!(run.stderr.contains(reported), "{reported}: {run:#?}");
    }
}

#[test]
fn claimed_lengths_reserve_no_memory() {
    let place = Place::new();
    place.put("a.aof", log());
    // The limit is on the address space, in kB, so that a reservation fails.
    for reply in
        ["*2\r\n$1\r\n0\r\n*2147483647\r\n", "$9223372036854775807\r\n", "*999999999999\r\n"]
    {
        let server = server(Lie::Scan(reply));
        let script = format!("ulimit -v 2000000; \"$0\" diff --reply-timeout 1s a.aof {server}");
        let run = place.shell(&script);
        assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""), "{reply:?}: {run:#?}");
        assert!(run.stderr.starts_with("error: "), "{reply:?}: {run:#?}");
    }
}

#[test]
fn server_that_is_not_there_is_an_error_without_its_password() {
    let place = Place::new();
    place.put("a.aof", log());
    for (uri, reported) in [
        ("redis://backup:geheim@127.0.0.1:1", "127.0.0.1:1: connecting: no connection"),
        ("unix:///nowhere.sock", "/nowhere.sock: connecting: no connection"),
        ("redis://127.0.0.1:x:geheim", "this URI names no server"),
        ("valkeys://backup@127.0.0.1:1", "--user needs a password"),
    ] {
        for sides in [["a.aof", uri], [uri, "a.aof"]] {
            let run = place.run(&[&["diff"][..], &sides].concat());
            assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""), "{uri}: {run:#?}");
            assert!(run.stderr.contains(reported) && !run.stderr.contains("geheim"), "{run:#?}");
        }
    }
    // Everything but a URI is a path.
    let run = place.run(&["diff", "a.aof", "127.0.0.1:6379"]);
    assert!(run.code == Some(2) && run.stderr.contains("No such file"), "{run:#?}");
    place.put("127.0.0.1:6379", log());
    assert_eq!(place.run(&["diff", "a.aof", "127.0.0.1:6379"]).code, Some(0));
}
