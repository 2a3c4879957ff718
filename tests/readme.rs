//! Runs every `$ aofkit ...` in the console blocks of the README and compares its output with the README.

#![allow(clippy::unwrap_used)]

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
