//! Compressing an opened log to an archive.

use std::path::{Path, PathBuf};
use std::time::Instant;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use sha2::{Digest as _, Sha256};

use crate::analysis::rdb_inspection::{LibraryFault, RdbInspection};
use crate::aof::log::{Layout, Log, Part, PartRole};
use crate::aof::manifest::{Manifest, Role};
use crate::aof::scan_parallel;
use crate::archive::contents::{
    Arrangement, CONTENTS, Contents, FileRecord, FileRole, SCHEMA, Source,
};
use crate::archive::encryption::description::Description;
use crate::archive::encryption::format::{Ciphertext, Envelope};
use crate::archive::encryption::{self, Recipients, Sealed};
use crate::archive::key_filter::KEY_FILTER;
use crate::archive::method::Method;
use crate::archive::names::archive_name;
use crate::archive::report::{ArchiveFinding, CompressReport, Phase, ReadBack};
use crate::archive::sink::{FileSink, Sink};
use crate::archive::writer::{Packing, Writer};
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::escape::hexadecimal;
use crate::base::level::Level;
use crate::base::progress::Progress;
use crate::command::key_names::KeyNames;
use crate::disk::publish::{Existing, NewFile};
use crate::disk::{Access, set_mode};
use crate::input::archive::entry_stats::{EntryStats, Fault};
use crate::input::archive::file::map_whole;
use crate::input::archive::verify::{DAMAGE, verify_archive};
use crate::input::files::open_files;
use crate::input::overwrite::{Shape, check_output, check_shape, inputs};
use crate::ops::verify::findings::FUNCTION_LIBRARY;
use crate::rdb;
use crate::store::url::is_url;

/// The number of bytes of an encrypted archive that are read back at a time.
const CHECK_BYTES: usize = 1 << 20;

/// The port of the source if it is unknown: the default port of servers.
const PORT: u16 = 6379;

/// The directory of a set in the archive: the default of `appenddirname`.
pub const APPENDDIRNAME: &str = "appendonlydir";

/// Options of [`compress`].
#[derive(Debug, Clone)]
#[cfg_attr(not(feature = "internals"), non_exhaustive)]
pub struct CompressOptions {
    /// The path of the archive: a file, or an existing directory in which it gets a name that begins with its time.
    pub output: PathBuf,
    /// The treatment of an existing archive.
    pub existing: Existing,
    /// The compression method.
    pub method: Method,
    /// The compression level; `None` for the default of the method. See [`Method::levels`].
    pub level: Option<i32>,
    /// The time of the data in the archive.
    pub created: Timestamp,
    /// The source of the log, as far as it is known.
    pub source: Source,
    /// The template for the name of the archive in a directory: `{port}` and strftime conversions.
    pub name_template: Option<String>,
    /// The directory of a set in the archive; `None` for `appendonlydir`.
    pub appenddirname: Option<String>,
    /// The number of cores for compression; 0 for all. (Deflate uses the threads of rayon.)
    pub threads: usize,
    /// The fingerprint of the data set to record in the archive, if computed.
    pub fingerprint: Option<String>,
    /// Whether the archive is a backup: see [`Contents::backup`].
    pub backup: bool,
    /// Whether a damaged log may be compressed.
    pub damaged: bool,
    /// Whether the archive is read back before it is published.
    pub check: bool,
    /// The mode of the archive, such as 0o640; `None` for its owner alone.
    pub mode: Option<u32>,
    /// The public keys of age that the archive is encrypted to; with those in the files, none for no encryption.
    pub encrypt_to: Vec<String>,
    /// Files with such keys, one a line.
    pub recipients_files: Vec<PathBuf>,
}

impl Default for CompressOptions {
    /// Deflate at the current time, with the archive read back before it is published. The output must be set.
    fn default() -> Self {
        CompressOptions::new(PathBuf::new(), Timestamp::now())
    }
}

