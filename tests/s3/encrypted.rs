//! Encrypted archives in a store: written as a stream with public keys alone, read by ranges with a private key.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use super::proxy::{Fault, Proxy};
use super::store::{BUCKET, Store, Test};
use crate::support::Run;

pub(crate) const TESTS: &[Test] = &[
    ("encrypted_archives_are_opened_by_age", opened_by_age),
    ("encrypted_archives_are_read_by_url_with_an_identity", read_by_url),
    ("encrypted_metadata_is_read_by_ranges", metadata_only),
    ("without_an_identity_the_object_is_compared_with_its_confirmation", without_identity),
    ("damage_of_an_encrypted_archive_is_noticed", damage),
    ("retention_of_encrypted_archives_needs_no_private_key", retention),
    ("a_store_that_fails_is_no_archive_of_unknown_source", failing_store),
    ("encrypted_full_read_back_compares_every_byte", full_read_back),
];

const URL: &str = "s3://backups/redis/db1";

/// A pair of keys that age-keygen made for these tests, and another recipient.
pub(crate) const RECIPIENT: &str = "age15a96fwuq7asdapmyamasl8sueqcr2lhmrstaj7jvzgg26kjdzv4qms7yar";
const IDENTITY: &str = "AGE-SECRET-KEY-1YKS9HXS4ZQ0KE8V84UF5V7TRQK9G4QDQ7RNUSGRWPSKN2ZYKV64S7JK4XR";

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn json(run: &Run) -> Value {
    serde_json::from_str(&run.stdout).expect("a report")
}

/// Writes the identity to a file and returns its path.
pub(crate) fn identity(store: &Store) -> PathBuf {
    let path = store.directory.path().join("key.txt");
    fs::write(&path, format!("{IDENTITY}\n")).unwrap();
    path
}

fn backup(store: &Store, log: &Path, more: &[&str]) -> String {
    let backup = ["backup", text(log), "--to", URL, "--encrypt-to", RECIPIENT, "--json"];
    let report = json(&store.run(&[&backup[..], more].concat()));
    assert_eq!((&report["encrypted"], &report["read_back"]), (&true.into(), &true.into()));
    report["archive"].as_str().unwrap().to_owned()
}

/// Several parts; the bytes in the store are those that the program age reads, and unzip has the log.
fn opened_by_age(store: &Store) {
    let log = store.log("a.aof", 2000, 10_000);
    let archive = backup(store, &log, &["--created", "1790000000"]);
    assert_eq!(archive, format!("{URL}/aof_20260921141320-6379.zip.age"));
    let key = archive.strip_prefix("s3://backups/").unwrap();
    assert_eq!(store.keys(), [key.to_owned(), format!("{key}.ok")]);
    assert_eq!(store.uploads(), 0);
    let stored = store.ask("GET", &format!("/{BUCKET}/{key}"), b"").body;
    assert!(stored.len() > 2 * (8 << 20), "several parts");
    assert!(stored.starts_with(b"age-encryption.org/v1\n"));
    let at = |name: &str| store.directory.path().join(name);
    let (zip, sealed) = (at("a.zip"), at("a.zip.age"));
    fs::write(&sealed, stored).unwrap();
    let identity = identity(store);
    let age = ["-d", "-i", text(&identity), "-o", text(&zip), text(&sealed)];
    assert!(Command::new("age").args(age).status().expect("age runs").success());
    let unzip = Command::new("unzip").args(["-p", text(&zip), "appendonly.aof"]).output();
    assert!(unzip.expect("unzip runs").stdout == fs::read(&log).unwrap(), "another log");
}

