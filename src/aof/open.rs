//! Opening what a person points at.
//!
//! A log is one file up to Redis 6.2 and a directory with a manifest since 7.0, and people point at
//! either, at the manifest, at one part, or at the server's data directory above. [`open`] takes them all and
//! knows a file by its first bytes, as the loader does; names count only where bytes say nothing (an
//! empty file, a part by itself) and to find a log in a directory.
//!
//! | pointed at | opened |
//! |---|---|
//! | a file that begins with `REDIS` or `VALKEY` | [`Layout::RdbFile`]: an RDB, or an AOF with an RDB preamble |
//! | a manifest | [`Layout::MultiPart`]: what it lists, beside it |
//! | an archive, a compressed file, a server's configuration | refused, with what to do |
//! | one base or incremental file of a set | [`Layout::OnePart`] |
//! | an empty file | [`Layout::Empty`] |
//! | any other file | [`Layout::SingleFile`], however damaged: the scan will tell |
//! | a directory with one manifest | [`Layout::MultiPart`] |
//! | a directory with one sub-directory that has one | that one |
//! | a directory with parts of a set and no manifest | refused: a server would start with no data |
//! | a directory with one `*.aof`, else one `*.rdb` | that file; by first bytes where no name ends so |
//! | a directory with several of the same rank | refused, with the list |
//!
//! A server that finds its old single file and no set, or a set that it was about to move it
//! into, loads the old file (`loadAppendOnlyFiles`, the upgrade to 7.0); so does [`open`].

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::fs::{self, File};
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use serde::Serialize;

use super::manifest::{self, Manifest, ManifestError, Role, Rule, printable};
use crate::disk::Mapping;
use crate::error::{Error, ErrorKind, Result};
use crate::escape::ShownPath;

/// A log, opened: what a server would load, in the order in which it would.
pub struct Log {
    /// The path as it was pointed at.
    pub path: PathBuf,
    /// What was opened: the file, or the manifest of the set. Another path than [`Log::path`] where a
    /// directory was pointed at.
    pub opened: PathBuf,
    /// Why just that was opened, where there was a choice: a sentence for a person, without a stop.
    pub chosen: Option<String>,
    /// How the log lies on disk.
    pub layout: Layout,
    /// The files that a server loads, in its order. None for a manifest that lists no file.
    pub parts: Vec<Part>,
    /// The files that the manifest lists as replaced by a rewrite; never loaded.
    pub history: Vec<HistoryFile>,
    /// The manifest, of a multi-part log.
    pub manifest: Option<ManifestFile>,
    /// Files of a server found beside the log that are no part of it. Of a log in a single file only
    /// when a directory was pointed at.
    pub others: Vec<OtherFile>,
}

impl Log {
    /// The length of all parts together, in bytes.
    pub fn bytes(&self) -> u64 {
        self.parts.iter().map(|part| part.mapping.len()).sum()
    }
}

/// How a log lies on disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Layout {
    /// A file with no bytes: a server starts with nothing from it.
    Empty,
    /// One file of commands. Nothing in it has been looked at but that it does not begin as an RDB.
    SingleFile,
    /// One file that begins with the magic of an RDB: an RDB and nothing else, or an AOF with an RDB
    /// preamble. Which, shows only where the RDB ends.
    RdbFile,
    /// A directory with a manifest.
    MultiPart {
        /// The directory that the parts are in.
        #[serde(serialize_with = "crate::escape::path")]
        directory: PathBuf,
        /// Its name: the server's `appenddirname`. Empty where the path does not tell it.
        appenddirname: String,
        /// The manifest's name without `.manifest`: the server's `appendfilename`.
        appendfilename: String,
    },
    /// One base or incremental file of a set, without the others.
    OnePart {
        /// The manifest beside it, if there is one that lists it among what is loaded.
        #[serde(serialize_with = "crate::escape::path_if_any")]
        manifest: Option<PathBuf>,
    },
}

/// What a part is to the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum PartRole {
    /// The whole log.
    Single,
    /// The base file of a set.
    Base,
    /// An incremental file of a set.
    Incr,
}

/// One file that a server loads.
pub struct Part {
    /// The file's name, made printable.
    pub name: String,
    /// Where it is.
    pub path: PathBuf,
    /// What it is to the log.
    pub role: PartRole,
    /// Its place in [`Log::parts`], from 0.
    pub index: usize,
    /// Its bytes.
    pub mapping: Mapping,
    /// Whether a server loads it last, and so forgives a torn end. Of one part by itself: whether
    /// it is the last of its set, and true where nothing tells.
    pub is_last: bool,
}

impl Part {
    /// Whether a server reads the beginning of this part as an RDB.
    pub fn starts_with_rdb(&self) -> bool {
        starts_with_rdb(self.mapping.bytes())
    }
}

/// A file that a rewrite has replaced.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HistoryFile {
    /// Its name, made printable.
    pub name: String,
    /// Where it is or was.
    #[serde(serialize_with = "crate::escape::path")]
    pub path: PathBuf,
    /// Its length in bytes, if it is still there.
    pub bytes: Option<u64>,
    /// Its line in the manifest, from 1.
    pub line: u64,
}

/// A manifest, with the path it was read from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManifestFile {
    /// Where it is.
    pub path: PathBuf,
    /// What it says.
    pub manifest: Manifest,
}

/// A file beside the log that is no part of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OtherFile {
    /// Where it is.
    #[serde(serialize_with = "crate::escape::path")]
    pub path: PathBuf,
    /// Its length in bytes.
    pub bytes: u64,
    /// What it probably is.
    pub kind: OtherKind,
}

/// What a file beside a log probably is. Names follow `aof.c` and `rdb.c`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum OtherKind {
    /// Named as a base file, and not in the manifest.
    OrphanBase,
    /// Named as an incremental file, and not in the manifest.
    OrphanIncr,
    /// A second manifest.
    OtherManifest,
    /// `temp-NAME.manifest`: a manifest that was being written.
    TempManifest,
    /// `temp-NAME.incr`: what was written while the AOF was being switched on.
    TempIncr,
    /// `temp-rewriteaof-*.aof`: the output of a rewrite.
    TempRewrite,
    /// `temp-*.rdb`: the output of a snapshot.
    TempRdb,
    /// The single file from before the upgrade to a set; no longer loaded.
    OldSingleFile,
    /// A single-file AOF, or what looks like one, that belongs to no set.
    SingleFile,
    /// A snapshot.
    Rdb,
    /// Nothing that a server makes.
    Unknown,
}

