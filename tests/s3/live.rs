//! Backups of running servers to a store, compacted or not, encrypted or not.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use aofkit::base::server::{Server, redis, valkey};

use super::encrypted::{RECIPIENT, identity};
use super::proxy::{Fault, Proxy};
use super::store::Store;
use crate::support::{Binary, Run, Running, Setup, temp_dir, wait_until};

/// A log in one file, and logs in parts of two products.
pub(crate) const LINES: [Server; 3] = [redis(6, 2), redis(7, 0), valkey(9, 1)];

/// A trial with a store and a server.
pub(crate) type LiveTest = (&'static str, fn(&Store, &Binary));

pub(crate) const TESTS: &[LiveTest] = &[
    ("live_backups_have_the_data_of_the_server", live),
    ("logs_are_compacted_into_a_store", compacted),
    ("a_killed_live_backup_leaves_nothing_and_the_next_succeeds", killed),
];

const URL: &str = "s3://backups/live";

const MODES: [&[&str]; 4] =
    [&[], &["--compact"], &["--encrypt-to", RECIPIENT], &["--compact", "--encrypt-to", RECIPIENT]];

fn live_to(setup: &Setup, more: &[&str]) -> Vec<String> {
    let socket = setup.server.socket();
    let all = ["backup", "--live", "--pause", "0", "--poll", "20ms", "--to", URL];
    let all = [&all[..], &["-s", socket.to_str().unwrap(), "--json"], more].concat();
    all.into_iter().map(str::to_owned).collect()
}

fn run(store: &Store, arguments: &[String]) -> Run {
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    store.run(&arguments)
}

/// Restores the archive that was written last, and starts the server on it.
fn digest_of_newest(store: &Store, binary: &Binary, created: &str) -> String {
    let archive = store.listed(URL).into_iter().find(|path| path.contains(created));
    let archive = archive.expect("an archive of this time");
    let place = temp_dir();
    let data: PathBuf = place.path().join("data");
    let identity = identity(store);
    let restore = ["restore", &archive, "--output", data.to_str().unwrap(), "--identity"];
    store.run(&[&restore[..], &[identity.to_str().unwrap()]].concat());
    let server = Running::start(binary, &data, &[("appendonly", "yes")]);
    server.unwrap_or_else(|ended| panic!("{}: {}", binary.line, ended.log)).digest()
}

fn live(store: &Store, binary: &Binary) {
    let mut setup = Setup::new(binary);
    setup.fill(400);
    let settings = setup.settings();
    for (number, mode) in (10..).zip(MODES) {
        let report = run(
            store,
            &live_to(&setup, &[mode, &["--name-template", &format!("{number}.zip")]].concat()),
        );
        assert!(report.stdout.contains("\"read_back\": true"), "{report:#?}");
        let name = if mode.contains(&"--encrypt-to") { "zip.age" } else { "zip" };
        let key = format!("live/{number}.{name}");
        assert!(store.keys().contains(&key), "{key}: {:?}", store.keys());
        let digest = setup.server.digest();
        assert_eq!(digest_of_newest(store, binary, &format!("/{number}.")), digest, "{mode:?}");
        assert_eq!(setup.settings(), settings, "{mode:?}");
        setup.fill(10);
    }
    assert_eq!(setup.leftovers_in_data_dir(), Vec::<String>::new());
    assert!(store.keys().iter().all(|key| !key.contains("/.")), "{:?}", store.keys());
    assert_eq!(store.uploads(), 0);
}

/// The same of a directory, without asking the server; the temporary files of the compaction are removed.
fn compacted(store: &Store, binary: &Binary) {
    let mut setup = Setup::new(binary);
    setup.fill(400);
    setup.server.client.call(&["DEL", "l1"]);
    let digest = setup.server.digest();
    let temporary = temp_dir();
    for (number, mode) in (20..).zip(&MODES[1..]) {
        let name = format!("{number}.zip");
        let data = setup.data.path().to_str().unwrap();
        let backup = ["backup", data, "--to", URL, "--name-template", &name, "--json"];
        let mut command = store.aofkit(&[&backup[..], mode].concat());
        let run = Run::of(command.env("TMPDIR", temporary.path()));
        assert_eq!(run.code, Some(0), "{mode:?}: {run:#?}");
        assert_eq!(digest_of_newest(store, binary, &format!("/{number}.")), digest, "{mode:?}");
    }
    assert_eq!(fs::read_dir(temporary.path()).unwrap().count(), 0);
}

/// Killed while it uploads, with the settings of the server changed.
fn killed(store: &Store, binary: &Binary) {
    let mut setup = Setup::new(binary);
    setup.fill(400);
    let settings = setup.settings();
    for mode in [MODES[0], MODES[3]] {
        let proxy = Proxy::start(&store.address, |_, line| {
            let is_part = line.contains("partNumber");
            if is_part { Fault::Stall(Duration::from_secs(20)) } else { Fault::None }
        });
        let arguments = live_to(&setup, mode);
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let mut command: Command = store.aofkit_at(&proxy.address, &arguments);
        let mut child = command.stdout(std::process::Stdio::null()).spawn().expect("it runs");
        wait_until("an upload", || store.uploads() > 0);
        child.kill().expect("it is killed");
        child.wait().expect("it ends");
        let before = store.listed(URL).len();
        assert!(store.keys().iter().any(|key| key.contains("/.")), "a journal is left");
        run(store, &live_to(&setup, mode));
        assert_eq!((store.listed(URL).len(), store.uploads()), (before + 1, 0), "{mode:?}");
        assert!(store.keys().iter().all(|key| !key.contains("/.")), "{:?}", store.keys());
        assert_eq!(setup.settings(), settings, "{mode:?}");
        assert_eq!(setup.leftovers_in_data_dir(), Vec::<String>::new(), "{mode:?}");
    }
    assert!(Path::new(setup.data.path()).is_dir());
}
