//! Opening a ZIP archive: its directory, and the checks that are possible before decompression.
//!
//! Nothing that the archive declares is trusted: each local header is compared with the directory, and entries must not
//! overlap, leave gaps, repeat a name or lead out of the output directory.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::ops::Range;
use std::time::SystemTime;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use rawzip::time::ZipDateTimeKind;
use rawzip::{ZipArchive, ZipFileHeaderRecord, ZipSliceArchive};

use super::method::Method;
use super::report::ArchiveFinding;
use crate::base::escape::steers;
use crate::base::level::Level;

/// An entry whose location in the archive is known and valid.
#[derive(Debug, Clone)]
pub(crate) struct Located {
    /// The name, escaped for display.
    pub(crate) name: String,
    /// The name: as stored, without a leading `./`, with slashes where a Windows program stored backslashes.
    pub(crate) raw: String,
    pub(crate) method: Method,
    pub(crate) crc32: u32,
    /// The declared uncompressed size in bytes.
    pub(crate) bytes: u64,
    /// The range of its compressed bytes.
    pub(crate) packed: Range<usize>,
    pub(crate) is_directory: bool,
    /// Whether checksum and sizes are in a data descriptor after its bytes.
    pub(crate) has_descriptor: bool,
    /// The time of the last change of the file.
    pub(crate) modified: Option<SystemTime>,
}

/// A ZIP archive, as described by its directory.
pub(crate) struct Opened<'a> {
    pub(crate) bytes: &'a [u8],
    pub(crate) entries: Vec<Located>,
    /// The findings so far.
    pub(crate) findings: Vec<ArchiveFinding>,
    /// The byte offset of the directory.
    pub(crate) directory: u64,
}

/// The maximum number of entries that are read: a set of a server has less than a hundred.
const ENTRIES: usize = 65_536;

/// Returns whether a file is a ZIP archive, by its first bytes.
pub(crate) fn is_zip(bytes: &[u8]) -> bool {
    [&b"PK\x03\x04"[..], b"PK\x05\x06"].iter().any(|magic| bytes.starts_with(magic))
}

/// Opens the ZIP archive in `bytes`.
pub(crate) fn open_zip(bytes: &[u8]) -> Opened<'_> {
    let mut opened = Opened { bytes, entries: Vec::new(), findings: Vec::new(), directory: 0 };
    match ZipArchive::from_slice(bytes) {
        Ok(zip) => opened.read(&zip),
        Err(_) => opened.findings.push(
            ArchiveFinding::new(
                Level::Error,
                "no-directory",
                "the archive has no directory at its end",
            )
            .help(
                "it was cut short, or its end is damaged; copy it again, or take another archive",
            ),
        ),
    }
    opened
}

impl<'a> Opened<'a> {
    fn error(&mut self, kind: &'static str, message: impl Into<String>) -> &mut ArchiveFinding {
        self.findings.push(ArchiveFinding::new(Level::Error, kind, message));
        let last = self.findings.len() - 1;
        &mut self.findings[last]
    }

