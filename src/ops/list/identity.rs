//! The identity of the source of archives.

use std::fmt;
use std::path::Path;

use serde::Serialize;

use crate::archive::contents::Source;
use crate::base::escape::ShownPath;

/// The source of archives, by which retention groups them and of which only one backup runs at a time.
///
/// It is the server, by host and port or socket, if known, and otherwise the log, by host and path. If one source gets
/// two identities, the policy applies to each separately, which retains too much and never too little.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Identity(String);

impl Identity {
    /// Returns the identity of a source.
    pub(crate) fn from_source(source: &Source) -> Self {
        let host = source.host.as_deref().unwrap_or("unknown host");
        let path = |path: &Path| ShownPath(path).to_string();
        let place = match (&source.socket, source.port, &source.path) {
            (Some(socket), _, _) => path(socket),
            (None, Some(port), _) => port.to_string(),
            (None, None, Some(log)) => path(log),
            (None, None, None) => "unknown log".to_owned(),
        };
        Identity(format!("{}:{place}", host.escape_debug()))
    }

    /// Returns the prefix of the names of files that belong to the source: the same on every machine.
    pub(crate) fn file_prefix(&self) -> String {
        format!(".aofkit-{:016x}", xxhash_rust::xxh3::xxh3_64(self.0.as_bytes()))
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_its_server_or_else_its_log() {
        let source = Source { host: Some("db1".into()), ..Source::default() };
        let log = Source { path: Some("/data/appendonlydir".into()), ..source.clone() };
        let server = Source { port: Some(6379), ..log.clone() };
        let socket = Source { socket: Some("/run/redis.sock".into()), ..server.clone() };
        let reported = |source: &Source| Identity::from_source(source).to_string();
        assert_eq!(reported(&log), "db1:/data/appendonlydir");
        assert_eq!(reported(&server), "db1:6379");
        assert_eq!(reported(&socket), "db1:/run/redis.sock");
        // A server that was restarted is the same source.
        let restarted = Source { run_id: Some("x".into()), ..server.clone() };
        assert_eq!(Identity::from_source(&restarted), Identity::from_source(&server));
        assert_eq!(
            reported(&Source { host: Some("a\nb".into()), ..log }),
            "a\\nb:/data/appendonlydir"
        );
    }
}
