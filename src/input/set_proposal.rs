//! What is left of a set that no server loads as it is, and the manifest that is proposed for it.
//!
//! The lines of a manifest are used if they can be read, also after a change that an editor made is undone. The files
//! are paired by the numbers in their names if there is no such manifest, or if a base file exists that it does not
//! list: a rewrite has then replaced the files that it lists.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use super::broken_set::{BrokenSet, SetFault};
use super::files::{ListedFile, Listing, PartName, map_parts, parent, part_role};
use super::left_set::{FoundFile, MissingPart, SetProposal};
use super::part_sets::{Note, NumberedPart, PartSet, pair};
use crate::aof::log::{Layout, Log, ManifestFile};
use crate::aof::manifest::{self, Entry, Manifest, Role, printable};
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::rfc3339;

/// The longest manifest that is read; servers write about 60 bytes a file.
const LONGEST_MANIFEST: u64 = 1 << 20;

/// Returns what is left of a broken set as a log, and the proposal that it is opened by.
///
/// # Errors
///
/// - [`ErrorKind::NotFound`]: no part of it is left.
/// - [`ErrorKind::Usage`]: there are parts of several sets.
/// - [`ErrorKind::Io`], [`ErrorKind::Permission`]: a file or the directory cannot be read.
pub(crate) fn propose(broken: &BrokenSet) -> Result<(Log, SetProposal)> {
    let (directory, choice, place) = left_of(broken)?;
    directory.proposal(choice, place, fault_of(broken))
}

/// Files that may belong together.
pub(crate) struct Pairing {
    pub(crate) log: Log,
    pub(crate) proposal: SetProposal,
    /// The file name of the base, escaped for display; absent if there is none.
    pub(crate) base: Option<String>,
    /// Whether the numbers in the names are those of a base and all incremental files after it.
    pub(crate) fits_numbers: bool,
}

/// The most pairings that are returned.
const MOST_PAIRINGS: usize = 24;

/// Returns the files of a broken set that may belong together: first what [`propose`] returns, and, if that is paired by
/// number, each base with each last part of the incremental files.
///
/// # Errors
///
/// As [`propose`].
pub(crate) fn pairings(broken: &BrokenSet) -> Result<Vec<Pairing>> {
    let (directory, choice, place) = left_of(broken)?;
    let is_by_number = choice.certain.is_empty();
    let entries_of = |choice: &Choice| -> Vec<Vec<u8>> {
        choice.entries.iter().map(|entry| entry.name.to_vec()).collect()
    };
    let first = entries_of(&choice);
    let others = if is_by_number { directory.other_pairings() } else { Vec::new() };
    let others = others.into_iter().filter(|other| entries_of(other) != first);
    let mut found = Vec::new();
    for choice in std::iter::once(choice).chain(others).take(MOST_PAIRINGS) {
        let base = choice.entries.iter().find(|entry| entry.role == Role::Base);
        let numbers = |role| {
            let of_role = choice.entries.iter().filter(move |entry| entry.role == role);
            of_role.map(|entry| entry.seq)
        };
        let all_after = |seq: i64| {
            let after =
                directory.parts.iter().filter(|part| part.role == Role::Incr && part.seq >= seq);
            after.count() == numbers(Role::Incr).count()
        };
        let first = numbers(Role::Incr).min();
        let fits = |seq: i64| first.is_none_or(|first| first == seq) && all_after(seq);
        let fits_numbers = numbers(Role::Base).next().is_some_and(fits);
        let base = base.map(|entry| printable(&entry.name));
        let (log, proposal) = directory.proposal(choice, place.clone(), fault_of(broken))?;
        found.push(Pairing { log, proposal, base, fits_numbers });
    }
    Ok(found)
}

fn fault_of(broken: &BrokenSet) -> (&'static str, String) {
    (broken.fault.kind(), broken.fault.brief())
}

