//! Listing a directory of archives.
//!
//! An archive is identified by its metadata, not by its name. Only the metadata is read unless the archives are
//! verified.

pub mod age;
mod identity;
pub mod report;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use jiff::Timestamp;
use rayon::prelude::*;

pub use identity::Identity;
pub use report::{ListReport, Listed, Made, State};

use crate::archive::contents::Contents;
use crate::archive::encryption::description::Description;
use crate::archive::names::is_archive_name;
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::level::Level;
use crate::base::progress::Progress;
use crate::input::archive::plain::{has_identities, known_by_store, sealed};
use crate::input::archive::verify::{read_contents, verify_archive};
use crate::store::archives::{StoredArchive, archives_at};
use crate::store::url::is_url;

/// Options of [`list`].
#[derive(Debug, Clone, Copy, Default)]
#[cfg_attr(not(feature = "internals"), non_exhaustive)]
pub struct ListOptions {
    /// Whether each archive is verified.
    pub verify: bool,
}

/// Lists the archives in `directory`, by source and time.
///
/// # Errors
///
/// When the directory cannot be read. Archives that cannot be read are in the report.
pub fn list(directory: &Path, options: ListOptions, progress: &dyn Progress) -> Result<ListReport> {
    let started = Instant::now();
    let mut found = archives_in(directory, progress)?;
    found.sort_by(|a, b| a.path.cmp(&b.path));
    let mut archives: Vec<Listed> =
        found.par_iter().map(|archive| look_at(archive, options, progress)).collect();
    progress.check()?;
    archives.sort_by(|a, b| {
        let key =
            |one: &Listed| one.made.as_ref().map(|made| (made.identity.clone(), made.created));
        // Archives of unknown source come last.
        key(a).is_none().cmp(&key(b).is_none()).then_with(|| key(a).cmp(&key(b)))
    });
    Ok(ListReport {
        directory: directory.to_owned(),
        archives,
        age: None,
        elapsed_s: started.elapsed().as_secs_f64(),
    })
}

/// An archive in a directory or in a store, before it is read.
pub(crate) struct Present {
    pub(crate) path: PathBuf,
    bytes: u64,
    modified: Option<Timestamp>,
}

/// Returns the files in a directory that have the extension of archives and not the prefix of unfinished ones, or the archives
/// in a store that were read back.
pub(crate) fn archives_in(directory: &Path, progress: &dyn Progress) -> Result<Vec<Present>> {
    if is_url(directory) {
        let present = |stored: StoredArchive| Present {
            path: stored.path,
            bytes: stored.bytes,
            modified: stored.modified,
        };
        return Ok(archives_at(directory, progress)?.into_iter().map(present).collect());
    }
    let failed = |error| Error::io("list", directory, error);
    let mut paths = Vec::new();
    for entry in fs::read_dir(directory).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let name = path.file_name().unwrap_or_default().as_encoded_bytes();
        if is_archive_name(name) && !name.starts_with(b".") && path.is_file() {
            let metadata = fs::metadata(&path).ok();
            let modified = metadata.as_ref().and_then(|meta| meta.modified().ok());
            paths.push(Present {
                path,
                bytes: metadata.map_or(0, |meta| meta.len()),
                modified: modified.and_then(|time| Timestamp::try_from(time).ok()),
            });
        }
    }
    Ok(paths)
}

fn look_at(archive: &Present, options: ListOptions, progress: &dyn Progress) -> Listed {
    let path = &archive.path;
    let mut listed = Listed {
        path: path.clone(),
        archive_bytes: archive.bytes,
        modified: archive.modified,
        encrypted: false,
        made: None,
        state: State::Unverified,
        message: None,
    };
    if !described(&mut listed) && !options.verify {
        return listed;
    }
    if options.verify {
        verify(&mut listed, progress);
        return listed;
    }
    match read_contents(path) {
        Ok(Some(contents)) => listed.set_made(&contents),
        Ok(None) => {}
        Err(error) => listed.set_unreadable(&error),
    }
    listed
}