impl OtherKind {
    /// What that means, in a few words for a person.
    pub fn meaning(self) -> &'static str {
        match self {
            OtherKind::OrphanBase => {
                "a base file that the manifest does not list: left by a rewrite that was interrupted"
            }
            OtherKind::OrphanIncr => {
                "an incremental file that the manifest does not list: a server does not load it"
            }
            OtherKind::OtherManifest => "another manifest",
            OtherKind::TempManifest => "a manifest that was never finished",
            OtherKind::TempIncr => "writes from while the AOF was being switched on",
            OtherKind::TempRewrite => "the output of a rewrite that runs or was interrupted",
            OtherKind::TempRdb => "the output of a snapshot that runs or was interrupted",
            OtherKind::OldSingleFile => {
                "the single file from before the upgrade to a set: a server no longer loads it"
            }
            OtherKind::SingleFile => "an append-only file that belongs to no set",
            OtherKind::Rdb => "a snapshot: a server with an append-only file does not load it",
            OtherKind::Unknown => "nothing that a server makes",
        }
    }
}

/// A set that every server refuses to load (or, without a manifest, loads as if it were empty).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BrokenSet {
    /// The manifest; of [`Fault::NoManifest`] the directory.
    #[serde(rename = "broken_path", serialize_with = "crate::escape::path")]
    pub path: PathBuf,
    /// What is wrong.
    #[serde(flatten)]
    pub fault: Fault,
}

/// What is wrong with a set, before any byte of its parts is read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
#[non_exhaustive]
pub enum Fault {
    /// The manifest breaks a rule.
    Manifest(ManifestError),
    /// It lists a part that is not there.
    MissingPart {
        /// The line, from 1.
        line: u64,
        /// The file, made printable.
        name: String,
        /// Base or incremental.
        role: Role,
    },
    /// It lists a name that is no file: empty, `.` or `..`.
    UnusableName {
        /// The line, from 1.
        line: u64,
        /// The name.
        name: String,
    },
    /// Files named as parts, and no manifest.
    NoManifest {
        /// The files, made printable, sorted.
        parts: Vec<String>,
    },
}

impl Fault {
    /// The name of the fault, which stays the same from version to version: for a broken rule that of the
    /// [rule](Rule::kind).
    pub fn kind(&self) -> &'static str {
        match self {
            Fault::Manifest(error) => error.rule.kind(),
            Fault::MissingPart { .. } => "missing-part",
            Fault::UnusableName { .. } => "unusable-name",
            Fault::NoManifest { .. } => "no-manifest",
        }
    }

    /// The manifest's line, from 1, where there is one.
    pub fn line(&self) -> Option<u64> {
        match self {
            Fault::Manifest(error) if error.rule == Rule::Empty => None,
            Fault::Manifest(error) => Some(error.line),
            Fault::MissingPart { line, .. } | Fault::UnusableName { line, .. } => Some(*line),
            Fault::NoManifest { .. } => None,
        }
    }

    /// What to do about it.
    pub fn help(&self) -> String {
        match self {
            Fault::Manifest(error) => {
                let first = match &error.rule {
                    _ if error.rest_of_comment => "shorten the comment",
                    Rule::Empty => "take it from a backup, or write it anew, a line a file: file NAME seq NUMBER type b (base) or i (incremental)",
                    Rule::NoNewline => "add the newline, unless more is missing",
                    Rule::BlankLine => "delete the line",
                    Rule::Quoting if error.text.contains('\'') && !error.text.contains('"') => {
                        "put the file name in double quotes; servers write a name with ' as it is and then cannot read it"
                    }
                    _ => "correct the line, or take the manifest from a backup",
                };
                format!("{first}; no server starts with it as it is")
            }
            Fault::MissingPart { line, role: Role::Incr, .. } => format!(
                "restore it from a backup; no server starts without it. Deleting line {line} gives up the writes that were in it"
            ),
            Fault::MissingPart { .. } => {
                "restore it from a backup; no server starts without it".into()
            }
            Fault::UnusableName { .. } => {
                "correct the line, or take the manifest from a backup; no server starts with it as it is".into()
            }
            Fault::NoManifest { .. } => {
                "restore the manifest from a backup, or give one of these files; a server started on the directory as it is would begin with no data".into()
            }
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Manifest(error) => f.write_str(&error.message()),
            Fault::MissingPart { name, .. } => write!(f, "`{name}` is listed but does not exist"),
            Fault::UnusableName { name, .. } => write!(f, "`{name}` cannot be the name of a file"),
            Fault::NoManifest { parts } => {
                write!(f, "parts of a set without their manifest: {}", parts.join(", "))
            }
        }
    }
}

impl From<BrokenSet> for Error {
    fn from(broken: BrokenSet) -> Self {
        let mut error = Error::new(ErrorKind::Manifest, broken.fault.to_string());
        if let Some(line) = broken.fault.line() {
            error = error.line(line);
        }
        error.at(broken.path).help(broken.fault.help())
    }
}

/// Opens what `path` points at.
///
/// # Errors
///
/// - [`ErrorKind::NotFound`], [`ErrorKind::Permission`], [`ErrorKind::Io`]: the system refuses, or a directory
///   holds no log.
/// - [`ErrorKind::Unrecognised`]: the bytes are of some other well-known format.
/// - [`ErrorKind::Manifest`]: no server loads the set; [`try_open`] gives the reason as a value.
/// - [`ErrorKind::Usage`]: a pipe or standard input; a directory with several logs.
pub fn open(path: impl AsRef<Path>) -> Result<Log> {
    try_open(path)?.map_err(Error::from)
}

/// Opens what `path` points at, for code that reports a broken set as a finding rather than as a
/// failure.
///
/// # Errors
///
/// As [`open`], without [`ErrorKind::Manifest`].
pub fn try_open(path: impl AsRef<Path>) -> Result<Result<Log, BrokenSet>> {
    let path = path.as_ref();
    if path == Path::new("-") {
        return Err(Error::new(ErrorKind::Usage, "standard input cannot be mapped into memory")
            .help("save it to a file first, and give the name of that"));
    }
    let metadata = fs::metadata(path).map_err(|e| Error::io("open", path, e))?;
    let opened = if metadata.is_dir() { open_directory(path)? } else { open_file(path)? };
    Ok(opened.map(|log| Log { path: path.to_path_buf(), ..log }))
}

/// Whether the loader takes `bytes` for an RDB. Redis and Valkey up to 8 know only the first magic.
pub fn starts_with_rdb(bytes: &[u8]) -> bool {
    bytes.starts_with(b"REDIS") || bytes.starts_with(b"VALKEY")
}

