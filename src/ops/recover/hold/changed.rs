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
    /// Whether the server refused the change.
    pub(super) is_refused: bool,
}

impl Changed {
    /// Returns whether there is something to set back.
    pub(super) fn is_any_in_effect(&self) -> bool {
        !self.changes.is_empty() || self.journal.is_some()
    }
}

/// Returns the journals of the server, in the directories in which there may be one.
pub(super) fn journals(session: &Session<'_>, options: &HoldOptions) -> Vec<HoldJournal> {
    let mut journals = Vec::new();
    if let Ok(files) = Files::expected(session.server(), options.dir.as_deref()) {
        let identity = files.data_identity();
        let places = std::iter::once(files.dir).chain(options.to.clone());
        let places = places.filter(|place| place.is_dir());
        journals.extend(places.map(|place| HoldJournal::new(&place, &identity)));
    }
    let of_user = options.state.as_deref();
    journals.extend(of_user.and_then(|state| HoldJournal::of_user(state, session.server())));
    journals
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
    let nothing = Changed { changes: Vec::new(), journal: None, is_refused: true };
    if !session.server().has_config {
        return Ok((nothing, vec![unchanged(wanted, "the server refuses CONFIG")]));
    }
    let changes = settings::differences(session, &[wanted])?;
    let journals = journals(session, options);
    let mut warnings = Vec::new();
    let recorded = record(session, &journals, &changes).unwrap_or_else(|error| {
        // The hold is more urgent than the journal: without one, the values are printed.
        warnings.push(format!("the changed settings were not recorded: {error}"));
        None
    });
    let path = |recorded: Option<&Recorded<'_>>| {
        recorded.map(|recorded| recorded.journal.path().to_path_buf())
    };
    for change in &changes {
        if let Err(error) = session.set(&change.name, &change.set) {
            // A lost connection is no refusal.
            let is_refused = matches!(error.kind(), ErrorKind::Permission | ErrorKind::Refused);
            if options.dir.is_none() || !is_refused {
                return Err(error);
            }
            warnings.push(unchanged(wanted, &error.to_string()));
            if recorded.as_ref().is_some_and(|recorded| recorded.is_new) {
                close(&journals)?;
                return Ok((nothing, warnings));
            }
            let journal = path(recorded.as_ref());
            return Ok((Changed { journal, ..nothing }, warnings));
        }
    }
    let journal = path(recorded.as_ref());
    Ok((Changed { changes, journal, is_refused: false }, warnings))
}

/// Deletes all journals of the server that are there.
///
/// # Errors
///
/// When one cannot be removed.
pub(super) fn close(journals: &[HoldJournal]) -> Result<()> {
    journals.iter().try_for_each(HoldJournal::close)
}

/// The journal in which changes are recorded.
struct Recorded<'j> {
    journal: &'j HoldJournal,
    /// Whether there was none before this hold.
    is_new: bool,
}

/// Records the changes in the journals of earlier holds, or in the first directory that allows it and in that of the user.
/// Returns the first of them, or `None` if there is nothing to record.
fn record<'j>(
    session: &Session<'_>,
    journals: &'j [HoldJournal],
    changes: &[Change],
) -> Result<Option<Recorded<'j>>> {
    let mut first = None;
    for journal in journals {
        if journal.changes()?.is_some() {
            journal.record(session.server(), changes)?;
            first = first.or(Some(Recorded { journal, is_new: false }));
        }
    }
    if first.is_some() || changes.is_empty() {
        return Ok(first);
    }
    let mut failed = None;
    for journal in journals {
        // That of the user is a second one, unless there is no other.
        if first.is_some() && !journal.is_of_user() {
            continue;
        }
        match journal.record(session.server(), changes) {
            Ok(()) => first = first.or(Some(Recorded { journal, is_new: true })),
            Err(error) => failed = failed.or(Some(error)),
        }
    }
    if first.is_some() {
        return Ok(first);
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
