//! The archives below a prefix: listed, published and deleted.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::client::{Client, If, crc32_of_parts, new_token, open_at};
use super::upload::{Parts, Upload};
use super::url::StoreUrl;
use crate::archive::names::{is_archive_name, numbered_name};
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::progress::Progress;

/// What the name of an object ends with that says that its archive was read back.
const OK: &str = ".ok";
/// What the name of the journal of an upload ends with.
const JOURNAL: &str = ".upload";
/// The age from which on unfinished uploads of other sources are taken for left over.
const LEFT_OVER: Duration = Duration::from_secs(24 * 60 * 60);
/// How many names are tried for an archive.
const NAMES: u32 = 100;

/// An archive in a store.
#[derive(Debug, Clone)]
pub(crate) struct StoredArchive {
    pub(crate) path: PathBuf,
    pub(crate) bytes: u64,
    pub(crate) modified: Option<Timestamp>,
}

/// Returns the archives below the place that a URL refers to, of those that were read back.
///
/// # Errors
///
/// When the store cannot be reached, or denies it.
pub(crate) fn archives_at(directory: &Path, progress: &dyn Progress) -> Result<Vec<StoredArchive>> {
    let (client, place) = open_at(directory, progress)?;
    let prefix = place.directory();
    let objects = client.list(&prefix)?;
    let confirmed: BTreeSet<&str> =
        objects.iter().filter_map(|object| object.key.strip_suffix(OK)).collect();
    let is_archive = |key: &str| {
        let name = key.strip_prefix(&prefix).unwrap_or_default();
        !name.starts_with('.') && is_archive_name(name.as_bytes())
    };
    let archives = objects
        .iter()
        .filter(|object| is_archive(&object.key) && confirmed.contains(object.key.as_str()));
    Ok(archives
        .map(|object| StoredArchive {
            path: StoreUrl { bucket: place.bucket.clone(), key: object.key.clone() }.path(),
            bytes: object.bytes,
            modified: object.modified,
        })
        .collect())
}

/// Deletes an archive: first what lists it, then itself.
///
/// # Errors
///
/// When the store denies it. The archive is then listed as before, if that is allowed.
pub(crate) fn remove_archive(path: &Path, progress: &dyn Progress) -> Result<()> {
    let (client, place) = open_at(path, progress)?;
    let confirmation = format!("{}{OK}", place.key);
    let content = client.small(&confirmation)?;
    client.delete(&confirmation)?;
    client.delete(&place.key).inspect_err(|_| {
        if let Some(content) = content {
            // What cannot be deleted stays listed, so that it is not forgotten.
            let _ = client.put(&confirmation, &content.content, If::New);
        }
    })
}

/// The journal of an upload under way.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Journal {
    /// The source of the archive.
    source: String,
    /// The text that is stored with the archive.
    token: String,
    /// The id of the upload; empty before it began.
    upload: String,
}

/// What says that an archive was read back.
#[derive(Debug, Serialize)]
struct Confirmation<'c> {
    archive_bytes: u64,
    etag: &'c str,
    crc32_of_parts: &'c str,
    token: &'c str,
    read_back: &'static str,
    created: Timestamp,
}

/// What a confirmation says that is compared with the object later.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Confirmed {
    archive_bytes: u64,
    etag: String,
    crc32_of_parts: String,
}

/// What the store says of an archive, compared with what it said when the archive was read back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stored {
    /// It has the same length and ETag, and the same checksum.
    SameChecksum,
    /// It has the same length and ETag; the store reports no checksum.
    SameEtag,
    /// It is another one.
    Other,
    /// There is no confirmation to compare it with.
    Unconfirmed,
}

/// Compares what the store says of the archive at a URL with what it said when the archive was read back.
///
/// # Errors
///
/// When the store cannot be reached, or denies it.
pub(crate) fn stored(path: &Path, progress: &dyn Progress) -> Result<Stored> {
    let (client, place) = open_at(path, progress)?;
    let Some(confirmation) = client.small(&format!("{}{OK}", place.key))? else {
        return Ok(Stored::Unconfirmed);
    };
    let Ok(known) = serde_json::from_slice::<Confirmed>(&confirmation.content) else {
        return Ok(Stored::Unconfirmed);
    };
    let Some(head) = client.head(&place.key)? else { return Ok(Stored::Other) };
    let is_same = head.bytes == known.archive_bytes && head.etag == known.etag;
    Ok(match head.crc32 {
        Some(crc32) if is_same && crc32 == known.crc32_of_parts => Stored::SameChecksum,
        // A whole object's checksum is another one than that of its parts.
        Some(crc32) if crc32.contains('-') => Stored::Other,
        _ if is_same => Stored::SameEtag,
        _ => Stored::Other,
    })
}

