//! The servers and programs that are installed on this machine.
//!
//! There are two sets of release lines. [`LINES`] is the matrix: every line of which a binary can be had. Trials that take
//! a few seconds a line run on all of it. [`FAMILIES`] has one line of each family, usually the newest: the lines of a
//! family read and write the same formats. Long trials run on those. docs/servers.md lists the matrix for readers.

use std::collections::HashMap;
use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{LazyLock, Mutex, PoisonError};

use aofkit::base::server::{Product, Server, redis, valkey};

/// The matrix: all release lines that the tests cover, by product, oldest first. `.ci/servers` installs a binary of each.
pub(crate) const LINES: [Server; 13] = [
    redis(5, 0),
    redis(6, 0),
    redis(6, 2),
    redis(7, 0),
    redis(7, 2),
    redis(7, 4),
    redis(8, 0),
    redis(8, 2),
    redis(8, 6),
    valkey(8, 0),
    valkey(8, 1),
    valkey(9, 0),
    valkey(9, 1),
];

/// One line of each family: a log in one file (Redis up to 6.2), a log in parts (7.0 and 7.2), RDB 12 with expiring fields
/// (7.4 to 8.4), RDB 13 (8.6), and Valkey.
pub(crate) const FAMILIES: [Server; 5] =
    [redis(6, 2), redis(7, 0), redis(8, 2), redis(8, 6), valkey(9, 1)];

/// An installed server.
#[derive(Debug, Clone)]
pub(crate) struct Binary {
    /// Its release line, as `--version` reports it.
    pub(crate) line: Server,
    /// The path of its executable.
    pub(crate) path: PathBuf,
}

/// Returns the binary of a release line.
///
/// It is searched in this order: the path in the environment variable of the line (`AOFKIT_REDIS_6_2`,
/// `AOFKIT_VALKEY_9_1`), `target/servers/LINE/`, where `.ci/servers` installs it, then `PATH`. A binary whose
/// `--version` reports another line is skipped.
///
/// # Errors
///
/// The reason as text if no binary of the line is installed.
pub(crate) fn find(line: Server) -> Result<Binary, String> {
    static FOUND: LazyLock<Mutex<HashMap<Server, Result<Binary, String>>>> =
        LazyLock::new(Mutex::default);
    let mut found = FOUND.lock().unwrap_or_else(PoisonError::into_inner);
    found.entry(line).or_insert_with(|| search(line)).clone()
}

fn search(line: Server) -> Result<Binary, String> {
    let name = match line.product {
        Product::Redis => "redis-server",
        Product::Valkey => "valkey-server",
    };
    let variable = format!("AOFKIT_{line}").to_uppercase().replace(['-', '.'], "_");
    let in_target = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("target/servers")
        .join(line.to_string())
        .join(name);
    let candidates = [env::var_os(variable).map(PathBuf::from), Some(in_target), Some(name.into())];
    for path in candidates.into_iter().flatten() {
        if reported_line(&path) == Some(line) {
            return Ok(Binary { line, path });
        }
    }
    Err(format!("needs {line}: not found"))
}

/// Returns the release line that a binary reports: `Redis server v=7.0.15 sha=...`, `Valkey server v=...`.
fn reported_line(path: &Path) -> Option<Server> {
    let output = Command::new(path).arg("--version").output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let (product, rest) = text.split_once(" server v=")?;
    let version = rest.split_whitespace().next()?;
    format!("{product}-{version}").parse().ok()
}

/// Returns the path of a program on `PATH`.
///
/// # Errors
///
/// The reason as text if the program is not on `PATH`.
pub(super) fn find_program(program: &str) -> Result<PathBuf, String> {
    let directories = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&directories)
        .map(|directory| directory.join(program))
        .find(|path| path.is_file())
        .ok_or_else(|| format!("needs {program}: not found"))
}
