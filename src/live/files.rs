//! Locating the log of a running server on this machine, and checking that it belongs to that server.

use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use xxhash_rust::xxh3::xxh3_64;

use super::server::ServerSeen;
use super::session::Session;
use crate::aof::manifest::{self, Manifest};
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::escape::ShownPath;
use crate::disk::Lock;
use crate::disk::open_writers::writers;

/// The paths of a running server's log on this machine.
#[derive(Debug, Clone)]
pub struct Files {
    /// The server's data directory.
    pub dir: PathBuf,
    /// The file, or the manifest of the set.
    pub log: PathBuf,
    /// The name of the set's directory; `None` for a single file.
    pub appenddirname: Option<String>,
}

impl Files {
    /// Finds the log of `server`. `dir` is the server's data directory on this machine, if it differs from what the
    /// server reports: the server runs in a container, or on the host that the directory is mounted from.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Refused`] when the append-only file is disabled; [`ErrorKind::NotFound`], with all paths tried,
    /// when it does not exist.
    pub fn find(server: &ServerSeen, dir: Option<&Path>) -> Result<Self> {
        if !server.appendonly {
            return Err(off(server));
        }
        let files = Files::expected(server, dir)?;
        match fs::metadata(&files.log) {
            Ok(metadata) if metadata.is_file() => Ok(files),
            Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
                Err(Error::io("open", &files.log, error))
            }
            _ => Err(files.missing(server, dir)),
        }
    }

    /// Returns the expected location of the log.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Refused`] when the data directory that the server reports is not an absolute path.
    pub fn expected(server: &ServerSeen, dir: Option<&Path>) -> Result<Self> {
        let dir = match dir {
            Some(dir) => dir.to_path_buf(),
            None => server.data_directory()?,
        };
        let log = match &server.appenddirname {
            Some(name) => dir.join(name).join(format!("{}.manifest", server.appendfilename)),
            None => dir.join(&server.appendfilename),
        };
        Ok(Files { dir, log, appenddirname: server.appenddirname.clone() })
    }

    fn missing(&self, server: &ServerSeen, dir: Option<&Path>) -> Error {
        let what = if self.appenddirname.is_some() { "manifest" } else { "log" };
        let whence = match dir {
            Some(_) => format!("below --dir; the server itself says {}", ShownPath(&server.dir)),
            None => "as the server's CONFIG GET dir says".to_string(),
        };
        let present = if self.dir.is_dir() {
            "that directory is there"
        } else {
            "there is no such directory"
        };
        Error::new(
            ErrorKind::NotFound,
            format!(
                "the {what} of the server at {} is not here, {whence} ({present})",
                server.address
            ),
        )
        .at(&self.log)
        .help(
            "where the server runs in a container or on another host, --dir says where its data directory is \
             on this machine",
        )
    }

    /// Returns the directory that contains the log.
    pub(crate) fn place(&self) -> &Path {
        self.log.parent().unwrap_or(&self.dir)
    }

    /// Returns the identity of the log: its location on this machine, with symbolic links resolved, and its name. It is
    /// stable across restarts of the server, is the same for every address of the server, and differs between
    /// containers that all report `/data` and port 6379.
    pub fn identity(&self) -> String {
        let place = fs::canonicalize(self.place()).unwrap_or_else(|_| self.place().to_path_buf());
        let mut bytes = place.into_os_string().into_encoded_bytes();
        bytes.push(0);
        bytes.extend(self.log.file_name().unwrap_or_default().as_encoded_bytes());
        format!("{:016x}", xxh3_64(&bytes))
    }

    /// Returns the identity of the server's data, which does not depend on whether there is a log: the data directory on
    /// this machine, with symbolic links resolved, and the name of the log.
    pub(crate) fn data_identity(&self) -> String {
        let dir = fs::canonicalize(&self.dir).unwrap_or_else(|_| self.dir.clone());
        let mut bytes = dir.into_os_string().into_encoded_bytes();
        bytes.push(0);
        bytes.extend(self.log.file_name().unwrap_or_default().as_encoded_bytes());
        format!("{:016x}", xxh3_64(&bytes))
    }

    /// Excludes other runs at this server by a lock on the directory of its log, which all runs see whatever their
    /// backup directory is, and which does not affect the server.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Locked`] when another run holds it.
    pub fn lock(&self, state: &Path) -> Result<Lock> {
        let taken = match Lock::take_directory(self.place()) {
            // Some file systems, such as NFS, do not support locks on directories.
            Err(error) if error.kind() == ErrorKind::Io => {
                let name = format!(".aofkit-live-{}.lock", self.identity());
                Lock::take(&state.join(name), "backup --live")
            }
            taken => taken,
        };
        taken.map_err(|error| match error.kind() {
            ErrorKind::Locked => Error::new(
                ErrorKind::Locked,
                "another run of aofkit is at work on this server's log",
            )
            .at(self.place())
            .help("wait until it is done; a run that was killed holds no lock"),
            _ => error,
        })
    }

    /// Returns the current manifest; `None` for a single file.
    pub(crate) fn manifest(&self) -> Result<Option<Manifest>> {
        if self.appenddirname.is_none() {
            return Ok(None);
        }
        let text = fs::read(&self.log).map_err(|error| Error::io("read", &self.log, error))?;
        let parsed = manifest::parse(&text);
        parsed.map(Some).map_err(|error| {
            let message =
                format!("the manifest of a running server breaks a rule: {}", error.message());
            Error::new(ErrorKind::Manifest, message).at(&self.log)
        })
    }

    /// Returns the paths of the parts that a server would load now, in load order.
    pub(crate) fn parts(&self) -> Result<Vec<PathBuf>> {
        Ok(match self.manifest()? {
            None => vec![self.log.clone()],
            Some(manifest) => {
                manifest.load_order().map(|entry| self.place().join(entry.file_name())).collect()
            }
        })
    }

    /// Returns the identity of the base file, which changes with each rewrite.
    pub(crate) fn base(&self) -> Option<FileId> {
        let manifest = self.manifest().ok()?;
        let path = match &manifest {
            None => self.log.clone(),
            Some(manifest) => self.place().join(manifest.base()?.file_name()),
        };
        fs::metadata(path).ok().map(|metadata| FileId::from_metadata(&metadata))
    }

    /// Returns the total size of all parts, and the size of the base, in bytes.
    fn bytes(&self) -> Result<(u64, u64)> {
        let sizes = self.parts()?.into_iter().map(|part| {
            fs::metadata(&part).map(|file| file.len()).map_err(|e| Error::io("look at", part, e))
        });
        let sizes = sizes.collect::<Result<Vec<_>>>()?;
        let base = if self.appenddirname.is_some() { sizes.first().copied() } else { None };
        Ok((sizes.iter().sum(), base.unwrap_or(0)))
    }

    /// Checks that this is the log of the connected server: its length must be the one that the server reports, which
    /// is queried between two measurements of the files, because they may grow. Otherwise the server's process must
    /// have the log open.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Refused`] when the lengths differ.
    pub(crate) fn check(&self, session: &mut Session<'_>) -> Result<()> {
        let mut last = (0, 0);
        for _ in 0..LENGTH_CHECKS {
            let before = self.bytes();
            let info = session.info("persistence")?;
            let after = self.bytes();
            let Some(said) = info.number::<u64>("aof_current_size") else { return Ok(()) };
            match (before, after) {
                (Ok(before), Ok(after)) if is_between(said, before, after) => return Ok(()),
                (Ok((before, _)), Ok(_)) => last = (before, said),
                // A rewrite may have deleted a file between reading the manifest and measuring the files.
                (Err(error), _) | (_, Err(error)) if error.kind() != ErrorKind::NotFound => {
                    return Err(error);
                }
                _ => {}
            }
        }
        let process = session.server().process;
        let writes = |part: &PathBuf| {
            writers(part).iter().any(|holder| holder.pid == process && process != 0)
        };
        if self.parts()?.last().is_some_and(writes) {
            return Ok(());
        }
        let (here, said) = last;
        Err(Error::new(
            ErrorKind::Refused,
            format!(
                "this is not the log of the server at {}: it has {here} bytes, and the server says that its log has {said}",
                session.address()
            ),
        )
        .at(&self.log)
        .help("--dir says where the data directory of that server is on this machine"))
    }
}

/// Returns whether the reported length is between two measurements of the files. A server that was started without
/// data, and has not rewritten its log since, omits the base from its count (7.0, observed).
fn is_between(said: u64, before: (u64, u64), after: (u64, u64)) -> bool {
    (before.0..=after.0).contains(&said)
        || (before.0.saturating_sub(before.1)..=after.0.saturating_sub(after.1)).contains(&said)
}

/// The number of comparisons of the length before it counts as different: a rewrite can end between two measurements.
const LENGTH_CHECKS: usize = 5;

/// The identity of a file, independent of its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FileId {
    device: u64,
    inode: u64,
}

impl FileId {
    pub(crate) fn from_metadata(metadata: &Metadata) -> Self {
        FileId { device: metadata.dev(), inode: metadata.ino() }
    }
}

fn off(server: &ServerSeen) -> Error {
    Error::new(
        ErrorKind::Refused,
        format!("the server at {} keeps no log: appendonly is no", server.address),
    )
    .help(
        "CONFIG SET appendonly yes turns it on and writes all data once, CONFIG REWRITE makes that last; \
         or back up the RDB that BGSAVE writes: aofkit backup dump.rdb",
    )
}
