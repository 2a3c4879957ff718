//! Undoing the conversion of the line ends of an RDB.

use std::path::Path;

use super::options::RepairOptions;
use crate::analysis::survey::{Preamble, Survey};
use crate::aof::conversion::{Change, Undone};
use crate::base::error::{Error, Result};
use crate::base::next_step::{Action, NextStep, path_arg};
use crate::base::progress::Progress;
use crate::disk::Mapping;
use crate::input::conversion::restored_rdb;

/// Returns the parts with their RDBs as they were before their line ends were converted, by the index of the part, and
/// what was undone.
///
/// # Errors
///
/// [`Refused`](crate::base::error::ErrorKind::Refused): the line ends of an RDB were converted, and its checksum does not prove which it had, without
/// `salvage`; and when the directory for temporary files cannot hold a log.
pub(super) fn without_conversion(
    path: &Path,
    surveys: &[Survey<'_>],
    options: &RepairOptions,
    progress: &dyn Progress,
) -> Result<Vec<(usize, Mapping, Undone)>> {
    let mut restored = Vec::new();
    for (index, survey) in surveys.iter().enumerate() {
        let Some(Preamble::Broken(damage)) = &survey.preamble else { continue };
        progress.phase("compare line ends", survey.part.mapping.len());
        let Some(rdb) = restored_rdb(survey.part, damage.before.len, progress)? else { continue };
        if !rdb.proved && !options.salvage {
            return Err(not_proved(path, survey, rdb.undone, options));
        }
        restored.push((index, rdb.part, rdb.undone));
    }
    Ok(restored)
}

fn not_proved(path: &Path, survey: &Survey<'_>, undone: Undone, options: &RepairOptions) -> Error {
    let what = match undone.change {
        Change::RdbCrAdded => {
            "the line ends of the RDB were converted: CR was put before LF, and its checksum does not prove what it was"
        }
        _ => {
            "the line ends of the RDB were converted: CR LF became LF, and its checksum does not prove where"
        }
    };
    let args = ["repair", &path_arg(path), "--salvage", "--dry-run"];
    let why = "Preview the repair that keeps the keys that can be read";
    Error::new(options.kind_of_question(), what).at(&survey.part.path).byte(undone.first).help(
        "copy the file again from where it was written, without a conversion of line ends (FTP in binary mode; `* -text` in .gitattributes); nothing was written",
    )
    .step(NextStep::alternative(why, [Action::aofkit(args)]))
}
