//! The steps to take after a preview or a recovery.

use super::candidates::Candidate;
use super::client::{Client, hold_command};
use super::missing::EMPTY_BASE;
use super::next_snapshot::snapshot_steps;
use super::places::above;
use super::put_in_place::{put_aside, put_in_place};
use super::report::RecoverReport;
use super::server::LogServer;
use super::timeline::Event;
use super::undo::{self, choice, new_name};
use super::verdict::Verdict;
use crate::base::next_step::{Action, NextStep, path_arg};
use crate::command::renamed;

/// The number of events up to which they are named in a command.
const LISTED: usize = 20;

/// Returns the steps: for a preview, what to do while a server runs, and the choices; else how to put the result in
/// place.
pub(super) fn next_steps(report: &RecoverReport, server: &LogServer) -> Vec<NextStep> {
    match &report.done {
        None if report.snapshot_only.is_some() && report.candidate.is_none() => {
            snapshot_steps(report, server).into_iter().chain(use_candidate(report)).collect()
        }
        None => {
            let mut steps: Vec<NextStep> = (into_server(report).into_iter())
                .chain(right_now(report, server))
                .chain(choices(report))
                .collect();
            steps.iter_mut().for_each(name_renamed);
            steps
        }
        Some(done) => match &done.written {
            Some(written) => put_in_place(report, server, done, written),
            None => Vec::new(),
        },
    }
}

/// Adds to the commands that read the log which of its commands were renamed.
pub(super) fn name_renamed(step: &mut NextStep) {
    for action in &mut step.actions {
        if let Action::Run { program, args } = action
            && program == "aofkit"
        {
            args.extend(renamed().iter().map(|renamed| format!("--rename={}", renamed.pair())));
        }
    }
}

/// Returns the choice that puts the lost keys into the server that the log was secured from, while it goes on running.
fn into_server(report: &RecoverReport) -> Option<NextStep> {
    let from = report.hold_origin.as_ref()?;
    let event;
    let options: &[&str] = match report.verdict {
        // The server goes on writing, so that the flush is not at the end for long.
        Verdict::EndsInFlush { event: number } | Verdict::FlushWithin { event: number }
            if !is_damaged(report) =>
        {
            event = event_of(report, number)?.number.to_string();
            &["--merge", "newer", "--excise", &event]
        }
        Verdict::Deletions { .. } if !is_damaged(report) => &["--undelete", "*"],
        Verdict::Loss { event: number } if !is_damaged(report) => {
            event = event_of(report, number)?.number.to_string();
            &["--merge", "newer", "--excise", &event]
        }
        _ => return None,
    };
    let mut args = vec!["recover".to_owned(), path_arg(&report.path)];
    args.extend(options.iter().map(|option| (*option).to_owned()));
    args.extend(["--into".to_owned(), from.server()]);
    args.extend(from.login().iter().cloned());
    let why = "Put the lost keys back into the running server; keys written or deleted since are not touched (--dry-run reports what would be done):";
    Some(NextStep::alternative(why, [Action::aofkit(args)]))
}

/// Returns the steps to take first if a server is running.
fn right_now(report: &RecoverReport, server: &LogServer) -> Vec<NextStep> {
    let is_elsewhere = report.verdict.is_not_in_the_log() && !report.has_usable_candidate();
    if report.archived || is_elsewhere {
        return Vec::new();
    }
    let client = Client::of_report(report, server.process());
    let stop = NextStep::new(
        "Stop it without saving: a save overwrites dump.rdb with what the server has now, and so does a normal shutdown if save points are set.",
        server.stop(&client),
    );
    if let Some(from) = &report.hold_origin {
        let snapshot = from.snapshot.as_deref().and_then(put_aside);
        return snapshot.into_iter().chain([stop]).collect();
    }
    if server.loads_a_snapshot() {
        return vec![stop];
    }
    let hold = hold_command(&above(&server.place), server.process());
    let no_rewrites = NextStep::new(
        format!(
            "Turn off automatic rewrites: a rewrite saves what the server has now and deletes the log that has your data. `{hold}` does this and secures the log."
        ),
        [client.run(&["CONFIG", "SET", "auto-aof-rewrite-percentage", "0"])],
    );
    let snapshot = report.snapshot.as_deref().and_then(put_aside);
    [no_rewrites].into_iter().chain(snapshot).chain([stop]).collect()
}

