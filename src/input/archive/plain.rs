//! The bytes of an archive, decrypted if it is encrypted.
//!
//! The plaintext is written to a file without a name in the directory for temporary files, of which nothing is left however
//! the process ends. To read only the metadata, only the chunks that have it are decrypted, and nothing is written.

use std::env;
use std::io::{self, BufReader, BufWriter, Cursor, Read, Write};
use std::path::Path;

use super::file::{is_encrypted_object, map_beginning, map_whole};
use crate::archive::contents::Contents;
use crate::archive::cross_check;
use crate::archive::encryption::description::Description;
use crate::archive::encryption::format::{Envelope, is_encrypted};
use crate::archive::encryption::{Identities, Plain, identity_files, open};
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::progress::Progress;
use crate::disk::{Mapping, check_temporary_space};
use crate::store::archives::{Stored, stored};
use crate::store::fetch::Ranges;
use crate::store::url::is_url;

/// The help for a temporary directory that cannot hold the plaintext.
const TEMPORARY_DIRECTORY: &str =
    "an encrypted archive is decrypted there while it is read; set TMPDIR to use another directory";

/// The number of bytes that are decrypted at a time.
const STEP_BYTES: usize = 256 << 10;

/// An archive whose bytes can be read.
pub(crate) struct PlainArchive {
    /// The file at the path of the archive.
    file: Mapping,
    /// What is in it, if it is encrypted.
    decrypted: Option<Mapping>,
}

impl PlainArchive {
    /// Opens the archive at `path`, and decrypts it if it is encrypted.
    ///
    /// # Errors
    ///
    /// - [`ErrorKind::Refused`]: it is encrypted, and no identity is given that opens it, or too little space is free.
    /// - [`ErrorKind::Damaged`]: its encrypted bytes are damaged.
    /// - When it cannot be opened.
    pub(crate) fn open(path: &Path, progress: &dyn Progress) -> Result<Self> {
        let file = map_whole(path, progress)?;
        let decrypted = match is_encrypted(file.bytes()) {
            true => Some(decrypt(&file, progress)?),
            false => None,
        };
        Ok(PlainArchive { file, decrypted })
    }

    /// Returns the bytes of the zip.
    pub(crate) fn bytes(&self) -> &[u8] {
        self.decrypted.as_ref().unwrap_or(&self.file).bytes()
    }

    /// Returns the file at the path of the archive.
    pub(crate) fn file(&self) -> &Mapping {
        &self.file
    }

    /// Fails if the files were changed while they were read.
    pub(crate) fn check(&self) -> Result<()> {
        self.file.check()?;
        self.decrypted.as_ref().map_or(Ok(()), Mapping::check)
    }
}

/// Returns the identities that are given.
fn identities(path: &Path) -> Result<Identities> {
    let files = identity_files();
    if files.is_empty() {
        return Err(Error::new(
            ErrorKind::Refused,
            "the archive is encrypted, and no identity is given",
        )
        .at(path)
        .help("give the file with the private key of one of its recipients: --identity FILE"));
    }
    Identities::read(&files)
}

fn decrypt(file: &Mapping, progress: &dyn Progress) -> Result<Mapping> {
    let path = file.path();
    let envelope = envelope(file)?;
    let mut plain = open(path, &envelope, Cursor::new(file.bytes()), &identities(path)?)?;
    let place = env::temp_dir();
    let failed =
        |error| Error::io("decrypt an archive to", &place, error).help(TEMPORARY_DIRECTORY);
    check_temporary_space(envelope.plain_bytes, TEMPORARY_DIRECTORY)?;
    progress.phase("decrypt", envelope.plain_bytes);
    let mut out = BufWriter::new(tempfile::tempfile().map_err(failed)?);
    let mut buffer = vec![0; STEP_BYTES];
    let mut at = 0_u64;
    loop {
        let read = match plain.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(_) => {
                file.check()?;
                return Err(damaged_chunk(path, &envelope, at));
            }
        };
        out.write_all(&buffer[..read]).map_err(failed)?;
        at = at.saturating_add(read as u64);
        progress.advance(read as u64);
        progress.check()?;
    }
    file.check()?;
    if at != envelope.plain_bytes {
        return Err(damaged_chunk(path, &envelope, at));
    }
    let out = out.into_inner().map_err(|error| failed(error.into()))?;
    Mapping::from_file(out, path)
}

