//! Selecting the commands to show.

use crate::analysis::data_filter::KeyFilter;
use crate::command::{COUNT, CommandId, lookup};

/// The selected commands; by default all.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// The command names, in any case; empty for all names.
    pub names: Vec<String>,
    /// The filter for databases and keys.
    pub keys: KeyFilter,
}

impl Filter {
    /// Returns whether everything is shown, including elements other than commands.
    pub fn is_none(&self) -> bool {
        self.names.is_empty() && self.keys.is_none()
    }

    /// Returns whether a command is selected by its keys: it has a matching key, or it has no key and neither a pattern nor
    /// a slot is asked for. If the arguments are malformed, the keys found so far count; for a command that no known server has,
    /// the first argument is the key.
    pub(super) fn wants_keys_of(&self, id: Option<CommandId>, args: &[&[u8]]) -> bool {
        let (mut any, mut wanted) = (false, false);
        let mut visit = |at: usize| {
            any = true;
            wanted |= args.get(at).is_some_and(|key| self.keys.wants_name(key));
        };
        match id {
            Some(id) => {
                let arg = |at: usize| args.get(at).copied().unwrap_or_default();
                let _ = id.row().visit_keys(args.len(), arg, &mut visit);
            }
            None if args.len() > 1 => visit(1),
            None => {}
        }
        if any { wanted } else { !self.keys.asks_for_names() }
    }
}

/// Command names in a form for fast lookup.
pub(super) struct Names {
    /// Whether a command is selected, by command ID.
    known: Box<[bool; COUNT]>,
    unknown: Vec<Vec<u8>>,
}

impl Names {
    /// Returns the names; `None` if every name is selected.
    pub(super) fn from_filter(filter: &Filter) -> Option<Names> {
        if filter.names.is_empty() {
            return None;
        }
        let mut names = Names { known: Box::new([false; COUNT]), unknown: Vec::new() };
        for name in &filter.names {
            match lookup(name.as_bytes()) {
                Some(id) => names.known[id.index()] = true,
                None => names.unknown.push(name.as_bytes().to_vec()),
            }
        }
        Some(names)
    }

    #[inline]
    pub(super) fn has(&self, id: Option<CommandId>, name: &[u8]) -> bool {
        match id {
            Some(id) => self.known[id.index()],
            None => self.unknown.iter().any(|unknown| unknown.eq_ignore_ascii_case(name)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::glob::Glob;

    #[test]
    fn a_command_is_wanted_for_any_of_its_keys() {
        let filter = |patterns: &[&str], excluded: &[&str]| Filter {
            keys: KeyFilter {
                patterns: patterns.iter().map(|glob| Glob::new(*glob)).collect(),
                excluded: excluded.iter().map(|glob| Glob::new(*glob)).collect(),
                ..KeyFilter::default()
            },
            ..Filter::default()
        };
        let wants = |filter: &Filter, line: &str| {
            let args: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
            filter.wants_keys_of(lookup(args[0]), &args)
        };
        let users = filter(&["user:*"], &[]);
        for line in
            ["SET user:1 x", "rename a user:2", "MSET a user:1 user:2 b", "JSON.SET user:1 $"]
        {
            assert!(wants(&users, line), "{line}");
        }
        for line in ["SET a user:1", "MSET a user:1", "FLUSHALL", "SELECT 1", "JSON.SET a user:1"] {
            assert!(!wants(&users, line), "{line}");
        }
        let others = filter(&[], &["user:*"]);
        for line in ["SET a 1", "DEL user:1 a", "FLUSHALL"] {
            assert!(wants(&others, line), "{line}");
        }
        assert!(!wants(&others, "DEL user:1 user:2"));
        // The slot of foo, as Redis 7.0 reports it.
        let slots = KeyFilter { slots: vec![12182..=12182], ..KeyFilter::default() };
        let foo = Filter { keys: slots, ..Filter::default() };
        assert!(wants(&foo, "DEL a foo") && !wants(&foo, "DEL a") && !wants(&foo, "FLUSHALL"));
        assert!(!wants(&filter(&["user:*"], &["*:1"]), "SET user:1 x"));
    }
}