fn open_file(path: &Path) -> Result<Result<Log, BrokenSet>> {
    let mapping = Mapping::open(path)?;
    let bytes = mapping.bytes();
    let name = path.file_name().unwrap_or_default();
    if let Some((what, help)) = foreign(bytes) {
        return Err(Error::new(ErrorKind::Unrecognised, format!("this is {what}"))
            .at(path)
            .help(help));
    }
    let is_manifest = manifest::looks_like_manifest(bytes)
        || (name.as_bytes().ends_with(MANIFEST)
            && !bytes.starts_with(b"*")
            && !starts_with_rdb(bytes));
    if is_manifest {
        return open_set(path);
    }
    let member = Member::find(path);
    let layout = match &member {
        Some(member) => Layout::OnePart { manifest: member.manifest.clone() },
        None if bytes.is_empty() => Layout::Empty,
        None if starts_with_rdb(bytes) => Layout::RdbFile,
        None => Layout::SingleFile,
    };
    let part = Part {
        name: printable(name.as_bytes()),
        path: path.to_path_buf(),
        role: member.as_ref().map_or(PartRole::Single, |member| member.role),
        index: 0,
        is_last: member.is_none_or(|member| member.is_last),
        mapping,
    };
    Ok(Ok(Log {
        path: path.to_path_buf(),
        opened: path.to_path_buf(),
        chosen: None,
        layout,
        parts: vec![part],
        history: Vec::new(),
        manifest: None,
        others: Vec::new(),
    }))
}

/// What one file is to the set it belongs to.
struct Member {
    manifest: Option<PathBuf>,
    role: PartRole,
    is_last: bool,
}

impl Member {
    /// By the manifest beside the file, or else by the file's name.
    fn find(path: &Path) -> Option<Member> {
        let name = path.file_name()?;
        let by_name = PartName::parse(name);
        let set = by_name.as_ref().map_or(name, |part| part.appendfilename);
        let manifest_path = path.with_file_name(with_suffix(set, MANIFEST));
        let manifest = fs::read(&manifest_path).ok().and_then(|text| manifest::parse(&text).ok());
        if let Some(manifest) = manifest {
            let loaded: Vec<_> = manifest.load_order().collect();
            let place = loaded.iter().rposition(|entry| entry.file_name() == name);
            if let Some((place, entry)) = place.and_then(|at| Some((at, loaded.get(at)?))) {
                return Some(Member {
                    manifest: Some(manifest_path),
                    role: part_role(entry.role),
                    is_last: place + 1 == loaded.len(),
                });
            }
        }
        by_name.map(|part| Member { manifest: None, role: part_role(part.role), is_last: true })
    }
}

fn part_role(role: Role) -> PartRole {
    if role == Role::Base { PartRole::Base } else { PartRole::Incr }
}

/// Opens a set by its manifest.
fn open_set(manifest_path: &Path) -> Result<Result<Log, BrokenSet>> {
    let broken = |fault| Ok(Err(BrokenSet { path: manifest_path.to_path_buf(), fault }));
    let text = fs::read(manifest_path).map_err(|e| Error::io("read", manifest_path, e))?;
    let manifest = match manifest::parse(&text) {
        Ok(manifest) => manifest,
        Err(error) => return broken(Fault::Manifest(error)),
    };
    let directory = parent(manifest_path);
    let above = parent(&directory);
    let file_name = manifest_path.file_name().unwrap_or_default().as_bytes();
    let appendfilename = OsStr::from_bytes(file_name.strip_suffix(MANIFEST).unwrap_or(file_name));
    let old_file = above.join(appendfilename);
    let has_old_file = !appendfilename.is_empty() && old_file.is_file();

    let mut chosen = None;
    let mut parts = Vec::new();
    let upgrading = || {
        format!(
            "{}: the upgrade of this single file to a set was not finished, and a server goes on with it",
            ShownPath(&old_file)
        )
    };
    if has_old_file && manifest.load_order().next().is_none() {
        chosen = Some(upgrading());
        parts.push((old_file.clone(), PartRole::Base));
    }
    for entry in manifest.load_order() {
        let name = printable(&entry.name);
        if matches!(entry.name.as_slice(), b"" | b"." | b"..") {
            return broken(Fault::UnusableName { line: entry.line, name });
        }
        let path = directory.join(entry.file_name());
        match fs::metadata(&path) {
            Ok(_) => parts.push((path, part_role(entry.role))),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                let base_alone = manifest.load_order().count() == 1 && entry.role == Role::Base;
                if !(has_old_file && base_alone && entry.file_name() == appendfilename) {
                    let (line, role) = (entry.line, entry.role);
                    return broken(Fault::MissingPart { line, name, role });
                }
                chosen = Some(upgrading());
                parts.push((old_file.clone(), PartRole::Base));
            }
            Err(e) => return Err(Error::io("open", path, e)),
        }
    }

    let count = parts.len();
    let parts = parts
        .into_iter()
        .enumerate()
        .map(|(index, (path, role))| {
            Ok(Part {
                name: printable(path.file_name().unwrap_or_default().as_bytes()),
                mapping: Mapping::open(&path)?,
                path,
                role,
                index,
                is_last: index + 1 == count,
            })
        })
        .collect::<Result<Vec<_>>>()?;
    let history = manifest
        .with_role(Role::History)
        .map(|entry| {
            let path = directory.join(entry.file_name());
            let metadata = fs::metadata(&path).ok().filter(fs::Metadata::is_file);
            HistoryFile {
                name: printable(&entry.name),
                bytes: metadata.map(|metadata| metadata.len()),
                path,
                line: entry.line,
            }
        })
        .collect();

    let mut others = Vec::new();
    // What cannot be listed is not reported: it is no part of the log.
    for file in Listing::read(&directory).map(|listing| listing.files).unwrap_or_default() {
        let listed = manifest.entries.iter().any(|entry| entry.file_name() == file.name)
            || Some(file.name.as_os_str()) == manifest_path.file_name();
        if !listed {
            let kind = match file.kind_by_name() {
                OtherKind::Unknown if file.name == appendfilename => OtherKind::OldSingleFile,
                kind => kind,
            };
            others.push(file.into_other(kind));
        }
    }
    for file in Listing::read(&above).map(|listing| listing.files).unwrap_or_default() {
        let kind = match file.kind_by_name() {
            OtherKind::SingleFile | OtherKind::Unknown if file.name == appendfilename => {
                OtherKind::OldSingleFile
            }
            kind @ (OtherKind::TempRewrite
            | OtherKind::TempRdb
            | OtherKind::Rdb
            | OtherKind::SingleFile) => kind,
            _ => continue,
        };
        if parts.iter().all(|part| part.path != file.path) {
            others.push(file.into_other(kind));
        }
    }

    Ok(Ok(Log {
        path: manifest_path.to_path_buf(),
        opened: manifest_path.to_path_buf(),
        chosen,
        layout: Layout::MultiPart {
            appenddirname: printable(directory.file_name().unwrap_or_default().as_bytes()),
            directory,
            appendfilename: printable(appendfilename.as_bytes()),
        },
        parts,
        history,
        manifest: Some(ManifestFile { path: manifest_path.to_path_buf(), manifest }),
        others,
    }))
}

