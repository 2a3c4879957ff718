//! The reply to INFO, which consists of `name:value` lines.

use std::collections::BTreeMap;
use std::str::FromStr;

use super::connection::{Connection, Failure};

/// A section of INFO.
#[derive(Debug, Clone, Default)]
pub(crate) struct Info(BTreeMap<String, String>);

impl Info {
    /// Queries a section.
    pub(crate) fn ask(connection: &mut Connection, section: &str) -> Result<Info, Failure> {
        connection.text(&["INFO", section]).map(|text| Info::parse(&text))
    }

    pub(crate) fn parse(text: &str) -> Info {
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        let pairs = lines.filter_map(|line| line.trim_end().split_once(':'));
        Info(pairs.map(|(name, value)| (name.to_string(), value.to_string())).collect())
    }

    /// Returns the value of a field.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// Returns the value of a field as a number, if it exists and is one.
    pub(crate) fn number<T: FromStr>(&self, name: &str) -> Option<T> {
        self.text(name)?.parse().ok()
    }

    /// Returns the databases of the section `keyspace`, which are those that have keys, in ascending order.
    pub(crate) fn databases(&self) -> Vec<u32> {
        let numbers = self.0.keys().filter_map(|name| name.strip_prefix("db")?.parse().ok());
        let mut numbers: Vec<u32> = numbers.collect();
        numbers.sort_unstable();
        numbers
    }

    /// Returns whether a flag exists and is not 0.
    pub(crate) fn flag(&self, name: &str) -> bool {
        self.number::<i64>(name).is_some_and(|value| value != 0)
    }
}

#[cfg(test)]
mod tests {
    use super::Info;

    #[test]
    fn fields_are_parsed_by_type() {
        let info =
            Info::parse("# Persistence\r\nloading:0\r\naof_enabled:1\r\nsize:12\r\nx:a:b\r\n");
        assert!(info.flag("aof_enabled") && !info.flag("loading") && !info.flag("absent"));
        assert_eq!(info.number::<u64>("size"), Some(12));
        assert_eq!(info.number::<u64>("x"), None);
        assert_eq!(info.text("x"), Some("a:b"));
    }

    #[test]
    fn databases_are_those_with_keys() {
        let info = Info::parse("# Keyspace\r\ndb10:keys=1,expires=0\r\ndb2:keys=3\r\ndbx:y\r\n");
        assert_eq!(info.databases(), [2, 10]);
    }
}