/// Removes what killed runs left below a prefix: uploads under way, and archives that were not read back. Those of `source`,
/// whose lease the caller holds, at once; others after a day.
///
/// # Errors
///
/// When the store cannot be reached, or denies it.
pub(crate) fn clear_unfinished(
    client: &Client,
    directory: &StoreUrl,
    source: Option<&str>,
) -> Result<Vec<String>> {
    let prefix = directory.directory();
    let mut cleared = Vec::new();
    let url =
        |key: &str| StoreUrl { bucket: directory.bucket.clone(), key: key.to_owned() }.to_string();
    for object in client.list(&format!("{prefix}."))? {
        let name = object.key.strip_prefix(&prefix).and_then(|name| name.strip_prefix('.'));
        let Some(archive) = name.and_then(|name| name.strip_suffix(JOURNAL)) else { continue };
        let Some(small) = client.small(&object.key)? else { continue };
        let journal: Journal = serde_json::from_slice(&small.content).unwrap_or_default();
        let is_own = source.is_some_and(|source| source == journal.source);
        if !is_own && small.age.is_none_or(|age| age < LEFT_OVER) {
            continue;
        }
        let archive = directory.join(archive);
        if !journal.upload.is_empty() {
            client.abort(&archive.key, &journal.upload)?;
            cleared.push(format!("{} (unfinished upload)", archive));
        }
        let is_confirmed = client.head(&format!("{}{OK}", archive.key))?.is_some();
        let there = if is_confirmed { None } else { client.head(&archive.key)? };
        if there.is_some_and(|head| {
            !journal.token.is_empty() && head.upload.as_deref() == Some(journal.token.as_str())
        }) {
            client.delete(&archive.key)?;
            cleared.push(format!("{archive} (not read back)"));
        }
        client.delete(&object.key)?;
    }
    // Uploads whose journal was never written, or is lost.
    let now = Timestamp::now();
    for upload in client.uploads(&prefix)? {
        let name = upload.key.strip_prefix(&prefix).unwrap_or_default();
        let is_archive = !name.contains('/') && is_archive_name(name.as_bytes());
        let age =
            upload.initiated.and_then(|then| Duration::try_from(now.duration_since(then)).ok());
        if is_archive && age.is_some_and(|age| age >= LEFT_OVER) {
            client.abort(&upload.key, &upload.id)?;
            cleared.push(format!("{} (unfinished upload)", url(&upload.key)));
        }
    }
    Ok(cleared)
}

/// An archive that is uploaded under a name reserved for it. Unless it is confirmed, nothing of it is left.
pub(crate) struct NewArchive {
    client: Arc<Client>,
    place: StoreUrl,
    journal: String,
    token: String,
    id: String,
    /// `None` once all parts are uploaded.
    upload: Option<Upload>,
    is_confirmed: bool,
}

/// How an archive in a store was compared with what was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Compared {
    /// By the checksum of its parts that the store reports.
    ByChecksums,
    /// By reading it, as the store reports none.
    ByReading,
}

/// An archive that is complete in the store, but not listed yet.
pub(crate) struct Uploaded {
    archive: NewArchive,
    parts: Parts,
    etag: String,
    pub(crate) bytes: u64,
    pub(crate) compared: Compared,
}

impl NewArchive {
    /// Reserves a name for an archive of `source`, `name` or a similar one, and begins its upload. `estimate`: its expected size.
    ///
    /// # Errors
    ///
    /// When the store cannot be reached, or denies it.
    pub(crate) fn begin(
        client: &Arc<Client>,
        directory: &StoreUrl,
        name: &str,
        source: &str,
        estimate: u64,
    ) -> Result<NewArchive> {
        for number in 1..=NAMES {
            let name = numbered_name(name, number);
            let place = directory.join(&name);
            let token = new_token();
            let journal = directory.join(&format!(".{name}{JOURNAL}")).key;
            let mut content =
                Journal { source: source.to_owned(), token: token.clone(), upload: String::new() };
            let bytes = |content: &Journal| serde_json::to_vec(content).unwrap_or_default();
            if client.put(&journal, &bytes(&content), If::New)?.is_none() {
                continue;
            }
            let (id, upload, is_confirmed) = (String::new(), None, false);
            let mut new = NewArchive {
                client: client.clone(),
                place,
                journal,
                token,
                id,
                upload,
                is_confirmed,
            };
            if client.head(&new.place.key)?.is_some() {
                continue;
            }
            new.id = client.create_upload(&new.place.key, &new.token)?;
            content.upload.clone_from(&new.id);
            client.put(&new.journal, &bytes(&content), If::Any)?;
            new.upload = Some(Upload::start(client, &new.place.key, &new.id, estimate));
            return Ok(new);
        }
        Err(Error::new(ErrorKind::Refused, format!("{NAMES} archives have this name and a number"))
            .at(directory.join(name).path())
            .help("give another name by --name-template"))
    }

