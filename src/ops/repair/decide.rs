//! Deciding which bytes of a damaged log a repair retains and removes, with the reasons.

use std::ops::Range;
use std::path::Path;

use serde::Serialize;

use crate::analysis::survey::{Preamble, Survey};
use crate::aof::log::Log;
use crate::aof::recognise::LooksLike;
use crate::aof::{Fault, Frame, Sink, Stop, scan, scan_parallel};
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::escape::Shown;
use crate::base::next_step::{Action, NextStep, path_arg};
use crate::base::progress::Silent;
use crate::base::units::{Count, counted};
use crate::command::Tally;
use crate::command::intact_ranges::{
    IntactRange, intact_ranges, intact_ranges_before_more, looks_like,
};
use crate::command::transaction_scan::{Open, Transactions};
use crate::ops::repair::databases::{in_use, last_select};
use crate::ops::repair::options::{OpenTransaction, RepairOptions};
use crate::ops::repair::retained_ranges::RetainedRanges;
use crate::rdb::Damage;
use crate::replay::leave_out;

/// The retained and removed bytes of each part.
#[derive(Debug)]
pub struct Decision {
    /// The plan of each part, in load order.
    pub parts: Vec<PartPlan>,
}

/// The plan of one part. The retained and the removed ranges together cover it without overlap.
#[derive(Debug)]
pub struct PartPlan {
    /// Whether the part stays in the set.
    pub stays: bool,
    /// The retained byte ranges, in order.
    pub keep: Vec<Range<u64>>,
    /// The removed byte ranges, in order.
    pub dropped: Vec<Dropped>,
}

/// A range of bytes that is removed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Dropped {
    /// The file name of the part.
    pub part: String,
    /// The byte offset at which the range begins.
    pub offset: u64,
    /// The length of the range in bytes.
    pub bytes: u64,
    /// The number of complete commands in the range.
    pub commands: u64,
    /// Whether a command begins in the range that is not complete, because the file ends in it.
    pub(crate) begun: bool,
    /// Whether it is unknown how many commands were in the range: they cannot be read.
    pub(crate) uncounted: bool,
    /// The reason for the removal.
    pub why: DropReason,
    /// The first bytes of the range, escaped for display.
    pub preview: String,
    /// The number of complete commands after the range that are retained although a SELECT before them may have been
    /// lost, so that they may run in another database than they were written for. It is 0 if only one database is in
    /// use.
    pub database_uncertain: u64,
    /// The databases in use, to one of which these commands may belong; empty if there are none.
    pub(crate) databases: Vec<u32>,
    /// The data format that the bytes resemble, if recognised.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub looks_like: Option<LooksLike>,
}

/// The reason why bytes are removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum DropReason {
    /// They are not commands.
    Damage,
    /// They end in the middle of a command.
    TornEnd,
    /// They belong to an incomplete transaction.
    TornTransaction,
    /// They are after damage, and skipping damage was not requested.
    AfterDamage,
    /// They are a command that fails while a server loads it, and has no effect.
    Failing,
}

impl Dropped {
    /// Returns whether these bytes are damage around which commands are retained, of which no checksum proves a value.
    pub(super) fn is_around_kept_values(&self) -> bool {
        let is_empty = matches!(
            self.looks_like,
            Some(LooksLike { content: Some(crate::aof::recognise::Content::Zeros), .. })
        );
        self.why == DropReason::Damage && !is_empty
    }
}

impl Decision {
    /// Returns the retained ranges of each part.
    pub fn kept(&self) -> Vec<RetainedRanges> {
        let kept =
            |part: &PartPlan| RetainedRanges { stays: part.stays, ranges: part.keep.clone() };
        self.parts.iter().map(kept).collect()
    }

    /// Returns whether no byte is removed.
    pub fn keeps_everything(&self) -> bool {
        self.parts.iter().all(|part| part.stays && part.dropped.is_empty())
    }

    /// Iterates over all removed ranges, in load order.
    pub fn dropped(&self) -> impl Iterator<Item = &Dropped> {
        self.parts.iter().flat_map(|part| &part.dropped)
    }

    /// Returns the number of removed bytes.
    pub fn lost_bytes(&self) -> u64 {
        self.dropped().map(|dropped| dropped.bytes).sum()
    }

    /// Returns the number of commands that are removed, with those that are only begun.
    pub fn lost_commands(&self) -> u64 {
        self.dropped().map(|dropped| dropped.commands + u64::from(dropped.begun)).sum()
    }
}

