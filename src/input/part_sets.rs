//! Pairing the parts that no manifest lists into sets, by the numbers in their names.
//!
//! A rewrite begins the next incremental file when it starts, and has the next base file when it succeeds (`aof.c`,
//! `rewriteAppendOnlyFileBackground`, `backgroundRewriteDoneHandler`). So a base file is followed by the incremental
//! files from its own number on, up to the number of the next base file; a failed rewrite leaves a gap between the two
//! counts.

use std::collections::BTreeMap;
use std::fmt;

use crate::aof::manifest::Role;

/// A file that is named like a part of a set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NumberedPart<F> {
    pub(crate) role: Role,
    /// The number in its name.
    pub(crate) seq: i64,
    pub(crate) file: F,
}

/// Parts that belong together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PartSet<F> {
    /// The files in load order.
    pub(crate) files: Vec<NumberedPart<F>>,
    /// What is incomplete or uncertain about the set.
    pub(crate) note: Option<Note>,
}

/// What is incomplete or uncertain about parts that were paired.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Note {
    /// The incremental files between these two numbers are missing.
    MissingBetween(i64, i64),
    /// There is another base file, and several incremental files follow this one.
    Inferred,
    /// There is no base file.
    NoBase,
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Note::MissingBetween(first, last) => {
                write!(f, "the incremental files between {first} and {last} are missing")
            }
            Note::Inferred => f.write_str(
                "that all of its incremental files follow this base file is inferred from their numbers",
            ),
            Note::NoBase => f.write_str(
                "its base file is missing: it has only what was written after a rewrite",
            ),
        }
    }
}

/// Pairs the parts of one name in one directory. The set with the highest numbers is the first.
pub(crate) fn pair<F>(parts: Vec<NumberedPart<F>>) -> Vec<PartSet<F>> {
    let (mut bases, mut incrs) = (BTreeMap::new(), BTreeMap::new());
    for part in parts {
        let of_role = if part.role == Role::Base { &mut bases } else { &mut incrs };
        of_role.insert(part.seq, part);
    }
    let mut sets = Vec::new();
    let are_several = bases.len() > 1;
    while let Some((seq, base)) = bases.pop_last() {
        let following = incrs.split_off(&seq);
        let numbers: Vec<i64> = following.keys().copied().collect();
        let note = missing_between(&numbers).or_else(|| {
            let is_ambiguous = are_several && numbers.len() > 1;
            is_ambiguous.then_some(Note::Inferred)
        });
        let files = std::iter::once(base).chain(following.into_values()).collect();
        sets.push(PartSet { files, note });
    }
    if !incrs.is_empty() {
        let files = incrs.into_values().collect();
        sets.push(PartSet { files, note: Some(Note::NoBase) });
    }
    sets
}

/// Returns a note on the first number that is missing between these.
fn missing_between(numbers: &[i64]) -> Option<Note> {
    let gap = numbers.windows(2).find(|pair| pair[0].checked_add(1) != Some(pair[1]))?;
    Some(Note::MissingBetween(gap[0], gap[1]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(role: Role, seq: i64) -> NumberedPart<String> {
        let name = if role == Role::Base { "base" } else { "incr" };
        NumberedPart { role, seq, file: format!("{seq}.{name}") }
    }

    fn sets(bases: &[i64], incrs: &[i64]) -> Vec<(Vec<String>, bool)> {
        let bases = bases.iter().map(|&seq| part(Role::Base, seq));
        let incrs = incrs.iter().map(|&seq| part(Role::Incr, seq));
        let named = |set: PartSet<String>| {
            let names = set.files.into_iter().map(|part| part.file);
            (names.collect(), set.note.is_some())
        };
        pair(incrs.chain(bases).collect()).into_iter().map(named).collect()
    }

    fn set(names: &[&str], has_note: bool) -> (Vec<String>, bool) {
        (names.iter().map(|name| (*name).to_owned()).collect(), has_note)
    }

    #[test]
    fn base_is_paired_with_the_incremental_files_up_to_the_next_base() {
        assert_eq!(sets(&[2], &[2]), [set(&["2.base", "2.incr"], false)]);
        assert_eq!(
            sets(&[1, 3], &[1, 2, 3]),
            [set(&["3.base", "3.incr"], false), set(&["1.base", "1.incr", "2.incr"], true)]
        );
        // A rewrite failed: the count of the incremental files is ahead.
        assert_eq!(sets(&[2], &[4, 5]), [set(&["2.base", "4.incr", "5.incr"], false)]);
        // A number of ten digits is not sorted as text.
        assert_eq!(sets(&[9, 10], &[9, 10])[0], set(&["10.base", "10.incr"], false));
    }

    #[test]
    fn what_is_missing_is_noted() {
        assert_eq!(sets(&[], &[1, 2]), [set(&["1.incr", "2.incr"], true)]);
        assert_eq!(
            sets(&[3], &[1, 3]),
            [set(&["3.base", "3.incr"], false), set(&["1.incr"], true)]
        );
        let parts = vec![part(Role::Base, 1), part(Role::Incr, 1), part(Role::Incr, 3)];
        let note = pair(parts).remove(0).note.unwrap();
        assert_eq!(note.to_string(), "the incremental files between 1 and 3 are missing");
        assert_eq!(pair::<String>(Vec::new()), []);
        assert!(missing_between(&[i64::MAX, i64::MIN]).is_some(), "no overflow");
    }
}
