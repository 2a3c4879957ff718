//! The plan of a repair: what is retained and removed of a log that has been read. Planning writes nothing.

use std::path::Path;

use serde::Serialize;

use super::conflict::without_conflicts;
use super::converted_rdb::{without_conversion, without_leading_text};
use super::databases::in_use;
use super::decide::{Decision, DropReason, Dropped, decide};
use super::joined::{JoinedChoice, choose};
use super::options::RepairOptions;
use super::pairing::choose_pairing;
use super::rdb::{RdbRepair, repair_rdb};
use super::refusal::{Refusal, kept_commands, refusal};
use super::replayed::{Replayed, replay_retained};
use super::retained_ranges::{Output, RetainedRanges};
use super::set;
use super::start::{Start, start};
use super::undecided::{line_ends_undecided, text_undecided};
use crate::analysis::survey::{Preamble, Survey, survey};
use crate::aof::conversion::{Change, Undone};
use crate::aof::log::Log;
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::next_step::{Action, NextStep, path_arg};
use crate::base::progress::Progress;
use crate::base::units::{Bytes, Count};
use crate::disk::Mapping;
use crate::input::conversion::restored;
use crate::input::left_set::{MissingPart, SetProposal};
use crate::input::overwrite::inputs;
use crate::input::whole_set::open_set_by;
use crate::input::wrap::{Unwrapped, open_wrapped, unwrap_part};
use crate::input::{Input, OpenedLog};
use crate::replay::leave_out;

/// What a repair retains and removes. It does not depend on the destination of the result.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct RepairPlan {
    /// Whether the log is damaged.
    pub damaged: bool,
    /// Whether skipping damage was requested.
    pub salvage: bool,
    /// The number of retained bytes.
    pub kept_bytes: u64,
    /// The number of retained complete commands, not counting the keys of an RDB.
    pub kept_commands: u64,
    /// The number of removed bytes.
    pub lost_bytes: u64,
    /// The number of removed commands, with those that are only begun at the end of a file.
    pub lost_commands: u64,
    /// Whether more commands or keys may have been in the removed bytes, because these cannot be read.
    pub(crate) lost_more: bool,
    /// Whether commands around damage are retained: an append-only file has no checksum, so that a wrong byte inside a
    /// value is not found.
    pub(crate) values_unchecked: bool,
    /// The retained ranges of each part, in load order.
    pub retained: Vec<RetainedRanges>,
    /// All removed ranges, in load order.
    pub dropped: Vec<Dropped>,
    /// The file names of the parts that are no longer in the set.
    pub parts_removed: Vec<String>,
    /// What is changed in the RDBs of the parts.
    pub(crate) rdb: Vec<RdbRepair>,
    /// The changes of whole files that are undone. The offsets of removed ranges in such a part are those in the log
    /// that results.
    #[serde(rename = "undone")]
    pub(crate) restored: Vec<RestoredPart>,
    /// The log that is kept of several ones in one file. Other offsets, and the retained ranges, are those in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) joined: Option<JoinedChoice>,
    /// What is left of a set that no server loads as it is, and the manifest that is proposed for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) set: Option<SetProposal>,
    /// The files of a set without which data is missing.
    pub(crate) missing: Vec<MissingPart>,
    /// What a replay of the retained commands shows; absent if only the result is replayed.
    #[serde(skip)]
    pub(crate) replay: Option<Replayed>,
    /// The reason why nothing is written although the log is damaged, if nothing would be left of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refused: Option<Refusal>,
}

/// A change of the bytes of a whole part that is undone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct RestoredPart {
    /// The file name of the part.
    pub(crate) part: String,
    /// The change.
    #[serde(flatten)]
    pub(crate) undone: Undone,
}

/// A log and the plan of its repair.
pub struct PlannedRepair {
    /// The log, which stays open until the plan is applied.
    pub log: OpenedLog,
    /// The plan.
    pub plan: RepairPlan,
    /// Which servers start with the log as it is, if nothing is damaged.
    pub(crate) start: Option<Start>,
}

