//! Opening the log that a path refers to.
//!
//! A log is one file up to Redis 6.2 and a directory with a manifest since 7.0, and users name either, the manifest,
//! one part, or the server's data directory. [`open_files`] accepts them all and identifies a file by its first bytes, as the
//! loader does; names count only if the bytes are not conclusive (an empty file, a single part) and to find a log in a
//! directory.
//!
//! | path | opened as |
//! |---|---|
//! | a file that begins with `REDIS` or `VALKEY` | [`Layout::RdbFile`]: an RDB, or an AOF with an RDB preamble |
//! | a manifest | [`Layout::MultiPart`]: the files listed in it, next to it |
//! | a compressed RDB of Valkey 9.2 | the RDB in it, decompressed to a temporary file |
//! | an archive, another compressed file, a server's configuration | refused, with the recommended action |
//! | one base or incremental file of a set | [`Layout::OnePart`] |
//! | an empty file | [`Layout::Empty`] |
//! | any other file | [`Layout::SingleFile`], however damaged: the scan reports damage |
//! | a directory with one manifest | [`Layout::MultiPart`] |
//! | a directory with one sub-directory that has a manifest | that sub-directory |
//! | a directory with parts of a set and no manifest | refused: a server would start with no data |
//! | a directory with one `*.aof`, else one `*.rdb` | that file; identified by first bytes if no name has such an extension |
//! | a directory with several of the same rank | refused, with the list |
//! | a directory with no log and one sub-directory | that sub-directory, as archives of a directory are extracted |
//! | a directory with what macOS adds (`._NAME`, `__MACOSX`) | the same without it |
//! | a directory with what this program left there ([`leftover`]) | the same without it |
//!
//! A server that finds its old single file and no set, or a set that it was about to move it into, loads the old file
//! (`loadAppendOnlyFiles`, the upgrade to 7.0); so does [`open_files`].

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use rustix::io::Errno;

use super::broken_set::{BrokenSet, SetFault};
use super::envelope::map_part;
use super::nearest::cannot_open;
use crate::aof::foreign::foreign;
use crate::aof::log::{
    Compressed, HistoryFile, Layout, Log, ManifestFile, OtherFile, OtherKind, Part, PartRole,
    starts_with_rdb,
};
use crate::aof::manifest;
use crate::aof::manifest::{Role, printable};
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::escape::ShownPath;
use crate::disk::Mapping;
use crate::disk::names::{Leftover, leftover};

/// Opens the log that `path` refers to.
///
/// # Errors
///
/// - [`ErrorKind::NotFound`], [`ErrorKind::Permission`], [`ErrorKind::Io`]: the system refuses, or a directory contains
///   no log.
/// - [`ErrorKind::Unrecognised`]: the bytes are of another well-known format.
/// - [`ErrorKind::Manifest`]: no server loads the set; [`try_open_files`] returns the reason as a value.
/// - [`ErrorKind::Usage`]: a pipe or standard input; a directory with several logs.
pub fn open_files(path: impl AsRef<Path>) -> Result<Log> {
    try_open_files(path)?.map_err(Error::from)
}

/// Opens the log that `path` refers to, for code that reports a broken set as a finding and not as a failure.
///
/// # Errors
///
/// As [`open_files`], without [`ErrorKind::Manifest`].
pub fn try_open_files(path: impl AsRef<Path>) -> Result<Result<Log, BrokenSet>> {
    let path = path.as_ref();
    if path == Path::new("-") {
        return Err(Error::new(ErrorKind::Usage, "standard input cannot be mapped into memory")
            .help("save it to a file first, and give the name of that"));
    }
    let metadata = fs::metadata(path).map_err(|e| cannot_open(path, e))?;
    let opened = if metadata.is_dir() { open_directory(path)? } else { open_file(path)? };
    Ok(opened.map(|log| Log { path: path.to_path_buf(), ..log }))
}

