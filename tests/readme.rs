//! Runs every `$ aofkit ...` in the console blocks of the README and of the pages in docs/, and compares the outputs.

#![allow(clippy::unwrap_used)]

#[path = "support/documents.rs"]
#[allow(dead_code, reason = "the sandbox is for other tests")]
mod documents;

use std::process::Command;

/// Returns a document with the current outputs of the program.
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
fn examples_print_what_the_documents_show() {
    let (mut shown, mut wrong) = (0, Vec::new());
    for document in documents::documents() {
        let path = documents::root().join(&document);
        let text = std::fs::read_to_string(&path).unwrap();
        let now = rerun(&text);
        if std::env::var_os("AOFKIT_UPDATE_README").is_some() {
            std::fs::write(&path, &now).unwrap();
        }
        shown += text.matches("```console\n$ aofkit ").count();
        if text != now {
            let lines = text.lines().zip(now.lines());
            let at = lines.take_while(|(shown, printed)| shown == printed).count();
            let printed = now.lines().nth(at).unwrap_or_default();
            wrong.push(format!("{document}, line {}, is now: {printed}", at + 1));
        }
    }
    assert!(shown > 5, "{shown}");
    let update = "AOFKIT_UPDATE_README=1 cargo test --test readme updates them";
    assert!(wrong.is_empty(), "{}\n{update}", wrong.join("\n"));
}