/// Plans the repair of the log at `path`.
///
/// # Errors
///
/// - When the log cannot be opened, or its RDB is broken and cannot be repaired without `salvage`.
/// - [`ErrorKind::Limit`]: more would be lost than allowed.
/// - [`ErrorKind::Refused`]: a required choice was not made, or the output exists.
pub fn plan(
    path: &Path,
    options: &RepairOptions,
    progress: &dyn Progress,
) -> Result<PlannedRepair> {
    let (mut log, unwrapped, proposal) = open(path, options, progress)?;
    if log.archive().is_some() && options.output == Output::InPlace {
        return Err(Error::new(ErrorKind::Usage, "an archive cannot be repaired in place")
            .at(path)
            .help("use --output NEW to write the repaired log"));
    }
    options.output.check(options.force, &inputs(&log))?;
    match plan_of(&mut log, &unwrapped, proposal, options, progress) {
        Ok((plan, start)) => Ok(PlannedRepair { log, plan, start }),
        Err(error) => log.name_archive(Err(error)),
    }
}

/// The parts that were decompressed, by their index.
type UnwrappedParts = Vec<(usize, Unwrapped)>;

/// Opens the log at `path`: compressed files decompressed, and a broken set by a proposed manifest.
fn open(
    path: &Path,
    options: &RepairOptions,
    progress: &dyn Progress,
) -> Result<(OpenedLog, UnwrappedParts, Option<SetProposal>)> {
    if let Some((log, unwrapped)) = open_wrapped(path, progress)? {
        refuse_broken_data(path, path, &unwrapped, options)?;
        let log = Input::Log(Box::new(log)).into_log(progress)?;
        return Ok((log, vec![(0, unwrapped)], None));
    }
    let choose = |pairings| choose_pairing(path, pairings, options, progress);
    let (mut log, proposal) = open_set_by(path, !options.is_limited(), &choose, progress)?;
    match unwrap_parts(&mut log, path, options, progress) {
        Ok(unwrapped) => Ok((log, unwrapped, proposal)),
        Err(error) => log.name_archive(Err(error)),
    }
}

/// Decompresses the parts of a set that are compressed as a whole.
fn unwrap_parts(
    log: &mut Log,
    path: &Path,
    options: &RepairOptions,
    progress: &dyn Progress,
) -> Result<UnwrappedParts> {
    let mut all = Vec::new();
    if log.manifest.is_none() {
        return Ok(all);
    }
    for (index, part) in log.parts.iter_mut().enumerate() {
        let Some((mapping, unwrapped)) = unwrap_part(part, progress)? else { continue };
        refuse_broken_data(path, &part.path, &unwrapped, options)?;
        part.mapping = mapping;
        all.push((index, unwrapped));
    }
    Ok(all)
}

/// Refuses a compressed file of which only the beginning can be decompressed, unless damage is to be skipped.
fn refuse_broken_data(
    path: &Path,
    file: &Path,
    unwrapped: &Unwrapped,
    options: &RepairOptions,
) -> Result<()> {
    let Some(error) = unwrapped.broken(file).filter(|_| !options.salvage) else { return Ok(()) };
    let args = ["repair", &path_arg(path), "--salvage", "--dry-run"];
    let why = "Preview the repair that keeps what is before that";
    Err(error
        .help("copy the file again if there is another one")
        .step(NextStep::alternative(why, [Action::aofkit(args)])))
}

