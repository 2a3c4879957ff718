//! Compares the properties in `aofkit::base::server` with the behaviour of the servers' loaders.

use std::fs;

use aofkit::base::server::{redis, valkey};
use libtest_mimic::Trial;

use crate::support::{
    Binary, Body, LINES, Running, Verdict, lay_out, lay_out_base, load_verdict,
    load_verdict_in_place, log, on_each, verdict_on,
};

pub(crate) fn trials() -> Vec<Trial> {
    let tests: &[(&str, Body)] = &[
        ("undamaged_log_loads", whole),
        ("header_line_longer_than_the_line_buffer_is_refused", line_buffer),
        ("annotations_are_skipped_or_refused", annotations),
        ("annotation_inside_a_command_is_refused", annotation_inside),
        ("unknown_command_is_refused", unknown_command),
        ("unknown_subcommand_is_refused_or_answered_with_an_error", unknown_subcommand),
        ("number_of_arguments_is_checked_or_not", arity),
        ("torn_command_is_cut_at_its_start", torn_command),
        ("torn_command_is_refused_without_aof_load_truncated", torn_command_forbidden),
        ("torn_transaction_is_cut_before_multi_or_left_dangling", torn_transaction),
        ("writes_after_a_dangling_transaction_are_lost_at_the_next_start", dangling),
        ("open_transaction_is_cut_before_multi", open_transaction),
        ("zeros_at_the_end_are_refused", zeros),
        ("bytes_after_an_argument_are_not_checked", unchecked_line_end),
        ("negative_length_ends_the_server", negative_length),
        ("multi_part_directory_is_read_or_ignored", multi_part),
        ("single_file_is_read_by_all", single_file),
        ("highest_rdb_version_is_read_and_the_next_refused", rdb_version),
        ("log_written_by_the_server_loads", round_trip),
    ];
    let on_all_lines =
        tests.iter().flat_map(|(name, body)| on_each(&LINES, &format!("loader::{name}"), *body));
    let multi_part: Vec<_> = LINES.into_iter().filter(|line| line.reads_multi_part()).collect();
    let torn = "loader::torn_part_that_is_not_the_last_is_refused_but_cut";
    on_all_lines.chain(on_each(&multi_part, torn, torn_in_the_middle)).collect()
}

#[track_caller]
fn loads(verdict: &Verdict, keys: u64) {
    assert!(matches!(verdict, Verdict::Loads { .. }), "{verdict:#?}");
    assert_eq!(verdict.keys(), Some(keys), "{verdict:#?}");
}

#[track_caller]
fn refuses(verdict: &Verdict, message: &str) {
    assert!(matches!(verdict, Verdict::Refuses { .. }), "{verdict:#?}");
    let log = verdict.log().to_lowercase();
    assert!(log.contains(message), "expected `{message}` in {verdict:#?}");
}

#[track_caller]
fn loads_after_cut(verdict: &Verdict, expected_bytes: usize, expected_keys: u64) {
    match verdict {
        Verdict::LoadsAfterCut { bytes_after, keys, .. } => {
            assert_eq!(*bytes_after, expected_bytes as u64, "{verdict:#?}");
            assert_eq!(*keys, expected_keys, "{verdict:#?}");
        }
        other => panic!("expected a cut: {other:#?}"),
    }
}

fn whole(binary: &Binary) {
    let log = log("SELECT 3\nSET a 1\nMULTI\nSET b 2\nRPUSH l x y\nEXEC\nselect 0\nset c 3");
    loads(&verdict_on(binary, &log, &[]), 4);
    loads(&verdict_on(binary, b"", &[]), 0);
}

fn line_buffer(binary: &Binary) {
    // The buffer also contains a terminating NUL. A line that does not fit is read as two lines.
    let longest = binary.line.line_buffer_bytes() - 1;
    let with_header_of = |bytes: usize| {
        let digits = bytes - "*\r\n".len();
        let header = format!("*{:0>digits$}\r\n", 3);
        assert_eq!(header.len(), bytes);
        [header.as_bytes(), &log("SET a 1")["*3\r\n".len()..]].concat()
    };
    loads(&verdict_on(binary, &with_header_of(longest), &[]), 1);
    refuses(&verdict_on(binary, &with_header_of(longest + 1), &[]), "bad file format");
}

