//! Every command that a report or an error suggests works: followed to its end, it gives a result or an end that names
//! itself, is never refused as a wrong use of the program, and never comes back to the same report.

use std::collections::BTreeSet;

use super::candidates::{log, rdb};
use super::*;

/// The number of suggestions that are followed one after another.
const LONGEST: usize = 6;

/// What a suggestion needs that only a person knows, and what takes its place here.
const PLACEHOLDERS: &[(&str, &str)] =
    &[("NEW", "followed-new"), ("--output NEW", "--output followed-new")];

/// The commands that begin the search, with the item in place of `ITEM`.
const FIRST: &[&str] = &[
    "verify ITEM",
    "repair ITEM --dry-run",
    "repair ITEM --output first-repaired",
    "compact ITEM --output first-compacted",
    "digest ITEM",
    "recover ITEM",
    "backup ITEM --to to",
];

/// Copies a file or a directory.
fn copy(from: &Path, to: &Path) {
    if from.is_file() {
        fs::copy(from, to).unwrap();
        return;
    }
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(|entry| entry.unwrap()) {
        copy(&entry.path(), &to.join(entry.file_name()));
    }
}

/// Returns the commands of the program in the output of a run: those between backticks, and those on lines of their own.
fn suggestions(run: &Run) -> Vec<String> {
    let output = format!("{}\n{}", run.stdout, run.stderr);
    let mut found = Vec::new();
    // Lines after each other are to be typed one after another.
    let mut last_is_command = false;
    for line in output.lines() {
        let command = line.trim().strip_prefix("aofkit ");
        match (command, found.last_mut()) {
            (Some(command), Some(before)) if last_is_command => {
                let before: &mut String = before;
                before.push_str(" && \"$0\" ");
                before.push_str(command);
            }
            (Some(command), _) => found.push(command.to_owned()),
            (None, _) => {}
        }
        last_is_command = command.is_some();
    }
    // A long text is broken into lines.
    let unbroken = output.split_whitespace().collect::<Vec<_>>().join(" ");
    for quoted in unbroken.split('`').skip(1).step_by(2) {
        if let Some(command) = quoted.strip_prefix("aofkit ") {
            // The name of a subcommand alone is no command to type.
            if command.split(' ').count() > 1 {
                found.push(command.to_owned());
            }
        }
    }
    found.sort();
    found.dedup();
    found
}

/// Returns whether a command can only be completed by a person.
fn needs_a_person(command: &str) -> bool {
    let words =
        ["PATH", "DIR", "LOG", "BACKUP", "SERVER", "OLD=NEW", "VERSION", "KEY", "HOST", "ARCHIVE"];
    command.split(' ').any(|word| words.contains(&word)) || command.starts_with("merge")
}

struct Followed<'i> {
    item: &'i Path,
    failures: Vec<String>,
}

impl Followed<'_> {
    fn place(&self) -> Place {
        let place = Place::new();
        copy(self.item, &place.path("item"));
        fs::create_dir(place.path("to")).unwrap();
        place
    }

    /// Runs a command on a fresh copy after the commands before it, and follows what it suggests.
    fn follow(&mut self, path: &[String], command: &str, seen: &mut BTreeSet<String>) {
        let mut typed = command.to_owned();
        for (placeholder, value) in PLACEHOLDERS {
            let words =
                typed.split(' ').map(|word| if word == *placeholder { value } else { word });
            typed = words.collect::<Vec<_>>().join(" ");
        }
        let place = self.place();
        for earlier in path {
            place.shell(&format!("\"$0\" {earlier}"));
        }
        let run = place.shell(&format!("\"$0\" {typed}"));
        let trail = format!("{}: {} > {typed}", self.item.display(), path.join(" > "));
        let is_refused =
            run.stderr.contains("Usage:") || run.stderr.contains("For more information, try");
        if is_refused {
            self.failures.push(format!("{trail}: is no command: {}", run.stderr));
            return;
        }
        if !matches!(run.code, Some(0..=4)) {
            self.failures.push(format!("{trail}: exit code {:?}: {}", run.code, run.stderr));
            return;
        }
        // A result, or a preview of one.
        let is_result = run.code == Some(0) || typed.contains("--dry-run") && run.code == Some(1);
        let next = suggestions(&run);
        let is_first = path.is_empty();
        if !is_first && is_result {
            return;
        }
        if run.code == Some(2) && next.is_empty() && !run.stderr.contains("help:") {
            self.failures.push(format!("{trail}: an end that names no way: {}", run.stderr));
        }
        if next.contains(&typed) && !is_result && run.code != Some(1) {
            self.failures.push(format!("{trail}: suggests itself: {}", run.stderr));
            return;
        }
        let is_before = |next: &String| *next == typed || path.contains(next);
        if matches!(run.code, Some(2..=4)) && !next.is_empty() && next.iter().all(is_before) {
            self.failures.push(format!("{trail}: leads back to where it came from"));
            return;
        }
        if path.len() >= LONGEST {
            self.failures.push(format!("{trail}: does not end"));
            return;
        }
        for next in next {
            if needs_a_person(&next) || !seen.insert(next.clone()) {
                continue;
            }
            let path: Vec<String> = path.iter().cloned().chain([typed.clone()]).collect();
            self.follow(&path, &next, seen);
        }
    }
}

