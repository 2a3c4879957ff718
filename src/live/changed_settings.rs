//! The server settings that aofkit changes during a run: these, and no others.
//!
//! Both the code that changes them and the code that restores them use this list, so that a journal can request nothing
//! else.

use serde::{Deserialize, Serialize};

use super::endpoint::Address;
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::escape::Shown;

/// A setting that a run changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// The name of the setting.
    pub name: String,
    /// The original value.
    pub was: String,
    /// The value during the run.
    pub set: String,
}

/// A setting that aofkit changes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Setting {
    pub(crate) name: &'static str,
    /// The value during the run.
    pub(crate) meanwhile: &'static str,
    /// Returns whether a value is valid for this setting.
    is_value: fn(&str) -> bool,
}

/// Disables fsync while a rewrite competes for the disk.
pub(crate) const NO_FSYNC: Setting =
    Setting { name: "appendfsync", meanwhile: "no", is_value: is_fsync_policy };

/// Disables rewrites that the server starts automatically.
pub(crate) const NO_REWRITES: Setting =
    Setting { name: "auto-aof-rewrite-percentage", meanwhile: "0", is_value: is_percentage };

/// Disables RDB snapshots that the server starts automatically.
pub(crate) const NO_SAVES: Setting =
    Setting { name: "save", meanwhile: "", is_value: are_save_points };

const ALL: [Setting; 3] = [NO_FSYNC, NO_REWRITES, NO_SAVES];

fn is_fsync_policy(value: &str) -> bool {
    ["always", "everysec", "no"].contains(&value)
}

/// Servers accept the range of C's `int`.
fn is_percentage(value: &str) -> bool {
    value.bytes().all(|byte| byte.is_ascii_digit())
        && value.parse::<u32>().is_ok_and(|number| i32::try_from(number).is_ok())
}

/// Save points are pairs of seconds and changes; there may be none.
fn are_save_points(value: &str) -> bool {
    let numbers = value.split(' ').filter(|_| !value.is_empty());
    let is_number = |number: &str| {
        !number.starts_with('0')
            && number.bytes().all(|byte| byte.is_ascii_digit())
            && number.parse::<u32>().is_ok_and(|number| i32::try_from(number).is_ok())
    };
    numbers.clone().count() % 2 == 0 && numbers.clone().all(is_number)
}

impl Setting {
    /// Returns the change from the current value `was` to the value during the run; `None` if the two are equal.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Refused`] when the server reports an invalid value, which could not be restored.
    pub(crate) fn change_from(&self, was: String, address: &Address) -> Result<Option<Change>> {
        if !(self.is_value)(&was) {
            let message = format!(
                "{address}: {} is {}, which is not a valid value",
                self.name,
                Shown(was.as_bytes())
            );
            return Err(Error::new(ErrorKind::Refused, message).help(
                "nothing was changed; aofkit knows Redis and Valkey, and this seems to be another server",
            ));
        }
        let change = Change { name: self.name.into(), was, set: self.meanwhile.into() };
        Ok((change.was != change.set).then_some(change))
    }
}

/// Returns the reason why a change read from a journal is not one that a run makes; `None` if it is.
pub(crate) fn objection(change: &Change) -> Option<String> {
    let Some(setting) = ALL.iter().find(|setting| setting.name == change.name) else {
        let name = Shown(change.name.as_bytes());
        return Some(format!("it would set {name}, which aofkit never changes"));
    };
    let values = [
        (&change.was, (setting.is_value)(&change.was)),
        (&change.set, change.set == setting.meanwhile),
    ];
    let wrong = values.into_iter().find(|(_, is_right)| !is_right);
    wrong.map(|(value, _)| {
        let value = Shown(value.as_bytes());
        format!("it gives {} the value {value}, which aofkit never gives it", setting.name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(name: &str, was: &str, set: &str) -> Change {
        Change { name: name.into(), was: was.into(), set: set.into() }
    }

    #[test]
    fn only_changes_of_a_run_are_restored() {
        for (name, was, set) in [
            ("appendfsync", "everysec", "no"),
            ("appendfsync", "always", "no"),
            ("auto-aof-rewrite-percentage", "100", "0"),
            ("auto-aof-rewrite-percentage", "2147483647", "0"),
            ("save", "3600 1 300 100 60 10000", ""),
            ("save", "900 1", ""),
        ] {
            assert_eq!(objection(&change(name, was, set)), None, "{name} {was}");
        }
        for (name, was, set) in [
            ("maxclients", "777", "10000"),
            ("dir", "/etc/cron.d", "/data"),
            ("APPENDFSYNC", "everysec", "no"),
            ("appendfsync", "sometimes", "no"),
            ("appendfsync", "everysec", "always"),
            ("appendfsync", "", "no"),
            ("auto-aof-rewrite-percentage", "-1", "0"),
            ("auto-aof-rewrite-percentage", "+1", "0"),
            ("auto-aof-rewrite-percentage", "2147483648", "0"),
            ("auto-aof-rewrite-percentage", "1 2", "0"),
            ("auto-aof-rewrite-percentage", "", "0"),
            ("auto-aof-rewrite-percentage", "1", "100"),
            ("\x1b[2J", "1", "0"),
            ("save", "3600", ""),
            ("save", "3600 1 ", ""),
            ("save", "3600  1", ""),
            ("save", "3600 -1", ""),
            ("save", "0 1", ""),
            ("save", "99999999999 1", ""),
            ("save", "3600 1", "60 1"),
            ("save", "3600 1\r\ndir /", ""),
        ] {
            let objection = objection(&change(name, was, set)).expect("an objection");
            assert!(!objection.contains('\x1b'), "{objection:?}");
        }
    }

    #[test]
    fn current_value_is_checked_before_change() {
        let address = Address::Tcp { host: "db".into(), port: 6379 };
        let change = |was: &str| NO_FSYNC.change_from(was.into(), &address);
        assert_eq!(change("no").unwrap(), None);
        assert_eq!(change("always").unwrap().unwrap().was, "always");
        let error = change("\x1b[2J").unwrap_err().to_string();
        assert_eq!(error, "db:6379: appendfsync is \"\\x1b[2J\", which is not a valid value");
    }
}
