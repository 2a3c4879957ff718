//! The first minutes: no arguments, a wrong word, no path.

use std::io::{Read, Write};

use super::*;

#[test]
fn without_arguments_the_jobs_are_listed_on_one_screen() {
    let place = Place::new();
    let run = place.run::<&str>(&[]);
    assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""), "{run:#?}");
    let screen = run.stderr;
    assert!(screen.lines().count() <= 24, "{screen}");
    assert!(screen.lines().all(|line| line.chars().count() <= 80), "{screen}");
    let examples: Vec<&str> =
        screen.lines().filter_map(|line| line.strip_prefix("  aofkit ")).collect();
    assert_eq!(examples.len(), 5, "{screen}");
    for example in examples {
        // Whatever is wrong with the arguments before it is an error.
        let args: Vec<&str> = example.split(' ').chain(["--help"]).collect();
        let run = place.run(&args);
        assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""), "{example}");
    }
}

#[test]
fn every_subcommand_is_in_a_group_of_the_help() {
    let place = Place::new();
    let help = place.run(&["--help"]);
    assert_eq!(help.code, Some(0));
    let help = help.stdout;
    assert!(help.contains("\nRecover and repair:\n  recover "), "{help}");
    assert!(!help.contains("\nOther:\n"), "{help}");
    for name in ["verify", "backup", "compact", "doctor", "bench", "completions"] {
        assert!(help.contains(&format!("\n  {name} ")), "{name}: {help}");
    }
    assert!(help.contains("\nOptions:\n") && help.contains("--version"), "{help}");
    assert!(help.contains("Exit codes: 0 done"), "{help}");
    assert!(help.lines().all(|line| line.chars().count() <= 80), "{help}");
}

#[test]
fn wrong_word_is_answered_with_the_nearest_one() {
    let place = Place::new();
    fs::create_dir(place.path("data")).unwrap();
    place.put_set("data/appendonlydir", &[("appendonly.aof.1.incr.aof", &sound())]);
    for (line, suggestion) in [
        ("recovr data", "'recover'"),
        ("verify data --jsn", "'--json'"),
        ("convert data -n --for redis-7.0 --formt aof", "'--format'"),
        ("verify data/appendonly.aof", "help: did you mean data/appendonlydir?"),
        ("recover dta/appendonlydir", "help: did you mean data/appendonlydir?"),
        ("doctor dat", "help: did you mean data?"),
        ("recover data --merge newr -n", "'newer'"),
    ] {
        let run = place.run(&line.split(' ').collect::<Vec<_>>());
        assert_eq!(run.code, Some(2), "{line}: {run:#?}");
        assert!(run.stderr.contains(suggestion), "{line}: {}", run.stderr);
    }
    let far = place.run(&["verify", "data/quite-another-name"]);
    assert!(!far.stderr.contains("did you mean"), "{}", far.stderr);
}

/// A directory with a log, in which a program runs that has the name of a server.
struct Served {
    place: Place,
    server: std::process::Child,
}

impl Served {
    fn new() -> Served {
        let place = Place::new();
        fs::create_dir(place.path("data")).unwrap();
        fs::create_dir(place.path("empty")).unwrap();
        place.put("data/appendonly.aof", [sound(), command(&["FLUSHALL"])].concat());
        fs::copy("/bin/sleep", place.path("redis-server")).unwrap();
        let mut server = Command::new(place.path("redis-server"));
        let server = server.arg("60").current_dir(place.path("data")).spawn().unwrap();
        Served { place, server }
    }

    fn data(&self) -> String {
        fs::canonicalize(self.place.path("data")).unwrap().to_str().unwrap().to_owned()
    }

