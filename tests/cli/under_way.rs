//! What happens while a run is under way: files that change, and signals.

use std::io::{Seek, SeekFrom, Write};
use std::process::Child;
use std::thread;
use std::time::{Duration, Instant};

use super::*;

/// A log of one command with a value of `megabytes`, which take no space on the disk, and `tail` after it.
fn put_large(place: &Place, name: &str, megabytes: u64, tail: &[u8]) -> fs::File {
    let mut file = fs::File::create(place.path(name)).unwrap();
    let bytes = megabytes << 20;
    file.write_all(format!("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n${bytes}\r\n").as_bytes()).unwrap();
    file.seek(SeekFrom::Current(i64::try_from(bytes).unwrap())).unwrap();
    file.write_all(&[b"\r\n", tail].concat()).unwrap();
    file
}

/// Waits for what must come; a bound against hanging.
pub(crate) fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < Duration::from_secs(60), "{what} does not come");
        thread::sleep(Duration::from_millis(1));
    }
}

pub(crate) fn start(place: &Place, args: &[&str]) -> Child {
    place.command().args(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// Waits until the child has mapped the file.
fn wait_until_mapped(child: &Child, name: &str) {
    let maps = format!("/proc/{}/maps", child.id());
    wait_until("the mapping", || {
        fs::read_to_string(&maps).unwrap_or_default().lines().any(|line| line.ends_with(name))
    });
}

#[test]
fn a_file_that_is_cut_while_it_is_read_is_an_error_and_no_signal() {
    let place = Place::new();
    let file = put_large(&place, "a.aof", 512, b"");
    let child = start(&place, &["verify", "a.aof"]);
    wait_until_mapped(&child, "a.aof");
    file.set_len(1000).unwrap();
    let run = Run::of(&child.wait_with_output().unwrap());
    assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""), "{run:#?}");
    assert!(
        run.stderr
            .starts_with("error: a.aof: the file was cut by 536869946 bytes while it was read\n"),
        "{run:#?}"
    );
}

#[test]
fn a_file_that_grows_is_read_as_long_as_it_was() {
    let place = Place::new();
    let mut file = put_large(&place, "a.aof", 256, b"");
    let child = start(&place, &["verify", "a.aof"]);
    wait_until_mapped(&child, "a.aof");
    file.write_all(b"half a command, not yet written").unwrap();
    let run = Run::of(&child.wait_with_output().unwrap());
    assert_eq!(run.code, Some(0), "{run:#?}");
    assert!(
        run.stdout.contains("SOUND: every byte read: 1 command, 268,435,490 bytes"),
        "{run:#?}"
    );
}

#[test]
fn a_repair_of_a_file_that_grows_meanwhile_is_refused() {
    let place = Place::new();
    let mut file = put_large(&place, "a.aof", 256, b"*3");
    let child = start(&place, &["repair", "a.aof", "--output", "b.aof"]);
    wait_until_mapped(&child, "a.aof");
    file.write_all(b"\r\n$3").unwrap();
    let run = Run::of(&child.wait_with_output().unwrap());
    assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""), "{run:#?}");
    assert!(run.stderr.contains("the file has grown by 4 bytes meanwhile"), "{run:#?}");
    assert_eq!(place.names(), ["a.aof"]);
}

/// Starts a repair and waits until it writes.
fn repair_that_writes(place: &Place) -> Child {
    drop(put_large(place, "a.aof", 512, b"*3"));
    let child = start(place, &["repair", "a.aof", "--output", "b.aof"]);
    wait_until("the unfinished output", || {
        let unfinished = place.names().into_iter().find(|name| name.starts_with(".b.aof."));
        unfinished
            .is_some_and(|name| fs::metadata(place.path(name)).is_ok_and(|meta| meta.len() > 0))
    });
    child
}

#[test]
fn a_repair_that_is_killed_leaves_nothing_under_the_final_name() {
    let place = Place::new();
    let mut child = repair_that_writes(&place);
    child.kill().unwrap();
    assert_eq!(child.wait().unwrap().code(), None, "it was killed while it wrote");
    assert!(!place.path("b.aof").exists());
    // Nothing prevents the next one.
    assert_eq!(place.run(&["repair", "a.aof", "--output", "b.aof"]).code, Some(0));
}

#[test]
fn a_repair_that_is_interrupted_cleans_up() {
    let place = Place::new();
    for signal in ["-INT", "-TERM"] {
        let child = repair_that_writes(&place);
        let kill = Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap();
        assert!(kill.success());
        let run = Run::of(&child.wait_with_output().unwrap());
        assert_eq!((run.code, run.stdout.as_str()), (Some(130), ""), "{signal}: {run:#?}");
        assert_eq!(place.names(), ["a.aof"]);
    }
}
