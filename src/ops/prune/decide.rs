//! Deciding which archives a policy retains.

use super::policy::{Keep, KeepPolicy};
use crate::ops::list::age::may_be_newest;
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use serde::Serialize;

/// The decision about one archive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Decision {
    /// Whether it is retained.
    pub keep: bool,
    /// The rules that retain it, in the order of the policy; empty for an archive to delete.
    pub reasons: Vec<Reason>,
}

/// The reason why an archive is retained.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// The policy is empty, so that everything is retained.
    NoPolicy,
    /// It is within `--keep-within` of the newest archive.
    Within,
    /// It is one of the newest.
    Last,
    /// It is the newest of its hour.
    Hourly,
    /// It is the newest of its day.
    Daily,
    /// It is the newest of its week.
    Weekly,
    /// It is the newest of its month.
    Monthly,
    /// It is the newest of its year.
    Yearly,
    /// It is the oldest, which a rule retains while its count is not used up.
    Oldest,
    /// Its time is in the future, as after a wrong clock: it is retained, and no rule counts it.
    Future,
    /// It is the newest that was found intact; it is retained regardless of the policy.
    LastGood,
}

impl Reason {
    /// Returns a short name for display.
    pub fn shown(self) -> &'static str {
        match self {
            Reason::NoPolicy => "no policy",
            Reason::Within => "within",
            Reason::Last => "last",
            Reason::Hourly => "hourly",
            Reason::Daily => "daily",
            Reason::Weekly => "weekly",
            Reason::Monthly => "monthly",
            Reason::Yearly => "yearly",
            Reason::Oldest => "oldest",
            Reason::Future => "in the future",
            Reason::LastGood => "last good one",
        }
    }
}

/// A rule that counts periods.
pub(super) struct Rule {
    pub(super) reason: Reason,
    pub(super) left: Keep,
    /// The function that returns the period of a time; `None` if each archive is its own period.
    pub(super) period: Option<fn(&Zoned) -> Period>,
    pub(super) last: Option<Period>,
}

/// Decides which archives with the given `times`, in any order, are retained. The decisions are in the order of the
/// times.
///
/// `now` determines which times are in the future; `zone` determines where hours and days begin.
pub fn decide(
    times: &[Timestamp],
    policy: &KeepPolicy,
    now: Timestamp,
    zone: &TimeZone,
) -> Vec<Decision> {
    if policy.is_empty() {
        let kept = Decision { keep: true, reasons: vec![Reason::NoPolicy] };
        return vec![kept; times.len()];
    }
    let mut newest_first: Vec<usize> = (0..times.len()).collect();
    newest_first.sort_by_key(|&index| std::cmp::Reverse(times[index]));
    let (future, newest_first): (Vec<usize>, Vec<usize>) =
        newest_first.into_iter().partition(|&index| !may_be_newest(times[index], now));
    let newest = newest_first.first().map(|&index| times[index]);
    let limit = policy
        .within
        .zip(newest)
        .map(|(within, newest)| within.before(&newest.to_zoned(zone.clone())));
    let mut rules = rules(policy);
    let mut decisions = vec![Decision { keep: false, reasons: Vec::new() }; times.len()];
    for index in future {
        decisions[index] = Decision { keep: true, reasons: vec![Reason::Future] };
    }
    for (place, &index) in newest_first.iter().enumerate() {
        let is_oldest = place + 1 == newest_first.len();
        let time = times[index];
        let reasons = &mut decisions[index].reasons;
        if policy.within.is_some() && limit.is_none_or(|limit| time > limit) {
            reasons.push(Reason::Within);
        }
        let zoned = time.to_zoned(zone.clone());
        reasons.extend(rules.iter_mut().filter_map(|rule| rule.keeps(&zoned, is_oldest)));
        decisions[index].keep = !decisions[index].reasons.is_empty();
    }
    decisions
}

pub(super) fn rules(policy: &KeepPolicy) -> [Rule; 6] {
    let rule = |reason, left, period| Rule { reason, left, period, last: None };
    [
        rule(Reason::Last, policy.last, None),
        rule(Reason::Hourly, policy.hourly, Some(hour)),
        rule(Reason::Daily, policy.daily, Some(day)),
        rule(Reason::Weekly, policy.weekly, Some(week)),
        rule(Reason::Monthly, policy.monthly, Some(month)),
        rule(Reason::Yearly, policy.yearly, Some(year)),
    ]
}

impl Rule {
    /// Returns the reason for which this rule retains the next archive, counted from the newest.
    pub(super) fn keeps(&mut self, time: &Zoned, is_oldest: bool) -> Option<Reason> {
        if self.left == Keep::Latest(0) {
            return None;
        }
        let period = self.period.map(|period| period(time));
        let is_new = period.is_none() || period != self.last;
        if !is_new && !is_oldest {
            return None;
        }
        self.last = period;
        if let Keep::Latest(left) = &mut self.left {
            *left -= 1;
        }
        Some(if is_new { self.reason } else { Reason::Oldest })
    }
}

/// The value that two times of the same period share. An hour that occurs twice when clocks are set back is one period.
pub(super) type Period = (i16, i8, i8, i8);

pub(super) fn hour(time: &Zoned) -> Period {
    (time.year(), time.month(), time.day(), time.hour())
}

pub(super) fn day(time: &Zoned) -> Period {
    (time.year(), time.month(), time.day(), 0)
}

pub(super) fn week(time: &Zoned) -> Period {
    let week = time.date().iso_week_date();
    (week.year(), week.week(), 0, 0)
}

pub(super) fn month(time: &Zoned) -> Period {
    (time.year(), time.month(), 0, 0)
}

pub(super) fn year(time: &Zoned) -> Period {
    (time.year(), 0, 0, 0)
}