    /// The program, run in the directory without a log.
    fn run(&self, args: &[&str]) -> Run {
        let mut command = self.place.command();
        Run::of(&command.current_dir(self.place.path("empty")).args(args).output().unwrap())
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

#[test]
fn without_a_path_the_directory_of_a_server_is_proposed_with_the_command() {
    let served = Served::new();
    let data = served.data();
    for (given, typed, code) in [
        ("recover --strip -n", format!("recover {data} --strip -n"), 1),
        ("recover", format!("recover {data}"), 1),
        ("--quiet verify", format!("--quiet verify {data}"), 0),
    ] {
        let run = served.run(&given.split(' ').collect::<Vec<_>>());
        assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""), "{given}");
        assert!(run.stderr.starts_with("error: no PATH given\n"), "{}", run.stderr);
        assert!(run.stderr.contains(&format!("\n       aofkit {typed}\n")), "{}", run.stderr);
        let words = run.stderr.split_whitespace().collect::<Vec<_>>().join(" ");
        let pid = served.server.id();
        assert!(words.contains(&format!("used by redis-server (process {pid})")), "{words}");
        // The command that is printed.
        let args: Vec<&str> = typed.split(' ').collect();
        assert_eq!(served.run(&args).code, Some(code), "{typed}");
    }
    let json = served.run(&["recover", "--json"]);
    let report: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(report["kind"], "usage");
    assert!(report["next"].to_string().contains(&data), "{report}");
}

#[test]
fn the_current_directory_is_found_and_a_file_of_the_name_elsewhere() {
    let served = Served::new();
    let run = Run::of(
        &served
            .place
            .command()
            .current_dir(served.place.path("data"))
            .arg("recover")
            .output()
            .unwrap(),
    );
    assert!(run.stderr.contains(&format!("aofkit recover {}\n", served.data())), "{}", run.stderr);
    // Of the same name, where a server has its data.
    fs::write(served.place.path("data/only-there-9f3.rdb"), "").unwrap();
    let run = served.run(&["verify", "only-there-9f3.rdb"]);
    let expected = format!("help: there is one at {}/only-there-9f3.rdb\n", served.data());
    assert!(run.stderr.contains(&expected), "{}", run.stderr);
}

/// Answers the question at a terminal, and returns what was printed.
fn answered(served: &Served, answer: impl Fn(&str) -> String) -> String {
    let program = env!("CARGO_BIN_EXE_aofkit");
    let mut command = Command::new("script");
    command.args(["-qec", &format!("{program} recover"), "/dev/null"]);
    command.current_dir(served.place.path("empty")).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().expect("script, of util-linux");
    let mut output = child.stdout.take().unwrap();
    let mut seen = String::new();
    while !seen.ends_with("] ") {
        let mut byte = [0];
        assert_eq!(output.read(&mut byte).unwrap(), 1, "{seen}");
        seen.push(char::from(byte[0]));
    }
    let mut input = child.stdin.take().unwrap();
    writeln!(input, "{}", answer(&seen)).unwrap();
    output.read_to_string(&mut seen).unwrap();
    child.wait().unwrap();
    seen
}

#[test]
fn at_a_terminal_the_directory_is_chosen_by_its_number() {
    let served = Served::new();
    let data = served.data();
    let number_of = |seen: &str| {
        let line = seen.lines().find(|line| line.contains(&data)).unwrap();
        line.split_whitespace().next().unwrap().to_owned()
    };
    let seen = answered(&served, number_of);
    assert!(seen.contains("No PATH given. These data directories were found:"), "{seen}");
    assert!(seen.contains("FLUSHALL"), "{seen}");
    for wrong in ["", "0", "99", "x"] {
        let seen = answered(&served, |_| wrong.to_owned());
        assert!(seen.contains("no data directory chosen"), "{wrong}: {seen}");
    }
}

#[test]
fn an_unknown_time_zone_is_reported_and_not_silently_taken_for_utc() {
    let place = Place::new();
    place.put("a.aof", b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\nv\r\n");
    let verify = |zone: &str| {
        let run = place.shell(&format!("TZ='{zone}' exec \"$0\" verify --quiet a.aof"));
        assert_eq!(run.code, Some(0), "{run:#?}");
        run.stderr
    };
    for unknown in ["Nowhere/Land", "a\x1b[2J"] {
        let stderr = verify(unknown);
        assert!(stderr.starts_with("warning: the time zone "), "{stderr}");
        assert!(stderr.contains("times are in UTC") && !stderr.contains('\x1b'), "{stderr}");
    }
    for known in ["", "UTC", "Asia/Tokyo", "CET-1CEST,M3.5.0,M10.5.0/3"] {
        assert_eq!(verify(known), "", "{known}");
    }
}