fn damaged_chunk(path: &Path, envelope: &Envelope, at: u64) -> Error {
    let what =
        "the encrypted bytes are damaged, or the file was cut short: a chunk is not authentic";
    Error::new(ErrorKind::Damaged, what)
        .at(path)
        .byte(envelope.offset_of(at))
        .help("nothing of it can be trusted; take another copy of the archive")
}

/// Returns what is known of an encrypted archive without a key.
fn envelope(file: &Mapping) -> Result<Envelope> {
    Envelope::read(file.bytes()).map_err(|malformed| {
        let what = format!("the encrypted archive is damaged: {}", malformed.what);
        Error::new(ErrorKind::Damaged, what).at(file.path()).byte(malformed.offset)
    })
}

/// Returns the metadata of an encrypted archive; only the chunks that have it are decrypted.
pub(super) fn contents(file: &Mapping) -> Result<Option<Contents>> {
    Ok(cross_check::contents(opened(file)?))
}

/// Returns the key filter of an encrypted archive, if an identity opens it.
pub(super) fn key_filter(file: &Mapping) -> Option<Vec<u8>> {
    cross_check::key_filter(opened(file).ok()?)
}

fn opened(file: &Mapping) -> Result<Plain<Cursor<&[u8]>>> {
    let path = file.path();
    open(path, &envelope(file)?, Cursor::new(file.bytes()), &identities(path)?)
}

/// Returns the metadata of an encrypted archive in a store; only the chunks that have it are downloaded.
pub(super) fn contents_in_store(path: &Path) -> Result<Option<Contents>> {
    in_store(path, cross_check::contents)
}

/// Returns the key filter of an encrypted archive in a store, if an identity opens it.
pub(super) fn key_filter_in_store(path: &Path) -> Option<Vec<u8>> {
    in_store(path, cross_check::key_filter).ok().flatten()
}

fn in_store<T>(path: &Path, read: impl FnOnce(Plain<BufReader<Ranges>>) -> T) -> Result<T> {
    let identities = identities(path)?;
    let envelope = envelope(&map_beginning(path)?)?;
    let ranges = Ranges::open(path)?;
    let problem = ranges.problem();
    let found = open(path, &envelope, BufReader::new(ranges), &identities).map(read);
    // A store that does not answer is no damage, and no archive without metadata.
    problem.take().map_or(found, Err)
}

/// An encrypted archive that was verified without a key.
pub(crate) struct Sealed {
    /// The size of the file.
    pub(crate) bytes: u64,
    /// The length of the zip in it.
    pub(crate) plain_bytes: u64,
    /// The types of its recipients.
    pub(crate) recipients: Vec<String>,
    /// What it says of itself, if aofkit made it.
    pub(crate) description: Option<Description>,
}

/// Returns what is known of the archive at `path` without a key; `None` if it is not encrypted.
///
/// # Errors
///
/// When it cannot be opened, and [`ErrorKind::Damaged`] when it is not of the format.
pub(crate) fn sealed(path: &Path) -> Result<Option<Sealed>> {
    // Of an object, the name says it.
    if is_url(path) && !is_encrypted_object(path) {
        return Ok(None);
    }
    let file = map_beginning(path)?;
    if !is_encrypted(file.bytes()) {
        return Ok(None);
    }
    let envelope = envelope(&file);
    file.check()?;
    let Envelope { recipients, description, plain_bytes, .. } = envelope?;
    Ok(Some(Sealed { bytes: file.len(), plain_bytes, recipients, description }))
}

/// Returns what is known by the store of the archive at `path`, whose contents are not read, as the end of a sentence.
///
/// # Errors
///
/// [`ErrorKind::Damaged`], when the store has another object than the one that was confirmed; and when it cannot be reached.
pub(crate) fn known_by_store(path: &Path, progress: &dyn Progress) -> Result<&'static str> {
    if !is_url(path) {
        return Ok("");
    }
    match stored(path, progress)? {
        Stored::SameChecksum => {
            Ok("; by length, ETag and checksum of its parts, it is the object that was uploaded")
        }
        Stored::SameEtag => Ok(
            "; by length and ETag, it is the object that was uploaded (the store reports no checksum)",
        ),
        Stored::Unconfirmed => {
            Ok("; there is no confirmation (NAME.ok) to compare it with: it was not read back")
        }
        Stored::Other => {
            let what = "it is not the object that was uploaded: its length, ETag or checksum is another than in its confirmation";
            Err(Error::new(ErrorKind::Damaged, what).at(path))
        }
    }
}

/// Returns whether identities are given.
pub(crate) fn has_identities() -> bool {
    !identity_files().is_empty()
}
