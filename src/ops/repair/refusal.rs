//! Refusing a repair that would leave nothing of a log or of a part of it: the file is then something other than a log
//! with a torn end, and an empty log in its place would be mistaken for a repaired one.

use serde::Serialize;

use super::decide::{Decision, DropReason, Dropped, PartPlan};
use super::rdb::RdbRepair;
use crate::analysis::survey::Survey;
use crate::aof::recognise::LooksLike;
use crate::aof::salvage::is_all_zero;
use crate::aof::{Frame, Sink, scan};
use crate::base::error::{Error, ErrorKind};
use crate::command::intact_ranges::{IntactRange, looks_like};
use crate::command::{Role, lookup};

/// The reason why nothing is written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Refusal {
    /// The file name of the part of which nothing would be retained.
    pub part: String,
    /// The byte offset at which the bytes that are not commands begin.
    pub offset: u64,
    /// The data format that the bytes resemble, if recognised.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub looks_like: Option<LooksLike>,
    /// The reason, in lower case and without a full stop.
    pub message: String,
    /// The recommended next step.
    pub help: String,
}

impl Refusal {
    /// Returns the refusal as an error about `path`.
    pub fn error(&self, path: &std::path::Path) -> Error {
        Error::new(ErrorKind::Limit, &self.message).at(path).help(&self.help)
    }
}

/// Returns the reason for not carrying out the plan; `None` if the plan leaves something of the log and of each part,
/// or removes only one unfinished command or transaction.
pub(super) fn refusal(
    surveys: &[Survey<'_>],
    decision: &Decision,
    rdb: &[RdbRepair],
) -> Option<Refusal> {
    if let Some(refusal) = empty_rdb(surveys, rdb) {
        return Some(refusal);
    }
    let parts: Vec<Part<'_>> = (surveys.iter().zip(&decision.parts))
        .map(|(survey, plan)| Part { survey, plan, keeps_data: keeps_data(survey, plan) })
        .collect();
    let is_all = !parts.iter().any(|part| part.keeps_data);
    let is_emptied = |part: &&Part<'_>| {
        let is_judged = is_all || part.plan.stays && !part.drops_zeros_alone();
        is_judged && !part.keeps_data && part.drops_bytes() && !part.drops_one_unfinished_thing()
    };
    let of = parts.iter().find(is_emptied)?;
    let dropped = of.plan.dropped.iter().find(|dropped| dropped.bytes > 0)?;
    let looks_like = format_of_start(of.survey).or(dropped.looks_like);
    Some(Refusal {
        part: dropped.part.clone(),
        offset: dropped.offset,
        looks_like,
        message: message(dropped, looks_like, surveys.len() > 1),
        help: help(looks_like),
    })
}

/// Returns the refusal of an RDB of which bytes are dropped and nothing is retained, if no commands follow it either.
fn empty_rdb(surveys: &[Survey<'_>], rdb: &[RdbRepair]) -> Option<Refusal> {
    let is_empty = |survey: &Survey<'_>| {
        survey.tally.commands == 0
            && survey.rdb().is_some_and(|it| it.keys + it.functions == 0 && it.modules.is_empty())
    };
    if !surveys.iter().all(is_empty) {
        return None;
    }
    let gone = rdb.iter().find(|rdb| rdb.lost_bytes() > 0)?;
    let offset = gone.dropped.first().map_or(0, |gone| gone.offset);
    Some(Refusal {
        part: gone.part.clone(),
        offset,
        looks_like: None,
        message: "no key of the RDB would be kept".to_owned(),
        help: "nothing was written; take the file from a backup".to_owned(),
    })
}

/// Returns the number of complete commands of a part that are retained.
pub(super) fn kept_commands(survey: &Survey<'_>, part: &PartPlan) -> u64 {
    let after: u64 =
        survey.intact_ranges().iter().map(|IntactRange { commands, .. }| commands).sum();
    let lost: u64 = part.dropped.iter().map(|dropped| dropped.commands).sum();
    (survey.tally.commands + after).saturating_sub(lost)
}

/// Returns the data format that a part resembles from the start of its commands.
fn format_of_start(survey: &Survey<'_>) -> Option<LooksLike> {
    looks_like(survey.part.mapping.bytes(), survey.commands_start)
}

/// A part and its plan.
struct Part<'p> {
    survey: &'p Survey<'p>,
    plan: &'p PartPlan,
    keeps_data: bool,
}

