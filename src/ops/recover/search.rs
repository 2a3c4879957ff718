//! Searching for recovery candidates: in the directory of the log, in the directory of the server that a log was
//! secured from, and in other directories on request.
//!
//! A file is a candidate only once, by whatever name it is found: the files of a secured log are hard links to those of
//! the server.

use std::collections::{BTreeMap, HashSet};
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::candidates::{Candidate, CandidateFile, CandidateKind};
use super::places::{above, data_directory};
use crate::aof::log::{HistoryFile, Layout, Log, OtherKind};
use crate::aof::manifest;
use crate::base::error::Error;
use crate::input::archive::verify::is_archive;
use crate::input::files::{LeftBehind, ListedFile, Listing};
use crate::input::hold_origin::HoldOrigin;
use crate::input::part_sets::{NumberedPart, PartSet, pair};
use crate::input::set_proposal::{manifest_name, modified};

/// What the name of a directory with a secured log begins with.
pub(super) const HOLD: &str = "aofkit-hold-";

/// The name of the directory of a set by default.
const SET: &str = "appendonlydir";

/// The number of levels of directories that are searched below one that is given.
const DEPTH: u8 = 2;

/// Returns all recovery candidates of `log`, and those in the directories `also`.
pub(super) fn search(log: &Log, also: &[PathBuf]) -> Vec<Candidate> {
    let mut search = Search::default();
    for part in &log.parts {
        search.is_new(&part.path);
    }
    for files in generations(&log.history) {
        search.add(CandidateKind::History, files, None);
    }
    let data = data_directory(log);
    if let Layout::MultiPart { directory, .. } = &log.layout {
        search.directory(directory, &Scope::SetDirectory(own_name(log)), DEPTH);
    }
    search.directory(&data, &scope(log), DEPTH);
    if let Some(origin) = HoldOrigin::read(&data) {
        search.directory(&above(&origin.log), &Scope::Everything, DEPTH);
    }
    for directory in also {
        search.directory(directory, &Scope::Everything, DEPTH);
    }
    search.into_candidates()
}

/// Returns the name of the log that its files have in their names: the server's `appendfilename`.
fn own_name(log: &Log) -> OsString {
    match &log.layout {
        // Without a manifest, the directory was opened.
        Layout::MultiPart { directory, appendfilename, .. } if log.opened == *directory => {
            appendfilename.into()
        }
        Layout::MultiPart { .. } => log.opened.file_stem().unwrap_or_default().to_owned(),
        _ => log.opened.file_name().unwrap_or_default().to_owned(),
    }
}

/// Which files of a directory can belong to a server.
enum Scope {
    /// The directory of a set with this name.
    SetDirectory(OsString),
    /// The data directory of a server that has a set with this name in a directory of this name.
    Server { name: OsString, directory: OsString },
    /// The directory of a single file, which may contain anything else.
    Beside(OsString),
    /// A directory in which everything is a candidate.
    Everything,
}

fn scope(log: &Log) -> Scope {
    match &log.layout {
        Layout::MultiPart { directory, .. } => Scope::Server {
            name: own_name(log),
            directory: directory.file_name().unwrap_or_default().to_owned(),
        },
        _ if log.parts.is_empty() => Scope::Everything,
        _ => Scope::Beside(own_name(log)),
    }
}

impl Scope {
    /// Returns the kind of a file if it is a candidate.
    fn kind(&self, file: &ListedFile) -> Option<OtherKind> {
        let kind = match file.kind_by_name() {
            OtherKind::Unknown => self.kind_by_content(file)?,
            kind => kind,
        };
        match kind {
            OtherKind::TempRewrite | OtherKind::TempRdb | OtherKind::Rdb => Some(kind),
            OtherKind::TempIncr | OtherKind::OldSingleFile => {
                (!matches!(self, Scope::Beside(_))).then_some(kind)
            }
            OtherKind::SingleFile => match self {
                Scope::Server { name, .. } | Scope::SetDirectory(name) if *name == file.name => {
                    Some(OtherKind::OldSingleFile)
                }
                Scope::Server { .. } | Scope::SetDirectory(_) => Some(kind),
                Scope::Beside(_) => None,
                Scope::Everything => Some(kind),
            },
            // Parts are paired into sets, and copies are handled apart.
            _ => None,
        }
    }

