//! Compares the table in docs/commands.md with the table of commands.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use aofkit::command::{Evidence, Since, TABLE};

const HEAD: &str = "| command | known from | redis | valkey |\n|---|---|---|---|\n";

#[test]
fn docs_list_the_evidence_of_every_write_command() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/commands.md");
    let docs = fs::read_to_string(&path).expect("docs/commands.md");
    let (before, listed) = docs.split_once(HEAD).expect("a table");
    let now = rows();
    if std::env::var_os("AOFKIT_UPDATE_DOCS").is_some() {
        fs::write(&path, format!("{before}{HEAD}{now}")).expect("docs/commands.md");
    }
    let how = "AOFKIT_UPDATE_DOCS=1 cargo test --test commands_doc updates it";
    assert_eq!(listed, now, "{how}");
}

/// Returns the rows, sorted by the name of the command.
fn rows() -> String {
    let mut commands = Vec::new();
    for row in TABLE.iter().filter(|row| row.writes) {
        let writing = row.subcommands.iter().filter(|sub| sub.writes);
        let mut names: Vec<_> =
            writing.map(|sub| (format!("{} {}", row.name, sub.name), sub.since)).collect();
        if names.is_empty() {
            names.push((row.name.to_owned(), row.since));
        }
        commands.extend(names.into_iter().map(|(name, since)| (name, row.evidence, since)));
    }
    commands.sort_by(|a, b| a.0.cmp(&b.0));
    let mut rows = String::new();
    for (name, evidence, since) in commands {
        let evidence = match evidence {
            Evidence::Observed => "observed",
            Evidence::Documented => "documented",
            Evidence::NameOnly => "name only",
        };
        writeln!(rows, "| {name} | {evidence} | {} | {} |", redis(since), valkey(since))
            .expect("a string");
    }
    rows
}

fn redis(since: Since) -> String {
    let Some((major, minor)) = since.redis else { return "-".to_owned() };
    match since.redis_until {
        Some((gone, minor_gone)) => format!("{major}.{minor}, removed in {gone}.{minor_gone}"),
        None => format!("{major}.{minor}"),
    }
}

fn valkey(since: Since) -> String {
    since.valkey.map_or_else(|| "-".to_owned(), |(major, minor)| format!("{major}.{minor}"))
}
