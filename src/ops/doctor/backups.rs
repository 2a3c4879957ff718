//! The check of the age of the newest backup.

use super::facts::{BackupFacts, DAY, Facts, FileKind, age};
use super::finding::{Check, Finding};
use crate::base::escape::ShownPath;
use crate::base::next_step::{Action, NextStep, path_arg};
use crate::base::units::counted;

/// Checks whether a backup is newer than a day.
pub(crate) fn backups(facts: &Facts) -> Finding {
    const CHECK: Check = Check::Backups;
    const WHY: &str =
        "what is destroyed tonight, and is not in the log any more, cannot be restored";
    let backups = match &facts.backups {
        Ok(backups) => backups,
        Err(reason) => return Finding::unknown(CHECK, reason.clone()),
    };
    let place = ShownPath(&backups.path);
    let Some(newest) = backups.newest else {
        let others = match backups.others {
            0 => String::new(),
            others => format!(", but {} of other sources", counted(others as u64, "backup")),
        };
        let what = format!("there is no backup in {place}{others}");
        return with_step(Finding::red(CHECK, what, WHY), facts, backups);
    };
    // A time in the future is the matter of another check.
    let Some(ago) = age(facts.now, newest) else {
        return Finding::ok(
            CHECK,
            format!("the newest backup in {place} has a time in the future"),
        );
    };
    let what = format!("the newest backup in {place} is {ago} old");
    if backups.is_damaged {
        let what = format!("{what}, and damaged");
        return with_step(Finding::red(CHECK, what, WHY), facts, backups);
    }
    match facts.now.duration_since(newest) {
        Ok(age) if age > DAY => with_step(Finding::red(CHECK, what, WHY), facts, backups),
        _ => Finding::ok(CHECK, what),
    }
}

/// Adds the step of making a backup.
fn with_step(finding: Finding, facts: &Facts, backups: &BackupFacts) -> Finding {
    let to = path_arg(&backups.path);
    let has_log = facts.server.as_ref().is_some_and(|server| server.has_log() == Ok(true));
    let mut args = vec!["backup".to_owned()];
    match (&facts.server, &facts.directory) {
        (Some(server), _) if has_log && server.reports_log => {
            args.push("--live".to_owned());
            args.extend(server.client.iter().skip(1).cloned());
            if let Ok(directory) = &facts.directory {
                args.extend(["--dir".to_owned(), directory.arg()]);
            }
        }
        (_, Ok(directory)) => {
            let snapshot = directory.of(FileKind::Snapshot).max_by_key(|file| file.modified);
            let is_only_snapshot = facts.server.is_some() && !has_log;
            args.push(match snapshot.filter(|_| is_only_snapshot) {
                Some(snapshot) => path_arg(&snapshot.path),
                None => directory.arg(),
            });
        }
        _ => return finding,
    }
    args.extend(["--to".to_owned(), to]);
    finding.step(NextStep::new("Make a backup", [Action::aofkit(args)]))
}
