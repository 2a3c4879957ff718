//! Converts data between all ordered pairs of the matrix.
//!
//! Each line saves its data sets as RDBs. `compact --for` converts them to every other line, as an RDB and as commands.
//! The target loads the result with the same data, or the conversion fails with an error that names what the target
//! cannot hold.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use aofkit::base::server::{Server, redis};
use libtest_mimic::Trial;

use self::data::{ALL, DataSet};
pub(crate) use self::dump::{Dump, differences, dump};
use crate::support::{Binary, LINES, Run, Running, aofkit, find, lay_out, on_each, temp_dir};

mod convert;
mod data;
mod dump;

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials =
        on_each(&LINES, "pairs::data_of_every_other_line_converts_or_is_named", convert_all);
    trials.extend(convert::trials());
    trials
}

/// A data set that a server saved.
pub(crate) struct Source {
    pub(crate) line: Server,
    pub(crate) set: &'static DataSet,
    pub(crate) rdb: Vec<u8>,
    pub(crate) dump: Dump,
}

/// The data sets of all installed lines.
pub(crate) static SOURCES: LazyLock<Vec<Source>> = LazyLock::new(|| {
    let installed = LINES.iter().filter_map(|line| find(*line).ok());
    let of_line = |binary: Binary| {
        let sets = ALL.iter().filter(move |set| (set.fits)(binary.line));
        sets.map(|set| save(&binary, set)).collect::<Vec<_>>()
    };
    installed.flat_map(of_line).collect()
});

fn save(binary: &Binary, set: &'static DataSet) -> Source {
    let data = temp_dir();
    let mut server = Running::start(binary, data.path(), &[]).expect("the server starts");
    (set.fill)(&mut server);
    server.client.call(&["SAVE"]);
    let rdb = fs::read(data.path().join("dump.rdb")).expect("an RDB");
    Source { line: binary.line, set, rdb, dump: dump(&mut server, binary) }
}

fn convert_all(target: &Binary) {
    let mut failed = BTreeMap::new();
    for source in SOURCES.iter().filter(|source| source.line != target.line) {
        for form in ["preamble", "aof"] {
            let problem = match (convert(source, target, form), is_known_gap(source, form)) {
                (Ok(()), false) | (Err(_), true) => continue,
                (Ok(()), true) => "works now: remove it from the known gaps".to_owned(),
                (Err(problem), false) => problem,
            };
            failed.insert((source.line, source.set.name, form), problem);
        }
    }
    let show = |((line, set, form), problem): (&(Server, &str, &str), &String)| {
        format!("{set} of {line}, as {form}: {problem}")
    };
    let shown: Vec<_> = failed.iter().map(show).collect();
    assert!(failed.is_empty(), "{}: {} failed\n{}", target.line, failed.len(), shown.join("\n"));
}

/// Returns whether `compact` loses something without a word.
fn is_known_gap(source: &Source, form: &str) -> bool {
    // No command can make an entry pending that the stream does not have. A rewrite by a server loses it, too; `convert`
    // reports it.
    source.set.name == "deleted entries that are pending" && form == "aof"
}

/// Converts a data set and lets the target load it.
fn convert(source: &Source, target: &Binary, form: &str) -> Result<(), String> {
    let directory = temp_dir();
    let (input, output) = (directory.path().join("dump.rdb"), directory.path().join("converted"));
    fs::write(&input, &source.rdb).expect("a file");
    let mut command = aofkit();
    command.args(["compact", "--for", &target.line.to_string(), "--format", form, "--output"]);
    let run = Run::of(command.arg(&output).arg(&input));
    // Redis 8.0 does not load the nodes of vector sets of later versions.
    let is_newer = source.set.name == "vector set" && target.line == redis(8, 0);
    let fits =
        (source.set.fits)(target.line) && (source.set.has_commands || form != "aof") && !is_newer;
    match (fits, run.code) {
        (true, Some(0)) => same_data(source, target, &output),
        (false, Some(2)) if output.exists() => Err("refused, but there is an output".into()),
        (false, Some(2)) if run.stderr.contains(source.set.needs) => Ok(()),
        _ => Err(format!("fits: {fits}, but {run:#?}")),
    }
}

fn same_data(source: &Source, target: &Binary, log: &Path) -> Result<(), String> {
    let data = temp_dir();
    lay_out(target.line, data.path(), &fs::read(log).map_err(|error| error.to_string())?);
    let server = Running::start(target, data.path(), &[("appendonly", "yes")]);
    let mut server =
        server.map_err(|ended| format!("the server does not load it: {}", ended.log))?;
    match differences(&dump(&mut server, target), &source.dump) {
        found if found.is_empty() => Ok(()),
        found => Err(found.join("\n    ")),
    }
}
