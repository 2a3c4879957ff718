//! What a person asks to be kept.

use std::fmt;
use std::str::FromStr;

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp, Zoned};
use serde::{Serialize, Serializer};

/// Which archives are kept; what no rule keeps goes. Without any rule, everything is kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct KeepPolicy {
    /// The newest so many.
    pub last: Keep,
    /// The newest of each of the last so many hours that have one.
    pub hourly: Keep,
    /// The same by days.
    pub daily: Keep,
    /// By weeks, which begin on Monday.
    pub weekly: Keep,
    /// By months.
    pub monthly: Keep,
    /// By years.
    pub yearly: Keep,
    /// All that are younger than this, as seen from the newest.
    pub within: Option<Within>,
}

impl KeepPolicy {
    /// Whether it asks for nothing.
    pub fn is_empty(&self) -> bool {
        *self == KeepPolicy::default()
    }
}

impl fmt::Display for KeepPolicy {
    /// As options that say the same: `--keep-last 3 --keep-within 30d`.
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

/// How many of a kind are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// The latest so many; 0: this rule keeps nothing.
    Latest(u32),
    /// All of them.
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

    /// A number, or `unlimited`.
    ///
    /// # Errors
    ///
    /// A sentence for the person who typed it.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "unlimited" => Ok(Keep::Unlimited),
            number => number
                .parse()
                .map(Keep::Latest)
                .map_err(|_| format!("`{text}` is no number of archives; write 7, or unlimited")),
        }
    }
}

/// A stretch of time as restic writes it: `2y5m7d3h` is two years, five months, seven days and three hours.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Within {
    /// Years of the calendar.
    pub years: u32,
    /// Months of the calendar.
    pub months: u32,
    /// Days of the calendar.
    pub days: u32,
    /// Hours of 3600 seconds.
    pub hours: u32,
}

impl Within {
    /// The point in time that lies so far before `time`; the earliest there is where no calendar goes back as far.
    ///
    /// A day that its month does not have is counted on into the next, as restic counts: a month before March 31
    /// is March 3, three days behind the end of February.
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

    /// Numbers, each with one of the units y, m (months), d and h behind it. Zero in all is refused: it would be
    /// no rule.
    ///
    /// # Errors
    ///
    /// A sentence for the person who typed it.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || {
            format!(
                "`{text}` is no time to keep; write years, months, days and hours as 2y5m7d3h, a week as 7d"
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
