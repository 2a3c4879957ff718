//! Opening a log for work that repairs it: also a set that no server loads, by the manifest that is proposed for it.

use std::path::Path;

use super::left_set::SetProposal;
use super::opened::{Input, OpenedLog, open};
use super::set_proposal::{Pairing, pairings, propose_name};
use crate::base::error::Result;
use crate::base::progress::Progress;

/// Chooses one of the pairings of the files of a broken set.
pub(crate) type Choose<'c> = dyn Fn(Vec<Pairing>) -> Result<Pairing> + 'c;

/// Opens the log at `path`, which can be in an archive. The proposal is absent if its manifest is not at fault.
/// `rename`: a manifest that has another name than its parts is at fault; a server that was configured anew reads it.
/// `choose` is asked which files of a broken set belong together.
///
/// # Errors
///
/// As [`open`], [`Input::into_log`], [`pairings`] and `choose`.
pub(crate) fn open_set_by(
    path: &Path,
    rename: bool,
    choose: &Choose<'_>,
    progress: &dyn Progress,
) -> Result<(OpenedLog, Option<SetProposal>)> {
    let found = match open(path)?.into_set(progress)? {
        Ok(log) if log.archive().is_none() && rename => {
            return match propose_name(&log)? {
                Some((renamed, proposal)) => {
                    let renamed = crate::aof::log::Log { path: path.to_owned(), ..renamed };
                    let log = Input::Log(Box::new(renamed)).into_log(progress)?;
                    Ok((log, Some(proposal)))
                }
                None => Ok((log, None)),
            };
        }
        Ok(log) => return Ok((log, None)),
        Err(found) => found,
    };
    let chosen = pairings(&found.broken).and_then(choose);
    let Pairing { log, proposal, .. } = chosen.map_err(|error| found.name_archive(error))?;
    let manifest = found.shown(&proposal.manifest);
    Ok((found.opened(log, path), Some(SetProposal { manifest, ..proposal })))
}
