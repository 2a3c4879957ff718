//! Common parts of the commands that set an expiry, of keys and of fields.

/// The unit and base of a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unit {
    /// Seconds if true, else milliseconds.
    pub(super) seconds: bool,
    /// Relative to the time at which the command was run if true, else since 1970.
    pub(super) relative: bool,
}

/// The conditions on the current expiry under which a time is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[allow(clippy::struct_excessive_bools)] // There are four options, each of which may be present.
pub(super) struct Conditions {
    pub(super) nx: bool,
    pub(super) xx: bool,
    pub(super) gt: bool,
    pub(super) lt: bool,
}

impl Conditions {
    /// Applies an option; returns whether `option` is one.
    pub(super) fn take(&mut self, option: &[u8]) -> bool {
        let known: [(&str, &mut bool); 4] = [
            ("NX", &mut self.nx),
            ("XX", &mut self.xx),
            ("GT", &mut self.gt),
            ("LT", &mut self.lt),
        ];
        for (name, flag) in known {
            if option.eq_ignore_ascii_case(name.as_bytes()) {
                *flag = true;
                return true;
            }
        }
        false
    }

    /// Returns whether `new_ms` may be set if the current expiry is `current_ms`. No expiry counts
    /// as later than any other.
    pub(super) fn allow(self, current_ms: Option<i64>, new_ms: i64) -> bool {
        match current_ms {
            None => !self.xx && !self.gt,
            Some(current_ms) => {
                !self.nx && (!self.gt || new_ms > current_ms) && (!self.lt || new_ms < current_ms)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_expiry_counts_as_later_than_any_expiry() {
        let only = |option: &str| Conditions {
            nx: option == "NX",
            xx: option == "XX",
            gt: option == "GT",
            lt: option == "LT",
        };
        for (option, without, lower, same, higher) in [
            ("", true, true, true, true),
            ("NX", true, false, false, false),
            ("XX", false, true, true, true),
            ("GT", false, false, false, true),
            ("LT", true, true, false, false),
        ] {
            assert_eq!(only(option).allow(None, 10), without, "{option}");
            for (new_ms, allowed) in [(9, lower), (10, same), (11, higher)] {
                assert_eq!(only(option).allow(Some(10), new_ms), allowed, "{option} {new_ms}");
            }
        }
        let both = Conditions { xx: true, gt: true, ..Conditions::default() };
        assert!(!both.allow(None, 10) && both.allow(Some(9), 10) && !both.allow(Some(10), 10));
    }
}
