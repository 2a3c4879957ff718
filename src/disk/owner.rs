//! The owner of files: read, parsed, and changed.

use std::fs;
use std::os::unix::fs::{MetadataExt, lchown};
use std::path::Path;
use std::str::FromStr;

use nix::unistd::{Group, User};
use serde::Serialize;

use crate::base::error::{Error, Result};

/// A numeric user and group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Owner {
    /// The user ID; `None` leaves it unchanged.
    pub uid: Option<u32>,
    /// The group ID; `None` leaves it unchanged.
    pub gid: Option<u32>,
}

impl Owner {
    /// Returns the default owner of files in `directory`: that of the directory, which is the server's user if the
    /// server created it. `None` unless run by root, because only root can change owners.
    pub fn of_directory(directory: &Path) -> Option<Owner> {
        if !rustix::process::geteuid().is_root() {
            return None;
        }
        let metadata = fs::metadata(directory).ok()?;
        let owner = Owner { uid: Some(metadata.uid()), gid: Some(metadata.gid()) };
        (owner != Owner { uid: Some(0), gid: Some(0) }).then_some(owner)
    }

    /// Changes the owner of `path` and everything in it.
    ///
    /// # Errors
    ///
    /// When the system denies it.
    pub fn take(self, path: &Path) -> Result<()> {
        let failed = |error| Error::io("change the owner of", path, error);
        if path.symlink_metadata().map_err(failed)?.is_dir() {
            for entry in fs::read_dir(path).map_err(failed)? {
                self.take(&entry.map_err(failed)?.path())?;
            }
        }
        lchown(path, self.uid, self.gid).map_err(failed)
    }
}

impl FromStr for Owner {
    type Err = String;

    /// Parses `USER`, `USER:GROUP` or `:GROUP`, each a name or a number; `USER` alone includes that user's own group,
    /// like `USER:` in chown.
    ///
    /// # Errors
    ///
    /// A message for display.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (user, group) = text.split_once(':').unwrap_or((text, ""));
        if user.is_empty() && group.is_empty() {
            return Err("an owner is a user, a user:group, or a :group".to_owned());
        }
        let known = match user {
            "" => None,
            name => User::from_name(name).ok().flatten(),
        };
        let number = |name: &str| name.parse::<u32>().ok();
        let uid = match (user, &known) {
            ("", _) => None,
            (_, Some(known)) => Some(known.uid.as_raw()),
            (name, None) => Some(
                number(name)
                    .ok_or_else(|| format!("there is no user `{}`", name.escape_debug()))?,
            ),
        };
        let gid = match group {
            "" => known.map(|known| known.gid.as_raw()),
            name => {
                let known = Group::from_name(name).ok().flatten().map(|known| known.gid.as_raw());
                let gid = known.or_else(|| number(name));
                Some(gid.ok_or_else(|| format!("there is no group `{}`", name.escape_debug()))?)
            }
        };
        Ok(Owner { uid, gid })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn owners_are_names_or_numbers() {
        let owner = |text: &str| text.parse::<Owner>();
        assert_eq!(owner("root"), Ok(Owner { uid: Some(0), gid: Some(0) }));
        assert_eq!(owner("root:root"), Ok(Owner { uid: Some(0), gid: Some(0) }));
        assert_eq!(owner("4242"), Ok(Owner { uid: Some(4242), gid: None }));
        assert_eq!(owner("4242:77"), Ok(Owner { uid: Some(4242), gid: Some(77) }));
        assert_eq!(owner(":77"), Ok(Owner { uid: None, gid: Some(77) }));
        for wrong in ["", ":", "nobody-of-this-name", "root:nobody-of-this-name", "-1", "a\0b"] {
            assert!(owner(wrong).is_err(), "{wrong:?}");
        }
    }
}
