//! A broken length in the middle of a log: the rest of the log is damage, and no command that replays the log cuts it.

use super::*;

/// How many commands are before the broken one, and after it.
const BEFORE: usize = 10;
const AFTER: usize = 40;

fn set(number: usize) -> Vec<u8> {
    command(&["SET", &format!("k{number}"), "value"])
}

fn sets(numbers: std::ops::Range<usize>) -> Vec<u8> {
    numbers.flat_map(set).collect()
}

/// Ten commands, a command whose length of argument `index` is `length`, and forty commands.
fn broken(index: usize, length: usize) -> Vec<u8> {
    let args = ["SET", "broken", "value"];
    let mut bytes = sets(0..BEFORE);
    bytes.extend_from_slice(b"*3\r\n");
    for (at, arg) in args.iter().enumerate() {
        let length = if at == index { length } else { arg.len() };
        bytes.extend_from_slice(format!("${length}\r\n{arg}\r\n").as_bytes());
    }
    bytes.extend(sets(0..AFTER));
    bytes
}

/// The length of argument `index` with which it reaches exactly to the end of the log.
fn to_the_end(index: usize) -> usize {
    // As many digits as the result has.
    let log = broken(index, 1000);
    let header = b"$1000\r\n";
    let start = log.windows(header.len()).position(|bytes| bytes == header).unwrap();
    log.len() - (start + header.len()) - "\r\n".len()
}

/// Every command that replays a log, of the log `path`.
fn replaying(path: &str) -> Vec<Vec<String>> {
    let lines = [
        format!("compact {path} -o new"),
        format!("compact --quiet {path} -o new"),
        format!("compact --dry-run {path}"),
        format!("compact --memory 1mb {path} -o new"),
        format!("digest {path}"),
        format!("digest --fingerprint --quiet {path}"),
        format!("diff {path} sound.aof"),
        format!("diff sound.aof {path}"),
        format!("history k1 {path}"),
        format!("recover --strip {path} -o new"),
        format!("recover --undelete k1 {path} -o new"),
        format!("recover --merge newer {path} -o new"),
        format!("backup {path} --to archives"),
        format!("backup --compact {path} --to archives"),
        format!("compress {path} -o new"),
    ];
    lines.iter().map(|line| line.split(' ').map(str::to_owned).collect()).collect()
}

#[track_caller]
fn is_refused(place: &Place, path: &str) {
    place.put("sound.aof", sound());
    fs::create_dir_all(place.path("archives")).unwrap();
    assert_eq!(place.run(&["verify", path]).code, Some(1));
    for args in replaying(path) {
        let run = place.run(&args);
        assert!(run.code.is_some_and(|code| code != 0), "{args:?}: {run:#?}");
        assert!(!place.path("new").exists(), "{args:?}");
        assert_eq!(fs::read_dir(place.path("archives")).unwrap().count(), 0, "{args:?}");
    }
}

#[test]
fn a_length_beyond_the_end_is_refused_by_all_that_replay() {
    let place = Place::new();
    for index in 0..3 {
        place.put("a.aof", broken(index, 99_999_999));
        is_refused(&place, "a.aof");
    }
}

#[test]
fn a_length_that_swallows_all_later_commands_is_refused() {
    for index in 0..2 {
        let place = Place::new();
        let length = to_the_end(index);
        let log = broken(index, length);
        let left = log.len()
            - log.windows(5).position(|bytes| bytes == format!("${length}").as_bytes()).unwrap();
        assert_eq!(left, format!("${length}\r\n").len() + length + 2, "it ends with the log");
        place.put("a.aof", log);
        is_refused(&place, "a.aof");
    }
}

#[test]
fn a_malformed_and_a_negative_length_are_refused() {
    let place = Place::new();
    let text = String::from_utf8(broken(1, 77_777)).unwrap();
    for length in ["$x7", "$-7", "7", ""] {
        place.put("a.aof", text.replace("$77777", length));
        is_refused(&place, "a.aof");
    }
}

#[test]
fn the_error_names_part_byte_commands_and_the_next_step() {
    let place = Place::new();
    let log = broken(2, 99_999_999);
    place.put("a b.aof", &log);
    let expected = format!(
        "error: a b.aof: byte {}: the log is damaged, and 40 whole commands follow\n\
         help: `aofkit repair --salvage 'a b.aof' --output NEW` keeps every whole command, \
         without --salvage it cuts there; `aofkit verify 'a b.aof'` shows the damage\n",
        sets(0..BEFORE).len()
    );
    for quiet in [&[][..], &["--quiet"]] {
        let args = [&["compact", "a b.aof", "-o", "new"], quiet].concat();
        place.run(&args).ends(2, "", &expected);
        let args = [&["digest", "a b.aof"], quiet].concat();
        place.run(&args).ends(2, "", &expected);
    }
    // As typed, it leads on.
    let run = place.run(&["repair", "--salvage", "a b.aof", "--output", "NEW"]);
    assert_eq!(run.code, Some(0), "{run:#?}");
    assert!(run.stdout.contains("kept           50 commands"), "{run:#?}");
    assert_eq!(place.run(&["compact", "NEW", "-o", "new"]).code, Some(0));
}

