//! What `DEBUG DIGEST` of a server would say of a log, without the server.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::aof::open;
use crate::error::Result;
use crate::keyspace::Keyspace;
use crate::keyspace::digest::{Flavour, Sum};
use crate::keyspace::fingerprint::{Detail, Fingerprint};
use crate::progress::Progress;
use crate::replay::{ReplayOptions, RouteOptions, replay, route};

/// How a digest is taken.
#[derive(Debug, Clone)]
pub struct Options {
    /// How the log is read.
    pub route: RouteOptions,
    /// How its commands are run.
    pub replay: ReplayOptions,
    /// The server whose digest is wanted; `None` for the fingerprint alone, which is several times faster.
    pub flavour: Option<Flavour>,
}

/// The digests of a log.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DigestReport {
    /// The path as it was given.
    #[serde(serialize_with = "crate::escape::path")]
    pub path: PathBuf,
    /// What `DEBUG DIGEST` says.
    pub digest: Option<String>,
    /// Our own, of everything that a key has.
    pub fingerprint: String,
    /// Keys in all databases.
    pub keys: u64,
    /// Commands in the log.
    pub commands: u64,
    /// How long it took, in seconds.
    pub elapsed_s: f64,
}

/// Takes the digests of the log at `path`.
///
/// # Errors
///
/// When it cannot be opened, is damaged, or cannot be replayed.
pub fn digest(path: &Path, options: &Options, progress: &dyn Progress) -> Result<DigestReport> {
    let started = Instant::now();
    let log = open(path)?;
    let routing = route(&log, &options.route, progress)?;
    let (mut sum, mut fingerprint, mut keys) = (Sum::default(), Fingerprint::default(), 0_u64);
    routing.each(progress, |routed| {
        let make = |_, keyspace: &mut Keyspace<'_>| {
            let mut fingerprint = Fingerprint::default();
            fingerprint.add_all(keyspace, Detail::All);
            let sum = options.flavour.map(|flavour| {
                let mut sum = Sum::default();
                sum.add_all(keyspace, flavour);
                sum
            });
            Ok((keyspace.len() as u64, fingerprint, sum))
        };
        let take = |_, (more, part, part_sum): (u64, Fingerprint, Option<Sum>)| {
            keys += more;
            fingerprint.join(&part);
            if let Some(part) = part_sum {
                sum.join(&part);
            }
            Ok(())
        };
        replay(routed, &options.replay, progress, make, take).map(drop)
    })?;
    let elapsed: Duration = started.elapsed();
    Ok(DigestReport {
        path: path.to_owned(),
        digest: options.flavour.map(|_| sum.finish().to_string()),
        fingerprint: fingerprint.to_string(),
        keys,
        commands: routing.whole().commands,
        elapsed_s: elapsed.as_secs_f64(),
    })
}
