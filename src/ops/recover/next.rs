//! The steps to take after a preview or a recovery.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::candidates::CandidateKind;
use super::client::Client;
use super::report::{Done, RecoverReport};
use super::timeline::Event;
use super::undo::{self, choice, new_name};
use super::verdict::Verdict;
use crate::aof::log::Layout;
use crate::base::next_step::{Action, NextStep, path_arg};
use crate::disk::names::flushed;

/// The number of events up to which they are named in a command.
const LISTED: usize = 20;

/// Returns the steps: for a preview, what to do while a server runs, and the choices; else how to put the result in
/// place.
pub(super) fn next_steps(report: &RecoverReport) -> Vec<NextStep> {
    match &report.done {
        None => (into_server(report).into_iter())
            .chain(right_now(report))
            .chain(choices(report))
            .collect(),
        Some(done) => match &done.written {
            Some(written) => put_in_place(report, done, written),
            None => Vec::new(),
        },
    }
}

/// Returns the choice that puts the lost keys into the server that the log was secured from, while it goes on running.
fn into_server(report: &RecoverReport) -> Option<NextStep> {
    let from = report.hold_origin.as_ref()?;
    let event;
    let options: &[&str] = match report.verdict {
        Verdict::EndsInFlush { .. } => &["--strip"],
        Verdict::FlushWithin { event: number } if !is_damaged(report) => {
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
fn right_now(report: &RecoverReport) -> Vec<NextStep> {
    let is_elsewhere = report.verdict.is_not_in_the_log() && !report.has_usable_candidate();
    if report.archived || is_elsewhere {
        return Vec::new();
    }
    let client = Client::of_report(report);
    let stop = NextStep::new(
        "Stop it without saving: a save overwrites dump.rdb with what the server has now, and so does a normal shutdown if save points are set.",
        [client.stop()],
    );
    if let Some(from) = &report.hold_origin {
        return [stop].into_iter().chain(from.snapshot.as_deref().map(put_aside)).collect();
    }
    let no_rewrites = NextStep::new(
        "Turn off automatic rewrites: a rewrite saves what the server has now and deletes the log that has your data. `aofkit recover --hold` does this and secures the log.",
        [client.run(&["CONFIG", "SET", "auto-aof-rewrite-percentage", "0"])],
    );
    let snapshot = report.snapshot.as_deref().map(put_aside);
    [no_rewrites, stop].into_iter().chain(snapshot).collect()
}

fn put_aside(snapshot: &Path) -> NextStep {
    let copy = beside(snapshot, ".kept");
    NextStep::new(
        "Save a copy of the snapshot: a server that loads a log with a FLUSHALL in it overwrites the snapshot if save points are set.",
        [Action::run("cp", ["-p".to_owned(), path_arg(snapshot), path_arg(&copy)])],
    )
}

/// Returns the path with a suffix appended to its name.
fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_os_string();
    name.push(suffix);
    name.into()
}

/// Returns the commands that recover the data, to choose from.
fn choices(report: &RecoverReport) -> Vec<NextStep> {
    let mut choices = match report.verdict {
        Verdict::EndsInFlush { .. } => {
            vec![choice(report, "Recover it to a new path; nothing here is changed:", &["--strip"])]
        }
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

fn use_candidate(report: &RecoverReport) -> Option<NextStep> {
    let best = (report.candidates.iter())
        .filter(|candidate| candidate.problem.is_none())
        .max_by_key(|candidate| candidate.holds.as_ref().map_or(0, |held| held.total))?;
    report.candidate.is_none().then(|| {
        let (path, number) = (path_arg(&report.path), best.number.to_string());
        let args = ["recover", &path, "--candidate", &number, "--strip", "--output", "recovered"];
        let why = format!("Recover candidate {number} to a new path:");
        NextStep::alternative(why, [Action::aofkit(args)])
    })
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

/// Returns the steps to put the result in place, for the layout of the log.
fn put_in_place(report: &RecoverReport, done: &Done, written: &Path) -> Vec<NextStep> {
    if report.archived {
        return vec![restore_archive(written)];
    }
    let client = Client::of_report(report);
    let mut steps = Vec::new();
    // A secured log that is recovered in place is still not at the path of the server's log.
    let hold_origin = report.hold_origin.as_ref();
    let is_elsewhere = done.backup.is_none() || hold_origin.is_some();
    if is_elsewhere {
        let why = "Stop the server without saving, if it is running:";
        steps.push(NextStep::new(why, [client.stop()]));
    }
    let snapshot = hold_origin.map_or(report.snapshot.as_ref(), |from| from.snapshot.as_ref());
    steps.extend(snapshot.map(|snapshot| put_aside(snapshot)));
    if is_elsewhere {
        steps.push(replace(report, written));
    }
    steps.push(NextStep::new("The server's configuration must have:", settings(report)));
    steps.push(check_keys(&client, done));
    steps
}

fn restore_archive(written: &Path) -> NextStep {
    let archive = path_arg(&beside(written, ".zip"));
    NextStep::new(
        "Put it into the server's data directory; `restore` prints the required settings:",
        [
            Action::aofkit(["compress", &path_arg(written), "--output", &archive]),
            Action::aofkit(["restore", &archive, "--output", "DIR"]),
        ],
    )
}

/// Returns the step that replaces the log with the result.
fn replace(report: &RecoverReport, written: &Path) -> NextStep {
    let mv = |from: &Path, to: &Path| Action::run("mv", [path_arg(from), path_arg(to)]);
    let hold_origin = report.hold_origin.as_ref();
    let is_file = report.candidates.iter().any(|candidate| {
        report.candidate == Some(candidate.number)
            && matches!(candidate.kind, CandidateKind::File(_))
    });
    if is_file {
        let set = match hold_origin {
            Some(from) => from.log.clone(),
            None => report.data_directory.join("appendonlydir"),
        };
        let new = beside(written, ".set");
        let (from, to) = (path_arg(written), path_arg(&new));
        let compact = Action::aofkit(["compact", &from, "--format", "multipart", "--output", &to]);
        // The log of a server may be on another machine, where it was.
        let is_there = hold_origin.is_some() || set.symlink_metadata().is_ok();
        let rename = is_there.then(|| mv(&set, &flushed(&set)));
        let actions: Vec<Action> =
            [compact].into_iter().chain(rename).chain([mv(&new, &set)]).collect();
        return NextStep::new(
            "Convert it to a multi-part set for Redis 7.0 and later, and replace the log with it; the old log is only renamed:",
            actions,
        );
    }
    let place = match (hold_origin, &report.layout) {
        (Some(from), _) => &from.log,
        (None, Layout::MultiPart { directory, .. }) => directory,
        (None, _) => &report.opened,
    };
    let old = flushed(place);
    let like_old = format!("--reference={}", old.to_string_lossy());
    NextStep::new(
        "Replace the log with it and set its owner; the old log is only renamed:",
        [
            mv(place, &old),
            mv(written, place),
            Action::run("chown", ["-R".to_owned(), like_old, path_arg(place)]),
        ],
    )
}

/// Returns the settings with which a server loads the log.
fn settings(report: &RecoverReport) -> Vec<Action> {
    let mut settings = vec![Action::configure("appendonly", "yes")];
    match &report.layout {
        Layout::MultiPart { appenddirname, appendfilename, .. } => {
            if !appenddirname.is_empty() {
                settings.push(Action::configure("appenddirname", appenddirname));
            }
            settings.push(Action::configure("appendfilename", appendfilename));
        }
        _ => {
            let name = report.opened.file_name().unwrap_or_default();
            settings.push(Action::configure("appendfilename", name.to_string_lossy()));
        }
    }
    settings
}

/// Returns the step that compares the keys of the server with those of the result.
fn check_keys(client: &Client, done: &Done) -> NextStep {
    let mut keyspace = BTreeMap::new();
    for keys in done.holds.iter().flat_map(|held| &held.keys) {
        *keyspace.entry(keys.db).or_insert(0_u64) += keys.keys;
    }
    let why = if keyspace.is_empty() {
        "Start the server and check its data:"
    } else {
        "Start the server and check its keys; keys that have expired in the meantime are gone:"
    };
    let mut actions = vec![client.run(&["INFO", "keyspace"])];
    actions.extend(
        keyspace.iter().map(|(db, keys)| Action::Expect { output: format!("db{db}:keys={keys}") }),
    );
    NextStep::new(why, actions)
}
