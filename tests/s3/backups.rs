//! Backups, lists, restores and retention by URL.

use std::fs;
use std::path::Path;

use serde_json::Value;

use super::proxy::{Fault, Proxy};
use super::store::{AUTHORIZATION, BUCKET, Store, Test};
use crate::support::Run;

pub(crate) const TESTS: &[Test] = &[
    ("archives_are_the_same_bytes_as_in_a_directory", same_bytes),
    ("archives_are_read_by_url", read_by_url),
    ("values_that_look_like_an_answer_are_none", looks_like_an_answer),
    ("lists_read_only_metadata", metadata_only),
    ("retention_deletes_confirmation_and_archive", retention),
    ("what_may_not_be_deleted_is_reported_and_stays_listed", not_deletable),
    ("archives_of_the_same_name_do_not_overwrite_each_other", same_name),
    ("archives_without_confirmation_are_not_listed", unconfirmed),
    ("a_held_lease_locks_and_a_dead_holder_does_not", leases),
    ("full_read_back_verifies_the_archive", full_read_back),
    ("boto3_reads_what_is_written", boto3),
];

const URL: &str = "s3://backups/redis/db1";

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn json(run: &Run) -> Value {
    serde_json::from_str(&run.stdout).expect("a report")
}

/// 40 MB need five parts; the header of the entry is in the first, which is sent last.
fn same_bytes(store: &Store) {
    let log = store.log("a.aof", 4000, 10_000);
    let local = store.directory.path().join("local");
    fs::create_dir(&local).unwrap();
    let run = |to: &str| {
        store.run(&["backup", text(&log), "--to", to, "--created", "1790000000", "--json"])
    };
    run(text(&local));
    let report = json(&run(URL));
    let archive = fs::read_dir(&local).unwrap().flatten().map(|entry| entry.path());
    let archive =
        archive.into_iter().find(|path| path.extension().is_some_and(|end| end == "zip")).unwrap();
    let name = archive.file_name().unwrap().to_str().unwrap();
    assert_eq!(report["archive"], format!("{URL}/{name}"));
    let stored = store.ask("GET", &format!("/{BUCKET}/redis/db1/{name}"), b"").body;
    assert!(stored.len() > 4 * (8 << 20), "several parts");
    assert!(stored == fs::read(&archive).unwrap(), "other bytes than in a directory");
    assert_eq!(store.keys(), [format!("redis/db1/{name}"), format!("redis/db1/{name}.ok")]);
    assert_eq!(store.uploads(), 0);
    store.assert_listed_restore(URL, &log);
}

fn read_by_url(store: &Store) {
    let log = store.log("a.aof", 100, 50);
    let archive = json(&store.run(&["backup", text(&log), "--to", URL, "--json"]));
    let archive = archive["archive"].as_str().unwrap().to_owned();
    let digest = |path: &str| json(&store.run(&["digest", "--json", path]))["digest"].clone();
    assert_eq!(digest(&archive), digest(text(&log)));
    assert!(store.run(&["verify", &archive]).stdout.contains("SOUND"));
    let found = store.run(&["find", "000042", URL, "--json"]).stdout;
    assert!(found.contains(&archive) && found.contains("\"with_keys\":1"), "{found}");
    // The key filter says so, without a download.
    let none = Run::of(&mut store.aofkit(&["find", "no such key", URL, "--json"])).stdout;
    assert!(none.contains("\"by_filter\":1"), "{none}");
    let out = store.directory.path().join("out");
    store.run(&["extract", &archive, "--output", text(&out)]);
    assert_eq!(fs::read(out.join("appendonly.aof")).unwrap(), fs::read(&log).unwrap());
    assert!(store.run(&["drill", URL]).stdout.contains("PASSED"));
    assert!(store.run(&["get", "000042", &archive]).stdout.contains("50 bytes"));
    let missing = Run::of(&mut store.aofkit(&["verify", &format!("{URL}/none.zip")]));
    assert!(
        missing.code == Some(2) && missing.stderr.contains(&format!("aofkit list {URL}")),
        "{missing:#?}"
    );
}