impl CompressOptions {
    /// Returns the options for deflate into `output` at the time `created`, with the archive read back before it is
    /// published.
    pub fn new(output: PathBuf, created: Timestamp) -> Self {
        CompressOptions {
            output,
            existing: Existing::Keep,
            method: Method::default(),
            level: None,
            created,
            source: Source::default(),
            name_template: None,
            appenddirname: None,
            threads: 0,
            fingerprint: None,
            backup: false,
            damaged: false,
            check: true,
            mode: None,
            encrypt_to: Vec::new(),
            recipients_files: Vec::new(),
        }
    }

    /// Returns whether the archive is to be encrypted.
    pub(crate) fn is_encrypted(&self) -> bool {
        !self.encrypt_to.is_empty() || !self.recipients_files.is_empty()
    }

    /// Returns the recipients, if the archive is to be encrypted.
    ///
    /// # Errors
    ///
    /// When a key is not valid, a file of keys cannot be read, or this build has no encryption.
    pub(crate) fn recipients(&self) -> Result<Option<Recipients>> {
        let read = || Recipients::read(&self.encrypt_to, &self.recipients_files);
        self.is_encrypted().then(read).transpose()
    }

    /// Returns the final path of the archive.
    ///
    /// # Errors
    ///
    /// When the template for its name is invalid.
    pub fn destination(&self) -> Result<PathBuf> {
        if !self.output.is_dir() && !is_url(&self.output) {
            return Ok(self.output.clone());
        }
        let created = self.created.to_zoned(TimeZone::system());
        let port = self.source.port.unwrap_or(PORT);
        let mut name = archive_name(self.name_template.as_deref(), &created, port)?;
        if self.is_encrypted() {
            name = format!("{name}.{}", encryption::EXTENSION);
        }
        Ok(self.output.join(name))
    }

    fn packing(&self) -> Result<Packing> {
        let level = match (self.method.levels(), self.level) {
            (None, _) => 0,
            (Some((_, usual)), None) => usual,
            (Some((levels, _)), Some(level)) if levels.contains(&level) => level,
            (Some((levels, usual)), Some(level)) => {
                return Err(Error::new(
                    ErrorKind::Usage,
                    format!("{} has no level {level}", self.method),
                )
                .help(format!(
                    "it has {} to {}; without one, {usual} is taken",
                    levels.start(),
                    levels.end()
                )));
            }
        };
        let threads = if self.threads == 0 { rayon::current_num_threads() } else { self.threads };
        Ok(Packing {
            method: self.method,
            level,
            threads: u32::try_from(threads).unwrap_or(u32::MAX),
        })
    }
}

/// Compresses the log at `path` into one archive.
///
/// # Errors
///
/// When the log cannot be read, or the archive cannot be written; and when the path cannot be opened as a log.
pub fn compress(
    path: &Path,
    options: &CompressOptions,
    progress: &dyn Progress,
) -> Result<CompressReport> {
    let log = open_files(path)?;
    let destination = options.destination()?;
    check_output(&destination, options.existing, &inputs(&log))?;
    check_shape(&destination, Shape::File)?;
    let ends: Vec<u64> = log.parts.iter().map(|part| part.mapping.len()).collect();
    compress_log(&log, &ends, options, progress)
}

/// Compresses an opened log: the first `ends` bytes of each part, which may have grown since.
///
/// # Errors
///
/// When the log is damaged and that is not allowed, when a file is truncated meanwhile, or when the archive cannot be
/// written or fails the check. An existing file at the archive's path is then unchanged.
pub fn compress_log(
    log: &Log,
    ends: &[u64],
    options: &CompressOptions,
    progress: &dyn Progress,
) -> Result<CompressReport> {
    let mut packed = pack(log, ends, options, progress)?;
    if options.check {
        packed.check(progress)?;
    }
    progress.check()?;
    packed.publish()
}

/// An archive that is written but not yet published.
pub struct Packed {
    file: NewFile,
    mode: Option<u32>,
    report: CompressReport,
    ciphertext: Option<Ciphertext>,
    started: Instant,
}

impl Packed {
    /// Returns the report of the archive.
    pub fn report(&self) -> &CompressReport {
        &self.report
    }

    /// Returns the path of the archive until it is published.
    pub fn path(&self) -> &Path {
        self.file.path()
    }

