//! The result of one check.

use std::fmt;

use serde::Serialize;

use super::facts::Known;
use crate::base::next_step::NextStep;

/// The result of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Data would be lost, or the server would not come back.
    Red,
    /// Persistence can fail, or data can be lost with a second fault.
    Warning,
    /// It could not be asked.
    Unknown,
    /// Nothing was found.
    Ok,
}

/// A check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Check {
    /// Whether the data is on disk at all.
    Persistence,
    /// Whether an old log is in the data directory of a server without one.
    OldLog,
    /// Whether the server rewrites its log by itself.
    AutoRewrite,
    /// Whether the last write to the log and the last rewrite succeeded.
    LastRewrite,
    /// Whether the last save succeeded.
    LastSave,
    /// Whether the server starts with a log whose last command is incomplete.
    LoadTruncated,
    /// Whether the server is a replica.
    Replica,
    /// Whether the server would come back empty and empty its replicas.
    EmptyPrimary,
    /// The age of the newest backup.
    Backups,
    /// The free space for a rewrite.
    DiskSpace,
    /// Owners and permissions of the files.
    FileRights,
    /// The clock.
    Clock,
    /// Unfinished files of saves and rewrites.
    Leftovers,
    /// Whether this version of aofkit reads the RDBs.
    RdbVersion,
    /// `vm.overcommit_memory`.
    Overcommit,
    /// Transparent huge pages.
    HugePages,
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Check::Persistence => "persistence",
            Check::OldLog => "old log",
            Check::AutoRewrite => "automatic rewrite",
            Check::LastRewrite => "last rewrite",
            Check::LastSave => "last save",
            Check::LoadTruncated => "aof-load-truncated",
            Check::Replica => "replica",
            Check::EmptyPrimary => "empty primary",
            Check::Backups => "backups",
            Check::DiskSpace => "disk space",
            Check::FileRights => "file rights",
            Check::Clock => "clock",
            Check::Leftovers => "leftovers",
            Check::RdbVersion => "RDB version",
            Check::Overcommit => "overcommit",
            Check::HugePages => "huge pages",
        })
    }
}

/// The result of a check, with its reason and what to do.
#[derive(Debug, Clone, Serialize)]
pub struct Finding {
    /// The check.
    pub check: Check,
    /// Its result.
    pub level: Level,
    /// What was found.
    pub what: String,
    /// What it would cause; absent if nothing was found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// The commands that change it.
    pub next: Vec<NextStep>,
}

impl Finding {
    pub(crate) fn ok(check: Check, what: impl Into<String>) -> Finding {
        Finding { check, level: Level::Ok, what: what.into(), why: None, next: Vec::new() }
    }

    pub(crate) fn unknown(check: Check, what: impl Into<String>) -> Finding {
        Finding { level: Level::Unknown, ..Finding::ok(check, what) }
    }

    pub(crate) fn red(check: Check, what: impl Into<String>, why: impl Into<String>) -> Finding {
        Finding { level: Level::Red, why: Some(why.into()), ..Finding::ok(check, what) }
    }

    pub(crate) fn warning(
        check: Check,
        what: impl Into<String>,
        why: impl Into<String>,
    ) -> Finding {
        Finding { level: Level::Warning, why: Some(why.into()), ..Finding::ok(check, what) }
    }

    pub(crate) fn step(mut self, step: NextStep) -> Finding {
        self.next.push(step);
        self
    }

    /// Returns the finding of a check whose facts may be unknown.
    pub(crate) fn of(check: Check, judged: Known<Finding>) -> Finding {
        judged.unwrap_or_else(|reason| Finding::unknown(check, reason))
    }
}
