//! Loading a restored log in a server, and comparing what it has with what aofkit replayed.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

use jiff::Timestamp;

use super::options::DrillOptions;
use super::report::Loaded;
use crate::base::progress::Progress;
use crate::base::units::Count;
use crate::ops::digest::{DigestOptions, digest_at};
use crate::ops::restore::{RestoreReport, Shape};
use crate::ops::scratch_server::{Binary, Running, Stop, settings};
use crate::replay::ReplayOptions;

/// Starts the server on the restored log, and asks for its keys and its digest. `keys` are those of the replay.
///
/// The server is a replica of a primary that is not there: a replica removes no expired keys, so that what it has is what
/// it loaded, whatever the time.
pub(super) fn load(
    server: &Binary,
    (restored, log, keys): (&RestoreReport, &Path, &BTreeMap<u32, u64>),
    options: &DrillOptions,
    scratch: &Path,
    progress: &dyn Progress,
) -> Result<Loaded, Stop> {
    if restored.plan.shape == Shape::MultiPart && !server.line.reads_multi_part() {
        return Err(Stop::Failed(format!("{} reads no multi-part log", server.version)));
    }
    // Before the server is started, which may move the files.
    let expected_digest = expected_digest(server, log, options, progress)?;
    let databases = keys.keys().next_back().map_or(0, |last| u64::from(*last) + 1);
    let mut configuration = settings(server, databases);
    let of_log = restored.plan.settings.iter();
    configuration.extend(of_log.map(|setting| (setting.name, setting.value.clone())));
    let clock = Instant::now();
    let mut running = Running::start(server, scratch, configuration, progress)?;
    let load_s = clock.elapsed().as_secs_f64();
    let keys = running.keys()?;
    let digest = running.digest();
    Ok(Loaded { load_s, keys, expected_digest, digest })
}

/// Computes the digest that the server should have; `None` if it cannot be known.
fn expected_digest(
    server: &Binary,
    log: &Path,
    options: &DrillOptions,
    progress: &dyn Progress,
) -> Result<Option<String>, Stop> {
    if server.line.is_newer_than_known() {
        return Ok(None);
    }
    let ignores = server.line.ignores_expired_fields();
    let options = DigestOptions {
        route: options.route.clone(),
        replay: ReplayOptions {
            server: Some(server.line),
            fields_expire_ms: ignores.then(|| options.now.as_millisecond()),
            ..options.replay.clone()
        },
        debug_digest: true,
    };
    let hidden_until_ms = server.line.has_valkey(9, 0).then(|| Timestamp::now().as_millisecond());
    let report = digest_at(log, &options, hidden_until_ms, progress)?;
    Ok(report.digest.filter(|_| report.undigested == 0))
}

impl Loaded {
    /// Compares what the server has with the keys of the replay, and its digest with the expected one.
    pub(super) fn judge(&self, replayed: &BTreeMap<u32, u64>) -> Result<(), Stop> {
        let databases: std::collections::BTreeSet<&u32> =
            replayed.keys().chain(self.keys.keys()).collect();
        for db in databases {
            let count = |keys: &BTreeMap<u32, u64>| keys.get(db).copied().unwrap_or(0);
            let (expected, found) = (count(replayed), count(&self.keys));
            if expected != found {
                let (expected, found) = (Count(expected), Count(found));
                let what = format!(
                    "the server has {found} keys in database {db}, and {expected} were replayed"
                );
                return Err(Stop::Failed(what));
            }
        }
        match (&self.expected_digest, &self.digest) {
            (Some(expected), Some(found)) if expected != found => Err(Stop::Failed(format!(
                "DEBUG DIGEST of the server is {found}, and {expected} was computed"
            ))),
            _ => Ok(()),
        }
    }
}
