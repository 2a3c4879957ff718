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

/// How often each way is gone: what is printed last is the median of the ratios, in each round to its own calm.
const ROUNDS: usize = 5;

/// How long is measured when nothing goes on.
const CALM: Duration = Duration::from_secs(5);

#[derive(Debug)]
#[allow(dead_code)] // It is printed whole.
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

#[allow(clippy::print_stdout)]
fn harm(binary: &Binary) {
    let mut place = Place::new(binary);
    let keys = keys().expect("the knob").to_string();
    place.server.client.call(&["DEBUG", "POPULATE", &keys, "key", "200"]);
    // What DEBUG makes is in no log before a rewrite.
    assert_eq!(Run::of(&mut place.live()).code, Some(0));
    type Way = Box<dyn Fn(&Place)>;
    let ways: [(&str, Way); 4] = [
        ("--strategy link", Box::new(|place| backup(place, &["--strategy", "link"]))),
        ("--strategy rewrite", Box::new(|place| backup(place, &["--strategy", "rewrite"]))),
        ("the script's steps, zip", Box::new(|place| script(place, "zip -qr"))),
        ("the script's steps, tar czf", Box::new(|place| script(place, "tar czf"))),
    ];
    let mut ratios = vec![Vec::new(); ways.len()];
    println!("\n{}, {keys} keys", binary.line);
    for _ in 0..ROUNDS {
        let calm = felt(&place, || thread::sleep(CALM));
        println!("  calm: {calm:?}");
        for ((name, way), ratios) in ways.iter().zip(&mut ratios) {
            let felt = felt(&place, || way(&place));
            println!("  {name:<28} {felt:?}");
            let ratio = |a: Duration, b: Duration| a.as_secs_f64() / b.as_secs_f64().max(1e-9);
            ratios.push([
                ratio(felt.p50, calm.p50),
                ratio(felt.p99, calm.p99),
                ratio(felt.max, calm.max),
            ]);
        }
    }
    for ((name, _), ratios) in ways.iter().zip(ratios) {
        let [p50, p99, max] = [0, 1, 2].map(|of| spread(ratios.iter().map(|ratios| ratios[of])));
        println!("  {name:<28} p50 {p50}  p99 {p99}  max {max}");
    }
}

/// The median, with the least and the greatest.
fn spread(ratios: impl Iterator<Item = f64>) -> String {
    let mut ratios: Vec<f64> = ratios.collect();
    ratios.sort_by(f64::total_cmp);
    let last = ratios.len() - 1;
    format!("{:.2}x ({:.2} to {:.2})", ratios[last / 2], ratios[0], ratios[last])
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