impl Part<'_> {
    fn drops_bytes(&self) -> bool {
        self.plan.dropped.iter().any(|dropped| dropped.bytes > 0)
    }

    /// Returns whether the plan removes only one unfinished command or transaction, as a killed server leaves it.
    fn drops_one_unfinished_thing(&self) -> bool {
        let dropped = &self.plan.dropped;
        let bytes = self.survey.part.mapping.bytes();
        let is_begun = |dropped: &Dropped| {
            let from = usize::try_from(dropped.offset).unwrap_or(usize::MAX);
            bytes.get(from..).is_some_and(begins_as_written)
        };
        let is_unfinished = |dropped: &Dropped| match dropped.why {
            DropReason::TornEnd => {
                dropped.commands == 0 && dropped.looks_like.is_none() && is_begun(dropped)
            }
            DropReason::TornTransaction => true,
            DropReason::Damage | DropReason::AfterDamage | DropReason::Failing => false,
        };
        let transactions =
            dropped.iter().filter(|it| it.why == DropReason::TornTransaction).count();
        transactions <= 1 && dropped.iter().all(is_unfinished)
    }

    /// Returns whether the removed bytes contain no data.
    fn drops_zeros_alone(&self) -> bool {
        let bytes = self.survey.part.mapping.bytes();
        let index = |offset: u64| usize::try_from(offset).unwrap_or(usize::MAX);
        let is_zero = |dropped: &Dropped| {
            is_all_zero(bytes, index(dropped.offset)..index(dropped.offset + dropped.bytes))
        };
        self.plan.dropped.iter().all(is_zero)
    }
}

/// Returns whether bytes that end inside a command or an annotation are the beginning of one as servers write it. The
/// readers of servers take other bytes for one as well, such as a line without an end.
fn begins_as_written(bytes: &[u8]) -> bool {
    if bytes.starts_with(b"#") {
        return true;
    }
    let mut left = 0;
    let mut rest = bytes;
    let mut marker = b'*';
    loop {
        let Some(digits) = rest.strip_prefix(&[marker]) else { return rest.is_empty() };
        let len = digits.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let (number, end) = digits.split_at(len);
        let Some(after) = end.strip_prefix(b"\r\n") else { return b"\r\n".starts_with(end) };
        let number = std::str::from_utf8(number).ok().and_then(|text| text.parse::<usize>().ok());
        let Some(number) = number else { return false };
        rest = after;
        if marker == b'*' {
            (left, marker) = (number, b'$');
            continue;
        }
        let Some((_, end)) = after.split_at_checked(number) else { return true };
        let Some(after) = end.strip_prefix(b"\r\n") else { return b"\r\n".starts_with(end) };
        rest = after;
        left = left.saturating_sub(1);
        if left == 0 {
            return false;
        }
    }
}

/// The number of commands up to which each is checked for data: among more commands, some certainly are data.
const FEW_COMMANDS: u64 = 16;

/// Returns whether the retained bytes of a part contain data: keys or functions of an RDB, or a command other than
/// SELECT, MULTI and EXEC.
fn keeps_data(survey: &Survey<'_>, part: &PartPlan) -> bool {
    if !part.stays {
        return false;
    }
    if survey.rdb().is_some_and(|rdb| rdb.keys + rdb.functions > 0 || !rdb.modules.is_empty()) {
        return true;
    }
    let kept = kept_commands(survey, part);
    if kept == 0 || kept > FEW_COMMANDS {
        return kept > 0;
    }
    // With other line endings, a first command of one argument still parses as complete, and ends within the start of
    // the next.
    let canonical_alone = format_of_start(survey).is_some_and(LooksLike::has_other_line_ends);
    let mut data = Data { canonical_alone, commands: 0 };
    for range in &part.keep {
        let index = |offset: u64| usize::try_from(offset).unwrap_or(usize::MAX);
        let from = index(range.start.max(survey.commands_start));
        scan(survey.part.mapping.bytes(), from..index(range.end), &mut data);
    }
    data.commands > 0
}

/// Counts commands other than SELECT, MULTI and EXEC.
struct Data {
    canonical_alone: bool,
    commands: u64,
}

impl Sink for Data {
    fn command(&mut self, frame: Frame<'_>) {
        let is_plain = lookup(frame.name()).is_none_or(|id| id.row().role == Role::Plain);
        let counts = is_plain && (frame.is_canonical() || !self.canonical_alone);
        self.commands += u64::from(counts);
    }

    fn annotation(&mut self, _: u64, _: &[u8]) {}
}

fn message(dropped: &Dropped, looks_like: Option<LooksLike>, of_several: bool) -> String {
    let of = if of_several { format!(" of {}", dropped.part) } else { String::new() };
    match looks_like {
        Some(looks_like) => format!("no command{of} would be kept: this looks like {looks_like}"),
        None => {
            format!("no command{of} would be kept, and what the bytes look like is not recognised")
        }
    }
}

fn help(looks_like: Option<LooksLike>) -> String {
    let help = looks_like.map_or("take the file from a backup", LooksLike::help);
    format!("nothing was written; {help}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beginnings_of_commands_are_known() {
        let command = b"*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n";
        for end in 1..command.len() {
            assert!(begins_as_written(&command[..end]), "{end}");
        }
        assert!(begins_as_written(b"#TS:17"));
        let others: [&[u8]; 7] = [
            command,
            b"*2\\r\\n$6\\r\\nSELECT",
            b"*2 $6 SELECT",
            b"*2\n$6\nSELECT\n",
            b"*x",
            b"*2\r\n$6\r\nSELECTS",
            b"*2\r\n$6\r\nSELECT\r\n0",
        ];
        for other in others {
            assert!(!begins_as_written(other), "{}", other.escape_ascii());
        }
    }
}
