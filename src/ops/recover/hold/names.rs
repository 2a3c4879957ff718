//! The names of the directories of secured logs.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use crate::base::error::{Error, ErrorKind, Result};
use crate::ops::recover::search::HOLD;

/// The format of the time in a name, in the local time zone.
const TIME: &str = "%Y%m%d%H%M%S";
const TIME_DIGITS: usize = 14;

/// The directory and the time from which the names of the retained sets are built.
pub(super) struct Names {
    below: PathBuf,
    time: String,
}

impl Names {
    /// Returns the names in the existing directory `below`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotFound`] when it does not exist.
    pub(super) fn new(below: &Path) -> Result<Self> {
        if !below.is_dir() {
            return Err(Error::new(ErrorKind::NotFound, "no such directory for the secured log")
                .at(below)
                .help("make it first, or let the log be kept in the server's data directory"));
        }
        let now = Timestamp::now().to_zoned(TimeZone::system());
        Ok(Names { below: below.to_path_buf(), time: now.strftime(TIME).to_string() })
    }

    /// Returns an unused name.
    pub(super) fn next(&self) -> PathBuf {
        let first = format!("{HOLD}{}", self.time);
        let names = std::iter::once(first.clone()).chain((2..).map(|n| format!("{first}-{n}")));
        let mut paths = names.map(|name| self.below.join(name));
        // The iterator is infinite, so a free name is found.
        paths
            .find(|path| path.symlink_metadata().is_err())
            .unwrap_or_else(|| self.below.join(first))
    }
}

/// Returns the time in a name, in Unix seconds; `None` for a name that is not that of a secured log.
pub(super) fn time_of(name: &str) -> Option<i64> {
    let rest = name.strip_prefix(HOLD)?;
    let time: DateTime = DateTime::strptime(TIME, rest.get(..TIME_DIGITS)?).ok()?;
    Some(time.to_zoned(TimeZone::system()).ok()?.timestamp().as_second())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_of_a_secured_log_has_its_time() {
        let place = tempfile::tempdir().unwrap();
        let names = Names::new(place.path()).unwrap();
        let before = Timestamp::now().as_second();
        for _ in 0..2 {
            let path = names.next();
            let time = time_of(path.file_name().unwrap().to_str().unwrap()).unwrap();
            assert!((before - 60..=before + 60).contains(&time), "{}", path.display());
            std::fs::create_dir(&path).unwrap();
        }
        for other in ["aofkit-hold-", "aofkit-hold-2026", "dump.rdb", "aofkit-hold-99999999999999"]
        {
            assert_eq!(time_of(other), None, "{other}");
        }
    }
}
