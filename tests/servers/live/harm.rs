//! By hand: what clients feel of a backup. `AOFKIT_LIVE_HARM=300000 cargo test --release --test servers -- harm`, the
//! number being that of keys, prints for each way the latencies that clients saw, as ratios to when nothing went on.

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use libtest_mimic::Trial;

use super::on_each;
use super::place::{Place, Run, directory};
use crate::support::LINES;
use crate::support::client::Client;
use crate::support::server::Binary;

pub(crate) fn trials() -> Vec<Trial> {
    match keys() {
        Some(_) => on_each(&LINES[1..], "harm that a backup does to clients", harm),
        None => Vec::new(),
    }
}

fn keys() -> Option<usize> {
    std::env::var("AOFKIT_LIVE_HARM").ok()?.parse().ok()
}

/// Connections that measure.
const CLIENTS: usize = 8;

/// How long is measured when nothing goes on.
const CALM: Duration = Duration::from_secs(5);

#[derive(Debug)]
struct Felt {
    p50: Duration,
    p99: Duration,
    max: Duration,
    calls: usize,
    took: Duration,
}

/// What clients feel while `work` goes on: each sends a SET, waits for the reply and a millisecond, and again.
fn felt(place: &Place, work: impl FnOnce()) -> Felt {
    let stop = Arc::new(AtomicBool::new(false));
    let clients: Vec<_> = (0..CLIENTS)
        .map(|number| {
            let (stop, socket) = (Arc::clone(&stop), place.server.socket());
            thread::spawn(move || {
                let mut client = Client::connect(&socket).expect("a connection");
                let mut latencies = Vec::new();
                let mut n = number;
                while !stop.load(Ordering::Relaxed) {
                    n = (n * 31 + 7) % 100_000;
                    let began = Instant::now();
                    client.call(&["SET", &format!("key:{n}"), "written by a client that measures"]);
                    latencies.push(began.elapsed());
                    thread::sleep(Duration::from_millis(1));
                }
                latencies
            })
        })
        .collect();
    let began = Instant::now();
    work();
    let took = began.elapsed();
    // A short job is felt after it as well: what it has put off comes then.
    thread::sleep(Duration::from_millis(500));
    stop.store(true, Ordering::Relaxed);
    let mut all: Vec<_> =
        clients.into_iter().flat_map(|client| client.join().expect("it ended well")).collect();
    all.sort();
    let at = |of: usize| all[(all.len() - 1) * of / 100];
    Felt { p50: at(50), p99: at(99), max: at(100), calls: all.len(), took }
}

#[allow(clippy::print_stdout, clippy::cast_precision_loss)]
fn harm(binary: &Binary) {
    let mut place = Place::new(binary);
    let keys = keys().expect("the knob").to_string();
    place.server.client.call(&["DEBUG", "POPULATE", &keys, "key", "200"]);
    // What DEBUG makes is in no log before a rewrite.
    assert_eq!(Run::of(&mut place.live()).code, Some(0));
    let calm = felt(&place, || thread::sleep(CALM));
    println!("\n{}, {keys} keys; calm: {calm:?}", binary.line);
    type Way = Box<dyn Fn(&Place)>;
    let ways: [(&str, Way); 4] = [
        ("--strategy link", Box::new(|place| backup(place, &["--strategy", "link"]))),
        ("--strategy rewrite", Box::new(|place| backup(place, &["--strategy", "rewrite"]))),
        ("the script's steps, zip", Box::new(|place| script(place, "zip -qr"))),
        ("the script's steps, tar czf", Box::new(|place| script(place, "tar czf"))),
    ];
    for (name, way) in ways {
        let felt = felt(&place, || way(&place));
        let ratio = |a: Duration, b: Duration| a.as_secs_f64() / b.as_secs_f64().max(1e-9);
        println!(
            "  {name:<28} p50 {:>6.2}x  p99 {:>6.2}x  max {:>6.2}x  ({:?}, {} calls)",
            ratio(felt.p50, calm.p50),
            ratio(felt.p99, calm.p99),
            ratio(felt.max, calm.max),
            felt.took,
            felt.calls
        );
    }
}

fn backup(place: &Place, args: &[&str]) {
    let run = Run::of(place.backup(&["--live", "-s"]).arg(place.server.socket()).args(args));
    assert_eq!(run.code, Some(0), "{run:#?}");
}

/// What the shell script does.
fn script(place: &Place, packer: &str) {
    let mut client = Client::connect(&place.server.socket()).expect("a connection");
    client.call(&["CONFIG", "SET", "appendfsync", "no"]);
    thread::sleep(Duration::from_secs(1));
    client.call(&["BGREWRITEAOF"]);
    loop {
        thread::sleep(Duration::from_secs(1));
        if client.call(&["INFO", "persistence"]).text().contains("aof_rewrite_in_progress:0") {
            break;
        }
    }
    let to = directory();
    let script = format!("{packer} \"$0\" .");
    let mut shell = Command::new("sh");
    shell.args(["-c", &script]).arg(to.path().join("aof.zip")).current_dir(place.data.path());
    // A packer that is not there, or that minds a file that grows, has done its harm all the same.
    let _ = shell.output();
    thread::sleep(Duration::from_secs(1));
    client.call(&["CONFIG", "SET", "appendfsync", "everysec"]);
}