/// Returns the directory of a broken set, the files that are chosen of it, and where their manifest is to be.
fn left_of(broken: &BrokenSet) -> Result<(Directory, Choice, PathBuf)> {
    let (path, manifest) = match &broken.fault {
        SetFault::NoManifest { .. } => (broken.path.clone(), None),
        _ => (parent(&broken.path), Some(broken.path.as_path())),
    };
    let directory = Directory::read(&path, manifest)?;
    let texts = directory.manifests(manifest)?;
    let listed = texts.iter().find_map(|text| directory.listed_by(text));
    let Some(choice) = listed.or_else(|| directory.paired_by_number()) else {
        return Err(Error::from(broken.clone())
            .help("none of its files is left here; take them from a backup"));
    };
    let place = match manifest {
        // A name that differs from that of the parts is not found by their server.
        Some(manifest) if directory.parts.is_empty() => manifest.to_owned(),
        _ => path.join(manifest_name(&directory.name)),
    };
    Ok((directory, choice, place))
}

/// Returns the proposal for a set whose manifest has another name than its server gives it, if it is one.
///
/// # Errors
///
/// As [`propose`].
pub(crate) fn propose_name(log: &Log) -> Result<Option<(Log, SetProposal)>> {
    let Some(ManifestFile { path: found, manifest }) = &log.manifest else { return Ok(None) };
    let stem = found.file_stem().unwrap_or_default();
    let names = log.parts.iter().filter_map(|part| PartName::parse(part.path.file_name()?));
    let mut names: Vec<OsString> = names.map(|part| part.appendfilename.to_owned()).collect();
    names.dedup();
    let [name] = names.as_slice() else { return Ok(None) };
    let place = found.with_file_name(manifest_name(name));
    if name == stem || place.exists() {
        return Ok(None);
    }
    let directory = Directory::read(&parent(found), Some(&place))?;
    let [is, expected] =
        [found, &place].map(|path| printable(path.file_name().unwrap_or_default().as_bytes()));
    let what =
        format!("the manifest is named `{is}`, and the server of these parts reads `{expected}`");
    let choice = Choice {
        entries: manifest.load_order().cloned().collect(),
        certain: vec!["its lines are kept, and all files that it lists are there".to_owned()],
        inferred: vec![format!(
            "that the server has `appendfilename {}`, after which it names the parts",
            printable(name.as_bytes())
        )],
        missing: Vec::new(),
    };
    let (log, proposal) = directory.proposal(choice, place, ("renamed-manifest", what))?;
    Ok(Some((log, SetProposal { replaces: Some(found.clone()), ..proposal })))
}

/// Returns the layout of a set.
pub(crate) fn layout_of(directory: &Path, appendfilename: Option<&OsStr>) -> Layout {
    let name = |name: Option<&OsStr>| printable(name.unwrap_or_default().as_bytes());
    Layout::MultiPart {
        directory: directory.to_path_buf(),
        appenddirname: name(directory.file_name()),
        appendfilename: name(appendfilename),
    }
}

/// Returns the modification time of a file, in Unix seconds.
pub(crate) fn modified(path: &Path) -> Option<i64> {
    let modified = fs::metadata(path).ok()?.modified().ok()?;
    i64::try_from(modified.duration_since(UNIX_EPOCH).ok()?.as_secs()).ok()
}

/// Returns the file name of the manifest of a set with this `appendfilename`.
pub(crate) fn manifest_name(name: &OsStr) -> OsString {
    let mut name = name.to_owned();
    name.push(".manifest");
    name
}

/// The directory of a set.
struct Directory {
    path: PathBuf,
    /// The name that the parts have in common.
    name: OsString,
    parts: Vec<NumberedPart<ListedFile>>,
    listing: Listing,
}

/// A manifest that can be read.
struct Text {
    /// Its file name, escaped for display.
    name: String,
    manifest: Manifest,
    /// What was changed to read it.
    change: Option<&'static str>,
}

/// The entries that are proposed, and the reasons.
struct Choice {
    entries: Vec<Entry>,
    certain: Vec<String>,
    inferred: Vec<String>,
    missing: Vec<MissingPart>,
}