/// Opens the one log that is in a directory.
fn open_directory(directory: &Path) -> Result<Result<Log, BrokenSet>> {
    let listing = Listing::read(directory).map_err(|e| Error::io("list", directory, e))?;
    let here = listing.manifests();
    match here.as_slice() {
        [] => {}
        [manifest] => return open_set(manifest),
        _ => return Err(ambiguous(directory, "manifests", &here)),
    }

    // The data directory of a server?
    let mut manifests = Vec::new();
    let mut bereft = Vec::new();
    for sub in &listing.directories {
        // A directory that may not be listed is no server's that this user could read.
        let Ok(sub_listing) = Listing::read(sub) else { continue };
        let found = sub_listing.manifests();
        if found.is_empty() && !sub_listing.parts().is_empty() {
            bereft.push((sub, sub_listing.parts()));
        }
        manifests.extend(found);
    }
    let relative = |path: &Path| {
        printable(path.strip_prefix(directory).unwrap_or(path).as_os_str().as_bytes())
    };
    let because = |log: Log, why: &str| Log {
        chosen: log.chosen.clone().or_else(|| Some(format!("{}: {why}", relative(&log.opened)))),
        ..log
    };
    match manifests.as_slice() {
        [] => {}
        [manifest] => {
            let opened = open_set(manifest)?;
            return Ok(opened.map(|log| because(log, "the only multi-part set in this directory")));
        }
        _ => return Err(ambiguous(directory, "multi-part sets", &manifests)),
    }

    let parts = listing.parts();
    if !parts.is_empty() {
        return Ok(Err(BrokenSet {
            path: directory.to_path_buf(),
            fault: Fault::NoManifest { parts },
        }));
    }
    let named = |kind| listing.files_where(|file| file.kind_by_name() == kind);
    let alike = |kind| {
        listing.files_where(|file| {
            file.kind_by_name() == OtherKind::Unknown && file.kind_by_content() == kind
        })
    };
    let mut found = named(OtherKind::SingleFile);
    let mut what = "append-only files";
    let mut why = "the only append-only file in this directory";
    if let (true, Some((sub, parts))) = (found.is_empty(), bereft.into_iter().next()) {
        // A server would start with no data rather than with a snapshot or a file of another name.
        let fault = Fault::NoManifest { parts };
        return Ok(Err(BrokenSet { path: sub.to_path_buf(), fault }));
    }
    if found.is_empty() {
        // Nothing is named as a log. What begins as one may be a log of another name or a copy that
        // somebody put aside: not for us to prefer to a snapshot.
        let snapshots = named(OtherKind::Rdb);
        found = alike(OtherKind::SingleFile);
        match (found.as_slice(), snapshots.as_slice()) {
            ([_], []) => {}
            (_, []) if found.is_empty() => {
                what = "RDB files";
                why = "the only RDB in this directory, and there is no append-only file";
                found = alike(OtherKind::Rdb);
            }
            _ => {
                what = "logs or snapshots";
                why = "the only RDB in this directory, and there is no append-only file";
                found.extend(snapshots);
            }
        }
    }
    let chosen = match found.as_slice() {
        [file] => file,
        [] => {
            return Err(Error::new(
                ErrorKind::NotFound,
                "there is no append-only file and no RDB in this directory",
            )
            .at(directory)
            .help("looked for a *.manifest in it and in the directories in it, for *.aof and *.rdb files, and for files that begin like one"));
        }
        _ => return Err(ambiguous(directory, what, &found)),
    };
    let opened = open_file(chosen)?;
    let others = listing.files.iter().filter(|file| &file.path != chosen).filter_map(|file| {
        let kind = match file.kind_by_name() {
            OtherKind::Unknown => file.kind_by_content(),
            kind => kind,
        };
        (kind != OtherKind::Unknown).then(|| file.clone().into_other(kind))
    });
    Ok(opened.map(|log| Log { others: others.collect(), ..because(log, why) }))
}

fn ambiguous(directory: &Path, what: &str, candidates: &[PathBuf]) -> Error {
    let names: Vec<_> = candidates
        .iter()
        .map(|path| printable(path.strip_prefix(directory).unwrap_or(path).as_os_str().as_bytes()))
        .collect();
    Error::new(ErrorKind::Usage, format!("there are several {what} here: {}", names.join(", ")))
        .at(directory)
        .help("give the one that is meant")
}

const MANIFEST: &[u8] = b".manifest";

/// The files and directories in a directory, by name; what links point at counts.
struct Listing {
    files: Vec<ListedFile>,
    directories: Vec<PathBuf>,
}

#[derive(Clone)]
struct ListedFile {
    name: OsString,
    path: PathBuf,
    bytes: u64,
}

impl Listing {
    fn read(directory: &Path) -> std::io::Result<Listing> {
        let mut listing = Listing { files: Vec::new(), directories: Vec::new() };
        for entry in fs::read_dir(directory)? {
            let entry = entry?;
            let path = entry.path();
            // A link that points nowhere, or a file deleted since it was listed.
            let Ok(metadata) = fs::metadata(&path) else { continue };
            if metadata.is_dir() {
                listing.directories.push(path);
            } else if metadata.is_file() {
                let (name, bytes) = (entry.file_name(), metadata.len());
                listing.files.push(ListedFile { name, path, bytes });
            }
        }
        listing.directories.sort();
        listing.files.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(listing)
    }

    fn files_where(&self, wanted: impl Fn(&ListedFile) -> bool) -> Vec<PathBuf> {
        self.files.iter().filter(|file| wanted(file)).map(|file| file.path.clone()).collect()
    }

    fn manifests(&self) -> Vec<PathBuf> {
        self.files_where(|file| file.kind_by_name() == OtherKind::OtherManifest)
    }

    /// The names of those named as parts of a set, printable.
    fn parts(&self) -> Vec<String> {
        let is_part = |file: &&ListedFile| PartName::parse(&file.name).is_some();
        self.files.iter().filter(is_part).map(|file| printable(file.name.as_bytes())).collect()
    }
}

