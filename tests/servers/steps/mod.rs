//! The steps that `recover` prints, typed exactly as they are printed, on a machine with a real server: the keys that
//! they promise are those that the server serves afterwards.

mod doctor;
mod printed;
mod site;

use std::fs;

use libtest_mimic::Trial;

use self::site::{Site, Supervision, can_be_supervised, can_have_a_network};
use crate::support::{Binary, FAMILIES, args, ignored, with_program_on_each};

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = on("steps::of_each_choice", |binary, _| each_choice(binary, NONE));
    trials.extend(doctor::trials());
    trials.extend(on("steps::of_each_candidate", |binary, _| each_candidate(binary, NONE)));
    if can_have_a_network() {
        trials.extend(on("steps::of_another_network", |binary, _| {
            some(binary, Supervision::OwnNetwork);
        }));
    } else {
        let reason = "needs the right to make a network".to_owned();
        trials.push(ignored("steps::of_another_network".to_owned(), reason));
    }
    if !can_be_supervised() {
        let reason = "needs the right to mount".to_owned();
        trials.push(ignored("steps::of_a_supervised_server".to_owned(), reason));
        return trials;
    }
    trials.extend(on("steps::of_a_service", |binary, _| {
        each_choice(binary, Supervision::Systemd);
        snapshot(binary, Supervision::Systemd, false);
        unfinished_snapshot(binary, Supervision::Systemd);
    }));
    trials.extend(on("steps::of_a_container", |binary, _| some(binary, Supervision::Docker)));
    trials.extend(on("steps::of_a_pod", |binary, _| some(binary, Supervision::Kubernetes)));
    trials
}

const NONE: Supervision = Supervision::None;

fn on(name: &str, body: fn(&Binary, &std::path::Path)) -> Vec<Trial> {
    with_program_on_each(&FAMILIES, "redis-cli", name, body)
}

const AOF: &str = "appendonly yes";

fn some(binary: &Binary, supervision: Supervision) {
    choice(binary, supervision, &["FLUSHALL"], &["--strip"]);
    snapshot(binary, supervision, true);
}

/// Writes data of several types to two databases.
fn fill(site: &Site) -> (u64, String) {
    let mut client = site.client();
    for number in 0..40 {
        client.call(&["SET", &format!("user:{number}"), &number.to_string()]);
    }
    for line in ["RPUSH list a b c", "HSET hash f v g w", "SADD set x y", "ZADD zset 1 m"] {
        client.call(&args(line));
    }
    client.call(&["SELECT", "3"]);
    client.call(&["SET", "other", "1"]);
    site.served()
}

/// Writes a key after the loss.
fn write_later(site: &Site) {
    site.client().call(&["SET", "later", "1"]);
}

/// Checks that the server serves this data, and the later key if it is expected.
#[track_caller]
fn expect(site: &Site, (keys, digest): &(u64, String), with_later: bool) {
    let mut client = site.client();
    assert_eq!(client.call(&["DEL", "later"]).int(), i64::from(with_later));
    assert_eq!(site.served(), (*keys, digest.clone()));
}

/// Recovers with a command of the preview, and types the steps of its report.
#[track_caller]
fn recover_with(site: &Site, options: &[&str]) {
    let preview = site.shell("aofkit recover data");
    let command = site.choice(&preview.stdout, options);
    let run = site.must(&command);
    site.type_steps(&run.stdout);
}

fn choice(binary: &Binary, supervision: Supervision, loss: &[&str], options: &[&str]) {
    let site = Site::start(binary, supervision, AOF);
    let before = fill(&site);
    loss.iter().for_each(|line| drop(site.client().call(&args(line))));
    let is_within = !options.contains(&"--strip");
    if is_within {
        write_later(&site);
    }
    recover_with(&site, options);
    expect(&site, &before, is_within && !options.contains(&"--until"));
    // The server goes on writing to the log that it was given.
    write_later(&site);
    site.stop();
    site.start_again();
    expect(&site, &before, true);
}

fn each_choice(binary: &Binary, supervision: Supervision) {
    for options in
        [&["--strip"][..], &["--until"], &["--merge newer", "--excise"], &["--excise", "--output"]]
    {
        choice(binary, supervision, &["FLUSHALL"], options);
    }
    let deletions = (0..40).map(|number| format!("DEL user:{number}")).collect::<Vec<_>>();
    let deletions: Vec<&str> = deletions.iter().map(String::as_str).collect();
    choice(binary, supervision, &deletions, &["--undelete"]);
    stopped_first(binary, supervision);
    in_place(binary, supervision);
    into_server(binary, supervision);
}

/// The steps of the preview are typed before a choice is made.
fn stopped_first(binary: &Binary, supervision: Supervision) {
    let site = Site::start(binary, supervision, AOF);
    let before = fill(&site);
    site.client().call(&["FLUSHALL"]);
    let preview = site.shell("aofkit recover data").stdout;
    let first: Vec<String> =
        printed::first_steps(&preview).into_iter().flat_map(|step| step.lines).collect();
    assert!(!first.is_empty(), "{preview}");
    site.must(&first.join("\n"));
    site.listen_on_default_port();
    let run = site.must(&site.choice(&preview, &["--strip"]));
    site.type_steps(&run.stdout);
    expect(&site, &before, false);
}