fn annotations(binary: &Binary) {
    let log =
        [&b"#TS:1700000000\r\n"[..], &log("SET a 1"), b"# anything\n", &log("SET b 2")].concat();
    let verdict = verdict_on(binary, &log, &[]);
    if binary.line.reads_annotations() {
        loads(&verdict, 2);
    } else {
        refuses(&verdict, "bad file format");
    }
}

fn annotation_inside(binary: &Binary) {
    let log = b"*2\r\n$4\r\nINCR\r\n#TS:1\r\n$1\r\na\r\n";
    refuses(&verdict_on(binary, log, &[]), "bad file format");
}

fn unknown_command(binary: &Binary) {
    refuses(&verdict_on(binary, &log("SET a 1\nNOSUCH a"), &[]), "unknown command");
}

fn unknown_subcommand(binary: &Binary) {
    let verdict = verdict_on(binary, &log("SET a 1\nXGROUP NOSUCH s g\nSET b 2"), &[]);
    if binary.line.checks_subcommands() {
        refuses(&verdict, "unknown "); // "command" or "subcommand"
    } else {
        loads(&verdict, 2);
    }
}

fn arity(binary: &Binary) {
    // Too many arguments rather than too few: without the check, missing arguments are read from invalid memory and
    // the behaviour is undefined.
    let verdict = verdict_on(binary, &log("SET a 1\nGET a b\nSET b 2"), &[]);
    if binary.line.checks_arity() {
        refuses(&verdict, "wrong number of arguments");
    } else {
        loads(&verdict, 2);
    }
}

fn torn_command(binary: &Binary) {
    let whole = log("SET a 1\nSET b 2");
    let next = log("SET c 3");
    for torn in 1..next.len() {
        // Starting a server for each cut is slow, so only the cuts that differ in kind are tested.
        if ![1, 2, 3, 4, 5, 8, next.len() - 2, next.len() - 1].contains(&torn) {
            continue;
        }
        let log = [&whole, &next[..torn]].concat();
        loads_after_cut(&verdict_on(binary, &log, &[]), whole.len(), 2);
    }
}

fn torn_command_forbidden(binary: &Binary) {
    let log = [&log("SET a 1")[..], b"*3\r\n$3\r\nSE"].concat();
    let verdict = verdict_on(binary, &log, &[("aof-load-truncated", "no")]);
    refuses(&verdict, "unexpected end of file");
    assert!(matches!(&verdict, Verdict::Refuses { cut, .. } if cut.is_empty()), "{verdict:#?}");
}

fn torn_transaction(binary: &Binary) {
    let before = log("SET a 1");
    let queued = log("MULTI\nSET b 2");
    let log = [&before[..], &queued, b"*3\r\n$3\r\nSE"].concat();
    let rest = if binary.line.cuts_torn_transaction_whole() {
        before.len()
    } else {
        before.len() + queued.len()
    };
    loads_after_cut(&verdict_on(binary, &log, &[]), rest, 1);
}

fn dangling(binary: &Binary) {
    let data = tempfile::tempdir().expect("a directory");
    let torn = [&log("SET a 1\nMULTI\nSET b 2")[..], b"*3\r\n$3\r\nSE"].concat();
    lay_out(binary.line, data.path(), &torn);
    let config = [("appendonly", "yes"), ("appendfsync", "always")];
    let mut server = Running::start(binary, data.path(), &config).expect("the server runs");
    for key in ["c", "d", "e"] {
        server.client.call(&["SET", key, "written since"]);
    }
    assert_eq!(server.keys(), 4);
    assert!(server.shut_down().success());

    let again = load_verdict(binary, data.path(), &[]);
    if binary.line.cuts_torn_transaction_whole() {
        loads(&again, 4);
    } else {
        assert!(matches!(again, Verdict::LoadsAfterCut { keys: 1, .. }), "{again:#?}");
    }
}

fn open_transaction(binary: &Binary) {
    let before = log("SET a 1");
    // A loader queues DISCARD like any other command, so it does not end the transaction.
    let log = [before.clone(), log("MULTI\nSET b 2\nDISCARD")].concat();
    loads_after_cut(&verdict_on(binary, &log, &[]), before.len(), 1);
}

fn zeros(binary: &Binary) {
    let log = [&log("SET a 1")[..], &[0; 64]].concat();
    refuses(&verdict_on(binary, &log, &[]), "bad file format");
}

fn unchecked_line_end(binary: &Binary) {
    loads(&verdict_on(binary, b"*3\r\n$3\r\nSETxx$1\r\naxx$1\r\n1xx", &[]), 1);
}