fn open_file(path: &Path) -> Result<Result<Log, BrokenSet>> {
    let (mapping, compressed) = map_part(path)?;
    let bytes = mapping.bytes();
    let name = path.file_name().unwrap_or_default();
    if let Some(foreign) = foreign(bytes) {
        return Err(unrecognised(path, foreign));
    }
    let is_rdb = compressed.is_some() || starts_with_rdb(bytes);
    let is_manifest = !is_rdb
        && (manifest::looks_like_manifest(bytes)
            || name.as_bytes().ends_with(MANIFEST) && !bytes.starts_with(b"*"));
    if is_manifest {
        return open_set(path);
    }
    Ok(Ok(one_file(path, mapping, compressed)))
}

/// Returns the log in one file whose bytes are those of `mapping`, which are not a manifest.
pub(super) fn open_content(path: &Path, mapping: Mapping) -> Log {
    one_file(path, mapping, None)
}

fn one_file(path: &Path, mapping: Mapping, compressed: Option<Box<Compressed>>) -> Log {
    let is_rdb = compressed.is_some() || starts_with_rdb(mapping.bytes());
    let member = Member::find(path);
    let layout = match &member {
        Some(member) => Layout::OnePart { manifest: member.manifest.clone() },
        None if mapping.is_empty() && !is_rdb => Layout::Empty,
        None if is_rdb => Layout::RdbFile,
        None => Layout::SingleFile,
    };
    let part = Part {
        name: printable(path.file_name().unwrap_or_default().as_bytes()),
        path: path.to_path_buf(),
        role: member.as_ref().map_or(PartRole::Single, |member| member.role),
        index: 0,
        is_last: member.is_none_or(|member| member.is_last),
        mapping,
        compressed,
    };
    Log {
        path: path.to_path_buf(),
        opened: path.to_path_buf(),
        chosen: None,
        layout,
        parts: vec![part],
        history: Vec::new(),
        manifest: None,
        others: Vec::new(),
    }
}

/// The error for a file of another format: what it is, and what to do with it.
fn unrecognised(path: &Path, (what, help): (&str, &str)) -> Error {
    Error::new(ErrorKind::Unrecognised, format!("this is {what}")).at(path).help(help)
}

/// The role of a file in the set that it belongs to.
struct Member {
    manifest: Option<PathBuf>,
    role: PartRole,
    is_last: bool,
}