impl Directory {
    /// Lists the directory of a set, whose manifest is or should be at `manifest`.
    fn read(path: &Path, manifest: Option<&Path>) -> Result<Directory> {
        let listing = Listing::read(path).map_err(|error| Error::io("list", path, error))?;
        let named = |file: &ListedFile| file.part_name().map(|it| it.appendfilename.to_owned());
        let mut names: Vec<OsString> = listing.files.iter().filter_map(named).collect();
        names.sort();
        names.dedup();
        let stem = manifest.and_then(Path::file_stem).map(OsStr::to_owned);
        let name = match (stem, names.as_slice()) {
            (Some(stem), names) if names.is_empty() || names.contains(&stem) => stem,
            (_, [name]) => name.clone(),
            (_, names) => {
                let names: Vec<_> = names.iter().map(|name| printable(name.as_bytes())).collect();
                let what = format!("there are parts of several sets here: {}", names.join(", "));
                return Err(Error::new(ErrorKind::Usage, what).at(path).help(
                    "copy the parts of one of them to a directory of its own, and give that",
                ));
            }
        };
        let mut parts = Vec::new();
        for file in &listing.files {
            let Some(part) = file.part_name().filter(|it| it.appendfilename == name) else {
                continue;
            };
            if let (Some(seq), role) = (part.seq, part.role) {
                parts.push(NumberedPart { role, seq, file: file.clone() });
            }
        }
        Ok(Directory { path: path.to_owned(), name, parts, listing })
    }

    /// Returns the manifests that can be read: that of the set, then files under other names that have the content of
    /// one.
    fn manifests(&self, own: Option<&Path>) -> Result<Vec<Text>> {
        let mut paths: Vec<PathBuf> = own.map(Path::to_owned).into_iter().collect();
        let others = self.listing.files.iter();
        let others = others.filter(|file| {
            file.bytes <= LONGEST_MANIFEST
                && memchr::memmem::find(file.name.as_bytes(), b"manifest").is_some()
        });
        paths.extend(others.map(|file| file.path.clone()).filter(|path| Some(&**path) != own));
        let mut texts = Vec::new();
        for path in paths {
            let text = fs::read(&path).map_err(|error| Error::io("read", &path, error))?;
            if let Some((manifest, change)) = read_leniently(&text) {
                let name = printable(path.file_name().unwrap_or_default().as_bytes());
                texts.push(Text { name, manifest, change });
            }
        }
        Ok(texts)
    }

    fn bytes_of(&self, name: &OsStr) -> Option<u64> {
        self.listing.files.iter().find(|file| file.name == name).map(|file| file.bytes)
    }

    /// Returns the files that a manifest lists and that exist; `None` if a rewrite has replaced them since.
    fn listed_by(&self, text: &Text) -> Option<Choice> {
        let listed: Vec<&Entry> = text.manifest.load_order().collect();
        let exists = |entry: &Entry| self.bytes_of(entry.file_name()).is_some();
        let base = text.manifest.base().filter(|base| exists(base));
        let is_listed = |part: &NumberedPart<ListedFile>| {
            listed.iter().any(|entry| entry.file_name() == part.file.name)
        };
        let is_newer_base = |part: &NumberedPart<ListedFile>| {
            part.role == Role::Base
                && !is_listed(part)
                && base.is_none_or(|base| part.seq > base.seq)
        };
        let (there, gone): (Vec<&Entry>, Vec<&Entry>) =
            listed.iter().copied().partition(|entry| exists(entry));
        if there.is_empty() || self.parts.iter().any(is_newer_base) {
            return None;
        }
        let mut certain = vec![match text.change {
            Some(change) => format!("`{}` can be read {change}, and its lines are kept", text.name),
            None => format!("`{}` lists these files", text.name),
        }];
        if gone.is_empty() {
            certain.push("all files that it lists are there".to_owned());
        }
        let mut entries: Vec<Entry> = there.into_iter().cloned().collect();
        let mut inferred = Vec::new();
        let last = listed.iter().filter(|entry| entry.role == Role::Incr).map(|it| it.seq).max();
        let mut later: Vec<_> = (self.parts.iter())
            .filter(|part| {
                part.role == Role::Incr
                    && part.file.bytes > 0
                    && Some(part.seq) > last
                    && !is_listed(part)
            })
            .collect();
        later.sort_by_key(|part| part.seq);
        for part in later {
            let name = printable(part.file.name.as_bytes());
            inferred.push(format!(
                "that `{name}`, which is not listed, follows the others: its number is higher"
            ));
            entries.push(Entry::new(Role::Incr, part.file.name.as_bytes(), part.seq));
        }
        let missing = gone.into_iter().map(|entry| MissingPart {
            name: Some(printable(&entry.name)),
            role: entry.role,
            count: 1,
            empty: false,
        });
        let missing = missing.collect();
        Some(Choice { entries, certain, inferred, missing })
    }

