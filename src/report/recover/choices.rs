//! The commands that recover data, printed so that they can be copied.

use crate::report::recover::phrases::is_set;
use std::fmt::{self, Write};

use crate::base::escape::typed;
use crate::ops::recover::{Event, RecoverReport, Verdict};
use crate::report::lines::COLUMNS;
use crate::report::recover::phrases::{LISTED, event_of};
use crate::report::style::{STRONG, Styled, wrap};

/// The description of a command, and the command.
type Choice = (String, String);

/// Writes the commands that recover the data.
pub(super) fn get_it_back(out: &mut String, report: &RecoverReport) -> fmt::Result {
    let choices = choices(report);
    if !choices.is_empty() {
        writeln!(out)?;
    }
    for (what, command) in choices {
        writeln!(out, "{}", wrap(&what, COLUMNS, 0))?;
        for command in command.lines() {
            writeln!(out, "       {}", Styled(STRONG, command))?;
        }
    }
    Ok(())
}

fn choices(report: &RecoverReport) -> Vec<Choice> {
    let mut choices = match report.verdict {
        Verdict::EndsInFlush { .. } => vec![(
            "Recover it to a new path; nothing here is changed:".to_owned(),
            command(report, "--strip"),
        )],
        Verdict::FlushWithin { event } => flush_within(report, event_of(report, event)),
        Verdict::Deletions { event } => {
            deleted(report, event.and_then(|event| event_of(report, event)))
        }
        Verdict::Ordinary => {
            let wanted = report.deletions.as_ref().is_some_and(|it| it.recoverable > 0);
            undelete(report).filter(|_| wanted).into_iter().collect()
        }
        Verdict::FlushOfNothing { .. } | Verdict::Nothing | Verdict::Empty => Vec::new(),
        Verdict::Unclear => unclear(report),
        Verdict::FlushAfterDamage => Vec::new(),
    };
    choices.extend(around_damage(report));
    if !matches!(
        report.verdict,
        Verdict::EndsInFlush { .. } | Verdict::FlushWithin { .. } | Verdict::Deletions { .. }
    ) {
        choices.extend(use_candidate(report));
    }
    choices
}

/// Returns the command that writes the result of `choice`.
fn command(report: &RecoverReport, choice: &str) -> String {
    let of = report.candidate.map_or(String::new(), |number| format!(" --candidate {number}"));
    let path = typed(&report.path);
    format!("aofkit recover {path}{of} {choice} --output {}", new(report, "recovered"))
}

fn new(report: &RecoverReport, name: &str) -> String {
    if is_set(report) { name.to_owned() } else { format!("{name}.aof") }
}

/// Returns whether the log is damaged; a damaged log can only be cut before the damage.
fn is_damaged(report: &RecoverReport) -> bool {
    report.broken.is_some()
}

fn before_ordinal(report: &RecoverReport, event: Option<&Event>) -> String {
    let ordinal = event.map_or(0, |event| event.ordinal);
    command(report, &format!("--until '#{ordinal}'"))
}

/// Returns the command that keeps everything before a position.
fn before_place(report: &RecoverReport, part: &str, offset: u64) -> String {
    // A part whose name would need quoting is given by its number.
    let number = report.parts.iter().position(|it| it.name == part).map_or(0, |at| at + 1);
    let plain = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
    let is_plain = part.chars().all(plain) && !part.bytes().all(|byte| byte.is_ascii_digit());
    match is_plain {
        true => command(report, &format!("--until {part}:{offset}")),
        false => command(report, &format!("--until {number}:{offset}")),
    }
}

fn flush_within(report: &RecoverReport, event: Option<&Event>) -> Vec<Choice> {
    let mut choices = vec![(
        "Everything before it, without the commands after it:".to_owned(),
        before_ordinal(report, event),
    )];
    if let Some(event) = event.filter(|_| !is_damaged(report)) {
        choices.push((
            "Keep new writes; old keys return unless rewritten since (counters keep their new, lower values):".to_owned(),
            command(report, &format!("--merge newer --excise {}", event.number)),
        ));
        choices.extend(excise(report));
    }
    choices
}