    /// Reads the archive back as [`verify_archive`] does, and compares it with the compressed files. An encrypted one
    /// cannot be decrypted with public keys: it is compared with what was written (see [`ReadBack`]).
    ///
    /// # Errors
    ///
    /// When it differs from what was written, or cannot be read.
    pub fn check(&mut self, progress: &dyn Progress) -> Result<()> {
        let started = Instant::now();
        let path = self.file.path().to_owned();
        if let Some(written) = self.ciphertext {
            compare_ciphertext(&path, &self.report.output, written, progress)?;
            self.report.checked = true;
            self.report.read_back = Some(ReadBack::Ciphertext);
            self.took("check", started);
            return Ok(());
        }
        compare(&path, &self.report, progress)?;
        self.report.checked = true;
        self.report.read_back = Some(ReadBack::Contents);
        self.took("check", started);
        Ok(())
    }

    /// Publishes the archive at its destination, durably.
    ///
    /// # Errors
    ///
    /// As [`NewFile::publish`].
    pub fn publish(mut self) -> Result<CompressReport> {
        let started = Instant::now();
        self.took("publish", started);
        let Packed { mut file, mode, mut report, ciphertext: _, started: all } = self;
        let failed = |error| Error::io("set the mode of", &report.output, error);
        let widened = mode.map(|mode| Ok((file.file().try_clone()?, mode))).transpose();
        let widened = widened.map_err(failed)?;
        file.publish()?;
        if let Some((archive, mode)) = widened {
            set_mode(&archive, mode).map_err(failed)?;
        }
        if let Some(phase) = report.phases.last_mut() {
            phase.elapsed_s = started.elapsed().as_secs_f64();
        }
        report.elapsed_s = all.elapsed().as_secs_f64();
        Ok(report)
    }

    fn took(&mut self, name: &'static str, started: Instant) {
        self.report.phases.push(Phase { name, elapsed_s: started.elapsed().as_secs_f64() });
    }
}

/// Reads the archive at `path` as [`verify_archive`] does, and compares it with what was compressed.
///
/// # Errors
///
/// When it differs from what was written, or cannot be read.
pub(crate) fn compare(path: &Path, report: &CompressReport, progress: &dyn Progress) -> Result<()> {
    let found = verify_archive(path, progress)?;
    let known = report.contents.files.iter().any(|file| file.damage.is_some());
    // Compared in serialised form: a path that is not valid UTF-8 is not read back unchanged.
    let json = |contents: &Contents| contents.to_bytes().ok();
    let same = found.contents.as_ref().and_then(json) == json(&report.contents);
    let wrong = found
        .findings
        .iter()
        .find(|finding| finding.level == Level::Error && !(known && finding.kind == DAMAGE));
    if same && wrong.is_none() {
        return Ok(());
    }
    let what = wrong.map_or("what it says of itself", |finding| &finding.message);
    Err(differs(&report.output, what))
}

/// Compares the encrypted archive at `path` with what was written, which is named `output` in messages.
///
/// # Errors
///
/// As [`compare`].
pub(crate) fn compare_ciphertext(
    path: &Path,
    output: &Path,
    written: Ciphertext,
    progress: &dyn Progress,
) -> Result<()> {
    let mapping = map_whole(path, progress)?;
    progress.phase("verify", mapping.len());
    let mut sha256 = Sha256::new();
    for chunk in mapping.bytes().chunks(CHECK_BYTES) {
        sha256.update(chunk);
        progress.advance(chunk.len() as u64);
        progress.check()?;
    }
    mapping.check()?;
    if mapping.len() != written.bytes || <[u8; 32]>::from(sha256.finalize()) != written.sha256 {
        return Err(differs(output, "SHA-256 mismatch"));
    }
    Envelope::read(mapping.bytes()).map_err(|malformed| differs(output, malformed.what))?;
    Ok(())
}

