//! The plan of a dry run is the plan that a real run applies, and a dry run changes no file.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::time::SystemTime;

use serde_json::Value;

use super::*;

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

const REPAIR: [&str; 10] = [
    "damaged",
    "salvage",
    "kept_bytes",
    "kept_commands",
    "lost_bytes",
    "lost_commands",
    "retained",
    "dropped",
    "parts_removed",
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