/// Returns the commands that recover the data, to choose from.
fn choices(report: &RecoverReport) -> Vec<NextStep> {
    if report.missing.as_ref().is_some_and(|missing| missing.kind != EMPTY_BASE) {
        return use_candidate(report).into_iter().collect();
    }
    let mut choices = match report.verdict {
        Verdict::EndsInFlush { event } => match event_of(report, event) {
            // The server goes on writing to what was secured.
            Some(event) if report.hold_origin.is_some() && !is_damaged(report) => {
                undo::choices(report, event, false)
            }
            _ => {
                let why = "Recover it to a new path; nothing here is changed:";
                vec![choice(report, why, &["--strip"])]
            }
        },
        Verdict::FlushWithin { event } => flush_within(report, event_of(report, event)),
        Verdict::Deletions { event } => {
            deleted(report, event.and_then(|event| event_of(report, event)))
        }
        Verdict::Loss { event } => event_of(report, event)
            .map_or(Vec::new(), |event| undo::choices(report, event, is_damaged(report))),
        Verdict::Ordinary => {
            let wanted = report.deletions.as_ref().is_some_and(|it| it.recoverable > 0);
            undelete(report).filter(|_| wanted).into_iter().collect()
        }
        Verdict::Unclear => unclear(report),
        Verdict::FlushOfNothing { .. } if report.earlier_events > 0 => vec![list_flushes(report)],
        Verdict::Empty => looks_like(report).into_iter().collect(),
        Verdict::FlushOfNothing { .. } | Verdict::Nothing | Verdict::FlushAfterDamage => Vec::new(),
    };
    choices.extend(around_damage(report));
    if !matches!(
        report.verdict,
        Verdict::EndsInFlush { .. }
            | Verdict::FlushWithin { .. }
            | Verdict::Deletions { .. }
            | Verdict::Loss { .. }
    ) {
        choices.extend(use_candidate(report));
    }
    choices
}

fn event_of(report: &RecoverReport, number: u64) -> Option<&Event> {
    report.events.iter().find(|event| event.number == number)
}

/// Returns whether the log is damaged; a damaged log can only be cut before the damage.
fn is_damaged(report: &RecoverReport) -> bool {
    report.broken.is_some()
}

fn before_ordinal(report: &RecoverReport, why: &str, event: Option<&Event>) -> NextStep {
    let ordinal = event.map_or(0, |event| event.ordinal);
    choice(report, why, &["--until", &format!("#{ordinal}")])
}

/// Returns the choice that keeps everything before a position.
fn before_place(
    report: &RecoverReport,
    why: impl Into<String>,
    part: &str,
    offset: u64,
) -> NextStep {
    // A part whose name would need quoting is given by its number.
    let number = report.parts.iter().position(|it| it.name == part).map_or(0, |at| at + 1);
    let plain = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
    let is_plain = part.chars().all(plain) && !part.bytes().all(|byte| byte.is_ascii_digit());
    let place = if is_plain { format!("{part}:{offset}") } else { format!("{number}:{offset}") };
    choice(report, why, &["--until", &place])
}

fn list_flushes(report: &RecoverReport) -> NextStep {
    let path = path_arg(&report.path);
    let args = ["log", &path, "--command", "flushall,flushdb"];
    NextStep::alternative(
        "List all flushes; --until recovers everything before one of them:",
        [Action::aofkit(args)],
    )
}

/// Returns the choice that explains what a file is that is no log.
fn looks_like(report: &RecoverReport) -> Option<NextStep> {
    let is_recognised = report.unread.as_ref().is_some_and(|unread| unread.looks_like.is_some());
    let is_wanted = is_recognised && report.broken.is_some() && !report.archived;
    (is_wanted && report.candidate.is_none()).then(|| {
        let args = ["repair", &path_arg(&report.path), "--dry-run"];
        NextStep::alternative(
            "Show what the file is, and what to do about it:",
            [Action::aofkit(args)],
        )
    })
}

fn flush_within(report: &RecoverReport, event: Option<&Event>) -> Vec<NextStep> {
    let why = "Everything before it, without the commands after it:";
    let before = before_ordinal(report, why, event);
    let Some(event) = event.filter(|_| !is_damaged(report)) else { return vec![before] };
    let merge = choice(
        report,
        "Keep new writes; old keys return unless rewritten since (counters keep their new, lower values):",
        &["--merge", "newer", "--excise", &event.number.to_string()],
    );
    [merge, before].into_iter().chain(excise(report)).collect()
}

fn deleted(report: &RecoverReport, run: Option<&Event>) -> Vec<NextStep> {
    let mut choices: Vec<NextStep> = undelete(report).into_iter().collect();
    if run.is_some() {
        let why = "Everything before the largest run of deletions, without the commands after it:";
        choices.push(before_ordinal(report, why, run));
        choices.extend(excise(report).filter(|_| !is_damaged(report)));
    } else if let Some(before) = report.deletions.as_ref().and_then(|it| it.before.as_ref()) {
        let why = "Everything before the first of these deletions, without the commands after it:";
        choices.push(before_place(report, why, &before.part, before.offset));
    }
    choices
}