impl ListedFile {
    fn kind_by_name(&self) -> OtherKind {
        let name = self.name.as_bytes();
        let starts = |prefix: &[u8]| name.starts_with(prefix);
        let ends = |suffix: &[u8]| name.ends_with(suffix);
        if starts(b"temp-rewriteaof-") && ends(b".aof") {
            OtherKind::TempRewrite
        } else if starts(b"temp-") && ends(MANIFEST) {
            OtherKind::TempManifest
        } else if starts(b"temp-") && ends(b".incr") {
            OtherKind::TempIncr
        } else if starts(b"temp-") && ends(b".rdb") {
            OtherKind::TempRdb
        } else if ends(MANIFEST) {
            OtherKind::OtherManifest
        } else if let Some(part) = PartName::parse(&self.name) {
            if part.role == Role::Base { OtherKind::OrphanBase } else { OtherKind::OrphanIncr }
        } else if ends(b".aof") {
            OtherKind::SingleFile
        } else if ends(b".rdb") {
            OtherKind::Rdb
        } else {
            OtherKind::Unknown
        }
    }

    /// By the first bytes; unknown what cannot be read.
    fn kind_by_content(&self) -> OtherKind {
        let mut head = Vec::new();
        let read = File::open(&self.path).and_then(|file| file.take(8).read_to_end(&mut head));
        match (read, head.as_slice()) {
            (Ok(_), head) if starts_with_rdb(head) => OtherKind::Rdb,
            (Ok(_), [b'*', b'1'..=b'9', ..]) => OtherKind::SingleFile,
            (Ok(_), head) if head.starts_with(b"#TS:") => OtherKind::SingleFile,
            _ => OtherKind::Unknown,
        }
    }

    fn into_other(self, kind: OtherKind) -> OtherFile {
        OtherFile { path: self.path, bytes: self.bytes, kind }
    }
}

/// A file name of the form that servers give to the parts of a set: `NAME.SEQ.base.rdb`,
/// `NAME.SEQ.base.aof`, `NAME.SEQ.incr.aof`.
struct PartName<'a> {
    appendfilename: &'a OsStr,
    role: Role,
}

impl PartName<'_> {
    fn parse(name: &OsStr) -> Option<PartName<'_>> {
        let name = name.as_bytes();
        let (stem, role) = [
            (&b".base.rdb"[..], Role::Base),
            (b".base.aof", Role::Base),
            (b".incr.aof", Role::Incr),
        ]
        .into_iter()
        .find_map(|(suffix, role)| Some((name.strip_suffix(suffix)?, role)))?;
        let dot = memchr::memrchr(b'.', stem)?;
        let (appendfilename, seq) = (stem.get(..dot)?, stem.get(dot + 1..)?);
        let is_number = !seq.is_empty() && seq.iter().all(u8::is_ascii_digit);
        (is_number && !appendfilename.is_empty())
            .then_some(PartName { appendfilename: OsStr::from_bytes(appendfilename), role })
    }
}

fn with_suffix(name: &OsStr, suffix: &[u8]) -> OsString {
    let mut name = name.to_os_string();
    name.push(OsStr::from_bytes(suffix));
    name
}

/// The directory that `path` is in, as a path that can be opened. Links are not resolved: of a
/// linked `appenddirname`, the data directory is where the link is.
fn parent(path: &Path) -> PathBuf {
    match path.components().next_back() {
        Some(Component::Normal(_)) => match path.parent() {
            Some(parent) if parent.as_os_str().is_empty() => PathBuf::from("."),
            Some(parent) => parent.to_path_buf(),
            None => PathBuf::from("."),
        },
        _ => path.join(".."),
    }
}

