//! The function libraries of a data set. They belong to no database, and to no shard of the keys.
//!
//! A library is its source text. Its first line names the engine and the library: `#!lua
//! name=mylib`. Errors that only running the rest can detect are not detected here: a library
//! without functions, a function that another library has too. Its syntax is checked by
//! [`lua`](super::lua), where an RDB is inspected: a log contains only what a server accepted.
//!
//! Checked against `functionExtractLibMetaData` in `functions.c` of Valkey 8.0, and Redis 7.0 and
//! 8.2.

use std::collections::BTreeMap;

use crate::aof::manifest::words;

/// Function libraries, by name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Functions {
    libraries: BTreeMap<Vec<u8>, Library>,
}

/// A library.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Library {
    engine: Vec<u8>,
    code: Vec<u8>,
}

impl Library {
    /// Returns the name of the engine that runs it, such as `LUA`, in the case used by the library.
    pub fn engine(&self) -> &[u8] {
        &self.engine
    }

    /// Returns the source text, including the line with its name.
    pub fn code(&self) -> &[u8] {
        &self.code
    }
}

/// The treatment of existing libraries when others are restored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Policy {
    /// They remain, and none of the new ones may have the name of an existing one.
    Append,
    /// They remain, except those that have the name of a new one.
    Replace,
    /// They are removed.
    Flush,
}

/// The reason why a library was not loaded, restored or deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LibraryError {
    /// The text does not begin with `#!`.
    NoMetadata,
    /// The first line, or a quote in it, is not terminated.
    BadMetadata,
    /// The first line contains something other than a name.
    UnknownMetadata,
    /// It names the library twice.
    TwoNames,
    /// It does not name the library.
    NoName,
    /// The name contains characters other than letters, digits and underscores.
    BadName,
    /// A library of this name exists.
    Exists,
    /// No library of this name exists.
    Missing,
}

impl LibraryError {
    /// Returns the error text of a server, without the name of the library or the offending text.
    pub fn message(self) -> &'static str {
        match self {
            LibraryError::NoMetadata => "ERR Missing library metadata",
            LibraryError::BadMetadata => "ERR Invalid library metadata",
            LibraryError::UnknownMetadata => "ERR Invalid metadata value given",
            LibraryError::TwoNames => {
                "ERR Invalid metadata value, name argument was given multiple times"
            }
            LibraryError::NoName => "ERR Library name was not given",
            LibraryError::BadName => {
                "ERR Library names can only contain letters, numbers, or underscores(_) and must be \
                 at least one character long"
            }
            LibraryError::Exists => "ERR Library already exists",
            LibraryError::Missing => "ERR Library not found",
        }
    }
}

impl Functions {
    /// Adds the library with this source text.
    ///
    /// # Errors
    ///
    /// Fails if its first line is invalid, or if a library of its name exists and `replace` is
    /// false.
    pub fn load(&mut self, code: &[u8], replace: bool) -> Result<(), LibraryError> {
        let Head { name, engine, .. } = library_head(code)?;
        if !replace && self.libraries.contains_key(&name) {
            return Err(LibraryError::Exists);
        }
        self.libraries.insert(name, Library { engine, code: code.to_vec() });
        Ok(())
    }

    /// Removes a library.
    ///
    /// # Errors
    ///
    /// Returns [`LibraryError::Missing`] if it does not exist.
    pub fn delete(&mut self, name: &[u8]) -> Result<(), LibraryError> {
        self.libraries.remove(name).map(|_| ()).ok_or(LibraryError::Missing)
    }

    /// Removes all libraries.
    pub fn flush(&mut self) {
        self.libraries.clear();
    }

    /// Adds other libraries.
    ///
    /// # Errors
    ///
    /// Returns [`LibraryError::Exists`] under [`Policy::Append`] if one of them already exists;
    /// none is added in that case.
    pub fn restore(&mut self, others: Functions, policy: Policy) -> Result<(), LibraryError> {
        match policy {
            Policy::Flush => self.flush(),
            Policy::Replace => {}
            Policy::Append => {
                if others.libraries.keys().any(|name| self.libraries.contains_key(name)) {
                    return Err(LibraryError::Exists);
                }
            }
        }
        self.libraries.extend(others.libraries);
        Ok(())
    }

    /// Returns the libraries and their names, in the order of the names' bytes.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&[u8], &Library)> {
        self.libraries.iter().map(|(name, library)| (&**name, library))
    }

    /// Returns the number of libraries.
    pub fn len(&self) -> usize {
        self.libraries.len()
    }

    /// Returns whether there are no libraries.
    pub fn is_empty(&self) -> bool {
        self.libraries.is_empty()
    }
}

/// The content of the first line of a library.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) name: Vec<u8>,
    pub(crate) engine: Vec<u8>,
    /// Length of the first line in bytes, without its end.
    pub(crate) line_bytes: usize,
}

