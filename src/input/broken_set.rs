//! A set that no server loads, whatever its parts hold: found before any byte of them is read.

use std::fmt;
use std::path::PathBuf;

use serde::Serialize;

use crate::aof::manifest::{ManifestError, Role, Rule};
use crate::base::error::{Error, ErrorKind};

/// A set that every server refuses to load (or, without a manifest, loads as if it were empty).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BrokenSet {
    /// The manifest; of [`SetFault::NoManifest`] the directory.
    #[serde(rename = "broken_path", serialize_with = "crate::base::escape::path")]
    pub path: PathBuf,
    /// What is wrong.
    #[serde(flatten)]
    pub fault: SetFault,
}

/// What is wrong with a set, before any byte of its parts is read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
#[non_exhaustive]
pub enum SetFault {
    /// The manifest breaks a rule.
    Manifest(ManifestError),
    /// It lists a part that is not there.
    MissingPart {
        /// The line, from 1.
        line: u64,
        /// The file, made printable.
        name: String,
        /// Base or incremental.
        role: Role,
    },
    /// It lists a name that is no file: empty, `.` or `..`.
    UnusableName {
        /// The line, from 1.
        line: u64,
        /// The name.
        name: String,
    },
    /// Files named as parts, and no manifest.
    NoManifest {
        /// The files, made printable, sorted.
        parts: Vec<String>,
    },
}

impl SetFault {
    /// The name of the fault, which stays the same from version to version: for a broken rule that
    /// of the [rule](Rule::kind).
    pub fn kind(&self) -> &'static str {
        match self {
            SetFault::Manifest(error) => error.rule.kind(),
            SetFault::MissingPart { .. } => "missing-part",
            SetFault::UnusableName { .. } => "unusable-name",
            SetFault::NoManifest { .. } => "no-manifest",
        }
    }

    /// The manifest's line, from 1, where there is one.
    pub fn line(&self) -> Option<u64> {
        match self {
            SetFault::Manifest(error) if error.rule == Rule::Empty => None,
            SetFault::Manifest(error) => Some(error.line),
            SetFault::MissingPart { line, .. } | SetFault::UnusableName { line, .. } => Some(*line),
            SetFault::NoManifest { .. } => None,
        }
    }

    /// What to do about it.
    pub fn help(&self) -> String {
        match self {
            SetFault::Manifest(error) => {
                let first = match &error.rule {
                    _ if error.rest_of_comment => "shorten the comment",
                    Rule::Empty => "take it from a backup, or write it anew, a line a file: file NAME seq NUMBER type b (base) or i (incremental)",
                    Rule::NoNewline => "add the newline, unless more is missing",
                    Rule::BlankLine => "delete the line",
                    Rule::Quoting if error.text.contains('\'') && !error.text.contains('"') => {
                        "put the file name in double quotes; servers write a name with ' as it is and then cannot read it"
                    }
                    _ => "correct the line, or take the manifest from a backup",
                };
                format!("{first}; no server starts with it as it is")
            }
            SetFault::MissingPart { line, role: Role::Incr, .. } => format!(
                "restore it from a backup; no server starts without it. Deleting line {line} gives up the writes that were in it"
            ),
            SetFault::MissingPart { .. } => {
                "restore it from a backup; no server starts without it".into()
            }
            SetFault::UnusableName { .. } => {
                "correct the line, or take the manifest from a backup; no server starts with it as it is".into()
            }
            SetFault::NoManifest { .. } => {
                "restore the manifest from a backup, or give one of these files; a server started on the directory as it is begins with no data and may overwrite them".into()
            }
        }
    }
}

impl fmt::Display for SetFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SetFault::Manifest(error) => f.write_str(&error.message()),
            SetFault::MissingPart { name, .. } => {
                write!(f, "`{name}` is listed but does not exist")
            }
            SetFault::UnusableName { name, .. } => {
                write!(f, "`{name}` cannot be the name of a file")
            }
            SetFault::NoManifest { parts } => {
                write!(f, "parts of a set without their manifest: {}", parts.join(", "))
            }
        }
    }
}

impl From<BrokenSet> for Error {
    fn from(broken: BrokenSet) -> Self {
        let mut error = Error::new(ErrorKind::Manifest, broken.fault.to_string());
        if let Some(line) = broken.fault.line() {
            error = error.line(line);
        }
        error.at(broken.path).help(broken.fault.help())
    }
}