fn differs(output: &Path, what: &str) -> Error {
    let what = format!("the archive was read back and is not what was written: {what}");
    let help = match is_url(output) {
        true => "it was removed again; check the store before you trust it with another",
        false => {
            "it was removed again; look at the disk and its messages before you trust it with another"
        }
    };
    Error::new(ErrorKind::Refused, what).at(output).help(help)
}

/// A file to compress.
struct Packable<'l> {
    name: String,
    role: FileRole,
    part: Option<&'l Part>,
    /// The bytes as they are on disk.
    bytes: &'l [u8],
    /// The same with an RDB decompressed.
    content: &'l [u8],
}

/// Writes the archive of a log next to its destination; see [`compress_log`].
///
/// # Errors
///
/// As [`compress_log`].
pub fn pack(
    log: &Log,
    ends: &[u64],
    options: &CompressOptions,
    progress: &dyn Progress,
) -> Result<Packed> {
    let started = Instant::now();
    if is_url(&options.output) {
        return Err(Error::new(ErrorKind::Usage, "archives are compressed to files")
            .at(&options.output)
            .help("`aofkit backup PATH --to s3://BUCKET/PREFIX` writes to object storage"));
    }
    let recipients = options.recipients()?;
    let destination = options.destination()?;
    refuse_own_input(log, &destination)?;
    let mut file = NewFile::create(&destination, options.existing, Access::PRIVATE)?;
    let mut sink = FileSink::new(file.file());
    let output = match &recipients {
        None => Output::Plain(&mut sink),
        Some(recipients) => Output::Encrypted(&mut sink, recipients),
    };
    let (report, ciphertext) = pack_into(output, log, ends, options, destination, progress)?;
    Ok(Packed { file, mode: options.mode, report, ciphertext, started })
}

/// Writes the archive of a log to `output`; `destination` is its name for messages and the report. Returns the hash of what
/// was written as well, if it is encrypted.
///
/// # Errors
///
/// As [`compress_log`].
pub(crate) fn pack_into(
    output: Output<'_>,
    log: &Log,
    ends: &[u64],
    options: &CompressOptions,
    destination: PathBuf,
    progress: &dyn Progress,
) -> Result<(CompressReport, Option<Ciphertext>)> {
    let started = Instant::now();
    let packing = options.packing()?;
    let manifest = manifest_of(log, ends);
    let mut files = files(log, ends, manifest.as_deref(), options)?;
    let mut phases = Vec::new();
    let reading = Instant::now();
    progress.phase("read", files.iter().map(|file| file.bytes.len() as u64).sum());
    let stored = |files: &[Packable<'_>]| files.iter().map(|file| file.bytes.len() as u64).sum();
    let before: u64 = stored(&files);
    let is_rdb = |file: &&Packable<'_>| file.part.is_some_and(Part::starts_with_rdb);
    let rdbs: u64 = files.iter().filter(is_rdb).map(|file| file.content.len() as u64).sum();
    let all: u64 = files.iter().map(|file| file.content.len() as u64).sum();
    // What follows an RDB in the same file are commands, which are fewer for their bytes.
    let mut names = KeyNames::for_files(all - rdbs, rdbs);
    let look_at = |file| look(file, &mut names, progress);
    let looked_at = files.iter_mut().map(look_at).collect::<Result<Vec<_>>>()?;
    let (records, unloadable): (Vec<_>, Vec<_>) = looked_at.into_iter().unzip();
    let findings = unloadable.into_iter().flatten().collect();
    let after_rdb = before - stored(&files);
    refuse_damage(log, &records, options)?;
    phases.push(Phase { name: "read", elapsed_s: reading.elapsed().as_secs_f64() });
    let packing_since = Instant::now();
    let mut contents = Contents {
        schema: SCHEMA,
        tool: concat!("aofkit ", env!("CARGO_PKG_VERSION")).to_owned(),
        backup: options.backup,
        created: options.created,
        source: Source {
            path: options.source.path.clone().or_else(|| Some(log.path.clone())),
            ..options.source.clone()
        },
        layout: arrangement(log, &records),
        files: records,
        fingerprint: options.fingerprint.clone(),
        key_filter_sha256: None,
    };
    let filter = names.finish();
    let written = Content { files: &files, filter: filter.as_deref() };
    let (archive_bytes, ciphertext) =
        write(output, &written, &mut contents, packing, &destination, progress)?;
    for part in &log.parts {
        part.file().check()?;
    }
    phases.push(Phase { name: "compress", elapsed_s: packing_since.elapsed().as_secs_f64() });
    let bytes = contents.bytes();
    #[allow(clippy::cast_precision_loss)] // Three digits are shown.
    let ratio = bytes as f64 / archive_bytes as f64;
    let report = CompressReport {
        path: log.path.clone(),
        output: destination,
        method: options.method,
        level: options.method.levels().map(|_| packing.level),
        bytes,
        archive_bytes,
        ratio,
        after_rdb,
        contents,
        encrypted: ciphertext.is_some(),
        checked: false,
        read_back: None,
        findings,
        phases,
        elapsed_s: started.elapsed().as_secs_f64(),
    };
    Ok((report, ciphertext))
}

/// What is written to an archive besides its metadata.
struct Content<'l> {
    files: &'l [Packable<'l>],
    /// The bytes of the key filter.
    filter: Option<&'l [u8]>,
}

