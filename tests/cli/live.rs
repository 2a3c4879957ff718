//! `backup --live` where there is no server.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;

use super::*;
use crate::under_way::wait_until;

#[test]
fn what_makes_no_sense_of_a_running_server_is_refused() {
    let place = Place::new();
    fs::create_dir(place.path("to")).unwrap();
    place.put("a.aof", sound());
    for (args, reported) in [
        (&["--live", "a.aof"][..], "--live and a path cannot be used together"),
        (
            &["--restore-config", "--dry-run"],
            "--restore-config and --dry-run cannot be used together",
        ),
        (&["--live", "--user", "backup"], "--user needs a password"),
        (
            &["--live", "--dir", ".", "-p", "1", "-p", "2"],
            "--dir cannot be used with several servers",
        ),
        (&["a.aof", "-p", "1", "-p", "2"], "several ports given"),
        (&["--live", "--pause", "soon"], "cannot read `soon` as a duration"),
        (&["--live", "-s", "nowhere", "--cert", "a"], "--key"),
        (&[], "give the path of a log, or use --live"),
    ] {
        let run = place.run(&[&["backup", "--to", "to"][..], args].concat());
        assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""), "{args:?}: {run:#?}");
        assert!(run.stderr.contains(reported), "{args:?}: {run:#?}");
    }
}

#[test]
fn a_server_that_is_not_there_is_told_with_what_to_do() {
    let place = Place::new();
    fs::create_dir(place.path("to")).unwrap();
    let run = place.run(&["backup", "--live", "--to", "to", "-s", "nowhere.sock"]);
    run.ends(
        2,
        "",
        "error: nowhere.sock: connecting: no connection: No such file or directory (os error 2)\n\
         help: is the server running there? -h, -p, -s, -u and --tls say how it is reached\n",
    );
    let run = place.run(&["backup", "--live", "--json", "--to", "to", "-p", "1"]);
    assert_eq!(run.code, Some(2), "{run:#?}");
    let reported: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(reported["servers"][0]["address"], "127.0.0.1:1");
    assert!(reported["servers"][0]["report"].is_null());
    assert!(reported["servers"][0]["error"]["message"].as_str().unwrap().contains("no connection"));
    assert!(place.run(&["backup", "--restore-config", "--to", "to", "-p", "1"]).code == Some(2));
}

#[test]
fn a_password_is_never_told() {
    let place = Place::new();
    fs::create_dir(place.path("to")).unwrap();
    for args in [
        &["-u", "redis://backup:geheim@127.0.0.1:1"][..],
        &["-u", "redis//backup:geheim@127.0.0.1:1"],
        &["-u", "redis://backup:geheim@127.0.0.1:99999"],
        &["-p", "1", "--pass", "geheim"],
        &["-p", "1", "--user", "backup", "-a", "geheim"],
    ] {
        let run = place.run(&[&["backup", "--live", "--json", "--to", "to"][..], args].concat());
        assert_eq!(run.code, Some(2), "{args:?}: {run:#?}");
        let reported = format!("{}{}", run.stdout, run.stderr);
        // clap quotes the value that it was given; the URI is one that could hold a password.
        assert!(!reported.contains("geheim"), "{args:?}: {run:#?}");
    }
}

#[test]
fn help_has_connection_options_and_acl_rules() {
    let place = Place::new();
    let run = place.run(&["backup", "--help"]);
    assert_eq!(run.code, Some(0), "{run:#?}");
    for reported in
        ["-h, --host <HOST>", "+info +config|get +config|set +bgrewriteaof", "--restore-config"]
    {
        assert!(run.stdout.contains(reported), "{reported}: {}", run.stdout);
    }
}

/// A server with false answers: CONFIG GET of these, and INFO. It answers each connection on a thread of its own.
fn lying_server(settings: &[(&str, &str)], log_bytes: u64) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut all: HashMap<String, String> = [
        ("appendonly", "yes"),
        ("appendfsync", "everysec"),
        ("auto-aof-rewrite-percentage", "100"),
        ("dbfilename", "dump.rdb"),
    ]
    .into_iter()
    .chain(settings.iter().copied())
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .collect();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            answer(&mut BufReader::new(stream.unwrap()), &mut all, log_bytes);
        }
    });
    port
}

