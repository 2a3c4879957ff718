//! The plan of a dry run is the plan that a real run applies, and a dry run changes no file.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::time::SystemTime;

use serde_json::Value;

use super::*;

/// The commands of a log, one a line, arguments separated by blanks.
fn log(lines: &str) -> Vec<u8> {
    lines.lines().flat_map(|line| command(&line.split(' ').collect::<Vec<_>>())).collect()
}

/// Everything below a directory: the content, mode and time of modification of each file.
type Tree = BTreeMap<PathBuf, (Vec<u8>, u32, SystemTime)>;

fn tree(directory: &Path) -> Tree {
    let mut found = Tree::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let metadata = path.symlink_metadata().unwrap();
        let bytes = if path.is_file() { fs::read(&path).unwrap() } else { Vec::new() };
        found.insert(path.clone(), (bytes, metadata.mode(), metadata.modified().unwrap()));
        if metadata.is_dir() {
            found.extend(tree(&path));
        }
    }
    found
}

#[track_caller]
fn document(run: &Run) -> Value {
    serde_json::from_str(&run.stdout).unwrap_or_else(|error| panic!("{error}: {run:#?}"))
}

/// Runs a dry run and then the same for real, and returns both reports. The dry run must not change any file.
#[track_caller]
fn dry_and_real(place: &Place, dry: &[&str], real: &[&str]) -> [Value; 2] {
    let before = tree(place.0.path());
    let dry_run = place.run(dry);
    assert!(before == tree(place.0.path()), "{dry:?} changed a file: {:?}", place.names());
    let run = place.run(real);
    assert!(before != tree(place.0.path()), "{real:?} changed no file: {run:#?}");
    [document(&dry_run), document(&run)]
}

/// The fields of an object that are the plan.
#[track_caller]
fn fields(value: &Value, names: &[&str]) -> BTreeMap<String, Value> {
    assert!(value.is_object(), "{value:#}");
    let field = |name: &&str| ((*name).to_owned(), value[*name].clone());
    names.iter().map(field).collect()
}

const REPAIR: [&str; 13] = [
    "damaged",
    "salvage",
    "kept_bytes",
    "kept_commands",
    "lost_bytes",
    "lost_commands",
    "lost_more",
    "retained",
    "dropped",
    "parts_removed",
    "rdb",
    "undone",
    "refused",
];

#[test]
fn repair_applies_the_plan_of_its_dry_run() {
    let damaged = [&sound()[..], b"noise", &sound(), b"*3\r\n"].concat();
    for options in [&[][..], &["--salvage"]] {
        for to in [&["--in-place"][..], &["--output", "new.aof"]] {
            let place = Place::new();
            place.put("a.aof", &damaged);
            let dry = [&["repair", "a.aof", "--dry-run", "--json"], options].concat();
            let real = [&["repair", "a.aof", "--json"], options, to].concat();
            let [dry, real] = dry_and_real(&place, &dry, &real);
            assert_eq!(fields(&dry, &REPAIR), fields(&real, &REPAIR));
            assert!(dry["written"].is_null() && real["written"].is_string());
            // What was written is what the plan retains.
            let ranges = real["retained"][0]["ranges"].as_array().unwrap();
            let offset =
                |range: &Value, end: &str| usize::try_from(range[end].as_u64().unwrap()).unwrap();
            let retained: Vec<u8> = (ranges.iter())
                .flat_map(|range| &damaged[offset(range, "start")..offset(range, "end")])
                .copied()
                .collect();
            assert_eq!(place.read(real["written"].as_str().unwrap()), retained);
        }
    }
}

/// Removes the fields that show whether a plan was applied.
fn plan_of_groups(report: &Value) -> Value {
    let mut groups = report["groups"].clone();
    for archive in groups
        .as_array_mut()
        .unwrap()
        .iter_mut()
        .flat_map(|group| group["archives"].as_array_mut().unwrap())
    {
        assert!(archive.as_object_mut().unwrap().remove("removed").is_some());
    }
    groups
}

