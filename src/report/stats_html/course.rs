//! The section on the number of keys over the log.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::chart::{self, Labels, Point};
use super::figures::{self, bytes, count, float};
use super::parts::{paragraph, section};
use super::scale;
use crate::analysis::key_course::KeysAt;
use crate::base::escape::ShownPath;

/// The maximum number of databases that have a chart of their own.
const DATABASES: usize = 4;

/// A fall of the number of keys from one point of the log to the next.
struct Fall<'c> {
    /// The database; `None` if the log has only one.
    db: Option<u32>,
    from: (&'c KeysAt, u64),
    to: (&'c KeysAt, u64),
}

/// Returns the section as HTML; nothing without a replay or without commands.
pub(super) fn section_of(course: &[KeysAt]) -> String {
    let Some((first, last)) = course.first().zip(course.last()) else { return String::new() };
    let databases = databases(course);
    let mut html = paragraph(&format!(
        "The keys at {} points of the log, each before the next command. Keys whose expiry has passed count until a command \
         removes them. The position is in bytes of commands from the beginning of the log.",
        count(course.len() as u64)
    ));
    let is_one = databases.len() < 2;
    let db = |db: &u32| largest_fall(course, Some(*db).filter(|_| !is_one), |at| keys_of(at, *db));
    let fall = databases.iter().filter_map(db).max_by_key(|fall| fall.from.1 - fall.to.1);
    html.push_str(&paragraph(&match &fall {
        Some(fall) => shown(fall),
        None => "The number of keys never falls from one point to the next.".to_owned(),
    }));
    let axis = scale::offsets(0, last.command_bytes);
    let draw = |id: &str, caption: &str, keys: &dyn Fn(&KeysAt) -> u64| {
        let point = |at: &KeysAt| Point {
            x: float(at.command_bytes),
            end: float(at.command_bytes),
            y: float(keys(at)),
            title: format!("at {}: {} keys", bytes(at.command_bytes), count(keys(at))),
        };
        let points: Vec<Point> = course.iter().map(point).collect();
        let most = course.iter().map(keys).max().unwrap_or(0);
        let description = format!(
            "From {} keys at the first point to {} at the end; at most {}.",
            count(keys(first)),
            count(keys(last)),
            count(most)
        );
        let y = scale::vertical_counts(float(most), "");
        chart::area(&points, &Labels { id, caption, description: &description, x: axis.clone(), y })
    };
    html.push_str(&draw("keys-all", "Keys in all databases", &|at| at.total));
    if !is_one {
        html.push_str("<div class=\"pair\">\n");
        for db in databases.iter().take(DATABASES) {
            let (id, caption) = (format!("keys-{db}"), format!("Keys in database {db}"));
            html.push_str(&draw(&id, &caption, &|at| keys_of(at, *db)));
        }
        html.push_str("</div>\n");
    }
    section("Keys over the log", &html)
}

/// Returns the databases that ever have keys, those with the most keys at a point first.
fn databases(course: &[KeysAt]) -> Vec<u32> {
    let each = course.iter().flat_map(|at| &at.databases);
    let mut most = BTreeMap::<u32, u64>::new();
    for keys in each {
        let most = most.entry(keys.db).or_default();
        *most = keys.keys.max(*most);
    }
    let mut databases: Vec<(u32, u64)> = most.into_iter().collect();
    databases.sort_by_key(|(db, keys)| (Reverse(*keys), *db));
    databases.into_iter().map(|(db, _)| db).collect()
}

fn keys_of(at: &KeysAt, db: u32) -> u64 {
    at.databases.iter().find(|keys| keys.db == db).map_or(0, |keys| keys.keys)
}

fn largest_fall(
    course: &[KeysAt],
    db: Option<u32>,
    keys: impl Fn(&KeysAt) -> u64,
) -> Option<Fall<'_>> {
    let steps = course.iter().zip(course.iter().skip(1));
    let steps = steps.map(|(from, to)| Fall { db, from: (from, keys(from)), to: (to, keys(to)) });
    let size = |fall: &Fall<'_>| fall.from.1.saturating_sub(fall.to.1);
    // The first of several of the same size.
    let largest = steps.reduce(|one, other| if size(&other) > size(&one) { other } else { one });
    largest.filter(|fall| size(fall) > 0)
}

fn shown(fall: &Fall<'_>) -> String {
    let ((from, before), (to, after)) = (fall.from, fall.to);
    let of_db = fall.db.map_or(String::new(), |db| format!(" in database {db}"));
    let place = |at: &KeysAt| format!("{}:{}", ShownPath(at.part.as_ref()), at.offset);
    format!(
        "The largest fall{of_db} is from {} keys to {} ({}), between {} and {}. aofkit recover lists the events that removed keys.",
        count(before),
        count(after),
        figures::percent(before - after, before),
        place(from),
        place(to)
    )
}
