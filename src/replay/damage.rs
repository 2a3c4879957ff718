//! Refusing to replay a damaged log, of which everything after the damage would be lost.

use std::path::Path;

use crate::aof::Stop;
use crate::aof::log::{Log, Part};
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::escape::typed;
use crate::base::glob::literal;
use crate::command::intact_ranges::{following, is_damage};
use crate::rdb::Damage;

/// Fails if reading the commands of `part`, whose bytes up to the end are `read`, stopped at damage, as opposed to the end
/// that a loader truncates.
pub(crate) fn refuse_damage(log: &Log, part: &Part, read: &[u8], stop: Stop) -> Result<()> {
    let Some(fault) = stop.fault.filter(|_| !part.is_last || is_damage(read, stop)) else {
        return Ok(());
    };
    // Of a length beyond the end, the end says nothing: the broken command does.
    let at = if fault.is_short() { stop.at } else { fault.at() };
    Err(damaged(log, part, at, &following(read, stop)))
}

/// The commands of `part` are damaged at byte `at`; `following` says how many whole commands follow there.
fn damaged(log: &Log, part: &Part, at: usize, following: &str) -> Error {
    refused(part, at as u64, &format!("the log is damaged, and {following}")).help(format!(
        "`aofkit repair --salvage {path} --output NEW` keeps every whole command, without --salvage it cuts there; `aofkit verify {path}` shows the damage",
        path = typed(&log.path)
    ))
}

/// The RDB that `part` begins with is broken.
pub(crate) fn broken_rdb(log: &Log, part: &Part, damage: &Damage) -> Error {
    let path = typed(&log.path);
    let verify = format!("`aofkit verify {path}` shows the damage");
    let Some(key) = damage.key.as_deref().filter(|_| damage.can_step_over_value()) else {
        return refused(part, damage.offset, "the RDB is damaged, and what follows would be lost")
            .help(verify);
    };
    let what = format!("the RDB is damaged: {}", damage.in_key());
    let way = leave_out(&log.path, key);
    refused(part, damage.offset, &what).help(format!("{way}; {verify}"))
}

/// The RDB `part` has 0 bytes.
pub(super) fn empty_rdb(log: &Log, part: &Part) -> Error {
    let what = "an RDB of 0 bytes: its keys are gone, and no server writes one";
    let path = typed(&log.path);
    refused(part, 0, what).help(format!(
        "`aofkit recover {path}` looks for other files that have the keys; `aofkit repair --without-missing {path} --output NEW` goes on without them"
    ))
}

/// Returns the text on how to leave a key out of the log at `path`.
pub(crate) fn leave_out(path: &Path, key: &[u8]) -> String {
    let path = typed(path);
    match std::str::from_utf8(key) {
        Ok(key) => {
            let pattern = typed(Path::new(&literal(key)));
            format!("`aofkit compact {path} --exclude {pattern} --output NEW` leaves the key out")
        }
        Err(_) => {
            "`aofkit compact --exclude` leaves the key out, by a pattern for its name".to_string()
        }
    }
}

/// The transaction of `part` that begins at byte `at` has no EXEC, although the log goes on after it.
pub(super) fn unfinished(log: &Log, part: &Part, at: u64) -> Error {
    refused(part, at, "the log is damaged: a transaction has no EXEC, and the log goes on after it")
        .help(format!(
            "`aofkit repair {path} --output NEW` takes out the transaction; `aofkit verify {path}` shows the damage",
            path = typed(&log.path)
        ))
}

fn refused(part: &Part, at: u64, what: &str) -> Error {
    Error::new(ErrorKind::Refused, what).at(&part.path).byte(at)
}