    /// Returns the bytes of an entry as stored in the archive.
    pub(crate) fn packed(&self, entry: &Located) -> &'a [u8] {
        self.bytes.get(entry.packed.clone()).unwrap_or_default()
    }

    fn read(&mut self, zip: &ZipSliceArchive<&'a [u8]>) {
        self.directory = zip.directory_offset();
        if let Some(what) = several_disks(self.bytes, zip.eocd_offset()) {
            self.error("several-disks", what);
            return;
        }
        let following = (self.bytes.len() as u64).saturating_sub(zip.end_offset());
        if following > 0 {
            let what = format!("{following} bytes are after the end of the archive");
            self.findings.push(
                ArchiveFinding::new(Level::Warning, "trailing-bytes", what)
                    .offset(zip.end_offset()),
            );
        }
        let mut entries = zip.entries();
        let mut names = BTreeSet::new();
        let mut spans = Vec::new();
        let mut count = 0_u64;
        loop {
            match entries.next_entry() {
                Ok(None) => break,
                Err(_) => {
                    self.error(
                        "directory",
                        format!("the directory cannot be read after entry {count}"),
                    );
                    break;
                }
                Ok(Some(_)) if self.entries.len() >= ENTRIES => {
                    self.error("entries", format!("there are more than {ENTRIES} entries"));
                    break;
                }
                Ok(Some(record)) => {
                    count += 1;
                    if let Some(span) = self.entry(zip, &record, &mut names) {
                        spans.push(span);
                    }
                }
            }
        }
        if count != zip.entries_hint()
            && self.findings.iter().all(|finding| finding.kind != "entries")
        {
            let what = format!(
                "the directory has {count} entries, and its end says {}",
                zip.entries_hint()
            );
            self.error("directory", what);
        }
        self.tile(spans);
    }

    /// Checks one entry; returns its byte range in the archive, and its name.
    fn entry(
        &mut self,
        zip: &ZipSliceArchive<&'a [u8]>,
        record: &ZipFileHeaderRecord<'_>,
        names: &mut BTreeSet<Vec<u8>>,
    ) -> Option<(Range<u64>, String)> {
        let path = record.file_path();
        let stored: &[u8] = path.as_bytes();
        let raw = normalised(stored);
        let raw = raw.as_ref();
        let name = printable(raw);
        // The directory that was archived itself, `./`.
        let is_root = raw.is_empty() && stored.starts_with(b"./");
        if let Some(why) = leads_astray(raw).filter(|_| !is_root) {
            self.error("path", format!("its name {why}")).entry = Some(name);
            return None;
        }
        if !names.insert(raw.to_vec()) {
            self.error("duplicate-name", "another entry has the same name").entry = Some(name);
            return None;
        }
        let flags = record.flags();
        if flags.is_encrypted() {
            self.error("encrypted", "it is encrypted, and cannot be read without its password")
                .entry = Some(name);
            return None;
        }
        let Some(method) = Method::from_number(record.compression_method().as_u16()) else {
            let what = format!(
                "it is compressed by method {}, which is not supported",
                record.compression_method().as_u16()
            );
            let finding = self.error("method", what);
            finding.entry = Some(name);
            finding.help = Some(
                "deflate, zstd and store are supported; unzip it and compress it again".into(),
            );
            return None;
        };
        if record.mode().is_symlink() {
            self.error("link", "it is a symbolic link, not a file").entry = Some(name);
            return None;
        }
        let Ok(entry) = zip.get_entry(record.wayfinder()) else {
            let what =
                "its local header is not where the directory says, or its bytes are not all there";
            self.error("local-header", what).entry = Some(name);
            return None;
        };
        let (start, end) = entry.compressed_data_range();
        let local = entry.local_header();
        let (bytes, packed) = (record.uncompressed_size_hint(), record.compressed_size_hint());
        let has_descriptor = flags.has_data_descriptor();
        let mut differs = Vec::new();
        let local_path = local.file_path();
        if AsRef::<[u8]>::as_ref(&local_path.as_bytes()) != stored {
            differs.push("name");
        }
        if local.flags().bits() != flags.bits() {
            differs.push("flags");
        }
        if local.compression_method() != record.compression_method() {
            differs.push("method");
        }
        // With a descriptor after the bytes, the local header may contain zeros.
        let held = |local: u64, directory: u64| local == directory || has_descriptor && local == 0;
        if !held(u64::from(local.crc32()), u64::from(record.crc32())) {
            differs.push("checksum");
        }
        if !held(local.compressed_size_hint(), packed)
            || !held(local.uncompressed_size_hint(), bytes)
        {
            differs.push("size");
        }
        let mut span_end = end;
        if has_descriptor {
            match descriptor(self.bytes, end, record.crc32(), packed, bytes) {
                Some(len) => span_end = end + len,
                None => differs.push("data descriptor"),
            }
        }
        if !differs.is_empty() {
            let what = format!("local header and directory differ: {}", differs.join(", "));
            self.error("local-header", what).entry = Some(name);
            return None;
        }
        let span = (record.local_header_offset()..span_end, name.clone());
        let is_directory = is_root || record.is_dir() || raw.ends_with(b"/");
        if is_directory && bytes > 0
            || method == Method::Store && bytes != packed
            || absurd(method, bytes, packed)
        {
            let what = format!("it declares {bytes} bytes in {packed}, which cannot be");
            self.error("size", what).entry = Some(name);
            return Some(span);
        }
        if is_root {
            return Some(span);
        }
        let index = |at: u64| usize::try_from(at).unwrap_or(usize::MAX);
        self.entries.push(Located {
            name,
            raw: String::from_utf8_lossy(raw).into_owned(),
            method,
            crc32: record.crc32(),
            bytes,
            packed: index(start)..index(end),
            is_directory,
            has_descriptor,
            modified: modified(record),
        });
        Some(span)
    }

    /// Checks that the entries cover the bytes up to the directory without gaps or overlap.
    fn tile(&mut self, mut spans: Vec<(Range<u64>, String)>) {
        spans.sort_by_key(|(span, _)| (span.start, span.end));
        let mut at = 0;
        let directory = self.directory;
        for (span, name) in spans {
            if span.start < at || span.end > directory {
                let with = if span.start < at { "the entry before it" } else { "the directory" };
                let finding = self.error("overlap", format!("its bytes overlap those of {with}"));
                finding.entry = Some(name);
            } else if span.start > at {
                self.gap(at, span.start);
            }
            at = at.max(span.end);
        }
        if at < directory {
            self.gap(at, directory);
        }
    }

    fn gap(&mut self, from: u64, to: u64) {
        let what = format!("{} bytes belong to no entry", to - from);
        self.findings.push(ArchiveFinding::new(Level::Warning, "gap", what).offset(from));
    }
}