    /// Returns the kind of a file whose name is not that of a server's file, by its first bytes, if the name has parts of
    /// such a name: a copy is often named `dump.rdb.old`.
    fn kind_by_content(&self, file: &ListedFile) -> Option<OtherKind> {
        let name = file.name.as_bytes();
        let is_like = |part: &[u8]| memchr::memmem::find(name, part).is_some();
        let is_old = match self {
            Scope::Server { name, .. } | Scope::SetDirectory(name) => *name == file.name,
            Scope::Beside(_) => false,
            Scope::Everything => true,
        };
        let is_wanted =
            is_old || is_like(b".rdb") || !matches!(self, Scope::Beside(_)) && is_like(b".aof");
        is_wanted.then(|| file.kind_by_content()).filter(|kind| *kind != OtherKind::Unknown)
    }

    /// Returns whether something that aofkit kept is a candidate.
    fn includes_copy(&self, left: &LeftBehind) -> bool {
        let of = left.of.as_os_str();
        let is_snapshot = of.as_bytes().ends_with(b".rdb");
        match self {
            Scope::SetDirectory(name) | Scope::Beside(name) => of == name || is_snapshot,
            Scope::Server { name, directory } => of == name || of == directory || is_snapshot,
            Scope::Everything => true,
        }
    }

    /// Returns the scope in which a directory below this one is searched, if it is.
    fn of_directory(&self, directory: &Path) -> Option<Scope> {
        let name = directory.file_name().unwrap_or_default();
        let is_hold = name.as_bytes().starts_with(HOLD.as_bytes());
        let begins_with =
            |start: &OsStr| !start.is_empty() && name.as_bytes().starts_with(start.as_bytes());
        match self {
            Scope::SetDirectory(_) => None,
            Scope::Server { .. } if is_hold => Some(Scope::Everything),
            Scope::Server { directory, .. } => (begins_with(directory)
                || begins_with(OsStr::new(SET)))
            .then_some(Scope::Everything),
            Scope::Beside(file) => {
                let has_set = || directory.join(manifest_name(file)).is_file();
                (begins_with(OsStr::new(SET)) && has_set()).then_some(Scope::Everything)
            }
            Scope::Everything => Some(Scope::Everything),
        }
    }
}

/// A candidate that was found.
struct Found {
    kind: CandidateKind,
    files: Vec<CandidateFile>,
    note: Option<String>,
    problem: Option<String>,
}

#[derive(Default)]
struct Search {
    /// The device and the inode of every file that belongs to the log or to a candidate.
    seen: HashSet<(u64, u64)>,
    found: Vec<Found>,
    /// Files that a server is writing or has not finished, which come and go. They are listed last, so that the numbers
    /// of the others do not depend on them.
    temporary: Vec<Found>,
}

impl Search {
    /// Records a file; returns whether it was not known yet.
    fn is_new(&mut self, path: &Path) -> bool {
        fs::metadata(path).is_ok_and(|file| self.seen.insert((file.dev(), file.ino())))
    }

    /// Adds a candidate, unless all of its files are known already, or are empty.
    fn add(&mut self, kind: CandidateKind, files: Vec<CandidateFile>, note: Option<String>) {
        let is_new = files.iter().filter(|file| self.is_new(&file.path)).count() > 0;
        if !is_new || files.iter().all(|file| file.bytes == 0) {
            return;
        }
        let is_temporary = matches!(
            kind,
            CandidateKind::File(OtherKind::TempIncr | OtherKind::TempRdb | OtherKind::TempRewrite)
        );
        let list = if is_temporary { &mut self.temporary } else { &mut self.found };
        list.push(Found { kind, files, note, problem: None });
    }

    /// Adds the candidates in a directory. One that cannot be listed is one itself, that has a problem: the data may be in
    /// it.
    fn directory(&mut self, directory: &Path, scope: &Scope, depth: u8) {
        let listing = match Listing::read(directory) {
            Ok(listing) => listing,
            // It was removed meanwhile, or the server is on another machine.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return,
            Err(error) => return self.unlistable(directory, error),
        };
        if !matches!(scope, Scope::Beside(_)) {
            for manifest in listing.manifests() {
                self.listed_set(&manifest);
            }
            self.unlisted_parts(&listing);
        }
        for file in &listing.files {
            let kind = match scope {
                Scope::Everything if is_archive(&file.path) => Some(CandidateKind::Archive),
                _ => scope.kind(file).map(CandidateKind::File),
            };
            if let Some(kind) = kind {
                let file = CandidateFile { path: file.path.clone(), bytes: file.bytes };
                self.add(kind, vec![file], None);
            }
        }
        for left in listing.leftovers.iter().filter(|left| scope.includes_copy(left)) {
            self.copy(left, depth);
        }
        let Some(depth) = depth.checked_sub(1) else { return };
        for below in &listing.directories {
            if let Some(scope) = scope.of_directory(below) {
                self.directory(below, &scope, depth);
            }
        }
    }

