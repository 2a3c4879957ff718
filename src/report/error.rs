//! Errors with `--json`.

use std::path::PathBuf;

use serde::Serialize;

use super::envelope::Report;
use crate::base::error::{Error, ErrorKind};
use crate::base::next_step::NextStep;

/// An error. The same is printed as text on stderr.
#[derive(Debug, Serialize)]
pub struct ErrorReport {
    /// The kind of the error.
    pub kind: ErrorKind,
    /// The error, as on stderr after `error:`.
    pub message: String,
    /// The path of the file concerned.
    #[serde(
        skip_serializing_if = "Option::is_none",
        serialize_with = "crate::base::escape::path_if_any"
    )]
    pub path: Option<PathBuf>,
    /// The byte offset in the file, from 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offset: Option<u64>,
    /// The line of the file, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
    /// What to do next, as on stderr after `help:`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    /// The steps to choose from, as on stderr after the help.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub next: Vec<NextStep>,
    /// The exit code that the error leads to.
    pub exit_code: u8,
}

impl ErrorReport {
    /// Returns the report of an error that leads to this exit code.
    pub fn new(error: &Error, exit_code: u8) -> Self {
        ErrorReport {
            kind: error.kind(),
            message: error.to_string(),
            path: error.path().map(PathBuf::from),
            offset: error.offset(),
            line: error.line_number(),
            help: error.next_step().map(String::from),
            next: error.steps().to_vec(),
            exit_code,
        }
    }
}

impl Report for ErrorReport {
    const NAME: &'static str = "error";
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::envelope::json_line;

    #[test]
    fn error_has_its_place_and_its_exit_code() {
        let error =
            Error::new(ErrorKind::NotFound, "no such entry").at("a\u{1b}.aof").byte(7).line(2);
        let json = json_line(&ErrorReport::new(&error.help("try b.aof"), 2));
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        let expected = serde_json::json!({
            "schema": 1, "report": "error", "version": env!("CARGO_PKG_VERSION"), "kind": "not-found",
            "message": "a\\u{1b}.aof: byte 7: line 2: no such entry", "path": "a\u{1b}.aof", "offset": 7, "line": 2,
            "help": "try b.aof", "exit_code": 2,
        });
        assert_eq!(json, expected);
    }
}
