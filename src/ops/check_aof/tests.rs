//! Tests of `check_aof`.

use super::*;
use crate::base::progress::Silent;
use std::os::unix::fs::PermissionsExt;

const PING: &str = "*1\r\n$4\r\nPING\r\n";

fn run(path: &Path, mode: Mode) -> Report {
    check(path, mode, |_| Err("no RDB expected".into()), &Silent).unwrap()
}

fn words(events: &[Event], directory: &Path) -> String {
    let bytes: Vec<u8> = events.iter().flat_map(render).collect();
    String::from_utf8(bytes).unwrap().replace(&format!("{}/", directory.display()), "")
}

#[test]
fn torn_file_is_reported_offered_and_truncated_with_copy() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.aof");
    fs::write(&path, format!("{PING}*2\r\n$4\r\nEC")).unwrap();
    let damage = "Start checking Old-Style AOF\n\
        0x              16: Expected to read 6 bytes, got 2 bytes\n\
        AOF analyzed: filename=a.aof, size=24, ok_up_to=14, ok_up_to_line=6, diff=10\n";
    let report = run(&path, Mode::Check);
    assert!(matches!(report.end, End::Done(1)));
    assert_eq!(
        words(&report.events, directory.path()),
        format!("{damage}AOF a.aof is not valid. Use the --fix option to try fixing it.\n")
    );

    let report = run(&path, Mode::Fix);
    assert_eq!(
        words(&report.events, directory.path()),
        format!(
            "{damage}This will shrink the AOF a.aof from 24 bytes, with 10 bytes, to 14 bytes\nContinue? [y/N]: "
        )
    );
    let End::Cut(cut) = report.end else { panic!("no cut") };
    assert!(cut.asks());
    assert_eq!((cut.keep_bytes(), cut.cut_bytes()), (14, 10));
    let events = cut.make("2026-01-02T03:04:05".parse().unwrap()).unwrap();
    assert_eq!(
        words(&events, directory.path()),
        "Kept the 10 bytes that are cut off in a.aof.cut-20260102030405\nSuccessfully truncated AOF a.aof\n"
    );
    assert_eq!(fs::read_to_string(&path).unwrap(), PING);
    let copy = directory.path().join("a.aof.cut-20260102030405");
    assert_eq!(fs::read_to_string(copy).unwrap(), "*2\r\n$4\r\nEC");
}

#[test]
fn a_file_that_grew_after_the_check_is_not_cut() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.aof");
    fs::write(&path, format!("{PING}*")).unwrap();
    let End::Cut(cut) = run(&path, Mode::Fix).end else { panic!("no cut") };
    fs::write(&path, format!("{PING}{PING}")).unwrap();
    let error = cut.make("2026-01-02T03:04:05".parse().unwrap()).unwrap_err();
    assert_eq!(error.kind(), crate::ErrorKind::Changed);
    assert_eq!(fs::read_to_string(&path).unwrap(), format!("{PING}{PING}"));
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
}

#[test]
fn only_the_last_file_of_a_set_is_offered_to_be_cut() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("x.manifest");
    fs::write(&path, "file b seq 1 type b\nfile i seq 1 type i\n").unwrap();
    fs::write(directory.path().join("b"), "*").unwrap();
    fs::write(directory.path().join("i"), PING).unwrap();
    let report = run(&path, Mode::Fix);
    assert!(matches!(report.end, End::Done(1)));
    assert_eq!(
        words(&report.events, directory.path()),
        "Start checking Multi Part AOF\nStart to check BASE AOF (RESP format).\n\
         0x               0: Expected \\r\\n, got: 0000\n\
         AOF analyzed: filename=b, size=1, ok_up_to=0, ok_up_to_line=1, diff=1\n\
         Failed to truncate AOF b because it is not the last file\n"
    );
}

#[test]
fn a_check_needs_no_right_to_write() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.aof");
    fs::write(&path, PING).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o400)).unwrap();
    assert!(matches!(run(&path, Mode::Check).end, End::Done(0)));
}