fn negative_length(binary: &Binary) {
    let verdict = verdict_on(binary, b"*2\r\n$4\r\nINCR\r\n$-1\r\n", &[]);
    match binary.line {
        line if line == redis(8, 2) || line == valkey(9, 1) => {
            assert!(matches!(verdict, Verdict::Crashes { .. }), "{verdict:#?}");
        }
        _ => assert_eq!(verdict.keys(), None, "{verdict:#?}"),
    }
}

/// Tests a set of two incremental parts, of which the first is torn.
fn torn_in_the_middle(binary: &Binary) {
    let data = tempfile::tempdir().expect("a directory");
    let whole = log("SET a 1");
    let first = lay_out(binary.line, data.path(), &[&whole[..], b"*3\r\n$3\r\nSE"].concat());
    let parts = data.path().join("appendonlydir");
    fs::write(parts.join("appendonly.aof.2.incr.aof"), log("SET b 2")).expect("a part");
    let manifest = parts.join("appendonly.aof.manifest");
    let mut lines = fs::read_to_string(&manifest).expect("a manifest");
    lines.push_str("file appendonly.aof.2.incr.aof seq 2 type i\n");
    fs::write(&manifest, lines).expect("a manifest");

    let verdict = load_verdict_in_place(binary, data.path(), &[]);
    refuses(&verdict, "the truncated file is not the last file");
    let Verdict::Refuses { cut, .. } = &verdict else { unreachable!() };
    assert_eq!(cut, &[(first, whole.len() as u64)], "{verdict:#?}");
    // The second start therefore succeeds.
    loads(&load_verdict_in_place(binary, data.path(), &[]), 2);
}

fn multi_part(binary: &Binary) {
    let layout = tempfile::tempdir().expect("a directory");
    lay_out(redis(7, 0), layout.path(), &log("SET a 1"));
    let keys = u64::from(binary.line.reads_multi_part());
    loads(&load_verdict(binary, layout.path(), &[]), keys);
}

fn single_file(binary: &Binary) {
    let layout = tempfile::tempdir().expect("a directory");
    lay_out(redis(6, 2), layout.path(), &log("SET a 1"));
    loads(&load_verdict(binary, layout.path(), &[]), 1);
    // The cut is also detected if the server moves the file into the directory.
    let whole = log("SET a 1");
    lay_out(redis(6, 2), layout.path(), &[&whole[..], b"*3"].concat());
    loads_after_cut(&load_verdict(binary, layout.path(), &[]), whole.len(), 1);
}

fn rdb_version(binary: &Binary) {
    // The magic string and version, the end marker, and a checksum of zero, which means no checksum.
    let empty = |magic: &str, version: u32| {
        let digits = "REDIS0000".len() - magic.len();
        [format!("{magic}{version:0digits$}").as_bytes(), b"\xff\0\0\0\0\0\0\0\0"].concat()
    };
    let verdict = |preamble: &[u8]| {
        let data = tempfile::tempdir().expect("a directory");
        lay_out_base(binary.line, data.path(), preamble);
        load_verdict_in_place(binary, data.path(), &[])
    };
    let highest = binary.line.highest_redis_rdb();
    loads(&verdict(&empty("REDIS", highest)), 0);
    refuses(&verdict(&empty("REDIS", highest + 1)), "rdb format version");
    match binary.line.highest_valkey_rdb() {
        Some(highest) => loads(&verdict(&empty("VALKEY", highest)), 0),
        None => refuses(&verdict(&empty("VALKEY", 80)), "bad file format"),
    }
}

fn round_trip(binary: &Binary) {
    let data = tempfile::tempdir().expect("a directory");
    let config = [("appendonly", "yes"), ("appendfsync", "always")];
    let mut server = Running::start(binary, data.path(), &config).expect("the server runs");
    for args in [&["SET", "a", "1"][..], &["HSET", "h", "f", "v"], &["ZADD", "z", "1.5", "m"]] {
        server.client.call(args);
    }
    let (digest, keys) = (server.digest(), server.keys());
    assert!(server.shut_down().success());
    match load_verdict(binary, data.path(), &[]) {
        Verdict::Loads { digest: again, keys: count, .. } => {
            assert_eq!((again, count), (digest, keys));
        }
        other => panic!("{other:#?}"),
    }
}
