//! Next steps: each command that a report or an error prints is in the JSON, no other is, and each works.

use serde_json::Value;

use super::*;

/// The commands of a log, one a line, arguments separated by blanks.
fn log(lines: &str) -> Vec<u8> {
    lines.lines().flat_map(|line| command(&line.split(' ').collect::<Vec<_>>())).collect()
}

fn each(numbers: std::ops::Range<u32>, line: &str) -> String {
    numbers.map(|number| line.replace('@', &number.to_string()) + "\n").collect()
}

const SOME: &str = "SET a 1\nSET b 2\nSET c 3\n";

/// The programs that steps name.
const PROGRAMS: [&str; 6] = ["aofkit", "redis-cli", "valkey-cli", "cp", "mv", "chown"];

/// What is recovered: how it is made, and its path.
struct Case {
    path: &'static str,
    /// The reason for the case, and how its files are made.
    make: fn(&Place),
}

const INCR: &str = "appendonly.aof.1.incr.aof";

/// One case for each verdict, layout, and kind of name.
const CASES: &[Case] = &[
    Case { path: "a.aof", make: |it| it.put("a.aof", log(&format!("{SOME}FLUSHALL"))) },
    Case { path: "a.aof", make: |it| it.put("a.aof", log(&format!("{SOME}FLUSHALL\nSET d 4"))) },
    Case {
        path: "it's a 'log'.aof",
        make: |it| it.put("it's a 'log'.aof", log(&format!("{SOME}FLUSHALL\nSET d 4"))),
    },
    Case { path: "./-n.aof", make: |it| it.put("-n.aof", log(&format!("{SOME}FLUSHALL"))) },
    Case {
        path: "data/7",
        make: |it| {
            fs::create_dir(it.path("data")).unwrap();
            it.put("data/7", log(&format!("{SOME}WIPE\nSET d 4\nWIPE")));
        },
    },
    Case {
        path: "a.aof",
        make: |it| {
            let keys = each(0..40, "SET user:@ v");
            it.put("a.aof", log(&format!("{SOME}{keys}{}", each(0..40, "DEL user:@"))));
        },
    },
    Case {
        path: "a.aof",
        make: |it| {
            let keys = each(0..3000, "SET k@ v");
            it.put("a.aof", log(&format!("{keys}{}SET z 1", each(0..100, "DEL k@"))));
        },
    },
    Case {
        path: "a.aof",
        make: |it| it.put("a.aof", log(&format!("{}DEL k1", each(0..200, "SET k@ v")))),
    },
    Case { path: "a.aof", make: |it| it.put("a.aof", log(&format!("{SOME}EVAL x 0\nSET d 4"))) },
    Case {
        path: "a.aof",
        make: |it| {
            let after = log("SET x 1\nFLUSHALL");
            it.put("a.aof", [&log(SOME)[..], b"noise", &after].concat());
        },
    },
    Case { path: "a.aof", make: |it| it.put("a.aof", "<html></html>\n") },
    Case { path: "a.aof", make: |it| it.put("a.aof", log(SOME)) },
    Case {
        path: "a.aof",
        make: |it| it.put("a.aof", [log(SOME), log("FLUSHALL\nGET a").repeat(5000)].concat()),
    },
    Case {
        path: "my data/set",
        make: |it| it.put_set("my data/set", &[(INCR, &log(&format!("{SOME}FLUSHALL")))]),
    },
    Case {
        path: "data",
        make: |it| {
            it.put_set("data/appendonlydir", &[(INCR, &log("FLUSHALL\nSET x 1"))]);
            it.put("data/appendonly.aof", log(&format!("{SOME}FLUSHALL")));
        },
    },
    Case {
        path: "data",
        make: |it| {
            fs::create_dir(it.path("data")).unwrap();
            it.put("data/appendonly.aof", log("FLUSHALL\nSET x 1"));
            it.put("data/dump.rdb", &super::newer::newer()[0].1);
            it.put("data/temp-rewriteaof-1.aof", log(SOME));
        },
    },
    Case {
        path: "a.zip",
        make: |it| {
            it.put("x.aof", log(&format!("{SOME}FLUSHALL\nSET d 4")));
            let run = it.run(&["compress", "x.aof", "-o", "a.zip"]);
            assert_eq!(run.code, Some(0), "{run:#?}");
            fs::remove_file(it.path("x.aof")).unwrap();
        },
    },
];

fn document(run: &Run) -> Value {
    serde_json::from_str(&run.stdout).unwrap_or_else(|error| panic!("{error}: {run:#?}"))
}

/// The commands of steps, each as its program and arguments.
fn commands(steps: &[Value]) -> Vec<Vec<String>> {
    let actions = steps.iter().flat_map(|step| step["actions"].as_array().unwrap());
    actions.filter_map(command_of).collect()
}

