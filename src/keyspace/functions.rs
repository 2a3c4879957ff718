//! The function libraries of a data set. They belong to no database, and to no share of the keys.
//!
//! A library is its source text. Its first line names the engine and the library: `#!lua name=mylib`. The
//! rest is not looked into, so what only the engine can see is not seen here: a syntax error, a library
//! without functions, a function that another library has too. A log holds only what a server took.
//!
//! Checked against `functionExtractLibMetaData` in `functions.c` of Valkey 8.0, and Redis 7.0 and 8.2.

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
    /// The name of the engine that runs it, such as `LUA`, in the case in which the library has it.
    pub fn engine(&self) -> &[u8] {
        &self.engine
    }

    /// Its source text, the line with its name included.
    pub fn code(&self) -> &[u8] {
        &self.code
    }
}

/// What becomes of the libraries that are there when others are restored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Policy {
    /// They stay, and none of the new ones may have the name of one of them.
    Append,
    /// They stay, but those that have the name of a new one.
    Replace,
    /// They go.
    Flush,
}

/// Why a library was not loaded, restored or deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LibraryError {
    /// The text does not begin with `#!`.
    NoMetadata,
    /// The first line does not end, or its quotes do not.
    BadMetadata,
    /// The first line holds something else than a name.
    UnknownMetadata,
    /// It names the library twice.
    TwoNames,
    /// It does not name the library.
    NoName,
    /// The name holds something else than letters, digits and underscores.
    BadName,
    /// There is a library of this name.
    Exists,
    /// There is none.
    Missing,
}

impl LibraryError {
    /// What a server says. Where it names the library or a word, that is left out.
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
    /// Adds the library of this source text.
    ///
    /// # Errors
    ///
    /// When its first line is not as it must be, or, without `replace`, a library of its name is there.
    pub fn load(&mut self, code: &[u8], replace: bool) -> Result<(), LibraryError> {
        let Head { name, engine } = head(code)?;
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
    /// [`LibraryError::Missing`].
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
    /// [`LibraryError::Exists`] under [`Policy::Append`] when one of them is there already; then none is
    /// added.
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

    /// The libraries and their names, in the order of the names' bytes.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&[u8], &Library)> {
        self.libraries.iter().map(|(name, library)| (&**name, library))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.libraries.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.libraries.is_empty()
    }
}

/// What the first line of a library says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) name: Vec<u8>,
    pub(crate) engine: Vec<u8>,
}

/// Reads the first line. Its words may be quoted.
pub(crate) fn head(code: &[u8]) -> Result<Head, LibraryError> {
    const NAME: &[u8] = b"name=";
    let line = code.strip_prefix(b"#!").ok_or(LibraryError::NoMetadata)?;
    // The servers look for the line's end in a C string.
    let end = memchr::memchr2(b'\n', 0, line).filter(|end| line[*end] == b'\n');
    let line = &line[..end.ok_or(LibraryError::BadMetadata)?];
    // The first word goes on from the `#!`, so that none may stand alone before the engine.
    let Ok((_, words)) = words(&[b"#!", line].concat()) else {
        return Err(LibraryError::BadMetadata);
    };
    let mut words = words.into_iter();
    let engine = words.next().ok_or(LibraryError::BadMetadata)?.split_off(2);
    let mut name = None;
    for word in words {
        match word.split_at_checked(NAME.len()) {
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
    Ok(Head { name, engine })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(first_line: &str) -> Result<String, LibraryError> {
        let code = format!("{first_line}\nredis.register_function('f', function() return 1 end)");
        head(code.as_bytes()).map(|head| String::from_utf8(head.name).expect("a plain name"))
    }

    /// As Redis 7.0 and 8.2 and Valkey 9.1 answer to FUNCTION LOAD.
    #[test]
    fn the_first_line_is_read_as_servers_read_it() {
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
        assert_eq!(head(b"#!lua name=a"), Err(LibraryError::BadMetadata), "no line end");
        assert_eq!(head(b"#!lua name=a\0\n"), Err(LibraryError::BadMetadata), "in a C string");
    }

    fn library(name: &str, body: &str) -> Vec<u8> {
        format!("#!lua name={name}\n{body}").into_bytes()
    }

    fn names(functions: &Functions) -> Vec<&[u8]> {
        functions.iter().map(|(name, _)| name).collect()
    }

    #[test]
    fn names_tell_cases_apart_and_come_in_order() {
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
    fn restoring_follows_its_policy() {
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
