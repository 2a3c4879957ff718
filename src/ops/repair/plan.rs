//! Which bytes of a damaged log stay, and which go, and why.

use std::ops::Range;

use serde::Serialize;

use crate::analysis::survey::{Preamble, Survey};
use crate::aof::log::Log;
use crate::aof::recognise::LooksLike;
use crate::aof::{Fault, Stop, scan_parallel};
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::escape::Shown;
use crate::base::progress::Silent;
use crate::base::units::Count;
use crate::command::Tally;
use crate::command::intact_ranges::{Island, islands, islands_before_more, looks_like};
use crate::command::transaction_scan::{Open, Transactions};
use crate::ops::repair::options::{OpenTransaction, Options};
use crate::ops::repair::retained_ranges::Kept;

/// What stays of each part.
#[derive(Debug)]
pub struct Plan {
    /// One for each part, in load order.
    pub parts: Vec<PartPlan>,
}

/// What stays of one part. The kept and the dropped ranges tile it.
#[derive(Debug)]
pub struct PartPlan {
    /// Whether the part stays in the set at all.
    pub stays: bool,
    /// The bytes that stay, in order.
    pub keep: Vec<Range<u64>>,
    /// The bytes that go, in order.
    pub dropped: Vec<Dropped>,
}

/// A stretch of bytes that goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Dropped {
    /// The part's file name.
    pub part: String,
    /// Where it begins.
    pub offset: u64,
    /// How many bytes.
    pub bytes: u64,
    /// How many whole commands are in it.
    pub commands: u64,
    /// Why it goes.
    pub why: Why,
    /// How it begins.
    pub preview: String,
    /// Whole commands behind it that are kept although a SELECT before them may have been lost, so that they
    /// may land in another database than they were written for. 0 where only one database is in use.
    pub database_uncertain: u64,
    /// What the bytes look like, where that is recognised.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub looks_like: Option<LooksLike>,
}

/// Why bytes go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Why {
    /// They are no commands.
    Damage,
    /// They end in the middle of a command.
    TornEnd,
    /// They belong to a transaction that is not whole.
    TornTransaction,
    /// They lie behind a damage, and stepping over it was not asked for.
    BehindDamage,
}

impl Plan {
    /// What stays of each part.
    pub fn kept(&self) -> Vec<Kept> {
        let kept = |part: &PartPlan| Kept { stays: part.stays, ranges: part.keep.clone() };
        self.parts.iter().map(kept).collect()
    }

    /// Whether no byte goes.
    pub fn keeps_everything(&self) -> bool {
        self.parts.iter().all(|part| part.stays && part.dropped.is_empty())
    }

    /// All stretches that go, in load order.
    pub fn dropped(&self) -> impl Iterator<Item = &Dropped> {
        self.parts.iter().flat_map(|part| &part.dropped)
    }

    /// How many bytes go.
    pub fn lost_bytes(&self) -> u64 {
        self.dropped().map(|dropped| dropped.bytes).sum()
    }

    /// How many whole commands go.
    pub fn lost_commands(&self) -> u64 {
        self.dropped().map(|dropped| dropped.commands).sum()
    }
}

/// Plans the repair of a log that has been read.
///
/// # Errors
///
/// [`ErrorKind::Refused`] when a part's RDB is broken, which cannot be mended, or when a choice is needed that
/// the options do not make.
pub fn plan(log: &Log, surveys: &[Survey<'_>], options: &Options) -> Result<Plan> {
    let databases = surveys.iter().flat_map(|survey| survey.tally.databases.by_number.keys());
    let several_databases = databases.collect::<std::collections::BTreeSet<_>>().len() > 1;
    let mut plan = Plan { parts: Vec::new() };
    let mut cut = false;
    for survey in surveys {
        if cut {
            plan.parts.push(without(survey));
            continue;
        }
        let part = PartPlanner { survey, options, several_databases, goes: Vec::new() }.plan()?;
        // Later parts stay when this one still reaches to its end.
        let reaches_end =
            part.keep.last().map_or(0, |range| range.end) == survey.part.mapping.len();
        cut = !options.salvage && !reaches_end;
        plan.parts.push(part);
    }
    debug_assert_eq!(plan.parts.len(), log.parts.len());
    Ok(plan)
}

/// A part that goes because it lies behind a damage.
fn without(survey: &Survey<'_>) -> PartPlan {
    let bytes = survey.part.mapping.bytes();
    let dropped = Dropped {
        part: survey.part.name.clone(),
        offset: 0,
        bytes: bytes.len() as u64,
        commands: survey.tally.commands,
        why: Why::BehindDamage,
        preview: preview(bytes),
        database_uncertain: 0,
        looks_like: None,
    };
    PartPlan { stays: false, keep: Vec::new(), dropped: vec![dropped] }
}

struct PartPlanner<'a> {
    survey: &'a Survey<'a>,
    options: &'a Options,
    several_databases: bool,
    goes: Vec<Dropped>,
}

