//! The question of which line ends of a value were CR LF.

use std::path::Path;

use super::options::RepairOptions;
use crate::analysis::survey::Survey;
use crate::aof::conversion::Undecided;
use crate::base::error::Error;
use crate::base::next_step::{Action, NextStep, path_arg};
use crate::base::units::{Count, counted};

/// Returns the error for commands with values of which only some line ends were CR LF.
pub(super) fn line_ends_undecided(
    path: &Path,
    survey: &Survey<'_>,
    undecided: Undecided,
    options: &RepairOptions,
) -> Error {
    let Undecided { commands, first } = undecided;
    let what = format!(
        "all line ends of the log were changed, and in {}, the first at byte {}, the lengths do not tell which line \
         ends inside a value were CR LF",
        counted(commands, "command"),
        Count(first)
    );
    let file = path_arg(path);
    let preview = |why: &str, choice: [&str; 2]| {
        let args = [&["repair", &file][..], &choice, &["--dry-run"]].concat();
        let args = args.into_iter().filter(|arg| !arg.is_empty());
        NextStep::alternative(why, [Action::aofkit(args)])
    };
    Error::new(options.kind_of_question(), what)
        .at(&survey.part.path)
        .byte(first)
        .help("choose with --assume, for all such values; nothing was written")
        .step(preview("Preview the log with LF inside these values", ["--assume", "lf"]))
        .step(preview("Preview the log with CR LF inside these values", ["--assume", "crlf"]))
        .step(preview("Preview the log without these commands", ["--salvage", ""]))
}
