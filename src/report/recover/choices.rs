//! The commands that bring data back. Each can be typed as it is printed.

use crate::report::recover::phrases::is_set;
use std::fmt::{self, Write};

use crate::base::escape::typed;
use crate::ops::recover::{Event, RecoverReport, Verdict};
use crate::report::lines::COLUMNS;
use crate::report::recover::phrases::{LISTED, event_of};
use crate::report::style::{STRONG, Styled, wrap};

/// What a command does, and the command.
type Choice = (String, String);

/// The commands that write the result.
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
            "Get it back, into a new place; nothing here is changed:".to_owned(),
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
        choices.extend(take_survivor(report));
    }
    choices
}

/// A command that writes what `choice` gives.
fn command(report: &RecoverReport, choice: &str) -> String {
    let of = report.survivor.map_or(String::new(), |number| format!(" --survivor {number}"));
    let path = typed(&report.path);
    format!("aofkit recover {path}{of} {choice} --output {}", new(report, "recovered"))
}

fn new(report: &RecoverReport, name: &str) -> String {
    if is_set(report) { name.to_owned() } else { format!("{name}.aof") }
}

/// A log that is damaged is cut before the damage and nowhere else.
fn is_damaged(report: &RecoverReport) -> bool {
    report.broken.is_some()
}

fn before_ordinal(report: &RecoverReport, event: Option<&Event>) -> String {
    let ordinal = event.map_or(0, |event| event.ordinal);
    command(report, &format!("--until '#{ordinal}'"))
}

/// A place of the log, for --until.
fn before_place(report: &RecoverReport, part: &str, offset: u64) -> String {
    // A name that a shell would not take as it is has a number, too.
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
        "Back to just before it, and without all that came behind:".to_owned(),
        before_ordinal(report, event),
    )];
    if let Some(event) = event.filter(|_| !is_damaged(report)) {
        choices.push((
            "Both sides joined key by key, the newer value where both have a key:".to_owned(),
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
            "Back to just before the largest run of them, without what came after it:".to_owned(),
            before_ordinal(report, run),
        ));
        choices.extend(excise(report).filter(|_| !is_damaged(report)));
    } else if let Some(before) = report.deletions.as_ref().and_then(|it| it.before.as_ref()) {
        choices.push((
            "Back to just before the first of these deletions, without what came after it:"
                .to_owned(),
            before_place(report, &before.part, before.offset),
        ));
    }
    choices
}

/// All keys that were deleted and are not there again.
fn undelete(report: &RecoverReport) -> Option<Choice> {
    (!is_damaged(report)).then(|| {
        (
            "The keys as they were when they were last deleted, and all that is there now ('*' is a pattern: 'user:*' takes some of them):".to_owned(),
            command(report, "--undelete '*'"),
        )
    })
}

/// Before what is not understood.
fn unclear(report: &RecoverReport) -> Vec<Choice> {
    let possible = &report.possible_flushes;
    let mut places: Vec<_> = possible.first().into_iter().collect();
    places.extend(possible.last().filter(|_| possible.len() > 1));
    let mut choices: Vec<Choice> = (places.into_iter())
        .map(|flush| {
            let what = format!("Back to just before {} (#{}):", flush.name, flush.ordinal);
            (what, before_place(report, &flush.part, flush.offset))
        })
        .collect();
    let script = report.unknown.iter().filter(|command| command.script);
    let first = script.min_by_key(|it| (part_index(report, &it.part), it.offset));
    choices.extend(first.map(|script| {
        let what = format!("Back to just before the first {}:", script.name);
        (what, before_place(report, &script.part, script.offset))
    }));
    choices
}

fn part_index(report: &RecoverReport, part: &str) -> usize {
    report.parts.iter().position(|it| it.name == part).unwrap_or(usize::MAX)
}

/// What is before a damage, and what is intact after it.
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
        choices.push(("What is before the damage:".to_owned(), before_place(report, part, offset)));
    }
    let intact = unread.is_some_and(|unread| unread.commands > 0);
    let can_be_salvaged = broken.is_none_or(|broken| broken.can_be_salvaged);
    if intact && can_be_salvaged && !report.archived && report.survivor.is_none() {
        let new = new(report, "repaired");
        choices.push((
            "What is intact after the damage, too; then what was destroyed in that:".to_owned(),
            format!(
                "aofkit repair {} --salvage --output {new}\naofkit recover {new}",
                typed(&report.path)
            ),
        ));
    }
    choices
}

fn take_survivor(report: &RecoverReport) -> Option<Choice> {
    let best = (report.survivors.iter())
        .filter(|survivor| survivor.problem.is_none())
        .max_by_key(|survivor| survivor.holds.as_ref().map_or(0, |held| held.total))?;
    report.survivor.is_none().then(|| {
        (
            format!("Take what survivor {} has, into a new place:", best.number),
            format!(
                "aofkit recover {} --survivor {} --strip --output recovered",
                typed(&report.path),
                best.number
            ),
        )
    })
}

/// The choice that takes out what the verdict is about; none where it would name very many events.
fn excise(report: &RecoverReport) -> Option<Choice> {
    let numbers: Vec<String> = report.excise.iter().map(u64::to_string).collect();
    let is_short = (1..=LISTED).contains(&numbers.len());
    is_short.then(|| {
        let what = "Without it, all later commands run again, on the old data:";
        (what.to_owned(), command(report, &format!("--excise {}", numbers.join(","))))
    })
}
