//! The rules of the house, as the map in `src/lib.rs` draws it, held against the sources.
//!
//! The rules read lines, not Rust: comments are left out, everything else counts, tests included.

use std::fs;
use std::path::{Path, PathBuf};

/// From the top down: a room leans on itself and on what stands behind it.
const FLOORS: [&str; 10] =
    ["cli", "report", "ops", "replay", "rewrite", "command", "keyspace", "aof", "rdb", "disk"];

/// For every room; they lean on each other alone.
const GROUND: [&str; 6] = ["error", "escape", "glob", "progress", "server", "units"];

/// The longest file, in lines.
const LONGEST: usize = 800;

/// Unsafe code outside `src/disk`: the file, and why.
const ARGUED_UNSAFE: [(&str, &str); 0] = [];

/// A rule: what is wrong with a file of this path (below `src/`) and this text.
type Rule = fn(&str, &str) -> Vec<String>;

const RULES: [(&str, Rule); 5] = [
    ("a room leans only on rooms below it", doors),
    ("only the command line speaks", silence),
    ("unsafe code is in disk", safety),
    ("no file is too long to be read", length),
    ("every file says what it is", introduction),
];

/// The room of a file: its directory, or the file itself at the top.
fn room(path: &str) -> &str {
    path.split('/').next().unwrap_or(path).trim_end_matches(".rs")
}

/// The lines that are no comments, numbered from 1, without what follows `//`.
fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let lines = text.lines().map(|line| line.split("//").next().unwrap_or_default());
    lines.enumerate().map(|(index, line)| (index + 1, line)).filter(|(_, line)| !line.is_empty())
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

fn first_word(text: &str) -> &str {
    let end = text.bytes().position(|byte| !is_word(byte)).unwrap_or(text.len());
    &text[..end]
}

/// Whether `word` stands in the line by itself.
fn has_word(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].bytes().next_back().is_some_and(is_word);
        let behind = line[at + word.len()..].bytes().next().is_some_and(is_word);
        !before && !behind
    })
}

fn doors(path: &str, text: &str) -> Vec<String> {
    let from = room(path);
    if ["lib", "main"].contains(&from) {
        return Vec::new();
    }
    let floor = |room: &str| FLOORS.iter().position(|name| *name == room);
    let is_ground = |room: &str| GROUND.contains(&room);
    if floor(from).is_none() && !is_ground(from) {
        return vec![format!("{path}: the room {from} has no floor")];
    }
    // All behind a door at once, so that a list over several lines is read too.
    let code: String = code(text).map(|(_, line)| format!("{line}\n")).collect();
    let mut found = Vec::new();
    for (at, door) in code.match_indices("crate::") {
        if code[..at].bytes().next_back().is_some_and(is_word) {
            continue;
        }
        let behind = &code[at + door.len()..];
        let names = match behind.strip_prefix('{') {
            Some(list) => top_names(list),
            None => vec![first_word(behind)],
        };
        for to in names {
            let open = match (floor(from), floor(to)) {
                (Some(from), Some(to)) => from <= to,
                (None, Some(_)) => false,
                // What is no room is defined in lib.rs itself, out of ground.
                (_, None) => true,
            };
            if !open {
                found.push(format!("{path}: {from} leans on {to}"));
            }
        }
    }
    // From the top of a room, `super` is the crate.
    if path.ends_with("/mod.rs") && path.matches('/').count() == 1 {
        for to in FLOORS {
            if code.contains(&format!("super::{to}::")) {
                found.push(format!("{path}: {from} leans on {to} through `super`"));
            }
        }
    }
    found
}