/// Where an archive is written to.
pub(crate) enum Output<'o> {
    /// As it is.
    Plain(&'o mut dyn Sink),
    /// Encrypted for these recipients.
    Encrypted(&'o mut dyn Sink, &'o Recipients),
}

/// Writes an archive; returns its length and, if it is encrypted, the hash of its bytes.
fn write(
    output: Output<'_>,
    content: &Content<'_>,
    contents: &mut Contents,
    packing: Packing,
    destination: &Path,
    progress: &dyn Progress,
) -> Result<(u64, Option<Ciphertext>)> {
    let failed = |error| failure(error, destination);
    match output {
        Output::Plain(sink) => {
            Ok((write_zip(sink, content, contents, packing, destination, progress)?, None))
        }
        Output::Encrypted(sink, recipients) => {
            let description = Description::of(contents);
            let mut sink = Sealed::begin(sink, recipients, &description).map_err(failed)?;
            write_zip(&mut sink, content, contents, packing, destination, progress)?;
            let ciphertext = sink.finish().map_err(failed)?;
            Ok((ciphertext.bytes, Some(ciphertext)))
        }
    }
}

/// Returns the error of writing an archive. A store has errors of its own.
fn failure(error: std::io::Error, destination: &Path) -> Error {
    match error.downcast::<Error>() {
        Ok(error) => error,
        Err(error) => Error::io("write", destination, error),
    }
}

/// Writes the entries and the directory, and returns their length.
fn write_zip(
    sink: &mut dyn Sink,
    content: &Content<'_>,
    contents: &mut Contents,
    packing: Packing,
    destination: &Path,
    progress: &dyn Progress,
) -> Result<u64> {
    let failed = |error| failure(error, destination);
    progress.phase("compress", contents.bytes());
    let mut writer = Writer::new(sink, contents.created);
    for (file, record) in content.files.iter().zip(&mut contents.files) {
        let written = writer
            .add(&file.name, file.bytes, packing, |bytes| {
                progress.advance(bytes);
                progress.check_io()
            })
            .map_err(failed)?;
        record.sha256 = hexadecimal(&written.sha256);
        record.packed_bytes = written.packed_bytes;
        record.packed_crc32 = written.packed_crc32;
    }
    let stored = Packing { method: Method::Store, ..packing };
    if let Some(filter) = content.filter {
        let written = writer.add(KEY_FILTER, filter, stored, |_| Ok(())).map_err(failed)?;
        contents.key_filter_sha256 = Some(hexadecimal(&written.sha256));
    }
    let json = contents.to_bytes().map_err(|error| failed(error.into()))?;
    writer.add(CONTENTS, &json, stored, |_| Ok(())).map_err(failed)?;
    writer.finish().map_err(failed)
}