#[test]
fn the_same_in_every_part_of_a_set_and_after_a_preamble() {
    const RDB: &[u8] = b"REDIS0011\xff\0\0\0\0\0\0\0\0";
    let (whole, damaged) = (sets(0..5), broken(1, 99_999_999));
    let (base, first, second) =
        ("appendonly.aof.1.base.aof", "appendonly.aof.1.incr.aof", "appendonly.aof.2.incr.aof");
    let sets: [[(&str, &[u8]); 3]; 3] = [
        [(base, &damaged), (first, &whole), (second, &whole)],
        [(base, &whole), (first, &damaged), (second, &whole)],
        [(base, &whole), (first, &whole), (second, &damaged)],
    ];
    for parts in sets {
        let place = Place::new();
        place.put_set("set", &parts);
        is_refused(&place, "set");
    }
    let place = Place::new();
    place.put("preamble.aof", [RDB, &damaged].concat());
    is_refused(&place, "preamble.aof");
    place.put_set("set", &[("appendonly.aof.1.base.rdb", RDB), (first, &damaged)]);
    is_refused(&place, "set");
}

#[test]
fn commands_of_modules_after_a_broken_length_count_as_well() {
    let place = Place::new();
    let module = |number: usize| command(&["BF.ADD", &format!("filter:{number}"), "x"]);
    let broken = b"*3\r\n$6\r\nBF.ADD\r\n$66666\r\nf\r\n$1\r\nx\r\n".to_vec();
    place.put("a.aof", [sound(), broken, (0..9).flat_map(module).collect()].concat());
    let run = place.run(&["compact", "a.aof", "-o", "new"]);
    assert!(run.code == Some(2) && run.stderr.contains("9 whole commands follow"), "{run:#?}");
}

#[test]
fn a_damaged_log_that_a_server_is_writing_is_not_backed_up_up_to_the_damage() {
    let place = Place::new();
    fs::create_dir(place.path("archives")).unwrap();
    place.put("a.aof", broken(1, 99_999_999));
    // The shell has it open, as a server has.
    let run = place.shell(
        "exec 3>>a.aof; \"$0\" backup a.aof --to archives; echo $?; \"$0\" backup --compact a.aof --to archives; echo $?",
    );
    let codes: Vec<&str> = run.stdout.lines().filter(|line| line.len() == 1).collect();
    assert!(codes.len() == 2 && !codes.contains(&"0"), "{run:#?}");
    assert_eq!(fs::read_dir(place.path("archives")).unwrap().count(), 0);
}

#[test]
fn log_recover_and_repair_call_it_damage() {
    let place = Place::new();
    place.put("a.aof", broken(1, 99_999_999));
    let run = place.run(&["log", "a.aof"]);
    assert!(run.code == Some(1) && run.stderr.contains("the log is damaged here"), "{run:#?}");
    let run = place.run(&["recover", "--strip", "a.aof", "-o", "new"]);
    assert!(run.stderr.contains("and 40 whole commands follow"), "{run:#?}");
    assert!(run.stderr.contains("`aofkit repair --salvage a.aof --output NEW`"), "{run:#?}");
    let run = place.run(&["repair", "--dry-run", "--json", "a.aof"]);
    assert!(run.stdout.contains(r#""why": "damage""#), "{run:#?}");
    // Out of an archive that was made although it is damaged.
    let run = place.run(&["compress", "--damaged", "a.aof", "-o", "a.zip"]);
    assert!(run.code.is_some_and(|code| code < 2), "{run:#?}");
    for args in [
        &["digest", "a.zip"][..],
        &["compact", "a.zip", "-o", "new"],
        &["restore", "a.zip", "-o", "new"],
    ] {
        let run = place.run(args);
        assert!(run.code.is_some_and(|code| code != 0) && !place.path("new").exists(), "{run:#?}");
    }
}

#[test]
fn a_torn_end_is_left_out_as_before() {
    let place = Place::new();
    place.put("sound.aof", sound());
    let last = command(&["SET", "last", "*3\r\n$3\r\nSET\r\n$1\r\na"]);
    for end in [last.len() - 1, last.len() - 20, 30, 25, 13, 5, 1] {
        place.put("a.aof", [&sound()[..], &last[..end]].concat());
        let run = place.run(&["compact", "a.aof", "-o", "new", "--force"]);
        assert!(run.code == Some(0) && run.stdout.contains("torn end"), "{end}: {run:#?}");
        let run = place.run(&["diff", "a.aof", "sound.aof"]);
        assert!(run.code == Some(0) && run.stdout.contains("a torn command"), "{end}: {run:#?}");
        assert_eq!(place.run(&["digest", "a.aof"]).code, Some(0), "{end}");
    }
    let open = [command(&["MULTI"]), command(&["SET", "x", "1"]), b"*3\r\n$3".to_vec()].concat();
    place.put("a.aof", [sound(), open].concat());
    assert_eq!(place.run(&["digest", "a.aof"]).code, Some(0));
}