#[test]
fn prune_applies_the_plan_of_its_dry_run() {
    let place = Place::new();
    fs::create_dir(place.path("to")).unwrap();
    for log in ["a.aof", "b.aof"] {
        place.put(log, sound());
        for _ in 0..3 {
            let run = place.run(&["backup", log, "--to", "to"]);
            assert_eq!(run.code, Some(0), "{run:#?}");
        }
    }
    // The newest of one source is damaged, so that an older one stays.
    let mut archives: Vec<PathBuf> =
        fs::read_dir(place.path("to")).unwrap().map(|entry| entry.unwrap().path()).collect();
    archives.retain(|path| path.extension().is_some_and(|extension| extension == "zip"));
    archives.sort();
    let newest = archives.last().unwrap();
    let mut bytes = fs::read(newest).unwrap();
    bytes[40] ^= 0xff;
    fs::write(newest, bytes).unwrap();
    let dry = ["prune", "to", "--keep-last", "1", "--json", "--dry-run"];
    let [dry, real] = dry_and_real(&place, &dry, &dry[..5]);
    assert_eq!(plan_of_groups(&dry), plan_of_groups(&real));
    assert_eq!((&dry["removed"], &dry["others"]), (&real["removed"], &real["others"]));
    let gone = (real["groups"].as_array().unwrap().iter())
        .flat_map(|group| group["archives"].as_array().unwrap())
        .filter(|archive| archive["keep"] == false);
    for archive in gone {
        assert_eq!(archive["removed"], true);
        assert!(!place.path(archive["path"].as_str().unwrap()).exists());
    }
}

/// The fields of what was recovered that are its result, and not the plan.
const RECOVER_RESULT: [&str; 5] = ["dry_run", "joined", "holds", "written", "backup"];

#[test]
fn recover_applies_the_plan_of_its_dry_run() {
    let story = "SET a 1\nINCR n\nSET b 1\nFLUSHALL\nSET a 2\nINCR n\nDEL a";
    for choice in [
        &["--until", "#4"][..],
        &["--until", "#4", "--db", "0"],
        &["--excise", "1"],
        &["--merge", "newer"],
        &["--merge", "older", "--excise", "1", "--expired", "persist"],
        &["--undelete", "a*"],
        &["--until", "#4", "--no-preview"],
    ] {
        for to in [&["--in-place"][..], &["--output", "new.aof"]] {
            let place = Place::new();
            place.put("a.aof", log(story));
            let args = [&["recover", "a.aof", "--json"], choice].concat();
            let [dry, real] = dry_and_real(
                &place,
                &[&args[..], &["--dry-run"]].concat(),
                &[&args[..], to].concat(),
            );
            let [mut planned, mut applied] = [dry["done"].clone(), real["done"].clone()];
            for field in RECOVER_RESULT {
                assert!(planned.as_object_mut().unwrap().remove(field).is_some(), "{field}");
                applied.as_object_mut().unwrap().remove(field);
            }
            assert_eq!(planned, applied, "{choice:?}");
            assert!(planned["method"]["kind"].is_string());
            // What was predicted is the result.
            for field in ["joined", "holds"] {
                assert_eq!(dry["done"][field], real["done"][field], "{choice:?}");
            }
        }
    }
}

const BACKUP: [&str; 9] = [
    "identity",
    "to",
    "ends",
    "log_bytes",
    "under_way",
    "damaged",
    "findings",
    "needed_bytes",
    "keep",
];

#[test]
fn backup_applies_the_plan_of_its_dry_run() {
    for options in [&[][..], &["--compact"], &["--damaged"]] {
        let place = Place::new();
        fs::create_dir(place.path("to")).unwrap();
        place.put("a.aof", if options == ["--damaged"] { torn() } else { sound() });
        let real = [&["backup", "a.aof", "--to", "to", "--json"], options].concat();
        let [dry, real] = dry_and_real(&place, &[&real[..], &["--dry-run"]].concat(), &real);
        assert_eq!(fields(&dry, &BACKUP), fields(&real, &BACKUP), "{options:?}");
        assert!(dry["archive"].is_null() && real["archive"].is_string());
    }
}

const RESTORE: [&str; 12] = [
    "output",
    "creates_output",
    "shape",
    "placed",
    "files",
    "change",
    "replaces",
    "retains",
    "bytes",
    "commands",
    "rdb_keys",
    "settings",
];