/// Decides on the bytes of a log that has been read.
///
/// # Errors
///
/// [`ErrorKind::Refused`] when the RDB of a part is broken, which cannot be repaired, or when the options lack a
/// required choice.
pub fn decide(log: &Log, surveys: &[Survey<'_>], options: &RepairOptions) -> Result<Decision> {
    let databases = in_use(surveys, options.salvage);
    let mut decision = Decision { parts: Vec::new() };
    let mut cut = false;
    for survey in surveys {
        if cut {
            decision.parts.push(without(survey));
            continue;
        }
        let part = PartPlanner {
            path: &log.path,
            survey,
            options,
            databases: &databases,
            goes: Vec::new(),
        }
        .plan()?;
        // Later parts stay if this one is retained up to its end, or if nothing was written there.
        let end = part.keep.last().map_or(0, |range| range.end);
        let rest = slice(survey.part.mapping.bytes(), &(end..survey.part.mapping.len()));
        cut = !options.salvage && !without_zeros(rest).is_empty();
        decision.parts.push(part);
    }
    debug_assert_eq!(decision.parts.len(), log.parts.len());
    Ok(decision)
}

/// Decides on the removal of a part that is after damage.
fn without(survey: &Survey<'_>) -> PartPlan {
    let bytes = survey.part.mapping.bytes();
    let dropped = Dropped {
        part: survey.part.name.clone(),
        offset: 0,
        bytes: bytes.len() as u64,
        commands: survey.tally.commands,
        begun: false,
        uncounted: survey.stop.fault.is_some_and(|fault| !fault.is_short()),
        why: DropReason::AfterDamage,
        preview: preview(bytes),
        database_uncertain: 0,
        databases: Vec::new(),
        looks_like: None,
    };
    PartPlan { stays: false, keep: Vec::new(), dropped: vec![dropped] }
}

struct PartPlanner<'a> {
    /// The path of the log.
    path: &'a Path,
    survey: &'a Survey<'a>,
    options: &'a RepairOptions,
    /// The databases in use.
    databases: &'a [u32],
    goes: Vec<Dropped>,
}