    /// Returns the URL of the archive.
    pub(crate) fn path(&self) -> PathBuf {
        self.place.path()
    }

    /// Returns where the archive is written to.
    ///
    /// # Errors
    ///
    /// When all parts are uploaded already.
    pub(crate) fn sink(&mut self) -> Result<&mut Upload> {
        let place = &self.place;
        self.upload
            .as_mut()
            .ok_or_else(|| Error::new(ErrorKind::Io, "the upload has ended").at(place.path()))
    }

    /// Uploads the last parts, completes the upload, and compares what the store has with what was sent.
    ///
    /// # Errors
    ///
    /// When the store has an archive of this name, or it has other bytes.
    pub(crate) fn complete(mut self) -> Result<Uploaded> {
        let upload = self.upload.take();
        let parts = upload.map(Upload::finish).transpose()?.unwrap_or_default();
        let done: Vec<_> = parts.iter().map(|(part, _)| part.clone()).collect();
        let bytes = parts.last().map_or(0, |(_, range)| range.end);
        let place = self.place.path();
        if !self.client.complete(&self.place.key, &self.id, &done, &self.token)? {
            return Err(Error::new(
                ErrorKind::Refused,
                "another run has published an archive of this name",
            )
            .at(place)
            .help("nothing was overwritten; run the backup again"));
        }
        let differs = |what: &str| {
            Error::new(
                ErrorKind::Refused,
                format!("the archive was read back and is not what was written: {what}"),
            )
            .at(&place)
            .help("it was removed again; check the store before you trust it with another")
        };
        let head = self.client.head(&self.place.key)?.ok_or_else(|| differs("it is not there"))?;
        if head.bytes != bytes || head.upload.as_deref() != Some(self.token.as_str()) {
            return Err(differs("the store has another object of this name"));
        }
        let compared = match &head.crc32 {
            Some(crc32) if *crc32 == crc32_of_parts(&done) => Compared::ByChecksums,
            Some(crc32) if crc32.contains('-') => return Err(differs("its checksum differs")),
            _ => {
                for (part, range) in &parts {
                    let read = self.client.range(
                        &self.place.key,
                        &head.etag,
                        range.start,
                        range.end - range.start,
                    )?;
                    if !part.is_of(&read) {
                        return Err(differs("its bytes differ"));
                    }
                }
                Compared::ByReading
            }
        };
        Ok(Uploaded { archive: self, parts, etag: head.etag, bytes, compared })
    }
}

impl Uploaded {
    /// Lists the archive from now on, and returns its URL.
    ///
    /// # Errors
    ///
    /// When the store cannot be reached; the archive is then removed, if that is possible.
    pub(crate) fn confirm(mut self, in_full: bool) -> Result<PathBuf> {
        let done: Vec<_> = self.parts.iter().map(|(part, _)| part.clone()).collect();
        let confirmation = Confirmation {
            archive_bytes: self.bytes,
            etag: &self.etag,
            crc32_of_parts: &crc32_of_parts(&done),
            token: &self.archive.token,
            read_back: match self.compared {
                _ if in_full => "full",
                Compared::ByChecksums => "checksums",
                Compared::ByReading => "bytes",
            },
            created: Timestamp::now(),
        };
        let (client, place) = (&self.archive.client, &self.archive.place);
        let content = serde_json::to_vec(&confirmation)
            .map_err(|error| Error::io("describe", place.path(), error.into()))?;
        if client.put(&format!("{}{OK}", place.key), &content, If::New)?.is_none() {
            return Err(Error::new(
                ErrorKind::Refused,
                "another run has confirmed an archive of this name",
            )
            .at(place.path())
            .help("run the backup again"));
        }
        self.archive.is_confirmed = true;
        Ok(place.path())
    }
}

impl Drop for NewArchive {
    fn drop(&mut self) {
        self.upload = None;
        // What cannot be removed now is removed by the next run of this source, which finds the journal.
        let removed = || {
            if !self.is_confirmed && !self.id.is_empty() {
                self.client.abort(&self.place.key, &self.id)?;
                let head = self.client.head(&self.place.key)?;
                if head.is_some_and(|head| head.upload.as_deref() == Some(self.token.as_str())) {
                    self.client.delete(&self.place.key)?;
                }
            }
            self.client.delete(&self.journal)
        };
        let _: Result<()> = removed();
    }
}
