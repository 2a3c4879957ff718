//! What the commands that set an expiry have in common, of keys and of fields.

/// How a time is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unit {
    /// In seconds, else in milliseconds.
    pub(super) seconds: bool,
    /// From the moment on at which the command was run, else since 1970.
    pub(super) relative: bool,
}

/// On which expiry it depends whether a time is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[allow(clippy::struct_excessive_bools)] // They are four words, and each may stand there or not.
pub(super) struct Conditions {
    pub(super) nx: bool,
    pub(super) xx: bool,
    pub(super) gt: bool,
    pub(super) lt: bool,
}

impl Conditions {
    /// Takes a word; gives whether it is one.
    pub(super) fn take(&mut self, word: &[u8]) -> bool {
        let known: [(&str, &mut bool); 4] = [
            ("NX", &mut self.nx),
            ("XX", &mut self.xx),
            ("GT", &mut self.gt),
            ("LT", &mut self.lt),
        ];
        for (name, flag) in known {
            if word.eq_ignore_ascii_case(name.as_bytes()) {
                *flag = true;
                return true;
            }
        }
        false
    }

    /// Whether the time may be set where this one is. What does not expire counts as expiring after all others.
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
    fn a_key_that_does_not_expire_counts_as_the_last_to_expire() {
        let only = |word: &str| Conditions {
            nx: word == "NX",
            xx: word == "XX",
            gt: word == "GT",
            lt: word == "LT",
        };
        for (word, without, lower, same, higher) in [
            ("", true, true, true, true),
            ("NX", true, false, false, false),
            ("XX", false, true, true, true),
            ("GT", false, false, false, true),
            ("LT", true, true, false, false),
        ] {
            assert_eq!(only(word).allow(None, 10), without, "{word}");
            for (new_ms, allowed) in [(9, lower), (10, same), (11, higher)] {
                assert_eq!(only(word).allow(Some(10), new_ms), allowed, "{word} {new_ms}");
            }
        }
        let both = Conditions { xx: true, gt: true, ..Conditions::default() };
        assert!(!both.allow(None, 10) && both.allow(Some(9), 10) && !both.allow(Some(10), 10));
    }
}
