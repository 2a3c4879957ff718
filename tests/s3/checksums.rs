//! A store that reports the checksum of an archive's parts, as AWS does. moto reports none: a proxy adds it.

use serde_json::Value;

use super::encrypted::RECIPIENT;
use super::proxy::{Fault, Proxy};
use super::store::{BUCKET, Store, Test};
use crate::support::Run;

pub(crate) const TESTS: &[Test] = &[
    ("the_checksum_that_the_store_reports_is_compared", right),
    ("another_checksum_is_refused", wrong),
    ("verify_without_an_identity_compares_the_checksum", confirmed),
];

const URL: &str = "s3://backups/p";

fn proxy(store: &Store, is_right: bool) -> Proxy {
    Proxy::start(&store.address, move |_, line| {
        let is_archive = line.contains(".zip ") || line.contains(".zip.age ");
        if line.starts_with("HEAD") && is_archive {
            Fault::Checksum { is_right }
        } else {
            Fault::None
        }
    })
}

fn backup(store: &Store, proxy: &Proxy, more: &[&str]) -> Run {
    let log = store.log("a.aof", 1000, 10_000);
    let backup = ["backup", log.to_str().unwrap(), "--to", URL];
    Run::of(&mut store.aofkit_at(&proxy.address, &[&backup[..], more].concat()))
}

fn right(store: &Store) {
    for more in [&[][..], &["--encrypt-to", RECIPIENT]] {
        let proxy = proxy(store, true);
        let run = backup(store, &proxy, more);
        assert_eq!(run.code, Some(0), "{run:#?}");
        let lines = proxy.lines();
        let parts = lines.iter().filter(|line| line.contains("partNumber")).count();
        assert!(parts >= 2, "{lines:#?}");
        let is_download = |line: &&String| line.starts_with("GET") && line.contains(".zip");
        assert_eq!(lines.iter().find(is_download), None, "nothing is downloaded");
    }
    for key in store.keys().into_iter().filter(|key| key.ends_with(".ok")) {
        let ok = store.ask("GET", &format!("/{BUCKET}/{key}"), b"").body;
        let ok: Value = serde_json::from_slice(&ok).unwrap();
        assert_eq!(ok["read_back"], "checksums", "{ok:#}");
    }
    assert_eq!(store.listed(URL).len(), 2);
}

fn wrong(store: &Store) {
    let run = backup(store, &proxy(store, false), &[]);
    assert!(run.code == Some(2) && run.stderr.contains("checksum differs"), "{run:#?}");
    assert_eq!(store.keys(), Vec::<String>::new());
}

fn confirmed(store: &Store) {
    let proxy_of_upload = proxy(store, true);
    let run = backup(store, &proxy_of_upload, &["--encrypt-to", RECIPIENT]);
    assert_eq!(run.code, Some(0), "{run:#?}");
    let archive = store.listed(URL).remove(0);
    let at =
        |address: &str| Run::of(&mut store.aofkit_at(address, &["verify", &archive, "--json"]));
    let run = at(&proxy_of_upload.address);
    assert!(run.code == Some(2) && run.stdout.contains("checksum of its parts"), "{run:#?}");
    // This proxy has seen no part, so that it reports another checksum.
    let run = at(&proxy(store, true).address);
    assert!(run.code == Some(1) && run.stdout.contains("not the object"), "{run:#?}");
    let run = at(&store.address);
    assert!(run.code == Some(2) && run.stdout.contains("reports no checksum"), "{run:#?}");
}