    /// Returns each base with each last part of the incremental files, those with the highest numbers first.
    fn other_pairings(&self) -> Vec<Choice> {
        let of_role = |role| {
            let of_role = self.parts.iter().filter(move |part| part.role == role);
            let mut found: Vec<_> = of_role.cloned().collect();
            found.sort_by_key(|part| part.seq);
            found
        };
        let (bases, incrs) = (of_role(Role::Base), of_role(Role::Incr));
        let mut found = Vec::new();
        for base in bases.iter().rev() {
            // First those that follow by number, then the longer ones.
            let own = incrs.iter().position(|incr| incr.seq >= base.seq).unwrap_or(incrs.len());
            let lengths = std::iter::once(own).chain((0..incrs.len()).filter(|&from| from != own));
            for from in lengths {
                let following = incrs.iter().skip(from).cloned();
                let files = std::iter::once(base.clone()).chain(following).collect();
                found.push(self.choice_of(&PartSet { files, note: None }, 0));
            }
        }
        found
    }

    /// Returns the set with the highest numbers; `None` if there is no part.
    fn paired_by_number(&self) -> Option<Choice> {
        let sets = pair(self.parts.clone());
        let set = sets.first()?;
        let older = sets.iter().skip(1).map(|set| set.files.len()).sum::<usize>();
        Some(self.choice_of(set, older))
    }

    /// Returns the proposal of files that were paired, beside so many with lower numbers.
    fn choice_of(&self, set: &PartSet<ListedFile>, older: usize) -> Choice {
        let mut inferred =
            vec!["that these files belong together: from the numbers in their names".to_owned()];
        inferred.extend(set.note.filter(|note| *note == Note::Inferred).map(|it| it.to_string()));
        inferred.extend(times(&set.files));
        let of_role = |role| set.files.iter().filter(move |part| part.role == role);
        let numbers: Vec<i64> = of_role(Role::Incr).map(|part| part.seq).collect();
        let base = of_role(Role::Base).next().map(|part| part.seq);
        if let (Some(base), Some(&first)) = (base, numbers.first())
            && first > base
        {
            inferred.push(format!(
                "that no incremental file before number {first} is missing: failed rewrites count on as well"
            ));
        }
        if base.is_some() && numbers.is_empty() {
            inferred.push("that nothing was written after the rewrite: there is no incremental file for this base file".to_owned());
        }
        if older > 0 {
            inferred.push(format!(
                "that the {older} other files are from before the last rewrite: their numbers are lower"
            ));
        }
        let mut missing = Vec::new();
        if base.is_none() {
            missing.push(MissingPart { name: None, role: Role::Base, count: 1, empty: false });
        }
        for gap in numbers.windows(2) {
            let (Some(first), Some(between)) = (gap[0].checked_add(1), gap[1].checked_sub(gap[0]))
            else {
                continue;
            };
            if between > 1 {
                let name = format!("{}.{first}.incr.aof", printable(self.name.as_bytes()));
                let count = u64::try_from(between - 1).unwrap_or(u64::MAX);
                missing.push(MissingPart {
                    name: Some(name),
                    role: Role::Incr,
                    count,
                    empty: false,
                });
            }
        }
        let entries = (set.files.iter())
            .map(|part| Entry::new(part.role, part.file.name.as_bytes(), part.seq))
            .collect();
        Choice { entries, certain: Vec::new(), inferred, missing }
    }

