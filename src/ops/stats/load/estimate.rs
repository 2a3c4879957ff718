//! The estimate: samples are written, loaded, and their times scaled to the whole log.

use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use super::commands::{self, CommandSample, Samples};
use super::cost::CommandMix;
use super::measure::{measure, scratch};
use super::place::Place;
use super::rdb::{self, RdbSample};
use crate::aof::log::Log;
use crate::base::error::{Error, Result};
use crate::base::progress::Progress;
use crate::disk::{Access, Scratch};
use crate::ops::scratch_server::{Binary, Stop};
use crate::ops::stats::report::{LoadEstimate, StatsReport};

/// The size from which the time grows more than the size is seen, and the one up to which it does: then caches hold nothing.
const LEAST_GROWTH: f64 = 1.2;
const MOST_GROWTH: f64 = 16.0;
/// The highest exponent that is believed; 1.1 to 1.2 were seen, with many small keys and with sorted sets.
const MOST_EXPONENT: f64 = 1.25;

/// The end of a transaction that the sample left open.
const EXEC: &[u8] = b"*1\r\n$4\r\nEXEC\r\n";

/// Estimates how long the server would load the log of the report, or returns why that cannot be estimated. `sample_bytes` is
/// about the size of each sample.
///
/// # Errors
///
/// If the caller cancels.
pub(in crate::ops::stats) fn estimate(
    log: &Log,
    report: &StatsReport,
    (server, sample_bytes): (&Binary, u64),
    progress: &dyn Progress,
) -> Result<Result<LoadEstimate, String>> {
    match try_estimate(log, report, (server, sample_bytes), progress) {
        Ok(estimate) => Ok(Ok(estimate)),
        Err(Stop::Failed(reason) | Stop::NotTried(reason)) => Ok(Err(reason)),
        Err(Stop::NotRecorded) => Ok(Err("nothing was measured".to_owned())),
        Err(Stop::Interrupted(error)) => Err(error),
    }
}

fn cannot(reason: &str) -> Stop {
    Stop::NotTried(reason.to_owned())
}

fn try_estimate(
    log: &Log,
    report: &StatsReport,
    (server, sample_bytes): (&Binary, u64),
    progress: &dyn Progress,
) -> Result<LoadEstimate, Stop> {
    let (rdb_lens, rdb) = rdb::sample(log, sample_bytes, progress)?;
    if rdb.is_none() && report.rdb_bytes > 0 {
        return Err(cannot("the keys of its RDB are too large for a sample, or compressed"));
    }
    let commands = match &report.written {
        Some(written) => {
            let of_log = CommandMix::of(&written.by_command)
                .ok_or_else(|| cannot("it has commands that are not known here"))?;
            let sample = commands::sample(log, &rdb_lens, &of_log, sample_bytes, progress)?;
            let sample = sample.ok_or_else(|| cannot("its commands are too large for a sample"))?;
            Some((of_log, sample))
        }
        None => None,
    };
    let of_commands = report.written.iter().flat_map(|written| &written.by_db);
    let of_commands = of_commands.map(|of| u64::from(of.name)).max().unwrap_or(0);
    let databases = of_commands.max(rdb.as_ref().map_or(0, RdbSample::highest_db)) + 1;

    let place = scratch()?;
    let files = Files { log, place: &place };
    progress.phase("load a sample", 0);
    let empty = measure(server, None, databases, progress)?;
    let mut estimate = LoadEstimate {
        server: server.version.clone(),
        load_s: empty.passed,
        startup_s: empty.passed,
        sample_bytes: 0,
        sample_s: 0.0,
    };
    // The time of a sample with all that precedes it.
    let mut before = empty.busy;
    if let Some(rdb) = &rdb {
        let file = files.write("rdb", Some(rdb), None)?;
        let loaded = measure(server, Some(&file), databases, progress)?;
        let took = (loaded.busy - before).max(0.0);
        estimate.add(took, rdb.bytes, ratio(report.rdb_bytes, rdb.bytes));
        before = loaded.busy;
    }
    if let Some((of_log, Samples { whole, quarter })) = &commands {
        let load = |name, sample: &CommandSample| {
            let file = files.write(name, rdb.as_ref(), Some(sample))?;
            let loaded = measure(server, Some(&file), databases, progress)?;
            Ok::<f64, Stop>((loaded.busy - before).max(0.0))
        };
        let took = load("commands", whole)?;
        let times = of_log.cost() / whole.mix.cost().max(f64::MIN_POSITIVE);
        let growth = match times > LEAST_GROWTH && quarter.mix.cost() > 0.0 {
            true => {
                let ratio = whole.mix.cost() / quarter.mix.cost();
                growth(took / load("quarter", quarter)?.max(f64::MIN_POSITIVE), ratio)
            }
            false => 1.0,
        };
        let slower = times.clamp(1.0, MOST_GROWTH).powf(growth - 1.0);
        estimate.add(took, whole.mix.bytes(), times * slower);
    }
    Ok(estimate)
}

/// Returns the exponent with which the time grows with the size, if a sample takes `times` as long as one that costs less by
/// `ratio`. It is above one where more keys are found in caches more seldom.
fn growth(times: f64, ratio: f64) -> f64 {
    let exponent = times.ln() / ratio.max(LEAST_GROWTH).ln();
    if exponent.is_finite() { exponent.clamp(1.0, MOST_EXPONENT) } else { 1.0 }
}

#[allow(clippy::cast_precision_loss)] // An estimate.
fn ratio(whole: u64, part: u64) -> f64 {
    whole as f64 / part.max(1) as f64
}

impl LoadEstimate {
    /// Adds what took so long to load as a sample of so many bytes, and is so many times as large.
    fn add(&mut self, took: f64, sample_bytes: u64, times: f64) {
        self.sample_bytes += sample_bytes;
        self.sample_s += took;
        self.load_s += took * times;
    }
}

/// The files with samples.
struct Files<'a> {
    log: &'a Log,
    place: &'a Scratch,
}

impl Files<'_> {
    fn write(
        &self,
        name: &str,
        rdb: Option<&RdbSample>,
        commands: Option<&CommandSample>,
    ) -> Result<PathBuf, Error> {
        let path = self.place.path().join(name);
        let written = self.try_write(&path, rdb, commands);
        for part in &self.log.parts {
            part.mapping.check()?;
        }
        written.map_err(|error| Error::io("write", &path, error))?;
        Ok(path)
    }

    fn try_write(
        &self,
        path: &Path,
        rdb: Option<&RdbSample>,
        commands: Option<&CommandSample>,
    ) -> std::io::Result<()> {
        let mut out = BufWriter::with_capacity(1 << 20, Access::PRIVATE.create(path)?);
        if let Some(rdb) = rdb {
            rdb.write(|place| self.stored(place), |bytes| out.write_all(bytes))?;
        }
        if let Some(commands) = commands {
            for place in &commands.places {
                out.write_all(self.stored(place))?;
            }
            if commands.is_open {
                out.write_all(EXEC)?;
            }
        }
        out.into_inner().map_err(std::io::IntoInnerError::into_error)?;
        Ok(())
    }

    fn stored(&self, place: &Place) -> &[u8] {
        let index = |offset: u64| usize::try_from(offset).unwrap_or(usize::MAX);
        let part = self.log.parts.get(place.part as usize);
        let bytes =
            part.and_then(|part| part.mapping.bytes().get(index(place.from)..index(place.to)));
        bytes.unwrap_or_default()
    }
}
