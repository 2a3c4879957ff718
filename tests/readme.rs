//! Runs every `$ aofkit ...` in the console blocks of the README and compares its output with the README.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;
use std::process::Command;

/// Returns the README with the current outputs of the program.
fn rerun(readme: &str) -> String {
    let mut now = String::new();
    let mut lines = readme.lines();
    while let Some(line) = lines.next() {
        now.push_str(line);
        now.push('\n');
        if line != "```console" {
            continue;
        }
        for line in lines.by_ref().take_while(|line| *line != "```") {
            if let Some(command) = line.strip_prefix("$ aofkit ") {
                now.push_str(line);
                now.push('\n');
                let output = Command::new(env!("CARGO_BIN_EXE_aofkit"))
                    .args(command.split(' '))
                    .current_dir(env!("CARGO_MANIFEST_DIR"))
                    .output()
                    .unwrap();
                now.push_str(std::str::from_utf8(&output.stdout).unwrap());
            }
        }
        now.push_str("```\n");
    }
    now
}

#[test]
fn examples_print_what_the_readme_shows() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let readme = std::fs::read_to_string(&path).unwrap();
    let now = rerun(&readme);
    if std::env::var_os("AOFKIT_UPDATE_README").is_some() {
        std::fs::write(&path, &now).unwrap();
    }
    assert!(readme.contains("```console\n$ aofkit "));
    assert_eq!(readme, now, "AOFKIT_UPDATE_README=1 cargo test --test readme updates it");
}

/// Every relative link of a document leads to a file.
#[test]
fn links_lead_to_files() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut checked = 0;
    for document in [
        "README.md",
        "CHANGELOG.md",
        "docs/into.md",
        "docs/json.md",
        "docs/performance.md",
        "docs/servers.md",
        "benches/README.md",
        "fuzz/README.md",
        "testdata/README.md",
    ] {
        let path = root.join(document);
        let text = fs::read_to_string(&path).expect("a document");
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let file = link.split('#').next().unwrap_or_default();
            if file.is_empty() || file.contains("://") {
                continue;
            }
            checked += 1;
            assert!(path.with_file_name("").join(file).exists(), "{document}: {link}");
        }
    }
    assert!(checked > 5, "{checked} links");
}
