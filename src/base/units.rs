//! Human-readable numbers: byte counts, durations, rates, counts with separators.

use std::fmt;
use std::time::Duration;

/// A number with commas between its thousands: `13,204,117`.
#[derive(Debug, Clone, Copy)]
pub struct Count(pub u64);

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.0.to_string();
        let mut text = String::with_capacity(digits.len() * 4 / 3);
        for (index, digit) in digits.chars().enumerate() {
            if index > 0 && (digits.len() - index).is_multiple_of(3) {
                text.push(',');
            }
            text.push(digit);
        }
        f.pad(&text)
    }
}

/// Formats a count with its noun: `1 command`, `2,000 commands`.
pub fn counted(count: u64, noun: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{} {noun}{plural}", Count(count))
}

/// Formats an age in the unit that has at least two of it: `90 seconds`, `25 hours`, `3 days`.
pub(crate) fn age(age: Duration) -> String {
    let (count, unit) = match age.as_secs() {
        seconds @ 0..120 => (seconds, "second"),
        seconds @ 120..7200 => (seconds / 60, "minute"),
        seconds @ 7200..172_800 => (seconds / 3600, "hour"),
        seconds => (seconds / 86_400, "day"),
    };
    counted(count, unit)
}

/// A number of bytes, 1024-based, with three significant digits: `1.21 GiB`, `340 bytes`.
#[derive(Debug, Clone, Copy)]
pub struct Bytes(pub u64);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
        if self.0 == 1 {
            return f.pad("1 byte");
        }
        if self.0 < 1024 {
            return f.pad(&format!("{} bytes", self.0));
        }
        #[allow(clippy::cast_precision_loss)] // Three digits are displayed.
        let mut value = self.0 as f64 / 1024.0;
        let mut unit = 0;
        while value >= 999.5 && unit + 1 < UNITS.len() {
            value /= 1024.0;
            unit += 1;
        }
        let decimals = if value < 9.995 {
            2
        } else if value < 99.95 {
            1
        } else {
            0
        };
        f.pad(&format!("{value:.decimals$} {}", UNITS[unit]))
    }
}

/// A duration: `0.31 s`, `4 min 12 s`.
#[derive(Debug, Clone, Copy)]
pub struct Elapsed(pub Duration);

impl fmt::Display for Elapsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        if seconds < 60 {
            return f.pad(&format!("{:.2} s", self.0.as_secs_f64()));
        }
        let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
        if hours == 0 {
            return f.pad(&format!("{minutes} min {seconds:02} s"));
        }
        f.pad(&format!("{hours} h {minutes:02} min"))
    }
}

/// Bytes per second, 1000-based as for disks and networks: `3.21 GB/s`.
#[derive(Debug, Clone, Copy)]
pub struct Rate {
    /// Number of bytes.
    pub bytes: u64,
    /// Elapsed time.
    pub elapsed: Duration,
}

impl Rate {
    /// Returns the bytes per second; 0 if no time has elapsed.
    pub fn bytes_per_second(&self) -> f64 {
        let seconds = self.elapsed.as_secs_f64();
        #[allow(clippy::cast_precision_loss)] // Three digits are displayed.
        if seconds > 0.0 { self.bytes as f64 / seconds } else { 0.0 }
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rate = self.bytes_per_second();
        let text = if rate >= 1e9 {
            format!("{:.2} GB/s", rate / 1e9)
        } else if rate >= 1e6 {
            format!("{:.0} MB/s", rate / 1e6)
        } else {
            format!("{:.0} kB/s", rate / 1e3)
        };
        f.pad(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_human_readable() {
        assert_eq!(Count(0).to_string(), "0");
        assert_eq!(Count(999).to_string(), "999");
        assert_eq!(Count(13_204_117).to_string(), "13,204,117");
        assert_eq!(counted(1, "command"), "1 command");
        assert_eq!(counted(2_000, "command"), "2,000 commands");
        assert_eq!(Bytes(1).to_string(), "1 byte");
        assert_eq!(Bytes(1023).to_string(), "1023 bytes");
        assert_eq!(Bytes(1024).to_string(), "1.00 KiB");
        assert_eq!(Bytes(10_240).to_string(), "10.0 KiB");
        assert_eq!(Bytes(1_048_575).to_string(), "1.00 MiB");
        assert_eq!(Bytes(1 << 30).to_string(), "1.00 GiB");
        assert_eq!(Bytes(u64::MAX).to_string(), "16.0 EiB");
        assert_eq!(Elapsed(Duration::from_millis(310)).to_string(), "0.31 s");
        assert_eq!(Elapsed(Duration::from_secs(252)).to_string(), "4 min 12 s");
        assert_eq!(Elapsed(Duration::from_secs(7_260)).to_string(), "2 h 01 min");
        let rate = Rate { bytes: 3_210_000_000, elapsed: Duration::from_secs(1) };
        assert_eq!(rate.to_string(), "3.21 GB/s");
        assert_eq!(Rate { bytes: 1, elapsed: Duration::ZERO }.to_string(), "0 kB/s");
    }
}
