//! What is left of a set, as reports describe it.

use std::fmt;
use std::path::PathBuf;

use serde::Serialize;

use crate::aof::manifest::Role;

/// What is left of a set, and the manifest that is proposed for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct SetProposal {
    /// The identifier of the fault, as in `broken` of `verify`; `renamed-manifest` if only its name is wrong.
    pub(crate) kind: &'static str,
    /// The fault, for display.
    pub(crate) fault: String,
    /// The path of the manifest that is proposed.
    #[serde(serialize_with = "crate::base::escape::path")]
    pub(crate) manifest: PathBuf,
    /// The manifest under another name that it replaces.
    #[serde(skip)]
    pub(crate) replaces: Option<PathBuf>,
    /// The lines that are proposed, escaped for display.
    pub(crate) lines: Vec<String>,
    /// The files in the directory that are named like parts or that the manifest lists.
    pub(crate) files: Vec<FoundFile>,
    /// What is certain about the proposal.
    pub(crate) certain: Vec<String>,
    /// What is inferred, and may be wrong.
    pub(crate) inferred: Vec<String>,
    /// The files without which data is missing.
    pub(crate) missing: Vec<MissingPart>,
}

/// A file in the directory of a set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct FoundFile {
    /// The file name, escaped for display.
    pub(crate) name: String,
    /// The role, by the manifest or by the name.
    pub(crate) role: Role,
    /// The length in bytes.
    pub(crate) bytes: u64,
    /// The modification time, in Unix seconds.
    #[serde(serialize_with = "crate::base::rfc3339::seconds_if_any")]
    pub(crate) modified: Option<i64>,
    /// Whether the proposed manifest lists it.
    pub(crate) listed: bool,
}

/// A part that is missing, or several with successive numbers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct MissingPart {
    /// The name of the file, or of the first of several; absent if its number is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) name: Option<String>,
    /// The role of the file.
    pub(crate) role: Role,
    /// The number of missing files.
    pub(crate) count: u64,
    /// Whether the file exists, and has 0 bytes.
    pub(crate) empty: bool,
}

impl MissingPart {
    /// Returns a base file that exists and has 0 bytes.
    pub(crate) fn empty_base(name: &str) -> Self {
        MissingPart { name: Some(name.to_owned()), role: Role::Base, count: 1, empty: true }
    }

    /// Returns what is lost with it.
    pub(crate) fn lost(&self) -> &'static str {
        match self.role {
            Role::Base => "the keys of the last rewrite",
            _ => "the writes that were in it",
        }
    }
}

impl fmt::Display for MissingPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let role = if self.role == Role::Base { "base" } else { "incremental" };
        match &self.name {
            Some(name) if self.empty => write!(f, "the {role} file `{name}` has 0 bytes"),
            Some(name) if self.count == 1 => write!(f, "the {role} file `{name}` is missing"),
            Some(name) => {
                write!(f, "{} {role} files are missing, `{name}` and those after it", self.count)
            }
            None => write!(f, "the {role} file is missing"),
        }
    }
}