/// An archive that is not compressed has the bytes of the log, whatever they are.
fn looks_like_an_answer(store: &Store) {
    let log = store.directory.path().join("a.aof");
    let value = "<?xml version=\"1.0\"?><Error><Code>SlowDown</Code></Error>";
    let command = format!("*3\r\n$3\r\nSET\r\n$1\r\na\r\n${}\r\n{value}\r\n", value.len());
    fs::write(&log, command).unwrap();
    let backup = ["backup", text(&log), "--to", URL, "--method", "store", "--json"];
    let archive = json(&store.run(&backup))["archive"].as_str().unwrap().to_owned();
    let verify = ["verify", archive.as_str(), "--store-timeout", "3s"];
    assert!(store.run(&verify).stdout.contains("SOUND"));
}

fn metadata_only(store: &Store) {
    let log = store.log("a.aof", 2000, 10_000);
    store.run(&["backup", text(&log), "--to", URL, "--quiet"]);
    let proxy = Proxy::start(&store.address, |_, _| Fault::None);
    let list = Run::of(&mut store.aofkit_at(&proxy.address, &["list", "--json", URL]));
    let report = json(&list);
    assert_eq!(report["archives"][0]["made"]["commands"], 2000, "{list:#?}");
    assert!(report["archives"][0]["archive_bytes"].as_u64() > Some(20_000_000));
    assert!(proxy.sent() < 1 << 20, "{} bytes of {} requests", proxy.sent(), proxy.requests());
}

fn retention(store: &Store) {
    let log = store.log("a.aof", 10, 10);
    let other = store.log("b.aof", 10, 10);
    store.run(&["backup", text(&other), "--to", URL, "--quiet", "--created", "1780000000"]);
    for day in 0..5 {
        let created = (1_790_000_000 + day * 86_400).to_string();
        store.run(&["backup", text(&log), "--to", URL, "--quiet", "--created", &created]);
    }
    assert_eq!(store.listed(URL).len(), 6);
    let dry = json(&store.run(&["prune", URL, "--keep-last", "2", "--dry-run", "--json"]));
    assert_eq!((&dry["removed"], store.listed(URL).len()), (&3.into(), 6));
    // A backup prunes its own source alone.
    store.run(&[
        "backup",
        text(&log),
        "--to",
        URL,
        "--quiet",
        "--created",
        "1791000000",
        "--keep-last",
        "3",
    ]);
    assert_eq!(store.listed(URL).len(), 4);
    let pruned = json(&store.run(&["prune", URL, "--keep-last", "1", "--json"]));
    assert_eq!(pruned["removed"], 2);
    assert_eq!((store.listed(URL).len(), store.keys().len()), (2, 4), "{:?}", store.keys());
}

fn not_deletable(store: &Store) {
    let log = store.log("a.aof", 10, 10);
    for created in ["1790000000", "1790100000"] {
        store.run(&["backup", text(&log), "--to", URL, "--quiet", "--created", created]);
    }
    let denied = "<Error><Code>AccessDenied</Code><Message>Access Denied because object protected by object lock.</Message></Error>";
    let proxy = Proxy::start(&store.address, move |_, line| {
        let is_archive = line.starts_with("DELETE") && line.contains(".zip HTTP");
        if is_archive { Fault::Answer(403, denied.to_owned()) } else { Fault::None }
    });
    let run = Run::of(&mut store.aofkit_at(&proxy.address, &["prune", URL, "--keep-last", "1"]));
    assert_eq!(run.code, Some(3), "{run:#?}");
    let said = format!("{}{}", run.stdout, run.stderr);
    assert!(said.contains("s3:DeleteObject") && said.contains("object lock"), "{said}");
    assert_eq!(store.listed(URL).len(), 2);
    store.assert_listed_restore(URL, &log);
}

fn same_name(store: &Store) {
    let log = store.log("a.aof", 10, 10);
    let backup = ["backup", text(&log), "--to", URL, "--created", "1790000000", "--json"];
    let first = json(&store.run(&backup));
    let second = json(&store.run(&backup));
    assert!(second["archive"].as_str().unwrap().ends_with("-2.zip"), "{second}");
    assert_ne!(first["archive"], second["archive"]);
    // Another run publishes an archive of this name at the last moment.
    let address = store.address.clone();
    let proxy = Proxy::start(&store.address, move |_, line| {
        if line.starts_with("POST") && line.contains("uploadId=") {
            let path = line.split([' ', '?']).nth(1).unwrap();
            let put = format!(
                "PUT {path} HTTP/1.1\r\nHost: x\r\nAuthorization: {AUTHORIZATION}\r\nContent-Length: 5\r\nConnection: close\r\n\r\nother"
            );
            let mut stream = std::net::TcpStream::connect(&address).unwrap();
            std::io::Write::write_all(&mut stream, put.as_bytes()).unwrap();
            let _ = std::io::Read::read_to_end(&mut stream, &mut Vec::new());
        }
        Fault::None
    });
    let run = Run::of(&mut store.aofkit_at(&proxy.address, &backup));
    assert!(run.code == Some(2) && run.stdout.contains("another run has published"), "{run:#?}");
    assert!(
        store.keys().contains(&"redis/db1/aof_20260921141320-6379-3.zip".to_owned()),
        "{:?}",
        store.keys()
    );
    assert_eq!(
        store.ask("GET", "/backups/redis/db1/aof_20260921141320-6379-3.zip", b"").body,
        b"other"
    );
    assert_eq!((store.listed(URL).len(), store.uploads()), (2, 0));
}

