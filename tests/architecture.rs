//! The rules of `src/lib.rs` on layers, checked against the sources: which module may use which, what only one
//! module may do, and how long a file may be.
//!
//! The rules read text, not Rust: comments and unit tests are left out, everything else counts.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The modules from the top down: each may use itself and those after it.
const LAYERS: [&str; 16] = [
    "cli", "report", "ops", "live", "input", "analysis", "replay", "rewrite", "command",
    "keyspace", "store", "archive", "aof", "rdb", "disk", "base",
];

/// The longest file, in lines.
const MAX_LINES: usize = 800;

/// What changes a file system. Only `disk` may call it.
const FILE_SYSTEM_CHANGES: [&str; 22] = [
    "fs::write(",
    "fs::rename(",
    "fs::remove_file(",
    "fs::remove_dir(",
    "fs::remove_dir_all(",
    "fs::create_dir(",
    "fs::create_dir_all(",
    "fs::hard_link(",
    "fs::copy(",
    "fs::set_permissions(",
    " File::create(",
    " File::create_new(",
    "OpenOptions::new(",
    ".set_permissions(",
    ".set_len(",
    "unix::fs::symlink(",
    "fs::chown(",
    "fs::fchown(",
    "lchown(",
    "renameat",
    "linkat(",
    "unlinkat(",
];

/// A source file: its path below `src/` and its text.
struct Source {
    path: String,
    text: String,
}

/// A module path, such as `rdb::write::out`, as its names.
type Module = Vec<String>;

impl Source {
    fn new(path: &str, text: &str) -> Self {
        Source { path: path.to_owned(), text: text.to_owned() }
    }

    /// `rdb/write/out.rs` is `rdb::write::out`; `rdb/mod.rs` is `rdb`; `lib.rs` is the crate.
    fn module(&self) -> Module {
        let mut names: Module =
            self.path.trim_end_matches(".rs").split('/').map(str::to_owned).collect();
        if names.last().is_some_and(|name| name == "mod" || names.len() == 1 && name == "lib") {
            names.pop();
        }
        names
    }

    fn layer(&self) -> &str {
        self.path.split('/').next().unwrap_or_default().trim_end_matches(".rs")
    }

    fn is_test(&self) -> bool {
        self.path.ends_with("tests.rs")
            || self.path.ends_with("testing.rs")
            || self.path.contains("/tests/")
    }

    /// The text without comments and without unit tests at its end; line numbers stay.
    fn code(&self) -> String {
        let text = self.text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
        text.lines()
            .map(|line| line.split("//").next().unwrap_or_default())
            .collect::<Vec<_>>()
            .join("\n")
    }

    /// The lines of code in which `is_wrong` holds, as `path:line: text`.
    fn lines_where(&self, is_wrong: impl Fn(&str) -> bool) -> Vec<String> {
        if self.is_test() {
            return Vec::new();
        }
        let code = self.code();
        let lines = code.lines().enumerate().filter(|(_, line)| is_wrong(line));
        lines.map(|(index, line)| format!("{}:{}: {}", self.path, index + 1, line.trim())).collect()
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

fn starts_word(text: &str, at: usize) -> bool {
    !text[..at].bytes().next_back().is_some_and(|byte| is_word(byte) || byte == b':')
}

fn has_word(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].bytes().next_back().is_some_and(is_word);
        let after = line[at + word.len()..].bytes().next().is_some_and(is_word);
        !before && !after
    })
}

/// The paths that begin at the start of `text`: `a::{b, c::D}; …` gives `a::b` and `a::c::D`.
fn paths(text: &str) -> Vec<Module> {
    let text = text.trim_start();
    if let Some(list) = text.strip_prefix('{') {
        return elements(list).into_iter().flat_map(paths).collect();
    }
    let end = text.bytes().position(|byte| !is_word(byte)).unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    if name.is_empty() {
        return vec![Vec::new()];
    }
    let below = match rest.strip_prefix("::") {
        Some(rest) => paths(rest),
        None => vec![Vec::new()],
    };
    below.into_iter().map(|path| std::iter::once(name.to_owned()).chain(path).collect()).collect()
}

/// The elements of a list up to its closing brace.
fn elements(list: &str) -> Vec<&str> {
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
    starts
        .into_iter()
        .map(|start| &list[start..])
        .filter(|rest| !rest.trim_start().starts_with('}'))
        .collect()
}