/// What a file is that begins like nothing that is read here, and what to do with it.
fn foreign(bytes: &[u8]) -> Option<(&'static str, &'static str)> {
    const MAGIC: &[(&[u8], &str, &str)] = &[
        (b"\x1f\x8b\x08", "a gzip file", "decompress it first: gzip -dc FILE > NEW"),
        (b"PK\x03\x04", "a zip archive", "extract it first: unzip FILE"),
        (b"PK\x05\x06", "an empty zip archive", "there is nothing in it to read"),
        (b"\x28\xb5\x2f\xfd", "a Zstandard file", "decompress it first: zstd -dc FILE > NEW"),
        (b"\xfd7zXZ\0", "an xz file", "decompress it first: xz -dc FILE > NEW"),
        (b"BZh", "a bzip2 file", "decompress it first: bzip2 -dc FILE > NEW"),
        (b"\x04\x22\x4d\x18", "an LZ4 file", "decompress it first: lz4 -dc FILE > NEW"),
        (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive", "extract it first: 7z x FILE"),
        (
            b"age-encryption.org/",
            "a file encrypted with age",
            "decrypt it first: age -d -o NEW FILE",
        ),
        (
            b"-----BEGIN PGP MESSAGE",
            "a file encrypted with PGP",
            "decrypt it first: gpg -o NEW -d FILE",
        ),
    ];
    if let Some((_, what, help)) = MAGIC.iter().find(|(magic, ..)| bytes.starts_with(magic)) {
        return Some((what, help));
    }
    if bytes.get(257..262) == Some(b"ustar") {
        return Some(("a tar archive", "extract it first: tar -xf FILE"));
    }
    is_configuration(bytes).then_some((
        "a server's configuration file",
        "give the directory that its `dir` names, or the append-only file in it",
    ))
}

/// Whether the first line that is neither blank nor a comment is a directive of a server.
fn is_configuration(bytes: &[u8]) -> bool {
    // The templates that servers come with have some kilobytes of comments first.
    const LOOK_AT_BYTES: usize = 64 * 1024;
    const DIRECTIVES: &[&str] = &[
        "appenddirname",
        "appendfilename",
        "appendfsync",
        "appendonly",
        "bind",
        "daemonize",
        "databases",
        "dbfilename",
        "dir",
        "include",
        "loadmodule",
        "logfile",
        "loglevel",
        "maxmemory",
        "pidfile",
        "port",
        "protected-mode",
        "replicaof",
        "requirepass",
        "save",
        "supervised",
        "tcp-backlog",
        "tcp-keepalive",
        "timeout",
        "tls-port",
        "unixsocket",
    ];
    let head = bytes.get(..LOOK_AT_BYTES).unwrap_or(bytes);
    let mut lines = head.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii);
    let Some(line) = lines.find(|line| !line.is_empty() && !line.starts_with(b"#")) else {
        return false;
    };
    let mut words = line.split(|byte| byte.is_ascii_whitespace());
    let first = words.next().unwrap_or_default();
    words.next().is_some()
        && DIRECTIVES.iter().any(|directive| first.eq_ignore_ascii_case(directive.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;
    use tempfile::TempDir;

    const SET: &[u8] = b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\nv\r\n";
    const RDB: &[u8] = b"REDIS0011\xff\0\0\0\0\0\0\0\0";

    type Files<'a> = &'a [(&'a str, &'a [u8])];

    /// A directory made of `(path, content)`; a path that ends in `/` is a directory.
    fn files(files: Files) -> TempDir {
        let directory = tempfile::tempdir().unwrap();
        for (name, content) in files {
            let path = directory.path().join(name);
            if name.ends_with('/') {
                fs::create_dir_all(path).unwrap();
            } else {
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, content).unwrap();
            }
        }
        directory
    }

    /// A server's data directory with a base and two incremental files.
    fn data_directory(more: Files) -> TempDir {
        let set: Files = &[
            (
                "appendonlydir/appendonly.aof.manifest",
                b"file appendonly.aof.2.base.rdb seq 2 type b\nfile appendonly.aof.1.incr.aof seq 1 type h\nfile appendonly.aof.2.incr.aof seq 2 type i\nfile appendonly.aof.3.incr.aof seq 3 type i\n",
            ),
            ("appendonlydir/appendonly.aof.2.base.rdb", RDB),
            ("appendonlydir/appendonly.aof.2.incr.aof", SET),
            ("appendonlydir/appendonly.aof.3.incr.aof", b""),
        ];
        files(&[set, more].concat())
    }

    /// What was opened: the layout, then each part as `role:name`, `*` after the last.
    fn shape(log: &Log) -> String {
        let kind = serde_json::to_value(&log.layout).unwrap()["kind"].as_str().unwrap().to_string();
        let parts = log.parts.iter().map(|part| {
            let last = if part.is_last { "*" } else { "" };
            format!(" {:?}:{}{last}", part.role, part.name).to_lowercase()
        });
        kind + &parts.collect::<String>()
    }

    fn others(log: &Log) -> Vec<(String, OtherKind)> {
        let name = |path: &Path| path.file_name().unwrap().to_string_lossy().into_owned();
        log.others.iter().map(|other| (name(&other.path), other.kind)).collect()
    }

    /// The message and help of the error, with the directory left out.
    fn refusal(directory: &TempDir, path: &str) -> String {
        let error = open(directory.path().join(path)).err().unwrap();
        let prefix = directory.path().display().to_string();
        let message = error.to_string().replace(&format!("{prefix}/"), "").replace(&prefix, "");
        format!("{:?}: {message} | {}", error.kind(), error.next_step().unwrap_or_default())
    }

    const PARTS: &str = "multi-part base:appendonly.aof.2.base.rdb incr:appendonly.aof.2.incr.aof incr:appendonly.aof.3.incr.aof*";

    #[test]
    fn a_file_is_known_by_its_first_bytes() {
        let cases: &[(&str, &[u8], &str)] = &[
            ("a.aof", SET, "single-file single:a.aof*"),
            ("a.rdb", SET, "single-file single:a.rdb*"),
            ("a.manifest", SET, "single-file single:a.manifest*"),
            ("a.aof", b"#TS:1700000000\r\n*1\r\n$4\r\nPING\r\n", "single-file single:a.aof*"),
            ("a.aof", b"\0\0\0\0", "single-file single:a.aof*"),
            ("a.aof", b"hello\n", "single-file single:a.aof*"),
            ("a.aof", RDB, "rdb-file single:a.aof*"),
            ("a.manifest", RDB, "rdb-file single:a.manifest*"),
            ("a.aof", b"VALKEY080\xff", "rdb-file single:a.aof*"),
            ("a.aof", b"REDI", "single-file single:a.aof*"),
            ("a.aof", b"", "empty single:a.aof*"),
            ("x.7.incr.aof", SET, "one-part incr:x.7.incr.aof*"),
            ("x.7.base.rdb", RDB, "one-part base:x.7.base.rdb*"),
            ("x.7.base.aof", b"", "one-part base:x.7.base.aof*"),
            ("x.seven.base.aof", b"", "empty single:x.seven.base.aof*"),
            (".7.base.aof", b"", "empty single:.7.base.aof*"),
        ];
        for (name, content, expected) in cases {
            let directory = files(&[(name, content)]);
            let log = open(directory.path().join(name)).unwrap();
            assert_eq!(shape(&log), *expected, "{name} {content:?}");
            assert_eq!(
                log.parts[0].starts_with_rdb(),
                expected.contains("rdb-file") || content == &RDB
            );
            assert_eq!((log.chosen, log.others), (None, Vec::new()));
        }
    }

    #[test]
    fn a_set_is_found_from_every_side() {
        let directory = data_directory(&[]);
        for path in ["", "appendonlydir", "appendonlydir/appendonly.aof.manifest"] {
            let log = open(directory.path().join(path)).unwrap();
            assert_eq!(shape(&log), PARTS, "{path}");
            assert_eq!(log.path, directory.path().join(path));
            assert_eq!(log.opened, directory.path().join("appendonlydir/appendonly.aof.manifest"));
            assert_eq!(log.bytes(), (SET.len() + RDB.len()) as u64);
            assert_eq!(
                log.layout,
                Layout::MultiPart {
                    directory: directory.path().join("appendonlydir"),
                    appenddirname: "appendonlydir".into(),
                    appendfilename: "appendonly.aof".into(),
                }
            );
            assert_eq!(log.history.len(), 1);
            assert_eq!((log.history[0].bytes, log.history[0].line), (None, 2));
            assert_eq!(log.manifest.unwrap().manifest.entries.len(), 4);
            assert!(log.others.is_empty());
            let chosen =
                "appendonlydir/appendonly.aof.manifest: the only multi-part set in this directory";
            assert_eq!(log.chosen.as_deref(), path.is_empty().then_some(chosen));
        }
    }

    #[test]
    fn a_manifest_is_known_by_content() {
        let directory = data_directory(&[]);
        let set = directory.path().join("appendonlydir");
        fs::rename(set.join("appendonly.aof.manifest"), set.join("list.txt")).unwrap();
        assert_eq!(shape(&open(set.join("list.txt")).unwrap()), PARTS);
    }

    #[test]
    fn one_part_knows_its_place_in_the_set() {
        let directory = data_directory(&[]);
        let set = directory.path().join("appendonlydir");
        let cases = [
            ("appendonly.aof.2.base.rdb", "one-part base:appendonly.aof.2.base.rdb"),
            ("appendonly.aof.2.incr.aof", "one-part incr:appendonly.aof.2.incr.aof"),
            ("appendonly.aof.3.incr.aof", "one-part incr:appendonly.aof.3.incr.aof*"),
        ];
        for (name, expected) in cases {
            let log = open(set.join(name)).unwrap();
            assert_eq!(shape(&log), expected);
            let manifest = Some(set.join("appendonly.aof.manifest"));
            assert_eq!(log.layout, Layout::OnePart { manifest });
        }
    }

    #[test]
    fn a_set_without_files_has_no_parts() {
        let directory = files(&[("d/a.manifest", b"# nothing yet\n")]);
        assert_eq!(shape(&open(directory.path()).unwrap()), "multi-part");
    }

    #[test]
    fn a_data_directory_with_single_files() {
        let rewrite = "temp-rewriteaof-bg-7.aof";
        let cases: &[(&[&str], &str, &str)] = &[
            (
                &["appendonly.aof"],
                "single-file",
                "appendonly.aof: the only append-only file in this directory",
            ),
            (
                &["appendonly.aof", "dump.rdb", rewrite, "temp-9.rdb"],
                "single-file",
                "appendonly.aof: the only append-only file in this directory",
            ),
            (
                &["appendonly.aof", "appendonly.aof.bak-20260101000000"],
                "single-file",
                "appendonly.aof: the only append-only file in this directory",
            ),
            (&["my.log"], "single-file", "my.log: the only append-only file in this directory"),
            (
                &["dump.rdb"],
                "rdb-file",
                "dump.rdb: the only RDB in this directory, and there is no append-only file",
            ),
            (
                &["snapshot.rdb.copy"],
                "rdb-file",
                "snapshot.rdb.copy: the only RDB in this directory, and there is no append-only file",
            ),
        ];
        for (names, layout, chosen) in cases {
            let content = |name: &&str| if name.contains("rdb") { RDB } else { SET };
            let list: Vec<_> = names.iter().map(|name| (*name, content(name))).collect();
            let directory = files(&list);
            let log = open(directory.path()).unwrap();
            assert!(shape(&log).starts_with(layout), "{names:?}");
            assert_eq!(log.chosen.as_deref(), Some(*chosen));
            assert_eq!(log.others.len(), names.len() - 1, "{names:?}");
        }
    }

    #[test]
    fn what_lies_beside_a_set_is_told() {
        let directory = data_directory(&[
            ("appendonlydir/appendonly.aof.1.incr.aof", b"old"),
            ("appendonlydir/appendonly.aof.3.base.rdb", RDB),
            ("appendonlydir/appendonly.aof.4.incr.aof", SET),
            ("appendonlydir/temp-appendonly.aof.manifest", b""),
            ("appendonlydir/temp-appendonly.aof.incr", b""),
            ("appendonlydir/notes.txt", b"12345"),
            ("appendonly.aof", SET),
            ("before.aof", SET),
            ("dump.rdb", RDB),
            ("nodes.conf", b""),
            ("temp-rewriteaof-bg-17.aof", b""),
            ("temp-17.rdb", b""),
        ]);
        let log = open(directory.path()).unwrap();
        assert_eq!(shape(&log), PARTS);
        let expected = [
            ("appendonly.aof.3.base.rdb", OtherKind::OrphanBase),
            ("appendonly.aof.4.incr.aof", OtherKind::OrphanIncr),
            ("notes.txt", OtherKind::Unknown),
            ("temp-appendonly.aof.incr", OtherKind::TempIncr),
            ("temp-appendonly.aof.manifest", OtherKind::TempManifest),
            ("appendonly.aof", OtherKind::OldSingleFile),
            ("before.aof", OtherKind::SingleFile),
            ("dump.rdb", OtherKind::Rdb),
            ("temp-17.rdb", OtherKind::TempRdb),
            ("temp-rewriteaof-bg-17.aof", OtherKind::TempRewrite),
        ];
        let expected: Vec<_> = expected.map(|(name, kind)| (name.to_string(), kind)).into();
        assert_eq!(others(&log), expected);
        assert_eq!(log.history[0].bytes, Some(3));
        assert_eq!(log.others[2].bytes, 5);
    }

    #[test]
    fn an_upgrade_that_was_interrupted_is_carried_on_from_the_old_file() {
        let unfinished = "appendonly.aof: the upgrade of this single file to a set was not finished, and a server goes on with it";
        for manifest in [&b"file appendonly.aof seq 1 type b\n"[..], b"# nothing\n"] {
            let directory = files(&[
                ("appendonlydir/appendonly.aof.manifest", manifest),
                ("appendonly.aof", SET),
            ]);
            for path in ["", "appendonlydir", "appendonlydir/appendonly.aof.manifest"] {
                let log = open(directory.path().join(path)).unwrap();
                assert_eq!(shape(&log), "multi-part base:appendonly.aof*");
                assert_eq!(log.parts[0].mapping.bytes(), SET);
                assert_eq!(others(&log), []);
                assert!(log.chosen.unwrap().ends_with(unfinished));
            }
        }
        // Finished: the base is in the set under the old name, and incremental files follow.
        let directory = files(&[
            (
                "appendonlydir/appendonly.aof.manifest",
                b"file appendonly.aof seq 1 type b\nfile appendonly.aof.1.incr.aof seq 1 type i\n",
            ),
            ("appendonlydir/appendonly.aof", SET),
            ("appendonlydir/appendonly.aof.1.incr.aof", SET),
        ]);
        let log = open(directory.path()).unwrap();
        assert_eq!(shape(&log), "multi-part base:appendonly.aof incr:appendonly.aof.1.incr.aof*");
        let log = open(directory.path().join("appendonlydir/appendonly.aof")).unwrap();
        assert_eq!(shape(&log), "one-part base:appendonly.aof");
        // With incremental files listed, a server does not look at the old file.
        fs::rename(
            directory.path().join("appendonlydir/appendonly.aof"),
            directory.path().join("appendonly.aof"),
        )
        .unwrap();
        assert_eq!(
            refusal(&directory, "appendonlydir"),
            "Manifest: appendonlydir/appendonly.aof.manifest: line 1: `appendonly.aof` is listed but does not exist | restore it from a backup; no server starts without it"
        );
    }

    #[test]
    fn refusals_say_what_to_do() {
        let zip_help = "extract it first: unzip FILE";
        let tar = [&[b'x'; 257][..], b"ustar\x0000"].concat();
        let conf = format!(
            "# Redis configuration file example.\n{}\nbind 127.0.0.1\n",
            "# x\n".repeat(2000)
        );
        let cases: &[(&str, &[u8], String)] = &[
            ("a.aof.gz", b"\x1f\x8b\x08\0", "Unrecognised: a.aof.gz: this is a gzip file | decompress it first: gzip -dc FILE > NEW".into()),
            ("a.zip", b"PK\x03\x04", format!("Unrecognised: a.zip: this is a zip archive | {zip_help}")),
            ("a.zst", b"\x28\xb5\x2f\xfd", "Unrecognised: a.zst: this is a Zstandard file | decompress it first: zstd -dc FILE > NEW".into()),
            ("a.xz", b"\xfd7zXZ\0", "Unrecognised: a.xz: this is an xz file | decompress it first: xz -dc FILE > NEW".into()),
            ("a.bz2", b"BZh9", "Unrecognised: a.bz2: this is a bzip2 file | decompress it first: bzip2 -dc FILE > NEW".into()),
            ("a.tar", &tar, "Unrecognised: a.tar: this is a tar archive | extract it first: tar -xf FILE".into()),
            ("redis.conf", conf.as_bytes(), "Unrecognised: redis.conf: this is a server's configuration file | give the directory that its `dir` names, or the append-only file in it".into()),
        ];
        for (name, content, expected) in cases {
            assert_eq!(refusal(&files(&[(name, content)]), name), *expected);
        }
        let error = open("-").err().unwrap();
        assert_eq!(error.to_string(), "standard input cannot be mapped into memory");
        assert_eq!(error.next_step(), Some("save it to a file first, and give the name of that"));
        assert_eq!(
            refusal(&files(&[]), "no.aof"),
            "NotFound: no.aof: cannot open it: No such file or directory (os error 2) | "
        );
    }

    #[test]
    fn a_directory_without_or_with_too_many_logs_is_refused() {
        let cases: &[(Files, &str)] = &[
            (
                &[("notes.txt", b"hello"), ("empty/", b"")],
                "NotFound: : there is no append-only file and no RDB in this directory | looked for a *.manifest in it and in the directories in it, for *.aof and *.rdb files, and for files that begin like one",
            ),
            (
                &[("a.manifest", b"#"), ("b.manifest", b"#")],
                "Usage: : there are several manifests here: a.manifest, b.manifest | give the one that is meant",
            ),
            (
                &[("x/a.manifest", b"#"), ("y/a.manifest", b"#")],
                "Usage: : there are several multi-part sets here: x/a.manifest, y/a.manifest | give the one that is meant",
            ),
            (
                &[("a.aof", SET), ("b.aof", SET), ("dump.rdb", RDB)],
                "Usage: : there are several append-only files here: a.aof, b.aof | give the one that is meant",
            ),
            (
                &[("a.rdb", RDB), ("b.rdb", RDB)],
                "Usage: : there are several logs or snapshots here: a.rdb, b.rdb | give the one that is meant",
            ),
            (
                &[("appendonly.aof.old", SET), ("dump.rdb", RDB)],
                "Usage: : there are several logs or snapshots here: appendonly.aof.old, dump.rdb | give the one that is meant",
            ),
        ];
        for (list, expected) in cases {
            assert_eq!(refusal(&files(list), ""), *expected);
        }
    }

    #[test]
    fn a_broken_set_is_an_error_with_its_line_and_a_value_for_verify() {
        let bare = "no server starts with it as it is";
        let cases: &[(&[u8], &str, String)] = &[
            (
                b"file a seq 1 type b\nfile ../b seq 1 type i\n",
                "name-is-path",
                format!("Manifest: d/a.manifest: line 2: the file name `../b` is a path; it must be a bare name, without / and \\: file ../b seq 1 type i | correct the line, or take the manifest from a backup; {bare}"),
            ),
            (
                b"",
                "empty",
                format!("Manifest: d/a.manifest: the manifest is empty | take it from a backup, or write it anew, a line a file: file NAME seq NUMBER type b (base) or i (incremental); {bare}"),
            ),
            (
                b"garbage\n",
                "too-few-words",
                format!("Manifest: d/a.manifest: line 1: the line has too few words (1); `file NAME seq NUMBER type LETTER` needs at least 6: garbage | correct the line, or take the manifest from a backup; {bare}"),
            ),
            (
                b"file it's seq 1 type b\n",
                "quoting",
                format!("Manifest: d/a.manifest: line 1: a quote is never closed, or no blank follows where it closes: file it's seq 1 type b | put the file name in double quotes; servers write a name with ' as it is and then cannot read it; {bare}"),
            ),
            (
                b"file .. seq 1 type b\n",
                "unusable-name",
                format!("Manifest: d/a.manifest: line 1: `..` cannot be the name of a file | correct the line, or take the manifest from a backup; {bare}"),
            ),
            (
                b"file a seq 1 type b\nfile gone seq 1 type i\n",
                "missing-part",
                "Manifest: d/a.manifest: line 2: `gone` is listed but does not exist | restore it from a backup; no server starts without it. Deleting line 2 gives up the writes that were in it".into(),
            ),
        ];
        for (manifest, kind, expected) in cases {
            let directory = files(&[("d/a.manifest", manifest), ("d/a", SET)]);
            for path in ["", "d", "d/a.manifest"] {
                assert_eq!(refusal(&directory, path), *expected);
                let broken = try_open(directory.path().join(path)).unwrap().err().unwrap();
                assert_eq!(broken.path, directory.path().join("d/a.manifest"));
                assert_eq!(broken.fault.kind(), *kind);
            }
        }
    }

    #[test]
    fn parts_without_a_manifest_are_not_taken_for_an_empty_log() {
        let expected = "parts of a set without their manifest: a.aof.1.base.rdb, a.aof.1.incr.aof | restore the manifest from a backup, or give one of these files; a server started on the directory as it is would begin with no data";
        let directory = files(&[
            ("d/a.aof.1.base.rdb", RDB),
            ("d/a.aof.1.incr.aof", SET),
            ("d/a.aof", SET),
            ("dump.rdb", RDB),
        ]);
        for path in ["", "d"] {
            assert_eq!(refusal(&directory, path), format!("Manifest: d: {expected}"));
        }
        // But the old single file, which a server would take.
        fs::write(directory.path().join("a.aof"), SET).unwrap();
        assert_eq!(shape(&open(directory.path()).unwrap()), "single-file single:a.aof*");
    }

    #[test]
    fn links_are_followed_and_loops_are_told_plainly() {
        let directory = data_directory(&[]);
        let at = |name: &str| directory.path().join(name);
        symlink(at("appendonlydir/appendonly.aof.manifest"), at("link")).unwrap();
        fs::rename(at("appendonlydir/appendonly.aof.2.incr.aof"), at("elsewhere")).unwrap();
        symlink("../elsewhere", at("appendonlydir/appendonly.aof.2.incr.aof")).unwrap();
        symlink("appendonlydir", at("linked")).unwrap();
        assert_eq!(shape(&open(at("linked")).unwrap()), PARTS);
        symlink("loop", at("loop")).unwrap();
        assert_eq!(
            refusal(&directory, "loop"),
            "Io: loop: cannot open it: Too many levels of symbolic links (os error 40) | "
        );
    }

    #[test]
    fn a_pipe_is_refused_without_waiting_for_a_writer() {
        let directory = files(&[]);
        let path = directory.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
        assert_eq!(
            refusal(&directory, "pipe"),
            "Usage: pipe: this is a pipe, socket or device, not a regular file | a log is mapped into memory, which needs a regular file; save it to one first"
        );
    }
}