impl PartPlanner<'_> {
    fn plan(mut self) -> Result<PartPlan> {
        if let Some(Preamble::Broken(damage)) = &self.survey.preamble {
            return Err(self.broken_rdb(damage));
        }
        let end = self.bytes().len() as u64;
        let transactions = &self.survey.tally.transactions;
        if transactions.dangling_count > transactions.dangling.len() as u64 {
            return Err(Error::new(
                ErrorKind::Refused,
                format!(
                    "{} transactions were never closed: no server wrote this",
                    Count(transactions.dangling_count)
                ),
            )
            .at(&self.survey.part.path)
            .help("look at it with `aofkit verify`, and take the file from a backup"));
        }
        self.dangling(&self.survey.tally.transactions);
        self.open(self.survey.tally.transactions.open(), self.survey.stop.at as u64)?;
        if self.survey.stop.fault.is_some() {
            if self.options.salvage {
                self.salvage()?;
            } else {
                let why =
                    if self.survey.is_damaged() { DropReason::Damage } else { DropReason::TornEnd };
                self.drop(self.end_of_whole_commands()..end, why, 0);
            }
        }
        Ok(self.finish())
    }

    /// Returns the refusal of an RDB that is broken, and was not repaired.
    fn broken_rdb(&self, damage: &Damage) -> Error {
        let error = |what: String| Error::new(ErrorKind::Refused, what).at(&self.survey.part.path);
        if let Some(unknown) = damage.unknown() {
            let key = damage.key.as_deref().filter(|_| damage.can_step_over_value());
            return error(format!("the RDB cannot be repaired: {unknown}")).help(match key {
                Some(key) => leave_out(self.path, key),
                None => "take the file from a backup".to_owned(),
            });
        }
        if self.options.salvage {
            return error(format!("the RDB is broken and cannot be repaired: {damage}"))
                .help("what its header says cannot be read; take the file from a backup");
        }
        let args = ["repair", &path_arg(self.path), "--salvage", "--dry-run"];
        let why = "Preview the repair that keeps the keys before and after the damage";
        error(format!("the RDB is broken: {damage}"))
            .help("its checksum does not tell which bytes are wrong; keys in the damaged bytes are lost")
            .step(NextStep::alternative(why, [Action::aofkit(args)]))
    }

    fn bytes(&self) -> &[u8] {
        self.survey.part.mapping.bytes()
    }

    /// Handles transactions that are followed by another MULTI: they are certainly torn, and later writes certainly
    /// follow.
    fn dangling(&mut self, transactions: &Transactions) {
        for dangling in &transactions.dangling {
            let join = dangling.open.select.unwrap_or(dangling.next_multi);
            self.drop(dangling.open.multi..join, DropReason::TornTransaction, 0);
        }
    }

    /// Handles a transaction that is open at `end`, where the complete commands end.
    fn open(&mut self, open: Option<Open>, end: u64) -> Result<()> {
        let Some(open) = open else { return Ok(()) };
        let until = match (open.select, self.choice()) {
            (None, _) | (Some(_), OpenTransaction::Cut) => end,
            (Some(select), OpenTransaction::KeepFromSelect) => select,
            (Some(select), OpenTransaction::Ask) => {
                let what = format!(
                    "the transaction that begins at byte {} was never closed, and from the SELECT at byte {} on, later writes may follow it",
                    Count(open.multi),
                    Count(select)
                );
                let kept = format!(
                    "Preview the repair that removes {} and keeps the rest, which is right if a server was stopped in the transaction and started again",
                    counted(select - open.multi, "byte")
                );
                let cut = format!(
                    "Preview the repair that removes all {}, as a server does",
                    counted(end - open.multi, "byte")
                );
                return Err(Error::new(ErrorKind::Refused, what)
                    .at(&self.survey.part.path)
                    .byte(open.multi)
                    .help("choose with --join; nothing was changed")
                    .step(self.preview_of(kept, "select"))
                    .step(self.preview_of(cut, "cut")));
            }
        };
        self.drop(open.multi..until, DropReason::TornTransaction, 0);
        Ok(())
    }

    /// Returns the step of previewing the repair with a choice for an open transaction.
    fn preview_of(&self, why: String, join: &str) -> NextStep {
        let mut args = vec!["repair".to_owned(), path_arg(self.path)];
        if self.options.salvage {
            args.push("--salvage".to_owned());
        }
        args.extend(["--join", join, "--dry-run"].map(str::to_owned));
        NextStep::alternative(why, [Action::aofkit(args)])
    }

    /// Returns the choice for an open transaction. If limits are set, the run is unattended, and the loss of a cut is
    /// checked against them.
    fn choice(&self) -> OpenTransaction {
        let unattended =
            self.options.max_loss_bytes.is_some() || self.options.max_lost_commands.is_some();
        match self.options.open_transaction {
            OpenTransaction::Ask if unattended => OpenTransaction::Cut,
            choice => choice,
        }
    }

    /// Returns where the commands end before the first damage.
    fn end_of_whole_commands(&self) -> u64 {
        let Survey { tally, stop, .. } = self.survey;
        let unusual = (tally.non_canonical.count > 0).then_some(tally.non_canonical.first);
        let start = self.survey.rdb().map(|rdb| rdb.len);
        let start = start.or(self.survey.newer_rdb().map(|rdb| rdb.len)).unwrap_or(0);
        let is_open = tally.transactions.open().is_some();
        self.before_damage(start..stop.at as u64, unusual, is_open)
    }

    /// Returns where the commands end that are followed by damage at the end of `range`. A server reads a command to its end if
    /// only the line end after a value is wrong, but then the damage begins in the value. Without its EXEC, a transaction is
    /// none.
    fn before_damage(
        &self,
        range: Range<u64>,
        unusual: Option<u64>,
        is_in_transaction: bool,
    ) -> u64 {
        let Some(unusual) = unusual.filter(|_| !is_in_transaction) else { return range.end };
        let index = |offset: u64| usize::try_from(offset).unwrap_or(usize::MAX);
        let mut last = LastFrame::default();
        scan(self.bytes(), index(unusual)..index(range.end), &mut last);
        let Some(broken) = last.broken else { return range.end };
        if !last.is_exec {
            return broken;
        }
        let mut before = LastFrame::default();
        scan(self.bytes(), index(range.start)..index(broken), &mut before);
        before.multi.unwrap_or(broken)
    }

    fn salvage(&mut self) -> Result<()> {
        let end = self.bytes().len() as u64;
        let mut from = self.end_of_whole_commands();
        let survey = self.survey;
        let last = survey.intact_ranges().len().saturating_sub(1);
        // Ranges without MULTI and EXEC belong to an open transaction if an EXEC follows them.
        let mut undecided: Vec<Range<u64>> = Vec::new();
        for (number, intact) in survey.intact_ranges().iter().enumerate() {
            let IntactRange { range, before_first_select, transactions, unusual, .. } = intact;
            let before_first_select = *before_first_select;
            let is_before_damage = number < last || range.end < end;
            let whole = match is_before_damage {
                true => self.before_damage(range.clone(), *unusual, transactions.has_marks()),
                false => range.end,
            };
            let uncertain = match (self.databases, transactions.leading_exec_end()) {
                ([] | [_], _) => 0,
                (_, None) => before_first_select,
                (_, Some(exec_end)) => {
                    self.without_leading(before_first_select, range.start..exec_end)
                }
            };
            self.drop(from..range.start, DropReason::Damage, uncertain);
            if let Some(exec_end) = transactions.leading_exec_end() {
                for inside in undecided.drain(..).chain(std::iter::once(range.start..exec_end)) {
                    self.drop_but_select(&inside);
                }
            } else if transactions.has_marks() {
                undecided.clear();
            } else {
                undecided.push(range.start..whole);
            }
            self.dangling(transactions);
            self.open(transactions.open(), range.end)?;
            from = whole;
        }
        let torn = self.survey.stop.fault.as_ref().is_some_and(Fault::is_short)
            && survey.intact_ranges().is_empty();
        self.drop(from..end, if torn { DropReason::TornEnd } else { DropReason::Damage }, 0);
        Ok(())
    }

    /// Returns how many of the commands before the first SELECT are after `leading`, which is removed but for its SELECT.
    fn without_leading(&self, before_first_select: u64, leading: Range<u64>) -> u64 {
        match last_select(self.bytes(), &leading) {
            Some(_) => 0,
            None => before_first_select
                .saturating_sub(whole_commands(slice(self.bytes(), &leading), false)),
        }
    }

    /// Removes whole commands of a torn transaction, but for the last SELECT: the database is that of what follows.
    fn drop_but_select(&mut self, range: &Range<u64>) {
        let select = last_select(self.bytes(), range).unwrap_or(range.end..range.end);
        self.drop(range.start..select.start, DropReason::TornTransaction, 0);
        self.drop(select.end..range.end, DropReason::TornTransaction, 0);
    }

    fn drop(&mut self, range: Range<u64>, why: DropReason, database_uncertain: u64) {
        if range.is_empty() {
            return;
        }
        let bytes = slice(self.bytes(), &range);
        let is_file_end = range.end == self.bytes().len() as u64;
        // A power loss leaves zeros where the rest of a command was to be written.
        let written = match is_file_end {
            true => without_zeros(bytes),
            false => bytes,
        };
        let is_torn = why == DropReason::TornEnd
            || why == DropReason::Damage && written.len() < bytes.len() && is_begun(written);
        let dropped = Dropped {
            part: self.survey.part.name.clone(),
            offset: range.start,
            bytes: range.end - range.start,
            commands: whole_commands(bytes, is_file_end),
            begun: is_torn && !written.is_empty(),
            uncounted: why == DropReason::Damage && !is_torn,
            why,
            preview: preview(bytes),
            database_uncertain,
            databases: if database_uncertain > 0 { self.databases.to_vec() } else { Vec::new() },
            looks_like: match why {
                DropReason::Damage | DropReason::TornEnd => looks_like(bytes, 0),
                DropReason::TornTransaction | DropReason::AfterDamage | DropReason::Failing => None,
            },
        };
        self.goes.push(dropped);
    }

    fn finish(self) -> PartPlan {
        let end = self.bytes().len() as u64;
        let mut dropped = self.goes;
        dropped.sort_by_key(|dropped| dropped.offset);
        let mut keep = Vec::new();
        let mut from = 0;
        for gone in &dropped {
            if from < gone.offset {
                keep.push(from..gone.offset);
            }
            from = gone.offset + gone.bytes;
        }
        if from < end {
            keep.push(from..end);
        }
        PartPlan { stays: true, keep, dropped }
    }
}

