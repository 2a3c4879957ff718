//! The number of keys over the log, as bars, with the events that count as losses.

use std::fmt::{self, Write};

use super::super::style::{QUIET, STRONG, Styled};
use super::phrases::NAME;
use crate::analysis::key_course::KeysAt;
use crate::base::units::Count;
use crate::ops::recover::{Event, RecoverReport};

/// The heights of a bar, from the lowest.
const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// The maximum number of databases that have a line of their own.
const DATABASES: usize = 8;

/// Writes the number of keys of each database over the log, if an event counts as a loss.
pub(super) fn course(out: &mut String, report: &RecoverReport) -> fmt::Result {
    let losses: Vec<&Event> = report.events.iter().filter(|event| event.is_loss).collect();
    if losses.is_empty() || report.course.len() < 2 {
        return Ok(());
    }
    writeln!(out, "\n  {}", Styled(QUIET, "keys over the log, from its beginning to its end"))?;
    let databases = databases(&report.course);
    match databases.as_slice() {
        [] | [_] => bars(out, "keys", report.course.iter().map(|at| at.total))?,
        several => {
            for db in several.iter().take(DATABASES) {
                bars(out, &format!("db {db}"), report.course.iter().map(|at| keys_of(at, *db)))?;
            }
            if several.len() > DATABASES {
                bars(out, "all", report.course.iter().map(|at| at.total))?;
            }
        }
    }
    let marks = marks(&report.course, &losses);
    writeln!(out, "  {:NAME$}{}", Styled(QUIET, "event"), Styled(STRONG, marks))
}

/// Returns the numbers of the databases that ever have keys, in order.
fn databases(course: &[KeysAt]) -> Vec<u32> {
    let each = course.iter().flat_map(|at| &at.databases);
    let mut databases: Vec<u32> = each.map(|keys| keys.db).collect();
    databases.sort_unstable();
    databases.dedup();
    databases
}

fn keys_of(at: &KeysAt, db: u32) -> u64 {
    at.databases.iter().find(|keys| keys.db == db).map_or(0, |keys| keys.keys)
}

/// Writes a line of bars, and the largest number of keys.
fn bars(out: &mut String, name: &str, keys: impl Iterator<Item = u64> + Clone) -> fmt::Result {
    let most = keys.clone().max().unwrap_or(0);
    let line: String = keys.map(|keys| bar(keys, most)).collect();
    let name = Styled(QUIET, format_args!("{name:<NAME$}"));
    writeln!(out, "  {name}{line} max {}", Count(most))
}

/// Returns the bar of a number of keys: a blank for none, and the highest for the largest number.
fn bar(keys: u64, most: u64) -> char {
    let eighths = u128::from(keys) * BARS.len() as u128;
    let height = eighths.div_ceil(u128::from(most.max(1)));
    match usize::try_from(height).ok().and_then(|height| height.checked_sub(1)) {
        None => ' ',
        Some(index) => BARS.get(index).copied().unwrap_or(BARS[BARS.len() - 1]),
    }
}

/// Returns the numbers of events, each below the first point after the beginning of the event. Of events at the same
/// point, the one that lost most keys is named.
fn marks(course: &[KeysAt], losses: &[&Event]) -> String {
    let column = |event: &Event| {
        let reached = |at: &KeysAt| (at.part_index, at.offset) <= (event.part_index, event.offset);
        course.partition_point(reached).min(course.len().saturating_sub(1))
    };
    let mut line: Vec<Option<char>> = Vec::new();
    let mut by_size: Vec<&&Event> = losses.iter().collect();
    by_size.sort_by_key(|event| std::cmp::Reverse(event.keys_lost));
    for event in by_size {
        let (at, number) = (column(event), event.number.to_string());
        let end = at + number.len();
        // A blank remains between two numbers.
        let around = line.get(at.saturating_sub(1)..line.len().min(end + 1)).unwrap_or_default();
        if around.iter().any(Option::is_some) {
            continue;
        }
        line.resize(line.len().max(end), None);
        line.iter_mut().skip(at).zip(number.chars()).for_each(|(cell, digit)| *cell = Some(digit));
    }
    line.into_iter().map(|cell| cell.unwrap_or(' ')).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_blank_for_no_key_and_full_for_the_largest_number() {
        let line = |keys: &[u64]| -> String { keys.iter().map(|keys| bar(*keys, 800)).collect() };
        assert_eq!(line(&[0, 1, 100, 101, 400, 799, 800]), " ▁▁▂▄██");
        assert_eq!(bar(0, 0), ' ');
        assert_eq!(bar(u64::MAX, u64::MAX), '█');
    }
}
