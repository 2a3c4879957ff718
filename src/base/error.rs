//! Errors, reported so that a person can act on them.
//!
//! An [`Error`] states what happened, where (file, byte, line), and what to do next. Problems that
//! an operation *finds* in a file (damage, an unknown command) are not errors but values in its
//! report.

use std::path::{Path, PathBuf};
use std::{fmt, io};

use serde::Serialize;

use super::next_step::NextStep;
use super::units::Count;
use crate::base::escape::ShownPath;

/// The result type of the crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The kind of an error, for code that distinguishes them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum ErrorKind {
    /// The request is invalid.
    Usage,
    /// The path does not exist.
    NotFound,
    /// Permission denied by the system.
    Permission,
    /// Any other I/O error.
    Io,
    /// The bytes are not in a supported format.
    Unrecognised,
    /// The manifest violates a rule that a server's loader enforces.
    Manifest,
    /// The file is damaged.
    Damaged,
    /// The file was changed or truncated by another process while it was read.
    Changed,
    /// The operation would risk data, and was not executed.
    Refused,
    /// A limit would be passed, one that the person stated or that something is left; nothing was changed.
    Limit,
    /// No key has the requested name or matches the requested pattern.
    NoSuchKey,
    /// Another process holds the lock.
    Locked,
    /// The caller cancelled the operation; output that was not finished is removed.
    Interrupted,
}

/// An error: what happened, where, and what to do next.
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
    steps: Vec<NextStep>,
    /// What failed, an infinitive, if that was a system call on the path.
    doing: Option<String>,
    source: Option<io::Error>,
}

impl Error {
    /// Creates an error of `kind`; `message` is in lower case, without a full stop.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Error(Box::new(Inner {
            kind,
            message: message.into(),
            path: None,
            offset: None,
            line: None,
            help: None,
            steps: Vec::new(),
            doing: None,
            source: None,
        }))
    }

    /// Creates an error for a system error while `doing` (an infinitive: "open", "map") something
    /// with `path`.
    ///
    /// If the system error is of a cancellation, it is of [`ErrorKind::Interrupted`].
    pub fn io(doing: &str, path: impl AsRef<Path>, source: io::Error) -> Self {
        if source.get_ref().is_some_and(|source| source.is::<Interrupted>()) {
            return Error::interrupted();
        }
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
        error.0.doing = Some(doing.to_owned());
        error.0.source = Some(source);
        error
    }

    /// Creates the error of an operation that its caller cancelled.
    pub(crate) fn interrupted() -> Self {
        Error::new(ErrorKind::Interrupted, Interrupted.to_string())
    }

    /// Creates [`Error::interrupted`] as a system error, for code between which and the operation there are only those.
    pub(crate) fn interrupted_io() -> io::Error {
        io::Error::other(Interrupted)
    }

    /// Sets the file concerned.
    #[must_use]
    pub fn at(mut self, path: impl AsRef<Path>) -> Self {
        self.0.path = Some(path.as_ref().to_path_buf());
        self
    }

    /// Sets the offset in the file, counted from 0.
    #[must_use]
    pub fn byte(mut self, offset: u64) -> Self {
        self.0.offset = Some(offset);
        self
    }

    /// Sets the line of the file, counted from 1.
    #[must_use]
    pub fn line(mut self, line: u64) -> Self {
        self.0.line = Some(line);
        self
    }

    /// Sets the help text: what to do next.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.0.help = Some(help.into());
        self
    }

    /// Adds a step that a person can take next.
    #[must_use]
    pub fn step(mut self, step: NextStep) -> Self {
        self.0.steps.push(step);
        self
    }

    /// Returns the steps that a person can take next, besides the help text.
    pub fn steps(&self) -> &[NextStep] {
        &self.0.steps
    }

    /// Returns the error as one line without the path, for a report that contains the path.
    pub fn without_path(&self) -> impl fmt::Display + '_ {
        WithoutPath(self)
    }

    /// Returns the message, without the path and the system error.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// Returns the kind of error.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Returns the help text, if there is one.
    pub fn next_step(&self) -> Option<&str> {
        self.0.help.as_deref()
    }

    /// Returns the file concerned, if there is one.
    pub fn path(&self) -> Option<&Path> {
        self.0.path.as_deref()
    }

    /// Returns the offset in the file, if there is one.
    pub fn offset(&self) -> Option<u64> {
        self.0.offset
    }

    /// Returns the line of the file, counted from 1, if there is one.
    pub fn line_number(&self) -> Option<u64> {
        self.0.line
    }
}

/// The source of [`Error::interrupted_io`].
#[derive(Debug)]
struct Interrupted;

impl fmt::Display for Interrupted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("interrupted")
    }
}

impl std::error::Error for Interrupted {}

impl Error {
    fn write_position(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(offset) = self.0.offset {
            write!(f, "byte {}: ", Count(offset))?;
        }
        if let Some(line) = self.0.line {
            write!(f, "line {}: ", Count(line))?;
        }
        Ok(())
    }

    fn write_source(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0.source {
            Some(source) => write!(f, ": {source}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Error {
    /// Formats one line: `PATH: byte N: line N: message`, or `cannot open PATH: cause`, omitting unknown parts.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.0.doing, &self.0.path) {
            (Some(doing), Some(path)) => {
                self.write_position(f)?;
                write!(f, "cannot {doing} {}", ShownPath(path))?;
                self.write_source(f)
            }
            (_, path) => {
                if let Some(path) = path {
                    write!(f, "{}: ", ShownPath(path))?;
                }
                WithoutPath(self).fmt(f)
            }
        }
    }
}

/// An error, displayed without its path.
struct WithoutPath<'e>(&'e Error);

impl fmt::Display for WithoutPath<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.write_position(f)?;
        f.write_str(&self.0.0.message)?;
        self.0.write_source(f)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_ref().map(|source| source as _)
    }
}