/// Records what an encrypted archive says of itself without a key; returns whether more can be read.
fn described(listed: &mut Listed) -> bool {
    match sealed(&listed.path) {
        Ok(None) => return true,
        Ok(Some(found)) => {
            listed.encrypted = true;
            if let Some(description) = &found.description {
                listed.set_described(description);
            }
        }
        Err(error) if error.kind() == ErrorKind::Damaged => {
            listed.encrypted = true;
            listed.state = State::Damaged;
            listed.message = Some(error.without_path().to_string());
        }
        // Reported when more of it is read.
        Err(_) => return true,
    }
    listed.state != State::Damaged && has_identities()
}

/// Verifies an archive and records the result.
pub fn verify(listed: &mut Listed, progress: &dyn Progress) {
    if listed.encrypted && !has_identities() {
        if listed.state != State::Damaged {
            match known_by_store(&listed.path, progress) {
                Ok(known) => {
                    listed.state = State::Encrypted;
                    listed.message = Some(format!("{NOT_VERIFIED}{known}"));
                }
                Err(error) => listed.set_failed(&error),
            }
        }
        return;
    }
    match verify_archive(&listed.path, progress) {
        Ok(report) => {
            if let Some(contents) = &report.contents {
                listed.set_made(contents);
            }
            if listed.state == State::Damaged {
                return;
            }
            listed.state = if report.sound { State::Sound } else { State::Damaged };
            let worst = report.findings.iter().find(|finding| finding.level == Level::Error);
            listed.message = worst.map(|finding| match &finding.entry {
                Some(entry) => format!("{entry}: {}", finding.message),
                None => finding.message.clone(),
            });
        }
        Err(error) => listed.set_failed(&error),
    }
}

/// What is reported of an encrypted archive of which only the structure was verified.
const NOT_VERIFIED: &str = "its contents were not verified: it is encrypted; give --identity";

impl Listed {
    fn set_described(&mut self, description: &Description) {
        #[allow(clippy::cast_precision_loss)] // Three digits are shown.
        let ratio = description.bytes as f64 / self.archive_bytes.max(1) as f64;
        self.state = if description.backup { State::ReadBack } else { State::Unverified };
        self.made = Some(Made {
            tool: description.tool.clone(),
            backup: description.backup,
            created: description.created,
            identity: Identity::from_source(&description.source),
            source: description.source.clone(),
            layout: description.layout,
            bytes: description.bytes,
            ratio,
            commands: description.commands,
            rdb_keys: description.rdb_keys,
            first_time: None,
            last_time: None,
            fingerprint: None,
        });
        if description.damaged {
            self.state = State::Damaged;
            self.message = Some("its log was damaged when it was archived".to_owned());
        }
    }

    fn set_made(&mut self, contents: &Contents) {
        let bytes = contents.bytes();
        #[allow(clippy::cast_precision_loss)] // Three digits are shown.
        let ratio = bytes as f64 / self.archive_bytes.max(1) as f64;
        self.state = if contents.backup { State::ReadBack } else { State::Unverified };
        self.made = Some(Made {
            tool: contents.tool.clone(),
            backup: contents.backup,
            created: contents.created,
            identity: Identity::from_source(&contents.source),
            source: contents.source.clone(),
            layout: contents.layout,
            bytes,
            ratio,
            commands: contents.commands(),
            rdb_keys: contents.rdb_keys(),
            first_time: contents.first_time(),
            last_time: contents.last_time(),
            fingerprint: contents.fingerprint.clone(),
        });
        // An intact archive of a damaged log is not a reliable backup.
        let known =
            contents.files.iter().find_map(|file| Some((&file.name, file.damage.as_ref()?)));
        if let Some((name, damage)) = known {
            self.state = State::Damaged;
            self.message = Some(format!("{name} was damaged when it was archived: {damage}"));
        }
    }

    fn set_failed(&mut self, error: &Error) {
        self.set_unreadable(error);
        if error.kind() == ErrorKind::Damaged {
            self.state = State::Damaged;
        }
    }

    fn set_unreadable(&mut self, error: &Error) {
        self.state = State::Unreadable;
        self.message = Some(error.without_path().to_string());
    }
}
