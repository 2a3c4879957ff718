//! Choosing the archives to try.

use std::fs;
use std::path::{Path, PathBuf};

use super::options::DrillOptions;
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::progress::Silent;
use crate::ops::list::age::newest_good;
use crate::ops::list::{ListOptions, Listed, State, list};
use crate::store::url::{is_archive_url, is_url};

/// Returns the archive at `path`, or those of the directory there: each of them, or the newest good backup of each source
/// and what cannot be read. A source without a good backup is tried with its newest one, so that it does not pass unseen.
///
/// # Errors
///
/// When the path does not exist, or there is nothing to try.
pub(super) fn choose(path: &Path, options: &DrillOptions) -> Result<Vec<PathBuf>> {
    let is_directory = match is_url(path) {
        true => !is_archive_url(path),
        false => fs::metadata(path).map_err(|error| Error::io("open", path, error))?.is_dir(),
    };
    if !is_directory {
        return Ok(vec![path.to_owned()]);
    }
    let listed = list(path, ListOptions::default(), &Silent)?.archives;
    let chosen: Vec<&Listed> = match options.each {
        true => listed.iter().collect(),
        false => newest_of_each(&listed, options),
    };
    if chosen.is_empty() {
        return Err(Error::new(ErrorKind::NotFound, "no backup is in this directory")
            .at(path)
            .help(
                "`aofkit list` shows what is there; --each tries archives of other programs, too",
            ));
    }
    Ok(chosen.into_iter().map(|listed| listed.path.clone()).collect())
}

fn newest_of_each<'l>(listed: &'l [Listed], options: &DrillOptions) -> Vec<&'l Listed> {
    let newest_of = |source| {
        let of_source = |one: &&Listed| {
            one.made.as_ref().is_some_and(|made| made.backup && made.identity == source)
        };
        // The archives of a source are in the order of their times.
        listed.iter().rfind(of_source)
    };
    let newest = newest_good(listed, options.now);
    let newest = newest.into_iter().filter_map(|(source, good)| good.or_else(|| newest_of(source)));
    let unreadable = listed.iter().filter(|listed| listed.state == State::Unreadable);
    newest.chain(unreadable).collect()
}
