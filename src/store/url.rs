//! Places in buckets, as paths that begin with `s3://`.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::archive::names::is_archive_name;
use crate::base::error::{Error, ErrorKind, Result};

const SCHEME: &str = "s3://";

/// The longest key of an object in bytes.
const KEY_BYTES: usize = 1024;

/// A place in a bucket: the key of an object, or a prefix of keys without the slash at its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StoreUrl {
    pub(crate) bucket: String,
    /// Empty for the whole bucket.
    pub(crate) key: String,
}

/// Returns whether a path is a URL of object storage.
pub(crate) fn is_url(path: &Path) -> bool {
    path.as_os_str().as_encoded_bytes().starts_with(SCHEME.as_bytes())
}

/// Returns whether a path is the URL of an archive, by its name.
pub(crate) fn is_archive_url(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default();
    is_url(path) && is_archive_name(name.as_encoded_bytes())
}

impl StoreUrl {
    /// Reads the place that a path with [`is_url`] refers to.
    ///
    /// # Errors
    ///
    /// When the name of the bucket is not one, or the key is too long or not UTF-8.
    pub(crate) fn parse(path: &Path) -> Result<StoreUrl> {
        let wrong = |what: &str| {
            Error::new(ErrorKind::Usage, what).at(path).help(
                "give it as s3://BUCKET/PREFIX, or s3://BUCKET/PREFIX/NAME.zip for one archive",
            )
        };
        let text = path.to_str().ok_or_else(|| wrong("the URL is not UTF-8"))?;
        let rest = text.strip_prefix(SCHEME).ok_or_else(|| wrong("not a URL of object storage"))?;
        let (bucket, key) = rest.split_once('/').unwrap_or((rest, ""));
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
        if !(3..=255).contains(&bucket.len()) || !bucket.bytes().all(is_name) {
            return Err(wrong("the URL does not name a bucket"));
        }
        let key = key.trim_matches('/');
        if key.len() > KEY_BYTES {
            return Err(wrong("the key is longer than the 1,024 bytes that stores allow"));
        }
        if key.split('/').any(|name| [".", ".."].contains(&name)) || key.contains("//") {
            return Err(wrong("the key has a part that is empty, `.` or `..`"));
        }
        Ok(StoreUrl { bucket: bucket.to_owned(), key: key.to_owned() })
    }

    /// Returns the place below this one.
    pub(crate) fn join(&self, name: &str) -> StoreUrl {
        let key = format!("{}{name}", self.directory());
        StoreUrl { bucket: self.bucket.clone(), key }
    }

    /// Returns the prefix of the keys below this place: empty, or ending with a slash.
    pub(crate) fn directory(&self) -> String {
        if self.key.is_empty() { String::new() } else { format!("{}/", self.key) }
    }

    /// Returns the place above, and the last part of the key.
    pub(crate) fn split(&self) -> (StoreUrl, &str) {
        let (above, name) = self.key.rsplit_once('/').unwrap_or(("", &self.key));
        (StoreUrl { bucket: self.bucket.clone(), key: above.to_owned() }, name)
    }

    /// Returns the place as a path.
    pub(crate) fn path(&self) -> PathBuf {
        PathBuf::from(self.to_string())
    }
}

impl fmt::Display for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{SCHEME}{}", self.bucket)?;
        if self.key.is_empty() { Ok(()) } else { write!(f, "/{}", self.key) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_a_bucket_and_a_key() {
        let parse = |text: &str| StoreUrl::parse(Path::new(text));
        let url = parse("s3://backups/redis/db1/").unwrap();
        assert_eq!((url.bucket.as_str(), url.key.as_str()), ("backups", "redis/db1"));
        assert_eq!(url.join("a.zip").to_string(), "s3://backups/redis/db1/a.zip");
        assert_eq!(url.join("a.zip").split(), (url, "a.zip"));
        let bucket = parse("s3://backups").unwrap();
        assert_eq!(bucket.join("a.zip").path(), Path::new("s3://backups/a.zip"));
        assert_eq!(
            (bucket.directory(), bucket.to_string()),
            (String::new(), "s3://backups".into())
        );
        for wrong in ["s3://", "s3:///a", "s3://a b/c", "s3://bucket/a/../b", "s3://bucket/a//b"] {
            assert_eq!(parse(wrong).unwrap_err().kind(), ErrorKind::Usage, "{wrong}");
        }
        assert!(
            is_archive_url(Path::new("s3://b/x.zip")) && !is_archive_url(Path::new("/b/x.zip"))
        );
        assert!(is_archive_url(Path::new("s3://b/x.zip.age")));
        assert!(!is_archive_url(Path::new("s3://b/x.age")));
        assert!(!is_url(Path::new("./s3://b")));
    }
}
