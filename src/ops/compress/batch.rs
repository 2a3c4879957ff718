//! Several paths packed in one go: an archive for each log, and one for all files of a set.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Instant;

use serde::Serialize;

use crate::aof::log::Layout;
use crate::archive::report::CompressReport;
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::failure::Failure;
use crate::base::progress::Progress;
use crate::input::open::open;
use crate::input::overwrite::{check_output, inputs};
use crate::ops::compress::write::{CompressOptions, compress};

/// What came of packing several paths.
#[derive(Debug, Serialize)]
pub struct CompressAllReport {
    /// The version of this schema.
    pub schema: u32,
    /// `compress`.
    pub report: &'static str,
    /// One for each log, in the order of the paths.
    pub archives: Vec<CompressOutcome>,
    /// How long it took, in seconds.
    pub elapsed_s: f64,
}

/// What came of one log.
#[derive(Debug, Serialize)]
#[serde(tag = "status", rename_all = "kebab-case")]
pub enum CompressOutcome {
    /// It was packed.
    Packed(Box<CompressReport>),
    /// It was not.
    Failed(Failure),
}

/// Packs each log that `paths` point at into an archive of its own. Where several of them are files of one set, as
/// when a shell lists its directory, it is that set.
///
/// # Errors
///
/// When nothing can be packed as asked: a single path that fails, or archives that would get the same name. That one
/// of several logs cannot be packed is in the report.
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
            // An archive of one must not replace another before that is packed.
            let all: Vec<PathBuf> = logs.iter().flat_map(|path| paths_of(path)).collect();
            for path in logs {
                check_output(&named(path, options).destination()?, options.existing, &all)?;
            }
            let pack = |path: &PathBuf| match compress(path, &named(path, options), progress) {
                Ok(report) => CompressOutcome::Packed(Box::new(report)),
                Err(error) => CompressOutcome::Failed(Failure::new(path, &error)),
            };
            logs.iter().map(pack).collect()
        }
    };
    let elapsed_s = started.elapsed().as_secs_f64();
    Ok(CompressAllReport { schema: 1, report: "compress", archives, elapsed_s })
}

/// The logs: of several files of one set, the set.
fn logs(paths: &[PathBuf]) -> Vec<PathBuf> {
    if let [_] = paths {
        return paths.to_vec();
    }
    let set_of = |path: &PathBuf| match open(path).map(|log| (log.layout, log.opened)) {
        Ok((Layout::OnePart { manifest: Some(manifest) }, _)) => manifest,
        Ok((Layout::MultiPart { .. }, manifest)) => manifest,
        // What it is, and why it cannot be packed, is told when it is packed.
        _ => path.clone(),
    };
    let mut seen = BTreeSet::new();
    paths.iter().map(set_of).filter(|path| seen.insert(path.clone())).collect()
}

/// The options for one log: `{name}` of the template is the name of its path.
fn named(path: &Path, options: &CompressOptions) -> CompressOptions {
    let name = path.file_stem().unwrap_or_default().to_string_lossy().replace('%', "%%");
    let template = options.name_template.as_ref().map(|template| template.replace("{name}", &name));
    CompressOptions { name_template: template, ..options.clone() }
}

/// What a log is read from; only the path of one that cannot be opened.
fn paths_of(path: &Path) -> Vec<PathBuf> {
    open(path).map_or_else(|_| vec![path.to_owned()], |log| inputs(&log))
}

fn distinct(logs: &[PathBuf], options: &CompressOptions) -> Result<()> {
    let mut names = BTreeSet::new();
    for path in logs {
        if !names.insert(named(path, options).destination()?) {
            return Err(Error::new(
                ErrorKind::Usage,
                "several logs would be packed into an archive of the same name",
            )
            .at(path)
            .help("give a directory as --output, and a --name-template with {name} in it"));
        }
    }
    Ok(())
}
