//! The origin of a log that was secured from a running server, recorded in a note next to it.
//!
//! A log is secured in a hurry and recovered later, by another command and often by another person. The note records
//! where the result belongs and how to reach the server, so that the secured log is not mistaken for the server's own.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::disk::OwnFile;

/// The file name of the note, in the directory that replaces the data directory.
pub const NOTE: &str = "aofkit-hold.json";

/// The server that a log was secured from, with paths as they are on the machine where that was done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HoldOrigin {
    /// The version of this schema.
    pub schema: u32,
    /// The address of the server.
    pub address: String,
    /// The version of the server, such as `redis 7.0.15` or `valkey 9.1.2`.
    pub version: String,
    /// The options with which a client connects to the server, such as `-p 6380`.
    pub client: Vec<String>,
    /// The path of the log that the server loads: the file, or the directory of the set. The recovered log belongs
    /// there.
    pub log: PathBuf,
    /// The path of the RDB snapshot in its data directory, if it existed.
    pub snapshot: Option<PathBuf>,
}

/// The maximum size of a note in bytes. Paths are no longer than 4 KiB.
const LONGEST: u64 = 64 << 10;

impl HoldOrigin {
    /// The version of the schema that is written.
    pub const SCHEMA: u32 = 1;

    /// Returns the content of the note file; `None` if a path is not valid UTF-8.
    pub fn to_bytes(&self) -> Option<Vec<u8>> {
        let mut text = serde_json::to_vec_pretty(self).ok()?;
        text.push(b'\n');
        Some(text)
    }

    /// Returns the server as `--into` takes it.
    pub(crate) fn server(&self) -> String {
        match self.client.as_slice() {
            [option, socket, ..] if option == "-s" => socket.clone(),
            _ => self.address.clone(),
        }
    }

    /// Returns the options for authentication and TLS.
    pub(crate) fn login(&self) -> &[String] {
        let is_login = |option: &String| option == "--user" || option == "--tls";
        let first = self.client.iter().position(is_login).unwrap_or(self.client.len());
        &self.client[first..]
    }

    /// Returns whether a file is in the directory of a secured log, or in that of a set in one.
    pub(crate) fn is_of_part(path: &Path) -> bool {
        path.ancestors().skip(1).take(2).any(|place| {
            let place = if place.as_os_str().is_empty() { Path::new(".") } else { place };
            HoldOrigin::read(place).is_some()
        })
    }

    /// Reads the note in `directory`. Returns `None` if there is none or it cannot be read: the note is optional for a
    /// recovery.
    pub fn read(directory: &Path) -> Option<Self> {
        let file = OwnFile::read(&directory.join(NOTE), LONGEST).ok()??;
        // The owner of the directory may have secured the log.
        let is_owners = fs::metadata(directory).is_ok_and(|place| place.uid() == file.owner());
        if !is_owners && file.check().is_err() {
            return None;
        }
        let note: HoldOrigin = serde_json::from_slice(&file.bytes).ok()?;
        (note.schema == Self::SCHEMA).then_some(note)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn note_round_trips_and_invalid_notes_are_ignored() {
        let place = tempfile::tempdir().unwrap();
        let note = HoldOrigin {
            schema: HoldOrigin::SCHEMA,
            address: "127.0.0.1:6380".into(),
            version: "redis 7.0.15".into(),
            client: vec!["-p".into(), "6380".into()],
            log: "/data/appendonlydir".into(),
            snapshot: None,
        };
        assert_eq!(HoldOrigin::read(place.path()), None);
        let path = place.path().join(NOTE);
        std::fs::write(&path, note.to_bytes().unwrap()).unwrap();
        assert_eq!(HoldOrigin::read(place.path()), Some(note.clone()));
        let later = HoldOrigin { schema: 2, ..note.clone() };
        for text in [later.to_bytes().unwrap(), b"{".to_vec(), Vec::new()] {
            std::fs::write(&path, text).unwrap();
            assert_eq!(HoldOrigin::read(place.path()), None);
        }
        std::fs::rename(&path, place.path().join("elsewhere")).unwrap();
        std::fs::write(place.path().join("elsewhere"), note.to_bytes().unwrap()).unwrap();
        std::os::unix::fs::symlink("elsewhere", &path).unwrap();
        assert_eq!(HoldOrigin::read(place.path()), None, "no link is followed");
    }
}