/// Plans the repair of a log that was opened.
fn plan_of(
    log: &mut OpenedLog,
    unwrapped: &UnwrappedParts,
    proposal: Option<SetProposal>,
    options: &RepairOptions,
    progress: &dyn Progress,
) -> Result<(RepairPlan, Option<Start>)> {
    progress.phase("read", log.bytes());
    let mut surveys = surveys(log, progress)?;
    let mut restored: Vec<RestoredPart> = Vec::new();
    let without_text = without_leading_text(&surveys)?;
    if !without_text.is_empty() {
        drop(surveys);
        restored.extend(replace_parts(log, without_text));
        surveys = self::surveys(log, progress)?;
    }
    let chosen = choose(&log.path, &surveys, options)?;
    let mut joined = None;
    if let Some((index, mapping, choice)) = chosen {
        drop(surveys);
        log.parts[index].mapping = mapping;
        joined = Some(choice);
        surveys = self::surveys(log, progress)?;
    }
    for (index, unwrapped) in unwrapped {
        let part = log.parts[*index].name.clone();
        restored.push(RestoredPart { part, undone: unwrapped.undone() });
    }
    let converted = without_conversion(&log.path, &surveys, options, progress)?;
    if !converted.is_empty() {
        drop(surveys);
        restored.extend(replace_parts(log, converted));
        surveys = self::surveys(log, progress)?;
    }
    let repaired = repair_rdbs(&surveys, options, progress)?;
    let mut rdb = Vec::new();
    if !repaired.is_empty() {
        drop(surveys);
        for (index, mapping, repair) in repaired {
            log.parts[index].mapping = mapping;
            rdb.push(repair);
        }
        progress.phase("read", log.bytes());
        surveys = self::surveys(log, progress)?;
    }
    let chosen = without_conflicts(&log.path, &surveys, options)?;
    if !chosen.is_empty() {
        drop(surveys);
        restored.extend(replace_parts(log, chosen));
        surveys = self::surveys(log, progress)?;
    }
    let (mappings, of_parts) = restored_parts(&log.path, &surveys, options)?;
    restored.extend(of_parts);
    if !mappings.is_empty() {
        drop(surveys);
        for (index, mapping) in mappings {
            log.parts[index].mapping = mapping;
        }
        surveys = self::surveys(log, progress)?;
    }
    let databases = in_use(&surveys, options.salvage);
    for repair in &mut rdb {
        let of_part = surveys.iter().find(|survey| survey.part.name == repair.part);
        if let Some(survey) = of_part {
            repair.doubt_commands(survey, &databases);
        }
    }
    let decision = decide(log, &surveys, options)?;
    let changed = Changed { rdb, restored, joined };
    let mut plan = RepairPlan::new(log, &surveys, &decision, changed, options.salvage);
    plan.lost_more |= unwrapped.iter().any(|(_, unwrapped)| unwrapped.fault.is_some());
    plan.add_set(log, &surveys, proposal, options);
    let is_preview = options.output == Output::DryRun || plan.set.is_some();
    let is_replayed = options.drop_failing || is_preview && !options.no_replay;
    let replayed = match is_replayed && plan.refused.is_none() {
        true => Some(plan.replay(log, options, progress)?),
        false => None,
    };
    // What is certain needs no evidence.
    if let (Some(set), Some(replayed)) = (&mut plan.set, &replayed)
        && !set.inferred.is_empty()
    {
        set.inferred.extend(replayed.deletions.evidence());
    }
    plan.replay = replayed;
    if !plan.damaged {
        refuse_broken_values(log, &surveys)?;
    }
    let is_as_it_is = !plan.damaged || plan.writes_manifest_only() && plan.refused.is_none();
    let start = is_as_it_is.then(|| start(log, &surveys, options));
    drop(surveys);
    if plan.writes() {
        plan.check_limits(options, &log.path)?;
    }
    Ok((plan, start))
}

/// Replaces the bytes of parts by what they were before a change, and returns the changes.
fn replace_parts(log: &mut Log, changed: Vec<(usize, Mapping, Vec<Undone>)>) -> Vec<RestoredPart> {
    let replace = |(index, mapping, undone): (usize, Mapping, Vec<Undone>)| {
        let part = &mut log.parts[index];
        part.mapping = mapping;
        let name = part.name.clone();
        undone.into_iter().map(move |undone| RestoredPart { part: name.clone(), undone })
    };
    changed.into_iter().flat_map(replace).collect()
}

pub(super) fn surveys<'l>(log: &'l Log, progress: &dyn Progress) -> Result<Vec<Survey<'l>>> {
    log.parts.iter().map(|part| survey(part, progress)).collect()
}

