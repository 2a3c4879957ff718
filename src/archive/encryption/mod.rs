//! Archives that are encrypted with age: a file of the format age-encryption.org/v1 whose plaintext is a zip.
//!
//! | file | purpose |
//! |---|---|
//! | [`mod@format`] | what can be read and verified without a key: the header, and the lengths of the chunks |
//! | [`description`] | what an archive says of itself in the header, for retention without a key |
//! | `keyed` | encryption and decryption, with the crate `age` (feature `age`) |
//! | `keyless` | the same without that feature: errors |
//!
//! Archives are encrypted while they are written, so that no plaintext is on disk.

pub(crate) mod description;
pub(crate) mod format;
#[cfg(feature = "age")]
mod keyed;
#[cfg(not(feature = "age"))]
mod keyless;

use std::path::PathBuf;
use std::sync::{PoisonError, RwLock};

#[cfg(feature = "age")]
pub(crate) use keyed::{Identities, Plain, Recipients, Sealed, open};
#[cfg(not(feature = "age"))]
pub(crate) use keyless::{Identities, Plain, Recipients, Sealed, open};

/// The extension of encrypted archives, after that of archives.
pub(crate) const EXTENSION: &str = "age";

/// The files with identities that encrypted archives are read with, for all operations of the process: as the renamed
/// commands, they belong to the run, and not to one of the paths in it.
static IDENTITY_FILES: RwLock<Vec<PathBuf>> = RwLock::new(Vec::new());

/// Sets the files with identities. They are read when an encrypted archive is.
pub(crate) fn set_identity_files(files: &[PathBuf]) {
    *IDENTITY_FILES.write().unwrap_or_else(PoisonError::into_inner) = files.to_vec();
}

/// Returns the files with identities.
pub(crate) fn identity_files() -> Vec<PathBuf> {
    IDENTITY_FILES.read().unwrap_or_else(PoisonError::into_inner).clone()
}
