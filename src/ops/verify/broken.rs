//! What servers do with a set that none of them loads as it is.

use std::path::{Path, PathBuf};

use super::judge::{Outcome, Verdict};
use crate::aof::manifest::printable;
use crate::base::server::Server;
use crate::input::broken_set::{BrokenSet, SetFault};
use crate::input::files::{PartName, parent};

/// Returns the reactions of servers with `appendonly yes` to a broken set, grouped.
pub(super) fn judge(broken: &BrokenSet, servers: &[Server]) -> Vec<Verdict> {
    let (old, new): (Vec<Server>, Vec<Server>) =
        servers.iter().partition(|server| !server.reads_multi_part());
    let single = single_file(broken);
    let single = single.as_deref().map(name_of);
    let of_old = match &single {
        Some(name) => {
            (Outcome::Loads, format!("{name} alone; multi-part directories came with Redis 7.0"))
        }
        None => (Outcome::StartsEmpty, "multi-part directories came with Redis 7.0".to_owned()),
    };
    let of_new = match (&broken.fault, &single) {
        (SetFault::NoManifest { .. }, Some(name)) => {
            (Outcome::Loads, format!("{name}, and makes a new set of it"))
        }
        (SetFault::NoManifest { .. }, None) => (
            Outcome::StartsEmpty,
            "there is no manifest; a new set is written, which can overwrite these files"
                .to_owned(),
        ),
        (SetFault::Manifest(error), _) => {
            (Outcome::Refuses, format!("\"{}\"", error.rule.server_message()))
        }
        (fault, _) => (Outcome::Refuses, fault.to_string()),
    };
    let groups =
        [(old, of_old), (new, of_new)].into_iter().filter(|(servers, _)| !servers.is_empty());
    groups
        .map(|(servers, (outcome, reason))| Verdict {
            servers,
            outcome,
            part: None,
            offset: None,
            reason: Some(reason),
            needs_module: None,
        })
        .collect()
}

/// Returns the single file that servers load instead of the set, if it is there.
fn single_file(broken: &BrokenSet) -> Option<PathBuf> {
    let (directory, name) = match &broken.fault {
        SetFault::NoManifest { parts } => {
            let part = PartName::parse(parts.first()?.as_ref())?;
            (broken.path.clone(), part.appendfilename.to_owned())
        }
        _ => (parent(&broken.path), broken.path.file_stem()?.to_owned()),
    };
    // The directory can be that of the parts, and the data directory of another server.
    let file = parent(&directory).join(name);
    file.is_file().then_some(file)
}

fn name_of(path: &Path) -> String {
    printable(path.file_name().unwrap_or_default().as_encoded_bytes())
}
