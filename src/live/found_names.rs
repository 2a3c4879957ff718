//! The names of a server's files in its data directory, for a server that does not report its settings.

use std::path::Path;

use crate::aof::log::OtherKind;
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::escape::ShownPath;
use crate::input::files::Listing;

/// The names of a server's files.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct FoundNames {
    /// The name of the directory of the set, and of the log without `.manifest`; or of the only single file.
    pub(crate) appenddirname: Option<String>,
    /// The name of the log; `None` if there is none.
    pub(crate) appendfilename: Option<String>,
    /// The name of the only RDB, or `dump.rdb` if there are several.
    pub(crate) dbfilename: Option<String>,
}

impl FoundNames {
    /// Finds the files of the server whose data directory this is.
    ///
    /// # Errors
    ///
    /// When it cannot be listed; [`ErrorKind::Refused`] when it contains several logs.
    pub(crate) fn find(directory: &Path) -> Result<Self> {
        let listing = Listing::read(directory).map_err(|e| Error::io("list", directory, e))?;
        let mut sets = Vec::new();
        for path in &listing.directories {
            match Listing::read(path) {
                Ok(below) => sets.extend(below.manifests()),
                // One of somebody else.
                Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {}
                Err(error) => return Err(Error::io("list", path, error)),
            }
        }
        let of_kind = |kind| {
            let files = listing.files.iter().filter(move |file| file.kind_by_name() == kind);
            files.filter_map(|file| file.name.to_str()).map(str::to_owned).collect::<Vec<_>>()
        };
        let mut names = FoundNames::default();
        match (sets.as_slice(), of_kind(OtherKind::SingleFile).as_slice()) {
            ([], []) => {}
            ([manifest], _) => {
                let parent = manifest.parent().and_then(Path::file_name);
                names.appenddirname = parent.and_then(|name| name.to_str()).map(str::to_owned);
                names.appendfilename =
                    manifest.file_stem().and_then(|name| name.to_str()).map(str::to_owned);
            }
            ([], [file]) => names.appendfilename = Some(file.clone()),
            (several, files) => return Err(ambiguous(directory, several.len().max(files.len()))),
        }
        names.dbfilename = match of_kind(OtherKind::Rdb).as_slice() {
            [only] => Some(only.clone()),
            files => files.iter().find(|name| *name == "dump.rdb").cloned(),
        };
        Ok(names)
    }
}

fn ambiguous(directory: &Path, logs: usize) -> Error {
    let message = format!(
        "there are {logs} logs in {}, and the server does not report which is its own",
        ShownPath(directory)
    );
    Error::new(ErrorKind::Refused, message)
        .help("allow this user CONFIG GET, or move the logs that are not the server's")
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn names_are_those_of_the_only_log() {
        let data = tempfile::tempdir().unwrap();
        let find = || FoundNames::find(data.path()).unwrap();
        assert_eq!(find(), FoundNames::default());
        fs::write(data.path().join("a.rdb"), "").unwrap();
        assert_eq!(find().dbfilename.as_deref(), Some("a.rdb"));
        fs::write(data.path().join("dump.rdb"), "").unwrap();
        assert_eq!(find().dbfilename.as_deref(), Some("dump.rdb"));
        fs::write(data.path().join("my.aof"), "").unwrap();
        assert_eq!(
            (find().appenddirname, find().appendfilename.as_deref()),
            (None, Some("my.aof"))
        );
        // A set replaces the single file.
        let set = data.path().join("dir");
        fs::create_dir(&set).unwrap();
        fs::write(set.join("x.aof.manifest"), "").unwrap();
        assert_eq!(find().appenddirname.as_deref(), Some("dir"));
        assert_eq!(find().appendfilename.as_deref(), Some("x.aof"));
        fs::write(set.join("y.aof.manifest"), "").unwrap();
        let error = FoundNames::find(data.path()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Refused);
    }
}
