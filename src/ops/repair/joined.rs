//! Choosing one of several logs that were joined into one file.
//!
//! No server reads more than the first of them. Which keys the joined data set should have is for the user to say, so that
//! nothing is chosen by default: each log can be written to a file of its own, and `merge` joins their keys.

use std::path::Path;

use serde::Serialize;

use super::options::RepairOptions;
use crate::analysis::joined::{JoinedLog, describe, joined_logs};
use crate::analysis::survey::Survey;
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::next_step::{Action, NextStep, path_arg};
use crate::base::units::{Count, counted};
use crate::disk::Mapping;
use crate::input::conversion::copied;

/// The log that is kept of several ones in a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct JoinedChoice {
    /// The file name of the part.
    pub(crate) part: String,
    /// The number of the log that is kept, from 1.
    pub(crate) kept: usize,
    /// All logs of the file.
    pub(crate) logs: Vec<JoinedLog>,
}

impl JoinedChoice {
    /// Returns the logs that are left out, with their numbers.
    pub(crate) fn left_out(&self) -> impl Iterator<Item = (usize, &JoinedLog)> {
        self.logs
            .iter()
            .enumerate()
            .map(|(index, log)| (index + 1, log))
            .filter(|(number, _)| *number != self.kept)
    }
}

/// Returns the log that the options choose of those in a part, its bytes, and the index of the part; `None` if each part
/// is one log.
///
/// # Errors
///
/// [`ErrorKind::Refused`], or [`ErrorKind::Limit`] if limits are set: no choice was made, and no server starts with the
/// file; or several parts are to be chosen for; [`ErrorKind::Usage`]: the choice does not fit the file.
pub(super) fn choose(
    path: &Path,
    surveys: &[Survey<'_>],
    options: &RepairOptions,
) -> Result<Option<(usize, Mapping, JoinedChoice)>> {
    let mut found = surveys.iter().enumerate().filter_map(|(index, survey)| {
        let logs = joined_logs(survey);
        (!logs.is_empty()).then_some((index, survey, logs))
    });
    let Some((index, survey, logs)) = found.next() else { return none_if_unasked(path, options) };
    if let Some((_, other, _)) = found.next() {
        return Err(several_parts(path, [survey, other], options));
    }
    let Some(number) = options.joined else {
        // A server ignores what follows an RDB file.
        let is_loaded = survey.stop.fault.is_none();
        let place = Place { path, survey, is_set: surveys.len() > 1, is_first: index == 0 };
        return if is_loaded { Ok(None) } else { Err(undecided(&place, &logs, options)) };
    };
    let chosen = usize::try_from(number).unwrap_or(usize::MAX).checked_sub(1);
    let Some(log) = chosen.and_then(|chosen| logs.get(chosen)) else {
        let what = format!("--joined {number}: the file has {}", counted(logs.len() as u64, "log"));
        return Err(Error::new(ErrorKind::Usage, what).at(&survey.part.path));
    };
    let from = usize::try_from(log.offset).unwrap_or(usize::MAX);
    let to = usize::try_from(log.offset + log.bytes).unwrap_or(usize::MAX);
    let bytes = survey.part.mapping.bytes();
    let mapping = copied(survey.part, bytes.get(from..to).unwrap_or_default())?;
    let part = survey.part.name.clone();
    Ok(Some((index, mapping, JoinedChoice { part, kept: number as usize, logs })))
}

/// Refuses to choose for several parts at once.
fn several_parts(path: &Path, parts: [&Survey<'_>; 2], options: &RepairOptions) -> Error {
    let [first, second] = parts.map(|survey| survey.part.name.as_str());
    let what = format!("several logs are joined in `{first}` and in `{second}`, as cat joins them");
    let error = Error::new(options.kind_of_question(), what).at(path).help(
        "choose for one file at a time, and put the result in its place; nothing was written",
    );
    parts.into_iter().fold(error, |error, survey| {
        let why = format!("See which logs are in {}", survey.part.name);
        let args = ["repair", &path_arg(&survey.part.path), "--dry-run"];
        error.step(NextStep::alternative(why, [Action::aofkit(args)]))
    })
}

fn none_if_unasked(
    path: &Path,
    options: &RepairOptions,
) -> Result<Option<(usize, Mapping, JoinedChoice)>> {
    match options.joined {
        None => Ok(None),
        Some(_) => Err(Error::new(ErrorKind::Usage, "--joined: this is one log").at(path)),
    }
}

/// The part that several logs are joined in.
struct Place<'p> {
    /// The path of the log.
    path: &'p Path,
    survey: &'p Survey<'p>,
    /// Whether it is one of several parts.
    is_set: bool,
    /// Whether nothing is loaded before it.
    is_first: bool,
}

fn undecided(place: &Place<'_>, logs: &[JoinedLog], options: &RepairOptions) -> Error {
    let of_part = if place.is_set { &place.survey.part.path } else { place.path };
    let whole = path_arg(place.path);
    let error = Error::new(options.kind_of_question(), describe(logs))
        .at(of_part)
        .byte(logs.get(1).map_or(0, |second| second.offset))
        .help("no server reads more than the first; choose with --joined; nothing was written");
    let error = logs.iter().enumerate().fold(error, |error, (index, log)| {
        let why =
            format!("Preview the repair that keeps log {} alone: {}", index + 1, content(log));
        let number = (index + 1).to_string();
        let args = ["repair", &whole, "--joined", &number, "--dry-run"];
        error.step(NextStep::alternative(why, [Action::aofkit(args)]))
    });
    let [_, _] = logs else { return error };
    // The commands of a later part change the keys of the parts before it, and cannot be joined to another log alone.
    if !place.is_first {
        return error;
    }
    let file = path_arg(of_part);
    let names = ["1", "2", "all"].map(|name| format!("{file}.{name}"));
    let write = |number: &str, to: &str| {
        Action::aofkit(["repair", &file, "--joined", number, "--output", to])
    };
    let merge = |more: &[&str]| {
        Action::aofkit([&["merge", &names[0], &names[1], "--output", &names[2]], more].concat())
    };
    let mut actions = vec![write("1", &names[0]), write("2", &names[1])];
    if place.is_set {
        // The base of a set is one file.
        actions.push(merge(&["--format", "rdb"]));
        actions.push(Action::run("mv", [names[2].as_str(), &file]));
    } else {
        actions.push(merge(&[]));
    }
    let why = "Join their keys; of a key that both have, the second log's value is taken";
    error.step(NextStep::alternative(why, actions))
}

/// Returns the content of a log as text.
pub(crate) fn content(log: &JoinedLog) -> String {
    let commands = counted(log.commands, "command");
    match log.rdb_keys {
        Some(keys) => {
            format!("byte {}, {} and {commands}", Count(log.offset), counted(keys, "key"))
        }
        None => format!("byte {}, {commands}", Count(log.offset)),
    }
}