/// The last command of a range.
#[derive(Default)]
struct LastFrame {
    /// Its offset, if a line end after one of its values is wrong.
    broken: Option<u64>,
    is_exec: bool,
    /// The offset of the last MULTI.
    multi: Option<u64>,
}

impl Sink for LastFrame {
    fn command(&mut self, frame: Frame<'_>) {
        let bytes = frame.bytes();
        let end_of = |arg: &[u8]| arg.as_ptr_range().end as usize - bytes.as_ptr() as usize;
        let is_broken =
            |arg: &[u8]| !bytes.get(end_of(arg)..).unwrap_or_default().starts_with(b"\r\n");
        let is_broken = frame.argc() > 1 && !frame.is_canonical() && frame.args().any(is_broken);
        self.broken = is_broken.then_some(frame.offset());
        self.is_exec = frame.name().eq_ignore_ascii_case(b"EXEC");
        if frame.name().eq_ignore_ascii_case(b"MULTI") {
            self.multi = Some(frame.offset());
        }
    }

    fn annotation(&mut self, _: u64, _: &[u8]) {
        self.broken = None;
    }
}

/// Returns the bytes without the zeros at their end.
fn without_zeros(bytes: &[u8]) -> &[u8] {
    let end = bytes.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
    &bytes[..end]
}