/// Returns the changes of the RDBs, with the index of the part and the mapping that has them.
fn repair_rdbs(
    surveys: &[Survey<'_>],
    options: &RepairOptions,
    progress: &dyn Progress,
) -> Result<Vec<(usize, Mapping, RdbRepair)>> {
    let mut repaired = Vec::new();
    for (index, survey) in surveys.iter().enumerate() {
        if let Some((mapping, repair)) = repair_rdb(survey, options, progress)? {
            repaired.push((index, mapping, repair));
        }
    }
    Ok(repaired)
}

/// The mapping with a restored log, by the index of its part.
type Restored = Vec<(usize, Mapping)>;

/// Returns the logs that parts were before their bytes were changed as a whole.
///
/// # Errors
///
/// A choice that was not made, and when the directory for temporary files cannot hold a log.
fn restored_parts(
    path: &Path,
    surveys: &[Survey<'_>],
    options: &RepairOptions,
) -> Result<(Restored, Vec<RestoredPart>)> {
    let (mut mappings, mut all) = (Vec::new(), Vec::new());
    for (index, survey) in surveys.iter().enumerate() {
        let is_broken = matches!(survey.preamble, Some(Preamble::Broken(_)));
        if is_broken || survey.stop.fault.is_none() || survey.part.compressed.is_some() {
            continue;
        }
        let found = restored(survey.part, survey.first_unusual(), options.assumed())?;
        if let Some(undecided) = found.undecided.filter(|_| !options.salvage) {
            return Err(line_ends_undecided(path, survey, undecided, options));
        }
        if let Some(undecided) = found.undecided_text {
            return Err(text_undecided(path, survey, &undecided, options));
        }
        if let Some((mapping, undone)) = found.log {
            mappings.push((index, mapping));
            let part = &survey.part.name;
            all.extend(
                undone.into_iter().map(|undone| RestoredPart { part: part.clone(), undone }),
            );
        }
    }
    Ok((mappings, all))
}

/// What was changed before it was decided which bytes to retain.
struct Changed {
    rdb: Vec<RdbRepair>,
    restored: Vec<RestoredPart>,
    joined: Option<JoinedChoice>,
}

/// Refuses a log with nothing to repair but a value that fails a deep check: repair cuts, and does not change values.
fn refuse_broken_values(log: &Log, surveys: &[Survey<'_>]) -> Result<()> {
    for survey in surveys {
        if let Some(fault) = survey.deep_faults().find(|fault| fault.check.is_error()) {
            let what = format!("a value fails a deep check and cannot be repaired: {fault}");
            return Err(Error::new(ErrorKind::Refused, what)
                .at(&survey.part.path)
                .help(leave_out(&log.path, &fault.key)));
        }
    }
    Ok(())
}

impl RepairPlan {
    /// Returns whether a change of the whole file is undone, such as other line ends: the offsets are then those of the
    /// log without it.
    pub fn undoes_changes(&self) -> bool {
        !self.restored.is_empty()
    }

    fn new(
        log: &Log,
        surveys: &[Survey<'_>],
        decision: &Decision,
        Changed { rdb, restored, joined }: Changed,
        salvage: bool,
    ) -> Self {
        let parts = surveys.iter().zip(&decision.parts);
        let left_out = || joined.iter().flat_map(JoinedChoice::left_out).map(|(_, log)| log);
        RepairPlan {
            damaged: !decision.keeps_everything()
                || !rdb.is_empty()
                || !restored.is_empty()
                || joined.is_some(),
            salvage,
            kept_bytes: log.bytes() - decision.lost_bytes(),
            kept_commands: parts.map(|(survey, part)| kept_commands(survey, part)).sum(),
            lost_bytes: decision.lost_bytes()
                + rdb.iter().map(RdbRepair::lost_bytes).sum::<u64>()
                + left_out().map(|log| log.bytes).sum::<u64>(),
            lost_commands: decision.lost_commands()
                + left_out().map(|log| log.commands).sum::<u64>(),
            lost_more: decision.dropped().any(|dropped| dropped.uncounted)
                || rdb.iter().any(RdbRepair::lost_more)
                || left_out().any(|log| log.rdb_keys != Some(0)),
            values_unchecked: decision.dropped().any(Dropped::is_around_kept_values),
            retained: decision.kept(),
            dropped: decision.dropped().map(|dropped| in_input(dropped, &rdb)).collect(),
            parts_removed: (log.parts.iter().zip(&decision.parts))
                .filter(|(_, plan)| !plan.stays)
                .map(|(part, _)| part.name.clone())
                .collect(),
            refused: refusal(surveys, decision, &rdb),
            rdb,
            restored,
            joined,
            set: None,
            replay: None,
            missing: Vec::new(),
        }
    }

    /// Adds the proposal for a set, and what is missing of it.
    fn add_set(
        &mut self,
        log: &Log,
        surveys: &[Survey<'_>],
        proposal: Option<SetProposal>,
        options: &RepairOptions,
    ) {
        self.missing = set::missing_of(surveys, proposal.as_ref());
        self.set = proposal;
        self.damaged |= self.set.is_some() || !self.missing.is_empty();
        self.lost_more |= !self.missing.is_empty();
        for (survey, retained) in surveys.iter().zip(&mut self.retained) {
            let name = &survey.part.name;
            if self.missing.iter().any(|it| it.empty && it.name.as_ref() == Some(name)) {
                retained.stays = false;
                self.parts_removed.push(name.clone());
            }
        }
        if self.refused.is_none() && !options.without_missing {
            self.refused = set::refusal(log, &self.missing);
        }
    }

    /// Replays what is retained, and removes the commands that fail if that was requested.
    fn replay(
        &mut self,
        log: &Log,
        options: &RepairOptions,
        progress: &dyn Progress,
    ) -> Result<Replayed> {
        let (replayed, failing) = replay_retained(&mut self.retained, log, options, progress)?;
        for dropped in failing {
            self.damaged = true;
            self.kept_bytes = self.kept_bytes.saturating_sub(dropped.bytes);
            self.kept_commands = self.kept_commands.saturating_sub(1);
            self.lost_bytes += dropped.bytes;
            self.lost_commands += 1;
            self.dropped.push(dropped);
        }
        let place = |dropped: &Dropped| log.parts.iter().position(|it| it.name == dropped.part);
        self.dropped.sort_by_key(|dropped| (place(dropped), dropped.offset));
        Ok(replayed)
    }

    /// Returns whether only the manifest of a set changes.
    pub(super) fn writes_manifest_only(&self) -> bool {
        self.set.is_some()
            && self.dropped.is_empty()
            && self.rdb.is_empty()
            && self.restored.is_empty()
            && self.parts_removed.is_empty()
    }

    /// Returns whether applying the plan writes a result.
    pub fn writes(&self) -> bool {
        self.damaged && self.refused.is_none()
    }

    /// Returns whether only an unfinished end is removed, as servers do.
    pub(super) fn cuts_end_only(&self) -> bool {
        let of_end = |dropped: &Dropped| {
            matches!(dropped.why, DropReason::TornEnd | DropReason::TornTransaction)
        };
        self.rdb.is_empty()
            && self.restored.is_empty()
            && self.joined.is_none()
            && self.set.is_none()
            && self.dropped.iter().all(of_end)
    }

    fn check_limits(&self, options: &RepairOptions, path: &Path) -> Result<()> {
        let (bytes, commands) = (self.lost_bytes, self.lost_commands);
        let limit = |what: String| {
            Err(Error::new(ErrorKind::Limit, what)
                .at(path)
                .help("nothing was changed; preview it with --dry-run, and raise the limit if the loss is acceptable"))
        };
        if let Some(max) = options.max_loss_bytes.filter(|&max| bytes > max) {
            return limit(format!(
                "{} would be lost, and {} is the limit",
                Bytes(bytes),
                Bytes(max)
            ));
        }
        let is_limited = options.is_limited();
        // No higher limit would help.
        let unknown = |what: &str| {
            Err(Error::new(ErrorKind::Limit, what).at(path).help(
                "nothing was changed; preview it with --dry-run, and leave --max-loss and --max-commands out if the result is acceptable",
            ))
        };
        if is_limited && self.lost_more {
            return unknown(
                "it is not known how many commands or keys would be lost, which is over any limit",
            );
        }
        if is_limited && self.rdb.iter().any(|rdb| rdb.values_uncertain) {
            return unknown(
                "the checksum of the RDB is wrong, and the wrong bytes were not found: any of its keys and values may be wrong, which is over any limit",
            );
        }
        if is_limited && self.restored.iter().any(|it| it.undone.change == Change::Monitor) {
            return unknown(
                "MONITOR shows what clients sent: it is not known what a log of it lacks",
            );
        }
        if let Some(max) = options.max_lost_commands.filter(|&max| commands > max) {
            return limit(format!(
                "{} commands would be lost, and {} is the limit",
                Count(commands),
                Count(max)
            ));
        }
        Ok(())
    }
}

/// Returns a removed range with its offset in the input: an RDB before it may have another length in the result.
fn in_input(dropped: &Dropped, rdb: &[RdbRepair]) -> Dropped {
    let mut dropped = dropped.clone();
    if let Some(rdb) = rdb.iter().find(|rdb| rdb.part == dropped.part && rdb.corrected.is_none()) {
        dropped.offset = rdb.input_offset(dropped.offset);
    }
    dropped
}