/// Returns the choice that restores all deleted keys.
fn undelete(report: &RecoverReport) -> Option<NextStep> {
    let why = "Restore the deleted keys and keep all current data ('*' is a pattern: 'user:*' selects some of them):";
    (!is_damaged(report)).then(|| choice(report, why, &["--undelete", "*"]))
}

/// Returns the choices that keep everything before a command of unknown effect.
fn unclear(report: &RecoverReport) -> Vec<NextStep> {
    let possible = &report.possible_flushes;
    let mut places: Vec<_> = possible.first().into_iter().collect();
    places.extend(possible.last().filter(|_| possible.len() > 1));
    let mut choices: Vec<NextStep> = (places.into_iter())
        .map(|flush| {
            let why = format!("Everything before {} (#{}):", flush.name, flush.ordinal);
            before_place(report, why, &flush.part, flush.offset)
        })
        .collect();
    let script = report.unknown.iter().filter(|command| command.script);
    let first = script.min_by_key(|it| (part_index(report, &it.part), it.offset));
    choices.extend(first.map(|script| {
        let why = format!("Everything before the first {}:", script.name);
        before_place(report, why, &script.part, script.offset)
    }));
    choices
}

fn part_index(report: &RecoverReport, part: &str) -> usize {
    report.parts.iter().position(|it| it.name == part).unwrap_or(usize::MAX)
}

/// Returns the choices that keep what is before the damage, and what is intact after it.
fn around_damage(report: &RecoverReport) -> Vec<NextStep> {
    let (broken, unread) = (report.broken.as_ref(), report.unread.as_ref());
    let place = broken.map(|broken| (&broken.part, broken.offset));
    let Some((part, offset)) = place.or(unread.map(|unread| (&unread.part, unread.offset))) else {
        return Vec::new();
    };
    let mut choices = Vec::new();
    let something_before =
        report.commands > 0 || report.before_damage.as_ref().is_some_and(|held| held.total > 0);
    if something_before && broken.is_none_or(|broken| !broken.in_rdb) {
        choices.push(before_place(report, "Everything before the damage:", part, offset));
    }
    let intact = unread.is_some_and(|unread| unread.commands > 0);
    let can_be_salvaged = broken.is_none_or(|broken| broken.can_be_salvaged);
    if intact && can_be_salvaged && !report.archived && report.candidate.is_none() {
        let new = new_name(report, "repaired");
        let path = path_arg(&report.path);
        choices.push(NextStep::alternative(
            "Also everything intact after the damage; then inspect the result:",
            [
                Action::aofkit(["repair", &path, "--salvage", "--output", &new]),
                Action::aofkit(["recover", &new]),
            ],
        ));
    }
    choices
}

/// Returns the choices that recover the candidate that adds most keys.
fn use_candidate(report: &RecoverReport) -> Vec<NextStep> {
    let usable = report.candidates.iter().filter(|candidate| candidate.problem.is_none());
    let value = |candidate: &&Candidate| {
        let holds = candidate.holds.as_ref().map_or(0, |held| held.total);
        (candidate.adds.map(|adds| adds.keys), holds, std::cmp::Reverse(candidate.number))
    };
    let best = usable.max_by_key(value).filter(|_| report.candidate.is_none());
    let Some(best) = best else { return Vec::new() };
    let (path, number) = (path_arg(&report.path), best.number.to_string());
    let recover = |why: String, options: &[&str]| {
        let of = ["recover", &path, "--candidate", &number];
        let args = [&of, options, &["--output", "recovered"]].concat();
        NextStep::alternative(why, [Action::aofkit(args)])
    };
    let mut choices = Vec::new();
    let is_counted = best.holds.is_some();
    if is_counted && report.now.as_ref().is_some_and(|now| now.total > 0) {
        let why = format!(
            "Restore the keys of candidate {number} that the log lacks, and keep those that it has:"
        );
        choices.push(recover(why, &["--merge", "newer"]));
    }
    choices.push(recover(format!("Recover candidate {number} to a new path:"), &["--strip"]));
    choices
}

/// Returns the choice that removes the events of the verdict, unless there are too many to list.
fn excise(report: &RecoverReport) -> Option<NextStep> {
    let numbers: Vec<String> = report.excise.iter().map(u64::to_string).collect();
    let is_short = (1..=LISTED).contains(&numbers.len());
    is_short.then(|| {
        let event = match report.verdict {
            Verdict::Deletions { .. } => "the deletions",
            _ => "the flush",
        };
        let why = format!("As if {event} never happened: counters continue, lists grow:");
        choice(report, why, &["--excise", &numbers.join(",")])
    })
}
