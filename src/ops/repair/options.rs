//! Options of `repair`.

use super::retained_ranges::Output;
use crate::aof::conversion::{Assumed, OriginalText, Side, ValueLineEnds};
use crate::base::code_page::CodePage;
use crate::base::error::ErrorKind;
use crate::base::modules::Modules;
use crate::base::server::Server;

/// The treatment of a MULTI without EXEC that later writes may follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OpenTransaction {
    /// Refuse, and report the choices.
    #[default]
    Ask,
    /// Cut everything from the MULTI on, as servers do.
    Cut,
    /// Remove the transaction, and retain everything from the first SELECT after it.
    KeepFromSelect,
}

/// What a log was before it was changed, where it does not tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Assumption {
    /// Between conflict markers of git: the first version.
    Ours,
    /// Between conflict markers of git: the last version.
    Theirs,
    /// Between conflict markers of git: the first version, and then the last one.
    Both,
    /// Values of which only some line ends were CR LF had LF.
    Lf,
    /// Values of which only some line ends were CR LF had CR LF.
    CrLf,
    /// Text whose length counts its characters was the same text.
    Utf8,
    /// Such text was bytes that a program read as Latin-1.
    Latin1,
    /// Such text was bytes that a program read as Windows-1252.
    Windows1252,
    /// Such text was bytes that a program read as code page 437.
    Cp437,
    /// Such text was bytes that a program read as code page 850.
    Cp850,
}

impl Assumption {
    fn side(self) -> Option<Side> {
        match self {
            Assumption::Ours => Some(Side::Ours),
            Assumption::Theirs => Some(Side::Theirs),
            Assumption::Both => Some(Side::Both),
            _ => None,
        }
    }

    fn line_ends(self) -> Option<ValueLineEnds> {
        match self {
            Assumption::Lf => Some(ValueLineEnds::Lf),
            Assumption::CrLf => Some(ValueLineEnds::CrLf),
            _ => None,
        }
    }

    fn text(self) -> Option<OriginalText> {
        match self {
            Assumption::Utf8 => Some(OriginalText::Same),
            Assumption::Latin1 => Some(OriginalText::Bytes(CodePage::Latin1)),
            Assumption::Windows1252 => Some(OriginalText::Bytes(CodePage::Windows1252)),
            Assumption::Cp437 => Some(OriginalText::Bytes(CodePage::Cp437)),
            Assumption::Cp850 => Some(OriginalText::Bytes(CodePage::Cp850)),
            _ => None,
        }
    }
}

/// Options of `repair`.
#[derive(Debug, Clone, Default)]
#[cfg_attr(not(feature = "internals"), non_exhaustive)]
pub struct RepairOptions {
    /// The destination of the result.
    pub output: Output,
    /// Whether to skip damage and retain the intact commands and the intact keys of an RDB after it.
    pub salvage: bool,
    /// The treatment of an open transaction that later writes may follow.
    pub open_transaction: OpenTransaction,
    /// The maximum number of bytes that may be lost; if more would be, nothing is changed.
    pub max_loss_bytes: Option<u64>,
    /// The maximum number of complete commands that may be lost; if more would be, nothing is changed.
    pub max_lost_commands: Option<u64>,
    /// Whether the last record of a duplicate key in an RDB is retained instead of the first.
    pub keep_last_duplicate: bool,
    /// The log to keep of several ones in one file, from 1; without it, nothing is chosen.
    pub joined: Option<u32>,
    /// The file name of the base that a set without a manifest begins with; without it, the numbers in the names and the
    /// content of the files tell which it is.
    pub base: Option<String>,
    /// What is assumed where a log does not tell what it was: the first of each kind counts. Without one, `repair` refuses,
    /// and reports the choices.
    pub assumptions: Vec<Assumption>,
    /// Whether to remove the commands that fail while a server loads them.
    pub drop_failing: bool,
    /// Whether the result is not replayed: neither its keys nor the commands that fail while a server loads it are counted.
    pub no_replay: bool,
    /// Whether to go on without files of a set that are missing or empty.
    pub without_missing: bool,
    /// The servers that are to start with the result; empty for any known one.
    pub servers: Vec<Server>,
    /// The modules that are loaded in these servers.
    pub modules: Modules,
    /// Whether it is no error that there is no log yet.
    pub if_present: bool,
    /// Whether to replace the output, and to proceed although a process writes to the input.
    pub force: bool,
    /// Whether what was at the output is lost then, instead of being kept as `NAME.bak-<time>`.
    pub no_backup: bool,
    /// Whether the caller knows that no server uses a log that is replaced in place, where that cannot be determined.
    pub offline: bool,
}

impl RepairOptions {
    /// Returns whether the loss is limited, as where nobody reads the report.
    pub(super) fn is_limited(&self) -> bool {
        self.max_loss_bytes.is_some() || self.max_lost_commands.is_some()
    }

    /// Returns what is assumed where a log does not tell what it was.
    pub(super) fn assumed(&self) -> Assumed {
        let mut all = self.assumptions.iter();
        let line_ends = all.clone().find_map(|it| it.line_ends());
        Assumed { line_ends, text: all.find_map(|it| it.text()) }
    }

    /// Returns the version to take between conflict markers of git.
    pub(super) fn side(&self) -> Option<Side> {
        self.assumptions.iter().find_map(|it| it.side())
    }

    /// Returns the kind of the error of a choice that was not made.
    pub(super) fn kind_of_question(&self) -> ErrorKind {
        if self.is_limited() { ErrorKind::Limit } else { ErrorKind::Refused }
    }

    /// Returns the options of a plain repair to `output`.
    pub fn to(output: Output) -> Self {
        RepairOptions { output, ..RepairOptions::default() }
    }
}
