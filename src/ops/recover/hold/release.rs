//! Setting back the settings that holds of a server have changed.

use std::path::PathBuf;

use serde::Serialize;

use super::changed::{close, journals};
use super::report::{HoldOptions, RECONNECT};
use crate::base::error::Result;
use crate::live::changed_settings::NO_REWRITES;
use crate::live::endpoint::Endpoint;
use crate::live::progress::LiveProgress;
use crate::live::server::ServerSeen;
use crate::live::session::Session;
use crate::live::settings::{self, Restored, set_back};

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
    /// The settings that are as a hold sets them, although no journal says that one did.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) unrecorded: Vec<&'static str>,
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
    let mut session = Session::open_in(endpoint, options.dir.as_deref(), RECONNECT, progress)?;
    let journals = journals(&session, options);
    for journal in &journals {
        let Some(changes) = journal.changes()? else { continue };
        let settings = set_back(&mut session, &changes)?;
        close(&journals)?;
        let journal = Some(journal.path().to_path_buf());
        let server = session.into_server();
        return Ok(ReleaseReport { server, journal, settings, unrecorded: Vec::new() });
    }
    let unrecorded = unrecorded(&mut session)?;
    let server = session.into_server();
    Ok(ReleaseReport { server, journal: None, settings: Vec::new(), unrecorded })
}

/// Returns the settings that are as a hold sets them, although no journal says that one did.
fn unrecorded(session: &mut Session<'_>) -> Result<Vec<&'static str>> {
    let server = session.server();
    if !server.appendonly || !server.has_config {
        return Ok(Vec::new());
    }
    let is_so = settings::differences(session, &[NO_REWRITES])?.is_empty();
    Ok(is_so.then_some(NO_REWRITES.name).into_iter().collect())
}
