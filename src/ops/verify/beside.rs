//! Files next to a log that are not loaded, and those among them that may be what a person means: a newer snapshot, the
//! old single file, and another set.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use super::findings::Finding;
use crate::aof::log::{Layout, Log, OtherFile, OtherKind};
use crate::base::escape::Shown;
use crate::base::level::Level;
use crate::base::units::Bytes;
use crate::input::files::PartName;
use crate::input::set_proposal::modified;

/// Returns the findings about the files next to a log.
pub(super) fn beside(log: &Log) -> Vec<Finding> {
    let mut found = warnings(log);
    for other in not_of_another(log) {
        if warning(log, other).is_none() {
            let message = format!("{}: {}", named(other), other.kind.meaning());
            found.push(Finding::new(Level::Note, "other-file", message));
        }
    }
    for history in &log.history {
        let size =
            history.bytes.map_or("already gone".to_string(), |bytes| Bytes(bytes).to_string());
        let message = format!(
            "{}, {size}: replaced by a rewrite, not loaded, deleted at the next start",
            history.name
        );
        found.push(Finding::new(Level::Note, "history-file", message));
    }
    found
}

/// Returns the warnings about files next to a log that may be what a person means.
pub(crate) fn warnings(log: &Log) -> Vec<Finding> {
    not_of_another(log).filter_map(|other| warning(log, other)).collect()
}

/// A single-file log in the directory that contains a set is unrelated to the set.
fn not_of_another(log: &Log) -> impl Iterator<Item = &OtherFile> {
    let own = log.opened.parent();
    log.others.iter().filter(move |other| {
        !matches!(log.layout, Layout::MultiPart { .. })
            || other.kind != OtherKind::SingleFile
            || other.path.parent() == own
    })
}

fn named(other: &OtherFile) -> String {
    let name = other.path.file_name().unwrap_or_default().to_string_lossy();
    format!("{}, {}", Shown(name.as_bytes()), Bytes(other.bytes))
}

fn warning(log: &Log, other: &OtherFile) -> Option<Finding> {
    let (kind, what, help) = match other.kind {
        OtherKind::Rdb if is_newer_and_larger(log, other) => (
            "newer-snapshot",
            "a snapshot that is newer and larger than the log: the log may be stale".to_owned(),
            "a server with `appendonly yes` loads the log and not the snapshot; one with `appendonly no` loads the snapshot. `aofkit diff` compares them",
        ),
        OtherKind::OldSingleFile => (
            "old-single-file",
            "the single file next to a set: Redis 7.0 and later, and Valkey, load the set; Redis 6.2 and earlier load this file".to_owned(),
            "keep the one that has the data, and move the other away",
        ),
        OtherKind::OrphanBase if has_part_after(log, other) => (
            "other-set",
            "the base file of another set, with an incremental file: the manifest does not list them, and servers do not load them".to_owned(),
            "a server that was started without its manifest begins such a second set; `aofkit recover` counts the keys of both",
        ),
        _ => return None,
    };
    let message = format!("{}: {what}", named(other));
    Some(Finding::new(Level::Warning, kind, message).help(help))
}

/// Returns whether an incremental file of the same number is next to a base file that is not listed.
fn has_part_after(log: &Log, base: &OtherFile) -> bool {
    let number = |path: &Path| PartName::parse(path.file_name()?)?.seq;
    let of_base = number(&base.path);
    base.bytes > 0
        && log.others.iter().any(|other| {
            other.kind == OtherKind::OrphanIncr
                && of_base.is_some()
                && number(&other.path) == of_base
        })
}

/// Returns whether a snapshot was made after the log, and has more bytes than all of it. A log has its data as of a
/// rewrite in the same form, and the writes since, so that a smaller log has less data.
fn is_newer_and_larger(log: &Log, snapshot: &OtherFile) -> bool {
    if snapshot.bytes <= log.bytes() {
        return false;
    }
    let written = log.parts.iter().filter_map(|part| modified(&part.path)).max();
    let (Some(of_snapshot), Some(written)) = (modified(&snapshot.path), written) else {
        return false;
    };
    let of_base = log.parts.first().and_then(|part| created(part.mapping.bytes()));
    match (head(&snapshot.path).and_then(|bytes| created(&bytes)), of_base) {
        // Copying files can give all of them the same time.
        (Some(snapshot), Some(base)) => snapshot > base && of_snapshot >= written,
        _ => of_snapshot > written,
    }
}

/// The number of bytes at the beginning of an RDB in which its auxiliary fields are.
const HEAD_BYTES: u64 = 512;

fn head(path: &Path) -> Option<Vec<u8>> {
    let mut head = Vec::new();
    File::open(path).ok()?.take(HEAD_BYTES).read_to_end(&mut head).ok()?;
    Some(head)
}

/// Returns the time at which an RDB was created, in Unix seconds, from the auxiliary field `ctime` at its beginning.
fn created(bytes: &[u8]) -> Option<i64> {
    const FIELD: &[u8] = b"\xfa\x05ctime";
    let head = bytes.get(..bytes.len().min(512))?;
    let at = memchr::memmem::find(head, FIELD)?;
    // Servers write the number as an integer of 32 bits.
    let value = head.get(at + FIELD.len()..)?.strip_prefix(b"\xc2")?;
    let value: [u8; 4] = value.get(..4)?.try_into().ok()?;
    Some(i64::from(u32::from_le_bytes(value)))
}

#[cfg(test)]
mod tests {
    use super::created;

    #[test]
    fn time_of_creation_is_read_from_the_head() {
        let head =
            b"REDIS0010\xfa\x09redis-ver\x067.0.15\xfa\x05ctime\xc2\xb6v\x02k\xfa\x08used-mem";
        assert_eq!(created(head), Some(0x6b02_76b6));
        assert_eq!(created(&head[..30]), None);
        assert_eq!(created(b"*1\r\n$4\r\nPING\r\n"), None);
    }
}
