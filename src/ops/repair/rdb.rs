//! Repairing the RDB at the beginning of a part.
//!
//! If its checksum tells which bytes are wrong, they are set back, and all of it is as it was written. Otherwise its
//! whole records are copied unchanged into an RDB with a right checksum. The bytes of the part are replaced by the
//! result, and what follows the RDB is repaired as in every other part.

use std::fs::File;
use std::io::{self, BufWriter, Write};

use serde::Serialize;

use super::options::RepairOptions;
use crate::analysis::rdb_error::{Correction, find_correction, has_sound_structure};
use crate::analysis::rdb_inspection::{LibraryFault, check_library};
use crate::analysis::survey::{Preamble, Survey};
use crate::aof::log::Part;
use crate::aof::{Fault, Stop};
use crate::base::error::{Error, Result};
use crate::base::progress::Progress;
use crate::base::server::Server;
use crate::command::intact_ranges::intact_ranges;
use crate::disk::Mapping;
use crate::rdb::load_check::{LoadCheck, Loading};
use crate::rdb::resync::{Doubtful, Gone, GoneReason, Salvaged, Wanted, salvage, write};
use crate::rdb::{Damage, DamageKind};

/// The help for a directory that cannot hold the result.
const TEMPORARY_DIRECTORY: &str =
    "the repaired RDB is written there first; set TMPDIR to use another directory";

/// What a repair changes in the RDB at the beginning of a part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct RdbRepair {
    /// The file name of the part.
    pub(crate) part: String,
    /// The bytes that are set back, as the checksum proves. All else is then as it was written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) corrected: Option<Correction>,
    /// The number of keys that are retained.
    pub(crate) keys: u64,
    /// The number of keys that the databases of the RDB declare to have; null if none does.
    pub(crate) declared_keys: Option<u64>,
    /// The byte ranges that are not retained.
    pub(crate) dropped: Vec<Gone>,
    /// The keys that are retained and that may have been read from other bytes than a record.
    pub(crate) doubtful: Vec<Doubtful>,
    /// The number of keys that may belong to another database, because its number may have been lost.
    pub(crate) database_uncertain: u64,
    /// The number of commands after the RDB that may belong to another database: a SELECT before them may have been lost
    /// with its end. It is 0 if only one database is in use.
    pub(crate) commands_uncertain: u64,
    /// The databases in use, to one of which these commands may belong; empty if there are none.
    pub(crate) databases: Vec<u32>,
    /// Whether any key and any value may be wrong: the checksum does not match, and the wrong bytes were not found.
    pub(crate) values_uncertain: bool,
    /// The length of the RDB in the input, and in the result.
    #[serde(skip)]
    lengths: (u64, u64),
}

impl RdbRepair {
    /// Returns the number of bytes that are not retained.
    pub(crate) fn lost_bytes(&self) -> u64 {
        self.dropped.iter().map(|gone| gone.bytes).sum()
    }

    /// Returns whether keys may have been in the bytes that are not retained, because these cannot be read.
    pub(super) fn lost_more(&self) -> bool {
        let is_unknown = |gone: &Gone| matches!(gone.why, GoneReason::Damage | GoneReason::Torn);
        self.dropped.iter().any(is_unknown)
    }

    /// Sets which of the commands after the RDB may belong to another database, once they were read: those before their
    /// first SELECT, if the bytes before them are lost.
    pub(super) fn doubt_commands(&mut self, survey: &Survey<'_>, databases: &[u32]) {
        let is_end_lost = self.dropped.last().is_some_and(|gone| {
            matches!(gone.why, GoneReason::Damage | GoneReason::Torn)
                && gone.offset + gone.bytes >= self.lengths.0
        });
        let before = survey.tally.databases.before_first_select(survey.tally.commands);
        if is_end_lost && before > 0 && databases.len() > 1 {
            self.commands_uncertain = before;
            self.databases = databases.to_vec();
        }
    }

    /// Returns the offset in the input of a byte after the RDB in the result.
    pub(super) fn input_offset(&self, offset: u64) -> u64 {
        let (input, result) = self.lengths;
        match offset.checked_sub(result) {
            Some(after) => input.saturating_add(after),
            None => offset,
        }
    }
}

