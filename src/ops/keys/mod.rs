//! Reading the keys of an RDB, for users of the library.

use std::path::Path;

use crate::aof::log::starts_with_rdb;
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::progress::Progress;
use crate::disk::Mapping;
use crate::input::envelope::Content;
use crate::rdb::summary::RdbSummary;
use crate::rdb::{Kind, Reading, Visitor, Want};

/// A key of an RDB.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RdbKey {
    /// The database number.
    pub db: u64,
    /// The name of the key, which may be any bytes.
    pub name: Vec<u8>,
    /// The type of the value.
    pub kind: Kind,
    /// The time at which it expires, in Unix milliseconds; `None` if it does not expire.
    pub expires_ms: Option<i64>,
    /// The byte offset of its record in the file.
    pub offset: u64,
}

/// Calls `each` with every key of the RDB that the file at `path` begins with, in the order of the file, and checks the
/// file as a server does that loads it. Keys are reported before the rest of the file has been checked, so that an error
/// at the end means that the reported keys are not all.
///
/// # Errors
///
/// - When the file cannot be opened.
/// - [`ErrorKind::Unrecognised`]: the file does not begin with an RDB.
/// - [`ErrorKind::Damaged`]: the RDB is damaged, or of a version that this library does not know.
/// - The first error of `each`, after which it is not called any more.
pub fn rdb_keys(
    path: impl AsRef<Path>,
    progress: &dyn Progress,
    each: impl FnMut(&RdbKey) -> Result<()>,
) -> Result<RdbSummary> {
    let path = path.as_ref();
    let file = Mapping::open(path)?;
    if !starts_with_rdb(file.bytes()) {
        return Err(Error::new(ErrorKind::Unrecognised, "not an RDB").at(path));
    }
    let content = Content::of(file.bytes(), path)?;
    progress.phase("read", content.bytes().len() as u64);
    let mut keys = Keys { each, error: None };
    let walked = content.read(&mut keys, progress);
    match (keys.error, walked) {
        (Some(error), _) => Err(error),
        (None, Ok(Reading::Known(summary))) => Ok(summary),
        (None, Ok(Reading::Newer(newer))) => {
            Err(Error::new(ErrorKind::Damaged, newer.content.to_string()).at(path))
        }
        (None, Err(damage)) => Err(Error::new(ErrorKind::Damaged, damage.to_string()).at(path)),
    }
}

struct Keys<F> {
    each: F,
    error: Option<Error>,
}

impl<'a, F: FnMut(&RdbKey) -> Result<()>> Visitor<'a> for Keys<F> {
    fn key(&mut self, key: &crate::rdb::Key<'a>) -> Want {
        if self.error.is_none() {
            let key = RdbKey {
                db: key.db,
                name: key.name.to_vec(),
                kind: key.kind(),
                expires_ms: key.expires_ms,
                offset: key.offset,
            };
            self.error = (self.each)(&key).err();
        }
        Want::Value
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::progress::Silent;

    #[test]
    fn keys_are_reported_in_file_order_until_the_caller_fails() {
        // REDIS0009, db 0, "a" -> "1", "b" -> "2" with an expiry, end, checksum off.
        let rdb = b"REDIS0009\xfe\x00\x00\x01a\x011\xfc\xe8\x03\0\0\0\0\0\0\x00\x01b\x012\xff\0\0\0\0\0\0\0\0";
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("dump.rdb");
        std::fs::write(&path, rdb).unwrap();
        let mut seen = Vec::new();
        let summary = rdb_keys(&path, &Silent, |key| {
            seen.push((key.name.clone(), key.expires_ms, key.offset));
            Ok(())
        })
        .unwrap();
        assert_eq!(summary.keys, 2);
        assert_eq!(seen, [(b"a".to_vec(), None, 11), (b"b".to_vec(), Some(1000), 16)]);

        let mut calls = 0;
        let error = rdb_keys(&path, &Silent, |_| {
            calls += 1;
            Err(Error::new(ErrorKind::Limit, "enough"))
        });
        assert_eq!((error.unwrap_err().kind(), calls), (ErrorKind::Limit, 1));

        std::fs::write(&path, b"*1\r\n$4\r\nPING\r\n").unwrap();
        let error = rdb_keys(&path, &Silent, |_| Ok(())).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unrecognised);
    }
}
