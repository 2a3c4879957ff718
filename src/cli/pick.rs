//! The data directory for a command without a path: found in the usual places, and chosen by the person.

use std::io::{BufRead, IsTerminal};
use std::path::PathBuf;
use std::time::SystemTime;

use super::args::Common;
use super::output::message;
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::escape::ShownPath;
use crate::base::next_step::{Action, NextStep, path_arg};
use crate::base::units::{self, Bytes};
use crate::input::usual_places::{DataDirectory, data_directories};

/// Returns the data directory that the person chooses at the terminal.
///
/// # Errors
///
/// [`ErrorKind::Usage`] without a terminal, with the commands for the directories that were found; and if none was found.
pub(super) fn data_directory(subcommand: &str, common: &Common) -> Result<PathBuf> {
    let mut found = data_directories();
    if found.is_empty() {
        return Err(Error::new(ErrorKind::Usage, "no PATH given, and no data directory found").help(
            "give the path of a log, an RDB or a data directory; the server reports it: redis-cli CONFIG GET dir",
        ));
    }
    let is_asked = std::io::stdin().is_terminal() && std::io::stderr().is_terminal();
    if !is_asked || common.json {
        return Err(commands(subcommand, &found));
    }
    let mut text = "No PATH given. These data directories were found:\n".to_owned();
    for (directory, number) in found.iter().zip(1..) {
        text.push_str(&format!("  {number}  {}\n", described(directory)));
    }
    text.push_str(&format!("Which one? [1-{}] ", found.len()));
    message(&text);
    let mut line = String::new();
    let read = std::io::stdin().lock().read_line(&mut line);
    read.map_err(|error| Error::io("read the answer from", "standard input", error))?;
    let chosen = line.trim().parse::<usize>().ok().and_then(|number| number.checked_sub(1));
    match chosen.filter(|index| *index < found.len()) {
        Some(index) => Ok(found.swap_remove(index).path),
        None => Err(Error::new(ErrorKind::Usage, "no data directory chosen")
            .help("give its path as an argument")),
    }
}

/// Returns the error that has the command of this run for each directory.
fn commands(subcommand: &str, found: &[DataDirectory]) -> Error {
    let error = Error::new(ErrorKind::Usage, "no PATH given")
        .help("data directories found on this machine, each with its command:");
    let typed: Vec<String> = std::env::args().skip(1).collect();
    found.iter().fold(error, |error, directory| {
        let mut args = typed.clone();
        let place = args.iter().position(|arg| arg == subcommand).map_or(args.len(), |at| at + 1);
        args.insert(place, path_arg(&directory.path));
        error.step(NextStep::alternative(described(directory), [Action::aofkit(args)]))
    })
}

/// Returns the path, the size, the age and the server of a directory.
fn described(directory: &DataDirectory) -> String {
    let mut text = format!("{}, {}", ShownPath(&directory.path), Bytes(directory.bytes));
    if let Some(age) =
        directory.modified.and_then(|time| SystemTime::now().duration_since(time).ok())
    {
        text.push_str(&format!(", written {} ago", units::age(age)));
    }
    if let Some(server) = &directory.server {
        text.push_str(&format!(", used by {} (process {})", server.program, server.pid));
    }
    text
}
