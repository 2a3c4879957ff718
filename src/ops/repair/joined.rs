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

/// Returns the log that the options choose of those in the only part, and its bytes; `None` if the part is one log.
///
/// # Errors
///
/// [`ErrorKind::Refused`], or [`ErrorKind::Limit`] if limits are set: no choice was made, and no server starts with the
/// file; [`ErrorKind::Usage`]: the choice does not fit the file.
pub(super) fn choose(
    path: &Path,
    surveys: &[Survey<'_>],
    options: &RepairOptions,
) -> Result<Option<(Mapping, JoinedChoice)>> {
    let [survey] = surveys else { return none_if_unasked(path, options) };
    let logs = joined_logs(survey);
    if logs.is_empty() {
        return none_if_unasked(path, options);
    }
    let Some(number) = options.joined else {
        // A server ignores what follows an RDB file.
        let is_loaded = survey.stop.fault.is_none();
        return if is_loaded { Ok(None) } else { Err(undecided(path, &logs, options)) };
    };
    let index = usize::try_from(number).unwrap_or(usize::MAX).checked_sub(1);
    let Some(log) = index.and_then(|index| logs.get(index)) else {
        let what = format!("--joined {number}: the file has {}", counted(logs.len() as u64, "log"));
        return Err(Error::new(ErrorKind::Usage, what).at(path));
    };
    let from = usize::try_from(log.offset).unwrap_or(usize::MAX);
    let to = usize::try_from(log.offset + log.bytes).unwrap_or(usize::MAX);
    let bytes = survey.part.mapping.bytes();
    let mapping = copied(survey.part, bytes.get(from..to).unwrap_or_default())?;
    let part = survey.part.name.clone();
    Ok(Some((mapping, JoinedChoice { part, kept: number as usize, logs })))
}

fn none_if_unasked(
    path: &Path,
    options: &RepairOptions,
) -> Result<Option<(Mapping, JoinedChoice)>> {
    match options.joined {
        None => Ok(None),
        Some(_) => Err(Error::new(ErrorKind::Usage, "--joined: this is one log").at(path)),
    }
}

fn undecided(path: &Path, logs: &[JoinedLog], options: &RepairOptions) -> Error {
    let is_limited = options.max_loss_bytes.is_some() || options.max_lost_commands.is_some();
    let kind = if is_limited { ErrorKind::Limit } else { ErrorKind::Refused };
    let file = path_arg(path);
    let error = Error::new(kind, describe(logs))
        .at(path)
        .byte(logs.get(1).map_or(0, |second| second.offset))
        .help("no server reads more than the first; choose with --joined; nothing was written");
    let error = logs.iter().enumerate().fold(error, |error, (index, log)| {
        let why =
            format!("Preview the repair that keeps log {} alone: {}", index + 1, content(log));
        let number = (index + 1).to_string();
        let args = ["repair", &file, "--joined", &number, "--dry-run"];
        error.step(NextStep::alternative(why, [Action::aofkit(args)]))
    });
    let [_, _] = logs else { return error };
    let names = ["1", "2", "all"].map(|name| format!("{file}.{name}"));
    let write = |number: &str, to: &str| {
        Action::aofkit(["repair", &file, "--joined", number, "--output", to])
    };
    let actions = [
        write("1", &names[0]),
        write("2", &names[1]),
        Action::aofkit(["merge", &names[0], &names[1], "--output", &names[2]]),
    ];
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
