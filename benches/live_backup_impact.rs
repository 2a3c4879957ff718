//! The impact of `aofkit backup --live` on the latency that clients observe.
//!
//! `cargo bench --bench live_backup_impact -- --keys 300000`, see README.md in this directory. Without `--keys`, as in
//! a plain `cargo bench`, it only prints this command.

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

#[allow(dead_code, unused_imports)] // Only a part of it is needed here.
#[path = "../tests/support/mod.rs"]
mod support;

use support::{Binary, Client, FAMILIES, Run, Setup, find, temp_dir};

/// The number of connections that measure.
const CLIENTS: usize = 8;

/// The number of measurements of each method. The ratios are relative to the baseline of the same round.
const ROUNDS: usize = 5;

/// The duration of a baseline measurement, during which no backup runs.
const BASELINE: Duration = Duration::from_secs(5);

#[allow(clippy::print_stdout, clippy::print_stderr)]
fn main() {
    let args: Vec<String> = std::env::args().collect();
    let value = args.iter().position(|arg| arg == "--keys").and_then(|at| args.get(at + 1));
    let Some(keys) = value.and_then(|keys| keys.parse().ok()) else {
        println!("skipped; run: cargo bench --bench live_backup_impact -- --keys 300000");
        return;
    };
    for line in FAMILIES.iter().filter(|line| line.reads_multi_part()) {
        match find(*line) {
            Ok(binary) => measure_line(&binary, keys),
            Err(reason) => eprintln!("skipped: {reason}"),
        }
    }
}

/// The latencies of the clients during one measurement.
#[derive(Debug)]
#[allow(dead_code)] // All fields are printed.
struct Latencies {
    p50: Duration,
    p99: Duration,
    max: Duration,
    calls: usize,
    /// The duration of the work during which the clients measured.
    took: Duration,
}

/// Measures the latencies of clients during `work`. Each client repeatedly sends a SET, waits for the reply, and
/// sleeps for a millisecond.
fn measure(setup: &Setup, work: impl FnOnce()) -> Latencies {
    let stop = Arc::new(AtomicBool::new(false));
    let clients: Vec<_> = (0..CLIENTS)
        .map(|number| {
            let (stop, socket) = (Arc::clone(&stop), setup.server.socket());
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
    // Work that the server has postponed affects clients after the end of a short backup.
    thread::sleep(Duration::from_millis(500));
    stop.store(true, Ordering::Relaxed);
    let mut all: Vec<_> =
        clients.into_iter().flat_map(|client| client.join().expect("no client failed")).collect();
    all.sort();
    let percentile = |percent: usize| all[(all.len() - 1) * percent / 100];
    Latencies {
        p50: percentile(50),
        p99: percentile(99),
        max: percentile(100),
        calls: all.len(),
        took,
    }
}

/// Measures all methods on a server with this many keys, and prints the latencies and their ratios to the baseline.
#[allow(clippy::print_stdout)]
fn measure_line(binary: &Binary, keys: usize) {
    let mut setup = Setup::new(binary);
    setup.server.client.call(&["DEBUG", "POPULATE", &keys.to_string(), "key", "200"]);
    // Keys created by DEBUG POPULATE are not in the log until a rewrite.
    assert_eq!(Run::of(&mut setup.live()).code, Some(0));
    type Method = Box<dyn Fn(&Setup)>;
    let methods: [(&str, Method); 4] = [
        ("--strategy link", Box::new(|setup| backup(setup, &["--strategy", "link"]))),
        ("--strategy rewrite", Box::new(|setup| backup(setup, &["--strategy", "rewrite"]))),
        ("the script's steps, zip", Box::new(|setup| script(setup, "zip -qr"))),
        ("the script's steps, tar czf", Box::new(|setup| script(setup, "tar czf"))),
    ];
    let mut ratios = vec![Vec::new(); methods.len()];
    println!("\n{}, {keys} keys", binary.line);
    for _ in 0..ROUNDS {
        let baseline = measure(&setup, || thread::sleep(BASELINE));
        println!("  baseline: {baseline:?}");
        for ((name, method), ratios) in methods.iter().zip(&mut ratios) {
            let latencies = measure(&setup, || method(&setup));
            println!("  {name:<28} {latencies:?}");
            let ratio = |a: Duration, b: Duration| a.as_secs_f64() / b.as_secs_f64().max(1e-9);
            ratios.push([
                ratio(latencies.p50, baseline.p50),
                ratio(latencies.p99, baseline.p99),
                ratio(latencies.max, baseline.max),
            ]);
        }
    }
    for ((name, _), ratios) in methods.iter().zip(ratios) {
        let [p50, p99, max] = [0, 1, 2].map(|of| spread(ratios.iter().map(|ratios| ratios[of])));
        println!("  {name:<28} p50 {p50}  p99 {p99}  max {max}");
    }
}

/// Formats the median, the minimum and the maximum.
fn spread(ratios: impl Iterator<Item = f64>) -> String {
    let mut ratios: Vec<f64> = ratios.collect();
    ratios.sort_by(f64::total_cmp);
    let last = ratios.len() - 1;
    format!("{:.2}x ({:.2} to {:.2})", ratios[last / 2], ratios[0], ratios[last])
}

fn backup(setup: &Setup, args: &[&str]) {
    let run = Run::of(setup.backup(&["--live", "-s"]).arg(setup.server.socket()).args(args));
    assert_eq!(run.code, Some(0), "{run:#?}");
}

/// Backs up as a typical shell script does: `appendfsync no`, BGREWRITEAOF, then an archiver.
fn script(setup: &Setup, archiver: &str) {
    let mut client = Client::connect(&setup.server.socket()).expect("a connection");
    client.call(&["CONFIG", "SET", "appendfsync", "no"]);
    thread::sleep(Duration::from_secs(1));
    client.call(&["BGREWRITEAOF"]);
    loop {
        thread::sleep(Duration::from_secs(1));
        if client.call(&["INFO", "persistence"]).text().contains("aof_rewrite_in_progress:0") {
            break;
        }
    }
    let to = temp_dir();
    let script = format!("{archiver} \"$0\" .");
    let mut shell = Command::new("sh");
    shell.args(["-c", &script]).arg(to.path().join("aof.zip")).current_dir(setup.data.path());
    // Archivers fail if a file grows while they read it. Only the load that they cause matters here.
    let _ = shell.output();
    thread::sleep(Duration::from_secs(1));
    client.call(&["CONFIG", "SET", "appendfsync", "everysec"]);
}