fn items() -> Vec<PathBuf> {
    let testdata = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata");
    let mut items: Vec<PathBuf> = fs::read_dir(testdata.join("damaged"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_none_or(|extension| extension != "md"))
        .collect();
    items.sort();
    items
}

/// Damaged sets and files that testdata lacks.
fn made(place: &Place) -> Vec<PathBuf> {
    const BASE: &str = "appendonly.aof.2.base.rdb";
    const INCR: &str = "appendonly.aof.2.incr.aof";
    let parts: [(&str, &[u8]); 2] = [(BASE, &rdb(&["a", "b"])), (INCR, &log("SELECT 0\nSET c 1"))];
    for name in ["base-gone", "base-empty", "manifest-bom", "manifest-stale", "incr-noise"] {
        let directory = format!("{name}/appendonlydir");
        place.put_set(&directory, &parts);
        let of = |file: &str| place.path(&directory).join(file);
        match name {
            "base-gone" => fs::remove_file(of(BASE)).unwrap(),
            "base-empty" => fs::write(of(BASE), "").unwrap(),
            "manifest-bom" => {
                let text = fs::read_to_string(of("appendonly.aof.manifest")).unwrap();
                fs::write(of("appendonly.aof.manifest"), format!("\u{feff}{text}")).unwrap();
            }
            "manifest-stale" => fs::write(
                of("appendonly.aof.manifest"),
                "file appendonly.aof.1.base.rdb seq 1 type b\n",
            )
            .unwrap(),
            _ => {
                fs::write(of(INCR), [log("SET a 1"), vec![7; 40], log("SET b 1")].concat()).unwrap()
            }
        }
        place.put(format!("{name}/dump.rdb"), rdb(&["a", "b", "c"]));
    }
    place.put("empty.rdb", "");
    place.put("text.aof", "hello, world\n");
    place.put("noise.rdb", super::repair_rdb::with_noise());
    let [one, two] = [rdb(&["a", "b"]), rdb(&["c"])];
    place
        .put_set("base-joined", &[(BASE, &[one, two].concat()), (INCR, &log("SELECT 0\nSET c 1"))]);
    let gzip = b"\x1f\x8b\x08\0\0\0\0\0\0\xff\x03\0\0\0\0\0\0\0\0";
    place.put_set("incr-gzip", &[(BASE, &rdb(&["a", "b"])), (INCR, &gzip[..])]);
    let crlf = memchr::memmem::find(&rdb(&["a", "b"]), b"\x01v").map(|at| {
        let mut bytes = super::repair_rdb::rdb(&[("a", "1\n2\n"), ("b", "1\n")]);
        bytes.insert(at, b'\r');
        bytes
    });
    place.put("converted.rdb", crlf.unwrap());
    let deleted: String = (0..15).map(|at| format!("\nDEL k{at}")).collect();
    let keys: Vec<String> = (0..20).map(|at| format!("k{at}")).collect();
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    let other = super::repair_rdb::rdb(&[("k0", "2")]);
    place.put_set(
        "base-unclear",
        &[
            ("appendonly.aof.1.base.rdb", &rdb(&keys)),
            ("appendonly.aof.2.base.rdb", &rdb(&[&keys[..], &["more"]].concat())),
            ("appendonly.aof.3.base.rdb", &other),
            ("appendonly.aof.3.incr.aof", &log(&format!("SELECT 0{deleted}"))),
        ],
    );
    fs::remove_file(place.path("base-unclear/appendonly.aof.manifest")).unwrap();
    let texts = super::repair_text::saved_as_text();
    for (name, bytes) in &texts {
        place.put(name, bytes);
    }
    let names = [
        "base-joined",
        "incr-gzip",
        "converted.rdb",
        "base-unclear",
        "base-gone",
        "base-empty",
        "manifest-bom",
        "manifest-stale",
        "incr-noise",
        "empty.rdb",
        "text.aof",
        "noise.rdb",
    ];
    let of_texts = texts.iter().map(|it| it.0);
    names.into_iter().chain(of_texts).map(|name| place.path(name)).collect()
}

#[test]
fn every_suggested_command_leads_to_a_result_or_to_an_end_that_names_itself() {
    let place = Place::new();
    let mut failures = Vec::new();
    let mut items = items();
    items.extend(made(&place));
    for item in &items {
        let mut followed = Followed { item, failures: Vec::new() };
        let mut seen = BTreeSet::new();
        for first in FIRST {
            followed.follow(&[], &first.replace("ITEM", "item"), &mut seen);
        }
        failures.append(&mut followed.failures);
    }
    assert!(failures.is_empty(), "{} failures:\n{}", failures.len(), failures.join("\n"));
}