/// Returns the manifest to archive: without history files, which are not archived, and without the end offset of
/// truncated files.
fn manifest_of(log: &Log, ends: &[u64]) -> Option<Vec<u8>> {
    let listed = &log.manifest.as_ref()?.manifest;
    let mut entries = listed.entries.clone();
    entries.retain(|entry| entry.role != Role::History);
    for (part, &end) in log.parts.iter().zip(ends).filter(|(part, end)| **end < part.mapping.len())
    {
        let _ = end;
        let name = part.path.file_name().unwrap_or_default();
        for entry in entries.iter_mut().filter(|entry| entry.file_name() == name) {
            entry.end_offset = None;
        }
    }
    Some(Manifest { entries }.to_bytes())
}

fn files<'l>(
    log: &'l Log,
    ends: &[u64],
    manifest: Option<&'l [u8]>,
    options: &CompressOptions,
) -> Result<Vec<Packable<'l>>> {
    let set = match &log.layout {
        Layout::MultiPart { directory, .. } => Some(directory.as_path()),
        _ => None,
    };
    let dir = options.appenddirname.as_deref().unwrap_or(APPENDDIRNAME);
    let own_name = |path: &Path| {
        let name = path.file_name().and_then(|name| name.to_str());
        name.map(str::to_owned).ok_or_else(|| {
            Error::new(ErrorKind::Refused, "its name is not UTF-8, and an archive cannot have it")
                .at(path)
        })
    };
    let mut files = Vec::new();
    for (part, &end) in log.parts.iter().zip(ends) {
        let name = match set {
            Some(set) if part.path.parent() == Some(set) => {
                format!("{dir}/{}", own_name(&part.path)?)
            }
            // The single file that a server is about to move into the set.
            Some(_) => own_name(&part.path)?,
            None if matches!(log.layout, Layout::OnePart { .. }) => own_name(&part.path)?,
            None => SINGLE_FILE.to_owned(),
        };
        let role = match part.role {
            PartRole::Single => FileRole::Single,
            PartRole::Base => FileRole::Base,
            PartRole::Incr => FileRole::Incr,
        };
        let content = part.mapping.bytes();
        let content = &content[..usize::try_from(end).unwrap_or(usize::MAX).min(content.len())];
        files.push(Packable {
            name,
            role,
            part: Some(part),
            bytes: part.stored_bytes(end),
            content,
        });
    }
    if let (Some(file), Some(bytes)) = (&log.manifest, manifest) {
        let name = format!("{dir}/{}", own_name(&file.path)?);
        files.push(Packable { name, role: FileRole::Manifest, part: None, bytes, content: bytes });
    }
    Ok(files)
}

/// The name of a single file: the default of `appendfilename`.
const SINGLE_FILE: &str = "appendonly.aof";

fn arrangement(log: &Log, records: &[FileRecord]) -> Arrangement {
    match log.layout {
        Layout::MultiPart { .. } => Arrangement::MultiPart,
        Layout::RdbFile if records.iter().all(|record| record.commands == 0) => {
            Arrangement::RdbFile
        }
        _ => Arrangement::SingleFile,
    }
}

/// Adds the names of the keys of an RDB.
struct RdbNames<'n> {
    names: &'n KeyNames,
    scratch: Vec<u8>,
    inspection: RdbInspection,
}

impl<'a> rdb::Visitor<'a> for RdbNames<'_> {
    fn goes_on_at_broken_values(&self) -> bool {
        true
    }

    fn function(&mut self, library: rdb::Text<'a, '_>) {
        self.inspection.function(library);
    }

    fn key(&mut self, key: &rdb::Key<'a>) -> rdb::Want {
        self.names.add(key.name.bytes(&mut self.scratch));
        rdb::Want::Value
    }
}