fn answer(
    stream: &mut BufReader<TcpStream>,
    settings: &mut HashMap<String, String>,
    log_bytes: u64,
) {
    let line = |stream: &mut BufReader<TcpStream>| {
        let mut line = String::new();
        stream.read_line(&mut line).unwrap_or(0);
        line.trim_end().to_owned()
    };
    let bulk = |text: &str| format!("${}\r\n{text}\r\n", text.len());
    loop {
        let Some(count) = line(stream).strip_prefix('*').and_then(|count| count.parse().ok())
        else {
            return;
        };
        let args: Vec<String> = (0..count)
            .map(|_: usize| {
                line(stream);
                line(stream)
            })
            .collect();
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let reply = match args[..] {
            ["INFO", ..] => bulk(&format!(
                "redis_version:7.0.15\r\nrun_id:{}\r\nrole:master\r\naof_rewrite_in_progress:0\r\n\
                 aof_last_bgrewrite_status:ok\r\naof_last_write_status:ok\r\naof_current_size:{log_bytes}\r\n",
                "a".repeat(40)
            )),
            ["CONFIG", "GET", name] => match settings.get(name) {
                Some(value) => format!("*2\r\n{}{}", bulk(name), bulk(value)),
                None => "*0\r\n".to_owned(),
            },
            ["CONFIG", "SET", name, value] => {
                settings.insert(name.to_owned(), value.to_owned());
                "+OK\r\n".to_owned()
            }
            _ => "+OK\r\n".to_owned(),
        };
        stream.get_mut().write_all(reply.as_bytes()).unwrap();
    }
}

#[test]
fn names_of_a_server_that_lead_elsewhere_are_refused_and_no_part_is_changed() {
    let place = Place::new();
    fs::create_dir(place.path("to")).unwrap();
    place.put_set(
        "d/appendonlydir",
        &[("appendonly.aof.1.base.aof", &sound()), ("appendonly.aof.1.incr.aof", &sound())],
    );
    place.put("d/appendonly.aof", sound());
    let set = place.path("d/appendonlydir");
    let (dir, set) = (place.path("d"), set.to_str().unwrap());
    let dir = dir.to_str().unwrap();
    let before = place.shell("find d | sort; cat d/*/* d/*.aof").stdout;
    let named = |setting: &'static str, value: &str| {
        let all = [
            ("dir", dir),
            ("appenddirname", "appendonlydir"),
            ("appendfilename", "appendonly.aof"),
        ];
        let mut all: Vec<(&str, String)> =
            all.map(|(name, value)| (name, value.to_owned())).to_vec();
        all.retain(|(name, _)| *name != setting);
        all.push((setting, value.to_owned()));
        (setting, all)
    };
    for (setting, settings) in [
        named("appenddirname", set),
        named("appenddirname", "../d/appendonlydir"),
        named("appenddirname", ".."),
        named("appenddirname", "."),
        named("appenddirname", ""),
        named("appenddirname", "a\\b\u{1b}[2J"),
        named("appendfilename", &format!("{set}/appendonly.aof")),
        named("appendfilename", "../appendonlydir/appendonly.aof"),
        named("appendfilename", ""),
        named("dir", "d"),
        named("dir", ""),
        named("dbfilename", "../appendonlydir/appendonly.aof.1.base.aof"),
    ] {
        let settings: Vec<(&str, &str)> =
            settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let port = lying_server(&settings, 162).to_string();
        for args in [
            &["recover", "--hold", "-p", &port][..],
            &["backup", "--live", "--strategy", "link", "--to", "to", "--pause", "0", "-p", &port],
            &[
                "backup",
                "--live",
                "--compact",
                "--strategy",
                "link",
                "--to",
                "to",
                "--pause",
                "0",
                "-p",
                &port,
            ],
        ] {
            if setting == "dbfilename" && args[0] == "backup" {
                continue;
            }
            let run = place.run(args);
            assert_eq!(
                (run.code, run.stdout.as_str()),
                (Some(2), ""),
                "{settings:?} {args:?}: {run:#?}"
            );
            assert!(
                run.stderr.contains(&format!(": {setting} is \"")),
                "{settings:?} {args:?}: {run:#?}"
            );
            assert!(!run.stderr.contains('\x1b'), "{run:#?}");
        }
        assert_eq!(place.shell("find d | sort; cat d/*/* d/*.aof").stdout, before, "{settings:?}");
    }
    // What it is refused for is all that was wrong.
    let (_, settings) = named("dbfilename", "dump.rdb");
    let settings: Vec<(&str, &str)> =
        settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let port = lying_server(&settings, 162).to_string();
    let run = place.run(&[
        "backup",
        "--live",
        "--strategy",
        "link",
        "--to",
        "to",
        "--pause",
        "0",
        "-p",
        &port,
    ]);
    assert_eq!(run.code, Some(0), "{run:#?}");
}