/// The modules that each module names: by `crate::`, `super::`, `self::`, or the name of a module below it.
/// A name that is no module counts for the module that it is looked up in.
fn dependencies(sources: &[Source]) -> BTreeMap<Module, BTreeSet<Module>> {
    let modules: BTreeSet<Module> =
        sources.iter().filter(|source| !source.is_test()).map(Source::module).collect();
    let mut found: BTreeMap<Module, BTreeSet<Module>> = BTreeMap::new();
    for source in sources.iter().filter(|source| !source.is_test() && source.path != "main.rs") {
        let own = source.module();
        let code = source.code();
        let mut named: Vec<Module> = Vec::new();
        for (prefix, base) in [("crate::", &own[..0]), ("self::", &own[..])] {
            for (at, _) in code.match_indices(prefix).filter(|(at, _)| starts_word(&code, *at)) {
                if code[..at].ends_with("pub(in ") {
                    continue;
                }
                named.extend(
                    paths(&code[at + prefix.len()..])
                        .into_iter()
                        .map(|path| [base, &path].concat()),
                );
            }
        }
        for (at, _) in code.match_indices("super::").filter(|(at, _)| starts_word(&code, *at)) {
            let mut rest = &code[at..];
            let mut base = &own[..];
            while let Some(after) = rest.strip_prefix("super::") {
                rest = after;
                base = &base[..base.len().saturating_sub(1)];
            }
            named.extend(paths(rest).into_iter().map(|path| [base, &path].concat()));
        }
        for child in modules.iter().filter(|m| m.len() == own.len() + 1 && m.starts_with(&own)) {
            let prefix = format!("{}::", child[own.len()]);
            for (at, _) in code.match_indices(&prefix).filter(|(at, _)| starts_word(&code, *at)) {
                named.extend(
                    paths(&code[at + prefix.len()..])
                        .into_iter()
                        .map(|path| [&child[..], &path].concat()),
                );
            }
        }
        let of_own = found.entry(own.clone()).or_default();
        for path in named {
            let path: Vec<String> = path.into_iter().filter(|name| name != "self").collect();
            let module = (0..=path.len())
                .rev()
                .map(|len| path[..len].to_vec())
                .find(|m| modules.contains(m));
            of_own.extend(module.filter(|module| *module != own && !module.is_empty()));
        }
    }
    found
}

/// The cycles: groups of modules each of which can be reached from each.
fn cycles(graph: &BTreeMap<Module, BTreeSet<Module>>) -> Vec<String> {
    let reached = |from: &Module| {
        let mut seen: BTreeSet<&Module> = BTreeSet::new();
        let mut left: Vec<&Module> = graph.get(from).into_iter().flatten().collect();
        while let Some(module) = left.pop() {
            if seen.insert(module) {
                left.extend(graph.get(module).into_iter().flatten());
            }
        }
        seen
    };
    let reach: BTreeMap<&Module, BTreeSet<&Module>> =
        graph.keys().map(|module| (module, reached(module))).collect();
    let mut found = Vec::new();
    for (module, to) in &reach {
        for other in graph.get(*module).into_iter().flatten().filter(|_| to.contains(*module)) {
            if reach.get(other).is_some_and(|back| back.contains(*module)) {
                found.push(format!(
                    "{} uses {}, which uses it",
                    module.join("::"),
                    other.join("::")
                ));
            }
        }
    }
    found
}

fn upward_dependencies(graph: &BTreeMap<Module, BTreeSet<Module>>) -> Vec<String> {
    let layer = |module: &Module| {
        LAYERS.iter().position(|layer| module.first().is_some_and(|name| name == layer))
    };
    let mut found = Vec::new();
    for (module, to) in graph {
        let Some(from) = layer(module) else { continue };
        for other in to.iter().filter(|other| layer(other).is_some_and(|to| to < from)) {
            found.push(format!(
                "{} uses {} of a higher layer",
                module.join("::"),
                other.join("::")
            ));
        }
    }
    found
}

fn unknown_layer(source: &Source) -> Vec<String> {
    let is_known = ["lib", "main"].contains(&source.layer()) || LAYERS.contains(&source.layer());
    if is_known { Vec::new() } else { vec![format!("{}: no layer", source.path)] }
}

fn prints_outside_cli(source: &Source) -> Vec<String> {
    const OUTPUTS: [&str; 7] =
        ["println", "eprintln", "print", "eprint", "dbg", "stdout", "stderr"];
    if source.layer() == "cli" {
        return Vec::new();
    }
    source.lines_where(|line| {
        OUTPUTS.iter().any(|word| {
            has_word(line, word)
                && (line.contains(&format!("{word}!")) || line.contains(&format!("{word}()")))
        })
    })
}

fn unsafe_outside_disk(source: &Source) -> Vec<String> {
    if source.layer() == "disk" {
        Vec::new()
    } else {
        source.lines_where(|line| has_word(line, "unsafe"))
    }
}

fn changes_files_outside_disk(source: &Source) -> Vec<String> {
    if source.layer() == "disk" {
        return Vec::new();
    }
    source.lines_where(|line| FILE_SYSTEM_CHANGES.iter().any(|call| line.contains(call)))
}

