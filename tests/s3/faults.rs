//! Stores that fail, answer wrongly or deny, and runs that are killed: nothing is listed that does not restore, and the next
//! run succeeds.

use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use super::encrypted::{RECIPIENT, identity};
use super::proxy::{Fault, Proxy};
use super::store::{Store, Test};
use crate::support::Run;

pub(crate) const TESTS: &[Test] = &[
    ("a_cut_at_any_request_is_tried_again", cuts),
    ("failing_answers_are_tried_again", failing),
    ("stalls_are_tried_again", stalls),
    ("lost_or_altered_bytes_are_noticed", lying),
    ("a_store_that_fails_for_good_lists_nothing", down),
    ("denials_name_what_to_do", denials),
    ("a_store_that_ignores_conditions_is_refused", unconditional),
    ("killed_runs_leave_nothing_listed_and_the_next_succeeds", kills),
];

const URL: &str = "s3://backups/p";

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn backup<'a>(log: &'a Path, more: &[&'a str]) -> Vec<&'a str> {
    [&["backup", text(log), "--to", URL], more].concat()
}

/// The number of requests of a backup without faults.
fn requests(store: &Store, log: &Path) -> usize {
    let proxy = Proxy::start(&store.address, |_, _| Fault::None);
    let run = Run::of(&mut store.aofkit_at(&proxy.address, &backup(log, &[])));
    assert_eq!(run.code, Some(0), "{run:#?}");
    proxy.requests()
}

fn cuts(store: &Store) {
    let log = store.log("a.aof", 10, 10);
    let count = requests(store, &log);
    assert!(count > 10);
    for number in 0..count {
        for fault in [Fault::CutBefore, Fault::CutAfter] {
            let now = fault.clone();
            let proxy =
                Proxy::start(
                    &store.address,
                    move |at, _| if at == number { now.clone() } else { Fault::None },
                );
            let run = Run::of(&mut store.aofkit_at(&proxy.address, &backup(&log, &[])));
            assert_eq!(run.code, Some(0), "{fault:?} at {number}: {run:#?}");
        }
    }
    assert_eq!((store.listed(URL).len(), store.uploads()), (1 + 2 * count, 0));
    let keys = store.keys();
    assert!(keys.iter().all(|key| !key.contains("/.")), "{keys:?}");
    store.assert_listed_restore(URL, &log);
}

fn failing(store: &Store) {
    let log = store.log("a.aof", 10, 10);
    let slow = "<Error><Code>SlowDown</Code><Message>Reduce your request rate.</Message></Error>";
    for (status, body) in
        [(500, "<Error><Code>InternalError</Code></Error>"), (503, slow), (429, "")]
    {
        let proxy = Proxy::start(&store.address, move |at, _| {
            if at % 3 == 0 { Fault::Answer(status, body.to_owned()) } else { Fault::None }
        });
        let run = Run::of(&mut store.aofkit_at(&proxy.address, &backup(&log, &[])));
        assert_eq!(run.code, Some(0), "{status}: {run:#?}");
    }
    // A completion may be answered by 200 and an error.
    let proxy = Proxy::start(&store.address, |at, line| {
        let is_first = line.contains("POST") && line.contains("uploadId=") && at < 12;
        let body = "<Error><Code>InternalError</Code></Error>".to_owned();
        if is_first { Fault::Answer(200, body) } else { Fault::None }
    });
    let run = Run::of(&mut store.aofkit_at(&proxy.address, &backup(&log, &[])));
    assert_eq!(run.code, Some(0), "{run:#?}");
    assert_eq!(store.listed(URL).len(), 4);
    store.assert_listed_restore(URL, &log);
}

fn stalls(store: &Store) {
    let log = store.log("a.aof", 10, 10);
    // Without progress for a quarter of the time limit, a request is sent again.
    let seconds: u64 =
        std::env::var("AOFKIT_STALL").ok().and_then(|seconds| seconds.parse().ok()).unwrap_or(5);
    let stall = Duration::from_secs(seconds);
    let limit = format!("{}s", seconds * 12 / 5);
    let proxy =
        Proxy::start(
            &store.address,
            move |at, _| if at % 6 == 0 { Fault::Stall(stall) } else { Fault::None },
        );
    let run =
        Run::of(&mut store.aofkit_at(&proxy.address, &backup(&log, &["--store-timeout", &limit])));
    assert_eq!(run.code, Some(0), "{run:#?}");
    store.assert_listed_restore(URL, &log);
    // A store that never answers in time ends in an error, within the limit and one more attempt.
    let proxy = Proxy::start(&store.address, move |_, _| Fault::Stall(stall));
    let began = Instant::now();
    let list = ["list", URL, "--store-timeout", &limit];
    let run = Run::of(&mut store.aofkit_at(&proxy.address, &list));
    assert!(run.code == Some(2) && run.stderr.contains("no progress in time"), "{run:#?}");
    assert!(began.elapsed() < Duration::from_secs(seconds * 4), "{:?}", began.elapsed());
}

fn lying(store: &Store) {
    let log = store.log("a.aof", 1000, 10_000);
    type Applies = fn(&str) -> bool;
    let faults: [(Fault, Applies); 4] = [
        (Fault::WrongEtag, |line| line.starts_with("PUT") && line.contains("partNumber")),
        (Fault::WrongEtag, |line| line.starts_with("HEAD") && line.contains(".zip ")),
        (Fault::Truncated, |line| line.starts_with("GET") && line.contains(".zip ")),
        (Fault::Altered, |line| line.starts_with("GET") && line.contains(".zip ")),
    ];
    for (fault, applies) in faults {
        let now = fault.clone();
        let proxy =
            Proxy::start(
                &store.address,
                move |_, line| if applies(line) { now.clone() } else { Fault::None },
            );
        let run = Run::of(
            &mut store.aofkit_at(&proxy.address, &backup(&log, &["--store-timeout", "3s"])),
        );
        assert_eq!(run.code, Some(2), "{fault:?}: {run:#?}");
        assert_eq!(store.listed(URL).len(), 0, "{fault:?}");
        // What is left is removed by the next run.
        store.run(&backup(&log, &["--quiet"]));
        assert_eq!(
            (store.listed(URL).len(), store.uploads(), store.keys().len()),
            (1, 0, 2),
            "{:?}",
            store.keys()
        );
        for key in store.keys() {
            store.ask("DELETE", &format!("/backups/{key}"), b"");
        }
    }
    // Reading: an altered byte is damage, a short answer is an error.
    store.run(&backup(&log, &["--quiet"]));
    let archive = store.listed(URL).remove(0);
    for (fault, code) in [(Fault::Altered, 1), (Fault::Truncated, 2)] {
        let now = fault.clone();
        let proxy = Proxy::start(&store.address, move |_, line| {
            if line.starts_with("GET") && line.contains(".zip ") {
                now.clone()
            } else {
                Fault::None
            }
        });
        let run = Run::of(
            &mut store.aofkit_at(&proxy.address, &["verify", &archive, "--store-timeout", "3s"]),
        );
        assert_eq!(run.code, Some(code), "{fault:?}: {run:#?}");
    }
}

fn down(store: &Store) {
    let log = store.log("a.aof", 10, 10);
    let count = requests(store, &log);
    for first in 0..count {
        let proxy =
            Proxy::start(
                &store.address,
                move |at, _| if at >= first { Fault::CutBefore } else { Fault::None },
            );
        let mut run = store.aofkit_at(&proxy.address, &backup(&log, &["--store-timeout", "1s"]));
        let run = Run::of(&mut run);
        // After the confirmation, only the journal and the lease remain to be deleted.
        let is_done = run.code == Some(0);
        assert!(is_done || run.code == Some(2), "{first}: {run:#?}");
        assert!(is_done || run.stderr.contains("does not answer"), "{run:#?}");
    }
    let before = store.listed(URL).len();
    store.assert_listed_restore(URL, &log);
    store.run(&backup(&log, &["--quiet"]));
    assert_eq!((store.listed(URL).len(), store.uploads()), (before + 1, 0));
}

fn denials(store: &Store) {
    let log = store.log("a.aof", 10, 10);
    let of = |code: &str, rest: &str| {
        format!("<Error><Code>{code}</Code><Message>m</Message>{rest}</Error>")
    };
    let cases = [
        (403, of("AccessDenied", ""), "s3:PutObject"),
        (403, of("RequestTimeTooSkewed", ""), "clock"),
        (403, of("InvalidAccessKeyId", ""), "AWS_ACCESS_KEY_ID"),
        (
            400,
            of("AuthorizationHeaderMalformed", "<Region>eu-central-1</Region>"),
            "AWS_REGION=eu-central-1",
        ),
        (301, of("PermanentRedirect", ""), "another region"),
    ];
    for (status, body, said) in cases {
        let proxy = Proxy::start(&store.address, move |_, _| Fault::Answer(status, body.clone()));
        let began = Instant::now();
        let run = Run::of(&mut store.aofkit_at(&proxy.address, &backup(&log, &[])));
        assert!(run.code == Some(2) && run.stderr.contains(said), "{said}: {run:#?}");
        assert!(began.elapsed() < Duration::from_secs(5), "a denial is not tried again");
        assert!(!run.stderr.contains("secret"), "{run:#?}");
    }
    let none = Run::of(&mut store.aofkit(&["list", "s3://no-such-bucket/p"]));
    assert!(
        none.code == Some(2) && none.stderr.contains("no-such-bucket does not exist"),
        "{none:#?}"
    );
    let mut without = crate::support::aofkit();
    // No machine's metadata service is asked by a test.
    without.env("AWS_EC2_METADATA_DISABLED", "true");
    let without = Run::of(without.args(["list", URL]));
    assert!(
        without.code == Some(2) && without.stderr.contains("AWS_ACCESS_KEY_ID"),
        "{without:#?}"
    );
}

fn unconditional(store: &Store) {
    let log = store.log("a.aof", 10, 10);
    let proxy = Proxy::start(&store.address, |_, line| {
        if line.starts_with("PUT") { Fault::Answer(200, String::new()) } else { Fault::None }
    });
    let run = Run::of(&mut store.aofkit_at(&proxy.address, &backup(&log, &[])));
    assert!(run.code == Some(2) && run.stderr.contains("ignores conditions"), "{run:#?}");
    assert_eq!(store.keys(), Vec::<String>::new());
}

fn kills(store: &Store) {
    let rounds: u32 =
        std::env::var("AOFKIT_KILLS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(3);
    // Two parts of an upload.
    let log = store.log("a.aof", 1000, 10_000);
    let identity = identity(store);
    // Every other archive is encrypted.
    let command = |round: u32| -> Command {
        let more: &[&str] = match round % 2 {
            0 => &["--quiet"],
            _ => &["--quiet", "--encrypt-to", RECIPIENT],
        };
        store.aofkit(&backup(&log, more))
    };
    let took = [0, 1].map(|round| {
        let began = Instant::now();
        assert_eq!(Run::of(&mut command(round)).code, Some(0));
        began.elapsed()
    });
    let mut random = u64::from(std::process::id()) | 1;
    let mut killed = 0;
    for round in 0..rounds {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let mut child = command(round).spawn().expect("the program runs");
        let part = f64::from(u32::try_from(random % 1000).unwrap()) / 1000.0;
        thread::sleep(took[usize::from(round % 2 == 1)].mul_f64(part));
        let _ = child.kill();
        killed += u32::from(!child.wait().expect("its end").success());
        let before = store.listed(URL);
        assert!(!before.is_empty(), "round {round}");
        store.assert_listed_restore(URL, &log);
        let next = Run::of(&mut command(round));
        assert_eq!(next.code, Some(0), "round {round}: {next:#?}");
        assert_eq!(
            (store.listed(URL).len(), store.uploads()),
            (before.len() + 1, 0),
            "round {round}"
        );
        assert!(
            store.keys().iter().all(|key| !key.contains("/.")),
            "round {round}: {:?}",
            store.keys()
        );
        let archives = store.keys().iter().filter(|key| !key.ends_with(".ok")).count();
        assert_eq!(
            archives,
            before.len() + 1,
            "round {round}: an archive without confirmation is left"
        );
        let prune = ["prune", URL, "--keep-last", "1", "--quiet", "--identity"];
        store.run(&[&prune[..], &[text(&identity)]].concat());
    }
    store.assert_listed_restore(URL, &log);
    println!("{killed} of {rounds} runs were killed in time");
}