fn command_of(action: &Value) -> Option<Vec<String>> {
    let args = action["args"].as_array()?.iter();
    let words = [&action["program"]].into_iter().chain(args);
    Some(words.map(|word| word.as_str().unwrap().to_owned()).collect())
}

/// The commands that a text prints, split by a shell.
fn printed(place: &Place, stdout: &str) -> Vec<Vec<String>> {
    let lines = stdout.lines().filter_map(|line| line.strip_prefix("       "));
    let is_command =
        |line: &&str| line.split_once(' ').is_some_and(|(program, _)| PROGRAMS.contains(&program));
    let words = |line: &str| {
        let run = place.shell(&format!("printf '%s\\n' {line}"));
        assert_eq!(run.code, Some(0), "{line}: {run:#?}");
        run.stdout.lines().map(str::to_owned).collect()
    };
    lines.filter(is_command).map(words).collect()
}

impl Case {
    fn place(&self) -> Place {
        let place = Place::new();
        (self.make)(&place);
        place
    }

    /// Checks what a preview prints, and runs each of its choices on files of its own.
    fn check(&self) {
        let place = self.place();
        let text = place.run(&["recover", self.path]);
        let report = document(&place.run(&["recover", self.path, "--json"]));
        let steps = report["next"].as_array().unwrap();
        let all = [&steps[..], report["elsewhere"].as_array().unwrap()].concat();
        assert_eq!(printed(&place, &text.stdout), commands(&all), "{text:#?}");
        for step in steps.iter().filter(|step| step["alternative"] == true) {
            let place = self.place();
            let commands = commands(std::slice::from_ref(step));
            assert!(!commands.is_empty(), "{step:#}");
            commands.iter().for_each(|command| run_choice(&place, self, command));
        }
    }
}

/// Runs a command of a preview, and then each step that its report has.
#[track_caller]
fn run_choice(place: &Place, case: &Case, command: &[String]) {
    let [program, args @ ..] = command else { panic!("{command:?}") };
    assert_eq!(program, "aofkit");
    let run = place.run(args);
    // 1: a report with findings; 4: a dry run of a repair that would keep no command.
    let expected: &[i32] = if args.iter().any(|arg| arg == "--output") { &[0] } else { &[0, 1, 4] };
    assert!(run.code.is_some_and(|code| expected.contains(&code)), "{command:?}: {run:#?}");
    let writes = args[0] == "recover" && expected == [0];
    if !writes {
        return;
    }
    let again = case.place();
    let report = document(&again.run(&[args, &["--json".to_owned()]].concat()));
    let steps = report["next"].as_array().unwrap();
    assert!(steps.iter().all(|step| step["alternative"] == false));
    assert_eq!(printed(&again, &run.stdout), commands(steps), "{run:#?}");
    put_in_place(&again, &report);
}

/// Takes the steps after a recovery, except that there is no server, and checks that the result is where they say.
#[track_caller]
fn put_in_place(place: &Place, report: &Value) {
    let steps = report["next"].as_array().unwrap();
    let mut target = String::new();
    for command in commands(steps).iter().filter(|command| !command[0].ends_with("-cli")) {
        let [program, args @ ..] = &command[..] else { panic!() };
        let run = match program.as_str() {
            "aofkit" => place.run(args),
            _ => {
                let mut other = Command::new(program);
                Run::of(&other.args(args).current_dir(place.0.path()).output().unwrap())
            }
        };
        assert_eq!(run.code, Some(0), "{command:?}: {run:#?}\n{:?}", place.names());
        if program != "chown" && program != "cp" {
            target = args.last().unwrap().clone();
        }
    }
    let actions = steps.iter().flat_map(|step| step["actions"].as_array().unwrap());
    let expected = actions.filter_map(|action| action["output"].as_str());
    let expected: u64 =
        expected.map(|text| text.split_once("keys=").unwrap().1.parse::<u64>().unwrap()).sum();
    // A result with an unknown command in it is not counted.
    if report["done"]["holds"].is_null() {
        assert!(place.path(&target).exists(), "{target}");
        return;
    }
    let digest = document(&place.run(&["digest", &target, "--json"]));
    match report["archived"] == true {
        true => assert_eq!(digest["keys"], report["done"]["holds"]["total"], "{digest:#}"),
        false => assert_eq!(digest["keys"], expected, "{target}: {digest:#}"),
    }
}

#[test]
fn printed_commands_of_recover_are_those_of_the_json_and_each_works() {
    CASES.iter().for_each(Case::check);
}

/// Where a log has nothing, the report lists where else to look, in an order; where it has something, it does not.
#[test]
fn report_lists_where_else_to_look_only_if_nothing_is_here() {
    let place = Place::new();
    place.put("a.aof", log(SOME));
    place.put("empty.aof", b"");
    place.put("flushed.aof", log(&format!("{SOME}FLUSHALL")));
    for path in ["a.aof", "empty.aof"] {
        let run = place.run(&["recover", path]);
        let found = ["1. Replicas", "2. Backups", "3. Snapshots", "4. A server that still runs"];
        let places =
            found.map(|it| run.stdout.find(it).unwrap_or_else(|| panic!("{it}: {run:#?}")));
        assert!(places.is_sorted(), "{run:#?}");
    }
    let run = place.run(&["recover", "flushed.aof"]);
    assert!(!run.stdout.contains("Replicas"), "{run:#?}");
}