impl PartPlanner<'_> {
    fn plan(mut self) -> Result<PartPlan> {
        if let Some(Preamble::Broken(damage)) = &self.survey.preamble {
            let what = match &damage.unproven {
                Some(unproven) => format!("the RDB cannot be repaired: {unproven}"),
                None => format!("the RDB is broken and cannot be repaired: {damage}"),
            };
            return Err(Error::new(ErrorKind::Refused, what)
                .at(&self.survey.part.path)
                .help("nothing marks where its next key begins; take the file from a backup"));
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
                let why = if self.survey.is_damaged() { Why::Damage } else { Why::TornEnd };
                self.drop(self.survey.stop.at as u64..end, why, 0);
            }
        }
        Ok(self.finish())
    }

    fn bytes(&self) -> &[u8] {
        self.survey.part.mapping.bytes()
    }

    /// Transactions that another one follows: torn for certain, and later writes follow for certain.
    fn dangling(&mut self, transactions: &Transactions) {
        for dangling in &transactions.dangling {
            let join = dangling.open.select.unwrap_or(dangling.next_multi);
            self.drop(dangling.open.multi..join, Why::TornTransaction, 0);
        }
    }

    /// A transaction that is open at `end`, where whole commands end.
    fn open(&mut self, open: Option<Open>, end: u64) -> Result<()> {
        let Some(open) = open else { return Ok(()) };
        let until = match (open.select, self.choice()) {
            (None, _) | (Some(_), OpenTransaction::Cut) => end,
            (Some(select), OpenTransaction::KeepFromSelect) => select,
            (Some(select), OpenTransaction::Ask) => {
                let what = format!(
                    "the transaction that begins at byte {} was never closed, and from the SELECT at byte {select} on, later writes may stand behind it",
                    open.multi
                );
                return Err(Error::new(ErrorKind::Refused, what)
                    .at(&self.survey.part.path)
                    .byte(open.multi)
                    .help(format!(
                        "`--join select` takes out {} bytes and keeps the rest, right when a server was stopped in the transaction and started again; `--join cut` takes out all {} bytes, as a server does",
                        select - open.multi,
                        end - open.multi
                    )));
            }
        };
        self.drop(open.multi..until, Why::TornTransaction, 0);
        Ok(())
    }

    /// Nobody is there to be asked when limits are stated: the loss of a cut is held against them.
    fn choice(&self) -> OpenTransaction {
        let unattended =
            self.options.max_loss_bytes.is_some() || self.options.max_lost_commands.is_some();
        match self.options.open_transaction {
            OpenTransaction::Ask if unattended => OpenTransaction::Cut,
            choice => choice,
        }
    }

    fn salvage(&mut self) -> Result<()> {
        let end = self.bytes().len() as u64;
        let mut from = self.survey.stop.at as u64;
        let found = islands(self.bytes(), self.survey.stop);
        // Stretches without MULTI and EXEC: should an EXEC come next, they belong to its transaction.
        let mut undecided: Vec<Range<u64>> = Vec::new();
        for Island { range, before_first_select, transactions, .. } in found {
            let uncertain = match self.several_databases {
                true => before_first_select,
                false => 0,
            };
            self.drop(from..range.start, Why::Damage, uncertain);
            if let Some(exec_end) = transactions.leading_exec_end() {
                for inside in undecided.drain(..).chain(std::iter::once(range.start..exec_end)) {
                    self.drop(inside, Why::TornTransaction, 0);
                }
            } else if transactions.has_marks() {
                undecided.clear();
            } else {
                undecided.push(range.clone());
            }
            self.dangling(&transactions);
            self.open(transactions.open(), range.end)?;
            from = range.end;
        }
        let torn = self.survey.stop.fault.as_ref().is_some_and(Fault::is_short)
            && from == self.survey.stop.at as u64;
        self.drop(from..end, if torn { Why::TornEnd } else { Why::Damage }, 0);
        Ok(())
    }

    fn drop(&mut self, range: Range<u64>, why: Why, database_uncertain: u64) {
        if range.is_empty() {
            return;
        }
        let bytes = slice(self.bytes(), &range);
        let dropped = Dropped {
            part: self.survey.part.name.clone(),
            offset: range.start,
            bytes: range.end - range.start,
            commands: whole_commands(bytes, range.end == self.bytes().len() as u64),
            why,
            preview: preview(bytes),
            database_uncertain,
            looks_like: match why {
                Why::Damage | Why::TornEnd => looks_like(bytes, 0),
                Why::TornTransaction | Why::BehindDamage => None,
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

fn slice<'a>(bytes: &'a [u8], range: &Range<u64>) -> &'a [u8] {
    let index = |offset: u64| usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
    &bytes[index(range.start)..index(range.end)]
}

/// The whole commands in a stretch that may hold damage; `is_file_end`: it ends where its file does.
fn whole_commands(bytes: &[u8], is_file_end: bool) -> u64 {
    let scanned = scan_parallel(bytes, 0, Tally::default, |_| {}, &Silent);
    let stop: Stop = scanned.stop;
    let found = if is_file_end { islands(bytes, stop) } else { islands_before_more(bytes, stop) };
    let behind: u64 = found.iter().map(|island| island.commands).sum();
    scanned.sink.commands + behind
}

fn preview(bytes: &[u8]) -> String {
    Shown(bytes).to_string()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::repair;
    use crate::base::progress::Silent;
    use crate::ops::repair::options::Options;
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

    /// What a salvage keeps of `bytes`.
    fn salvaged(bytes: &[u8]) -> Vec<u8> {
        let directory = tempfile::tempdir().unwrap();
        let (old, new) = (directory.path().join("old.aof"), directory.path().join("new.aof"));
        fs::write(&old, bytes).unwrap();
        let options = Options { salvage: true, ..Options::to(Output::New(new.clone())) };
        let report = repair(&old, &options, &Silent).unwrap();
        let kept = fs::read(&new).unwrap();
        assert_eq!(report.kept_bytes, kept.len() as u64);
        assert_eq!(report.kept_bytes + report.lost_bytes, bytes.len() as u64);
        kept
    }

    const NOISE: &[u8] = b"\0\0\0\0noise";

    #[test]
    fn salvage_keeps_what_is_whole_on_both_sides_of_a_damage() {
        let (before, behind) = (log("SET a 1\nSET b 2"), log("SET c 3"));
        let kept = salvaged(&[&before, NOISE, &behind].concat());
        assert_eq!(kept, [before, behind].concat());
    }

    #[test]
    fn a_transaction_whose_multi_was_lost_goes_up_to_its_exec() {
        let (before, behind) = (log("SET a 1"), log("SET d 4"));
        let torn = log("SET b 2\nSET c 3\nEXEC");
        let kept = salvaged(&[&before, NOISE, &torn, &behind].concat());
        assert_eq!(kept, [before, behind].concat());
    }

    #[test]
    fn also_where_it_is_damaged_twice() {
        let (before, behind) = (log("SET a 1"), log("SET d 4"));
        let (middle, end) = (log("SET b 2"), log("SET c 3\nEXEC"));
        let kept = salvaged(&[&before, NOISE, &middle, NOISE, &end, &behind].concat());
        assert_eq!(kept, [before, behind].concat());
    }

    #[test]
    fn a_transaction_whose_exec_was_lost_goes_from_its_multi() {
        let (before, behind) = (log("SET a 1"), log("SET d 4\nMULTI\nSET e 5\nEXEC"));
        let kept = salvaged(&[&before, &log("MULTI\nSET b 2")[..], NOISE, &behind].concat());
        assert_eq!(kept, [before, behind].concat());
    }
}
