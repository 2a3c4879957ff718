//! The settings of a server that loads a log.

use super::server::Binary;
use crate::base::server::DEFAULT_DATABASES;

/// Returns the settings of the server, as they are in a configuration file: nothing that writes more than it
/// has to, or that is reachable from elsewhere. There are so many databases, or the default number.
pub(in crate::ops) fn settings(server: &Binary, databases: u64) -> Vec<(&'static str, String)> {
    let mut all = vec![
        ("port", "0".to_owned()),
        ("daemonize", "no".to_owned()),
        ("save", String::new()),
        ("appendfsync", "no".to_owned()),
        ("auto-aof-rewrite-percentage", "0".to_owned()),
        ("aof-load-truncated", "no".to_owned()),
        ("databases", databases.max(DEFAULT_DATABASES).to_string()),
        ("unixsocketperm", "700".to_owned()),
    ];
    if server.line.has_redis(6, 2) {
        // Writing a crash report can hang, and the memory test after it takes up to a minute.
        all.extend(
            ["crash-log-enabled", "crash-memcheck-enabled"].map(|name| (name, "no".to_owned())),
        );
    }
    if server.line.has_redis(7, 0) {
        all.push(("enable-debug-command", "local".to_owned()));
    }
    all
}
