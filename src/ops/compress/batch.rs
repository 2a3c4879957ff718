//! Compressing several paths in one run: an archive for each log, and a single archive for all files of a set.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Instant;

use serde::Serialize;

use crate::aof::log::Layout;
use crate::archive::report::CompressReport;
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::failure::Failure;
use crate::base::progress::Progress;
use crate::input::files::open_files;
use crate::input::overwrite::{check_output, inputs};
use crate::ops::compress::write::{CompressOptions, compress};

/// The result of compressing several paths.
#[derive(Debug, Serialize)]
pub struct CompressAllReport {
    /// The result for each log, in the order of the paths.
    pub archives: Vec<CompressOutcome>,
    /// The run time in seconds.
    pub elapsed_s: f64,
}

/// The result for one log.
#[derive(Debug, Serialize)]
#[serde(tag = "status", rename_all = "kebab-case")]
pub enum CompressOutcome {
    /// It was compressed.
    Packed(Box<CompressReport>),
    /// Compression failed.
    Failed(Failure),
}

/// Compresses each log that `paths` refer to into an archive of its own. Several paths that are files of one set, as
/// when a shell expands its directory, refer to that set.
///
/// # Errors
///
/// When nothing can be compressed as requested: a single path that fails, or archives that would get the same name.
/// Failures of one of several logs are in the report.
pub fn compress_all(
    paths: &[PathBuf],
    options: &CompressOptions,
    progress: &dyn Progress,
) -> Result<CompressAllReport> {
    let started = Instant::now();
    let logs = logs(paths);
    let archives = match logs.as_slice() {
        [path] => vec![CompressOutcome::Packed(Box::new(compress(
            path,
            &named(path, options),
            progress,
        )?))],
        logs => {
            distinct(logs, options)?;
            // An archive must not overwrite another input before that is compressed.
            let all: Vec<PathBuf> = logs.iter().flat_map(|path| paths_of(path)).collect();
            for path in logs {
                check_output(&named(path, options).destination()?, options.existing, &all)?;
            }
            let pack = |path: &PathBuf| match compress(path, &named(path, options), progress) {
                Ok(report) => Ok(CompressOutcome::Packed(Box::new(report))),
                Err(error) if error.kind() == ErrorKind::Interrupted => Err(error),
                Err(error) => Ok(CompressOutcome::Failed(Failure::new(path, &error))),
            };
            logs.iter().map(pack).collect::<Result<_>>()?
        }
    };
    let elapsed_s = started.elapsed().as_secs_f64();
    Ok(CompressAllReport { archives, elapsed_s })
}

/// Returns the logs; several files of one set are replaced by the set.
fn logs(paths: &[PathBuf]) -> Vec<PathBuf> {
    if let [_] = paths {
        return paths.to_vec();
    }
    let set_of = |path: &PathBuf| match open_files(path).map(|log| (log.layout, log.opened)) {
        Ok((Layout::OnePart { manifest: Some(manifest) }, _)) => manifest,
        Ok((Layout::MultiPart { .. }, manifest)) => manifest,
        // The reason why it cannot be compressed is reported when it is compressed.
        _ => path.clone(),
    };
    let mut seen = BTreeSet::new();
    paths.iter().map(set_of).filter(|path| seen.insert(path.clone())).collect()
}

/// Returns the options for one log, in which `{name}` of the template is the name of its path.
fn named(path: &Path, options: &CompressOptions) -> CompressOptions {
    let name = path.file_stem().unwrap_or_default().to_string_lossy().replace('%', "%%");
    let template = options.name_template.as_ref().map(|template| template.replace("{name}", &name));
    CompressOptions { name_template: template, ..options.clone() }
}

/// Returns the paths that a log is read from, or only `path` if it cannot be opened.
fn paths_of(path: &Path) -> Vec<PathBuf> {
    open_files(path).map_or_else(|_| vec![path.to_owned()], |log| inputs(&log))
}

fn distinct(logs: &[PathBuf], options: &CompressOptions) -> Result<()> {
    let mut names = BTreeSet::new();
    for path in logs {
        if !names.insert(named(path, options).destination()?) {
            return Err(Error::new(
                ErrorKind::Usage,
                "several logs would be compressed to an archive of the same name",
            )
            .at(path)
            .help("give a directory as --output, and a --name-template with {name} in it"));
        }
    }
    Ok(())
}