#[test]
fn a_planted_journal_sets_nothing() {
    let place = Place::new();
    fs::create_dir(place.path("to")).unwrap();
    place.put_set("d/appendonlydir", &[("appendonly.aof.1.base.aof", &sound())]);
    let dir = place.path("d");
    let settings = [
        ("dir", dir.to_str().unwrap()),
        ("appenddirname", "appendonlydir"),
        ("appendfilename", "appendonly.aof"),
        ("maxclients", "10000"),
    ];
    let port = lying_server(&settings, 81).to_string();
    let journal = |change: &str| {
        format!(
            "{{\"schema\":1,\"identity\":\"x\",\"address\":\"a\",\"run_id\":\"{}\",\
             \"started\":\"2026-01-01T00:00:00Z\",\"process\":1,\"changes\":[{change}]}}",
            "a".repeat(40)
        )
    };
    let runs = [
        &["backup", "--restore-config", "--to", "to", "-p", &port][..],
        &["backup", "--live", "--strategy", "link", "--to", "to", "--pause", "0", "-p", &port],
    ];
    let path = place.path("to/.aofkit-live-x.journal");
    let refused = |what: &str| {
        for args in runs {
            let run = place.run(args);
            assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""), "{args:?}: {run:#?}");
            assert!(
                run.stderr.contains("to/.aofkit-live-x.journal") && run.stderr.contains(what),
                "{run:#?}"
            );
        }
    };
    fs::write(&path, journal("{\"name\":\"maxclients\",\"was\":\"777\",\"set\":\"10000\"}"))
        .unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    refused("\"maxclients\", which aofkit never changes");
    fs::write(&path, journal("{\"name\":\"appendfsync\",\"was\":\"no\",\"set\":\"everysec\"}"))
        .unwrap();
    refused("which aofkit never gives it");
    let good = journal("{\"name\":\"auto-aof-rewrite-percentage\",\"was\":\"100\",\"set\":\"0\"}");
    fs::write(&path, &good).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap();
    refused("other users may write to it");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    fs::rename(&path, place.path("elsewhere")).unwrap();
    std::os::unix::fs::symlink("../elsewhere", &path).unwrap();
    refused("a symbolic link");
    fs::remove_file(&path).unwrap();
    // One that a run wrote is followed.
    fs::write(&path, good).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    assert_eq!(place.run(runs[0]).code, Some(0));
    assert!(!path.exists());
}

