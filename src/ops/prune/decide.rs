//! Which archives a policy keeps.

use super::policy::{Keep, KeepPolicy};
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use serde::Serialize;

/// What becomes of one archive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Decision {
    /// Whether it stays.
    pub keep: bool,
    /// The rules that keep it, in the order of the policy; empty for one that goes.
    pub reasons: Vec<Reason>,
}

/// Why an archive is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// The policy asks for nothing, so everything stays.
    NoPolicy,
    /// It is younger than `--keep-within`, as seen from the newest.
    Within,
    /// It is one of the newest.
    Last,
    /// The newest of its hour.
    Hourly,
    /// The newest of its day.
    Daily,
    /// The newest of its week.
    Weekly,
    /// The newest of its month.
    Monthly,
    /// The newest of its year.
    Yearly,
    /// The oldest, which a rule keeps while its count is not used up.
    Oldest,
    /// The newest of those that were found whole; it stays whatever the policy says.
    LastGood,
}

impl Reason {
    /// In a word or two, for a person.
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
            Reason::LastGood => "last good one",
        }
    }
}

/// A rule that counts periods.
pub(super) struct Rule {
    pub(super) reason: Reason,
    pub(super) left: Keep,
    /// The period of a time; `None` where each archive is one of its own.
    pub(super) period: Option<fn(&Zoned) -> Period>,
    pub(super) last: Option<Period>,
}

/// Decides about archives made at `times`, in any order. The decisions come in the order of the times.
///
/// `now` tells which times lie in the future; `zone` is where hours and days begin.
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
    let newest = times.iter().filter(|&&time| time < now).max();
    let limit = policy
        .within
        .zip(newest)
        .map(|(within, newest)| within.before(&newest.to_zoned(zone.clone())));
    let mut rules = rules(policy);
    let mut decisions = vec![Decision { keep: false, reasons: Vec::new() }; times.len()];
    for (place, &index) in newest_first.iter().enumerate() {
        let is_oldest = place + 1 == times.len();
        let time = times[index];
        let reasons = &mut decisions[index].reasons;
        // Where no time lies in the past, there is nothing to count back from: all of them stay.
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
    /// The reason that this rule has to keep the next archive, from the newest on.
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

/// What two times of the same period have in common. An hour that comes twice, when clocks are put back, is one.
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