/// Returns what is to be changed in the RDB of a part, and the mapping with the changes. `None` if it needs no change,
/// or cannot be repaired without a choice that was not made.
///
/// # Errors
///
/// When the result cannot be written to a temporary file, or the caller cancels.
pub(super) fn repair_rdb(
    survey: &Survey<'_>,
    options: &RepairOptions,
    progress: &dyn Progress,
) -> Result<Option<(Mapping, RdbRepair)>> {
    let part = survey.part;
    progress.phase("find the error", part.mapping.len());
    if let Some(correction) = find_correction(survey, progress)? {
        return corrected(part, correction).map(Some);
    }
    let drops = |check| options.salvage && keeps_from_starting(check, &options.servers);
    let damage = match &survey.preamble {
        Some(Preamble::Broken(damage)) => Some(damage.as_ref()),
        Some(Preamble::Whole(_)) if has_broken_value(survey, &drops) => None,
        _ => return Ok(None),
    };
    if part.compressed.is_some() || damage.is_some_and(is_of_a_newer_server) {
        return Ok(None);
    }
    let commands = |from: usize| first_command(part, from);
    let wanted = Wanted {
        keeps_last: options.keep_last_duplicate,
        drops: &drops,
        refuses_library: &|text| {
            let fault = check_library(text).err();
            fault.filter(LibraryFault::is_refused_by_all).map(|fault| fault.to_string())
        },
        commands: &commands,
    };
    progress.phase("salvage", part.mapping.len());
    let Ok(salvaged) = salvage(part.mapping.bytes(), &wanted, progress) else { return Ok(None) };
    part.mapping.check()?;
    let is_allowed = options.salvage || salvaged.is_framed;
    if !is_allowed {
        return Ok(None);
    }
    let checksum_is_right =
        damage.is_none_or(|damage| is_right_by_checksum(part, damage, &salvaged));
    let mapping = rewritten(part, &salvaged, progress)?;
    let result_bytes = mapping.len() - (part.mapping.len() - salvaged.len);
    let rdb = RdbRepair {
        part: part.name.clone(),
        corrected: None,
        keys: salvaged.keys,
        declared_keys: (salvaged.declared > 0).then_some(salvaged.declared),
        dropped: salvaged.dropped,
        doubtful: salvaged.doubtful,
        database_uncertain: salvaged.database_uncertain,
        commands_uncertain: 0,
        databases: Vec::new(),
        values_uncertain: !checksum_is_right,
        lengths: (salvaged.len, result_bytes),
    };
    Ok(Some((mapping, rdb)))
}

fn has_broken_value(survey: &Survey<'_>, drops: &dyn Fn(LoadCheck) -> bool) -> bool {
    survey.deep_faults().any(|fault| drops(fault.check))
}

/// Returns whether a server may fail at a value that fails this check: any server, or one of those named.
fn keeps_from_starting(check: LoadCheck, servers: &[Server]) -> bool {
    let loads = |server: &Server| matches!(check.on(*server), Loading::Loads | Loading::Deep);
    check.is_error() || !servers.iter().all(loads)
}

/// Returns whether the RDB cannot be read because it may be of a server that is newer than this version.
fn is_of_a_newer_server(damage: &Damage) -> bool {
    use crate::rdb::Uncheckable::{Absent, Off};
    let is_unchecked = damage.unproven.as_ref().is_some_and(|it| matches!(it.reason, Off | Absent));
    is_unchecked
        || matches!(damage.kind, DamageKind::UnknownEnvelope { .. } | DamageKind::Envelope { .. })
}

/// Returns where commands begin after byte `from`.
fn first_command(part: &Part, from: usize) -> Option<usize> {
    let at = from.checked_sub(1)?;
    let stop = Stop { at, fault: Some(Fault::NotACommand { at: 0, found: 0 }) };
    let first = intact_ranges(part.mapping.bytes(), stop).into_iter().next()?;
    usize::try_from(first.range.start).ok()
}

/// Returns whether the checksum of the input matches its bytes, so that what is broken was written like that.
fn is_right_by_checksum(part: &Part, damage: &Damage, salvaged: &Salvaged) -> bool {
    if has_sound_structure(damage) || !salvaged.is_framed {
        return false;
    }
    let end = usize::try_from(salvaged.len).unwrap_or(usize::MAX);
    let rdb = part.mapping.bytes().get(..end).and_then(<[u8]>::split_last_chunk);
    rdb.is_some_and(|(content, stored)| crate::rdb::crc64(content) == u64::from_le_bytes(*stored))
}

fn corrected(part: &Part, correction: Correction) -> Result<(Mapping, RdbRepair)> {
    let mapping = correction.apply(&part.mapping)?;
    let rdb = RdbRepair {
        part: part.name.clone(),
        corrected: Some(correction),
        keys: 0,
        declared_keys: None,
        dropped: Vec::new(),
        doubtful: Vec::new(),
        database_uncertain: 0,
        commands_uncertain: 0,
        databases: Vec::new(),
        values_uncertain: false,
        lengths: (0, 0),
    };
    Ok((mapping, rdb))
}

/// Writes the retained records, the end and what follows the RDB to a temporary file.
fn rewritten(part: &Part, salvaged: &Salvaged, progress: &dyn Progress) -> Result<Mapping> {
    let place = std::env::temp_dir();
    let failed = |error| Error::io("write an RDB to", &place, error).help(TEMPORARY_DIRECTORY);
    let mut file = tempfile::tempfile().map_err(failed)?;
    fill(&mut file, part.mapping.bytes(), salvaged, progress).map_err(failed)?;
    let content = Mapping::from_file(file, &part.path)?;
    part.mapping.with_content(content)
}

fn fill(
    file: &mut File,
    bytes: &[u8],
    salvaged: &Salvaged,
    progress: &dyn Progress,
) -> io::Result<()> {
    let mut out = BufWriter::new(file);
    write(bytes, &salvaged.kept, &mut out, progress)?;
    let after = usize::try_from(salvaged.len).unwrap_or(usize::MAX).min(bytes.len());
    for chunk in bytes[after..].chunks(1 << 20) {
        progress.check_io()?;
        out.write_all(chunk)?;
    }
    out.flush()
}
