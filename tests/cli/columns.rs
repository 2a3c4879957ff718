//! The text of reports fits 80 columns, except what cannot be broken.

use super::*;

/// Whether a line may be wider: it has a path, a command to copy, or bytes of a file in quotes.
fn is_unbreakable(line: &str) -> bool {
    let line = line.trim_start();
    line.contains('/') || line.starts_with("aofkit ") || line.starts_with('"')
}

#[test]
fn reports_on_testdata_fit_the_columns() {
    let testdata = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata");
    let place = Place::new();
    let mut wide = Vec::new();
    for set in ["damaged", "rdb"] {
        for entry in fs::read_dir(testdata.join(set)).unwrap() {
            let name = entry.unwrap().file_name();
            let path = format!("{set}/{}", name.to_str().unwrap());
            for line in [
                "verify",
                "recover",
                "repair -n",
                "repair -n --salvage",
                "compact -n",
                "convert -n --for redis-5.0 --format aof",
                "digest",
            ] {
                let words: Vec<&str> = line.split(' ').chain([path.as_str()]).collect();
                let output = place.command().current_dir(&testdata).args(&words).output().unwrap();
                let run = Run::of(&output);
                let lines = run.stdout.lines().filter(|line| line.chars().count() > 80);
                wide.extend(
                    lines
                        .filter(|line| !is_unbreakable(line))
                        .map(|line| format!("{words:?}: {line}")),
                );
            }
        }
    }
    assert!(wide.is_empty(), "{wide:#?}");
}