/// The first name of each element of a list, up to its closing brace: `a::{b, c}, d}` gives a, d.
fn top_names(list: &str) -> Vec<&str> {
    let mut names = Vec::new();
    let (mut depth, mut start) = (0_usize, 0);
    for (at, byte) in list.bytes().enumerate() {
        match byte {
            b'{' => depth += 1,
            b',' | b'}' if depth == 0 => {
                names.push(first_word(list[start..at].trim_start()));
                start = at + 1;
                if byte == b'}' {
                    break;
                }
            }
            b'}' => depth -= 1,
            _ => {}
        }
    }
    names
}

fn silence(path: &str, text: &str) -> Vec<String> {
    const VOICES: [&str; 7] = ["println", "eprintln", "print", "eprint", "dbg", "stdout", "stderr"];
    if room(path) == "cli" {
        return Vec::new();
    }
    let speaks = |line: &str, word: &str| {
        has_word(line, word)
            && (line.contains(&format!("{word}!")) || line.contains(&format!("{word}()")))
    };
    let lines = code(text).filter(|(_, line)| VOICES.iter().any(|word| speaks(line, word)));
    lines.map(|(number, line)| format!("{path}:{number}: {}", line.trim())).collect()
}

fn safety(path: &str, text: &str) -> Vec<String> {
    let argued = ARGUED_UNSAFE.iter().any(|(file, _)| *file == path);
    if room(path) == "disk" || argued {
        return Vec::new();
    }
    let lines = code(text).filter(|(_, line)| has_word(line, "unsafe"));
    lines.map(|(number, line)| format!("{path}:{number}: {}", line.trim())).collect()
}

fn length(path: &str, text: &str) -> Vec<String> {
    let lines = text.lines().count();
    if lines > LONGEST { vec![format!("{path}: {lines} lines")] } else { Vec::new() }
}

fn introduction(path: &str, text: &str) -> Vec<String> {
    if text.starts_with("//! ") {
        Vec::new()
    } else {
        vec![format!("{path}: no `//!` at its start")]
    }
}

/// The module that a file below `src/` is, as the names on the way to it: `rdb/write/out.rs` is rdb, write, out.
fn module(path: &str) -> Vec<&str> {
    let mut names: Vec<&str> = path.trim_end_matches(".rs").split('/').collect();
    if names.last() == Some(&"mod") {
        names.pop();
    }
    names
}

/// Each element of a list up to its closing brace, as a path: `a::{b, c}, d::E}` gives a, d::E.
fn top_paths(list: &str) -> Vec<&str> {
    let mut starts = vec![0];
    let mut depth = 0_usize;
    for (at, byte) in list.bytes().enumerate() {
        match byte {
            b'{' => depth += 1,
            b'}' if depth == 0 => break,
            b'}' => depth -= 1,
            b',' if depth == 0 => starts.push(at + 1),
            _ => {}
        }
    }
    starts.into_iter().map(|start| list[start..].trim_start()).collect()
}

/// The names of a path: `a::b::C(d)` gives a, b, C.
fn names(path: &str) -> Vec<&str> {
    let end = path.bytes().position(|byte| !is_word(byte) && byte != b':').unwrap_or(path.len());
    path[..end].split("::").filter(|name| !name.is_empty()).collect()
}

/// The modules of its own room that a file names, by `super` or from the top; without its tests.
fn neighbours(path: &str, text: &str, modules: &[Vec<&str>]) -> Vec<Vec<String>> {
    let own = module(path);
    let text = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
    let code: String = code(text).map(|(_, line)| format!("{line}\n")).collect();
    let mut found = Vec::new();
    let from_top = format!("crate::{}::", own[0]);
    for (door, up) in [("super::", true), (&from_top, false)] {
        for (at, _) in code.match_indices(door) {
            let before = &code[..at];
            if before.bytes().next_back().is_some_and(is_word) || before.ends_with("super::") {
                continue;
            }
            let mut behind = &code[at + door.len()..];
            let mut base = if up { &own[..own.len() - 1] } else { &own[..1] };
            while let (true, Some(rest)) = (up, behind.strip_prefix("super::")) {
                behind = rest;
                base = &base[..base.len().saturating_sub(1)];
            }
            let paths = behind.strip_prefix('{').map_or_else(|| vec![behind], top_paths);
            for path in paths {
                let full: Vec<&str> = base.iter().copied().chain(names(path)).collect();
                let to =
                    (1..=full.len()).rev().find(|len| modules.iter().any(|m| *m == full[..*len]));
                found.extend(
                    to.map(|len| full[..len].iter().map(|name| (*name).to_owned()).collect()),
                );
            }
        }
    }
    found
}