fn too_long(source: &Source) -> Vec<String> {
    let lines = source.text.lines().count();
    if lines > MAX_LINES { vec![format!("{}: {lines} lines", source.path)] } else { Vec::new() }
}

fn without_module_doc(source: &Source) -> Vec<String> {
    if source.text.starts_with("//! ") {
        Vec::new()
    } else {
        vec![format!("{}: no `//!` at its start", source.path)]
    }
}

fn loose_file_in_ops(source: &Source) -> Vec<String> {
    let is_loose = source.layer() == "ops"
        && source.path.matches('/').count() == 1
        && source.path != "ops/mod.rs";
    if is_loose {
        vec![format!("{}: not in a directory of a subcommand", source.path)]
    } else {
        Vec::new()
    }
}

/// What a rule finds in one source.
type Rule = fn(&Source) -> Vec<String>;

const RULES: [(&str, Rule); 7] = [
    ("every module has a layer", unknown_layer),
    ("only the command line prints", prints_outside_cli),
    ("unsafe code is in disk", unsafe_outside_disk),
    ("only disk changes files", changes_files_outside_disk),
    ("no file is too long", too_long),
    ("every file has a module doc", without_module_doc),
    ("ops has a directory for each subcommand or family", loose_file_in_ops),
];

fn find_sources(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).expect("the sources can be listed") {
        let path = entry.expect("the sources can be listed").path();
        if path.is_dir() {
            find_sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

fn all_sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    find_sources(&root, &mut files);
    files.sort();
    assert!(files.len() > 50, "the sources are found");
    let read = |file: PathBuf| {
        let text = fs::read_to_string(&file).expect("a source can be read");
        Source::new(&file.strip_prefix(&root).expect("below the root").to_string_lossy(), &text)
    };
    files.into_iter().map(read).collect()
}

#[test]
fn every_source_follows_the_rules() {
    let sources = all_sources();
    let found: Vec<String> = RULES
        .iter()
        .flat_map(|(name, rule)| {
            sources.iter().flat_map(rule).map(move |what| format!("{name}: {what}"))
        })
        .collect();
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn modules_use_only_layers_below() {
    let found = upward_dependencies(&dependencies(&all_sources()));
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn modules_have_no_cycles() {
    let found = cycles(&dependencies(&all_sources()));
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn the_map_in_lib_lists_the_layers_in_order() {
    let map = include_str!("../src/lib.rs");
    let map = &map[map.find("# Architecture").expect("a chapter")..];
    let rows = LAYERS.map(|layer| {
        map.find(&format!("//! | `{layer}` |")).unwrap_or_else(|| panic!("no row for {layer}"))
    });
    assert!(rows.is_sorted(), "the rows are not in the order of the layers");
}

/// Every rule finds what it is for and passes what it is not.
#[test]
fn the_rules_can_fail() {
    let finds = |rule: Rule, path: &str, text: &str, count: usize| {
        let found = rule(&Source::new(path, text));
        assert_eq!(found.len(), count, "{path}: {text:?}: {found:?}");
    };
    finds(unknown_layer, "cellar/mod.rs", "", 1);
    finds(unknown_layer, "aof/mod.rs", "", 0);

    finds(prints_outside_cli, "ops/verify/mod.rs", "println!(\"done\");\neprint!(\".\");", 2);
    finds(prints_outside_cli, "report/mod.rs", "let out = std::io::stdout().lock();", 1);
    finds(prints_outside_cli, "report/mod.rs", "anstream::eprintln!(\"x\");", 1);
    finds(prints_outside_cli, "cli/mod.rs", "println!(\"done\");", 0);
    finds(
        prints_outside_cli,
        "ops/verify/mod.rs",
        "fingerprint!(x); // println!\nlet stdout = 1;",
        0,
    );

    finds(unsafe_outside_disk, "aof/scan.rs", "let x = unsafe { *pointer };", 1);
    finds(unsafe_outside_disk, "aof/scan.rs", "#![deny(unsafe_code)] // unsafe", 0);
    finds(unsafe_outside_disk, "disk/map.rs", "unsafe { map() }", 0);

    finds(
        changes_files_outside_disk,
        "ops/restore/mod.rs",
        "fs::rename(a, b)?;\nstd::fs::write(a, b)?;",
        2,
    );
    finds(
        changes_files_outside_disk,
        "ops/restore/mod.rs",
        "let text = fs::read(a)?;\nFile::open(a)?;",
        0,
    );
    finds(changes_files_outside_disk, "ops/restore/tests.rs", "fs::write(a, b)", 0);
    finds(changes_files_outside_disk, "disk/rename.rs", "fs::rename(a, b)", 0);

    finds(too_long, "aof/scan.rs", &"\n".repeat(MAX_LINES + 1), 1);
    finds(too_long, "aof/scan.rs", &"\n".repeat(MAX_LINES), 0);

    finds(without_module_doc, "aof/scan.rs", "use std::fmt;\n//! Late.", 1);
    finds(without_module_doc, "aof/scan.rs", "//! Scanning.\n", 0);

    finds(loose_file_in_ops, "ops/bench.rs", "", 1);
    finds(loose_file_in_ops, "ops/bench/mod.rs", "", 0);
}

fn graph(files: &[(&str, &str)]) -> BTreeMap<Module, BTreeSet<Module>> {
    let sources: Vec<Source> =
        files.iter().map(|(path, text)| Source::new(&format!("{path}.rs"), text)).collect();
    dependencies(&sources)
}

#[test]
fn the_search_for_upward_dependencies_can_fail() {
    let finds = |files: &[(&str, &str)], count: usize| {
        let found = upward_dependencies(&graph(files));
        assert_eq!(found.len(), count, "{files:?}: {found:?}");
    };
    let ops = ("ops/verify/mod", "");
    finds(&[("aof/scan", "use crate::command::Tally;"), ("command/mod", "")], 1);
    finds(&[("aof/scan", "let x = crate::ops::verify::report();"), ops], 1);
    finds(
        &[
            ("aof/scan", "use crate::{\n disk::Mapping,\n ops::{self, verify},\n cli,\n};"),
            ops,
            ("cli/mod", ""),
            ("ops/mod", ""),
        ],
        3,
    );
    finds(
        &[
            ("aof/scan", "use crate::rdb;\nuse crate::base::Error;"),
            ("rdb/mod", ""),
            ("base/mod", ""),
        ],
        0,
    );
    finds(
        &[
            ("aof/scan", "//! See [`crate::ops`].\n// crate::cli\n"),
            ("ops/mod", ""),
            ("cli/mod", ""),
        ],
        0,
    );
    finds(&[("disk/mod", "use super::aof::open;"), ("aof/mod", "")], 1);
}

/// Cycles are found however they are written, through parents too; what only resembles one is not.
#[test]
fn the_search_for_cycles_can_fail() {
    let finds = |files: &[(&str, &str)], is_cycle: bool| {
        let found = cycles(&graph(files));
        assert_eq!(!found.is_empty(), is_cycle, "{files:?}: {found:?}");
    };
    finds(&[("rdb/a", "use super::b::B;"), ("rdb/b", "use super::a::{A, C};")], true);
    finds(&[("rdb/a", "use super::b::B;"), ("rdb/b", "fn f() {}")], false);
    finds(
        &[("rdb/a", "use super::{c, b::B};"), ("rdb/b", "use crate::rdb::a;"), ("rdb/c", "")],
        true,
    );
    finds(
        &[
            ("rdb/a", "super::b::f()"),
            ("rdb/b", "super::w::c::f()"),
            ("rdb/w/c", "super::super::a::f()"),
        ],
        true,
    );
    // Through the parent: it uses its child, which uses what the parent defines.
    finds(&[("rdb/mod", "mod a;\nuse a::A;\nfn f() {}"), ("rdb/a", "use super::f;")], true);
    finds(
        &[("rdb/mod", "mod a;\npub use a::A;"), ("rdb/a", "use super::b::f;"), ("rdb/b", "")],
        false,
    );
    finds(&[("rdb/mod", "mod a;\nuse self::a::A;"), ("rdb/a", "use crate::rdb::Thing;")], true);
    // Between modules.
    finds(&[("rdb/a", "use crate::disk::x;"), ("disk/x", "use crate::rdb::a;")], true);
    // A visibility is no dependency, and unit tests do not count.
    finds(&[("rdb/mod", "mod a;\nuse a::A;"), ("rdb/a", "pub(in crate::rdb) fn f() {}")], false);
    finds(
        &[
            ("rdb/mod", "mod a;\nuse a::A;"),
            ("rdb/a", "\n#[cfg(test)]\nmod tests {\n    use super::super::f;\n}"),
        ],
        false,
    );
}

/// Examples are built with the feature `internals`, as all that needs the development dependencies.
#[test]
fn examples_use_only_the_public_surface() {
    for name in ["rdb_keys.rs", "recover_until.rs", "verify_file.rs"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(name);
        let text = fs::read_to_string(path).expect("an example");
        for layer in LAYERS {
            assert!(!text.contains(&format!("aofkit::{layer}::")), "{name} uses {layer}");
        }
        assert!(text.lines().count() <= 21, "{name} is longer than 20 lines of code");
    }
}
