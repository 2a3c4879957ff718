//! Merging two data sets key by key: a backup and the log of later writes, two RDBs, archives.
//!
//! Both are routed together, so that each key is in the same shard of both, and joined shard by shard
//! ([`recover`](crate::ops::recover) does the same with two states of one log). The result is written, read back and
//! compared as a compaction is. Function libraries and data of modules are united as keys are.

mod report;

use std::path::Path;
use std::time::Instant;

pub use report::{MergeReport, MergedKeys};

use crate::aof::log::{Layout, Log};
use crate::base::error::Result;
use crate::base::progress::Progress;
use crate::input::open;
use crate::input::overwrite::check_output;
use crate::ops::compact::{self, CompactOptions, Form, Source};
use crate::ops::recover::{How, JoinedSource, Rule, Winner};
use crate::replay::RouteOptions;

/// Options of [`merge`].
#[derive(Debug, Clone)]
#[cfg_attr(not(feature = "internals"), non_exhaustive)]
pub struct MergeOptions {
    /// The side from which a key is taken if both have it with different values.
    pub winner: Winner,
    /// What is written, and where.
    pub written: CompactOptions,
}

/// Merges the data set at `old` into that at `new`.
///
/// # Errors
///
/// When one of them cannot be opened or is damaged, a command cannot be replayed, or the output cannot be written or
/// fails the check. Existing files at the output path are then unchanged.
pub fn merge(
    [old, new]: [&Path; 2],
    options: &MergeOptions,
    progress: &dyn Progress,
) -> Result<MergeReport> {
    let started = Instant::now();
    let (result, keys, functions) = merge_with([old, new], options, progress, |log, source| {
        let commands = source.whole().commands;
        let form = options.written.form.or_else(|| form_of_snapshot(log, source, commands));
        let written = CompactOptions { form, ..options.written.clone() };
        let result = compact::write_data_set(log, source, &written, progress)?;
        let server = written.server.unwrap_or_else(|| source.whole().origin().reading());
        Ok((result, source.tallies.look(MergedKeys::of), source.functions(server)?))
    })?;
    Ok(MergeReport {
        old: old.to_owned(),
        new: new.to_owned(),
        winner: options.winner,
        keys,
        functions,
        result,
        elapsed_s: started.elapsed().as_secs_f64(),
    })
}

/// Returns the form of an RDB for a data set that is added to an RDB, which a compaction would turn into a log.
fn form_of_snapshot(log: &Log, source: &JoinedSource<'_>, commands: u64) -> Option<Form> {
    let server = source.whole().origin().writing();
    let is_snapshot =
        log.layout == Layout::RdbFile && Form::for_server(log, commands, server) == Form::Rdb;
    is_snapshot.then_some(Form::Rdb)
}

/// Passes the data set of `old` and `new` joined to `receive`, with the log of `new`, and returns its result.
///
/// # Errors
///
/// As [`merge`], and the errors of `receive`.
pub(crate) fn merge_with<T>(
    [old, new]: [&Path; 2],
    options: &MergeOptions,
    progress: &dyn Progress,
    receive: impl FnOnce(&Log, &JoinedSource<'_>) -> Result<T>,
) -> Result<T> {
    let MergeOptions { winner, written } = options;
    let [old, new] = [open(old)?, open(new)?];
    if let Some(output) = &written.output {
        let inputs = [old.paths(), new.paths()].concat();
        check_output(output, written.existing, &inputs)?;
    }
    let [old, new] = [old.into_log(progress)?, new.into_log(progress)?];
    let keys = &written.filter.keys;
    let route = RouteOptions { excluded: keys.excluded.clone(), ..written.route.clone() };
    let how = How {
        rule: Rule::Merge(*winner),
        db: None,
        // A key that has expired is a key until a server deletes it, as in a compaction.
        expired: None,
        now_ms: 0,
        unites: true,
        compared: Some(keys),
    };
    let joined = || {
        let source = JoinedSource::new([(&old, &route), (&new, &route)], how, progress)?;
        receive(&new, &source)
    };
    old.name_archive(new.name_archive(joined()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::progress::Silent;

    fn command(words: &[&str]) -> String {
        let words: String = words.iter().map(|it| format!("${}\r\n{it}\r\n", it.len())).collect();
        format!("*{}\r\n{words}", words.matches('$').count())
    }

    #[test]
    fn older_side_is_taken_only_where_it_is_preferred_or_alone() {
        let place = tempfile::tempdir().unwrap();
        let path = |name: &str| place.path().join(name);
        let sets = |pairs: &[(&str, &str)]| -> String {
            pairs.iter().map(|(key, value)| command(&["SET", key, value])).collect()
        };
        std::fs::write(path("old.aof"), sets(&[("a", "1"), ("same", "1"), ("both", "1")])).unwrap();
        std::fs::write(path("new.aof"), sets(&[("b", "2"), ("same", "1"), ("both", "2")])).unwrap();
        for (winner, value) in [(Winner::Newer, "2"), (Winner::Older, "1")] {
            let output = path(value);
            let written = CompactOptions { output: Some(output.clone()), ..Default::default() };
            let options = MergeOptions { winner, written };
            let (old, new) = (path("old.aof"), path("new.aof"));
            let report = merge([&old, &new], &options, &Silent).unwrap();
            let expected = MergedKeys { from_old: 1, from_new: 1, equal: 1, different: 1 };
            assert_eq!(report.keys, expected);
            let text = std::fs::read_to_string(output).unwrap();
            assert!(text.contains(&command(&["SET", "both", value])), "{text}");
            assert!(text.contains(&command(&["SET", "a", "1"])), "{text}");
        }
    }
}