/// Circles of files of one room that lean on each other. A file that has files below it is left out: it
/// names them, and they use what it defines.
fn circles(files: &[(String, String)]) -> Vec<String> {
    let modules: Vec<Vec<&str>> = files.iter().map(|(path, _)| module(path)).collect();
    let has_below = |of: &[&str]| modules.iter().any(|m| m.len() > of.len() && m.starts_with(of));
    let mut left: Vec<(&str, Vec<usize>)> = Vec::new();
    for (path, text) in files {
        let mut to = Vec::new();
        if !has_below(&module(path)) {
            for target in neighbours(path, text, &modules) {
                let index = modules.iter().position(|module| *module == target);
                to.extend(index.filter(|index| module(path) != modules[*index]));
            }
        }
        left.push((path, to));
    }
    // What leans on nothing that is left stands firm, and is taken away, again and again.
    let mut firm = vec![false; files.len()];
    loop {
        let stands = |(index, (_, to)): (usize, &(&str, Vec<usize>))| {
            !firm[index] && to.iter().all(|to| firm[*to])
        };
        let Some(next) = left.iter().enumerate().position(stands) else { break };
        firm[next] = true;
    }
    let circling = left.iter().zip(&firm).filter(|(_, firm)| !**firm);
    let told = |((path, to), _): (&(&str, Vec<usize>), &bool)| {
        let to: Vec<&str> = to.iter().filter(|to| !firm[**to]).map(|to| left[*to].0).collect();
        format!("{path} leans on {}", to.join(", "))
    };
    circling.map(told).collect()
}

fn sources(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).expect("the sources can be listed") {
        let path = entry.expect("the sources can be listed").path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// The path below `src/` and the text of each.
fn every_source() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    files.sort();
    assert!(files.len() > 50, "the sources are found");
    let read = |file: PathBuf| {
        let text = fs::read_to_string(&file).expect("a source can be read");
        let path = file.strip_prefix(&root).expect("below the root").to_string_lossy().into_owned();
        (path, text)
    };
    files.into_iter().map(read).collect()
}