/// Reads a file from end to end and returns a summary of its content. Bytes after an RDB file are left out of `file`. The
/// names of its keys are added to `names`.
fn look(
    file: &mut Packable<'_>,
    names: &mut KeyNames,
    progress: &dyn Progress,
) -> Result<(FileRecord, Option<ArchiveFinding>)> {
    let mut record = FileRecord {
        name: file.name.clone(),
        role: file.role,
        bytes: file.bytes.len() as u64,
        sha256: String::new(),
        packed_bytes: 0,
        packed_crc32: 0,
        commands: 0,
        rdb_keys: 0,
        transactions: 0,
        first_time: None,
        last_time: None,
        damage: None,
        newer_rdb: None,
    };
    let Some(part) = file.part else { return Ok((record, None)) };
    if part.is_empty_rdb() {
        EntryStats::empty_rdb().note_in(&mut record);
        return Ok((record, None));
    }
    let (mut start, mut end) = (0, file.content.len());
    let mut rdb = None;
    let mut library = None;
    if part.starts_with_rdb() {
        let inspection = RdbInspection::default();
        let mut visitor = RdbNames { names, scratch: Vec::new(), inspection };
        let read = part.read_rdb_in(file.content, &mut visitor, progress);
        library = visitor.inspection.library.filter(LibraryFault::is_refused_by_all);
        match read {
            Ok(reading) => {
                start = usize::try_from(reading.len()).unwrap_or(file.content.len());
                end = part.read_end(file.content, start);
                if end < file.content.len() {
                    // In the archive it is a file of another name, in which commands are expected there.
                    file.bytes = part.stored_bytes(end as u64);
                    record.bytes = file.bytes.len() as u64;
                }
                if reading.newer().is_some() {
                    names.give_up();
                }
                rdb = Some(reading);
            }
            Err(damage) => {
                part.mapping.check()?;
                names.give_up();
                EntryStats::broken_rdb(&damage).note_in(&mut record);
                return Ok((record, None));
            }
        }
    }
    let touch = |range| part.mapping.prefault(range);
    let bytes = &file.content[..end];
    let scanned = scan_parallel(bytes, start, || names.sink(), touch, progress);
    part.mapping.check()?;
    progress.check()?;
    let (is_incomplete, fault) = (scanned.sink.is_incomplete, scanned.stop.fault);
    let tally = scanned.sink.tally;
    if is_incomplete || fault.is_some() {
        names.give_up();
    }
    let found = match &rdb {
        Some(reading) => EntryStats::after_rdb(reading, library.as_ref(), tally, fault),
        None => EntryStats::commands(0, tally, fault),
    };
    let is_library = library.is_some();
    let unloadable = found.unloadable.as_ref().map(|at| unloadable(&file.name, at, is_library));
    found.note_in(&mut record);
    Ok((record, unloadable))
}

/// Returns the finding for a function library that servers refuse, or a whole command that they refuse or crash on. The
/// archive has it like all others.
fn unloadable(name: &str, at: &Fault, is_library: bool) -> ArchiveFinding {
    let kind = if is_library { FUNCTION_LIBRARY } else { "unloadable-command" };
    ArchiveFinding::new(Level::Error, kind, at.what.clone())
        .entry(name)
        .offset(at.offset)
        .help("the archive has the log as it is; `aofkit verify` shows which servers refuse it or crash on it")
}

/// Refuses to overwrite the log with its archive, which would then be the only copy.
fn refuse_own_input(log: &Log, destination: &Path) -> Result<()> {
    let Ok(place) = destination.canonicalize() else { return Ok(()) };
    let is_place = |path: &Path| path.canonicalize().is_ok_and(|path| path == place);
    let manifest = log.manifest.iter().map(|manifest| &manifest.path);
    if log.parts.iter().map(|part| &part.path).chain(manifest).any(|path| is_place(path)) {
        return Err(Error::new(ErrorKind::Usage, "this is the log to compress")
            .at(destination)
            .help("give another name for the archive"));
    }
    Ok(())
}

fn refuse_damage(log: &Log, records: &[FileRecord], options: &CompressOptions) -> Result<()> {
    let damaged = records.iter().find_map(|record| Some((record, record.damage.as_ref()?)));
    match damaged {
        Some((record, damage)) if !options.damaged => Err(Error::new(
            ErrorKind::Refused,
            format!("{} is damaged: {damage}", record.name),
        )
        .at(&log.path)
        .help("`aofkit verify` shows it, `aofkit repair` repairs it; --damaged compresses it as it is")),
        _ => Ok(()),
    }
}