impl Member {
    /// Determines the role from the manifest next to the file, or else from the file name.
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

pub(crate) fn part_role(role: Role) -> PartRole {
    if role == Role::Base { PartRole::Base } else { PartRole::Incr }
}

/// Opens a set by its manifest.
fn open_set(manifest_path: &Path) -> Result<Result<Log, BrokenSet>> {
    let broken = |fault| Ok(Err(BrokenSet::new(manifest_path, fault)));
    let text = fs::read(manifest_path).map_err(|e| Error::io("read", manifest_path, e))?;
    let manifest = match manifest::parse(&text) {
        Ok(manifest) => manifest,
        Err(error) => return broken(SetFault::Manifest(error)),
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
            return broken(SetFault::UnusableName { line: entry.line, name });
        }
        let path = directory.join(entry.file_name());
        match fs::metadata(&path) {
            Ok(_) => parts.push((path, part_role(entry.role))),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                let base_alone = manifest.load_order().count() == 1 && entry.role == Role::Base;
                if !(has_old_file && base_alone && entry.file_name() == appendfilename) {
                    let (line, role) = (entry.line, entry.role);
                    return broken(SetFault::MissingPart { line, name, role });
                }
                chosen = Some(upgrading());
                parts.push((old_file.clone(), PartRole::Base));
            }
            Err(e) => return Err(Error::io("open", path, e)),
        }
    }

    let parts = map_parts(parts)?;
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
    let here = Listing::beside(&directory)?;
    let is_listed = |name: Option<&OsStr>| {
        manifest.entries.iter().any(|entry| Some(entry.file_name()) == name)
            || name == manifest_path.file_name()
    };
    for file in here.files {
        if !is_listed(Some(&file.name)) {
            let kind = match file.kind_by_name() {
                OtherKind::Unknown if file.name == appendfilename => OtherKind::OldSingleFile,
                kind => kind,
            };
            others.push(file.into_other(kind));
        }
    }
    let leftovers = here.leftovers.into_iter().map(|left| left.other);
    others.extend(leftovers.filter(|other| !is_listed(other.path.file_name())));
    let above = Listing::beside(&above)?;
    // The directory that contains a set may contain many unrelated files.
    let names = [directory.file_name().unwrap_or_default(), appendfilename];
    let is_of_the_set = |left: &LeftBehind| names.contains(&left.of.as_os_str());
    others.extend(above.leftovers.into_iter().filter(is_of_the_set).map(|left| left.other));
    for file in above.files {
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

/// Maps the files of a set, which are given in load order.
pub(crate) fn map_parts(files: Vec<(PathBuf, PartRole)>) -> Result<Vec<Part>> {
    let count = files.len();
    let files = files.into_iter().enumerate();
    files
        .map(|(index, (path, role))| {
            let (mapping, compressed) = map_part(&path)?;
            Ok(Part {
                name: printable(path.file_name().unwrap_or_default().as_bytes()),
                mapping,
                compressed,
                path,
                role,
                index,
                is_last: index + 1 == count,
            })
        })
        .collect()
}

/// Opens the only log in a directory.
fn open_directory(directory: &Path) -> Result<Result<Log, BrokenSet>> {
    let listing = Listing::read(directory).map_err(|e| Error::io("list", directory, e))?;
    let here = listing.manifests();
    match here.as_slice() {
        [] => {}
        [manifest] => return open_set(manifest),
        _ => return Err(ambiguous(directory, "manifests", &here)),
    }

    // The directory may be the data directory of a server.
    let mut manifests = Vec::new();
    let mut bereft = Vec::new();
    let mut unreadable = None;
    for sub in &listing.directories {
        let sub_listing = match Listing::read(sub) {
            Ok(listing) => listing,
            // That of a file system, in which nothing is a server's.
            Err(_) if sub.ends_with("lost+found") => continue,
            Err(error) => {
                unreadable.get_or_insert(Error::io("list", sub, error));
                continue;
            }
        };
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

    // The set may be in the directory that cannot be read: no other file is taken for it.
    if let Some(error) = unreadable {
        return Err(error);
    }
    let parts = listing.parts();
    if !parts.is_empty() {
        return Ok(Err(BrokenSet::new(directory, SetFault::NoManifest { parts })));
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
        // A server would start with no data, and not with a snapshot or a file of another name.
        return Ok(Err(BrokenSet::new(sub, SetFault::NoManifest { parts })));
    }
    if found.is_empty() {
        // No file is named as a log. A file whose content is a log may be a log under another name or a saved copy, and
        // is not preferred to a snapshot.
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
            let Some(only) = listing.only_directory() else {
                return Err(nothing_found(directory, &listing));
            };
            let opened = open_directory(only).map_err(|error| match error.kind() {
                ErrorKind::NotFound => nothing_found(directory, &listing),
                _ => error,
            })?;
            return Ok(opened.map(|log| because(log, "the only log below this directory")));
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
    let leftovers = listing.leftovers.iter().map(|left| left.other.clone());
    let others = others.chain(leftovers);
    Ok(opened.map(|log| Log { others: others.collect(), ..because(log, why) }))
}

fn nothing_found(directory: &Path, listing: &Listing) -> Error {
    let names = |left: &LeftBehind| printable(left.other.path.file_name()?.as_bytes()).into();
    let left: Vec<String> = listing.leftovers.iter().filter_map(names).collect();
    let help = match left.as_slice() {
        [] => "looked for a *.manifest in it and in the directories in it, for *.aof and *.rdb files, and for files that begin like one".to_owned(),
        left => format!("aofkit left {} here; give the path of the one that is meant", left.join(", ")),
    };
    Error::new(ErrorKind::NotFound, "there is no append-only file and no RDB in this directory")
        .at(directory)
        .help(help)
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

/// The directory in which macOS archives its metadata of files.
const MACOS_METADATA_DIRECTORY: &str = "__MACOSX";

/// The files and directories in a directory, by name; symbolic links are followed.
#[derive(Default)]
pub(crate) struct Listing {
    pub(crate) files: Vec<ListedFile>,
    pub(crate) directories: Vec<PathBuf>,
    /// Files and directories that this program left: they are not treated as logs unless named explicitly.
    pub(crate) leftovers: Vec<LeftBehind>,
}

/// A file or directory that this program left, and the name of its original.
#[derive(Clone)]
pub(crate) struct LeftBehind {
    pub(crate) of: OsString,
    pub(crate) other: OtherFile,
}

#[derive(Clone)]
pub(crate) struct ListedFile {
    pub(crate) name: OsString,
    pub(crate) path: PathBuf,
    pub(crate) bytes: u64,
}

impl Listing {
    pub(crate) fn read(directory: &Path) -> std::io::Result<Listing> {
        let mut listing = Listing::default();
        for entry in fs::read_dir(directory)? {
            let entry = entry?;
            let path = entry.path();
            let metadata = match fs::metadata(&path) {
                Ok(metadata) => metadata,
                // A dangling symbolic link, or a file deleted since it was listed.
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
                // A symbolic link to itself.
                Err(error) if Errno::from_io_error(&error) == Some(Errno::LOOP) => continue,
                Err(error) => return Err(error),
            };
            if let Some((of, what)) = leftover(&entry.file_name()) {
                let of = of.to_owned();
                listing
                    .leftovers
                    .push(LeftBehind { of, other: leftover_files(path, &metadata, what) });
            } else if metadata.is_dir() {
                listing.directories.push(path);
            } else if metadata.is_file() {
                let (name, bytes) = (entry.file_name(), metadata.len());
                listing.files.push(ListedFile { name, path, bytes });
            }
        }
        listing.directories.sort();
        listing.files.sort_by(|a, b| a.name.cmp(&b.name));
        listing.leftovers.sort_by(|a, b| a.other.path.cmp(&b.other.path));
        Ok(listing)
    }

    /// Lists a directory that does not belong to the log: one that this user may not list counts as empty.
    ///
    /// # Errors
    ///
    /// When it cannot be listed for another reason.
    fn beside(directory: &Path) -> Result<Listing> {
        match Listing::read(directory) {
            Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
                Ok(Listing::default())
            }
            found => found.map_err(|error| Error::io("list", directory, error)),
        }
    }

    fn files_where(&self, wanted: impl Fn(&ListedFile) -> bool) -> Vec<PathBuf> {
        self.files.iter().filter(|file| wanted(file)).map(|file| file.path.clone()).collect()
    }

    /// Returns the only sub-directory, other than that in which macOS archives its metadata.
    fn only_directory(&self) -> Option<&Path> {
        let mut others =
            self.directories.iter().filter(|path| !path.ends_with(MACOS_METADATA_DIRECTORY));
        let only = others.next()?;
        // Following a link could lead back to this directory.
        (others.next().is_none() && !only.is_symlink()).then_some(only)
    }

    pub(crate) fn manifests(&self) -> Vec<PathBuf> {
        self.files_where(|file| file.kind_by_name() == OtherKind::OtherManifest)
    }

    /// Returns the names of the files named as parts of a set, escaped for display.
    fn parts(&self) -> Vec<String> {
        let is_part = |file: &&ListedFile| file.part_name().is_some();
        self.files.iter().filter(is_part).map(|file| printable(file.name.as_bytes())).collect()
    }
}

fn leftover_files(path: PathBuf, metadata: &fs::Metadata, what: Leftover) -> OtherFile {
    let files = |entry: fs::DirEntry| entry.metadata().ok().filter(fs::Metadata::is_file);
    let bytes = match metadata.is_dir() {
        true => fs::read_dir(&path)
            .into_iter()
            .flatten()
            .flatten()
            .filter_map(files)
            .map(|file| file.len())
            .sum(),
        false => metadata.len(),
    };
    let kind = match what {
        Leftover::Kept => OtherKind::OwnCopy,
        Leftover::Unfinished => OtherKind::OwnUnfinished,
    };
    OtherFile { path, bytes, kind }
}

impl ListedFile {
    /// Returns the parts of the name, if it is one that servers give to a part of a set.
    pub(crate) fn part_name(&self) -> Option<PartName<'_>> {
        if self.is_macos_metadata() { None } else { PartName::parse(&self.name) }
    }

    /// Returns whether the file is `._NAME`, in which macOS stores the metadata of the file NAME on file systems and in
    /// archives that have no place for it.
    fn is_macos_metadata(&self) -> bool {
        self.name.as_bytes().starts_with(b"._")
    }

    pub(crate) fn kind_by_name(&self) -> OtherKind {
        let name = self.name.as_bytes();
        let starts = |prefix: &[u8]| name.starts_with(prefix);
        let ends = |suffix: &[u8]| name.ends_with(suffix);
        if self.is_macos_metadata() {
            OtherKind::Unknown
        } else if starts(b"temp-rewriteaof-") && ends(b".aof") {
            OtherKind::TempRewrite
        } else if starts(b"temp-") && ends(MANIFEST) {
            OtherKind::TempManifest
        } else if starts(b"temp-") && ends(b".incr") {
            OtherKind::TempIncr
        } else if starts(b"temp-") && ends(b".rdb") {
            OtherKind::TempRdb
        } else if ends(MANIFEST) {
            OtherKind::OtherManifest
        } else if let Some(part) = self.part_name() {
            if part.role == Role::Base { OtherKind::OrphanBase } else { OtherKind::OrphanIncr }
        } else if ends(b".aof") {
            OtherKind::SingleFile
        } else if ends(b".rdb") {
            OtherKind::Rdb
        } else {
            OtherKind::Unknown
        }
    }

    /// Determines the kind from the first bytes; `Unknown` if the file cannot be read.
    pub(crate) fn kind_by_content(&self) -> OtherKind {
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

/// A file name in the form that servers give to the parts of a set: `NAME.SEQ.base.rdb`, `NAME.SEQ.base.aof`,
/// `NAME.SEQ.incr.aof`.
pub(crate) struct PartName<'a> {
    pub(crate) appendfilename: &'a OsStr,
    pub(crate) role: Role,
    /// The sequence number; `None` if it is larger than servers write.
    pub(crate) seq: Option<i64>,
}

impl PartName<'_> {
    pub(crate) fn parse(name: &OsStr) -> Option<PartName<'_>> {
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
        let number = std::str::from_utf8(seq).ok().and_then(|seq| seq.parse().ok());
        (is_number && !appendfilename.is_empty()).then_some(PartName {
            appendfilename: OsStr::from_bytes(appendfilename),
            role,
            seq: number,
        })
    }
}

fn with_suffix(name: &OsStr, suffix: &[u8]) -> OsString {
    let mut name = name.to_os_string();
    name.push(OsStr::from_bytes(suffix));
    name
}

/// Returns the directory that contains `path`, as a path that can be opened. Symbolic links are not resolved: for a
/// linked `appenddirname`, the data directory is the one that contains the link.
pub(crate) fn parent(path: &Path) -> PathBuf {
    match path.components().next_back() {
        Some(Component::Normal(_)) => match path.parent() {
            Some(parent) if parent.as_os_str().is_empty() => PathBuf::from("."),
            Some(parent) => parent.to_path_buf(),
            None => PathBuf::from("."),
        },
        _ => path.join(".."),
    }
}

#[cfg(test)]
mod tests;