/// Runs `aofkit` at a prompt for a password in a terminal, sends it a signal, and returns what `stty` reports afterwards.
fn echo_after_signal_at_prompt(signal: &str) -> String {
    use std::io::Read;
    let place = Place::new();
    fs::create_dir(place.path("to")).unwrap();
    let program = env!("CARGO_BIN_EXE_aofkit");
    let prompt = format!("echo $$ >pid; exec {program} backup --live --askpass --to to");
    let session = format!("sh -c '{prompt}'; echo code=$?; stty -a");
    let mut command = Command::new("script");
    command.args(["-qec", &session, "/dev/null"]).current_dir(place.path("."));
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().expect("script, of util-linux");
    let mut output = child.stdout.take().unwrap();
    let mut seen = Vec::new();
    while !seen.ends_with(b"Password: ") {
        let mut byte = [0];
        assert_eq!(output.read(&mut byte).unwrap(), 1, "{}", String::from_utf8_lossy(&seen));
        seen.push(byte[0]);
    }
    let echo = || {
        let pid = fs::read_to_string(place.path("pid")).unwrap();
        let tty = format!("/proc/{}/fd/0", pid.trim());
        let settings = Command::new("stty").args(["-a", "-F", &tty]).output().unwrap();
        String::from_utf8_lossy(&settings.stdout).into_owned()
    };
    wait_until("the hidden prompt", || echo().contains(" -echo "));
    let pid = fs::read_to_string(place.path("pid")).unwrap();
    assert!(Command::new("kill").args([signal, pid.trim()]).status().unwrap().success());
    let mut rest = String::new();
    output.read_to_string(&mut rest).unwrap();
    child.wait().unwrap();
    rest
}

#[test]
fn an_interrupted_prompt_for_a_password_restores_the_echo() {
    for signal in ["-INT", "-TERM"] {
        let after = echo_after_signal_at_prompt(signal);
        assert!(after.contains("code=130"), "{signal}: {after}");
        assert!(after.contains(" echo ") && !after.contains(" -echo "), "{signal}: {after}");
    }
}

/// A server that replies `reply`, and then `filling` until nobody reads it.
fn replying_server(reply: &'static [u8], filling: &'static [u8]) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _ = std::io::Read::read(&mut stream, &mut [0; 1024]);
            let mut sent = stream.write_all(reply);
            while sent.is_ok() && !filling.is_empty() {
                sent = stream.write_all(filling);
            }
            // The next command gets the same reply.
        }
    });
    port
}

#[test]
fn what_a_server_says_is_escaped() {
    let place = Place::new();
    fs::create_dir(place.path("to")).unwrap();
    let evil = b"-ERR \x1b]0;title\x07\x1b[2J\xc2\x9b2J\xe2\x80\xae evil\r\n";
    let port = replying_server(evil, b"").to_string();
    for args in [
        &["backup", "--live", "--to", "to", "-p", &port][..],
        &["recover", "--hold", "-p", &port],
        &["diff", &format!("redis://127.0.0.1:{port}"), &format!("redis://127.0.0.1:{port}")],
    ] {
        let run = place.run(args);
        assert_eq!(run.code, Some(2), "{args:?}: {run:#?}");
        let expected = r"ERR \u{1b}]0;title\u{7}\u{1b}[2J\u{9b}2J\u{202e} evil";
        assert!(run.stderr.contains(expected), "{args:?}: {run:#?}");
        assert!(!run.stderr.contains(['\x1b', '\x07', '\u{9b}', '\u{202e}']), "{run:#?}");
    }
}

#[test]
fn a_reply_without_end_is_not_read_to_its_end() {
    let place = Place::new();
    fs::create_dir(place.path("to")).unwrap();
    const LINES: &[u8] = &[b'x'; 1 << 16];
    const NUMBERS: &[u8] = b":1\r\n:1\r\n:1\r\n:1\r\n:1\r\n:1\r\n:1\r\n:1\r\n";
    for (reply, filling) in [
        (&b"$4294967296\r\n"[..], LINES),
        (b"$536870912\r\n", LINES),
        (b"+", LINES),
        (b"*2147483647\r\n", NUMBERS),
    ] {
        let port = replying_server(reply, filling).to_string();
        let start = std::time::Instant::now();
        let run = place.run(&["backup", "--live", "--to", "to", "-p", &port]);
        let what = "the reply is longer than 1.00 MiB";
        assert!(run.code == Some(2) && run.stderr.contains(what), "{run:#?}");
        assert!(start.elapsed().as_secs() < 20, "{:?}", start.elapsed());
    }
}
