//! Gathers the facts: from a running server, from a data directory, from the system and from a backup directory.

mod backups;
mod directory;
mod server;
mod system;

use std::path::Path;
use std::time::SystemTime;

use self::backups::read_backups;
use self::directory::{Names, data_directory, read_directory};
use self::server::ask;
use self::system::read_system;
use super::facts::Facts;
use super::options::{DoctorOptions, Target};
use crate::base::error::{Error, Result};
use crate::base::progress::Progress;
use crate::live::endpoint::Address;

/// Gathers all facts.
///
/// # Errors
///
/// When the server cannot be reached, or the directory cannot be read.
pub(crate) fn gather(
    target: &Target,
    options: &DoctorOptions,
    progress: &dyn Progress,
) -> Result<Facts> {
    let now = SystemTime::now();
    let (server, directory, is_here) = match target {
        Target::Directory(path) => {
            let path = data_directory(path)?;
            let facts = read_directory(&path, &Names::default())
                .map_err(|error| Error::io("read", &path, error))?;
            (None, Ok(facts), true)
        }
        Target::Server { endpoint, directory } => {
            let (server, directory) = ask(endpoint, directory.as_deref())?;
            let is_here = directory.is_ok() || matches!(endpoint.address, Address::Unix(_));
            (Some(server), directory, is_here)
        }
    };
    let system = match is_here {
        true => Ok(read_system(Path::new("/"))),
        false => Err("the server can be on another machine: run aofkit doctor there, or give its data directory on this machine as DIR".to_owned()),
    };
    let port = match target {
        Target::Server { endpoint, .. } => match endpoint.address {
            Address::Tcp { port, .. } => Some(port),
            Address::Unix(_) => None,
        },
        Target::Directory(_) => None,
    };
    let backups = match &options.backups {
        Some(path) => {
            read_backups(path, directory.as_ref().ok().map(|it| it.path.as_path()), port, progress)
        }
        None => Err("no backup directory was given: --backups DIR checks it".to_owned()),
    };
    Ok(Facts { server, directory, system, backups, now })
}
