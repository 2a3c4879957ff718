//! A set that no server loads, whatever its parts contain; detected before any byte of them is read.

use std::fmt;
use std::path::PathBuf;

use serde::Serialize;

use super::left_set::SetProposal;
use crate::aof::manifest::{ManifestError, Role, Rule};
use crate::base::error::{Error, ErrorKind};

/// A set that every server refuses to load (or, without a manifest, loads as if it were empty).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BrokenSet {
    /// The path of the manifest; for [`SetFault::NoManifest`], of the directory.
    #[serde(rename = "broken_path", serialize_with = "crate::base::escape::path")]
    pub path: PathBuf,
    /// The fault.
    #[serde(flatten)]
    pub fault: SetFault,
    /// What is left of the set, where that was asked for.
    #[serde(rename = "set", skip_serializing_if = "Option::is_none")]
    pub(crate) left: Option<Box<SetProposal>>,
}

impl BrokenSet {
    /// Returns a set with a fault.
    pub(crate) fn new(path: impl Into<PathBuf>, fault: SetFault) -> Self {
        BrokenSet { path: path.into(), fault, left: None }
    }
}

/// The fault of a set, detected before any byte of its parts is read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
#[non_exhaustive]
pub enum SetFault {
    /// The manifest violates a rule.
    Manifest(ManifestError),
    /// The manifest lists a part that does not exist.
    MissingPart {
        /// The line number, from 1.
        line: u64,
        /// The file name, escaped for display.
        name: String,
        /// The role: base or incremental.
        role: Role,
    },
    /// The manifest lists an invalid file name: empty, `.` or `..`.
    UnusableName {
        /// The line number, from 1.
        line: u64,
        /// The name.
        name: String,
    },
    /// There are files named as parts, but no manifest.
    NoManifest {
        /// The file names, escaped for display and sorted.
        parts: Vec<String>,
    },
}

impl SetFault {
    /// Returns the identifier of the fault, which is stable across versions: for a violated rule, that of the
    /// [rule](Rule::kind).
    pub fn kind(&self) -> &'static str {
        match self {
            SetFault::Manifest(error) => error.rule.kind(),
            SetFault::MissingPart { .. } => "missing-part",
            SetFault::UnusableName { .. } => "unusable-name",
            SetFault::NoManifest { .. } => "no-manifest",
        }
    }

    /// Returns the line number in the manifest, from 1, if there is one.
    pub fn line(&self) -> Option<u64> {
        match self {
            SetFault::Manifest(error) if error.rule == Rule::Empty => None,
            SetFault::Manifest(error) => Some(error.line),
            SetFault::MissingPart { line, .. } | SetFault::UnusableName { line, .. } => Some(*line),
            SetFault::NoManifest { .. } => None,
        }
    }

    /// Returns the fault with the begin of the line that it is about, which can be long.
    pub(crate) fn brief(&self) -> String {
        const LONGEST: usize = 40;
        let SetFault::Manifest(error) = self else { return self.to_string() };
        let Some(line) = self.line() else { return error.rule.to_string() };
        let text = match error.text.char_indices().nth(LONGEST) {
            _ if error.text.is_empty() => String::new(),
            None => format!(": {}", error.text),
            Some((end, _)) => format!(": {}...", error.text.get(..end).unwrap_or_default()),
        };
        format!("line {line} of the manifest: {}{text}", error.rule)
    }

    /// Returns the recommended action.
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