fn deleted(report: &RecoverReport, run: Option<&Event>) -> Vec<Choice> {
    let mut choices: Vec<Choice> = undelete(report).into_iter().collect();
    if run.is_some() {
        choices.push((
            "Everything before the largest run of deletions, without the commands after it:"
                .to_owned(),
            before_ordinal(report, run),
        ));
        choices.extend(excise(report).filter(|_| !is_damaged(report)));
    } else if let Some(before) = report.deletions.as_ref().and_then(|it| it.before.as_ref()) {
        choices.push((
            "Everything before the first of these deletions, without the commands after it:"
                .to_owned(),
            before_place(report, &before.part, before.offset),
        ));
    }
    choices
}

/// Returns the choice that restores all deleted keys.
fn undelete(report: &RecoverReport) -> Option<Choice> {
    (!is_damaged(report)).then(|| {
        (
            "Restore the deleted keys and keep all current data ('*' is a pattern: 'user:*' selects some of them):".to_owned(),
            command(report, "--undelete '*'"),
        )
    })
}

/// Returns the choices that keep everything before a command of unknown effect.
fn unclear(report: &RecoverReport) -> Vec<Choice> {
    let possible = &report.possible_flushes;
    let mut places: Vec<_> = possible.first().into_iter().collect();
    places.extend(possible.last().filter(|_| possible.len() > 1));
    let mut choices: Vec<Choice> = (places.into_iter())
        .map(|flush| {
            let what = format!("Everything before {} (#{}):", flush.name, flush.ordinal);
            (what, before_place(report, &flush.part, flush.offset))
        })
        .collect();
    let script = report.unknown.iter().filter(|command| command.script);
    let first = script.min_by_key(|it| (part_index(report, &it.part), it.offset));
    choices.extend(first.map(|script| {
        let what = format!("Everything before the first {}:", script.name);
        (what, before_place(report, &script.part, script.offset))
    }));
    choices
}

fn part_index(report: &RecoverReport, part: &str) -> usize {
    report.parts.iter().position(|it| it.name == part).unwrap_or(usize::MAX)
}

/// Returns the choices that keep what is before the damage, and what is intact after it.
fn around_damage(report: &RecoverReport) -> Vec<Choice> {
    let (broken, unread) = (report.broken.as_ref(), report.unread.as_ref());
    let place = broken.map(|broken| (&broken.part, broken.offset));
    let Some((part, offset)) = place.or(unread.map(|unread| (&unread.part, unread.offset))) else {
        return Vec::new();
    };
    let mut choices = Vec::new();
    let something_before =
        report.commands > 0 || report.before_damage.as_ref().is_some_and(|held| held.total > 0);
    if something_before && broken.is_none_or(|broken| !broken.in_rdb) {
        choices
            .push(("Everything before the damage:".to_owned(), before_place(report, part, offset)));
    }
    let intact = unread.is_some_and(|unread| unread.commands > 0);
    let can_be_salvaged = broken.is_none_or(|broken| broken.can_be_salvaged);
    if intact && can_be_salvaged && !report.archived && report.candidate.is_none() {
        let new = new(report, "repaired");
        choices.push((
            "Also everything intact after the damage; then inspect the result:".to_owned(),
            format!(
                "aofkit repair {} --salvage --output {new}\naofkit recover {new}",
                typed(&report.path)
            ),
        ));
    }
    choices
}

fn use_candidate(report: &RecoverReport) -> Option<Choice> {
    let best = (report.candidates.iter())
        .filter(|candidate| candidate.problem.is_none())
        .max_by_key(|candidate| candidate.holds.as_ref().map_or(0, |held| held.total))?;
    report.candidate.is_none().then(|| {
        (
            format!("Recover candidate {} to a new path:", best.number),
            format!(
                "aofkit recover {} --candidate {} --strip --output recovered",
                typed(&report.path),
                best.number
            ),
        )
    })
}

/// Returns the choice that removes the events of the verdict, unless there are too many to list.
fn excise(report: &RecoverReport) -> Option<Choice> {
    let numbers: Vec<String> = report.excise.iter().map(u64::to_string).collect();
    let is_short = (1..=LISTED).contains(&numbers.len());
    is_short.then(|| {
        let event = match report.verdict {
            Verdict::Deletions { .. } => "the deletions",
            _ => "the flush",
        };
        let what = format!("As if {event} never happened: counters continue, lists grow:");
        (what, command(report, &format!("--excise {}", numbers.join(","))))
    })
}