#[test]
fn undelete_of_nothing_fails_and_writes_nothing() {
    let place = Place::new();
    place.put("a.aof", log(&format!("{SOME}DEL a\nSET a 2\nDEL b")));
    let names = place.names();
    for (pattern, help) in
        [("x*", "lists what was deleted"), ("a", "1 key that match were created again")]
    {
        for destination in [&["-o", "new.aof"][..], &["--in-place"], &["--dry-run"]] {
            let args = [&["recover", "a.aof", "--undelete", pattern], destination].concat();
            let run = place.run(&args);
            assert_eq!((run.code, &*run.stdout), (Some(1), ""), "{run:#?}");
            assert!(run.stderr.contains("no deleted key matches --undelete"), "{run:#?}");
            assert!(run.stderr.contains(help), "{run:#?}");
            assert_eq!(place.names(), names);
        }
    }
    assert_eq!(place.run(&["recover", "a.aof", "--undelete", "b", "-o", "new.aof"]).code, Some(0));
}

#[test]
fn printed_commands_of_restore_are_those_of_the_json_and_each_works() {
    let make = |place: &Place| {
        place.put("a.aof", sound());
        let run = place.run(&["compress", "a.aof", "-o", "a.zip"]);
        assert_eq!(run.code, Some(0), "{run:#?}");
    };
    let places = [Place::new(), Place::new()];
    places.iter().for_each(make);
    let text = places[0].run(&["restore", "a.zip", "--output", "my data"]);
    let report = document(&places[1].run(&["restore", "a.zip", "--output", "my data", "--json"]));
    let commands = commands(report["next"].as_array().unwrap());
    let shown = |place: &Place, commands: Vec<Vec<String>>| -> Vec<Vec<String>> {
        let root = fs::canonicalize(place.0.path()).unwrap();
        let word = |word: String| word.replace(root.to_str().unwrap(), "ROOT");
        commands.into_iter().map(|words| words.into_iter().map(word).collect()).collect()
    };
    let printed = shown(&places[0], printed(&places[0], &text.stdout));
    assert_eq!(printed, shown(&places[1], commands.clone()));
    assert_eq!(printed, [["aofkit", "digest", "ROOT/my data"]]);
    let run = places[1].run(&commands[0][1..]);
    assert_eq!(run.code, Some(0), "{run:#?}");
}

/// Checks that each command that a run prints is in its JSON, and no other, and that each works.
#[track_caller]
fn check_choices(place: &Place, args: &[&str], expected: &[&[&str]]) {
    let text = place.run(args);
    let report = document(&place.run(&[args, &["--json"]].concat()));
    let steps = report["next"].as_array().unwrap_or_else(|| panic!("{report:#}"));
    let commands = commands(steps);
    assert_eq!(commands, expected, "{report:#}");
    let all = format!("{}{}", text.stdout, text.stderr);
    assert_eq!(printed(place, &all), commands, "{text:#?}");
    for command in &commands {
        let run = place.run(&command[1..]);
        assert!(run.code.is_some_and(|code| [0, 1].contains(&code)), "{command:?}: {run:#?}");
    }
}

#[test]
fn choices_of_a_refused_repair_and_backup_are_typed_and_each_works() {
    let place = Place::new();
    fs::create_dir(place.path("my archives")).unwrap();
    place.put("a b.aof", torn());
    check_choices(
        &place,
        &["backup", "a b.aof", "--to", "my archives"],
        &[
            &["aofkit", "repair", "a b.aof", "--dry-run"],
            &["aofkit", "backup", "a b.aof", "--to", "my archives", "--damaged"],
        ],
    );
    // Nothing but noise before whole commands.
    place.put("noise.aof", [&b"noise\n"[..], &sound()].concat());
    check_choices(
        &place,
        &["repair", "noise.aof", "--output", "new.aof"],
        &[
            &["aofkit", "repair", "noise.aof", "--salvage", "--dry-run"],
            &["aofkit", "verify", "noise.aof"],
        ],
    );
    // A transaction that later writes may follow.
    place.put("open.aof", [&sound()[..], &log("MULTI\nSET m 1\nSELECT 0\nSET n 1")].concat());
    check_choices(
        &place,
        &["repair", "open.aof", "--output", "new.aof"],
        &[
            &["aofkit", "repair", "open.aof", "--join", "select", "--dry-run"],
            &["aofkit", "repair", "open.aof", "--join", "cut", "--dry-run"],
        ],
    );
    assert!(!place.path("new.aof").exists());
}
