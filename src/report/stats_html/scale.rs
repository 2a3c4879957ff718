//! Which numbers of an axis are named.

use jiff::tz::TimeZone;

use super::chart::Axis;
use super::figures::{self, float, whole};

/// The maximum number of named numbers of a horizontal axis, which have to fit on a phone.
const TICKS: i64 = 5;

/// The distances of named times in seconds.
const TIME_STEPS: [i64; 21] = [
    1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400,
    172_800, 604_800, 2_592_000,
];

/// Returns a vertical axis from 0 to at least `most`, with names of its numbers by `named`. The distance of names is 1, 2
/// or 5 times a power of ten, in units of `unit`.
pub(super) fn vertical(most: f64, unit: f64, named: impl Fn(f64) -> String) -> Axis {
    let most = if most.is_finite() && most > 0.0 { most / unit } else { 1.0 };
    let power = 10_f64.powf((most / 4.0).log10().floor());
    let factors = [1.0, 2.0, 5.0, 10.0];
    let fits = |factor: &&f64| (most / (**factor * power)).ceil() <= 5.0;
    let step = factors.iter().find(fits).unwrap_or(&10.0) * power;
    let ticks = (most / step).ceil().max(1.0);
    let number = |index: f64| index * step * unit;
    let names = (0..=whole(ticks)).map(|index| {
        let number = number(float(index));
        (number, named(number))
    });
    Axis { from: 0.0, to: number(ticks), ticks: names.collect() }
}

/// Returns a vertical axis of sizes in bytes.
pub(super) fn vertical_bytes(most: f64, suffix: &str) -> Axis {
    let most = if most.is_finite() { most } else { 0.0 };
    let mut unit = 1.0;
    while most / unit >= 1024.0 {
        unit *= 1024.0;
    }
    vertical(most, unit, |bytes| format!("{}{suffix}", short_bytes(bytes)))
}

/// Returns a vertical axis of numbers of things.
pub(super) fn vertical_counts(most: f64, suffix: &str) -> Axis {
    // Whole things have no fractions; those per second do.
    let most = if suffix.is_empty() { most.max(4.0) } else { most };
    vertical(most, 1.0, |number| format!("{}{suffix}", short_count(number)))
}

/// Returns a number of bytes without figures that say nothing: `20 KiB`, `1.5 MiB`.
pub(super) fn short_bytes(bytes: f64) -> String {
    const UNITS: [&str; 7] = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    let (mut value, mut unit) = (bytes, 0);
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    format!("{} {}", trimmed(value), UNITS[unit])
}

/// Returns a number without figures that say nothing: `0`, `2.5`, `20,000`, `3 M`.
fn short_count(number: f64) -> String {
    if number >= 1e9 {
        format!("{} G", trimmed(number / 1e9))
    } else if number >= 1e6 {
        format!("{} M", trimmed(number / 1e6))
    } else if number >= 1e3 {
        figures::count(whole(number))
    } else {
        trimmed(number)
    }
}

fn trimmed(number: f64) -> String {
    let text = format!("{number:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Returns a horizontal axis of Unix seconds.
pub(super) fn times(from: i64, to: i64, zone: &TimeZone) -> Axis {
    let length = to.saturating_sub(from);
    let step = TIME_STEPS.iter().copied().find(|step| length / step <= TICKS);
    let step = step.unwrap_or_else(|| (length / TICKS).max(1));
    let format = match step {
        ..60 => "%H:%M:%S",
        60..86_400 => "%H:%M",
        _ => "%b %d",
    };
    let offset = figures::offset(from, zone);
    // A round number of the local time.
    let past = from.saturating_add(offset).rem_euclid(step);
    let first = from.saturating_add((step - past) % step);
    let ticks = (0..=TICKS).map(|index| first.saturating_add(index.saturating_mul(step)));
    let ticks = ticks.take_while(|time| *time <= to);
    let ticks = ticks.map(|time| (seconds(time), figures::formatted(time, zone, format)));
    Axis { from: seconds(from), to: seconds(to), ticks: ticks.collect() }
}

/// Returns a horizontal axis of bytes of a log.
pub(super) fn offsets(from: u64, to: u64) -> Axis {
    let length = float(to.saturating_sub(from));
    let mut axis = vertical_bytes(length, "");
    axis.ticks.retain(|(number, _)| *number <= length);
    Axis {
        from: float(from),
        to: float(to),
        ticks: axis.ticks.into_iter().map(|(number, name)| (number + float(from), name)).collect(),
    }
}

/// Returns Unix seconds as a place on an axis.
#[allow(clippy::cast_precision_loss)] // Seconds of any year that a log can have are exact.
pub(super) fn seconds(seconds: i64) -> f64 {
    seconds as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(axis: &Axis) -> Vec<&str> {
        axis.ticks.iter().map(|(_, name)| name.as_str()).collect()
    }

    #[test]
    fn vertical_axes_have_round_numbers_up_to_the_largest() {
        assert_eq!(names(&vertical_counts(7.0, "")), ["0", "2", "4", "6", "8"]);
        assert_eq!(
            names(&vertical_counts(3_900.0, "/s")),
            ["0/s", "1,000/s", "2,000/s", "3,000/s", "4,000/s"]
        );
        assert_eq!(
            names(&vertical_bytes(1_600_000.0, "/s")),
            ["0 B/s", "512 KiB/s", "1 MiB/s", "1.5 MiB/s", "2 MiB/s"]
        );
        for most in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e-9, 1.8e19] {
            let axis = vertical_bytes(most, "");
            assert!(axis.to.is_finite() && axis.ticks.len() < 7, "{most}: {axis:?}");
        }
    }

    #[test]
    fn named_times_are_round_in_local_time() {
        let zone = TimeZone::fixed(jiff::tz::offset(1));
        // 2023-11-14 23:13:20 +01:00, and four hours later.
        let axis = times(1_700_000_000, 1_700_014_400, &zone);
        assert_eq!(names(&axis), ["00:00", "01:00", "02:00", "03:00"]);
        assert_eq!(axis.ticks[0].0, 1_700_002_800.0);
        assert_eq!(names(&times(1_700_000_000, 1_700_000_000, &zone)), ["23:13:20"]);
        for (from, to) in [(i64::MIN, i64::MAX), (i64::MAX, i64::MAX), (5, 1)] {
            assert!(times(from, to, &zone).ticks.len() < 8);
        }
    }
}
