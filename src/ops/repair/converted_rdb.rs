//! Undoing the conversion of an RDB: of its line ends, or to text.

use std::path::Path;

use super::options::RepairOptions;
use crate::analysis::rdb_error::find_correction;
use crate::analysis::survey::{Preamble, Survey};
use crate::aof::conversion::{Change, Undone};
use crate::base::error::{Error, Result};
use crate::base::next_step::{Action, NextStep, path_arg};
use crate::base::progress::Progress;
use crate::base::units::counted;
use crate::disk::Mapping;
use crate::input::conversion::{after_leading_text, restored_rdb};
use crate::input::text_rdb::{TextRdb, restored_text};

/// Returns the parts with their RDBs as they were before their line ends were converted, or before they were saved as
/// text, by the index of the part, and what was undone.
///
/// # Errors
///
/// [`Refused`](crate::base::error::ErrorKind::Refused): an RDB was converted, and its checksum does not prove what it was,
/// without `salvage`; its bytes are lost; and when the directory for temporary files cannot hold a log.
pub(super) fn without_conversion(
    path: &Path,
    surveys: &[Survey<'_>],
    options: &RepairOptions,
    progress: &dyn Progress,
) -> Result<Vec<(usize, Mapping, Vec<Undone>)>> {
    let mut restored = Vec::new();
    for (index, survey) in surveys.iter().enumerate() {
        let damage = match &survey.preamble {
            Some(Preamble::Broken(damage)) => Some(damage),
            _ => None,
        };
        if damage.is_none() && survey.first_unusual() > 0 {
            continue;
        }
        if let Some((mapping, undone)) = without_text(path, survey, options, progress)? {
            restored.push((index, mapping, undone));
            continue;
        }
        let Some(damage) = damage else { continue };
        progress.phase("compare line ends", survey.part.mapping.len());
        let Some(rdb) = restored_rdb(survey.part, damage.before.len, progress)? else { continue };
        if !rdb.proved && find_correction(survey, progress)?.is_some() {
            continue;
        }
        if !rdb.proved && !options.salvage {
            return Err(not_proved(path, survey, rdb.undone, options));
        }
        restored.push((index, rdb.part, vec![rdb.undone]));
    }
    Ok(restored)
}

/// Returns the parts without the lines of text before their RDB, by the index of the part, and what was left out.
///
/// # Errors
///
/// When the directory for temporary files cannot hold a log.
pub(super) fn without_leading_text(
    surveys: &[Survey<'_>],
) -> Result<Vec<(usize, Mapping, Vec<Undone>)>> {
    let mut found = Vec::new();
    for (index, survey) in surveys.iter().enumerate() {
        if survey.first_unusual() > 0 || survey.preamble.is_some() {
            continue;
        }
        if let Some((mapping, undone)) = after_leading_text(survey.part)? {
            found.push((index, mapping, vec![undone]));
        }
    }
    Ok(found)
}

/// Returns the part with the bytes that it was before it was saved as text, and what was undone; `None` if it is none that
/// was.
fn without_text(
    path: &Path,
    survey: &Survey<'_>,
    options: &RepairOptions,
    progress: &dyn Progress,
) -> Result<Option<(Mapping, Vec<Undone>)>> {
    const AGAIN: &str = "copy the file again as it is, without a program that reads it as text; nothing was written";
    let Some(text) = restored_text(survey.part, progress)? else { return Ok(None) };
    let refused = |what: String| {
        Error::new(options.kind_of_question(), what).at(&survey.part.path).help(AGAIN)
    };
    match text {
        TextRdb::Restored(text) if text.proved || options.salvage => {
            Ok(Some((text.part, text.undone)))
        }
        TextRdb::Restored(_) => {
            let what =
                "a program read the RDB as text, and its checksum does not prove in which encoding";
            let args = ["repair", &path_arg(path), "--salvage", "--dry-run"];
            let why = "Preview the repair that keeps the keys that can be read";
            Err(refused(what.to_owned()).step(NextStep::alternative(why, [Action::aofkit(args)])))
        }
        TextRdb::Lost { replaced, first } => {
            let what = format!(
                "a program read the RDB as text: U+FFFD is in place of bytes that are lost, in {}",
                counted(replaced, "place")
            );
            Err(refused(what).byte(first))
        }
        TextRdb::Unknown => Err(refused(
            "a program read the RDB as text: which bytes it had is not known".to_owned(),
        )),
    }
}

fn not_proved(path: &Path, survey: &Survey<'_>, undone: Undone, options: &RepairOptions) -> Error {
    let what = match undone.change {
        Change::RdbCrAdded => {
            "the line ends of the RDB seem to be converted: CR was put before LF, and its checksum does not prove what it was"
        }
        _ => {
            "the line ends of the RDB seem to be converted: CR LF became LF, and its checksum does not prove where"
        }
    };
    let args = ["repair", &path_arg(path), "--salvage", "--dry-run"];
    let why = "Preview the repair that keeps the keys that can be read";
    Error::new(options.kind_of_question(), what).at(&survey.part.path).byte(undone.first).help(
        "copy the file again from where it was written, without a conversion of line ends (FTP in binary mode; `* -text` in .gitattributes); nothing was written",
    )
    .step(NextStep::alternative(why, [Action::aofkit(args)]))
}