fn unconfirmed(store: &Store) {
    let log = store.log("a.aof", 10, 10);
    store.run(&["backup", text(&log), "--to", URL, "--quiet"]);
    let key = store.keys().into_iter().find(|key| key.ends_with(".ok")).unwrap();
    assert_eq!(store.ask("DELETE", &format!("/{BUCKET}/{key}"), b"").status, 204);
    assert_eq!(store.listed(URL), Vec::<String>::new());
}

fn leases(store: &Store) {
    let log = store.log("a.aof", 10, 10);
    // The name of the object is seen in a run; then another holder is invented.
    let seen = std::sync::Arc::new(std::sync::Mutex::new(String::new()));
    let name = seen.clone();
    let proxy = Proxy::start(&store.address, move |_, line| {
        if line.starts_with("PUT") && line.contains(".lock ") {
            *name.lock().unwrap() = line.split(' ').nth(1).unwrap().to_owned();
        }
        Fault::None
    });
    let run = Run::of(&mut store.aofkit_at(&proxy.address, &["backup", text(&log), "--to", URL]));
    assert_eq!(run.code, Some(0), "{run:#?}");
    let lease = seen.lock().unwrap().clone();
    assert!(!store.keys().iter().any(|key| key.ends_with(".lock")), "{:?}", store.keys());
    let holder = |started: &str| {
        format!(
            "{{\"host\":\"db9\",\"process\":999999999,\"started\":\"{started}\",\"what\":\"backup of x\",\"token\":\"t\"}}"
        )
    };
    store.ask("PUT", &lease, holder("another machine/pid:[1]/7").as_bytes());
    let run = Run::of(&mut store.aofkit(&["backup", text(&log), "--to", URL]));
    assert!(
        run.code == Some(5) && run.stderr.contains("db9") && run.stderr.contains("expires"),
        "{run:#?}"
    );
    // A process of this machine that does not run is gone at once.
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    let space = fs::read_link("/proc/self/ns/pid").unwrap();
    store.ask("PUT", &lease, holder(&format!("{}/{}/7", boot.trim(), space.display())).as_bytes());
    store.run(&["backup", text(&log), "--to", URL]);
}

fn full_read_back(store: &Store) {
    let log = store.log("a.aof", 10, 10);
    let backup = ["backup", text(&log), "--to", URL, "--read-back", "full", "--json"];
    assert_eq!(json(&store.run(&backup))["read_back"], true);
    let key = store.keys().into_iter().find(|key| key.ends_with(".ok")).unwrap();
    let ok: Value =
        serde_json::from_slice(&store.ask("GET", &format!("/{BUCKET}/{key}"), b"").body).unwrap();
    assert_eq!(ok["read_back"], "full");
}

fn boto3(store: &Store) {
    let log = store.log("a.aof", 1000, 10_000);
    store.run(&["backup", text(&log), "--to", URL, "--method", "store", "--quiet"]);
    let said = store.boto3(
        "import io, zipfile, hashlib\n\
         key = [o['Key'] for o in s3.list_objects_v2(Bucket='backups')['Contents'] if o['Key'].endswith('.zip')][0]\n\
         body = s3.get_object(Bucket='backups', Key=key)['Body'].read()\n\
         print(hashlib.sha256(zipfile.ZipFile(io.BytesIO(body)).read('appendonly.aof')).hexdigest())",
    );
    let sum = std::process::Command::new("sha256sum").arg(&log).output().unwrap().stdout;
    assert_eq!(said.trim(), String::from_utf8(sum).unwrap().split(' ').next().unwrap());
}
