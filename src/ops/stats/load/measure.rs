//! The time in which a server loads a file.

use std::env;
use std::path::{Path, PathBuf};
use std::time::Instant;

use crate::base::error::Error;
use crate::base::progress::Progress;
use crate::disk::names::STATS_SCRATCH;
use crate::disk::{Scratch, link};
use crate::ops::scratch_server::{Binary, Running, Stop, settings};

/// The name of the file that the server loads.
const LOG: &str = "appendonly.aof";

/// How often a file is loaded: the least time counts, because others are disturbed by what else runs on the machine.
const RUNS: u32 = 3;

/// Returns a new scratch directory.
pub(super) fn scratch() -> Result<Scratch, Error> {
    let place = env::temp_dir();
    let place: PathBuf = place.canonicalize().map_err(|error| Error::io("find", &place, error))?;
    Scratch::create(&place, STATS_SCRATCH)
}

/// The time in which a server loads a file, in seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Measured {
    /// From the start of the server to its first answer.
    pub(super) passed: f64,
    /// On a processor, or as before if the system does not report that.
    pub(super) busy: f64,
}

impl Measured {
    fn least(self, other: Measured) -> Measured {
        Measured { passed: self.passed.min(other.passed), busy: self.busy.min(other.busy) }
    }
}

/// Measures the time in which the server loads the file, or an empty log. It is next to the scratch directories, of which each
/// run has its own.
pub(super) fn measure(
    server: &Binary,
    file: Option<&Path>,
    databases: u64,
    progress: &dyn Progress,
) -> Result<Measured, Stop> {
    let mut least: Option<Measured> = None;
    for _ in 0..RUNS {
        let one = load(server, file, databases, progress)?;
        least = Some(least.map_or(one, |least| least.least(one)));
    }
    least.ok_or_else(|| Stop::NotTried("nothing was loaded".to_owned()))
}

fn load(
    server: &Binary,
    file: Option<&Path>,
    databases: u64,
    progress: &dyn Progress,
) -> Result<Measured, Stop> {
    let scratch = scratch()?;
    if let Some(file) = file {
        link(file, &scratch.path().join(LOG))
            .map_err(|error| Error::io("link a file in", scratch.path(), error))?;
    }
    let mut configuration = settings(server, databases);
    configuration.extend([
        ("dir", scratch.path().to_string_lossy().into_owned()),
        ("appendonly", "yes".to_owned()),
        ("appendfilename", LOG.to_owned()),
    ]);
    let clock = Instant::now();
    let running = Running::start(server, scratch.path(), configuration, progress)?;
    let passed = clock.elapsed().as_secs_f64();
    let busy = running.processor_s().unwrap_or(passed);
    Ok(Measured { passed, busy })
}