    /// Opens the files of a choice as a log.
    fn proposal(
        &self,
        mut choice: Choice,
        place: PathBuf,
        (kind, fault): (&'static str, String),
    ) -> Result<(Log, SetProposal)> {
        for entry in choice.entries.iter().filter(|entry| entry.role == Role::Base) {
            if self.bytes_of(entry.file_name()) == Some(0) && entry.name.ends_with(b".base.rdb") {
                choice.missing.push(MissingPart::empty_base(&printable(&entry.name)));
            }
        }
        let manifest = Manifest { entries: choice.entries };
        let path_of = |entry: &Entry| self.path.join(entry.file_name());
        let files = manifest.load_order().map(|entry| (path_of(entry), part_role(entry.role)));
        let parts = map_parts(files.collect())?;
        let lines = manifest.to_bytes();
        let lines = lines.split(|&byte| byte == b'\n').filter(|line| !line.is_empty());
        let proposal = SetProposal {
            kind,
            fault,
            lines: lines.map(printable).collect(),
            files: self.found(&manifest),
            certain: choice.certain,
            inferred: choice.inferred,
            missing: choice.missing,
            manifest: place.clone(),
            replaces: None,
        };
        let layout = layout_of(&self.path, place.file_stem());
        let log = Log {
            path: place.clone(),
            opened: place.clone(),
            chosen: None,
            layout,
            parts,
            history: Vec::new(),
            manifest: Some(ManifestFile { path: place, manifest }),
            others: Vec::new(),
        };
        Ok((log, proposal))
    }

    /// Returns the files that are named like parts or that the manifest lists: first those that it lists, in load order.
    fn found(&self, manifest: &Manifest) -> Vec<FoundFile> {
        let found = |file: &ListedFile, role, listed| FoundFile {
            name: printable(file.name.as_bytes()),
            role,
            bytes: file.bytes,
            modified: modified(&file.path),
            listed,
        };
        let listed = manifest.load_order().filter_map(|entry| {
            let file = self.listing.files.iter().find(|file| file.name == entry.file_name())?;
            Some(found(file, entry.role, true))
        });
        let is_listed =
            |file: &ListedFile| manifest.load_order().any(|entry| entry.file_name() == file.name);
        let others = self.listing.files.iter().filter(|file| !is_listed(file));
        let others = others.filter_map(|file| Some(found(file, file.part_name()?.role, false)));
        listed.chain(others).collect()
    }
}

/// Returns what the modification times say about parts that were paired by their numbers.
fn times(files: &[NumberedPart<ListedFile>]) -> Option<String> {
    let times: Option<Vec<i64>> = files.iter().map(|part| modified(&part.file.path)).collect();
    let times = times?;
    let (first, last) = (*times.first()?, *times.last()?);
    let has_base = files.first().is_some_and(|part| part.role == Role::Base);
    if files.len() < 2 || times.iter().all(|&time| time == first) {
        return None;
    }
    let following = if has_base { times.get(1..)? } else { &times };
    // The base file of a rewrite is finished while the incremental file after it is written.
    let agrees = following.is_sorted() && (!has_base || first <= last);
    let [first, last] = [first, last].map(rfc3339::from_seconds);
    Some(match agrees {
        true => format!("their modification times agree with that: {first} to {last}"),
        false => format!(
            "their modification times ({first} to {last}) do not agree with that; copying files can set new times"
        ),
    })
}

/// Reads a manifest; if it violates a rule, without what editors add to a file.
fn read_leniently(text: &[u8]) -> Option<(Manifest, Option<&'static str>)> {
    if let Ok(manifest) = manifest::parse(text) {
        return Some((manifest, None));
    }
    let without_mark = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    let end = without_mark.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
    let without_zeros = without_mark.get(..end).unwrap_or_default();
    let mut cleaned = Vec::new();
    let is_blank = |line: &[u8]| line.iter().all(u8::is_ascii_whitespace);
    for line in without_zeros.split(|&byte| byte == b'\n').filter(|line| !is_blank(line)) {
        cleaned.extend_from_slice(line);
        cleaned.push(b'\n');
    }
    let change = match () {
        () if without_mark.len() < text.len() => "without its byte order mark (BOM)",
        () if without_zeros.len() < without_mark.len() => "without the zero bytes at its end",
        () if without_zeros.ends_with(b"\n") => "without its blank lines",
        () => "with a newline at its end",
    };
    let manifest = manifest::parse(&cleaned).ok().filter(|it| !it.entries.is_empty())?;
    Some((manifest, Some(change)))
}
