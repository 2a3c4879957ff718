//! What this program leaves beside a log: every later command that is given the data directory passes over it.

use super::*;

const INCR: &str = "appendonly.aof.1.incr.aof";

/// Every command that takes a data directory.
fn all_work_on(place: &Place, data: &str) {
    fs::create_dir_all(place.path("archives")).unwrap();
    let lines = [
        format!("verify {data}"),
        format!("log {data}"),
        format!("digest {data}"),
        format!("diff {data} {data}"),
        format!("history a {data}"),
        format!("recover {data}"),
        format!("repair --dry-run {data}"),
        format!("compact {data} -o new --force"),
        format!("compress {data} -o new.zip --force"),
        format!("backup {data} --to archives"),
    ];
    for line in lines {
        let args: Vec<&str> = line.split(' ').collect();
        let run = place.run(&args);
        assert_eq!(run.code, Some(0), "{line}: {run:#?}");
    }
}

/// The one name in `data` that holds `mark`.
fn named(place: &Place, data: &str, mark: &str) -> String {
    let entries = fs::read_dir(place.path(data)).unwrap();
    let mut names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.find(|name| name.contains(mark)).unwrap_or_else(|| panic!("no {mark} in {data}"))
}

#[test]
fn a_data_directory_works_after_every_change_in_place() {
    let place = Place::new();
    fs::create_dir(place.path("data")).unwrap();
    place.put_set("data/appendonlydir", &[(INCR, &torn())]);
    // Twice in one second, and so with a number.
    for _ in 0..2 {
        place.put(format!("data/appendonlydir/{INCR}"), torn());
        let run = place.run(&["repair", "--in-place", "data/appendonlydir"]);
        assert_eq!(run.code, Some(0), "{run:#?}");
        all_work_on(&place, "data");
    }
    let flushed = [sound(), command(&["FLUSHALL"])].concat();
    place.put(format!("data/appendonlydir/{INCR}"), flushed);
    let run = place.run(&["recover", "--strip", "--in-place", "data"]);
    assert_eq!(run.code, Some(0), "{run:#?}");
    all_work_on(&place, "data");
    assert_eq!(place.run(&["compress", "data", "-o", "a.zip"]).code, Some(0));
    let run = place.run(&["restore", "a.zip", "-o", "data", "--force"]);
    assert_eq!(run.code, Some(0), "{run:#?}");
    all_work_on(&place, "data");

    let bak = named(&place, "data", ".bak-");
    let run = place.run(&["verify", "data"]);
    assert!(run.stdout.contains(&format!("\"{bak}\"")), "it is noted: {run:#?}");
    let run = place.run(&["verify", &format!("data/{bak}")]);
    assert!(run.stdout.contains(&format!("data/{bak}/appendonly.aof.manifest")), "{run:#?}");
}

#[test]
fn a_data_directory_works_after_a_run_that_was_killed() {
    let place = Place::new();
    fs::create_dir(place.path("data")).unwrap();
    for set in ["appendonlydir", ".appendonlydir.Xy12Zw.tmp", "appendonlydir.flushed"] {
        place.put_set(&format!("data/{set}"), &[(INCR, &sound())]);
    }
    all_work_on(&place, "data");
}

#[test]
fn a_single_file_is_found_next_to_its_backups() {
    let place = Place::new();
    fs::create_dir(place.path("data")).unwrap();
    place.put("data/log", torn());
    let run = place.run(&["check-aof", "--fix", "--yes", "data/log"]);
    assert_eq!(run.code, Some(0), "{run:#?}");
    place.put("data/log", torn());
    assert_eq!(place.run(&["repair", "--in-place", "data/log"]).code, Some(0));
    place.put("data/.log.Xy12Zw.tmp", sound());
    all_work_on(&place, "data");
}

/// Commands that change a data directory, or read all of it.
const CHANGES: [&str; 6] = [
    "repair --in-place data/appendonlydir",
    "restore a.zip -o data --force",
    "restore a.zip -o data --force --no-backup",
    "extract a.zip -o data --force",
    "check-aof --fix --yes data/appendonlydir/appendonly.aof.manifest",
    "backup data --to archives --damaged",
];

#[test]
fn a_data_directory_works_after_any_sequence_of_commands_and_kills() {
    let place = Place::new();
    fs::create_dir_all(place.path("archives")).unwrap();
    place.put_set("data/appendonlydir", &[(INCR, &sound())]);
    assert_eq!(place.run(&["compress", "data", "-o", "a.zip"]).code, Some(0));
    let mut random: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut done = Vec::new();
    for _ in 0..24 {
        // xorshift64
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let line = CHANGES[(random >> 8) as usize % CHANGES.len()];
        let killed_after = (random & 1 == 0).then_some(random >> 32 & 0x3f);
        done.push((line, killed_after));
        let torn_end = place.shell(&format!("printf '*3\\r\\n$3' >> data/appendonlydir/{INCR}"));
        assert_eq!(torn_end.code, Some(0), "{done:#?}");
        let mut child = Command::new(env!("CARGO_BIN_EXE_aofkit"))
            .args(line.split(' '))
            .current_dir(place.path(""))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        if let Some(ms) = killed_after {
            std::thread::sleep(std::time::Duration::from_millis(ms));
            child.kill().unwrap();
        }
        child.wait().unwrap();
        let repaired = place.run(&["repair", "--in-place", "data/appendonlydir"]);
        assert_eq!(repaired.code, Some(0), "{done:#?}: {repaired:#?}");
        let verified = place.run(&["verify", "data"]);
        assert_eq!(verified.code, Some(0), "{done:#?}: {verified:#?}");
        if done.len() % 6 == 0 {
            all_work_on(&place, "data");
        }
    }
    assert_eq!(place.read(format!("data/appendonlydir/{INCR}")), sound(), "{done:#?}");
}
