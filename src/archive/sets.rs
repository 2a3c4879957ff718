//! The sets among the entries of an archive: the files that their manifests list must exist.

use super::report::{ArchiveFinding, EntryKind, EntryReport};
use crate::aof::manifest::{self, Role};
use crate::base::level::Level;

/// A manifest in an archive.
pub(crate) struct ManifestEntry<'a> {
    /// The name of its entry.
    pub(crate) name: &'a str,
    pub(crate) bytes: &'a [u8],
}

/// Returns the directory of an entry, with a trailing slash.
fn directory(name: &str) -> &str {
    name.rfind('/').map_or("", |at| &name[..=at])
}

/// Checks each manifest against the rules of the loader, and against the entries.
pub(crate) fn check(
    manifests: &[ManifestEntry<'_>],
    entries: &[EntryReport],
    findings: &mut Vec<ArchiveFinding>,
) {
    for manifest in manifests {
        let error =
            |kind, what: String| ArchiveFinding::new(Level::Error, kind, what).entry(manifest.name);
        let listed = match manifest::parse(manifest.bytes) {
            Ok(listed) => listed,
            Err(broken) => {
                let what = format!("no server starts with this manifest: {broken}");
                findings.push(error("manifest", what).offset(broken.offset));
                continue;
            }
        };
        let directory = directory(manifest.name);
        for entry in listed.load_order() {
            let name = format!("{directory}{}", String::from_utf8_lossy(&entry.name));
            let above = directory.strip_suffix('/').map(self::directory).unwrap_or_default();
            // The single file that a server is about to move into the set is next to the directory.
            let old = format!("{above}{}", String::from_utf8_lossy(&entry.name));
            let is_there = |name: &str| entries.iter().any(|entry| entry.name == name);
            let has_old = entry.role == Role::Base && is_there(&old);
            if !has_old && !is_there(&name) {
                let what =
                    format!("line {}: it lists {name}, which is not in the archive", entry.line);
                findings.push(error("missing-part", what).help("no server starts without it"));
            }
        }
    }
    let alone = entries.iter().filter(|entry| {
        let is_part =
            [".incr.aof", ".base.aof", ".base.rdb"].iter().any(|end| entry.name.ends_with(end));
        let directory = directory(&entry.name);
        is_part && manifests.iter().all(|manifest| self::directory(manifest.name) != directory)
    });
    for entry in alone {
        let what = "it is part of a set whose manifest is not in the archive";
        let finding = ArchiveFinding::new(Level::Warning, "no-manifest", what).entry(&entry.name);
        findings.push(finding.help("a server does not load it without"));
    }
    let holds_a_log = |entry: &EntryReport| {
        matches!(entry.kind, EntryKind::Log | EntryKind::Rdb | EntryKind::Manifest)
    };
    if !entries.iter().any(holds_a_log)
        && findings.iter().all(|finding| finding.level < Level::Error)
    {
        let what = "no log and no RDB is in this archive";
        findings.push(ArchiveFinding::new(Level::Error, "no-log", what));
    }
}
