//! Setting back the settings that holds of a server have changed.

use std::path::PathBuf;

use serde::Serialize;

use super::changed::journals;
use super::report::{HoldOptions, RECONNECT};
use crate::base::error::Result;
use crate::live::endpoint::Endpoint;
use crate::live::progress::LiveProgress;
use crate::live::server::ServerSeen;
use crate::live::session::Session;
use crate::live::settings::{Restored, set_back};

/// The report of `recover --release`.
#[derive(Debug, Serialize)]
pub(crate) struct ReleaseReport {
    /// The server.
    pub(crate) server: ServerSeen,
    /// The path of the journal in which the holds recorded the original values; `None` if no hold changed a setting.
    #[serde(serialize_with = "crate::base::escape::path_if_any")]
    pub(crate) journal: Option<PathBuf>,
    /// The outcome for each setting.
    pub(crate) settings: Vec<Restored>,
}

/// Sets back what the holds of a server have changed to the values from before the first of them. A setting that
/// somebody has changed since is left alone.
///
/// # Errors
///
/// When the server cannot be reached or refuses CONFIG, or the journal cannot be read or is not the user's own. The
/// journal is then left in place.
pub(crate) fn release(
    endpoint: &Endpoint,
    options: &HoldOptions,
    progress: &dyn LiveProgress,
) -> Result<ReleaseReport> {
    let mut session = Session::open(endpoint, RECONNECT, progress)?;
    for journal in journals(&session, options) {
        let Some(changes) = journal.changes()? else { continue };
        let settings = set_back(&mut session, &changes)?;
        journal.close()?;
        let path = journal.path().to_path_buf();
        return Ok(ReleaseReport { server: session.into_server(), journal: Some(path), settings });
    }
    Ok(ReleaseReport { server: session.into_server(), journal: None, settings: Vec::new() })
}
