//! Compares the table in docs/servers.md with the lines that the tests cover.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::process::Command;

use aofkit::base::server::{KNOWN, Server, redis, valkey};
use libtest_mimic::Trial;

use crate::support::{FAMILIES, LINES, find};

pub(crate) fn trials() -> Vec<Trial> {
    vec![Trial::test("table::docs_list_the_lines_that_ran", || {
        compare();
        Ok(())
    })]
}

/// The lines of which no binary can be had and whose behaviour was not read in their sources.
const UNKNOWN: [Server; 5] = [redis(8, 4), redis(8, 8), redis(8, 10), redis(8, 12), valkey(9, 2)];

const HEAD: &str = "| server | known from | release that ran | trials |\n|---|---|---|---|\n";

fn compare() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/servers.md");
    let docs = fs::read_to_string(&path).expect("docs/servers.md");
    let (before, rest) = docs.split_once(HEAD).expect("a table");
    let end = rest.find("\n\n").map_or(rest.len(), |end| end + 1);
    let now = table(&rest[..end]);
    if std::env::var_os("AOFKIT_UPDATE_DOCS").is_some() {
        fs::write(&path, format!("{before}{HEAD}{now}{}", &rest[end..])).expect("docs/servers.md");
    }
    let how = "AOFKIT_UPDATE_DOCS=1 cargo test --test servers -- docs_list updates it";
    assert_eq!(&rest[..end], now, "{how}");
}

/// Returns the rows. Of lines that are not installed, the release is that of the old table.
fn table(old: &str) -> String {
    let lines: BTreeSet<Server> = KNOWN.iter().chain(&LINES).chain(&UNKNOWN).copied().collect();
    let mut rows = String::new();
    for line in lines {
        let (known_from, trials) = match () {
            () if FAMILIES.contains(&line) => ("observed", "all"),
            () if LINES.contains(&line) => ("observed", "short"),
            () if UNKNOWN.contains(&line) => ("unknown", ""),
            () => ("its sources", ""),
        };
        let release = if known_from == "observed" { release(line, old) } else { String::new() };
        writeln!(rows, "| {line} | {known_from} | {release} | {trials} |").expect("a string");
    }
    rows
}

/// Returns the release of the installed binary of a line, or the one in the old table.
fn release(line: Server, old: &str) -> String {
    let installed = find(line).ok().and_then(|binary| {
        let output = Command::new(&binary.path).arg("--version").output().ok()?;
        let text = String::from_utf8(output.stdout).ok()?;
        Some(text.split_once(" server v=")?.1.split_whitespace().next()?.to_owned())
    });
    let in_old = || {
        let start = format!("| {line} |");
        old.lines().find(|row| row.starts_with(&start))?.split(" | ").nth(2).map(str::to_owned)
    };
    installed.or_else(in_old).unwrap_or_default()
}