/// Returns whether these bytes, which are followed by zeros to the end of the file, are nothing, or one command that is
/// not complete.
fn is_begun(bytes: &[u8]) -> bool {
    let stop = scan_parallel(bytes, 0, Tally::default, |_| {}, &Silent).stop;
    stop.at == 0 && stop.fault.is_none_or(|fault| fault.is_short() && bytes.starts_with(b"*"))
}

fn slice<'a>(bytes: &'a [u8], range: &Range<u64>) -> &'a [u8] {
    let index = |offset: u64| usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
    &bytes[index(range.start)..index(range.end)]
}

/// Counts the complete commands in a range that may contain damage. `is_file_end`: the range ends at the end of its
/// file.
fn whole_commands(bytes: &[u8], is_file_end: bool) -> u64 {
    let scanned = scan_parallel(bytes, 0, Tally::default, |_| {}, &Silent);
    let stop: Stop = scanned.stop;
    let found = if is_file_end {
        intact_ranges(bytes, stop)
    } else {
        intact_ranges_before_more(bytes, stop)
    };
    let after: u64 = found.iter().map(|range| range.commands).sum();
    scanned.sink.commands + after
}

pub(super) fn preview(bytes: &[u8]) -> String {
    Shown(bytes).to_string()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::repair;
    use crate::base::progress::Silent;
    use crate::ops::repair::options::RepairOptions;
    use crate::ops::repair::retained_ranges::Output;

    fn log(commands: &str) -> Vec<u8> {
        let frame = |command: &str| {
            let args: Vec<&str> = command.split(' ').collect();
            let args_text: String =
                args.iter().map(|arg| format!("${}\r\n{arg}\r\n", arg.len())).collect();
            format!("*{}\r\n{args_text}", args.len())
        };
        commands.lines().map(frame).collect::<String>().into_bytes()
    }

    /// Returns the bytes that a salvage retains.
    fn salvaged(bytes: &[u8]) -> Vec<u8> {
        let directory = tempfile::tempdir().unwrap();
        let (old, new) = (directory.path().join("old.aof"), directory.path().join("new.aof"));
        fs::write(&old, bytes).unwrap();
        let options =
            RepairOptions { salvage: true, ..RepairOptions::to(Output::New(new.clone())) };
        let report = repair(&old, &options, &Silent).unwrap();
        let kept = fs::read(&new).unwrap();
        assert_eq!(report.plan.kept_bytes, kept.len() as u64);
        assert_eq!(report.plan.kept_bytes + report.plan.lost_bytes, bytes.len() as u64);
        kept
    }

    const NOISE: &[u8] = b"\0\0\0\0noise";

    #[test]
    fn salvage_retains_intact_commands_around_damage() {
        let (before, after) = (log("SET a 1\nSET b 2"), log("SET c 3"));
        let kept = salvaged(&[&before, NOISE, &after].concat());
        assert_eq!(kept, [before, after].concat());
    }

    #[test]
    fn transaction_without_its_multi_is_removed_up_to_exec() {
        let (before, after) = (log("SET a 1"), log("SET d 4"));
        let torn = log("SET b 2\nSET c 3\nEXEC");
        let kept = salvaged(&[&before, NOISE, &torn, &after].concat());
        assert_eq!(kept, [before, after].concat());
    }

    #[test]
    fn transaction_without_its_multi_is_removed_if_damaged_twice() {
        let (before, after) = (log("SET a 1"), log("SET d 4"));
        let (middle, end) = (log("SET b 2"), log("SET c 3\nEXEC"));
        let kept = salvaged(&[&before, NOISE, &middle, NOISE, &end, &after].concat());
        assert_eq!(kept, [before, after].concat());
    }

    #[test]
    fn transaction_without_its_exec_is_removed_from_multi() {
        let (before, after) = (log("SET a 1"), log("SET d 4\nMULTI\nSET e 5\nEXEC"));
        let kept = salvaged(&[&before, &log("MULTI\nSET b 2")[..], NOISE, &after].concat());
        assert_eq!(kept, [before, after].concat());
    }
}
