//! What two data sets have besides keys, united: function libraries, and data of modules.

use serde::Serialize;

use crate::base::error::{Error, ErrorKind, Result};
use crate::base::escape::Shown;
use crate::keyspace::Functions;
use crate::keyspace::from_rdb::NonKeyData;
use crate::rdb::{AuxWhen, ModuleId, module_of};

/// The function libraries of two data sets.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct UnitedFunctions {
    /// The number of libraries that only the older data set has.
    pub from_old: u64,
    /// The number of libraries that only the newer data set has.
    pub from_new: u64,
    /// The number of libraries that both have with the same code.
    pub equal: u64,
    /// The names of the libraries that both have with different code, escaped for display.
    pub different: Vec<String>,
}

/// Compares the libraries of two data sets.
pub(super) fn functions(older: &Functions, newer: &Functions) -> UnitedFunctions {
    let mut united = UnitedFunctions::default();
    let code = |of: &Functions, name: &[u8]| {
        of.iter().find(|(other, _)| *other == name).map(|(_, library)| library.code().to_vec())
    };
    for (name, library) in older.iter() {
        match code(newer, name) {
            None => united.from_old += 1,
            Some(other) if other == library.code() => united.equal += 1,
            Some(_) => united.different.push(Shown(name).to_string()),
        }
    }
    let both = united.equal + united.different.len() as u64;
    united.from_new = (newer.len() as u64).saturating_sub(both);
    united
}

/// Unites what two data sets have besides keys. `older_wins`: where both have a library of one name, or data of one
/// module, that of the older one is used.
///
/// # Errors
///
/// [`ErrorKind::Refused`] if the older data set has imports of cluster slots under way, which no other data set can go on
/// with.
pub(super) fn non_key<'d>(
    older: NonKeyData<'d>,
    newer: NonKeyData<'d>,
    older_wins: bool,
) -> Result<NonKeyData<'d>> {
    if !older.slot_imports.is_empty() {
        let message =
            "the older data set has imports of cluster slots under way, which cannot be merged";
        return Err(Error::new(ErrorKind::Refused, message).help(
            "compact the older data set to commands first: aofkit compact OLD --format aof",
        ));
    }
    let NonKeyData { functions, module_aux, with_access, aux_fields, .. } = older;
    let mut united = newer;
    for (name, library) in functions.iter() {
        if older_wins || united.functions.iter().all(|(other, _)| other != name) {
            // The text was accepted when it was read.
            let _ = united.functions.load(library.code(), true);
        }
    }
    if older_wins {
        united.module_aux.retain(|(_, data)| !has_module(&module_aux, data));
        united.module_aux.extend(module_aux);
    } else {
        let missing = |(_, data): &(_, &[u8])| !has_module(&united.module_aux, data);
        let missing: Vec<_> = module_aux.into_iter().filter(missing).collect();
        united.module_aux.extend(missing);
    }
    united.with_access.join(&with_access);
    for (name, count) in aux_fields {
        *united.aux_fields.entry(name).or_default() += count;
    }
    Ok(united)
}

/// Returns whether one of these has the data of the same module as `data`.
fn has_module(all: &[(AuxWhen, &[u8])], data: &[u8]) -> bool {
    let name = |data: &[u8]| module_of(data).map(ModuleId::name);
    all.iter().any(|(_, other)| name(other) == name(data))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn libraries(named: &[(&str, &str)]) -> Functions {
        let mut functions = Functions::default();
        for (name, body) in named {
            functions.load(format!("#!lua name={name}\n{body}").as_bytes(), false).unwrap();
        }
        functions
    }

    fn names_and_code(functions: &Functions) -> Vec<String> {
        let lines = functions.iter().map(|(_, library)| library.code().to_vec());
        lines.map(|code| String::from_utf8(code).unwrap().replace("#!lua name=", "")).collect()
    }

    #[test]
    fn libraries_of_both_sides_are_kept_and_the_preferred_code_of_common_names() {
        let older = libraries(&[("a", "1"), ("both", "old"), ("same", "x")]);
        let newer = libraries(&[("b", "2"), ("both", "new"), ("same", "x")]);
        let counted = functions(&older, &newer);
        let different = vec![r#""both""#.to_owned()];
        let expected = UnitedFunctions { from_old: 1, from_new: 1, equal: 1, different };
        assert_eq!(counted, expected);
        for (older_wins, code) in [(false, "new"), (true, "old")] {
            let data = |functions: &Functions| NonKeyData {
                functions: functions.clone(),
                ..NonKeyData::default()
            };
            let united = non_key(data(&older), data(&newer), older_wins).unwrap();
            let expected = ["a\n1", "b\n2", &format!("both\n{code}"), "same\nx"];
            assert_eq!(names_and_code(&united.functions), expected);
        }
    }

    /// The first byte of an id says that 8 bytes follow; its name is in the upper 54 bits.
    #[test]
    fn data_of_a_module_is_taken_from_one_side_only() {
        let aux = |name: u64, value: u8| {
            [&[0x81][..], &(name << 10 | 1).to_be_bytes(), &[value]].concat()
        };
        let (one, other, third) = (aux(5, 1), aux(5, 2), aux(6, 3));
        let data = |all: &[&'static [u8]]| NonKeyData {
            module_aux: all.iter().map(|data| (AuxWhen::Before, *data)).collect(),
            ..NonKeyData::default()
        };
        let [one, other, third] = [one, other, third].map(|it| &*it.leak());
        let united = |older_wins| {
            let united = non_key(data(&[one, third]), data(&[other]), older_wins).unwrap();
            united.module_aux.into_iter().map(|(_, data)| data).collect::<Vec<_>>()
        };
        assert_eq!(united(false), [other, third]);
        assert_eq!(united(true), [one, third]);
    }
}