fn read_by_url(store: &Store) {
    let log = store.log("a.aof", 100, 50);
    let archive = backup(store, &log, &[]);
    let key = identity(store);
    let with =
        |arguments: &[&str]| store.run(&[arguments, &["--identity", text(&key)][..]].concat());
    assert_eq!(store.listed(URL), [archive.as_str()]);
    assert!(with(&["list", URL]).stdout.contains("100 cmd"), "{:#?}", with(&["list", URL]));
    assert!(with(&["list", URL, "--verify"]).stdout.contains(" now "), "{URL}");
    assert!(with(&["verify", &archive]).stdout.contains("SOUND"));
    let digest = |run: Run| json(&run)["digest"].clone();
    let own = digest(store.run(&["digest", "--json", text(&log)]));
    assert_eq!(digest(with(&["digest", "--json", &archive])), own);
    let found = with(&["find", "000042", URL, "--json"]).stdout;
    assert!(found.contains(&archive) && found.contains("\"with_keys\":1"), "{found}");
    assert!(with(&["get", "000042", &archive]).stdout.contains("50 bytes"));
    assert!(with(&["recover", &archive]).code == Some(0));
    assert!(with(&["drill", URL]).stdout.contains("PASSED"));
    for command in ["extract", "restore"] {
        let out = store.directory.path().join(command);
        with(&[command, &archive, "--output", text(&out)]);
        let bytes = fs::read(out.join("appendonly.aof")).unwrap();
        assert_eq!(bytes, fs::read(&log).unwrap(), "{command}");
    }
    for command in [&["verify", archive.as_str()][..], &["digest", &archive], &["drill", URL]] {
        let run = Run::of(&mut store.aofkit(command));
        let said = format!("{}{}", run.stdout, run.stderr);
        let is_said = said.contains("identity");
        assert!(run.code != Some(0) && is_said, "{command:?}: {run:#?}");
    }
}

/// 20 MB are in the archive; its metadata and its key filter are at its end.
fn metadata_only(store: &Store) {
    let log = store.log("a.aof", 2000, 10_000);
    backup(store, &log, &[]);
    let key = identity(store);
    let with = ["--identity", text(&key)];
    let runs: [(&[&str], &str); 3] = [
        (&["list", "--json", URL], "\"commands\": 2000"),
        (&["list", "--json", URL], "\"commands\": 2000"),
        (&["find", "no such key", URL, "--json"], "\"by_filter\":1"),
    ];
    for (number, (arguments, said)) in runs.into_iter().enumerate() {
        let proxy = Proxy::start(&store.address, |_, _| Fault::None);
        let arguments = [arguments, if number == 0 { &[] } else { &with[..] }].concat();
        let run = Run::of(&mut store.aofkit_at(&proxy.address, &arguments));
        assert!(run.stdout.contains(said), "{run:#?}");
        assert!(proxy.sent() < 2 << 20, "{} bytes of {} requests", proxy.sent(), proxy.requests());
    }
}

fn without_identity(store: &Store) {
    let log = store.log("a.aof", 100, 50);
    let archive = backup(store, &log, &[]);
    let key = archive.strip_prefix("s3:/").unwrap();
    let verify = || Run::of(&mut store.aofkit(&["verify", &archive, "--json"]));
    let run = verify();
    let report = json(&run)["logs"][0].clone();
    let message = report["message"].as_str().unwrap().to_owned();
    assert_eq!((run.code, &report["status"]), (Some(2), &"encrypted".into()), "{report:#}");
    assert!(message.contains("not verified") && message.contains("ETag"), "{message}");
    let run = Run::of(&mut store.aofkit(&["list", URL, "--verify"]));
    assert!(run.code == Some(3) && run.stdout.contains("not verified"), "{run:#?}");
    // Other bytes of the same length, with a valid header.
    let mut bytes = store.ask("GET", key, b"").body;
    *bytes.last_mut().unwrap() ^= 1;
    assert_eq!(store.ask("PUT", key, &bytes).status, 200);
    let run = verify();
    assert!(
        run.code == Some(1) && run.stdout.contains("not the object that was uploaded"),
        "{run:#?}"
    );
    let run = Run::of(&mut store.aofkit(&["list", URL, "--verify"]));
    assert!(run.code == Some(1) || run.code == Some(3), "{run:#?}");
    assert!(run.stdout.contains("DAMAGED"), "{run:#?}");
    // A chunk that is cut in its tag.
    assert_eq!(store.ask("PUT", key, &bytes[..bytes.len() - 20]).status, 200);
    assert_eq!(verify().code, Some(1));
    store.ask("DELETE", &format!("{key}.ok"), b"");
    store.ask("PUT", key, &bytes);
    assert!(verify().stdout.contains("no confirmation"), "{:#?}", verify());
}

