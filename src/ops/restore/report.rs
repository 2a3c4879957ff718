//! The report of restore: the schema of its JSON, and the only thing its text is made from.

use std::path::PathBuf;

use serde::Serialize;

use crate::archive::contents::Source;
use crate::base::server::Server;
use crate::disk::Owner;
use crate::ops::compact::Form;

/// What was restored, and what is left to do.
#[derive(Debug, Clone, Serialize)]
pub struct RestoreReport {
    /// The version of this schema.
    pub schema: u32,
    /// `restore`.
    pub report: &'static str,
    /// The archive.
    #[serde(serialize_with = "crate::base::escape::path")]
    pub archive: PathBuf,
    /// The server's data directory, as a server finds it from anywhere.
    #[serde(serialize_with = "crate::base::escape::path")]
    pub output: PathBuf,
    /// Where the log came from; `None` of zips that others made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
    /// The server that it was restored for, if one was named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server: Option<Server>,
    /// How the log lies there.
    pub shape: Shape,
    /// The name of what was put into the directory: of the file, or of the set's directory.
    pub placed: String,
    /// What was done to it, where it is not as it was in the archive.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub change: Option<Change>,
    /// What stood in the way, and the names that it has now.
    pub moved_aside: Vec<Moved>,
    /// Whom the files were given to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<Owner>,
    /// Bytes of the restored log.
    pub bytes: u64,
    /// Whole commands in it.
    pub commands: u64,
    /// Keys in RDBs in it.
    pub rdb_keys: u64,
    /// The settings with which a server loads it.
    pub settings: Vec<Setting>,
    /// What is to be done next, a sentence each.
    pub next: Vec<String>,
    /// How long it took, in seconds.
    pub elapsed_s: f64,
}

/// How a log lies in a data directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Shape {
    /// One file. Servers since 7.0 move it into a set at their first start.
    SingleFile,
    /// A directory with a manifest.
    MultiPart,
}

/// What was done to a log for the server that it is meant for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Change {
    /// The single file became the base of a set.
    MadeSet,
    /// It was compacted into this form, because the server does not load what the archive holds.
    Compacted {
        /// The form.
        form: Form,
        /// Why, in a few words.
        reason: String,
        /// The fingerprint of the data, which is the same before and after.
        fingerprint: String,
        /// Commands that a server answers with an error while it loads the log.
        failed_commands: u64,
    },
}

/// Something that stood in the way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Moved {
    /// What it was called.
    #[serde(serialize_with = "crate::base::escape::path")]
    pub from: PathBuf,
    /// What it is called.
    #[serde(serialize_with = "crate::base::escape::path")]
    pub to: PathBuf,
}

/// A setting of a server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Setting {
    /// Its name.
    pub name: &'static str,
    /// Its value.
    pub value: String,
}
