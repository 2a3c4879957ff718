//! What `aofkit::base::server` says of the loaders, held against the loaders.

use std::fs;
use std::path::Path;

use aofkit::base::server::{Server, redis, valkey};
use libtest_mimic::Trial;

use crate::support::client::log;
use crate::support::server::{
    Binary, Running, Verdict, lay_out, load_verdict, load_verdict_in_place, verdict_on,
};
use crate::support::{Body, LINES, on_each};

pub(crate) fn trials() -> Vec<Trial> {
    let tests: &[(&str, Body)] = &[
        ("a_whole_log_is_loaded", whole),
        ("a_header_line_fits_the_line_buffer_or_is_refused", line_buffer),
        ("annotations_are_skipped_or_refused", annotations),
        ("an_annotation_inside_a_command_is_refused", annotation_inside),
        ("an_unknown_command_is_refused", unknown_command),
        ("an_unknown_subcommand_is_refused_or_answered_with_an_error", unknown_subcommand),
        ("the_number_of_arguments_is_checked_or_not", arity),
        ("a_torn_command_is_cut_at_its_start", torn_command),
        ("a_torn_command_is_refused_where_cutting_is_forbidden", torn_command_forbidden),
        ("a_torn_transaction_is_cut_whole_or_left_dangling", torn_transaction),
        ("what_is_written_after_a_dangling_transaction_is_lost_at_the_next_start", dangling),
        ("an_open_transaction_is_cut_whole", open_transaction),
        ("zeros_at_the_end_are_refused", zeros),
        ("the_bytes_after_an_argument_are_not_checked", unchecked_line_end),
        ("a_negative_length_ends_the_server", negative_length),
        ("a_multi_part_directory_is_read_or_ignored", multi_part),
        ("a_single_file_is_read_by_all", single_file),
        ("the_highest_rdb_version_is_read_and_the_next_refused", rdb_version),
        ("a_log_of_its_own_is_loaded_again", round_trip),
    ];
    let on_all_lines =
        tests.iter().flat_map(|(name, body)| on_each(&LINES, &format!("loader::{name}"), *body));
    let of_parts: Vec<_> = LINES.into_iter().filter(|line| line.reads_multi_part()).collect();
    let torn = "loader::a_torn_part_that_is_not_the_last_is_refused_and_cut_all_the_same";
    on_all_lines.chain(on_each(&of_parts, torn, torn_in_the_middle)).collect()
}

#[track_caller]
fn loads(verdict: &Verdict, keys: u64) {
    assert!(matches!(verdict, Verdict::Loads { .. }), "{verdict:#?}");
    assert_eq!(verdict.keys(), Some(keys), "{verdict:#?}");
}

#[track_caller]
fn refuses(verdict: &Verdict, saying: &str) {
    assert!(matches!(verdict, Verdict::Refuses { .. }), "{verdict:#?}");
    let log = verdict.log().to_lowercase();
    assert!(log.contains(saying), "`{saying}` was expected in {verdict:#?}");
}

#[track_caller]
fn loads_after_cut(verdict: &Verdict, expected_bytes: usize, expected_keys: u64) {
    match verdict {
        Verdict::LoadsAfterCut { bytes_after, keys, .. } => {
            assert_eq!(*bytes_after, expected_bytes as u64, "{verdict:#?}");
            assert_eq!(*keys, expected_keys, "{verdict:#?}");
        }
        other => panic!("a cut was expected: {other:#?}"),
    }
}

fn whole(binary: &Binary) {
    let log = log("SELECT 3\nSET a 1\nMULTI\nSET b 2\nRPUSH l x y\nEXEC\nselect 0\nset c 3");
    loads(&verdict_on(binary, &log, &[]), 4);
    loads(&verdict_on(binary, b"", &[]), 0);
}

fn line_buffer(binary: &Binary) {
    // The buffer holds a NUL as well; a line that does not fit is read as two.
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
    // Too many arguments, not too few: without the check too few are read from memory that is not
    // there, and anything can happen.
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
        // A server a cut is slow; the places that differ in kind are enough.
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
    let kept = if binary.line.cuts_torn_transaction_whole() {
        before.len()
    } else {
        before.len() + queued.len()
    };
    loads_after_cut(&verdict_on(binary, &log, &[]), kept, 1);
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
    // DISCARD is queued like anything else and ends nothing.
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

/// Two INCR parts, the first of them torn.
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
    // So that the second start finds nothing wrong.
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
    // Where the file is moved into the directory, a cut of it is seen all the same.
    let whole = log("SET a 1");
    lay_out(redis(6, 2), layout.path(), &[&whole[..], b"*3"].concat());
    loads_after_cut(&load_verdict(binary, layout.path(), &[]), whole.len(), 1);
}

fn rdb_version(binary: &Binary) {
    // Magic and version, the end, and a checksum of zero, which stands for none.
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

/// Writes `rdb` as the base of a data directory.
fn lay_out_base(line: Server, data: &Path, rdb: &[u8]) {
    if !line.reads_multi_part() {
        return fs::write(data.join("appendonly.aof"), rdb).expect("a log");
    }
    let parts = data.join("appendonlydir");
    fs::create_dir(&parts).expect("a directory");
    fs::write(parts.join("appendonly.aof.1.base.rdb"), rdb).expect("a base");
    let manifest = "file appendonly.aof.1.base.rdb seq 1 type b\n";
    fs::write(parts.join("appendonly.aof.manifest"), manifest).expect("a manifest");
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