fn damage(store: &Store) {
    let log = store.log("a.aof", 100, 5000);
    let archive = backup(store, &log, &[]);
    let key = identity(store);
    for (fault, code) in [(Fault::Altered, 1), (Fault::Truncated, 2)] {
        let proxy = Proxy::start(&store.address, move |_, line| {
            let is_archive = line.starts_with("GET") && line.contains(".zip.age ");
            if is_archive { fault.clone() } else { Fault::None }
        });
        let verify = ["verify", &archive, "--identity", text(&key), "--store-timeout", "3s"];
        let run = Run::of(&mut store.aofkit_at(&proxy.address, &verify));
        assert!(run.code == Some(code) && !run.stdout.contains("SOUND"), "{run:#?}");
    }
}

fn retention(store: &Store) {
    let log = store.log("a.aof", 10, 10);
    let key = identity(store);
    for created in ["1790000000", "1790100000"] {
        backup(store, &log, &["--created", created]);
    }
    let run = Run::of(&mut store.aofkit(&["prune", URL, "--keep-last", "1"]));
    assert!(store.listed(URL).len() == 2 && run.stdout.contains("--identity"), "{run:#?}");
    backup(store, &log, &["--created", "1790200000", "--keep-last", "2"]);
    assert_eq!(store.listed(URL).len(), 2);
    store.run(&["prune", URL, "--keep-last", "1", "--identity", text(&key)]);
    assert_eq!((store.listed(URL).len(), store.keys().len()), (1, 2), "{:?}", store.keys());
    // The same name again gets a number before the extension.
    let again = backup(store, &log, &["--created", "1790200000"]);
    assert!(again.ends_with("-6379-2.zip.age"), "{again}");
}

fn failing_store(store: &Store) {
    let log = store.log("a.aof", 2000, 500);
    backup(store, &log, &[]);
    let key = identity(store);
    // The header is read; what follows it is not.
    let proxy = Proxy::start(&store.address, |_, line| {
        let is_archive = line.starts_with("GET") && line.contains(".zip.age ");
        if is_archive { Fault::AnswerRange("bytes=0-16383", 500) } else { Fault::None }
    });
    let list = ["list", URL, "--json", "--identity", text(&key), "--store-timeout", "1s"];
    let run = Run::of(&mut store.aofkit_at(&proxy.address, &list));
    assert!(run.stdout.contains("the store answers 500"), "{run:#?}");
    assert_eq!(json(&run)["archives"][0]["state"], "unreadable", "{run:#?}");
}

fn full_read_back(store: &Store) {
    let log = store.log("a.aof", 1000, 1000);
    backup(store, &log, &["--read-back", "full"]);
    let key = store.keys().into_iter().find(|key| key.ends_with(".ok")).unwrap();
    let ok = store.ask("GET", &format!("/{BUCKET}/{key}"), b"").body;
    assert_eq!(serde_json::from_slice::<Value>(&ok).unwrap()["read_back"], "full");
    // What the store returns is compared: here, its last byte is another one.
    let proxy = Proxy::start(&store.address, |_, line| {
        let is_archive = line.starts_with("GET") && line.contains(".zip.age ");
        if is_archive { Fault::Altered } else { Fault::None }
    });
    let backup = ["backup", text(&log), "--to", URL, "--encrypt-to", RECIPIENT];
    let run = Run::of(&mut store.aofkit_at(&proxy.address, &backup));
    assert!(run.code == Some(2) && run.stderr.contains("not what was written"), "{run:#?}");
    assert_eq!((store.listed(URL).len(), store.keys().len()), (1, 2), "{:?}", store.keys());
}