/// Parses the first line. Its fields may be quoted.
pub(crate) fn library_head(code: &[u8]) -> Result<Head, LibraryError> {
    const NAME: &[u8] = b"name=";
    let line = code.strip_prefix(b"#!").ok_or(LibraryError::NoMetadata)?;
    // The servers search for the end of the line in a C string.
    let end = memchr::memchr2(b'\n', 0, line).filter(|end| line[*end] == b'\n');
    let end = end.ok_or(LibraryError::BadMetadata)?;
    let line = &line[..end];
    // The first field continues from the `#!`, so there must not be another one before the engine.
    let Ok((_, tokens)) = words(&[b"#!", line].concat()) else {
        return Err(LibraryError::BadMetadata);
    };
    let mut tokens = tokens.into_iter();
    let engine = tokens.next().ok_or(LibraryError::BadMetadata)?.split_off(2);
    let mut name = None;
    for token in tokens {
        match token.split_at_checked(NAME.len()) {
            Some((key, value)) if key.eq_ignore_ascii_case(NAME) => {
                if name.replace(value.to_vec()).is_some() {
                    return Err(LibraryError::TwoNames);
                }
            }
            _ => return Err(LibraryError::UnknownMetadata),
        }
    }
    let name = name.ok_or(LibraryError::NoName)?;
    let fine = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    if name.is_empty() || !name.iter().all(fine) {
        return Err(LibraryError::BadName);
    }
    Ok(Head { name, engine, line_bytes: end + 2 })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(first_line: &str) -> Result<String, LibraryError> {
        let code = format!("{first_line}\nredis.register_function('f', function() return 1 end)");
        library_head(code.as_bytes())
            .map(|head| String::from_utf8(head.name).expect("a plain name"))
    }

    /// The replies of Redis 7.0 and 8.2 and Valkey 9.1 to FUNCTION LOAD.
    #[test]
    fn the_first_line_is_parsed_as_by_servers() {
        for (line, name) in [
            ("#!lua name=a", "a"),
            ("#!lua name=A", "A"),
            ("#!lua NAME=c", "c"),
            ("#!lua \"name=d\"", "d"),
            ("#!lua name=\"e\"", "e"),
            ("#!\"lua\" name=y", "y"),
        ] {
            assert_eq!(named(line).as_deref(), Ok(name), "{line}");
        }
        for (line, error) in [
            ("#! lua name=g", LibraryError::UnknownMetadata),
            ("#!lua", LibraryError::NoName),
            ("#!lua name=h x=1", LibraryError::UnknownMetadata),
            ("#!lua name=h name=i", LibraryError::TwoNames),
            ("lua name=x", LibraryError::NoMetadata),
            ("#!lua name=", LibraryError::BadName),
            ("#!lua name=a-b", LibraryError::BadName),
            ("#!lua name=y \"", LibraryError::BadMetadata),
            ("#!\"lua name=y\"", LibraryError::NoName),
            ("#!\tlua name=t", LibraryError::UnknownMetadata),
            ("#!lua\tname=t\u{b}", LibraryError::BadName),
        ] {
            assert_eq!(named(line), Err(error), "{line}");
        }
        assert_eq!(library_head(b"#!lua name=a"), Err(LibraryError::BadMetadata), "no line end");
        assert_eq!(
            library_head(b"#!lua name=a\0\n"),
            Err(LibraryError::BadMetadata),
            "in a C string"
        );
    }

    fn library(name: &str, body: &str) -> Vec<u8> {
        format!("#!lua name={name}\n{body}").into_bytes()
    }

    fn names(functions: &Functions) -> Vec<&[u8]> {
        functions.iter().map(|(name, _)| name).collect()
    }

    #[test]
    fn names_are_case_sensitive_and_sorted() {
        let mut functions = Functions::default();
        for name in ["b", "a", "A"] {
            functions.load(&library(name, ""), false).expect("a new one");
        }
        assert_eq!(names(&functions), [b"A", b"a", b"b"]);
        assert_eq!(functions.load(&library("a", "x"), false), Err(LibraryError::Exists));
        functions.load(&library("a", "x"), true).expect("it replaces");
        let (_, a) = functions.iter().nth(1).expect("a");
        assert_eq!((a.engine(), a.code()), (&b"lua"[..], &library("a", "x")[..]));
        assert_eq!(functions.delete(b"B"), Err(LibraryError::Missing));
        assert_eq!(functions.delete(b"b"), Ok(()));
        assert_eq!(functions.len(), 2);
    }

    #[test]
    fn restore_follows_the_policy() {
        let start = || {
            let mut functions = Functions::default();
            functions.load(&library("a", "old"), false).expect("a new one");
            functions.load(&library("b", "old"), false).expect("a new one");
            functions
        };
        let mut others = Functions::default();
        others.load(&library("b", "new"), false).expect("a new one");
        others.load(&library("c", "new"), false).expect("a new one");

        let mut functions = start();
        let refused = functions.restore(others.clone(), Policy::Append);
        assert_eq!((refused, &functions), (Err(LibraryError::Exists), &start()));
        functions.restore(others.clone(), Policy::Replace).expect("it replaces");
        assert_eq!(names(&functions), [b"a", b"b", b"c"]);
        assert_eq!(functions.libraries[&b"b"[..]].code(), library("b", "new"));
        functions.restore(others.clone(), Policy::Flush).expect("it flushes");
        assert_eq!(functions, others);
    }
}
