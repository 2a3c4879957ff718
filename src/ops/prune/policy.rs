//! The retention policy.

use jiff::tz::TimeZone;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp, Zoned};
use serde::{Serialize, Serializer};

/// The rules that retain archives; all others are deleted. Without any rule, everything is retained.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct KeepPolicy {
    /// The number of newest archives to retain.
    pub last: Keep,
    /// The number of last hours with archives of which the newest is retained.
    pub hourly: Keep,
    /// The number of days.
    pub daily: Keep,
    /// The number of weeks, which begin on Monday.
    pub weekly: Keep,
    /// The number of months.
    pub monthly: Keep,
    /// The number of years.
    pub yearly: Keep,
    /// The period before the newest archive within which all archives are retained.
    pub within: Option<Within>,
}

impl KeepPolicy {
    /// Returns whether the policy has no rules.
    pub fn is_empty(&self) -> bool {
        *self == KeepPolicy::default()
    }
}

impl fmt::Display for KeepPolicy {
    /// Formats the policy as command-line options: `--keep-last 3 --keep-within 30d`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rules = [
            ("last", self.last),
            ("hourly", self.hourly),
            ("daily", self.daily),
            ("weekly", self.weekly),
            ("monthly", self.monthly),
            ("yearly", self.yearly),
        ];
        let mut blank = "";
        for (name, keep) in rules.into_iter().filter(|(_, keep)| *keep != Keep::default()) {
            write!(f, "{blank}--keep-{name} {keep}")?;
            blank = " ";
        }
        match self.within {
            Some(within) => write!(f, "{blank}--keep-within {within}"),
            None => Ok(()),
        }
    }
}

/// The count of a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// The number of latest archives; with 0 the rule retains nothing.
    Latest(u32),
    /// All archives.
    Unlimited,
}

impl Default for Keep {
    fn default() -> Self {
        Keep::Latest(0)
    }
}

impl fmt::Display for Keep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Keep::Latest(count) => write!(f, "{count}"),
            Keep::Unlimited => f.write_str("unlimited"),
        }
    }
}

impl Serialize for Keep {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Keep::Latest(count) => serializer.serialize_u32(*count),
            Keep::Unlimited => serializer.serialize_str("unlimited"),
        }
    }
}

impl FromStr for Keep {
    type Err = String;

    /// Parses a number, or `unlimited`.
    ///
    /// # Errors
    ///
    /// A message for display.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "unlimited" => Ok(Keep::Unlimited),
            number => number
                .parse()
                .map(Keep::Latest)
                .map_err(|_| format!("`{text}` is not a number of archives; use 7, or unlimited")),
        }
    }
}

/// A period as restic writes it: `2y5m7d3h` is two years, five months, seven days and three hours.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Within {
    /// Calendar years.
    pub years: u32,
    /// Calendar months.
    pub months: u32,
    /// Calendar days.
    pub days: u32,
    /// Hours of 3600 seconds.
    pub hours: u32,
}

impl Within {
    /// Returns the time that is this period before `time`, or the earliest representable time.
    ///
    /// A day that the month does not have overflows into the next month, as in restic: a month before March 31 is March
    /// 3, three days after the end of February.
    pub fn before(self, time: &Zoned) -> Timestamp {
        self.checked_before(time).unwrap_or(Timestamp::MIN)
    }

    fn checked_before(self, time: &Zoned) -> Option<Timestamp> {
        let months = i64::from(time.year()) * 12 + i64::from(time.month()) - 1;
        let months = months - i64::from(self.years) * 12 - i64::from(self.months);
        let (year, month) = (months.div_euclid(12), months.rem_euclid(12) + 1);
        let first = Date::new(i16::try_from(year).ok()?, i8::try_from(month).ok()?, 1).ok()?;
        let days = i64::from(time.day()) - 1 - i64::from(self.days);
        let date = first.checked_add(SignedDuration::from_hours(days.checked_mul(24)?)).ok()?;
        let zoned = date.to_datetime(time.time()).to_zoned(time.time_zone().clone()).ok()?;
        zoned.timestamp().checked_sub(SignedDuration::from_hours(i64::from(self.hours))).ok()
    }
}

impl fmt::Display for Within {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = [(self.years, 'y'), (self.months, 'm'), (self.days, 'd'), (self.hours, 'h')];
        units
            .iter()
            .filter(|(count, _)| *count > 0)
            .try_for_each(|(n, unit)| write!(f, "{n}{unit}"))
    }
}

impl Serialize for Within {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl FromStr for Within {
    type Err = String;

    /// Parses numbers, each followed by one of the units y, m (months), d and h. A total of zero is refused, because it
    /// would not be a rule.
    ///
    /// # Errors
    ///
    /// A message for display.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || {
            format!(
                "`{text}` is not a period; use years, months, days and hours as 2y5m7d3h, a week as 7d"
            )
        };
        let mut within = Within::default();
        for piece in text.split_inclusive(|c: char| !c.is_ascii_digit()) {
            let unit = piece.chars().next_back().ok_or_else(wrong)?;
            let number = &piece[..piece.len() - unit.len_utf8()];
            let place = match unit {
                'y' => &mut within.years,
                'm' => &mut within.months,
                'd' => &mut within.days,
                'h' => &mut within.hours,
                _ => return Err(wrong()),
            };
            let number: u32 = number.parse().map_err(|_| wrong())?;
            *place = place.checked_add(number).ok_or_else(wrong)?;
        }
        if within == Within::default() { Err(wrong()) } else { Ok(within) }
    }
}

/// Options of [`prune`](super::prune()).
#[derive(Debug, Clone)]
#[cfg_attr(not(feature = "internals"), non_exhaustive)]
pub struct PruneOptions {
    /// The retention policy.
    pub policy: KeepPolicy,
    /// Whether this is a dry run.
    pub dry_run: bool,
    /// How long another run at the same source is waited for.
    pub lock_wait: Duration,
    /// The current time.
    pub now: Timestamp,
    /// The time zone that determines where hours and days begin.
    pub zone: TimeZone,
}

impl Default for PruneOptions {
    /// No policy, which [`prune`](super::prune()) refuses, at the current time in the time zone of the system.
    fn default() -> Self {
        PruneOptions {
            policy: KeepPolicy::default(),
            dry_run: false,
            lock_wait: Duration::ZERO,
            now: Timestamp::now(),
            zone: TimeZone::system(),
        }
    }
}