/// A place with a backup of a single file and of a set, and with the data directories `empty` and `used`.
fn restorable() -> Place {
    let place = Place::new();
    place.put("a.aof", sound());
    place.put_set("log/set", &[("appendonly.aof.1.incr.aof", &sound())]);
    fs::create_dir(place.path("empty")).unwrap();
    place.put_set("used/appendonlydir", &[("appendonly.aof.1.incr.aof", &sound())]);
    for name in ["appendonly.aof", "dump.rdb", "redis.conf"] {
        place.put(format!("used/{name}"), sound());
    }
    for (log, zip) in [("a.aof", "a.zip"), ("log", "set.zip")] {
        let run = place.run(&["compress", log, "-o", zip]);
        assert_eq!(run.code, Some(0), "{run:#?}");
    }
    place
}

#[test]
fn restore_applies_the_plan_of_its_dry_run() {
    let used: [&[&str]; 2] = [&["a.zip", "used", "--force"], &["set.zip", "used", "--force"]];
    let free: [&[&str]; 6] = [
        &["a.zip", "new"],
        &["a.zip", "empty", "--for", "redis-7.0"],
        &["a.zip", "new", "--for", "redis-6.2"],
        &["set.zip", "empty"],
        &["set.zip", "new", "--for", "redis-6.2"],
        &["set.zip", "./new"],
    ];
    for case in used.into_iter().chain(free) {
        let place = restorable();
        let (zip, output) = (case[0], case[1]);
        let real = [&["restore", zip, "--json", "--output", output], &case[2..]].concat();
        let [dry, real] = dry_and_real(&place, &[&real[..], &["--dry-run"]].concat(), &real);
        assert_eq!(fields(&dry, &RESTORE), fields(&real, &RESTORE), "{case:?}");
        assert_eq!((&dry["dry_run"], &real["dry_run"]), (&true.into(), &false.into()));
        // What was planned is what is there.
        let names = |value: &Value| -> Vec<String> {
            value.as_array().unwrap().iter().map(|it| it.as_str().unwrap().to_owned()).collect()
        };
        let mut sizes = 0;
        for file in real["files"].as_array().unwrap() {
            let path = place.path(output).join(file["path"].as_str().unwrap());
            assert_eq!(fs::metadata(&path).unwrap().len(), file["bytes"], "{path:?}");
            sizes += u64::from(!path.ends_with("appendonly.aof.manifest"))
                * fs::metadata(&path).unwrap().len();
        }
        assert_eq!(real["bytes"], sizes);
        let moved: Vec<Value> = real["moved_aside"].as_array().unwrap().clone();
        let moved: Vec<&str> = moved
            .iter()
            .map(|moved| moved["from"].as_str().unwrap().rsplit('/').next().unwrap())
            .collect();
        let (mut moved, replaces) = (moved, names(&real["replaces"]));
        moved.sort_unstable();
        assert_eq!(moved, replaces, "{case:?}");
        let expected: &[&str] = match (output, zip) {
            ("used", "a.zip") => &["appendonly.aof", "appendonlydir"],
            ("used", _) => &["appendonlydir"],
            _ => &[],
        };
        assert_eq!(replaces, expected, "{case:?}");
        if output == "used" {
            let retained = names(&real["retains"]);
            assert!(retained.contains(&"dump.rdb".to_owned()), "{retained:?}");
            assert!(retained.iter().all(|name| place.path("used").join(name).exists()));
        }
    }
}

#[test]
fn a_dry_run_of_restore_is_refused_for_the_same_reason() {
    let place = restorable();
    let mut bytes = place.read("a.zip");
    bytes[40] ^= 0xff;
    place.put("damaged.zip", bytes);
    place.put("file", "");
    for args in [
        &["a.zip", "--output", "used"][..],
        &["a.zip", "--output", "file"],
        &["a.zip", "--output", "no/where"],
        &["damaged.zip", "--output", "new"],
        &["set.zip", "--output", "used"],
    ] {
        let before = tree(place.0.path());
        let real = [&["restore"], args].concat();
        let dry = place.run(&[&real[..], &["-n"]].concat());
        let real = place.run(&real);
        assert_eq!((dry.code, real.code), (Some(2), Some(2)), "{dry:#?}");
        assert_eq!(dry.stderr, real.stderr);
        assert!(before == tree(place.0.path()), "{args:?}");
    }
}
