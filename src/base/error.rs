//! Failing to do the job, told so that a person can act on it.
//!
//! An [`Error`] says what happened, where (file, byte, line), and what to do next. What an operation
//! *finds* in a file (damage, an unknown command) is not an error but a value in its report.

use std::path::{Path, PathBuf};
use std::{fmt, io};

use crate::base::escape::ShownPath;

/// The crate's result.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The kind of a failure, for code that must tell them apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// What was asked for makes no sense as asked.
    Usage,
    /// The path does not exist.
    NotFound,
    /// The system's rights forbid it.
    Permission,
    /// Any other failure of the system below.
    Io,
    /// The bytes are not of a format that is read here.
    Unrecognised,
    /// The manifest breaks a rule that a server's loader enforces.
    Manifest,
    /// The file was changed or cut by another process while it was read.
    Changed,
    /// Doing it would risk data; it was left alone.
    Refused,
    /// A limit would be passed, one that the person stated or that something is left; nothing was changed.
    Limit,
    /// Another run holds the lock.
    Locked,
}

/// A failure: what happened, where, and what to do next.
#[derive(Debug)]
pub struct Error(Box<Inner>);

#[derive(Debug)]
struct Inner {
    kind: ErrorKind,
    message: String,
    path: Option<PathBuf>,
    offset: Option<u64>,
    line: Option<u64>,
    help: Option<String>,
    source: Option<io::Error>,
}

impl Error {
    /// A failure of `kind`; `message` is lower case, without a final stop.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Error(Box::new(Inner {
            kind,
            message: message.into(),
            path: None,
            offset: None,
            line: None,
            help: None,
            source: None,
        }))
    }

    /// A failure of the system while `doing` (an infinitive: "open", "map") something with `path`.
    pub fn io(doing: &str, path: impl AsRef<Path>, source: io::Error) -> Self {
        let kind = match source.kind() {
            io::ErrorKind::NotFound => ErrorKind::NotFound,
            io::ErrorKind::PermissionDenied => ErrorKind::Permission,
            _ => ErrorKind::Io,
        };
        let mut error = Error::new(kind, format!("cannot {doing} it")).at(path);
        error.0.help = match source.kind() {
            io::ErrorKind::PermissionDenied => Some(
                "run it as the user that owns the files (often redis or valkey), or as root".into(),
            ),
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Some(
                "nothing half-written was left; free space there, or write to another file system"
                    .into(),
            ),
            _ => None,
        };
        error.0.source = Some(source);
        error
    }

    /// Says which file it is about.
    #[must_use]
    pub fn at(mut self, path: impl AsRef<Path>) -> Self {
        self.0.path = Some(path.as_ref().to_path_buf());
        self
    }

    /// Says at which byte of the file, counted from 0.
    #[must_use]
    pub fn byte(mut self, offset: u64) -> Self {
        self.0.offset = Some(offset);
        self
    }

    /// Says on which line of the file, counted from 1.
    #[must_use]
    pub fn line(mut self, line: u64) -> Self {
        self.0.line = Some(line);
        self
    }

    /// Says what to do next.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.0.help = Some(help.into());
        self
    }

    /// The kind of failure.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// What to do next, where there is something.
    pub fn next_step(&self) -> Option<&str> {
        self.0.help.as_deref()
    }

    /// The file it is about, where there is one.
    pub fn path(&self) -> Option<&Path> {
        self.0.path.as_deref()
    }

    /// The byte of the file it is about, where there is one.
    pub fn offset(&self) -> Option<u64> {
        self.0.offset
    }
}

impl fmt::Display for Error {
    /// One line: `PATH: byte N: line N: message: cause`, leaving out what is not known.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(path) = &self.0.path {
            write!(f, "{}: ", ShownPath(path))?;
        }
        if let Some(offset) = self.0.offset {
            write!(f, "byte {offset}: ")?;
        }
        if let Some(line) = self.0.line {
            write!(f, "line {line}: ")?;
        }
        f.write_str(&self.0.message)?;
        if let Some(source) = &self.0.source {
            write!(f, ": {source}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_ref().map(|source| source as _)
    }
}
