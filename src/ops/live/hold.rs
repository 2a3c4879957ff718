//! Securing the log of a running server after an accident, before a rewrite destroys what it still holds.
//!
//! The log of a FLUSHALL holds everything up to it, until the next rewrite. So: rewrites are held off, and the set is
//! linked into a safe place at once, *before* it is known whether one runs already, for such a one takes the old files
//! away when it ends. If one was under way, the set that it leaves is kept as well.

use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;

use super::connection::Connection;
use super::endpoint::Endpoint;
use super::files::Files;
use super::journal::Change;
use super::rewrite::{Rewriter, Waiting};
use super::server::ServerSeen;
use super::snapshot::{self, How};
use super::{Watch, connect};
use crate::error::{Error, ErrorKind, Result};

/// How a log is secured.
#[derive(Debug, Clone)]
pub struct HoldOptions {
    /// Where the server's data directory is on this machine, if not where the server says.
    pub dir: Option<PathBuf>,
    /// The directory that the set is kept below; `None` for the server's data directory, where links can be made.
    pub to: Option<PathBuf>,
    /// Between two looks at a rewrite.
    pub poll: Duration,
    /// Until a rewrite that is under way is given up.
    pub timeout: Duration,
}

/// What was secured, and how.
#[derive(Debug, Serialize)]
pub struct HoldReport {
    /// The version of this form.
    pub schema: u32,
    /// The server.
    pub server: ServerSeen,
    /// Automatic rewrites, which stay off; `None` when they were off before.
    pub rewrites: Option<Change>,
    /// The command that turns them on again, once the accident is mended.
    pub turn_on: Option<String>,
    /// Whether a rewrite was under way.
    pub rewrite_was_running: bool,
    /// The sets that were kept, each a data directory that a server could be started on: the one from when this began,
    /// and the one that a rewrite which was under way has left.
    pub kept: Vec<Kept>,
}

/// A set that was kept.
#[derive(Debug, Clone, Serialize)]
pub struct Kept {
    /// Where.
    #[serde(serialize_with = "crate::escape::path")]
    pub path: PathBuf,
    /// Linked or copied. The last file of a linked set goes on growing with the server.
    pub held: How,
    /// Its bytes at that moment.
    pub bytes: u64,
    /// Its files.
    pub files: usize,
}

/// Turns automatic rewrites off, keeps the log as it is in a safe place, and makes sure that no rewrite runs. The setting
/// is left so: whoever has mended the accident turns it on again.
///
/// # Errors
///
/// When the server cannot be reached or refuses, keeps no log, or its log is not found or cannot be kept. What was
/// kept already stays.
pub fn hold(endpoint: &Endpoint, options: &HoldOptions, watch: &dyn Watch) -> Result<HoldReport> {
    let (mut connection, server) = connect(endpoint)?;
    let rewrites = rewrites_off(&mut connection, endpoint)?;
    let files = Files::find(&server, options.dir.as_deref())?;
    let names = Names::new(options.to.as_deref().unwrap_or(&files.dir))?;
    let mut kept = vec![keep(&files, &names)?];
    let mut connection = Some(connection);
    let mut rewriter =
        Rewriter { connection: &mut connection, endpoint, run_id: &server.run_id, files: &files };
    let rewrite_was_running = rewriter.is_busy()?;
    if rewrite_was_running {
        let HoldOptions { poll, timeout, .. } = *options;
        rewriter.wait(Waiting { poll, timeout, reconnect: Duration::from_secs(30) }, watch)?;
        kept.push(keep(&files, &names)?);
    }
    let turn_on =
        rewrites.as_ref().map(|change| format!("CONFIG SET {} {}", change.name, change.was));
    Ok(HoldReport { schema: 1, server, rewrites, turn_on, rewrite_was_running, kept })
}

const REWRITES: &str = "auto-aof-rewrite-percentage";

fn rewrites_off(connection: &mut Connection, endpoint: &Endpoint) -> Result<Option<Change>> {
    let was = connection.setting(REWRITES);
    let was = was.map_err(|f| f.told(&format!("CONFIG GET {REWRITES}"), endpoint))?;
    let Some(was) = was.filter(|was| was != "0") else { return Ok(None) };
    let set = connection.set(REWRITES, "0");
    set.map_err(|failure| failure.told(&format!("CONFIG SET {REWRITES}"), endpoint))?;
    Ok(Some(Change { name: REWRITES.into(), was, set: "0".into() }))
}

/// The names of what is kept.
struct Names {
    below: PathBuf,
    time: String,
}

impl Names {
    fn new(below: &Path) -> Result<Self> {
        if !below.is_dir() {
            return Err(Error::new(
                ErrorKind::NotFound,
                "there is no such directory to keep the log in",
            )
            .at(below));
        }
        let now = Timestamp::now().to_zoned(jiff::tz::TimeZone::system());
        Ok(Names { below: below.to_path_buf(), time: now.strftime("%Y%m%d%H%M%S").to_string() })
    }

    fn next(&self) -> PathBuf {
        let first = format!("aofkit-hold-{}", self.time);
        let names = std::iter::once(first.clone()).chain((2..).map(|n| format!("{first}-{n}")));
        let mut paths = names.map(|name| self.below.join(name));
        // There is no end to the names.
        paths
            .find(|path| path.symlink_metadata().is_err())
            .unwrap_or_else(|| self.below.join(first))
    }
}

fn keep(files: &Files, names: &Names) -> Result<Kept> {
    for _ in 0..TRIES {
        let path = names.next();
        if let Some((held, bytes, files)) = snapshot::keep(files, &path)? {
            return Ok(Kept { path, held, bytes, files });
        }
    }
    Err(Error::new(
        ErrorKind::Changed,
        "the set was rewritten again and again while it was being kept",
    )
    .at(&files.log)
    .help("automatic rewrites are off now; find out what asks for the others, and try again"))
}

/// How often a set is kept anew when a rewrite came between.
const TRIES: u32 = 5;