#[test]
fn the_sources_keep_the_rules() {
    let mut broken = Vec::new();
    for (path, text) in every_source() {
        for (name, rule) in RULES {
            broken.extend(rule(&path, &text).into_iter().map(|what| format!("{name}: {what}")));
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn no_files_of_a_room_lean_on_each_other_in_circles() {
    let files = every_source();
    let found = circles(&files);
    assert!(found.is_empty(), "circles among these, or behind them:\n{}", found.join("\n"));
}

#[test]
fn the_map_has_the_same_floors() {
    let map = include_str!("../src/lib.rs");
    for (index, room) in FLOORS.iter().enumerate() {
        let floor = format!("//! | {} | [`{room}`]", FLOORS.len() - 1 - index);
        assert!(map.contains(&floor), "`{floor}` is not in src/lib.rs");
    }
    for room in GROUND {
        assert!(map.contains(&format!("[`{room}`]")), "{room} is not in src/lib.rs");
    }
}

/// Every rule finds what it is for, and leaves alone what it is not.
#[test]
fn the_rules_can_fail() {
    let finds = |rule: Rule, path: &str, text: &str, count: usize| {
        assert_eq!(rule(path, text).len(), count, "{path}: {text:?}: {:?}", rule(path, text));
    };
    finds(doors, "aof/scan.rs", "use crate::command::Tally;", 1);
    finds(doors, "aof/scan.rs", "let x = crate::ops::verify::report();", 1);
    finds(
        doors,
        "aof/scan.rs",
        "use crate::{\n    disk::Mapping,\n    ops::{self, verify},\n    cli,\n};",
        2,
    );
    finds(
        doors,
        "aof/scan.rs",
        "use crate::aof::Fault;\nuse crate::rdb;\nuse crate::error::Result;",
        0,
    );
    finds(doors, "aof/scan.rs", "//! See [`crate::ops`].\n// crate::cli\n", 0);
    finds(doors, "error.rs", "use crate::disk::Mapping;", 1);
    finds(doors, "error.rs", "use crate::escape::ShownPath;", 0);
    finds(doors, "disk/mod.rs", "use super::aof::open;\nuse super::aof::Log;", 1);
    finds(doors, "disk/map.rs", "use super::guard::Watch;", 0);
    finds(doors, "cellar/mod.rs", "", 1);
    finds(doors, "lib.rs", "pub use crate::cli::main;", 0);

    finds(silence, "ops/verify.rs", "    println!(\"done\");\n    eprint!(\".\");", 2);
    finds(silence, "report/mod.rs", "let out = std::io::stdout().lock();", 1);
    finds(silence, "report/mod.rs", "anstream::eprintln!(\"x\");", 1);
    finds(silence, "cli/mod.rs", "println!(\"done\");", 0);
    finds(silence, "ops/verify.rs", "fingerprint!(x); // println!\nlet stdout = 1;", 0);

    finds(safety, "aof/scan.rs", "let x = unsafe { *pointer };", 1);
    finds(safety, "aof/scan.rs", "#![deny(unsafe_code)] // unsafe", 0);
    finds(safety, "disk/map.rs", "unsafe { map() }", 0);

    finds(length, "aof/scan.rs", &"\n".repeat(LONGEST + 1), 1);
    finds(length, "aof/scan.rs", &"\n".repeat(LONGEST), 0);

    finds(introduction, "aof/scan.rs", "use std::fmt;\n//! Late.", 1);
    finds(introduction, "aof/scan.rs", "/// Of something.\nstruct X;", 1);
    finds(introduction, "aof/scan.rs", "//! Walking.\n", 0);
}

/// Circles are found however they are written, and what only looks like one is left alone.
#[test]
fn the_search_for_circles_can_fail() {
    let finds = |files: &[(&str, &str)], count: usize| {
        let files: Vec<_> =
            files.iter().map(|(p, t)| (format!("{p}.rs"), (*t).to_owned())).collect();
        assert_eq!(circles(&files).len(), count, "{files:?}: {:?}", circles(&files));
    };
    finds(&[("rdb/a", "use super::b::B;"), ("rdb/b", "use super::a::{A, C};")], 2);
    finds(&[("rdb/a", "use super::b::B;"), ("rdb/b", "fn f() {}")], 0);
    finds(&[("rdb/a", "use super::{c, b::B};"), ("rdb/b", "use crate::rdb::a;"), ("rdb/c", "")], 2);
    // Over three, and from a floor below.
    finds(
        &[
            ("rdb/a", "super::b::f()"),
            ("rdb/b", "super::w::c::f()"),
            ("rdb/w/c", "super::super::a::f()"),
        ],
        3,
    );
    finds(
        &[("rdb/a", "use super::b::B;"), ("rdb/b", "#[cfg(test)]\nmod tests { use super::a; }")],
        0,
    );
    finds(&[("rdb/a", "use super::b::B;"), ("rdb/b", "//! See [`a`](super::a).")], 0);
    finds(&[("rdb/mod", "pub use a::A;\nuse crate::rdb::a;"), ("rdb/a", "use super::B;")], 0);
    finds(&[("rdb/a", "use super::b::B;"), ("aof/b", "use super::a::A;"), ("aof/a", "")], 0);
}
