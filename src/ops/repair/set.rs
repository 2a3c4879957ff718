//! What the repair of a set adds to that of its parts: a manifest that is written, and parts that are missing.

use super::refusal::Refusal;
use super::retained_ranges::{Replacement, place_of, refuse_beside_a_writer};
use crate::analysis::survey::Survey;
use crate::aof::log::{Layout, Log, OtherKind, PartRole};
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::escape::ShownPath;
use crate::disk::publish::{Existing, NewFile};
use crate::disk::rename::put_aside;
use crate::disk::save_original;
use crate::disk::unseen_servers::refuse_unless_idle;
use crate::input::files::{Listing, open_files};
use crate::input::left_set::{MissingPart, SetProposal};
use crate::input::overwrite::access_of;
use crate::ops::repair::retained_ranges::Written;

/// Returns the files without which data of a set is missing.
pub(super) fn missing_of(
    surveys: &[Survey<'_>],
    proposal: Option<&SetProposal>,
) -> Vec<MissingPart> {
    match proposal {
        Some(proposal) => proposal.missing.clone(),
        None => empty_base(surveys),
    }
}

fn empty_base(surveys: &[Survey<'_>]) -> Vec<MissingPart> {
    let is_base =
        |survey: &&Survey<'_>| survey.part.role == PartRole::Base && survey.part.is_empty_rdb();
    // With nothing after it, there is nothing to go on with.
    let is_alone = surveys.len() < 2;
    let base = surveys.iter().find(is_base).filter(|_| !is_alone);
    base.map(|survey| MissingPart::empty_base(&survey.part.name)).into_iter().collect()
}

/// Returns the refusal to go on without files that are missing.
pub(super) fn refusal(log: &Log, missing: &[MissingPart]) -> Option<Refusal> {
    let first = missing.first()?;
    let all: Vec<String> =
        missing.iter().map(|part| format!("{part}: {} are lost", part.lost())).collect();
    Some(Refusal {
        part: first.name.clone().unwrap_or_else(|| log.path.display().to_string()),
        offset: 0,
        looks_like: None,
        message: format!("{}, in unknown number", all.join(", and ")),
        help: "nothing was written; restore the file from a backup, recover the data from another file, or give up what was in it with --without-missing".to_owned(),
    })
}

/// Writes the manifest of a set whose parts stay as they are, in its directory.
///
/// # Errors
///
/// [`ErrorKind::Refused`] when a process writes to a part; when the manifest cannot be written.
pub(super) fn write_manifest(
    log: &Log,
    proposal: Option<&SetProposal>,
    how: Replacement,
) -> Result<Written> {
    if !how.force {
        refuse_beside_a_writer(log)?;
        refuse_unless_idle(&place_of(log), how.offline)?;
    }
    let Some(file) = &log.manifest else { return Ok(Written { written: None, backup: None }) };
    let original = match file.path.symlink_metadata() {
        Ok(_) => Some(save_original(&file.path)?),
        Err(_) => None,
    };
    let write = || {
        let access = access_of([log]);
        let mut new = NewFile::create(&file.path, Existing::Overwrite, access)?;
        let failed = |error| Error::io("write", &file.path, error);
        std::io::Write::write_all(new.file(), &file.manifest.to_bytes()).map_err(failed)?;
        let parts = log.parts.first().map(|part| part.path.as_path());
        new.publish_like(original.as_ref().map(|it| it.saved()).or(parts))?;
        open_files(&file.path)
    };
    match write() {
        Ok(_) => {
            // With two manifests, it would not be clear which is meant.
            let replaced = proposal.and_then(|proposal| proposal.replaces.as_deref());
            let aside = replaced.map(put_aside).transpose()?;
            let backup = original.map(|original| original.saved().to_owned()).or(aside);
            Ok(Written { written: Some(file.path.clone()), backup })
        }
        Err(error) => {
            if let Some(original) = original {
                original.discard_unless_replaced();
            }
            Err(error)
        }
    }
}

/// Refuses to replace a directory that contains more than the files of a set.
///
/// # Errors
///
/// [`ErrorKind::Refused`].
pub(super) fn refuse_more_than_a_set(log: &Log) -> Result<()> {
    let Layout::MultiPart { directory, .. } = &log.layout else { return Ok(()) };
    let listing = Listing::read(directory).map_err(|error| Error::io("list", directory, error))?;
    let is_of_set =
        |kind| !matches!(kind, OtherKind::SingleFile | OtherKind::Rdb | OtherKind::Unknown);
    let files = listing.files.iter().filter(|file| {
        !is_of_set(file.kind_by_name()) && log.parts.iter().all(|part| part.path != file.path)
    });
    let other = files.map(|file| &file.path).chain(&listing.directories).next();
    let Some(other) = other else { return Ok(()) };
    let name = ShownPath(other.file_name().unwrap_or_default().as_ref()).to_string();
    let what = format!("the directory holds more than a log: {name} is in it");
    Err(Error::new(ErrorKind::Refused, what)
        .at(directory)
        .help("nothing was changed; write the result to a new directory with --output"))
}
