//! The questions that a log leaves open which a tool changed: which line ends of a value were CR LF, and what its text was.

use std::path::Path;

use super::options::RepairOptions;
use crate::analysis::survey::Survey;
use crate::aof::conversion::{Undecided, UndecidedText};
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

/// Returns the error for commands with text of which it is not known what it was.
pub(super) fn text_undecided(
    path: &Path,
    survey: &Survey<'_>,
    undecided: &UndecidedText,
    options: &RepairOptions,
) -> Error {
    let UndecidedText { commands, first, replaced, pages } = undecided;
    let why = match replaced {
        0 => "a program counted characters, or it read bytes as text in another encoding: the content does not tell which".to_owned(),
        _ => format!(
            "a program read the log as text, and wrote U+FFFD in place of bytes that are lost, in {}",
            counted(*replaced, "value")
        ),
    };
    let what = format!(
        "the lengths count characters in {}, the first at byte {}: {why}",
        counted(*commands, "command"),
        Count(*first)
    );
    let file = path_arg(path);
    let preview = |why: String, choice: &str| {
        let args = ["repair", &file, "--assume", choice, "--dry-run"];
        NextStep::alternative(why, [Action::aofkit(args)])
    };
    let help = match replaced {
        0 => "choose with --assume, for all such text; nothing was written",
        _ => "copy the log again without a program that reads it as text; nothing was written",
    };
    let mut error = Error::new(options.kind_of_question(), what)
        .at(&survey.part.path)
        .byte(*first)
        .help(help)
        .step(preview("Preview the log with the text as it is".to_owned(), "utf-8"));
    for page in pages.iter().filter(|_| *replaced == 0) {
        let why = format!("Preview the log with the bytes of this text in {page}");
        error = error.step(preview(why, page.name()));
    }
    error
}
