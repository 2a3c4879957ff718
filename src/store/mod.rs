//! Object storage: archives in a bucket of S3 or of a compatible store.
//!
//! A path that begins with `s3://` is a place in a bucket: `s3://bucket/prefix` where a directory of archives may be given,
//! `s3://bucket/prefix/NAME.zip` where an archive may be. Reports name it so.
//!
//! | object | what it is |
//! |---|---|
//! | `NAME.zip` | an archive, the same bytes as a file of that name would have |
//! | `NAME.zip.ok` | written after the archive was read back; an archive without it is not listed |
//! | `.NAME.zip.upload` | the journal of an upload under way: it reserves the name, and has the id by which the next run aborts it |
//! | `.aofkit-SOURCE.lock` | the lease of a source, with its holder |
//!
//! - [`url`]: places in buckets.
//! - [`settings`]: what the command line says of the store, for the whole process.
//! - `keys`, `credentials`, `role`, `sign`: who asks, with which keys, and the signature that proves it (AWS Signature Version 4).
//! - `http`: requests over HTTP, only in builds with the feature `s3`. Everything else is compiled always.
//! - [`client`], `answers`, `xml`: the requests of S3, with retries, and what their answers mean.
//! - [`upload`]: an archive that is written as a stream, in parts.
//! - [`fetch`]: an archive, or only its metadata, as a file without a name that is mapped.
//! - [`lease`]: a lock with an expiry.
//! - [`archives`]: the archives below a prefix: listed, published, deleted.

pub(crate) mod answers;
pub(crate) mod archives;
pub(crate) mod client;
mod credentials;
pub(crate) mod fetch;
mod http;
mod keys;
pub(crate) mod lease;
mod role;
pub(crate) mod settings;
mod sign;
pub(crate) mod upload;
pub(crate) mod url;
mod xml;
