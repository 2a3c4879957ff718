//! Where the log of a running server is on this machine, and whether it is that server's.

use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use xxhash_rust::xxh3::xxh3_64;

use super::connection::Connection;
use super::endpoint::Endpoint;
use super::info::Info;
use super::server::ServerSeen;
use crate::aof::manifest::{self, Manifest};
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::escape::ShownPath;
use crate::disk::Lock;
use crate::disk::open_writers::writers;

/// The log of a running server, by its paths on this machine.
#[derive(Debug, Clone)]
pub struct Files {
    /// The server's data directory.
    pub dir: PathBuf,
    /// The file, or the manifest of the set.
    pub log: PathBuf,
    /// The name of the set's directory; `None` of a single file.
    pub appenddirname: Option<String>,
}

impl Files {
    /// Finds the log of `server`. `dir` says where its data directory is on this machine, where that is elsewhere
    /// than the server says: it runs in a container, or on the host that the directory is mounted from.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Refused`] when the log is off; [`ErrorKind::NotFound`], with all that was looked for, when it is
    /// not there.
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

    /// Where the log should be.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Refused`] when what the server says of its data directory is no absolute path.
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

    /// The directory that the log is in.
    pub(crate) fn place(&self) -> &Path {
        self.log.parent().unwrap_or(&self.dir)
    }

    /// What tells this log from all others: where it is on this machine, links resolved, and its name. It stays over
    /// restarts of the server, is the same by whatever address the server is reached, and differs between
    /// containers that all say `/data` and 6379 of themselves.
    pub fn identity(&self) -> String {
        let place = fs::canonicalize(self.place()).unwrap_or_else(|_| self.place().to_path_buf());
        let mut bytes = place.into_os_string().into_encoded_bytes();
        bytes.push(0);
        bytes.extend(self.log.file_name().unwrap_or_default().as_encoded_bytes());
        format!("{:016x}", xxh3_64(&bytes))
    }

    /// Keeps other runs away from this server: by a lock on the directory of its log, which all runs see whatever
    /// their backup directory is, and which costs the server nothing.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Locked`] when another run has it.
    pub fn lock(&self, state: &Path) -> Result<Lock> {
        let taken = match Lock::take_directory(self.place()) {
            // A file system that knows no locks on directories, as NFS.
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

    /// The manifest as it is now; `None` of a single file.
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

    /// The paths of what a server would load now, in its order.
    pub(crate) fn parts(&self) -> Result<Vec<PathBuf>> {
        Ok(match self.manifest()? {
            None => vec![self.log.clone()],
            Some(manifest) => {
                manifest.load_order().map(|entry| self.place().join(entry.file_name())).collect()
            }
        })
    }

    /// Which file the rewritten part is: changes with each rewrite.
    pub(crate) fn base(&self) -> Option<FileId> {
        let manifest = self.manifest().ok()?;
        let path = match &manifest {
            None => self.log.clone(),
            Some(manifest) => self.place().join(manifest.base()?.file_name()),
        };
        fs::metadata(path).ok().map(|metadata| FileId::of(&metadata))
    }

    /// The length of all parts together, and of the base.
    fn bytes(&self) -> Result<(u64, u64)> {
        let sizes = self.parts()?.into_iter().map(|part| {
            fs::metadata(&part).map(|file| file.len()).map_err(|e| Error::io("look at", part, e))
        });
        let sizes = sizes.collect::<Result<Vec<_>>>()?;
        let base = if self.appenddirname.is_some() { sizes.first().copied() } else { None };
        Ok((sizes.iter().sum(), base.unwrap_or(0)))
    }

    /// Makes sure that this is the log of the server that answers: it must be as long as the server says, which
    /// is asked for between two looks at the files, as they may grow. Or the server's process has it open.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Refused`] when the lengths differ.
    pub fn check(
        &self,
        connection: &mut Connection,
        endpoint: &Endpoint,
        server: &ServerSeen,
    ) -> Result<()> {
        let mut last = (0, 0);
        for _ in 0..LOOKS {
            let before = self.bytes();
            let info = Info::ask(connection, "persistence")
                .map_err(|failure| failure.told("INFO persistence", endpoint))?;
            let after = self.bytes();
            let Some(said) = info.number::<u64>("aof_current_size") else { return Ok(()) };
            match (before, after) {
                (Ok(before), Ok(after)) if is_between(said, before, after) => return Ok(()),
                (Ok((before, _)), Ok(_)) => last = (before, said),
                // A rewrite may have taken a file away between the manifest and the look at it.
                (Err(error), _) | (_, Err(error)) if error.kind() != ErrorKind::NotFound => {
                    return Err(error);
                }
                _ => {}
            }
        }
        let writes = |part: &PathBuf| {
            writers(part).iter().any(|holder| holder.pid == server.process && server.process != 0)
        };
        if self.parts()?.last().is_some_and(writes) {
            return Ok(());
        }
        let (here, said) = last;
        Err(Error::new(
            ErrorKind::Refused,
            format!(
                "this is not the log of the server at {}: it has {here} bytes, and the server says that its log has {said}",
                endpoint.address
            ),
        )
        .at(&self.log)
        .help("--dir says where the data directory of that server is on this machine"))
    }
}

/// Whether what the server says lies between two looks at the files. A server that was started with no data, and has not
/// rewritten its log since, leaves the base out of its count (7.0, observed).
fn is_between(said: u64, before: (u64, u64), after: (u64, u64)) -> bool {
    (before.0..=after.0).contains(&said)
        || (before.0.saturating_sub(before.1)..=after.0.saturating_sub(after.1)).contains(&said)
}

/// How often the length is compared before it counts as different: a rewrite can end between two looks.
const LOOKS: usize = 5;

/// Which file, whatever its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FileId {
    device: u64,
    inode: u64,
}

impl FileId {
    pub(crate) fn of(metadata: &Metadata) -> Self {
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
