//! A place at which there is no log yet, as before the first start of a server.

use std::ffi::OsStr;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use crate::base::error::{Error, Result};

/// What is in the name of a log, of its parts, of a snapshot, and of what is left of one that was moved away.
const NAMES: [&str; 5] = [".aof", ".rdb", ".manifest", "appendonly", ".bak-"];

/// Returns whether there is no log at `path`, nor anything that could be one: nothing is there, or a directory without
/// such names. If nothing is there, the directory above may not hold a log that was moved away from there.
///
/// # Errors
///
/// When that cannot be read.
pub(crate) fn is_absent(path: &Path) -> Result<bool> {
    match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_dir() => {
            Ok(!has_name(path, |name| NAMES.iter().any(|part| name.contains(part)))?)
        }
        Ok(_) => Ok(false),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let Some(name) = path.file_name().and_then(OsStr::to_str) else { return Ok(false) };
            let above = match path.parent() {
                Some(above) if !above.as_os_str().is_empty() => above,
                _ => Path::new("."),
            };
            Ok(!has_name(above, |it| it.len() > name.len() && it.starts_with(name))?)
        }
        Err(error) => Err(Error::io("open", path, error)),
    }
}

/// Returns whether the directory has an entry with such a name. A directory that does not exist has none.
fn has_name(directory: &Path, is_one: impl Fn(&str) -> bool) -> Result<bool> {
    let failed = |error| Error::io("read the directory", directory, error);
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(failed(error)),
    };
    for entry in entries {
        let name = entry.map_err(failed)?.file_name();
        if is_one(&name.to_string_lossy()) {
            return Ok(true);
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn place_without_any_name_of_a_log_is_absent() {
        let place = tempfile::tempdir().unwrap();
        let data = place.path().join("data");
        let log = data.join("appendonlydir");
        assert!(is_absent(&data).unwrap() && is_absent(&log).unwrap());
        fs::create_dir(&data).unwrap();
        fs::write(data.join("redis.conf"), "").unwrap();
        assert!(is_absent(&data).unwrap() && is_absent(&log).unwrap());
        assert!(!is_absent(&data.join("redis.conf")).unwrap());
        for name in ["dump.rdb", "appendonly.aof", "appendonlydir.bak-20260101000000"] {
            fs::write(data.join(name), "").unwrap();
            assert!(!is_absent(&data).unwrap(), "{name}");
            assert_eq!(is_absent(&log).unwrap(), !name.starts_with("appendonlydir"), "{name}");
            fs::remove_file(data.join(name)).unwrap();
        }
    }
}