/// Returns the reason why an archive is not contained in a single file.
fn several_disks(bytes: &[u8], end: u64) -> Option<&'static str> {
    let end = bytes.get(usize::try_from(end).ok()?..)?.first_chunk::<22>()?;
    let field = |at: usize| u16::from_le_bytes([end[at], end[at + 1]]);
    const IN_ZIP64: u16 = u16::MAX;
    let first = |disk: u16| disk == 0 || disk == IN_ZIP64;
    let whole = first(field(4)) && first(field(6)) && field(8) == field(10);
    (!whole).then_some("it is one of several parts of an archive, which are not read here")
}

/// Returns a name with slashes, if a Windows program stored backslashes, and without a leading `./`.
fn normalised(stored: &[u8]) -> Cow<'_, [u8]> {
    let mut name = Cow::Borrowed(stored);
    if stored.contains(&b'\\') && !stored.contains(&b'/') {
        let slash = |&byte: &u8| if byte == b'\\' { b'/' } else { byte };
        name = Cow::Owned(stored.iter().map(slash).collect());
    }
    while name.starts_with(b"./") {
        name = Cow::Owned(name[2..].to_vec());
    }
    name
}

/// Returns the time of the last change of an entry. A time without a time zone is taken as local.
fn modified(record: &ZipFileHeaderRecord<'_>) -> Option<SystemTime> {
    let found = record.last_modified();
    // The earliest time that there is means that the time is unknown.
    if (found.year(), found.month(), found.day()) == (1980, 1, 1) {
        return None;
    }
    let small = |number: u8| i8::try_from(number).ok();
    let civil = DateTime::new(
        i16::try_from(found.year()).ok()?,
        small(found.month())?,
        small(found.day())?,
        small(found.hour())?,
        small(found.minute())?,
        small(found.second())?,
        0,
    );
    let zone = match found {
        ZipDateTimeKind::Utc(_) => TimeZone::UTC,
        ZipDateTimeKind::Local(_) => TimeZone::system(),
    };
    Some(civil.ok()?.to_zoned(zone).ok()?.timestamp().into())
}

/// Returns the reason why a name is unsafe to extract.
pub(crate) fn leads_astray(name: &[u8]) -> Option<&'static str> {
    if name.is_empty() {
        return Some("is empty");
    }
    if name.starts_with(b"/") {
        return Some("begins at the root of the file system");
    }
    if name.contains(&b'\\') || name.contains(&0) {
        return Some("has a backslash or a zero byte");
    }
    if name.get(1) == Some(&b':') && name[0].is_ascii_alphabetic() {
        return Some("begins with a drive");
    }
    let mut parts = name.strip_suffix(b"/").unwrap_or(name).split(|&byte| byte == b'/');
    if parts.any(|part| matches!(part, b"" | b"." | b"..")) {
        return Some("has an empty part, `.` or `..` in it");
    }
    std::str::from_utf8(name).is_err().then_some("is not UTF-8")
}

/// Returns whether compressed bytes cannot expand to the declared size: deflate encodes at most 258 bytes in two bits.
fn absurd(method: Method, bytes: u64, packed: u64) -> bool {
    const DEFLATE_BEST: u64 = 1032;
    method == Method::Deflate && bytes > packed.saturating_mul(DEFLATE_BEST)
}

/// Returns the length of the descriptor at `at`, if it agrees with the directory: with or without its signature, with
/// sizes of 32 or 64 bits.
fn descriptor(bytes: &[u8], at: u64, crc32: u32, packed: u64, unpacked: u64) -> Option<u64> {
    const MARK: &[u8] = b"PK\x07\x08";
    let rest = bytes.get(usize::try_from(at).ok()?..)?;
    let mut forms: Vec<Vec<u8>> =
        vec![[&crc32.to_le_bytes()[..], &packed.to_le_bytes(), &unpacked.to_le_bytes()].concat()];
    if let (Ok(packed), Ok(unpacked)) = (u32::try_from(packed), u32::try_from(unpacked)) {
        forms.push([crc32.to_le_bytes(), packed.to_le_bytes(), unpacked.to_le_bytes()].concat());
    }
    let marked = forms.iter().map(|form| [MARK, form].concat()).collect::<Vec<_>>();
    let found = marked.iter().chain(&forms).find(|form| rest.starts_with(form));
    found.map(|form| form.len() as u64)
}

/// Returns a name with terminal control characters escaped.
pub(crate) fn printable(name: &[u8]) -> String {
    let mut out = String::new();
    for c in String::from_utf8_lossy(name).chars() {
        if steers(c) { out.extend(c.escape_default()) } else { out.push(c) }
    }
    out
}
