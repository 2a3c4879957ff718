//! Runs the commands of the README and of the pages in docs/, and checks the links between them.
//!
//! A block ```` ```sh ```` is run as it is, in a directory that has what its commands name: a log, an RDB, archives. Paths of
//! a server (`/var/lib/redis`) and of backups (`/backup`) are those of this directory. `exit=N` after `sh` is the exit code of
//! the last command, and `server` marks a block that needs a running server: `tests/servers/docs.rs` runs it. Console
//! blocks, with their output, are run by `tests/readme.rs`.

#![allow(clippy::unwrap_used, reason = "tests")]

#[path = "support/documents.rs"]
mod documents;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use documents::{Sandbox, blocks, documents, root};

#[test]
fn commands_of_every_page_work_as_printed() {
    let (mut run, mut failed) = (0, Vec::new());
    for document in documents() {
        for block in blocks(&document).into_iter().filter(|block| !block.needs_server) {
            if let Err(what) = Sandbox::new().run(&block) {
                failed.push(format!("{document}, line {}: {what}", block.line));
            }
            run += 1;
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    assert!(run > 20, "{run} blocks");
}

/// Commands are in blocks that a test runs, or in files of other programs, which have a language of their own.
#[test]
fn no_command_is_in_a_block_that_is_not_run() {
    for document in documents() {
        let text = fs::read_to_string(root().join(&document)).unwrap();
        let mut language = None;
        for (at, line) in text.lines().enumerate() {
            if let Some(info) = line.trim_start().strip_prefix("```") {
                language = if language.is_some() { None } else { Some(info.to_owned()) };
                assert_ne!(language.as_deref(), Some(""), "{document}, line {}", at + 1);
                continue;
            }
            let is_indented = language.is_none() && line.starts_with("    ");
            assert!(
                !(is_indented && line.trim_start().starts_with("aofkit ")),
                "{document}, line {}: {line}",
                at + 1
            );
        }
    }
}

/// Every page is in the table of contents, which names no other.
#[test]
fn the_table_of_contents_is_complete() {
    let summary = fs::read_to_string(root().join("docs/SUMMARY.md")).unwrap();
    let named: BTreeSet<String> = targets(&summary).into_iter().collect();
    let entries = fs::read_dir(root().join("docs")).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let pages: BTreeSet<String> =
        names.filter(|name| name.ends_with(".md") && name != "SUMMARY.md").collect();
    assert_eq!(named, pages);
}

/// Every relative link of a document leads to a file, and its fragment to a heading.
#[test]
fn links_lead_to_files_and_headings() {
    let mut checked = 0;
    let others = ["CHANGELOG.md", "benches/README.md", "fuzz/README.md", "testdata/README.md"];
    for document in documents().into_iter().chain(others.map(str::to_owned)) {
        let path = root().join(&document);
        let text = fs::read_to_string(&path).unwrap();
        for link in targets(&text) {
            if link.contains("://") || link.starts_with("mailto:") {
                continue;
            }
            checked += 1;
            let is_page = document.starts_with("docs/");
            assert!(!(is_page && link.contains("../")), "{document}: {link} is not in the book");
            let (file, fragment) = link.split_once('#').unwrap_or((&link, ""));
            let target = if file.is_empty() { path.clone() } else { path.with_file_name(file) };
            assert!(target.exists(), "{document}: {link}");
            if !fragment.is_empty() {
                let headings = headings(&fs::read_to_string(&target).unwrap());
                assert!(headings.contains(fragment), "{document}: {link}: {headings:?}");
            }
        }
    }
    assert!(checked > 40, "{checked} links");
}

fn targets(text: &str) -> Vec<String> {
    let links = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    links.map(str::to_owned).collect()
}

/// Returns the fragments of all headings, as GitHub and mdBook derive them.
fn headings(text: &str) -> BTreeSet<String> {
    let mut is_code = false;
    let mut found = BTreeSet::new();
    for line in text.lines() {
        if line.starts_with("```") {
            is_code = !is_code;
        }
        let Some(title) = line.strip_prefix('#').filter(|_| !is_code) else { continue };
        let title = title.trim_start_matches('#').trim().to_lowercase();
        let kept = title.chars().filter(|at| at.is_alphanumeric() || "-_ ".contains(*at));
        found.insert(kept.map(|at| if at == ' ' { '-' } else { at }).collect());
    }
    found
}

#[test]
fn the_readme_is_short() {
    let lines = fs::read_to_string(Path::new(&root()).join("README.md")).unwrap().lines().count();
    assert!(lines <= 220, "{lines} lines");
}