fn in_place(binary: &Binary, supervision: Supervision) {
    let site = Site::start(binary, supervision, AOF);
    let before = fill(&site);
    site.client().call(&["FLUSHALL"]);
    site.stop();
    site.listen_on_default_port();
    site.must("chown -R 65534:65534 data");
    let run = site.must("aofkit recover data --strip --in-place");
    site.type_steps(&run.stdout);
    expect(&site, &before, false);
}

/// The log of a server that goes on running is secured, and the keys are put into it.
fn into_server(binary: &Binary, supervision: Supervision) {
    // A supervisor changes nothing here: one of the two is enough with it.
    let places: &[bool] = if supervision == Supervision::None { &[false, true] } else { &[true] };
    for &is_flush_at_the_end in places {
        let site = Site::start(binary, supervision, AOF);
        let before = fill(&site);
        site.client().call(&["FLUSHALL"]);
        if !is_flush_at_the_end {
            write_later(&site);
        }
        let run = site.shell("aofkit recover --hold -s socket");
        if is_flush_at_the_end {
            write_later(&site);
        }
        let command = site.choice(&run.stdout, &["--into"]);
        site.must(&command);
        expect(&site, &before, true);
    }
}

fn each_candidate(binary: &Binary, supervision: Supervision) {
    for with_later in [false, true] {
        snapshot(binary, supervision, with_later);
        unfinished_rewrite(binary, supervision, with_later);
        if binary.line.has_redis(7, 0) {
            unlisted_parts(binary, supervision, with_later);
            old_single_file(binary, supervision, with_later);
        }
    }
    unfinished_snapshot(binary, supervision);
    without_a_log(binary, supervision);
}

/// Uses a candidate: alone, or merged with the later writes if there are any.
fn use_candidate(site: &Site, before: &(u64, String), with_later: bool) {
    let option = if with_later { "--merge newer" } else { "--strip" };
    recover_with(site, &["--candidate", option]);
    expect(site, before, with_later);
}

/// Only `dump.rdb` has the data, as after `appendonly yes` was set and the server restarted (redis#12484).
fn snapshot(binary: &Binary, supervision: Supervision, with_later: bool) {
    let site = Site::start(binary, supervision, AOF);
    let before = fill(&site);
    site.client().call(&["SAVE"]);
    lose(&site);
    if with_later {
        write_later(&site);
    }
    use_candidate(&site, &before, with_later);
}

/// The server starts without its log.
fn lose(site: &Site) {
    site.stop();
    site.must("mkdir lost; mv data/appendonly* lost/");
    site.start_again();
    assert_eq!(site.served().0, 0);
}

/// A rewrite was interrupted after its file was complete.
fn unfinished_rewrite(binary: &Binary, supervision: Supervision, with_later: bool) {
    let site = Site::start(binary, supervision, AOF);
    let before = fill(&site);
    site.rewrite();
    lose(&site);
    let name = "temp-rewriteaof-4276.aof";
    match binary.line.has_redis(7, 0) {
        true => site.must(&format!("cp lost/appendonlydir/*.base.rdb data/{name}")),
        false => site.must(&format!("cp lost/appendonly.aof data/{name}")),
    };
    if with_later {
        write_later(&site);
    }
    use_candidate(&site, &before, with_later);
}

/// The manifest was lost, and the server began a new set beside the old parts.
fn unlisted_parts(binary: &Binary, supervision: Supervision, with_later: bool) {
    let site = Site::start(binary, supervision, AOF);
    fill(&site);
    site.rewrite();
    // Only the incremental file has this value.
    site.client().call(&["SET", "user:0", "changed"]);
    let before = site.served();
    lose(&site);
    // The old parts are of sequence 2, those of the new set of 1.
    site.must("cp -n lost/appendonlydir/*.aof lost/appendonlydir/*.rdb data/appendonlydir/");
    if with_later {
        write_later(&site);
    }
    use_candidate(&site, &before, with_later);
}

/// The single file of before an upgrade is beside the set.
fn old_single_file(binary: &Binary, supervision: Supervision, with_later: bool) {
    let site = Site::start(binary, supervision, AOF);
    let before = fill(&site);
    site.rewrite();
    lose(&site);
    site.must("cp lost/appendonlydir/*.base.rdb data/appendonly.aof");
    if with_later {
        write_later(&site);
    }
    use_candidate(&site, &before, with_later);
}

/// A server without a log, whose snapshot was overwritten, with that of an interrupted BGSAVE beside it.
fn unfinished_snapshot(binary: &Binary, supervision: Supervision) {
    let site = Site::start(binary, supervision, "appendonly no");
    let before = fill(&site);
    site.client().call(&["SAVE"]);
    fs::copy(site.path("data/dump.rdb"), site.path("data/temp-4711.rdb")).expect("a copy");
    site.client().call(&["FLUSHALL"]);
    site.client().call(&["SAVE"]);
    recover_with(&site, &["--candidate", "--strip"]);
    expect(&site, &before, false);
}

/// The file of an interrupted rewrite is all that is left, and the server is stopped.
fn without_a_log(binary: &Binary, supervision: Supervision) {
    let site = Site::start(binary, supervision, AOF);
    let before = fill(&site);
    site.rewrite();
    site.stop();
    site.listen_on_default_port();
    site.must("mkdir lost; mv data/appendonly* lost/");
    let whole =
        if binary.line.has_redis(7, 0) { "appendonlydir/*.base.rdb" } else { "appendonly.aof" };
    site.must(&format!("mv lost/{whole} data/temp-rewriteaof-5852.aof"));
    recover_with(&site, &["--candidate", "--strip"]);
    expect(&site, &before, false);
}
