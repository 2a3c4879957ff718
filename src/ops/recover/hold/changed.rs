//! The settings that a hold changes, which are in a journal before they are changed.

use std::path::PathBuf;

use super::report::HoldOptions;
use crate::base::error::{Error, ErrorKind, Result};
use crate::live::changed_settings::{Change, Setting};
use crate::live::files::Files;
use crate::live::hold_journal::HoldJournal;
use crate::live::session::Session;
use crate::live::settings;

/// What a hold has changed.
pub(super) struct Changed {
    /// The changes of this hold.
    pub(super) changes: Vec<Change>,
    /// The journal that can be released, with the changes of earlier holds as well; `None` if there is none.
    pub(super) journal: Option<PathBuf>,
}

impl Changed {
    /// Returns whether there is something to set back.
    pub(super) fn is_any_in_effect(&self) -> bool {
        !self.changes.is_empty() || self.journal.is_some()
    }
}

/// Returns the journals of the server, in the directories in which there may be one.
pub(super) fn journals(session: &Session<'_>, options: &HoldOptions) -> Vec<HoldJournal> {
    let Ok(files) = Files::expected(session.server(), options.dir.as_deref()) else {
        return Vec::new();
    };
    let identity = files.data_identity();
    let places = std::iter::once(files.dir).chain(options.to.clone());
    places.filter(|place| place.is_dir()).map(|place| HoldJournal::new(&place, &identity)).collect()
}

/// Gives `wanted` its value. Returns what was changed, and warnings.
///
/// # Errors
///
/// When the server refuses the change. If its data directory is given, that is only a warning: the links keep the data.
pub(super) fn change(
    session: &mut Session<'_>,
    options: &HoldOptions,
    wanted: Setting,
) -> Result<(Changed, Vec<String>)> {
    let nothing = Changed { changes: Vec::new(), journal: None };
    if !session.server().has_config {
        return Ok((nothing, vec![unchanged(wanted, "the server refuses CONFIG")]));
    }
    let changes = settings::differences(session, &[wanted])?;
    let journals = journals(session, options);
    let mut warnings = Vec::new();
    let journal = match record(session, &journals, &changes) {
        Ok(journal) => journal,
        Err(error) => {
            // The hold is more urgent than the journal: without one, the values are printed.
            warnings.push(format!("the changed settings were not recorded: {error}"));
            None
        }
    };
    for change in &changes {
        match session.set(&change.name, &change.set) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::Refused && options.dir.is_some() => {
                warnings.push(unchanged(wanted, &error.to_string()));
                // Nothing was changed, so that setting it back has no effect.
                return Ok((Changed { changes: Vec::new(), journal }, warnings));
            }
            Err(error) => return Err(error),
        }
    }
    Ok((Changed { changes, journal }, warnings))
}

/// Records the changes in the journal of an earlier hold, or in the first directory that allows it. Returns the path of
/// the journal; `None` if there is nothing to record.
fn record(
    session: &Session<'_>,
    journals: &[HoldJournal],
    changes: &[Change],
) -> Result<Option<PathBuf>> {
    for journal in journals {
        if journal.changes()?.is_some() {
            journal.record(session.server(), changes)?;
            return Ok(Some(journal.path().to_path_buf()));
        }
    }
    if changes.is_empty() {
        return Ok(None);
    }
    let mut failed = None;
    for journal in journals {
        match journal.record(session.server(), changes) {
            Ok(()) => return Ok(Some(journal.path().to_path_buf())),
            Err(error) => failed = failed.or(Some(error)),
        }
    }
    Err(failed.unwrap_or_else(|| {
        Error::new(ErrorKind::NotFound, "the server's data directory is not on this machine")
    }))
}

fn unchanged(setting: Setting, why: &str) -> String {
    let what = if setting.name == "save" {
        "save points are not held off, so that the server can overwrite its RDB"
    } else {
        "automatic rewrites are not turned off, so that the server can rewrite its log"
    };
    format!("{what}: {why}. What was secured is not affected")
}
