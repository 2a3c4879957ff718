//! The parsers of options with known values, so that shells complete them.

use std::ffi::OsStr;
use std::str::FromStr;
use std::sync::LazyLock;

use clap::builder::{PossibleValue, TypedValueParser, ValueHint};
use clap::{Arg, Command};

use crate::base::server::{KNOWN, Server};
use crate::ops::compact::Form;

/// The names of the known release lines.
static LINES: LazyLock<Vec<String>> =
    LazyLock::new(|| KNOWN.iter().map(ToString::to_string).collect());

/// The parser of `--for`. It accepts any release line, and knows the names of those in the matrix.
#[derive(Clone)]
pub(super) struct ServerValue;

impl TypedValueParser for ServerValue {
    type Value = Server;

    fn parse_ref(
        &self,
        command: &Command,
        arg: Option<&Arg>,
        value: &OsStr,
    ) -> Result<Server, clap::Error> {
        (|text: &str| Server::from_str(text)).parse_ref(command, arg, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(LINES.iter().map(|line| PossibleValue::new(line.as_str()))))
    }
}

/// The parser of `--format`.
#[derive(Clone)]
pub(super) struct FormValue;

impl TypedValueParser for FormValue {
    type Value = Form;

    fn parse_ref(
        &self,
        command: &Command,
        arg: Option<&Arg>,
        value: &OsStr,
    ) -> Result<Form, clap::Error> {
        (|text: &str| Form::from_str(text)).parse_ref(command, arg, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(Form::ALL.into_iter().map(|(name, _)| PossibleValue::new(name))))
    }
}

/// Returns the command whose options with the value DIR are completed by directories only.
pub(super) fn with_directories(command: Command) -> Command {
    let is_directory = |arg: &Arg| {
        arg.get_value_names().is_some_and(|names| {
            names.iter().any(|name| ["DIR", "DIR|URL"].contains(&name.as_str()))
        })
    };
    let hint = |arg: Arg| match is_directory(&arg) {
        true => arg.value_hint(ValueHint::DirPath),
        false => arg,
    };
    command.mut_args(hint).mut_subcommands(with_directories)
}
