//! The log in an archive: chosen by the rules for a directory, in a directory with the files of the archive.

use std::path::Path;

use crate::aof::log::{Layout, Log};
use crate::archive::report::ArchiveFinding;
use crate::base::error::{Error, ErrorKind};
use crate::base::escape::ShownPath;
use crate::base::level::Level;
use crate::input::broken_set::{BrokenSet, SetFault};
use crate::input::files::try_open_files;

/// The log in an archive.
pub(crate) enum Contained {
    /// The log, with the paths of the directory to which the archive was extracted.
    Log(Box<Log>),
    /// A set that no server loads.
    Broken(BrokenSet),
    /// There is none, there are several, or it cannot be read.
    Unopened(Error),
}

/// Damage to an entry, which matters only if the entry is part of the log.
#[derive(Debug, Clone)]
pub(crate) struct EntryDamage {
    /// The name of the entry, not escaped.
    pub(crate) raw: String,
    pub(crate) finding: ArchiveFinding,
}

impl Contained {
    /// Opens the log below `root`, as in any other directory.
    pub(crate) fn open(root: &Path) -> Contained {
        match try_open_files(root) {
            Ok(Ok(mut log)) => {
                forget_root(&mut log, root);
                Contained::Log(Box::new(log))
            }
            Ok(Err(broken)) => Contained::Broken(broken),
            Err(error) => Contained::Unopened(error),
        }
    }

    /// Returns the findings about the log: why it is not one, and the damage to its parts. Damage to other files is not
    /// reported, because no server loads them.
    pub(crate) fn findings(&self, root: &Path, damage: Vec<EntryDamage>) -> Vec<ArchiveFinding> {
        match self {
            Contained::Log(log) => {
                let is_part = |damage: &EntryDamage| {
                    log.parts.iter().any(|part| part.path == root.join(&damage.raw))
                };
                damage.into_iter().filter(is_part).map(|damage| damage.finding).collect()
            }
            Contained::Broken(broken) => {
                // Parts without a manifest can be extracted like any files.
                let level = match broken.fault {
                    SetFault::NoManifest { .. } => Level::Warning,
                    _ => Level::Error,
                };
                let finding = broken_set(broken, root, level);
                all(damage).chain([finding]).collect()
            }
            Contained::Unopened(error) if error.kind() == ErrorKind::NotFound => {
                let what = "no log and no RDB is in this archive";
                all(damage).chain([ArchiveFinding::new(Level::Error, "no-log", what)]).collect()
            }
            Contained::Unopened(error) => {
                let finding = ArchiveFinding::new(Level::Warning, "no-single-log", error.message());
                all(damage).chain([finding]).collect()
            }
        }
    }
}

/// Clears the name of the directory of a set that is at the root of the archive: it is that of a temporary directory.
fn forget_root(log: &mut Log, root: &Path) {
    if let Layout::MultiPart { directory, appenddirname, .. } = &mut log.layout
        && directory == root
    {
        appenddirname.clear();
    }
}

fn all(damage: Vec<EntryDamage>) -> impl Iterator<Item = ArchiveFinding> {
    damage.into_iter().map(|damage| damage.finding)
}

/// Returns the finding for a set that no server loads.
pub(crate) fn broken_set(broken: &BrokenSet, root: &Path, level: Level) -> ArchiveFinding {
    let kind = match &broken.fault {
        SetFault::Manifest(_) => "manifest",
        fault => fault.kind(),
    };
    let message = match broken.fault.line() {
        Some(line) => format!("line {line}: {}", broken.fault),
        None => broken.fault.to_string(),
    };
    let mut finding = ArchiveFinding::new(level, kind, message).help(broken.fault.help());
    let inside =
        broken.path.strip_prefix(root).ok().filter(|inside| !inside.as_os_str().is_empty());
    finding.entry = inside.map(|inside| ShownPath(inside).to_string());
    if let SetFault::Manifest(error) = &broken.fault {
        finding.offset = Some(error.offset);
    }
    finding
}