    fn unlistable(&mut self, directory: &Path, error: std::io::Error) {
        if !self.is_new(directory) {
            return;
        }
        self.found.push(Found {
            kind: CandidateKind::Directory,
            files: vec![CandidateFile { path: directory.to_path_buf(), bytes: 0 }],
            note: None,
            problem: Some(Error::io("list", directory, error).to_string()),
        });
    }

    /// Adds what aofkit kept of a log that it replaced.
    fn copy(&mut self, left: &LeftBehind, depth: u8) {
        let name = left.other.path.file_name().unwrap_or_default().as_bytes();
        // The bytes that were cut off a file are no log of their own.
        let is_cut_off = memchr::memmem::rfind(name, b".cut-").is_some();
        if left.other.kind != OtherKind::OwnCopy || is_cut_off {
            return;
        }
        if left.other.path.is_dir() {
            if let Some(depth) = depth.checked_sub(1) {
                self.directory(&left.other.path, &Scope::Everything, depth);
            }
            return;
        }
        let file = CandidateFile { path: left.other.path.clone(), bytes: left.other.bytes };
        self.add(CandidateKind::File(OtherKind::OwnCopy), vec![file], None);
    }

    /// Adds the set of a manifest, if all of its files exist. Otherwise they are paired by their numbers.
    fn listed_set(&mut self, path: &Path) {
        let Some(manifest) = fs::read(path).ok().and_then(|text| manifest::parse(&text).ok())
        else {
            return;
        };
        let directory = above(path);
        let files: Option<Vec<CandidateFile>> =
            manifest.load_order().map(|entry| file(&directory.join(entry.file_name()))).collect();
        let Some(files) = files.filter(|files| !files.is_empty()) else { return };
        self.add(CandidateKind::Set, files, None);
    }

    /// Adds the parts that no manifest lists, in sets.
    fn unlisted_parts(&mut self, listing: &Listing) {
        let mut by_name: BTreeMap<&OsStr, Vec<NumberedPart<CandidateFile>>> = BTreeMap::new();
        for file in &listing.files {
            let Some(part) = file.part_name() else { continue };
            let Some(seq) = part.seq.filter(|_| !self.is_known(&file.path)) else { continue };
            let file = CandidateFile { path: file.path.clone(), bytes: file.bytes };
            by_name.entry(part.appendfilename).or_default().push(NumberedPart {
                role: part.role,
                seq,
                file,
            });
        }
        for PartSet { files, note } in by_name.into_values().flat_map(pair) {
            let files = files.into_iter().map(|part| part.file).collect();
            self.add(CandidateKind::Unlisted, files, note.map(|note| note.to_string()));
        }
    }

    fn is_known(&self, path: &Path) -> bool {
        fs::metadata(path).is_ok_and(|file| self.seen.contains(&(file.dev(), file.ino())))
    }

    fn into_candidates(self) -> Vec<Candidate> {
        let numbered = self.found.into_iter().chain(self.temporary).zip(1..);
        numbered
            .map(|(Found { kind, files, note, problem }, number)| Candidate {
                number,
                kind,
                modified: files.iter().filter_map(|file| modified(&file.path)).max(),
                files,
                holds: None,
                adds: None,
                unread: None,
                ends_in_flush: false,
                note,
                problem,
            })
            .collect()
    }
}

/// Returns a regular file, if it exists.
fn file(path: &Path) -> Option<CandidateFile> {
    let metadata = fs::metadata(path).ok().filter(fs::Metadata::is_file)?;
    Some(CandidateFile { path: path.to_path_buf(), bytes: metadata.len() })
}

/// Returns the sets that rewrites have replaced, the most recent first. A manifest lists the incremental files of one,
/// newest first, and then its base.
fn generations(history: &[HistoryFile]) -> Vec<Vec<CandidateFile>> {
    let mut found = Vec::new();
    let mut files: Vec<CandidateFile> = Vec::new();
    for file in history {
        if let Some(bytes) = file.bytes {
            files.push(CandidateFile { path: file.path.clone(), bytes });
        }
        if file.name.contains(".base.") || !file.name.contains(".incr.") {
            files.reverse();
            found.push(std::mem::take(&mut files));
        }
    }
    files.reverse();
    found.push(files);
    found.retain(|files| !files.is_empty());
    found
}
